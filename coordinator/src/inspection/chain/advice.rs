//! What to do about that for which an order waits, in the end: mostly the command that mends it.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, TenantId};
use interlock_domain::routing::EntityAddress;

use super::link::Link;

/// What to do next about the last link of a chain; none where it is over. The commands can be
/// run as they stand, but for the reason.
pub(super) fn next(link: &Link) -> Option<String> {
    let tenant =
        if link.tenant_id == TenantId::default() { String::new() } else { format!(" --tenant {}", link.tenant_id) };
    let order = link.order_id.as_ref().map_or("ORDER", |order| order.as_str());
    let resource = || link.resource.as_ref().map_or_else(|| "KIND/ID".to_owned(), ToString::to_string);
    let customer = || link.customer_id.as_ref().map_or_else(|| "the holder".to_owned(), ToString::to_string);
    let target = link.target.as_deref().unwrap_or("the target");
    let release = || format!("interlock resource release {}{tenant} --force --reason …", resource());
    let waits_for = link.waits_for.as_deref()?;
    if let Some(unpause) = unpause(link, order, &tenant) {
        return Some(unpause);
    }
    if let ("target" | "settling" | "window", Some(next)) = (waits_for, at_target(link)) {
        return Some(next);
    }
    let next = match waits_for {
        _ if link.in_ring => format!(
            "none of the orders in this ring can go on before another one: decide which one gives way, then: \
             interlock order cancel {order}{tenant} --reason … (that one or another; or release-first, where it is to \
             give its old number up at once)"
        ),
        "person" if link.code.as_deref() == Some(ErrorCode::EntityEnded.as_str()) => {
            let force =
                link.resource.as_ref().filter(|_| link.order_id.is_none()).map(|_| format!(", or {}", release()));
            format!(
                "bring it back: interlock customer recover {}{tenant}{}",
                link.customer_id.as_ref().map_or("ID", |customer| customer.as_str()),
                force.unwrap_or_default()
            )
        }
        "person" if link.order_id.is_some() => {
            format!("mend the cause, then: interlock order retry {order}{tenant} --reason … (or skip, amend, cancel)")
        }
        "person" => format!("find out who has {}, then: {}", resource(), release()),
        "target" => format!(
            "nothing, if {target} is known to be slow or to fail now and then: the call is made again by itself; else see \
             interlock target show {target}"
        ),
        "event" => format!(
            "send the event by which {} gives up {}; where that customer is gone for good: {}",
            customer(),
            resource(),
            release()
        ),
        "unanswered" => {
            "start workers (interlock worker --workload all), or wait for Temporal; then ask again".to_owned()
        }
        "forbidden" => "ask somebody who may see the other tenant".to_owned(),
        "window" => "nothing: it goes on when the window is over".to_owned(),
        "settling" => "nothing: it goes on by itself; ask again in a minute".to_owned(),
        "admission" => {
            "nothing, for a moment; where it stays so, start workers (interlock worker --workload all)".to_owned()
        }
        "lease" | "turn" => "ask again: it was changing just now".to_owned(),
        _ => return None,
    };
    Some(next)
}

/// What to do about what an operator paused in Temporal.
fn unpause(link: &Link, order: &str, tenant: &str) -> Option<String> {
    if let Some(command) = &link.unpause {
        return Some(format!("once it may go on: {command}"));
    }
    if link.paused.as_deref()? != "workflow" {
        return Some(format!(
            "once it may be called again, unpause it: interlock order retry {order}{tenant} --reason …"
        ));
    }
    let address = |customer| EntityAddress::Customer(CustomerRef { tenant: link.tenant_id.clone(), customer });
    let entity = link.customer_id.clone().map_or_else(|| "ID".to_owned(), |customer| address(customer).to_string());
    Some(format!("once it may go on: temporal workflow unpause --workflow-id {entity}"))
}

/// What to do about a target that is not called, or not as often as there are calls.
fn at_target(link: &Link) -> Option<String> {
    let target = link.target.as_deref()?;
    Some(match link.target_state.as_deref()? {
        "paused" => format!("once it may be called again: interlock target resume {target} --reason …"),
        "maintenance" => format!(
            "nothing: it is called again when the maintenance is over; earlier with: interlock target resume {target} \
             --reason …"
        ),
        "open" | "probing" => format!(
            "nothing, if {target} is known to be down: it is asked again and again, and called once it answers; to have \
             it asked at once: interlock target resume {target} --reason …"
        ),
        "ramping" => "nothing: it is called more and more, and what waits has its turn".to_owned(),
        _ => return None,
    })
}
