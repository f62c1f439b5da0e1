//! The page `coordinator/docs/settings.md`, written from what is declared.

use std::fmt::Write;

use super::variables::VARIABLES;
use super::workers::{WORKLOAD_KEYS, WorkloadDefaults};

const HEAD: &str = "\
# Settings

<!-- Written from coordinator/src/settings/variables.rs. A test compares it; to write it anew:
     INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator settings -->

A flag wins over a variable, a variable over `interlock.toml`, and that over the default. An empty variable counts as not
set. Unknown keys in the file are errors; other variables that begin with `INTERLOCK_` are ignored. The connection to
Temporal is set as everywhere else: by Temporal's own flags, `TEMPORAL_*` variables and `temporal.toml` profiles.

| variable | key in interlock.toml | flag | default | meaning |
| --- | --- | --- | --- | --- |
";

const TABLES: &str = r#"
## Tables

These are set in `interlock.toml` only.

```toml
# Who may call the gateway. Without any, it serves loopback only.
[[gateway.tokens]]
token = { file = "/run/secrets/interlock/night-shift" }  # every secret here: "its text", { env = "NAME" } or { file = "PATH" }
name = "night-shift"        # who is kept as the actor of what is done with it; default: the digest of the token
role = "submit"             # submit | read | operate (which includes read)
tenants = ["blue"]
realms = ["numbers"]        # shared realms in which its bearer sees what other tenants have, and with the role operate may force it
targets = ["hss-east"]      # targets that tenants share on which its bearer may act, with the role operate; "*" for all

[gateway.tls]               # without it the gateway speaks HTTP, and whatever stands before it ends TLS
certificate = "/run/secrets/interlock-tls/tls.crt"  # PEM, with those that lead to an authority
key = "/run/secrets/interlock-tls/tls.key"          # PEM, without a password
reload_interval = "10s"     # how often it is looked whether the files changed; this is the default

[http]                      # every HTTP service: gateway, workers, codec server
# Names beside their addresses, 'localhost' and, where they listen for others, names without a dot; ".example" is all names below it.
# A request for another host is refused. A service with tokens refuses none where no name is set here: a web page has no token.
hosts = ["interlock.example"]
origins = ["https://console.example"]   # whose web pages may call, beside their own; a request of another page is refused

[codec.keys]                # beside those of keys_directory; how to make and change them: deploy/docs/data-at-rest.md
"2026-11" = "…"             # 32 bytes in base64: openssl rand -base64 32
"2026-12" = { file = "/etc/interlock/codec/2026-12" }

[codec.server]              # 'interlock codec-server'
cors_origins = ["https://temporal.example"]       # whose web pages may call it: the Temporal UI's
[[codec.server.tokens]]     # who may call it. Without any, it serves loopback only
token = { file = "/run/secrets/interlock/codec" }
name = "support"            # who is written into its log

[tenants.blue]
plan = "pro"                # free (weight 1, the default) | pro (3) | enterprise (10)
namespace = "blue"          # default: that of the connection (TEMPORAL_NAMESPACE, --namespace), else default
spread = 4                  # over how many shards its entities are spread, at most the count; default: 1
[tenants.blue.targets]      # which target each role of the catalog is; without a mapping the role is the name
hss = "hss-east"

[realms.shared-hss]         # a realm of the catalog, whose resources several tenants share: no tenant's spread counts for them
spread = 4                  # default: 1

[targets.hss-east]
adapter = "pyhss"           # pyhss | json | declarative | external
base_url = "http://10.0.0.5:8080"
auth = { kind = "provisioning_key", key = "…" }   # none | bearer | basic | header | provisioning_key
timeout = "5s"
rate_per_second = 50        # at most, by all workers together: the Temporal server sees to it; default: no limit
concurrency = 20            # calls at a time of each worker process, in each namespace; default: 100

[targets.hss-east.outage]   # when it counts as down, and how it is called again; these are the defaults
failures = 5                # in a row in one worker process, which then does not call it …
open_for = "5s"             # … for so long
processes = 1               # so many processes must find so: then the target's queue is stopped
probe_first = "5s"          # after so long it is probed; the wait doubles …
probe_cap = "1m"            # … up to this
ramp_stage = "5s"           # 1, 2, 4 … requests a second for so long each, up to its rate …
ramp_top = 64               # … or up to this, where none is configured

[[targets.hss-east.maintenance]]   # nothing is sent, and nothing is probed
begins = "2026-12-01T02:00:00Z"
lasts = "2h"
every = "7d"                # default: once
reason = "the vendor's window"

[targets.billing]           # a program of its own, in any language, serves it: see adapters/docs/provision.md
adapter = "external"

[sweep]                     # how often it is looked at all that waits
interval = "1m"
patience = "30s"            # from when on it is looked whether anybody knows of an order that waits for a lease
parked_after = "15m"        # from when on a target that is not called is worth an alert

[alerts]
webhook = "https://…"       # each alert is posted there as a CloudEvent; default: logged and counted only
```

Traces are sent where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) is set: OTLP over HTTP with protobuf. Of the usual
variables `OTEL_SERVICE_NAME` (`interlock`), `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_*` and
`OTEL_SDK_DISABLED` are honoured, too.

All settings of a target are described at `TargetSettings` in the crate `interlock-adapters`.
"#;

const WORKERS: &str = "
## Workers

Each workload has a table: `[workers.entity]`, `[workers.resource]`, `[workers.provisioning]`, `[workers.jobs]`. Each key has a
variable too: `INTERLOCK_WORKERS_ENTITY_CACHED_ENTITIES` and so on. A process of the workload `all` reads all four. All
numbers are those of one worker; a process has one for each queue that it serves, or several (`workers_per_queue`).

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
