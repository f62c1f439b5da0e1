//! The HTTP gateway: events in, views out. Errors are RFC 9457 problems with stable codes.

mod access;
mod actions;
mod events;
mod orders;
mod problem;
mod request;
mod targets;
mod tenants;
mod throttle;
mod traced;
mod views;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;
use interlock_domain::error_code::ErrorCode;
use serde_json::json;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tokio_util::sync::CancellationToken;
use tonic::IntoRequest;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use access::bearer;
pub use problem::Problem;

use self::access::Access;
use self::throttle::Throttle;
use crate::actions::Actions;
use crate::fault::Fault;
use crate::health::{self, About, Readiness};
use crate::http_service::HttpService;
use crate::ingest::Ingest;
use crate::inspection::Inspection;
use crate::installation::Installation;
use crate::metrics::Metrics;
use crate::targets::Targets;
use crate::tenants::Tenants;
use crate::worker_pool::build_id_from_environment;

/// The longest body, in bytes: a batch of a thousand events of usual size.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long Temporal may take to say that it is there.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// What the calls need.
#[derive(Clone)]
struct Gateway {
    ingest: Ingest,
    inspection: Inspection,
    actions: Actions,
    targets: Targets,
    tenants: Tenants,
    access: Arc<Access>,
    throttle: Arc<Throttle>,
    metrics: Metrics,
}

/// The description of the calls.
#[derive(OpenApi)]
#[openapi(info(
    title = "Interlock gateway",
    description = "Takes CloudEvents in and shows customers, resources and orders. Errors are RFC 9457 problems."
))]
struct Description;

/// Starts the gateway.
///
/// # Errors
/// [`Fault`] `gateway_without_tokens` where others could reach it and no token is configured, `gateway_token_missing` where
/// one is not in its place, or `listen_failed`.
pub async fn start(installation: &Installation, metrics: &Metrics, listen: SocketAddr) -> Result<HttpService, Fault> {
    let settings = &installation.settings.gateway;
    if settings.tokens.is_empty() && !listen.ip().is_loopback() {
        return Err(Fault::wrong_use(
            ErrorCode::GatewayWithoutTokens,
            format!("The gateway is to listen on {listen}, which others can reach, and no token is configured."),
        ));
    }
    let access = Access::new(&settings.tokens).map_err(|missing| {
        Fault::wrong_use(ErrorCode::GatewayTokenMissing, format!("A token of the gateway cannot be read: {missing}."))
    })?;
    let gateway = Gateway {
        ingest: Ingest::new(installation.clone()),
        inspection: Inspection::new(installation.clone()),
        actions: Actions::new(installation.clone()),
        targets: Targets::new(installation.clone()),
        tenants: Tenants::new(installation.clone()),
        access: Arc::new(access),
        throttle: Arc::new(Throttle::new(settings.events_per_second_max)),
        metrics: metrics.clone(),
    };
    events::begin_counting(metrics);
    let stop = CancellationToken::new();
    let about = about(installation.catalog.digest().to_owned(), stop.clone());
    let router = router(gateway, about, readiness(installation.client.clone(), stop.clone()));
    HttpService::start_stoppable(listen, router, stop, settings.drain).await
}

/// What the gateway says of itself.
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

fn router(gateway: Gateway, about: About, readiness: Readiness) -> Router {
    let metrics = gateway.metrics.clone();
    let (calls, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(events::submit))
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
        .routes(routes!(tenants::act))
        .with_state(gateway)
        .split_for_parts();
    let unknown = || async { Problem::new(StatusCode::NOT_FOUND, ErrorCode::NoSuchCall, "There is no such call.") };
    let wrong_method = || async {
        let detail = "The call is there, but not by this method; the header 'Allow' says by which.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed, detail)
    };
    calls
        .route("/openapi.json", get(|| async move { axum::Json(description) }))
        .merge(health::router(about, readiness, metrics))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(traced::traced))
}

/// The gateway can do its work where Temporal answers, until it is stopped.
fn readiness(client: Client, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (mut client, stop) = (client.clone(), stop.clone());
        Box::pin(async move {
            if stop.is_cancelled() {
                return Err("the gateway drains".to_owned());
            }
            let asked = client.get_system_info(GetSystemInfoRequest {}.into_request());
            match tokio::time::timeout(READY_LIMIT, asked).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(status)) => Err(format!("Temporal is away: {}", status.message())),
                Err(_) => Err("Temporal does not answer".to_owned()),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_described() {
        let (_, description): (Router<Gateway>, _) = OpenApiRouter::with_openapi(Description::openapi())
            .routes(routes!(events::submit))
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
            .routes(routes!(tenants::act))
            .split_for_parts();
        let paths: Vec<&String> = description.paths.paths.keys().collect();
        assert_eq!(paths.len(), 13, "{paths:?}");
    }
}
