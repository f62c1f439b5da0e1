//! The page `coordinator/docs/settings.md`, generated from the declarations.

use std::fmt::Write;

use super::variables::VARIABLES;
use super::workers::{WORKLOAD_KEYS, WorkloadDefaults};

const HEAD: &str = "\
# Settings

<!-- Generated from coordinator/settings/src/variables.rs, workers.rs and reference.rs. A test compares it; to generate it again:
     INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-settings reference_page -->

On this page you find every setting of Interlock with its default, and where to set it. The [glossary](glossary.md) explains terms such as
[tenant](glossary.md#tenant), [catalog](glossary.md#catalog), [shard](glossary.md#shard), [role](glossary.md#role) and [target](glossary.md#target).

A flag wins over a variable, a variable wins over `interlock.toml`, and the file wins over the default. An empty variable counts as
not set. Unknown keys in the file are errors. Other variables that begin with `INTERLOCK_` are ignored. Set the connection to
Temporal as for Temporal's own tools: by Temporal's own flags, `TEMPORAL_*` variables and `temporal.toml` profiles.

| variable | key in interlock.toml | flag | default | meaning |
| --- | --- | --- | --- | --- |
";

const TABLES: &str = r#"
## Tables

You can set these in `interlock.toml` only.

```toml
# Who may call the gateway. Without tokens it serves loopback only.
[[gateway.tokens]]
token = { file = "/run/secrets/interlock/night-shift" }  # any secret: "its text", { env = "NAME" } or { file = "PATH" }
name = "night-shift"        # recorded as the actor of what is done with it; default: the digest of the token
role = "submit"             # submit | read | operate (includes read)
tenants = ["blue"]
realms = ["numbers"]        # shared realms: its bearer sees what other tenants have there, and with the role operate may force a release
targets = ["hss-east"]      # shared targets on which its bearer may act with the role operate; "*" for all

[gateway.tls]               # without it the gateway speaks HTTP, and a proxy in front of it must end TLS
certificate = "/run/secrets/interlock-tls/tls.crt"  # PEM, with the chain to a certificate authority
key = "/run/secrets/interlock-tls/tls.key"          # PEM, without a password
reload_interval = "10s"     # how often to check whether the files changed; this is the default

[console]                   # the pages below /console: coordinator/docs/console.md
temporal_ui = "https://temporal.example"   # where browsers reach the Temporal UI: pages link to its workflows; default: no links

[http]                      # every HTTP service: gateway, workers, codec server
# Host names that requests may use, besides the addresses, 'localhost' and, on a non-loopback address, names without a dot.
# ".example" allows all names below it. A request for another host is refused. A service with tokens allows any host if none
# is set here: a web page has no token.
hosts = ["interlock.example"]
origins = ["https://console.example"]   # whose web pages may call, besides its own; requests from other pages are refused

[codec.keys]                # in addition to keys_directory; how to create and rotate keys: deploy/docs/data-at-rest.md
"2026-11" = "…"             # 32 bytes in base64: openssl rand -base64 32
"2026-12" = { file = "/etc/interlock/codec/2026-12" }

[codec.server]              # 'interlock codec-server'
cors_origins = ["https://temporal.example"]       # whose web pages may call it: the Temporal UI
[[codec.server.tokens]]     # who may call it. Without tokens it serves loopback only
token = { file = "/run/secrets/interlock/codec" }
name = "support"            # who is named in its log

[tenants.blue]
plan = "pro"                # free (weight 1, the default) | pro (3) | enterprise (10)
namespace = "blue"          # default: the connection's (TEMPORAL_NAMESPACE, --namespace), else default
spread = 4                  # number of shards for its entities, at most queue_shards; default: 1
[tenants.blue.targets]      # the target for each role of the catalog; without a mapping the role is the name
hss = "hss-east"

[tenants.blue.subscriptions.crm]   # who is told what becomes of its events: coordinator/docs/subscriptions.md
target = "crm-hook"         # the receiver
types = ["interlock.order.completed", "interlock.order.held"]   # default: all of interlock.order.*
event_types = ["number.assigned"]   # only orders made by these; default: all. Likewise step_targets and customers

[espf.blue]                 # it takes the events of PortaOne's ESPF and NSPS: coordinator/docs/espf.md
target = "portaone-in"      # who translates them
users = [{ username = "espf", password = { env = "ESPF_PASSWORD" } }]   # besides the tokens of the gateway
[espf.blue.signature]       # if requests are signed: HMAC-SHA256, in hexadecimal or base64
keys = [{ file = "/run/secrets/interlock/espf" }]
header = "X-Signature"      # the default
prefix = ""                 # what stands before the signature in the header; the default
covers_date = false         # whether the header Date and a line feed stand before the body in what is signed; the default
date_within = "5m"          # how far that header may be from the present time; the default

[realms.shared-hss]         # a realm of the catalog that several tenants share: the spread of a tenant does not apply to its resources
spread = 4                  # default: 1

[targets.hss-east]
adapter = "pyhss"           # pyhss | json | declarative | webhook | intake | external
base_url = "http://10.0.0.5:8080"
auth = { kind = "provisioning_key", key = "…" }   # none | bearer | basic | header | provisioning_key
timeout = "5s"
rate_per_second = 50        # for all workers together: the Temporal server enforces it; default: no limit
rate_per_tenant = 20        # of a tenant with the plan free; pro three times, enterprise ten times as many; default: no limit
callbacks = true            # it gets a URL with each call, where it can report the end of a job; default: false
concurrency = 20            # calls in flight per worker process and namespace; default: 100

[targets.hss-east.outage]   # when the target counts as down, and how calls start again; these are the defaults
failures = 5                # after this many in a row, a worker process does not call the target …
open_for = "5s"             # … for this time
processes = 1               # if this many processes agree, the target's queue is stopped
probe_first = "5s"          # wait before the first probe; it doubles …
probe_cap = "1m"            # … up to this
ramp_stage = "5s"           # time for each stage of 1, 2, 4 … requests per second, up to its rate …
ramp_top = 64               # … or up to this if no rate is configured

[[targets.hss-east.maintenance]]   # no calls and no probes
begins = "2026-12-01T02:00:00Z"
lasts = "2h"
every = "7d"                # default: once
reason = "the vendor's window"

[targets.crm-hook]          # the receiver of a subscription
adapter = "webhook"
base_url = "https://crm.example/hooks/interlock"
format = "cloudevents"      # cloudevents | cloudevents_binary | tmf641 | espf (with espf_group, espf_account)
signing_keys = [{ env = "CRM_HOOK_KEY" }]   # Standard Webhooks: base64 of 24 to 64 bytes; all of them sign

[targets.portaone-in]       # translates the events of a producer into those of the catalog
adapter = "intake"
file = "portaone-espf.toml" # the mapping: a path, or the name of one that comes with Interlock
producer = "portaone"       # the declarative target that is asked for what the events do not say

[targets.billing]           # your own program, in any language, serves it: see adapters/docs/provision.md
adapter = "external"

[sweep]                     # looks at everything that waits
interval = "1m"             # how often
patience = "30s"            # an order that waits longer for a lease is checked: does the resource know of it?
parked_after = "15m"        # after this time, a target that is not called raises an alert

[callbacks]                 # for targets that report the end of a job: see adapters/docs/declarative.md, jobs
url = "https://interlock.example"     # where these targets reach the gateway
keys = [{ file = "/run/secrets/interlock/callbacks" }]   # at least 32 bytes each; the first signs, and all are accepted

[subscriptions]             # those that tenants make themselves ('interlock subscription add'): coordinator/docs/subscriptions.md
keys = [{ file = "/run/secrets/interlock/subscriptions" }]   # at least 32 bytes each: the signing keys of receivers are made from them
allowed_networks = ["10.20.0.0/16"]   # where receivers may be, besides the public internet; default: none

[second_person]             # the four-eyes rule: coordinator/docs/who-did-what.md
actions = ["cancel", "skip", "force_release"]   # that another person must confirm; default: none
within = "1h"               # how long they wait for that person, 1 second to 7 days; the default
[second_person.tenants]     # the actions of single tenants, instead of those above
blue = ["force_release"]

[broker]                    # 'interlock ingest': coordinator/docs/brokers.md; everything else is in its flags
password = { file = "/run/secrets/interlock/kafka" }   # of the user that --user names
# token = { file = "/run/secrets/interlock/nats" }     # NATS

[alerts]
webhook = "https://…"       # alerts are posted there as CloudEvents; default: logged and counted only
```

If `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) is set, Interlock sends traces there: OTLP over HTTP with protobuf. It
also reads the usual variables `OTEL_SERVICE_NAME` (`interlock`), `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_BSP_*` and `OTEL_SDK_DISABLED`.

`TargetSettings` in the crate `interlock-adapters` describes all settings of a target, and which kinds of adapter use each. One that the kind
of a target ignores is an error.
"#;

const WORKERS: &str = "
## Workers

Each workload has a table: `[workers.entity]`, `[workers.resource]`, `[workers.provisioning]`, `[workers.jobs]`. Each key also has
a variable: `INTERLOCK_WORKERS_ENTITY_CACHED_ENTITIES` and so on. A process of the workload `all` reads all four tables. All
numbers are per [worker](glossary.md#worker); a process has one worker for each queue that it serves, or several (`workers_per_queue`).

| key | entity | resource | provisioning | jobs | meaning | why |
| --- | --- | --- | --- | --- | --- | --- |
";

/// The reference page in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for variable in VARIABLES {
        let code = |text: Option<&str>| text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        // Writing to a String cannot fail.
        let _written = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            variable.name,
            code(variable.key),
            code(variable.flag),
            variable.default,
            variable.meaning.replace('|', "\\|"),
        );
    }
    page.push_str(WORKERS);
    for of in WORKLOAD_KEYS {
        let defaults: Vec<String> = WorkloadDefaults::ALL.iter().map(|(_, defaults)| (of.default)(defaults)).collect();
        let _written = writeln!(page, "| `{}` | {} | {} | {} |", of.key, defaults.join(" | "), of.meaning, of.why);
    }
    page.push_str(TABLES);
    page
}
