//! Looking at targets: whether their entities run, and how they stand. It depends on nothing else that a sweep looks at, least
//! of all on the visibility store: a terminated entity may have left its target's queue closed.

use std::collections::BTreeSet;
use std::time::Duration;

use interlock_domain::ids::TargetId;
use interlock_domain::sweep::TargetSeen;

use super::look::{Look, time};
use crate::targets::Targets;

/// How long each of the questions about targets may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);

impl Look<'_> {
    /// Notes how targets stand; with `revives`, their entities are started again where they do not run. Answers whose could
    /// not be.
    pub(super) async fn at_targets(&mut self, revives: bool) -> BTreeSet<TargetId> {
        let targets = Targets::new(self.sweeper.installation());
        let not_running = not_running(&targets).await;
        let left = if revives && !not_running.is_empty() { revive(&targets, not_running).await } else { not_running };
        let names = match tokio::time::timeout(ANSWER_TIME, targets.names()).await {
            Ok(Ok(names)) => names,
            Ok(Err(error)) => {
                tracing::warn!(code = %error.code(), %error, "a sweep sees only the targets that are configured");
                targets.configured()
            }
            Err(_) => {
                tracing::warn!("a sweep sees only the targets that are configured: which run is not answered in time");
                targets.configured()
            }
        };
        for view in targets.show_all(&names).await {
            let Some(target) = view["target"].as_str().and_then(|target| target.parse().ok()) else { continue };
            match (view["state"].as_str(), view["since"].as_str().and_then(time)) {
                (Some(state), Some(since)) => {
                    let down_since = view["down_since"].as_str().and_then(time);
                    self.seen.targets.push(TargetSeen::of(target, state, since, down_since));
                }
                _ => {
                    self.unanswered.insert(format!(" {target}"));
                }
            }
        }
        left
    }
}

async fn not_running(targets: &Targets) -> BTreeSet<TargetId> {
    match tokio::time::timeout(ANSWER_TIME, targets.not_running()).await {
        Ok(Ok(not_running)) => return not_running,
        Ok(Err(error)) => {
            tracing::warn!(code = %error.code(), %error, "a sweep cannot see whether the entities of targets run");
        }
        Err(_) => tracing::warn!("whether the entities of targets run is not answered in time"),
    }
    BTreeSet::new()
}

/// Starts them again, and answers whose could not be.
async fn revive(targets: &Targets, not_running: BTreeSet<TargetId>) -> BTreeSet<TargetId> {
    match tokio::time::timeout(ANSWER_TIME, targets.revive(&not_running)).await {
        Ok(Ok(revived)) => {
            for target in revived {
                tracing::warn!(%target, "the entity of a target did not run; it was started again");
            }
            return BTreeSet::new();
        }
        Ok(Err(error)) => {
            tracing::warn!(code = %error.code(), %error, "the entity of a target cannot be started again");
        }
        Err(_) => tracing::warn!("the entity of a target is not started again in time"),
    }
    not_running
}
