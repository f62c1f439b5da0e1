//! `tenant`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::TenantId;
use interlock_domain::tenant::{
    OnboardingStepState, StepFault, TenantActionKind, TenantSettingsView, TenantState, TenantView,
};
use interlock_domain::views::{TenantList, TenantListed, TenantUnanswered};
use interlock_fault::Fault;
use interlock_operations::tenants::Tenants;
use interlock_settings::Settings;

use super::output::Output;
use super::show::{bad_id, installation};
use super::tables::{cell, prose, prose_cell, table, text};
use super::words::WordsArguments;

/// For how long the command watches the on-boarding, which continues without it.
const WATCHED_MAX: Duration = Duration::from_mins(1);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// `tenant`.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Prepare and check what a tenant needs: namespace, search attributes, schedules, queues, targets. Safe to run
    /// repeatedly; it opens a tenant again that was off-boarded
    Onboard(ActArguments),
    /// Let a tenant's open orders end, then reject its new events
    Offboard(OffboardArguments),
    /// Show a tenant: its state, the steps of its on-boarding, and its remaining open orders
    Show(NameArguments),
    /// List the tenants
    List(ListArguments),
}

/// Selects a tenant.
#[derive(Debug, Args)]
pub(super) struct NameArguments {
    /// The tenant [default: the value of --tenant]
    name: Option<String>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// The arguments of an action on a tenant.
#[derive(Debug, Args)]
pub(super) struct ActArguments {
    #[command(flatten)]
    tenant: NameArguments,
    #[command(flatten)]
    words: WordsArguments,
}

/// `tenant offboard`.
#[derive(Debug, Args)]
pub(super) struct OffboardArguments {
    #[command(flatten)]
    act: ActArguments,
    /// Reject new events at once; open orders still run to their end
    #[arg(long)]
    at_once: bool,
}

/// `tenant list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Runs `tenant …`.
pub(super) async fn run(command: &TenantCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        TenantCommand::Onboard(arguments) => onboard(arguments, settings, output).await,
        TenantCommand::Offboard(arguments) => {
            let tenant = named(&arguments.act.tenant, &settings)?;
            let words = arguments.act.words.words()?;
            let tenants = Tenants::new(installation(&arguments.act.tenant.connection, settings).await?);
            let kind = TenantActionKind::Offboard { at_once: arguments.at_once };
            let taken = tenants.act(&tenant, kind, words).await?;
            output.one(&taken, |taken| format!("action {}\n\n{}", taken.action_id, tenant_text(&taken.view)))?;
            Ok(ExitCode::SUCCESS)
        }
        TenantCommand::Show(arguments) => {
            let tenant = named(arguments, &settings)?;
            let view = Tenants::new(installation(&arguments.connection, settings).await?).show(&tenant).await?;
            output.one(&view, tenant_text)?;
            Ok(ExitCode::SUCCESS)
        }
        TenantCommand::List(arguments) => {
            let tenants = Tenants::new(installation(&arguments.connection, settings).await?).list().await?;
            let list = TenantList { tenants };
            let all_answer = list.tenants.iter().all(|listed| matches!(listed, TenantListed::Answered(_)));
            output.one(&list, |list| list_text(&list.tenants))?;
            Ok(ExitCode::from(u8::from(!all_answer)))
        }
    }
}

/// Exit code 0 if all steps are done, 1 if a step failed or is not done yet: the on-boarding continues without the command.
async fn onboard(arguments: &ActArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = named(&arguments.tenant, &settings)?;
    let words = arguments.words.words()?;
    let tenants = Tenants::new(installation(&arguments.tenant.connection, settings).await?);
    tenants.act(&tenant, TenantActionKind::Onboard, words).await?;
    let began = Instant::now();
    let view = loop {
        let view = tenants.show(&tenant).await?;
        let has_failed = view.steps.iter().any(|step| step.state == OnboardingStepState::Failed);
        if view.state != TenantState::Onboarding || has_failed || began.elapsed() > WATCHED_MAX {
            break view;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    output.one(&view, tenant_text)?;
    Ok(ExitCode::from(u8::from(view.state != TenantState::Active)))
}

fn named(arguments: &NameArguments, settings: &Settings) -> Result<TenantId, Fault> {
    match &arguments.name {
        Some(name) => name.parse().map_err(|error| bad_id("tenant", &error)),
        None => Ok(settings.tenant.clone()),
    }
}

fn list_text(list: &[TenantListed]) -> String {
    let mut table = table(&["tenant", "state", "since", "plan", "namespace", "managed", "detail"]);
    for listed in list {
        let dash = || "–".to_owned();
        match listed {
            TenantListed::Answered(view) => {
                let progress = view.progress.as_ref();
                table.add_row([
                    text(view.tenant.as_str()),
                    text(view.state.as_str()),
                    cell(progress.map(|progress| &progress.since)),
                    cell(view.settings.as_ref().map(|settings| &settings.plan)),
                    cell(view.settings.as_ref().and_then(|settings| settings.namespace.as_ref())),
                    view.managed.to_string(),
                    prose_cell(progress.and_then(|progress| progress.drain_fault.as_ref()).map(|fault| &fault.detail)),
                ]);
            }
            TenantListed::Unanswered(TenantUnanswered { tenant, unanswered, .. }) => {
                let (tenant, why) = (text(tenant.as_str()), prose(&unanswered.detail));
                table.add_row([tenant, "unanswered".to_owned(), dash(), dash(), dash(), dash(), why]);
            }
        }
    }
    table.to_string()
}

fn tenant_text(view: &TenantView) -> String {
    let since = view.progress.as_ref().map(|progress| &progress.since);
    let mut lines =
        vec![format!("tenant {}: {} since {}", text(view.tenant.as_str()), text(view.state.as_str()), cell(since))];
    if let Some(TenantSettingsView { plan, namespace, .. }) = &view.settings {
        lines.push(format!("plan: {}", text(plan)));
        lines.extend(namespace.as_ref().map(|namespace| format!("namespace: {}", text(namespace))));
    }
    let (mut customers, mut next_try_at, mut fault) = (None, None, None);
    if let Some(progress) = &view.progress {
        (customers, next_try_at) = (progress.customers_with_open_orders, progress.next_try_at.as_ref());
        fault = progress.drain_fault.as_ref();
    }
    lines.extend(customers.map(|customers| format!("customers with open orders: {customers}")));
    lines.extend(next_try_at.map(|at| format!("next retry at: {}", text(at))));
    if view.refuses_events {
        lines.push("new events are rejected".to_owned());
    }
    if !view.managed {
        lines.push("it was never on-boarded; its settings apply without on-boarding".to_owned());
    }
    if let Some(StepFault { detail, .. }) = fault {
        lines.push(format!("the customers with open orders cannot be counted: {}", text(detail)));
    }
    let mut steps = table(&["step", "state", "attempts", "code", "detail"]);
    for step in &view.steps {
        steps.add_row([
            text(step.step.as_str()),
            text(step.state.as_str()),
            step.attempts.to_string(),
            cell(step.code.as_ref()),
            prose_cell(step.detail.as_ref()),
        ]);
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
    format!("{}\n\n{steps}\n\n{history}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tenant_that_does_not_answer_is_listed_with_why() {
        let why = json!({"code": "no_worker", "detail": "The tenant red did not answer."});
        let list = json!([
            {"tenant": "blue", "state": "active", "plan": "pro", "namespace": "default", "managed": false},
            {"tenant": "red", "state": null, "unanswered": why},
        ]);
        let shown = list_text(&serde_json::from_value::<Vec<TenantListed>>(list).unwrap());
        let line = |part: &str| shown.lines().find(|line| line.contains(part)).unwrap_or_default();
        assert!(line("blue").contains("active") && !line("blue").contains("answer"), "{shown}");
        assert!(
            line("red").contains("unanswered") && line("red").contains("The tenant red did not answer."),
            "{shown}"
        );
    }

    #[test]
    fn a_tenant_is_shown_with_its_steps_and_what_is_left() {
        let view = json!({
            "tenant": "blue", "state": "leaving", "since": "2026-01-01T00:00:00Z", "managed": true, "plan": "pro",
            "refuses_events": false, "customers_with_open_orders": 3, "history": [],
            "steps": [{"step": "targets", "state": "failed", "attempts": 2, "code": "target_unanswered", "detail": "hss"}],
        });
        let shown = tenant_text(&serde_json::from_value(view).unwrap());
        for part in ["tenant blue: leaving", "customers with open orders: 3", "target_unanswered"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
