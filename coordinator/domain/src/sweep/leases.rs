//! Compares what resources say about their holders with what those customers say that they hold.
//!
//! No known way leads to a difference that lasts: this is a second line of defence. A difference in one look proves nothing,
//! because messages are in flight and the two are not asked at the same moment. One that is the same in two sweeps in a row, and for
//! longer than messages take, is reported, counted, and settled: the customers are asked to tell the resource what they hold, and the
//! resource machine decides ([`crate::resource`]). If two customers believe that they hold a resource, a person must decide.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cause, Finding, SweepRules};
use crate::ids::{CustomerId, Epoch, Incarnation, ResourceId, TenantId, Timestamp};

/// The most differences that are remembered from one sweep to the next.
pub const SUSPECTS_MAX: usize = 100;

/// A customer and the epoch of a lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Side {
    /// The customer's tenant.
    pub tenant: TenantId,
    /// The customer.
    pub customer: CustomerId,
    /// The epoch of the lease.
    pub epoch: Epoch,
}

/// The holder of a resource, according to the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderSaid {
    /// The customer, and the epoch.
    pub side: Side,
    /// The customer's incarnation; none if its entity was never told of the lease.
    pub incarnation: Option<Incarnation>,
    /// Whether the resource considers the holder's entity dead, or knows that the entity does not know of the lease.
    pub is_orphan: bool,
}

/// A customer's answer about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerSaid {
    /// The customer's incarnation.
    pub incarnation: Incarnation,
    /// The epoch of the lease that it holds; none if it holds none.
    pub epoch: Option<Epoch>,
    /// Whether a message about the resource, or an admission, is under way.
    pub under_way: bool,
}

/// All answers about one resource in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The resource.
    pub resource: ResourceId,
    /// Its holder; none if it has none, or its entity does not run.
    pub holder: Option<HolderSaid>,
    /// Whether messages of the resource are under way.
    pub under_way: bool,
    /// The customers' answers; none for a customer whose entity does not run.
    pub customers: BTreeMap<(TenantId, CustomerId), Option<CustomerSaid>>,
}

/// How the answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The holder says that it holds nothing.
    HolderUnaware,
    /// The holder holds it with another epoch.
    EpochDiffers,
    /// A customer holds it, and the resource knows no living holder.
    LeaseUnknown,
    /// A customer holds it, and the resource names another one, which does not hold it.
    OtherHolder,
    /// Two customers hold it. The protocol must never let that happen.
    HeldTwice,
}

impl DifferenceKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::HolderUnaware, Self::EpochDiffers, Self::LeaseUnknown, Self::OtherHolder, Self::HeldTwice];

    /// The word for it, as in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HolderUnaware => "holder_unaware",
            Self::EpochDiffers => "epoch_differs",
            Self::LeaseUnknown => "lease_unknown",
            Self::OtherHolder => "other_holder",
            Self::HeldTwice => "held_twice",
        }
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How it differs.
    pub kind: DifferenceKind,
    /// The resource.
    pub resource: ResourceId,
    /// The holder, according to the resource.
    pub holder: Option<Side>,
    /// The customers that hold it, according to themselves.
    pub held: BTreeSet<Side>,
}

impl Difference {
    /// The customers that must tell the resource what they hold: all except a holder about whom both sides agree.
    pub fn to_ask(&self) -> impl Iterator<Item = (&TenantId, &CustomerId)> {
        let unaware = self.holder.iter().filter(|_| self.kind != DifferenceKind::HeldTwice);
        let holding = self.held.iter().filter(|side| {
            self.kind != DifferenceKind::HeldTwice || self.holder.as_ref().is_none_or(|holder| holder != *side)
        });
        unaware.chain(holding).map(|side| (&side.tenant, &side.customer))
    }
}

/// How the answers about a resource differ; none if they agree, or if one of them may change soon.
pub fn difference(compared: &Compared) -> Option<Difference> {
    let says = |side: &Side| compared.customers.get(&(side.tenant.clone(), side.customer.clone()));
    let living = || compared.customers.iter().filter_map(|(who, said)| Some((who, said.as_ref()?)));
    if compared.under_way || living().any(|(_, said)| said.under_way) {
        return None;
    }
    let side = |((tenant, customer), said): (&(TenantId, CustomerId), &CustomerSaid)| {
        Some(Side { tenant: tenant.clone(), customer: customer.clone(), epoch: said.epoch? })
    };
    let held: BTreeSet<Side> = living().filter_map(side).collect();
    let holder = compared.holder.as_ref();
    let kind = match holder {
        _ if held.len() > 1 => DifferenceKind::HeldTwice,
        None if held.is_empty() => return None,
        None => DifferenceKind::LeaseUnknown,
        Some(holder) => with_holder(holder, says(&holder.side), held.first())?,
    };
    Some(Difference { kind, resource: compared.resource.clone(), holder: holder.map(|said| said.side.clone()), held })
}

/// The same if the resource names a holder: the holder's answer (none if it did not answer), and the customer that holds the
/// lease, if any.
fn with_holder(
    holder: &HolderSaid,
    says: Option<&Option<CustomerSaid>>,
    held: Option<&Side>,
) -> Option<DifferenceKind> {
    let is_own = |side: &&Side| side.tenant == holder.side.tenant && side.customer == holder.side.customer;
    let other = held.filter(|side| !is_own(side));
    match (says?, holder.incarnation) {
        // A holder that is dead, or has a newer incarnation, is found when its lease is recalled; one that was never told of the lease, by
        // its first claim.
        (None, _) => other.map(|_| DifferenceKind::LeaseUnknown),
        (Some(said), known) if known != Some(said.incarnation) => match (other, said.epoch, known) {
            (Some(_), ..) => Some(DifferenceKind::OtherHolder),
            (None, Some(_), Some(_)) => Some(DifferenceKind::LeaseUnknown),
            (None, ..) => None,
        },
        (Some(said), _) => match said.epoch {
            None if other.is_some() => Some(DifferenceKind::OtherHolder),
            None => (!holder.is_orphan).then_some(DifferenceKind::HolderUnaware),
            Some(_) if holder.is_orphan => Some(DifferenceKind::LeaseUnknown),
            Some(epoch) => (epoch != holder.side.epoch).then_some(DifferenceKind::EpochDiffers),
        },
    }
}

/// A difference that was seen, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The difference.
    pub difference: Difference,
    /// When it was seen first.
    pub since: Timestamp,
    /// Whether it lasted, and was reported.
    #[serde(default)]
    pub told: bool,
}

impl Suspect {
    /// The finding that reports it.
    pub fn finding(&self) -> Finding {
        let Difference { kind, resource, holder, held } = &self.difference;
        let said = match holder {
            Some(Side { tenant, customer, epoch }) => {
                format!("The resource reports that {tenant}/{customer} holds it with epoch {epoch}")
            }
            None => "The resource reports that no customer holds it".to_owned(),
        };
        let of_customers: Vec<String> = held
            .iter()
            .map(|Side { tenant, customer, epoch }| format!("{tenant}/{customer} holds it with epoch {epoch}"))
            .collect();
        let of_customers = match (of_customers.is_empty(), holder) {
            (true, Some(_)) => "that customer reports that it holds nothing".to_owned(),
            _ => format!("customers report: {}", of_customers.join(", ")),
        };
        let cause = if *kind == DifferenceKind::HeldTwice { Cause::ResourceHeldTwice } else { Cause::LeaseDiffers };
        Finding {
            cause,
            tenant: holder.iter().chain(held).next().map(|side| side.tenant.clone()),
            customer: None,
            order: None,
            resource: Some(resource.clone()),
            target: None,
            since: self.since,
            detail: format!("{said}; {of_customers}."),
        }
    }
}

/// What sweeps remember about leases, from one to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseLedger {
    /// Where the next sweep continues among resources, as written by the activity that looks; none if it starts from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<String>,
    /// The same among customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customers: Option<String>,
    /// How many leases of that page of customers are already compared.
    #[serde(default)]
    pub leases: usize,
    /// The differences seen last, by the workflow id of the resource's entity.
    #[serde(default)]
    pub suspects: BTreeMap<String, Suspect>,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseNews {
    /// Differences that last and were not reported before.
    pub raised: Vec<Suspect>,
    /// Differences that were reported and are now settled.
    pub cleared: Vec<Suspect>,
    /// How many differences last, by cause.
    #[serde(default)]
    pub standing: BTreeMap<Cause, u64>,
    /// How many more were seen than can be remembered.
    #[serde(default)]
    pub left_out: u64,
}

impl LeaseLedger {
    /// Judges the answers, by the workflow id of each resource's entity; an entry is none if an entity did not answer, and then nothing
    /// changes for it.
    pub fn judge(
        &mut self,
        rules: &SweepRules,
        now: Timestamp,
        said: &BTreeMap<String, Option<Compared>>,
    ) -> LeaseNews {
        let mut news = LeaseNews::default();
        for (key, compared) in said {
            let Some(compared) = compared else { continue };
            let before = self.suspects.remove(key);
            let seen = difference(compared);
            if let Some(told) = before.clone().filter(|before| before.told)
                && seen.as_ref().is_none_or(|seen| seen.kind != told.difference.kind)
            {
                news.cleared.push(told);
            }
            let Some(difference) = seen else { continue };
            let is_new = before.is_none();
            let mut suspect = match before {
                Some(before) if before.difference == difference => before,
                // It moved on, and is of the same kind: it was reported.
                Some(before) if before.difference.kind == difference.kind => {
                    Suspect { difference, since: now, told: before.told }
                }
                _ => Suspect { difference, since: now, told: false },
            };
            if is_new && self.suspects.len() >= SUSPECTS_MAX {
                news.left_out += 1;
                continue;
            }
            if suspect.lasts(rules, now) && !suspect.told {
                suspect.told = true;
                news.raised.push(suspect.clone());
            }
            self.suspects.insert(key.clone(), suspect);
        }
        for suspect in self.suspects.values().filter(|suspect| suspect.told) {
            *news.standing.entry(suspect.finding().cause).or_default() += 1;
        }
        news
    }

    /// The customers that must tell a resource what they hold of it, each with the epoch that the resource knows for its
    /// lease.
    pub fn to_settle(&self, rules: &SweepRules, now: Timestamp) -> BTreeMap<(TenantId, CustomerId, ResourceId), Epoch> {
        let lasting = self.suspects.values().filter(|suspect| suspect.lasts(rules, now));
        lasting
            .flat_map(|Suspect { difference, .. }| {
                let (resource, above) = (&difference.resource, difference.holder.as_ref().map(|holder| holder.epoch));
                let asked = move |(tenant, customer): (&TenantId, &CustomerId)| {
                    ((tenant.clone(), customer.clone(), resource.clone()), above.unwrap_or_default())
                };
                difference.to_ask().map(asked)
            })
            .collect()
    }
}

impl Suspect {
    /// Whether it was seen in more than one sweep, and for longer than messages take.
    fn lasts(&self, rules: &SweepRules, now: Timestamp) -> bool {
        self.since.plus_ms(rules.patience_ms) < now
    }
}
