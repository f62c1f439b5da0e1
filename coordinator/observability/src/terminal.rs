//! What may be written to a terminal. Texts from outside (reasons, names, ids, answers of targets) may contain characters that move the
//! cursor, overwrite earlier output, change the direction of writing, or are invisible. They are written as escapes.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_general_category::{GeneralCategory, get_general_category};

/// Text of several lines, with every other invisible character as an escape.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |sign| sign == '\n')
}

/// Text of one line: line ends are also written as escapes.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A log record: line ends within it and all other invisible characters are written as escapes, except colours if the record
/// contains colours.
pub(crate) fn record(text: &str, has_colours: bool) -> Cow<'_, str> {
    let (text, end) = text.strip_suffix('\n').map_or((text, ""), |text| (text, "\n"));
    match escaped(text, |sign| sign == '\u{1b}' && has_colours) {
        Cow::Borrowed(text) if end.is_empty() => Cow::Borrowed(text),
        text => Cow::Owned(text.into_owned() + end),
    }
}

/// Writes each invisible character that is not kept as a JSON escape: `\u202e`. Text that is JSON stays the same
/// JSON: such characters can appear only in its strings.
fn escaped(text: &str, keeps: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |sign: char| is_unseen(sign) && !keeps(sign);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for sign in text.chars() {
        if is_escaped(sign) {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _written = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(sign);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, format characters (the bidirectional and most of the zero-width ones), line and paragraph separators, and
/// characters without a glyph: Unicode's `Default_Ignorable_Code_Point` in addition to the category Cf.
fn is_unseen(sign: char) -> bool {
    if sign.is_ascii() {
        return sign.is_ascii_control();
    }
    let is_ignorable = matches!(
        sign,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    is_ignorable
        || matches!(
            get_general_category(sign),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_shown_as_an_escape() {
        let cases = [
            ("\u{1b}[2J\u{1b}]0;title\u{7}", r"\u001b[2J\u001b]0;title\u0007"),
            ("over\rwritten\u{8}", r"over\u000dwritten\u0008"),
            ("\u{9b}31m", r"\u009b31m"),
            ("a\u{202e}b\u{2066}c\u{200f}", r"a\u202eb\u2066c\u200f"),
            ("zero\u{200b}width\u{feff}\u{2060}\u{ad}", r"zero\u200bwidth\ufeff\u2060\u00ad"),
            ("sep\u{2028}\u{2029}", r"sep\u2028\u2029"),
            ("tag\u{e0041}", r"tag\udb40\udc41"),
            ("blank\u{3164}\u{fe0f}", r"blank\u3164\ufe0f"),
        ];
        for (text, shown) in cases {
            assert_eq!(line(text), shown);
            assert_eq!(lines(text), shown);
        }
    }

    #[test]
    fn what_is_seen_stays() {
        for text in ["Zoë “Ångström” – 東京 नमस्ते e\u{301} 🙂 \\u202e", "", "─ │ …"] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn line_ends_stay_where_there_are_several_lines() {
        assert_eq!(lines("a\nb\u{0}\n"), "a\nb\\u0000\n");
        assert_eq!(line("a\nb"), r"a\u000ab");
        assert_eq!(record("a\nb\n", false), "a\\u000ab\n");
        assert_eq!(record("\u{1b}[1mok\u{1b}[0m \u{202e}\n", true), "\u{1b}[1mok\u{1b}[0m \\u202e\n");
        assert_eq!(record("\u{1b}[1mok", false), r"\u001b[1mok");
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"a\u{202e}": ["\u{7f}\u{200b}", "\u{1b}", "\u{e0041}"]});
        let shown = lines(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
        assert!(shown.chars().all(|sign| sign == '\n' || !is_unseen(sign)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
