//! One trace, from the producer's request to the request at the target.

use std::collections::BTreeMap;

use crate::seen_from_outside::{PRODUCERS_TRACE, hex, seen, trace_of};
use crate::testbed::run;

#[test]
fn one_trace_goes_from_the_posted_event_to_the_request_at_the_target() {
    run(async {
        let seen = seen().await;
        let ours: Vec<_> = seen.spans.iter().filter(|span| trace_of(span) == PRODUCERS_TRACE).collect();
        let by_id: BTreeMap<String, _> = ours.iter().map(|span| (hex(&span.span_id), *span)).collect();
        let path_to = |leaf: &str| {
            let mut names = Vec::new();
            let mut next = Some(leaf.to_owned());
            while let Some(span) = next.as_ref().and_then(|id| by_id.get(id)) {
                names.push(span.name.clone());
                next = Some(hex(&span.parent_span_id));
            }
            (names, next.unwrap())
        };
        assert!(!seen.at_hss.is_empty());
        for traceparent in &seen.at_hss {
            let parts: Vec<&str> = traceparent.split('-').collect();
            assert_eq!(parts[1], PRODUCERS_TRACE, "{traceparent}");
            let (names, root) = path_to(parts[2]);
            let told: Vec<&str> = names.iter().map(String::as_str).collect();
            let through = ["request", "hss assign_number", "accept", "POST /v1/tenants/{tenant}/events"];
            assert!(told == through, "{told:?}");
            // Above it is the producer's own span.
            assert_eq!(root, "b7ad6b7169203331");
        }
        assert!(ours.iter().any(|span| span.name == "admit"), "no admission in the trace");
    });
}
