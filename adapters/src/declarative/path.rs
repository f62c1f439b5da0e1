//! The path of a request, below the target's base URL.
//!
//! The template is split at its slashes before it is rendered, and each piece becomes one percent-encoded segment. So the data of an
//! order can never add a segment, a query or a `..`.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults};
use minijinja::Value as Rendered;

use super::scope::Scope;
use super::template::{NotRendered, Template};

/// A path as segments.
#[derive(Debug, Clone)]
pub(super) struct PathTemplate {
    segments: Vec<Template>,
    place: String,
}

impl PathTemplate {
    pub(super) fn read(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let text = entry.text(faults)?;
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.is_empty() {
            // The base URL itself, without an additional slash.
            return Some(Self { segments: Vec::new(), place: entry.spot.path.clone() });
        }
        let pieces = pieces_of(text);
        if pieces.iter().any(|piece| piece.contains(['?', '#']) && !piece.contains("{{")) {
            faults.add(
                &entry.spot,
                ErrorCode::QueryInPath,
                "Write the query as a table under 'query', not in the path.",
            );
        }
        let last = pieces.len() - 1;
        let mut is_sound = true;
        let mut segments = Vec::new();
        for (index, piece) in pieces.into_iter().enumerate() {
            if matches!(piece, "." | "..") || (piece.is_empty() && index != last) {
                faults.add(&entry.spot, ErrorCode::BadPath, "A path must not have empty segments, '.' or '..'.");
                is_sound = false;
                continue;
            }
            match Template::of(piece, entry, scope, faults) {
                Some(segment) => segments.push(segment),
                None => is_sound = false,
            }
        }
        is_sound.then(|| Self { segments, place: entry.spot.path.clone() })
    }

    /// The segments, not yet encoded.
    pub(super) fn segments(&self, variables: &Rendered) -> Result<Vec<String>, NotRendered> {
        let mut segments = Vec::with_capacity(self.segments.len());
        for template in &self.segments {
            let text = template.text(variables)?.unwrap_or_default();
            // An empty id would turn a path to one record into a path to all records.
            if !template.is_constant() && (text.trim().is_empty() || matches!(text.as_str(), "." | "..")) {
                let reason = "a segment of the path would be empty, '.' or '..'".to_owned();
                return Err(NotRendered { path: self.place.clone(), reason });
            }
            segments.push(text);
        }
        Ok(segments)
    }
}

/// Splits the text at the slashes outside of `{{ … }}`.
fn pieces_of(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        let pair = text.as_bytes().get(at..at + 2).unwrap_or_default();
        match pair {
            b"{{" | b"{%" => depth += 1,
            b"}}" | b"%}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if byte == b'/' && depth == 0 {
            pieces.push(&text[start..at]);
            start = at + 1;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_outside_of_its_expressions() {
        assert_eq!(pieces_of("a/{{ x / 2 }}/c"), ["a", "{{ x / 2 }}", "c"]);
        assert_eq!(pieces_of("a/"), ["a", ""]);
        assert_eq!(pieces_of(""), [""]);
    }
}
