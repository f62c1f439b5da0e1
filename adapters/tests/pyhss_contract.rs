//! The contract with PyHSS, with one case for each fact about it. Every case runs against the sandbox HSS, and against a real PyHSS if
//! `PYHSS_URL` names one. So the adapter is right, and the sandbox behaves like PyHSS.
//! The cases of a locked PyHSS run if `PYHSS_LOCKED_URL` and `PYHSS_PROVISIONING_KEY` name one.
//!
//! `adapters/tests/pyhss/run` starts both and runs all of it (`adapters/docs/pyhss.md`). It also sets `PYHSS_REQUIRED`, with which a case
//! that would be skipped fails.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod hss;

use hss::{Hss, call, digits, number};
use interlock_adapters::{Adapter, Verification};
use interlock_domain::ids::{ResourceId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde_json::{Value, json};

fn msisdn(number: &str) -> ResourceId {
    format!("msisdn/{number}").parse().unwrap()
}

fn in_use_by(holder: &str) -> Outcome {
    Outcome::InUse { holder: Some(holder.to_owned()) }
}

fn target_identity(imsi: &str) -> HolderAnswer {
    HolderAnswer::TargetIdentity { target_identity: imsi.to_owned() }
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Permanent { code, .. } => code.as_str(),
        other => other.class(),
    }
}

contract! {
    async fn the_ping_is_answered(hss) {
        assert_eq!(hss.get("/oam/ping").await, json!({"result": "OK"}));
        assert_eq!(hss.adapter.health().await, Ok(()));
    }

    async fn a_row_is_created_changed_listed_and_removed(hss) {
        let (_, row) = hss.subscribe().await;
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        let (status, changed) = hss.send("PATCH", &path, Some(json!({"ue_ambr_dl": 5, "colour": "red"}))).await;
        assert_eq!((status, &changed["ue_ambr_dl"], changed.get("colour")), (200, &json!(5), None));
        assert_eq!(hss.get("/subscriber/list?page=0&page_size=1").await.as_array().unwrap().len(), 1);
        assert_eq!(hss.send("DELETE", &path, None).await, (200, json!({"Result": "OK"})));
        assert_eq!(hss.get(&path).await, Value::Null);
    }

    async fn every_look_up_finds_its_row(hss) {
        let (subscription, subscriber) = hss.subscribe().await;
        let (imsi, number) = (&subscription.imsi, number());
        let assign = call("assign_number", json!({"imsi": imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        let sim = hss.get(&format!("/auc/imsi/{imsi}")).await;
        let ims = hss.get(&format!("/ims_subscriber/ims_subscriber_msisdn/{number}")).await;
        for (path, column, expected) in [
            (format!("/auc/{}", sim["auc_id"]), "imsi", json!(imsi)),
            (format!("/auc/iccid/{}", subscription.iccid), "auc_id", sim["auc_id"].clone()),
            ("/apn/1".to_owned(), "apn_id", json!(1)),
            (format!("/subscriber/{}", subscriber["subscriber_id"]), "imsi", json!(imsi)),
            (format!("/subscriber/imsi/{imsi}"), "msisdn", json!(number)),
            (format!("/subscriber/msisdn/{number}"), "imsi", json!(imsi)),
            (format!("/ims_subscriber/{}", ims["ims_subscriber_id"]), "msisdn", json!(number)),
            (format!("/ims_subscriber/ims_subscriber_imsi/{imsi}"), "msisdn", json!(number)),
        ] {
            let (status, row) = hss.send("GET", &path, None).await;
            assert_eq!((status, &row[column]), (200, &expected), "{path}");
        }
        assert_eq!(ims["imsi"], imsi.as_str());
    }

    async fn a_sim_is_loaded_once(hss) {
        let sim = hss.load_sim().await;
        let key = "0".repeat(32);
        let again = |imsi: &str, iccid: &str| {
            json!({"ki": key, "opc": key, "amf": "8000", "sqn": 0, "imsi": imsi, "iccid": iccid})
        };
        for (row, column) in
            [(again(&sim.imsi, &digits("898", 19)), "auc.imsi"), (again(&digits("001", 15), &sim.iccid), "auc.iccid")] {
            let (status, body) = hss.send("PUT", "/auc/", Some(row)).await;
            assert_eq!(status, 400, "{body}");
            let reason = body["reason"].as_str().unwrap();
            assert!(reason.contains(&format!("UNIQUE constraint failed: {column}")), "{reason}");
        }
    }

    async fn an_imsi_may_have_several_ims_numbers(hss) {
        let imsi = digits("001", 15);
        for _ in 0..2 {
            let row = json!({"imsi": imsi, "msisdn": number()});
            assert_eq!(hss.send("PUT", "/ims_subscriber/", Some(row)).await.0, 200);
        }
    }

    async fn a_number_cannot_be_taken_away_by_null(hss) {
        // So a release writes the IMSI in its place.
        let (_, row) = hss.subscribe().await;
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        assert_eq!(hss.send("PATCH", &path, Some(json!({"msisdn": null}))).await.0, 500);
        assert_eq!(hss.get(&path).await["msisdn"], row["msisdn"]);
    }

    async fn a_provisioning_key_is_ignored_where_none_is_asked_for(hss) {
        let (status, _) = hss.send_as(Some("whatever"), "PATCH", "/subscriber/99999999", Some(json!({"enabled": true}))).await;
        assert_eq!(status, 200);
    }

    async fn each_write_of_an_operation_has_its_own_operation_id(hss) {
        let (subscription, _) = hss.subscribe().await;
        let number = number();
        let assign = call("assign_number", json!({"imsi": subscription.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        let log = hss.get("/operation_logs/list?page=0&page_size=200").await;
        let ours = |entry: &&Value| entry["changes"].as_str().is_some_and(|changes| changes.contains(&number));
        let mut ids: Vec<&str> =
            log.as_array().unwrap().iter().filter(ours).filter_map(|entry| entry["operation_id"].as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2, "{log:#}");
        assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok() && id.len() == 36), "{ids:?}");
    }

    async fn a_new_subscriber_has_the_columns_that_pyhss_gives_it(hss) {
        let (subscription, row) = hss.subscribe().await;
        for (column, value) in [("enabled", json!(true)), ("nam", json!(0)), ("ue_ambr_dl", json!(999_999)),
            ("roaming_enabled", json!(true)), ("subscribed_rau_tau_timer", json!(300)), ("serving_mme", Value::Null)] {
            assert_eq!(row[column], value, "{column}");
        }
        assert_eq!(hss.subscriber(&subscription.imsi).await["attributes"], json!([]));
    }

    async fn the_keys_of_a_sim_are_never_shown(hss) {
        let sim = hss.load_sim().await;
        let row = hss.get(&format!("/auc/iccid/{}", sim.iccid)).await;
        assert_eq!(row["imsi"], sim.imsi.as_str());
        assert!(row.get("ki").is_none() && row.get("opc").is_none());
    }

    async fn a_row_that_is_not_there_is_200_and_null(hss) {
        for (method, body) in [("GET", None), ("PATCH", Some(json!({"enabled": false}))), ("DELETE", None)] {
            assert_eq!(hss.send(method, "/subscriber/99999999", body).await, (200, Value::Null), "{method}");
        }
        assert_eq!(hss.send("GET", "/subscriber/imsi/999990000000000", None).await, (200, Value::Null));
        assert_eq!(hss.send("GET", "/auc/iccid/1", None).await, (200, Value::Null));
        assert_eq!(hss.send("GET", "/ims_subscriber/99999999", None).await, (200, Value::Null));
    }

    async fn an_ims_look_up_that_finds_nothing_is_400_and_null(hss) {
        let path = format!("/ims_subscriber/ims_subscriber_msisdn/{}", number());
        assert_eq!(hss.send("GET", &path, None).await, (400, Value::Null));
        assert_eq!(hss.send("GET", "/ims_subscriber/ims_subscriber_imsi/999990000000000", None).await, (400, Value::Null));
    }

    async fn an_ims_number_in_use_is_a_400_with_a_reason(hss) {
        let number = number();
        let row = |imsi: &str| Some(json!({"imsi": imsi, "msisdn": number}));
        assert_eq!(hss.send("PUT", "/ims_subscriber/", row("001010000000001")).await.0, 200);
        let (status, body) = hss.send("PUT", "/ims_subscriber/", row("001010000000002")).await;
        assert_eq!((status, &body["result"]), (400, &json!("Failed")));
        let reason = body["reason"].as_str().unwrap();
        assert!(reason.starts_with("A database integrity error occurred"), "{reason}");
        assert!(reason.contains("UNIQUE constraint failed: ims_subscriber.msisdn"), "{reason}");
    }

    async fn a_subscribers_number_in_use_is_accepted_and_then_lost_to_look_ups(hss) {
        let number = number();
        for _ in 0..2 {
            let (_, row) = hss.subscribe().await;
            let path = format!("/subscriber/{}", row["subscriber_id"]);
            let (status, row) = hss.send("PATCH", &path, Some(json!({"msisdn": number}))).await;
            assert_eq!((status, row["msisdn"].as_str()), (200, Some(number.as_str())));
        }
        assert_eq!(hss.send("GET", &format!("/subscriber/msisdn/{number}"), None).await, (200, Value::Null));
        let answer = hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await.unwrap();
        assert!(matches!(answer, HolderAnswer::Unclear { .. }), "{answer:?}");
    }

    async fn what_pyhss_does_not_understand_is_a_500(hss) {
        for body in [json!({"colour": "red"}), json!({"msisdn": null}), json!({"msisdn": 12})] {
            let (status, answer) = hss.send("PUT", "/ims_subscriber/", Some(body.clone())).await;
            assert_eq!((status, &answer["result"]), (500, &json!("Failed")), "{body}");
        }
    }

    async fn a_missing_required_column_is_a_400(hss) {
        let (status, body) = hss.send("PUT", "/subscriber/", Some(json!({"imsi": digits("001", 15)}))).await;
        assert_eq!(status, 400);
        assert!(body["reason"].as_str().unwrap().contains("NOT NULL constraint failed: subscriber.auc_id"));
    }

    async fn an_imsi_in_use_is_a_400(hss) {
        let (first, _) = hss.subscribe().await;
        let (_, second) = hss.subscribe().await;
        let path = format!("/subscriber/{}", second["subscriber_id"]);
        let (status, body) = hss.send("PATCH", &path, Some(json!({"imsi": first.imsi}))).await;
        assert_eq!(status, 400);
        assert!(body["reason"].as_str().unwrap().contains("UNIQUE constraint failed: subscriber.imsi"));
    }

    async fn a_list_of_access_points_that_is_no_list_is_committed_and_answered_with_null(hss) {
        let (_, row) = hss.subscribe().await;
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        assert_eq!(hss.send("PATCH", &path, Some(json!({"apn_list": "internet"}))).await, (200, Value::Null));
        assert_eq!(hss.get(&path).await["apn_list"], "internet");
    }

    async fn a_null_after_a_commit_is_settled_by_reading_back(hss) {
        // With this list every change of the subscriber is answered with null, although it is committed.
        let (subscription, row) = hss.subscribe().await;
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        hss.send("PATCH", &path, Some(json!({"apn_list": "internet"}))).await;
        let update = call("update_service", json!({"imsi": subscription.imsi, "settings": {"ue_ambr_dl": 77}}));
        assert_eq!(hss.adapter.call(&update).await, Outcome::Done);
        assert_eq!(hss.get(&path).await["ue_ambr_dl"], 77);
    }

    async fn a_plus_is_stripped_from_a_number(hss) {
        let number = number();
        let body = json!({"imsi": digits("001", 15), "msisdn": format!("+{number}")});
        assert_eq!(hss.send("PUT", "/ims_subscriber/", Some(body)).await.1["msisdn"], number.as_str());
        let (subscription, _) = hss.subscribe().await;
        let number = self::number();
        let assign = call("assign_number", json!({"imsi": subscription.imsi, "msisdn": format!("+{number}")}));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await, Ok(target_identity(&subscription.imsi)));
    }

    async fn the_operation_id_of_a_write_is_in_the_operation_log(hss) {
        let id = uuid::Uuid::new_v4();
        let path = format!("/ims_subscriber/?operation_id={id}");
        let body = json!({"imsi": digits("001", 15), "msisdn": number()});
        assert_eq!(hss.send("PUT", &path, Some(body)).await.0, 200);
        let log = hss.get("/operation_logs/list?page=0&page_size=200").await;
        let entry = log.as_array().unwrap().iter().find(|entry| entry["operation_id"] == id.to_string()).unwrap();
        assert_eq!((&entry["operation"], &entry["table_name"]), (&json!("INSERT"), &json!("ims_subscriber")));
    }

    async fn attributes_belong_to_a_subscriber(hss) {
        let (_, row) = hss.subscribe().await;
        let id = &row["subscriber_id"];
        let body = json!({"subscriber_id": id, "key": "colour", "value": "red"});
        assert_eq!(hss.send("PUT", "/subscriber_attributes/", Some(body)).await.0, 200);
        assert_eq!(hss.get(&format!("/subscriber_attributes/{id}")).await[0]["key"], "colour");
    }

    async fn a_number_is_assigned_in_both_tables_and_a_second_time_changes_nothing(hss) {
        let (subscription, _) = hss.subscribe().await;
        let number = number();
        let assign = call("assign_number", json!({"imsi": subscription.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        assert_eq!(hss.subscriber(&subscription.imsi).await["msisdn"], number.as_str());
        assert_eq!(hss.ims_subscriber(&number).await["imsi"], subscription.imsi.as_str());
        assert_eq!(hss.adapter.call(&assign).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&assign).await, Verification::Applied);
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await, Ok(target_identity(&subscription.imsi)));
    }

    async fn a_number_of_somebody_else_is_in_use_and_nothing_is_left_behind(hss) {
        let (first, _) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let number = number();
        hss.adapter.call(&call("assign_number", json!({"imsi": first.imsi, "msisdn": number}))).await;
        let assign = call("assign_number", json!({"imsi": second.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, in_use_by(&first.imsi));
        assert_eq!(hss.subscriber(&second.imsi).await["msisdn"], second.imsi.as_str());
        assert_eq!(hss.adapter.verify(&assign).await, Verification::InUse { holder: Some(first.imsi) });
    }

    async fn a_number_that_only_the_subscriber_table_has_is_in_use_too(hss) {
        let (first, row) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let number = number();
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        hss.send("PATCH", &path, Some(json!({"msisdn": number}))).await;
        let assign = call("assign_number", json!({"imsi": second.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, in_use_by(&first.imsi));
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await, Ok(target_identity(&first.imsi)));
    }

    async fn a_number_that_two_already_share_is_not_given_to_a_third(hss) {
        let number = number();
        for _ in 0..2 {
            let (_, row) = hss.subscribe().await;
            hss.send("PATCH", &format!("/subscriber/{}", row["subscriber_id"]), Some(json!({"msisdn": number}))).await;
        }
        let (third, _) = hss.subscribe().await;
        let assign = call("assign_number", json!({"imsi": third.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&assign).await, Outcome::InUse { holder: None });
        assert_eq!(hss.subscriber(&third.imsi).await["msisdn"], third.imsi.as_str());
        assert_eq!(hss.send("GET", &format!("/ims_subscriber/ims_subscriber_msisdn/{number}"), None).await.0, 400);
    }

    async fn half_an_assignment_is_completed(hss) {
        let (subscription, row) = hss.subscribe().await;
        let number = number();
        let path = format!("/subscriber/{}", row["subscriber_id"]);
        hss.send("PATCH", &path, Some(json!({"msisdn": number}))).await;
        let assign = call("assign_number", json!({"imsi": subscription.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.verify(&assign).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
        assert_eq!(hss.ims_subscriber(&number).await["imsi"], subscription.imsi.as_str());
    }

    async fn a_number_is_released_in_both_tables_and_a_second_time_changes_nothing(hss) {
        let (subscription, _) = hss.subscribe().await;
        let number = number();
        let data = json!({"imsi": subscription.imsi, "msisdn": number});
        hss.adapter.call(&call("assign_number", data.clone())).await;
        let release = call("release_number", data);
        assert_eq!(hss.adapter.verify(&release).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&release).await, Outcome::Done);
        assert_eq!(hss.subscriber(&subscription.imsi).await["msisdn"], subscription.imsi.as_str());
        assert_eq!(hss.ims_subscriber(&number).await, Value::Null);
        assert_eq!(hss.adapter.call(&release).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&release).await, Verification::Applied);
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await, Ok(HolderAnswer::Nobody));
    }

    async fn a_release_of_what_somebody_else_has_names_them_and_touches_nothing(hss) {
        let (first, _) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let number = number();
        hss.adapter.call(&call("assign_number", json!({"imsi": first.imsi, "msisdn": number}))).await;
        let release = call("release_number", json!({"imsi": second.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.call(&release).await, in_use_by(&first.imsi));
        assert_eq!(hss.adapter.verify(&release).await, Verification::InUse { holder: Some(first.imsi.clone()) });
        assert_eq!(hss.ims_subscriber(&number).await["imsi"], first.imsi.as_str());
        assert_eq!(hss.subscriber(&first.imsi).await["msisdn"], number.as_str());
    }

    async fn a_number_changes_hands(hss) {
        let (first, _) = hss.subscribe().await;
        let (second, _) = hss.subscribe().await;
        let number = number();
        let data = |imsi: &str| json!({"imsi": imsi, "msisdn": number});
        for (operation, imsi) in
            [("assign_number", &first.imsi), ("release_number", &first.imsi), ("assign_number", &second.imsi)] {
            assert_eq!(hss.adapter.call(&call(operation, data(imsi))).await, Outcome::Done);
        }
        assert_eq!(hss.get(&format!("/subscriber/msisdn/{number}")).await["imsi"], second.imsi.as_str());
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&number)).await, Ok(target_identity(&second.imsi)));
    }

    async fn releasing_one_of_two_numbers_leaves_the_other(hss) {
        let (subscription, _) = hss.subscribe().await;
        let (old, new) = (number(), number());
        let data = |number: &str| json!({"imsi": subscription.imsi, "msisdn": number});
        hss.adapter.call(&call("assign_number", data(&old))).await;
        hss.adapter.call(&call("assign_number", data(&new))).await;
        assert_eq!(hss.adapter.call(&call("release_number", data(&old))).await, Outcome::Done);
        assert_eq!(hss.subscriber(&subscription.imsi).await["msisdn"], new.as_str());
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &msisdn(&old)).await, Ok(HolderAnswer::Nobody));
    }

    async fn a_subscriber_is_created_for_a_sim_that_was_loaded(hss) {
        let sim = hss.load_sim().await;
        let create =
            call("create_subscriber", json!({"imsi": sim.imsi, "iccid": sim.iccid, "profile": "default"}));
        assert_eq!(hss.adapter.verify(&create).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&create).await, Outcome::Done);
        let row = hss.subscriber(&sim.imsi).await;
        assert_eq!((&row["msisdn"], &row["apn_list"]), (&json!(sim.imsi), &json!("1")));
        assert_eq!(hss.adapter.call(&create).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&create).await, Verification::Applied);
    }

    async fn a_sim_that_was_not_loaded_makes_no_subscriber(hss) {
        let create = |sim: &hss::Subscription, profile: Value| {
            call("create_subscriber", json!({"imsi": sim.imsi, "iccid": sim.iccid, "profile": profile}))
        };
        let unknown = hss::Subscription { imsi: digits("001", 15), iccid: digits("898", 19) };
        assert_eq!(code(&hss.adapter.call(&create(&unknown, json!("default"))).await), "unknown_sim");
        let sim = hss.load_sim().await;
        let mismatched = hss::Subscription { imsi: digits("001", 15), iccid: sim.iccid.clone() };
        assert_eq!(code(&hss.adapter.call(&create(&mismatched, json!("default"))).await), "sim_mismatch");
        assert_eq!(code(&hss.adapter.call(&create(&sim, json!("golden"))).await), "unknown_profile");
        let columns = json!({"default_apn": 1, "apn_list": "1", "ue_ambr_dl": 5});
        assert_eq!(hss.adapter.call(&create(&sim, columns)).await, Outcome::Done);
        assert_eq!(hss.subscriber(&sim.imsi).await["ue_ambr_dl"], 5);
    }

    async fn a_subscriber_is_removed_once_it_has_no_number(hss) {
        let (subscription, _) = hss.subscribe().await;
        let data = json!({"imsi": subscription.imsi, "msisdn": number()});
        hss.adapter.call(&call("assign_number", data.clone())).await;
        let remove = call("remove_subscriber", json!({"imsi": subscription.imsi}));
        assert_eq!(code(&hss.adapter.call(&remove).await), "number_still_assigned");
        hss.adapter.call(&call("release_number", data)).await;
        assert_eq!(hss.adapter.call(&remove).await, Outcome::Done);
        assert_eq!(hss.subscriber(&subscription.imsi).await, Value::Null);
        assert_eq!(hss.adapter.call(&remove).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&remove).await, Verification::Applied);
    }

    async fn a_sim_is_swapped_and_the_number_stays(hss) {
        let (old, _) = hss.subscribe().await;
        let new = hss.load_sim().await;
        let number = number();
        hss.adapter.call(&call("assign_number", json!({"imsi": old.imsi, "msisdn": number}))).await;
        let swap = call("swap_sim", json!({"old_imsi": old.imsi, "new_imsi": new.imsi, "msisdn": number}));
        assert_eq!(hss.adapter.verify(&swap).await, Verification::NotApplied);
        assert_eq!(hss.adapter.call(&swap).await, Outcome::Done);
        let row = hss.subscriber(&new.imsi).await;
        let sim = hss.get(&format!("/auc/imsi/{}", new.imsi)).await;
        assert_eq!((&row["msisdn"], &row["auc_id"]), (&json!(number), &sim["auc_id"]));
        assert_eq!(hss.ims_subscriber(&number).await["imsi"], new.imsi.as_str());
        assert_eq!(hss.adapter.call(&swap).await, Outcome::AlreadyDone);
        assert_eq!(hss.adapter.verify(&swap).await, Verification::Applied);
    }

    async fn a_sim_of_another_subscription_is_not_taken(hss) {
        let (old, _) = hss.subscribe().await;
        let (other, _) = hss.subscribe().await;
        let swap = |new: &str| {
            call("swap_sim", json!({"old_imsi": old.imsi, "new_imsi": new, "msisdn": number()}))
        };
        assert_eq!(hss.adapter.call(&swap(&other.imsi)).await, in_use_by(&other.imsi));
        assert_eq!(code(&hss.adapter.call(&swap(&digits("001", 15))).await), "unknown_sim");
    }

    async fn a_subscriber_is_disabled_and_enabled(hss) {
        let (subscription, _) = hss.subscribe().await;
        for enabled in [false, true] {
            let set = call("set_enabled", json!({"imsi": subscription.imsi, "enabled": enabled}));
            assert_eq!(hss.adapter.call(&set).await, Outcome::Done);
            assert_eq!(hss.subscriber(&subscription.imsi).await["enabled"], enabled);
            assert_eq!(hss.adapter.call(&set).await, Outcome::AlreadyDone);
        }
    }

    async fn a_setting_without_a_column_is_refused_and_a_known_one_is_set(hss) {
        let (subscription, _) = hss.subscribe().await;
        let update = |settings: Value| call("update_service", json!({"imsi": subscription.imsi, "settings": settings}));
        assert_eq!(code(&hss.adapter.call(&update(json!({"call_forwarding": "1"}))).await), "unknown_setting");
        let known = update(json!({"ue_ambr_ul": 42, "roaming_enabled": false}));
        assert_eq!(hss.adapter.call(&known).await, Outcome::Done);
        let row = hss.subscriber(&subscription.imsi).await;
        assert_eq!((&row["ue_ambr_ul"], &row["roaming_enabled"]), (&json!(42), &json!(false)));
        assert_eq!(hss.adapter.call(&known).await, Outcome::AlreadyDone);
    }

    async fn a_change_that_was_overwritten_since_is_found_in_the_operation_log(hss) {
        let (subscription, _) = hss.subscribe().await;
        let disable = call("set_enabled", json!({"imsi": subscription.imsi, "enabled": false}));
        assert_eq!(hss.adapter.verify(&disable).await, Verification::NotApplied);
        hss.adapter.call(&disable).await;
        hss.adapter.call(&call("set_enabled", json!({"imsi": subscription.imsi, "enabled": true}))).await;
        assert_eq!(hss.adapter.verify(&disable).await, Verification::Applied);
    }

    async fn nothing_is_done_for_a_subscriber_that_is_not_there(hss) {
        let imsi = digits("001", 15);
        for (operation, data) in [
            ("assign_number", json!({"imsi": imsi, "msisdn": number()})),
            ("set_enabled", json!({"imsi": imsi, "enabled": true})),
            ("update_service", json!({"imsi": imsi, "settings": {"nam": 0}})),
        ] {
            assert_eq!(code(&hss.adapter.call(&call(operation, data)).await), "unknown_subscriber", "{operation}");
        }
        let release = call("release_number", json!({"imsi": imsi, "msisdn": number()}));
        assert_eq!(hss.adapter.call(&release).await, Outcome::AlreadyDone);
    }

    async fn data_and_operations_that_do_not_do_are_permanent(hss) {
        assert_eq!(code(&hss.adapter.call(&call("assign_number", json!({"imsi": "abc"}))).await), "invalid_data");
        assert_eq!(code(&hss.adapter.call(&call("paint_it_red", json!({}))).await), "unknown_operation");
    }

    async fn the_holder_of_an_imsi_is_itself_and_other_kinds_are_not_known(hss) {
        let (subscription, _) = hss.subscribe().await;
        let imsi = |imsi: &str| format!("imsi/{imsi}").parse().unwrap();
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &imsi(&subscription.imsi)).await, Ok(target_identity(&subscription.imsi)));
        assert_eq!(hss.adapter.find_holder(&TenantId::default(), &imsi(&digits("001", 15))).await, Ok(HolderAnswer::Nobody));
        let error = hss.adapter.find_holder(&TenantId::default(), &"ip/10.0.0.1".parse().unwrap()).await.unwrap_err();
        assert_eq!(code(&error), "unknown_resource_kind");
    }
}

/// The case of a locked HSS, which requires a provisioning key.
async fn a_locked_hss_asks_for_its_key_for_writes_only(hss: &Hss, key: &str) {
    let body = || Some(json!({"enabled": true}));
    for method in ["PUT", "PATCH", "DELETE"] {
        let path = if method == "PUT" { "/subscriber/" } else { "/subscriber/99999999" };
        for wrong in [None, Some("wrong")] {
            assert_eq!(hss.send_as(wrong, method, path, body()).await.0, 401, "{method} {wrong:?}");
        }
        assert_ne!(hss.send_as(Some(key), method, path, body()).await.0, 401, "{method}");
    }
    assert_eq!(hss.get("/oam/ping").await, json!({"result": "OK"}));
    assert_eq!(hss.send("GET", "/subscriber/99999999", None).await.0, 200);

    let create = {
        let key_of_sim = "0".repeat(32);
        let (imsi, iccid) = (digits("001", 15), digits("898", 19));
        let sim = json!({
            "ki": key_of_sim, "opc": key_of_sim, "amf": "8000", "sqn": 0, "imsi": imsi, "iccid": iccid
        });
        assert_eq!(hss.send_as(Some(key), "PUT", "/auc/", Some(sim)).await.0, 200);
        if hss.get("/apn/1").await.is_null() {
            let apn = json!({"apn": "internet", "apn_ambr_dl": 9999, "apn_ambr_ul": 9999});
            assert_eq!(hss.send_as(Some(key), "PUT", "/apn/", Some(apn)).await.0, 200);
        }
        call("create_subscriber", json!({"imsi": imsi, "iccid": iccid, "profile": "default"}))
    };
    // Wrong credentials are a matter of the target, not of the order, so the order waits.
    for wrong in [&hss.adapter, &hss.with_key("wrong")] {
        assert!(matches!(wrong.call(&create).await, Outcome::Unavailable { .. }));
    }
    assert_eq!(hss.with_key(key).call(&create).await, Outcome::Done);
}

#[tokio::test]
async fn a_locked_sandbox_asks_for_its_key_for_writes_only() {
    let (hss, key) = Hss::locked_sandbox().await;
    a_locked_hss_asks_for_its_key_for_writes_only(&hss, &key).await;
}

#[tokio::test]
async fn a_running_locked_pyhss_asks_for_its_key_for_writes_only() {
    if let Some((hss, key)) = Hss::running_locked() {
        a_locked_hss_asks_for_its_key_for_writes_only(&hss, &key).await;
    }
}
