//! The filters and tests that a template calls. minijinja's parser accepts any name, and rendering fails later. That would be too late,
//! since the first order would hit the fault.

use std::collections::BTreeSet;

/// A name that a template calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CalledNames {
    /// After `|`.
    pub(super) filters: BTreeSet<String>,
    /// After `is` or `is not`.
    pub(super) tests: BTreeSet<String>,
}

/// The names that are called inside of `{{ … }}` and `{% … %}`. Quoted texts are skipped.
pub(super) fn called_names(source: &str) -> CalledNames {
    let mut names = CalledNames::default();
    let mut rest = source;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let close = if rest[start..].starts_with("{{") { "}}" } else { "%}" };
        let inside = &rest[start + 2..];
        let words = words_until(inside, close);
        for pair in words.pieces.windows(3) {
            match pair {
                ["|", name, _] => drop(names.filters.insert((*name).to_owned())),
                ["is", "not", name] => drop(names.tests.insert((*name).to_owned())),
                ["is", name, _] if is_word(name) && *name != "not" => drop(names.tests.insert((*name).to_owned())),
                _ => {}
            }
        }
        rest = &inside[words.end..];
    }
    names
}

struct Words<'a> {
    /// The words and punctuation in order, followed by two empty ones as the end.
    pieces: Vec<&'a str>,
    end: usize,
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn words_until<'a>(text: &'a str, close: &str) -> Words<'a> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() && !text[at..].starts_with(close) {
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { break };
        let length = match first {
            '\'' | '"' => quoted_length(rest, first),
            _ if first.is_alphanumeric() || first == '_' => {
                rest.find(|other: char| !(other.is_alphanumeric() || other == '_')).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            pieces.push(&rest[..length]);
        }
        at += length;
    }
    pieces.extend(["", ""]);
    Words { pieces, end: at }
}

/// The length of a quoted text, including its quotes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if character == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> (Vec<String>, Vec<String>) {
        let names = called_names(source);
        (names.filters.into_iter().collect(), names.tests.into_iter().collect())
    }

    #[test]
    fn filters_and_tests_are_found_outside_of_quotes() {
        let (filters, tests) = names("a|b {{ x | upper|default('|no is it') }} {% if y is not defined and z is odd %}");
        assert_eq!(filters, ["default", "upper"]);
        assert_eq!(tests, ["defined", "odd"]);
        assert_eq!(names("plain | text is plain"), (vec![], vec![]));
    }
}
