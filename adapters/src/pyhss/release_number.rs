//! `release_number`: takes the number from the subscription, in `ims_subscriber` and in `subscriber`.
//!
//! A release is confirmed only if no party has the number afterwards. Registrations of other parties are not changed; the answer names
//! them. A row that has other numbers is kept. If its primary number is released, another one becomes primary.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::EffectState;
use super::arguments::{self, Number};
use super::assign_number::patch_number;
use super::attempt::{Attempt, Written};
use super::own_rows::OwnRows;
use super::places::{Holders, Places};
use super::row::ImsSubscriber;
use super::sightings::Freshness;

/// The writes that remove a number from a row of `ims_subscriber`.
const DELETE_ROW: &str = "delete ims_subscriber";
const PATCH_ROW: &str = "patch ims_subscriber";

/// Who has the number, seen from the subscription that must release it.
enum View {
    /// The subscription has it. Somebody else may have it, too.
    Ours(Places),
    /// The subscription does not have it.
    Others(Holders),
}

/// Reads every place where the HSS can keep the number. The answer is "nobody" only if that is certain.
async fn look(attempt: &Attempt<'_>, number: &Number) -> Result<View, Outcome> {
    let (imsi, msisdn) = (number.imsi.as_str(), number.msisdn.as_str());
    for freshness in [Freshness::Hint, Freshness::Now] {
        let places = attempt.reader.places(msisdn, Some(imsi), freshness).await?;
        if !places.ims_subscribers_of(imsi).is_empty() || places.subscriber_of(imsi).is_some() {
            return Ok(View::Ours(places));
        }
        match places.others(&[imsi]) {
            Holders::Nobody if freshness == Freshness::Hint => {}
            Holders::Nobody if !places.is_whole && !was_taken_by_this_step(attempt).await? => {
                return Err(Outcome::Permanent {
                    code: ErrorCode::ScanIncomplete.into(),
                    detail: format!(
                        "the HSS does not have {msisdn} under {imsi}, nor as a primary number, and it has more rows \
                         than the {} that are read for additional numbers",
                        attempt.reader.adapter.scan_rows_max
                    ),
                });
            }
            holders => return Ok(View::Others(holders)),
        }
    }
    Ok(View::Others(Holders::Nobody))
}

/// Whether an earlier attempt of this step removed the number from a row: then the number was there.
async fn was_taken_by_this_step(attempt: &Attempt<'_>) -> Result<bool, Outcome> {
    Ok(attempt.is_recorded(DELETE_ROW).await? || attempt.is_recorded(PATCH_ROW).await?)
}

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    Ok(match look(attempt, &number).await? {
        View::Ours(_) => EffectState::Missing,
        View::Others(Holders::Nobody) => EffectState::InPlace,
        View::Others(Holders::One(holder)) => EffectState::HeldBy(Some(holder)),
        View::Others(Holders::Unclear(detail)) => return Err(unclear(detail)),
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    let places = match look(attempt, &number).await? {
        View::Ours(places) => places,
        View::Others(holders) => return confirmed(holders, Outcome::AlreadyDone),
    };
    take_out(attempt, &number, &places).await?;
    // The subscription has released it, and that remains true if somebody else has it.
    attempt.settled();
    let others = match places.others(&[number.imsi.as_str()]) {
        // If two subscribers have it, PyHSS finds the other only after ours no longer has it.
        Holders::Nobody if places.is_shared => match attempt.reader.subscriber("msisdn", number.msisdn.as_str()).await?
        {
            Some(row) => row
                .imsi
                .map_or_else(|| Holders::Unclear("a subscriber without an IMSI has it".to_owned()), Holders::One),
            None => Holders::Unclear("the number had more than two subscribers".to_owned()),
        },
        others => others,
    };
    confirmed(others, Outcome::Done)
}

/// The outcome if the subscription does not have the number.
fn confirmed(others: Holders, outcome: Outcome) -> Result<Outcome, Outcome> {
    match others {
        Holders::Nobody => Ok(outcome),
        Holders::One(holder) => Ok(Outcome::InUse { holder: Some(holder) }),
        Holders::Unclear(detail) => Err(unclear(detail)),
    }
}

fn unclear(detail: String) -> Outcome {
    Outcome::Permanent { code: ErrorCode::HolderUnclear.into(), detail }
}

/// Removes the number from every row of the subscription.
async fn take_out(attempt: &mut Attempt<'_>, number: &Number, places: &Places) -> Result<(), Outcome> {
    let (imsi, msisdn) = (number.imsi.as_str(), number.msisdn.as_str());
    let subscriber = places.subscriber_of(imsi);
    let mut left = Vec::new();
    let mut are_all = true;
    if subscriber.is_some() {
        let own: OwnRows = attempt.reader.own_rows(imsi, &[msisdn], Freshness::Hint).await?;
        let own = if own.are_all { own } else { attempt.reader.own_rows(imsi, &[msisdn], Freshness::Now).await? };
        are_all = own.are_all;
        let numbers = own.rows.iter().flat_map(ImsSubscriber::numbers).filter(|number| *number != msisdn);
        left = numbers.map(str::to_owned).collect();
    }
    for (index, row) in places.ims_subscribers_of(imsi).into_iter().enumerate() {
        take_out_of_row(attempt, row, msisdn, index).await?;
    }
    let Some(subscriber) = subscriber else { return Ok(()) };
    if left.is_empty() && !are_all {
        // If several rows cannot be found by a number, the last one is found by the IMSI.
        let last = attempt.reader.ims_subscriber_of(imsi).await?;
        left.extend(last.iter().flat_map(ImsSubscriber::numbers).map(str::to_owned));
    }
    let mut next = None;
    for candidate in left {
        let named = attempt.reader.subscriber("msisdn", &candidate).await?;
        if named.is_none_or(|row| row.subscriber_id == subscriber.subscriber_id) {
            next = Some(candidate);
            break;
        }
    }
    // The placeholder: PyHSS rejects an empty number, and no other subscriber has this IMSI.
    patch_number(attempt, subscriber, next.as_deref().unwrap_or(imsi), "patch subscriber").await
}

/// Removes the number from a row, and removes the row if it has no other number.
async fn take_out_of_row(
    attempt: &mut Attempt<'_>,
    row: &ImsSubscriber,
    msisdn: &str,
    index: usize,
) -> Result<(), Outcome> {
    let name = |name: &str| if index == 0 { name.to_owned() } else { format!("{name} {index}") };
    let id = row.ims_subscriber_id;
    let left: Vec<&str> = row.numbers().into_iter().filter(|number| *number != msisdn).collect();
    if left.is_empty() {
        return attempt.delete("ims_subscriber", id, &name(DELETE_ROW)).await;
    }
    let is_primary = row.primary() == Some(msisdn);
    let lists_primary = row.listed().any(|listed| Some(listed) == row.primary());
    let next = if is_primary { Some(free_primary(attempt, &left, id).await?) } else { None };
    let listed = row.listed().filter(|listed| *listed != msisdn && (lists_primary || Some(*listed) != next));
    let mut columns = Map::from_iter([("msisdn_list".to_owned(), Value::from(listed.collect::<Vec<_>>().join(",")))]);
    if let Some(next) = next {
        columns.insert("msisdn".to_owned(), next.into());
    }
    match attempt.patch("ims_subscriber", id, &columns, &name(PATCH_ROW)).await? {
        Written::Applied => Ok(()),
        Written::Conflict => {
            Err(unclear(format!("the other numbers of row {id} of ims_subscriber are primary elsewhere")))
        }
    }
}

/// The first of these numbers that is not the primary number of another row.
async fn free_primary<'n>(attempt: &Attempt<'_>, numbers: &[&'n str], id: i64) -> Result<&'n str, Outcome> {
    for number in numbers {
        if attempt.reader.ims_subscriber(number).await?.is_none_or(|row| row.ims_subscriber_id == id) {
            return Ok(*number);
        }
    }
    Err(unclear(format!("every other number of row {id} of ims_subscriber is the primary number of another row")))
}
