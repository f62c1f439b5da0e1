//! The HTTP gateway: events in, views out. Errors are RFC 9457 problems with stable codes. This crate also has a separate service: the
//! [`codec_server`].
//!
//! It checks access, converts requests to calls of `interlock-operations` and their results to responses, and serves
//! them with `interlock-http-service`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod action_log;
mod actions;
mod admitted;
pub mod bodies;
mod callbacks;
pub mod codec_server;
mod console_door;
mod description;
mod espf;
mod events;
mod foreign;
mod metrics;
mod orders;
mod plan;
mod problems;
mod request;
mod starting;
mod subscriptions;
mod targets;
mod tenants;
mod throttle;
mod traced;
mod views;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, options};
use interlock_connection::deployment::build_id_from_environment;
use interlock_connection::{Installation, Waiting};
use interlock_domain::callback::CallbackKeys;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_http_service::{HttpOptions, HttpService, Problem};
use interlock_observability::health::{self, About, Readiness, ShownMetrics};
use interlock_observability::metrics::Metrics;
use interlock_operations::actions::Actions;
use interlock_operations::callbacks::Callbacks;
use interlock_operations::confirmations::Confirmations;
use interlock_operations::ingest::Ingest;
use interlock_operations::inspection::Inspection;
use interlock_operations::subscriptions::Subscriptions;
use interlock_operations::targets::Targets;
use interlock_operations::tenants::Tenants;
use interlock_settings::{CallbackSettings, Settings};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::access::Access;
use self::admitted::CallsUnderWay;
use self::console_door::ConsoleDoor;
use self::espf::EspfTenants;
use self::throttle::Throttle;

/// The largest body, in bytes: a batch of a thousand events of usual size.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most values in the JSON of a body: a batch of a thousand events with a hundred each. A value of two bytes, such as an element
/// of an array of digits, takes 32 bytes of memory and more.
const JSON_VALUES_MAX: usize = 100_000;
/// How long Temporal may take to answer a readiness check.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// The data of the calls. Each request gets clones of it, which must cost nothing: an [`Installation`] has its own connection options.
#[derive(Clone)]
struct Gateway(Arc<Parts>);

impl Deref for Gateway {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

struct Parts {
    ingest: Ingest,
    inspection: Inspection,
    actions: Actions,
    targets: Targets,
    tenants: Tenants,
    subscriptions: Subscriptions,
    access: Arc<Access>,
    throttle: Arc<Throttle>,
    calls: Arc<CallsUnderWay>,
    confirmations: Confirmations,
    callbacks: Callbacks,
    callback_places: Arc<Semaphore>,
    batch_events_max: NonZeroU32,
    events_per_second_max: NonZeroU32,
    espf: Arc<EspfTenants>,
    metrics: Metrics,
}

/// The OpenAPI description of the calls.
#[derive(OpenApi)]
#[openapi(info(
    title = "Interlock gateway",
    description = "Accepts CloudEvents, shows customers, resources, orders and targets, and acts on them. Errors are RFC 9457 problems; \
                   the catalogue of errors has their codes.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Description;

/// Starts the gateway.
///
/// # Errors
/// Those of [`listen`].
pub async fn start(installation: &Installation, metrics: &Metrics, listen: SocketAddr) -> Result<HttpService, Fault> {
    let listening = self::listen(&installation.settings, metrics, listen, &Waiting::default()).await?;
    Ok(listening.serve(installation, metrics))
}

/// Listens, and until [`Listening::serve`] is called only answers how it is: alive, not ready, and why it waits. To other calls it says
/// that Temporal is not available.
///
/// # Errors
/// [`Fault`] `gateway_without_tokens` if other machines could reach it and no token is configured, `gateway_token_missing` if
/// one is empty or cannot be read, `callback_key_invalid`, `mapping_unreadable`, `mapping_faulty`, `tls_unusable`, or `listen_failed`.
pub async fn listen(
    settings: &Settings,
    metrics: &Metrics,
    listen: SocketAddr,
    waiting: &Waiting,
) -> Result<Listening, Fault> {
    let callback_keys = settings.callbacks.as_ref().map(CallbackSettings::read_keys).transpose()?;
    let espf = espf::tenants(settings)?;
    let (http, settings) = (&settings.http, &settings.gateway);
    if settings.tokens.is_empty() && !listen.ip().is_loopback() {
        return Err(Fault::wrong_use(
            ErrorCode::GatewayWithoutTokens,
            format!(
                "The gateway would listen on {listen}, which other machines can reach, and no token is configured."
            ),
        ));
    }
    let access = Access::new(&settings.tokens).map_err(|missing| {
        Fault::wrong_use(ErrorCode::GatewayTokenMissing, format!("A token of the gateway cannot be read: {missing}."))
    })?;
    events::begin_counting(metrics);
    let (stop, serving) = (CancellationToken::new(), Arc::new(OnceLock::new()));
    // A caller with a token need not use a known host name: see the settings.
    let door = http.front_door(listen);
    let door = if settings.tokens.is_empty() { door } else { door.with_any_host_unless_named() };
    let options = HttpOptions::new(http, door).tls(settings.tls.as_ref()).stoppable(stop.clone(), settings.drain);
    let router = starting::router(Arc::clone(&serving), metrics.clone(), waiting);
    let service = HttpService::start(listen, router, options).await?;
    Ok(Listening { service, serving, stop, access, callback_keys, espf })
}

/// A gateway that listens, and does not serve yet.
pub struct Listening {
    service: HttpService,
    serving: Arc<OnceLock<Router>>,
    stop: CancellationToken,
    access: Access,
    callback_keys: Option<CallbackKeys>,
    espf: EspfTenants,
}

impl Listening {
    /// Serves all calls from now on.
    pub fn serve(self, installation: &Installation, metrics: &Metrics) -> HttpService {
        let Self { service, serving, stop, access, callback_keys, espf } = self;
        let settings = &installation.settings.gateway;
        let gateway = Gateway(Arc::new(Parts {
            ingest: Ingest::new(installation.clone()),
            inspection: Inspection::new(installation.clone()),
            actions: Actions::new(installation.clone()),
            targets: Targets::new(installation.clone()),
            tenants: Tenants::new(installation.clone()),
            confirmations: Confirmations::new(installation),
            subscriptions: Subscriptions::new(installation.clone()),
            access: Arc::new(access),
            throttle: Arc::new(Throttle::new(settings)),
            calls: Arc::new(CallsUnderWay::new(settings.calls_per_token_max)),
            callbacks: Callbacks::new(installation.clone(), callback_keys),
            callback_places: callbacks::places(),
            batch_events_max: settings.batch_events_max,
            events_per_second_max: settings.events_per_second_max,
            espf: Arc::new(espf),
            metrics: metrics.clone(),
        }));
        let about = about(installation.catalog.digest().to_owned(), stop.clone());
        let console = console_door::parts(&gateway.access, installation);
        serving.get_or_init(|| router(gateway, console, about, readiness(installation.clone(), stop)));
        service
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

/// The gateway's description of itself.
fn about(catalog_digest: String, stop: CancellationToken) -> About {
    let build_id = build_id_from_environment();
    Arc::new(move || {
        json!({
            "service": "gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "state": if stop.is_cancelled() { "draining" } else { "running" },
            "build_id": build_id,
            "catalog_digest": catalog_digest,
        })
    })
}

/// The calls that the OpenAPI description has.
fn described_calls() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(events::submit))
        .routes(routes!(plan::plan))
        .routes(routes!(views::customer))
        .routes(routes!(views::resource))
        .routes(routes!(views::order))
        .routes(routes!(orders::list))
        .routes(routes!(orders::why))
        .routes(routes!(actions::on_order))
        .routes(routes!(actions::on_resource))
        .routes(routes!(targets::list))
        .routes(routes!(targets::show))
        .routes(routes!(targets::act))
        .routes(routes!(tenants::show))
        .routes(routes!(tenants::act, action_log::list))
        .routes(routes!(action_log::confirm))
        .routes(routes!(subscriptions::list, subscriptions::add))
        .routes(routes!(subscriptions::show, subscriptions::remove))
}

/// The calls that need no bearer token, or check it themselves. They are described, too.
fn open_calls() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(callbacks::take)).routes(routes!(espf::submit))
}

fn router(gateway: Gateway, console: ConsoleDoor, about: About, readiness: Readiness) -> Router {
    let (metrics, admitting, showing) = (gateway.metrics.clone(), gateway.clone(), gateway.clone());
    let greeting =
        Router::new().route("/v1/tenants/{tenant}/events", options(events::handshake)).with_state(gateway.clone());
    let shown: ShownMetrics = Arc::new(move |headers, text| showing.metrics_for(headers, &text));
    let (calls, mut declared) = described_calls().with_state(gateway.clone()).split_for_parts();
    let (open, declared_open) = open_calls().with_state(gateway).split_for_parts();
    declared.merge(declared_open);
    let description = description::complete(&declared);
    let unknown = || async { Problem::new(StatusCode::NOT_FOUND, ErrorCode::NoSuchCall, "The path is unknown.") };
    let wrong_method = || async {
        let detail = "The path does not support this method; the header 'Allow' lists the supported methods.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed, detail)
    };
    let calls = calls.route_layer(from_fn_with_state(admitting, admitted::admitted));
    let pages = interlock_console::router(console.with_api(calls.clone()));
    calls
        .merge(pages)
        .merge(greeting)
        .merge(open)
        .route("/openapi.json", get(|| async move { axum::Json(description) }))
        .merge(health::router_for(about, readiness, metrics, shown))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(traced::traced))
}

/// The gateway is ready if Temporal answers and it is not being stopped.
fn readiness(installation: Installation, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (installation, stop) = (installation.clone(), stop.clone());
        Box::pin(async move {
            if stop.is_cancelled() {
                return Err("the gateway is draining".to_owned());
            }
            match tokio::time::timeout(READY_LIMIT, installation.check_server()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(format!("Temporal is unavailable: {}", error.message())),
                Err(_) => Err("Temporal does not respond".to_owned()),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn description() -> Value {
        let (_, mut declared) = described_calls().split_for_parts();
        declared.merge(open_calls().split_for_parts().1);
        description::complete(&declared)
    }

    #[test]
    fn every_call_is_described() {
        let description = description();
        let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
        // The paths of the contract that are built. A call that is added without a description is not served.
        for path in [
            "/v1/tenants/{tenant}/events",
            "/v1/tenants/{tenant}/plan",
            "/v1/tenants/{tenant}/customers/{id}",
            "/v1/tenants/{tenant}/resources/{kind}/{id}",
            "/v1/tenants/{tenant}/resources/{kind}/{id}/actions",
            "/v1/tenants/{tenant}/orders",
            "/v1/tenants/{tenant}/orders/{order_id}",
            "/v1/tenants/{tenant}/orders/{order_id}/why",
            "/v1/tenants/{tenant}/orders/{order_id}/actions",
            "/v1/tenants/{tenant}/actions",
            "/v1/tenants/{tenant}/actions/{entry}/confirmation",
            "/v1/targets",
            "/v1/targets/{name}",
            "/v1/targets/{name}/actions",
            "/v1/callbacks/{token}",
            "/v1/tenants/{tenant}/espf",
        ] {
            assert!(paths.iter().any(|known| *known == path), "{path} of {paths:?}");
        }
    }

    /// All references in a part of the OpenAPI description.
    fn references(part: &Value, found: &mut BTreeSet<String>) {
        match part {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|part| references(part, found));
            }
            Value::Array(parts) => parts.iter().for_each(|part| references(part, found)),
            _ => {}
        }
    }

    #[test]
    fn the_committed_description_is_the_served_one() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let mut text = serde_json::to_string_pretty(&description()).unwrap();
        text.push('\n');
        if std::env::var_os("INTERLOCK_WRITE_DOCS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let hint = "write it: INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-gateway the_committed_description";
        assert!(std::fs::read_to_string(&file).unwrap_or_default() == text, "docs/openapi.json is old; {hint}");
    }

    #[test]
    fn every_call_has_an_id_of_its_own_a_token_and_the_common_statuses() {
        let description = description();
        let mut ids = BTreeSet::new();
        for (path, calls) in description["paths"].as_object().unwrap() {
            for (method, call) in calls.as_object().unwrap() {
                assert!(ids.insert(call["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
                let is_open = path.starts_with("/v1/callbacks/");
                assert_eq!(call.get("security").is_some(), is_open || path.ends_with("/espf"), "{method} {path}");
                for status in ["400", "401", "403", "429", "502", "503"].iter().filter(|_| !is_open) {
                    let content = call["responses"][status]["content"].as_object().unwrap();
                    assert_eq!(
                        content.keys().collect::<Vec<_>>(),
                        ["application/problem+json"],
                        "{method} {path} {status}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_answer_is_described_by_a_schema_that_is_there() {
        let description = description();
        let mut all = BTreeSet::new();
        references(&description, &mut all);
        for reference in &all {
            let name = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(name).is_some(), "{reference} is not there");
        }
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, call) in methods.as_object().unwrap() {
                let responses = call["responses"].as_object().unwrap();
                let (status, answer) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
                if status == "204" {
                    assert!(answer.get("content").is_none(), "{method} {path} has no body");
                    continue;
                }
                let schema = &answer["content"]["application/json"]["schema"];
                assert!(schema["$ref"].is_string(), "{method} {path} answers {schema}");
            }
        }
        let words = |schema: &str| description["components"]["schemas"][schema]["enum"].clone();
        let states = json!([
            "acknowledged",
            "pending",
            "inProgress",
            "held",
            "completed",
            "partial",
            "failed",
            "cancelled",
            "rejected",
            "superseded",
        ]);
        assert_eq!(words("OrderState"), states);
        assert_eq!(words("QueueWait"), json!(["holder", "look_up", "clock", "orphan", "person"]));
    }
}
