//! What logs contain, and what they must not contain.

use serde_json::Value;

use crate::seen_from_outside::seen;
use crate::testbed::run;

#[test]
fn no_subscriber_number_is_in_any_log_or_trace_whatever_the_level() {
    run(async {
        let seen = seen().await;
        let spans = format!("{:?}", seen.spans);
        for number in &seen.numbers {
            for (text, of) in [(&seen.logs[0], "worker"), (&seen.logs[1], "gateway"), (&spans, "trace")] {
                let line = text.lines().find(|line| line.contains(number.as_str()));
                assert_eq!(line.map(|line| &line[..line.len().min(2_000)]), None, "{number} is in the {of}'s");
            }
        }
        // The numbers appear only in a masked form that can be told apart.
        assert!(seen.logs[0].contains("***"), "{}", seen.logs[0]);
    });
}

#[test]
fn a_log_record_of_an_attempt_names_its_order_and_tenant() {
    run(async {
        let seen = seen().await;
        let records = seen.logs[0].lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_attempt = |record: &Value| {
            let spans = record["spans"].as_array().cloned().unwrap_or_default();
            spans.into_iter().find(|span| span["name"] == "provision" && span["order"] == seen.watched)
        };
        let attempts: Vec<Value> = records.filter_map(|record| of_attempt(&record)).collect();
        let at = |target: &str| attempts.iter().find(|span| span["target"] == target);
        let hss = at("hss").unwrap_or_else(|| panic!("no record of the HSS: {}", seen.logs[0]));
        assert_eq!((&hss["step"], &hss["attempt"]), (&"hss.assign_number".into(), &1.into()));
        assert!(hss["epoch"].as_u64().is_some_and(|epoch| epoch > 1_500_000_000_000), "{hss}");
        assert!(hss["tenant"].as_str().is_some_and(|tenant| tenant.starts_with("tenant-")), "{hss}");
    });
}
