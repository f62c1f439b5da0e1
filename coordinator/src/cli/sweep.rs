//! `sweep`.

use std::process::ExitCode;

use clap::Args;
use interlock_domain::sweep::Ledger;
use serde_json::{Value, json};

use super::output::Output;
use super::show::installation;
use super::tables::{list, table, text};
use crate::connection::ConnectionFlags;
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sweep::{Sweeper, told};

/// `sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// Only look: do not have those say again what they wait for of whom nobody knows
    #[arg(long)]
    dry_run: bool,
}

/// Looks at all that waits, in all namespaces, and prints what is worth an alert. It raises none: the scheduled sweeps do.
pub(super) async fn run(command: &SweepCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let installation = installation(&command.connection, settings).await?;
    let metrics = Metrics::start()?;
    let (mut findings, mut unanswered) = (Vec::new(), Vec::new());
    for namespace in installation.namespaces() {
        let sweeper = Sweeper::new(installation.clone(), metrics.clone(), namespace);
        let mut cursor = None;
        loop {
            let mut ledger = Ledger::default();
            ledger.cursor = cursor.take();
            let looked = sweeper.look(ledger, !command.dry_run).await;
            findings.extend(looked.found.iter().map(told));
            unanswered.extend(looked.unanswered);
            if let Some(error) = looked.blind {
                return Err(error.into());
            }
            cursor = looked.cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    let swept = json!({ "findings": findings, "unanswered": unanswered });
    output.one(&swept, in_words)?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(swept: &Value) -> String {
    let mut findings = table(&["code", "since", "detail", "next"]);
    for finding in list(swept, "findings") {
        findings.add_row(["code", "since", "detail", "next"].map(|name| text(finding, name)));
    }
    match (list(swept, "findings").is_empty(), list(swept, "unanswered").len()) {
        (true, 0) => "Nothing is worth an alert.".to_owned(),
        (true, silent) => format!("Nothing is worth an alert; {silent} did not answer."),
        (false, 0) => findings.to_string(),
        (false, silent) => format!("{findings}\n{silent} did not answer."),
    }
}
