//! What the server used: CPU time of each process, transactions and bytes of PostgreSQL. Differences of two readings are the cost of what
//! happened between them.

use std::collections::BTreeMap;
use std::time::Duration;

/// What was used since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// The CPU time of each role, and of `postgres` with its child processes.
    pub cpu: BTreeMap<String, Duration>,
    /// Committed transactions of each database. PostgreSQL counts them with a delay of up to 1 s.
    pub transactions: BTreeMap<String, u64>,
    /// The size of each database in bytes.
    pub bytes: BTreeMap<String, u64>,
}

impl Usage {
    /// What was used between `earlier` and this reading. A value that shrank counts as 0.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let numbers = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            now.iter()
                .map(|(name, value)| (name.clone(), value.saturating_sub(*before.get(name).unwrap_or(&0))))
                .collect()
        };
        let cpu = self.cpu.iter().map(|(name, value)| {
            (name.clone(), value.saturating_sub(*earlier.cpu.get(name).unwrap_or(&Duration::ZERO)))
        });
        Self {
            cpu: cpu.collect(),
            transactions: numbers(&self.transactions, &earlier.transactions),
            bytes: numbers(&self.bytes, &earlier.bytes),
        }
    }

    /// The CPU time of all processes.
    pub fn cpu_sum(&self) -> Duration {
        self.cpu.values().sum()
    }

    /// The transactions of all databases.
    pub fn transactions_sum(&self) -> u64 {
        self.transactions.values().sum()
    }
}

/// The CPU time of a process, with that of its children, running and ended (of those, if it has waited for them). Zero if it is gone.
pub fn cpu_of(pid: u32) -> Duration {
    let mut ticks = ticks_of(pid).map_or(0, |ticks| ticks.own + ticks.ended_children);
    for entry in std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(ticks_of);
        if let Some(child) = child.filter(|child| child.parent == pid) {
            ticks += child.own + child.ended_children;
        }
    }
    // Linux counts in hundredths of a second on all architectures (USER_HZ).
    Duration::from_millis(ticks * 10)
}

struct Ticks {
    parent: u32,
    own: u64,
    ended_children: u64,
}

/// Reads `/proc/PID/stat`. The second field, a name in parentheses, may contain spaces, so what follows the last parenthesis counts.
fn ticks_of(pid: u32) -> Option<Ticks> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Ticks {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_time() {
        let before = cpu_of(std::process::id());
        let began = Instant::now();
        let mut sum = 0_u64;
        while cpu_of(std::process::id()) <= before {
            sum = (0..1_000_000).fold(sum, u64::wrapping_add);
            assert!(began.elapsed() < Duration::from_mins(1), "no CPU time was counted ({sum})");
        }
    }

    #[test]
    fn a_difference_never_falls_below_zero() {
        let of =
            |transactions| Usage { transactions: [("temporal".to_owned(), transactions)].into(), ..Usage::default() };
        assert_eq!(of(7).since(&of(5)), of(2));
        assert_eq!(of(5).since(&of(7)), of(0));
    }
}
