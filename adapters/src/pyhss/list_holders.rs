//! `list_holders`: lists every number that PyHSS has registered, page by page, for the import into a ledger.

use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceKind;
use interlock_domain::outcome::Outcome;

use super::PyhssAdapter;
use super::reader::Reader;
use super::row::{ImsSubscriber, Subscriber};
use crate::adapter::{HolderPage, ListedHolder};

/// The number of rows of each table on a page.
const PAGE_ROWS: u32 = 1_000;
/// The time limit of the two requests of a page together.
const PAGE_TIMEOUT: Duration = Duration::from_mins(1);

/// Page N has the Nth rows of both tables: numbers in either column of `ims_subscriber`, and those of `subscriber`.
pub(super) async fn list_holders(
    adapter: &PyhssAdapter,
    kind: &ResourceKind,
    page: u32,
) -> Result<HolderPage, Outcome> {
    if kind.as_str() != "msisdn" {
        return Err(Outcome::Permanent {
            code: ErrorCode::CannotListHolders.into(),
            detail: format!("PyHSS lists the holders of each msisdn, not of each {kind}"),
        });
    }
    let reader = Reader::new(adapter, PAGE_TIMEOUT);
    let ims_subscribers: Vec<ImsSubscriber> = reader.page("ims_subscriber", page, PAGE_ROWS).await?;
    let subscribers: Vec<Subscriber> = reader.page("subscriber", page, PAGE_ROWS).await?;
    let is_last = ims_subscribers.len().max(subscribers.len()) < PAGE_ROWS as usize;
    let entry = |id: &str, target_identity: &Option<String>| ListedHolder {
        id: id.to_owned(),
        target_identity: target_identity.clone(),
    };
    let of_ims =
        ims_subscribers.iter().flat_map(|row| row.numbers().into_iter().map(|number| entry(number, &row.imsi)));
    let named = subscribers.iter().filter_map(|row| Some(entry(row.number()?, &row.imsi)));
    Ok(HolderPage { holders: of_ims.chain(named).collect(), is_last })
}
