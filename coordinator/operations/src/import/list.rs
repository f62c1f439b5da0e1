//! A list of who has what: CSV, read as a stream and divided into parts, always into the same ones.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use interlock_domain::error_code::ErrorCode;
use interlock_domain::import::{LineProblem, ListedLease, PART_BYTES_MAX, PART_LINES_MAX};
use interlock_fault::Fault;
use sha2::{Digest, Sha256};

/// The columns, as in the first line.
const COLUMNS: [&str; 3] = ["kind", "id", "customer"];
/// The longest line, in bytes: more than the limits of its three ids together.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// A list that can be read as often as needed.
#[derive(Debug, Clone)]
pub struct ListFile {
    path: PathBuf,
    lines_per_part: usize,
    digest: String,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPart {
    /// Its number, from 0.
    pub number: u64,
    /// Its lines.
    pub leases: Vec<ListedLease>,
    /// Lines that cannot be read, from the end of the previous part to the end of this one.
    pub bad: Vec<LineProblem>,
}

impl ListFile {
    /// Reads the file once, for its digest. The same content in parts of the same size is the same import. `lines_per_part`
    /// is at most [`PART_LINES_MAX`].
    ///
    /// # Errors
    /// [`Fault`] `list_unreadable`.
    pub fn open(path: &Path, lines_per_part: usize) -> Result<Self, Fault> {
        let lines_per_part = lines_per_part.clamp(1, PART_LINES_MAX);
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let mut digest = Sha256::new();
        digest.update(lines_per_part.to_be_bytes());
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer).map_err(|error| unreadable(path, &error))?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
        }
        Ok(Self { path: path.to_owned(), lines_per_part, digest: hex::encode(&digest.finalize()[..16]) })
    }

    /// Identifies its content: 32 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its parts, in order. Only one is in memory at a time.
    ///
    /// # Errors
    /// [`Fault`] `list_unreadable`, also if the first line does not name the columns; every part may end with one.
    pub fn parts(&self) -> Result<impl Iterator<Item = Result<ListPart, Fault>> + Send + use<>, Fault> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        let mut rows = rows(BufReader::new(file)).peekable();
        let header = rows.next().transpose().map_err(|error| unreadable(&self.path, &error))?;
        if header.is_none_or(|header| header.fields.iter().ne(COLUMNS.map(str::as_bytes))) {
            return Err(unreadable(&self.path, &"its first line is not 'kind,id,customer'"));
        }
        let (path, lines_per_part, mut number) = (self.path.clone(), self.lines_per_part, 0);
        Ok(std::iter::from_fn(move || {
            rows.peek()?;
            let mut part = ListPart { number, ..ListPart::default() };
            let mut bytes = 0;
            while part.leases.len() < lines_per_part {
                // A row that would make the part too large starts the next one.
                let too_large = |row: &Row| bytes > 0 && bytes + row.fields.as_slice().len() > PART_BYTES_MAX;
                if rows.peek().is_some_and(|row| row.as_ref().is_ok_and(too_large)) {
                    break;
                }
                match rows.next() {
                    None => break,
                    Some(Err(error)) => return Some(Err(unreadable(&path, &error))),
                    Some(Ok(row)) => {
                        bytes += row.fields.as_slice().len();
                        match lease(&row) {
                            Ok(lease) => part.leases.push(lease),
                            Err(problem) => part.bad.push(problem),
                        }
                    }
                }
            }
            number += 1;
            Some(Ok(part))
        }))
    }
}

/// A line that is not empty.
struct Row {
    /// Its number, from 1.
    line: u64,
    /// The fields between the commas.
    fields: csv::ByteRecord,
}

/// The rows of a list. Each line is read separately: an id has no line break, and a reader of several lines does not report on which
/// line a row starts if empty lines come before it.
fn rows(list: impl BufRead + Send) -> impl Iterator<Item = Result<Row, csv::Error>> + Send {
    let mark = b"\xef\xbb\xbf";
    (1..).zip(list.split(b'\n')).filter_map(move |(line, read)| {
        let text = match read {
            Ok(text) => text,
            Err(error) => return Some(Err(error.into())),
        };
        let text = if line == 1 { text.strip_prefix(mark).unwrap_or(&text) } else { &text };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .buffer_capacity(text.len().max(1))
            .from_reader(text);
        let mut fields = csv::ByteRecord::new();
        match reader.read_byte_record(&mut fields) {
            Ok(true) => Some(Ok(Row { line, fields })),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    })
}

/// Reads the lease of a row.
fn lease(Row { line, fields: row }: &Row) -> Result<ListedLease, LineProblem> {
    let line = *line;
    let bad = |detail: String| LineProblem { line, code: ErrorCode::LineMalformed.into(), detail };
    if row.as_slice().len() > LINE_BYTES_MAX {
        return Err(bad(format!("the line has {} bytes; the limit is {LINE_BYTES_MAX}", row.as_slice().len())));
    }
    if row.len() != COLUMNS.len() {
        return Err(bad(format!("the line has {} fields, not {}", row.len(), COLUMNS.len())));
    }
    let text = |index: usize| {
        let name = COLUMNS[index];
        std::str::from_utf8(&row[index])
            .map(str::to_owned)
            .map_err(|_| bad(format!("the field '{name}' is not valid UTF-8")))
    };
    Ok(ListedLease { line, kind: text(0)?, id: text(1)?, customer: text(2)? })
}

fn unreadable(path: &Path, reason: &dyn std::fmt::Display) -> Fault {
    Fault::wrong_use(ErrorCode::ListUnreadable, format!("The list {} cannot be read: {reason}.", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn list(text: &[u8], lines_per_part: usize) -> Result<Vec<ListPart>, Fault> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        ListFile::open(file.path(), lines_per_part)?.parts()?.collect()
    }

    #[test]
    fn a_list_is_cut_into_parts_and_every_line_keeps_its_number() {
        let parts = list(b"kind,id,customer\nmsisdn, 1206 ,A1\n\nmsisdn,1207,A2\r\n\"imsi\",001,\"A,3\"\n", 2).unwrap();
        assert_eq!(parts.iter().map(|part| part.leases.len()).collect::<Vec<_>>(), [2, 1]);
        let lines: Vec<_> = parts.iter().flat_map(|part| &part.leases).collect();
        assert_eq!(lines.iter().map(|lease| lease.line).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!((lines[0].id.as_str(), lines[2].customer.as_str()), ("1206", "A,3"));
        assert_eq!(parts[1].number, 1);
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_the_others_are_taken() {
        let parts = list(b"kind,id,customer\nmsisdn,1206\nmsisdn,1207,A2\nmsisdn,\xff,A2\na,b,c,d\n", 10).unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].leases.len(), 1);
        let bad: Vec<_> = parts[0].bad.iter().map(|problem| problem.line).collect();
        assert_eq!(bad, [2, 4, 5]);
        assert!(parts[0].bad.iter().all(|problem| problem.code == ErrorCode::LineMalformed));
    }

    #[test]
    fn a_part_of_long_lines_is_cut_by_its_bytes() {
        let line = format!("{},{},{}\n", "k".repeat(250), "i".repeat(250), "c".repeat(250));
        let parts = list(format!("kind,id,customer\n{}", line.repeat(3_000)).as_bytes(), PART_LINES_MAX).unwrap();
        assert_eq!(parts.iter().map(|part| part.leases.len()).sum::<usize>(), 3_000);
        assert!(
            parts.len() == 3 && parts.iter().all(|part| part.leases.len() * 750 <= PART_BYTES_MAX),
            "{}",
            parts.len()
        );
    }

    #[test]
    fn a_list_needs_its_header_and_an_empty_one_has_no_parts() {
        assert_eq!(list(b"msisdn,1206,A1\n", 1).unwrap_err().code, ErrorCode::ListUnreadable);
        assert_eq!(list(b"", 1).unwrap_err().code, ErrorCode::ListUnreadable);
        assert_eq!(list(b"\xef\xbb\xbfkind,id,customer\n", 1).unwrap(), []);
    }

    #[test]
    fn the_same_list_in_parts_of_another_size_is_another_import() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let digest = |lines| ListFile::open(file.path(), lines).unwrap().digest().to_owned();
        assert_eq!(digest(5), digest(5));
        assert_ne!(digest(5), digest(6));
    }
}
