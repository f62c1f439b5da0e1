//! The rules by which messages are taken, accepted and acknowledged, for every broker.
//!
//! One task does everything. Calls that take time are futures in one set, whose results ([`Deed`]) it takes one after the other; so no
//! rule depends on two things that happen at the same time.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::event_result::{EventResult, EventStatus};
use interlock_operations::ingest::CONCURRENCY_MAX;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::acceptance::Acceptance;
use crate::broker::{Acknowledges, Broker, BrokerError, Connect, Desk, Fetched, Source};
use crate::dead_letter::DeadLetter;
use crate::floors::Floors;
use crate::forms::{Reason, events_of};
use crate::lanes::{Lanes, Waiting};
use crate::message::{Message, Place, Position};
use crate::pace::Pace;
use crate::status::{Call, Status};
use crate::window::Window;

/// How many messages a process holds unless told otherwise.
pub const IN_FLIGHT_DEFAULT: usize = 256;
/// Above this many bytes of held messages no more are fetched. One fetch may go beyond it.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long what is under way may take to end after the process was told to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// What a consumption needs.
pub struct Consumption<'a> {
    /// The broker.
    pub connect: &'a dyn Connect,
    /// Who accepts events.
    pub acceptance: Arc<dyn Acceptance>,
    /// What the health calls say.
    pub status: Status,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Takes messages until it is told to stop. Then it fetches no more, ends what is under way, and gives back what is left.
///
/// # Errors
/// [`BrokerError`] if the broker says what it will always say. Anything else is tried again.
pub async fn consume(consumption: Consumption<'_>) -> Result<(), BrokerError> {
    let Consumption { connect, acceptance, status, stop } = consumption;
    let Some(connected) = stop.run_until_cancelled(connected(connect, &status)).await else { return Ok(()) };
    let Broker { source, desk } = connected?;
    let worker = Worker {
        place: connect.place(),
        in_flight_max: connect.in_flight_max(),
        acceptance,
        desk: desk.into(),
        status,
        window: Window::default(),
        lanes: Lanes::default(),
        floors: Floors::default(),
        finished: BTreeSet::new(),
        is_acknowledging: false,
        acknowledging: Pace::default(),
        burying: HashMap::new(),
        fetching: Pace::default(),
        concurrency: Arc::new(Semaphore::new(CONCURRENCY_MAX)),
        calls: 0,
        under_way: FuturesUnordered::new(),
        stop,
        stopping: None,
        ended: None,
    };
    worker.run(source).await
}

async fn connected(
    connect: &dyn Connect,
    status: &Status,
) -> Result<Broker<Box<dyn Source>, Box<dyn Desk>>, BrokerError> {
    let mut pace = Pace::default();
    loop {
        match connect.connect().await {
            Ok(broker) => {
                status.worked(Call::Connect);
                return Ok(broker);
            }
            Err(error) if error.is_permanent => return Err(error),
            Err(error) => status.failed(Call::Connect, &error),
        }
        sleep(pace.next_wait()).await;
    }
}

/// Something that has ended.
enum Deed {
    Fetched(Box<dyn Source>, Result<Fetched, BrokerError>),
    Accepted {
        customer: String,
        waiting: Waiting,
        result: EventResult,
    },
    /// The first event of this customer is due again.
    EventDue(String),
    Buried {
        number: u64,
        code: String,
        result: Result<(), BrokerError>,
    },
    /// This dead letter is due again.
    LetterDue(u64),
    Acknowledged {
        positions: Vec<Position>,
        result: Result<(), BrokerError>,
    },
    AcknowledgementDue,
    Extended,
}

struct Worker {
    place: Place,
    in_flight_max: usize,
    acceptance: Arc<dyn Acceptance>,
    desk: Arc<dyn Desk>,
    status: Status,
    window: Window,
    lanes: Lanes,
    floors: Floors,
    /// What is finished and must be acknowledged.
    finished: BTreeSet<Position>,
    is_acknowledging: bool,
    acknowledging: Pace,
    /// The dead letters that are not written yet, by the number of their message.
    burying: HashMap<u64, Pace>,
    fetching: Pace,
    concurrency: Arc<Semaphore>,
    /// The calls under way that will end by themselves: neither waits nor the fetch.
    calls: usize,
    under_way: FuturesUnordered<BoxFuture<'static, Deed>>,
    /// Tells it to stop.
    stop: CancellationToken,
    /// When it gives up to end in good order, once it was told to stop.
    stopping: Option<Instant>,
    /// The source, once it fetches no more.
    ended: Option<Box<dyn Source>>,
}

impl Worker {
    async fn run(mut self, source: Box<dyn Source>) -> Result<(), BrokerError> {
        let stop = self.stop.clone();
        let mut extending = self.desk.extend_every().map(every);
        let mut outcome = Ok(());
        self.fetch(source, Duration::ZERO);
        while !self.is_drained() {
            let deed = tokio::select! {
                biased;
                () = stop.cancelled(), if self.stopping.is_none() => {
                    self.stopping = Some(Instant::now() + DRAIN);
                    continue;
                }
                () = at(self.stopping) => break,
                () = tick(&mut extending) => {
                    self.extend();
                    continue;
                }
                Some(deed) = self.under_way.next() => deed,
            };
            if let Err(error) = self.take_deed(deed) {
                self.stopping.get_or_insert(Instant::now() + DRAIN);
                outcome = Err(error);
            }
            self.status.holds(self.window.len(), self.lanes.resting());
        }
        self.end().await;
        outcome
    }

    /// Whether it was told to stop and nothing more will end by itself.
    fn is_drained(&self) -> bool {
        self.stopping.is_some() && self.calls == 0 && self.finished.is_empty() && self.ended.is_some()
    }

    /// Gives back what is held.
    async fn end(self) {
        let left = self.window.positions();
        if !left.is_empty() {
            tracing::info!(messages = left.len(), "gives back what is not acknowledged");
            self.desk.give_back(&left).await;
        }
        if let Some(mut source) = self.ended {
            source.close().await;
        }
    }

    /// # Errors
    /// [`BrokerError`] if the broker will never deliver anything.
    fn take_deed(&mut self, deed: Deed) -> Result<(), BrokerError> {
        match deed {
            Deed::Fetched(source, fetched) => return self.take_fetched(source, fetched),
            Deed::Accepted { customer, waiting, result } => self.take_result(&customer, &waiting, &result),
            Deed::EventDue(customer) => self.start_lane(&customer),
            Deed::Buried { number, code, result } => self.take_buried(number, &code, result),
            Deed::LetterDue(number) => self.bury_again(number),
            Deed::Acknowledged { positions, result } => self.take_acknowledged(positions, result),
            Deed::AcknowledgementDue => self.acknowledge_again(),
            Deed::Extended => {}
        }
        Ok(())
    }

    /// How many more messages may be held.
    fn room(&self) -> usize {
        if self.window.bytes() >= BYTES_MAX { 0 } else { self.in_flight_max.saturating_sub(self.window.len()) }
    }

    fn fetch(&mut self, mut source: Box<dyn Source>, wait: Duration) {
        if self.stopping.is_some() {
            self.ended = Some(source);
            return;
        }
        let (room, stop) = (self.room(), self.stop.clone());
        self.under_way.push(
            async move {
                let fetched = match stop.run_until_cancelled(sleep(wait)).await {
                    Some(()) => source.fetch(room).await,
                    None => Ok(Fetched::default()),
                };
                Deed::Fetched(source, fetched)
            }
            .boxed(),
        );
    }

    fn take_fetched(
        &mut self,
        source: Box<dyn Source>,
        fetched: Result<Fetched, BrokerError>,
    ) -> Result<(), BrokerError> {
        match fetched {
            Ok(fetched) => {
                self.fetching.reset();
                self.status.fetched(fetched.lag);
                for partition in fetched.revoked {
                    self.revoke(partition);
                }
                for message in fetched.messages {
                    self.take_message(message);
                }
                self.fetch(source, Duration::ZERO);
                Ok(())
            }
            Err(error) => {
                self.status.failed(Call::Fetch, &error);
                if error.is_permanent {
                    self.ended = Some(source);
                    return Err(error);
                }
                let wait = self.fetching.next_wait();
                self.fetch(source, wait);
                Ok(())
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        let position = message.position;
        let read = events_of(&message, self.place.binding);
        let open = read.as_ref().map_or(0, Vec::len);
        // A message that comes again is held already.
        let Some(number) = self.window.take(message, open) else { return };
        self.floors.take(position);
        match read {
            Ok(events) => {
                for (index, event) in events.into_iter().enumerate() {
                    if let Some(customer) = self.lanes.add(Waiting { message: number, index, event }) {
                        self.start_lane(&customer);
                    }
                }
            }
            Err(reason) => {
                self.window.reject(number, None, reason);
                self.bury(number);
            }
        }
    }

    fn start_lane(&mut self, customer: &str) {
        let Some(waiting) = self.lanes.start(customer) else { return };
        let (acceptance, concurrency) = (Arc::clone(&self.acceptance), Arc::clone(&self.concurrency));
        let customer = customer.to_owned();
        self.calls += 1;
        self.under_way.push(
            async move {
                // It is never closed.
                let _place = concurrency.acquire_owned().await;
                let result = acceptance.accept(waiting.event.clone()).await;
                Deed::Accepted { customer, waiting, result }
            }
            .boxed(),
        );
    }

    fn take_result(&mut self, customer: &str, waiting: &Waiting, result: &EventResult) {
        self.calls -= 1;
        self.status.event(result);
        if is_undecided(result) {
            return self.rest(customer, result);
        }
        if result.status == EventStatus::Rejected {
            let code = result.code.as_ref().map_or("", ReasonCode::as_str).to_owned();
            let reason = Reason { code, detail: result.detail.clone().unwrap_or_default() };
            self.window.reject(waiting.message, Some(waiting.index), reason);
        }
        self.lanes.decided(customer, waiting);
        if self.window.decide(waiting.message) {
            self.conclude(waiting.message);
        }
        self.start_lane(customer);
    }

    /// An event is neither accepted nor rejected: it is sent again later, and those after it wait.
    fn rest(&mut self, customer: &str, result: &EventResult) {
        let is_first = self.lanes.resting() == 0;
        let Some(wait) = self.lanes.undecided(customer) else { return };
        if is_first {
            let code = result.code.as_ref().map_or("", ReasonCode::as_str);
            let detail = result.detail.as_deref().unwrap_or_default();
            tracing::warn!(code, "events are not accepted, and are sent again until they are: {detail}");
        }
        if self.stopping.is_none() {
            let customer = customer.to_owned();
            self.under_way.push(sleep(wait).map(move |()| Deed::EventDue(customer)).boxed());
        }
    }

    /// All events of a message are decided.
    fn conclude(&mut self, number: u64) {
        let Some(held) = self.window.get(number) else { return };
        if held.reasons.is_empty() {
            self.finish(held.message.position);
        } else {
            self.bury(number);
        }
    }

    fn bury_again(&mut self, number: u64) {
        if self.burying.is_empty() {
            // The messages belong to other processes now.
            self.status.worked(Call::DeadLetter);
        }
        self.bury(number);
    }

    /// Writes the dead letter of a message.
    fn bury(&mut self, number: u64) {
        let Some(held) = self.window.get(number) else { return };
        self.burying.entry(number).or_default();
        let letter = DeadLetter::new(&held.message, &self.place, &held.reasons, Utc::now());
        let desk = Arc::clone(&self.desk);
        self.calls += 1;
        self.under_way.push(
            async move {
                let result = desk.dead_letter(&letter).await;
                Deed::Buried { number, code: letter.code, result }
            }
            .boxed(),
        );
    }

    fn take_buried(&mut self, number: u64, code: &str, result: Result<(), BrokerError>) {
        self.calls -= 1;
        // Another process has it now.
        let Some(held) = self.window.get(number) else { return };
        let position = held.message.position;
        match result {
            Ok(()) => {
                self.status.worked(Call::DeadLetter);
                self.status.dead_letter(code);
                self.burying.remove(&number);
                self.finish(position);
            }
            Err(error) => {
                self.status.failed(Call::DeadLetter, &error);
                let wait = self.burying.entry(number).or_default().next_wait();
                if self.stopping.is_none() {
                    self.under_way.push(sleep(wait).map(move |()| Deed::LetterDue(number)).boxed());
                }
            }
        }
    }

    /// A message is accepted or buried.
    fn finish(&mut self, position: Position) {
        match self.desk.acknowledges() {
            Acknowledges::Each => self.must_acknowledge(position),
            Acknowledges::UpTo => {
                if let Some(floor) = self.floors.finish(position) {
                    self.must_acknowledge(floor);
                }
            }
        }
        self.acknowledge();
    }

    fn must_acknowledge(&mut self, position: Position) {
        if self.desk.acknowledges() == Acknowledges::UpTo {
            let in_partition = |of: &&Position| of.partition == position.partition;
            if let Some(other) = self.finished.iter().find(in_partition).copied() {
                if other >= position {
                    return;
                }
                self.finished.remove(&other);
            }
        }
        self.finished.insert(position);
    }

    fn acknowledge(&mut self) {
        if self.is_acknowledging || self.finished.is_empty() {
            return;
        }
        let positions: Vec<Position> = std::mem::take(&mut self.finished).into_iter().collect();
        let desk = Arc::clone(&self.desk);
        self.is_acknowledging = true;
        self.calls += 1;
        self.under_way.push(
            async move {
                let result = desk.acknowledge(&positions).await;
                Deed::Acknowledged { positions, result }
            }
            .boxed(),
        );
    }

    fn acknowledge_again(&mut self) {
        self.is_acknowledging = false;
        if self.finished.is_empty() {
            // The messages belong to other processes now.
            self.status.worked(Call::Acknowledge);
        }
        self.acknowledge();
    }

    fn take_acknowledged(&mut self, positions: Vec<Position>, result: Result<(), BrokerError>) {
        self.calls -= 1;
        match result {
            Ok(()) => {
                self.status.worked(Call::Acknowledge);
                self.acknowledging.reset();
                for position in positions {
                    let done = match self.desk.acknowledges() {
                        Acknowledges::Each => vec![position],
                        Acknowledges::UpTo => self.floors.acknowledged(position),
                    };
                    for position in done {
                        self.window.acknowledged(position);
                    }
                }
                self.is_acknowledging = false;
                self.acknowledge();
            }
            Err(error) => {
                self.status.failed(Call::Acknowledge, &error);
                for position in positions {
                    if self.window.holds(position) {
                        self.must_acknowledge(position);
                    }
                }
                let wait = self.acknowledging.next_wait();
                self.under_way.push(sleep(wait).map(|()| Deed::AcknowledgementDue).boxed());
            }
        }
    }

    /// Drops what another process has now.
    fn revoke(&mut self, partition: i32) {
        self.window.revoke(partition);
        self.floors.revoke(partition);
        self.finished.retain(|position| position.partition != partition);
        self.burying.retain(|number, _| self.window.get(*number).is_some());
        self.lanes.drop_messages(|number| self.window.get(number).is_none());
    }

    fn extend(&mut self) {
        let (desk, positions) = (Arc::clone(&self.desk), self.window.positions());
        if !positions.is_empty() {
            self.under_way.push(
                async move {
                    desk.extend(&positions).await;
                    Deed::Extended
                }
                .boxed(),
            );
        }
    }
}

/// Whether an event must be sent again. What Temporal refuses, it refuses for a reason of the installation (a permission, a namespace):
/// the event is not to blame.
fn is_undecided(result: &EventResult) -> bool {
    let is_refused = || result.code.as_ref().is_some_and(|code| code.as_str() == ErrorCode::TemporalRefused.as_str());
    match result.status {
        EventStatus::Accepted | EventStatus::Ignored => false,
        EventStatus::Unknown => true,
        EventStatus::Rejected => is_refused(),
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
