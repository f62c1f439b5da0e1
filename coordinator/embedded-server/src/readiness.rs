//! Waiting until a server answers for all its namespaces, or ends, or takes too long.

use std::path::Path;
use std::time::Duration;

use interlock_fault::with_causes;
use temporalio_client::{Connection, ConnectionOptions};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tonic::IntoRequest;
use url::Url;

use super::error::TemporalServerError;
use super::process::ServerProcess;

/// How long to wait between two attempts.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);
/// How long one attempt may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// How many lines of a log's end are shown.
const LOG_TAIL_LINES: usize = 20;

/// Waits until the server at `target` describes every one of `namespaces`.
pub(super) async fn wait_until_ready(
    process: &mut ServerProcess,
    target: &Url,
    namespaces: &[String],
    limit: Duration,
    log_file: &Path,
) -> Result<(), TemporalServerError> {
    let mut last_answer = "there was no response".to_owned();
    let ready = async {
        loop {
            match tokio::time::timeout(ATTEMPT_LIMIT, ask(target, namespaces)).await {
                Ok(Ok(())) => return,
                Ok(Err(answer)) => last_answer = answer,
                Err(_) => last_answer = format!("a call took more than {} s", ATTEMPT_LIMIT.as_secs()),
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
    };
    tokio::select! {
        biased;
        ended = process.ended() => Err(TemporalServerError::EndedEarly {
            status: ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
            log_tail: log_tail(log_file),
        }),
        in_time = tokio::time::timeout(limit, ready) => in_time.map_err(|_| TemporalServerError::NotReady {
            limit,
            last_answer,
            log_tail: log_tail(log_file),
        }),
    }
}

/// One attempt: connecting requests the system's info; then each namespace is described.
async fn ask(target: &Url, namespaces: &[String]) -> Result<(), String> {
    let options = ConnectionOptions::new(target.clone()).identity("interlock-readiness".to_owned()).build();
    let connection = Connection::connect(options).await.map_err(|error| with_causes(&error))?;
    for namespace in namespaces {
        let request = DescribeNamespaceRequest { namespace: namespace.clone(), ..Default::default() };
        let described = connection.workflow_service().describe_namespace(request.into_request()).await;
        described.map_err(|status| format!("namespace '{namespace}': {}", status.message()))?;
    }
    Ok(())
}

/// The last lines of a log file, for a message; or why the file cannot be read.
pub fn log_tail(log_file: &Path) -> String {
    match std::fs::read(log_file) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
        }
        Err(error) => format!("(the log {} cannot be read: {error})", log_file.display()),
    }
}
