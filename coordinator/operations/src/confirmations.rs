//! The second person: confirms an action that was proposed, and has it taken.

use interlock_connection::Installation;
use interlock_domain::action_log::{ActionObject, ActionSubject, LogAnswer, LoggedAction, LoggedWords};
use interlock_domain::action_words::check_action_words;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{ResourceKind, TenantId};
use interlock_domain::views::ActionConfirmed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::actions::{ActionError, ActionWords, Actions, ForceRequest, OrderAction, OrderRequest};
use crate::targets::Targets;
use crate::tenants::Tenants;

/// Confirms proposals.
#[derive(Clone)]
pub struct Confirmations {
    actions: Actions,
    targets: Targets,
    tenants: Tenants,
}

/// What a proposal to release a resource consists of.
#[derive(Deserialize)]
struct Force {
    even_if_registered: bool,
    own_only: bool,
}

impl Confirmations {
    /// Those of this installation.
    pub fn new(installation: &Installation) -> Self {
        Self {
            actions: Actions::new(installation.clone()),
            targets: Targets::new(installation.clone()),
            tenants: Tenants::new(installation.clone()),
        }
    }

    /// A proposal, by the name of its entry in the tenant's list.
    ///
    /// # Errors
    /// [`ActionError`]: `proposal_unknown`.
    pub async fn proposal(&self, tenant: &TenantId, entry: &str) -> Result<LoggedAction, ActionError> {
        self.actions.logs().one(tenant, entry).await
    }

    /// Confirms a proposal, and takes the action as the one who proposed it meant it. The same person may confirm it again, if it is not
    /// known what became of it. `own_only` says of a kind of resource whether the one who confirms has a right over the tenant's own leases
    /// only.
    ///
    /// # Errors
    /// [`ActionError`]: `same_person`, `proposal_unknown`, `proposal_expired`, `proposal_decided`, and those of the action.
    pub async fn confirm(
        &self,
        tenant: &TenantId,
        entry: &str,
        by: &str,
        own_only: impl Fn(&ResourceKind) -> bool,
    ) -> Result<ActionConfirmed, ActionError> {
        check_action_words(entry, by, "confirmed")?;
        let answer = self.actions.logs().confirm(tenant, entry, by).await?;
        let LogAnswer::Confirmed { words, subject, content } = answer else {
            return Err(unreadable(&"the log did not confirm it"));
        };
        let LoggedWords { action_id, actor, reason, ticket } = words;
        let words = ActionWords { action_id, actor, reason, ticket, confirmed_by: Some(by.to_owned()) };
        let state = self.take(tenant, &subject, content, words.clone(), own_only).await?;
        let ActionSubject { on, id, action } = subject;
        let (entry, confirmed_by) = (entry.to_owned(), by.to_owned());
        let ActionWords { action_id, actor, .. } = words;
        Ok(ActionConfirmed { entry, on, id, action, action_id, actor, confirmed_by, state })
    }

    /// Takes an action. Returns the state after it.
    async fn take(
        &self,
        tenant: &TenantId,
        subject: &ActionSubject,
        content: Value,
        words: ActionWords,
        own_only: impl Fn(&ResourceKind) -> bool,
    ) -> Result<String, ActionError> {
        let ActionSubject { on, id, action } = subject;
        match on.known() {
            Some(ActionObject::Order) => {
                let order_id = id.parse().map_err(|error| unreadable(&error))?;
                let data = read::<Option<Map<String, Value>>>(content)?;
                let request = OrderRequest { order_id, action: OrderAction::of_name(action, data)?, words };
                Ok(self.actions.on_order(tenant, &request).await?.state.to_string())
            }
            Some(ActionObject::Resource) => {
                let resource: interlock_domain::ids::ResourceId = id.parse().map_err(|error| unreadable(&error))?;
                let Force { even_if_registered, own_only: of_first } = read(content)?;
                // Neither of the two may do more than what each may do alone.
                let own_only = of_first || own_only(resource.kind());
                let request = ForceRequest { resource, even_if_registered, own_only, words };
                self.actions.force_release(tenant, &request).await.map(|_taken| "released".to_owned())
            }
            Some(ActionObject::Target) => {
                let target = id.parse().map_err(|error| unreadable(&error))?;
                Ok(self.targets.act(&target, read(content)?, words).await?.state.to_string())
            }
            Some(ActionObject::Tenant) => Ok(self.tenants.act(tenant, read(content)?, words).await?.state.to_string()),
            None => Err(unreadable(&format_args!("it is on something of another version: {on}"))),
        }
    }
}

fn read<T: DeserializeOwned>(content: Value) -> Result<T, ActionError> {
    serde_json::from_value(content).map_err(|error| unreadable(&error))
}

/// A proposal of another version.
fn unreadable(reason: &dyn std::fmt::Display) -> ActionError {
    ActionError::Refused { code: ErrorCode::ActionRefused, detail: format!("The proposal cannot be read: {reason}.") }
}
