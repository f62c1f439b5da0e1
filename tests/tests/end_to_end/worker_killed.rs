//! A worker process dies (kill -9) in the middle of its work, and another one takes over.

use interlock_adapters::sandbox::{Action, Pattern, Rule, Sandbox};
use interlock_domain::ids::{OrderId, TenantId};
use interlock_worker_pools::Workload;
use tokio::sync::OnceCell;

use crate::applied_log::{of_account, registrations};
use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, number, write_that_assigns, write_that_releases};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_true};

/// The latency of the targets for the worker's last requests: they are applied when no worker listens any more.
const IN_THE_MIDDLE: Action = Action::Delay { ms: 1_500 };

/// Waits until a sandbox has started a request that a one-time rule matches.
async fn until_begun(sandbox: &Sandbox, pattern: &Pattern) {
    let begun = || !sandbox.knobs().rules.iter().any(|rule| rule.pattern == *pattern);
    until_true("the target to have the request", begun).await;
}

/// The final state: one worker died in the middle of three steps, of three customers.
struct Aftermath {
    assigning: (Customer, String),
    releasing: (Customer, Customer, String),
    adding: (Customer, String),
    hss: Vec<interlock_adapters::sandbox::Applied>,
    crm: Vec<interlock_adapters::sandbox::Applied>,
}

/// The worker is killed once, for all tests that check the results of its steps.
async fn aftermath() -> &'static Aftermath {
    static AFTERMATH: OnceCell<Aftermath> = OnceCell::const_new();
    AFTERMATH.get_or_init(|| Box::pin(kill_a_worker_in_the_middle_of_steps())).await
}

async fn kill_a_worker_in_the_middle_of_steps() -> Aftermath {
    let wanted = Wanted { worker_processes: Some(vec![Workload::All]), ..Wanted::default() };
    let mut bed = Testbed::start("killed-worker", wanted).await;
    let (tenant, orders, aftermath) = begin_three_steps(&bed).await;
    bed.platform.worker_processes.remove(0).kill().await.unwrap();
    bed.platform.start_worker_process(Workload::All).await.unwrap();
    {
        let scene = Scene { bed: &bed, tenant };
        scene.completed(&orders).await;
    }
    let (hss, crm) = (bed.hss.log(), bed.crm.log());
    bed.stop().await;
    Aftermath { hss, crm, ..aftermath }
}

async fn begin_three_steps(bed: &Testbed) -> (TenantId, Vec<OrderId>, Aftermath) {
    let scene = Scene::on(bed);
    let (assigning, adding) = (scene.customer("assigning"), scene.customer("adding"));
    let (releasing, next) = (scene.customer("releasing"), scene.customer("next"));
    let (one, two, three) = (number(), number(), number());
    scene.done(&assigned(&releasing, &two)).await;

    let add =
        Pattern { operation: Some("add_number".to_owned()), body_contains: Some(three.clone()), ..Pattern::default() };
    bed.hss.add_rule(Rule::once(write_that_assigns(&one), IN_THE_MIDDLE));
    bed.hss.add_rule(Rule::once(write_that_releases(&releasing), IN_THE_MIDDLE));
    bed.crm.add_rule(Rule::once(add.clone(), IN_THE_MIDDLE));
    let mut orders = scene.submit_all(&[assigned(&adding, &three)]).await;
    until_true("the number at the HSS", || scene.registrations(&three).len() == 1).await;
    orders.push(scene.submit(&assigned(&next, &two)).await);
    orders.push(scene.submit(&unassigned(&releasing, &two)).await);
    orders.push(scene.submit(&assigned(&assigning, &one)).await);
    until_begun(&bed.hss, &write_that_assigns(&one)).await;
    until_begun(&bed.hss, &write_that_releases(&releasing)).await;
    until_begun(&bed.crm, &add).await;
    let aftermath = Aftermath {
        assigning: (assigning, one),
        releasing: (releasing, next, two),
        adding: (adding, three),
        hss: Vec::new(),
        crm: Vec::new(),
    };
    (scene.tenant.clone(), orders, aftermath)
}

#[test]
fn an_assign_that_a_worker_died_in_takes_effect_once() {
    run(async {
        let Aftermath { assigning: (customer, number), hss, crm, .. } = aftermath().await;
        assert_eq!(registrations(hss, number), [format!("{}+", customer.imsi)]);
        assert_eq!(of_account(crm, &customer.id), [format!("add {number}")]);
    });
}

#[test]
fn a_release_that_a_worker_died_in_is_confirmed_before_the_next_one_gets_the_number() {
    run(async {
        let Aftermath { releasing: (releasing, next, number), hss, .. } = aftermath().await;
        assert!(crate::applied_log::faults_on(hss, &[number]).is_empty());
        let expected = [format!("{}+", releasing.imsi), format!("{}-", releasing.imsi), format!("{}+", next.imsi)];
        assert_eq!(registrations(hss, number), expected);
    });
}

#[test]
fn a_step_at_the_crm_that_a_worker_died_in_takes_effect_once() {
    run(async {
        let Aftermath { adding: (customer, number), hss, crm, .. } = aftermath().await;
        assert_eq!(registrations(hss, number), [format!("{}+", customer.imsi)]);
        assert_eq!(of_account(crm, &customer.id), [format!("add {number}")]);
    });
}

#[test]
fn an_admission_that_a_worker_died_in_is_made_once_and_takes_one_place_in_the_queue() {
    run(async {
        // No worker serves the numbers, so an admission waits for their answers, and is in the middle of its work.
        let workloads = vec![Workload::Entity, Workload::Provisioning];
        let wanted = Wanted { worker_processes: Some(workloads), ..Wanted::default() };
        let mut bed = Testbed::start("killed-admission", wanted).await;
        let tenant;
        let (customer, number, order);
        {
            let scene = Scene::on(&bed);
            tenant = scene.tenant.clone();
            (customer, number) = (scene.customer("A"), self::number());
            order = scene.submit(&assigned(&customer, &number)).await;
            let resource = scene.number_entity(&number);
            until("the claim at the number", || async { resource.exists().await.then_some(()) }).await;
        }
        let entity = bed.platform.worker_processes.iter().position(|process| process.workload() == Workload::Entity);
        bed.platform.worker_processes.remove(entity.unwrap()).kill().await.unwrap();
        for workload in [Workload::Resource, Workload::Entity] {
            bed.platform.start_worker_process(workload).await.unwrap();
        }
        {
            let scene = Scene { bed: &bed, tenant };
            scene.completed(&[order]).await;
            assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);
            assert_eq!(of_account(&bed.crm.log(), &customer.id), [format!("add {number}")]);
            let state = scene.number_state(&number).await.unwrap();
            assert_eq!(
                (&state["holder"]["customer_id"], &state["queue"]),
                (&customer.id.into(), &serde_json::json!([]))
            );
        }
        bed.stop().await;
    });
}
