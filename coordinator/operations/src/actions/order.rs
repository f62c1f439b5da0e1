//! Actions on orders.

use std::time::Duration;

use interlock_domain::action_log::ActionObject;
use interlock_domain::action_mark::content_of;
use interlock_domain::catalog::{AmendableStep, AmendedOrder, Amendment};
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::customer::{
    Action, ActionDone, ActionKind, OrderView, PausedWhat, Refusal, StepStateName, StepView, WaitView,
    action_mark_of_0_1,
};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::order::OrderState;
use interlock_domain::views::{ActionTaken, AmendmentView, OrderActionAnswer};
use interlock_domain::wire::WireName;
use interlock_workflows::names;
use serde_json::{Map, Value};

use super::update::Update;
use super::{ActionError, ActionWords, Actions, Noted};
use crate::inspection::InspectionError;

/// How long a customer's entity may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A person's action on an order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderAction {
    /// Run the held steps again.
    Retry,
    /// Skip the held steps.
    Skip,
    /// Correct fields of the event's data, and run the held steps that use them again.
    Amend {
        /// The fields, each as a producer would send it.
        data: Map<String, Value>,
    },
    /// End it.
    Cancel,
    /// Let its release run before its assign is granted.
    ReleaseFirst,
}

impl OrderAction {
    /// The action with this name on the wire.
    ///
    /// # Errors
    /// `bad_action`: the name is unknown, or `data` is missing or not allowed.
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

    /// A digest of its content besides its name, as sent with the action.
    fn content(&self) -> Option<String> {
        match self {
            Self::Amend { data } => Some(content_of(&Value::Object(data.clone()))),
            Self::Retry | Self::Skip | Self::Cancel | Self::ReleaseFirst => None,
        }
    }

    /// The fields to correct; null unless it amends.
    fn data(&self) -> Value {
        match self {
            Self::Amend { data } => Value::Object(data.clone()),
            Self::Retry | Self::Skip | Self::Cancel | Self::ReleaseFirst => Value::Null,
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
    /// The action.
    pub action: OrderAction,
    /// Action id, actor and reason.
    pub words: ActionWords,
}

/// An action that its customer's entity would be asked for.
pub(super) struct Prepared {
    /// The order now.
    pub(super) view: OrderView,
    /// The id of the activity to unpause: the call of a step that is paused in Temporal.
    pub(super) paused: Option<String>,
    /// The action; none if it was already taken.
    pub(super) action: Option<Action>,
}

/// Whether the whole order waits for a person before it starts: then each of its steps does.
fn waits_as_a_whole(view: &OrderView) -> bool {
    let waiting = view.waiting_for.as_ref();
    waiting.is_some_and(|waiting| waiting.kind() == WaitKind::Person && waiting.step().is_none())
}

/// The id of the activity with which a step of an order calls its target, if it is paused in Temporal.
fn paused_call(view: &OrderView) -> Option<&str> {
    let WaitView { paused, call, .. } = view.waiting_for.as_ref()?;
    let is_call = paused.as_ref().is_some_and(|paused| paused.what == PausedWhat::Call);
    call.as_ref().map(|call| call.activity_id.as_str()).filter(|_| is_call)
}

/// The steps of an order that can still change.
fn amendable(view: &OrderView) -> Vec<AmendableStep<'_>> {
    let as_a_whole = waits_as_a_whole(view);
    let can_change = |step: &StepView| match step.state.known()? {
        StepStateName::Held => Some(true),
        StepStateName::Open if step.attempts == 0 => Some(as_a_whole),
        _ => None,
    };
    let amendable = |step| {
        can_change(step).map(|is_held| AmendableStep {
            name: &step.name,
            is_held,
            seeks_identity: step.outcome.as_deref() == Some(ErrorCode::ReleaseUnconfirmed.as_str()),
        })
    };
    view.steps.iter().filter_map(amendable).collect()
}

impl Actions {
    /// Takes an action. Repeating the action id on the same order changes nothing, and returns the present state.
    ///
    /// # Errors
    /// [`ActionError`]; after `no_worker` or `temporal_unavailable` the action may still be taken, and asking
    /// again with the same action id is safe.
    pub async fn on_order(&self, tenant: &TenantId, request: &OrderRequest) -> Result<ActionTaken, ActionError> {
        let noted = Noted {
            tenant: Some(tenant),
            on: ActionObject::Order,
            id: request.order_id.to_string(),
            action: request.action.name(),
            content: request.action.data(),
            words: &request.words,
        };
        let signed = OrderRequest { words: request.words.for_entity(), ..request.clone() };
        let act = Box::pin(self.taken_on_order(tenant, &signed));
        self.logs.noted(noted, |taken| taken.state.to_string(), act).await
    }

    async fn taken_on_order(&self, tenant: &TenantId, request: &OrderRequest) -> Result<ActionTaken, ActionError> {
        let OrderRequest { order_id, words, .. } = request;
        let taken = |state: WireName<OrderState>, repeated| ActionTaken {
            order_id: order_id.clone(),
            action_id: words.action_id.clone(),
            state,
            repeated,
        };
        let Prepared { view, paused, action } = self.prepared(tenant, request).await?;
        // The action is recorded first, so that it is known who unpauses. If unpausing fails, repeating the action does it.
        let (state, repeated) = match action {
            Some(action) => {
                let done = self.act(tenant, &action).await?;
                (done.state, done.repeated)
            }
            None => (view.state, true),
        };
        if let Some(activity) = paused {
            self.unpause(tenant, order_id, &activity, words).await?;
        }
        Ok(taken(state, repeated))
    }

    /// Checks an action as far as that is possible without its customer's entity.
    ///
    /// # Errors
    /// [`ActionError`].
    pub(super) async fn prepared(&self, tenant: &TenantId, request: &OrderRequest) -> Result<Prepared, ActionError> {
        let OrderRequest { order_id, action, words } = request;
        words.check()?;
        let view = self.inspection.order(tenant, order_id).await?;
        let paused = paused_call(&view).filter(|_| *action == OrderAction::Retry).map(str::to_owned);
        let content = action.content();
        let mark = Action::mark_of(&words.action_id, action.name(), (&words.actor, &words.reason), content.as_deref());
        let id_of_0_1 = action_mark_of_0_1(&words.action_id);
        if mark.is_among(view.actions.iter().map(String::as_str), &id_of_0_1)? {
            return Ok(Prepared { view, paused, action: None });
        }
        let kind = match action {
            OrderAction::Retry => ActionKind::Retry,
            OrderAction::Skip => ActionKind::Skip,
            OrderAction::Amend { data } => ActionKind::Amend { steps: self.amendment(tenant, order_id, &view, data)? },
            OrderAction::Cancel => ActionKind::Cancel,
            OrderAction::ReleaseFirst => ActionKind::ReleaseFirst,
        };
        let action = Action {
            action_id: words.action_id.clone(),
            order_id: order_id.clone(),
            kind,
            actor: words.actor.clone(),
            reason: words.reason.clone(),
            paused_call: paused.is_some(),
            content,
        };
        Ok(Prepared { view, paused, action: Some(action) })
    }

    /// What amending an order would change; this changes nothing.
    ///
    /// # Errors
    /// As [`Actions::on_order`], except the refusals of the order's customer.
    pub async fn amendment_of(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        data: &Map<String, Value>,
    ) -> Result<AmendmentView, ActionError> {
        let view = self.inspection.order(tenant, order).await?;
        let amendment = self.amendment(tenant, order, &view, data)?;
        let names = |(step, arguments): (String, Map<String, Value>)| {
            (step, arguments.into_iter().map(|(name, _)| name).collect())
        };
        Ok(AmendmentView(amendment.into_iter().map(names).collect()))
    }

    fn amendment(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        view: &OrderView,
        data: &Map<String, Value>,
    ) -> Result<Amendment, ActionError> {
        let steps = amendable(view);
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

    async fn act(&self, tenant: &TenantId, action: &Action) -> Result<ActionDone, ActionError> {
        let order = &action.order_id;
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        // An action belongs to one order and one caller: the same id may be used for several.
        let id = format!("{order}/{}", action.mark());
        let answered = self.update(Update {
            what: &what,
            entity: &entity,
            name: names::ACT,
            id: &id,
            argument: action,
            limit: ANSWER_LIMIT,
        });
        match answered.await {
            Err(InspectionError::NeverSeen(_)) => Err(of_no_entity()),
            Err(error) => Err(error.into()),
            Ok(OrderActionAnswer::Taken { done }) => Ok(done),
            Ok(OrderActionAnswer::Refused { refused }) => Err(of_customer(refused)),
        }
    }
}

/// A customer's refusal. The order was seen a moment ago: if its customer does not know it, it is a standalone order.
pub(super) fn of_customer(refused: Refusal) -> ActionError {
    if refused.code == ErrorCode::OrderUnknown { of_no_entity() } else { refused.into() }
}

/// The refusal of an action on an order that is seen, and that no entity has.
pub(super) fn of_no_entity() -> ActionError {
    ActionError::Refused {
        code: ErrorCode::ActionOnOther,
        detail: "This order is standalone: it waits for no turn, and it belongs to no customer's entity.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn viewed(steps: &[Value], waiting_for: &Value) -> OrderView {
        let order = OrderId::derive(&"t".parse().unwrap(), &"A".parse().unwrap(), "s", "e", None);
        let view = json!({
            "order_id": order, "event_id": "e", "customer_id": "A", "type": "t", "state": "held", "steps": steps,
            "waiting_for": waiting_for,
        });
        serde_json::from_value(view).unwrap()
    }

    fn step(name: &str, state: &str, attempts: u32) -> Value {
        json!({"name": name, "target": "hss", "operation": "do", "state": state, "attempts": attempts, "outcome": null})
    }

    #[test]
    fn held_steps_and_those_that_have_not_begun_can_be_amended() {
        let steps = [step("a", "held", 1), step("b", "done", 1), step("c", "open", 0), step("d", "open", 1)];
        let waiting =
            json!({"waits_for": "person", "step": "a", "target": "hss", "code": "no", "detail": "no", "since": ""});
        let view = viewed(&steps, &waiting);
        let held = |name, is_held| AmendableStep { name, is_held, seeks_identity: false };
        assert_eq!(amendable(&view), [held("a", true), held("c", false)]);
    }

    #[test]
    fn of_an_order_that_waits_as_a_whole_every_step_waits() {
        let waiting =
            json!({"waits_for": "person", "step": null, "target": null, "code": "late", "detail": "late", "since": ""});
        let view = viewed(&[step("a", "open", 0)], &waiting);
        assert_eq!(amendable(&view), [AmendableStep { name: "a", is_held: true, seeks_identity: false }]);
    }

    #[test]
    fn only_a_call_that_is_paused_itself_is_unpaused() {
        let paused = |what: &str| {
            let waiting = json!({
                "waits_for": "target", "target": "hss", "step": "a", "since": "", "paused": {"what": what},
                "activity_id": "7", "attempt": 1,
            });
            paused_call(&viewed(&[], &waiting)).map(str::to_owned)
        };
        assert_eq!((paused("call").as_deref(), paused("workflow")), (Some("7"), None));
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
