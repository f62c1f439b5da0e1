//! The cost of an outage for the orders that wait, and for those that do not.

use std::fmt;
use std::time::Duration;

use clap::Parser;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use interlock_adapters::sandbox::{Action, Knobs, Pattern, Rule};

use crate::stage::{AT_A_TIME, Customer, RAMP_STAGE, Stage, until};
use crate::{Failure, drain, pace};

/// The most concurrent calls to the HSS.
const CALLS: usize = 10;
/// The time limit until the machine is idle, or for a drain beyond the time that the ramp needs.
const PATIENCE: Duration = Duration::from_mins(20);
/// Longer than the wait of a blocked step before it returns to its queue.
const QUIET: Duration = Duration::from_secs(6);
/// The first customer of each measurement at the CRM, after all those that wait for the HSS.
const BEFORE: usize = 10_000_000;
const MEANWHILE: usize = 20_000_000;
const AFTERWARDS: usize = 30_000_000;

/// A target is down while many steps wait for it. Measures the cost of waiting, the effect on another target, and the drain.
#[derive(Parser)]
#[command(name = "outage")]
pub struct Outage {
    /// The number of steps that wait for the target that is down.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// The number of orders of each customer.
    #[arg(long, default_value_t = 5)]
    orders: usize,
    /// How long it stays down after all of them have arrived.
    #[arg(long = "outage", default_value = "60s", value_parser = humantime::parse_duration)]
    down_for: Duration,
    /// The most requests a second to the target.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// An option that cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy)]
struct Happened {
    attempts: usize,
    probes: usize,
    events: i64,
}

/// The measurements.
pub struct Report {
    steps: usize,
    customers: usize,
    outage: Duration,
    before: Happened,
    after: Happened,
    pace_before: f64,
    pace_meanwhile: f64,
    pace_afterwards: f64,
    drain: Duration,
    drain_allowed: Duration,
    out_of_order: usize,
}

impl Outage {
    /// Runs the measurement.
    pub async fn measure(&self) -> Result<Report, Failure> {
        let stage = Box::pin(Stage::set_up(self.rate, CALLS)).await?;
        let report = self.measure_on(&stage).await;
        stage.take_down().await?;
        report
    }

    async fn measure_on(&self, stage: &Stage) -> Result<Report, Failure> {
        let customers: Vec<Customer> = (0..self.steps.div_ceil(self.orders.max(1))).map(Customer::numbered).collect();
        stage.seed(&customers)?;
        until_it_is(stage, "closed").await?;
        eprintln!("The other target, without an outage.");
        let pace_before = pace::at_crm(stage, BEFORE, self.down_for).await?;

        let refuse = Action::Refuse { status: 503, body: serde_json::Value::Null, retry_after_s: None };
        stage.hss.add_rule(Rule::always(Pattern::default(), refuse));
        eprintln!("The HSS is down; {} steps come to wait for it.", self.steps);
        self.submit_all(stage, &customers).await?;
        let before = at_rest(stage, &customers).await?;
        eprintln!("The other target, during the outage.");
        let pace_meanwhile = pace::at_crm(stage, MEANWHILE, self.down_for).await?;
        let after = at_rest(stage, &customers).await?;

        stage.hss.set_knobs(Knobs::default());
        eprintln!("The HSS is back; what waited drains.");
        until(PATIENCE, "all steps to be applied", || async {
            Ok((drain::applied(&stage.hss.log()) >= self.steps).then_some(()))
        })
        .await?;
        // The same again without an outage, since everything that exists by now slows the system by itself.
        eprintln!("The other target, after the outage.");
        let pace_afterwards = pace::at_crm(stage, AFTERWARDS, self.down_for).await?;
        let log = stage.hss.log();
        let (first_ms, last_ms) = drain::first_and_last_ms(&log)?.ok_or("nothing was applied")?;
        Ok(Report {
            steps: self.steps,
            customers: customers.len(),
            outage: self.down_for,
            before,
            after,
            pace_before,
            pace_meanwhile,
            pace_afterwards,
            drain: Duration::from_millis(u64::try_from(last_ms - first_ms)?),
            drain_allowed: drain::shortest(self.steps, self.rate, RAMP_STAGE),
            out_of_order: drain::out_of_order(&log),
        })
    }

    /// The first order of each customer, then the second of each, and so on.
    async fn submit_all(&self, stage: &Stage, customers: &[Customer]) -> Result<(), Failure> {
        for value in 1..=self.orders {
            let left = self.steps - (value - 1) * customers.len();
            let sent = customers
                .iter()
                .take(left)
                .map(|customer| async move { stage.submit(&customer.tuned("line.tuned", value)).await.map(|_| ()) });
            stream::iter(sent).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
        }
        Ok(())
    }
}

async fn until_it_is(stage: &Stage, state: &str) -> Result<(), Failure> {
    until(PATIENCE, &format!("the HSS to be {state}"), || async {
        let view = stage.standing("hss").await;
        Ok(view.filter(|view| view["state"] == state && view["limit_pending"] == false).map(|_| ()))
    })
    .await
}

/// Waits until the target is parked, all entities are idle, and two checks some time apart give the same result.
async fn at_rest(stage: &Stage, customers: &[Customer]) -> Result<Happened, Failure> {
    until(PATIENCE, "all to be at rest", || async {
        if stage.standing("hss").await.is_none_or(|view| view["limit"] != 0.0) {
            return Ok(None);
        }
        let Some(events) = stage.history_events(customers).await? else { return Ok(None) };
        let (attempts, _) = asked(stage);
        tokio::time::sleep(QUIET).await;
        let (attempts_now, probes) = asked(stage);
        let is_quiet = attempts == attempts_now && stage.history_events(customers).await? == Some(events);
        Ok(is_quiet.then_some(Happened { attempts, probes, events }))
    })
    .await
}

/// The requests to the HSS from steps, and from probes.
fn asked(stage: &Stage) -> (usize, usize) {
    let received = stage.hss.received();
    let probes = received.iter().filter(|request| request.path.contains("ping")).count();
    (received.len() - probes, probes)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, .. } = self;
        writeln!(
            f,
            "{} steps of {} customers waited for a target that was down, {} s of it watched.",
            self.steps,
            self.customers,
            self.outage.as_secs()
        )?;
        writeln!(
            f,
            "  attempts      {} as it went down, {} while it was down, beside {} probes",
            before.attempts,
            after.attempts - before.attempts,
            after.probes - before.probes
        )?;
        writeln!(f, "  history       {} events while it was down", after.events - before.events)?;
        writeln!(
            f,
            "  other target  {:.2} of its rate before and after the outage ({:.0} orders a second, {:.0} before, {:.0} after)",
            self.pace_meanwhile / f64::midpoint(self.pace_before, self.pace_afterwards),
            self.pace_meanwhile,
            self.pace_before,
            self.pace_afterwards
        )?;
        writeln!(
            f,
            "  drain         {:.2} of the time that its ramp and rate allow ({:.0} and {:.0} s)",
            self.drain.as_secs_f64() / self.drain_allowed.as_secs_f64(),
            self.drain.as_secs_f64(),
            self.drain_allowed.as_secs_f64()
        )?;
        write!(f, "  order         {} of {} customers out of order", self.out_of_order, self.customers)
    }
}
