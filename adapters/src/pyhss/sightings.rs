//! The numbers that no look-up of PyHSS finds. They are seen when all rows are read.
//!
//! PyHSS looks up primary numbers only, and finds nobody if two subscribers have the same one. The other numbers are in its lists. A
//! worker reads these with one request for each table, one reading at a time, and keeps the result. A kept result only says where to
//! look: the row is then requested by its id. Only a reading that began after the question can answer "nobody".

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_domain::outcome::Outcome;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::reader::Reader;
use super::row::{ImsSubscriber, Subscriber};

/// How old a reading may be to say where to look.
pub(super) const HINT_AGE_MAX: Duration = Duration::from_mins(5);

/// How new a reading must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// At most [`HINT_AGE_MAX`] old. It says where to look.
    Hint,
    /// Read after the question was asked. It can also answer "nobody".
    Now,
}

/// The places of a number that no look-up finds.
#[derive(Debug, Default)]
pub(super) struct Sighted {
    /// Ids of rows of `ims_subscriber` that list it.
    pub(super) ims_rows: Vec<i64>,
    /// The IMSIs of subscribers that share it.
    pub(super) subscribers: Vec<String>,
    /// Whether no other row can have it as an additional number: every row of `ims_subscriber` was read.
    pub(super) is_whole: bool,
}

/// The last reading of a worker.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<Option<Seen>>);

/// The result of one reading.
#[derive(Debug, Default)]
struct Seen {
    begun: Option<Instant>,
    is_whole: bool,
    /// The numbers in lists that are not the primary number of their row, with the ids of the rows.
    listed: BTreeMap<String, Vec<i64>>,
    /// Numbers that several subscribers have, with their IMSIs.
    shared: BTreeMap<String, Vec<String>>,
    /// IMSIs that have several rows of `ims_subscriber`, with their ids.
    rows_of: BTreeMap<String, Vec<i64>>,
}

impl Reader<'_> {
    /// The places of a number that the look-ups do not find.
    pub(super) async fn sighted(&self, msisdn: &str, freshness: Freshness) -> Result<Sighted, Outcome> {
        self.seen(freshness, |seen| Sighted {
            ims_rows: seen.listed.get(msisdn).cloned().unwrap_or_default(),
            subscribers: seen.shared.get(msisdn).cloned().unwrap_or_default(),
            is_whole: seen.is_whole,
        })
        .await
    }

    /// The ids of the rows of `ims_subscriber` of an IMSI that has several, and whether all rows were read.
    pub(super) async fn sighted_rows_of(&self, imsi: &str, freshness: Freshness) -> Result<(Vec<i64>, bool), Outcome> {
        self.seen(freshness, |seen| (seen.rows_of.get(imsi).cloned().unwrap_or_default(), seen.is_whole)).await
    }

    async fn seen<T>(&self, freshness: Freshness, show: impl Fn(&Seen) -> T) -> Result<T, Outcome> {
        let rows_max = self.adapter.scan_rows_max;
        if rows_max == 0 {
            // With the reading turned off, the settings declare that look-ups find every number.
            return Ok(show(&Seen { is_whole: true, ..Seen::default() }));
        }
        let now = Instant::now();
        let since = match freshness {
            Freshness::Now => Some(now),
            Freshness::Hint => now.checked_sub(HINT_AGE_MAX),
        };
        // Calls that wait here can use a reading that another call started meanwhile.
        let waited = tokio::time::timeout(self.left("look-up")?, self.adapter.sightings.0.lock()).await;
        let mut kept = waited.map_err(|_| Outcome::Transient {
            detail: "the attempt ran out of time while another attempt read the list of numbers".to_owned(),
        })?;
        if let Some(seen) = kept.as_ref()
            && (since.is_none() || seen.begun >= since)
        {
            return Ok(show(seen));
        }
        let begun = Instant::now();
        let (ims_subscribers, is_whole) = self.list::<ImsSubscriber>("ims_subscriber", rows_max).await?;
        let (subscribers, _) = self.list::<Subscriber>("subscriber", rows_max).await?;
        let seen = Seen { begun: Some(begun), is_whole, ..Seen::of(&ims_subscribers, &subscribers) };
        Ok(show(kept.insert(seen)))
    }
}

impl Seen {
    fn of(ims_subscribers: &[ImsSubscriber], subscribers: &[Subscriber]) -> Self {
        let mut seen = Self::default();
        for row in ims_subscribers {
            for number in row.numbers().into_iter().filter(|number| row.primary() != Some(number)) {
                seen.listed.entry(number.to_owned()).or_default().push(row.ims_subscriber_id);
            }
            if let Some(imsi) = &row.imsi {
                seen.rows_of.entry(imsi.clone()).or_default().push(row.ims_subscriber_id);
            }
        }
        for row in subscribers {
            if let (Some(number), Some(imsi)) = (row.number(), &row.imsi) {
                seen.shared.entry(number.to_owned()).or_default().push(imsi.clone());
            }
        }
        seen.rows_of.retain(|_, rows| rows.len() > 1);
        seen.shared.retain(|_, imsis| imsis.len() > 1);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_no_look_up_finds_is_kept() {
        let ims = json!([
            {"ims_subscriber_id": 1, "imsi": "I1", "msisdn": "11", "msisdn_list": "11,12"},
            {"ims_subscriber_id": 2, "imsi": "I2", "msisdn": "21", "msisdn_list": null},
            {"ims_subscriber_id": 3, "imsi": "I2", "msisdn": "22", "msisdn_list": "12"},
        ]);
        let subscribers = json!([
            {"subscriber_id": 1, "auc_id": 1, "imsi": "I1", "msisdn": "11"},
            {"subscriber_id": 2, "auc_id": 2, "imsi": "I2", "msisdn": "11"},
            {"subscriber_id": 3, "auc_id": 3, "imsi": "I3", "msisdn": "I3"},
        ]);
        let seen = Seen::of(
            &serde_json::from_value::<Vec<_>>(ims).unwrap(),
            &serde_json::from_value::<Vec<_>>(subscribers).unwrap(),
        );
        assert_eq!(seen.listed, BTreeMap::from([("12".to_owned(), vec![1, 3])]));
        assert_eq!(seen.shared, BTreeMap::from([("11".to_owned(), vec!["I1".to_owned(), "I2".to_owned()])]));
        assert_eq!(seen.rows_of, BTreeMap::from([("I2".to_owned(), vec![2, 3])]));
    }
}
