//! Confirms a release at a target that can report the holder of a resource: afterwards, no party may have it.
//!
//! An answer such as "not registered under this identity" confirms nothing, since the event may carry an old or mistyped identity. So
//! after a release was answered as done, or read back as done, the target is asked who has each resource of the step.

use std::time::{Duration, Instant};

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceId;
use interlock_domain::outcome::{HolderAnswer, Outcome};

use crate::adapter::{Adapter, Call, Verification};

/// The holders of a release's resources after it.
enum After {
    Nobody,
    TargetIdentity(String),
    Unclear(String),
    /// The target could not be asked: a sentence for a person.
    Unasked(String),
}

/// The outcome of a release that was answered with this one, checked against the current holders of its resources. `is_known` tells for
/// which resources the target can be asked. `begun` is the start of the attempt.
pub(crate) async fn confirm(
    adapter: &dyn Adapter,
    call: &Call,
    outcome: Outcome,
    begun: Instant,
    is_known: impl Fn(&ResourceId) -> bool + Send,
) -> Outcome {
    if !outcome.is_effective() {
        return outcome;
    }
    match holder_after(adapter, call, begun, is_known).await {
        After::Nobody => outcome,
        After::TargetIdentity(target_identity) => Outcome::InUse { holder: Some(target_identity) },
        After::Unclear(detail) => Outcome::Permanent { code: ErrorCode::HolderUnclear.into(), detail },
        // Sending the release again does no harm; it may also be read back.
        After::Unasked(detail) => Outcome::Ambiguous { detail },
    }
}

/// The same for the result of reading back.
pub(crate) async fn confirm_read_back(
    adapter: &dyn Adapter,
    call: &Call,
    verification: Verification,
    begun: Instant,
    is_known: impl Fn(&ResourceId) -> bool + Send,
) -> Verification {
    if verification != Verification::Applied {
        return verification;
    }
    match holder_after(adapter, call, begun, is_known).await {
        After::Nobody => verification,
        After::TargetIdentity(target_identity) => Verification::InUse { holder: Some(target_identity) },
        After::Unclear(detail) | After::Unasked(detail) => Verification::Unclear { detail },
    }
}

async fn holder_after(
    adapter: &dyn Adapter,
    call: &Call,
    begun: Instant,
    is_known: impl Fn(&ResourceId) -> bool + Send,
) -> After {
    for resource in call.epochs.keys().filter(|resource| is_known(resource)) {
        let left = call.timeout.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        match tokio::time::timeout(left, adapter.find_holder(&call.tenant, resource)).await {
            Ok(Ok(HolderAnswer::Nobody)) => {}
            Ok(Ok(HolderAnswer::TargetIdentity { target_identity })) => return After::TargetIdentity(target_identity),
            Ok(Ok(HolderAnswer::Unclear { detail })) => return After::Unclear(detail),
            Ok(Err(outcome)) => {
                return After::Unasked(format!(
                    "it was released, but the target could not tell who has the {} now: {}",
                    resource.kind(),
                    outcome.words()
                ));
            }
            Err(_) => {
                return After::Unasked(format!(
                    "it was released, but the attempt ran out of time before the target was asked who has the {} now",
                    resource.kind()
                ));
            }
        }
    }
    After::Nobody
}
