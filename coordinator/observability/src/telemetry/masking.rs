//! Keeps subscriber numbers out of logs and traces. This is the only place: everything that leaves the process in a log or trace passes
//! through [`masked`], including errors of targets, events and resource ids.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use tracing_subscriber::fmt::MakeWriter;

use crate::terminal;

/// At least this many digits in a row may be a number: the shortest that can be called from abroad have seven.
const DIGITS_MIN: usize = 7;
/// The same within text that looks like a hash or a trace id, which has runs of digits by chance.
const DIGITS_MIN_IN_HASH: usize = 10;
/// How many digits stay, so that someone who knows two numbers can tell them apart.
const DIGITS_SHOWN: usize = 2;

/// The patterns, in the order of matching.
static SUSPECTS: LazyLock<Regex> = LazyLock::new(|| {
    let suspects = [
        // Ids of orders and requests are kept, and the escapes of workflow ids are not digits.
        "(?<kept>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|%[0-9a-fA-F]{2})",
        // A number as people write it: +1 (206) 555-1234.
        r"(?<written>\+[0-9](?:[ .()/-]{0,2}[0-9]){6,})",
        // A number as bytes, as the debug form of payloads shows it: 49, 50, 48, …
        "(?<bytes>(?:4[89]|5[0-7])(?:, ?(?:4[89]|5[0-7])){6,})",
        // The ids of entities, in the tokens that the SDK logs.
        r"(?<token>TaskToken\([^)]*\))",
        "(?<word>[0-9A-Za-z]*[0-9]{7}[0-9A-Za-z]*)",
    ];
    Regex::new(&suspects.join("|")).expect("a constant that is a pattern")
});

/// The same text with everything that may be a subscriber's number (MSISDN, IMSI, ICCID) shortened to its last two digits:
/// `***34`. UUIDs and times in milliseconds, such as epochs, stay.
///
/// An IMSI or number of fewer than seven digits is not recognised, nor is one that is written in letters.
pub fn masked(text: &str) -> Cow<'_, str> {
    SUSPECTS.replace_all(text, |found: &Captures<'_>| {
        let whole = &found[0];
        if found.name("kept").is_some() {
            whole.to_owned()
        } else if found.name("bytes").is_some() {
            "***".to_owned()
        } else if found.name("token").is_some() {
            "TaskToken(***)".to_owned()
        } else if found.name("written").is_some() {
            cut(&whole.chars().filter(char::is_ascii_digit).collect::<String>())
        } else {
            masked_word(whole)
        }
    })
}

/// A word of letters and digits with its long runs of digits shortened.
fn masked_word(word: &str) -> String {
    let is_hex = word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hash = is_hex && has_letter && matches!(word.len(), 16 | 32 | 40 | 64);
    let digits_min = if is_hash { DIGITS_MIN_IN_HASH } else { DIGITS_MIN };
    let mut masked = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (run, after) = rest.split_at(digits);
        masked.push_str(&if digits >= digits_min && !is_time(run) { cut(run) } else { run.to_owned() });
        let letters = after.len() - after.trim_start_matches(|c: char| !c.is_ascii_digit()).len();
        masked.push_str(&after[..letters]);
        rest = &after[letters..];
    }
    masked
}

/// Whether it is a time in milliseconds since 1970, from 2001 to 2033. No number is mistaken for one: those of the country
/// code 1 have eleven digits, no IMSI begins with 1, and an ICCID is longer.
fn is_time(run: &str) -> bool {
    run.len() == 13 && run.starts_with('1')
}

fn cut(digits: &str) -> String {
    format!("***{}", &digits[digits.len() - DIGITS_SHOWN..])
}

/// Stderr, masked, for log records: one line each, without anything that a terminal would interpret.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaskedRecords {
    /// Whether the records contain colours.
    pub(super) has_colours: bool,
}

impl<'a> MakeWriter<'a> for MaskedRecords {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for MaskedRecords {
    /// The caller writes a whole record in one call.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        io::stderr().write_all(terminal::record(&masked(&text), self.has_colours).as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_wherever_they_stand() {
        let cases = [
            ("msisdn/12065551234 is taken", "msisdn/***34 is taken"),
            ("default/customer/imsi%2F001010000000001", "default/customer/imsi%2F***01"),
            (r#"{\"iccid\":\"8944500102198304826\"}"#, r#"{\"iccid\":\"***26\"}"#),
            ("http://hss/msisdn/%2B12065551234?x=1", "http://hss/msisdn/%2B***34?x=1"),
            ("call +1 (206) 555-1234 now", "call ***34 now"),
            ("\u{1b}[2mresource\u{1b}[0m=12065551234", "\u{1b}[2mresource\u{1b}[0m=***34"),
            ("\\n12065551234", "\\n***34"),
            ("data: [34, 49, 50, 48, 54, 53, 53, 53, 49, 50, 51, 52, 34]", "data: [34, ***, 34]"),
            ("f001010000000001", "f***01"),
            ("task_token: TaskToken(CiQwMWExL21zaXNkbi8x)", "task_token: TaskToken(***)"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        for text in [
            "2026-11-20T12:16:31.123456Z  WARN 127.0.0.1:43121 attempt=3",
            "A1~01234567-8901-5234-8678-901234567890",
            "epoch=1795162178937",
            "\u{1b}[0m1795162178937",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "catalog 0123456a89012345, 123456 bytes",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
