//! The producers: they send each event until it is accepted, at an open-loop rate, and are as sloppy as real ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::stories::{Scripted, Token};
use crate::tally::Tally;

/// How long a producer waits for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The pause before an event is sent again.
const AGAIN_AFTER: std::ops::Range<u64> = 200..1_500;
/// The share of events that arrive late, and by how much at most: so later events overtake them.
const SHUFFLED_SHARE: f64 = 0.25;
const SHUFFLED_BY_MS: u64 = 3_000;
/// The share of events that are sent again although they were accepted, and when at the latest.
const DUPLICATED_SHARE: f64 = 0.15;
const DUPLICATED_WITHIN_MS: u64 = 20_000;
/// The share of events whose producer's clock is wrong.
const WRONG_CLOCK_SHARE: f64 = 0.04;
/// The share of events that happened days ago.
const DELAYED_SHARE: f64 = 0.01;

/// How many events a flood has.
const FLOOD: usize = 200;

/// What a producer knows of an event that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The place of its tenant.
    pub tenant: usize,
    /// The id of the event.
    pub event: String,
    /// The order.
    pub order: String,
    /// The subject.
    pub customer: String,
    /// The CloudEvents type.
    pub event_type: &'static str,
    /// By which the targets' logs show it.
    pub token: Option<Token>,
    /// When it happened, as its producer says, in milliseconds of Unix time.
    pub occurred_at_ms: i64,
    /// When it was sent for the first time.
    pub sent_at: Instant,
    /// When it was known to be accepted.
    pub accepted_at: Instant,
}

/// All producers.
#[derive(Clone)]
pub struct Producers {
    shared: Arc<Shared>,
}

struct Shared {
    /// The addresses of the gateways. One that does not answer is tried again later.
    gateways: RwLock<Vec<String>>,
    tenants: Vec<String>,
    http: reqwest::Client,
    state: Mutex<State>,
    tally: Tally,
    under_way: TaskTracker,
    give_up: watch::Sender<bool>,
}

struct State {
    rng: fastrand::Rng,
    sent: u64,
    accepted: Vec<Accepted>,
}

impl Producers {
    /// Producers of this seed that send to the gateways at these addresses.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(seed: u64, tenants: Vec<String>, gateways: Vec<String>, tally: Tally) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_LIMIT).build()?;
        let state = State { rng: fastrand::Rng::with_seed(seed), sent: 0, accepted: Vec::new() };
        let (gateways, state) = (RwLock::new(gateways), Mutex::new(state));
        let (under_way, give_up) = (TaskTracker::new(), watch::channel(false).0);
        Ok(Self { shared: Arc::new(Shared { gateways, tenants, http, state, tally, under_way, give_up }) })
    }

    /// Has the producers use these gateways from now on.
    pub fn use_gateways(&self, gateways: Vec<String>) {
        *self.shared.gateways.write().unwrap_or_else(PoisonError::into_inner) = gateways;
    }

    /// Sends an event, in the background.
    pub fn send(&self, scripted: Scripted) {
        let (event, occurred_at_ms, delay, copies) = self.written(&scripted);
        for copy in copies {
            let (producers, event, tenant) = (self.clone(), event.clone(), scripted.tenant);
            self.shared.tally.done("events-duplicated");
            self.shared.under_way.spawn(async move {
                tokio::time::sleep(copy).await;
                producers.until_accepted(tenant, &event).await;
            });
        }
        let producers = self.clone();
        self.shared.under_way.spawn(async move {
            tokio::time::sleep(delay).await;
            let sent_at = Instant::now();
            let Some(order) = producers.until_accepted(scripted.tenant, &event).await else { return };
            let Scripted { tenant, customer, event_type, token, .. } = scripted;
            let accepted_at = Instant::now();
            let event = event["id"].as_str().unwrap_or_default().to_owned();
            let accepted =
                Accepted { tenant, event, order, customer, event_type, token, occurred_at_ms, sent_at, accepted_at };
            producers.shared.state().accepted.push(accepted);
        });
    }

    /// Sends the body once, whatever it is. Returns the status and the body of the answer, if there is one.
    pub async fn send_raw(&self, tenant: usize, body: String) -> Option<(u16, Value)> {
        let url = self.shared.url(tenant);
        let request = self.shared.http.post(url).header(CONTENT_TYPE, "application/cloudevents+json").body(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    /// Sends hundreds of events for one customer at once: text messages, and copies of one of them.
    pub fn flood(&self, tenant: usize, customer: &str) {
        let of = |id: &str| {
            json!({
                "specversion": "1.0", "id": id, "source": "/battery/flood", "type": "quota.exceeded", "subject": customer,
                "data": {"msisdn": "12069999999", "kind": "flood", "limit": 80},
            })
        };
        let first = self.shared.state().sent;
        for number in 0..FLOOD {
            let id = if number % 2 == 0 { format!("flood-{first}") } else { format!("flood-{first}-{number}") };
            let (producers, event) = (self.clone(), of(&id));
            self.shared.under_way.spawn(async move { producers.until_accepted(tenant, &event).await });
        }
    }

    /// Waits until all events were accepted, or for this time; then the rest is given up. Returns how many that were.
    pub async fn finish(&self, limit: Duration) -> usize {
        self.shared.under_way.close();
        if tokio::time::timeout(limit, self.shared.under_way.wait()).await.is_ok() {
            return 0;
        }
        let left = self.shared.under_way.len();
        self.shared.give_up.send_replace(true);
        self.shared.under_way.wait().await;
        left
    }

    /// How many events have not been accepted yet.
    pub fn under_way(&self) -> usize {
        self.shared.under_way.len()
    }

    /// What was accepted.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.state().accepted.clone()
    }

    /// The event as it is sent, when it happened, when it is sent first, and when copies of it are sent.
    fn written(&self, scripted: &Scripted) -> (Value, i64, Duration, Vec<Duration>) {
        let mut state = self.shared.state();
        state.sent += 1;
        let id = format!("e-{}", state.sent);
        let rng = &mut state.rng;
        let now = Utc::now();
        let mut occurred_at = now;
        if rng.f64() < WRONG_CLOCK_SHARE {
            occurred_at += TimeDelta::milliseconds(rng.i64(-60_000..3_600_000));
            self.shared.tally.done("clocks-wrong");
        } else if rng.f64() < DELAYED_SHARE {
            occurred_at -= TimeDelta::hours(rng.i64(30..100));
            self.shared.tally.done("events-delayed-by-days");
        }
        let delay = if rng.f64() < SHUFFLED_SHARE {
            self.shared.tally.done("events-shuffled");
            Duration::from_millis(rng.u64(0..SHUFFLED_BY_MS))
        } else {
            Duration::ZERO
        };
        let copies = if rng.f64() < DUPLICATED_SHARE { rng.usize(1..4) } else { 0 };
        let copies = (0..copies).map(|_| Duration::from_millis(rng.u64(0..DUPLICATED_WITHIN_MS))).collect();
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "/battery",
            "type": scripted.event_type,
            "subject": scripted.customer,
            "time": rfc3339(occurred_at),
            "datacontenttype": "application/json",
            "data": scripted.data,
        });
        (event, occurred_at.timestamp_millis(), delay, copies)
    }

    /// Sends an event until it is accepted, or rejected for good. Returns the order, if it was accepted.
    async fn until_accepted(&self, tenant: usize, event: &Value) -> Option<String> {
        let mut give_up = self.shared.give_up.subscribe();
        loop {
            let answer = self.send_raw(tenant, event.to_string()).await;
            if let Some((status, body)) = answer {
                let result = &body["results"][0];
                match (status, result["status"].as_str()) {
                    (200..300, Some("accepted")) => return result["order_id"].as_str().map(str::to_owned),
                    (200..300, Some("rejected")) => {
                        self.shared.tally.done(&format!("rejected {}", result["code"].as_str().unwrap_or_default()));
                        return None;
                    }
                    (400 | 413 | 415, _) => {
                        self.shared.tally.done(&format!("refused {}", body["code"].as_str().unwrap_or_default()));
                        return None;
                    }
                    _ => {}
                }
            }
            self.shared.tally.hit("sent-again", 1);
            let pause = Duration::from_millis(self.shared.state().rng.u64(AGAIN_AFTER));
            if tokio::time::timeout(pause, give_up.wait_for(|give_up| *give_up)).await.is_ok() {
                return None;
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self, tenant: usize) -> String {
        let gateways = self.gateways.read().unwrap_or_else(PoisonError::into_inner);
        let gateway = &gateways[self.state().rng.usize(0..gateways.len())];
        format!("{gateway}/v1/tenants/{}/events", self.tenants[tenant])
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
