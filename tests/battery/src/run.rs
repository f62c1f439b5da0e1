//! One run, from the start of the server to the report.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::BatteryError;
use crate::faults::kind::chosen;
use crate::faults::{Disturbance, Done};
use crate::judge::Evidence;
use crate::load::population::{Tenant, populate};
use crate::load::producers::Producers;
use crate::load::stories::{Scripted, Stories};
use crate::operator::Operator;
use crate::options::BatteryOptions;
use crate::report::Report;
use crate::stage::{Stage, Targets, evidence_directory};
use crate::tally::Tally;

/// How often to look whether everything has ended.
const DRAIN_PAUSE: Duration = Duration::from_secs(2);
/// The number of looks between two times that numbers which nobody gives back are settled.
const SETTLED_EVERY: usize = 5;
/// How many looks in a row must find nothing open: lists are eventually consistent.
const QUIET_LOOKS: usize = 4;
/// How much faster the rest of the stories is told after the load.
const HURRY: f64 = 2.0;

/// Makes a run.
///
/// # Errors
/// [`BatteryError`] if the run cannot be made. Violations are in the report.
pub async fn run(options: &BatteryOptions) -> Result<Report, BatteryError> {
    let began = Instant::now();
    let faults = chosen(&options.faults, options.server).map_err(BatteryError::Option)?;
    if !(options.rate > 0.0 && options.rate.is_finite()) {
        return Err(BatteryError::Option("The rate must be a positive number of events a second.".to_owned()));
    }
    let say = |sentence: &str| eprintln!("{:>5} s: {sentence}", began.elapsed().as_secs());
    let tally = Tally::default();
    let tenants = populate(options.customers, options.numbers);
    let mut stage = Box::pin(Stage::start(options, &tenants, &tally, &say)).await?;
    let names = tenants.iter().map(|tenant| tenant.id.to_string()).collect();
    let producers = Producers::new(options.seed, names, stage.gateway_urls(), tally.clone());
    let producers = producers.map_err(|error| BatteryError::Option(error.to_string()))?;
    let mut operator = Operator::new(&stage.platform.installation, &tenants, tally.clone());
    let (over, is_over) = watch::channel(false);
    say("everything runs; the load begins");
    let seeds = Seeds::of(&stage.targets);
    let disturbance = Disturbance::new(options, faults, (&stage, &tenants), producers.clone(), tally.clone());
    let disturbing = async {
        let done = Box::pin(disturbance.run(&mut stage, options.load_time())).await;
        say("the faults are over");
        done
    };
    let loading = load(options, &tenants, &producers, &seeds);
    let attending = operator.attend(is_over, &tenants, &producers);
    let working = async {
        let (done, ()) = tokio::join!(disturbing, loading);
        over.send_replace(true);
        done
    };
    let (done, ()) = Box::pin(async { tokio::join!(working, attending) }).await;
    let not_accepted = producers.finish(options.drain_limit() / 2).await;
    say("the load is over");
    let (drained, mut left) = drain(options, &tenants, &mut operator, &producers, &done).await;
    if not_accepted > 0 {
        left.push(format!("{not_accepted} events were not accepted in time"));
    }
    let drained = drained.filter(|_| not_accepted == 0);
    say("judging");
    let accepted = producers.accepted();
    let evidence = Evidence::collect((&stage, &tenants), &done, &accepted, (drained, left), &tally).await?;
    let verdicts = evidence.judge().await?;
    let is_clean = verdicts.iter().all(|verdict| verdict.violations.is_empty());
    let kept = options.keep.clone().or_else(|| (!is_clean).then(|| evidence_directory(options.seed)));
    if let Some(directory) = &kept {
        evidence.keep(directory)?;
    }
    drop(evidence);
    let report = Report { options: options.clone(), time: began.elapsed(), verdicts, counts: tally.all(), kept };
    stage.stop().await?;
    Ok(report)
}

/// How new SIMs become known to the HSS of a tenant while the run goes on.
struct Seeds {
    http: reqwest::Client,
    urls: [String; 2],
}

impl Seeds {
    fn of(targets: &Targets) -> Self {
        let urls = [targets.hss_east.base_url(), targets.hss_west.base_url()];
        Self { http: reqwest::Client::new(), urls }
    }

    /// Adds the SIM of a newcomer, if the event has one.
    async fn add(&self, event: &Scripted) {
        let Some(person) = &event.newcomer else { return };
        let seed = serde_json::json!({"imsi": person.sims[0], "iccid": person.iccid(), "sim_only": true});
        let url = format!("{}/__sandbox/subscribers", self.urls[event.tenant]);
        if let Err(error) = self.http.post(url).json(&seed).send().await {
            eprintln!("a SIM could not be added: {error}");
        }
    }
}

/// Tells stories at the rate of the options, then the rest of those that have begun.
async fn load(options: &BatteryOptions, tenants: &[Tenant], producers: &Producers, seeds: &Seeds) {
    let mut stories = Stories::new(options.seed, tenants.to_vec(), options.pause_max);
    let until = Instant::now() + options.load_time();
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / options.rate));
    while Instant::now() < until {
        tick.tick().await;
        if let Some(event) = stories.next(Instant::now()) {
            seeds.add(&event).await;
            producers.send(event);
        }
    }
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / (HURRY * options.rate)));
    while let Some(event) = stories.next_of_begun() {
        tick.tick().await;
        seeds.add(&event).await;
        producers.send(event);
    }
}

/// Waits until nothing is open any more. Returns how long it took, or what is still open.
async fn drain(
    options: &BatteryOptions,
    tenants: &[Tenant],
    operator: &mut Operator,
    producers: &Producers,
    done: &Done,
) -> (Option<Duration>, Vec<String>) {
    let began = Instant::now();
    let mut to_recover = done.to_recover.clone();
    let (mut quiet, mut looks) = (0, 0);
    let mut open: Vec<Option<usize>> = Vec::new();
    while began.elapsed() < options.drain_limit() {
        to_recover = operator.recover(to_recover).await;
        open.clear();
        for tenant in 0..tenants.len() {
            open.push(operator.look(tenant).await);
        }
        let is_quiet = to_recover.is_empty() && open.iter().all(|open| *open == Some(0));
        quiet = if is_quiet { quiet + 1 } else { 0 };
        if quiet == QUIET_LOOKS {
            return (Some(began.elapsed()), Vec::new());
        }
        looks += 1;
        if looks % SETTLED_EVERY == 0 {
            for (place, tenant) in tenants.iter().enumerate() {
                operator.settle(place, tenant, producers, Duration::ZERO).await;
            }
        }
        tokio::time::sleep(DRAIN_PAUSE).await;
    }
    let mut left = operator.left().await;
    left.extend(
        to_recover.iter().map(|(tenant, customer)| format!("{customer} of {} is not recovered", tenants[*tenant].id)),
    );
    (None, left)
}
