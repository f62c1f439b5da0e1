//! The same action on many orders.

use std::collections::BTreeMap;

use futures_util::{Stream, StreamExt};
use interlock_domain::ids::{CustomerId, OrderId, TenantId};
use interlock_domain::views::BulkResult;

use super::{ActionWords, Actions, OrderAction, OrderRequest};

/// How many customers are asked at a time. The orders of one customer are handled one after the other.
const CUSTOMERS_AT_A_TIME: usize = 8;

impl Actions {
    /// Takes an action on many orders, and returns the result for each as it comes. If there are several orders, each has an action id of
    /// its own, `{action_id}/{order_id}`, so that the whole can be repeated.
    pub fn on_orders(
        &self,
        tenant: &TenantId,
        orders: Vec<OrderId>,
        action: &OrderAction,
        words: &ActionWords,
        is_one_of_many: bool,
    ) -> impl Stream<Item = BulkResult> {
        let customers = grouped_by_customer(orders).into_values().map(|orders| {
            let (actions, tenant, action, words) = (self.clone(), tenant.clone(), action.clone(), words.clone());
            futures_util::stream::iter(orders).then(move |order_id| {
                let mut words = words.clone();
                if is_one_of_many {
                    words.action_id = format!("{}/{order_id}", words.action_id);
                }
                let (actions, tenant) = (actions.clone(), tenant.clone());
                let request = OrderRequest { order_id, action: action.clone(), words };
                async move { actions.result(&tenant, &request).await }
            })
        });
        let customers: Vec<_> = customers.map(Box::pin).collect();
        futures_util::stream::iter(customers).flatten_unordered(CUSTOMERS_AT_A_TIME)
    }

    async fn result(&self, tenant: &TenantId, request: &OrderRequest) -> BulkResult {
        match self.on_order(tenant, request).await {
            Ok(taken) => BulkResult::Taken(taken),
            Err(error) => BulkResult::Refused {
                order_id: request.order_id.clone(),
                action_id: request.words.action_id.clone(),
                code: error.code().into(),
                detail: error.sentence(),
            },
        }
    }
}

/// The orders of each customer, in their order, without repetitions.
fn grouped_by_customer(orders: Vec<OrderId>) -> BTreeMap<CustomerId, Vec<OrderId>> {
    let mut grouped: BTreeMap<CustomerId, Vec<OrderId>> = BTreeMap::new();
    for order in orders {
        let of_customer = grouped.entry(order.customer()).or_default();
        if !of_customer.contains(&order) {
            of_customer.push(order);
        }
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_of_a_customer_go_one_after_the_other_and_each_once() {
        let order =
            |customer: &str, id| OrderId::derive(&"t".parse().unwrap(), &customer.parse().unwrap(), "s", id, None);
        let (a1, a2, b) = (order("A", "1"), order("A", "2"), order("B", "1"));
        let grouped = grouped_by_customer(vec![a2.clone(), b.clone(), a1.clone(), a2.clone()]);
        assert_eq!(grouped[&"A".parse().unwrap()], [a2, a1]);
        assert_eq!(grouped[&"B".parse().unwrap()], [b]);
    }
}
