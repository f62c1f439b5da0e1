//! Splits a text of any length into events: one event, a batch, or one event per line, pretty-printed or not, at constant memory.
//!
//! A broken line never swallows those after it. Whether a line whose JSON has not ended begins an event that goes on in the next line, or
//! is broken, is decided as soon as a line tells:
//!
//! - A string does not end on the next line, and after `,` or `{` in an object the next line does not begin with `{`: the line is broken.
//! - A line that is a whole event by itself does not belong to the one before it: the line where that one begins is broken.
//! - An item whose brackets match but which is not JSON begins with a broken line.
//!
//! Reading then begins again at the line after the broken one.

use std::collections::VecDeque;

use serde_json::Value;

use crate::strict_json::{self, JsonError, JsonLimits};

/// The longest item that is read, in bytes. It is far above the limit of an event.
pub const ITEM_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting of an item, as serde_json has it.
const DEPTH_MAX: usize = 127;
/// The longest text of a broken line that is kept, in bytes.
const SHOWN_BYTES_MAX: usize = 256;

/// A part of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The value, or why there is none.
    pub content: Result<Value, NotRead>,
    /// Where it ends.
    pub end: Position,
}

/// Why an item is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRead {
    /// It is not JSON, or it ends too early.
    Broken {
        /// The reason.
        why: String,
        /// How it begins.
        begins: String,
    },
    /// It has a key twice.
    DuplicateKey(String),
    /// It is longer than [`ITEM_BYTES_MAX`].
    TooLong,
}

/// Where a splitter is: between two items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The bytes before it.
    pub bytes: u64,
    /// The line ends before it.
    pub lines: u64,
    /// Whether it is within a batch.
    pub in_batch: bool,
}

/// Takes the text piece by piece, and returns the items that have ended.
#[derive(Debug, Default)]
pub struct Splitter {
    at: Position,
    /// What was taken since the begin of the current item, for reading it again line by line.
    text: Vec<u8>,
    item: Option<Unfinished>,
    /// The last item, if the rest of its line decides about it: outside a batch, an event has its lines for itself.
    held: Option<Item>,
    items: VecDeque<Item>,
}

/// An item that has begun.
#[derive(Debug)]
struct Unfinished {
    /// Where it begins.
    begins: Position,
    /// The open brackets.
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// The last byte that is not whitespace.
    last: u8,
    /// Where the current line begins, if the item began on an earlier one.
    line_begins: Option<usize>,
    /// Whether it is a value without brackets, which ends at the line's end.
    is_scalar: bool,
}

impl Splitter {
    /// A splitter that continues here.
    pub fn at(position: Position) -> Self {
        Self { at: position, ..Self::default() }
    }

    /// Takes a piece of the text.
    pub fn take(&mut self, piece: &[u8]) {
        for byte in piece {
            self.step(*byte);
        }
    }

    /// The text has ended.
    pub fn end(&mut self) {
        while let Some(item) = self.item.take() {
            if item.is_scalar {
                self.finish(&item);
            } else {
                self.reject_first_line(&item, "it ends before its last bracket");
            }
        }
        if let Some(held) = self.held.take() {
            self.items.push_back(Item { end: self.at, ..held });
        }
    }

    /// The next item that has ended.
    pub fn next_item(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    fn step(&mut self, byte: u8) {
        self.at.bytes += 1;
        self.at.lines += u64::from(byte == b'\n');
        if let Some(held) = self.held.take() {
            self.rest_of_line(held, byte);
        } else if let Some(item) = self.item.take() {
            self.text.push(byte);
            self.within(item, byte);
        } else {
            self.between(byte);
        }
    }

    /// After an item, on its line.
    fn rest_of_line(&mut self, held: Item, byte: u8) {
        if byte == b'\n' {
            return self.items.push_back(Item { end: self.at, ..held });
        }
        let content = match held.content {
            Ok(value) if !byte.is_ascii_whitespace() => {
                let begins = shown(value.to_string().as_bytes());
                Err(NotRead::Broken { why: "there is more on its line".to_owned(), begins })
            }
            content => content,
        };
        self.held = Some(Item { content, ..held });
    }

    /// Between two items.
    fn between(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            // A byte-order mark.
            0xEF | 0xBB | 0xBF if self.at.bytes <= 3 => {}
            b'[' if !self.at.in_batch => self.at.in_batch = true,
            b']' if self.at.in_batch => self.at.in_batch = false,
            b',' if self.at.in_batch => {}
            _ => {
                let begins = Position { bytes: self.at.bytes - 1, ..self.at };
                self.text = vec![byte];
                let mut item = Unfinished {
                    begins,
                    open: Vec::new(),
                    in_string: false,
                    escaped: false,
                    last: byte,
                    line_begins: None,
                    is_scalar: !matches!(byte, b'{' | b'['),
                };
                if item.is_scalar {
                    item.in_string = byte == b'"';
                } else {
                    item.open.push(byte);
                }
                self.item = Some(item);
            }
        }
    }

    fn within(&mut self, mut item: Unfinished, byte: u8) {
        if self.text.len() > ITEM_BYTES_MAX {
            return self.give_up(&item, byte);
        }
        if byte == b'\n' {
            return self.line_ended(item);
        }
        if item.in_string {
            match byte {
                _ if item.escaped => item.escaped = false,
                b'\\' => item.escaped = true,
                b'"' => item.in_string = false,
                _ => {}
            }
            item.last = byte;
            self.item = Some(item);
            return;
        }
        if item.is_scalar && self.at.in_batch && matches!(byte, b',' | b']') {
            self.text.pop();
            self.at.bytes -= 1;
            self.finish(&item);
            self.at.bytes += 1;
            return self.between(byte);
        }
        match byte {
            b'"' => item.in_string = true,
            b'{' | b'[' => item.open.push(byte),
            b'}' | b']' if !item.is_scalar => {
                let opener = if byte == b'}' { b'{' } else { b'[' };
                if item.open.pop() != Some(opener) {
                    return self.reject_first_line(&item, "its brackets do not match");
                }
            }
            _ => {}
        }
        let is_first_of_line =
            item.line_begins.is_some_and(|begins| self.text[begins..self.text.len() - 1].trim_ascii().is_empty());
        if is_first_of_line && !byte.is_ascii_whitespace() && !may_follow(item.last, &item.open, byte) {
            return self.reject_first_line(&item, "it ends early");
        }
        if !byte.is_ascii_whitespace() {
            item.last = byte;
        }
        if item.open.len() > DEPTH_MAX {
            return self.reject_first_line(&item, "it is nested too deeply");
        }
        if item.open.is_empty() && !item.is_scalar {
            self.finish(&item);
        } else {
            self.item = Some(item);
        }
    }

    /// A line has ended within an item.
    fn line_ended(&mut self, mut item: Unfinished) {
        if item.is_scalar {
            return self.finish(&item);
        }
        if item.in_string {
            return self.reject_first_line(&item, "a string does not end");
        }
        let is_new_event = item.line_begins.is_some_and(|begins| is_whole_event(&self.text[begins..]));
        if is_new_event {
            return self.reject_first_line(&item, "it ends early");
        }
        item.line_begins = Some(self.text.len());
        self.item = Some(item);
    }

    /// The item has ended with the last byte.
    fn finish(&mut self, item: &Unfinished) {
        let text = std::mem::take(&mut self.text);
        let content = match strict_json::read(&text, JsonLimits::NONE) {
            Ok(value) => Ok(value),
            Err(JsonError::DuplicateKey(key)) => Err(NotRead::DuplicateKey(key)),
            Err(error) if item.line_begins.is_some() => {
                self.text = text;
                return self.reject_first_line(item, &error.to_string());
            }
            Err(error) => Err(NotRead::Broken { why: error.to_string(), begins: shown(&text) }),
        };
        let is_over = text.ends_with(b"\n") || (item.begins.in_batch && content.is_ok());
        self.add(item, content, is_over);
    }

    /// Adds an item. `is_over` says that nothing more on its line matters.
    fn add(&mut self, item: &Unfinished, content: Result<Value, NotRead>, is_over: bool) {
        let item = Item { line: item.begins.lines + 1, content, end: self.at };
        if is_over {
            self.items.push_back(item);
        } else {
            self.held = Some(item);
        }
    }

    /// The line on which the item begins is broken: reads the lines after it again.
    fn reject_first_line(&mut self, item: &Unfinished, why: &str) {
        let text = std::mem::take(&mut self.text);
        let line = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
        let (first, rest) = text.split_at(line);
        let ends_line = first.ends_with(b"\n");
        let Position { bytes, lines, in_batch } = item.begins;
        self.at = Position { bytes: bytes + first.len() as u64, lines: lines + u64::from(ends_line), in_batch };
        self.add(item, Err(NotRead::Broken { why: why.to_owned(), begins: shown(first) }), ends_line);
        self.take(rest);
    }

    /// The item is too long to be kept: its first line is rejected if it has several, else the rest of its line is skipped.
    fn give_up(&mut self, item: &Unfinished, byte: u8) {
        if self.text.contains(&b'\n') {
            return self.reject_first_line(item, "it does not end");
        }
        self.text.clear();
        self.add(item, Err(NotRead::TooLong), byte == b'\n');
    }
}

/// Whether a line of JSON may begin with this byte, after the last one of the lines before and within these brackets, of which the last
/// may have been opened or closed by it.
fn may_follow(last: u8, open: &[u8], byte: u8) -> bool {
    match last {
        b'{' => matches!(byte, b'"' | b'}'),
        // A key follows in an object, a value in an array. A bracket that was just opened is the last of `open`.
        b',' => {
            let around =
                if matches!(byte, b'{' | b'[') { open.len().checked_sub(2) } else { open.len().checked_sub(1) };
            around.and_then(|index| open.get(index)) != Some(&b'{') || byte == b'"'
        }
        b':' | b'[' => !matches!(byte, b',' | b':' | b'}') && (last == b'[' || byte != b']'),
        // After a value.
        _ => matches!(byte, b',' | b'}' | b']' | b':'),
    }
}

/// Whether a line is an event by itself, with a comma after it or not.
fn is_whole_event(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b",").unwrap_or(line);
    line.first() == Some(&b'{')
        && serde_json::from_slice::<Value>(line).is_ok_and(|value| {
            ["id", "source", "specversion", "type"].iter().filter(|name| value.get(name).is_some()).count() >= 2
        })
}

/// The begin of a text, for a person.
fn shown(text: &[u8]) -> String {
    let text = text.trim_ascii();
    String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES_MAX)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn split_in(text: &[u8], piece: usize) -> Vec<Item> {
        let mut splitter = Splitter::default();
        let mut items = Vec::new();
        for piece in text.chunks(piece.max(1)) {
            splitter.take(piece);
            items.extend(std::iter::from_fn(|| splitter.next_item()));
        }
        splitter.end();
        items.extend(std::iter::from_fn(|| splitter.next_item()));
        items
    }

    fn split(text: &str) -> Vec<Item> {
        split_in(text.as_bytes(), usize::MAX)
    }

    /// The ids of the events, `!` for what is not JSON, each with its line.
    fn told(text: &str) -> Vec<String> {
        let one = |item: Item| match item.content {
            Ok(value) => format!("{}:{}", item.line, value.get("id").and_then(Value::as_str).unwrap_or("?")),
            Err(_) => format!("{}:!", item.line),
        };
        split(text).into_iter().map(one).collect()
    }

    fn event(id: &str) -> String {
        json!({"specversion": "1.0", "id": id, "source": "s", "data": {"a": [1, {"b": "}"}]}}).to_string()
    }

    #[test]
    fn a_text_is_one_event_a_batch_or_lines_pretty_printed_or_not() {
        let (one, two, three) = (event("1"), event("2"), event("3"));
        let pretty = |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        assert_eq!(told(&one), ["1:1"]);
        assert_eq!(told(&pretty(&one)), ["1:1"]);
        assert_eq!(told(&format!("{one}\n\n{two}\r\n{three}\n")), ["1:1", "3:2", "4:3"]);
        assert_eq!(told(&format!("{}\n{}", pretty(&one), pretty(&two))).len(), 2);
        assert_eq!(told(&format!("[{one},\n{two}]")), ["1:1", "2:2"]);
        assert_eq!(told(&pretty(&format!("[{one},{two}]"))).len(), 2);
        assert_eq!(told(&format!("[{one},{two}]\n{three}\n[{one}]")), ["1:1", "1:2", "2:3", "3:1"]);
        assert_eq!(told(&format!("\u{feff}{one}\n")), ["1:1"]);
        assert_eq!(told("7\n\"x\"\nnull"), ["1:?", "2:?", "3:?"]);
        assert_eq!(told("[1, \"]\", {}]"), ["1:?", "1:?", "1:?"]);
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(
            told(&format!("{one} \n{two}{three}\n{one}")),
            ["1:1", "2:!", "3:1"],
            "an event has its line for itself"
        );
    }

    #[test]
    fn one_broken_line_never_swallows_those_after_it() {
        let whole = event("9");
        for cut in [
            "{\"id\":\"2\",",
            "{\"id\":",
            "{",
            "{\"id\":\"2\",\"data\":{\"a\":1}",
            "[{\"id\":\"2\"",
            "{\"id\":\"2",
            "nonsense",
            "{\"id\":\"2\"}}",
            "{\"id\":\"2\",\"data\":[",
            "{\"id\":\"2\",\"data\":[1,",
            "}",
            "\"",
            "{\"id\" \"2\"}",
        ] {
            let mut lines = vec![event("1"), cut.to_owned()];
            lines.extend(std::iter::repeat_n(whole.clone(), 998));
            let told = told(&lines.join("\n"));
            assert_eq!(told.len(), 1_000, "{cut}");
            assert_eq!((told[0].as_str(), told[1].as_str()), ("1:1", "2:!"), "{cut}");
            assert!(told[2..].iter().all(|line| line.ends_with(":9")), "{cut}: {told:?}");
            assert_eq!(told[999], "1000:9", "{cut}");
        }
    }

    #[test]
    fn every_way_of_cutting_a_line_leaves_those_around_it() {
        let (one, two, three) = (event("1"), event("2"), event("3"));
        for cut in 1..two.len() {
            let told = told(&format!("{one}\n{}\n{three}\n", &two[..cut]));
            assert_eq!(told, ["1:1", "2:!", "3:3"], "{}", &two[..cut]);
        }
    }

    #[test]
    fn a_million_broken_lines_are_rejected_one_by_one() {
        let lines = "{\"id\":\n".repeat(20_000) + &"{\"id\":\"1\",\n".repeat(20_000) + &event("1");
        let items = split(&lines);
        assert_eq!(items.len(), 40_001);
        assert!(items.last().unwrap().content.is_ok());
    }

    #[test]
    fn an_item_has_a_longest_length_and_the_next_line_is_read() {
        let long = |bytes: usize| format!("{{\"id\":\"{}\"}}", "x".repeat(bytes - 9));
        assert!(split(&long(ITEM_BYTES_MAX))[0].content.is_ok());
        let items = split(&format!("{}\n{}", long(ITEM_BYTES_MAX + 1), event("2")));
        assert_eq!(items[0].content, Err(NotRead::TooLong));
        assert_eq!((items.len(), items[1].line), (2, 2));
        let batch = format!("[{}]", vec![event("1"); 10_000].join(","));
        assert_eq!(split(&batch).len(), 10_000, "a batch on one line has any length");
    }

    #[test]
    fn a_repeated_key_is_named() {
        assert_eq!(split("{\"id\":1,\"id\":2}")[0].content, Err(NotRead::DuplicateKey("id".to_owned())));
    }

    #[test]
    fn reading_goes_on_at_the_end_of_any_item() {
        let text = format!("{}\n[{},\n{}]\nnonsense\n{}", event("1"), event("2"), event("3"), event("4"));
        let all = split(&text);
        for (index, item) in all.iter().enumerate() {
            let end = usize::try_from(item.end.bytes).unwrap();
            assert_eq!(item.end.lines, text[..end].matches('\n').count() as u64);
            let mut splitter = Splitter::at(item.end);
            splitter.take(&text.as_bytes()[end..]);
            splitter.end();
            let rest: Vec<_> = std::iter::from_fn(|| splitter.next_item()).collect();
            assert_eq!(rest, all[index + 1..], "after item {index}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter_and_no_line_is_lost(
            lines in proptest::collection::vec(prop_oneof![Just(event("1")), "[{}\\[\\]\",:a1 ]{0,12}", Just("{\"a\":".to_owned())], 0..12),
            piece in 1_usize..40,
        ) {
            let text = lines.join("\n");
            let whole = split(&text);
            prop_assert_eq!(&split_in(text.as_bytes(), piece), &whole);
            let mut last = 0;
            for item in &whole {
                prop_assert!(item.end.bytes >= last && item.end.bytes <= text.len() as u64);
                last = item.end.bytes;
            }
            let events = lines.iter().filter(|line| **line == event("1")).count();
            let found = whole.iter().filter(|item| item.content.as_ref().is_ok_and(|value| value.get("id").is_some())).count();
            prop_assert!(found >= events || text.contains('['), "{} of {}: {}", found, events, text);
        }
    }
}
