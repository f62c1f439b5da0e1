//! Every single-valued setting, declared once.

/// A setting of one value: the key in `interlock.toml`, the environment variable, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// The key in `interlock.toml`, tables joined by dots; none where it cannot be set there.
    pub key: Option<&'static str>,
    /// The flag, where there is one.
    pub flag: Option<&'static str>,
    /// The value where nothing is set, as a person would write it.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
}

const fn variable(
    name: &'static str,
    key: &'static str,
    flag: Option<&'static str>,
    default: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable { name, key: Some(key), flag, default, meaning }
}

/// The file that settings are read from; the one variable that cannot be in it.
pub(super) const CONFIG_VARIABLE: Variable = Variable {
    name: "INTERLOCK_CONFIG",
    key: None,
    flag: Some("--config"),
    default: "interlock.toml in the working directory, where there is one",
    meaning: "The settings file. One that is named must exist.",
};

/// Every setting of one value. Other variables that begin with `INTERLOCK_` are ignored, because Kubernetes makes such
/// variables for services (`INTERLOCK_GATEWAY_PORT`).
pub const VARIABLES: &[Variable] = &[
    CONFIG_VARIABLE,
    variable("INTERLOCK_TENANT", "tenant", Some("--tenant"), "default", "The tenant where one is needed."),
    variable(
        "INTERLOCK_CATALOG",
        "catalog",
        Some("--catalog"),
        "the reference catalog",
        "The catalog file: what each event type claims and does.",
    ),
    variable(
        "INTERLOCK_PREFIX",
        "prefix",
        None,
        "interlock",
        "What the names of all task queues begin with: A-Z, a-z, 0-9, '.', '_', '-', at most 64. All processes of one \
         installation must agree, and producers that call Temporal themselves; 'interlock bootstrap' records it, and a process \
         that has another one does not start.",
    ),
    variable(
        "INTERLOCK_QUEUE_SHARDS",
        "queue_shards",
        None,
        "what 'interlock bootstrap' recorded",
        "Over how many shards of task queues the tenants are spread, 1 to 1,000. The first 'interlock bootstrap' records it (16 \
         where nothing is set; 1 in demo, dev and tests); a process where another one is set does not start. Producers that \
         call Temporal themselves must agree.",
    ),
    variable(
        "INTERLOCK_ID_KEY",
        "id_key",
        None,
        "none",
        "Where set, workflow ids carry an HMAC-SHA256 of a resource's id under this key, not the id itself. Changing it \
         makes every resource a new one.",
    ),
    variable(
        "INTERLOCK_CODEC_CURRENT_KEY",
        "codec.current_key",
        None,
        "none: nothing is encrypted",
        "The id of the key under which everything that goes into histories is encrypted (AES-256-GCM). It must be among \
         the keys. See deploy/docs/data-at-rest.md.",
    ),
    variable(
        "INTERLOCK_CODEC_KEYS_DIRECTORY",
        "codec.keys_directory",
        None,
        "none",
        "A directory with a file for each key, named by its id, as Kubernetes mounts a secret: 32 bytes, as they are or \
         in base64. All of them decrypt.",
    ),
    variable(
        "INTERLOCK_CODEC_ENCRYPT",
        "codec.encrypt",
        None,
        "true",
        "Whether to encrypt, where there are keys. Without it they only decrypt what was encrypted before.",
    ),
    variable(
        "INTERLOCK_CODEC_SERVER_LISTEN",
        "codec.server.listen",
        Some("--listen"),
        "127.0.0.1:8089",
        "Where 'interlock codec-server' listens. Without tokens ([[codec.server.tokens]]) only a loopback address is \
         allowed.",
    ),
    variable(
        "INTERLOCK_TEMPORAL_CLI",
        "temporal_cli",
        None,
        "looked for on PATH, then in the cache, then installed",
        "The Temporal CLI to run the embedded server with.",
    ),
    variable(
        "INTERLOCK_CACHE_DIR",
        "cache_dir",
        None,
        "the platform's cache directory for 'interlock'",
        "Where the Temporal CLI is installed.",
    ),
    variable("INTERLOCK_OFFLINE", "offline", None, "false", "Whether nothing may be downloaded."),
    variable(
        "INTERLOCK_LOG_LEVEL",
        "log.level",
        Some("--log-level"),
        "info",
        "What is logged: error, warn, info, debug, trace, off, or a filter such as 'info,interlock_coordinator=debug'.",
    ),
    variable("INTERLOCK_LOG_FORMAT", "log.format", Some("--log-format"), "text", "How it is logged: text or json."),
    variable(
        "INTERLOCK_GATEWAY_LISTEN",
        "gateway.listen",
        Some("--listen"),
        "127.0.0.1:8088",
        "Where the gateway listens. Without tokens ([[gateway.tokens]]) only a loopback address is allowed.",
    ),
    variable(
        "INTERLOCK_GATEWAY_EVENTS_PER_SECOND_MAX",
        "gateway.events_per_second_max",
        None,
        "5000",
        "Events that one tenant may send to one gateway process in a second, as an average and at once. More are \
         answered 429 with Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_BATCH_EVENTS_MAX",
        "gateway.batch_events_max",
        None,
        "1000",
        "Events of one call. A larger batch is answered 413 with batch_too_large, and none of it is taken.",
    ),
    variable(
        "INTERLOCK_GATEWAY_CALLS_PER_TOKEN_MAX",
        "gateway.calls_per_token_max",
        None,
        "500",
        "Calls that are under way at a time with one token; without tokens those of everybody. More are answered 429 with \
         Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_READS_PER_SECOND_MAX",
        "gateway.reads_per_second_max",
        None,
        "1000",
        "Questions for one tenant to one gateway process in a second, as an average and at once; 'why' counts as ten. More \
         are answered 429 with Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_ACTIONS_PER_SECOND_MAX",
        "gateway.actions_per_second_max",
        None,
        "100",
        "Actions for one tenant in a second, likewise.",
    ),
    variable(
        "INTERLOCK_GATEWAY_LISTS_PER_SECOND_MAX",
        "gateway.lists_per_second_max",
        None,
        "80",
        "Lists of orders for all tenants together in a second, likewise: each is some calls to Temporal's visibility store, \
         whose budget (frontend.namespaceRPS.visibility) the sweep needs too. With a budget of 10, Temporal's default, set 5.",
    ),
    variable(
        "INTERLOCK_GATEWAY_LISTS_PER_TENANT_MAX",
        "gateway.lists_per_tenant_max",
        None,
        "40",
        "Each tenant's share of them in a second, as an average and at once.",
    ),
    variable(
        "INTERLOCK_HTTP_CONNECTIONS_MAX",
        "http.connections_max",
        None,
        "2000",
        "Connections at a time to the gateway or the codec server; 64 to a worker's health service; less where the process has \
         fewer file descriptors. Beyond it the one that waits longest without a request is closed, and where none does, 503 \
         with Retry-After is answered; /healthz, /readyz and /metrics are answered all the same.",
    ),
    variable(
        "INTERLOCK_HTTP_CONNECTIONS_PER_PEER_MAX",
        "http.connections_per_peer_max",
        None,
        "1000",
        "Connections at a time of one address, likewise. A proxy is one address.",
    ),
    variable(
        "INTERLOCK_HTTP_HEADER_TIMEOUT",
        "http.header_timeout",
        None,
        "10s",
        "How long a connection may take for the head of a request, and before it for its TLS handshake. Then it is closed.",
    ),
    variable(
        "INTERLOCK_HTTP_BODY_TIMEOUT",
        "http.body_timeout",
        None,
        "30s",
        "How long the body of a request may take, all of it; then 408 is answered. A caller that takes no byte of an answer for \
         so long is cut off.",
    ),
    variable(
        "INTERLOCK_HTTP_IDLE_TIMEOUT",
        "http.idle_timeout",
        None,
        "1m",
        "How long a connection may be open between two requests.",
    ),
    variable(
        "INTERLOCK_HTTP_BODY_BYTES_MAX",
        "http.body_bytes_max",
        None,
        "67108864",
        "Bytes of bodies that may be under way at a time, over all connections. Beyond it 503 with Retry-After is answered \
         before a body is read.",
    ),
    variable(
        "INTERLOCK_GATEWAY_DRAIN",
        "gateway.drain",
        None,
        "10s",
        "How long open requests may take to end when the gateway is stopped. It takes no new connections meanwhile.",
    ),
    variable(
        "INTERLOCK_WORKERS_DRAIN",
        "workers.drain",
        None,
        "20s",
        "How long a worker that is stopped lets its activities go on before it asks them to end. It takes nothing more \
         meanwhile, and /readyz says so. A request that was sent to a target is waited for all the same, at most for \
         its attempt_timeout: whoever kills the process must wait for both.",
    ),
    variable(
        "INTERLOCK_LIMITS_EVENT_BYTES_MAX",
        "limits.event_bytes_max",
        None,
        "16384",
        "The largest event, in bytes of JSON. A larger one is rejected with event_too_large.",
    ),
    variable(
        "INTERLOCK_LIMITS_OPEN_ORDERS_MAX",
        "limits.open_orders_max",
        None,
        "1000",
        "Open orders of a customer. Beyond it an event is rejected with backlog_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_STATE_BYTES_MAX",
        "limits.state_bytes_max",
        None,
        "1048576",
        "State of a customer in bytes. Beyond it an event is rejected with backlog_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_TICKETS_MAX",
        "limits.tickets_max",
        None,
        "5000",
        "Tickets at a resource. Beyond it a claim is answered queue_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_JOURNAL_MAX",
        "limits.journal_max",
        None,
        "100",
        "Entries of an entity's journal. The oldest is forgotten first.",
    ),
    variable(
        "INTERLOCK_LIMITS_FINISHED_TICKETS_MAX",
        "limits.finished_tickets_max",
        None,
        "64",
        "Finished tickets that a resource remembers.",
    ),
    variable(
        "INTERLOCK_LIMITS_REMEMBERED_ORDERS_MAX",
        "limits.remembered_orders_max",
        None,
        "1000",
        "Orders that are over and that a customer still shows. The oldest is forgotten first.",
    ),
    variable(
        "INTERLOCK_LIMITS_ORDER_DIGESTS_MAX",
        "limits.order_digests_max",
        None,
        "16384",
        "Order ids of the last 30 days that a customer remembers as digests, so that a duplicate event changes nothing. \
         Beyond it the oldest are forgotten, and an event whose time is before theirs is too_old. At most three \
         quarters of them are of events without a time; one more of those is too_old.",
    ),
    variable(
        "INTERLOCK_LIMITS_CONTINUE_AS_NEW_EVENTS",
        "limits.continue_as_new_events",
        None,
        "500",
        "History events after which an entity continues as new as soon as nothing is under way.",
    ),
    variable(
        "INTERLOCK_LIMITS_CONTINUE_AS_NEW_EVENTS_FORCED",
        "limits.continue_as_new_events_forced",
        None,
        "2000",
        "History events after which it continues as new with calls under way.",
    ),
    variable(
        "INTERLOCK_LIMITS_SIGNALS_MAX",
        "limits.signals_max",
        None,
        "5000",
        "Signals in one run after which it continues as new with calls under way: 1 to 9,000 (the server refuses them \
         from 10,000).",
    ),
    variable(
        "INTERLOCK_LIMITS_LOCAL_ACTIVITIES_IN_A_ROW_MAX",
        "limits.local_activities_in_a_row_max",
        None,
        "4",
        "Admissions and sendings that an entity runs one after the other before it lets the server record them: a workflow \
         task that is under way when 100 signals have come is done again.",
    ),
];
