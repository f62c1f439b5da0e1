//! Asks a resource's authority who has the resource.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_workflows::LookUp;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::heartbeat::Trace;
use crate::provision::again;
use crate::worker_context::WorkerContext;

/// The only look-up that adapters support.
const FIND_HOLDER: &str = "find_holder";

/// Asks the authority.
///
/// # Errors
/// A retryable failure if the authority could not be asked. Its type is the outcome class.
pub(crate) async fn look_up(
    worker: &WorkerContext,
    context: &ActivityContext,
    question: LookUp,
) -> Result<HolderAnswer, ActivityError> {
    let LookUp { tenant, authority, resource, proof: _ } = question;
    if authority.operation != FIND_HOLDER {
        let detail = format!("The look-up '{}' is unknown; the catalog may use '{FIND_HOLDER}'.", authority.operation);
        return Ok(HolderAnswer::Unclear { detail });
    }
    let adapter = match worker.adapters.get(&authority.target) {
        Ok(adapter) => adapter,
        Err(error) => return Err(again(ErrorCode::TargetUnknown.as_str(), error.to_string(), None)),
    };
    let breaker = worker.breakers.of(&authority.target);
    let asked = breaker.call(&resource, &adapter, adapter.find_holder(&tenant, &resource));
    let Ok(answer) = Trace::new(context).alive(asked).await else {
        let detail = "The target is not called at the moment: too many calls to it failed in a row.";
        return Err(again("unavailable", detail, Some(breaker.open_for())));
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(Outcome::Permanent { code, detail }) => Ok(HolderAnswer::Unclear { detail: format!("{code}: {detail}") }),
        Err(outcome) => {
            let delay = match &outcome {
                Outcome::Throttled { retry_after_ms, .. } => retry_after_ms.map(std::time::Duration::from_millis),
                _ => None,
            };
            let detail = serde_json::to_string(&outcome).unwrap_or_else(|_| outcome.class().to_owned());
            Err(again(outcome.class(), detail, delay))
        }
    }
}
