//! `remove_subscriber`: ends the subscription. Its numbers must be released first.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;

use super::EffectState;
use super::arguments::{self, Subscription};
use super::attempt::Attempt;
use super::sightings::Freshness;

/// The write that completes the operation.
pub(super) const COMPLETING_WRITE: &str = "delete subscriber";

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let Subscription { imsi } = arguments::read(attempt.call)?;
    Ok(match attempt.reader.subscriber("imsi", imsi.as_str()).await? {
        None => EffectState::InPlace,
        Some(_) => EffectState::Missing,
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let Subscription { imsi } = arguments::read(attempt.call)?;
    let Some(subscriber) = attempt.reader.subscriber("imsi", imsi.as_str()).await? else {
        return Ok(Outcome::AlreadyDone);
    };
    let own = attempt.reader.own_rows(imsi.as_str(), &[], Freshness::Now).await?;
    let registered = own.rows.iter().any(|row| !row.numbers().is_empty());
    if registered || subscriber.number().is_some() {
        // This order has no lease of the number, so removing it could take it from another customer.
        return Err(Outcome::Permanent {
            code: ErrorCode::NumberStillAssigned.into(),
            detail: "the subscription still has a number: release it, then retry".to_owned(),
        });
    }
    attempt.delete("subscriber", subscriber.subscriber_id, COMPLETING_WRITE).await?;
    Ok(Outcome::Done)
}
