//! Every event type of the reference catalog, in the life of one customer.

use interlock_adapters::sandbox::{Effect, Seed};
use serde_json::json;

use crate::applied_log::of_account;
use crate::events::{changed, event, service_updated, terminated};
use crate::scene::{Scene, imsi, number};
use crate::testbed::{run, shared};

#[test]
fn every_event_of_a_customers_life_takes_effect_at_every_target() {
    run(async {
        let scene = Scene::on(shared().await);
        let customer = Scene::newcomer("A");
        let (old_imsi, new_imsi) = (customer.imsi.clone(), imsi());
        let (iccid, old, new) = (format!("8901{old_imsi}"), number(), number());
        let sims = [(&old_imsi, Some(iccid.clone())), (&new_imsi, None)];
        let seeds = sims.map(|(imsi, iccid)| Seed { imsi: imsi.clone(), iccid, sim_only: true, msisdn: None });
        scene.bed.hss.seed(&seeds).unwrap();
        let of = |event_type: &str, data| event(event_type, &customer.id, &data);

        let life = [
            of("subscriber.activated", json!({"imsi": old_imsi, "iccid": iccid, "msisdn": old, "profile": "default"})),
            service_updated(&customer, &json!({"ue_ambr_dl": 5_000})),
            of("customer.suspended", json!({"imsi": old_imsi, "reason": "fraud"})),
            of("customer.resumed", json!({"imsi": old_imsi, "reason": "cleared"})),
            changed(&customer, &old, &new),
            of("sim.swapped", json!({"old_imsi": old_imsi, "new_imsi": new_imsi, "msisdn": new})),
            terminated(&crate::events::Customer { imsi: new_imsi.clone(), ..customer.clone() }),
        ];
        for event in &life {
            scene.done(event).await;
        }

        scene.judge(&[&old, &new]);
        assert_eq!(scene.registrations(&old), [format!("{old_imsi}+"), format!("{old_imsi}-")]);
        assert_eq!(scene.registrations(&new), [format!("{old_imsi}+"), format!("{new_imsi}-")]);
        let crm = of_account(&scene.bed.crm.log(), &customer.id);
        let expected = [
            "open".to_owned(),
            "service {\"ue_ambr_dl\":5000}".to_owned(),
            "status suspended".to_owned(),
            "status active".to_owned(),
            format!("change {old} {new}"),
            format!("sim {new_imsi}"),
            "close".to_owned(),
        ];
        assert_eq!(crm, expected);
        let hss = scene.bed.hss.log();
        let of_subscription: Vec<&str> = hss
            .iter()
            .filter_map(|entry| match &entry.effect {
                Effect::SubscriberCreated { imsi } if *imsi == old_imsi => Some("created"),
                Effect::ServiceUpdated { of, .. } if *of == old_imsi => Some("updated"),
                Effect::SubscriberDisabled { imsi } if *imsi == old_imsi => Some("disabled"),
                Effect::SubscriberEnabled { imsi } if *imsi == old_imsi => Some("enabled"),
                Effect::SimSwapped { table, new_imsi: to, .. } if *to == new_imsi && table == "subscriber" => {
                    Some("swapped")
                }
                Effect::SubscriberRemoved { imsi } if *imsi == new_imsi => Some("removed"),
                _ => None,
            })
            .collect();
        assert_eq!(of_subscription, ["created", "updated", "disabled", "enabled", "swapped", "removed"]);
    });
}
