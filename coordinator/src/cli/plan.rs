//! `interlock plan EVENT.json|-`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use interlock_connection::{ASKING_LIMIT, CallRetries, ConnectionFlags, Installation};
use interlock_domain::customer::WaitView;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::views::{
    AheadView, ClaimOutlook, PlanView, PlannedClaimView, PlannedStepView, RequestView, Verdict,
};
use interlock_domain::wire::WireName;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::ingest::events_of_json;
use interlock_operations::inspection::Inspection;
use interlock_operations::inspection::forecast::{NotPlanned, SeesAll};
use interlock_operations::strict_json::JsonLimits;
use interlock_settings::Settings;
use tokio::io::AsyncReadExt;

use super::age::age_of;
use super::output::Output;
use super::tables::waiting_for;

/// The most bytes that are read: an event of the largest size that can be configured, and a batch of small ones.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most events that are planned at a time.
const EVENTS_MAX: usize = 100;
/// The most values in the JSON of the file.
const JSON_VALUES_MAX: usize = 100_000;

/// `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// File with one CloudEvent, or a batch (a JSON array) of at most 100, each planned as if it came alone; - reads from stdin
    file: PathBuf,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Exit code 0 if every event would be accepted or is known, 1 if one would be rejected.
pub(super) async fn run(command: &PlanCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = settings.tenant.clone();
    let catalog = settings.catalog()?;
    let bytes = read(&command.file).await?;
    let limits = JsonLimits { elements_max: EVENTS_MAX, values_max: JSON_VALUES_MAX };
    let events = events_of_json(&bytes, limits)
        .map_err(|error| Fault::wrong_use(error.code(), format!("The events cannot be read: {error}.")))?;
    let connected = Installation::connect(&command.connection, settings, catalog, CallRetries::Brief, ASKING_LIMIT);
    let inspection = Inspection::new(connected.await?);
    let mut views = Vec::with_capacity(events.len());
    for event in events {
        views.push(Box::pin(inspection.plan(&tenant, event, &SeesAll)).await.map_err(fault)?);
    }
    let is_any_rejected = views.iter().any(|view| view.verdict == Verdict::Rejected);
    match views.as_slice() {
        [view] => output.one(view, shown)?,
        views => output.list(views, shown)?,
    }
    Ok(ExitCode::from(u8::from(is_any_rejected)))
}

async fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| {
        let message = format!("The file {} cannot be read: {error}.", file.display());
        Fault::wrong_use(ErrorCode::EventsUnreadable, message).with_next("Check the path; - reads from stdin.")
    };
    let mut bytes = Vec::new();
    let length = if file.as_os_str() == "-" {
        tokio::io::stdin().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await
    } else {
        let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await
    };
    if length.map_err(unreadable)? as u64 > FILE_BYTES_MAX {
        let message = format!("The file has more than {FILE_BYTES_MAX} bytes.");
        return Err(Fault::wrong_use(ErrorCode::EventTooLarge, message));
    }
    Ok(bytes)
}

fn fault(error: NotPlanned) -> Fault {
    match error {
        NotPlanned::NotAsked(error) => error.into(),
        NotPlanned::NotAnEvent(rejection) => {
            let code = rejection.code.known().unwrap_or(ErrorCode::NotAnEvent);
            Fault::wrong_use(code, rejection.detail)
        }
    }
}

fn shown(view: &PlanView) -> String {
    let mut lines = Vec::new();
    let mut next = Some(view);
    while let Some(view) = next {
        of_one(view, &mut lines);
        next = view.passed_on.as_deref();
        if next.is_some() {
            lines.push(String::new());
            lines.push("The event is passed on to the other customer:".to_owned());
        }
    }
    lines.push("This is a forecast: nothing was sent, and nothing has changed.".to_owned());
    lines.iter().map(|line| terminal::line(line)).collect::<Vec<_>>().join("\n")
}

fn of_one(view: &PlanView, lines: &mut Vec<String>) {
    let PlanView { event_type, customer_id, order_id, verdict, .. } = view;
    lines.push(format!("{event_type} for {customer_id}: {} – order {order_id}", verdict.as_str()));
    if let Some(detail) = &view.detail {
        let code = view.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
        lines.push(format!("  {code}{detail}"));
    }
    if *verdict != Verdict::Accepted {
        return;
    }
    lines.extend(view.claims.iter().map(|claim| format!("  {}", of_claim(claim))));
    lines.extend(view.requires.iter().map(|resource| format!("  requires {resource}")));
    lines.push(format!("  would wait for {}", waits(view.waits_for.as_ref())));
    for step in &view.steps {
        of_step(step, lines);
    }
    if let Some(end) = &view.end {
        let code = end.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
        let rest = match &end.waits_for {
            Some(wait) => format!(", and would still wait for {}", waiting_for(Some(wait))),
            None => String::new(),
        };
        lines.push(format!("  if every call succeeds and every lease comes: {}{code}{rest}", end.state.as_str()));
    }
    lines.extend(view.unknown.iter().map(|sentence| format!("  not known: {sentence}")));
}

fn waits(wait: Option<&WaitView>) -> String {
    if wait.is_none() { "nothing".to_owned() } else { waiting_for(wait) }
}

fn of_claim(claim: &PlannedClaimView) -> String {
    let PlannedClaimView { resource, mode, outlook, holder, ahead, detail } = claim;
    let said = match outlook {
        WireName::Known(ClaimOutlook::Held) => "the customer has it".to_owned(),
        WireName::Known(ClaimOutlook::Granted) => "free".to_owned(),
        WireName::Known(ClaimOutlook::LookUp) => "a target is first asked who is registered".to_owned(),
        WireName::Known(ClaimOutlook::Queued) => "waits".to_owned(),
        WireName::Known(ClaimOutlook::NotHolder) => "another customer has it".to_owned(),
        WireName::Known(ClaimOutlook::QueueFull) => "its queue is full".to_owned(),
        WireName::Known(ClaimOutlook::Unanswered) | WireName::Unknown(_) => outlook.as_str().to_owned(),
    };
    let mut parts = vec![format!("{} {resource}: {said}", mode.as_str())];
    parts.extend(holder.iter().map(|holder| format!("held by {}", of_ahead(holder))));
    if let [first, rest @ ..] = ahead.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        parts.push(format!("behind {}{more}", of_ahead(first)));
    }
    parts.extend(detail.clone());
    parts.join("; ")
}

fn of_ahead(ahead: &AheadView) -> String {
    let who =
        ahead.customer_id.as_ref().map_or_else(|| "a party that only the target knows".to_owned(), ToString::to_string);
    let order = ahead.order_id.as_ref().map(|order| format!(" ({order})")).unwrap_or_default();
    let since = age_of(&ahead.since, Utc::now()).map(|age| format!(" for {age}")).unwrap_or_default();
    format!("{who}{order}{since}")
}

fn of_step(step: &PlannedStepView, lines: &mut Vec<String>) {
    let when = match (step.called, step.at_once) {
        (false, _) => "not called".to_owned(),
        (true, true) => "at once".to_owned(),
        (true, false) if step.after.is_empty() => "later".to_owned(),
        (true, false) => format!("after {}", step.after.join(", ")),
    };
    let is_normal = |state: &&WireName<_>| **state != interlock_domain::target_entity::TargetStateName::Closed;
    let state = step.target_state.as_ref().filter(is_normal);
    let state = state.map(|state| format!(" (the target is {})", state.as_str())).unwrap_or_default();
    lines.push(format!("  {} at {}{state}, {when}", step.name, step.target));
    lines.extend(step.requests.iter().map(|request| format!("    {}", of_request(request))));
    lines.extend(step.requests_unknown.iter().map(|why| format!("    requests not known: {why}")));
}

fn of_request(request: &RequestView) -> String {
    let only_if = request.only_if.as_ref().map(|only_if| format!("   if {only_if}")).unwrap_or_default();
    let body = request.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {}{body}{only_if}", request.method, request.url)
}
