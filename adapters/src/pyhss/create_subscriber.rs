//! `create_subscriber`: creates a subscription for a SIM whose keys are already loaded. It has no number yet.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::EffectState;
use super::arguments::{self, NewSubscriber, Profile};
use super::attempt::{Attempt, Written};
use super::row::Sim;

/// The write that completes the operation.
pub(super) const COMPLETING_WRITE: &str = "put subscriber";

async fn sim(attempt: &Attempt<'_>, new: &NewSubscriber) -> Result<Sim, Outcome> {
    let Some(sim) = attempt.reader.sim("iccid", new.iccid.as_str()).await? else {
        return Err(Outcome::Permanent {
            code: ErrorCode::UnknownSim.into(),
            detail: "the HSS has no SIM with this ICCID: load its keys first, then retry".to_owned(),
        });
    };
    if sim.imsi.as_deref().is_some_and(|imsi| imsi != new.imsi.as_str()) {
        return Err(Outcome::Permanent {
            code: ErrorCode::SimMismatch.into(),
            detail: "the SIM with this ICCID has another IMSI: correct the event".to_owned(),
        });
    }
    Ok(sim)
}

async fn look(attempt: &Attempt<'_>, new: &NewSubscriber, sim: &Sim) -> Result<EffectState, Outcome> {
    Ok(match attempt.reader.subscriber("imsi", new.imsi.as_str()).await? {
        None => EffectState::Missing,
        Some(row) if row.auc_id == sim.auc_id => EffectState::InPlace,
        Some(_) => EffectState::HeldBy(None),
    })
}

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let new: NewSubscriber = arguments::read(attempt.call)?;
    let sim = sim(attempt, &new).await?;
    look(attempt, &new, &sim).await
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let new: NewSubscriber = arguments::read(attempt.call)?;
    let mut columns = columns_of(attempt, new.profile.as_ref())?;
    let sim = sim(attempt, &new).await?;
    match look(attempt, &new, &sim).await? {
        EffectState::InPlace => return Ok(Outcome::AlreadyDone),
        EffectState::HeldBy(holder) => return Ok(Outcome::InUse { holder }),
        EffectState::Missing => {}
    }
    columns.insert("imsi".to_owned(), new.imsi.as_str().into());
    columns.insert("auc_id".to_owned(), sim.auc_id.into());
    // The placeholder, until a number is assigned.
    columns.insert("msisdn".to_owned(), new.imsi.as_str().into());
    let found_at = ["subscriber", "imsi", new.imsi.as_str()];
    match attempt.put("subscriber", &columns, &found_at, COMPLETING_WRITE).await? {
        Written::Applied => Ok(Outcome::Done),
        Written::Conflict => Ok(Outcome::InUse { holder: None }),
    }
}

/// The columns of a profile.
fn columns_of(attempt: &Attempt<'_>, profile: Option<&Profile>) -> Result<Map<String, Value>, Outcome> {
    let name = match profile {
        Some(Profile::Columns(columns)) => return super::service::checked(columns),
        Some(Profile::Named(name)) => name,
        None => "default",
    };
    attempt.reader.adapter.profiles.get(name).cloned().ok_or_else(|| Outcome::Permanent {
        code: ErrorCode::UnknownProfile.into(),
        detail: format!("the target's settings do not have the profile '{name}': add it to its profiles, then retry"),
    })
}
