//! A run whose customer was asked to repeat what it has.

use std::collections::HashMap;

use interlock_domain::customer::{AdmissionAnswer, Admitted};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::limits::EntityLimits;
use interlock_domain::order::Rejection;
use temporalio_common::protos::coresdk::AsJsonPayloadExt;
use temporalio_common::protos::coresdk::common::build_local_activity_marker_details;
use temporalio_common::protos::coresdk::external_data::LocalActivityMarkerData;
use temporalio_common::protos::temporal::api::common::v1::ActivityType;
use temporalio_common::protos::temporal::api::history::v1::{
    ActivityTaskCompletedEventAttributes, ActivityTaskScheduledEventAttributes,
};

use super::*;

impl Told {
    /// The marker of the edition that this run began with.
    fn patch(self, patch: &str) -> Self {
        let data = json!({"id": patch, "deprecated": false}).as_json_payload().unwrap();
        self.and(Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes {
            marker_name: "core_patch".to_owned(),
            details: HashMap::from([("patch-data".to_owned(), Payloads { payloads: vec![data] })]),
            ..Default::default()
        }))
    }

    /// The messages of the customer were sent after their task was recorded.
    fn sent(self, number: u32) -> Self {
        let receipt = format!("request {number}");
        let scheduled = ActivityTaskScheduledEventAttributes {
            activity_type: Some(ActivityType { name: "send_recorded".to_owned() }),
            input: Some(payloads(&json!({"receipt": receipt, "input": {}}))),
            ..Default::default()
        };
        let told = self.and(Attributes::ActivityTaskScheduledEventAttributes(scheduled));
        let scheduled_event_id = told.events.last().unwrap().event_id;
        told.and(Attributes::ActivityTaskCompletedEventAttributes(ActivityTaskCompletedEventAttributes {
            scheduled_event_id,
            result: Some(payloads(&json!({"receipt": receipt, "output": null}))),
            ..Default::default()
        }))
    }

    /// An admission rejected its only event, or had none.
    fn admitted(self, rejects: bool) -> Self {
        let rejection = Rejection::new(ErrorCode::UnknownEventType, "no");
        let answer = AdmissionAnswer {
            admitted: if rejects { vec![Admitted::Rejected { rejection }] } else { Vec::new() },
            limits: EntityLimits::default(),
            attributes_registered: true,
            subscriptions: Some(Vec::new()),
            queue_assignment: None,
        };
        let data = LocalActivityMarkerData { activity_type: "admit".to_owned(), ..Default::default() };
        let result = Payload { data: json!(answer).to_string().into_bytes(), ..Payload::default() };
        self.and(Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes {
            marker_name: "core_local_activity".to_owned(),
            details: build_local_activity_marker_details(data, Some(result)),
            ..Default::default()
        }))
    }
}

#[test]
fn what_ended_after_the_sweep_asked_is_over_and_is_not_submitted_again() {
    let told = Told::start(100, "", None).signal("submit", &event("1")).task().patch("0.2.0").admitted(true);
    let told = told.signal("reassert", &json!({"resource": "msisdn/1"})).task().sent(1).task();
    let run = told.signal("submit", &event("2")).task().admitted(true).terminated("dead");
    assert_eq!(replay(&me(), &run).diverged, None);
    assert_eq!(ids(&open_in(&me(), &[run])), [""; 0]);
}

#[test]
fn a_run_of_this_build_asks_who_is_subscribed_and_one_of_an_earlier_build_did_not() {
    let mut stranger = event("1");
    stranger["subject"] = "B".into();
    for (patch, asks) in [("0.2.0-tells", true), ("0.2.0", false)] {
        let told = Told::start(100, "", None).signal("submit", &stranger).task().patch(patch);
        let told = if asks { told.admitted(false) } else { told };
        let run = told.signal("submit", &event("2")).task().admitted(true).terminated("dead");
        assert_eq!(replay(&me(), &run).diverged, None, "{patch}");
        assert_eq!(ids(&open_in(&me(), &[run])), [""; 0], "{patch}");
    }
}
