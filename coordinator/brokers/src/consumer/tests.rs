//! The rules, with a scripted broker and a scripted acceptance. Time is paused: waits take none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::order::Rejection;
use interlock_observability::metrics::Metrics;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::broker::BoxedBroker;
use crate::message::Binding;

/// Everything that happens, in order.
#[derive(Default)]
struct World {
    /// What the next fetches bring.
    script: VecDeque<Result<Fetched, BrokerError>>,
    log: Vec<String>,
    /// The most messages that were asked for, and the least.
    rooms: Vec<usize>,
    /// The results of events by id, one after the other; then they are accepted.
    results: BTreeMap<String, VecDeque<EventStatus>>,
    /// How many further calls of each kind fail.
    failures: BTreeMap<&'static str, usize>,
    /// Whether acceptance takes for ever.
    hangs: bool,
    /// How many events are being accepted, and the most at a time.
    accepting: (usize, usize),
}

impl World {
    fn fails(&mut self, call: &'static str) -> Result<(), BrokerError> {
        let left = self.failures.entry(call).or_default();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        self.log.push(format!("{call} fails"));
        Err(BrokerError::for_now(ErrorCode::BrokerUnavailable, "It is away."))
    }
}

#[derive(Clone)]
struct Stage {
    world: Arc<Mutex<World>>,
    acknowledges: Acknowledges,
    in_flight_max: usize,
    stop: CancellationToken,
}

impl Stage {
    fn new(acknowledges: Acknowledges) -> Self {
        let world = Arc::default();
        Self { world, acknowledges, in_flight_max: 100, stop: CancellationToken::new() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn brings(&self, messages: impl IntoIterator<Item = Message>) {
        let fetched = Fetched { messages: messages.into_iter().collect(), ..Fetched::default() };
        self.world().script.push_back(Ok(fetched));
    }

    fn results(&self, id: &str, results: &[EventStatus]) {
        self.world().results.insert(id.to_owned(), results.iter().copied().collect());
    }

    fn start(&self) -> JoinHandle<Result<(), BrokerError>> {
        let (stage, metrics) = (self.clone(), Metrics::start().unwrap());
        tokio::time::pause();
        tokio::spawn(async move {
            let acceptance = Arc::new(stage.clone());
            let (status, stop) = (Status::new(metrics), stage.stop.clone());
            consume(Consumption { connect: &stage, acceptance, status, stop }).await
        })
    }

    /// Waits until the log has this line.
    async fn until(&self, line: &str) {
        for _ in 0..100_000 {
            if self.world().log.iter().any(|of| of == line) {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("no '{line}' in {:?}", self.world().log);
    }

    /// Runs until the log has this line, and stops then. Returns the log without accepting events.
    async fn run_until(&self, line: &str) -> Vec<String> {
        let running = self.start();
        self.until(line).await;
        self.stop.cancel();
        running.await.unwrap().unwrap();
        self.log()
    }

    fn log(&self) -> Vec<String> {
        self.world().log.clone()
    }

    fn lines(&self, begin: &str) -> Vec<String> {
        self.log().into_iter().filter(|line| line.starts_with(begin)).collect()
    }

    fn place_of(&self, line: &str) -> usize {
        let log = self.log();
        log.iter().position(|of| of == line).unwrap_or_else(|| panic!("no '{line}' in {log:?}"))
    }
}

#[async_trait]
impl Connect for Stage {
    fn place(&self) -> Place {
        Place { binding: Binding::Nats, source: "S".to_owned(), consumer: "c".to_owned() }
    }

    fn in_flight_max(&self) -> usize {
        self.in_flight_max
    }

    async fn connect(&self) -> Result<BoxedBroker, BrokerError> {
        self.world().fails("connect")?;
        Ok(Broker { source: Box::new(self.clone()), desk: Box::new(self.clone()) })
    }
}

#[async_trait]
impl Source for Stage {
    async fn fetch(&mut self, room: usize) -> Result<Fetched, BrokerError> {
        let next = {
            let mut world = self.world();
            world.rooms.push(room);
            if room == 0 { None } else { world.script.pop_front() }
        };
        match next {
            Some(Ok(mut fetched)) => {
                let rest = fetched.messages.split_off(fetched.messages.len().min(room));
                if !rest.is_empty() {
                    self.world().script.push_front(Ok(Fetched { messages: rest, ..Fetched::default() }));
                }
                Ok(fetched)
            }
            Some(error) => error,
            None => {
                sleep(Duration::from_millis(100)).await;
                Ok(Fetched::default())
            }
        }
    }

    async fn close(&mut self) {
        self.world().log.push("closed".to_owned());
    }
}

#[async_trait]
impl Desk for Stage {
    fn acknowledges(&self) -> Acknowledges {
        self.acknowledges
    }

    async fn acknowledge(&self, positions: &[Position]) -> Result<(), BrokerError> {
        let mut world = self.world();
        world.fails("acknowledge")?;
        world.log.extend(positions.iter().map(|at| format!("acknowledged {}/{}", at.partition, at.offset)));
        Ok(())
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), BrokerError> {
        let mut world = self.world();
        world.fails("dead letter")?;
        world.log.push(format!("buried {} {}", letter.id, letter.code));
        Ok(())
    }

    fn extend_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }

    async fn extend(&self, positions: &[Position]) {
        self.world().log.push(format!("extended {}", positions.len()));
    }

    async fn give_back(&self, positions: &[Position]) {
        let offsets: Vec<_> = positions.iter().map(|at| at.offset.to_string()).collect();
        self.world().log.push(format!("gave back {}", offsets.join(" ")));
    }
}

#[async_trait]
impl Acceptance for Stage {
    async fn accept(&self, event: Value) -> EventResult {
        {
            let mut world = self.world();
            world.accepting.0 += 1;
            world.accepting.1 = world.accepting.1.max(world.accepting.0);
        }
        sleep(Duration::from_millis(5)).await;
        if self.world().hangs {
            pending::<()>().await;
        }
        let result = EventResult::of_raw(&event);
        let id = result.event_id.clone().unwrap_or_default();
        let mut world = self.world();
        world.accepting.0 -= 1;
        let status = world.results.get_mut(&id).and_then(VecDeque::pop_front).unwrap_or(EventStatus::Accepted);
        world.log.push(format!("{} {id}", status.as_str()));
        match status {
            EventStatus::Accepted => result.accepted(),
            EventStatus::Rejected => result.rejected(Rejection::new(ErrorCode::BadType, "No.")),
            EventStatus::Unknown => result.unknown(ErrorCode::TemporalUnavailable, "Away.".to_owned()),
            EventStatus::Ignored => result.ignored("It needs nothing.".to_owned()),
        }
    }
}

fn raw(partition: i32, offset: i64, payload: impl Into<Bytes>) -> Message {
    Message {
        position: Position { partition, offset },
        origin: "s".to_owned(),
        key: None,
        headers: Vec::new(),
        payload: payload.into(),
    }
}

fn event(customer: &str, id: &str) -> Value {
    json!({"subject": customer, "id": id})
}

fn message(offset: i64, customer: &str) -> Message {
    raw(0, offset, event(customer, &format!("{customer}{offset}")).to_string())
}

const UNKNOWN: EventStatus = EventStatus::Unknown;
const REJECTED: EventStatus = EventStatus::Rejected;

#[tokio::test]
async fn a_message_is_acknowledged_after_its_last_event_was_accepted_and_not_before() {
    let stage = Stage::new(Acknowledges::Each);
    stage.results("b", &[UNKNOWN, UNKNOWN]);
    stage.brings([raw(0, 1, json!([event("A", "a"), event("B", "b")]).to_string()), message(2, "C")]);
    let log = stage.run_until("acknowledged 0/1").await;
    assert!(stage.place_of("acknowledged 0/1") > stage.place_of("accepted b"), "{log:?}");
    assert!(stage.place_of("acknowledged 0/2") < stage.place_of("accepted b"), "others do not wait: {log:?}");
    assert_eq!(stage.lines("acknowledged").len(), 2);
    assert_eq!(log.last().unwrap(), "closed");
}

#[tokio::test]
async fn events_of_a_customer_are_accepted_in_order_and_an_unknown_one_holds_back_only_its_customer() {
    let stage = Stage::new(Acknowledges::Each);
    stage.results("A1", &[UNKNOWN; 5]);
    stage.brings((1..=20).map(|offset| message(offset, if offset % 2 == 1 { "A" } else { "B" })));
    stage.run_until("acknowledged 0/19").await;
    let of = |customer: &str| stage.lines(&format!("accepted {customer}"));
    let expected = |customer: &str, first: i64| -> Vec<String> {
        (0..10).map(|n| format!("accepted {customer}{}", first + 2 * n)).collect()
    };
    assert_eq!(of("A"), expected("A", 1));
    assert_eq!(of("B"), expected("B", 2));
    assert!(stage.place_of("acknowledged 0/20") < stage.place_of("accepted A1"), "{:?}", stage.log());
}

#[tokio::test]
async fn an_offset_is_never_committed_past_an_unfinished_message() {
    let stage = Stage::new(Acknowledges::UpTo);
    stage.results("A2", &[UNKNOWN; 5]);
    stage.brings([
        message(1, "X"),
        message(2, "A"),
        message(3, "B"),
        message(4, "C"),
        raw(1, 7, event("D", "d").to_string()),
    ]);
    stage.run_until("acknowledged 0/4").await;
    assert!(stage.lines("acknowledged").contains(&"acknowledged 1/7".to_owned()), "partitions are apart");
    for line in ["acknowledged 0/2", "acknowledged 0/3"] {
        assert!(!stage.log().contains(&line.to_owned()), "{:?}", stage.log());
    }
    assert!(stage.place_of("acknowledged 0/4") > stage.place_of("accepted A2"));
    assert!(stage.place_of("acknowledged 0/1") < stage.place_of("accepted A2"));
}

#[tokio::test]
async fn poison_becomes_a_dead_letter_with_its_reason_and_then_is_acknowledged() {
    let stage = Stage::new(Acknowledges::Each);
    stage.results("A2", &[REJECTED]);
    stage.brings([raw(0, 1, "nonsense"), message(2, "A"), message(3, "A")]);
    let log = stage.run_until("acknowledged 0/2").await;
    assert!(stage.place_of("buried interlock/S/c/1 not_json") < stage.place_of("acknowledged 0/1"), "{log:?}");
    assert!(stage.place_of("buried interlock/S/c/2 bad_type") < stage.place_of("acknowledged 0/2"), "{log:?}");
    stage.place_of("accepted A3");
}

async fn a_message_that_cannot_be_buried(acknowledges: Acknowledges, last: &str) {
    let stage = Stage::new(acknowledges);
    stage.world().failures.insert("dead letter", 4);
    stage.brings([raw(0, 1, "nonsense"), message(2, "A")]);
    let log = stage.run_until(last).await;
    assert_eq!(stage.lines("dead letter fails").len(), 4);
    assert!(stage.place_of(last) > stage.place_of("buried interlock/S/c/1 not_json"), "{log:?}");
    assert!(stage.place_of("accepted A2") < stage.place_of("buried interlock/S/c/1 not_json"), "{log:?}");
}

#[tokio::test]
async fn what_cannot_be_buried_is_not_acknowledged_and_others_go_on() {
    a_message_that_cannot_be_buried(Acknowledges::Each, "acknowledged 0/1").await;
}

#[tokio::test]
async fn what_cannot_be_buried_is_not_committed_past() {
    a_message_that_cannot_be_buried(Acknowledges::UpTo, "acknowledged 0/2").await;
}

#[tokio::test]
async fn at_its_limit_no_more_messages_are_fetched() {
    let mut stage = Stage::new(Acknowledges::Each);
    stage.in_flight_max = 7;
    stage.results("A1", &[UNKNOWN; 3]);
    // All of one customer, so that the first holds back the others.
    stage.brings((1..=30).map(|offset| message(offset, "A")));
    let running = stage.start();
    stage.until("unknown A1").await;
    sleep(Duration::from_millis(150)).await;
    assert_eq!(stage.world().script.front().unwrap().as_ref().unwrap().messages.len(), 23, "7 are held");
    assert_eq!(*stage.world().rooms.last().unwrap(), 0);
    stage.until("acknowledged 0/30").await;
    stage.stop.cancel();
    running.await.unwrap().unwrap();
    assert!(stage.world().rooms.iter().all(|room| *room <= 7));
    assert_eq!(stage.lines("accepted").len(), 30);
}

#[tokio::test]
async fn above_the_limit_of_bytes_no_more_messages_are_fetched() {
    let stage = Stage::new(Acknowledges::Each);
    stage.world().hangs = true;
    let large = |offset: i64| {
        let text = "x".repeat(1024 * 1024 - 100);
        raw(0, offset, json!({"subject": "A", "id": text}).to_string())
    };
    for offset in 1..=40 {
        stage.brings([large(offset)]);
    }
    let running = stage.start();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.world().script.len(), 40 - 17, "16 MiB and the one that goes beyond");
    assert_eq!(*stage.world().rooms.last().unwrap(), 0);
    running.abort();
}

#[tokio::test]
async fn no_more_than_64_events_are_accepted_at_a_time() {
    let mut stage = Stage::new(Acknowledges::Each);
    stage.in_flight_max = 500;
    stage.brings((1..=300).map(|offset| raw(0, offset, event(&format!("C{offset}"), "x").to_string())));
    stage.run_until("acknowledged 0/300").await;
    assert_eq!(stage.world().accepting, (0, CONCURRENCY_MAX));
}

#[tokio::test]
async fn calls_to_the_broker_are_repeated_until_they_work() {
    let stage = Stage::new(Acknowledges::UpTo);
    stage.world().failures.extend([("connect", 3), ("acknowledge", 3)]);
    stage.world().script.push_back(Err(BrokerError::for_now(ErrorCode::BrokerUnavailable, "It is away.")));
    stage.brings([message(1, "A"), message(2, "A")]);
    stage.run_until("acknowledged 0/2").await;
    assert_eq!(stage.lines("acknowledge fails").len(), 3);
    assert_eq!(stage.lines("accepted"), ["accepted A1", "accepted A2"], "nothing was fetched or accepted again");
}

#[tokio::test]
async fn what_the_broker_will_always_refuse_ends_it_in_good_order() {
    let stage = Stage::new(Acknowledges::Each);
    stage.brings([message(1, "A")]);
    stage.world().script.push_back(Err(BrokerError::permanent(ErrorCode::BrokerPlaceMissing, "Gone.")));
    let error = stage.start().await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::BrokerPlaceMissing);
    assert_eq!(stage.log(), ["accepted A1", "acknowledged 0/1", "closed"]);
}

#[tokio::test]
async fn what_is_delivered_again_while_it_is_held_is_not_accepted_twice() {
    let stage = Stage::new(Acknowledges::Each);
    stage.results("A1", &[UNKNOWN]);
    stage.brings([message(1, "A")]);
    stage.brings([message(1, "A"), message(2, "A")]);
    stage.run_until("acknowledged 0/2").await;
    assert_eq!(stage.lines("accepted"), ["accepted A1", "accepted A2"]);
}

#[tokio::test]
async fn what_went_to_another_process_is_dropped_and_not_acknowledged() {
    let stage = Stage::new(Acknowledges::UpTo);
    stage.results("A1", &[UNKNOWN; 40]);
    stage.brings([raw(0, 1, event("A", "A1").to_string()), raw(0, 2, event("A", "A2").to_string()), message(3, "B")]);
    let revoking = Fetched { revoked: vec![0], messages: vec![raw(1, 9, event("C", "C").to_string())], lag: None };
    stage.world().script.push_back(Ok(Fetched::default()));
    let running = stage.start();
    stage.until("unknown A1").await;
    stage.world().script.push_back(Ok(revoking));
    stage.until("acknowledged 1/9").await;
    // Longer than a call that was under way.
    sleep(Duration::from_secs(1)).await;
    stage.results("A1", &[]);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(stage.lines("acknowledged 0/"), Vec::<String>::new(), "it is another process's");
    assert_eq!(stage.lines("accepted A"), Vec::<String>::new());
    // It comes back, from the last commit.
    stage.brings([message(1, "A"), message(2, "A"), message(3, "B")]);
    stage.until("acknowledged 0/3").await;
    stage.stop.cancel();
    running.await.unwrap().unwrap();
    let accepted: Vec<String> = stage.lines("accepted A");
    assert_eq!(accepted, ["accepted A1", "accepted A2"], "in order, each once");
}

#[tokio::test]
async fn a_shutdown_ends_what_is_under_way_and_gives_back_the_rest() {
    let stage = Stage::new(Acknowledges::Each);
    stage.results("A1", &[UNKNOWN; 1_000]);
    stage.brings([message(1, "A"), message(2, "A"), message(3, "B"), raw(0, 4, "nonsense")]);
    let running = stage.start();
    stage.until("unknown A1").await;
    let told = Instant::now();
    stage.stop.cancel();
    running.await.unwrap().unwrap();
    assert!(told.elapsed() < DRAIN, "{:?}", told.elapsed());
    let log = stage.log();
    assert_eq!(log[log.len() - 2..], ["gave back 1 2", "closed"], "{log:?}");
    for line in ["acknowledged 0/3", "acknowledged 0/4"] {
        stage.place_of(line);
    }
    assert!(stage.lines("accepted A").is_empty());
}

#[tokio::test]
async fn a_shutdown_has_a_limit() {
    let stage = Stage::new(Acknowledges::Each);
    stage.world().hangs = true;
    stage.brings([message(1, "A")]);
    let running = stage.start();
    sleep(Duration::from_secs(25)).await;
    assert_eq!(stage.lines("extended 1").len(), 2, "the broker hears that it is held");
    let told = Instant::now();
    stage.stop.cancel();
    running.await.unwrap().unwrap();
    assert!(told.elapsed() >= DRAIN && told.elapsed() < DRAIN + Duration::from_secs(1), "{:?}", told.elapsed());
    assert!(stage.log().contains(&"gave back 1".to_owned()));
}

#[tokio::test]
async fn a_shutdown_while_the_broker_is_away_ends_at_once() {
    let stage = Stage::new(Acknowledges::Each);
    stage.world().failures.insert("connect", usize::MAX);
    let running = stage.start();
    stage.until("connect fails").await;
    stage.stop.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn what_temporal_refuses_is_sent_again_since_no_event_is_to_blame() {
    let result = EventResult::of_raw(&json!({}));
    assert!(is_undecided(&result.clone().rejected(Rejection::new(ErrorCode::TemporalRefused, "No."))));
    assert!(!is_undecided(&result.clone().rejected(Rejection::new(ErrorCode::TenantClosed, "No."))));
    assert!(is_undecided(&result.clone().unknown(ErrorCode::TemporalUnavailable, String::new())));
    assert!(!is_undecided(&result.accepted()));
}
