//! `doctor`.

use std::process::ExitCode;

use clap::Args;
use interlock_connection::ConnectionFlags;
use interlock_fault::Fault;
use interlock_operations::doctor::{Finding, Report, examine};
use interlock_settings::Settings;

use super::output::{Output, OutputFormat};

/// `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Exit code 1 if something does not work.
pub(super) async fn run(command: &DoctorCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let report = Box::pin(examine(&command.connection, &settings)).await;
    if output.format() == OutputFormat::Jsonl {
        output.list(&report.findings, line)?;
    } else {
        output.one(&report, text)?;
    }
    Ok(ExitCode::from(u8::from(report.errors > 0)))
}

fn text(report: &Report) -> String {
    let lines: Vec<String> = report.findings.iter().map(line).collect();
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (counted(report.errors, "error"), counted(report.warnings, "warning"));
    format!("{}\n\n{errors}, {warnings}", lines.join("\n"))
}

/// One line: the level, the check, what was found, and what to do.
fn line(finding: &Finding) -> String {
    let next = finding.next.as_ref().map(|next| format!(" Next: {next}")).unwrap_or_default();
    let one_line = format!("{}{next}", finding.detail).split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{:<8} {:<22} {one_line}", finding.level.as_str(), finding.check.as_str())
}

#[cfg(test)]
mod tests {
    use interlock_embedded_server::SERVER_VERSION_MIN as EMBEDDED_MIN;
    use interlock_operations::doctor::{Check, Level, SERVER_VERSION_MIN};

    use super::*;

    #[test]
    fn each_finding_is_one_line_and_the_last_line_counts() {
        let finding = |level, detail: &str, next: Option<&str>| Finding {
            check: Check::Namespaces,
            level,
            detail: detail.to_owned(),
            next: next.map(str::to_owned),
        };
        let findings = vec![
            finding(Level::Ok, "It is there.", None),
            finding(Level::Error, "It is\nnot there.", Some("Run 'interlock bootstrap'.")),
        ];
        let shown = text(&Report { findings, errors: 1, warnings: 0 });
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "ok       namespaces             It is there.");
        assert_eq!(lines[1], "error    namespaces             It is not there. Next: Run 'interlock bootstrap'.");
        assert_eq!(lines.last(), Some(&"1 error, 0 warnings"));
    }

    #[test]
    fn the_doctor_asks_for_the_version_that_the_embedded_server_must_have() {
        let (major, minor, patch) = SERVER_VERSION_MIN;
        assert_eq!(EMBEDDED_MIN.to_string(), format!("{major}.{minor}.{patch}"));
    }
}
