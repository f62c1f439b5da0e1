//! Reading customers, resources and orders.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use interlock_domain::customer::{CustomerView, OrderView};
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use interlock_domain::resource::ResourceView;
use interlock_http_service::Problem;

use super::Gateway;
use super::access::Need;
use super::foreign;
use super::problems::problem;
use super::request::PathParts;
use super::throttle::Counted;

/// A customer: its open orders, lanes, leases and journal.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/customers/{id}",
    operation_id = "showCustomer",
    params(("tenant" = String, Path), ("id" = String, Path, description = "The customer")),
    responses(
        (status = 200, description = "The customer", body = CustomerView),
        (status = 404, description = "Never seen", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn customer(
    State(gateway): State<Gateway>,
    PathParts((tenant, id)): PathParts<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<CustomerView>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let customer: CustomerId = id.parse().map_err(|error| Problem::bad_id("customer", &error))?;
    Ok(Json(gateway.inspection.customer(&tenant, &customer).await.map_err(problem)?))
}

/// A resource: its holder, queue, epoch and history.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/resources/{kind}/{id}",
    operation_id = "showResource",
    params(("tenant" = String, Path), ("kind" = String, Path), ("id" = String, Path, description = "Its id within its kind")),
    responses(
        (status = 200, description = "The resource", body = ResourceView),
        (status = 404, description = "Never seen", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn resource(
    State(gateway): State<Gateway>,
    PathParts((tenant, kind, id)): PathParts<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<ResourceView>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let kind = kind.parse().map_err(|error| Problem::bad_id("kind", &error))?;
    let resource = ResourceId::new(kind, &id).map_err(|error| Problem::bad_id("resource", &error))?;
    let mut view = gateway.inspection.resource(&tenant, &resource).await.map_err(problem)?;
    mask_foreign(&gateway, &headers, &tenant, &resource, &mut view);
    Ok(Json(view))
}

/// Removes from a resource's view what belongs to tenants that the caller may not read.
pub(super) fn mask_foreign(
    gateway: &Gateway,
    headers: &HeaderMap,
    tenant: &TenantId,
    resource: &ResourceId,
    view: &mut ResourceView,
) {
    let Some(realm) = gateway.inspection.shared_realm(tenant, resource.kind()) else { return };
    if !gateway.access.may_over_realm(headers, &realm, Need::Read) {
        foreign::mask(view, |other| gateway.access.check(headers, other, Need::Read).is_ok());
    }
}

/// An order: its state, what it waits for, its steps and claims.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/orders/{order_id}",
    operation_id = "showOrder",
    params(("tenant" = String, Path), ("order_id" = String, Path, description = "CUSTOMER~UUID")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "Never seen", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn order(
    State(gateway): State<Gateway>,
    PathParts((tenant, order_id)): PathParts<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<OrderView>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let order: OrderId = order_id.parse().map_err(|error| Problem::bad_id("order", &error))?;
    Ok(Json(gateway.inspection.order(&tenant, &order).await.map_err(problem)?))
}

/// The tenant of a call, if the caller may read it, and does not exceed the limit.
pub(super) fn allowed(gateway: &Gateway, headers: &HeaderMap, tenant: &str) -> Result<TenantId, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(headers, &tenant, Need::Read)?;
    gateway.counted(&tenant, Counted::Reads, 1)?;
    Ok(tenant)
}
