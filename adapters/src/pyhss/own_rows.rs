//! The rows of `ims_subscriber` of one subscription. PyHSS finds a row by its IMSI only if the IMSI has no other.

use interlock_domain::outcome::Outcome;

use super::reader::Reader;
use super::row::ImsSubscriber;
use super::sightings::Freshness;

/// The rows of a subscription.
#[derive(Debug)]
pub(super) struct OwnRows {
    pub(super) rows: Vec<ImsSubscriber>,
    /// Whether these are all rows.
    pub(super) are_all: bool,
}

impl Reader<'_> {
    /// The rows of a subscription. `numbers` are numbers that it may have. They find the rows if the IMSI has several, when it finds
    /// none.
    pub(super) async fn own_rows(
        &self,
        imsi: &str,
        numbers: &[&str],
        freshness: Freshness,
    ) -> Result<OwnRows, Outcome> {
        if let Some(row) = self.ims_subscriber_of(imsi).await? {
            return Ok(OwnRows { rows: vec![row], are_all: true });
        }
        let (ids, is_whole) = self.sighted_rows_of(imsi, freshness).await?;
        let mut own = OwnRows { rows: Vec::new(), are_all: is_whole && freshness == Freshness::Now };
        for id in ids {
            own.add(self.ims_subscriber_at(id).await?, imsi);
        }
        for number in numbers {
            own.add(self.ims_subscriber(number).await?, imsi);
        }
        Ok(own)
    }
}

impl OwnRows {
    fn add(&mut self, row: Option<ImsSubscriber>, imsi: &str) {
        let is_known =
            |row: &ImsSubscriber| self.rows.iter().any(|known| known.ims_subscriber_id == row.ims_subscriber_id);
        if let Some(row) = row.filter(|row| row.imsi.as_deref() == Some(imsi) && !is_known(row)) {
            self.rows.push(row);
        }
    }
}
