//! `assign_number`: gives the subscription the number, in `subscriber` and in `ims_subscriber`.
//!
//! The first number of a subscription is its primary number, in both tables. Each further number is added to the list of its row. A
//! second row is not possible: PyHSS finds no row by an IMSI that has two, so the phone could not register.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::EffectState;
use super::arguments::{self, Number};
use super::attempt::{Attempt, Written};
use super::places::{Holders, Places};
use super::row::{ImsSubscriber, Subscriber};
use super::sightings::Freshness;

/// The capacity of `ims_subscriber.msisdn_list`, in characters.
const LIST_CHARS_MAX: usize = 1_200;

/// The state of the tables, seen from the subscription that wants the number.
struct View {
    subscriber: Subscriber,
    /// Whether a row of the subscription has the number.
    is_registered: bool,
}

impl View {
    /// Whether the number is registered, and `subscriber` has one of the subscription's numbers.
    fn is_in_place(&self) -> bool {
        self.is_registered && self.subscriber.number().is_some()
    }
}

/// Looks at every place. The result is `Err(holder)` if somebody else has the number.
async fn look(
    attempt: &Attempt<'_>,
    number: &Number,
    freshness: Freshness,
) -> Result<Result<View, Option<String>>, Outcome> {
    let (imsi, msisdn) = (number.imsi.as_str(), number.msisdn.as_str());
    let Some(subscriber) = attempt.reader.subscriber("imsi", imsi).await? else {
        return Err(Outcome::Permanent {
            code: ErrorCode::UnknownSubscriber.into(),
            detail: "the HSS has no subscriber with this IMSI: create it first".to_owned(),
        });
    };
    let places: Places = attempt.reader.places(msisdn, Some(imsi), freshness).await?;
    Ok(match places.others(&[imsi]) {
        Holders::One(holder) => Err(Some(holder)),
        Holders::Unclear(_) => Err(None),
        Holders::Nobody if places.is_shared => Err(None),
        Holders::Nobody => Ok(View { subscriber, is_registered: !places.ims_subscribers_of(imsi).is_empty() }),
    })
}

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    Ok(match look(attempt, &number, Freshness::Now).await? {
        Err(holder) => EffectState::HeldBy(holder),
        Ok(view) if view.is_in_place() => EffectState::InPlace,
        Ok(_) => EffectState::Missing,
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    let view = match look(attempt, &number, Freshness::Hint).await? {
        Err(holder) => return Ok(Outcome::InUse { holder }),
        Ok(view) if view.is_in_place() => return Ok(Outcome::AlreadyDone),
        Ok(view) => view,
    };
    let takes_primary = view.subscriber.number().is_none();
    if takes_primary {
        patch_number(attempt, &view.subscriber, number.msisdn.as_str(), "patch subscriber").await?;
        // PyHSS accepts a number that another subscriber has. The look-up then finds neither.
        if attempt.reader.subscriber("msisdn", number.msisdn.as_str()).await?.is_none() {
            take_back(attempt, &view.subscriber).await?;
            return Ok(Outcome::InUse { holder: None });
        }
    }
    if view.is_registered {
        return Ok(Outcome::Done);
    }
    let registered = match row_to_extend(attempt, &view.subscriber, &number).await? {
        Some(row) => add_to_list(attempt, &row, number.msisdn.as_str()).await,
        None => put_ims_subscriber(attempt, &number).await,
    };
    match registered {
        Ok(Written::Applied) => Ok(Outcome::Done),
        Ok(Written::Conflict) => {
            if takes_primary {
                take_back(attempt, &view.subscriber).await?;
            }
            let holder = attempt.reader.ims_subscriber(number.msisdn.as_str()).await?.and_then(|row| row.imsi);
            Ok(Outcome::InUse { holder })
        }
        Err(refused @ Outcome::Permanent { .. }) => {
            if takes_primary {
                take_back(attempt, &view.subscriber).await?;
            }
            Err(refused)
        }
        Err(outcome) => Err(outcome),
    }
}

/// The row of the subscription to which a further number is added. `None` if it has no row.
async fn row_to_extend(
    attempt: &Attempt<'_>,
    subscriber: &Subscriber,
    number: &Number,
) -> Result<Option<ImsSubscriber>, Outcome> {
    let primary: Vec<&str> = subscriber.number().into_iter().collect();
    let own = attempt.reader.own_rows(number.imsi.as_str(), &primary, Freshness::Hint).await?;
    Ok(own.rows.into_iter().next())
}

async fn add_to_list(attempt: &mut Attempt<'_>, row: &ImsSubscriber, msisdn: &str) -> Result<Written, Outcome> {
    let mut listed: Vec<&str> = row.listed().collect();
    listed.push(msisdn);
    let list = listed.join(",");
    if list.len() > LIST_CHARS_MAX {
        return Err(Outcome::Permanent {
            code: ErrorCode::RefusedByTarget.into(),
            detail: format!(
                "the HSS's list of additional numbers is limited to {LIST_CHARS_MAX} characters: release a number first"
            ),
        });
    }
    let mut columns = Map::from_iter([("msisdn_list".to_owned(), Value::from(list))]);
    if row.primary().is_none() {
        columns.insert("msisdn".to_owned(), msisdn.into());
    }
    attempt.patch("ims_subscriber", row.ims_subscriber_id, &columns, "patch ims_subscriber").await
}

async fn put_ims_subscriber(attempt: &mut Attempt<'_>, number: &Number) -> Result<Written, Outcome> {
    let msisdn = number.msisdn.as_str();
    let mut columns = Map::new();
    columns.insert("imsi".to_owned(), number.imsi.as_str().into());
    columns.insert("msisdn".to_owned(), msisdn.into());
    columns.insert("msisdn_list".to_owned(), msisdn.into());
    columns.insert("ifc_path".to_owned(), attempt.reader.adapter.ifc_path.as_str().into());
    let found_at = ["ims_subscriber", "ims_subscriber_msisdn", msisdn];
    attempt.put("ims_subscriber", &columns, &found_at, "put ims_subscriber").await
}

/// Restores the subscriber's previous number, so that a rejected assignment leaves nothing behind.
async fn take_back(attempt: &mut Attempt<'_>, before: &Subscriber) -> Result<(), Outcome> {
    let msisdn = before.msisdn.as_deref().filter(|msisdn| !msisdn.is_empty()).or(before.imsi.as_deref());
    patch_number(attempt, before, msisdn.unwrap_or_default(), "take back subscriber").await?;
    attempt.undone();
    Ok(())
}

/// Sets `subscriber.msisdn`.
pub(super) async fn patch_number(
    attempt: &mut Attempt<'_>,
    subscriber: &Subscriber,
    msisdn: &str,
    name: &str,
) -> Result<(), Outcome> {
    let columns = Map::from_iter([("msisdn".to_owned(), Value::from(msisdn))]);
    match attempt.patch("subscriber", subscriber.subscriber_id, &columns, name).await? {
        Written::Applied => Ok(()),
        // The column is not unique, so this database has rules of its own.
        Written::Conflict => Err(Outcome::InUse { holder: None }),
    }
}
