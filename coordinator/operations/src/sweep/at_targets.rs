//! Looks at targets: whether their entities run, and their states. It depends on nothing else that a sweep looks at, in particular
//! not on the visibility store: a terminated entity may have left its target's queue stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use interlock_domain::ids::TargetId;
use interlock_domain::sweep::TargetSeen;
use interlock_domain::views::TargetListed;

use super::look::{Look, time};
use crate::targets::Targets;

/// How long each query about targets may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);

impl Look<'_> {
    /// Records the states of targets; with `revives`, entities that do not run are started again. Returns the targets whose entities could not
    /// be started.
    pub(super) async fn at_targets(&mut self, revives: bool) -> BTreeSet<TargetId> {
        let targets = Targets::new(self.sweeper.installation());
        let not_running = not_running(&targets).await;
        let left = if revives && !not_running.is_empty() { revive(&targets, not_running).await } else { not_running };
        let names = match tokio::time::timeout(ANSWER_TIME, targets.names()).await {
            Ok(Ok(names)) => names,
            Ok(Err(error)) => {
                tracing::warn!(code = %error.code(), %error, "cannot list the running target entities; the sweep covers only the configured targets");
                targets.configured()
            }
            Err(_) => {
                tracing::warn!(
                    "the list of running target entities did not arrive in time; the sweep covers only the configured \
                     targets"
                );
                targets.configured()
            }
        };
        for listed in targets.show_all(&names).await {
            match seen(&listed) {
                Some(seen) => self.seen.targets.push(seen),
                None => {
                    self.unanswered.insert(format!(" {}", listed.target()));
                }
            }
        }
        left
    }
}

/// The state of a target, if it is known.
fn seen(listed: &TargetListed) -> Option<TargetSeen> {
    let TargetListed::Answered(view) = listed else { return None };
    let down_since = view.down_since.as_deref().and_then(time);
    Some(TargetSeen::of(view.target.clone(), view.state.clone(), time(&view.since)?, down_since))
}

async fn not_running(targets: &Targets) -> BTreeSet<TargetId> {
    match tokio::time::timeout(ANSWER_TIME, targets.not_running()).await {
        Ok(Ok(not_running)) => return not_running,
        Ok(Err(error)) => {
            tracing::warn!(code = %error.code(), %error, "cannot tell whether the entities of targets are running");
        }
        Err(_) => tracing::warn!("no response in time on whether the entities of targets are running"),
    }
    BTreeSet::new()
}

/// Starts them again, and returns those that could not be started.
async fn revive(targets: &Targets, not_running: BTreeSet<TargetId>) -> BTreeSet<TargetId> {
    match tokio::time::timeout(ANSWER_TIME, targets.revive(&not_running)).await {
        Ok(Ok(revived)) => {
            for target in revived {
                tracing::warn!(%target, "the entity of a target was not running; it was started again");
            }
            return BTreeSet::new();
        }
        Ok(Err(error)) => {
            tracing::warn!(code = %error.code(), %error, "cannot restart the entity of a target");
        }
        Err(_) => tracing::warn!("the entity of a target could not be restarted in time"),
    }
    not_running
}
