//! Asks a target whether it is up.

use std::time::Duration;

use interlock_domain::outcome::Outcome;
use interlock_domain::target_entity::{Finding, ProbeAnswer};
use interlock_workflows::TargetProbe;

use crate::set_limit;
use crate::worker_context::WorkerContext;

/// How long to wait for the target's answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Asks the target, and asks the server for the state of the target's queue.
pub(crate) async fn probe(worker: &WorkerContext, probe: TargetProbe) -> ProbeAnswer {
    let finding = match worker.adapters.get(&probe.target) {
        Ok(adapter) => match tokio::time::timeout(ANSWER_LIMIT, adapter.health()).await {
            Ok(answer) => found(answer),
            Err(_) => Finding::Down { detail: format!("it did not answer within {} s", ANSWER_LIMIT.as_secs()) },
        },
        Err(error) => Finding::CannotTell { detail: error.to_string() },
    };
    ProbeAnswer { finding, stands: set_limit::record(worker, &probe.target).await }
}

/// The meaning of the answer. A target that refuses the question is up.
fn found(answer: Result<(), Outcome>) -> Finding {
    match answer {
        Ok(())
        | Err(
            Outcome::Done
            | Outcome::AlreadyDone
            | Outcome::Accepted { .. }
            | Outcome::InUse { .. }
            | Outcome::Throttled { .. },
        ) => Finding::Up,
        Err(Outcome::Unavailable { detail, .. } | Outcome::Transient { detail } | Outcome::Ambiguous { detail }) => {
            Finding::Down { detail }
        }
        Err(Outcome::Permanent { code, detail }) => Finding::CannotTell { detail: format!("{code}: {detail}") },
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::error_code::ErrorCode;

    use super::*;

    #[test]
    fn a_target_that_refuses_the_question_is_not_down() {
        let detail = String::new;
        assert_eq!(found(Ok(())), Finding::Up);
        assert_eq!(found(Err(Outcome::Throttled { retry_after_ms: None, detail: detail() })), Finding::Up);
        let refused = Outcome::Permanent { code: ErrorCode::Expired.into(), detail: detail() };
        assert!(matches!(found(Err(refused)), Finding::CannotTell { .. }));
        assert!(matches!(found(Err(Outcome::unavailable("refused"))), Finding::Down { .. }));
    }
}
