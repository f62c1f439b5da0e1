//! `tenant`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::TenantId;
use interlock_domain::tenant::TenantActionKind;
use interlock_fault::Fault;
use interlock_operations::tenants::Tenants;
use interlock_settings::Settings;
use serde_json::Value;

use super::output::Output;
use super::show::{bad_id, installation};
use super::tables::{list, table, text};
use super::words::WordsArguments;

/// For how long on-boarding is watched; it goes on by itself.
const WATCHED_MAX: Duration = Duration::from_mins(1);
/// How often it is looked at.
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

/// Which tenant.
#[derive(Debug, Args)]
pub(super) struct NameArguments {
    /// The tenant [default: the value of --tenant]
    name: Option<String>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// What an action on a tenant needs.
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
            let views = Tenants::new(installation(&arguments.connection, settings).await?).list().await?;
            let all_answer = views.iter().all(|view| view["state"].is_string());
            output.one(&serde_json::json!({ "tenants": views }), |_| list_text(&views))?;
            Ok(ExitCode::from(u8::from(!all_answer)))
        }
    }
}

/// Exit code 0 where all is well, 1 where a step failed or is not done yet: it goes on by itself.
async fn onboard(arguments: &ActArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = named(&arguments.tenant, &settings)?;
    let words = arguments.words.words()?;
    let tenants = Tenants::new(installation(&arguments.tenant.connection, settings).await?);
    tenants.act(&tenant, TenantActionKind::Onboard, words).await?;
    let began = Instant::now();
    let view = loop {
        let view = tenants.show(&tenant).await?;
        let has_failed = list(&view, "steps").iter().any(|step| step["state"] == "failed");
        if view["state"] != "onboarding" || has_failed || began.elapsed() > WATCHED_MAX {
            break view;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    output.one(&view, tenant_text)?;
    Ok(ExitCode::from(u8::from(view["state"] != "active")))
}

fn named(arguments: &NameArguments, settings: &Settings) -> Result<TenantId, Fault> {
    match &arguments.name {
        Some(name) => name.parse().map_err(|error| bad_id("tenant", &error)),
        None => Ok(settings.tenant.clone()),
    }
}

fn list_text(views: &[Value]) -> String {
    let mut table = table(&["tenant", "state", "since", "plan", "namespace", "managed", "detail"]);
    for view in views {
        let mut row = ["tenant", "state", "since", "plan", "namespace", "managed"].map(|name| text(view, name));
        let detail = if view["state"].is_null() {
            "unanswered".clone_into(&mut row[1]);
            text(&view["unanswered"], "detail")
        } else {
            text(&view["drain_fault"], "detail")
        };
        table.add_row(row.into_iter().chain([detail]));
    }
    table.to_string()
}

fn tenant_text(view: &Value) -> String {
    let mut lines =
        vec![format!("tenant {}: {} since {}", text(view, "tenant"), text(view, "state"), text(view, "since"))];
    for (name, what) in [
        ("plan", "plan"),
        ("namespace", "namespace"),
        ("customers_with_open_orders", "customers with open orders"),
        ("next_try_at", "next retry at"),
    ] {
        if !view[name].is_null() {
            lines.push(format!("{what}: {}", text(view, name)));
        }
    }
    if view["refuses_events"] == true {
        lines.push("new events are rejected".to_owned());
    }
    if view["managed"] == false {
        lines.push("it was never on-boarded; its settings apply without on-boarding".to_owned());
    }
    if !view["drain_fault"].is_null() {
        lines.push(format!(
            "the customers with open orders cannot be counted: {}",
            text(&view["drain_fault"], "detail")
        ));
    }
    let mut steps = table(&["step", "state", "attempts", "code", "detail"]);
    for step in list(view, "steps") {
        steps.add_row(["step", "state", "attempts", "code", "detail"].map(|name| text(step, name)));
    }
    let mut history = table(&["at", "what", "who", "detail"]);
    for entry in list(view, "history") {
        history.add_row(["at", "what", "who", "detail"].map(|name| text(entry, name)));
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
        let shown = list_text(&[
            json!({"tenant": "blue", "state": "active", "plan": "pro", "namespace": "default", "managed": false}),
            json!({"tenant": "red", "state": null, "unanswered": why}),
        ]);
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
        let shown = tenant_text(&view);
        for part in ["tenant blue: leaving", "customers with open orders: 3", "target_unanswered"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
