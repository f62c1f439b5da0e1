//! Notes what happens in a forecast, and shows it.

use super::{EVENTS_MAX, Forecast, Known};
use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, OrderId, ResourceId};
use crate::message::ProvisionRequest;
use crate::resource::{Holder, Resource};
use crate::views::{ActionForecast, ForecastEvent, ForecastHolder, ForecastOrder, ForecastResource, ForecastWhat};

impl Forecast<'_> {
    /// What would happen, once nothing more happens by itself.
    pub fn view(&self, action: &str) -> ActionForecast {
        ActionForecast {
            next: self.next.clone(),
            cut_off: self.cut_off,
            orders: self.touched.iter().filter_map(|order| self.order(order)).collect(),
            resources: self.resources.iter().filter_map(|(id, known)| self.shown_resource(id, known)).collect(),
            assumes: self.assumed(),
            unknown: self.unknown.iter().cloned().collect(),
            ..ActionForecast::of_nothing(action, false)
        }
    }

    fn assumed(&self) -> Vec<String> {
        let mut assumed =
            vec!["Every call that starts is answered 'done', and no other event or action comes first.".to_owned()];
        for (target, not_called) in &self.targets {
            assumed.extend(not_called.iter().map(|why| format!("Calls to {target} do not start: {why}.")));
        }
        if self.looked_up.0 {
            let forced = "The target says that the resource is registered to nobody. If it says otherwise, the action is refused, \
                          unless it is to be done even if registered.";
            assumed.push(forced.to_owned());
        }
        if self.looked_up.1 {
            assumed.push("A target that is asked who is registered says what the ledger says.".to_owned());
        }
        assumed
    }

    pub(super) fn touch(&mut self, order: &OrderId) {
        if !self.touched.contains(order) {
            self.touched.push(order.clone());
        }
    }

    fn note(&mut self, event: ForecastEvent) {
        if let Some(order) = &event.order_id {
            self.touch(&order.clone());
        }
        if self.next.len() < EVENTS_MAX {
            self.next.push(event);
        } else {
            self.cut_off = true;
        }
    }

    fn blank(&self, what: ForecastWhat) -> ForecastEvent {
        ForecastEvent {
            what: what.into(),
            after_ms: self.after_ms(),
            customer_id: None,
            order_id: None,
            resource: None,
            step: None,
            target: None,
            operation: None,
            state: None,
        }
    }

    pub(super) fn note_call(&mut self, request: &ProvisionRequest) {
        let event = ForecastEvent {
            customer_id: Some(request.customer.clone()),
            order_id: Some(request.order.clone()),
            step: Some(request.step.clone()),
            target: Some(request.target.clone()),
            operation: Some(request.operation.clone()),
            ..self.blank(ForecastWhat::Call)
        };
        self.note(event);
    }

    /// Notes the orders of a customer that have ended since this one did.
    pub(super) fn note_ends(&mut self, customer: &CustomerId, before: Option<&OrderId>) {
        let Some(machine) = self.customer(customer) else { return };
        let since = machine.remembered().iter().rev().take_while(|over| Some(&over.order) != before);
        let mut ended: Vec<_> = since.map(|over| (over.order.clone(), over.state)).collect();
        ended.reverse();
        for (order, state) in ended {
            let event = ForecastEvent {
                customer_id: Some(customer.clone()),
                order_id: Some(order),
                state: Some(state.as_str().to_owned()),
                ..self.blank(ForecastWhat::Ended)
            };
            self.note(event);
        }
    }

    pub(super) fn note_hand_over(&mut self, resource: &ResourceId, before: Option<&Holder>, after: Option<&Holder>) {
        if before.map(|holder| holder.epoch) == after.map(|holder| holder.epoch) {
            return;
        }
        if let Some(before) = before {
            let event = ForecastEvent {
                customer_id: self.own(before),
                resource: Some(resource.clone()),
                ..self.blank(ForecastWhat::Released)
            };
            self.note(event);
        }
        if let Some(after) = after {
            let customer_id = self.own(after);
            let order = after.ticket.as_ref().map(|ticket| ticket.key.order.clone());
            let event = ForecastEvent {
                order_id: order.filter(|_| customer_id.is_some()),
                customer_id,
                resource: Some(resource.clone()),
                ..self.blank(ForecastWhat::Granted)
            };
            self.note(event);
        }
    }

    /// The holder, if it is a customer of the forecast's tenant.
    fn own(&self, holder: &Holder) -> Option<CustomerId> {
        let customer = holder.customer().filter(|customer| customer.tenant == self.tenant);
        customer.map(|customer| customer.customer.clone())
    }

    fn order(&self, id: &OrderId) -> Option<ForecastOrder> {
        let customer_id = id.customer();
        let known = self.customers.get(&customer_id)?;
        let then = known.machine().and_then(|machine| machine.order_view(id));
        let (state, waits_for, code) =
            then.map_or((None, None, None), |view| (Some(view.state), view.waiting_for, view.code));
        Some(ForecastOrder {
            order_id: id.clone(),
            customer_id,
            now: known.before().and_then(|before| before.state_of(id)).map(Into::into),
            then: state,
            waits_for,
            code: code.map(|code| ReasonCode::of_target(&code)),
        })
    }

    fn shown_resource(&self, id: &ResourceId, known: &Known<Resource>) -> Option<ForecastResource> {
        let (before, after) = (known.before()?, known.machine()?);
        let epoch = |machine: &Resource| machine.holder().map(|holder| holder.epoch);
        if epoch(before) == epoch(after) && !self.acted_on.contains(id) {
            return None;
        }
        let holder = |machine: &Resource| ForecastHolder {
            held: machine.holder().is_some(),
            customer_id: machine.holder().and_then(|holder| self.own(holder)),
        };
        Some(ForecastResource {
            resource: id.clone(),
            now: holder(before),
            then: holder(after),
            waiting: after.queue().len(),
        })
    }
}
