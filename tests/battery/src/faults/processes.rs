//! Faults of worker and gateway processes.

use std::time::Duration;

use interlock_coordinator::local::WorkerProcess;
use interlock_worker_pools::Workload;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kind::Fault;
use super::{Disturbance, Ending, STOPPED_FOR};
use crate::stage::{PROCESSES, Stage, WORKLOADS};

/// The most processes that are suspended at a time.
const SUSPENDED_MAX: usize = 2;
/// How long a draining worker may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(40);

fn signal(pid: u32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), signal).is_ok()
}

impl Disturbance<'_> {
    /// The place of a random worker process that is not suspended.
    fn any_worker(&mut self, stage: &Stage) -> Option<usize> {
        let processes = &stage.platform.worker_processes;
        let runs = |at: &usize| !self.suspended.contains(&processes[*at].pid());
        let running: Vec<usize> = (0..processes.len()).filter(runs).collect();
        (!running.is_empty()).then(|| running[self.rng.usize(0..running.len())])
    }

    pub(super) async fn kill_worker(&mut self, stage: &mut Stage) {
        let Some(at) = self.any_worker(stage) else { return };
        let process = stage.platform.worker_processes.remove(at);
        let pid = process.pid();
        if stage.under_way.of_process(pid) > 0 {
            self.tally.hit(Fault::WorkerKilled.name(), 1);
        }
        if process.kill().await.is_err() {
            self.tally.done("processes-not-killed");
        }
        stage.under_way.forget(pid);
    }

    pub(super) fn suspend_worker(&mut self, stage: &Stage) {
        if self.suspended.len() >= SUSPENDED_MAX {
            return;
        }
        let Some(at) = self.any_worker(stage) else { return };
        let pid = stage.platform.worker_processes[at].pid();
        let has_tasks = stage.under_way.of_process(pid) > 0;
        if signal(pid, Signal::SIGSTOP) {
            self.tally.hit(Fault::WorkerStopped.name(), u64::from(has_tasks));
            self.suspended.insert(pid);
            self.later(STOPPED_FOR, Ending::Suspension(pid));
        }
    }

    pub(super) fn resume_worker(&mut self, pid: u32) {
        self.suspended.remove(&pid);
        if !signal(pid, Signal::SIGCONT) {
            self.tally.done("processes-not-resumed");
        }
    }

    pub(super) async fn kill_gateway(&mut self, stage: &mut Stage) {
        if stage.gateways.is_empty() {
            return;
        }
        let gateway = stage.gateways.remove(0);
        self.tally.hit(Fault::GatewayKilled.name(), u64::from(self.producers.under_way() > 0));
        if gateway.kill().await.is_err() {
            self.tally.done("processes-not-killed");
        }
    }

    /// Starts the processes that are missing. A suspended one counts as missing if it is the last of its pool.
    pub(super) async fn restore_processes(&mut self, stage: &mut Stage) {
        for workload in WORKLOADS {
            let of_pool = |process: &&WorkerProcess| process.workload() == workload;
            let all = stage.platform.worker_processes.iter().filter(of_pool);
            let (suspended, running): (Vec<u32>, Vec<u32>) =
                all.map(WorkerProcess::pid).partition(|pid| self.suspended.contains(pid));
            if running.is_empty() || running.len() + suspended.len() < PROCESSES {
                self.start_worker(stage, workload).await;
            }
        }
        if stage.gateways.len() < PROCESSES {
            match stage.platform.start_gateway_process().await {
                Ok(gateway) => stage.gateways.push(gateway),
                Err(_) => self.tally.done("gateways-not-started"),
            }
            self.producers.use_gateways(stage.gateway_urls());
        }
    }

    /// A process cannot be started while the server is away. It is tried again.
    async fn start_worker(&mut self, stage: &mut Stage, workload: Workload) -> bool {
        let is_started = stage.platform.start_worker_process(workload).await.is_ok();
        if !is_started {
            self.tally.done("workers-not-started");
        }
        is_started
    }

    /// Replaces all worker processes one after the other: first the new one, then the old one drains.
    pub(super) async fn replace_all(&mut self, stage: &mut Stage) {
        let pids: Vec<u32> = stage.platform.worker_processes.iter().map(WorkerProcess::pid).collect();
        for pid in pids {
            let processes = &stage.platform.worker_processes;
            let Some(at) = processes.iter().position(|process| process.pid() == pid) else { continue };
            if self.suspended.contains(&pid) {
                continue;
            }
            let workload = processes[at].workload();
            if !self.start_worker(stage, workload).await {
                continue;
            }
            let mut old = stage.platform.worker_processes.remove(at);
            self.tally.hit(Fault::RollingChange.name(), u64::from(stage.under_way.of_process(pid) > 0));
            let drained = old.ask_to_drain().is_ok() && tokio::time::timeout(DRAIN_LIMIT, old.ended()).await.is_ok();
            if !drained {
                self.tally.done("workers-not-drained");
            }
            stage.under_way.forget(pid);
        }
    }
}
