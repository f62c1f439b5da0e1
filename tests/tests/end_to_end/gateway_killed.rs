//! A gateway process is killed again and again while producers send batches through it. Each producer sends a batch again until all its
//! events are accepted. At the end, each event that was accepted made one order, and each order was done once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::Effect;
use interlock_coordinator::local::GatewayProcess;
use interlock_domain::event::Event;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_worker_pools::Workload;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::events::{Customer, event, quota_exceeded};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};

/// How many producers send at the same time, each for customers of its own.
const PRODUCERS: usize = 3;
/// The customers of a producer. Each has one event in a batch, and one of them a text message.
const CUSTOMERS: usize = 4;
/// How long the gateway is killed again and again.
const KILLED_FOR: Duration = Duration::from_secs(12);
/// The longest life of a gateway process, in milliseconds.
const LIFE_MS_MAX: u64 = 700;
/// The most batches of a producer: the orders have to end in time, too.
const BATCHES_MAX: usize = 14;
/// The pause before a batch is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a producer waits for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A producer: its customers.
struct Producer {
    customers: Vec<Customer>,
    http: reqwest::Client,
    tenant: TenantId,
    /// The address of the gateway that runs now, if one does.
    gateway: watch::Receiver<Option<String>>,
}

/// What a producer did.
#[derive(Default)]
struct Sent {
    /// The orders of the events that were accepted.
    orders: Vec<OrderId>,
    /// The numbers that were assigned, each with its IMSI.
    assigned: Vec<(String, String)>,
    /// The numbers that text messages went to.
    texts: Vec<String>,
    batches: usize,
    /// The batches whose answer was lost after the request was sent.
    unanswered: usize,
}

impl Producer {
    fn new(scene: &Scene<'_>, gateway: watch::Receiver<Option<String>>) -> Self {
        let customers = (0..CUSTOMERS).map(|_| scene.customer("batched")).collect();
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_LIMIT).build().unwrap();
        Self { customers, http, tenant: scene.tenant.clone(), gateway }
    }

    /// Each customer gets one more number, and one of them a text message.
    fn batch(&self, sent: &mut Sent) -> Vec<Value> {
        let mut batch = Vec::new();
        for customer in &self.customers {
            let number = number();
            let data = json!({"imsi": customer.imsi, "msisdn": number});
            batch.push(event("line.assigned", &customer.id, &data));
            sent.assigned.push((customer.imsi.clone(), number));
        }
        let number = number();
        batch.push(quota_exceeded(&self.customers[0], &number));
        sent.texts.push(number);
        batch
    }

    /// Sends batches until the gateway is killed no longer.
    async fn send_all(mut self, mut is_over: watch::Receiver<bool>) -> (Self, Sent) {
        let mut sent = Sent::default();
        while !*is_over.borrow_and_update() && sent.batches < BATCHES_MAX {
            let batch = self.batch(&mut sent);
            let expected: Vec<OrderId> = batch.iter().map(|event| self.order_of(event)).collect();
            assert_eq!(self.accepted(&batch, &mut sent.unanswered).await, expected);
            sent.orders.extend(expected);
            sent.batches += 1;
        }
        (self, sent)
    }

    fn order_of(&self, event: &Value) -> OrderId {
        Event::from_value(event, usize::MAX).unwrap().order_id(&self.tenant, None)
    }

    /// Sends a batch, again and again, until all its events are accepted. Returns their orders.
    async fn accepted(&mut self, batch: &[Value], unanswered: &mut usize) -> Vec<OrderId> {
        loop {
            let url = self.gateway.wait_for(Option::is_some).await.unwrap().clone().unwrap_or_default();
            let request = self.http.post(format!("{url}/v1/tenants/{}/events", self.tenant)).json(batch);
            match request.send().await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                    if let Ok(body) = answer.json::<Value>().await
                        && let Some(orders) = all_accepted(&body)
                    {
                        return orders;
                    }
                    *unanswered += 1;
                }
                // Temporal is there all the time, so that nothing is refused for good.
                Ok(answer) => assert!(answer.status().is_server_error(), "{answer:?}"),
                Err(fault) if fault.is_connect() => {}
                Err(_) => *unanswered += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn all_accepted(body: &Value) -> Option<Vec<OrderId>> {
    let results = body["results"].as_array().unwrap();
    let order = |result: &Value| {
        assert_ne!(result["status"], "rejected", "{body}");
        let is_accepted = result["status"] == "accepted";
        is_accepted.then(|| result["order_id"].as_str().unwrap().parse().unwrap())
    };
    results.iter().map(order).collect()
}

/// Kills gateway processes at random moments until the time is over, and leaves one running. Returns how many were killed.
async fn kill_again_and_again(
    bed: &mut Testbed,
    seed: u64,
    gateway: &watch::Sender<Option<String>>,
) -> (usize, GatewayProcess) {
    let mut random = fastrand::Rng::with_seed(seed);
    let until = Instant::now() + KILLED_FOR;
    for killed in 0.. {
        let process = bed.platform.start_gateway_process().await.unwrap_or_else(|fault| panic!("{fault}"));
        gateway.send_replace(Some(process.url().to_owned()));
        if Instant::now() >= until {
            return (killed, process);
        }
        tokio::time::sleep(Duration::from_millis(random.u64(..LIFE_MS_MAX))).await;
        gateway.send_replace(None);
        process.kill().await.unwrap();
    }
    unreachable!("the time ends")
}

/// What the HSS and the SMS gateway did, and what customers remember: everything once.
async fn judge(scene: &Scene<'_>, producer: &Producer, sent: &Sent) {
    for (imsi, number) in &sent.assigned {
        assert_eq!(scene.registrations(number), [format!("{imsi}+")]);
    }
    for customer in &producer.customers {
        let state = scene.customer_state(customer).await;
        let counts = &state["counts"];
        assert_eq!((&counts["accepted"], &counts["rejected"]), (&json!(sent.batches), &json!(0)), "{state:#}");
    }
    let mut texts: BTreeMap<&str, usize> = sent.texts.iter().map(|number| (number.as_str(), 0)).collect();
    for entry in scene.bed.sms.log() {
        if let Effect::SmsSent { msisdn, .. } = &entry.effect
            && let Some(count) = texts.get_mut(msisdn.as_str())
        {
            *count += 1;
        }
    }
    assert!(texts.values().all(|count| *count == 1), "{texts:?}");
}

#[test]
fn a_gateway_that_is_killed_at_any_moment_loses_nothing_that_it_acknowledged_and_doubles_nothing() {
    run(async {
        let seed = std::env::var("INTERLOCK_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("seed {seed}: run it again with INTERLOCK_SEED={seed}");
        let wanted = Wanted { worker_processes: Some(vec![Workload::All]), ..Wanted::default() };
        let mut bed = Testbed::start("gateway-killed", wanted).await;
        let (gateway, running) = watch::channel(None);
        let (over, is_over) = watch::channel(false);
        let tenant;
        let producers: Vec<Producer> = {
            let scene = Scene::on(&bed);
            tenant = scene.tenant.clone();
            (0..PRODUCERS).map(|_| Producer::new(&scene, running.clone())).collect()
        };
        let sending = join_all(producers.into_iter().map(|producer| producer.send_all(is_over.clone())));
        let killing = async {
            let killed_and_last = kill_again_and_again(&mut bed, seed, &gateway).await;
            over.send_replace(true);
            killed_and_last
        };
        let (sent, (killed, last)) = tokio::join!(sending, killing);
        let unanswered: usize = sent.iter().map(|(_, sent)| sent.unanswered).sum();
        let batches: usize = sent.iter().map(|(_, sent)| sent.batches).sum();
        println!("{killed} gateways killed, {batches} batches accepted, {unanswered} answers lost");
        let scene = Scene { bed: &bed, tenant };
        for (producer, sent) in &sent {
            scene.completed(&sent.orders).await;
            judge(&scene, producer, sent).await;
        }
        // Otherwise nothing was tried.
        assert!(killed > 5 && batches > 2 * PRODUCERS && unanswered > 0, "{killed} {batches} {unanswered}");
        last.stop().await.unwrap_or_else(|fault| panic!("{fault}"));
        bed.stop().await;
    });
}
