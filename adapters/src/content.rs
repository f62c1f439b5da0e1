//! What the body of an HTTP message really is: content codings are undone, and text is decoded, as real servers and producers send them.
//!
//! Read leniently, since neither says anything about the content: codings in any case and order (`x-gzip` too), `deflate` with or
//! without its wrapper, byte-order marks, and every charset of the [Encoding Standard](https://encoding.spec.whatwg.org/).

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_8};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use thiserror::Error;

/// The most codings of one body. Real senders use one, rarely two; more only cost time to undo.
const CODINGS_MAX: usize = 3;

/// Why the content of a body cannot be known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotDecoded {
    /// The body has a coding that is not supported.
    #[error("the content-encoding '{0}' is not supported")]
    UnknownCoding(String),
    /// The body does not have the coding that its headers name.
    #[error("the body is not valid {0}")]
    Invalid(String),
    /// The content is longer than the limit.
    #[error("the decoded body exceeds {bytes_max} bytes")]
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
}

/// A content coding ([RFC 9110, 8.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`, also written `x-gzip`.
    Gzip,
    /// `deflate`: zlib, and as some senders do it, without zlib's wrapper.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// All codings, for the body of a response.
    pub const ALL: &'static [Self] = &[Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// As it is written in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn read(name: &str) -> Option<Self> {
        let name = name.strip_prefix("x-").unwrap_or(name);
        Self::ALL.iter().copied().find(|coding| coding.name() == name)
    }

    /// Undoes the coding.
    fn undo(self, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, NotDecoded> {
        let decoded = match self {
            Self::Gzip => read_up_to(MultiGzDecoder::new(bytes), bytes_max),
            Self::Deflate => read_up_to(ZlibDecoder::new(bytes), bytes_max)
                .or_else(|_| read_up_to(DeflateDecoder::new(bytes), bytes_max)),
            Self::Brotli => read_up_to(brotli_decompressor::Decompressor::new(bytes, 4096), bytes_max),
            Self::Zstd => zstd::Decoder::with_buffer(bytes).and_then(|decoder| read_up_to(decoder, bytes_max)),
        };
        let decoded = decoded.map_err(|_| NotDecoded::Invalid(self.name().to_owned()))?;
        if decoded.len() > bytes_max { Err(NotDecoded::TooLong { bytes_max }) } else { Ok(decoded) }
    }
}

/// Reads at most one byte more than the limit, so that a small body cannot fill the memory.
fn read_up_to(reader: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The codings that the headers name, in the order in which they were applied.
///
/// # Errors
/// [`NotDecoded::UnknownCoding`] if one is not among `known`, or if there are too many.
pub fn codings(headers: &HeaderMap, known: &[Coding]) -> Result<Vec<Coding>, NotDecoded> {
    let mut found = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "identity") {
            match Coding::read(name).filter(|coding| known.contains(coding)) {
                Some(coding) if found.len() < CODINGS_MAX => found.push(coding),
                _ => return Err(NotDecoded::UnknownCoding(value)),
            }
        }
    }
    Ok(found)
}

/// The body without its codings. An empty body stays empty: some servers name a coding for it.
///
/// # Errors
/// [`NotDecoded`].
pub fn decoded(bytes: Vec<u8>, codings: &[Coding], bytes_max: usize) -> Result<Vec<u8>, NotDecoded> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    codings.iter().rev().try_fold(bytes, |bytes, coding| coding.undo(&bytes, bytes_max))
}

/// The body as text: by its byte-order mark, else by the charset of its media type, else as UTF-8. A mark is not part of the text.
pub fn text<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Cow<'a, str> {
    encoding(headers).decode(bytes).0
}

fn encoding(headers: &HeaderMap) -> &'static Encoding {
    charset(headers).and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8)
}

/// The body as text, as [`text`] reads it. `None` if it has bytes that are not text in its encoding: a replacement would make another id
/// of an event's.
pub fn strict_text<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let (text, _, has_errors) = encoding(headers).decode(bytes);
    (!has_errors).then_some(text)
}

/// The parameter `charset` of the media type.
fn charset(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes()).into_owned();
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    const LIMIT: usize = 1_000;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn read(coding: &'static str, bytes: Vec<u8>) -> Result<String, NotDecoded> {
        let codings = codings(&with(CONTENT_ENCODING, coding), Coding::ALL)?;
        decoded(bytes, &codings, LIMIT).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn every_usual_coding_is_undone_however_its_name_is_written() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"text").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"text").unwrap();
        let brotli = vec![0x8b, 0x01, 0x80, b't', b'e', b'x', b't', 0x03];
        let zstd = zstd::encode_all(&b"text"[..], 0).unwrap();
        for (coding, bytes) in [
            ("gzip", gzip(b"text")),
            ("GZip", gzip(b"text")),
            ("x-gzip", gzip(b"text")),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("br", brotli),
            ("zstd", zstd),
            ("gzip, gzip", gzip(&gzip(b"text"))),
            ("identity", b"text".to_vec()),
            ("", b"text".to_vec()),
        ] {
            assert_eq!(read(coding, bytes).as_deref(), Ok("text"), "{coding}");
        }
        assert_eq!(read("gzip", Vec::new()).as_deref(), Ok(""), "an empty body has no coding");
    }

    #[test]
    fn a_coding_that_is_unknown_wrong_or_a_bomb_is_an_error_that_says_so() {
        assert_eq!(read("compress", b"x".to_vec()), Err(NotDecoded::UnknownCoding("compress".to_owned())));
        assert_eq!(
            read("gzip, gzip, gzip, gzip", b"x".to_vec()),
            Err(NotDecoded::UnknownCoding("gzip, gzip, gzip, gzip".to_owned()))
        );
        assert_eq!(read("gzip", b"{}".to_vec()), Err(NotDecoded::Invalid("gzip".to_owned())));
        assert_eq!(read("gzip", gzip(&vec![0; LIMIT + 1])), Err(NotDecoded::TooLong { bytes_max: LIMIT }));
        assert_eq!(read("gzip", gzip(&vec![b'x'; LIMIT])).map(|text| text.len()), Ok(LIMIT));
        let only_gzip = codings(&with(CONTENT_ENCODING, "br"), &[Coding::Gzip]);
        assert_eq!(only_gzip, Err(NotDecoded::UnknownCoding("br".to_owned())));
    }

    #[test]
    fn text_is_decoded_by_its_mark_or_charset_and_has_no_mark() {
        let json = |value| with(CONTENT_TYPE, value);
        assert_eq!(text(&json("application/json"), b"\xef\xbb\xbf{}"), "{}");
        assert_eq!(text(&json("application/json; charset=\"UTF-8\""), "ü".as_bytes()), "ü");
        assert_eq!(text(&json("application/json;charset=iso-8859-1"), b"\xfc"), "ü");
        assert_eq!(text(&json("application/json; Charset=utf-16le"), b"{\0}\0"), "{}");
        assert_eq!(text(&json("application/json"), b"\xff\xfe{\0}\0"), "{}", "a mark decides");
        assert_eq!(text(&json("application/json; charset=nonsense"), "ü".as_bytes()), "ü");
        assert_eq!(text(&HeaderMap::new(), b"{}"), "{}");
        assert_eq!(text(&HeaderMap::new(), b"\xff"), "\u{fffd}");
        assert_eq!(strict_text(&HeaderMap::new(), b"\xff"), None);
        assert_eq!(strict_text(&HeaderMap::new(), b"\xef\xbb\xbf{}").as_deref(), Some("{}"));
    }
}
