//! Subjects: tokens with dots between them. In a pattern, `*` stands for one token and `>` at the end for one or more.

/// Whether messages can be published to it.
pub(super) fn is_literal(subject: &str) -> bool {
    !subject.is_empty() && subject.split('.').all(|token| !token.is_empty() && !token.contains(['*', '>', ' ', '\t']))
}

/// Whether a pattern matches a subject.
pub(super) fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    let mut patterns = pattern.split('.').peekable();
    while let Some(wanted) = patterns.next() {
        match (wanted, tokens.next()) {
            (">", Some(_)) if patterns.peek().is_none() => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_in_nats() {
        for (pattern, subject) in [("a.b", "a.b"), ("a.*", "a.b"), ("a.>", "a.b.c"), (">", "a"), ("*.b", "a.b")] {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [("a.b", "a"), ("a", "a.b"), ("a.>", "a"), ("a.*", "a.b.c"), ("b.>", "a.b")] {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
        assert!(is_literal("a.b") && !is_literal("a.*") && !is_literal("a..b") && !is_literal(""));
    }
}
