//! What an import would do, without doing it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use futures_util::stream::{self, StreamExt as _};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, Epoch, ResourceId, TenantId};
use interlock_domain::import::{ImportTally, LineProblem, ListedLease};
use interlock_domain::order::Rejection;
use interlock_domain::resource::ResourceView;
use interlock_fault::Fault;
use sha2::{Digest, Sha256};

use super::{ImportTold, ListFile};
use crate::inspection::{Inspection, InspectionError};

/// How many resources are asked at a time.
const LINES_AT_ONCE: usize = 16;

/// Finds out what an import would do.
pub struct DryRun {
    installation: Installation,
    inspection: Inspection,
    tenant: TenantId,
}

/// The result that a line would have.
enum Line {
    Seeded,
    Unchanged,
    Refused(Rejection),
}

impl DryRun {
    /// Uses this installation's connection.
    pub fn new(installation: Installation, tenant: TenantId) -> Self {
        Self { inspection: Inspection::new(installation.clone()), installation, tenant }
    }

    /// The result that each line would have. Nothing is started or changed.
    ///
    /// # Errors
    /// [`Fault`] `list_unreadable`, or that of a resource that cannot be asked.
    pub async fn run(&self, list: &ListFile, told: &mut (dyn ImportTold + Send)) -> Result<ImportTally, Fault> {
        let mut tally = ImportTally::default();
        let mut listed = Listed::default();
        for part in list.parts()? {
            let part = part?;
            for problem in &part.bad {
                tally.bad += 1;
                told.problem(problem);
            }
            let lines = part.leases.into_iter().map(|lease| {
                let read = self.read(&lease);
                let before = read.as_ref().ok().and_then(|resource| listed.before(resource, &lease));
                async move {
                    let became = match read {
                        Ok(resource) => self.line(&resource, &lease).await,
                        Err(rejection) => Ok(Line::Refused(rejection)),
                    };
                    (lease.line, became.map(|became| became.after(before.as_ref())))
                }
            });
            let mut lines = std::pin::pin!(stream::iter(lines).buffered(LINES_AT_ONCE));
            while let Some((line, became)) = lines.next().await {
                match became? {
                    Line::Seeded => tally.seeded += 1,
                    Line::Unchanged => tally.unchanged += 1,
                    Line::Refused(Rejection { code, detail, .. }) => {
                        let is_conflict = code == ErrorCode::LeaseHeld || code == ErrorCode::LeaseMovedOn;
                        *(if is_conflict { &mut tally.conflicts } else { &mut tally.bad }) += 1;
                        told.problem(&LineProblem { line, code, detail });
                    }
                }
                told.reached(tally.lines(), &tally);
            }
        }
        Ok(tally)
    }

    /// The resource of a line that can be imported.
    fn read(&self, lease: &ListedLease) -> Result<ResourceId, Rejection> {
        let resource = self.installation.catalog.listed(&lease.kind, &lease.id)?;
        match lease.customer.parse::<CustomerId>() {
            Ok(_) => Ok(resource),
            Err(error) => Err(Rejection::new(ErrorCode::BadId, format!("the customer id is invalid: {error}"))),
        }
    }

    async fn line(&self, resource: &ResourceId, lease: &ListedLease) -> Result<Line, InspectionError> {
        match self.inspection.resource(&self.tenant, resource).await {
            Ok(view) => Ok(judged(&view, &self.tenant, &lease.customer)),
            Err(InspectionError::NeverSeen(_)) => Ok(Line::Seeded),
            Err(error) => Err(error),
        }
    }
}

/// The resources of the lines so far, as digests, each with its first line and a digest of that line's customer: 40 bytes a line, so that a
/// list of millions can be checked.
#[derive(Default)]
struct Listed(HashMap<[u8; 16], (u64, [u8; 8])>);

/// An earlier line about the same resource.
#[derive(Debug, PartialEq, Eq)]
struct Before {
    line: u64,
    is_same_customer: bool,
}

impl Listed {
    /// The first line about this resource, if this is not it.
    fn before(&mut self, resource: &ResourceId, lease: &ListedLease) -> Option<Before> {
        let customer: [u8; 8] = digest(&lease.customer);
        match self.0.entry(digest(&resource.to_string())) {
            Entry::Occupied(first) => {
                let (line, of) = *first.get();
                Some(Before { line, is_same_customer: of == customer })
            }
            Entry::Vacant(first) => {
                first.insert((lease.line, customer));
                None
            }
        }
    }
}

/// The first bytes of the SHA-256 of a text.
fn digest<const BYTES: usize>(text: &str) -> [u8; BYTES] {
    let mut digest = [0; BYTES];
    digest.copy_from_slice(&Sha256::digest(text.as_bytes())[..BYTES]);
    digest
}

impl Line {
    /// What becomes of a line that has this result alone, after an earlier line about the same resource was imported.
    fn after(self, before: Option<&Before>) -> Self {
        match (self, before) {
            (Self::Seeded, Some(Before { is_same_customer: true, .. })) => Self::Unchanged,
            (Self::Seeded, Some(Before { line, .. })) => {
                let by = format!("line {line} of the list gives it to another customer");
                Self::Refused(Rejection::new(ErrorCode::LeaseHeld, by))
            }
            (alone, _) => alone,
        }
    }
}

/// The answer that a resource with this view would give.
fn judged(view: &ResourceView, tenant: &TenantId, customer: &str) -> Line {
    let holder = view.holder.as_ref();
    match holder.and_then(|holder| holder.customer_id.as_ref().map(|customer| (&holder.tenant_id, customer))) {
        Some((Some(of), id)) if of == tenant && id.as_str() == customer => Line::Unchanged,
        Some((of, id)) => {
            let by = format!("{}/{id} holds it", of.as_ref().unwrap_or(tenant));
            Line::Refused(Rejection::new(ErrorCode::LeaseHeld, by))
        }
        None if view.epoch > Epoch(0) && holder.is_none() => {
            let detail = "no one holds it according to the ledger, which is newer than the list";
            Line::Refused(Rejection::new(ErrorCode::LeaseMovedOn, detail))
        }
        None => Line::Seeded,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_number_that_stands_twice_in_the_list_is_found() {
        let mut listed = Listed::default();
        let mut before = |line: u64, id: &str, customer: &str| {
            let resource = format!("msisdn/{id}").parse().unwrap();
            let lease =
                ListedLease { line, kind: "msisdn".to_owned(), id: id.to_owned(), customer: customer.to_owned() };
            listed.before(&resource, &lease)
        };
        assert_eq!(before(2, "1206", "A"), None);
        assert_eq!(before(3, "1207", "A"), None);
        let same = before(4, "1206", "A");
        let other = before(5, "1206", "B");
        assert_eq!(same, Some(Before { line: 2, is_same_customer: true }));
        assert_eq!(other, Some(Before { line: 2, is_same_customer: false }));
        assert!(matches!(Line::Seeded.after(None), Line::Seeded));
        assert!(matches!(Line::Seeded.after(same.as_ref()), Line::Unchanged));
        let Line::Refused(rejection) = Line::Seeded.after(other.as_ref()) else {
            panic!("two customers would have it")
        };
        assert_eq!(rejection.code, ErrorCode::LeaseHeld);
        assert!(rejection.detail.contains("line 2"), "{}", rejection.detail);
        assert!(
            matches!(Line::Unchanged.after(other.as_ref()), Line::Unchanged),
            "the ledger has it for this customer"
        );
    }

    #[test]
    fn a_line_is_judged_by_what_the_resource_shows() {
        let judged = |epoch: u64, holder: Value| {
            let view = json!({"resource": "msisdn/1", "holder": holder, "epoch": epoch});
            match judged(&serde_json::from_value(view).unwrap(), &"t".parse().unwrap(), "A") {
                Line::Seeded => "seeded".to_owned(),
                Line::Unchanged => "unchanged".to_owned(),
                Line::Refused(rejection) => rejection.code.to_string(),
            }
        };
        let held = |customer: &str| json!({"tenant_id": "t", "customer_id": customer, "epoch": 7, "since": ""});
        assert_eq!(judged(7, held("A")), "unchanged");
        assert_eq!(judged(7, held("B")), "lease_held");
        assert_eq!(judged(7, Value::Null), "lease_moved_on");
        assert_eq!(judged(0, Value::Null), "seeded");
        assert_eq!(judged(7, json!({"party": "imsi", "customer_id": null, "epoch": 7, "since": ""})), "seeded");
    }
}
