//! Every place where PyHSS can store a number: `subscriber.msisdn`, the primary number of a row of `ims_subscriber`, and the lists of
//! additional numbers.

use std::collections::BTreeSet;

use interlock_domain::outcome::Outcome;

use super::reader::Reader;
use super::row::{ImsSubscriber, Subscriber};
use super::sightings::Freshness;

/// The rows that have a number.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) ims_subscribers: Vec<ImsSubscriber>,
    pub(super) subscribers: Vec<Subscriber>,
    /// Several subscribers have it, so a look-up by the number finds none. Not all of them may be here.
    pub(super) is_shared: bool,
    /// Whether no row besides these can have it as an additional number.
    pub(super) is_whole: bool,
}

/// The holder of a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holders {
    Nobody,
    One(String),
    /// Several holders, or a row without one: a sentence for a person.
    Unclear(String),
}

impl Reader<'_> {
    /// The rows that have a number, as far as the look-ups find them and the sightings say where to look. `party` is an IMSI whose own
    /// rows are always checked.
    pub(super) async fn places(
        &self,
        msisdn: &str,
        target_identity: Option<&str>,
        freshness: Freshness,
    ) -> Result<Places, Outcome> {
        let sighted = self.sighted(msisdn, freshness).await?;
        let mut places = Places { is_whole: sighted.is_whole, ..Places::default() };
        places.add_ims(self.ims_subscriber(msisdn).await?, msisdn);
        for id in sighted.ims_rows {
            places.add_ims(self.ims_subscriber_at(id).await?, msisdn);
        }
        if let Some(target_identity) = target_identity {
            places.add_ims(self.ims_subscriber_of(target_identity).await?, msisdn);
        }
        let named = self.subscriber("msisdn", msisdn).await?;
        let is_found = named.is_some();
        places.add(named, msisdn);
        let registered = places.ims_subscribers.iter().filter_map(|row| row.imsi.clone());
        let mut suspects: BTreeSet<String> =
            sighted.subscribers.into_iter().chain(target_identity.map(str::to_owned)).collect();
        if !is_found {
            suspects.extend(registered);
        }
        for imsi in suspects {
            places.add(self.subscriber("imsi", &imsi).await?, msisdn);
        }
        places.is_shared = !is_found && !places.subscribers.is_empty();
        Ok(places)
    }
}

impl Places {
    fn add_ims(&mut self, row: Option<ImsSubscriber>, msisdn: &str) {
        let is_new = |row: &ImsSubscriber| {
            self.ims_subscribers.iter().all(|known| known.ims_subscriber_id != row.ims_subscriber_id)
        };
        if let Some(row) = row.filter(|row| row.has_number(msisdn) && is_new(row)) {
            self.ims_subscribers.push(row);
        }
    }

    fn add(&mut self, row: Option<Subscriber>, msisdn: &str) {
        let is_new = |row: &Subscriber| self.subscribers.iter().all(|known| known.subscriber_id != row.subscriber_id);
        if let Some(row) = row.filter(|row| row.has_number(msisdn) && is_new(row)) {
            self.subscribers.push(row);
        }
    }

    /// The holder of the number.
    pub(super) fn holders(&self) -> Holders {
        match self.others(&[]) {
            Holders::One(target_identity) if self.is_shared => {
                Holders::Unclear(format!("several subscribers have the number, and {target_identity} is one of them"))
            }
            holders => holders,
        }
    }

    /// The holder of the number, besides these parties.
    pub(super) fn others(&self, target_identities: &[&str]) -> Holders {
        let of_ims =
            self.ims_subscribers.iter().map(|row| (row.imsi.as_deref(), row.ims_subscriber_id, "ims_subscriber"));
        let named = self.subscribers.iter().map(|row| (row.imsi.as_deref(), row.subscriber_id, "subscriber"));
        let mut others = BTreeSet::new();
        for (imsi, id, table) in of_ims.chain(named) {
            match imsi {
                Some(imsi) if target_identities.contains(&imsi) => {}
                Some(imsi) => {
                    others.insert(imsi);
                }
                None => return Holders::Unclear(format!("row {id} of {table} has the number, but no IMSI")),
            }
        }
        let others: Vec<&str> = others.into_iter().collect();
        match others.as_slice() {
            [] => Holders::Nobody,
            [target_identity] => Holders::One((*target_identity).to_owned()),
            several => Holders::Unclear(format!("several subscribers have the number: {}", several.join(", "))),
        }
    }

    /// The rows of `ims_subscriber` of a party that have it.
    pub(super) fn ims_subscribers_of(&self, target_identity: &str) -> Vec<&ImsSubscriber> {
        self.ims_subscribers.iter().filter(|row| row.imsi.as_deref() == Some(target_identity)).collect()
    }

    /// The subscriber of a party, if it has it.
    pub(super) fn subscriber_of(&self, target_identity: &str) -> Option<&Subscriber> {
        self.subscribers.iter().find(|row| row.imsi.as_deref() == Some(target_identity))
    }
}
