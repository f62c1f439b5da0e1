//! `swap_sim`: the subscription moves to another SIM and keeps its number.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::Standing;
use super::arguments::{self, SimSwap};
use super::attempt::{Attempt, Written};
use super::row::{ImsSubscriber, Sim, Subscriber};

/// What the tables say, seen from the swap.
enum View {
    /// The new IMSI is another subscription's, or the number is.
    Taken(Option<String>),
    /// What is still to be changed.
    Open { subscriber: Option<Subscriber>, ims_subscriber: Option<ImsSubscriber> },
}

async fn look(attempt: &Attempt<'_>, swap: &SimSwap, sim: &Sim) -> Result<View, Outcome> {
    let (old_imsi, new_imsi) = (swap.old_imsi.as_str(), swap.new_imsi.as_str());
    let old = attempt.reader.subscriber("imsi", old_imsi).await?;
    let new = attempt.reader.subscriber("imsi", new_imsi).await?;
    let subscriber = match (old, new) {
        (Some(_), Some(_)) if old_imsi != new_imsi => return Ok(View::Taken(Some(new_imsi.to_owned()))),
        (Some(old), _) => Some(old),
        (None, Some(new)) => Some(new).filter(|new| new.auc_id != sim.auc_id),
        (None, None) => {
            return Err(Outcome::Permanent {
                code: ErrorCode::UnknownSubscriber.into(),
                detail: "the HSS has no subscriber with the old or the new IMSI".to_owned(),
            });
        }
    };
    // Only the number that the step names is under its lease; others of the subscription are not touched.
    let ims_subscriber = match attempt.reader.ims_subscriber(swap.msisdn.as_str()).await? {
        Some(row) if row.imsi.as_deref() == Some(old_imsi) && old_imsi != new_imsi => Some(row),
        Some(row) if row.imsi.as_deref() != Some(new_imsi) => return Ok(View::Taken(row.imsi)),
        _ => None,
    };
    Ok(View::Open { subscriber, ims_subscriber })
}

async fn new_sim(attempt: &Attempt<'_>, swap: &SimSwap) -> Result<Sim, Outcome> {
    attempt.reader.sim("imsi", swap.new_imsi.as_str()).await?.ok_or_else(|| Outcome::Permanent {
        code: ErrorCode::UnknownSim.into(),
        detail: "the HSS has no SIM with the new IMSI: load its keys first, then retry".to_owned(),
    })
}

pub(super) async fn standing(attempt: &Attempt<'_>) -> Result<Standing, Outcome> {
    let swap: SimSwap = arguments::read(attempt.call)?;
    let sim = new_sim(attempt, &swap).await?;
    Ok(match look(attempt, &swap, &sim).await? {
        View::Taken(holder) => Standing::HeldBy(holder),
        View::Open { subscriber: None, ims_subscriber: None } => Standing::InPlace,
        View::Open { .. } => Standing::Missing,
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let swap: SimSwap = arguments::read(attempt.call)?;
    let sim = new_sim(attempt, &swap).await?;
    let (subscriber, ims_subscriber) = match look(attempt, &swap, &sim).await? {
        View::Taken(holder) => return Ok(Outcome::InUse { holder }),
        View::Open { subscriber: None, ims_subscriber: None } => return Ok(Outcome::AlreadyDone),
        View::Open { subscriber, ims_subscriber } => (subscriber, ims_subscriber),
    };
    let new_imsi = Value::from(swap.new_imsi.as_str());
    if let Some(row) = subscriber {
        let mut columns =
            Map::from_iter([("imsi".to_owned(), new_imsi.clone()), ("auc_id".to_owned(), sim.auc_id.into())]);
        if row.number().is_none() {
            columns.insert("msisdn".to_owned(), new_imsi.clone());
        }
        if let Written::Conflict = attempt.patch("subscriber", row.subscriber_id, &columns, "patch subscriber").await? {
            return Ok(Outcome::InUse { holder: Some(swap.new_imsi.to_string()) });
        }
    }
    if let Some(row) = ims_subscriber {
        let columns = Map::from_iter([("imsi".to_owned(), new_imsi)]);
        if let Written::Conflict =
            attempt.patch("ims_subscriber", row.ims_subscriber_id, &columns, "patch ims_subscriber").await?
        {
            return Ok(Outcome::InUse { holder: None });
        }
    }
    Ok(Outcome::Done)
}
