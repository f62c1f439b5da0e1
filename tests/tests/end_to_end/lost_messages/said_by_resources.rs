//! The messages from resources to customers. Each function is one play.

use super::play::Play;
use super::{Named, TICKETS_MAX, assign, named, unassign};
use crate::events::{changed, happened};
use crate::lossy_bed::LossyBed;
use crate::lossy_proxy::{Stopped, Way};

/// How much earlier the event of the claim that recalls a lease happened than that of the other claim, in milliseconds.
const ASKS_BACK_MS: i64 = 30_000;

pub(super) fn all(lossy: &LossyBed) -> Vec<Named<'_>> {
    vec![
        named("a_lease_is_granted_after_a_look_up", a_lease_is_granted_after_a_look_up(lossy)),
        named("a_claim_is_answered", a_claim_is_answered(lossy)),
        named("a_lease_is_granted_after_a_release", a_lease_is_granted_after_a_release(lossy)),
        named("a_lease_is_recalled", a_lease_is_recalled(lossy)),
        named("a_release_is_told_that_another_has_it", a_release_is_told_that_another_has_it(lossy)),
        named("a_claim_is_told_that_the_queue_is_full", a_claim_is_told_that_the_queue_is_full(lossy)),
        named("a_holder_is_probed", a_holder_is_probed(lossy)),
        named("a_holder_is_forced", a_holder_is_forced(lossy)),
        named("a_lease_is_known_again", a_lease_is_known_again(lossy)),
        named("a_customer_is_told_of_an_imported_lease", a_customer_is_told_of_an_imported_lease(lossy)),
    ]
}

async fn a_lease_is_granted_after_a_look_up(lossy: &LossyBed) {
    let play = Play::on(lossy);
    let lost = play.lose(play.of_number(), &["\"lease_granted\"", &play.b.id]);
    let claims = play.submit(&assign(&play.b, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some(("cancel", &claims))).await, Way::Recorded);
    play.ends(&lost).await;
}

/// The answer leaves with the record of the task, so no customer has received it. For a claim that arrived as a message, this is the
/// reply.
async fn a_claim_is_answered(lossy: &LossyBed) {
    let play = Play::with_a_free_number(lossy).await;
    let lost = play.lose(play.of_number(), &["granted\"", &play.number]);
    let claims = play.submit(&assign(&play.b, &play.number)).await;
    play.in_between(&lost, Some(("cancel", &claims))).await;
    play.ends(&lost).await;
}

async fn a_lease_is_granted_after_a_release(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let lost = play.lose(play.of_number(), &["\"lease_granted\"", &play.e.id]);
    let releases = play.submit(&unassign(&play.a, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some(("cancel", &releases))).await, Way::Within);
    play.ends(&lost).await;
}

async fn a_lease_is_recalled(lossy: &LossyBed) {
    let (play, locks) = Play::with_a_lease_not_used(lossy).await;
    let lost = play.lose(play.of_number(), &["\"lease_recalled\"", &play.number]);
    let asks = assign(&play.a, &play.number);
    play.submit(&happened(asks, ASKS_BACK_MS, chrono::Utc::now())).await;
    play.in_between(&lost, Some(("cancel", &locks))).await;
    play.ends(&lost).await;
}

async fn a_release_is_told_that_another_has_it(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let lost = play.lose(play.of_number(), &["\"not_holder\"", &play.b.id]);
    let strays = play.submit(&unassign(&play.b, &play.number)).await;
    play.in_between(&lost, Some(("cancel", &strays))).await;
    play.ends(&lost).await;
}

/// The claim arrives as a message, and the reply is a message.
async fn a_claim_is_told_that_the_queue_is_full(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    for place in 1..TICKETS_MAX {
        let waits = play.scene.customer(&format!("W{place}"));
        play.also_plays(&waits);
        play.submit(&assign(&waits, &play.number)).await;
        play.scene.is_waiting_for(&waits, &play.number).await;
    }
    let to = play.of_number().workflow_id().to_owned();
    let _stops = lossy.proxy.stop(Stopped::Updates { to, contains: play.b.id.clone() });
    let lost = play.lose(play.of_number(), &["\"queue_full\"", &play.b.id]);
    let claims = play.submit(&assign(&play.b, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some(("retry", &claims))).await, Way::Within);
    play.ends(&lost).await;
}

/// Two customers swap their numbers: each waits for the other.
async fn a_holder_is_probed(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    play.scene.done(&assign(&play.x, &play.other)).await;
    let first = play.submit(&changed(&play.a, &play.number, &play.other)).await;
    play.waits_for_a_lease(&first).await;
    let lost = play.lose(play.of_number(), &["\"probe\"", &play.number]);
    let second = play.submit(&changed(&play.x, &play.other, &play.number)).await;
    play.in_between(&lost, Some(("cancel", &second))).await;
    play.ends(&lost).await;
}

/// A list says that A has the number, but the HSS does not know it.
async fn a_holder_is_forced(lossy: &LossyBed) {
    let play = Play::on(lossy);
    play.is_imported_for_a().await;
    let lost = play.lose(play.of_number(), &["\"kind\":\"forced\"", &play.number]);
    let (way, ()) = tokio::join!(play.in_between(&lost, None), play.forces(&[]));
    assert_eq!(way, Way::Recorded);
    play.ends(&lost).await;
}

/// The number's entity was terminated, and its holder repeats what it has.
async fn a_lease_is_known_again(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    play.of_number().terminate().await;
    let lost = play.lose(play.of_number(), &["\"lease_known\"", &play.number]);
    play.is_asked_again(&play.a).await;
    let way = play.in_between(&lost, None).await;
    assert_eq!(way, Way::Within);
    play.is_asked_again(&play.e).await;
    play.ends(&lost).await;
}

async fn a_customer_is_told_of_an_imported_lease(lossy: &LossyBed) {
    let play = Play::on(lossy);
    let lost = play.lose(play.of_number(), &["\"lease_imported\"", &play.number]);
    let ((), way) = tokio::join!(play.is_imported_for_a(), play.in_between(&lost, None));
    assert_eq!(way, Way::Within);
    // The HSS does not know it, so only a person can take it back.
    play.forces(&[]).await;
    play.ends(&lost).await;
}
