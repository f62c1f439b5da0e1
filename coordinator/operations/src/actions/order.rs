//! Actions on orders.

use std::time::Duration;

use interlock_domain::action_mark::content_of;
use interlock_domain::catalog::{AmendableStep, AmendedOrder, Amendment};
use interlock_domain::customer::{Action, ActionDone, ActionKind, Refusal, action_mark_of_0_1, check_action_words};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_workflows::names;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::update::Update;
use super::{ActionError, ActionWords, Actions};
use crate::inspection::InspectionError;

/// How long a customer's entity may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What a person wants done with an order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderAction {
    /// Do the held steps again.
    Retry,
    /// Leave the held steps out.
    Skip,
    /// Correct fields of the event's data, and do the held steps that use them again.
    Amend {
        /// The fields, each as a producer would send it.
        data: Map<String, Value>,
    },
    /// End it.
    Cancel,
    /// Let its release go before its assign is granted.
    ReleaseFirst,
}

impl OrderAction {
    /// The action of this name on the wire.
    ///
    /// # Errors
    /// `bad_action`: there is none of this name, or `data` are missing or too much.
    pub fn of_name(name: &str, data: Option<Map<String, Value>>) -> Result<Self, ActionError> {
        let action = match (name, data) {
            ("amend", Some(data)) => return Ok(Self::Amend { data }),
            ("amend", None) => return Err(ActionError::bad("The action 'amend' needs 'data': the fields to correct.")),
            (_, Some(_)) => return Err(ActionError::bad("Only the action 'amend' may have 'data'.")),
            ("retry", None) => Self::Retry,
            ("skip", None) => Self::Skip,
            ("cancel", None) => Self::Cancel,
            ("release_first", None) => Self::ReleaseFirst,
            _ => {
                let known = "retry, skip, amend, cancel, release_first";
                return Err(ActionError::bad(format!("The action '{name}' is unknown; the actions are: {known}.")));
            }
        };
        Ok(action)
    }

    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Amend { .. } => "amend",
            Self::Cancel => "cancel",
            Self::ReleaseFirst => "release_first",
        }
    }

    /// What it says beside its name, as it travels with the action.
    fn content(&self) -> Option<String> {
        match self {
            Self::Amend { data } => Some(content_of(&Value::Object(data.clone()))),
            Self::Retry | Self::Skip | Self::Cancel | Self::ReleaseFirst => None,
        }
    }

    /// Whether it is for orders that wait for a person.
    pub fn is_for_held(&self) -> bool {
        matches!(self, Self::Retry | Self::Skip | Self::Amend { .. })
    }
}

/// One action on one order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRequest {
    /// The order.
    pub order_id: OrderId,
    /// What is to be done.
    pub action: OrderAction,
    /// Who and why.
    pub words: ActionWords,
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ActionTaken {
    /// The order.
    #[schema(value_type = String)]
    pub order_id: OrderId,
    /// The action's id.
    pub action_id: String,
    /// The order's state after the action.
    pub state: String,
    /// Whether this action id was already applied, so that nothing changed.
    pub repeated: bool,
}

/// What an amendment would change: the names of arguments, by step. Their values are personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AmendmentShown(pub std::collections::BTreeMap<String, Vec<String>>);

/// What of an order's view is looked at.
#[derive(Debug, Deserialize)]
struct Viewed {
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    state: String,
    #[serde(default)]
    waiting_for: Value,
    #[serde(default)]
    steps: Vec<ViewedStep>,
    #[serde(default)]
    actions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ViewedStep {
    name: String,
    state: String,
    attempts: u32,
    #[serde(default)]
    outcome: Option<String>,
}

impl Viewed {
    /// Whether the whole order waits for a person before it begins: then each of its steps does.
    fn waits_as_a_whole(&self) -> bool {
        self.waiting_for["waits_for"] == "person" && self.waiting_for["step"].is_null()
    }

    /// The id of the activity by which a step calls its target, where that is paused in Temporal.
    fn paused_call(&self) -> Option<&str> {
        let is_call = self.waiting_for["paused"]["what"] == "call";
        self.waiting_for["activity_id"].as_str().filter(|_| is_call)
    }

    /// The steps that can still change.
    fn amendable(&self) -> Vec<AmendableStep<'_>> {
        let as_a_whole = self.waits_as_a_whole();
        let step = |step: &'_ ViewedStep| -> Option<bool> {
            match step.state.as_str() {
                "held" => Some(true),
                "open" if step.attempts == 0 => Some(as_a_whole),
                _ => None,
            }
        };
        let amendable = |viewed| {
            step(viewed).map(|is_held| AmendableStep {
                name: &viewed.name,
                is_held,
                seeks_identity: viewed.outcome.as_deref() == Some(ErrorCode::ReleaseUnconfirmed.as_str()),
            })
        };
        self.steps.iter().filter_map(amendable).collect()
    }
}

/// What the entity answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(ActionDone),
    Refused(Refusal),
}

impl Actions {
    /// Takes an action. The same action id again on the same order changes nothing, and says the state as it is now.
    ///
    /// # Errors
    /// [`ActionError`]; where it is `no_worker` or `temporal_unavailable` the action may be taken all the same, and asking
    /// again with the same action id is safe.
    pub async fn on_order(&self, tenant: &TenantId, request: &OrderRequest) -> Result<ActionTaken, ActionError> {
        let OrderRequest { order_id, action, words } = request;
        check_action_words(&words.action_id, &words.actor, &words.reason)?;
        let view = self.viewed(tenant, order_id).await?;
        let taken = |state: String, repeated| ActionTaken {
            order_id: order_id.clone(),
            action_id: words.action_id.clone(),
            state,
            repeated,
        };
        // Recorded first: whoever unpauses it is known. Where that fails, the same action again makes up for it.
        let paused = view.paused_call().filter(|_| *action == OrderAction::Retry);
        let content = action.content();
        let mark = Action::mark_of(&words.action_id, action.name(), (&words.actor, &words.reason), content.as_deref());
        let id_of_0_1 = action_mark_of_0_1(&words.action_id);
        if mark.is_among(view.actions.iter().map(String::as_str), &id_of_0_1)? {
            if let Some(activity) = paused {
                self.unpause(tenant, order_id, activity, words).await?;
            }
            return Ok(taken(view.state, true));
        }
        let kind = match action {
            OrderAction::Retry => ActionKind::Retry,
            OrderAction::Skip => ActionKind::Skip,
            OrderAction::Amend { data } => ActionKind::Amend { steps: self.amendment(tenant, order_id, &view, data)? },
            OrderAction::Cancel => ActionKind::Cancel,
            OrderAction::ReleaseFirst => ActionKind::ReleaseFirst,
        };
        let done = self.act(tenant, order_id, (kind, content), words, paused.is_some()).await?;
        if let Some(activity) = paused {
            self.unpause(tenant, order_id, activity, words).await?;
        }
        Ok(taken(done.state.as_str().to_owned(), done.repeated))
    }

    /// What amending an order would change; nothing is changed by asking.
    ///
    /// # Errors
    /// As [`Actions::on_order`], as far as the order's customer is not asked.
    pub async fn amendment_of(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        data: &Map<String, Value>,
    ) -> Result<AmendmentShown, ActionError> {
        let view = self.viewed(tenant, order).await?;
        let amendment = self.amendment(tenant, order, &view, data)?;
        let names = |(step, arguments): (String, Map<String, Value>)| {
            (step, arguments.into_iter().map(|(name, _)| name).collect())
        };
        Ok(AmendmentShown(amendment.into_iter().map(names).collect()))
    }

    async fn viewed(&self, tenant: &TenantId, order: &OrderId) -> Result<Viewed, InspectionError> {
        let view = self.inspection.order(tenant, order).await?;
        serde_json::from_value(view).map_err(|error| InspectionError::Refused {
            what: format!("The order {order}"),
            reason: format!("its view cannot be read: {error}"),
        })
    }

    fn amendment(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        view: &Viewed,
        data: &Map<String, Value>,
    ) -> Result<Amendment, ActionError> {
        let steps = view.amendable();
        if !steps.iter().any(|step| step.is_held) {
            let detail = "No step of this order waits for a person.".to_owned();
            return Err(ActionError::Refused { code: ErrorCode::NothingHeld, detail });
        }
        let amended = AmendedOrder {
            tenant,
            customer: &order.customer(),
            event_id: &view.event_id,
            event_type: &view.event_type,
            steps: &steps,
        };
        Ok(self.installation.catalog.amendment(&amended, data)?)
    }

    async fn act(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        (kind, content): (ActionKind, Option<String>),
        words: &ActionWords,
        paused_call: bool,
    ) -> Result<ActionDone, ActionError> {
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let action = Action {
            action_id: words.action_id.clone(),
            order_id: order.clone(),
            kind,
            actor: words.actor.clone(),
            reason: words.reason.clone(),
            paused_call,
            content,
        };
        // An action is one order's and one caller's: the same id may be given for several.
        let (id, argument) = (format!("{order}/{}", action.mark()), json!(action));
        let answered = self.update(Update {
            what: &what,
            entity: &entity,
            name: names::ACT,
            id: &id,
            argument: &argument,
            limit: ANSWER_LIMIT,
        });
        // The order was seen a moment ago: what its customer knows nothing of stands alone.
        let alone = || ActionError::Refused {
            code: ErrorCode::ActionOnOther,
            detail: "This order is standalone: it waits for no turn, and it belongs to no customer's entity."
                .to_owned(),
        };
        let answer = match answered.await {
            Err(InspectionError::NeverSeen(_)) => return Err(alone()),
            answer => answer?,
        };
        match serde_json::from_value(answer) {
            Ok(Answer::Done(done)) => Ok(done),
            Ok(Answer::Refused(refusal)) if refusal.code == ErrorCode::OrderUnknown => Err(alone()),
            Ok(Answer::Refused(refusal)) => Err(refusal.into()),
            Err(error) => {
                let reason = format!("its answer cannot be read: {error}");
                Err(InspectionError::Refused { what, reason }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewed(view: Value) -> Viewed {
        serde_json::from_value(view).unwrap()
    }

    fn step(name: &str, state: &str, attempts: u32) -> Value {
        json!({"name": name, "target": "hss", "operation": "do", "state": state, "attempts": attempts, "outcome": null})
    }

    #[test]
    fn held_steps_and_those_that_have_not_begun_can_be_amended() {
        let steps = [step("a", "held", 1), step("b", "done", 1), step("c", "open", 0), step("d", "open", 1)];
        let view = viewed(json!({"event_id": "e", "type": "t", "state": "held", "steps": steps,
            "waiting_for": {"waits_for": "person", "step": "a", "code": "no", "detail": "no"}}));
        let held = |name, is_held| AmendableStep { name, is_held, seeks_identity: false };
        assert_eq!(view.amendable(), [held("a", true), held("c", false)]);
    }

    #[test]
    fn of_an_order_that_waits_as_a_whole_every_step_waits() {
        let view = viewed(json!({"event_id": "e", "type": "t", "state": "held", "steps": [step("a", "open", 0)],
            "waiting_for": {"waits_for": "person", "step": null, "code": "late", "detail": "late"}}));
        assert_eq!(view.amendable(), [AmendableStep { name: "a", is_held: true, seeks_identity: false }]);
    }

    #[test]
    fn only_an_amendment_has_data() {
        let data = || Some(Map::new());
        assert_eq!(OrderAction::of_name("amend", data()).unwrap().name(), "amend");
        for (name, data) in [("amend", None), ("retry", data()), ("explode", None)] {
            assert_eq!(OrderAction::of_name(name, data).unwrap_err().code(), ErrorCode::BadAction);
        }
        for name in ["retry", "skip", "cancel", "release_first"] {
            assert_eq!(OrderAction::of_name(name, None).unwrap().name(), name);
        }
    }
}
