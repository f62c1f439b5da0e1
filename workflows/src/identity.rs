//! The identity of an entity. Its workflow id decides, not its start argument.

use std::time::{SystemTime, UNIX_EPOCH};

use interlock_domain::customer::Input;
use interlock_domain::ids::{CustomerRef, RealmId, ResourceId, TargetId, Timestamp};
use interlock_domain::routing::{EntityAddress, QueuePrefix};
use temporalio_common::data_converters::RawValue;
use temporalio_workflow::WorkflowContextView;

use crate::start_argument::StartArgument;

/// Hexadecimal digits of a hidden resource id: an HMAC-SHA256.
const HIDDEN_ID_DIGITS: usize = 64;

/// The identity of a customer entity.
pub(crate) struct CustomerIdentity {
    pub(crate) me: CustomerRef,
    /// The start argument of the next run.
    pub(crate) start: StartArgument,
    /// The first input of the entity's first run, if something is wrong with its start.
    pub(crate) wrong_start: Option<Input>,
}

/// The identity of a resource entity.
pub(crate) struct ResourceIdentity {
    pub(crate) realm: RealmId,
    pub(crate) id: ResourceId,
    /// The start argument of the next run.
    pub(crate) start: StartArgument,
}

/// The identity of a customer entity. If the start argument differs from the workflow id, that is noted. If the workflow id is not that of
/// a customer, every event of the entity is rejected.
pub(crate) fn of_customer(workflow_id: &str, argument: &RawValue) -> CustomerIdentity {
    let start_of =
        |me: &CustomerRef| StartArgument { tenant_id: me.tenant.to_string(), entity_id: me.customer.to_string() };
    let Ok(EntityAddress::Customer(me)) = workflow_id.parse() else {
        let wrong_start = Some(Input::NoCustomer { workflow_id: workflow_id.to_owned() });
        return CustomerIdentity { me: nobody(), start: start_of(&nobody()), wrong_start };
    };
    let start = start_of(&me);
    let is_claimed = StartArgument::read(argument).is_some_and(|claimed| claimed == start);
    let wrong_start = (!is_claimed).then(|| Input::Misidentified { claimed: StartArgument::claimed(argument) });
    CustomerIdentity { me, start, wrong_start }
}

/// The identity of a resource entity. If the workflow id hides the resource's id, the start argument gives it.
pub(crate) fn of_resource(workflow_id: &str, argument: &RawValue) -> ResourceIdentity {
    let (realm, id) = match workflow_id.parse() {
        Ok(EntityAddress::Resource { realm, kind, key }) => {
            let claimed = StartArgument::read(argument).and_then(|start| start.entity_id.parse::<ResourceId>().ok());
            let plain = claimed.filter(|claimed| *claimed.kind() == kind && (claimed.id() == key || is_hidden(&key)));
            let by_key = plain.or_else(|| ResourceId::new(kind, &key).ok());
            (realm, by_key.unwrap_or_else(nothing))
        }
        _ => (RealmId::from(&nobody().tenant), nothing()),
    };
    let start = StartArgument { tenant_id: realm.to_string(), entity_id: id.to_string() };
    ResourceIdentity { realm, id, start }
}

fn is_hidden(key: &str) -> bool {
    key.len() == HIDDEN_ID_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

/// The customer of an entity that has none. No event names it.
fn nobody() -> CustomerRef {
    let id = "none".to_owned();
    CustomerRef {
        tenant: id.clone().try_into().expect("a constant that is an id"),
        customer: id.try_into().expect("a constant that is an id"),
    }
}

/// The resource of an entity that has none.
fn nothing() -> ResourceId {
    "none/none".parse().expect("a constant that is an id")
}

/// The queue of a target's activities: it has the prefix of the entity's own queue, `{prefix}.{kind}.{shard}`.
pub(crate) fn provisioning_queue(own_queue: &str, target: &TargetId) -> String {
    let prefix = own_queue.rsplitn(3, '.').nth(2).and_then(|prefix| prefix.parse::<QueuePrefix>().ok());
    prefix.unwrap_or_default().provisioning_queue(target)
}

/// When this run began.
pub(crate) fn start_time(view: &WorkflowContextView) -> Timestamp {
    now(view.start_time())
}

/// A time of the workflow in the machines' unit.
pub(crate) fn now(time: Option<SystemTime>) -> Timestamp {
    let since_epoch = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::raw_json;

    fn argument(tenant: &str, entity: &str) -> RawValue {
        raw_json::write(&json!({"tenant_id": tenant, "entity_id": entity})).unwrap()
    }

    #[test]
    fn a_customers_identity_comes_from_its_workflow_id() {
        let identity = of_customer("acme/customer/A%2F1", &argument("acme", "A/1"));
        assert_eq!((identity.me.tenant.as_str(), identity.me.customer.as_str()), ("acme", "A/1"));
        assert_eq!(identity.wrong_start, None);
    }

    #[test]
    fn a_start_argument_that_differs_is_noticed() {
        let identity = of_customer("acme/customer/A1", &argument("acme", "B1"));
        assert_eq!(identity.me.customer.as_str(), "A1");
        assert_eq!(identity.wrong_start, Some(Input::Misidentified { claimed: "acme/B1".to_owned() }));
        let nothing = of_customer("acme/customer/A1", &RawValue::default());
        assert_eq!((nothing.me.customer.as_str(), nothing.wrong_start.is_some()), ("A1", true));
    }

    #[test]
    fn a_workflow_id_that_is_not_a_customers_is_nobody() {
        for other in ["anything", "acme/resource/msisdn/1206", "acme/customer/a b", "acme/customer/"] {
            let identity = of_customer(other, &argument("none", "none"));
            assert_eq!(identity.wrong_start, Some(Input::NoCustomer { workflow_id: other.to_owned() }));
        }
    }

    #[test]
    fn a_resource_whose_id_is_hidden_learns_it_from_its_start_argument() {
        let hidden = "0a".repeat(32);
        let identity = of_resource(&format!("acme/resource/msisdn/{hidden}"), &argument("acme", "msisdn/1206"));
        assert_eq!(identity.id.to_string(), "msisdn/1206");
        let plain = of_resource("acme/resource/msisdn/1206", &argument("acme", "msisdn/9999"));
        assert_eq!(plain.id.to_string(), "msisdn/1206");
        let strange = of_resource("acme/resource/msisdn/1206", &RawValue::default());
        assert_eq!(strange.id.to_string(), "msisdn/1206");
    }

    #[test]
    fn a_target_has_a_queue_beside_the_entities() {
        let target = "hss-east".parse().unwrap();
        assert_eq!(provisioning_queue("my.prefix.entity.07", &target), "my.prefix.provisioning-hss-east");
        assert_eq!(provisioning_queue("strange", &target), "interlock.provisioning-hss-east");
    }
}
