//! What a caller sees of a resource that its tenant shares with others: of theirs only that there is something.

use interlock_domain::ids::TenantId;
use serde_json::{Value, json};

/// What stands for a customer of a tenant that the caller may not look at.
pub(super) const ANOTHER_TENANT: &str = "another tenant";

/// Takes out of a resource's view who has it, who waits for it and what happened to it, where that is of a tenant that `may_see` says no
/// to. Places, times and what happened stay.
pub(super) fn mask(view: &mut Value, may_see: impl Fn(&TenantId) -> bool) {
    let is_foreign = |of: &Value| {
        let tenant = of["tenant_id"].as_str().and_then(|tenant| tenant.parse::<TenantId>().ok());
        tenant.is_some_and(|tenant| !may_see(&tenant))
    };
    let hide = |of: &mut Value| {
        if is_foreign(of) {
            for (name, hidden) in of.as_object_mut().into_iter().flatten() {
                match name.as_str() {
                    "customer_id" | "tenant_id" => *hidden = json!(ANOTHER_TENANT),
                    "party" | "order_id" | "incarnation" => *hidden = Value::Null,
                    _ => {}
                }
            }
        }
    };
    // Only the target knows a holder without a customer: whose it is, nobody can say.
    if view["holder"]["tenant_id"].is_null() && !view["holder"]["party"].is_null() {
        view["holder"]["party"] = json!(ANOTHER_TENANT);
    }
    hide(&mut view["holder"]);
    if !view["also_held_by"].is_null() {
        hide(&mut view["also_held_by"]);
    }
    view["queue"].as_array_mut().into_iter().flatten().for_each(hide);
    for line in view["history"].as_array_mut().into_iter().flatten() {
        // A customer is written TENANT/CUSTOMER; anything else is a name at a target, which may be anybody's.
        let tenant = line["who"].as_str().and_then(|who| who.split_once('/')?.0.parse::<TenantId>().ok());
        if tenant.is_some_and(|tenant| may_see(&tenant)) {
            continue;
        }
        if let Some(line) = line.as_object_mut() {
            let had_name = line.remove("who").is_some();
            line.retain(|name, _| matches!(name.as_str(), "at" | "what" | "epoch"));
            if had_name {
                line.insert("who".to_owned(), json!(ANOTHER_TENANT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> Value {
        json!({
            "resource": "msisdn/1",
            "holder": {"customer_id": "A1", "tenant_id": "blue", "party": "00101", "order_id": "A1~1", "epoch": 7, "since": "s"},
            "also_held_by": {"customer_id": "A3", "tenant_id": "blue", "epoch": 6},
            "queue": [
                {"customer_id": "A2", "tenant_id": "blue", "order_id": "A2~1", "position": 1, "since": "s"},
                {"customer_id": "B1", "tenant_id": "red", "order_id": "B1~1", "position": 2, "since": "s"},
            ],
            "history": [
                {"at": "t", "what": "force_asked", "who": "blue/A1", "epoch": 7, "detail": "ann: because"},
                {"at": "t", "what": "looked_up", "who": "00101", "epoch": 7},
                {"at": "t", "what": "released", "who": "red/B1", "epoch": 7, "order_id": "B1~0", "proof": {"actor": "bob"}},
            ],
        })
    }

    #[test]
    fn of_another_tenant_only_that_there_is_something_is_seen() {
        let mut seen = view();
        mask(&mut seen, |tenant| tenant.as_str() == "red");
        let text = seen.to_string();
        for secret in ["A1", "A2", "A3", "blue", "00101", "ann", "because"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert_eq!(seen["holder"]["customer_id"], "another tenant");
        assert_eq!(seen["queue"][1], view()["queue"][1], "what is the caller's own stays");
        assert_eq!(seen["history"][2], view()["history"][2]);
        assert_eq!(seen["history"][0], json!({"at": "t", "what": "force_asked", "who": "another tenant", "epoch": 7}));
    }

    #[test]
    fn who_may_see_all_sees_all_that_customers_have() {
        let mut seen = view();
        mask(&mut seen, |_| true);
        assert_eq!((&seen["holder"], &seen["queue"]), (&view()["holder"], &view()["queue"]));
    }
}
