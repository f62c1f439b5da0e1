//! The page `coordinator/docs/errors.md`, generated from the catalogue of errors.

use std::fmt::Write;

use interlock_domain::error_code::{ErrorCode, ErrorGroup};

const HEAD: &str = "\
# Errors

<!-- Generated from coordinator/domain/src/error_code/catalogue.rs. A test compares them; to regenerate this page:
     INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator errors -->

Look up an error code here to see what it means and what to do next. Every error that a user can meet has a stable code, one
sentence and a next step; `interlock errors CODE` explains one code. A command writes its error to stderr (with `--output json`
as `{\"code\",\"message\",\"next\"}`). Its exit code is 2 if the command or a setting is wrong, and 1 if the command failed. The
gateway responds with `application/problem+json` that has `code`, `detail` and `next`. Rejected events, held steps and orders that
ended carry the code in views and in the journal. The message that comes with a code describes the specific case, and its next
step may be more specific than the one on this page.

**Codes of targets** are passed on unchanged, in snake case: if a step is held with a code that is not on this page, the target
or its adapter file returned it. If a target rejects a call without a code, the code is made of the HTTP status, for example
`http_404`.
";

/// The reference page in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for group in ErrorGroup::ALL {
        // Writing to a String cannot fail.
        let _written = write!(
            page,
            "\n## {}\n\n{}\n\n| code | meaning | what to do next |\n| --- | --- | --- |\n",
            group.title(),
            in_markdown(group.about())
        );
        for code in ErrorCode::ALL.iter().filter(|code| code.group() == *group) {
            let (sentence, next) = (in_markdown(code.sentence()), in_markdown(code.next()));
            let _written = writeln!(page, "| `{code}` | {sentence} | {next} |");
        }
    }
    page
}

/// Converts the quotes of the catalogue, whose texts are also for terminals, to Markdown: user input is in single quotes.
fn in_markdown(text: &str) -> String {
    let mut markdown = String::new();
    let mut before = ' ';
    let mut is_quoted = false;
    for letter in text.chars() {
        // An apostrophe follows a letter and is not within quotes.
        let is_quote = letter == '\'' && (is_quoted || !before.is_alphanumeric());
        is_quoted ^= is_quote;
        markdown.push(if is_quote { '`' } else { letter });
        before = letter;
    }
    markdown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_errors_says_what_the_catalogue_says() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        if std::env::var_os("INTERLOCK_WRITE_DOCS").is_some() {
            std::fs::write(&file, reference_page()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == reference_page(), "{} is out of step: run with INTERLOCK_WRITE_DOCS=1", file.display());
    }

    #[test]
    fn what_is_typed_stands_as_code_and_apostrophes_stay_on_the_page_of_errors() {
        let text = "Set 'verify = true' in the target's file; see 'interlock errors'.";
        assert_eq!(in_markdown(text), "Set `verify = true` in the target's file; see `interlock errors`.");
        for code in ErrorCode::ALL {
            for text in [code.sentence(), code.next()] {
                assert_eq!(in_markdown(text).matches('`').count() % 2, 0, "{code}: a quote is not closed: {text}");
            }
        }
    }
}
