//! The process that consumes: its health calls, its connections, its end.

use std::process::ExitCode;
use std::sync::Arc;

use interlock_adapters::Secret;
use interlock_brokers::{Connect, Consumption, OfTenant, Security, Status, Tls, consume};
use interlock_connection::{ATTEMPT_LIMIT, CallRetries, Installation, Waiting};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_http_service::{HttpOptions, HttpService};
use interlock_observability::health::{self, About, Readiness};
use interlock_observability::metrics::Metrics;
use interlock_operations::ingest::Ingest;
use interlock_settings::{BrokerSettings, Settings};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::Common;
use crate::cli::output::Output;
use crate::shutdown;

/// The output once it consumes.
#[derive(Debug, Serialize)]
struct Consuming {
    broker: &'static str,
    source: String,
    consumer: String,
    tenant: String,
    listen: String,
}

/// How the connection is protected, with the secrets read from their places.
///
/// # Errors
/// [`Fault`] `broker_setting_invalid`.
pub(super) fn security(common: &Common, secrets: &BrokerSettings) -> Result<Security, Fault> {
    let read = |key: &str, secret: Option<&Secret>| -> Result<Option<SecretString>, Fault> {
        let read = secret.map(Secret::read).transpose();
        read.map_err(|missing| invalid(format!("The secret in broker.{key} cannot be read: {missing}.")))
    };
    let user = match (&common.user, read("password", secrets.password.as_ref())?) {
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (Some(user), None) => return Err(invalid(format!("There is no password for --user {user}."))),
        (None, Some(_)) => return Err(invalid("There is a password, and no --user whose it is.".to_owned())),
        (None, None) => None,
    };
    let client = common.broker_cert.clone().zip(common.broker_key.clone());
    let tls = Tls { required: common.broker_tls, authorities: common.broker_ca.clone(), client };
    Ok(Security { tls, user, token: read("token", secrets.token.as_ref())? })
}

fn invalid(message: String) -> Fault {
    Fault::wrong_use(ErrorCode::BrokerSettingInvalid, message)
        .with_next("Set INTERLOCK_BROKER_PASSWORD, or 'password' in [broker]: its text, or { file = \"PATH\" }.")
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(
    broker: &'static str,
    connect: &dyn Connect,
    common: &Common,
    settings: Settings,
    output: Output,
) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let catalog = settings.catalog()?;
    let metrics = Metrics::start()?;
    let (status, waiting) = (Status::new(metrics.clone()), Waiting::default());
    let calls = health::router(about(broker, &status), readiness(&status, &waiting), metrics);
    let health =
        HttpService::start(common.listen, calls, HttpOptions::of_health(&settings.http, common.listen)).await?;
    let start = async || {
        let (settings, catalog) = (settings.clone(), catalog.clone());
        let connected = Installation::connect(&common.connection, settings, catalog, CallRetries::Brief, ATTEMPT_LIMIT);
        Box::pin(connected).await
    };
    let connected = waiting.until_started(&common.connection, start);
    let Some(installation) = ending.run_until_cancelled(Box::pin(connected)).await else {
        health.stop().await;
        return Ok(ExitCode::SUCCESS);
    };
    let (place, tenant) = (connect.place(), settings.tenant.clone());
    let said = Consuming {
        broker,
        source: place.source,
        consumer: place.consumer,
        tenant: tenant.to_string(),
        listen: health.url(),
    };
    let acceptance = Arc::new(OfTenant::new(Ingest::new(installation?), tenant));
    status.has_temporal();
    output.line(&said, |it| {
        format!(
            "takes events of tenant {} from {} {} as {}; metrics at {}/metrics",
            it.tenant, it.broker, it.source, it.consumer, it.listen
        )
    })?;
    let consumed = Box::pin(consume(Consumption { connect, acceptance, status, stop: ending })).await;
    health.stop().await;
    consumed?;
    Ok(ExitCode::SUCCESS)
}

fn readiness(status: &Status, waiting: &Waiting) -> Readiness {
    let (status, waiting) = (status.clone(), waiting.clone());
    Arc::new(move || {
        let ready = if status.is_started() { status.ready() } else { Err(waiting.reason()) };
        Box::pin(std::future::ready(ready))
    })
}

fn about(broker: &'static str, status: &Status) -> About {
    let status = status.clone();
    Arc::new(move || {
        let mut about = json!({"service": "ingest", "version": env!("CARGO_PKG_VERSION"), "broker": broker});
        if let (Some(about), Some(state)) = (about.as_object_mut(), status.about().as_object()) {
            about.extend(state.clone());
        }
        about
    })
}
