//! Request ids that are the same whenever the same call is made again, so that the server recognises it.

use temporalio_sdk::activities::ActivityContext;
use uuid::Uuid;

/// The request id of one part of what an activity does: the same in every attempt of it, different in every other
/// activity, also of another run.
pub(crate) fn of_part(context: &ActivityContext, part: &str) -> String {
    let info = context.info();
    let run = info.workflow_run_id.as_deref().unwrap_or_default();
    of(&[run, &info.activity_id, part])
}

/// The request id that these texts make.
pub(crate) fn of(parts: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("interlock:request:{}", parts.join("\n")).as_bytes()).to_string()
}
