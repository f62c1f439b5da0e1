//! `swap_sim`: moves the subscription to another SIM. It keeps its numbers, in every row of the old one.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::EffectState;
use super::arguments::{self, SimSwap};
use super::attempt::{Attempt, Written};
use super::places::Holders;
use super::row::{ImsSubscriber, Sim, Subscriber};
use super::sightings::Freshness;

/// The most rows of one subscription that can be moved.
const ROWS_MAX: usize = 100;

/// The state of the tables, as the swap needs it.
enum View {
    /// The new IMSI, or the number, belongs to another subscription.
    Taken(Option<String>),
    /// The changes that are still needed.
    Open { subscriber: Option<Subscriber>, ims_subscribers: Vec<ImsSubscriber> },
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
    let msisdn = swap.msisdn.as_str();
    let places = attempt.reader.places(msisdn, None, Freshness::Hint).await?;
    match places.others(&[old_imsi, new_imsi]) {
        Holders::Nobody => {}
        Holders::One(holder) => return Ok(View::Taken(Some(holder))),
        Holders::Unclear(_) => return Ok(View::Taken(None)),
    }
    let mut ims_subscribers = Vec::new();
    if old_imsi != new_imsi {
        let number = subscriber.as_ref().and_then(Subscriber::number);
        let numbers: Vec<&str> = number.into_iter().chain([msisdn]).collect();
        ims_subscribers = attempt.reader.own_rows(old_imsi, &numbers, Freshness::Now).await?.rows;
    }
    Ok(View::Open { subscriber, ims_subscribers })
}

async fn new_sim(attempt: &Attempt<'_>, swap: &SimSwap) -> Result<Sim, Outcome> {
    attempt.reader.sim("imsi", swap.new_imsi.as_str()).await?.ok_or_else(|| Outcome::Permanent {
        code: ErrorCode::UnknownSim.into(),
        detail: "the HSS has no SIM with the new IMSI: load its keys first, then retry".to_owned(),
    })
}

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let swap: SimSwap = arguments::read(attempt.call)?;
    let sim = new_sim(attempt, &swap).await?;
    Ok(match look(attempt, &swap, &sim).await? {
        View::Taken(holder) => EffectState::HeldBy(holder),
        View::Open { subscriber: None, ims_subscribers } if ims_subscribers.is_empty() => EffectState::InPlace,
        View::Open { .. } => EffectState::Missing,
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let swap: SimSwap = arguments::read(attempt.call)?;
    let sim = new_sim(attempt, &swap).await?;
    let (subscriber, ims_subscribers) = match look(attempt, &swap, &sim).await? {
        View::Taken(holder) => return Ok(Outcome::InUse { holder }),
        View::Open { subscriber: None, ims_subscribers } if ims_subscribers.is_empty() => {
            return Ok(Outcome::AlreadyDone);
        }
        View::Open { subscriber, ims_subscribers } => (subscriber, ims_subscribers),
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
    let columns = Map::from_iter([("imsi".to_owned(), new_imsi)]);
    let mut rows = ims_subscribers;
    let mut moved = 0;
    while let Some(row) = rows.pop() {
        let name = if moved == 0 { "patch ims_subscriber".to_owned() } else { format!("patch ims_subscriber {moved}") };
        if let Written::Conflict = attempt.patch("ims_subscriber", row.ims_subscriber_id, &columns, &name).await? {
            return Ok(Outcome::InUse { holder: None });
        }
        moved += 1;
        if rows.is_empty() && moved < ROWS_MAX && swap.old_imsi != swap.new_imsi {
            // If several rows cannot be found by a number, the last one is found by the IMSI.
            rows.extend(attempt.reader.ims_subscriber_of(swap.old_imsi.as_str()).await?);
        }
    }
    Ok(Outcome::Done)
}
