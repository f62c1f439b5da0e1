//! Finds open orders: of one customer by asking its entity, of a tenant by asking each entity that has open orders according to Temporal;
//! after them the standalone orders.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use interlock_client::visibility::{self, FoundCustomer};
use interlock_domain::customer::{self, ListedOrder};
use interlock_domain::ids::{CustomerId, OrderId, TenantId};
use interlock_domain::views::{OrderPage, Unanswered};
use interlock_workflows::names;

use super::cursor::{Cursor, EntityPlace, from_place};
pub use super::order_filter::OrderFilter;
use super::windows::Windows;
use super::{Inspection, InspectionError};

/// How many orders a page has by default.
pub const LIMIT_DEFAULT: usize = 100;
/// The most orders that a page may have.
pub const LIMIT_MAX: usize = 1_000;
/// How many entities are asked at a time.
pub(super) const ASKED_AT_A_TIME: usize = 8;
/// A page ends after this time, however few orders it has: its caller waits, and can continue from there.
pub(super) const PAGE_TIME: Duration = Duration::from_secs(5);

/// A customer's entity, and its position in the list.
struct Found {
    customer: CustomerId,
    place: EntityPlace,
}

impl From<FoundCustomer> for Found {
    fn from(found: FoundCustomer) -> Self {
        let FoundCustomer { customer, workflow_id, started_ms } = found;
        Self { customer, place: EntityPlace { workflow_id, started_ms } }
    }
}

/// The matching orders of those that an entity listed, at most `room` of them, and after which to continue, if there may be more.
fn taken(
    listed: customer::OrderPage,
    (filter, windows): (&OrderFilter, &Windows),
    room: usize,
    now: DateTime<Utc>,
) -> (Vec<ListedOrder>, Option<OrderId>) {
    let customer::OrderPage { mut orders, mut next } = listed;
    for order in &mut orders {
        windows.show_in_list(order);
    }
    let mut taken: Vec<ListedOrder> = orders.into_iter().filter(|order| filter.wants(order, now)).collect();
    if taken.len() > room {
        taken.truncate(room);
        next = taken.last().map(|last| last.order_id.clone());
    }
    (taken, next)
}

impl Inspection {
    /// A page of the open orders of a tenant, of at most `limit` (1 to [`LIMIT_MAX`]), from the position of `cursor`, or from the
    /// start. Without a customer it is eventually consistent: it depends on Temporal's visibility store. With one, only the
    /// standalone orders do.
    ///
    /// # Errors
    /// [`InspectionError`]: `bad_cursor`, `search_attributes_missing`, `temporal_busy`, `temporal_unavailable`; for one
    /// customer those of its entity.
    pub async fn orders(
        &self,
        tenant: &TenantId,
        filter: &OrderFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<OrderPage, InspectionError> {
        let cursor = cursor.map(Cursor::parse).transpose()?.unwrap_or_default();
        let limit = limit.clamp(1, LIMIT_MAX);
        let windows = if filter.for_persons { Windows::default() } else { self.windows(|_| true).await };
        let round = Round::new(self, tenant, filter, windows, limit);
        match &filter.customer {
            Some(customer) => self.orders_of_customer(round, customer, &cursor).await,
            None => self.orders_of_tenant(round, cursor).await,
        }
    }

    /// All pages from the start, until the last one or the first fault.
    pub fn all_orders(
        &self,
        tenant: &TenantId,
        filter: &OrderFilter,
    ) -> impl Stream<Item = Result<OrderPage, InspectionError>> {
        let start = Some((self.clone(), tenant.clone(), filter.clone(), None::<String>));
        futures_util::stream::unfold(start, |state| async {
            let (inspection, tenant, filter, cursor) = state?;
            let page = inspection.orders(&tenant, &filter, LIMIT_MAX, cursor.as_deref()).await;
            let next = page.as_ref().ok().and_then(|page| page.next_cursor.clone());
            Some((page, next.map(|next| (inspection, tenant, filter, Some(next)))))
        })
    }

    async fn orders_of_customer(
        &self,
        mut round: Round<'_>,
        customer: &CustomerId,
        cursor: &Cursor,
    ) -> Result<OrderPage, InspectionError> {
        if !cursor.is_of(customer) {
            return Err(InspectionError::BadCursor);
        }
        let mut never_seen = None;
        if !cursor.alone {
            match round.add_those_of(customer, cursor.after.clone()).await {
                Ok(None) => {}
                Ok(Some(after)) => {
                    return Ok(OrderPage { next_cursor: Some(Cursor::after(after).to_text()), ..round.page });
                }
                // All its orders may be standalone: then it has no entity.
                Err(error @ InspectionError::NeverSeen(_)) => never_seen = Some(error),
                Err(error) => return Err(error),
            }
        }
        let from = if cursor.alone { cursor.clone() } else { Cursor::alone(&[]) };
        match round.add_those_alone(from).await {
            Ok(next_cursor) => round.page.next_cursor = next_cursor,
            Err(error @ InspectionError::BadCursor) => return Err(error),
            // The entity's orders are returned even if the others cannot be found.
            Err(error) => round.page.unanswered.push(alone_unanswered(customer.clone(), &error)),
        }
        match never_seen {
            Some(error) if round.page == OrderPage::default() => Err(error),
            _ => Ok(round.page),
        }
    }

    async fn orders_of_tenant(&self, mut round: Round<'_>, mut cursor: Cursor) -> Result<OrderPage, InspectionError> {
        let tenant = round.tenant;
        let namespace = self.installation.routing.namespace(tenant);
        let question = visibility::question(tenant, round.asked.held_only());
        while !cursor.alone {
            let client = &self.installation.client;
            let found = visibility::find(client, namespace, tenant, &question, cursor.token()?).await?;
            let entities: Vec<Found> = found.entities.into_iter().map(Found::from).collect();
            let (entities, exact) = match &cursor.entity {
                Some(place) => from_place(entities, place, |found| &found.place),
                None => (entities, false),
            };
            let after = cursor.after.clone().filter(|_| exact);
            if let Some((stopped, after)) = round.ask_each(entities, after).await {
                let next_cursor = Some(cursor.at(stopped.place, after).to_text());
                return Ok(OrderPage { next_cursor, ..round.page });
            }
            if found.next.is_empty() {
                cursor = Cursor::alone(&[]);
                break;
            }
            cursor = Cursor::page(&found.next);
            if round.is_over() {
                return Ok(OrderPage { next_cursor: Some(cursor.to_text()), ..round.page });
            }
        }
        let next_cursor = round.add_those_alone(cursor).await?;
        Ok(OrderPage { next_cursor, ..round.page })
    }

    async fn listed(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        filter: &OrderFilter,
        after: Option<&OrderId>,
        limit: usize,
    ) -> Result<customer::OrderPage, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        let what = format!("The customer {customer}");
        self.query(&what, &entity, names::ORDERS, &filter.argument(after, limit)).await
    }
}

/// One page of a tenant's orders that is being built.
pub(super) struct Round<'a> {
    pub(super) inspection: &'a Inspection,
    pub(super) tenant: &'a TenantId,
    pub(super) filter: &'a OrderFilter,
    /// The filter as entities and activities are asked: they do not know of windows.
    pub(super) asked: OrderFilter,
    pub(super) windows: Windows,
    limit: usize,
    pub(super) began: Instant,
    /// Whether at least one entity or standalone order was handled, so that every page makes progress, however slow it is.
    pub(super) progressed: bool,
    pub(super) page: OrderPage,
}

impl<'a> Round<'a> {
    fn new(
        inspection: &'a Inspection,
        tenant: &'a TenantId,
        filter: &'a OrderFilter,
        windows: Windows,
        limit: usize,
    ) -> Self {
        let (asked, page) = (filter.with_windows(&windows), OrderPage::default());
        Self { inspection, tenant, filter, asked, windows, limit, began: Instant::now(), progressed: false, page }
    }
}

impl Round<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.page.orders.len() >= self.limit || (self.progressed && self.began.elapsed() > PAGE_TIME)
    }

    /// Adds the orders of a customer's entity to the page. Returns after which to continue, if the page is full before all were added.
    async fn add_those_of(
        &mut self,
        customer: &CustomerId,
        mut after: Option<OrderId>,
    ) -> Result<Option<OrderId>, InspectionError> {
        loop {
            let listed = self.inspection.listed(self.tenant, customer, &self.asked, after.as_ref(), self.limit).await?;
            self.progressed = true;
            let (taken, next) =
                taken(listed, (self.filter, &self.windows), self.limit - self.page.orders.len(), Utc::now());
            self.page.orders.extend(taken);
            if next.is_none() || self.is_over() {
                return Ok(next);
            }
            after = next;
        }
    }

    /// Asks these entities, several at a time, and adds their answers to the page, in order. Returns at which to continue,
    /// and after which of its orders, if the page is full before all were handled.
    async fn ask_each(
        &mut self,
        entities: Vec<Found>,
        first_after: Option<OrderId>,
    ) -> Option<(Found, Option<OrderId>)> {
        let (inspection, tenant, filter, limit) = (self.inspection, self.tenant, self.asked.clone(), self.limit);
        let filter = &filter;
        let afters = std::iter::once(first_after).chain(std::iter::repeat(None));
        let asked = futures_util::stream::iter(entities.into_iter().zip(afters).map(|(found, after)| async move {
            let answer = inspection.listed(tenant, &found.customer, filter, after.as_ref(), limit).await;
            (found, after, answer)
        }));
        let mut answers = std::pin::pin!(asked.buffered(ASKED_AT_A_TIME));
        while let Some((found, after, answer)) = answers.next().await {
            if self.is_over() {
                return Some((found, after));
            }
            self.progressed = true;
            if let Some(after) = self.take(&found, answer).await {
                return Some((found, Some(after)));
            }
        }
        None
    }

    /// Adds an entity's answer, and asks it for the rest. Returns after which order to continue, if the page is full
    /// before all were added.
    async fn take(
        &mut self,
        found: &Found,
        mut answer: Result<customer::OrderPage, InspectionError>,
    ) -> Option<OrderId> {
        loop {
            let listed = match answer {
                Ok(listed) => listed,
                Err(error) => {
                    self.page.unanswered.push(unanswered(found.customer.clone(), &error));
                    return None;
                }
            };
            let (taken, next) =
                taken(listed, (self.filter, &self.windows), self.limit - self.page.orders.len(), Utc::now());
            self.page.orders.extend(taken);
            let next = next?;
            if self.is_over() {
                return Some(next);
            }
            answer = self.inspection.listed(self.tenant, &found.customer, &self.asked, Some(&next), self.limit).await;
        }
    }
}

/// A customer that did not answer.
pub(super) fn unanswered(customer_id: CustomerId, error: &InspectionError) -> Unanswered {
    Unanswered { customer_id, code: error.code().into(), detail: format!("{error}.") }
}

/// A customer whose standalone orders are missing from the list.
fn alone_unanswered(customer_id: CustomerId, error: &InspectionError) -> Unanswered {
    let detail = format!("Standalone orders cannot be listed: {error}.");
    Unanswered { customer_id, code: error.code().into(), detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(number: u32) -> OrderId {
        OrderId::derive(&TenantId::default(), &"A".parse().unwrap(), "s", &number.to_string(), None)
    }

    fn listed(count: u32, next: Option<OrderId>) -> customer::OrderPage {
        let listed = |number| {
            let order = json!({
                "order_id": order(number), "event_id": "e", "type": "t", "customer_id": "A", "state": "pending",
                "accepted_at": "", "since": "",
            });
            serde_json::from_value(order).unwrap()
        };
        customer::OrderPage { orders: (0..count).map(listed).collect(), next }
    }

    #[test]
    fn the_next_page_begins_after_the_last_order_that_this_one_has_room_for() {
        let filter = OrderFilter::default();
        let taken = |listed: customer::OrderPage, room| {
            let (orders, next) = super::taken(listed, (&filter, &Windows::default()), room, Utc::now());
            (orders.len(), next)
        };
        assert_eq!(taken(listed(3, None), 3), (3, None));
        assert_eq!(taken(listed(3, None), 2), (2, Some(order(1))));
        assert_eq!(taken(listed(3, Some(order(2))), 3), (3, Some(order(2))));
        assert_eq!(taken(listed(3, Some(order(2))), 1), (1, Some(order(0))));
    }
}
