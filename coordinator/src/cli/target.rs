//! `target`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::{TargetId, Timestamp};
use interlock_domain::target_entity::{BreakerView, Rate, TargetActionKind, TargetView};
use interlock_domain::views::{TargetList, TargetListed, TargetUnanswered};
use interlock_fault::Fault;
use interlock_operations::targets::Targets;
use interlock_settings::Settings;

use super::age::age_of;
use super::output::{Output, json};
use super::preview::forecast_text;
use super::show::{ShowArguments, bad_id, installation};
use super::tables::{cell, prose, prose_cell, table, text};
use super::watch::{Entry, Snapshot, WatchArguments, Watched, watch};
use super::words::WordsArguments;

/// `target`.
#[derive(Debug, Subcommand)]
pub(super) enum TargetCommand {
    /// List the targets, with their states and rate limits
    List(ListArguments),
    /// Show a target: its state, limit, last probe and history
    Show(ShowArguments),
    /// Start no more calls to a target until it is resumed; calls in flight end as usual, waiting ones stay in its queue
    Pause(PauseArguments),
    /// Probe a target now, and resume the calls to it: after a pause, in an outage, or in maintenance
    Resume(ActArguments),
    /// Limit the requests per second to a target, over all workers
    Limit(LimitArguments),
}

/// `target list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    watch: WatchArguments,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// The arguments of an action on a target.
#[derive(Debug, Args)]
pub(super) struct ActArguments {
    #[command(flatten)]
    target: ShowArguments,
    /// Do nothing, and forecast what would happen next, if the target answers its probes
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    words: WordsArguments,
}

/// `target pause`.
#[derive(Debug, Args)]
pub(super) struct PauseArguments {
    #[command(flatten)]
    act: ActArguments,
    /// Duration, for example 2h [default: until it is resumed]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// `target limit`.
#[derive(Debug, Args)]
pub(super) struct LimitArguments {
    #[command(flatten)]
    act: ActArguments,
    /// Requests per second, or none to use the configured limit again
    #[arg(value_name = "N|none", value_parser = rate)]
    per_second: PersonsRate,
}

/// A rate, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PersonsRate(Option<Rate>);

fn rate(raw: &str) -> Result<PersonsRate, String> {
    if raw == "none" {
        return Ok(PersonsRate(None));
    }
    let number: f64 = raw.parse().map_err(|_| format!("'{raw}' is neither a number nor 'none'"))?;
    Rate::try_from(number).map(|rate| PersonsRate(Some(rate))).map_err(|error| error.to_string())
}

/// Runs `target …`.
pub(super) async fn run(command: &TargetCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        TargetCommand::List(arguments) => Box::pin(list(arguments, settings, output)).await,
        TargetCommand::Show(arguments) => {
            let target = read(&arguments.id)?;
            let view = targets(&arguments.connection, settings).await?.show(&target).await?;
            output.one(&view, target_text)?;
            Ok(ExitCode::SUCCESS)
        }
        TargetCommand::Pause(arguments) => {
            let until = arguments.lasts.map(|lasts| Timestamp(Utc::now().timestamp_millis()).plus_ms(millis(lasts)));
            act(&arguments.act, TargetActionKind::Pause { until }, settings, output).await
        }
        TargetCommand::Resume(arguments) => act(arguments, TargetActionKind::Resume, settings, output).await,
        TargetCommand::Limit(arguments) => {
            let PersonsRate(per_second) = arguments.per_second;
            act(&arguments.act, TargetActionKind::Limit { per_second }, settings, output).await
        }
    }
}

/// Exit code 1 if a target did not answer.
async fn list(arguments: &ListArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    if let Some(every) = arguments.watch.every {
        settings.catalog()?;
        return watch(WatchedTargets { arguments, settings, targets: None }, every, output).await;
    }
    let list = TargetList { targets: targets(&arguments.connection, settings).await?.list().await? };
    let all_answer = list.targets.iter().all(|listed| matches!(listed, TargetListed::Answered(_)));
    output.one(&list, |list| list_text(&list.targets))?;
    Ok(ExitCode::from(u8::from(!all_answer)))
}

/// The targets, read again and again.
struct WatchedTargets<'a> {
    arguments: &'a ListArguments,
    settings: Settings,
    /// Once Temporal was reached.
    targets: Option<Targets>,
}

impl Watched for WatchedTargets<'_> {
    const THING: &'static str = "target";

    fn command(&self) -> String {
        "target list".to_owned()
    }

    async fn read(&mut self) -> Result<Snapshot, Fault> {
        let targets = match self.targets.take() {
            Some(targets) => targets,
            None => targets(&self.arguments.connection, self.settings.clone()).await?,
        };
        let list = TargetList { targets: self.targets.insert(targets).list().await? };
        let entry = |listed: &TargetListed| {
            let asked = listed.target().to_string();
            Ok((asked.clone(), Entry { asked, value: json(listed)? }))
        };
        let entries = list.targets.iter().map(entry).collect::<Result<_, Fault>>()?;
        // A target that does not answer is in the list, and says so.
        let unanswered = BTreeSet::new();
        Ok(Snapshot { text: list_text(&list.targets), whole: json(&list)?, entries, unanswered })
    }
}

/// What a person who pauses a target must know before touching the target.
const CALLS_IN_FLIGHT: &str = "\nNo call starts once the server has the limit 0. Calls in flight are not cut: they end with their \
                               attempts (attempt_timeout: 30 s by default), and may take effect.";

async fn act(
    arguments: &ActArguments,
    kind: TargetActionKind,
    settings: Settings,
    output: Output,
) -> Result<ExitCode, Fault> {
    let target = read(&arguments.target.id)?;
    let words = arguments.words.words()?;
    let pauses = matches!(kind, TargetActionKind::Pause { .. });
    let targets = targets(&arguments.target.connection, settings).await?;
    if arguments.preview {
        let forecast = targets.preview(&target, kind, words).await?;
        output.one(&forecast, forecast_text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let taken = targets.act(&target, kind, words).await?;
    output.one(&taken, |taken| {
        let again = if taken.repeated { ", already by this action" } else { "" };
        format!(
            "{} is {}{again} (action {}){}\n\n{}",
            taken.target,
            taken.state,
            taken.action_id,
            if pauses { CALLS_IN_FLIGHT } else { "" },
            target_text(&taken.view)
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn targets(connection: &ConnectionFlags, settings: Settings) -> Result<Targets, Fault> {
    Ok(Targets::new(installation(connection, settings).await?))
}

fn read(raw: &str) -> Result<TargetId, Fault> {
    raw.parse().map_err(|error| bad_id("target", &error))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn list_text(list: &[TargetListed]) -> String {
    let mut table = table(&["target", "state", "since", "limit/s", "because", "last probe"]);
    for listed in list {
        let dash = || "–".to_owned();
        match listed {
            TargetListed::Answered(view) => {
                let age = age_of(&view.since, Utc::now()).unwrap_or_default();
                let (target, state) = (text(view.target.as_str()), text(view.state.as_str()));
                table.add_row([target, state, age, limit(view), prose(&because(view)), prose(&probe(view))]);
            }
            TargetListed::Unanswered(TargetUnanswered { target, unanswered, .. }) => {
                let (target, why) = (text(target.as_str()), prose(&unanswered.detail));
                table.add_row([target, "unanswered".to_owned(), dash(), dash(), why, dash()]);
            }
        }
    }
    table.to_string()
}

/// A target whose queue no worker polls.
const UNSERVED: &str = "no worker polls its queue";

/// Why it is in its state, and who caused that, if it was a person.
fn because(view: &TargetView) -> String {
    let reason = cell(view.reason.as_ref());
    let said = match &view.actor {
        None => reason,
        Some(actor) => format!("{reason} ({})", text(actor)),
    };
    match (view.unserved, view.reason.is_some()) {
        (true, true) => format!("{said}; {UNSERVED}"),
        (true, false) => UNSERVED.to_owned(),
        (false, _) => said,
    }
}

fn limit(view: &TargetView) -> String {
    rate_text(view.limit.0)
}

fn rate_text(rate: Option<Rate>) -> String {
    rate.map_or_else(|| "none".to_owned(), |rate| rate.get().to_string())
}

fn probe(view: &TargetView) -> String {
    match &view.last_probe {
        None => "–".to_owned(),
        Some(probe) if probe.up => format!("{}: it answered", text(&probe.at)),
        Some(probe) => format!("{}: {}", text(&probe.at), text(&probe.detail)),
    }
}

fn target_text(view: &TargetView) -> String {
    let mut lines = vec![format!(
        "target {}: {} since {} ({})",
        text(view.target.as_str()),
        text(view.state.as_str()),
        text(&view.since),
        age_of(&view.since, Utc::now()).unwrap_or_default()
    )];
    let configured = rate_text(view.configured_rate);
    let pending = if view.limit_pending { ", another limit is being set" } else { "" };
    lines.push(format!("limit      {} per second on the server{pending}, configured: {configured}", limit(view)));
    for (what, value) in [
        ("down since", &view.down_since),
        ("because", &view.reason),
        ("by", &view.actor),
        ("limited to", &view.limited_to.map(written)),
        ("until", &view.until),
        ("next probe", &view.next_probe_at),
        ("maintenance", &view.next_maintenance_at),
        ("not set", &view.limit_fault),
    ] {
        if let Some(value) = value {
            lines.push(format!("{what:<10} {}", text(value)));
        }
    }
    if view.unserved {
        lines.push(format!(
            "workers    {UNSERVED}, so no call to it starts: start its workers, or the program of an external target"
        ));
    }
    lines.push(format!("last probe {}", probe(view)));
    for BreakerView { process, since, reason } in &view.breakers {
        lines.push(format!("breaker    {} open since {}: {}", text(process), text(since), text(reason)));
    }
    let mut history = table(&["at", "what", "who", "detail"]);
    for entry in &view.history {
        history.add_row([
            text(&entry.at),
            text(&entry.what),
            cell(entry.who.as_ref()),
            prose_cell(entry.detail.as_ref()),
        ]);
    }
    format!("{}\n\n{history}", lines.join("\n"))
}

/// A rate as it is written in JSON.
fn written(rate: Rate) -> String {
    format!("{:?}", rate.get())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rate_is_a_number_or_none() {
        assert_eq!(rate("none"), Ok(PersonsRate(None)));
        assert_eq!(rate("2.5"), Ok(PersonsRate(Rate::try_from(2.5).ok())));
        for wrong in ["", "-1", "fast", "NaN"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_target_is_shown_with_its_limit_and_why() {
        let view = json!({
            "target": "hss", "state": "open", "since": "2026-01-01T00:00:00Z", "limit": 0.0, "configured_rate": 5.0,
            "next_probe_at": "2026-01-01T00:00:05Z", "limit_pending": false, "failures_in_a_row": 2,
            "limited_to": 2.0,
            "last_probe": {"at": "2026-01-01T00:00:01Z", "up": false, "detail": "connection refused"},
            "breakers": [{"process": "w1", "since": "2026-01-01T00:00:00Z", "reason": "unavailable"}],
            "history": [{"at": "2026-01-01T00:00:00Z", "what": "opened", "detail": "unavailable"}],
        });
        let shown = target_text(&serde_json::from_value(view.clone()).unwrap());
        assert!(shown.starts_with("target hss: open since 2026-01-01T00:00:00Z"), "{shown}");
        assert!(shown.contains("limit      0 per second on the server, configured: 5"), "{shown}");
        assert!(shown.contains("limited to 2.0"), "{shown}");
        assert!(shown.contains("connection refused") && shown.contains("opened"), "{shown}");
        assert!(list_text(&[serde_json::from_value(view).unwrap()]).contains("open"));
    }

    #[test]
    fn a_list_of_targets_says_why_each_stands_as_it_does() {
        let since = "2026-01-01T00:00:00Z";
        let why = json!({"code": "no_worker", "detail": "The target sms did not answer."});
        let list = json!([
            {"target": "hss", "state": "paused", "since": since, "reason": "new release", "actor": "anna"},
            {"target": "crm", "state": "open", "since": since, "reason": "connection refused"},
            {"target": "billing", "state": "closed", "since": since, "unserved": true},
            {"target": "sms", "state": null, "unanswered": why},
        ]);
        let shown = list_text(&serde_json::from_value::<Vec<TargetListed>>(list).unwrap());
        for part in
            ["new release (anna)", "connection refused", "The target sms did not answer.", "no worker polls its queue"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn a_list_of_targets_fits_on_a_wide_terminal_however_long_the_reasons_are() {
        let reason =
            "error sending request for url (http://hss.example:8080/subscriber/): operation timed out ".repeat(3);
        let since = "2026-01-01T00:00:00Z";
        let view = json!({
            "target": "hss-east", "state": "open", "since": since, "limit": 0.0, "reason": reason,
            "last_probe": {"at": since, "up": false, "detail": reason},
        });
        let shown = list_text(&[serde_json::from_value(view).unwrap()]);
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 160, "{widest}:\n{shown}");
    }
}
