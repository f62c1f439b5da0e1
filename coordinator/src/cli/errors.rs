//! `errors`: the catalogue of errors, or one of them explained.

use std::process::ExitCode;

use clap::Args;
use interlock_domain::error_code::{ErrorCode, ErrorGroup};
use interlock_fault::Fault;
use serde::Serialize;

use super::output::{Output, OutputFormat};

/// `errors`.
#[derive(Debug, Args)]
pub(super) struct ErrorsCommand {
    /// The code to explain [default: list all codes]
    code: Option<String>,
}

/// The catalogue's entry for a code.
#[derive(Debug, Serialize)]
struct Explained {
    code: ErrorCode,
    chapter: &'static str,
    sentence: &'static str,
    next: &'static str,
}

impl From<ErrorCode> for Explained {
    fn from(code: ErrorCode) -> Self {
        Self { code, chapter: code.group().title(), sentence: code.sentence(), next: code.next() }
    }
}

/// Prints the catalogue, or explains one code.
///
/// # Errors
/// [`Fault`] `unknown_code`.
pub(super) fn run(command: &ErrorsCommand, output: Output) -> Result<ExitCode, Fault> {
    match &command.code {
        Some(text) => {
            let code: ErrorCode =
                text.parse().map_err(|unknown| Fault::wrong_use(ErrorCode::UnknownCode, format!("{unknown}.")))?;
            output.one(&Explained::from(code), in_full)?;
        }
        None if output.format() == OutputFormat::Text => output.one(&(), |()| overview())?,
        None => {
            let all: Vec<Explained> = ErrorCode::ALL.iter().copied().map(Explained::from).collect();
            output.list(&all, in_full)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_full(error: &Explained) -> String {
    format!("{} ({})\n{}\nnext: {}", error.code, error.chapter, error.sentence, error.next)
}

/// All codes, each with its sentence, by chapter.
fn overview() -> String {
    let width = ErrorCode::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    let chapter = |group: &ErrorGroup| {
        let codes = ErrorCode::ALL.iter().filter(|code| code.group() == *group);
        let lines = codes.map(|code| format!("  {code:width$}  {}", code.sentence()));
        format!("{}\n{}\n", group.title(), lines.collect::<Vec<_>>().join("\n"))
    };
    ErrorGroup::ALL.iter().map(chapter).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_is_explained_and_an_unknown_one_is_wrong_use() {
        let explained = in_full(&ErrorCode::TokenMissing.into());
        assert!(explained.starts_with("token_missing (The HTTP gateway)\n"), "{explained}");
        assert!(explained.ends_with("next: Send the header 'Authorization: Bearer TOKEN'."), "{explained}");
        let command = ErrorsCommand { code: Some("http_404".to_owned()) };
        let fault = run(&command, Output::new(OutputFormat::Json)).unwrap_err();
        assert_eq!((fault.code, fault.exit_code()), (ErrorCode::UnknownCode, 2));
    }

    #[test]
    fn the_overview_has_every_code_once() {
        let overview = overview();
        for code in ErrorCode::ALL {
            let lines = overview.lines().filter(|line| line.split_whitespace().next() == Some(code.as_str()));
            assert_eq!(lines.count(), 1, "{code}");
        }
    }
}
