//! What goes wrong during a run, when, and for how long.

pub mod buttons;
pub mod kind;
mod poison;
mod processes;
mod server;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use interlock_adapters::sandbox::Sandbox;
use interlock_domain::ids::CustomerId;
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, RESOURCE_WORKFLOW_TYPE};

use self::buttons::{Buttons, Pending};
use self::kind::Fault;
use crate::load::population::Tenant;
use crate::load::producers::Producers;
use crate::options::BatteryOptions;
use crate::stage::Stage;
use crate::tally::Tally;

/// The pauses between two faults, in relation to the mean pause.
const PAUSES: std::ops::Range<f64> = 0.4..1.6;
/// How long a suspended worker is suspended.
const STOPPED_FOR: Duration = Duration::from_secs(30);
/// How long completions get lost.
const LOSSES_FOR: Duration = Duration::from_secs(6);
/// The share of completions that get lost meanwhile.
const LOST_SHARE: f64 = 0.15;
/// How long a target is away.
const AWAY_FOR: std::ops::Range<u64> = 20..60;
/// How long a call stays paused.
const PAUSED_FOR: Duration = Duration::from_secs(10);
/// How long the sweep stays paused.
const SWEEP_PAUSED_FOR: Duration = Duration::from_mins(1);
/// How long it may take until the server has ended what was begun.
const ENDING_LIMIT: Duration = Duration::from_mins(2);
/// How often to check what must end.
const TICK: Duration = Duration::from_millis(250);

/// A time during which one target was away.
#[derive(Debug, Clone)]
pub struct Away {
    /// The target.
    pub target: &'static str,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when.
    pub to: DateTime<Utc>,
    /// Whether anything but targets was disturbed meanwhile.
    pub was_alone: bool,
}

/// What was done, as far as the judge must know.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// When targets were away.
    pub away: Vec<Away>,
    /// The customers whose entities were terminated or reset: what they were told in between may be known to nobody.
    pub forgetful: BTreeSet<String>,
    /// The tenants and customers whose entities were terminated and whose work a person must recover.
    pub to_recover: Vec<(usize, CustomerId)>,
}

/// Something that ends later.
enum Ending {
    Suspension(u32),
    Absence { target: &'static str, from: DateTime<Utc>, faults_before: usize },
    Losses,
    Pause(Pending),
    SweepPause,
}

/// Disturbs a stage.
pub struct Disturbance<'a> {
    rng: fastrand::Rng,
    /// The run has a negative control.
    is_control: bool,
    /// The mean pause between two faults.
    pause: Duration,
    faults: Vec<Fault>,
    tenants: &'a [Tenant],
    producers: Producers,
    buttons: Buttons,
    sweep_id: String,
    tally: Tally,
    endings: Vec<(Instant, Ending)>,
    /// The worker processes that are suspended.
    suspended: BTreeSet<u32>,
    /// How many requests the faults of targets have concerned, or still may.
    requests: BTreeMap<Fault, u64>,
    /// Until then, only targets are disturbed.
    calm_until: Instant,
    /// How many faults were not a target's.
    not_of_targets: usize,
    done: Done,
}

impl<'a> Disturbance<'a> {
    /// One of these options, with these faults.
    pub fn new(
        options: &BatteryOptions,
        faults: Vec<Fault>,
        (stage, tenants): (&Stage, &'a [Tenant]),
        producers: Producers,
        tally: Tally,
    ) -> Self {
        let installation = &stage.platform.installation;
        let buttons = Buttons::new(installation, stage.platform.server.namespace());
        let sweep_id = interlock_operations::schedules::sweep_id(installation);
        let rng = fastrand::Rng::with_seed(options.seed.wrapping_mul(31));
        let (endings, suspended, requests, done) = (Vec::new(), BTreeSet::new(), BTreeMap::new(), Done::default());
        Self {
            rng,
            is_control: options.control.is_some(),
            pause: options.fault_pause(),
            faults,
            tenants,
            producers,
            buttons,
            sweep_id,
            tally,
            endings,
            suspended,
            requests,
            calm_until: Instant::now(),
            not_of_targets: 0,
            done,
        }
    }

    /// Does so for this time, then ends everything that it began, and returns what it did.
    pub async fn run(mut self, stage: &mut Stage, time: Duration) -> Done {
        let until = Instant::now() + time;
        let mut next = Instant::now() + self.next_pause();
        while Instant::now() < until {
            tokio::time::sleep(TICK).await;
            self.end(stage, Instant::now()).await;
            self.restore_processes(stage).await;
            if Instant::now() >= next {
                next = Instant::now() + self.next_pause();
                let is_calm = Instant::now() < self.calm_until;
                if let Some(fault) = self.choose().filter(|fault| !is_calm || fault.is_of_targets()) {
                    Box::pin(self.cause(stage, fault)).await;
                }
            }
        }
        let limit = Instant::now() + ENDING_LIMIT;
        while let Some(last) = self.endings.iter().map(|(at, _)| *at).max()
            && Instant::now() < limit
        {
            self.end(stage, last).await;
            tokio::time::sleep(TICK).await;
        }
        for (_, sandbox) in stage.targets.all() {
            self.clear(sandbox);
        }
        for (fault, requests) in &self.requests {
            self.tally.hit(fault.name(), *requests);
        }
        self.restore_processes(stage).await;
        self.done
    }

    fn next_pause(&mut self) -> Duration {
        self.pause.mul_f64(PAUSES.start + self.rng.f64() * (PAUSES.end - PAUSES.start))
    }

    fn choose(&mut self) -> Option<Fault> {
        let sum: u32 = self.faults.iter().map(|fault| fault.weight()).sum();
        let mut left = self.rng.u32(0..sum.max(1));
        self.faults.iter().copied().find(|fault| {
            let is_it = left < fault.weight();
            left = left.saturating_sub(fault.weight());
            is_it
        })
    }

    /// The target that a fault befalls, by its place. The first two are the HSSs: a control is about numbers and SIMs there.
    fn place_of_target(&mut self, targets: usize) -> usize {
        self.rng.usize(if self.is_control { 0..2 } else { 0..targets })
    }

    async fn cause(&mut self, stage: &mut Stage, fault: Fault) {
        let name = fault.name();
        self.tally.done(name);
        let all = stage.targets.all();
        let (target, sandbox) = all[self.place_of_target(all.len())];
        if let Some(requests) = targets::befall(sandbox, fault, self.is_control, &mut self.rng) {
            *self.requests.entry(fault).or_default() += requests;
            return;
        }
        if !fault.is_of_targets() {
            self.not_of_targets += 1;
        }
        match fault {
            Fault::WorkerKilled => self.kill_worker(stage).await,
            Fault::WorkerStopped => self.suspend_worker(stage),
            Fault::CompletionsLost => {
                stage.losses.set_share(LOST_SHARE);
                self.later(LOSSES_FOR, Ending::Losses);
            }
            Fault::GatewayKilled => self.kill_gateway(stage).await,
            Fault::ServerKilled | Fault::RoleKilled | Fault::PostgresStopped => self.kill_server(stage, fault).await,
            Fault::TargetAway => {
                let is_away = |(_, ending): &(Instant, Ending)| matches!(ending, Ending::Absence { .. });
                if self.endings.iter().any(is_away) {
                    return;
                }
                self.clear(sandbox);
                targets::go_away(sandbox, &mut self.rng);
                self.tally.hit(name, 1);
                let (from, faults_before) = (Utc::now(), self.not_of_targets);
                let time = Duration::from_secs(self.rng.u64(AWAY_FOR));
                // Of every two absences, one is alone: then it is seen what it delays.
                if self.suspended.is_empty() && self.rng.bool() {
                    self.calm_until = Instant::now() + time;
                }
                self.later(time, Ending::Absence { target, from, faults_before });
            }
            Fault::EntityTerminated | Fault::EntityReset | Fault::EntityCancelled => self.press_on_entity(fault).await,
            Fault::ActivityReset | Fault::ActivityPaused | Fault::ActivityCompleted => self.press_on_call(fault).await,
            Fault::Flood => {
                let tenant = self.rng.usize(0..self.tenants.len());
                let customer = self.any_customer(tenant);
                self.producers.flood(tenant, &customer);
                self.tally.hit(name, 1);
            }
            Fault::Poison => {
                let tenant = self.rng.usize(0..self.tenants.len());
                let customer = self.any_customer(tenant);
                let entities = &stage.platform.installation.entities;
                let taken =
                    poison::send(&self.producers, entities, (tenant, &self.tenants[tenant].id), &customer).await;
                self.tally.hit(name, taken);
            }
            Fault::RollingChange => self.replace_all(stage).await,
            Fault::SweepPaused if self.buttons.pause_schedule(&self.sweep_id, true).await => {
                self.tally.hit(name, 1);
                self.later(SWEEP_PAUSED_FOR, Ending::SweepPause);
            }
            _ => {}
        }
    }

    /// Clears the knobs of a target. Requests that its faults did not concern were not hit.
    fn clear(&mut self, target: &Sandbox) {
        for (fault, left) in targets::clear(target) {
            if let Some(requests) = self.requests.get_mut(&fault) {
                *requests = requests.saturating_sub(left);
            }
        }
    }

    fn any_customer(&mut self, tenant: usize) -> String {
        let people = &self.tenants[tenant].people;
        people[self.rng.usize(0..people.len())].id.clone()
    }

    /// Terminates, resets or cancels a customer's entity, or a number's.
    async fn press_on_entity(&mut self, fault: Fault) {
        let of_customers = self.rng.bool();
        let workflow_type = if of_customers { CUSTOMER_WORKFLOW_TYPE } else { RESOURCE_WORKFLOW_TYPE };
        let running = self.buttons.running(workflow_type).await;
        if running.is_empty() {
            return;
        }
        let workflow_id = running[self.rng.usize(0..running.len())].clone();
        let is_pressed = match fault {
            Fault::EntityTerminated => self.buttons.terminate(&workflow_id).await,
            Fault::EntityReset => self.buttons.reset(&workflow_id, self.rng.usize(0..6)).await,
            _ => self.buttons.cancel(&workflow_id).await,
        };
        if !is_pressed {
            return;
        }
        self.tally.hit(fault.name(), 1);
        if let Some((tenant, customer)) = self.customer_of(&workflow_id)
            && fault != Fault::EntityCancelled
        {
            self.done.forgetful.insert(customer.to_string());
            if fault == Fault::EntityTerminated {
                self.done.to_recover.push((tenant, customer));
            }
        }
    }

    fn customer_of(&self, workflow_id: &str) -> Option<(usize, CustomerId)> {
        let (tenant, customer) = workflow_id.split_once("/customer/")?;
        let tenant = self.tenants.iter().position(|of| of.id.as_str() == tenant)?;
        Some((tenant, customer.parse().ok()?))
    }

    /// Resets, pauses or completes a call to a target.
    async fn press_on_call(&mut self, fault: Fault) {
        let mut running = self.buttons.running(CUSTOMER_WORKFLOW_TYPE).await;
        self.rng.shuffle(&mut running);
        running.truncate(20);
        let pending = self.buttons.pending(&running).await;
        if pending.is_empty() {
            return;
        }
        let call = pending[self.rng.usize(0..pending.len())].clone();
        let is_pressed = match fault {
            Fault::ActivityReset => self.buttons.reset_activity(&call, self.rng.bool()).await,
            Fault::ActivityPaused => self.buttons.pause_activity(&call).await,
            _ => self.buttons.complete_activity(&call).await,
        };
        if is_pressed {
            self.tally.hit(fault.name(), 1);
            if fault == Fault::ActivityPaused {
                self.later(PAUSED_FOR, Ending::Pause(call));
            }
        }
    }

    fn later(&mut self, time: Duration, ending: Ending) {
        self.endings.push((Instant::now() + time, ending));
    }

    /// Ends what must end by this time.
    async fn end(&mut self, stage: &mut Stage, now: Instant) {
        let (due, left) = std::mem::take(&mut self.endings).into_iter().partition(|(at, _)| *at <= now);
        self.endings = left;
        let due: Vec<(Instant, Ending)> = due;
        for (_, ending) in due {
            match ending {
                Ending::Suspension(pid) => self.resume_worker(pid),
                Ending::Losses => stage.losses.set_share(0.0),
                Ending::Absence { target, from, faults_before } => {
                    for (_, sandbox) in stage.targets.all().into_iter().filter(|(name, _)| *name == target) {
                        self.clear(sandbox);
                    }
                    let was_alone = self.not_of_targets == faults_before;
                    self.done.away.push(Away { target, from, to: Utc::now(), was_alone });
                }
                Ending::Pause(call) => {
                    if !self.buttons.unpause_activity(&call).await {
                        self.later(Duration::from_secs(2), Ending::Pause(call));
                    }
                }
                Ending::SweepPause => {
                    if !self.buttons.pause_schedule(&self.sweep_id, false).await {
                        self.later(Duration::from_secs(2), Ending::SweepPause);
                    }
                }
            }
        }
    }
}
