//! Histories stay short, and nothing is lost between runs.

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use serde_json::json;

use crate::applied_log::{holders, of_account};
use crate::events::{Customer, assigned, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::failed_tasks;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// How often each number is handed on.
const ROUNDS: usize = 6;
/// How far the run of an entity may exceed its threshold: the work that its last workflow task starts must end in it.
const OVER: usize = 60;

#[test]
fn under_load_nothing_is_lost_between_the_runs_of_entities_that_continue_as_new_at_fifty_events() {
    run(async {
        let limits =
            EntityLimits { continue_as_new_events: 50, continue_as_new_events_forced: 90, ..EntityLimits::default() };
        let bed = Testbed::start("fifty-events", Wanted { limits, ..Wanted::default() }).await;
        {
            let scene = Scene::on(&bed);
            let customers: Vec<Customer> = (1..=4).map(|place| scene.customer(&format!("C{place}"))).collect();
            let numbers = [number(), number(), number()];
            // Slow enough that calls are in flight when a run must end.
            bed.hss.add_rule(Rule::always(Pattern::default(), Action::Delay { ms: 5 }));
            let rounds = numbers.iter().enumerate().map(|(first, number)| go_round(&scene, &customers, number, first));
            let services = customers.iter().map(|customer| change_services(&scene, customer));
            tokio::join!(futures_util::future::join_all(rounds), futures_util::future::join_all(services));

            scene.judge(&numbers.each_ref().map(String::as_str));
            for (first, number) in numbers.iter().enumerate() {
                let expected: Vec<String> =
                    (0..ROUNDS).map(|round| customers[(first + round) % customers.len()].imsi.clone()).collect();
                assert_eq!(holders(&bed.hss.log(), number), expected);
            }
            for number in &numbers {
                let state = until("an answer of the number", || scene.number_state(number)).await;
                assert!(!state["history"].to_string().contains("\"what\":\"reset\""), "{state:#}");
            }
            for customer in &customers {
                let services = of_account(&bed.crm.log(), &customer.id);
                let services: Vec<_> = services.iter().filter(|entry| entry.starts_with("service")).collect();
                assert_eq!(services.len(), SERVICES, "{services:?}");
                check_runs(&scene, customer).await;
            }
        }
        bed.stop().await;
    });
}

/// How often each customer's service changes meanwhile.
const SERVICES: usize = 20;

async fn change_services(scene: &Scene<'_>, customer: &Customer) {
    let mut orders: Vec<OrderId> = Vec::new();
    for value in 1..=SERVICES {
        orders.push(scene.submit(&service_updated(customer, &json!({"ue_ambr_ul": value}))).await);
    }
    scene.completed(&orders).await;
}

/// A number is handed on from customer to customer. The next customer's event always comes first.
async fn go_round(scene: &Scene<'_>, customers: &[Customer], number: &str, first: usize) {
    let customer = |round: usize| &customers[(first + round) % customers.len()];
    let mut having = scene.submit(&assigned(customer(0), number)).await;
    for round in 1..ROUNDS {
        scene.completed(std::slice::from_ref(&having)).await;
        let next = scene.submit(&assigned(customer(round), number)).await;
        scene.is_waiting_for(customer(round), number).await;
        scene.done(&unassigned(customer(round - 1), number)).await;
        having = next;
    }
    scene.completed(&[having]).await;
}

async fn check_runs(scene: &Scene<'_>, customer: &Customer) {
    let runs = scene.entity(&customer.id.parse().unwrap()).runs().await;
    println!("{}: runs of {:?} events", customer.id, runs.iter().map(Vec::len).collect::<Vec<_>>());
    assert!(runs.len() > 2, "{} runs", runs.len());
    for run in &runs {
        assert!(run.len() < 90 + OVER, "a run of {} events", run.len());
        assert_eq!(failed_tasks(run), [""; 0]);
    }
    // None of these runs was reset, and none must be mistaken for one that was.
    let state = scene.customer_state(customer).await;
    assert!(!state["journal"].to_string().contains("\"what\":\"reset\""), "{state:#}");
}
