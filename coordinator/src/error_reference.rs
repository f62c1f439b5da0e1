//! The page `coordinator/docs/errors.md`, written from the catalogue of errors.

use std::fmt::Write;

use interlock_domain::error_code::{ErrorCode, ErrorGroup};

const HEAD: &str = "\
# Errors

<!-- Written from coordinator/domain/src/error_code/catalogue.rs. A test compares it; to write it anew:
     INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator errors -->

Every error that one can meet has a code that stays the same, one sentence, and what to do next. `interlock errors CODE` explains
one. A command writes it to stderr (with `--output json` as `{\"code\",\"message\",\"next\"}`) and ends with 2 where the command or a
setting is wrong, with 1 where carrying it out failed; the gateway answers `application/problem+json` with `code`, `detail` and
`next`; rejected events, held steps and orders that ended carry the code in views and in the journal. The message that comes
with a code says what it was in particular, and may know better what to do next than this page.

**A target's own codes** are handed on as it says them, in snake case: where a step is held with a code that is not here, the
target, or its adapter file, gave it. A target that refuses without a code gets one made of the status, `http_404`.
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

/// The texts of the catalogue are for terminals too, where what is typed stands in single quotes.
fn in_markdown(text: &str) -> String {
    let mut markdown = String::new();
    let mut before = ' ';
    let mut is_quoted = false;
    for letter in text.chars() {
        // An apostrophe has a letter before it and stands outside of quotes.
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
