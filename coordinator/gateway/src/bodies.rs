//! What the gateway makes of the texts of a call before it asks anything, with the functions of its handlers and without a server. It is
//! for programs that try arbitrary texts, such as the fuzz targets.

use axum::http::HeaderMap;
use interlock_adapters::mapping::{Mapping, Taken};
use interlock_domain::target_entity::TargetActionKind;
use interlock_domain::tenant::TenantActionKind;
pub use interlock_http_service::Problem;
use interlock_http_service::check_media_type;
use interlock_operations::actions::OrderAction;
use interlock_operations::strict_json::JsonLimits;
use serde_json::Value;
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::actions::{OrderActionBody, ResourceActionBody};
use super::orders::Wanted;
use super::problems::problem;
use super::request::parse_action;
use super::targets::{self, TargetActionBody};
use super::tenants::{self, TenantActionBody};
use super::{JSON_VALUES_MAX, codec_server, espf, events};

/// The events of a call with these headers and this body, of which a batch may have `events_max`.
///
/// # Errors
/// The gateway's answer if no event can be read.
pub fn events(headers: &HeaderMap, body: &[u8], events_max: usize) -> Result<Vec<Value>, Problem> {
    let is_binary = events::is_binary(headers);
    check_media_type(headers, |media_type| events::takes(media_type, is_binary))?;
    events::read(headers, is_binary, body, JsonLimits { elements_max: events_max, values_max: JSON_VALUES_MAX })
}

/// What becomes of a call with these headers and an event of PortaOne, by this mapping.
///
/// # Errors
/// The gateway's answer if it is no such event.
pub fn espf(mapping: &Mapping, headers: &HeaderMap, body: &[u8]) -> Result<Taken, Problem> {
    espf::taken(mapping, headers, body)
}

/// An action on an order.
///
/// # Errors
/// The gateway's answer if it is not a valid action.
pub fn order_action(body: &[u8]) -> Result<OrderAction, Problem> {
    let body: OrderActionBody = parse_action(body)?;
    OrderAction::of_name(&body.action, body.data).map_err(problem)
}

/// An action on a resource.
///
/// # Errors
/// The gateway's answer if it is not a valid action.
pub fn resource_action(body: &[u8]) -> Result<(), Problem> {
    parse_action::<ResourceActionBody>(body).map(drop)
}

/// An action on a target.
///
/// # Errors
/// The gateway's answer if it is not a valid action.
pub fn target_action(body: &[u8]) -> Result<TargetActionKind, Problem> {
    let body: TargetActionBody = parse_action(body)?;
    targets::kind(&body)
}

/// An action on a tenant.
///
/// # Errors
/// The gateway's answer if it is not a valid action.
pub fn tenant_action(body: &[u8]) -> Result<TenantActionKind, Problem> {
    let body: TenantActionBody = parse_action(body)?;
    tenants::kind(&body)
}

/// The query string of a list of orders.
///
/// # Errors
/// The gateway's answer if it is not a valid query.
pub fn orders_query(query: &str) -> Result<(), Problem> {
    Wanted::parse(query).map(drop)
}

/// The payloads of a call to the codec server.
///
/// # Errors
/// The codec server's answer if they cannot be read.
pub fn payloads(body: &[u8]) -> Result<Vec<Payload>, Problem> {
    codec_server::read_payloads(body)
}
