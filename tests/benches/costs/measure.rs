//! The server, and what it used between two moments.
#![allow(clippy::cast_precision_loss, reason = "averages, which are shown with one or two digits")]

use std::time::{Duration, Instant};

use interlock_production_server::{Binaries, ProductionServer, ProductionServerOptions, Usage, cpu_of};

use crate::Failure;

/// How long the idle server is observed.
const IDLE: Duration = Duration::from_secs(20);
/// Longer than messages after the end of an order take, and than PostgreSQL delays its counts.
const SETTLE: Duration = Duration::from_secs(4);

/// A running server, and what it uses while nothing happens.
pub struct Meter {
    server: ProductionServer,
    idle: Idle,
}

/// What is used in a second of idleness.
#[derive(Debug, Default)]
struct Idle {
    transactions: f64,
    visibility_transactions: f64,
    server_cpu: f64,
    postgres_cpu: f64,
}

/// A moment.
pub struct Moment {
    at: Instant,
    usage: Usage,
    worker_cpu: Duration,
    workers: Vec<u32>,
}

impl Meter {
    /// Starts a server.
    pub async fn start() -> Result<Self, Failure> {
        let binaries = Binaries::find_or_build(&|sentence| eprintln!("{sentence}")).await?;
        let server = ProductionServer::start(&binaries, ProductionServerOptions::default()).await?;
        Ok(Self { server, idle: Idle::default() })
    }

    /// The address of the server.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Observes the server while nothing happens.
    pub async fn measure_idle(&mut self) -> Result<(), Failure> {
        let begin = self.begin(&[]).await?;
        tokio::time::sleep(IDLE).await;
        let usage = self.server.usage().await?.since(&begin.usage);
        let seconds = begin.at.elapsed().as_secs_f64();
        self.idle = Idle {
            transactions: per(usage.transactions_sum() as f64, seconds),
            visibility_transactions: per(usage.transactions["temporal_visibility"] as f64, seconds),
            server_cpu: per(server_cpu(&usage), seconds),
            postgres_cpu: per(usage.cpu["postgres"].as_secs_f64(), seconds),
        };
        println!(
            "idle, each second: {:.0} transactions, {:.0} ms CPU of the server, {:.0} ms CPU of PostgreSQL",
            self.idle.transactions,
            self.idle.server_cpu * 1_000.0,
            self.idle.postgres_cpu * 1_000.0
        );
        Ok(())
    }

    /// Begins a measurement. `workers` are the processes whose CPU time counts as that of workers.
    pub async fn begin(&self, workers: &[u32]) -> Result<Moment, Failure> {
        tokio::time::sleep(SETTLE).await;
        let usage = self.server.usage().await?;
        let worker_cpu = workers.iter().copied().map(cpu_of).sum();
        Ok(Moment { at: Instant::now(), usage, worker_cpu, workers: workers.to_vec() })
    }

    /// Ends a measurement. What an idle server uses in the same time is subtracted.
    pub async fn end(&self, begin: Moment) -> Result<Used, Failure> {
        let worked = begin.at.elapsed();
        tokio::time::sleep(SETTLE).await;
        let workers: Duration = begin.workers.iter().copied().map(cpu_of).sum();
        let usage = self.server.usage().await?.since(&begin.usage);
        let seconds = begin.at.elapsed().as_secs_f64();
        let without_idle = |value: f64, idle: f64| (value - idle * seconds).max(0.0);
        let visibility = usage.transactions["temporal_visibility"] as f64;
        Ok(Used {
            worked: worked.as_secs_f64(),
            transactions: without_idle(usage.transactions_sum() as f64, self.idle.transactions),
            visibility_transactions: without_idle(visibility, self.idle.visibility_transactions),
            bytes: usage.bytes.values().sum::<u64>() as f64,
            postgres_cpu: without_idle(usage.cpu["postgres"].as_secs_f64(), self.idle.postgres_cpu),
            server_cpu: without_idle(server_cpu(&usage), self.idle.server_cpu),
            worker_cpu: workers.saturating_sub(begin.worker_cpu).as_secs_f64(),
        })
    }

    /// Stops the server.
    pub async fn stop(self) -> Result<(), Failure> {
        Ok(self.server.stop().await?)
    }
}

/// What was used in a measurement. CPU times and the time worked are in seconds.
pub struct Used {
    worked: f64,
    transactions: f64,
    visibility_transactions: f64,
    bytes: f64,
    postgres_cpu: f64,
    server_cpu: f64,
    worker_cpu: f64,
}

impl Used {
    /// One line: what each of `count` units used, which added `events` history events in sum.
    pub fn each(&self, count: usize, events: i64) -> String {
        let each = |value: f64| per(value, count as f64);
        format!(
            "{:.1} events; {:.1} transactions, of them {:.1} of visibility; {:.1} kB of database; CPU: PostgreSQL {:.2} ms, server {:.2} ms, \
             workers {:.2} ms; {:.1} a second",
            each(events as f64),
            each(self.transactions),
            each(self.visibility_transactions),
            each(self.bytes) / 1_000.0,
            each(self.postgres_cpu) * 1_000.0,
            each(self.server_cpu) * 1_000.0,
            each(self.worker_cpu) * 1_000.0,
            per(count as f64, self.worked)
        )
    }
}

/// The CPU time of the four roles, in seconds.
fn server_cpu(usage: &Usage) -> f64 {
    usage.cpu.iter().filter(|(name, _)| *name != "postgres").map(|(_, time)| time.as_secs_f64()).sum()
}

fn per(value: f64, count: f64) -> f64 {
    if count > 0.0 { value / count } else { 0.0 }
}
