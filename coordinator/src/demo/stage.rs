//! Runs the demo from start to end; its caller decides how it is shown.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use interlock_adapters::sandbox::{Applied, Knobs, Sandbox};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event_result::{EventResult, EventResults, EventStatus};
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::order::OrderState;
use interlock_fault::{Fault, with_causes};
use interlock_settings::Settings;
use serde_json::Value;

use super::story::{A1, A2, HSS_LATENCY, LATER, NUMBER, Subscriber, catalog};
use super::story_event::{StoryClock, StoryEvent, Voice};
use super::verdict::Verdict;
use super::watch::Watch;
use crate::local::{LocalOptions, LocalPlatform};

/// How long one act of the demo may take.
const ACT_LIMIT: Duration = Duration::from_secs(40);
/// How often to look for new events.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Shows the demo.
pub trait Stage: Send {
    /// Something takes a moment.
    fn wait(&mut self, sentence: &str);
    /// Everything is running at these addresses.
    fn ready(&mut self, addresses: &BTreeMap<String, String>);
    /// A new act starts.
    fn act(&mut self, title: &str);
    /// Something happened.
    fn event(&mut self, event: &StoryEvent);
}

/// The result of the demo.
pub struct Demo {
    /// What the HSS applied, in order.
    pub hss: Vec<Applied>,
    /// What the CRM applied, in order.
    pub crm: Vec<Applied>,
    /// The HSS's answer to the question who has the number: its row, or null.
    pub look_up: Value,
    /// Whether the order was right.
    pub verdict: Verdict,
}

impl Demo {
    /// Runs the demo. Of the settings it uses only those about this machine: where to find the Temporal CLI.
    ///
    /// # Errors
    /// [`Fault`] if a part cannot be started, or `demo_timed_out`.
    pub async fn play(settings: &Settings, leases: bool, stage: &mut dyn Stage) -> Result<Self, Fault> {
        let own = Settings {
            temporal_cli: settings.temporal_cli.clone(),
            cache_dir: settings.cache_dir.clone(),
            offline: settings.offline,
            log: settings.log.clone(),
            ..Settings::default()
        };
        let mut options = LocalOptions::from_settings(own)?;
        options.catalog = catalog(REFERENCE_TEXT);
        options.leases = leases;
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel::<String>();
        let telling = move |sentence: &str| drop(say.send(sentence.to_owned()));
        let starting = LocalPlatform::start(options, &telling);
        tokio::pin!(starting);
        let platform = loop {
            tokio::select! {
                biased;
                Some(sentence) = said.recv() => stage.wait(&sentence),
                platform = &mut starting => break platform?,
            }
        };
        let played = Play::begin(&platform, stage).perform(leases).await;
        platform.stop().await?;
        played
    }
}

/// A running demo.
struct Play<'a> {
    platform: &'a LocalPlatform,
    stage: &'a mut dyn Stage,
    tenant: TenantId,
    http: reqwest::Client,
    watch: Option<Watch>,
}

impl<'a> Play<'a> {
    fn begin(platform: &'a LocalPlatform, stage: &'a mut dyn Stage) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
        Self { platform, stage, tenant: TenantId::default(), http, watch: None }
    }

    async fn perform(mut self, leases: bool) -> Result<Demo, Fault> {
        let mut addresses = self.platform.target_urls();
        addresses.insert("temporal".to_owned(), self.platform.temporal_address());
        let gateway = self.platform.gateway_url();
        addresses.insert("console".to_owned(), format!("{gateway}/console"));
        addresses.insert("gateway".to_owned(), gateway);
        self.stage.ready(&addresses);
        let seeds = [A1.seed(), A2.seed()];
        self.post(&format!("{}/__sandbox/subscribers", addresses["hss"]), &serde_json::json!(seeds)).await?;
        let resource = format!("msisdn/{NUMBER}").parse().map_err(|error| failed(&format!("{error}")))?;
        self.watch = Some(Watch::new(StoryClock::begin(), self.tenant.clone(), resource));

        self.stage.act("A1 gets the number, without contention");
        let first = self.send(A1, "number.assigned", "a1-gets-it").await?;
        self.until("A1 has the number", |watch| is_over(watch, &first)).await?;
        self.tell_the_rest().await;

        self.stage.act("the number moves from A1 to A2: A2's event arrives first, and the HSS is slow from now on");
        self.slow_down(&addresses["hss"]).await?;
        let second = self.send(A2, "number.assigned", "a2-gets-it").await?;
        let later = Instant::now() + LATER;
        self.until("A2 waits", |watch| Instant::now() >= later && (!leases || watch.has_waited(A2.customer))).await?;
        let third = self.send(A1, "number.unassigned", "a1-gives-it-up").await?;
        self.until("both orders have ended", |watch| is_over(watch, &second) && is_over(watch, &third)).await?;
        self.tell_the_rest().await;
        self.conclude(&addresses["hss"]).await
    }

    async fn conclude(self, hss_url: &str) -> Result<Demo, Fault> {
        let log = |target| self.platform.sandboxes.get(target).map(Sandbox::log).unwrap_or_default();
        let (hss, crm) = (log("hss"), log("crm"));
        let url = format!("{hss_url}/ims_subscriber/ims_subscriber_msisdn/{NUMBER}");
        let answer = self.http.get(url).send().await.map_err(|error| failed(&with_causes(&error)))?;
        let look_up = answer.json().await.map_err(|error| failed(&with_causes(&error)))?;
        Ok(Demo { verdict: Verdict::of(&hss, &crm), hss, crm, look_up })
    }

    /// Sends an event to the gateway, as a producer would.
    async fn send(&mut self, who: Subscriber, event_type: &str, id: &str) -> Result<OrderId, Fault> {
        let url = format!("{}/v1/tenants/{}/events", self.platform.gateway_url(), self.tenant);
        if let Some(watch) = &mut self.watch {
            watch.note(Voice::Event, format!("{} {event_type} {NUMBER}", who.customer));
        }
        let answer = self.post(&url, &who.event(event_type, id)).await?;
        let results = serde_json::from_value::<EventResults>(answer.clone()).map(|answer| answer.results);
        let (status, order) = match results.unwrap_or_default().into_iter().next() {
            Some(EventResult { status, order_id, .. }) => (Some(status), order_id),
            None => (None, None),
        };
        match (status, order, &mut self.watch) {
            (Some(EventStatus::Accepted), Some(order), Some(watch)) => {
                watch.follow(order.clone(), event_type);
                Ok(order)
            }
            _ => Err(failed(&format!("the gateway did not accept an event: {answer}"))),
        }
    }

    async fn slow_down(&self, hss_url: &str) -> Result<(), Fault> {
        let latency_ms = u64::try_from(HSS_LATENCY.as_millis()).unwrap_or(u64::MAX);
        let knobs = Knobs { latency_ms, rules: Vec::new() };
        let put = self.http.put(format!("{hss_url}/__sandbox/knobs")).json(&knobs);
        put.send().await.map_err(|error| failed(&with_causes(&error)))?;
        Ok(())
    }

    async fn post(&self, url: &str, body: &Value) -> Result<Value, Fault> {
        let answer = self.http.post(url).json(body).send().await.map_err(|error| failed(&with_causes(&error)))?;
        answer.json().await.map_err(|error| failed(&with_causes(&error)))
    }

    /// Watches and reports until a condition is true.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Watch) -> bool) -> Result<(), Fault> {
        let limit = Instant::now() + ACT_LIMIT;
        loop {
            if let Some(watch) = &mut self.watch {
                watch.look(self.platform).await;
                if is_so(watch) {
                    return Ok(());
                }
            }
            self.tell(false);
            if Instant::now() > limit {
                self.tell(true);
                return Err(Fault::failed(
                    ErrorCode::DemoTimedOut,
                    format!("The demo did not reach this state within {} s: {what}.", ACT_LIMIT.as_secs()),
                ));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Reports the events that were held back, and those that arrive a moment later.
    async fn tell_the_rest(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.look(self.platform).await;
        }
        self.tell(true);
    }

    fn tell(&mut self, all: bool) {
        if let Some(watch) = &mut self.watch {
            for event in watch.told(all) {
                self.stage.event(&event);
            }
        }
    }
}

/// Whether an order has got as far as it can without a person.
fn is_over(watch: &Watch, order: &OrderId) -> bool {
    watch.state_of(order).is_some_and(|state| {
        let state = state.known();
        !matches!(state, Some(OrderState::Acknowledged | OrderState::Pending | OrderState::InProgress))
    })
}

fn failed(reason: &str) -> Fault {
    Fault::failed(ErrorCode::DemoFailed, format!("The demo failed: {reason}."))
}
