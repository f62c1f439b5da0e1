//! Temporal's own buttons on the activities of a number's entity: the look-up at the HSS, and its messages to customers. Only the HSS
//! decides who has the number, and every message arrives.

use std::sync::Mutex;

use interlock_adapters::sandbox::{Action, Knobs, Pattern, Rule, Seed};
use serde_json::Value;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::batch::v1::{
    BatchOperationCancellation, BatchOperationResetActivities, BatchOperationUpdateActivityOptions,
    batch_operation_reset_activities, batch_operation_update_activity_options,
};
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, TaskQueueType};
use temporalio_common::protos::temporal::api::taskqueue::v1::RateLimit;
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::UpdateTaskQueueConfigRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use temporalio_common::protos::temporal::api::workflowservice::v1::update_task_queue_config_request::RateLimitUpdate;
use tokio::sync::OnceCell;
use tonic::IntoRequest;

use crate::command::done;
use crate::embedded::buttons::{self, freed, handed_over, taken, unpause_all};
use crate::events::Customer;
use crate::scene::{Scene, number};
use crate::temporal_buttons::{OPERATOR, REASON, other_pause};
use crate::temporal_calls::{RawEntity, json_payload, payload};
use crate::testbed::{Testbed, run};
use crate::waiting::until;

/// The answer of the HSS to a look-up of a number.
const SAYS_NOTHING: Action = Action::Refuse { status: 503, body: Value::Null, retry_after_s: None };
/// The same, slow enough to press a button during an attempt.
const IS_SLOW: Action = Action::Delay { ms: 5_000 };

/// The testbed of this module. Its tests remove rules from the HSS.
async fn bed() -> &'static Testbed {
    static BED: OnceCell<Testbed> = OnceCell::const_new();
    BED.get_or_init(|| Testbed::start("resource-buttons", buttons::wanted())).await
}

/// Only one test at a time changes the rules of the HSS.
static RULES: Mutex<()> = Mutex::new(());

fn question(number: &str) -> Pattern {
    Pattern { method: Some("GET".to_owned()), path_contains: Some(number.to_owned()), ..Pattern::default() }
}

fn keep_from_saying(bed: &Testbed, number: &str, how: Action) {
    let _alone = RULES.lock().unwrap();
    bed.hss.add_rule(Rule::always(question(number), how));
}

fn let_it_say(bed: &Testbed, number: &str) {
    let _alone = RULES.lock().unwrap();
    let Knobs { latency_ms, mut rules } = bed.hss.knobs();
    rules.retain(|rule| rule.pattern != question(number));
    bed.hss.set_knobs(Knobs { latency_ms, rules });
}

/// A number that A1 has at the HSS, unknown to the ledger. A2 wants it, and the look-up is in flight.
struct Asked<'a> {
    scene: Scene<'a>,
    a1: Customer,
    a2: Customer,
    number: String,
    take: interlock_domain::ids::OrderId,
    entity: RawEntity,
    activity: String,
}

impl Asked<'_> {
    async fn of(how: Action) -> Asked<'static> {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (Scene::newcomer("A1"), scene.customer("A2"), number());
        let seed = Seed { imsi: a1.imsi.clone(), msisdn: Some(number.clone()), ..Seed::default() };
        scene.bed.hss.seed(&[seed]).unwrap();
        let is_slow = matches!(how, Action::Delay { .. });
        keep_from_saying(scene.bed, &number, how);
        let take = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let entity = scene.number_entity(&number);
        let activity = until("the question", || async {
            let pending = pending_of(&entity, "look_up").await?;
            let waits = pending.attempt > 1 && pending.state() == PendingActivityState::Scheduled;
            let is_made = pending.state() == PendingActivityState::Started;
            (if is_slow { is_made } else { waits }).then_some(pending.activity_id)
        })
        .await;
        Asked { scene, a1, a2, number, take, entity, activity }
    }

    /// The number's entity records the operator's action, and asks again. No customer gets a grant.
    async fn is_told(&self, said: &str) {
        let is_it = |line: &Value| {
            let detail = line["detail"].as_str().unwrap_or_default();
            line["what"] == "look_up_by_hand" && detail.contains(said) && detail.contains("does not settle it")
        };
        until(format!("the history to say: {said}"), || async {
            let state = self.scene.number_state(&self.number).await?;
            state["history"].as_array()?.iter().any(is_it).then_some(())
        })
        .await;
        let why = done(&self.scene, &["order", "why", self.take.as_str()]).await;
        assert!(why.contains("was ended by hand in Temporal"), "{why}");
        let show = done(&self.scene, &["resource", "show", &format!("msisdn/{}", self.number)]).await;
        assert!(show.contains("look_up_by_hand"), "{show}");
    }

    /// Only A1 has it until the HSS has answered and A1 releases it. Then A2 has it.
    async fn ends_well(self) {
        let Self { scene, a1, a2, number, take, .. } = self;
        assert_eq!(scene.holder(&number).await, None);
        assert_eq!(scene.registrations(&number), [format!("{}+", a1.imsi)]);
        let_it_say(scene.bed, &number);
        let give = scene.submit(&freed(&a1, &number)).await;
        scene.completed(&[give, take]).await;
        handed_over(&scene, &a1, &a2, &number);
    }
}

async fn pending_of(entity: &RawEntity, kind: &str) -> Option<PendingActivityInfo> {
    let is_it = |one: &PendingActivityInfo| one.activity_type.as_ref().is_some_and(|of| of.name == kind);
    entity.pending_activities().await.into_iter().find(is_it)
}

async fn completed_as(answer: impl FnOnce(&Asked<'_>) -> Value, said: &str) {
    let asked = Asked::of(SAYS_NOTHING).await;
    asked.entity.complete_activity(&asked.activity, json_payload(answer(&asked).to_string())).await;
    asked.is_told(said).await;
    asked.ends_well().await;
}

async fn pressed(press: impl AsyncFnOnce(&RawEntity, &str)) {
    let asked = Asked::of(SAYS_NOTHING).await;
    press(&asked.entity, &asked.activity).await;
    asked.ends_well().await;
}

#[test]
fn a_look_up_that_is_completed_by_hand_is_made_again_whatever_the_result_says() {
    run(async {
        let target_identity = |imsi: &str| serde_json::json!({"answer": "party", "party": imsi});
        tokio::join!(
            completed_as(|_| serde_json::json!({"answer": "nobody"}), "completed as nobody"),
            completed_as(|asked| target_identity(&asked.a2.imsi), "completed as party"),
            completed_as(|asked| target_identity(&asked.a1.imsi), "completed as party"),
            completed_as(|_| serde_json::json!({"answer": "unclear", "detail": "?"}), "completed as unclear"),
            completed_as(|_| serde_json::json!({"class": "done"}), "completed with an invalid outcome"),
        );
    });
}

#[test]
fn a_look_up_that_is_completed_with_nonsense_or_failed_by_hand_is_made_again() {
    run(async {
        let nonsense = async {
            let asked = Asked::of(SAYS_NOTHING).await;
            asked.entity.complete_activity(&asked.activity, payload("binary/plain", *b"?")).await;
            asked.is_told("completed with an invalid outcome").await;
            asked.ends_well().await;
        };
        let failed = async {
            let asked = Asked::of(IS_SLOW).await;
            asked.entity.fail_activity(&asked.activity).await;
            asked.is_told("failed").await;
            asked.ends_well().await;
        };
        tokio::join!(nonsense, failed);
    });
}

#[test]
fn a_look_up_that_is_reset_or_changed_or_whose_workflow_is_cancelled_goes_on_also_by_a_batch() {
    run(async {
        tokio::join!(
            pressed(async |entity, activity| entity.reset_activities(activity, false).await),
            pressed(async |entity, activity| entity.reset_activities(activity, true).await),
            pressed(async |entity, activity| entity.update_activity_options(activity).await),
            pressed(async |entity, _| entity.cancel().await),
            pressed(async |entity, _| {
                let activity = Some(batch_operation_reset_activities::Activity::MatchAll(true));
                let all = BatchOperationResetActivities { activity, reset_heartbeat: true, ..Default::default() };
                entity.batch(Operation::ResetActivitiesOperation(all)).await;
            }),
            pressed(async |entity, _| {
                let (options, field) = other_pause();
                let mut all = BatchOperationUpdateActivityOptions {
                    activity: Some(batch_operation_update_activity_options::Activity::MatchAll(true)),
                    activity_options: Some(options),
                    ..Default::default()
                };
                all.update_mask.get_or_insert_default().paths.push(field.to_owned());
                entity.batch(Operation::UpdateActivityOptionsOperation(all)).await;
            }),
            pressed(async |entity, _| {
                entity.batch(Operation::CancellationOperation(BatchOperationCancellation::default())).await;
            }),
        );
    });
}

#[test]
fn a_look_up_that_is_paused_says_so_and_goes_on_once_it_is_unpaused() {
    async fn paused(unpause: impl AsyncFnOnce(&RawEntity, &str)) {
        let asked = Asked::of(SAYS_NOTHING).await;
        asked.entity.pause_activity(&asked.activity).await;
        let why = done(&asked.scene, &["order", "why", asked.take.as_str()]).await;
        assert!(why.contains(&format!("Paused by an operator ({OPERATOR})")) && why.contains(REASON), "{why}");
        assert!(
            why.contains(&format!("temporal activity unpause --workflow-id {}", asked.entity.workflow_id())),
            "{why}"
        );
        unpause(&asked.entity, &asked.activity).await;
        asked.ends_well().await;
    }
    run(async {
        tokio::join!(
            paused(async |entity, activity| entity.unpause_activity(activity, false).await),
            paused(async |entity, activity| entity.unpause_activity(activity, true).await),
            paused(async |entity, _| entity.batch(Operation::UnpauseActivitiesOperation(unpause_all())).await),
        );
    });
}

/// How many activities a second the server hands out on an entity's own queue. `None`: no limit.
async fn limit(entity: &RawEntity, per_second: Option<f32>) {
    let request = UpdateTaskQueueConfigRequest {
        namespace: entity.route.namespace.clone(),
        identity: OPERATOR.to_owned(),
        task_queue: entity.route.task_queue.clone(),
        task_queue_type: TaskQueueType::Activity.into(),
        update_queue_rate_limit: Some(RateLimitUpdate {
            rate_limit: per_second.map(|requests_per_second| RateLimit { requests_per_second }),
            reason: REASON.to_owned(),
        }),
        ..Default::default()
    };
    entity.client.clone().update_task_queue_config(request.into_request()).await.unwrap();
}

#[test]
fn a_message_of_a_number_whose_sending_is_ended_by_hand_or_paused_or_reset_arrives() {
    run(async {
        let mut wanted = buttons::wanted();
        // Eager activities, which a worker gets together with the record of its task, would bypass the limit of the queue.
        wanted.dynamic_config.push(("system.enableActivityEagerExecution", "false"));
        let bed = Testbed::start("resource-messages", wanted).await;
        {
            let scene = Scene::on(&bed);
            let of_numbers: Vec<(Customer, String)> = (0..6).map(|_| (scene.customer("A"), number())).collect();
            let mut orders = Vec::new();
            for (customer, number) in &of_numbers {
                keep_from_saying(&bed, number, SAYS_NOTHING);
                orders.push(scene.submit(&taken(customer, number)).await);
                scene.is_waiting_for(customer, number).await;
            }
            let entities: Vec<RawEntity> = of_numbers.iter().map(|(_, number)| scene.number_entity(number)).collect();
            // The grants that follow the answers of the HSS are sent by activities that no worker runs for now.
            limit(&entities[0], Some(0.0)).await;
            let mut sendings = Vec::new();
            for (entity, (_, number)) in entities.iter().zip(&of_numbers) {
                let_it_say(&bed, number);
                let sending = until("a message to be sent", || pending_of(entity, "notify_recorded")).await;
                sendings.push(sending.activity_id);
            }
            let by_hand = |index: usize, result: &'static str| {
                entities[index].complete_activity(&sendings[index], json_payload(result))
            };
            // The results: the customer received it, the customer is dead, and an invalid answer.
            by_hand(0, r#"{"receipt":"by hand","output":["delivered"]}"#).await;
            by_hand(1, r#"{"receipt":"","output":["lost"]}"#).await;
            by_hand(2, "7").await;
            entities[3].reset_activities(&sendings[3], true).await;
            entities[4].update_activity_options(&sendings[4]).await;
            entities[5].pause_activity(&sendings[5]).await;
            let why = done(&scene, &["order", "why", orders[5].as_str()]).await;
            assert!(why.contains(&format!("Paused by an operator ({OPERATOR})")), "{why}");
            limit(&entities[0], None).await;
            entities[5].unpause_activity(&sendings[5], false).await;
            scene.completed(&orders).await;
            for (customer, number) in &of_numbers {
                assert_eq!(scene.registrations(number), [format!("{}+", customer.imsi)]);
                let state = until("the number", || scene.number_state(number)).await;
                let lines = state["history"].as_array().unwrap();
                assert!(lines.iter().all(|line| line["what"] != "orphaned"), "{state:#}");
            }
        }
        bed.stop().await;
    });
}
