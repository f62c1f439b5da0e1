//! Finds the open standalone orders. Temporal's visibility store lists their activities; the state of each
//! is then read from Temporal one by one, as for a single order: the store lags a little, and knows neither
//! the order nor whether it was started.

use futures_util::StreamExt;
use interlock_client::standalone_activities::{self, ActivityPage, ListedActivity};
use interlock_domain::customer::{ListedOrder, OrderView};
use interlock_domain::ids::{OrderId, TenantId};
use interlock_workflows::TargetActivities;
use temporalio_common::ActivityDefinition as _;

use super::InspectionError;
use super::cursor::{Cursor, EntityPlace, from_place};
use super::listing::{ASKED_AT_A_TIME, OrderFilter, PAGE_TIME, Round, unanswered};
use super::standalone::standalone_view;

/// An order that was found.
struct Found {
    order: OrderId,
    place: EntityPlace,
}

/// The query for the open orders that may match a filter, of a tenant if the namespace knows the tenants. The
/// queue is that of the filter's target.
fn question(tenant: Option<&TenantId>, filter: &OrderFilter, queue: Option<&str>) -> String {
    let states = if filter.held_only() { "'Paused'" } else { "'Running', 'Paused'" };
    let name = TargetActivities::provision.name();
    let mut clauses = vec![format!("ActivityType = '{name}'"), format!("ExecutionStatus IN ({states})")];
    // A value that cannot be written in a query is left out of it: the tenant is checked again for each result.
    if let Some(tenant) = tenant.map(TenantId::as_str).filter(|tenant| is_quotable(tenant)) {
        // An earlier build, or one in a namespace without the attribute, did not set the tenant.
        clauses.push(format!("(InterlockTenant = '{tenant}' OR InterlockTenant IS NULL)"));
    }
    if let Some(customer) = filter.customer.as_ref().filter(|customer| is_quotable(customer.as_str())) {
        clauses.push(format!("ActivityId STARTS_WITH '{customer}~'"));
    }
    // The names of queues are percent-encoded.
    clauses.extend(queue.map(|queue| format!("TaskQueue = '{queue}'")));
    clauses.join(" AND ")
}

/// Temporal's visibility stores do not agree on how a quote or a backslash within a text is written.
fn is_quotable(text: &str) -> bool {
    !text.contains(|letter: char| letter.is_control() || matches!(letter, '\'' | '"' | '`' | '\\'))
}

/// The order of this activity, if it may belong to this tenant and match the filter.
fn found(activity: ListedActivity, tenant: &TenantId, filter: &OrderFilter) -> Option<Found> {
    let order: OrderId = activity.activity_id.parse().ok()?;
    if filter.customer.as_ref().is_some_and(|customer| *customer != order.customer()) || !activity.may_be_of(tenant) {
        return None;
    }
    let place = EntityPlace { workflow_id: activity.activity_id, started_ms: activity.started_ms };
    Some(Found { order, place })
}

/// An order as lists show it; none if it has ended, or does not match the filter.
fn listed(view: OrderView, filter: &OrderFilter) -> Option<ListedOrder> {
    let state = view.state.known().filter(|state| !state.is_terminal())?;
    let waiting = view.waiting_for?;
    let since = waiting.since().to_owned();
    let order = ListedOrder {
        order_id: view.order_id,
        event_id: view.event_id,
        event_type: view.event_type,
        customer_id: view.customer_id,
        state: view.state,
        target: waiting.target().cloned(),
        code: view.code.or_else(|| waiting.code().map(str::to_owned)),
        accepted_at: since.clone(),
        since,
        waiting_for: Some(waiting),
        due_at: None,
        stands_alone: true,
    };
    let is_wanted = (filter.states.is_empty() || filter.states.contains(&state))
        && (filter.target.is_none() || order.target == filter.target)
        && (filter.code.is_none() || order.code == filter.code);
    is_wanted.then_some(order)
}

impl Round<'_> {
    /// Adds the standalone orders to the page, from the cursor's position, and returns where the list continues; if none can
    /// match, Temporal is not asked.
    ///
    /// # Errors
    /// [`InspectionError`], if they cannot be listed.
    pub(super) async fn add_those_alone(&mut self, mut cursor: Cursor) -> Result<Option<String>, InspectionError> {
        if !self.asked.may_stand_alone() {
            return Ok(None);
        }
        loop {
            let ActivityPage { activities, next } = self.find_those_alone(cursor.token()?).await?;
            let found = activities.into_iter().filter_map(|activity| found(activity, self.tenant, self.filter));
            let orders: Vec<Found> = found.collect();
            let orders = match &cursor.entity {
                Some(place) => from_place(orders, place, |found| &found.place).0,
                None => orders,
            };
            if let Some(stopped) = self.describe_each(orders).await {
                return Ok(Some(cursor.at(stopped.place, None).to_text()));
            }
            if next.is_empty() {
                return Ok(None);
            }
            cursor = Cursor::alone(&next);
            // Whole pages may belong to other tenants: each still makes progress.
            if self.is_over() || self.began.elapsed() > PAGE_TIME {
                return Ok(Some(cursor.to_text()));
            }
        }
    }

    async fn find_those_alone(&self, token: Vec<u8>) -> Result<ActivityPage, InspectionError> {
        let installation = &self.inspection.installation;
        let namespace = installation.routing.namespace(self.tenant);
        let queue = self.filter.target.as_ref().map(|target| installation.routing.provisioning_queue(target));
        let known = installation.entities.has_search_attributes(namespace).await.then_some(self.tenant);
        let question = question(known, &self.asked, queue.as_deref());
        Ok(standalone_activities::find(&installation.client, namespace, &question, token).await?)
    }

    /// Reads these orders, several at a time, and adds those that match to the page. Returns at which to continue, if the page
    /// is full before all were handled.
    async fn describe_each(&mut self, orders: Vec<Found>) -> Option<Found> {
        let (inspection, tenant) = (self.inspection, self.tenant);
        let described = futures_util::stream::iter(orders.into_iter().map(|found| async move {
            let view = standalone_view(&inspection.installation, tenant, &found.order).await;
            (found, view)
        }));
        let mut described = std::pin::pin!(described.buffered(ASKED_AT_A_TIME));
        while let Some((found, view)) = described.next().await {
            if self.is_over() {
                return Some(found);
            }
            self.progressed = true;
            match view {
                Ok(view) => {
                    let shown = view.map(|mut view| {
                        self.windows.show_in_view(&mut view);
                        view
                    });
                    self.page.orders.extend(shown.and_then(|view| listed(view, self.filter)));
                }
                Err(error) => self.page.unanswered.push(unanswered(found.order.customer(), &error)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::customer::waiting::WaitingFor;
    use interlock_domain::order::OrderState;

    use super::*;

    fn order(customer: &str) -> OrderId {
        OrderId::derive(&"blue".parse().unwrap(), &customer.parse().unwrap(), "s", "1", None)
    }

    fn activity(order: &OrderId, tenant: Option<&str>) -> ListedActivity {
        ListedActivity { activity_id: order.to_string(), tenant: tenant.map(str::to_owned), started_ms: 0 }
    }

    fn view(state: OrderState) -> OrderView {
        let since = "2026-01-01T00:00:00Z".to_owned();
        OrderView {
            order_id: order("A1"),
            event_id: "1".to_owned(),
            customer_id: "A1".parse().unwrap(),
            event_type: "quota.exceeded".to_owned(),
            state: state.into(),
            waiting_for: Some(
                WaitingFor::Target { target: "notify".parse().unwrap(), step: "send".to_owned(), since }.into(),
            ),
            due_at: None,
            reset_at: None,
            steps: Vec::new(),
            claims: Vec::new(),
            actions: Vec::new(),
            code: None,
            detail: None,
            no_longer_kept: false,
            entity_ended: None,
        }
    }

    #[test]
    fn those_are_asked_for_that_the_filter_may_let_through() {
        let all = question(Some(&"blue".parse().unwrap()), &OrderFilter::default(), None);
        assert_eq!(
            all,
            "ActivityType = 'provision' AND ExecutionStatus IN ('Running', 'Paused') AND \
             (InterlockTenant = 'blue' OR InterlockTenant IS NULL)"
        );
        let customer = Some("A 1".parse().unwrap());
        let held = OrderFilter { states: vec![OrderState::Held], customer, ..OrderFilter::default() };
        let held = question(None, &held, Some("interlock.provisioning-sms"));
        assert!(
            held.contains("IN ('Paused') AND ActivityId STARTS_WITH 'A 1~' AND TaskQueue = 'interlock.p"),
            "{held}"
        );
        let customer = Some(r"O'Neill\".parse().unwrap());
        let quoted =
            question(Some(&"o'neill".parse().unwrap()), &OrderFilter { customer, ..OrderFilter::default() }, None);
        assert!(!quoted.contains("eill"), "{quoted}");
    }

    #[test]
    fn nobody_is_shown_what_is_of_another_tenant_or_customer() {
        let blue: TenantId = "blue".parse().unwrap();
        let is_found = |activity: ListedActivity, filter: &OrderFilter| found(activity, &blue, filter).is_some();
        let all = OrderFilter::default();
        assert!(is_found(activity(&order("A1"), Some("blue")), &all));
        assert!(is_found(activity(&order("A1"), None), &all));
        assert!(!is_found(activity(&order("A1"), Some("red")), &all));
        let of_a1 = OrderFilter { customer: Some("A1".parse().unwrap()), ..OrderFilter::default() };
        assert!(is_found(activity(&order("A1"), Some("blue")), &of_a1));
        assert!(!is_found(activity(&order("A1~B"), Some("blue")), &of_a1));
    }

    #[test]
    fn one_that_stands_alone_is_listed_as_any_other_until_it_is_over() {
        let all = OrderFilter::default();
        let order = listed(view(OrderState::Acknowledged), &all).unwrap();
        assert_eq!((order.target, order.stands_alone), (Some("notify".parse().unwrap()), true));
        assert_eq!(order.since, "2026-01-01T00:00:00Z");
        assert_eq!(listed(view(OrderState::Completed), &all), None);
        let filter = |states: &[OrderState], target: &str| OrderFilter {
            states: states.to_vec(),
            target: Some(target.parse().unwrap()),
            ..OrderFilter::default()
        };
        assert!(listed(view(OrderState::Acknowledged), &filter(&[OrderState::Acknowledged], "notify")).is_some());
        assert!(listed(view(OrderState::Acknowledged), &filter(&[OrderState::InProgress], "notify")).is_none());
        assert!(listed(view(OrderState::Acknowledged), &filter(&[], "hss")).is_none());
    }
}
