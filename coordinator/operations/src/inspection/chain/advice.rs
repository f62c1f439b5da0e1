//! What to do about the cause at the end of a chain: usually the command that fixes it.

use interlock_domain::customer::PausedWhat;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, TargetId, TenantId};
use interlock_domain::routing::EntityAddress;
use interlock_domain::target_entity::TargetStateName;
use interlock_domain::wire::WireName;

use super::link::ChainLink;

/// What to do next about the last link of a chain; none if it has ended. The commands can be
/// run unchanged, except for the reason.
pub(super) fn next(link: &ChainLink) -> Option<String> {
    let tenant =
        if link.tenant_id == TenantId::default() { String::new() } else { format!(" --tenant {}", link.tenant_id) };
    let order = link.order_id.as_ref().map_or("ORDER", |order| order.as_str());
    let resource = || link.resource.as_ref().map_or_else(|| "KIND/ID".to_owned(), ToString::to_string);
    let customer = || link.customer_id.as_ref().map_or_else(|| "the holder".to_owned(), ToString::to_string);
    let release = || format!("interlock resource release {}{tenant} --force --reason …", resource());
    link.waits_for.as_ref()?;
    if let Some(unpause) = unpause(link, order, &tenant) {
        return Some(unpause);
    }
    let waits_for = link.wait();
    if let (Some(WaitKind::Target | WaitKind::Settling | WaitKind::Window), Some(next)) = (waits_for, at_target(link)) {
        return Some(next);
    }
    let next = match waits_for {
        _ if link.in_ring => format!(
            "none of the orders in this cycle can continue before another one: decide which one yields, then: \
             interlock order cancel {order}{tenant} --reason … (or cancel another one of them; or use release-first, \
             if it may release its old number at once)"
        ),
        Some(WaitKind::Person) if link.code.as_ref().is_some_and(|code| *code == ErrorCode::EntityEnded) => {
            at_ended_entity(link, &tenant, &release())
        }
        Some(WaitKind::Person) if link.order_id.is_some() => {
            format!("fix the cause, then: interlock order retry {order}{tenant} --reason … (or skip, amend, cancel)")
        }
        Some(WaitKind::Person) => format!("find out who has {}, then: {}", resource(), release()),
        Some(WaitKind::Target) => at_called_target(link),
        Some(WaitKind::Event) => format!(
            "send the event with which {} releases {}; if that customer no longer exists: {}",
            customer(),
            resource(),
            release()
        ),
        Some(WaitKind::Unanswered) if link.code.as_ref().is_some_and(|code| *code == ErrorCode::RunMisplaced) => {
            "end that run with the command that is named, and correct its producer (interlock errors run_misplaced)"
                .to_owned()
        }
        Some(WaitKind::Unanswered) => {
            "start workers (interlock worker --workload all), or wait for Temporal; then ask again".to_owned()
        }
        Some(WaitKind::Forbidden) => "ask someone with access to the other tenant".to_owned(),
        Some(WaitKind::Window) => "nothing: it continues when the maintenance window ends".to_owned(),
        Some(WaitKind::Settling) if link.code.as_ref().is_some_and(|code| *code == ErrorCode::LeaseDiffers) => {
            at_contradiction(&resource(), &release())
        }
        Some(WaitKind::Settling) => "nothing: it continues automatically; ask again in a minute".to_owned(),
        Some(WaitKind::Admission) => {
            "nothing at first; if it remains so, start workers (interlock worker --workload all)".to_owned()
        }
        Some(WaitKind::Lease | WaitKind::Turn) => "ask again: the state was just changing".to_owned(),
        Some(WaitKind::Date) | None => return None,
    };
    Some(next)
}

/// What to do about a call that waits for its target or its workers.
fn at_called_target(link: &ChainLink) -> String {
    let target = link.target.as_ref().map_or("the target", TargetId::as_str);
    if link.is_unserved {
        return format!(
            "start the workers that serve {target} (interlock worker --workload provisioning; the program of an external \
             target), then nothing: the call is waiting in its queue"
        );
    }
    format!(
        "nothing, if {target} is known to be slow or to fail occasionally: the call is retried automatically; otherwise \
         see interlock target show {target}"
    )
}

/// What to do about an entity that ended.
fn at_ended_entity(link: &ChainLink, tenant: &str, release: &str) -> String {
    let force = link.resource.as_ref().filter(|_| link.order_id.is_none()).map(|_| format!(", or {release}"));
    format!(
        "recover it: interlock customer recover {}{tenant}{}",
        link.customer_id.as_ref().map_or("ID", |customer| customer.as_str()),
        force.unwrap_or_default()
    )
}

/// What to do about a holder that knows nothing of its lease.
fn at_contradiction(resource: &str, release: &str) -> String {
    format!(
        "ask again in three minutes: sweeps compare both sides and settle a difference that lasts; if it remains, report it \
         with the histories of both (interlock errors lease_differs), and if nobody has {resource} at the target: {release}"
    )
}

/// What to do about something that an operator paused in Temporal.
fn unpause(link: &ChainLink, order: &str, tenant: &str) -> Option<String> {
    if let Some(command) = &link.unpause {
        return Some(format!("when it may continue: {command}"));
    }
    if *link.paused.as_ref()? != PausedWhat::Workflow {
        return Some(format!(
            "when it may be called again, unpause it: interlock order retry {order}{tenant} --reason …"
        ));
    }
    let address = |customer| EntityAddress::Customer(CustomerRef { tenant: link.tenant_id.clone(), customer });
    let entity = link.customer_id.clone().map_or_else(|| "ID".to_owned(), |customer| address(customer).to_string());
    Some(format!("when it may continue: temporal workflow unpause --workflow-id {entity}"))
}

/// What to do about a target that is not called, or at a limited rate.
fn at_target(link: &ChainLink) -> Option<String> {
    let target = link.target.as_ref()?;
    Some(match link.target_state.as_ref().and_then(WireName::known)? {
        TargetStateName::Paused => format!("when it may be called again: interlock target resume {target} --reason …"),
        TargetStateName::Maintenance => format!(
            "nothing: calls resume when the maintenance ends; to resume earlier: interlock target resume {target} \
             --reason …"
        ),
        TargetStateName::Open | TargetStateName::Probing => format!(
            "nothing, if {target} is known to be down: it is probed regularly, and called again when it answers; to \
             probe it now: interlock target resume {target} --reason …"
        ),
        TargetStateName::Ramping => {
            "nothing: the rate of calls is being raised step by step, and waiting steps get their turn".to_owned()
        }
        TargetStateName::Closed => return None,
    })
}
