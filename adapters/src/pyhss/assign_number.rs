//! `assign_number`: the subscription gets the number, in `subscriber` and in `ims_subscriber`.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::Standing;
use super::arguments::{self, Msisdn, Number};
use super::attempt::{Attempt, Written};
use super::row::{ImsSubscriber, Subscriber};

/// The write after which all is in place.
pub(super) const COMPLETING_WRITE: &str = "put ims_subscriber";

/// What both tables say of the number, seen from the subscription that wants it.
struct View {
    subscriber: Subscriber,
    ims_subscriber: Option<ImsSubscriber>,
}

impl View {
    fn is_in_place(&self, msisdn: &Msisdn) -> bool {
        self.subscriber.has_number(msisdn.as_str()) && self.ims_subscriber.is_some()
    }
}

/// Asks both tables; `Err(holder)` inside where somebody else has the number.
async fn look(attempt: &Attempt<'_>, number: &Number) -> Result<Result<View, Option<String>>, Outcome> {
    let (imsi, msisdn) = (number.imsi.as_str(), number.msisdn.as_str());
    let Some(subscriber) = attempt.reader.subscriber("imsi", imsi).await? else {
        return Err(Outcome::Permanent {
            code: ErrorCode::UnknownSubscriber.into(),
            detail: "the HSS has no subscriber with this IMSI: create it first".to_owned(),
        });
    };
    let ims_subscriber = attempt.reader.ims_subscriber(msisdn).await?;
    if let Some(row) = &ims_subscriber
        && row.imsi.as_deref() != Some(imsi)
    {
        return Ok(Err(row.imsi.clone()));
    }
    match attempt.reader.subscriber("msisdn", msisdn).await? {
        Some(other) if other.subscriber_id != subscriber.subscriber_id => Ok(Err(other.imsi)),
        // Ours has it, and yet it is not found by it: two have it.
        None if subscriber.has_number(msisdn) => Ok(Err(None)),
        _ => Ok(Ok(View { subscriber, ims_subscriber })),
    }
}

pub(super) async fn standing(attempt: &Attempt<'_>) -> Result<Standing, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    Ok(match look(attempt, &number).await? {
        Err(holder) => Standing::HeldBy(holder),
        Ok(view) if view.is_in_place(&number.msisdn) => Standing::InPlace,
        Ok(_) => Standing::Missing,
    })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    let view = match look(attempt, &number).await? {
        Err(holder) => return Ok(Outcome::InUse { holder }),
        Ok(view) if view.is_in_place(&number.msisdn) => return Ok(Outcome::AlreadyDone),
        Ok(view) => view,
    };
    if !view.subscriber.has_number(number.msisdn.as_str()) {
        patch_number(attempt, &view.subscriber, number.msisdn.as_str(), "patch subscriber").await?;
        // PyHSS accepts a number that another subscriber has; the look-up then finds nobody.
        if attempt.reader.subscriber("msisdn", number.msisdn.as_str()).await?.is_none() {
            take_back(attempt, &view.subscriber).await?;
            return Ok(Outcome::InUse { holder: None });
        }
    }
    if view.ims_subscriber.is_some() {
        return Ok(Outcome::Done);
    }
    match put_ims_subscriber(attempt, &number).await {
        Ok(Written::Applied) => Ok(Outcome::Done),
        Ok(Written::Conflict) => {
            take_back(attempt, &view.subscriber).await?;
            let holder = attempt.reader.ims_subscriber(number.msisdn.as_str()).await?.and_then(|row| row.imsi);
            Ok(Outcome::InUse { holder })
        }
        Err(refused @ Outcome::Permanent { .. }) => {
            take_back(attempt, &view.subscriber).await?;
            Err(refused)
        }
        Err(outcome) => Err(outcome),
    }
}

async fn put_ims_subscriber(attempt: &mut Attempt<'_>, number: &Number) -> Result<Written, Outcome> {
    let msisdn = number.msisdn.as_str();
    let mut columns = Map::new();
    columns.insert("imsi".to_owned(), number.imsi.as_str().into());
    columns.insert("msisdn".to_owned(), msisdn.into());
    columns.insert("msisdn_list".to_owned(), msisdn.into());
    columns.insert("ifc_path".to_owned(), attempt.reader.adapter.ifc_path.as_str().into());
    let found_at = ["ims_subscriber", "ims_subscriber_msisdn", msisdn];
    attempt.put("ims_subscriber", &columns, &found_at, COMPLETING_WRITE).await
}

/// Gives the subscriber back the number that it had, so that a refused assignment leaves nothing behind.
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
        // The column is not unique, so this is a database with rules of its own.
        Written::Conflict => Err(Outcome::InUse { holder: None }),
    }
}
