//! The clocks of this machine and of the server. Orders are sorted by time, and a worker that is ahead of the server sends nothing.
//!
//! No call tells the server's time, so a workflow is started and ended: its start has the time.

use std::time::Duration;

use chrono::Utc;
use interlock_client::{MemoWorkflow, ServerError, runs};
use interlock_domain::ids::Timestamp;
use interlock_domain::limits::CLOCKS_APART_MS_MAX;
use interlock_settings::Settings;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;

use super::report::{Check, Finding};

/// The workflow. No worker ever runs it.
const WORKFLOW_ID: &str = "interlock/doctor";
const WORKFLOW_TYPE: &str = "InterlockDoctor";
/// Its first task is delayed this long: it is ended before.
const ASLEEP: Duration = Duration::from_hours(24);
/// From this difference on, in milliseconds, it is worth a warning.
const WORTH_A_WARNING_MS: u64 = 1_000;

/// Compares them.
pub(super) async fn examine(client: &Client, settings: &Settings) -> Finding {
    let now = || Timestamp(Utc::now().timestamp_millis());
    let before = now();
    match server_time(client, settings).await {
        Ok(server) => judged(apart_ms(before, server, now())),
        Err(error) => Finding::unknown(Check::Clocks, "The clock of the server", &error.message()),
    }
}

async fn server_time(client: &Client, settings: &Settings) -> Result<Timestamp, ServerError> {
    let namespace = client.namespace();
    let workflow = MemoWorkflow {
        namespace: &namespace,
        workflow_id: WORKFLOW_ID,
        workflow_type: WORKFLOW_TYPE,
        task_queue: &format!("{}.doctor", settings.prefix.as_str()),
        start_delay: ASLEEP,
    };
    workflow.replace(client, "doctor", b"{}".to_vec()).await?;
    let described = runs::describe(client, &namespace, WORKFLOW_ID).await?;
    let Some(run) = described.map(|described| described.run) else { return Err(ServerError::NoAnswer) };
    let execution = WorkflowExecution { workflow_id: run.workflow_id, run_id: run.run_id };
    runs::terminate(client, &namespace, execution, "it has told the time").await?;
    Ok(Timestamp(run.started_at.timestamp_millis()))
}

/// How far the clocks are certainly apart: the server's time is from some moment between the two others.
fn apart_ms(before: Timestamp, server: Timestamp, after: Timestamp) -> i64 {
    if server < before { server.0.saturating_sub(before.0) } else { server.0.saturating_sub(after.0).max(0) }
}

fn judged(apart_ms: i64) -> Finding {
    const NEXT: &str = "Synchronise the clocks of this machine, of the workers and of the server (NTP, chrony).";
    let which = if apart_ms < 0 { "behind" } else { "ahead of" };
    let apart = apart_ms.unsigned_abs();
    let detail = format!("The server's clock is {apart} ms {which} this machine's.");
    if apart > CLOCKS_APART_MS_MAX {
        return Finding::error(
            Check::Clocks,
            format!("{detail} More than {CLOCKS_APART_MS_MAX} ms is not borne."),
            NEXT,
        );
    }
    if apart >= WORTH_A_WARNING_MS {
        return Finding::warning(Check::Clocks, detail, NEXT);
    }
    Finding::ok(Check::Clocks, "The clocks of this machine and of the server agree.")
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    #[test]
    fn clocks_are_apart_only_by_what_the_call_does_not_explain() {
        let apart = |before, server, after| apart_ms(Timestamp(before), Timestamp(server), Timestamp(after));
        assert_eq!(apart(1_000, 1_000, 1_500), 0);
        assert_eq!(apart(1_000, 1_500, 1_500), 0);
        assert_eq!(apart(1_000, 1_700, 1_500), 200);
        assert_eq!(apart(1_000, 400, 1_500), -600);
    }

    #[test]
    fn a_second_is_worth_a_warning_and_what_entities_do_not_trust_is_an_error() {
        let bound = i64::try_from(CLOCKS_APART_MS_MAX).unwrap();
        for (apart_ms, level) in [
            (0, Level::Ok),
            (999, Level::Ok),
            (1_000, Level::Warning),
            (-1_000, Level::Warning),
            (bound, Level::Warning),
            (bound + 1, Level::Error),
            (-bound - 1, Level::Error),
        ] {
            assert_eq!(judged(apart_ms).level, level, "{apart_ms}");
        }
        assert!(judged(-2_000).detail.contains("2000 ms behind"));
    }
}
