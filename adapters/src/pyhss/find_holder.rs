//! `find_holder`: PyHSS as the authority for numbers and subscriptions.

use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceId;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::PyhssAdapter;
use super::arguments::{Imsi, Msisdn};
use super::reader::Reader;

/// How long all questions together may take.
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
                Some(_) => HolderAnswer::Party { party: imsi.to_string() },
                None => HolderAnswer::Nobody,
            })
        }
        kind => Err(Outcome::Permanent {
            code: ErrorCode::UnknownResourceKind.into(),
            detail: format!("PyHSS cannot say who has a resource of kind '{kind}': correct the catalog's authority"),
        }),
    }
}

async fn holder_of_number(reader: &Reader<'_>, msisdn: &Msisdn) -> Result<HolderAnswer, Outcome> {
    let msisdn = msisdn.as_str();
    let registered = reader.ims_subscriber(msisdn).await?;
    let named = reader.subscriber("msisdn", msisdn).await?;
    let unclear = |detail: &str| Ok(HolderAnswer::Unclear { detail: detail.to_owned() });
    match (registered.map(|row| row.imsi), named.map(|row| row.imsi)) {
        (Some(None), _) | (_, Some(None)) => unclear("the number is registered to a row without an IMSI"),
        (Some(Some(registered)), Some(Some(named))) if registered != named => {
            unclear("ims_subscriber and subscriber name different holders")
        }
        (_, Some(Some(party))) => Ok(HolderAnswer::Party { party }),
        (Some(Some(party)), None) => match reader.subscriber("imsi", &party).await? {
            Some(row) if row.has_number(msisdn) => unclear("several subscribers have the number"),
            _ => Ok(HolderAnswer::Party { party }),
        },
        (None, None) => match reader.subscribers_with(msisdn).await?.as_slice() {
            [] => Ok(HolderAnswer::Nobody),
            [party] => Ok(HolderAnswer::Party { party: party.clone() }),
            _ => unclear("several subscribers have the number"),
        },
    }
}

fn id_of<T: DeserializeOwned>(resource: &ResourceId) -> Result<T, Outcome> {
    T::deserialize(Value::from(resource.id())).map_err(|error| Outcome::Permanent {
        code: ErrorCode::InvalidData.into(),
        detail: format!("this is no {}: {error}", resource.kind()),
    })
}
