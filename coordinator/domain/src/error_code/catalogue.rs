//! The catalogue: one table of all codes, by where they are met.
//!
//! To add a code, add an entry to its group: the variant, the code (the variant in snake case), one sentence on what it
//! means, and what to do next. Then write the page anew: `INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator
//! errors`. A code is never renamed or used for something else: people's scripts know it.

use super::Entry;

macro_rules! catalogue {
    ($(
        $group:ident ($title:literal, $about:literal) {
            $($variant:ident = $code:literal: $sentence:literal => $next:literal;)+
        }
    )+) => {
        /// Where a code is met: a chapter of the reference page.
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

            /// Where its codes are met, in a sentence or two.
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
        "The command 'interlock' itself; exit code 2 where the command or a setting is wrong, 1 where carrying it \
         out failed."
    ) {
        WrongUse = "wrong_use": "The command line cannot be understood."
            => "See 'interlock --help', or --help after the command.";
        UnknownCode = "unknown_code": "There is no such error code."
            => "See 'interlock errors' for all of them; a code that a target gave is explained by the target.";
        BadId = "bad_id": "An id is missing or cannot be one: it is empty, too long, or not in its form."
            => "Correct the id; the message says what is wrong with it.";
        EventsUnreadable = "events_unreadable":
            "The file with the events cannot be read."
            => "Check the path ('-' reads from stdin) and run it again: events that were sent before are not taken \
             twice.";
        OutputFailed = "output_failed": "The output cannot be written." => "Check where stdout goes.";
        Interrupted = "interrupted": "The command was interrupted before it was done." => "Run it again.";
        SignalsUnavailable = "signals_unavailable": "The process cannot listen to signals."
            => "Check the limits of the process ('ulimit -n').";
        RuntimeUnavailable = "runtime_unavailable": "The process cannot start its threads."
            => "Check the limits of the process ('ulimit -u', 'ulimit -n').";
        DemoFailed = "demo_failed": "The demo cannot go on." => "Run it again with --log-level info.";
        DemoTimedOut = "demo_timed_out": "The demo did not come to its next act in time."
            => "Run it again with --log-level info to see why.";
    }
    Settings (
        "Settings",
        "Met when a command starts: 'interlock.toml', variables and flags. All end with exit code 2."
    ) {
        SettingsFileUnreadable = "settings_file_unreadable": "The settings file cannot be read."
            => "Check the path given by --config or INTERLOCK_CONFIG.";
        SettingsFileMalformed = "settings_file_malformed":
            "The settings file is not TOML, or has a key that is not known."
            => "Correct the line that the message names; coordinator/docs/settings.md says what can be set.";
        SettingInvalid = "setting_invalid": "A setting has a value that it cannot have."
            => "See coordinator/docs/settings.md for what it can be.";
        BadQueuePrefix = "bad_queue_prefix": "The prefix of the task queues is not one."
            => "Correct INTERLOCK_PREFIX: at most 64 of A-Z, a-z, 0-9, '.', '_' and '-'.";
        BadShardCount = "bad_shard_count":
            "The number of queue shards is out of its range, or shards are named that do not exist."
            => "Correct INTERLOCK_QUEUE_SHARDS (1 to 1,000, the same for all processes) or --shards.";
        BadSpread = "bad_spread": "A tenant or realm is to be spread over no shards, or over more than there are."
            => "Correct 'spread' in [tenants.NAME] or [realms.NAME]: 1 to the count of shards.";
        BadIdKey = "bad_id_key": "The key that hides resource ids is empty, or has only spaces."
            => "Set INTERLOCK_ID_KEY to a secret text, or unset it.";
        RealmSpansNamespaces = "realm_spans_namespaces": "Tenants that share a realm are in different namespaces."
            => "Give all tenants of the realm the connection's 'namespace', in which those live of whom nothing is set.";
        RealmAuthoritiesDiffer = "realm_authorities_differ": "Tenants that share a realm ask different targets who has its resources."
            => "Map the role of its authority to one target for all tenants, or give the kind of resource no realm.";
        NotAnEntity = "not_an_entity": "The text is no workflow id of an entity."
            => "Write TENANT/customer/ID or REALM/resource/KIND/ID, each part percent-encoded.";
        CatalogUnreadable = "catalog_unreadable": "The catalog file cannot be read."
            => "Check the path, and that the file is UTF-8 text.";
        CatalogFaulty = "catalog_faulty": "The catalog has faults."
            => "Run 'interlock catalog check FILE' to see them all, then correct them.";
        GatewayWithoutTokens = "gateway_without_tokens":
            "The gateway is to listen where others can reach it, and no token is configured."
            => "Configure [[gateway.tokens]], or listen on a loopback address.";
        GatewayTokenMissing = "gateway_token_missing": "A token of the gateway is empty or cannot be read."
            => "Set the text, the environment variable or the file that the message names.";
        TokenNameForbidden = "token_name_forbidden":
            "The name of a token would make its bearer look like somebody else in the journals."
            => "Name the bearer without 'on behalf of'.";
        SecretEmpty = "secret_empty": "A secret in the settings is empty, or has only spaces."
            => "Set it, or remove the setting where no secret is needed.";
        TlsUnusable = "tls_unusable": "The certificate or the key for TLS cannot be used."
            => "Correct the files that [gateway.tls] names: PEM, the key without a password, both of one pair.";
        TargetUnknown = "target_unknown": "No target of this name is configured."
            => "Configure [targets.NAME] in interlock.toml, or correct the name.";
        TargetBaseUrlInvalid = "target_base_url_invalid": "The base URL of a target is missing or is none."
            => "Correct 'base_url' in [targets.NAME]: an http or https address.";
        TargetBaseUrlMissing = "target_base_url_missing": "A target has no base URL, and its adapter needs one."
            => "Add 'base_url' to [targets.NAME]: an http or https address.";
        TargetNotVerified = "target_not_verified": "What may have happened is to be read back, and the target cannot be read."
            => "Set 'verify = true' in [targets.NAME], or another 'on_ambiguous'.";
        TargetExternal = "target_external": "The target is external: a program of its own serves its queue."
            => "Leave it out of --targets, or name an adapter of Interlock's in [targets.NAME].";
        TargetAuthInvalid = "target_auth_invalid": "The authentication of a target cannot be used."
            => "Correct 'auth' in [targets.NAME].";
        TargetAdapterFileMissing = "target_adapter_file_missing":
            "The adapter file of a target is not named or cannot be read."
            => "Check 'file' in [targets.NAME] and the path.";
        TargetAdapterFileFaulty = "target_adapter_file_faulty": "The adapter file of a target has faults."
            => "Run 'interlock catalog check FILE' to see them all, then correct them.";
        TargetParameterInvalid = "target_parameter_invalid":
            "A parameter of a target's adapter file is missing or not known."
            => "Correct 'parameters' in [targets.NAME]; the adapter file says which there are.";
        TargetSecretMissing = "target_secret_missing": "A secret of a target cannot be read."
            => "Set the environment variable, or write the file, that the message names.";
        TargetClientFailed = "target_client_failed": "The HTTP client of a target cannot be made."
            => "Check the certificates and proxies that the message names.";
        TargetNotForProcesses = "target_not_for_processes":
            "A target needs a secret, which is not written to disk for worker processes."
            => "Run the workers in this process, or start them yourself.";
        NothingToServe = "nothing_to_serve": "The worker has no target to call: none is configured."
            => "Configure [targets.NAME] in interlock.toml; external targets are served by their own programs.";
        NoWorkerBinary = "no_worker_binary": "The platform was not told which binary its worker processes run."
            => "Set 'workers' to 'WorkerHosting::Processes'.";
        LeasesOffInProcesses = "leases_off_in_processes": "Leases can be off only for workers in this process."
            => "Set 'workers' to 'WorkerHosting::InProcess'.";
    }
    Connection ("Temporal", "The connection to Temporal, and what a process serves.") {
        TemporalUnreachable = "temporal_unreachable":
            "Temporal cannot be reached."
            => "Check --address (or TEMPORAL_ADDRESS, or the profile), that the server runs, and TLS on both \
             sides.";
        TemporalAccessDenied = "temporal_access_denied": "Temporal refuses this client."
            => "Check --api-key (or TEMPORAL_API_KEY), the client's certificate, and the namespace.";
        NotBootstrapped = "not_bootstrapped":
            "Nothing is recorded in a namespace: Interlock was never prepared there."
            => "Run 'interlock bootstrap' with the same settings and connection, then start again.";
        PrefixDisagrees = "prefix_disagrees":
            "An installation with another prefix is recorded in a namespace, and two would share its workflows."
            => "Set INTERLOCK_PREFIX to what is recorded, or give this installation another namespace.";
        ShardCountDisagrees = "shard_count_disagrees":
            "The count of queue shards that is set is not the one that is recorded in a namespace."
            => "Unset INTERLOCK_QUEUE_SHARDS to take what is recorded; 'interlock bootstrap --shards N' changes it for all.";
        NamespacesDisagree = "namespaces_disagree": "The namespaces of an installation have different records."
            => "A change of the count did not reach all of them: run 'interlock bootstrap' again.";
        BootstrapIncomplete = "bootstrap_incomplete": "A Temporal server could not be prepared for Interlock."
            => "The message says what could not be done; mend that and start again.";
        RecordUnreadable = "record_unreadable": "What is recorded in a namespace cannot be read."
            => "If Temporal refuses, mend the access; if a newer version wrote it, use that version.";
        TemporalProfileNotFound = "temporal_profile_not_found": "There is no such profile in temporal.toml."
            => "Check --profile, TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.";
        TemporalConfigurationInvalid = "temporal_configuration_invalid":
            "The connection to Temporal is not well configured."
            => "Check the flags, the TEMPORAL_* variables, temporal.toml, and the 'namespace' of tenants.";
        TemporalUnavailable = "temporal_unavailable": "Temporal is away at the moment."
            => "Try again when it is back; sending the same events again is safe.";
        TemporalNotAnswering = "temporal_not_answering": "Temporal did not answer: the event may have been accepted."
            => "Send it again, which is safe.";
        TemporalRefused = "temporal_refused": "Temporal refused the call."
            => "See the reason it gave; where it is a limit of the server, wait and try again.";
        ListenFailed = "listen_failed": "The address cannot be listened on."
            => "Choose another one with --listen; port 0 takes a free one.";
        MetricsUnavailable = "metrics_unavailable": "The metrics cannot be served or read."
            => "Check that the process may listen on a loopback port; where it stays so, restart it.";
        WorkerFailed = "worker_failed": "The worker of a queue failed."
            => "Check that the namespace exists and that this client may poll in it; then start the process again.";
        WorkerGap = "worker_gap": "A worker would serve a queue on which types come up that it does not have registered."
            => "Run the binary of one build everywhere; where it stays so, report it: this build is faulty.";
        DeploymentIncomplete = "deployment_incomplete": "Only one of the two variables is set that make workers versioned."
            => "Set both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, or neither.";
        WorkerProcessFailed = "worker_process_failed": "A worker process could not be started."
            => "See what it said; check that the binary is the one of this version.";
        WorkerProcessNotEnded = "worker_process_not_ended": "A worker process could not be ended."
            => "End it by hand; it ends with its parent process in any case.";
        PayloadUnreadable = "payload_unreadable": "An entity answered something that this version cannot read."
            => "Run the same version everywhere; where it stays so, report it.";
        ClaimNotAnswered = "claim_not_answered": "A resource took a claim and did not answer in time."
            => "Nothing: the claim is sent again by itself.";
    }
    Server (
        "The embedded Temporal server",
        "'interlock dev', 'demo' and the tests run a Temporal server of their own."
    ) {
        TemporalCliUnusable = "temporal_cli_unusable": "The Temporal CLI that is named cannot be used."
            => "Correct INTERLOCK_TEMPORAL_CLI, or unset it so that Interlock looks for the CLI itself.";
        TemporalCliNotFound = "temporal_cli_not_found": "There is no Temporal CLI, and it could not be installed."
            => "Install the Temporal CLI and name it in INTERLOCK_TEMPORAL_CLI, or unset INTERLOCK_OFFLINE.";
        CacheUnusable = "cache_unusable": "The directory for the Temporal CLI cannot be written."
            => "Make it writable, or name another one in INTERLOCK_CACHE_DIR.";
        NoCacheDirectory = "no_cache_directory": "There is no directory to put the Temporal CLI in."
            => "Name one in INTERLOCK_CACHE_DIR.";
        TemporalServerNotStarted = "temporal_server_not_started": "The Temporal server could not be started."
            => "Check that the file is an executable for this machine.";
        TemporalServerEndedEarly = "temporal_server_ended_early": "The Temporal server ended while it was starting."
            => "Look at the log: a port in use and a database file in use are the usual reasons.";
        TemporalServerNotReady = "temporal_server_not_ready": "The Temporal server did not answer in time."
            => "Look at the log, and try again on a less busy machine.";
        TemporalServerNotStopped = "temporal_server_not_stopped": "The Temporal server cannot be ended."
            => "End the process by hand.";
        TemporalServerEnded = "temporal_server_ended": "The Temporal server ended while it was needed."
            => "See the end of its log, and start again.";
    }
    Sandbox ("Sandbox targets", "The targets to play with: 'interlock sandbox', 'dev' and 'demo'.") {
        SandboxListenFailed = "sandbox_listen_failed": "A sandbox target cannot listen on its address."
            => "Choose another address with --listen.";
        SandboxNotSeeded = "sandbox_not_seeded": "The sandbox HSS took no SIMs." => "Report this.";
        NoSubscribers = "no_subscribers": "This sandbox target has no subscribers to seed." => "Seed the sandbox HSS.";
        SeedTaken = "seed_taken": "A seed names something that another subscriber has."
            => "Choose another IMSI, ICCID or number.";
    }
    Inspection ("Showing and explaining", "Commands and calls that show customers, resources and orders.") {
        NeverSeen = "never_seen": "It was never seen, or its history is gone."
            => "Check the id and the tenant; an event that was accepted a moment ago may need another.";
        EntityEnded = "entity_ended": "The entity does not run any more: somebody terminated it, and what it shows is how it was then."
            => "Bring back what it had not ended: 'interlock customer recover ID'.";
        NoWorker = "no_worker": "It did not answer: no worker serves its queue, or all are busy."
            => "Start workers ('interlock worker --workload all'), then ask again.";
        TemporalBusy = "temporal_busy": "Temporal answers no more such questions just now."
            => "Ask again in a second.";
        SearchAttributesMissing = "search_attributes_missing":
            "The namespace has not registered Interlock's search attributes, so nothing is found by its state."
            => "Register InterlockTenant, InterlockEntityKind and InterlockState, each of type Keyword ('temporal operator \
             search-attribute create'); workers notice within a minute. Until then name a customer.";
        BadCursor = "bad_cursor": "The cursor is none that a list gave."
            => "Take 'next_cursor' of the page before, or begin again without a cursor.";
        StateNotOpen = "state_not_open": "The state is none of an open order."
            => "Name acknowledged, pending, inProgress or held; an order that is over is shown by its id.";
        QueryRefused = "query_refused": "Temporal, or the entity, refused to show it."
            => "See the reason; the worker's log says more.";
    }
    Gateway ("The HTTP gateway", "As 'application/problem+json', beside the codes of the chapters below.") {
        NoSuchCall = "no_such_call": "There is no such call." => "See '/openapi.json'.";
        MethodNotAllowed = "method_not_allowed": "The call is there, but not by this method."
            => "Use a method that the header 'Allow' names; '/openapi.json' says what each does.";
        BadQuery = "bad_query": "The query of the address cannot be understood."
            => "Correct it; '/openapi.json' says which parameters each call has.";
        TokenMissing = "token_missing": "The call has no bearer token."
            => "Send the header 'Authorization: Bearer TOKEN'.";
        TokenUnknown = "token_unknown": "The bearer token is not known."
            => "Use another token, or have [[gateway.tokens]] changed.";
        TenantForbidden = "tenant_forbidden": "The token is not for this tenant."
            => "Use another token, or have [[gateway.tokens]] changed.";
        TargetForbidden = "target_forbidden": "The token has no right over a target that tenants share."
            => "Use another token, or have 'targets' of [[gateway.tokens]] changed.";
        RoleForbidden = "role_forbidden": "The role of the token does not allow this call."
            => "Use another token, or have [[gateway.tokens]] changed.";
        BodyTooLarge = "body_too_large": "The body of the call is longer than the gateway reads."
            => "Send less: the body of an action has a few short fields.";
        BodyUnreadable = "body_unreadable": "The body of the request could not be read." => "Send the request again.";
        BodyTooSlow = "body_too_slow": "The body of the request did not arrive in time."
            => "Send it again, in smaller batches where the line is slow, or have [http] body_timeout raised.";
        BatchTooLarge = "batch_too_large": "The batch has more events than one call may bring."
            => "Send smaller batches, or have INTERLOCK_GATEWAY_BATCH_EVENTS_MAX raised.";
        BodyTooManyValues = "body_too_many_values": "The JSON of the body has more values than the gateway reads."
            => "Send smaller batches, with fewer values in each event.";
        RepeatedKey = "repeated_key": "The JSON of the body has a key twice in one object."
            => "Send each key once: readers of JSON disagree on which of two values counts.";
        RepeatedHeader = "repeated_header": "A header that may come only once comes twice."
            => "Send it once; a proxy that adds a second one must replace the first.";
        TooManyEvents = "too_many_events": "The tenant sends more events than it may."
            => "Wait as 'Retry-After' says, then send again.";
        TooManyCalls = "too_many_calls": "More calls of this kind come in for one tenant, or with one token, than may."
            => "Wait as 'Retry-After' says, then call again.";
        ServiceOverloaded = "service_overloaded": "The service has as many connections, or as many bytes under way, as it takes."
            => "Wait as 'Retry-After' says, then call again; use fewer connections, or have the limits in [http] raised.";
        HostMissing = "host_missing": "The request does not say for which host it is, or says it wrongly."
            => "Send one 'Host' header with a name or an address.";
        HostForbidden = "host_forbidden": "The request is for a host name that this service does not have."
            => "Use one of its names or its address, or add the name to [http] hosts.";
        OriginForbidden = "origin_forbidden": "A web page of an origin that nobody allowed calls."
            => "Add the origin to [http] origins; for the codec server to [codec.server] cors_origins, or with --cors-origin.";
        NoEventReadable = "no_event_readable": "None of the events could be taken."
            => "See 'results' for what is wrong with each, and correct them.";
        NotEvents = "not_events": "The body is JSON, but neither an event nor a batch of them."
            => "Send one event, a JSON object, or a batch, a JSON array that is not empty.";
        BadHeader = "bad_header": "A 'ce-*' header is no text." => "Percent-encode the header as CloudEvents says.";
        UnsupportedContentType = "unsupported_content_type": "The body has a media type that the call does not take."
            => "Send events as 'application/cloudevents+json', 'application/cloudevents-batch+json' or 'application/json', \
                all else as 'application/json'.";
        UnsupportedContentEncoding = "unsupported_content_encoding": "The body is encoded, and the call takes it as it is only."
            => "Send it without 'Content-Encoding'.";
    }
    Rejection (
        "Rejected events",
        "An event that is not taken ends as one rejected event with one of these codes: in the answer of the \
         gateway, in the output of 'interlock submit', or in the customer's journal."
    ) {
        NotJson = "not_json": "It is not JSON in UTF-8, or has a number that readers of JSON disagree on."
            => "Correct the text.";
        NotAnEvent = "not_an_event": "It is JSON, but not one object, or nests too deep."
            => "Send one CloudEvent as a JSON object.";
        EventTooLarge = "event_too_large": "The event is larger than the limit."
            => "Make it smaller, or have INTERLOCK_LIMITS_EVENT_BYTES_MAX raised.";
        UnsupportedSpecversion = "unsupported_specversion": "The attribute 'specversion' is missing or not '1.0'."
            => "Send CloudEvents 1.0.";
        BadSource = "bad_source": "The attribute 'source' is missing, empty or too long." => "Correct it.";
        BadType = "bad_type": "The attribute 'type' is missing, empty or too long." => "Correct it.";
        BadSubject = "bad_subject": "The attribute 'subject' is no customer's id."
            => "Send the id of the customer as 'subject'.";
        BadTime = "bad_time": "The attribute 'time' is no time."
            => "Write it as in RFC 3339, e.g. 2026-01-31T12:00:00Z, or leave it out.";
        BadSequence = "bad_sequence": "The attribute 'sequence' is no text, or too long."
            => "Correct it, or leave it out.";
        BadRole = "bad_role": "The attribute 'interlockrole' is neither 'from' nor 'to'."
            => "Leave it out: Interlock sets it itself.";
        BadData = "bad_data": "'data' is missing, no JSON object, or has a NUL character in it."
            => "Send a JSON object as 'data'.";
        UnsupportedData = "unsupported_data": "The event has 'data_base64' instead of 'data'."
            => "Send 'data', a JSON object.";
        UnknownEventType = "unknown_event_type": "The catalog has no such event type."
            => "Correct the type, or add it to the catalog and check that with 'interlock catalog check'.";
        InvalidData = "invalid_data": "The data do not fit what the catalog, or the target, asks for."
            => "Correct the data; where an order is held for it, amend the order.";
        NotDistinct = "not_distinct": "Two fields that must differ are the same." => "Correct the data.";
        ConflictingClaims = "conflicting_claims": "The event claims one resource twice."
            => "Correct the data, or the event type in the catalog.";
        PlanTooLarge = "plan_too_large": "The order would have too many claims or steps."
            => "Release some of what the customer holds one by one first.";
        UnexpectedRole = "unexpected_role":
            "The attribute 'interlockrole' comes with an event type that makes one order."
            => "Leave the attribute out.";
        SameCustomer = "same_customer": "The giving and the receiving customer are the same one."
            => "Correct the data.";
        SubjectMismatch = "subject_mismatch":
            "The subject of an event that makes two orders is not the customer that gives."
            => "Send the giving customer's id as 'subject'.";
        WrongCustomer = "wrong_customer": "The event's subject is not the customer it was planned for."
            => "Send the event to the entity of its subject.";
        WrongSubject = "wrong_subject": "The event's subject is not the customer it was sent to."
            => "Send the event to the entity of its subject.";
        IdentityMismatch = "identity_mismatch":
            "The start argument of the entity names another one than its workflow id."
            => "Correct the producer: the start argument is made of the same tenant and customer as the workflow id.";
        TooOld = "too_old": "Whether the event is a duplicate cannot be told: it is older than the orders that are remembered, or says no time."
            => "Send it anew, with another id and its time, if it is still meant.";
        TooLate = "too_late": "A younger event of this type was applied already."
            => "Nothing, where the younger one is right; else send the event anew with a later time.";
        BacklogFull = "backlog_full": "The customer has as many open orders, or as much state, as one may have."
            => "See what they wait for ('interlock customer show ID'), and send it anew, with another id, when some are done.";
        QueueFull = "queue_full": "As many tickets wait at a resource as may."
            => "See who holds it ('interlock resource show KIND/ID'), and send the event anew, with another id, when fewer wait.";
        UndecodableMessage = "undecodable_message": "An entity sent a message that this version cannot read."
            => "Run the same version everywhere; where it stays so, report it.";
    }
    Action ("Refused actions", "A person's action that an entity refuses changes nothing.") {
        OrderUnknown = "order_unknown": "The customer has no such order, or it waits for admission."
            => "Check the id; try again in a moment where the event just came in.";
        OrderOver = "order_over": "The order is over already."
            => "Nothing: 'interlock order show ID' says how it ended.";
        OrderEnding = "order_ending": "The order is ending already." => "Wait until it has ended.";
        NothingHeld = "nothing_held": "No step of the order waits for a person." => "See what it waits for.";
        NothingAmended = "nothing_amended": "A held step of the order has none of the arguments that were given."
            => "Name an argument that the held step has.";
        ReleaseConfirmed = "release_confirmed":
            "A release of the order was sent or confirmed: the next holder may be at work."
            => "Let the order end, and send an event that takes the resource back.";
        NotAdmitted = "not_admitted": "The order waits for admission: it has no plan yet."
            => "Try again in a moment; where it stays so, see that workers run.";
        BadAction = "bad_action": "The action cannot be one: a part of it is missing, empty, too long or not in its form."
            => "Correct what the message names.";
        ActionRefused = "action_refused": "The entity refused the action for a reason that this version does not know."
            => "See the message; run the same version everywhere.";
        RunNotDead = "run_not_dead": "The run that was named is not there, or did not die."
            => "Leave --run out to go by all runs that died.";
        HistoryUnreadable = "history_unreadable": "The history of a run of an entity cannot be read."
            => "Use the version of 'interlock' that the workers run, or a newer one.";
        RecoveryUnfinished = "recovery_unfinished": "Not all events of a terminated entity were submitted again."
            => "See that workers run, then run it again: what was submitted is not submitted twice.";
        ConfirmationNeeded = "confirmation_needed": "The command would act on many, and was not told to."
            => "Look at what it would do, then run it again with `--yes`.";
        ActionOnOther = "action_on_other": "Actions are for orders of customers; this order stands alone."
            => "Nothing: it ends by itself, or expires.";
        StepHasBegun = "step_has_begun": "A step that was to be amended has begun meanwhile."
            => "Look at the order again, then amend it again where a step of it is held.";
        AmendNothing = "amend_nothing": "The amendment has no field." => "Give the fields of the event to correct.";
        AmendUnknownField = "amend_unknown_field": "The event type has no field of that name."
            => "See the event type in the catalog for its fields.";
        AmendUnusedField = "amend_unused_field": "No step that waits for a person is given that field."
            => "Give only fields that a held step uses; 'interlock order show ID' names the held steps.";
        AmendChangesClaim = "amend_changes_claim":
            "A claim of the order is made of that field: the lease would protect something else."
            => "Cancel the order and send a new event.";
        AmendIncomplete = "amend_incomplete": "An argument is made of other fields as well, which were not given."
            => "Give the other fields, too.";
        AmendNotValidated = "amend_not_validated":
            "The schema ties the field to others, so that it cannot be judged alone."
            => "Give the fields it names together, or cancel the order and send a new event.";
        AmendStepUnknown = "amend_step_unknown": "The catalog does not have the held step any more."
            => "Retry, skip or cancel the order, or use the catalog that planned it.";
        StillRegistered = "still_registered": "The target still has the resource registered to its holder."
            => "Send the holder's release, or force it with --even-if-registered where the target is wrong.";
        HolderHasOpenOrders = "holder_has_open_orders": "The holder has open orders on the resource."
            => "Cancel or mend those orders first; 'interlock order why ID' says what they wait for.";
        UsedSinceAsked = "used_since_asked":
            "The holder was registered at about the time when the target said that it is not; nothing was changed."
            => "Force it again in some seconds, with a new action id: the target is asked again.";
        AuthorityUnanswered = "authority_unanswered":
            "The target that knows who is registered did not answer in time; nothing was changed."
            => "Try again when the target is back, with a new action id.";
        AuthorityUnclear = "authority_unclear": "The target cannot say who is registered; nothing was changed."
            => "Look at the target; force it with --even-if-registered where nobody is.";
        HolderUnanswered = "holder_unanswered":
            "The holder's entity did not answer in time; it may still give the resource back."
            => "See that workers run, then look at the resource.";
        NobodyHolds = "nobody_holds": "Nobody has the resource, so that there is nothing to release."
            => "See 'interlock resource show KIND/ID' for what it waits for.";
        ForeignHolder = "foreign_holder": "Another tenant has the resource, or nobody knows who has it."
            => "Ask whoever has a right over the realm that the tenants share.";
        ActionIdReused = "action_id_reused": "The action id was given to another action before; nothing was changed."
            => "Give each action an id of its own; send the same id again only with the same content.";
        ForceUnderWay = "force_under_way": "Another forced release of the resource is under way."
            => "Wait until that one is answered.";
        PauseOver = "pause_over": "The pause of the target would be over before it began."
            => "Name a time that is to come, or none to pause until somebody resumes it.";
        TargetNotStopped = "target_not_stopped": "The target is called already."
            => "Nothing: 'interlock target show NAME' says how it stands.";
        LimitIsZero = "limit_is_zero": "A limit of 0 sends nothing." => "Pause the target instead.";
        NoReleaseWaits = "no_release_waits": "No release of the order waits for its assign."
            => "See what it waits for.";
    }
    Outcome (
        "Steps and orders",
        "Why a step is held or was left out, and why an order ended as it did. A target's own codes stand here \
         too, as it says them: see below."
    ) {
        Person = "person": "A person skipped the step." => "Nothing: the journal says who, and why.";
        Superseded = "superseded": "A younger order took its place."
            => "Nothing, where the younger one is right; else send the event anew.";
        NotHolder = "not_holder": "What was to be released is somebody else's."
            => "Nothing: there was nothing to release.";
        Cancelled = "cancelled": "The order was cancelled after some of it was done, and that was undone."
            => "Send the event anew, if it is still meant.";
        Expired = "expired": "The order was no longer worth doing when its turn came."
            => "Send the event anew, if it is still meant.";
        Late = "late": "The event came after a younger one of its type, and the catalog says to hold such ones."
            => "Retry the order to apply it all the same, or cancel it.";
        Ambiguous = "ambiguous": "The call may or may not have had its effect, and the target cannot be asked."
            => "Look at the target; then retry the step, or skip it where it took effect.";
        Transient = "transient": "The target did not take the call, and it was not tried again." => "Retry the step.";
        Throttled = "throttled": "The target asked for less load, and the call was not tried again."
            => "Retry the step later.";
        Unavailable = "unavailable": "The target was out of service, and the call was not tried again."
            => "Retry the step when the target is back.";
        InUse = "in_use": "The target has the resource registered to somebody else."
            => "See who has it at the target; then retry the step, or cancel the order.";
        ReleaseUnconfirmed = "release_unconfirmed":
            "The target has the resource under another identity than the one that the release named."
            => "See who has it at the target. If it is this customer, amend the order with that identity; if the release \
                counts as done, skip the step; if the target was put right, retry it.";
        RightUnproven = "right_unproven":
            "The order acts on something that its customer is not known to have."
            => "If the customer has it, import it ('interlock resource import') or submit the event that assigns it: the order goes on \
                by itself. Else cancel the order.";
        GivenUpAmbiguous = "given_up_ambiguous":
            "It is not known whether the call had its effect, and sending it again late is worse than never."
            => "Look at the target, where it matters.";
        ResultByHand = "result_by_hand":
            "Somebody completed or failed the call in Temporal again and again, which settles nothing."
            => "Look at the target; then retry the step, which reads back first, or skip it.";
        NotCompensated = "not_compensated": "The lease was given back before this could be undone, or never held."
            => "Look at the target; then skip the step, or retry it where nobody else is at work there.";
        ActivityFailed = "activity_failed": "The call failed in a way that Interlock does not know."
            => "See the activity in Temporal; where it is Interlock's own, report it.";
        OutcomeUnreadable = "outcome_unreadable": "The worker of the target answered something that is no outcome."
            => "Correct the worker: it answers as the contract of the activity 'provision' says.";
        Paused = "paused": "Somebody paused the activity in Temporal." => "Unpause it in Temporal.";
        RefusedByTarget = "refused_by_target": "The target refused the call."
            => "See the detail; correct what it names, then retry the step, or amend the order.";
        Redirected = "redirected": "The target answers with a redirect."
            => "Set its 'base_url' to the final address, then retry the step.";
        RequestNotRendered = "request_not_rendered": "The adapter file does not fit the order's data."
            => "Correct the adapter file or amend the order, then retry the step.";
        EndedByAdapterFile = "ended_by_adapter_file": "The adapter file ends the operation here."
            => "See the row of the adapter file that says so.";
        UnknownOperation = "unknown_operation": "The target's adapter has no such operation."
            => "Correct the step in the catalog, or the adapter file, then retry the step.";
        UnknownResourceKind = "unknown_resource_kind": "The target cannot say who has a resource of this kind."
            => "Correct 'authority' in the catalog.";
        UnknownSubscriber = "unknown_subscriber": "The target does not know the subscriber."
            => "Create it there, or amend the order, then retry the step.";
        UnknownSim = "unknown_sim": "The target does not know the SIM."
            => "Add the SIM to the target, or amend the order, then retry the step.";
        SimMismatch = "sim_mismatch": "The SIM at the target is another one than the order says."
            => "Correct the target or amend the order, then retry the step.";
        UnknownProfile = "unknown_profile": "The target has no such profile."
            => "Add the profile to the target or to the settings, or amend the order, then retry the step.";
        UnknownSetting = "unknown_setting": "The target has no place for a setting."
            => "Amend the order with settings that it has.";
        InvalidSetting = "invalid_setting": "A setting does not take this value."
            => "Amend the order with a value that it takes.";
        NumberStillAssigned = "number_still_assigned": "The subscription still has a number."
            => "Release the number, then retry the step.";
        HolderUnclear = "holder_unclear": "The target has the number for several subscribers, or for a row that names none."
            => "Put right at the target who has the number, then retry the step. If nobody has it there any more, skip the step.";
        ScanIncomplete = "scan_incomplete":
            "The target's look-ups find the number nowhere, and it has too many rows to read the additional numbers of them all."
            => "See whether a row of the target lists the number. If so, amend the step with its identity; if not, skip the \
                step. Raise the target's 'scan_rows_max', so that the rows can be read.";
        RowInUse = "row_in_use": "The target does not remove a row to which others point."
            => "Remove what points to it at the target, then retry the step.";
    }
    TomlFault (
        "Faults of catalogs and adapter files",
        "Each with line, column and place; 'interlock catalog check FILE' finds them all. The message says what to \
         write instead."
    ) {
        Syntax = "syntax": "The text is not TOML here." => "Correct the line.";
        DuplicateKey = "duplicate_key": "A key is set twice." => "Take one of the two out.";
        MissingKey = "missing_key": "A key is missing that must be there." => "Add it.";
        UnknownKey = "unknown_key": "A key is not known here."
            => "Correct its name, or take it out; the message names those that are known.";
        WrongType = "wrong_type": "A value is of the wrong type."
            => "Write a value of the type that the message names.";
        UnknownValue = "unknown_value": "A value is none of the words that are known here."
            => "Write one of those that the message names.";
        BadName = "bad_name": "A name is not in its form." => "Correct the name.";
        BadFactor = "bad_factor": "A factor cannot be read, or is out of its range."
            => "Write a number from 1 to 10 with at most two decimals, e.g. '1.5'.";
        BadDuration = "bad_duration": "A duration cannot be read, or is out of its range."
            => "Write e.g. \"250ms\", \"5s\" or \"15m\", within the limits that the message names.";
        NotTogether = "not_together": "Two settings exclude each other, or one needs another."
            => "Change one of them, as the message says.";
    }
    CatalogFault ("Faults of catalogs", "What only a catalog can have wrong.") {
        BadTemplate = "bad_template": "A template or pattern cannot be read."
            => "Write it as the reference catalog does, e.g. \"msisdn/{msisdn}\".";
        InvalidSchema = "invalid_schema": "The JSON Schema of an event type is not valid, or nests too deep."
            => "Correct it: JSON Schema, draft 2020-12.";
        NoSteps = "no_steps": "An event type has no steps." => "Add one, or take the event type out.";
        StepCycle = "step_cycle": "Steps come after each other in a circle." => "Take one 'after' out.";
        UnknownStep = "unknown_step": "An 'after' names a step that is not there." => "Correct the name.";
        UnknownKind = "unknown_kind": "A resource kind is not declared." => "Declare it as [resources.KIND].";
        MissingArgument = "missing_argument": "An argument is missing that the other event type requires."
            => "Add it to 'with'.";
        FieldNotRequired = "field_not_required": "A field that is used may be absent from the data."
            => "Put it, and those around it, into 'properties' and 'required' of the schema.";
        FieldNotText = "field_not_text": "A field that becomes text has another type."
            => "Make its type string, integer or boolean.";
        HeldWithoutEach = "held_without_each": "'{@held}' is used outside a step that runs for each held resource."
            => "Add 'each = \"KIND/*\"' to the step, or name a field.";
        HeldWithoutClaim = "held_without_claim":
            "A step runs for each held resource of a kind that the event type does not release."
            => "Add a claim that releases it.";
        ClaimWithoutStep = "claim_without_step":
            "No step names a resource that is claimed: its lease would protect nothing."
            => "Add it to the 'resources' of a step.";
        DuplicateClaim = "duplicate_claim": "A resource is claimed twice." => "Claim it once.";
        ClaimsMayCollide = "claims_may_collide": "Two claims may name the same resource."
            => "Claim single fields, and name both in 'distinct'.";
        ResourceNotClaimed = "resource_not_claimed": "A step names a resource that is not claimed."
            => "Claim it, or take it out of the step.";
        SkipOnRelease = "skip_on_release":
            "A step that releases may be skipped by the failure policy, and the next holder would start beside \
             this one."
            => "Use 'hold' or 'abort'.";
        CompensatedRelease = "compensated_release":
            "A step that releases has a compensation, and the resource may have its next holder by then."
            => "Take the compensation out.";
    }
    AdapterFault ("Faults of adapter files", "What only a declarative adapter's file can have wrong.") {
        NoOperations = "no_operations": "An adapter file has no operations." => "Add at least one [operations.NAME].";
        MissingRequest = "missing_request": "An operation has neither a request nor a lookup." => "Add one of the two.";
        MissingLookup = "missing_lookup": "'if_found' and 'if_absent' come without a 'lookup'."
            => "Put a 'lookup' before them, or a 'request' in their place.";
        MissingDefault = "missing_default": "A parameter has neither a default nor 'required = true'."
            => "Write a default as text, or '{ required = true }'.";
        UnknownRequest = "unknown_request": "A 'use' names a request that is not there."
            => "Correct the name, or add [requests.NAME].";
        UnusedRequest = "unused_request": "No 'use' names this request." => "Take it out, or use it.";
        QuestionThatWrites = "question_that_writes": "A question uses a method that changes something."
            => "Use GET, HEAD or POST.";
        QueryInPath = "query_in_path": "A path has a query in it." => "Write the query as a table under 'query'.";
        BadPath = "bad_path": "A path has empty segments, '.' or '..'." => "Correct the path.";
        BadUrl = "bad_url": "An address is no http or https address."
            => "Write one, or a path below the target's 'base_url'.";
        BadHeaderName = "bad_header_name": "A text cannot be the name of a header." => "Correct the name.";
        BadSecret = "bad_secret": "A secret is not in its form."
            => "Write '{ env = \"NAME\" }' or '{ file = \"PATH\" }'.";
        InlineSecret = "inline_secret": "A secret is written in the file."
            => "Name an environment variable or a file that has it.";
        BadPointer = "bad_pointer": "A text is no JSON pointer." => "Begin it with '/', e.g. \"/list/0/id\".";
        BadRegex = "bad_regex": "A text is no regular expression." => "Correct it, as the message says.";
        BadStatus = "bad_status": "A list of statuses cannot be read, or names none."
            => "Write e.g. 404, \"4xx\" or \"500-503\", or leave it out for any status.";
        DuplicateStatus = "duplicate_status": "A status is in the list twice." => "Take one of the two out.";
        OneTest = "one_test": "A condition has not exactly one test." => "Write one test in each condition.";
        OneSource = "one_source": "A source of 'retry_after' has not exactly one origin."
            => "Write one of 'header', 'body' and 'fixed'.";
        DuplicateCondition = "duplicate_condition": "A row says a condition twice." => "Take one of the two out.";
        ImpossibleRow = "impossible_row": "No answer can fit a row." => "Correct its conditions, or take the row out.";
        UnreachableRow = "unreachable_row": "Rows before this one take all that it is for."
            => "Move it before them, or take it out.";
        NoDefaultRow = "no_default_row": "No row is for every other answer."
            => "End the table with a row that has neither status nor conditions.";
        TemplateSyntax = "template_syntax": "A template cannot be read." => "Correct it, as the message says.";
        UnknownVariable = "unknown_variable": "A template uses a variable that is not there."
            => "Use one of those that the message names.";
        UnknownFilter = "unknown_filter": "A template uses a filter that does not exist."
            => "Use one of minijinja's filters.";
        UnknownTest = "unknown_test": "A template uses a test after 'is' that does not exist."
            => "Use one of minijinja's tests.";
        VerifyMissing = "verify_missing": "The capability 'verify' is claimed, but nothing asks the target."
            => "Describe 'verify', or take the capability out.";
        VerifyUnused = "verify_unused": "'verify' is described, but the capability is not claimed."
            => "Write 'verify = true'.";
    }
    AtRest ("Data at rest", "The codec that encrypts what Temporal keeps, its keys, and the codec server. See \
        deploy/docs/data-at-rest.md.") {
        CodecKeyUnknown = "codec_key_unknown": "A payload is encrypted under a key that this process does not have."
            => "Add the key to [codec] keys or to its directory and restart the process; what needs the payload waits until \
                then, and nothing of it is lost.";
        CodecKeyInvalid = "codec_key_invalid": "A key of the codec cannot be read, is not 32 bytes long, or has an id that is none."
            => "Correct what the message names; 'openssl rand -base64 32' makes a key.";
        CodecCurrentKeyMissing = "codec_current_key_missing": "It is not said which of the keys is to encrypt, or that one is not there."
            => "Set [codec] current_key to the id of a key that is there, or 'encrypt = false' to decrypt only.";
        CodecPayloadUnreadable = "codec_payload_unreadable": "An encrypted payload is damaged, or its key's id was that of another key."
            => "Never use an id for another key; where the payload is an event, send the event again.";
        CodecNotEncrypting = "codec_not_encrypting": "A payload could not be encrypted, and was not sent."
            => "Check the machine: its system gives no random bytes.";
        CodecKeyNotForProcesses = "codec_key_not_for_processes":
            "A key stands in the settings, and is not written to disk for worker processes."
            => "Put the keys into files, and name their directory as [codec] keys_directory.";
        CodecWithoutKeys = "codec_without_keys": "The codec server has no keys."
            => "Configure [codec] keys or keys_directory, as the workers have them.";
        CodecServerWithoutTokens = "codec_server_without_tokens":
            "The codec server is to listen where others can reach it, and no token is configured."
            => "Configure [[codec.server.tokens]], or listen on a loopback address.";
        CodecTokenMissing = "codec_token_missing": "A token of the codec server is empty or cannot be read."
            => "Set the text, the environment variable or the file that the message names.";
        CodecRequestUnreadable = "codec_request_unreadable": "The body of a call to the codec server is no JSON of payloads."
            => "Send what Temporal's remote codec protocol says.";
    }
    Alert ("Alerts", "What the sweep finds, once a minute: each is logged, counted and, where '[alerts] webhook' is set, posted \
        once when it begins and once when it is over. An alert is posted again, with the same id, only where it was not \
        answered with yes; for that there is a minute a sweep. Of a thousand findings and more the first are told, and the \
        others counted ('interlock_sweep_findings_left_out').") {
        OrderOverdue = "order_overdue": "An open order is past the time by which its event type says it should be done."
            => "See what it waits for: 'interlock order why ID'.";
        LeaseDiffers = "lease_differs": "A resource and a customer have said different things of a lease for longer than messages take."
            => "Nothing at first: the customers are asked to tell the resource what they hold. Compare both ('interlock resource show \
                KIND/ID'), and report it with the log: no known way leads there.";
        ResourceHeldTwice = "resource_held_twice": "Two customers hold one resource: both may write to the targets."
            => "See at the target who is registered ('interlock resource show KIND/ID' names both), stop the other one's orders, and let it \
                release the resource. It is granted to nobody else meanwhile.";
        HolderNotRunning = "holder_not_running": "Orders wait for a lease, and the entity of its holder does not run."
            => "Bring the holder back ('interlock customer recover ID'), or release by force \
                ('interlock resource release KIND/ID --force').";
        ResourceNotRunning = "resource_not_running": "Orders wait at a resource whose entity does not run: somebody terminated it."
            => "Nothing at first: those who have it or wait for it are asked to say so again. Find out who terminated it.";
        TicketForgotten = "ticket_forgotten": "An order waits for a lease, and the resource knows nothing of it."
            => "Nothing at first: its customer is asked to say it again. Where it stays so, cancel the order and send its event again.";
        RingOfWaits = "ring_of_waits": "Orders wait for each other, and none of them gives way by itself."
            => "See the ring ('interlock order why ID'), and let one go first: 'interlock order release-first ID' or \
                'interlock order cancel ID'.";
        TargetParked = "target_parked": "A target has not been called for long: it is down, in maintenance or paused."
            => "See why ('interlock target show NAME'); where it is well again, 'interlock target resume NAME'.";
        AlertUndelivered = "alert_undelivered":
            "The webhook for alerts did not take one, or took so long with others that it was not posted."
            => "Check '[alerts] webhook' and what answers there; the alert is in the log, and is not posted again.";
    }
    Import ("Importing leases", "Lines of 'interlock resource import'; a bad line does not stop the others.") {
        ListUnreadable = "list_unreadable": "The list of who has what cannot be read."
            => "Check the path, and that it is CSV in UTF-8 whose first line is 'kind,id,customer'; then run it again.";
        CannotListHolders = "cannot_list_holders": "The target cannot be asked for all resources of this kind."
            => "Write a list 'kind,id,customer' by other means, and import that.";
        PartyUnknown = "party_unknown": "The target has a resource for a party that the list of customers does not name."
            => "Add the party to the list of customers, then run the import again: what was taken is not taken twice.";
        SeveralParties = "several_parties": "The target has a resource for several parties, or for a row that names none."
            => "Put right at the target who has it, then run the import again.";
        LineMalformed = "line_malformed": "A line of the list has not three fields, or is no UTF-8."
            => "Write 'kind,id,customer' on each line, then run it again: what was taken is not taken twice.";
        KindNotInCatalog = "kind_not_in_catalog": "The catalog has no such kind of resource."
            => "Correct the kind; 'interlock catalog check FILE' tells which there are.";
        LeaseHeld = "lease_held": "Another customer has it by the ledger; nothing was changed."
            => "See who and since when ('interlock resource history KIND/ID'), and correct the list or the ledger.";
        LeaseMovedOn = "lease_moved_on": "The ledger knows more than the list: it was given back since, or its entity was terminated."
            => "See its history ('interlock resource history KIND/ID'); a list is believed only where the ledger knows nothing.";
        ImportPartFailed = "import_part_failed": "A part of the import ended before it was done: somebody terminated it."
            => "Run the import again: it goes on with that part.";
        ImportStalled = "import_stalled": "The import does not go on: no worker serves its queue, or Temporal is away."
            => "Start workers ('interlock worker --workload jobs'), then run it again: it goes on where it was.";
    }
    Tenant ("Tenants", "On-boarding and off-boarding: the steps of 'interlock tenant show NAME', and what follows from them.") {
        TenantClosed = "tenant_closed": "The tenant was off-boarded: its new events are refused."
            => "Nothing, where that is meant; else on-board it again ('interlock tenant onboard NAME').";
        TenantStepFailed = "tenant_step_failed": "A step of on-boarding, or a look at what is left of a tenant, failed."
            => "See the message; it is tried again by itself.";
        NamespaceMissing = "namespace_missing": "The tenant's namespace is not there, and could not be registered."
            => "Register it with Temporal, or correct 'namespace' in [tenants.NAME]; it is looked at again by itself.";
        TenantSettingsDiffer = "tenant_settings_differ":
            "A worker has other settings of the tenant than whoever on-boards it: of its namespace, plan, spread or targets."
            => "Give all processes the same [tenants.NAME], and start the workers again; the step is tried again by itself.";
        QueueNotConfigured = "queue_not_configured": "The server did not take the tenant's share of a target's queue."
            => "See the message; a server that knows no fairness weights refuses them. It is tried again by itself.";
        TargetUnanswered = "target_unanswered": "A target of the tenant does not answer."
            => "See the target ('interlock target show NAME') and its settings; it is asked again by itself.";
    }
}
