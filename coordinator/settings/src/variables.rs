//! Every single-valued setting, declared once.

/// A setting of one value: the key in `interlock.toml`, the environment variable, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// The key in `interlock.toml`, tables joined by dots; none if it can only be set outside the file.
    pub key: Option<&'static str>,
    /// The flag, if there is one.
    pub flag: Option<&'static str>,
    /// The default, as a person would write it.
    pub default: &'static str,
    /// What it does, in one or two sentences.
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

/// The file that settings are read from; the one variable that cannot be in that file.
pub(super) const CONFIG_VARIABLE: Variable = Variable {
    name: "INTERLOCK_CONFIG",
    key: None,
    flag: Some("--config"),
    default: "interlock.toml in the working directory, if there is one",
    meaning: "The settings file. If you name one, it must exist.",
};

/// Every setting of one value. Other variables that begin with `INTERLOCK_` are ignored, because Kubernetes makes such
/// variables for services (`INTERLOCK_GATEWAY_PORT`).
pub const VARIABLES: &[Variable] = &[
    CONFIG_VARIABLE,
    variable("INTERLOCK_TENANT", "tenant", Some("--tenant"), "default", "The tenant for commands that need one."),
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
        "The prefix of all task queue names: A-Z, a-z, 0-9, '.', '_', '-', at most 64 characters. All processes of \
         one installation must use the same, and so must producers that call Temporal themselves. 'interlock \
         bootstrap' records it; a process with another prefix does not start.",
    ),
    variable(
        "INTERLOCK_QUEUE_SHARDS",
        "queue_shards",
        None,
        "what 'interlock bootstrap' recorded",
        "The number of task queue shards over which tenants are spread, 1 to 1,000. The first 'interlock bootstrap' \
         records it (16 if nothing is set; 1 in demo, dev and tests). A process with another number set does not \
         start. Producers that call Temporal themselves must use the same number.",
    ),
    variable(
        "INTERLOCK_ID_KEY",
        "id_key",
        None,
        "none",
        "If set, workflow ids contain an HMAC-SHA256 of a resource's id under this key, not the id itself. If you \
         change the key, every resource becomes a new one.",
    ),
    variable(
        "INTERLOCK_CODEC_CURRENT_KEY",
        "codec.current_key",
        None,
        "none: nothing is encrypted",
        "The id of the key that encrypts everything that goes into histories (AES-256-GCM). It must be one of the \
         keys. See deploy/docs/data-at-rest.md.",
    ),
    variable(
        "INTERLOCK_CODEC_KEYS_DIRECTORY",
        "codec.keys_directory",
        None,
        "none",
        "A directory with one file for each key, as Kubernetes mounts a secret. The file name is the key's id; the \
         file holds 32 bytes, raw or in base64. All keys can decrypt.",
    ),
    variable(
        "INTERLOCK_CODEC_ENCRYPT",
        "codec.encrypt",
        None,
        "true",
        "Whether to encrypt if there are keys. If false, the keys only decrypt what was encrypted before.",
    ),
    variable(
        "INTERLOCK_CODEC_SERVER_LISTEN",
        "codec.server.listen",
        Some("--listen"),
        "127.0.0.1:8089",
        "The address on which 'interlock codec-server' listens. Without tokens ([[codec.server.tokens]]) it must be \
         a loopback address.",
    ),
    variable(
        "INTERLOCK_TEMPORAL_CLI",
        "temporal_cli",
        None,
        "searched on PATH, then in the cache, else installed",
        "The Temporal CLI that runs the embedded server.",
    ),
    variable(
        "INTERLOCK_CACHE_DIR",
        "cache_dir",
        None,
        "the platform's cache directory for 'interlock'",
        "The directory in which the Temporal CLI is installed.",
    ),
    variable("INTERLOCK_OFFLINE", "offline", None, "false", "If true, Interlock downloads nothing."),
    variable(
        "INTERLOCK_LOG_LEVEL",
        "log.level",
        Some("--log-level"),
        "info",
        "The log level: error, warn, info, debug, trace, off, or a filter such as \
         'info,interlock=debug'.",
    ),
    variable("INTERLOCK_LOG_FORMAT", "log.format", Some("--log-format"), "text", "The log format: text or json."),
    variable(
        "INTERLOCK_GATEWAY_LISTEN",
        "gateway.listen",
        Some("--listen"),
        "127.0.0.1:8088",
        "The address on which the gateway listens. Without tokens ([[gateway.tokens]]) it must be a loopback \
         address.",
    ),
    variable(
        "INTERLOCK_GATEWAY_EVENTS_PER_SECOND_MAX",
        "gateway.events_per_second_max",
        None,
        "5000",
        "Events that one tenant may send to one gateway process per second, on average and in one burst. More are \
         answered 429 with Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_BATCH_EVENTS_MAX",
        "gateway.batch_events_max",
        None,
        "1000",
        "Events in one call. A larger batch is answered 413 with batch_too_large, and none of its events is \
         accepted.",
    ),
    variable(
        "INTERLOCK_GATEWAY_CALLS_PER_TOKEN_MAX",
        "gateway.calls_per_token_max",
        None,
        "500",
        "Calls in flight with one token; without tokens, the calls of all clients together. More are answered 429 \
         with Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_READS_PER_SECOND_MAX",
        "gateway.reads_per_second_max",
        None,
        "1000",
        "Reads for one tenant from one gateway process per second, on average and in one burst; 'why' counts as ten. \
         More are answered 429 with Retry-After.",
    ),
    variable(
        "INTERLOCK_GATEWAY_ACTIONS_PER_SECOND_MAX",
        "gateway.actions_per_second_max",
        None,
        "100",
        "The same for actions for one tenant.",
    ),
    variable(
        "INTERLOCK_GATEWAY_LISTS_PER_SECOND_MAX",
        "gateway.lists_per_second_max",
        None,
        "80",
        "The same for lists of orders, for all tenants together. Each list makes some calls to Temporal's visibility \
         store, whose budget (frontend.namespaceRPS.visibility) the sweep needs too. With a budget of 10, Temporal's \
         default, set 5.",
    ),
    variable(
        "INTERLOCK_GATEWAY_LISTS_PER_TENANT_MAX",
        "gateway.lists_per_tenant_max",
        None,
        "40",
        "Each tenant's share of these lists per second, on average and in one burst.",
    ),
    variable(
        "INTERLOCK_HTTP_CONNECTIONS_MAX",
        "http.connections_max",
        None,
        "2000",
        "Open connections to the gateway or the codec server; 64 to a worker's health service; fewer if the process \
         has fewer file descriptors. Beyond the limit, the connection that waits longest without a request is \
         closed. If none waits, the answer is 503 with Retry-After; /healthz, /readyz and /metrics are still \
         answered.",
    ),
    variable(
        "INTERLOCK_HTTP_CONNECTIONS_PER_PEER_MAX",
        "http.connections_per_peer_max",
        None,
        "1000",
        "The same for the connections of one address. A proxy is one address.",
    ),
    variable(
        "INTERLOCK_HTTP_HEADER_TIMEOUT",
        "http.header_timeout",
        None,
        "10s",
        "How long a connection may take to send the head of a request, and before it to finish its TLS handshake. \
         Then it is closed, after the answer 408 if a part of a head has arrived.",
    ),
    variable(
        "INTERLOCK_HTTP_BODY_TIMEOUT",
        "http.body_timeout",
        None,
        "30s",
        "How long the whole body of a request may take; then the answer is 408. If a caller reads no byte of an \
         answer for that long, its connection is closed.",
    ),
    variable(
        "INTERLOCK_HTTP_IDLE_TIMEOUT",
        "http.idle_timeout",
        None,
        "1m",
        "How long a connection may stay open between two requests.",
    ),
    variable(
        "INTERLOCK_HTTP_BODY_BYTES_MAX",
        "http.body_bytes_max",
        None,
        "67108864",
        "Bytes of bodies in flight over all connections, as far as they have arrived. Beyond the limit, the answer is \
         503 with Retry-After, and the rest of the body is not read.",
    ),
    variable(
        "INTERLOCK_GATEWAY_DRAIN",
        "gateway.drain",
        None,
        "10s",
        "How long open requests may take to end after the gateway was told to stop. It accepts no new connections \
         meanwhile.",
    ),
    variable(
        "INTERLOCK_BROKER_PASSWORD",
        "broker.password",
        None,
        "none",
        "The password with which 'interlock ingest' connects to a broker as the user that --user names. In \
         interlock.toml it may be a place: { file = \"PATH\" }.",
    ),
    variable(
        "INTERLOCK_BROKER_TOKEN",
        "broker.token",
        None,
        "none",
        "The token with which 'interlock ingest nats' connects; likewise.",
    ),
    variable(
        "INTERLOCK_WORKERS_DRAIN",
        "workers.drain",
        None,
        "20s",
        "How long a worker that was told to stop lets its activities run before it asks them to end. It takes no new \
         tasks meanwhile, and /readyz says so. It still waits for a request that was sent to a target, at most for \
         its attempt_timeout. Whoever kills the process must wait for both times.",
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
        "Open orders of a customer. Beyond the limit, an event is rejected with backlog_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_STATE_BYTES_MAX",
        "limits.state_bytes_max",
        None,
        "1048576",
        "State of a customer in bytes. Beyond the limit, an event is rejected with backlog_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_TICKETS_MAX",
        "limits.tickets_max",
        None,
        "5000",
        "Tickets at a resource. Beyond the limit, a claim is answered queue_full.",
    ),
    variable(
        "INTERLOCK_LIMITS_JOURNAL_MAX",
        "limits.journal_max",
        None,
        "100",
        "Entries of an entity's journal. The oldest is dropped first.",
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
        "Ended orders that a customer still shows. The oldest is dropped first.",
    ),
    variable(
        "INTERLOCK_LIMITS_ORDER_DIGESTS_MAX",
        "limits.order_digests_max",
        None,
        "16384",
        "Order ids of the last 30 days that a customer remembers as digests, so that a duplicate event changes \
         nothing. Beyond the limit, the oldest are dropped, and an event whose time is before theirs is too_old. At \
         most three quarters of the ids may be of events without a time; one more such event is too_old.",
    ),
    variable(
        "INTERLOCK_LIMITS_CONTINUE_AS_NEW_EVENTS",
        "limits.continue_as_new_events",
        None,
        "500",
        "History events after which an entity continues as new as soon as nothing is in flight.",
    ),
    variable(
        "INTERLOCK_LIMITS_CONTINUE_AS_NEW_EVENTS_FORCED",
        "limits.continue_as_new_events_forced",
        None,
        "2000",
        "History events after which an entity continues as new even with calls in flight.",
    ),
    variable(
        "INTERLOCK_LIMITS_SIGNALS_MAX",
        "limits.signals_max",
        None,
        "5000",
        "Signals in one run after which an entity continues as new even with calls in flight: 1 to 9,000 (the server \
         refuses signals from 10,000 on).",
    ),
    variable(
        "INTERLOCK_LIMITS_LOCAL_ACTIVITIES_IN_A_ROW_MAX",
        "limits.local_activities_in_a_row_max",
        None,
        "4",
        "Local activities (admissions and messages) that an entity runs in a row before it lets the server record \
         them: if 100 signals arrive during a workflow task, the server repeats the task.",
    ),
];
