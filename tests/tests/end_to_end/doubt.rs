//! The handling of a request whose effect is unknown: a connection that is cut after it, a lost answer, a late effect, a request that
//! the network duplicates. Each test is one row of the README's table.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::Action;
use tokio::sync::OnceCell;

use crate::doubtful_targets::{Doubtful, DoubtfulBed, InDoubt};
use crate::testbed::run;
use crate::waiting::until_true;

/// The time limit of a request in these tests.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The troubles of the request that has the effect.
const TROUBLES: [(&str, Action); 5] = [
    ("cut after the effect", Action::FailAfter),
    ("answer lost", Action::LoseAnswer),
    // The client gives up after a second. The request is applied half a second later.
    ("applied after the client gave up", Action::Delay { ms: 1_500 }),
    ("cut, and applied a second later", Action::ApplyLate { ms: 1_000 }),
    ("duplicated by the network", Action::Duplicate),
];

/// The testbed of these tests.
async fn bed() -> &'static DoubtfulBed {
    static BED: OnceCell<DoubtfulBed> = OnceCell::const_new();
    BED.get_or_init(|| DoubtfulBed::start("doubt", None, "4s", REQUEST_TIMEOUT)).await
}

/// The result of an order: the trouble, its end, and how often it took effect.
type Came = (&'static str, String, usize);

async fn came_of(target: Doubtful, trouble: &'static str, action: Action) -> Came {
    let in_doubt = InDoubt::at(bed().await, target).with(action);
    let order = in_doubt.submit().await;
    let end = in_doubt.end(&order).await;
    // A request that is not repeated may be applied only after the order was held.
    until_true("the effect of the request", || in_doubt.effects() > 0).await;
    (trouble, end, in_doubt.effects())
}

/// The results of each trouble at a target.
async fn troubles_of(target: Doubtful) -> Vec<Came> {
    join_all(TROUBLES.map(|(trouble, action)| came_of(target, trouble, action))).await
}

/// The same end and number of effects for each trouble. A request that the network duplicates is different: the order completes with
/// `duplicated` effects.
fn all(end: &str, effects: usize, when_duplicated: usize) -> Vec<Came> {
    let came = |(trouble, action): (&'static str, Action)| match action {
        Action::Duplicate => (trouble, "completed".to_owned(), when_duplicated),
        _ => (trouble, end.to_owned(), effects),
    };
    TROUBLES.map(came).into()
}

#[test]
fn the_hss_applies_once_whatever_becomes_of_the_request() {
    run(async { assert_eq!(troubles_of(Doubtful::Hss).await, all("completed", 1, 1)) });
}

#[test]
fn a_crm_with_keys_and_verify_applies_once_whatever_becomes_of_the_request() {
    run(async { assert_eq!(troubles_of(Doubtful::Crm).await, all("completed", 1, 1)) });
}

#[test]
fn a_text_message_with_keys_and_verify_is_sent_once_whatever_becomes_of_the_request() {
    run(async { assert_eq!(troubles_of(Doubtful::KeysAndVerify).await, all("completed", 1, 1)) });
}

#[test]
fn keys_alone_apply_once_whatever_becomes_of_the_request() {
    run(async { assert_eq!(troubles_of(Doubtful::KeysOnly).await, all("completed", 1, 1)) });
}

#[test]
fn reading_back_alone_applies_once_unless_the_network_duplicates() {
    run(async { assert_eq!(troubles_of(Doubtful::VerifyOnly).await, all("completed", 1, 2)) });
}

#[test]
fn a_target_of_an_adapter_file_applies_once_as_its_file_says() {
    run(async { assert_eq!(troubles_of(Doubtful::Declared).await, all("completed", 1, 2)) });
}

#[test]
fn with_neither_what_is_in_doubt_waits_for_a_person_and_is_not_sent_again() {
    run(async { assert_eq!(troubles_of(Doubtful::Holding).await, all("held ambiguous", 1, 2)) });
}

#[test]
fn with_neither_what_is_in_doubt_is_given_up_where_that_is_wanted() {
    run(async { assert_eq!(troubles_of(Doubtful::GivingUp).await, all("held given_up_ambiguous", 1, 2)) });
}

/// Tests these tests: a double effect is detected.
#[test]
fn a_blind_resend_shows_as_a_double_effect() {
    run(async { assert_eq!(troubles_of(Doubtful::Resending).await, all("completed", 2, 2)) });
}

#[test]
fn a_request_that_lands_after_max_apply_delay_has_its_effect_again_where_no_key_stops_it() {
    run(async {
        // Each is read back 2 s after it was cut, and has not taken effect yet. The request that no key stops arrives last, so that its
        // arrival shows that all have arrived.
        let lands = [
            (Doubtful::Hss, 5_000),
            (Doubtful::KeysAndVerify, 5_000),
            (Doubtful::KeysOnly, 5_000),
            (Doubtful::VerifyOnly, 7_000),
        ];
        let bed = bed().await;
        let late = lands.map(|(target, ms)| InDoubt::at(bed, target).with(Action::ApplyLate { ms }));
        let ends = join_all(late.iter().map(|in_doubt| async { in_doubt.end(&in_doubt.submit().await).await }));
        assert_eq!(ends.await, ["completed"; 4]);
        let [.., unstopped] = &late;
        until_true("the effect that no key stops", || unstopped.effects() == 2).await;
        assert_eq!(late.each_ref().map(InDoubt::effects), [1, 1, 1, 2]);
    });
}

#[test]
fn the_tests_that_the_readme_names_are_there() {
    let readme = include_str!("../../../README.md");
    let sources = [include_str!("doubt.rs"), include_str!("killed_in_doubt.rs")].concat();
    let (_, section) = readme.split_once("## How far \"once\" goes").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let is_test = |name: &&str| name.matches('_').count() > 4;
    let named: Vec<&str> = section.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}()")), "there is no test {name}");
    }
}
