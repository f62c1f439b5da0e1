//! What the benchmark found: medians, with the least and the most.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use crate::senders::{Cpu, Measured, Way};

/// The measurements of all rounds.
#[derive(Debug, Default)]
pub struct Report {
    per_second: BTreeMap<Way, Vec<f64>>,
    ratios: BTreeMap<Way, Vec<f64>>,
    cpu_us: BTreeMap<Way, Vec<Cpu>>,
}

impl Report {
    /// Adds a round. Ratios are to the raw calls of the same round.
    pub fn add(&mut self, round: &[(Way, Measured)]) {
        let raw = round.iter().find(|(way, _)| *way == Way::Raw).map_or(f64::NAN, |(_, measured)| measured.per_second);
        for (way, measured) in round {
            self.per_second.entry(*way).or_default().push(measured.per_second);
            self.ratios.entry(*way).or_default().push(measured.per_second / raw);
            self.cpu_us.entry(*way).or_default().push(measured.cpu_us);
        }
    }
}

impl Display for Report {
    fn fmt(&self, to: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(
            to,
            "way     events a second          ratio to raw           CPU of gateway, server and sender, µs an event"
        )?;
        for way in Way::ALL {
            let of = |all: &BTreeMap<Way, Vec<f64>>| Spread::of(all.get(&way).map_or(&[], Vec::as_slice));
            let (rate, ratio) = (of(&self.per_second), of(&self.ratios));
            let cpu = self.cpu_us.get(&way).map_or(&[][..], Vec::as_slice);
            let cpu_of = |part: fn(&Cpu) -> f64| Spread::of(&cpu.iter().map(part).collect::<Vec<_>>()).median;
            let (gateway, server) = (cpu_of(|cpu| cpu.gateway), cpu_of(|cpu| cpu.server));
            let (name, sender) = (format!("{way:?}"), cpu_of(|cpu| cpu.sender));
            writeln!(to, "{name:7} {rate:<24.0} {ratio:<22.2} {gateway:6.0} {server:6.0} {sender:6.0}")?;
        }
        Ok(())
    }
}

/// A median, and the least and the most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(sorted.len() / 2), least: at(0), most: at(sorted.len().saturating_sub(1)) }
    }
}

impl Display for Spread {
    fn fmt(&self, to: &mut Formatter<'_>) -> std::fmt::Result {
        let places = to.precision().unwrap_or(0);
        let text = format!("{:.places$} ({:.places$} to {:.places$})", self.median, self.least, self.most);
        write!(to, "{text:<width$}", width = to.width().unwrap_or(0))
    }
}
