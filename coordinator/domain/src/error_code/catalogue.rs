//! The catalogue: one table of all codes, grouped by where they occur.
//!
//! To add a code, add an entry to its group: the variant, the code (the variant in snake case), one sentence on what it
//! means, and what to do next. Then regenerate the page: `INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator
//! errors`. Never rename a code or use it for something else: users' scripts depend on it.

use super::Entry;

macro_rules! catalogue {
    ($(
        $group:ident ($title:literal, $about:literal) {
            $($variant:ident = $code:literal: $sentence:literal => $next:literal;)+
        }
    )+) => {
        /// Where a code occurs: a chapter of the reference page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorGroup {
            $(#[doc = $title] $group,)+
        }

        impl ErrorGroup {
            /// All groups, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$group,)+];

            /// The heading.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$group => $title,)+ }
            }

            /// Where its codes occur, in one or two sentences.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$group => $about,)+ }
            }
        }

        /// The stable code of an error that a user can meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $sentence] $variant,)+)+
        }

        impl ErrorCode {
            /// All codes, group by group.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            pub(super) const fn entry(self) -> Entry {
                match self {
                    $($(Self::$variant => Entry {
                        code: $code,
                        group: ErrorGroup::$group,
                        sentence: $sentence,
                        next: $next,
                    },)+)+
                }
            }
        }
    };
}

catalogue! {
    CommandLine (
        "The command line",
        "The command 'interlock' itself. The exit code is 2 if the command or a setting is wrong, and 1 if the \
         command failed."
    ) {
        WrongUse = "wrong_use": "The command line is invalid."
            => "Run 'interlock --help', or add --help after the command.";
        UnknownCode = "unknown_code": "The error code is unknown."
            => "Run 'interlock errors' to list all codes; for a code that a target returned, see the target's \
                documentation.";
        BadId = "bad_id": "An id is missing or invalid: it is empty, too long or malformed."
            => "Correct the id; the message says what is wrong with it.";
        EventsUnreadable = "events_unreadable": "The file with the events cannot be read."
            => "Check the path ('-' reads from stdin) and run the command again; events that were already sent are \
                not accepted twice.";
        ResumeUnusable = "resume_unusable": "The file for the progress of 'submit' cannot be used: it cannot be read or \
            written, or is another file."
            => "Give another file with --resume; sending events again is safe.";
        ResumeMismatch = "resume_mismatch": "The file for the progress of 'submit' is about other events."
            => "Give the events of the earlier run, or another file with --resume.";
        AuditStateUnusable = "audit_state_unusable": "The state file of an audit cannot be used: it cannot be read or written, \
            or is of another audit or another build."
            => "Check the path; begin a new audit with another file for --resume.";
        TargetLogUnreadable = "target_log_unreadable": "A target's log for an audit cannot be read."
            => "Check the path and the kind: 'sandbox' for what a sandbox target serves at '/__sandbox/log', 'pyhss' for \
                what PyHSS serves at '/operation_logs/list'.";
        OutputFailed = "output_failed": "The output cannot be written." => "Check where stdout goes.";
        Interrupted = "interrupted": "The command was interrupted before it finished." => "Run it again.";
        SignalsUnavailable = "signals_unavailable": "The process cannot install its signal handlers."
            => "Check the limits of the process ('ulimit -n').";
        RuntimeUnavailable = "runtime_unavailable": "The process cannot start its threads."
            => "Check the limits of the process ('ulimit -u', 'ulimit -n').";
        DemoFailed = "demo_failed": "The demo failed and cannot continue."
            => "Run it again with --log-level info to see why.";
        DemoTimedOut = "demo_timed_out": "The demo did not reach its next step in time."
            => "Run it again with --log-level info to see why.";
    }
    Settings (
        "Settings",
        "Reported when a command starts: 'interlock.toml', variables and flags. All have exit code 2."
    ) {
        SettingsFileUnreadable = "settings_file_unreadable": "The settings file cannot be read."
            => "Check the path given by --config or INTERLOCK_CONFIG.";
        SettingsFileMalformed = "settings_file_malformed":
            "The settings file is not valid TOML, or has an unknown key."
            => "Correct the line that the message names; coordinator/docs/settings.md lists all settings.";
        SettingInvalid = "setting_invalid": "A setting has an invalid value."
            => "See coordinator/docs/settings.md for the valid values.";
        BadQueuePrefix = "bad_queue_prefix": "The task queue prefix is invalid."
            => "Correct INTERLOCK_PREFIX: at most 64 characters from A-Z, a-z, 0-9, '.', '_' and '-'.";
        BadShardCount = "bad_shard_count":
            "The number of queue shards is out of range, or --shards names shards that do not exist."
            => "Correct INTERLOCK_QUEUE_SHARDS (1 to 1,000, the same for all processes) or --shards.";
        BadSpread = "bad_spread": "The 'spread' of a tenant or realm is 0, or larger than the number of queue shards."
            => "Correct 'spread' in [tenants.NAME] or [realms.NAME]: from 1 to the number of shards.";
        BadIdKey = "bad_id_key": "The key that hides resource ids is empty or blank."
            => "Set INTERLOCK_ID_KEY to a secret text, or unset it.";
        RealmSpansNamespaces = "realm_spans_namespaces": "Tenants that share a realm are in different namespaces."
            => "Use the connection's 'namespace' for all tenants of the realm; tenants without settings of their own \
                use that one.";
        RealmAuthoritiesDiffer = "realm_authorities_differ":
            "Tenants that share a realm use different targets as the authority on its resources."
            => "Map the authority's role to the same target for all tenants, or remove the realm from the resource \
                kind.";
        NotAnEntity = "not_an_entity": "The text is not the workflow id of an entity."
            => "Write TENANT/customer/ID or REALM/resource/KIND/ID, each part percent-encoded.";
        CatalogUnreadable = "catalog_unreadable": "The catalog file cannot be read."
            => "Check the path, and that the file is UTF-8 text.";
        CatalogFaulty = "catalog_faulty": "The catalog has errors."
            => "Run 'interlock catalog check FILE' to list all of them, then correct them.";
        GatewayWithoutTokens = "gateway_without_tokens":
            "The gateway would listen on an address that other machines can reach, and no token is configured."
            => "Configure [[gateway.tokens]], or listen on a loopback address.";
        GatewayTokenMissing = "gateway_token_missing": "A token of the gateway is empty or cannot be read."
            => "Set the text, the environment variable or the file that the message names.";
        TokenNameForbidden = "token_name_forbidden":
            "The name of a token would make its bearer look like another person in the journals."
            => "Choose a name that does not contain 'on behalf of'.";
        SecretEmpty = "secret_empty": "A secret in the settings is empty or blank."
            => "Set the secret, or remove the setting if none is needed.";
        TlsUnusable = "tls_unusable": "The TLS certificate or key cannot be used."
            => "Correct the files that [gateway.tls] names: both in PEM, the key without a password, and both from \
                one pair.";
        TargetUnknown = "target_unknown": "No target with this name is configured."
            => "Configure [targets.NAME] in interlock.toml, or correct the name.";
        TargetBaseUrlInvalid = "target_base_url_invalid": "The base URL of a target is missing or invalid."
            => "Correct 'base_url' in [targets.NAME]: an http or https URL.";
        TargetBaseUrlMissing = "target_base_url_missing": "A target has no base URL, and its adapter needs one."
            => "Add 'base_url' to [targets.NAME]: an http or https URL.";
        TargetNotVerified = "target_not_verified":
            "The catalog has 'on_ambiguous = \"verify\"', but 'verify' is off for the target."
            => "Set 'verify = true' in [targets.NAME], or choose 'resend', 'hold' or 'give_up'.";
        TargetSuccessInvalid = "target_success_invalid": "The condition for a target's success is invalid."
            => "Correct 'success' in [targets.NAME]: it has the keys of a row of an adapter file.";
        TargetExternal = "target_external": "The target is external: its queue is served by a separate program."
            => "Remove it from --targets, or set one of Interlock's adapters in [targets.NAME].";
        TargetAuthInvalid = "target_auth_invalid": "The authentication settings of a target are invalid."
            => "Correct 'auth' in [targets.NAME].";
        TargetAdapterFileMissing = "target_adapter_file_missing":
            "The adapter file of a target is not set or cannot be read."
            => "Check 'file' in [targets.NAME] and the path.";
        TargetAdapterFileFaulty = "target_adapter_file_faulty": "The adapter file of a target has errors."
            => "Run 'interlock catalog check FILE' to list all of them, then correct them.";
        TargetParameterInvalid = "target_parameter_invalid":
            "A parameter of a target's adapter file is missing or unknown."
            => "Correct 'parameters' in [targets.NAME]; the adapter file lists the valid parameters.";
        TargetSecretMissing = "target_secret_missing": "A secret of a target cannot be read."
            => "Set the environment variable, or write the file, that the message names.";
        TargetClientFailed = "target_client_failed": "The HTTP client for a target cannot be created."
            => "Check the certificates and proxies that the message names.";
        TargetNotForProcesses = "target_not_for_processes":
            "A target needs a secret, and secrets are not written to disk for worker processes."
            => "Run the workers in this process, or start them yourself.";
        NothingToServe = "nothing_to_serve": "The worker has nothing to serve: no target is configured."
            => "Configure [targets.NAME] in interlock.toml; external targets are served by their own programs.";
        NoWorkerBinary = "no_worker_binary": "The platform does not know which binary its worker processes run."
            => "Set 'workers' to 'WorkerHosting::Processes'.";
        LeasesOffInProcesses = "leases_off_in_processes": "Leases can be turned off only for workers in this process."
            => "Set 'workers' to 'WorkerHosting::InProcess'.";
    }
    Connection ("Temporal", "The connection to Temporal, and the addresses and queues that a process serves.") {
        TemporalUnreachable = "temporal_unreachable": "Temporal cannot be reached."
            => "Check --address (or TEMPORAL_ADDRESS, or the profile), that the server is running, and the TLS \
                settings on both sides.";
        TemporalAccessDenied = "temporal_access_denied": "Temporal denied access to this client."
            => "Check --api-key (or TEMPORAL_API_KEY), the client's certificate, and the namespace.";
        NotBootstrapped = "not_bootstrapped":
            "The namespace has no Interlock record: 'interlock bootstrap' was never run for it."
            => "Run 'interlock bootstrap' with the same settings and connection, then start again.";
        PrefixDisagrees = "prefix_disagrees":
            "The namespace belongs to an installation with another prefix, and two installations would share its \
            workflows."
            => "Set INTERLOCK_PREFIX to the recorded value, or use another namespace for this installation.";
        ShardCountDisagrees = "shard_count_disagrees":
            "The configured number of queue shards differs from the number recorded in a namespace."
            => "Unset INTERLOCK_QUEUE_SHARDS to use the recorded number; 'interlock bootstrap --shards N' changes it \
                for all processes.";
        NamespacesDisagree = "namespaces_disagree": "The namespaces of an installation have different records."
            => "A change of the shard count did not reach all of them: run 'interlock bootstrap' again.";
        BootstrapIncomplete = "bootstrap_incomplete": "A Temporal server could not be prepared for Interlock."
            => "The message says which step failed; fix the cause and start again.";
        RecordUnreadable = "record_unreadable": "The Interlock record of a namespace cannot be read."
            => "If Temporal denied access, fix the permissions; if a newer version wrote the record, use that \
                version.";
        TemporalProfileNotFound = "temporal_profile_not_found": "The profile does not exist in temporal.toml."
            => "Check --profile, TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.";
        TemporalConfigurationInvalid = "temporal_configuration_invalid":
            "The configuration of the connection to Temporal is invalid."
            => "Check the flags, the TEMPORAL_* variables, temporal.toml, and the 'namespace' of tenants.";
        TemporalUnavailable = "temporal_unavailable": "Temporal is temporarily unavailable."
            => "Try again when it is available; sending the same events again is safe.";
        TemporalNotAnswering = "temporal_not_answering": "Temporal did not respond: the event may have been accepted."
            => "Send it again; this is safe.";
        TemporalRefused = "temporal_refused": "Temporal rejected the call."
            => "See the reason in the message; if it is a limit of the server, wait and try again.";
        ListenFailed = "listen_failed": "Cannot bind to the listen address."
            => "Choose another address with --listen; port 0 picks a free port.";
        MetricsUnavailable = "metrics_unavailable": "The metrics cannot be served or read."
            => "Check that the process may listen on a loopback port; if the error remains, restart the process.";
        WorkerFailed = "worker_failed": "The worker of a queue failed."
            => "Check that the namespace exists and that this client may poll in it; then restart the process.";
        WorkerGap = "worker_gap":
            "A worker would serve a queue without having all of the queue's workflow or activity types registered."
            => "Run the same build everywhere; if the error remains, report it: this build is defective.";
        DeploymentIncomplete = "deployment_incomplete":
            "Only one of the two variables that enable worker versioning is set."
            => "Set both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, or neither.";
        WorkerProcessFailed = "worker_process_failed": "A worker process could not be started."
            => "See its output; check that the binary has the same version.";
        WorkerProcessNotEnded = "worker_process_not_ended": "A worker process could not be stopped."
            => "Stop it by hand; it ends with its parent process in any case.";
        PayloadUnreadable = "payload_unreadable": "The response of an entity cannot be read by this version."
            => "Run the same version everywhere; if the error remains, report it.";
        ClaimNotAnswered = "claim_not_answered": "A resource accepted a claim and did not answer in time."
            => "No action needed: the claim is sent again automatically.";
    }
    Server (
        "The embedded Temporal server",
        "'interlock dev', 'demo' and the tests run an embedded Temporal server."
    ) {
        TemporalCliUnusable = "temporal_cli_unusable": "The configured Temporal CLI cannot be used."
            => "Correct INTERLOCK_TEMPORAL_CLI, or unset it so that Interlock finds the CLI itself.";
        TemporalCliNotFound = "temporal_cli_not_found": "No Temporal CLI was found, and it could not be installed."
            => "Install the Temporal CLI and name it in INTERLOCK_TEMPORAL_CLI, or unset INTERLOCK_OFFLINE.";
        CacheUnusable = "cache_unusable": "The cache directory for the Temporal CLI is not writable."
            => "Make it writable, or set INTERLOCK_CACHE_DIR to another directory.";
        NoCacheDirectory = "no_cache_directory": "No cache directory for the Temporal CLI is known."
            => "Set INTERLOCK_CACHE_DIR to a directory.";
        TemporalServerNotStarted = "temporal_server_not_started": "The Temporal server could not be started."
            => "Check that the file is an executable for this machine.";
        TemporalServerEndedEarly = "temporal_server_ended_early": "The Temporal server exited during startup."
            => "See its log; the usual reasons are a port or a database file that is already in use.";
        TemporalServerNotReady = "temporal_server_not_ready": "The Temporal server was not ready in time."
            => "See its log, and try again when the machine is less busy.";
        TemporalServerNotStopped = "temporal_server_not_stopped": "The Temporal server could not be stopped."
            => "Stop the process by hand.";
        TemporalServerEnded = "temporal_server_ended": "The Temporal server exited unexpectedly."
            => "See the end of its log, and start again.";
    }
    Sandbox ("Sandbox targets", "The simulated targets of 'interlock sandbox', 'dev' and 'demo'.") {
        SandboxListenFailed = "sandbox_listen_failed": "A sandbox target cannot bind to its listen address."
            => "Choose another address with --listen.";
        SandboxNotSeeded = "sandbox_not_seeded": "The sandbox HSS did not accept the SIMs to seed." => "Report this.";
        NoSubscribers = "no_subscribers": "This sandbox target has no subscribers to seed." => "Seed the sandbox HSS.";
        SeedTaken = "seed_taken": "A seed uses an identifier that another subscriber already has."
            => "Choose another IMSI, ICCID or number.";
    }
    Inspection ("Showing and explaining", "Commands and calls that show customers, resources and orders.") {
        NeverSeen = "never_seen": "The id was never seen, or its history was deleted."
            => "Check the id and the tenant; if the event was accepted a moment ago, try again in a moment.";
        NoLongerKept = "no_longer_kept": "The order ended, and its customer no longer shows it."
            => "No action is needed. What it did is at its targets, in their logs, and in the run's history as long as Temporal retains it.";
        EntityEnded = "entity_ended": "The entity is not running: it was terminated, and this is its last state."
            => "Restore its unfinished orders: 'interlock customer recover ID'.";
        NoWorker = "no_worker": "The entity did not answer: no worker serves its queue, or all workers are busy."
            => "Start workers ('interlock worker --workload all'), then try again.";
        TemporalBusy = "temporal_busy": "Temporal limits the rate of such queries at the moment."
            => "Try again in a second.";
        SearchAttributesMissing = "search_attributes_missing":
            "Interlock's search attributes are not registered in the namespace, so orders cannot be listed by state."
            => "Register InterlockTenant, InterlockEntityKind and InterlockState, each of type Keyword ('temporal \
                operator search-attribute create'); workers notice within a minute. Until then, list the orders of a \
                single customer.";
        BadCursor = "bad_cursor": "The cursor was not issued by this API."
            => "Use 'next_cursor' of the previous page, or start again without a cursor.";
        StateNotOpen = "state_not_open": "The state is not a state of an open order."
            => "Use acknowledged, pending, inProgress or held; to see an order that has ended, show it by its id.";
        QueryRefused = "query_refused": "Temporal or the entity rejected the query."
            => "See the reason in the message; the worker's log has more detail.";
    }
    Gateway ("The HTTP gateway", "Returned as 'application/problem+json', in addition to the codes of the sections below.") {
        CallUnderWay = "call_under_way": "A target reported the end of a job whose call is still being made, or was asked about just now."
            => "Report it again after the time in 'Retry-After'. The target is also asked about the job at intervals.";
        CallbackUnknown = "callback_unknown": "The URL of a call back was not issued by this installation, or its key was removed from the settings."
            => "Use the whole URL as the target got it with the call. The target is also asked about the job at intervals.";
        NoSuchCall = "no_such_call": "The path is unknown." => "See '/openapi.json' for all calls.";
        MethodNotAllowed = "method_not_allowed": "The path does not support this method."
            => "Use a method that the header 'Allow' names; '/openapi.json' describes each of them.";
        BadQuery = "bad_query": "The query string of the URL is invalid."
            => "Correct it; '/openapi.json' lists the parameters of each call.";
        TokenMissing = "token_missing": "The request has no bearer token."
            => "Send the header 'Authorization: Bearer TOKEN'.";
        TokenUnknown = "token_unknown": "The bearer token is unknown."
            => "Use another token, or ask for a change of [[gateway.tokens]].";
        TenantForbidden = "tenant_forbidden": "The token does not give access to this tenant."
            => "Use another token, or ask for a change of [[gateway.tokens]].";
        TargetForbidden = "target_forbidden": "The token does not give access to a target that tenants share."
            => "Use another token, or ask for a change of 'targets' in [[gateway.tokens]].";
        RoleForbidden = "role_forbidden": "The role of the token does not allow this call."
            => "Use another token, or ask for a change of [[gateway.tokens]].";
        BodyTooLarge = "body_too_large": "The request body exceeds the gateway's limit."
            => "Send less: the body of an action has a few short fields.";
        BodyUnreadable = "body_unreadable": "The request body could not be read." => "Send the request again.";
        BodyNotDecoded = "body_not_decoded": "The body does not have the encoding that 'Content-Encoding' names."
            => "Encode the body as the header says, or send it without the header.";
        HeadTooSlow = "head_too_slow": "The head of the request did not arrive in time."
            => "Send it again, or ask for a higher [http] header_timeout.";
        BodyTooSlow = "body_too_slow": "The request body did not arrive in time."
            => "Send it again, in smaller batches if the connection is slow, or ask for a higher [http] \
                body_timeout.";
        BatchTooLarge = "batch_too_large": "The batch has more events than one request may have."
            => "Send smaller batches, or ask for a higher INTERLOCK_GATEWAY_BATCH_EVENTS_MAX.";
        BodyTooManyValues = "body_too_many_values": "The JSON body has more values than the gateway accepts."
            => "Send smaller batches, with fewer values in each event.";
        RepeatedKey = "repeated_key": "The JSON body has a duplicate key in one object."
            => "Send each key once: JSON parsers disagree on which of the two values counts.";
        RepeatedHeader = "repeated_header": "A header that may appear only once is repeated."
            => "Send it once; a proxy must replace the header instead of adding a second one.";
        CredentialsUnknown = "credentials_unknown": "The user or the password of a call with basic authorisation is unknown."
            => "Correct them at the sender, or ask for a change of [espf.TENANT] or [[gateway.tokens]].";
        SignatureInvalid = "signature_invalid": "The signature of the request does not match its body."
            => "Check that the sender and [espf.TENANT.signature] have the same key, header and signed content.";
        SignatureExpired = "signature_expired": "The header 'Date' of a signed request is missing, malformed, or too far from the present time."
            => "Set the clocks of both machines; the sender must sign each attempt anew.";
        EspfNotConfigured = "espf_not_configured": "The tenant takes no events of ESPF."
            => "Add [espf.TENANT] to the gateway's settings, or correct the tenant in the URL.";
        EspfBodyInvalid = "espf_body_invalid": "The body is not an event of ESPF or NSPS."
            => "Send what ESPF or an NSPS connector sends: see the page 'PortaOne ESPF and NSPS in'.";
        EventTypeNotMapped = "event_type_not_mapped": "The mapping has no rule for this type of event, so the event was not taken."
            => "Add the type to a rule of the mapping, or to a rule with 'ignore'; events that came before are not repeated.";
        EventIgnored = "event_ignored": "The mapping ignores events of this type on purpose."
            => "No action is needed; if they should have an effect, change the rule of the mapping.";
        EventNotMapped = "event_not_mapped": "The event lacks something that its rule of the mapping needs, so it was not taken."
            => "See the message; correct the event at its sender, or the rule of the mapping.";
        TooManyEvents = "too_many_events": "The tenant exceeds its event rate limit."
            => "Wait as long as 'Retry-After' says, then send again.";
        TooManyCalls = "too_many_calls":
            "The rate limit for this kind of call, for one tenant or one token, is exceeded."
            => "Wait as long as 'Retry-After' says, then call again.";
        ServiceOverloaded = "service_overloaded":
            "The service has reached its limit of connections or of bytes in flight."
            => "Wait as long as 'Retry-After' says, then call again; use fewer connections, or ask for higher limits \
                in [http].";
        HostMissing = "host_missing": "The 'Host' header is missing or invalid."
            => "Send one 'Host' header with a name or an address.";
        HostForbidden = "host_forbidden": "The 'Host' header names a host that this service does not serve."
            => "Use one of its names or its address, or add the name to [http] hosts.";
        OriginForbidden = "origin_forbidden": "The origin of the web page that calls is not allowed."
            => "Add the origin to [http] origins; for the codec server to [codec.server] cors_origins, or with \
                --cors-origin.";
        NoEventReadable = "no_event_readable": "None of the events was accepted."
            => "See 'results' for what is wrong with each event, and correct them.";
        NotEvents = "not_events": "The body is JSON, but neither an event nor a batch of events."
            => "Send one event (a JSON object) or a batch (a JSON array that is not empty).";
        BadHeader = "bad_header": "A 'ce-*' header is not valid text."
            => "Percent-encode the header as CloudEvents specifies.";
        UnsupportedContentType = "unsupported_content_type": "The call does not support the media type of the body."
            => "Send events as 'application/cloudevents+json', 'application/cloudevents-batch+json' or \
                'application/json', and every other body as 'application/json'.";
        UnsupportedContentEncoding = "unsupported_content_encoding": "The call does not support this encoding of bodies."
            => "Send the body as gzip or deflate, or without 'Content-Encoding'.";
    }
    Rejection (
        "Rejected events",
        "An event that is not accepted is reported with one of these codes: in the response of the gateway, in the \
         output of 'interlock submit', or in the customer's journal."
    ) {
        NotJson = "not_json": "The event is not valid JSON in UTF-8, or has a number that JSON parsers disagree on."
            => "Correct the text.";
        NotAnEvent = "not_an_event": "The event is not a single JSON object, or is nested too deeply."
            => "Send one CloudEvent as a JSON object.";
        EventTooLarge = "event_too_large": "The event exceeds the size limit."
            => "Make it smaller, or ask for a higher INTERLOCK_LIMITS_EVENT_BYTES_MAX.";
        ForeignFormat = "foreign_format": "The event is in another format than CloudEvents."
            => "See 'Other formats' on the page 'Events'.";
        UnsupportedSpecversion = "unsupported_specversion": "The attribute 'specversion' is missing or not '1.0'."
            => "Send CloudEvents 1.0.";
        BadSource = "bad_source": "The attribute 'source' is missing, empty or too long." => "Correct it.";
        BadType = "bad_type": "The attribute 'type' is missing, empty or too long." => "Correct it.";
        BadSubject = "bad_subject": "The attribute 'subject' is not a valid customer id."
            => "Send the id of the customer as 'subject'.";
        BadTime = "bad_time": "The attribute 'time' is not a valid RFC 3339 timestamp."
            => "Write it like 2026-01-31T12:00:00Z, or omit it.";
        BadPriority = "bad_priority": "A 'priority' is not an integer from 0 to 4."
            => "Correct it, or omit it: 0 is the highest.";
        BadSequence = "bad_sequence": "The attribute 'sequence' is not a text, or is too long."
            => "Correct it, or omit it.";
        BadRole = "bad_role": "The attribute 'interlockrole' is neither 'from' nor 'to'."
            => "Omit it: Interlock sets it itself.";
        BadData = "bad_data": "The attribute 'data' is missing, is not a JSON object, or contains a NUL character."
            => "Send a JSON object as 'data'.";
        UnsupportedData = "unsupported_data": "The event has 'data_base64' instead of 'data'."
            => "Send 'data', a JSON object.";
        UnknownEventType = "unknown_event_type": "The catalog does not have this event type."
            => "Correct the type, or add it to the catalog and check the catalog with 'interlock catalog check'.";
        InvalidData = "invalid_data": "The data do not match what the catalog or the target requires."
            => "Correct the data; if an order is held because of them, amend the order.";
        NotDistinct = "not_distinct": "Two fields that must differ have the same value." => "Correct the data.";
        ConflictingClaims = "conflicting_claims": "The event claims the same resource twice."
            => "Correct the data, or the event type in the catalog.";
        PlanTooLarge = "plan_too_large": "The order would have too many claims or steps."
            => "First release some of the customer's resources, one by one, or send less data.";
        LeasesFull = "leases_full": "The customer would have more resources than a customer may have."
            => "Release some of what it has, or give the rest to another customer.";
        UnexpectedRole = "unexpected_role":
            "The attribute 'interlockrole' is set for an event type that creates only one order."
            => "Omit the attribute.";
        SameCustomer = "same_customer": "The giving and the receiving customer are the same." => "Correct the data.";
        SubjectMismatch = "subject_mismatch":
            "The subject of an event that creates two orders is not the giving customer."
            => "Send the giving customer's id as 'subject'.";
        WrongCustomer = "wrong_customer": "The event's subject is not the customer that the order was planned for."
            => "Send the event to the entity of its subject.";
        WrongSubject = "wrong_subject": "The event's subject is not the customer that it was sent to."
            => "Send the event to the entity of its subject.";
        IdentityMismatch = "identity_mismatch":
            "The start argument of the entity names another one than its workflow id, which decides; or the workflow id is \
            not that of a customer."
            => "Correct the producer: the workflow id is TENANT/customer/CUSTOMER, and the start argument names the same \
                two. If only the argument differs, the entity works, and nothing else is needed.";
        TooOld = "too_old":
            "The event cannot be checked for duplicates: it is older than the orders that are remembered, or has no \
            time."
            => "If the event is still needed, send it again with a new id and its time.";
        TooLate = "too_late": "A newer event of this type was already applied."
            => "If the newer event is right, no action is needed; otherwise send the event again with a later time.";
        BacklogFull = "backlog_full": "The customer has reached the limit of open orders or of state."
            => "See what the orders wait for ('interlock customer show ID'), and send the event again, with a new \
                id, when some of them have ended.";
        QueueFull = "queue_full": "The queue of the resource has reached its limit of tickets."
            => "See who holds the resource ('interlock resource show KIND/ID'), and send the event again, with a new \
                id, when the queue is shorter.";
        UndecodableMessage = "undecodable_message": "An entity sent a message that this version cannot decode."
            => "Run the same version everywhere; if the error remains, report it.";
    }
    Action ("Rejected actions", "An operator's action that an entity rejects changes nothing.") {
        OrderUnknown = "order_unknown": "The customer has no such order, or the order still waits for admission."
            => "Check the id; if the event has just arrived, try again in a moment.";
        OrderOver = "order_over": "The order has already ended."
            => "No action needed: 'interlock order show ID' says how it ended.";
        OrderEnding = "order_ending": "The order is already ending." => "Wait until it has ended.";
        NothingHeld = "nothing_held": "No step of the order waits for a person."
            => "See what it waits for: 'interlock order why ID'.";
        NothingAmended = "nothing_amended": "No held step of the order has any of the given arguments."
            => "Give an argument that a held step has.";
        ReleaseConfirmed = "release_confirmed":
            "A release of the order was sent or confirmed: the next holder may already use the resource."
            => "Let the order end, then send an event that assigns the resource again.";
        NotAdmitted = "not_admitted": "The order waits for admission: it has no plan yet."
            => "Try again in a moment; if the error remains, check that workers are running.";
        BadAction = "bad_action": "The action is invalid: a part of it is missing, empty, too long or malformed."
            => "Correct what the message names.";
        ActionRefused = "action_refused":
            "The entity rejected the action for a reason that this version does not know."
            => "See the message; run the same version everywhere.";
        RunNotDead = "run_not_dead": "The run given by --run does not exist, or did not end abnormally."
            => "Omit --run to use all runs that ended abnormally.";
        HistoryUnreadable = "history_unreadable": "The history of an entity's run cannot be read."
            => "Use the version of 'interlock' that the workers run, or a newer one.";
        RecoveryUnfinished = "recovery_unfinished": "Not all events of a terminated entity were submitted again."
            => "Check that workers are running, then run it again: events that were submitted are not submitted \
                twice.";
        ConfirmationNeeded = "confirmation_needed": "The command would affect many objects and needs a confirmation."
            => "Check what it would do, then run it again with `--yes`.";
        ActionOnOther = "action_on_other": "Actions apply to the orders of customers; this order is standalone."
            => "No action needed: it ends or expires automatically.";
        StepHasBegun = "step_has_begun": "A step to amend has already started."
            => "Look at the order again; if one of its steps is held, amend it again.";
        AmendNothing = "amend_nothing": "The amendment has no fields." => "Give the fields of the event to correct.";
        AmendUnknownField = "amend_unknown_field": "The event type has no field with this name."
            => "See the event type in the catalog for its fields.";
        AmendUnusedField = "amend_unused_field": "No held step uses this field."
            => "Give only fields that a held step uses; 'interlock order show ID' names the held steps.";
        AmendChangesClaim = "amend_changes_claim":
            "A claim of the order depends on this field, so the lease would protect another resource."
            => "Cancel the order and send a new event.";
        AmendIncomplete = "amend_incomplete": "An argument also depends on other fields, which were not given."
            => "Give the other fields too.";
        AmendNotValidated = "amend_not_validated":
            "The schema ties the field to other fields, so it cannot be validated alone."
            => "Give the fields that the message names together, or cancel the order and send a new event.";
        AmendStepUnknown = "amend_step_unknown": "The catalog no longer has the held step."
            => "Retry, skip or cancel the order, or use the catalog that planned it.";
        StillRegistered = "still_registered": "The resource is still registered to its holder at the target."
            => "Send a release for the holder, or force it with --even-if-registered if the target is wrong.";
        HolderHasOpenOrders = "holder_has_open_orders": "The holder has open orders on the resource."
            => "Cancel or fix those orders first; 'interlock order why ID' says what they wait for.";
        UsedSinceAsked = "used_since_asked":
            "The holder was registered at about the time when the target reported that it is not; nothing was \
            changed."
            => "Force the release again in a few seconds, with a new action id: the target is asked again.";
        AuthorityUnanswered = "authority_unanswered":
            "The authority target did not answer in time; nothing was changed."
            => "Try again when the target is available, with a new action id.";
        AuthorityUnclear = "authority_unclear": "The target cannot tell who is registered; nothing was changed."
            => "Check the target; if no one is registered, force the release with --even-if-registered.";
        HolderUnanswered = "holder_unanswered":
            "The holder's entity did not answer in time; it may still release the resource."
            => "Check that workers are running, then look at the resource.";
        NobodyHolds = "nobody_holds": "The resource has no holder, so there is nothing to release."
            => "See 'interlock resource show KIND/ID' for what it waits for.";
        ForeignHolder = "foreign_holder": "Another tenant holds the resource, or its holder is unknown."
            => "Ask an operator whose token covers the realm that the tenants share.";
        ActionIdReused = "action_id_reused": "The action id was already used for another action; nothing was changed."
            => "Use a new id for each action; send the same id again only with the same content.";
        SecondPersonNeeded = "second_person_needed":
            "The action needs a second person: it was recorded as a proposal, and is not carried out yet."
            => "Have another person confirm it in time: 'interlock action confirm ENTRY', the console's page 'Who did what', or POST \
                /v1/tenants/TENANT/actions/ENTRY/confirmation.";
        SamePerson = "same_person": "The person who proposed an action cannot confirm it."
            => "Have another person confirm it, with a token or a name of that person's own.";
        ProposalUnknown = "proposal_unknown": "The log of actions has no such proposal."
            => "'interlock action list --waiting' shows the proposals that wait.";
        ProposalExpired = "proposal_expired": "Nobody confirmed the proposal in time; nothing was changed."
            => "Propose the action again, with a new action id.";
        ProposalDecided = "proposal_decided": "The proposal was already confirmed, or taken."
            => "No action needed: 'interlock action list' shows by whom, and what became of it.";
        ProposalsFull = "proposals_full": "Too many proposals wait for a second person."
            => "Have the waiting ones confirmed, or wait until they expire.";
        ForceUnderWay = "force_under_way": "Another forced release of the resource is in progress."
            => "Wait until it has finished.";
        PauseOver = "pause_over": "The end of the pause is in the past."
            => "Give a time in the future, or none to pause until someone resumes the target.";
        TargetNotStopped = "target_not_stopped": "The target is not paused or stopped."
            => "No action needed: 'interlock target show NAME' shows its state.";
        LimitIsZero = "limit_is_zero": "A limit of 0 would send nothing." => "Pause the target instead.";
        NoReleaseWaits = "no_release_waits": "No release of the order waits for its assign."
            => "See what it waits for: 'interlock order why ID'.";
    }
    Outcome (
        "Steps and orders",
        "Why a step is held or was skipped, and why an order ended as it did. Codes that a target returns also \
         appear here, unchanged."
    ) {
        Person = "person": "A person skipped the step." => "No action needed: the journal says who did so and why.";
        Superseded = "superseded": "A newer order replaced this one."
            => "If the newer order is right, no action is needed; otherwise send the event again.";
        NotHolder = "not_holder": "The resource to release is not held by this customer."
            => "No action needed: there was nothing to release.";
        Cancelled = "cancelled": "The order was cancelled after some of it was done, and that part was undone."
            => "If the event is still needed, send it again.";
        Expired = "expired": "The order expired before its turn came."
            => "If the event is still needed, send it again.";
        Late = "late": "The event arrived after a newer one of its type, and the catalog holds late events."
            => "Retry the order to apply it anyway, or cancel it.";
        Ambiguous = "ambiguous": "The call may or may not have taken effect, and the target cannot be read back."
            => "Check the target; then retry the step, or skip it if it took effect.";
        Transient = "transient": "The call failed temporarily, and it was not retried." => "Retry the step.";
        Throttled = "throttled": "The target throttled the call, and it was not retried." => "Retry the step later.";
        Unavailable = "unavailable": "The target was unavailable, and the call was not retried."
            => "Retry the step when the target is available.";
        InUse = "in_use": "The resource is registered to another holder at the target."
            => "Check at the target who has it; then retry the step, or cancel the order.";
        ReleaseUnconfirmed = "release_unconfirmed":
            "The resource is registered at the target under another identity than the release named."
            => "Check at the target who has it. If it is this customer, amend the order with that identity; if the \
                release counts as done, skip the step; if the target was corrected, retry the step.";
        RightUnproven = "right_unproven": "The order uses a resource that its customer is not known to hold."
            => "If the customer has it, import it ('interlock resource import') or submit the event that assigns it: \
                the order then continues automatically. Otherwise cancel the order.";
        GivenUpAmbiguous = "given_up_ambiguous":
            "The call may or may not have taken effect, and a late retry would do more harm than none."
            => "If it matters, check the target.";
        ResultByHand = "result_by_hand":
            "The activity was completed or failed by hand in Temporal again and again, which does not settle the \
            call."
            => "Check the target; then retry the step, which reads back first, or skip it.";
        NotCompensated = "not_compensated": "The lease was released before this could be undone, or was never held."
            => "Check the target; then skip the step, or retry it if no one else uses the resource there.";
        ActivityFailed = "activity_failed": "The call failed with an error that Interlock does not know."
            => "See the activity in Temporal; if it is one of Interlock's own, report the error.";
        OutcomeUnreadable = "outcome_unreadable": "The target's worker returned an invalid outcome."
            => "Correct the worker: its results must follow the contract of the activity 'provision'.";
        Paused = "paused": "The activity is paused in Temporal." => "Unpause it in Temporal.";
        RefusedByTarget = "refused_by_target": "The target rejected the call."
            => "See the detail; correct what it names, then retry the step, or amend the order.";
        SubscriptionInvalid = "subscription_invalid": "A subscription to be made is invalid."
            => "Correct what the message names.";
        CallbackForbidden = "callback_forbidden":
            "The URL of a subscription's receiver leads to an address that receivers may not have."
            => "Give a URL on the public internet. The operator can allow other networks: 'allowed_networks' in [subscriptions].";
        SubscriptionsFull = "subscriptions_full": "The tenant has as many subscriptions of its own as it may have."
            => "Remove one.";
        SubscriptionUnknown = "subscription_unknown": "The tenant has no such subscription of its own."
            => "'interlock subscription list' shows all.";
        SubscriptionConfigured = "subscription_configured": "The subscription is in the settings."
            => "Remove it from [tenants.NAME.subscriptions], and restart the workers.";
        SubscriptionEnded = "subscription_ended":
            "The receiver of a subscription answered 410: it wants no more events."
            => "For a subscription in the settings the target is paused: remove the subscription; or, if it was a mistake of \
                the receiver, correct it and resume the target, and what waits is then delivered. One that the tenant made \
                itself is removed.";
        Redirected = "redirected": "The target responds with a redirect, and is not called until that is corrected."
            => "Set its 'base_url' to the final address; its orders then continue automatically.";
        CredentialsRejected = "credentials_rejected":
            "The target rejects Interlock's credentials, and is not called until that is corrected."
            => "Correct 'auth' of the target; its orders then continue automatically.";
        ClientCertificateRejected = "client_certificate_rejected":
            "The target rejects Interlock's client certificate, and is not called until that is corrected."
            => "Correct the certificate of the target's [tls], or its issuer at the target; its orders then continue \
                automatically.";
        AnsweredByWebPage = "answered_by_web_page":
            "A web page came in place of the target's API: a proxy rejects calls, or nothing serves the address."
            => "Correct the target's 'base_url', or the proxies before it; its orders then continue automatically.";
        RequestNotRendered = "request_not_rendered": "The adapter file cannot render a request from the order's data."
            => "Correct the adapter file or amend the order, then retry the step.";
        EndedByAdapterFile = "ended_by_adapter_file": "A row of the adapter file ends the operation here."
            => "See that row in the adapter file.";
        UnknownOperation = "unknown_operation": "The target's adapter does not have this operation."
            => "Correct the step in the catalog, or the adapter file, then retry the step.";
        UnknownResourceKind = "unknown_resource_kind": "The target cannot tell who has a resource of this kind."
            => "Correct 'authority' in the catalog.";
        UnknownSubscriber = "unknown_subscriber": "The target does not know the subscriber."
            => "Create it there, or amend the order, then retry the step.";
        UnknownSim = "unknown_sim": "The target does not know the SIM."
            => "Add the SIM to the target, or amend the order, then retry the step.";
        SimMismatch = "sim_mismatch": "The SIM at the target differs from the SIM in the order."
            => "Correct the target or amend the order, then retry the step.";
        UnknownProfile = "unknown_profile": "The target does not have this profile."
            => "Add the profile to the target or to the settings, or amend the order, then retry the step.";
        UnknownSetting = "unknown_setting": "The target does not support a setting."
            => "Amend the order to use only supported settings.";
        InvalidSetting = "invalid_setting": "A setting does not accept this value."
            => "Amend the order with a value that the setting accepts.";
        NumberStillAssigned = "number_still_assigned": "The subscription still has a number."
            => "Release the number, then retry the step.";
        HolderUnclear = "holder_unclear":
            "The target has the number registered to several subscribers, or to a row that names no subscriber."
            => "Correct at the target who has the number, then retry the step. If no one has it there any more, skip \
                the step.";
        ScanIncomplete = "scan_incomplete":
            "The target's lookups do not find the number, and it has too many rows to read the additional numbers of \
            all of them."
            => "Check whether a row of the target lists the number. If so, amend the step with its identity; if not, \
                skip the step. To have the rows read, raise the target's 'scan_rows_max'.";
        RowInUse = "row_in_use": "The target does not remove a row that other rows refer to."
            => "Remove the references at the target, then retry the step.";
    }
    TomlFault (
        "Errors in catalogs and adapter files",
        "Each is reported with line, column and place; 'interlock catalog check FILE' lists all of them. The message \
         says what to write instead."
    ) {
        Syntax = "syntax": "The text is not valid TOML here." => "Correct the line.";
        DuplicateKey = "duplicate_key": "A key is set twice." => "Remove one of the two.";
        MissingKey = "missing_key": "A required key is missing." => "Add it.";
        UnknownKey = "unknown_key": "A key is unknown here."
            => "Correct its name, or remove it; the message lists the known keys.";
        WrongType = "wrong_type": "A value has the wrong type."
            => "Write a value of the type that the message names.";
        UnknownValue = "unknown_value": "A value is not one of the allowed words."
            => "Use one of the words that the message names.";
        BadName = "bad_name": "A name is malformed." => "Correct the name.";
        BadFactor = "bad_factor": "A factor is malformed or out of range."
            => "Write a number from 1 to 10 with at most two decimals, e.g. '1.5'.";
        BadDuration = "bad_duration": "A duration is malformed or out of range."
            => "Write for example \"250ms\", \"5s\" or \"15m\", within the limits that the message names.";
        NotTogether = "not_together": "Two settings exclude each other, or one requires another."
            => "Change one of them, as the message says.";
    }
    CatalogFault ("Errors in catalogs", "Errors that only a catalog can have.") {
        BadTemplate = "bad_template": "A template or pattern is malformed."
            => "Write it as in the reference catalog, for example \"msisdn/{msisdn}\".";
        InvalidSchema = "invalid_schema": "The JSON Schema of an event type is invalid, or is nested too deeply."
            => "Correct it: JSON Schema, draft 2020-12.";
        NoSteps = "no_steps": "An event type has no steps." => "Add one, or remove the event type.";
        StepCycle = "step_cycle": "The 'after' of steps form a cycle." => "Remove one of the 'after'.";
        UnknownStep = "unknown_step": "An 'after' names a step that does not exist." => "Correct the name.";
        UnknownKind = "unknown_kind": "A resource kind is not declared." => "Declare it as [resources.KIND].";
        MissingArgument = "missing_argument": "An argument that the other event type requires is missing."
            => "Add it to 'with'.";
        FieldNotRequired = "field_not_required": "A field that is used may be absent from the data."
            => "Add it and its parent fields to 'properties' and 'required' of the schema.";
        FieldNotText = "field_not_text": "A field that is used as text has another type."
            => "Make its type string, integer or boolean.";
        HeldWithoutEach = "held_without_each": "'{@held}' is used outside a step that runs for each held resource."
            => "Add 'each = \"KIND/*\"' to the step, or name a field.";
        HeldWithoutClaim = "held_without_claim":
            "A step runs for each held resource of a kind that the event type does not release."
            => "Add a claim that releases it.";
        ClaimWithoutStep = "claim_without_step":
            "No step names a claimed resource, so its lease would protect nothing."
            => "Add it to the 'resources' of a step.";
        DuplicateClaim = "duplicate_claim": "A resource is claimed twice." => "Claim it once.";
        ClaimsMayCollide = "claims_may_collide": "Two claims may name the same resource."
            => "Claim single fields, and name both in 'distinct'.";
        ResourceNotClaimed = "resource_not_claimed": "A step names a resource that is not claimed."
            => "Claim it, or remove it from the step.";
        SkipOnRelease = "skip_on_release":
            "The failure policy may skip a step that releases, and the next holder would start while this one still \
            uses the resource."
            => "Use 'hold' or 'abort'.";
        CompensatedRelease = "compensated_release":
            "A step that releases has a compensation, and the resource may have its next holder by then."
            => "Remove the compensation.";
    }
    AdapterFault ("Errors in adapter files", "Errors that only the file of a declarative adapter can have.") {
        NoOperations = "no_operations": "An adapter file has no operations." => "Add at least one [operations.NAME].";
        MissingRequest = "missing_request": "An operation has neither a request nor a lookup." => "Add one of the two.";
        MissingLookup = "missing_lookup": "'if_found' and 'if_absent' are used without a 'lookup'."
            => "Add a 'lookup' before them, or replace them with a 'request'.";
        MissingDefault = "missing_default": "A parameter has neither a default nor 'required = true'."
            => "Write a default as text, or '{ required = true }'.";
        UnknownRequest = "unknown_request": "A 'use' names a request that does not exist."
            => "Correct the name, or add [requests.NAME].";
        UnusedRequest = "unused_request": "No 'use' names this request." => "Remove it, or use it.";
        QuestionThatWrites = "question_that_writes": "A read-only request uses a method that changes data."
            => "Use GET, HEAD or POST.";
        QueryInPath = "query_in_path": "A path contains a query string."
            => "Write the query as a table under 'query'.";
        BadPath = "bad_path": "A path has empty segments, '.' or '..'." => "Correct the path.";
        BadUrl = "bad_url": "A URL is not a valid http or https URL."
            => "Write one, or a path below the target's 'base_url'.";
        BadHeaderName = "bad_header_name": "A text is not a valid header name." => "Correct the name.";
        BadSecret = "bad_secret": "A secret is malformed." => "Write '{ env = \"NAME\" }' or '{ file = \"PATH\" }'.";
        InlineSecret = "inline_secret": "A secret is written in the file."
            => "Name an environment variable or a file that contains it.";
        BadPointer = "bad_pointer": "A text is not a valid JSON pointer."
            => "Start it with '/', for example \"/list/0/id\".";
        BadRegex = "bad_regex": "A text is not a valid regular expression." => "Correct it, as the message says.";
        BadStatus = "bad_status": "A list of statuses is malformed or empty."
            => "Write for example 404, \"4xx\" or \"500-503\", or omit it to match any status.";
        DuplicateStatus = "duplicate_status": "A status is in the list twice." => "Remove one of the two.";
        OneTest = "one_test": "A condition does not have exactly one test." => "Write one test in each condition.";
        OneSource = "one_source": "A source of 'retry_after' does not have exactly one origin."
            => "Write one of 'header', 'body' and 'fixed'.";
        DuplicateCondition = "duplicate_condition": "A row has the same condition twice." => "Remove one of the two.";
        ImpossibleRow = "impossible_row": "No response can match a row."
            => "Correct its conditions, or remove the row.";
        UnreachableRow = "unreachable_row": "Earlier rows already match every response that this row is for."
            => "Move it before them, or remove it.";
        NoDefaultRow = "no_default_row": "No row matches all other responses."
            => "End the table with a row that has neither status nor conditions.";
        TemplateSyntax = "template_syntax": "A template is malformed." => "Correct it, as the message says.";
        UnknownVariable = "unknown_variable": "A template uses an unknown variable."
            => "Use one of those that the message names.";
        UnknownFilter = "unknown_filter": "A template uses an unknown filter." => "Use one of minijinja's filters.";
        UnknownTest = "unknown_test": "A template uses an unknown test after 'is'."
            => "Use one of minijinja's tests.";
        VerifyMissing = "verify_missing": "The capability 'verify' is declared, but no request reads the target back."
            => "Describe 'verify', or remove the capability.";
        VerifyUnused = "verify_unused": "'verify' is described, but the capability is not declared."
            => "Write 'verify = true'.";
    }
    Mapping ("Mappings", "Errors in the mapping of a producer's events to those of the catalog, and in what it makes of an event.") {
        MappingUnreadable = "mapping_unreadable": "The file of a mapping is not named, or cannot be read."
            => "Correct 'file' in [targets.NAME].";
        MappingFaulty = "mapping_faulty": "A mapping has errors."
            => "Run 'interlock catalog check FILE' to list all of them.";
        NoRules = "no_rules": "A mapping has no rules." => "Add at least one [[rules]].";
        EventTypeTwice = "event_type_twice": "Two rules of a mapping are for the same type of event."
            => "Remove the type from one of them.";
        UnknownQuery = "unknown_query": "The target cannot be asked this question."
            => "Add [queries.NAME] to its adapter file, or correct the name in the mapping.";
        EventNotTranslated = "event_not_translated": "The mapping cannot make events of the catalog from this event and what is known about it."
            => "See the message. Correct the data at the producer and retry the order, or correct the mapping and restart the workers.";
    }
    AtRest ("Data at rest", "The codec that encrypts the data that Temporal stores, its keys, and the codec server. See \
        deploy/docs/data-at-rest.md.") {
        CodecKeyUnknown = "codec_key_unknown": "A payload is encrypted under a key that this process does not have."
            => "Add the key to [codec] keys or to its directory and restart the process; whatever needs the payload \
                waits until then, and no data is lost.";
        CallbackKeyInvalid = "callback_key_invalid":
            "A key for call backs cannot be read, or is shorter than 32 bytes."
            => "Correct what the message names; 'openssl rand -base64 32' makes a key.";
        SubscriptionKeyInvalid = "subscription_key_invalid":
            "A key for subscriptions cannot be read, or is shorter than 32 bytes."
            => "Correct what the message names; 'openssl rand -base64 32' makes a key.";
        CodecKeyInvalid = "codec_key_invalid":
            "A key of the codec cannot be read, is not 32 bytes long, or has an invalid id."
            => "Correct what the message names; 'openssl rand -base64 32' makes a key.";
        CodecCurrentKeyMissing = "codec_current_key_missing":
            "The encryption key is not set, or is not among the keys."
            => "Set [codec] current_key to the id of an existing key, or set 'encrypt = false' to decrypt only.";
        CodecPayloadUnreadable = "codec_payload_unreadable":
            "An encrypted payload is damaged, or the id of its key was used for another key before."
            => "Never use the id of one key for another key; if the payload is an event, send the event again.";
        CodecNotEncrypting = "codec_not_encrypting": "A payload could not be encrypted, and was not sent."
            => "Check the machine: its system does not provide random bytes.";
        CodecKeyNotForProcesses = "codec_key_not_for_processes":
            "A key is written in the settings, and keys are not written to disk for worker processes."
            => "Put the keys into files, and set [codec] keys_directory to their directory.";
        CodecWithoutKeys = "codec_without_keys": "The codec server has no keys."
            => "Configure the same [codec] keys or keys_directory as for the workers.";
        CodecServerWithoutTokens = "codec_server_without_tokens":
            "The codec server would listen on an address that other machines can reach, and no token is configured."
            => "Configure [[codec.server.tokens]], or listen on a loopback address.";
        CodecTokenMissing = "codec_token_missing": "A token of the codec server is empty or cannot be read."
            => "Set the text, the environment variable or the file that the message names.";
        CodecRequestUnreadable = "codec_request_unreadable":
            "The body of a request to the codec server is not valid JSON with payloads."
            => "Send a body as Temporal's remote codec protocol specifies.";
    }
    Alert ("Alerts", "What the sweep finds once a minute. Each alert is logged and counted; if '[alerts] webhook' is set, it is posted \
        once when it begins and once when it ends. An alert is posted again, with the same id, only if the webhook did not \
        respond with success; each sweep spends at most one minute on this. If a sweep has 1,000 findings or more, only the \
        first are reported, and the others are counted ('interlock_sweep_findings_left_out').") {
        OrderOverdue = "order_overdue": "An open order is past the time limit that its event type sets."
            => "See what it waits for: 'interlock order why ID'.";
        LeaseDiffers = "lease_differs":
            "A resource and a customer have disagreed about a lease for longer than messages take."
            => "Wait first: the customers are asked to tell the resource what they hold. If the alert remains, \
                compare both ('interlock resource show KIND/ID'), and report it with the log: no known way leads to \
                this state.";
        ResourceHeldTwice = "resource_held_twice": "Two customers hold one resource: both may write to the targets."
            => "Check at the target who is registered ('interlock resource show KIND/ID' names both), stop the \
                orders of the other customer, and let it release the resource. Until then it is granted to no one \
                else.";
        RunMisplaced = "run_misplaced":
            "The run behind an entity's workflow id was started under another workflow type, on another task queue or in \
            another namespace, so no worker executes it: events are accepted, and nothing happens."
            => "Correct the producer ('interlock route TENANT CUSTOMER' prints type, queue and namespace), then end that run \
                and have its events submitted again: 'interlock customer recover ID --misplaced --yes'. End the run of a \
                resource with 'temporal workflow terminate'; its customers claim it again.";
        HolderNotRunning = "holder_not_running":
            "Orders wait for a lease, and the entity of its holder is not running."
            => "Recover the holder ('interlock customer recover ID'), or release by force ('interlock resource \
                release KIND/ID --force').";
        ResourceNotRunning = "resource_not_running":
            "Orders wait for a resource whose entity is not running: it was terminated."
            => "Wait first: the customers that hold it or wait for it are asked to say so again. Find out who \
                terminated it.";
        TicketForgotten = "ticket_forgotten": "An order waits for a lease, but the resource has no ticket for it."
            => "Wait first: its customer is asked to claim it again. If the alert remains, cancel the order and send \
                its event again.";
        RingOfWaits = "ring_of_waits": "Orders wait for each other in a cycle, and none of them yields automatically."
            => "See the cycle ('interlock order why ID'), and break it: 'interlock order release-first ID' or \
                'interlock order cancel ID'.";
        TargetParked = "target_parked":
            "A target has not been called for a long time: it is down, in maintenance or paused."
            => "See why ('interlock target show NAME'); if it is healthy again, run 'interlock target resume NAME'.";
        AlertUndelivered = "alert_undelivered":
            "The webhook for alerts rejected an alert, or was so slow that an alert was not posted."
            => "Check '[alerts] webhook' and the service behind it; the alert is in the log, and is not posted \
                again.";
    }
    Broker ("Brokers", "'interlock ingest', which takes events from NATS or Kafka. The first ones end the command or are shown by /readyz; \
        dead letters carry the last one or a code of a rejected event.") {
        BrokerNotBuilt = "broker_not_built": "This program was built without support for this broker."
            => "Build it with the features of the brokers: 'cargo build --release --features nats,kafka'.";
        BrokerSettingInvalid = "broker_setting_invalid": "A setting of the connection to a broker is invalid."
            => "Correct the flag or setting that the message names; 'interlock ingest nats --help' and \
                'interlock ingest kafka --help' list all flags.";
        BrokerUnavailable = "broker_unavailable": "The broker cannot be reached, or does not answer."
            => "Check the address, the network and the broker; the connection is retried automatically, and no message \
                is lost.";
        BrokerRefused = "broker_refused": "The broker refused the credentials, or does not permit what is asked of it."
            => "Check user, password, token, certificate and the permissions at the broker; it is tried again \
                automatically.";
        BrokerPlaceMissing = "broker_place_missing": "A stream or topic does not exist at the broker."
            => "Create it, or correct its name; Interlock creates consumers and groups, but no streams and topics.";
        BrokerConsumerUnfit = "broker_consumer_unfit":
            "The consumer exists at the broker with a configuration under which messages could be lost."
            => "Change what the message names, or give another name with --consumer.";
        DeadLetterUnwritten = "dead_letter_unwritten":
            "A dead letter could not be written, so its message is not acknowledged."
            => "Check that the place of dead letters exists and may be written; it is retried automatically.";
        MessageTooLarge = "message_too_large": "A message of a broker exceeds the limit of 1 MiB."
            => "Send smaller batches, then send the events of the dead letter again.";
    }
    Import ("Importing leases", "Lines of 'interlock resource import'; an invalid line does not stop the import of the others.") {
        ListUnreadable = "list_unreadable": "The list of holders cannot be read."
            => "Check the path, and that it is CSV in UTF-8 whose first line is 'kind,id,customer'; then run it \
                again.";
        CannotListHolders = "cannot_list_holders": "The target cannot list all resources of this kind."
            => "Create a list 'kind,id,customer' by other means, and import that.";
        PartyUnknown = "party_unknown":
            "The target has a resource registered to a party that is not in the list of customers."
            => "Add the party to the list of customers, then run the import again: resources that were imported are \
                not imported twice.";
        SeveralParties = "several_parties":
            "The target has a resource registered to several parties, or to a row that names no party."
            => "Correct at the target who has it, then run the import again.";
        LineMalformed = "line_malformed": "A line of the list does not have three fields, or is not valid UTF-8."
            => "Write 'kind,id,customer' on each line, then run it again: resources that were imported are not \
                imported twice.";
        KindNotInCatalog = "kind_not_in_catalog": "The catalog does not have this resource kind."
            => "Correct the kind; the [resources.KIND] tables of the catalog list the kinds.";
        LeaseHeld = "lease_held": "Another customer holds it according to the ledger; nothing was changed."
            => "See who holds it and since when ('interlock resource history KIND/ID'), and correct the list or the \
                ledger.";
        LeaseMovedOn = "lease_moved_on":
            "The ledger is newer than the list: the resource was released since, or its entity was terminated."
            => "See its history ('interlock resource history KIND/ID'); a list is used only for resources that the \
                ledger does not know.";
        ImportPartFailed = "import_part_failed": "A part of the import ended too early: it was terminated."
            => "Run the import again: it continues with that part.";
        ImportStalled = "import_stalled":
            "The import makes no progress: no worker serves its queue, or Temporal is unavailable."
            => "Start workers ('interlock worker --workload jobs'), then run it again: it continues where it \
                stopped.";
    }
    Tenant ("Tenants", "On-boarding and off-boarding: the steps that 'interlock tenant show NAME' lists, and their consequences.") {
        TenantClosed = "tenant_closed": "The tenant was off-boarded: its new events are rejected."
            => "If that is intended, no action is needed; otherwise on-board it again ('interlock tenant onboard \
                NAME').";
        TenantStepFailed = "tenant_step_failed":
            "A step of on-boarding, or the check of what is left of a tenant, failed."
            => "See the message; it is retried automatically.";
        NamespaceMissing = "namespace_missing": "The tenant's namespace does not exist, and could not be registered."
            => "Register it with Temporal, or correct 'namespace' in [tenants.NAME]; the check is retried \
                automatically.";
        TenantSettingsDiffer = "tenant_settings_differ":
            "The tenant's settings on a worker (namespace, plan, spread or targets) differ from those of the process \
            that on-boards it."
            => "Give all processes the same [tenants.NAME], and restart the workers; the step is retried \
                automatically.";
        QueueNotConfigured = "queue_not_configured": "The server rejected the tenant's share of a target's queue."
            => "See the message; a server without support for fairness weights rejects them. The step is retried \
                automatically.";
        TargetUnanswered = "target_unanswered": "A target of the tenant does not answer."
            => "See the target ('interlock target show NAME') and its settings; it is asked again automatically.";
    }
}
