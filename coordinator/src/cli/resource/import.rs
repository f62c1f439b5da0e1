//! `interlock resource import FILE.csv`, and `--from TARGET`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::{ResourceKind, TargetId};
use interlock_domain::import::{ImportTally, LineProblem, PART_LINES_MAX};
use interlock_domain::views::ImportSummary;
use interlock_fault::Fault;
use interlock_operations::import::{
    DryRun, ImportRunner, ImportTold, ListFile, TargetList, read_customers, read_target,
};
use interlock_settings::Settings;

use crate::cli::output::{Output, OutputFormat};
use crate::cli::show::installation;

/// `resource import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// CSV file whose first line is 'kind,id,customer'
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    file: Option<PathBuf>,
    /// Read the holders of all resources from this target instead, once; PyHSS only
    #[arg(long, value_name = "TARGET", requires = "customers")]
    from: Option<TargetId>,
    /// With --from: CSV file whose first line is 'party,customer'; it maps each IMSI to a customer
    #[arg(long, value_name = "FILE.csv", requires = "from")]
    customers: Option<PathBuf>,
    /// With --from: the resource kind to read
    #[arg(long, value_name = "KIND", default_value = "msisdn", requires = "from")]
    kind: ResourceKind,
    /// Only report what would happen to each line; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Lines that are imported as one unit of work
    #[arg(long, value_name = "N", default_value_t = PART_LINES_MAX, hide = true)]
    lines_per_part: usize,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Reports the progress to a person or a program.
struct Teller {
    output: Output,
    bar: ProgressBar,
    problems: Vec<LineProblem>,
    unwritten: Option<Fault>,
}

impl ImportTold for Teller {
    fn problem(&mut self, problem: &LineProblem) {
        if self.output.format() == OutputFormat::Json {
            self.problems.push(problem.clone());
            return;
        }
        let written = self.bar.suspend(|| self.output.one(problem, problem_text));
        self.unwritten = self.unwritten.take().or(written.err());
    }

    fn reached(&mut self, lines: u64, tally: &ImportTally) {
        self.bar.set_position(lines);
        self.bar.set_message(counts(tally));
    }

    fn notice(&mut self, sentence: &str) {
        self.bar.suspend(|| tracing::warn!("{sentence}"));
    }
}

/// Exit code 0 if the ledger now matches the list, 1 if a line was not imported.
pub(crate) async fn run(arguments: &ImportArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let target_list = read_from(arguments, &settings).await?;
    let (path, left_out) = match (&target_list, &arguments.file) {
        (Some(list), _) => (list.file.path().to_owned(), list.left_out.as_slice()),
        (None, file) => (file.clone().unwrap_or_default(), &[][..]),
    };
    let lines_per_part = arguments.lines_per_part;
    let opened = tokio::task::spawn_blocking(move || {
        let list = ListFile::open(&path, lines_per_part)?;
        // Counting the lines first costs a second pass over the file, but makes the progress visible.
        let lines =
            list.parts()?.try_fold(0, |lines, part| part.map(|p| lines + (p.leases.len() + p.bad.len()) as u64))?;
        Ok::<_, Fault>((list, lines))
    });
    let (list, lines) = opened.await.map_err(|error| {
        Fault::failed(
            interlock_domain::error_code::ErrorCode::ListUnreadable,
            format!("Reading the list failed: {error}."),
        )
    })??;
    let tenant = settings.tenant.clone();
    let installation = installation(&arguments.connection, settings).await?;
    let mut teller = Teller { output, bar: progress(lines), problems: Vec::new(), unwritten: None };
    for problem in left_out {
        teller.problem(problem);
    }
    let mut tally = if arguments.dry_run {
        DryRun::new(installation, tenant).run(&list, &mut teller).await?
    } else {
        ImportRunner::new(installation, tenant).run(&list, &mut teller).await?
    };
    tally.bad += left_out.len() as u64;
    teller.bar.finish_and_clear();
    if let Some(fault) = teller.unwritten {
        return Err(fault);
    }
    let lines = lines + left_out.len() as u64;
    let summary = ImportSummary { lines, tally, dry_run: arguments.dry_run, problems: teller.problems };
    output.one(&summary, |summary| {
        let would = if summary.dry_run { "dry run, nothing was changed: " } else { "" };
        format!("{} lines: {would}{}", summary.lines, counts(&summary.tally))
    })?;
    Ok(ExitCode::from(u8::from(tally.conflicts + tally.bad > 0)))
}

/// What the target has registered, if the list comes from a target.
async fn read_from(arguments: &ImportArguments, settings: &Settings) -> Result<Option<TargetList>, Fault> {
    let (Some(target), Some(customers)) = (&arguments.from, &arguments.customers) else { return Ok(None) };
    let customers = read_customers(customers)?;
    let adapter = settings.adapters()?.get(target);
    let adapter = adapter.map_err(|error| Fault::wrong_use(error.code(), format!("{error}.")))?;
    read_target(adapter.as_ref(), &arguments.kind, &customers).await.map(Some)
}

fn problem_text(problem: &LineProblem) -> String {
    if problem.line == 0 {
        return format!("{} [{}]", problem.detail, problem.code);
    }
    format!("line {}: {} [{}]", problem.line, problem.detail, problem.code)
}

fn counts(tally: &ImportTally) -> String {
    let ImportTally { seeded, unchanged, conflicts, bad } = tally;
    format!("{seeded} seeded, {unchanged} unchanged, {conflicts} conflicts, {bad} invalid")
}

fn progress(lines: u64) -> ProgressBar {
    // On stderr, and only if it is a terminal.
    let bar = ProgressBar::with_draw_target(Some(lines), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} lines {elapsed} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use interlock_domain::error_code::ErrorCode;

    use super::*;

    #[test]
    fn a_line_that_was_not_taken_is_told_by_number_and_code() {
        let problem = LineProblem { line: 12, code: ErrorCode::LeaseHeld.into(), detail: "t/B holds it".to_owned() };
        assert_eq!(problem_text(&problem), "line 12: t/B holds it [lease_held]");
    }
}
