//! A batch terminates entities in the middle of a hand-over, while a release is in doubt. After they are recovered, the number is
//! handed on, and never to two customers.

use interlock_adapters::sandbox::{Action, Rule};
use interlock_domain::ids::OrderId;
use interlock_workflows::names;
use temporalio_common::protos::temporal::api::batch::v1::BatchOperationTermination;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;

use crate::command::done;
use crate::embedded::buttons::{bed, freed, handed_over, in_doubt, taken};
use crate::events::Customer;
use crate::scene::{Scene, number, write_that_releases};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::run;
use crate::waiting::until;

/// A1's release was cut and is still in flight, and A2 waits.
struct HandOver {
    scene: Scene<'static>,
    a1: Customer,
    a2: Customer,
    number: String,
    give: OrderId,
    take: OrderId,
}

impl HandOver {
    async fn in_doubt() -> Self {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&taken(&a1, &number)).await;
        scene.bed.hss.add_rule(Rule::once(write_that_releases(&a1), Action::ApplyLate { ms: 1_800 }));
        let take = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let give = scene.submit(&freed(&a1, &number)).await;
        in_doubt(&scene.entity(&a1.id.parse().unwrap())).await;
        Self { scene, a1, a2, number, give, take }
    }

    fn entity(&self, customer: &Customer) -> RawEntity {
        self.scene.entity(&customer.id.parse().unwrap())
    }

    /// A person recovers the orders of a customer, as `order why` advises.
    async fn recover(&self, customer: &Customer, asked: &OrderId) {
        let why = done(&self.scene, &["order", "why", asked.as_str()]).await;
        assert!(why.contains(&format!("interlock customer recover {}", customer.id)), "{why}");
        done(&self.scene, &["customer", "recover", &customer.id, "--yes"]).await;
    }

    /// The sweep asks a customer to repeat what it has and wants.
    async fn ask_again(&self, customer: &Customer) {
        self.entity(customer).signal(names::REASSERT, vec![json_payload("{}")]).await;
    }

    /// The release is done, or found nothing to release any more; A2 has the number, and no two customers had it at the same time.
    async fn ends_well(self) {
        let Self { scene, a1, a2, number, give, take } = self;
        let end = scene.end_of(&give).await;
        assert!(["completed", "partial"].contains(&end.as_str()), "{end}");
        if end == "partial" {
            let shown = until("the order", || scene.order(&give)).await;
            assert_eq!(shown["code"], "not_holder");
        }
        scene.completed(&[take]).await;
        handed_over(&scene, &a1, &a2, &number);
    }
}

/// Terminates an entity by a batch, and waits until it is terminated.
async fn terminate(entity: &RawEntity) {
    let run_id = entity.run_id().await;
    entity.batch(Operation::TerminationOperation(BatchOperationTermination::default())).await;
    until("the batch to terminate it", || async {
        let info = entity.described().await?.workflow_execution_info?;
        // A message that arrives meanwhile starts it again.
        let is_another = info.execution.as_ref().is_some_and(|execution| execution.run_id != run_id);
        (is_another || info.status() == WorkflowExecutionStatus::Terminated).then_some(())
    })
    .await;
}

#[test]
fn a_giving_customer_that_a_batch_terminates_in_the_middle_of_its_release_gives_the_number_in_its_next_life() {
    run(async {
        let hand_over = HandOver::in_doubt().await;
        terminate(&hand_over.entity(&hand_over.a1)).await;
        hand_over.recover(&hand_over.a1, &hand_over.take).await;
        hand_over.ends_well().await;
    });
}

#[test]
fn a_waiting_customer_that_a_batch_terminates_gets_the_number_in_its_next_life() {
    run(async {
        let hand_over = HandOver::in_doubt().await;
        terminate(&hand_over.entity(&hand_over.a2)).await;
        hand_over.recover(&hand_over.a2, &hand_over.take).await;
        hand_over.ends_well().await;
    });
}

#[test]
fn a_number_whose_entity_a_batch_terminates_in_the_middle_of_a_release_goes_to_the_waiting_customer() {
    run(async {
        let hand_over = HandOver::in_doubt().await;
        terminate(&hand_over.scene.number_entity(&hand_over.number)).await;
        for customer in [&hand_over.a1, &hand_over.a2] {
            hand_over.ask_again(customer).await;
        }
        hand_over.ends_well().await;
    });
}

#[test]
fn a_number_and_its_holder_that_batches_terminate_in_the_middle_of_a_release_go_on_once_they_are_back() {
    run(async {
        let hand_over = HandOver::in_doubt().await;
        let (of_number, of_a1) = (hand_over.scene.number_entity(&hand_over.number), hand_over.entity(&hand_over.a1));
        tokio::join!(terminate(&of_number), terminate(&of_a1));
        done(&hand_over.scene, &["customer", "recover", &hand_over.a1.id, "--yes"]).await;
        hand_over.ask_again(&hand_over.a2).await;
        hand_over.ends_well().await;
    });
}
