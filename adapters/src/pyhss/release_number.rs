//! `release_number`: the subscription gives the number up, in `ims_subscriber` and in `subscriber`.

use interlock_domain::outcome::Outcome;

use super::Standing;
use super::arguments::{self, Number};
use super::assign_number::patch_number;
use super::attempt::Attempt;
use super::row::{ImsSubscriber, Subscriber};

/// The rows of the subscription that still have the number.
struct Remains {
    ims_subscriber: Option<ImsSubscriber>,
    subscriber: Option<Subscriber>,
}

/// Only rows of our own subscription: what somebody else has registered is never touched.
async fn look(attempt: &Attempt<'_>, number: &Number) -> Result<Remains, Outcome> {
    let (imsi, msisdn) = (number.imsi.as_str(), number.msisdn.as_str());
    let ims_subscriber = attempt.reader.ims_subscriber(msisdn).await?.filter(|row| row.imsi.as_deref() == Some(imsi));
    let subscriber = attempt.reader.subscriber("imsi", imsi).await?.filter(|row| row.has_number(msisdn));
    Ok(Remains { ims_subscriber, subscriber })
}

pub(super) async fn standing(attempt: &Attempt<'_>) -> Result<Standing, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    let remains = look(attempt, &number).await?;
    let released = remains.ims_subscriber.is_none() && remains.subscriber.is_none();
    Ok(if released { Standing::InPlace } else { Standing::Missing })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let number: Number = arguments::read(attempt.call)?;
    let remains = look(attempt, &number).await?;
    if remains.ims_subscriber.is_none() && remains.subscriber.is_none() {
        return Ok(Outcome::AlreadyDone);
    }
    if let Some(row) = remains.ims_subscriber {
        attempt.delete("ims_subscriber", row.ims_subscriber_id, "delete ims_subscriber").await?;
    }
    if let Some(row) = remains.subscriber {
        // The placeholder: PyHSS takes no empty number, and the IMSI is nobody else's.
        patch_number(attempt, &row, number.imsi.as_str(), "patch subscriber").await?;
    }
    Ok(Outcome::Done)
}
