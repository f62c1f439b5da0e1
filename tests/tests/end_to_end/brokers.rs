//! `interlock ingest` as a process, with a real NATS JetStream and a real Kafka broker, judged by what the targets applied.
//!
//! Each test runs through both brokers. It is skipped, visibly, where a broker cannot be had.

mod consumer;
mod kafka;
mod nats;
mod slow_proxy;
mod wire;

use std::time::Duration;

use interlock_adapters::sandbox::{Applied, Effect};
use serde_json::{Value, json};

use self::consumer::Consumer;
use self::kafka::KafkaWire;
use self::nats::NatsWire;
use self::slow_proxy::SlowProxy;
use self::wire::{Sent, Wire};
use crate::command::interlock;
use crate::events::{Customer, assigned, event, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};
use crate::waiting::{until, until_true};

/// The time between two events of a producer.
const PRODUCER_PAUSE: Duration = Duration::from_millis(25);
/// How much longer than usual an answer of Temporal takes in the tests that kill processes.
const SLOWED_BY: Duration = Duration::from_millis(100);
/// How long a process that will be killed may take to have messages.
const MESSAGES_LIMIT: Duration = Duration::from_millis(2_500);
/// How often a process is killed.
const KILLS: usize = 6;

/// An event with its CloudEvents attributes in the payload.
fn structured(event: &Value) -> Sent {
    let customer = event["subject"].as_str().unwrap_or_default().to_owned();
    Sent {
        customer,
        headers: vec![("content-type", "application/cloudevents+json".to_owned())],
        payload: event.to_string().into(),
    }
}

/// Customers whose services are changed: each event sets a value one higher.
struct Load {
    customers: Vec<Customer>,
    events: Vec<Value>,
    each: u64,
}

impl Load {
    fn new(scene: &Scene<'_>, customers: usize, each: u64) -> Self {
        let customers: Vec<Customer> = (0..customers).map(|at| scene.customer(&format!("S{at}"))).collect();
        let values = 1..=each;
        let of_value = |value| customers.iter().map(move |of| service_updated(of, &json!({"ue_ambr_dl": value})));
        let events = values.flat_map(of_value).collect();
        Self { customers, events, each }
    }

    /// The values that a customer's service had, in order.
    fn values(log: &[Applied], of: &str) -> Vec<u64> {
        let value = |entry: &Applied| match &entry.effect {
            Effect::ServiceUpdated { of: who, settings } if who == of => settings.get("ue_ambr_dl")?.as_u64(),
            _ => None,
        };
        log.iter().filter_map(value).collect()
    }

    fn is_applied(&self, scene: &Scene<'_>) -> bool {
        let all = |log: &[Applied], of: &str| Self::values(log, of).len() as u64 >= self.each;
        let (hss, crm) = (scene.bed.hss.log(), scene.bed.crm.log());
        self.customers.iter().all(|of| all(&hss, &of.imsi) && all(&crm, &of.id))
    }

    /// Waits until everything was applied, and checks that it was applied once and in order.
    async fn is_applied_once_and_in_order(&self, scene: &Scene<'_>) {
        until_true("every event to take effect", || self.is_applied(scene)).await;
        let expected: Vec<u64> = (1..=self.each).collect();
        let (hss, crm) = (scene.bed.hss.log(), scene.bed.crm.log());
        for customer in &self.customers {
            assert_eq!(Self::values(&hss, &customer.imsi), expected, "{}", customer.id);
            assert_eq!(Self::values(&crm, &customer.id), expected, "{}", customer.id);
        }
    }

    async fn send(&self, wire: &dyn Wire) {
        for event in &self.events {
            wire.send(&structured(event)).await;
            tokio::time::sleep(PRODUCER_PAUSE).await;
        }
    }
}

/// Waits until the broker has nothing that is not acknowledged.
async fn all_acknowledged(wire: &dyn Wire) {
    until("everything to be acknowledged", || async { (wire.unacknowledged().await == 0).then_some(()) }).await;
}

async fn a_number_is_handed_over(wire: &dyn Wire) {
    let scene = Scene::on(shared().await);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    let consumer = Consumer::start(&scene, wire, &[]).await;
    wire.send(&structured(&assigned(&a1, &number))).await;
    until_true("A1 to be registered", || scene.registrations(&number).len() == 1).await;
    // A2's event comes first.
    wire.send(&structured(&assigned(&a2, &number))).await;
    scene.is_waiting_for(&a2, &number).await;
    wire.send(&structured(&unassigned(&a1, &number))).await;
    until_true("A2 to be registered", || scene.registrations(&number).len() == 3).await;
    let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
    assert_eq!(scene.registrations(&number), expected);
    scene.judge(&[&number]);
    all_acknowledged(wire).await;
    let metrics = consumer.metrics().await;
    assert!(metrics.contains("interlock_events_ingested_total{outcome=\"accepted\"} 3"), "{metrics}");
    assert!(metrics.contains("interlock_broker_messages_in_flight 0"), "{metrics}");
    consumer.stop().await;
}

/// What cannot be accepted, each with its code.
fn poison(customer: &Customer) -> Vec<(Sent, &'static str)> {
    let plain =
        |payload: &str| Sent { customer: customer.id.clone(), headers: Vec::new(), payload: payload.to_owned().into() };
    let with_type = |content_type: &str, payload: &str| Sent {
        headers: vec![("content-type", content_type.to_owned())],
        ..plain(payload)
    };
    let unknown_type = event("line.unheard_of", &customer.id, &json!({"imsi": customer.imsi}));
    let mixed = json!([service_updated(customer, &json!({"ue_ambr_dl": 7})), {"specversion": "1.0"}]);
    vec![
        (plain("nonsense"), "not_json"),
        (plain(""), "not_json"),
        (plain("7"), "not_events"),
        (plain("{\"id\":\"1\",\"id\":\"2\"}"), "repeated_key"),
        (with_type("text/xml", "<event/>"), "unsupported_content_type"),
        (structured(&unknown_type), "unknown_event_type"),
        (with_type("application/cloudevents-batch+json", &mixed.to_string()), "bad_id"),
    ]
}

async fn poison_is_buried_with_its_reason_and_the_others_go_on(wire: &dyn Wire) {
    let scene = Scene::on(shared().await);
    let load = Load::new(&scene, 2, 6);
    let other = scene.customer("P");
    let poison = poison(&other);
    let consumer = Consumer::start(&scene, wire, &[]).await;
    for (index, event) in load.events.iter().enumerate() {
        wire.send(&structured(event)).await;
        if let Some((sent, _)) = poison.get(index) {
            wire.send(sent).await;
        }
    }
    load.is_applied_once_and_in_order(&scene).await;
    all_acknowledged(wire).await;
    // The good event of a batch with a bad one is accepted.
    until_true("the good part of a batch", || Load::values(&scene.bed.hss.log(), &other.imsi) == [7]).await;
    let letters = wire.dead_letters().await;
    assert_eq!(letters.len(), poison.len(), "{letters:?}");
    for (sent, code) in &poison {
        let letter = letters.iter().find(|letter| letter.payload == sent.payload).unwrap();
        let header = |name: &str| letter.header(name).unwrap_or_else(|| panic!("no {name}: {letter:?}"));
        assert_eq!(header("interlock-code"), *code, "{letter:?}");
        assert!(!header("interlock-detail").is_empty() && !header("interlock-time").is_empty());
        assert!(header("interlock-id").starts_with("interlock/"));
        assert_eq!(header(wire.place_header()), wire.place());
        for (name, value) in &sent.headers {
            assert_eq!(header(name), *value);
        }
    }
    let batch = letters.iter().find(|letter| letter.header("interlock-code") == Some("bad_id")).unwrap();
    assert_eq!((batch.header("interlock-rejected"), batch.header("interlock-rejected-events")), (Some("1"), Some("2")));
    let metrics = consumer.metrics().await;
    assert!(metrics.contains("interlock_broker_dead_letters_total{code=\"not_json\"} 2"), "{metrics}");
    consumer.stop().await;
}

/// The next round's process is killed this long after it has messages.
fn life(round: usize) -> Duration {
    Duration::from_millis(50 * u64::try_from(round).unwrap())
}

async fn a_killed_process_loses_nothing_and_doubles_nothing(wire: &dyn Wire) {
    let scene = Scene::on(shared().await);
    let load = Load::new(&scene, 8, 25);
    // Acceptance takes a while, so that processes die in the middle of it.
    let proxy = SlowProxy::start(&scene.bed.platform.temporal_address(), SLOWED_BY).await;
    let producing = load.send(wire);
    let consuming = async {
        for round in 0..KILLS {
            let consumer = Consumer::start_at(&scene, wire, &proxy.address(), &["--in-flight", "8"]).await;
            consumer.has_messages_within(MESSAGES_LIMIT).await;
            tokio::time::sleep(life(round)).await;
            consumer.kill().await;
        }
        Consumer::start(&scene, wire, &[]).await
    };
    let (consumer, ()) = tokio::join!(consuming, producing);
    load.is_applied_once_and_in_order(&scene).await;
    all_acknowledged(wire).await;
    assert_eq!(wire.dead_letters().await.len(), 0);
    consumer.stop().await;
}

async fn while_temporal_is_away_nothing_is_acknowledged_and_then_it_goes_on(wire: &dyn Wire) {
    const IN_FLIGHT: usize = 10;
    let scene = Scene::on(shared().await);
    let load = Load::new(&scene, 5, 8);
    let proxy = SlowProxy::start(&scene.bed.platform.temporal_address(), Duration::ZERO).await;
    let in_flight = IN_FLIGHT.to_string();
    let consumer = Consumer::start_at(&scene, wire, &proxy.address(), &["--in-flight", &in_flight]).await;
    consumer.until_ready().await;
    proxy.cut();
    for event in &load.events {
        wire.send(&structured(event)).await;
    }
    let unknown = || async {
        let about = consumer.about().await;
        (about["customers_to_retry"].as_u64()? > 0).then_some(())
    };
    until("events to be sent again", unknown).await;
    // Longer than the time after which the broker delivers again or takes partitions away.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(wire.unacknowledged().await, load.events.len() as u64, "nothing is acknowledged");
    let held = consumer.about().await["messages_in_flight"].as_u64().unwrap();
    assert!(held > 0 && held <= IN_FLIGHT as u64, "{held}");
    assert!(!load.is_applied(&scene));
    proxy.mend();
    load.is_applied_once_and_in_order(&scene).await;
    all_acknowledged(wire).await;
    consumer.stop().await;
}

async fn several_processes_share_the_work(wire: &dyn Wire) {
    let scene = Scene::on(shared().await);
    let load = Load::new(&scene, 12, 12);
    let producing = load.send(wire);
    let consuming = async {
        let first = Consumer::start(&scene, wire, &[]).await;
        first.until_ready().await;
        let second = Consumer::start(&scene, wire, &[]).await;
        second.until_ready().await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        // Neither in the middle of its work nor idle.
        first.stop().await;
        let third = Consumer::start(&scene, wire, &[]).await;
        third.until_ready().await;
        (second, third)
    };
    let ((second, third), ()) = tokio::join!(consuming, producing);
    if wire.keeps_order_over_processes() {
        load.is_applied_once_and_in_order(&scene).await;
    } else {
        // Events without a time are applied in the order of their acceptance, and two processes accept side by side.
        until_true("every event to take effect", || load.is_applied(&scene)).await;
        for customer in &load.customers {
            let mut values = Load::values(&scene.bed.hss.log(), &customer.imsi);
            values.sort_unstable();
            assert_eq!(values, (1..=load.each).collect::<Vec<_>>(), "{}", customer.id);
        }
    }
    all_acknowledged(wire).await;
    let accepted = |about: &Value| about["events_accepted"].as_u64().unwrap();
    let (of_second, of_third) = (accepted(&second.about().await), accepted(&third.about().await));
    assert!(of_second > 0, "the second process did nothing");
    println!("the second process accepted {of_second} events, the third {of_third}");
    second.stop().await;
    third.stop().await;
}

/// Has each of these tests run through each broker.
macro_rules! through_both {
    ($($story:ident),+ $(,)?) => {
        mod through_nats {
            use super::{NatsWire, run};
            $(#[test]
            fn $story() {
                run(async {
                    let Some(wire) = NatsWire::start().await else { return };
                    super::$story(&wire).await;
                });
            })+
        }
        mod through_kafka {
            use super::{KafkaWire, run};
            $(#[test]
            fn $story() {
                run(async {
                    let Some(wire) = KafkaWire::start().await else { return };
                    super::$story(&wire).await;
                });
            })+
        }
    };
}

through_both!(
    a_number_is_handed_over,
    poison_is_buried_with_its_reason_and_the_others_go_on,
    a_killed_process_loses_nothing_and_doubles_nothing,
    while_temporal_is_away_nothing_is_acknowledged_and_then_it_goes_on,
    several_processes_share_the_work,
);

#[test]
fn events_in_headers_are_read_as_each_brokers_binding_says() {
    run(async {
        let mut wires: Vec<Box<dyn Wire>> = Vec::new();
        wires.extend(NatsWire::start().await.map(|wire| Box::new(wire) as Box<dyn Wire>));
        wires.extend(KafkaWire::start().await.map(|wire| Box::new(wire) as Box<dyn Wire>));
        for wire in &wires {
            let scene = Scene::on(shared().await);
            let customer = scene.customer("Zoë");
            let mut event = service_updated(&customer, &json!({"ue_ambr_dl": 3}));
            let data = event.as_object_mut().unwrap().remove("data").unwrap();
            let attributes = event.as_object().unwrap().iter().filter(|(name, _)| *name != "datacontenttype");
            let mut headers: Vec<(&'static str, String)> = vec![("content-type", "application/json".to_owned())];
            headers.extend(attributes.map(|(name, value)| wire.binary_header(name, value.as_str().unwrap())));
            let consumer = Consumer::start(&scene, wire.as_ref(), &[]).await;
            wire.send(&Sent { customer: customer.id.clone(), headers, payload: data.to_string().into() }).await;
            until_true("the event to take effect", || Load::values(&scene.bed.crm.log(), &customer.id) == [3]).await;
            consumer.stop().await;
        }
    });
}

#[test]
fn a_consumer_waits_for_a_nats_server_that_is_not_there_or_goes_away() {
    run(async {
        let Some(mut wire) = NatsWire::start().await else { return };
        let scene = Scene::on(shared().await);
        let load = Load::new(&scene, 3, 3);
        wire.server.kill();
        let consumer = Consumer::start(&scene, &wire, &[]).await;
        let reason = until("a reason", || async { consumer.ready().await.err() }).await;
        assert!(reason.contains("broker_unavailable"), "{reason}");
        wire.server.start_again().await;
        consumer.until_ready().await;
        wire.reconnect().await;
        load.send(&wire).await;
        all_acknowledged(&wire).await;
        wire.server.kill();
        until("it to say that the server is away", || async { consumer.ready().await.err() }).await;
        wire.server.start_again().await;
        wire.reconnect().await;
        consumer.until_ready().await;
        let more = Load::new(&scene, 2, 2);
        more.send(&wire).await;
        load.is_applied_once_and_in_order(&scene).await;
        more.is_applied_once_and_in_order(&scene).await;
        consumer.stop().await;
    });
}

#[test]
fn a_dead_letter_that_no_stream_stores_keeps_its_message_unacknowledged() {
    run(async {
        let Some(wire) = NatsWire::start().await else { return };
        let scene = Scene::on(shared().await);
        wire.without_dead_letters().await;
        let consumer = Consumer::start(&scene, &wire, &[]).await;
        consumer.until_ready().await;
        wire.send(&poison(&scene.customer("P")).remove(0).0).await;
        let reason = until("a reason", || async { consumer.ready().await.err() }).await;
        assert!(reason.contains("dead_letter_unwritten"), "{reason}");
        assert_eq!(wire.unacknowledged().await, 1);
        wire.with_dead_letters().await;
        all_acknowledged(&wire).await;
        assert_eq!(wire.dead_letters().await.len(), 1);
        consumer.stop().await;
    });
}

#[test]
fn what_cannot_work_is_refused_with_a_stable_code() {
    run(async {
        let scene = Scene::on(shared().await);
        let loops = ["ingest", "nats", "--stream", "S", "--subject", "events.>", "--dead-letter", "events.dead"];
        let said = interlock(&scene, &loops).await;
        assert!(said.code == 2 && said.stderr.contains("[broker_setting_invalid]"), "{}", said.stderr);
        let no_password = ["ingest", "kafka", "--topic", "t", "--dead-letter", "d", "--user", "me"];
        let said = interlock(&scene, &no_password).await;
        assert!(said.code == 2 && said.stderr.contains("no password for --user me"), "{}", said.stderr);
        let Some(wire) = NatsWire::start().await else { return };
        let url = wire.server.url();
        let missing =
            ["ingest", "nats", "--url", &url, "--stream", "NONE", "--dead-letter", "dead.x", "--listen", "127.0.0.1:0"];
        let said = interlock(&scene, &missing).await;
        assert!(said.code == 1 && said.stderr.contains("[broker_place_missing]"), "{}", said.stderr);
    });
}
