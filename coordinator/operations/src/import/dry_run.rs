//! What an import would do, without doing it.

use futures_util::stream::{self, StreamExt as _};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::import::{ImportTally, LineProblem, ListedLease};
use interlock_domain::order::Rejection;
use interlock_fault::Fault;
use serde_json::Value;

use super::{ImportTold, ListFile};
use crate::inspection::{Inspection, InspectionError};

/// How many resources are asked at a time.
const LINES_AT_ONCE: usize = 16;

/// Looks at what an import would do.
pub struct DryRun {
    installation: Installation,
    inspection: Inspection,
    tenant: TenantId,
}

/// What would become of a line.
enum Line {
    Seeded,
    Unchanged,
    Refused(Rejection),
}

impl DryRun {
    /// Looks through this installation's connection.
    pub fn new(installation: Installation, tenant: TenantId) -> Self {
        Self { inspection: Inspection::new(installation.clone()), installation, tenant }
    }

    /// What would become of each line. Nothing is started and nothing is changed.
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

/// What a resource that shows itself so would answer.
fn judged(view: &Value, tenant: &TenantId, customer: &str) -> Line {
    let holder = &view["holder"];
    match (holder["tenant_id"].as_str(), holder["customer_id"].as_str()) {
        (Some(of), Some(id)) if of == tenant.as_str() && id == customer => Line::Unchanged,
        (of, Some(id)) => {
            let by = format!("{}/{id} holds it", of.unwrap_or(tenant.as_str()));
            Line::Refused(Rejection::new(ErrorCode::LeaseHeld, by))
        }
        (_, None) if view["epoch"].as_u64().is_some_and(|epoch| epoch > 0) && holder.is_null() => {
            let detail = "no one holds it according to the ledger, which is newer than the list";
            Line::Refused(Rejection::new(ErrorCode::LeaseMovedOn, detail))
        }
        (_, None) => Line::Seeded,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_judged_by_what_the_resource_shows() {
        let judged = |view: Value| match judged(&view, &"t".parse().unwrap(), "A") {
            Line::Seeded => "seeded".to_owned(),
            Line::Unchanged => "unchanged".to_owned(),
            Line::Refused(rejection) => rejection.code.to_string(),
        };
        let held = |customer: &str| json!({"holder": {"tenant_id": "t", "customer_id": customer}, "epoch": 7});
        assert_eq!(judged(held("A")), "unchanged");
        assert_eq!(judged(held("B")), "lease_held");
        assert_eq!(judged(json!({"holder": null, "epoch": 7})), "lease_moved_on");
        assert_eq!(judged(json!({"holder": null, "epoch": 0})), "seeded");
        assert_eq!(judged(json!({"holder": {"party": "imsi", "customer_id": null}, "epoch": 7})), "seeded");
    }
}
