//! Events that make two orders, one for the giving and one for the receiving customer: each is planned as an event
//! type of its own, by its own customer, and the giving one passes the other on.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Catalog;
use super::event_rule::{Body, EventRule, HalfRule};
use super::plan::{Forward, PlanContext, Planned, facts};
use super::template::{Facts, FieldPath, invalid, render_fields};
use crate::error_code::ErrorCode;
use crate::event::{self, Event, Half, ROLE_ATTRIBUTE};
use crate::ids::{CustomerId, OrderId, TenantId};
use crate::order::{Plan, Rejection};
use crate::trace_parent::TRACE_PARENT_ATTRIBUTE;

impl Catalog {
    /// The orders that an event makes: that of its subject and, if its type makes two, that of the receiving customer.
    ///
    /// # Errors
    /// A [`Rejection`] if the catalog does not admit the event.
    pub fn orders_of(&self, tenant: &TenantId, event: &Event) -> Result<Vec<OrderId>, Rejection> {
        let (rule, data) = self.admitted(event)?;
        let mut orders = vec![self.order_id(tenant, event)];
        if let Body::Split { to, .. } = &rule.body
            && event.half != Some(Half::To)
        {
            let receiving = customer(&facts(tenant, event, &data), &to.customer)?;
            let role = Some(Half::To.as_str());
            orders.push(OrderId::derive(tenant, &receiving, &event.source, &event.id, role));
        }
        Ok(orders)
    }

    /// Plans one of the two orders of an event.
    pub(super) fn plan_half(
        &self,
        context: &PlanContext<'_>,
        event: &Event,
        data: &Map<String, Value>,
        from: &HalfRule,
        to: &HalfRule,
    ) -> Result<Planned, Rejection> {
        let half = event.half.unwrap_or(Half::From);
        let facts = facts(context.tenant, event, data);
        let (giving, receiving) = (customer(&facts, &from.customer)?, customer(&facts, &to.customer)?);
        if giving == receiving {
            return Err(Rejection::new(ErrorCode::SameCustomer, "The giving and the receiving customer are the same."));
        }
        let (own, subject) = if half == Half::From { (from, &giving) } else { (to, &receiving) };
        if event.subject != *subject {
            let field = own.customer.join(".");
            let detail = format!("The event's subject must be the customer that data.{field} names.");
            return Err(Rejection::new(ErrorCode::SubjectMismatch, detail));
        }
        let plan = self.plan_as(context, event, own, &facts)?;
        let mut forward = None;
        if half == Half::From {
            // The other order is planned here too, and dropped: an event is accepted as a whole or not at all.
            let other = PlanContext { customer: &receiving, holdings: &BTreeMap::new(), ..*context };
            self.plan_as(&other, event, to, &Facts { customer: &receiving, ..facts })?;
            forward = Some(forwarded(context, event, data, receiving)?);
        }
        Ok(Planned { order: event.order_id(context.tenant, Some(half)), plan, forward })
    }

    /// Plans one of the two orders as the event type that it stands for.
    fn plan_as(
        &self,
        context: &PlanContext<'_>,
        event: &Event,
        half: &HalfRule,
        facts: &Facts<'_>,
    ) -> Result<Plan, Rejection> {
        let name = &half.planned_as.1;
        let stands_for = Event {
            subject: context.customer.clone(),
            event_type: name.clone(),
            half: None,
            data: render_fields(&half.with, facts)?,
            ..event.clone()
        };
        match self.admitted(&stands_for)? {
            (EventRule { body: Body::Order(order), .. }, data) => self.plan_order(context, order, &stands_for, &data),
            // The checker ensures that neither of the two makes two orders again.
            _ => Err(Rejection::new(
                ErrorCode::UnknownEventType,
                format!("The event type '{name}' does not create a single order."),
            )),
        }
    }
}

fn customer(facts: &Facts<'_>, path: &FieldPath) -> Result<CustomerId, Rejection> {
    let text = facts.field_text(path)?;
    if text.chars().any(char::is_control) {
        return Err(invalid(path, "must not contain control characters"));
    }
    text.parse().map_err(|fault| invalid(path, &format!("must be a valid customer id: {fault}")))
}

/// The event for the receiving customer: the same id and source, so that the producer can know its order's id, and the
/// same place in time, so that both orders sort alike.
fn forwarded(
    context: &PlanContext<'_>,
    event: &Event,
    data: &Map<String, Value>,
    receiving: CustomerId,
) -> Result<Forward, Rejection> {
    let mut passed_on = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.event_type,
        "subject": receiving.as_str(),
        "time": event.time.unwrap_or(context.accepted_at).to_rfc3339(),
        "datacontenttype": "application/json",
        ROLE_ATTRIBUTE: Half::To.as_str(),
        "data": data,
    });
    if let Some(sequence) = &event.sequence {
        passed_on["sequence"] = Value::from(sequence.as_str());
    }
    if let Some(priority) = &event.priority {
        passed_on["priority"] = priority.clone();
    }
    if let Some(trace_parent) = &event.trace_parent {
        passed_on[TRACE_PARENT_ATTRIBUTE] = Value::from(trace_parent.to_string());
    }
    // If the giving order is sorted by the event's own time, so is the receiving one.
    let is_own_time = event.time == Some(context.accepted_at) && event.accepted_at != event.time;
    if !is_own_time {
        // An event with a future time is sorted by its acceptance, which is the same for both orders.
        event::stamp(&mut passed_on, context.accepted_at, context.limits.event_bytes_max);
    }
    let bytes = passed_on.to_string().len();
    if bytes > context.limits.event_bytes_max {
        let detail = format!(
            "The event for the receiving customer would have {bytes} bytes; the limit is {}.",
            context.limits.event_bytes_max
        );
        return Err(Rejection::new(ErrorCode::EventTooLarge, detail));
    }
    let order = OrderId::derive(context.tenant, &receiving, &event.source, &event.id, Some(Half::To.as_str()));
    Ok(Forward { customer: receiving, order, event: passed_on })
}
