//! The HTTP gateway: events in, views out. Errors are RFC 9457 problems with stable codes.

mod access;
mod actions;
mod events;
mod orders;
mod problem;
mod targets;
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
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tonic::IntoRequest;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use problem::Problem;

use self::access::Access;
use self::throttle::Throttle;
use crate::actions::Actions;
use crate::fault::Fault;
use crate::health::{self, Readiness};
use crate::http_service::HttpService;
use crate::ingest::Ingest;
use crate::inspection::Inspection;
use crate::installation::Installation;
use crate::metrics::Metrics;
use crate::targets::Targets;

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
/// [`Fault`] `gateway_without_tokens` where others could reach it and no token is configured, or `listen_failed`.
pub async fn start(installation: &Installation, metrics: &Metrics, listen: SocketAddr) -> Result<HttpService, Fault> {
    let settings = &installation.settings.gateway;
    if settings.tokens.is_empty() && !listen.ip().is_loopback() {
        return Err(Fault::wrong_use(
            ErrorCode::GatewayWithoutTokens,
            format!("The gateway is to listen on {listen}, which others can reach, and no token is configured."),
        ));
    }
    let gateway = Gateway {
        ingest: Ingest::new(installation.clone()),
        inspection: Inspection::new(installation.clone()),
        actions: Actions::new(installation.clone()),
        targets: Targets::new(installation.clone()),
        access: Arc::new(Access::new(&settings.tokens)),
        throttle: Arc::new(Throttle::new(settings.events_per_second_max)),
        metrics: metrics.clone(),
    };
    HttpService::start(listen, router(gateway, readiness(installation.client.clone()))).await
}

fn router(gateway: Gateway, readiness: Readiness) -> Router {
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
        .with_state(gateway)
        .split_for_parts();
    let unknown = || async { Problem::new(StatusCode::NOT_FOUND, ErrorCode::NoSuchCall, "There is no such call.") };
    calls
        .route("/openapi.json", get(|| async move { axum::Json(description) }))
        .merge(health::router(readiness, metrics))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(traced::traced))
}

/// The gateway can do its work where Temporal answers.
fn readiness(client: Client) -> Readiness {
    Arc::new(move || {
        let mut client = client.clone();
        Box::pin(async move {
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
            .split_for_parts();
        let paths: Vec<&String> = description.paths.paths.keys().collect();
        assert_eq!(paths.len(), 11, "{paths:?}");
    }
}
