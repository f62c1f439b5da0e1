//! `interlock demo`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use interlock_adapters::sandbox::Applied;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_observability::telemetry::Color;
use interlock_settings::Settings;
use serde::Serialize;
use serde_json::Value;

use super::output::{Output, OutputFormat, tell, write_raw};
use super::tables::table;
use crate::demo::{Demo, NUMBER, Stage, StoryEvent, Verdict, Voice, sentence};
use crate::shutdown;

/// How often the spinner moves.
const SPIN: Duration = Duration::from_millis(80);

/// `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoCommand {
    /// Send the same events with the leases off; the number is then lost
    #[arg(long)]
    without_leases: bool,
}

/// The output as JSON.
#[derive(Serialize)]
struct Report<'a> {
    leases: bool,
    #[serde(rename = "happenings")]
    events: &'a [StoryEvent],
    hss: &'a [Applied],
    crm: &'a [Applied],
    look_up: &'a Value,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// Exit code 0 if the order was right, 1 if it was not.
pub(super) async fn run(
    command: &DemoCommand,
    settings: Settings,
    output: Output,
    color: Color,
) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let leases = !command.without_leases;
    let mut audience = Audience::new(output, color, leases);
    let Some(demo) = ending.run_until_cancelled(Box::pin(Demo::play(&settings, leases, &mut audience))).await else {
        return Err(Fault::failed(ErrorCode::Interrupted, "The demo was interrupted."));
    };
    let demo = demo?;
    audience.end(&demo)?;
    Ok(ExitCode::from(u8::from(!demo.verdict.right)))
}

/// Shows the demo on stdout, or keeps it for one JSON value at the end.
struct Audience {
    output: Output,
    paint: Paint,
    leases: bool,
    spinner: ProgressBar,
    events: Vec<StoryEvent>,
}

impl Audience {
    fn new(output: Output, color: Color, leases: bool) -> Self {
        let spinner = ProgressBar::new_spinner();
        spinner.set_style(
            ProgressStyle::with_template("  {spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        spinner.enable_steady_tick(SPIN);
        Self { output, paint: Paint { on: color.on_stdout() }, leases, spinner, events: Vec::new() }
    }

    fn print(&self, text: &str) {
        if self.output.format() == OutputFormat::Text {
            // If this cannot be written, the verdict at the end cannot be either, and that fault is reported.
            self.spinner.suspend(|| drop(write_raw(format!("{text}\n").as_bytes())));
        }
    }

    fn end(self, demo: &Demo) -> Result<(), Fault> {
        self.spinner.finish_and_clear();
        if self.output.format() != OutputFormat::Text {
            let report = Report {
                leases: self.leases,
                events: &self.events,
                hss: &demo.hss,
                crm: &demo.crm,
                look_up: &demo.look_up,
                verdict: &demo.verdict,
            };
            return self.output.one(&report, |_| String::new());
        }
        write_raw(self.paint.ending(demo, self.leases).as_bytes())
    }
}

impl Stage for Audience {
    fn wait(&mut self, sentence: &str) {
        if self.spinner.is_hidden() {
            // There is no terminal for the spinner, but the reader of the log should still know what takes so long.
            tell(sentence);
        }
        self.spinner.set_message(sentence.to_owned());
    }

    fn ready(&mut self, addresses: &BTreeMap<String, String>) {
        self.spinner.set_message("");
        self.spinner.finish_and_clear();
        self.print(&self.paint.opening(addresses, self.leases));
    }

    fn act(&mut self, title: &str) {
        self.print(&format!("\n  {}", self.paint.bold(title)));
    }

    fn event(&mut self, event: &StoryEvent) {
        self.print(&self.paint.line(event));
        self.events.push(event.clone());
    }
}

/// Text for a terminal, with or without colours.
struct Paint {
    on: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn opening(&self, addresses: &BTreeMap<String, String>, leases: bool) -> String {
        let title = if leases {
            "a number moves to another customer in the right order"
        } else {
            "the same events with the leases off"
        };
        let mut text = format!("\n  {}\n\n", self.bold(&format!("Interlock: {title}")));
        for (name, what) in [
            ("temporal", "a real Temporal server, in memory, only for this demo"),
            ("gateway", "accepts the events"),
            ("hss", "the mobile network (sandbox): a number has one subscriber"),
            ("crm", "the customer database (sandbox)"),
        ] {
            let address = addresses.get(name).map_or("", String::as_str);
            // Writing to a String cannot fail.
            let _written = writeln!(text, "  {name:<9} {address:<24} {}", self.with("2", what));
        }
        let note = "A new resource waits 0.5 s before its first grant here, not 5 s as in the reference catalog.";
        let _written = write!(text, "\n  The number is {NUMBER}. {}", self.with("2", note));
        text
    }

    fn line(&self, event: &StoryEvent) -> String {
        #[allow(clippy::cast_precision_loss)] // seconds of one minute
        let seconds = event.at_ms as f64 / 1_000.0;
        let code = match event.voice {
            Voice::Event => "36",
            Voice::Lease => "33",
            Voice::Order => "2",
            Voice::Hss => "32",
            Voice::Crm => "34",
        };
        let voice = self.with(code, &format!("{:<6}", event.voice.as_str()));
        format!("  {} {voice} {}", self.with("2", &format!("{seconds:>7.3} s")), event.what)
    }

    fn ending(&self, demo: &Demo, leases: bool) -> String {
        let mut text = format!("\n  {}\n", self.bold("What each target saw, in order"));
        for (name, log) in [("hss", &demo.hss), ("crm", &demo.crm)] {
            let mut seen = table(&["#", name, "epoch of the lease"]);
            for entry in log.iter().filter(|entry| entry.method != "SEED") {
                let Some(what) = sentence(&entry.effect) else { continue };
                let epoch = entry.epoch.map_or_else(|| "–".to_owned(), |epoch| epoch.to_string());
                seen.add_row([entry.seq.to_string(), what, epoch]);
            }
            let _written = writeln!(text, "\n{}", indented(&seen.to_string()));
        }
        let owner = match demo.look_up.get("imsi").and_then(Value::as_str) {
            Some(imsi) => format!("IMSI {imsi}"),
            None => "null (no subscriber)".to_owned(),
        };
        let _written = writeln!(text, "\n  Subscriber of {NUMBER} according to the HSS: {}\n", self.bold(&owner));
        for check in &demo.verdict.checks {
            let mark = if check.holds { self.with("32", "✓") } else { self.with("31", "✗") };
            let instead = check.instead.as_ref().map(|instead| format!(" – {instead}")).unwrap_or_default();
            let _written = writeln!(text, "  {mark} {}{instead}", check.what);
        }
        let verdict = match (demo.verdict.right, leases) {
            (true, _) => self.with("1;32", "The order was right."),
            (false, true) => self.with("1;31", "The order was NOT right."),
            (false, false) => self.with("1;31", "The order was not right: the number is lost."),
        };
        let why = "Without leases, A2's step ran at once, and the HSS rejected it because A1 still had the number; \
                   then A1's release removed it. With leases, A2's order waits until the HSS has confirmed A1's \
                   release.";
        let _written = writeln!(text, "\n  {verdict}");
        if !leases {
            let _written = writeln!(text, "  {why}");
        }
        text
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_are_no_escapes() {
        let event = StoryEvent { at_ms: 1_234, voice: Voice::Hss, what: "A2 gets it".to_owned() };
        assert_eq!(Paint { on: false }.line(&event), "    1.234 s hss    A2 gets it");
        assert!(Paint { on: true }.line(&event).contains("\x1b["));
    }
}
