//! Tenants: their states, and a person's actions on them, for the gateway and the command line alike; and the activities of the
//! workflow of a tenant.

mod activities;
mod preparation;
mod shares;

use std::collections::BTreeSet;
use std::time::Duration;

use interlock_client::{EntityCallError, RunInfo, ServerError, visibility};
use interlock_connection::Installation;
use interlock_domain::action_log::ActionObject;
use interlock_domain::ids::TenantId;
use interlock_domain::routing::tenant_of_workflow;
use interlock_domain::tenant::{TenantAction, TenantActionKind, TenantOutlook, TenantSettingsView, TenantView};
use interlock_domain::views::{TenantActionAnswer, TenantActionTaken, TenantListed};
use interlock_workflows::names;

pub use activities::TenantActivities;
pub use preparation::Preparation;
pub use shares::keep_shares;

use crate::actions::{ActionError, ActionLogs, ActionWords, Noted, json};
use crate::inspection::{Inspection, InspectionError, of_status};

/// How long a tenant's workflow may take to answer an action.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The tenants of one installation.
#[derive(Clone)]
pub struct Tenants {
    installation: Installation,
    inspection: Inspection,
    logs: ActionLogs,
}

impl Tenants {
    /// Uses this installation's connection.
    pub fn new(installation: Installation) -> Self {
        let (inspection, logs) = (Inspection::new(installation.clone()), ActionLogs::new(installation.clone()));
        Self { installation, inspection, logs }
    }

    /// The state of a tenant: the body of `GET /v1/tenants/{tenant}`. One that was never on-boarded is active and not managed.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn show(&self, tenant: &TenantId) -> Result<TenantView, InspectionError> {
        let view = match self.inspection.tenant(tenant).await {
            Ok(view) => view,
            Err(InspectionError::NeverSeen(_)) => TenantView::unmanaged(tenant.clone()),
            Err(error) => return Err(error),
        };
        let of_tenant = self.installation.routing.tenant(tenant);
        let settings = TenantSettingsView {
            plan: of_tenant.plan.as_str().to_owned(),
            namespace: of_tenant.namespace.clone(),
            configured: self.installation.settings.tenants.contains_key(tenant),
        };
        Ok(TenantView { settings: Some(settings), ..view })
    }

    /// The configured tenants, and those that were on-boarded, sorted; for one that does not answer the reason,
    /// under `unanswered`.
    ///
    /// # Errors
    /// [`InspectionError`] if they cannot be listed.
    pub async fn list(&self) -> Result<Vec<TenantListed>, InspectionError> {
        let mut names: BTreeSet<TenantId> = self.installation.settings.tenants.keys().cloned().collect();
        names.extend(self.managed().await?);
        let shown = names.iter().map(|tenant| async move {
            match self.show(tenant).await {
                Ok(view) => TenantListed::Answered(Box::new(view)),
                Err(error) => TenantListed::unanswered(tenant.clone(), error.why_unanswered()),
            }
        });
        Ok(futures_util::future::join_all(shown).await)
    }

    /// The tenants that have made subscriptions themselves, as Temporal's visibility store knows them, which may lag.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(crate) async fn with_subscriptions(&self) -> Result<Vec<TenantId>, ServerError> {
        let prefix = format!("{}/tenant/", self.installation.routing.settings().prefix.as_str());
        let namespace = &self.installation.routing.settings().namespace;
        let query = format!("WorkflowType = '{}' AND ExecutionStatus = 'Running'", names::TENANT_ENTITY);
        let runs = visibility::all(&self.installation.client, namespace, &query).await?;
        let has_some = |run: &RunInfo| run.memo_fields.iter().any(|field| field == names::MEMO_SUBSCRIPTIONS);
        let ids = runs.into_iter().filter(has_some).map(|run| run.workflow_id);
        Ok(ids.filter(|id| id.starts_with(&prefix)).filter_map(|id| tenant_of_workflow(&id)).collect())
    }

    async fn managed(&self) -> Result<Vec<TenantId>, InspectionError> {
        let prefix = format!("{}/tenant/", self.installation.routing.settings().prefix.as_str());
        let namespace = &self.installation.routing.settings().namespace;
        let query = format!("WorkflowType = '{}' AND ExecutionStatus = 'Running'", names::TENANT_ENTITY);
        let runs = visibility::all(&self.installation.client, namespace, &query).await;
        let runs = runs.map_err(|error| InspectionError::of_server("The list of tenants", &error))?;
        let ids = runs.into_iter().map(|run| run.workflow_id);
        Ok(ids.filter(|id| id.starts_with(&prefix)).filter_map(|id| tenant_of_workflow(&id)).collect())
    }

    /// Performs a person's action; starts the tenant's workflow if it does not run.
    ///
    /// # Errors
    /// [`ActionError`]; the action may still have been taken, and may be sent again with the same id.
    pub async fn act(
        &self,
        tenant: &TenantId,
        kind: TenantActionKind,
        words: ActionWords,
    ) -> Result<TenantActionTaken, ActionError> {
        let noted = Noted {
            tenant: Some(tenant),
            on: ActionObject::Tenant,
            id: tenant.to_string(),
            action: kind.as_str(),
            content: json(&kind),
            words: &words,
        };
        let act = Box::pin(self.taken(tenant, kind, words.for_entity()));
        self.logs.noted(noted, |taken: &TenantActionTaken| taken.state.to_string(), act).await
    }

    async fn taken(
        &self,
        tenant: &TenantId,
        kind: TenantActionKind,
        words: ActionWords,
    ) -> Result<TenantActionTaken, ActionError> {
        let what = format!("The tenant {tenant}");
        let outlook = Some(TenantOutlook::of(&self.installation.routing, tenant));
        let action =
            TenantAction { action_id: words.action_id, kind, actor: words.actor, reason: words.reason, outlook };
        let entity = self.installation.entities.tenant(tenant);
        let update_id = action.mark().to_string();
        let asked = self.installation.entities.update_with_start(&entity, names::ACT, &action, &update_id);
        let answer: TenantActionAnswer = match tokio::time::timeout(ANSWER_LIMIT, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreached(&what, &error).into()),
            Err(_) => return Err(InspectionError::NoWorker(what).into()),
        };
        match answer {
            TenantActionAnswer::Taken { done, tenant: view } => Ok(TenantActionTaken {
                tenant: tenant.clone(),
                action_id: action.action_id,
                state: done.state,
                repeated: done.repeated,
                view: *view,
            }),
            TenantActionAnswer::Refused { refused } => Err(refused.into()),
        }
    }
}

fn unreached(what: &str, error: &EntityCallError) -> InspectionError {
    match error.status() {
        Some(status) => of_status(what, status),
        None => InspectionError::Refused { what: what.to_owned(), reason: error.to_string() },
    }
}
