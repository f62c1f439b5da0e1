//! The lines of a part in transit: JSON, compressed, as text, since lists are repetitive.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use interlock_domain::import::{ListedLease, PART_BYTES_MAX};

/// The most bytes that the lines of a part may have as JSON, including JSON's own overhead.
const INFLATED_BYTES_MAX: u64 = 16 * PART_BYTES_MAX as u64;

/// The lines of a part cannot be read.
#[derive(Debug)]
pub struct LinesUnreadable(String);

impl std::fmt::Display for LinesUnreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the lines of the part cannot be read: {}", self.0)
    }
}

impl std::error::Error for LinesUnreadable {}

/// Encodes the lines for transit.
///
/// # Errors
/// If they cannot be written, which does not happen.
pub fn pack(lines: &[ListedLease]) -> Result<String, LinesUnreadable> {
    let unwritten = |fault: &dyn std::fmt::Display| LinesUnreadable(fault.to_string());
    let short: Vec<_> = lines.iter().map(|l| (l.line, &l.kind, &l.id, &l.customer)).collect();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    let json = serde_json::to_vec(&short).map_err(|fault| unwritten(&fault))?;
    packed.write_all(&json).map_err(|fault| unwritten(&fault))?;
    Ok(STANDARD.encode(packed.finish().map_err(|fault| unwritten(&fault))?))
}

/// Decodes the lines.
///
/// # Errors
/// If the text is not an encoded list.
pub fn unpack(data: &str) -> Result<Vec<ListedLease>, LinesUnreadable> {
    let unread = |fault: &dyn std::fmt::Display| LinesUnreadable(fault.to_string());
    let packed = STANDARD.decode(data).map_err(|fault| unread(&fault))?;
    let mut json = Vec::new();
    let mut inflated = ZlibDecoder::new(packed.as_slice()).take(INFLATED_BYTES_MAX);
    inflated.read_to_end(&mut json).map_err(|fault| unread(&fault))?;
    let short: Vec<(u64, String, String, String)> = serde_json::from_slice(&json).map_err(|fault| unread(&fault))?;
    Ok(short.into_iter().map(|(line, kind, id, customer)| ListedLease { line, kind, id, customer }).collect())
}

#[cfg(test)]
mod tests {
    use interlock_domain::import::PART_LINES_MAX;

    use super::*;

    /// The server's limit for a payload.
    const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;

    #[test]
    fn encoded_lines_can_be_decoded() {
        let line = |line| ListedLease {
            line,
            kind: "msisdn".to_owned(),
            id: format!("1206{line:07}"),
            customer: format!("Ä\"{line}"),
        };
        let lines: Vec<_> = (2..PART_LINES_MAX as u64).map(line).collect();
        let data = pack(&lines).unwrap();
        assert!(data.len() < 400_000, "{} bytes", data.len());
        assert_eq!(unpack(&data).unwrap(), lines);
        assert!(unpack("nonsense").is_err());
    }

    #[test]
    fn an_incompressible_part_with_the_longest_ids_fits_into_a_payload() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(33 + (state >> 33) as u8 % 90)
        };
        let mut text = || (0..250).map(|_| noise()).collect::<String>();
        let lines: Vec<_> = (0..PART_BYTES_MAX as u64 / 750)
            .map(|line| ListedLease { line, kind: text(), id: text(), customer: text() })
            .collect();
        let data = pack(&lines).unwrap();
        assert!(data.len() < PAYLOAD_BYTES_MAX * 9 / 10, "{} bytes", data.len());
    }
}
