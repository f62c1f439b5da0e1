//! Finding orders, and why they wait.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::OrderId;
use interlock_domain::views::{OrderPage, Why};
use interlock_http_service::Problem;
use interlock_operations::inspection::listing::{LIMIT_DEFAULT, LIMIT_MAX, OrderFilter};
use interlock_operations::inspection::why::Asked;
use url::form_urlencoded;

use super::Gateway;
use super::access::Need;
use super::problems::problem;
use super::request::PathParts;
use super::targets;
use super::throttle::Counted;
use super::views::allowed;

/// How many reads `why` counts as: it queries every entity in the chain.
const READS_OF_WHY: usize = 10;

/// A page of a tenant's open orders: first those of customer entities, then standalone orders (`stands_alone`: an event
/// type without ordering, one step, no claim), to which actions do not apply. Eventually consistent, except for the
/// orders of an entity if a customer is given.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/orders",
    operation_id = "listOrders",
    params(
        ("tenant" = String, Path),
        ("state" = Option<String>, Query, description = "acknowledged, pending, inProgress or held; give several \
                                                         separated by commas, or repeat the parameter"),
        ("customer" = Option<String>, Query, description = "Only orders of this customer"),
        ("target" = Option<String>, Query, description = "Only orders that wait at this target, or are held there"),
        ("code" = Option<String>, Query, description = "Only orders that are held with this code"),
        ("overdue" = Option<bool>, Query, description = "true: only orders that are past their time limit"),
        ("limit" = Option<usize>, Query, description = "Orders per page, 1 to 1,000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where to continue: next_cursor of the previous page, with \
                                                          the same filter")
    ),
    responses(
        (status = 200, description = "A page; it may be short or even empty without being the last \
                                      one", body = OrderPage),
        (status = 400, description = "bad_query, state_not_open, bad_id or bad_cursor", body = Problem),
        (status = 404, description = "The customer was never seen", body = Problem),
        (status = 503, description = "no_worker, temporal_busy, search_attributes_missing, or Temporal is \
                                      unavailable", body = Problem)
    )
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<OrderPage>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    // The orders of one customer come from its entity, without visibility.
    if wanted.filter.customer.is_none() {
        gateway.counted(&tenant, Counted::Lists, 1)?;
    }
    let page = gateway.inspection.orders(&tenant, &wanted.filter, wanted.limit, wanted.cursor.as_deref());
    Ok(Json(page.await.map_err(problem)?))
}

/// Why an order waits: the whole chain, across customers and resources, and what to do next.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/orders/{order_id}/why",
    operation_id = "explainOrder",
    params(("tenant" = String, Path), ("order_id" = String, Path, description = "CUSTOMER~UUID")),
    responses(
        (status = 200, description = "The chain, starting with the order itself; each link waits for the links below \
                                      it that are one level deeper", body = Why),
        (status = 404, description = "Never seen", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn why(
    State(gateway): State<Gateway>,
    PathParts((tenant, order_id)): PathParts<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Why>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let order: OrderId = order_id.parse().map_err(|error| Problem::bad_id("order", &error))?;
    gateway.counted(&tenant, Counted::Reads, READS_OF_WHY - 1)?;
    let may_ask = |asked: Asked<'_>| match asked {
        Asked::Tenant(tenant) => gateway.access.check(&headers, tenant, Need::Read).is_ok(),
        Asked::Target(target) => targets::allowed(&gateway, &headers, target, Need::Read).is_ok(),
    };
    Ok(Json(gateway.inspection.why(&tenant, &order, may_ask).await.map_err(problem)?))
}

/// The parameters of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    filter: OrderFilter,
    limit: usize,
    cursor: Option<String>,
}

impl Wanted {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut wanted = Self { filter: OrderFilter::default(), limit: LIMIT_DEFAULT, cursor: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let filter = &mut wanted.filter;
            match name.as_ref() {
                "state" => {
                    for state in value.split(',') {
                        filter.states.push(OrderFilter::state(state).map_err(problem)?);
                    }
                }
                "customer" => {
                    let customer = value.parse().map_err(|error| Problem::bad_id("customer", &error))?;
                    filter.customer = Some(customer);
                }
                "target" => filter.target = Some(value.parse().map_err(|error| Problem::bad_id("target", &error))?),
                "code" => filter.code = Some(value.into_owned()),
                "overdue" => {
                    filter.overdue = value.parse().map_err(|_| bad_query("overdue must be true or false"))?;
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    wanted.limit =
                        limit.ok_or_else(|| bad_query(format!("limit must be a number from 1 to {LIMIT_MAX}")))?;
                }
                "cursor" => wanted.cursor = Some(value.into_owned()),
                other => return Err(bad_query(format!("this call has no parameter '{other}'"))),
            }
        }
        Ok(wanted)
    }
}

fn bad_query(what: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadQuery, format!("The query string is invalid: {what}."))
}

#[cfg(test)]
mod tests {
    use interlock_domain::order::OrderState;

    use super::*;

    #[test]
    fn a_query_says_which_orders_are_wanted() {
        let query = "state=held,pending&state=inProgress&customer=A%201&target=hss&code=permanent&overdue=true&limit=7&cursor=x";
        let wanted = Wanted::parse(query).unwrap();
        let filter = OrderFilter {
            states: vec![OrderState::Held, OrderState::Pending, OrderState::InProgress],
            customer: Some("A 1".parse().unwrap()),
            target: Some("hss".parse().unwrap()),
            code: Some("permanent".to_owned()),
            overdue: true,
            for_persons: false,
        };
        assert_eq!(wanted, Wanted { filter, limit: 7, cursor: Some("x".to_owned()) });
        let all = Wanted { filter: OrderFilter::default(), limit: 100, cursor: None };
        assert_eq!(Wanted::parse("").unwrap(), all);
        assert_eq!(Wanted::parse("limit=1000").unwrap().limit, 1_000);
    }

    #[test]
    fn a_query_that_cannot_be_meant_is_refused() {
        let code = |query: &str| Wanted::parse(query).unwrap_err().code;
        assert_eq!(code("state=completed"), "state_not_open");
        assert_eq!(code("state="), "state_not_open");
        assert_eq!(code("customer="), "bad_id");
        assert_eq!(code("limit=0"), "bad_query");
        assert_eq!(code("limit=1001"), "bad_query");
        assert_eq!(code("overdue=yes"), "bad_query");
        assert_eq!(code("stat=held"), "bad_query");
    }
}
