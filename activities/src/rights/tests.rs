use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use interlock_adapters::{Capabilities, Fence, OnAmbiguous, Verification};
use interlock_domain::ids::{Epoch, OrderId};
use interlock_domain::outcome::HolderAnswer;

use super::*;

/// A ledger and a target: the holders, and what the target has under the SIM.
struct World {
    held: BTreeMap<ResourceId, &'static str>,
    registered: Result<Vec<ResourceId>, Outcome>,
    ledger_is_silent: bool,
}

impl Ledger for World {
    fn holder<'a>(
        &'a self,
        tenant: &'a TenantId,
        resource: &'a ResourceId,
    ) -> BoxFuture<'a, Result<Option<CustomerRef>, EntityCallError>> {
        Box::pin(async move {
            if self.ledger_is_silent {
                return Err(EntityCallError::NotAnswered { workflow_id: "t/resource/imsi/00101".to_owned() });
            }
            let customer = self.held.get(resource).map(|customer| customer.parse().unwrap());
            Ok(customer.map(|customer| CustomerRef { tenant: tenant.clone(), customer }))
        })
    }
}

#[async_trait]
impl Adapter for World {
    fn capabilities(&self, _operation: &str) -> Capabilities {
        Capabilities {
            fence: Fence::None,
            verify: false,
            idempotency_keys: false,
            on_ambiguous: OnAmbiguous::Hold,
            max_apply_delay: Duration::ZERO,
        }
    }

    async fn call(&self, _call: &Call) -> Outcome {
        Outcome::Done
    }

    async fn verify(&self, _call: &Call) -> Verification {
        Verification::Applied
    }

    async fn find_holder(&self, _tenant: &TenantId, _resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        Ok(HolderAnswer::Nobody)
    }

    async fn registered_under(&self, _call: &Call, _target_identity: &ResourceId) -> Result<Vec<ResourceId>, Outcome> {
        self.registered.clone()
    }

    async fn health(&self) -> Result<(), Outcome> {
        Ok(())
    }
}

fn resource(text: &str) -> ResourceId {
    text.parse().unwrap()
}

fn world(held: &[(&str, &'static str)], registered: &[&str]) -> World {
    World {
        held: held.iter().map(|(id, customer)| (resource(id), *customer)).collect(),
        registered: Ok(registered.iter().map(|id| resource(id)).collect()),
        ledger_is_silent: false,
    }
}

/// The result for the customer `me`, which shall get the number 1 under the SIM 00101.
async fn found(world: &World) -> Result<Found, Outcome> {
    let tenant: TenantId = "t".parse().unwrap();
    let order = OrderId::derive(&tenant, &"me".parse().unwrap(), "s", "1", None);
    let call = Call {
        tenant,
        target: "hss".parse().unwrap(),
        operation: "assign_number".to_owned(),
        data: serde_json::Map::new(),
        idempotency_key: order.step_key("hss.assign_number"),
        order,
        epoch: Some(Epoch(1)),
        epochs: [(resource("msisdn/1"), Epoch(1))].into(),
        attempt: 1,
        callback_url: None,
        timeout: Duration::from_secs(1),
    };
    look(world, world, &call, &[resource("imsi/00101")]).await
}

#[tokio::test]
async fn a_right_is_free_if_no_other_customer_has_it() {
    let free = [
        world(&[], &[]),
        // The work of an earlier attempt of the same step.
        world(&[], &["msisdn/1"]),
        world(&[("imsi/00101", "me"), ("msisdn/2", "me")], &["msisdn/1", "msisdn/2"]),
    ];
    for world in free {
        assert_eq!(found(&world).await, Ok(Found::Free), "{:?}", world.held);
    }
}

#[tokio::test]
async fn a_right_is_refused_if_another_customer_holds_it_or_has_a_number_under_it() {
    let anothers = [
        world(&[("imsi/00101", "other")], &[]),
        world(&[("msisdn/2", "other")], &["msisdn/2"]),
        // Its owner is unknown. It may belong to another tenant, which has a ledger of its own.
        world(&[], &["msisdn/2"]),
        world(&[("imsi/00101", "me")], &["msisdn/2"]),
    ];
    for world in anothers {
        assert!(matches!(found(&world).await, Ok(Found::Anothers(_))), "{:?}", world.held);
    }
}

#[tokio::test]
async fn a_ledger_or_target_that_cannot_be_asked_is_asked_again() {
    let silent = World { ledger_is_silent: true, ..world(&[], &[]) };
    assert!(matches!(found(&silent).await, Ok(Found::LedgerSilent(_))));
    let away = World { registered: Err(Outcome::unavailable("away")), ..world(&[], &[]) };
    assert_eq!(found(&away).await, Err(Outcome::unavailable("away")));
}
