//! Workflows of customers and numbers that an operator resets to an earlier task, after a hand-over or while others wait: the holder of
//! the number keeps it, and a customer that was reset to a time at which it had the number does not write any more.

use serde_json::Value;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use crate::embedded::buttons::{bed, freed, handed_over, taken};
use crate::events::Customer;
use crate::scene::{Scene, number};
use crate::temporal_buttons::Reapply;
use crate::temporal_calls::RawEntity;
use crate::testbed::run;
use crate::waiting::until;

fn is_task(event: &HistoryEvent) -> bool {
    event.event_type() == EventType::WorkflowTaskCompleted
}

fn is_signal(event: &HistoryEvent) -> bool {
    event.event_type() == EventType::WorkflowExecutionSignaled
}

/// Whether the call of a step was scheduled by this event.
fn is_call(event: &HistoryEvent) -> bool {
    match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
            scheduled.activity_type.as_ref().is_some_and(|kind| kind.name == "provision")
        }
        _ => false,
    }
}

/// A point to reset a workflow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The first task.
    First,
    /// The task that began the last call.
    BeforeLastCall,
    /// The task that received the result of the last call.
    AfterLastCall,
    /// The last task before the last signal.
    BeforeLastSignal,
}

impl Point {
    /// The end of the workflow task that is repeated.
    fn of(self, history: &[HistoryEvent]) -> i64 {
        let call = || history.iter().rposition(is_call).unwrap();
        let task = match self {
            Self::First => history.iter().find(|event| is_task(event)),
            Self::BeforeLastCall => history[..call()].iter().rfind(|event| is_task(event)),
            Self::AfterLastCall => history[call()..].iter().find(|event| is_task(event)),
            Self::BeforeLastSignal => {
                let signal = history.iter().rposition(is_signal).unwrap();
                history[..signal].iter().rfind(|event| is_task(event))
            }
        };
        task.unwrap().event_id
    }
}

/// Resets an idle entity.
pub async fn reset(entity: &RawEntity, point: Point, reapply: Reapply) {
    until("the entity to be at rest", || entity.length_at_rest()).await;
    entity.reset_run("", point.of(&entity.history("").await), reapply).await;
}

fn of_customer(scene: &Scene<'_>, customer: &Customer) -> RawEntity {
    scene.entity(&customer.id.parse().unwrap())
}

/// A1, which has the number, is reset to before its grant.
async fn before_the_grant(reapply: Reapply) {
    let scene = Scene::on(bed().await);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    let first = scene.done(&taken(&a1, &number)).await;
    reset(&of_customer(&scene, &a1), Point::First, reapply).await;
    let take = scene.submit(&taken(&a2, &number)).await;
    scene.completed(&[first]).await;
    scene.is_waiting_for(&a2, &number).await;
    let state = scene.customer_state(&a1).await;
    assert!(state["journal"].to_string().contains("\"what\":\"reset\""), "{state:#}");
    scene.done(&freed(&a1, &number)).await;
    scene.completed(&[take]).await;
    handed_over(&scene, &a1, &a2, &number);
}

/// Waits until an order has ended or needs a person. Returns its state.
async fn over_or_held(scene: &Scene<'_>, order: &interlock_domain::ids::OrderId) -> Value {
    until(format!("{order} to be over or held"), || async {
        let order = scene.order(order).await?;
        let state = order["state"].as_str()?;
        (!["acknowledged", "pending", "inProgress"].contains(&state)).then_some(order)
    })
    .await
}

/// After its release, when A2 has the number, A1 is reset to this point. It still knows its order, or the order is submitted again.
async fn after_the_number_went_on(point: Point, reapply: Reapply) {
    let scene = Scene::on(bed().await);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&taken(&a1, &number)).await;
    let take = scene.submit(&taken(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let event = freed(&a1, &number);
    let give = scene.done(&event).await;
    scene.completed(&[take]).await;

    reset(&of_customer(&scene, &a1), point, reapply).await;
    if point == Point::BeforeLastSignal {
        scene.submit(&event).await;
    }
    let given = over_or_held(&scene, &give).await;
    println!("{point:?}, {reapply:?}: {} {}", given["state"], given["code"]);
    assert!(given["state"] != "held" || given["waiting_for"]["code"].is_string(), "{given:#}");
    handed_over(&scene, &a1, &a2, &number);
    // A1 wants it again, and waits for A2.
    let again = scene.submit(&taken(&a1, &number)).await;
    scene.is_waiting_for(&a1, &number).await;
    assert_eq!(scene.holder(&number).await, Some(a2.id.clone()));
    handed_over(&scene, &a1, &a2, &number);
    scene.done(&freed(&a2, &number)).await;
    scene.completed(&[again]).await;
    scene.judge(&[&number]);
    assert_eq!(scene.registrations(&number)[3..], [format!("{}-", a2.imsi), format!("{}+", a1.imsi)]);
}

#[test]
fn a_customer_that_is_reset_to_before_its_grant_still_has_its_number() {
    run(async {
        tokio::join!(before_the_grant(Reapply::All), before_the_grant(Reapply::Nothing));
    });
}

#[test]
fn a_customer_that_is_reset_to_before_its_number_was_handed_on_no_longer_writes() {
    run(async {
        tokio::join!(
            after_the_number_went_on(Point::BeforeLastCall, Reapply::All),
            after_the_number_went_on(Point::BeforeLastCall, Reapply::Nothing),
            after_the_number_went_on(Point::AfterLastCall, Reapply::All),
            after_the_number_went_on(Point::AfterLastCall, Reapply::Nothing),
            after_the_number_went_on(Point::BeforeLastSignal, Reapply::Nothing),
            after_the_number_went_on(Point::First, Reapply::All),
        );
    });
}

/// The number's entity is reset to this point, while A1 has the number or, after the hand-over, A2.
async fn number_reset(is_handed_over: bool, point: Point, reapply: Reapply) {
    let scene = Scene::on(bed().await);
    let (a1, a2, a3, number) = (scene.customer("A1"), scene.customer("A2"), scene.customer("A3"), number());
    scene.done(&taken(&a1, &number)).await;
    if is_handed_over {
        let take = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        scene.done(&freed(&a1, &number)).await;
        scene.completed(&[take]).await;
    }
    let holder = if is_handed_over { &a2 } else { &a1 };
    reset(&scene.number_entity(&number), point, reapply).await;
    let take = scene.submit(&taken(&a3, &number)).await;
    scene.is_waiting_for(&a3, &number).await;
    // If no customer that it knows can tell, its target does: by the identity that has the number registered.
    let is_holder = |held: &Value| held["customer_id"] == *holder.id || held["party"] == *holder.imsi;
    until(format!("{} to be known as the holder", holder.id), || async {
        let state = scene.number_state(&number).await?;
        is_holder(&state["holder"]).then_some(())
    })
    .await;
    assert_eq!(scene.registrations(&number).last().unwrap(), &format!("{}+", holder.imsi));
    let state = until("an answer of the number", || scene.number_state(&number)).await;
    assert!(state["history"].to_string().contains("\"what\":\"reset\""), "{state:#}");
    scene.done(&freed(holder, &number)).await;
    scene.completed(&[take]).await;
    scene.judge(&[&number]);
    let last = [format!("{}-", holder.imsi), format!("{}+", a3.imsi)];
    let registrations = scene.registrations(&number);
    assert_eq!(registrations[registrations.len() - 2..], last);
}

#[test]
fn a_number_that_is_reset_to_before_a_used_grant_is_granted_to_no_other_customer() {
    run(async {
        tokio::join!(
            number_reset(false, Point::First, Reapply::All),
            number_reset(false, Point::First, Reapply::Nothing),
            number_reset(true, Point::BeforeLastSignal, Reapply::All),
            number_reset(true, Point::BeforeLastSignal, Reapply::Nothing),
            number_reset(true, Point::First, Reapply::All),
            number_reset(true, Point::First, Reapply::Nothing),
        );
    });
}

#[test]
fn entities_ignore_cancellation() {
    run(async {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&taken(&a1, &number)).await;
        let take = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        for entity in [of_customer(&scene, &a1), of_customer(&scene, &a2), scene.number_entity(&number)] {
            entity.cancel().await;
        }
        scene.done(&freed(&a1, &number)).await;
        scene.completed(&[take]).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}
