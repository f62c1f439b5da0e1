//! What a caller sees of a resource that its tenant shares with others: not who the others are, only that they exist.

use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::resource::{HistoryView, HolderView, ResourceView, RivalView, WaiterView};
use interlock_domain::wire::Hideable;

/// The placeholder for a customer of a tenant that the caller may not read.
pub(super) const ANOTHER_TENANT: &str = "another tenant";

/// Removes from a resource's view the holder, the waiting customers and the history details of tenants for which `may_see` returns
/// false. Positions, times and kinds of events stay.
pub(super) fn mask(view: &mut ResourceView, may_see: impl Fn(&TenantId) -> bool) {
    if let Some(holder) = &mut view.holder {
        mask_holder(holder, &may_see);
    }
    if let Some(RivalView { customer_id, tenant_id, .. }) =
        view.also_held_by.as_mut().filter(|it| !may_see(&it.tenant_id))
    {
        (*customer_id, *tenant_id) = another();
    }
    for waiter in view.queue.iter_mut().filter(|waiter| !may_see(&waiter.tenant_id)) {
        let (customer_id, tenant_id) = another();
        *waiter = WaiterView {
            customer_id,
            tenant_id,
            order_id: None,
            position: waiter.position,
            since: waiter.since.clone(),
        };
    }
    for line in &mut view.history {
        // A customer is written TENANT/CUSTOMER; anything else is a name at a target, which may belong to any tenant.
        let tenant = line.who.as_ref().and_then(|who| who.split_once('/')?.0.parse::<TenantId>().ok());
        if !tenant.is_some_and(|tenant| may_see(&tenant)) {
            *line = HistoryView {
                at: line.at.clone(),
                what: line.what.clone(),
                who: line.who.as_ref().map(|_| ANOTHER_TENANT.to_owned()),
                order_id: None,
                epoch: line.epoch,
                detail: None,
                proof: None,
                authority: None,
                actor: None,
                reason: None,
            };
        }
    }
}

fn mask_holder(holder: &mut HolderView, may_see: impl Fn(&TenantId) -> bool) {
    match &holder.tenant_id {
        // A holder without a customer is known only to the target: its tenant is unknown.
        None => {
            holder.target_identity =
                holder.target_identity.as_ref().map(|_| Hideable::Shown(ANOTHER_TENANT.to_owned()));
        }
        Some(tenant) if may_see(tenant) => {}
        Some(_) => {
            let (customer_id, tenant_id) = another();
            *holder = HolderView {
                customer_id: Some(customer_id),
                tenant_id: Some(tenant_id),
                target_identity: holder.target_identity.as_ref().map(|_| Hideable::Hidden),
                order_id: None,
                epoch: holder.epoch,
                since: holder.since.clone(),
                orphaned_at: holder.orphaned_at.clone(),
                incarnation: holder.incarnation.as_ref().map(|_| Hideable::Hidden),
            };
        }
    }
}

/// The placeholder ids for a customer of a tenant that the caller may not read.
fn another() -> (CustomerId, TenantId) {
    let text = "a constant that is an id";
    (ANOTHER_TENANT.parse().expect(text), ANOTHER_TENANT.parse().expect(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn order(customer: &str) -> String {
        format!("{customer}~00000000-0000-0000-0000-000000000001")
    }

    fn view() -> Value {
        json!({
            "resource": "msisdn/1",
            "holder": {"customer_id": "A1", "tenant_id": "blue", "party": "00101", "order_id": order("A1"), "epoch": 7, "since": "s",
                       "incarnation": 5},
            "epoch": 7,
            "also_held_by": {"customer_id": "A3", "tenant_id": "blue", "epoch": 6},
            "queue": [
                {"customer_id": "A2", "tenant_id": "blue", "order_id": order("A2"), "position": 1, "since": "s"},
                {"customer_id": "B1", "tenant_id": "red", "order_id": order("B1"), "position": 2, "since": "s"},
            ],
            "history": [
                {"at": "t", "what": "force_asked", "who": "blue/A1", "epoch": 7, "detail": "ann: because", "actor": "ann",
                 "reason": "because"},
                {"at": "t", "what": "looked_up", "who": "00101", "epoch": 7},
                {"at": "t", "what": "released", "who": "red/B1", "epoch": 7, "order_id": order("B1"),
                 "proof": {"order_id": order("B1"), "at": "t", "actor": "bob"}},
            ],
        })
    }

    /// The view for a caller that may read these tenants.
    fn masked(may_see: impl Fn(&TenantId) -> bool) -> Value {
        let mut view = serde_json::from_value(view()).unwrap();
        mask(&mut view, may_see);
        json!(view)
    }

    #[test]
    fn of_another_tenant_only_that_there_is_something_is_seen() {
        let seen = masked(|tenant| tenant.as_str() == "red");
        let text = seen.to_string();
        for secret in ["A1", "A2", "A3", "blue", "00101", "ann", "because"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        let another = "another tenant";
        assert_eq!(
            seen["holder"],
            json!({"customer_id": another, "tenant_id": another, "party": null, "order_id": null, "epoch": 7, "since": "s",
                   "incarnation": null})
        );
        assert_eq!(
            seen["queue"][0],
            json!({"customer_id": another, "tenant_id": another, "order_id": null, "position": 1, "since": "s"})
        );
        assert_eq!(seen["queue"][1], view()["queue"][1], "what is the caller's own stays");
        assert_eq!(seen["history"][2], view()["history"][2]);
        assert_eq!(seen["history"][0], json!({"at": "t", "what": "force_asked", "who": "another tenant", "epoch": 7}));
    }

    #[test]
    fn who_may_see_all_sees_all_that_customers_have() {
        let seen = masked(|_| true);
        assert_eq!((&seen["holder"], &seen["queue"]), (&view()["holder"], &view()["queue"]));
    }
}
