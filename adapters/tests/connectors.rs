//! The adapter files that come with Interlock, tested against the documentation of their targets.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use declarative::{bodies, call, json, outcome, shipped, word};
use interlock_adapters::{Adapter, OnAmbiguous};
use interlock_domain::ids::TenantId;
use interlock_domain::outcome::HolderAnswer;
use serde_json::{Value, json};
use wiremock::matchers::{any, header, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn number() -> Value {
    json!({"customer_id": "A1", "imsi": "001010000000001", "msisdn": "12065551234"})
}

/// A server that answers each method as configured.
async fn server(answers: &[(&str, ResponseTemplate)]) -> MockServer {
    let server = MockServer::start().await;
    for (of, answer) in answers {
        Mock::given(method(*of)).respond_with(answer.clone()).mount(&server).await;
    }
    server
}

/// The outcome of an operation at a target with this answer.
async fn outcome_at(name: &str, answers: &[(&str, ResponseTemplate)], operation: &str, data: Value) -> String {
    let server = server(answers).await;
    outcome(&shipped(name, &server.uri()), operation, data).await
}

/// The result of reading back at a target that gives this answer to every read.
async fn verified(name: &str, answer: ResponseTemplate, operation: &str, data: Value) -> &'static str {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    word(&shipped(name, &server.uri()).verify(&call(operation, data)).await)
}

mod espocrm {
    use super::*;

    fn list(records: impl Into<Vec<Value>>) -> ResponseTemplate {
        let records = records.into();
        json(200, json!({"total": records.len(), "list": records}))
    }

    fn record(phone: &str) -> ResponseTemplate {
        list([json!({"id": "5f", "versionNumber": 3, "phoneNumber": phone, "cImsi": "x"})])
    }

    #[tokio::test]
    async fn a_number_is_written_on_the_version_that_was_looked_up() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/Contact"))
            .and(query_param("where[0][attribute]", "cCustomerId"))
            .and(query_param("where[0][value]", "A1"))
            .respond_with(record("+1"))
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(method("PUT"))
            .and(path("/Contact/5f"))
            .and(header("x-version-number", "3"))
            .respond_with(json(200, json!({"id": "5f"})))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(outcome(&shipped("espocrm.toml", &server.uri()), "add_number", number()).await, "done");
        assert_eq!(bodies(&server, "PUT").await, [json!({"phoneNumber": "+12065551234"})]);
    }

    #[tokio::test]
    async fn conflicts_are_told_apart() {
        let conflict = |reason: &str, body: Value| json(409, body).insert_header("X-Status-Reason", reason);
        let modified = json!({"values": {"phoneNumber": "+2"}, "versionNumber": 4});
        let duplicate = json!([{"id": "60", "cCustomerId": "B2"}]);
        for (answer, expected) in [
            (conflict("modified", modified.clone()), "transient"),
            (json(409, modified), "transient"),
            (conflict("duplicate", duplicate.clone()), "permanent duplicate"),
            (json(409, duplicate), "permanent duplicate"),
            (ResponseTemplate::new(409), "permanent http_409"),
            (ResponseTemplate::new(400), "permanent http_400"),
            (ResponseTemplate::new(401), "unavailable"),
            (ResponseTemplate::new(403), "permanent forbidden"),
            (ResponseTemplate::new(404), "permanent http_404"),
            (ResponseTemplate::new(500), "ambiguous"),
            (ResponseTemplate::new(503), "unavailable"),
        ] {
            let name = format!("{answer:?}");
            let answers = [("GET", record("+1")), ("PUT", answer)];
            assert_eq!(outcome_at("espocrm.toml", &answers, "add_number", number()).await, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn the_current_state_decides_what_is_sent() {
        for (found, operation, expected) in [
            (record("+12065551234"), "add_number", "already_done"),
            (list([]), "add_number", "permanent unknown_customer"),
            (list([json!({"id": "1"}), json!({"id": "2"})]), "add_number", "permanent several_records"),
            (record("+1"), "remove_number", "already_done"),
            (record("+12065551234"), "remove_number", "done"),
            (list([]), "close_account", "already_done"),
            (ResponseTemplate::new(500), "add_number", "unavailable"),
        ] {
            let answers = [("GET", found), ("PUT", json(200, json!({})))];
            assert_eq!(outcome_at("espocrm.toml", &answers, operation, number()).await, expected, "{operation}");
        }
    }

    #[tokio::test]
    async fn an_account_is_opened_once() {
        let answers = [("GET", list([])), ("POST", json(200, json!({"id": "5f"})))];
        let server = server(&answers).await;
        assert_eq!(outcome(&shipped("espocrm.toml", &server.uri()), "open_account", number()).await, "done");
        assert_eq!(bodies(&server, "POST").await[0]["cCustomerId"], "A1");
        let own = json(409, json!([{"id": "5f", "cCustomerId": "A1"}]));
        let answers = [("GET", list([])), ("POST", own)];
        assert_eq!(outcome_at("espocrm.toml", &answers, "open_account", number()).await, "transient");
    }

    #[tokio::test]
    async fn a_write_is_read_back() {
        let verified = async |answer, operation| verified("espocrm.toml", answer, operation, number()).await;
        assert_eq!(verified(record("+12065551234"), "add_number").await, "applied");
        assert_eq!(verified(record("+1"), "add_number").await, "not_applied");
        assert_eq!(verified(record("+12065551234"), "remove_number").await, "not_applied");
        assert_eq!(verified(record(""), "remove_number").await, "applied");
        assert_eq!(verified(ResponseTemplate::new(503), "add_number").await, "unclear");
    }
}

mod salesforce {
    use super::*;

    fn error(status: u16, code: &str) -> ResponseTemplate {
        json(status, json!([{"errorCode": code, "message": "no", "fields": []}]))
    }

    #[tokio::test]
    async fn a_number_is_upserted_by_its_external_id() {
        let server = MockServer::start().await;
        Mock::given(method("PATCH"))
            .and(path("/services/data/v61.0/sobjects/Phone_Number__c/Msisdn__c/12065551234"))
            .and(header("authorization", "Bearer open sesame"))
            .respond_with(json(201, json!({"id": "a0", "success": true, "errors": [], "created": true})))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(outcome(&shipped("salesforce.toml", &server.uri()), "add_number", number()).await, "done");
        let expected = json!({"Account__r": {"Customer_Id__c": "A1"}, "Imsi__c": "001010000000001", "Active__c": true});
        assert_eq!(bodies(&server, "PATCH").await, [expected]);
    }

    #[tokio::test]
    async fn answers_have_their_classes() {
        let matches = json!([
            "/services/data/v61.0/sobjects/Phone_Number__c/1",
            "/services/data/v61.0/sobjects/Phone_Number__c/2"
        ]);
        for (answer, expected) in [
            (ResponseTemplate::new(204), "done"),
            (json(300, matches), "permanent several_records"),
            (error(403, "REQUEST_LIMIT_EXCEEDED"), "throttled Some(900000)"),
            (error(403, "REQUEST_LIMIT_EXCEEDED").insert_header("retry-after", "60"), "throttled Some(60000)"),
            (error(403, "INSUFFICIENT_ACCESS"), "permanent insufficient_access"),
            (error(400, "INVALID_FIELD"), "permanent invalid_field"),
            (error(400, "DUPLICATE_VALUE"), "in_use ?"),
            (error(400, "UNABLE_TO_LOCK_ROW"), "transient"),
            (
                json(
                    400,
                    json!([{"errorCode": "CANNOT_EXECUTE_FLOW_TRIGGER", "message":
                    "We can't save this record because the 'Phone' process failed: UNABLE_TO_LOCK_ROW: unable to obtain exclusive access"}]),
                ),
                "transient",
            ),
            (json(200, json!({"id": "a0", "success": true, "errors": []})), "done"),
            (json(200, json!({"id": "a0", "success": false, "errors": ["x"]})), "ambiguous"),
            (ResponseTemplate::new(200).set_body_raw("<html><title>Log in</title>", "text/html"), "ambiguous"),
            (error(401, "INVALID_SESSION_ID"), "unavailable"),
            (error(404, "NOT_FOUND"), "permanent not_found"),
            (error(500, "UNKNOWN_EXCEPTION"), "ambiguous"),
            (error(503, "SERVER_UNAVAILABLE"), "unavailable"),
        ] {
            let name = format!("{answer:?}");
            let got = outcome_at("salesforce.toml", &[("PATCH", answer)], "add_number", number()).await;
            assert_eq!(got, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_number_is_given_up_only_by_the_sim_that_has_it_and_another_one_is_named() {
        let record = |imsi: &str, active: bool| json(200, json!({"Imsi__c": imsi, "Active__c": active}));
        for (found, expected) in [
            (record("001010000000001", true), "done"),
            (record("001010000000002", true), "in_use 001010000000002"),
            (record("001010000000001", false), "already_done"),
            (error(404, "NOT_FOUND"), "already_done"),
            (json(300, json!([])), "permanent several_records"),
        ] {
            let answers = [("GET", found), ("PATCH", ResponseTemplate::new(204))];
            assert_eq!(outcome_at("salesforce.toml", &answers, "remove_number", number()).await, expected);
        }
    }

    #[tokio::test]
    async fn a_write_is_read_back_and_a_holder_found() {
        let record = |active: bool| json(200, json!({"Imsi__c": "001010000000001", "Active__c": active}));
        let verified = async |answer, operation| verified("salesforce.toml", answer, operation, number()).await;
        assert_eq!(verified(record(true), "add_number").await, "applied");
        assert_eq!(verified(record(false), "add_number").await, "not_applied");
        assert_eq!(verified(error(404, "NOT_FOUND"), "remove_number").await, "applied");
        assert_eq!(verified(error(403, "REQUEST_LIMIT_EXCEEDED"), "add_number").await, "unclear");
        for (answer, expected) in [
            (record(true), HolderAnswer::TargetIdentity { target_identity: "001010000000001".to_owned() }),
            (record(false), HolderAnswer::Nobody),
            (error(404, "NOT_FOUND"), HolderAnswer::Nobody),
        ] {
            let server = server(&[("GET", answer)]).await;
            let adapter = shipped("salesforce.toml", &server.uri());
            assert_eq!(
                adapter.find_holder(&TenantId::default(), &"msisdn/12065551234".parse().unwrap()).await,
                Ok(expected)
            );
        }
    }
}

mod hubspot {
    use super::*;

    fn refused(status: u16, category: &str) -> ResponseTemplate {
        json(status, json!({"status": "error", "category": category, "message": "no", "correlationId": "c"}))
    }

    #[tokio::test]
    async fn a_contact_is_upserted_by_its_unique_property() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/crm/v3/objects/contacts/batch/upsert"))
            .respond_with(json(200, json!({"status": "COMPLETE", "results": [{"id": "1", "new": true}]})))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(outcome(&shipped("hubspot.toml", &server.uri()), "add_number", number()).await, "done");
        let properties = json!({"phone": "+12065551234", "imsi": "001010000000001"});
        let expected = json!({"inputs": [{"idProperty": "customer_id", "id": "A1", "properties": properties}]});
        assert_eq!(bodies(&server, "POST").await, [expected]);
    }

    #[tokio::test]
    async fn answers_have_their_classes() {
        let limited = |policy: &str| {
            let body = json!({"status": "error", "message": "limit", "errorType": "RATE_LIMIT", "policyName": policy});
            json(429, body)
                .insert_header("X-HubSpot-RateLimit-Max", "100")
                .insert_header("X-HubSpot-RateLimit-Interval-Milliseconds", "10000")
        };
        let partly = |category: &str| {
            let errors = json!([{"status": "error", "category": category, "message": "no"}]);
            json(207, json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": errors}))
        };
        for (answer, expected) in [
            (json(201, json!({"results": [{"id": "1"}]})), "done"),
            (partly("VALIDATION_ERROR"), "permanent validation_error"),
            (partly("RATE_LIMITS"), "throttled Some(10000)"),
            (limited("TEN_SECONDLY_ROLLING"), "throttled Some(10000)"),
            (limited("SECONDLY").insert_header("Retry-After", "1"), "throttled Some(1000)"),
            (limited("DAILY"), "throttled Some(900000)"),
            (ResponseTemplate::new(429), "throttled Some(10000)"),
            (ResponseTemplate::new(477).insert_header("Retry-After", "240"), "throttled Some(240000)"),
            // A migration of hours is asked about every 5 minutes: `retry_after_max`.
            (ResponseTemplate::new(477).insert_header("Retry-After", "3600"), "throttled Some(300000)"),
            (ResponseTemplate::new(423), "throttled Some(2000)"),
            (refused(400, "VALIDATION_ERROR"), "permanent validation_error"),
            (refused(401, "INVALID_AUTHENTICATION"), "unavailable"),
            (refused(403, "MISSING_SCOPES"), "permanent missing_scopes"),
            (refused(409, "CONFLICT"), "permanent conflict"),
            (ResponseTemplate::new(502), "ambiguous"),
            (ResponseTemplate::new(503), "unavailable"),
            (ResponseTemplate::new(504), "ambiguous"),
        ] {
            let name = format!("{answer:?}");
            let got = outcome_at("hubspot.toml", &[("POST", answer)], "add_number", number()).await;
            assert_eq!(got, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_write_is_read_back() {
        let contact = |phone: &str| json(200, json!({"results": [{"id": "1", "properties": {"phone": phone}}]}));
        let none = json(207, json!({"results": [], "numErrors": 1, "errors": [{"category": "OBJECT_NOT_FOUND"}]}));
        let verified = async |answer, operation| verified("hubspot.toml", answer, operation, number()).await;
        assert_eq!(verified(contact("+12065551234"), "add_number").await, "applied");
        assert_eq!(verified(contact("+1"), "add_number").await, "not_applied");
        assert_eq!(verified(none.clone(), "add_number").await, "not_applied");
        assert_eq!(verified(none, "remove_number").await, "applied");
        assert_eq!(verified(ResponseTemplate::new(429), "add_number").await, "unclear");
    }
}

mod tryton {
    use super::*;

    fn target_identity(numbers: &[&str]) -> ResponseTemplate {
        let mechanisms: Vec<_> = numbers.iter().map(|number| json!({"type": "mobile", "value": number})).collect();
        json(200, json!([{"id": 7, "__name__": "party.party", "code": "A1", "contact_mechanisms": mechanisms}]))
    }

    #[tokio::test]
    async fn a_number_is_added_to_the_party_of_the_code() {
        let server = MockServer::start().await;
        // [["code","=","A1"]], in base64 for URLs.
        Mock::given(method("GET"))
            .and(path("/model/party.party"))
            .and(query_param("d", "W1siY29kZSIsIj0iLCJBMSJdXQ=="))
            .and(header("authorization", "Bearer open sesame"))
            .respond_with(target_identity(&["+1"]))
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(path("/model/party.contact_mechanism"))
            .respond_with(json(200, json!({"id": 9})))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(outcome(&shipped("tryton.toml", &server.uri()), "add_number", number()).await, "done");
        let expected = json!({"party": 7, "type": "mobile", "value": "+12065551234"});
        assert_eq!(bodies(&server, "POST").await, [expected]);
    }

    #[tokio::test]
    async fn answers_have_their_classes() {
        for (found, written, expected) in [
            (target_identity(&["+1", "+12065551234"]), ResponseTemplate::new(200), "already_done"),
            (json(200, json!([])), ResponseTemplate::new(200), "permanent unknown_customer"),
            (target_identity(&[]), ResponseTemplate::new(204), "done"),
            (target_identity(&[]), ResponseTemplate::new(400), "permanent http_400"),
            (target_identity(&[]), ResponseTemplate::new(401), "unavailable"),
            (target_identity(&[]), ResponseTemplate::new(403), "unavailable"),
            (target_identity(&[]), ResponseTemplate::new(500), "ambiguous"),
            (target_identity(&[]), ResponseTemplate::new(503), "unavailable"),
            (ResponseTemplate::new(500), ResponseTemplate::new(200), "unavailable"),
        ] {
            let answers = [("GET", found), ("POST", written)];
            assert_eq!(outcome_at("tryton.toml", &answers, "add_number", number()).await, expected);
        }
    }

    #[tokio::test]
    async fn a_number_is_deleted_by_its_id() {
        for (deleted, expected) in [(ResponseTemplate::new(204), "done"), (ResponseTemplate::new(404), "already_done")]
        {
            let server = MockServer::start().await;
            Mock::given(method("GET")).respond_with(json(200, json!([{"id": 9}]))).mount(&server).await;
            Mock::given(method("DELETE"))
                .and(path("/model/party.contact_mechanism/9"))
                .respond_with(deleted)
                .expect(1)
                .mount(&server)
                .await;
            assert_eq!(outcome(&shipped("tryton.toml", &server.uri()), "remove_number", number()).await, expected);
        }
        let answers = [("GET", json(200, json!([])))];
        assert_eq!(outcome_at("tryton.toml", &answers, "remove_number", number()).await, "already_done");
        assert_eq!(verified("tryton.toml", json(200, json!([])), "remove_number", number()).await, "applied");
        assert_eq!(verified("tryton.toml", json(200, json!([{"id": 9}])), "add_number", number()).await, "applied");
    }
}

mod nsps {
    use super::*;

    #[tokio::test]
    async fn a_connector_is_called_as_nsps_calls_it() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/process-event"))
            .and(header("authorization", "Bearer open sesame"))
            .and(header("x-request-id", "00000000-0000-0000-0000-000000001234"))
            .and(header("x-b3-traceid", "00000000000000000000000000001234"))
            .and(header_exists("content-type"))
            .respond_with(json(202, json!({"message": "Event accepted for processing"})))
            .expect(1)
            .mount(&server)
            .await;
        let adapter = shipped("portaone-nsps.toml", &format!("{}/process-event", server.uri()));
        assert_eq!(outcome(&adapter, "assign_number", number()).await, "done");
        assert_eq!(
            bodies(&server, "POST").await,
            [json!({
                "event_id": "00000000-0000-0000-0000-000000001234", "handler_id": "interlock",
                "data": {"event_type": "SIM/Updated", "variables": {}},
                "pb_data": {
                    "account_info": {"id": "12065551234", "bill_status": "open", "blocked": false},
                    "sim_info": {"imsi": "001010000000001", "msisdn": "12065551234", "status": "used"},
                },
            })]
        );
        assert_eq!(adapter.capabilities("assign_number").on_ambiguous, OnAmbiguous::Resend);
    }

    #[tokio::test]
    async fn error_types_have_their_classes() {
        let error =
            |status: u16, kind: &str, error: &str| json(status, json!({"message": "no", "error": error, "type": kind}));
        for (answer, expected) in [
            (ResponseTemplate::new(204), "done"),
            (error(422, "VALIDATION_ERROR", "Validation failed"), "permanent validation_error"),
            (error(404, "VALIDATION_ERROR", "Not found"), "permanent validation_error"),
            (error(401, "AUTHENTICATION_ERROR", "Unauthorized"), "unavailable"),
            (error(429, "RATE_LIMIT_ERROR", "Rate limit exceeded"), "throttled Some(5000)"),
            (error(429, "RATE_LIMIT", "x").insert_header("Retry-After", "9"), "throttled Some(9000)"),
            (error(503, "CONNECTION_ERROR", "Connection refused"), "unavailable"),
            (error(503, "CONNECTION_ERROR", "Connection timeout"), "ambiguous"),
            (error(500, "SERVICE_ERROR", "Internal server error"), "ambiguous"),
            (error(500, "INTERNAL_ERROR", "oops"), "ambiguous"),
            (ResponseTemplate::new(503), "unavailable"),
            (ResponseTemplate::new(401), "unavailable"),
            (ResponseTemplate::new(400), "permanent http_400"),
            (ResponseTemplate::new(502), "ambiguous"),
        ] {
            let name = format!("{answer:?}");
            let got = outcome_at("portaone-nsps.toml", &[("POST", answer)], "assign_number", number()).await;
            assert_eq!(got, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_sim_is_enabled_and_disabled() {
        let server = server(&[("POST", ResponseTemplate::new(200))]).await;
        let adapter = shipped("portaone-nsps.toml", &server.uri());
        for enabled in [true, false] {
            let data = json!({"imsi": "00101", "enabled": enabled});
            assert_eq!(outcome(&adapter, "set_enabled", data).await, "done");
        }
        let accounts: Vec<_> =
            bodies(&server, "POST").await.into_iter().map(|body| body["pb_data"]["account_info"].clone()).collect();
        assert_eq!(
            accounts,
            [json!({"bill_status": "open", "blocked": false}), json!({"bill_status": "inactive", "blocked": true})]
        );
    }
}
