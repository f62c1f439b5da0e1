//! What an import would do, without doing it.

use futures_util::stream::{self, StreamExt as _};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, Epoch, TenantId};
use interlock_domain::import::{ImportTally, LineProblem, ListedLease};
use interlock_domain::order::Rejection;
use interlock_domain::resource::ResourceView;
use interlock_fault::Fault;

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
        for part in list.parts()? {
            let part = part?;
            for problem in &part.bad {
                tally.bad += 1;
                told.problem(problem);
            }
            let lines = part.leases.into_iter().map(|lease| async move { (lease.line, self.line(&lease).await) });
            let mut lines = std::pin::pin!(stream::iter(lines).buffered(LINES_AT_ONCE));
            while let Some((line, became)) = lines.next().await {
                match became? {
                    Line::Seeded => tally.seeded += 1,
                    Line::Unchanged => tally.unchanged += 1,
                    Line::Refused(Rejection { code, detail }) => {
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

    async fn line(&self, lease: &ListedLease) -> Result<Line, InspectionError> {
        let resource = match self.installation.catalog.listed(&lease.kind, &lease.id) {
            Ok(resource) => resource,
            Err(rejection) => return Ok(Line::Refused(rejection)),
        };
        if let Err(error) = lease.customer.parse::<CustomerId>() {
            let detail = format!("the customer id is invalid: {error}");
            return Ok(Line::Refused(Rejection::new(ErrorCode::BadId, detail)));
        }
        match self.inspection.resource(&self.tenant, &resource).await {
            Ok(view) => Ok(judged(&view, &self.tenant, &lease.customer)),
            Err(InspectionError::NeverSeen(_)) => Ok(Line::Seeded),
            Err(error) => Err(error),
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
