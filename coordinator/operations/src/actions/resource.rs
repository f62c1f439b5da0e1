//! Actions on resources.

use std::time::{Duration, Instant};

use interlock_domain::action_log::ActionObject;
use interlock_domain::ids::{ResourceId, TenantId};
use interlock_domain::resource::{FORCE_HOLDER_WAIT_MS, FORCE_LOOK_UP_WAIT_MS, ForceRelease};
use interlock_domain::views::{ForceTaken, ResourceActionAnswer};
use interlock_workflows::{ResourceAction, names};
use serde_json::json;
use uuid::Uuid;

use super::update::Update;
use super::{ActionError, ActionWords, Actions, Noted};
use crate::inspection::InspectionError;

/// How long a forced release may take: the entity waits this long for the target and for the holder, and then answers.
const ANSWER_LIMIT: Duration = Duration::from_millis(FORCE_LOOK_UP_WAIT_MS + FORCE_HOLDER_WAIT_MS + 6_000);

/// A forced release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForceRequest {
    /// The resource.
    pub resource: ResourceId,
    /// Whether to continue even if the target still has it registered to the holder, or does not say.
    pub even_if_registered: bool,
    /// Whether it is only allowed for leases of the tenant's own customers: the caller has no right over the realm that tenants share.
    pub own_only: bool,
    /// Action id, actor and reason.
    pub words: ActionWords,
}

impl Actions {
    /// Takes a resource from its holder. The target is asked first, then the holder; each for a limited time. Repeating the
    /// same action id changes nothing, and returns the earlier answer.
    ///
    /// # Errors
    /// [`ActionError`]: among others `still_registered`, `holder_has_open_orders`, `authority_unanswered`,
    /// `authority_unclear`, `holder_unanswered`, `nobody_holds`, `force_under_way`.
    pub async fn force_release(&self, tenant: &TenantId, request: &ForceRequest) -> Result<ForceTaken, ActionError> {
        request.words.check()?;
        let noted = Noted {
            tenant: Some(tenant),
            on: ActionObject::Resource,
            id: request.resource.to_string(),
            action: "force_release",
            content: json!({"even_if_registered": request.even_if_registered, "own_only": request.own_only}),
            words: &request.words,
        };
        let signed = ForceRequest { words: request.words.for_entity(), ..request.clone() };
        let act = Box::pin(self.forced(tenant, &signed));
        self.logs.noted(noted, |_| "released".to_owned(), act).await
    }

    async fn forced(&self, tenant: &TenantId, request: &ForceRequest) -> Result<ForceTaken, ActionError> {
        let ForceRequest { resource, words, .. } = request;
        let release = self.force_of(tenant, request);
        // Tenants that share a realm may use the same action id.
        let first_id = format!("{}/{}", tenant.encoded(), release.mark());
        let argument = ResourceAction::ForceRelease(release);
        let began = Instant::now();
        let what = format!("The resource {resource}");
        // The server recognises a repetition of the first update; one that finds the run ending needs another id.
        let mut update_id = first_id.clone();
        loop {
            let answer = self.act_on_resource(tenant, resource, &update_id, &argument, &what).await?;
            if answer.unsettled {
                if began.elapsed() >= ANSWER_LIMIT {
                    return Err(InspectionError::NoWorker(what).into());
                }
                update_id = format!("{first_id}/{}", Uuid::new_v4());
                continue;
            }
            if let Some(refusal) = answer.refused {
                return Err(refusal.into());
            }
            return Ok(ForceTaken {
                resource: resource.clone(),
                action_id: words.action_id.clone(),
                state: answer.state,
                repeated: answer.repeated.unwrap_or_default(),
            });
        }
    }

    /// What the resource's entity is asked for.
    pub(super) fn force_of(&self, tenant: &TenantId, request: &ForceRequest) -> ForceRelease {
        let ForceRequest { resource, even_if_registered, own_only, words } = request;
        let targets = &self.installation.routing.tenant(tenant).targets;
        let limits = &self.installation.settings.limits;
        let policy = self.installation.catalog.policy(resource.kind(), targets, limits);
        let proving = self.installation.settings.proving_targets();
        ForceRelease {
            action_id: words.action_id.clone(),
            actor: words.actor.clone(),
            reason: words.reason.clone(),
            even_if_registered: *even_if_registered,
            own_only: *own_only,
            tenant: tenant.clone(),
            policy: policy.with_proofs(|target| proving.contains(target)),
        }
    }

    async fn act_on_resource(
        &self,
        tenant: &TenantId,
        resource: &ResourceId,
        update_id: &str,
        action: &ResourceAction,
        what: &str,
    ) -> Result<ResourceActionAnswer, InspectionError> {
        let entity = self.installation.entities.resource(tenant, resource);
        let update =
            Update { what, entity: &entity, name: names::ACT, id: update_id, argument: action, limit: ANSWER_LIMIT };
        self.update(update).await
    }
}
