//! SIMs with several numbers, and numbers in both columns: the primary number of a row, and its list of additional numbers, for which
//! PyHSS has no look-up. Every case runs against the sandbox HSS, and against a real PyHSS if `PYHSS_URL` names one.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod hss;

use hss::{Hss, call, number};
use interlock_adapters::{Adapter, AdapterKind, Call, TargetSettings, Verification};
use interlock_domain::ids::{ResourceId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde_json::{Value, json};

fn msisdn(number: &str) -> ResourceId {
    format!("msisdn/{number}").parse().unwrap()
}

fn of(operation: &str, imsi: &str, number: &str) -> Call {
    call(operation, json!({"imsi": imsi, "msisdn": number}))
}

fn in_use_by(imsi: &str) -> Outcome {
    Outcome::InUse { holder: Some(imsi.to_owned()) }
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Permanent { code, .. } => code.as_str(),
        other => other.class(),
    }
}

async fn holder(hss: &Hss, number: &str) -> HolderAnswer {
    hss.adapter.find_holder(&TenantId::default(), &msisdn(number)).await.unwrap()
}

fn target_identity(imsi: &str) -> HolderAnswer {
    HolderAnswer::TargetIdentity { target_identity: imsi.to_owned() }
}

/// Sets `subscriber.msisdn`, bypassing the adapter.
async fn name(hss: &Hss, subscriber: &Value, number: &str) {
    let path = format!("/subscriber/{}", subscriber["subscriber_id"]);
    assert_eq!(hss.send("PATCH", &path, Some(json!({"msisdn": number}))).await.0, 200);
}

contract! {
    async fn a_second_number_stands_beside_the_first_and_the_sim_has_one_row_still(hss) {
        let (sim, _) = hss.subscribe().await;
        let (first, second) = (number(), number());
        assert_eq!(hss.adapter.call(&of("assign_number", &sim.imsi, &first)).await, Outcome::Done);
        let assign = of("assign_number", &sim.imsi, &second);
        assert_eq!(hss.adapter.verify(&assign).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        assert_eq!(hss.subscriber(&sim.imsi).await["msisdn"], first.as_str());
        // The phone registers with its IMSI, and PyHSS finds no row by it if there are two.
        let row = hss.get(&format!("/ims_subscriber/ims_subscriber_imsi/{}", sim.imsi)).await;
        assert_eq!((&row["msisdn"], &row["msisdn_list"]), (&json!(first), &json!(format!("{first},{second}"))));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&assign).await, Verification::Applied);
        assert_eq!((holder(hss, &first).await, holder(hss, &second).await), (target_identity(&sim.imsi), target_identity(&sim.imsi)));
    }

    async fn a_number_in_somebody_s_list_is_found_and_given_to_nobody_else(hss) {
        let (first, _) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let (primary, listed) = (number(), number());
        hss.register(&first.imsi, &primary, &format!("{primary}, +{listed}")).await;
        assert_eq!(holder(hss, &listed).await, target_identity(&first.imsi));
        let assign = of("assign_number", &second.imsi, &listed);
        assert_eq!(hss.adapter.call(&assign).await, in_use_by(&first.imsi));
        assert_eq!(hss.adapter.verify(&assign).await, Verification::InUse { holder: Some(first.imsi.clone()) });
        assert_eq!(hss.everybody_with(&listed).await.join(" "), first.imsi);
        assert_eq!(hss.subscriber(&second.imsi).await["msisdn"], second.imsi.as_str());
    }

    async fn an_assignment_is_in_place_only_where_nobody_else_has_the_number_in_a_list(hss) {
        let (first, _) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let (primary, doubled) = (number(), number());
        let assign = of("assign_number", &second.imsi, &doubled);
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        hss.register(&first.imsi, &primary, &doubled).await;
        assert_eq!(hss.adapter.verify(&assign).await, Verification::InUse { holder: Some(first.imsi.clone()) });
        assert!(matches!(holder(hss, &doubled).await, HolderAnswer::Unclear { .. }));
    }

    async fn a_listed_number_is_released_and_the_row_keeps_the_others(hss) {
        let (sim, row) = hss.subscribe().await;
        let (primary, listed, other) = (number(), number(), number());
        name(hss, &row, &primary).await;
        hss.register(&sim.imsi, &primary, &format!("{listed},{other}")).await;
        let release = of("release_number", &sim.imsi, &listed);
        assert_eq!(hss.adapter.verify(&release).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&release).await, Outcome::Done);
        let row = hss.ims_subscriber(&primary).await;
        assert_eq!((&row["imsi"], &row["msisdn_list"]), (&json!(sim.imsi), &json!(other)));
        assert_eq!(hss.subscriber(&sim.imsi).await["msisdn"], primary.as_str());
        assert_eq!(hss.adapter.call(&release).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&release).await, Verification::Applied);
        assert_eq!(holder(hss, &listed).await, HolderAnswer::Nobody);
    }

    async fn where_the_primary_number_is_released_another_of_the_sim_takes_its_place_in_both_tables(hss) {
        let (sim, _) = hss.subscribe().await;
        let (first, second) = (number(), number());
        for number in [&first, &second] {
            assert_eq!(hss.adapter.call(&of("assign_number", &sim.imsi, number)).await, Outcome::Done);
        }
        let release = of("release_number", &sim.imsi, &first);
        assert_eq!(hss.adapter.call(&release).await, Outcome::Done);
        let row = hss.ims_subscriber(&second).await;
        assert_eq!((&row["imsi"], &row["msisdn_list"]), (&json!(sim.imsi), &json!(second)));
        assert_eq!(hss.subscriber(&sim.imsi).await["msisdn"], second.as_str());
        assert!(hss.everybody_with(&first).await.is_empty());
        assert_eq!(hss.adapter.call(&release).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.call(&of("release_number", &sim.imsi, &second)).await, Outcome::Done);
        assert!(hss.everybody_with(&second).await.is_empty());
        assert_eq!(hss.subscriber(&sim.imsi).await["msisdn"], sim.imsi.as_str());
    }

    async fn where_a_sim_has_several_rows_a_release_takes_one_and_another_becomes_the_number_of_the_subscriber(hss) {
        let (sim, row) = hss.subscribe().await;
        let numbers = [number(), number(), number()];
        name(hss, &row, &numbers[0]).await;
        for number in &numbers {
            hss.register(&sim.imsi, number, number).await;
        }
        assert_eq!(hss.adapter.call(&of("release_number", &sim.imsi, &numbers[0])).await, Outcome::Done);
        assert_eq!(hss.ims_subscriber(&numbers[0]).await, Value::Null);
        let left = hss.subscriber(&sim.imsi).await["msisdn"].as_str().unwrap().to_owned();
        assert!(numbers[1..].contains(&left), "{left}");
        assert_eq!(hss.everybody_with(&numbers[1]).await.join(" "), sim.imsi);
        assert_eq!(hss.everybody_with(&numbers[2]).await.join(" "), sim.imsi);
    }

    async fn no_release_is_confirmed_while_somebody_else_has_the_number(hss) {
        let (sim, subscriber) = hss.subscribe().await;
        let (mistyped, _) = hss.subscribe().await;
        let (primary, listed, named) = (number(), number(), number());
        hss.register(&sim.imsi, &primary, &listed).await;
        name(hss, &subscriber, &named).await;
        for number in [&primary, &listed, &named] {
            let release = of("release_number", &mistyped.imsi, number);
            assert_eq!(hss.adapter.call(&release).await, in_use_by(&sim.imsi));
            assert_eq!(hss.adapter.verify(&release).await, Verification::InUse { holder: Some(sim.imsi.clone()) });
            assert_eq!(hss.everybody_with(number).await.join(" "), sim.imsi);
        }
    }

    async fn a_number_that_two_have_is_given_up_by_one_and_then_the_other_is_named(hss) {
        let (sim, _) = hss.subscribe().await;
        let (other, _) = hss.subscribe().await;
        let (primary, doubled) = (number(), number());
        assert_eq!(hss.adapter.call(&of("assign_number", &sim.imsi, &doubled)).await, Outcome::Done);
        hss.register(&other.imsi, &primary, &doubled).await;
        assert!(matches!(holder(hss, &doubled).await, HolderAnswer::Unclear { .. }));
        let release = of("release_number", &sim.imsi, &doubled);
        assert_eq!(hss.adapter.call(&release).await, in_use_by(&other.imsi));
        assert_eq!(hss.adapter.verify(&release).await, Verification::InUse { holder: Some(other.imsi.clone()) });
        assert_eq!(hss.everybody_with(&doubled).await.join(" "), other.imsi);
    }

    async fn a_release_of_a_number_that_two_others_share_waits_for_a_person(hss) {
        let shared = number();
        let mut imsis = Vec::new();
        for _ in 0..2 {
            let (sim, row) = hss.subscribe().await;
            name(hss, &row, &shared).await;
            imsis.push(sim.imsi);
        }
        let (third, _) = hss.subscribe().await;
        let outcome = hss.adapter.call(&of("release_number", &third.imsi, &shared)).await;
        assert_eq!(code(&outcome), "holder_unclear");
        let Outcome::Permanent { detail, .. } = outcome else { unreachable!() };
        assert!(imsis.iter().all(|imsi| detail.contains(imsi)), "{detail}");
        // One of the two: its own registration is removed, and the answer names the other holder.
        let release = of("release_number", &imsis[0], &shared);
        assert_eq!(hss.adapter.call(&release).await, in_use_by(&imsis[1]));
        assert_eq!(hss.adapter.verify(&release).await, Verification::InUse { holder: Some(imsis[1].clone()) });
    }

    async fn a_swap_moves_every_row_of_the_old_sim(hss) {
        let (old, row) = hss.subscribe().await;
        let new = hss.load_sim().await;
        let numbers = [number(), number(), number()];
        name(hss, &row, &numbers[0]).await;
        for number in &numbers {
            hss.register(&old.imsi, number, number).await;
        }
        let swap = call("swap_sim", json!({"old_imsi": old.imsi, "new_imsi": new.imsi, "msisdn": numbers[1]}));
        assert_eq!(hss.adapter.verify(&swap).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&swap).await, Outcome::Done);
        for number in &numbers {
            assert_eq!(hss.ims_subscriber(number).await["imsi"], new.imsi.as_str());
        }
        assert_eq!(hss.subscriber(&new.imsi).await["msisdn"], numbers[0].as_str());
        assert_eq!(hss.adapter.call(&swap).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&swap).await, Verification::Applied);
    }

    async fn a_swap_with_an_additional_number_moves_its_row(hss) {
        let (old, _) = hss.subscribe().await;
        let new = hss.load_sim().await;
        let (first, second) = (number(), number());
        for number in [&first, &second] {
            hss.adapter.call(&of("assign_number", &old.imsi, number)).await;
        }
        let swap = call("swap_sim", json!({"old_imsi": old.imsi, "new_imsi": new.imsi, "msisdn": second}));
        assert_eq!(hss.adapter.call(&swap).await, Outcome::Done);
        assert_eq!(hss.everybody_with(&first).await.join(" "), new.imsi);
        assert_eq!(hss.everybody_with(&second).await.join(" "), new.imsi);
        assert_eq!(hss.adapter.call(&of("release_number", &old.imsi, &second)).await, in_use_by(&new.imsi));
    }

    async fn a_subscriber_with_an_additional_number_is_not_removed(hss) {
        let (sim, _) = hss.subscribe().await;
        let remove = call("remove_subscriber", json!({"imsi": sim.imsi}));
        let numbers = [number(), number()];
        for number in &numbers {
            hss.register(&sim.imsi, number, number).await;
        }
        assert_eq!(code(&hss.adapter.call(&remove).await), "number_still_assigned");
        for number in &numbers {
            assert_eq!(hss.adapter.call(&of("release_number", &sim.imsi, number)).await, Outcome::Done);
        }
        assert_eq!(hss.adapter.call(&remove).await, Outcome::Done);
    }

    async fn all_numbers_are_listed_in_whichever_column_they_stand(hss) {
        let (sim, row) = hss.subscribe().await;
        let (primary, listed, named) = (number(), number(), number());
        hss.register(&sim.imsi, &primary, &format!("{primary},{listed}")).await;
        name(hss, &row, &named).await;
        let mut found = Vec::new();
        for page in 0.. {
            let page = hss.adapter.list_holders(&"msisdn".parse().unwrap(), page).await.unwrap();
            found.extend(page.holders.into_iter().filter(|entry| entry.target_identity.as_ref() == Some(&sim.imsi)));
            if page.is_last {
                break;
            }
        }
        let found: Vec<String> = found.into_iter().map(|entry| entry.id).collect();
        assert_eq!(found, [primary, listed, named]);
        let error = hss.adapter.list_holders(&"imsi".parse().unwrap(), 0).await.unwrap_err();
        assert_eq!(code(&error), "cannot_list_holders");
    }

    async fn enabling_and_disabling_leave_the_numbers_of_the_sim_alone(hss) {
        let (sim, _) = hss.subscribe().await;
        let numbers = [number(), number()];
        for number in &numbers {
            hss.adapter.call(&of("assign_number", &sim.imsi, number)).await;
        }
        let set = call("set_enabled", json!({"imsi": sim.imsi, "enabled": false}));
        assert_eq!(hss.adapter.call(&set).await, Outcome::Done);
        assert_eq!(hss.subscriber(&sim.imsi).await["msisdn"], numbers[0].as_str());
        for number in &numbers {
            assert_eq!(hss.everybody_with(number).await.join(" "), sim.imsi);
        }
    }
}

/// An HSS of which at most two rows are read.
async fn with_more_rows_than_are_read() -> (Hss, String, String) {
    let sandboxed = Hss::sandbox().await;
    let mut settings = TargetSettings::new(AdapterKind::Pyhss, sandboxed.base_url.parse().unwrap());
    settings.scan_rows_max = 2;
    let mut hss = Hss::with_settings(&settings);
    hss.sandbox = sandboxed.sandbox;
    let (sim, _) = hss.subscribe().await;
    for _ in 0..3 {
        hss.register("001019999999999", &number(), "").await;
    }
    let listed = number();
    hss.register(&sim.imsi, &number(), &listed).await;
    (hss, sim.imsi, listed)
}

#[tokio::test]
async fn unless_all_rows_are_read_a_number_is_never_said_to_have_no_holder() {
    let (hss, imsi, listed) = with_more_rows_than_are_read().await;
    let answer = holder(&hss, &listed).await;
    assert!(matches!(&answer, HolderAnswer::Unclear { detail } if detail.contains("scan incomplete")), "{answer:?}");
    let (other, _) = hss.subscribe().await;
    assert_eq!(code(&hss.adapter.call(&of("release_number", &other.imsi, &listed)).await), "scan_incomplete");
    // The look-ups find this, so no reading is needed.
    let found = number();
    assert_eq!(hss.adapter.call(&of("assign_number", &other.imsi, &found)).await, Outcome::Done);
    assert_eq!(holder(&hss, &found).await, target_identity(&other.imsi));
    let release = of("release_number", &other.imsi, &found);
    assert_eq!(hss.adapter.call(&release).await, Outcome::Done);
    // The operation log shows that this step removed it.
    assert_eq!(hss.adapter.verify(&release).await, Verification::Applied);
    assert_eq!(hss.adapter.call(&release).await, Outcome::AlreadyDone);
    // The IMSI finds its own row.
    assert_eq!(hss.adapter.call(&of("release_number", &imsi, &listed)).await, Outcome::Done);
    assert!(hss.everybody_with(&listed).await.is_empty());
}

#[tokio::test]
async fn the_list_is_not_read_again_for_each_call() {
    let hss = Hss::sandbox().await;
    let (sim, _) = hss.subscribe().await;
    for _ in 0..5 {
        let number = number();
        for operation in ["assign_number", "release_number"] {
            assert_eq!(hss.adapter.call(&of(operation, &sim.imsi, &number)).await, Outcome::Done);
        }
    }
    let received = hss.sandbox.as_ref().unwrap().received();
    let read = received.iter().filter(|request| request.path.starts_with("/ims_subscriber/list")).count();
    assert_eq!(read, 1);
}
