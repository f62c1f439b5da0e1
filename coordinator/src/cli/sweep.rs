//! `sweep`.

use std::process::ExitCode;

use clap::Args;
use interlock_connection::ConnectionFlags;
use interlock_domain::sweep::Ledger;
use interlock_domain::views::{FindingView, SweepView};
use interlock_fault::Fault;
use interlock_observability::metrics::Metrics;
use interlock_operations::sweep::Sweeper;
use interlock_settings::Settings;

use super::output::Output;
use super::show::installation;
use super::tables::{cell, prose, table, text};

/// `sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// Only report: do not ask customers to claim again what their resources have no ticket for
    #[arg(long)]
    dry_run: bool,
}

/// Looks at everything that waits, in all namespaces, and prints the findings. It raises no alerts: the scheduled sweeps do.
/// Exit code 1 if an entity did not answer, or not all orders that may be part of a ring were asked, because findings about them are then missing.
pub(super) async fn run(command: &SweepCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let installation = installation(&command.connection, settings).await?;
    let metrics = Metrics::start()?;
    let mut swept = SweepView::default();
    for namespace in installation.namespaces() {
        let sweeper = Sweeper::new(installation.clone(), metrics.clone(), namespace);
        let mut ledger = Ledger::default();
        let mut is_first = true;
        loop {
            let looked = sweeper.look(ledger, !command.dry_run).await;
            swept.findings.extend(looked.found.iter().map(FindingView::from));
            swept.rings_left_out += looked.rings_left_out;
            if std::mem::take(&mut is_first) {
                let misplaced = looked.misplaced.into_iter().flatten().map(|run| run.finding());
                swept.findings.extend(misplaced.map(|finding| FindingView::from(&finding)));
            }
            swept.unanswered.extend(looked.unanswered);
            if let Some(error) = looked.blind {
                return Err(error.into());
            }
            if looked.cursor.is_none() {
                break;
            }
            ledger = Ledger::default();
            ledger.cursor = looked.cursor;
        }
    }
    output.one(&swept, in_words)?;
    Ok(ExitCode::from(u8::from(!swept.unanswered.is_empty() || swept.rings_left_out > 0)))
}

fn in_words(swept: &SweepView) -> String {
    let mut parts = Vec::new();
    if swept.findings.is_empty() {
        parts.push("No alerts.".to_owned());
    } else {
        let mut findings = table(&["code", "tenant", "about", "since", "detail", "next"]);
        for finding in &swept.findings {
            findings.add_row([
                text(finding.code.as_str()),
                cell(finding.tenant_id.as_ref()),
                about(finding),
                text(&finding.since),
                prose(&finding.detail),
                next(finding),
            ]);
        }
        parts.push(findings.to_string());
    }
    let silent: Vec<String> = swept.unanswered.iter().map(|subject| silent(subject)).collect();
    if !silent.is_empty() {
        parts.push(format!("{} did not answer:\n{}", silent.len(), silent.join("\n")));
    }
    if swept.rings_left_out > 0 {
        parts.push(format!(
            "{} orders were not asked whether they wait for each other in a ring; the scheduled sweeps ask them in turn.",
            swept.rings_left_out
        ));
    }
    parts.join("\n\n")
}

/// What a finding is about: the customer, the order, the resource at which it waits, the target; as far as it has them.
fn about(finding: &FindingView) -> String {
    let customer = finding.customer_id.as_ref().map(ToString::to_string);
    let order = finding.order_id.as_ref().map(ToString::to_string);
    let resource = finding.resource.as_ref().map(ToString::to_string);
    let target = finding.target.as_ref().map(ToString::to_string);
    let named: Vec<String> = [customer, order, resource, target].into_iter().flatten().collect();
    text(&named.join(" at "))
}

/// What to do next: the advice of the catalogue of errors, with the finding's ids in its commands, so that they can be run
/// unchanged.
fn next(finding: &FindingView) -> String {
    let sentence = text(&finding.next);
    // Commands are within single quotes.
    let parts = sentence.split('\'').map(|part| match part.strip_prefix("interlock ") {
        Some(command) => format!("interlock {}", concrete(command, finding)),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("'")
}

fn concrete(command: &str, finding: &FindingView) -> String {
    let (placeholder, known) = match command.split(' ').next() {
        Some("customer") if finding.customer_id.is_some() => {
            ("ID", finding.customer_id.as_ref().map(ToString::to_string))
        }
        Some("order") => ("ID", finding.order_id.as_ref().map(ToString::to_string)),
        Some("resource") => ("KIND/ID", finding.resource.as_ref().map(ToString::to_string)),
        Some("target") => ("NAME", finding.target.as_ref().map(ToString::to_string)),
        _ => ("", None),
    };
    let words = command.split(' ').map(|word| known.as_deref().filter(|_| word == placeholder).unwrap_or(word));
    let command = words.collect::<Vec<_>>().join(" ");
    match &finding.tenant_id {
        Some(tenant) => format!("{command} --tenant {tenant}"),
        None => command,
    }
}

/// Who did not answer, in words: a customer or a resource of a tenant; a target belongs to no tenant.
fn silent(subject: &str) -> String {
    match subject.split_once(' ') {
        Some(("", target)) => format!("  target {target}"),
        Some((tenant, subject)) => format!("  {subject} (tenant {tenant})"),
        None => format!("  {subject}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ORDER: &str = "A1~00000000-0000-0000-0000-000000000001";

    fn said(swept: Value) -> String {
        in_words(&serde_json::from_value(swept).unwrap())
    }

    #[test]
    fn each_finding_says_whose_it_is_what_it_is_about_and_what_to_run() {
        let finding = |code: &str, next: &str| {
            json!({"code": code, "tenant_id": "blue", "order_id": null, "resource": null, "target": null, "next": next,
                   "since": "2026-01-01T00:00:00Z", "detail": "It is so."})
        };
        let mut overdue = finding("order_overdue", "See what it waits for: 'interlock order why ID'.");
        overdue["order_id"] = ORDER.into();
        let mut orphan = finding("holder_not_running", "Recover it ('interlock resource release KIND/ID --force').");
        orphan["resource"] = "msisdn/1206".into();
        let mut parked = finding("target_parked", "See why ('interlock target show NAME').");
        (parked["target"], parked["tenant_id"]) = ("hss".into(), Value::Null);
        let shown = said(json!({"findings": [overdue, orphan, parked], "unanswered": []}));
        let line = |code: &str| shown.lines().find(|line| line.starts_with(&format!(" {code}"))).unwrap_or_default();
        for (code, parts) in [
            (
                "order_overdue",
                ["blue", ORDER, "'interlock order why A1~00000000-0000-0000-0000-000000000001 --tenant blue'."],
            ),
            ("holder_not_running", ["blue", "msisdn/1206", "release msisdn/1206 --force --tenant blue')."]),
            ("target_parked", ["–", "hss", "('interlock target show hss')."]),
        ] {
            for part in parts {
                assert!(line(code).contains(part), "{part} in {shown}");
            }
        }
    }

    #[test]
    fn what_was_not_searched_for_rings_is_said() {
        let shown = said(json!({"findings": [], "unanswered": [], "rings_left_out": 12}));
        assert!(shown.contains("12 orders were not asked whether they wait for each other"), "{shown}");
    }

    #[test]
    fn those_who_did_not_answer_are_named() {
        let shown = said(json!({"findings": [], "unanswered": [" hss", "blue A1", "blue msisdn/1206"]}));
        for part in ["No alerts.", "3 did not answer", "target hss", "A1 (tenant blue)", "msisdn/1206 (tenant"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
