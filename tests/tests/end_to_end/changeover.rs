//! The number of queue shards changes from 2 to 4 under load: nothing is lost or doubled, and all entities move.

use futures_util::future::join_all;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::limits::EntityLimits;
use interlock_domain::routing::{Routing, RoutingSettings, shard_of};
use interlock_operations::misplaced::{misplaced_run, misplaced_runs};
use interlock_worker_pools::Workload;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tonic::IntoRequest;

use crate::applied_log::{holders, of_account};
use crate::command::done;
use crate::events::{Customer, assigned, happened, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::failed_tasks;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// How often each number is handed on in each part of the change.
const ROUNDS: usize = 2;
/// How often the service of each customer changes in each part. The test does not wait for these changes.
const SERVICES: usize = 4;

/// The customers and the number of one tenant.
struct Household {
    tenant: TenantId,
    customers: Vec<Customer>,
    number: String,
    /// The customers that have the number, with the order that gives it to them.
    having: Option<OrderId>,
    moves: usize,
    /// A customer with a number of its own and nothing to do.
    idle: Customer,
    services: Vec<OrderId>,
}

impl Household {
    async fn new(bed: &Testbed, tenant: TenantId) -> Self {
        let scene = Scene { bed, tenant: tenant.clone() };
        let customers: Vec<Customer> = (1..=3).map(|place| scene.customer(&format!("C{place}"))).collect();
        let (number, idle) = (number(), scene.customer("idle"));
        scene.done(&assigned(&idle, &crate::scene::number())).await;
        let having = Some(scene.submit(&assigned(&customers[0], &number)).await);
        Self { tenant, customers, number, having, moves: 0, idle, services: Vec::new() }
    }

    fn customer(&self, turn: usize) -> &Customer {
        &self.customers[turn % self.customers.len()]
    }

    /// The number is handed on in a circle, with the receiving customer's event always first. Services change meanwhile.
    async fn go_on(&mut self, bed: &Testbed) {
        let scene = Scene { bed, tenant: self.tenant.clone() };
        for _ in 0..SERVICES {
            for customer in &self.customers {
                let value = self.services.len();
                // With a time, since the order of two events that are accepted in the same millisecond is unknown.
                let update = service_updated(customer, &json!({"ue_ambr_ul": value}));
                self.services.push(scene.submit(&happened(update, 0, chrono::Utc::now())).await);
            }
        }
        for _ in 0..ROUNDS {
            let given = self.having.take().unwrap();
            let (from, to) = (self.customer(self.moves), self.customer(self.moves + 1));
            scene.completed(&[given]).await;
            let next = scene.submit(&assigned(to, &self.number)).await;
            scene.is_waiting_for(to, &self.number).await;
            scene.submit(&unassigned(from, &self.number)).await;
            // The test does not wait for it: it may end in the next part.
            self.having = Some(next);
            self.moves += 1;
        }
    }

    async fn check(&self, bed: &Testbed) {
        let scene = Scene { bed, tenant: self.tenant.clone() };
        scene.completed(self.having.as_slice()).await;
        scene.completed(&self.services).await;
        scene.judge(&[&self.number]);
        let expected: Vec<String> = (0..=self.moves).map(|turn| self.customer(turn).imsi.clone()).collect();
        assert_eq!(holders(&bed.hss.log(), &self.number), expected);
        for (place, customer) in self.customers.iter().enumerate() {
            let applied = of_account(&bed.crm.log(), &customer.id);
            let applied: Vec<_> = applied.into_iter().filter(|entry| entry.starts_with("service")).collect();
            let values = (0..self.services.len()).filter(|value| value % self.customers.len() == place);
            let expected: Vec<String> =
                values.map(|value| format!("service {}", json!({"ue_ambr_ul": value}))).collect();
            assert_eq!(applied, expected, "in order, each once");
        }
        for customer in self.customers.iter().chain([&self.idle]) {
            for history in scene.entity(&customer.id.parse().unwrap()).runs().await {
                assert_eq!(failed_tasks(&history), [""; 0], "{}", customer.id);
            }
        }
    }
}

/// The tenants: one for each of four shards.
fn tenants() -> Vec<TenantId> {
    let four = 4_u64.try_into().unwrap();
    let of_shard = |shard: u16| {
        let mut names = (0..).map(|n| format!("household-{n}"));
        names.find(|name| shard_of(name, four).get() == shard).unwrap().parse().unwrap()
    };
    (0..4).map(of_shard).collect()
}

async fn bootstrap(bed: &Testbed, more: &[&str]) -> Value {
    let scene = Scene { bed, tenant: TenantId::default() };
    let said = done(&scene, &[&["bootstrap", "--output", "json"], more].concat()).await;
    serde_json::from_str(&said).unwrap()
}

/// Runs the load together with a command.
async fn while_loaded(bed: &Testbed, households: &mut [Household], more: &[&str]) -> Value {
    let load = join_all(households.iter_mut().map(|household| household.go_on(bed)));
    tokio::join!(bootstrap(bed, more), load).0
}

#[test]
fn a_changed_count_of_shards_is_taken_over_under_load_and_nothing_is_lost_or_doubled() {
    run(async {
        let limits =
            EntityLimits { continue_as_new_events: 50, continue_as_new_events_forced: 90, ..EntityLimits::default() };
        let worker_processes = Some(vec![Workload::All]);
        let wanted = Wanted { shards: Some(2), limits, worker_processes, ..Wanted::default() };
        let mut bed = Testbed::start("changeover", wanted).await;
        let mut households = join_all(tenants().into_iter().map(|tenant| Household::new(&bed, tenant))).await;

        // The change is recorded, but no process knows it yet.
        let report = while_loaded(&bed, &mut households, &["--shards", "4", "--wait", "0"]).await;
        assert_eq!((&report["shards"], &report["shards_before"]), (&json!(4), &json!([2])));
        let elsewhere = report["changeover"]["elsewhere"].as_object().unwrap();
        assert!(elsewhere.contains_key("interlock.entity.00"), "{elsewhere:?}");
        let unserved = report["changeover"]["unserved"].as_array().unwrap();
        assert!(unserved.contains(&json!("interlock.entity.02")), "no entity may be sent there: {unserved:?}");
        assert_eq!(report["changeover"]["asked"], 0);

        // One worker process that knows the old count, and one that knows the new.
        Box::pin(bed.platform.start_worker_process(Workload::All)).await.unwrap();
        let report = while_loaded(&bed, &mut households, &["--wait", "0"]).await;
        assert!(report["changeover"]["asked"].as_u64() > Some(0), "{report}");

        // Only the new one. This process, which sends the events, still knows the old count.
        bed.platform.worker_processes.remove(0).stop().await.unwrap();
        let late = Household::new(&bed, "latecomer-2".parse().unwrap()).await;
        let installation = &bed.platform.installation;
        for customer in &late.customers {
            let route = installation.entities.customer(&late.tenant, &customer.id.parse().unwrap()).route;
            let misplaced = misplaced_run(installation, &route).await.unwrap();
            assert!(misplaced.is_none(), "it is on a queue that this process does not know yet: {misplaced:?}");
        }
        assert_eq!(misplaced_runs(installation, bed.namespace()).await.unwrap(), []);
        households.push(late);
        while_loaded(&bed, &mut households, &["--wait", "0"]).await;
        for household in &households {
            household.check(&bed).await;
        }
        let report = bootstrap(&bed, &["--wait", "60"]).await;
        assert_eq!((&report["changeover"]["over"], &report["shards_before"]), (&json!(true), &json!([])), "{report}");
        all_live_where_they_should(&bed).await;

        let again = bootstrap(&bed, &[]).await;
        assert_eq!((&again["changeover"], &again["shards"]), (&Value::Null, &json!(4)));
        bed.stop().await;
    });
}

/// Every running entity, as the server sees it.
async fn all_live_where_they_should(bed: &Testbed) {
    let old = bed.platform.installation.routing.settings();
    assert_eq!(old.shard_count.get(), 2, "this process did not hear of the change");
    let new = Routing::new(RoutingSettings { shard_count: 4_u64.try_into().unwrap(), ..old.clone() }).unwrap();
    let mut client = bed.platform.installation.client_for(bed.namespace()).unwrap();
    let request = ListWorkflowExecutionsRequest {
        namespace: bed.namespace().to_owned(),
        query: "ExecutionStatus = 'Running'".to_owned(),
        ..ListWorkflowExecutionsRequest::default()
    };
    let found = client.list_workflow_executions(request.into_request()).await.unwrap().into_inner();
    let mut queues = std::collections::BTreeSet::new();
    for info in found.executions {
        let id = info.execution.unwrap().workflow_id;
        let Some(route) = new.route_of(bed.namespace(), &id) else { continue };
        let seen = until(&id, || async {
            let queue = crate::temporal_calls::RawEntity::new(&bed.platform, route.clone()).task_queue().await;
            queue.filter(|queue| *queue == route.task_queue)
        });
        queues.insert(seen.await);
    }
    for shard in 0..4 {
        assert!(queues.contains(&format!("interlock.entity.{shard:02}")), "{queues:?}");
        assert!(queues.contains(&format!("interlock.resource.{shard:02}")), "{queues:?}");
    }
}
