//! The messages from customers to resources. Each function is one play.

use interlock_adapters::sandbox::Seed;
use interlock_domain::ids::OrderId;

use super::play::Play;
use super::{Named, assign, lock, named, unassign};
use crate::events::{changed, happened, moved};
use crate::lossy_bed::LossyBed;
use crate::lossy_proxy::{Stopped, Way};
use crate::scene::Scene;

/// How much earlier the event of the claim that recalls a lease happened than that of the other claim, in milliseconds.
const ASKS_BACK_MS: i64 = 30_000;
/// A person's actions on the order whose task is lost.
const ACTIONS: [&str; 2] = ["retry", "cancel"];

pub(super) fn all(lossy: &LossyBed) -> Vec<Named<'_>> {
    let mut plays: Vec<Named<'_>> = Vec::new();
    for action in ACTIONS {
        plays.push(named(
            format!("a_lease_comes_back_after_its_release, {action}"),
            a_lease_comes_back_after_its_release(lossy, action),
        ));
        plays.push(named(format!("a_lease_is_yielded, {action}"), a_lease_is_yielded(lossy, action)));
        plays.push(named(format!("a_lease_is_contested, {action}"), a_lease_is_contested(lossy, action)));
        plays.push(named(
            format!("the_other_half_of_a_move_is_passed_on, {action}"),
            the_other_half_of_a_move_is_passed_on(lossy, action),
        ));
        plays.push(named(format!("a_forced_release_is_refused, {action}"), a_forced_release_is_refused(lossy, action)));
        plays.push(named(format!("a_probe_is_passed_on, {action}"), a_probe_is_passed_on(lossy, action)));
    }
    plays.push(named("a_lease_comes_back_unused", a_lease_comes_back_unused(lossy)));
    plays.push(named("a_lease_is_forced_back", a_lease_is_forced_back(lossy)));
    plays.push(named("a_grant_is_declined", a_grant_is_declined(lossy)));
    plays.push(named("a_lease_is_said_to_be_used", a_lease_is_said_to_be_used(lossy)));
    plays.push(named("a_lease_is_said_again", a_lease_is_said_again(lossy)));
    plays.push(named("a_cancelled_ticket_is_withdrawn", a_cancelled_ticket_is_withdrawn(lossy)));
    plays.push(named("a_superseded_ticket_is_withdrawn", a_superseded_ticket_is_withdrawn(lossy)));
    plays
}

async fn a_lease_comes_back_after_its_release(lossy: &LossyBed, action: &str) {
    let play = Play::with_a_holder(lossy).await;
    let lost = play.lose(play.of(&play.a), &["\"give_back\"", "\"released\"", &play.number]);
    let releases = play.submit(&unassign(&play.a, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some((action, &releases))).await, Way::Recorded);
    play.ends(&lost).await;
}

async fn a_lease_is_yielded(lossy: &LossyBed, action: &str) {
    let (play, locks) = Play::with_a_lease_not_used(lossy).await;
    let lost = play.lose(play.of(&play.b), &["\"give_back\"", "\"yielded\"", &play.number]);
    let asks = assign(&play.a, &play.number);
    play.submit(&happened(asks, ASKS_BACK_MS, chrono::Utc::now())).await;
    assert_eq!(play.in_between(&lost, Some((action, &locks))).await, Way::Within);
    play.ends(&lost).await;
}

async fn a_lease_comes_back_unused(lossy: &LossyBed) {
    let (play, locks) = Play::with_a_lease_not_used(lossy).await;
    let lost = play.lose(play.of(&play.b), &["\"give_back\"", "\"unused\"", &play.number]);
    let (way, ()) = tokio::join!(play.in_between(&lost, None), play.acts("cancel", &locks));
    assert_eq!(way, Way::Recorded);
    play.ends(&lost).await;
}

/// Meanwhile a party that the ledger does not know was registered.
async fn a_lease_is_contested(lossy: &LossyBed, action: &str) {
    let play = Play::with_a_free_number(lossy).await;
    let z = Scene::newcomer("Z");
    play.also_plays(&z);
    let has = Seed { imsi: z.imsi.clone(), msisdn: Some(play.number.clone()), ..Seed::default() };
    lossy.bed.hss.seed(&[has]).unwrap();
    let lost = play.lose(play.of(&play.b), &["\"give_back\"", "\"contested\"", &play.number]);
    let order = play.submit(&assign(&play.b, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some((action, &order))).await, Way::Recorded);
    play.ends(&lost).await;
}

async fn the_other_half_of_a_move_is_passed_on(lossy: &LossyBed, action: &str) {
    let play = Play::with_a_holder(lossy).await;
    let moves = moved(&play.a, &play.b, &play.number);
    let receiver = play.of(&play.b).workflow_id().to_owned();
    let event_id = moves["id"].as_str().unwrap();
    let lost = play.lose_saying(play.of(&play.a), Some(receiver), &[event_id]);
    let gives = play.submit(&moves).await;
    let event = interlock_domain::event::Event::from_value(&moves, usize::MAX).unwrap();
    let takes = OrderId::derive(&play.scene.tenant, &play.b.id.parse().unwrap(), &event.source, &event.id, Some("to"));
    play.is_to_end(takes);
    assert_eq!(play.in_between(&lost, Some((action, &gives))).await, Way::Within);
    play.ends(&lost).await;
}

/// The holder has an order that names the number and waits for another one.
async fn a_forced_release_is_refused(lossy: &LossyBed, action: &str) {
    let play = Play::with_a_holder(lossy).await;
    play.scene.done(&assign(&play.x, &play.other)).await;
    let locks = play.submit(&lock(&play.a, &play.number, &play.other)).await;
    play.waits_for_a_lease(&locks).await;
    let lost = play.lose(play.of(&play.a), &["\"force_refused\"", &play.number]);
    let (way, ()) =
        tokio::join!(play.in_between(&lost, Some((action, &locks))), play.forces(&["--even-if-registered"]));
    assert_eq!(way, Way::Within);
    play.ends(&lost).await;
}

/// Two customers swap their numbers: each waits for the other.
async fn a_probe_is_passed_on(lossy: &LossyBed, action: &str) {
    let play = Play::with_a_holder(lossy).await;
    play.scene.done(&assign(&play.x, &play.other)).await;
    let first = play.submit(&changed(&play.a, &play.number, &play.other)).await;
    play.waits_for_a_lease(&first).await;
    let lost = play.lose(play.of(&play.a), &["\"probe\"", &play.other]);
    let second = changed(&play.x, &play.other, &play.number);
    play.submit(&second).await;
    assert_eq!(play.in_between(&lost, Some((action, &first))).await, Way::Within);
    play.ends(&lost).await;
}

/// A list says that A has the number, but the HSS does not know it.
async fn a_lease_is_forced_back(lossy: &LossyBed) {
    let play = Play::on(lossy);
    play.is_imported_for_a().await;
    let lost = play.lose(play.of(&play.a), &["\"give_back\"", "\"forced\"", &play.number]);
    let (way, ()) = tokio::join!(play.in_between(&lost, None), play.forces(&[]));
    assert_eq!(way, Way::Within);
    play.ends(&lost).await;
}

/// B's order is cancelled while its grant is in flight.
async fn a_grant_is_declined(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let waits = play.submit(&happened(assign(&play.b, &play.number), ASKS_BACK_MS, chrono::Utc::now())).await;
    play.scene.is_waiting_for(&play.b, &play.number).await;
    let to = play.of(&play.b).workflow_id().to_owned();
    let gate = lossy.proxy.stop(Stopped::Signals { to, contains: vec!["\"lease_granted\"".to_owned()] });
    play.submit(&unassign(&play.a, &play.number)).await;
    gate.until_reached().await;
    play.acts("cancel", &waits).await;
    let lost = play.lose(play.of(&play.b), &["\"decline\"", &play.number]);
    gate.open();
    // Its message about its ticket may still be in flight. It is then sent in a task that has received the grant.
    play.in_between(&lost, Some(("retry", &waits))).await;
    play.ends(&lost).await;
}

async fn a_lease_is_said_to_be_used(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let lost = play.lose(play.of(&play.a), &["\"used\"", &play.number]);
    let strays = play.submit(&unassign(&play.b, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some(("retry", &strays))).await, Way::Within);
    play.ends(&lost).await;
}

async fn a_lease_is_said_again(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let lost = play.lose(play.of(&play.a), &["\"reassert\"", &play.number]);
    play.is_asked_again(&play.a).await;
    assert_eq!(play.in_between(&lost, None).await, Way::Recorded);
    play.ends(&lost).await;
}

async fn a_cancelled_ticket_is_withdrawn(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let waits = play.submit(&assign(&play.b, &play.number)).await;
    play.scene.is_waiting_for(&play.b, &play.number).await;
    let lost = play.lose(play.of(&play.b), &["\"withdraw\"", &play.number]);
    play.submit(&unassign(&play.a, &play.number)).await;
    let (way, ()) = tokio::join!(play.in_between(&lost, None), play.acts("cancel", &waits));
    assert_eq!(way, Way::Recorded);
    play.ends(&lost).await;
}

async fn a_superseded_ticket_is_withdrawn(lossy: &LossyBed) {
    let play = Play::with_a_holder(lossy).await;
    let waits = play.submit(&assign(&play.b, &play.number)).await;
    play.scene.is_waiting_for(&play.b, &play.number).await;
    let lost = play.lose(play.of(&play.b), &["\"withdraw\"", &play.number]);
    play.submit(&unassign(&play.b, &play.number)).await;
    assert_eq!(play.in_between(&lost, Some(("cancel", &waits))).await, Way::Recorded);
    play.ends(&lost).await;
}
