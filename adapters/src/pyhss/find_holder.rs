//! `find_holder`: PyHSS as the authority for numbers and subscriptions.

use std::collections::BTreeSet;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceId;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::PyhssAdapter;
use super::arguments::{Imsi, Msisdn};
use super::places::Holders;
use super::reader::Reader;
use super::row::{ImsSubscriber, Subscriber};
use super::sightings::Freshness;
use crate::adapter::Call;

/// The time limit of all requests together.
const LOOK_UP_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) async fn find_holder(adapter: &PyhssAdapter, resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
    let reader = Reader::new(adapter, LOOK_UP_TIMEOUT);
    match resource.kind().as_str() {
        "msisdn" => {
            let msisdn: Msisdn = id_of(resource)?;
            holder_of_number(&reader, &msisdn).await
        }
        "imsi" => {
            let imsi: Imsi = id_of(resource)?;
            Ok(match reader.subscriber("imsi", imsi.as_str()).await? {
                Some(_) => HolderAnswer::TargetIdentity { target_identity: imsi.to_string() },
                None => HolderAnswer::Nobody,
            })
        }
        kind => Err(Outcome::Permanent {
            code: ErrorCode::UnknownResourceKind.into(),
            detail: format!(
                "PyHSS cannot find the holder of a resource of kind '{kind}': correct the catalog's authority"
            ),
        }),
    }
}

async fn holder_of_number(reader: &Reader<'_>, msisdn: &Msisdn) -> Result<HolderAnswer, Outcome> {
    let places = reader.places(msisdn.as_str(), None, Freshness::Now).await?;
    Ok(match places.holders() {
        Holders::One(target_identity) => HolderAnswer::TargetIdentity { target_identity },
        Holders::Unclear(detail) => HolderAnswer::Unclear { detail },
        Holders::Nobody if places.is_whole => HolderAnswer::Nobody,
        Holders::Nobody => HolderAnswer::Unclear {
            detail: format!(
                "scan incomplete: it is not a primary number, and the HSS has more rows than the {} that are read for \
                 additional numbers (scan_rows_max): check whether a row lists it, or fill the ledger with 'interlock \
                 resource import --from'",
                reader.adapter.scan_rows_max
            ),
        },
    })
}

/// The numbers of a subscription, from both tables.
pub(super) async fn registered_under(
    adapter: &PyhssAdapter,
    call: &Call,
    target_identity: &ResourceId,
) -> Result<Vec<ResourceId>, Outcome> {
    if target_identity.kind().as_str() != "imsi" {
        return Ok(Vec::new());
    }
    let imsi: Imsi = id_of(target_identity)?;
    let reader = Reader::new(adapter, call.timeout);
    let subscriber = reader.subscriber("imsi", imsi.as_str()).await?;
    let primary: Vec<&str> = subscriber.as_ref().and_then(Subscriber::number).into_iter().collect();
    let own = reader.own_rows(imsi.as_str(), &primary, Freshness::Hint).await?;
    let numbers: BTreeSet<&str> =
        primary.iter().copied().chain(own.rows.iter().flat_map(ImsSubscriber::numbers)).collect();
    // A text in these columns that is not a valid number cannot be in a ledger, so it is left out.
    Ok(numbers.into_iter().filter_map(|number| format!("msisdn/{number}").parse().ok()).collect())
}

fn id_of<T: DeserializeOwned>(resource: &ResourceId) -> Result<T, Outcome> {
    T::deserialize(Value::from(resource.id())).map_err(|error| Outcome::Permanent {
        code: ErrorCode::InvalidData.into(),
        detail: format!("this is not a valid {}: {error}", resource.kind()),
    })
}
