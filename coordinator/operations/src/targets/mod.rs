//! Targets: their configuration, their states, and a person's actions on them, for the gateway, the command
//! line and the jobs workers alike.

mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::Utc;
use interlock_client::{EntityCallError, TargetClient};
use interlock_connection::Installation;
use interlock_domain::action_log::ActionObject;
use interlock_domain::forecast::forecast_target;
use interlock_domain::ids::{TargetId, TenantId, Timestamp};
use interlock_domain::subscription::subscription_of;
use interlock_domain::target_entity::{Target, TargetAction, TargetActionKind, TargetRules, TargetView};
use interlock_domain::views::{ActionForecast, TargetActionAnswer, TargetActionTaken, TargetListed};
use interlock_settings::Settings;

pub use watch::watch_over;

use crate::actions::{ActionError, ActionLogs, ActionWords, Noted, json};
use crate::inspection::{Inspection, InspectionError, of_status};

/// How long a target entity may take to answer an action.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The targets of one installation.
#[derive(Clone)]
pub struct Targets {
    installation: Installation,
    client: TargetClient,
    logs: ActionLogs,
}

impl Targets {
    /// Uses this installation's connection.
    pub fn new(installation: Installation) -> Self {
        let client = installation.entities.targets(rules(&installation.settings));
        Self { logs: ActionLogs::new(installation.clone()), installation, client }
    }

    /// The client for their entities.
    pub fn client(&self) -> &TargetClient {
        &self.client
    }

    /// The targets that are configured here, and those whose entities run, sorted.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn names(&self) -> Result<BTreeSet<TargetId>, InspectionError> {
        let running = self.client.running().await.map_err(|error| unreached("The list of targets", &error))?;
        Ok(self.client.targets().cloned().chain(running).collect())
    }

    /// Sends each target's entity its configuration, starting entities that do not run. This also sets the limits on the
    /// server.
    ///
    /// # Errors
    /// [`EntityCallError`], the first one; the other entities still get their configuration.
    pub async fn configure(&self) -> Result<(), EntityCallError> {
        let mut failed = Ok(());
        for target in self.client.targets() {
            if let Err(error) = self.client.configure(target).await {
                failed = failed.and(Err(error));
            }
        }
        failed
    }

    /// The targets that are configured here and whose entities do not run.
    ///
    /// # Errors
    /// [`EntityCallError`], the first one.
    pub async fn not_running(&self) -> Result<BTreeSet<TargetId>, EntityCallError> {
        let mut not_running = BTreeSet::new();
        for target in self.client.targets() {
            if !self.client.runs(target).await? {
                not_running.insert(target.clone());
            }
        }
        Ok(not_running)
    }

    /// Starts terminated entities of these targets again, so that no queue stays stopped by an entity that no longer exists.
    /// Returns their targets.
    ///
    /// # Errors
    /// [`EntityCallError`], the first one; the others are still started.
    pub async fn revive(&self, targets: &BTreeSet<TargetId>) -> Result<Vec<TargetId>, EntityCallError> {
        let (mut revived, mut failed) = (Vec::new(), None);
        for target in targets {
            match self.client.revive(target).await {
                Ok(true) => revived.push(target.clone()),
                Ok(false) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(revived), Err)
    }

    /// The state of a target: the body of `GET /v1/targets/{name}`.
    ///
    /// # Errors
    /// [`InspectionError`]: `never_seen` if no such target is configured.
    pub async fn show(&self, target: &TargetId) -> Result<TargetView, InspectionError> {
        self.known(target).await?;
        Inspection::new(self.installation.clone()).target(target).await
    }

    /// The states of all targets, sorted; for one that does not answer the reason, under `unanswered`.
    ///
    /// # Errors
    /// [`InspectionError`] if they cannot be listed.
    pub async fn list(&self) -> Result<Vec<TargetListed>, InspectionError> {
        Ok(self.show_all(&self.names().await?).await)
    }

    /// The targets that are configured here, sorted.
    pub(crate) fn configured(&self) -> BTreeSet<TargetId> {
        self.client.targets().cloned().collect()
    }

    /// The states of these targets; for one that does not answer the reason, under `unanswered`.
    pub(crate) async fn show_all(&self, names: &BTreeSet<TargetId>) -> Vec<TargetListed> {
        let inspection = &Inspection::new(self.installation.clone());
        let asked = names.iter().map(|target| async move {
            match inspection.target(target).await {
                Ok(view) => TargetListed::Answered(Box::new(view)),
                Err(error) => TargetListed::unanswered(target.clone(), error.why_unanswered()),
            }
        });
        futures_util::future::join_all(asked).await
    }

    /// Performs a person's action.
    ///
    /// # Errors
    /// [`ActionError`].
    pub async fn act(
        &self,
        target: &TargetId,
        kind: TargetActionKind,
        words: ActionWords,
    ) -> Result<TargetActionTaken, ActionError> {
        let noted = Noted {
            tenant: None,
            on: ActionObject::Target,
            id: target.to_string(),
            action: kind.as_str(),
            content: json(&kind),
            words: &words,
        };
        let act = Box::pin(self.taken(target, kind, words.for_entity()));
        self.logs.noted(noted, |taken: &TargetActionTaken| taken.state.to_string(), act).await
    }

    async fn taken(
        &self,
        target: &TargetId,
        kind: TargetActionKind,
        words: ActionWords,
    ) -> Result<TargetActionTaken, ActionError> {
        self.known(target).await?;
        let what = format!("The target {target}");
        let action = TargetAction { action_id: words.action_id, kind, actor: words.actor, reason: words.reason };
        let answer = match tokio::time::timeout(ANSWER_LIMIT, self.client.act(target, &action)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreached(&what, &error).into()),
            Err(_) => return Err(InspectionError::NoWorker(what).into()),
        };
        match answer {
            TargetActionAnswer::Taken { done, target: view } => Ok(TargetActionTaken {
                target: target.clone(),
                action_id: action.action_id,
                state: done.state,
                repeated: done.repeated,
                view: *view,
            }),
            TargetActionAnswer::Refused { refused } => Err(refused.into()),
        }
    }

    /// What a person's action would do. Nothing is sent, and nothing changes.
    ///
    /// # Errors
    /// As [`Targets::act`]: what would be refused is refused here with the same code.
    pub async fn preview(
        &self,
        target: &TargetId,
        kind: TargetActionKind,
        words: ActionWords,
    ) -> Result<ActionForecast, ActionError> {
        self.known(target).await?;
        let action = TargetAction { action_id: words.action_id, kind, actor: words.actor, reason: words.reason };
        let now = Timestamp(Utc::now().timestamp_millis());
        let entity = self.installation.entities.target(target);
        let inspection = Inspection::new(self.installation.clone());
        let machine: Option<Target> = inspection.machine(&format!("The target {target}"), &entity).await?;
        // An action starts the entity where it does not run.
        let machine = machine.unwrap_or_else(|| Target::new(target.clone(), self.client.rules(target), now));
        Ok(forecast_target(&machine, now, &action)?)
    }

    /// Whether tenants may call a target that the settings do not name: it has the name of a role, which stands for itself if a tenant
    /// has no mapping, or none of the configured tenants calls it.
    pub fn is_for_everybody(&self, target: &TargetId) -> bool {
        self.is_of_role(target) || self.tenants_of(target).is_empty()
    }

    /// Whether a target has the name of a role, which stands for itself if a tenant has no mapping.
    pub fn is_of_role(&self, target: &TargetId) -> bool {
        self.installation.catalog.roles().iter().any(|role| TargetId::from(role) == *target)
    }

    /// The configured tenants that call a target: an action on the target affects all of them.
    pub fn tenants_of(&self, target: &TargetId) -> Vec<TenantId> {
        if let Some((tenant, _)) = subscription_of(target) {
            return vec![tenant];
        }
        let roles = self.installation.catalog.roles();
        let tenants = &self.installation.routing.settings().tenants;
        let calling = tenants.iter().filter(|(_, of_tenant)| of_tenant.called(&roles).contains(target));
        calling.map(|(tenant, _)| tenant.clone()).collect()
    }

    /// A mistyped name must not start an entity that no one needs.
    async fn known(&self, target: &TargetId) -> Result<(), InspectionError> {
        let is_configured = self.client.targets().any(|known| known == target);
        let never_seen = || InspectionError::NeverSeen(format!("The target {target}"));
        if is_configured || self.names().await?.contains(target) { Ok(()) } else { Err(never_seen()) }
    }
}

/// The configuration of each target.
fn rules(settings: &Settings) -> BTreeMap<TargetId, TargetRules> {
    settings.targets.iter().map(|(target, of)| (target.clone(), of.rules(settings.limits))).collect()
}

fn unreached(what: &str, error: &EntityCallError) -> InspectionError {
    match error.status() {
        Some(status) => of_status(what, status),
        None => InspectionError::Refused { what: what.to_owned(), reason: error.to_string() },
    }
}
