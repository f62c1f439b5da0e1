//! What everybody who is refused something must be told.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::order::Rejection;
use interlock_domain::toml_text::TomlFault;
use interlock_gateway::bodies::Problem;

/// The longest text that an entity keeps of one thing that happened, in bytes: it keeps a hundred of them.
pub(crate) const KEPT_TEXT_BYTES_MAX: usize = 2_500;

/// A rejection has a code of the catalogue, and a sentence that can be kept.
pub(crate) fn rejected(rejection: &Rejection) {
    assert!(rejection.code.known().is_some(), "the code '{}' is not in the catalogue", rejection.code);
    kept(&rejection.detail);
    assert!(!rejection.detail.is_empty(), "{}: no detail", rejection.code);
}

/// A text that an entity keeps is bounded.
pub(crate) fn kept(text: &str) {
    assert!(text.len() <= KEPT_TEXT_BYTES_MAX, "a text of {} bytes is kept", text.len());
}

/// The faults of a TOML text are sorted by place, and each is within the text.
pub(crate) fn toml_faults(text: &str, faults: &[TomlFault]) {
    let lines = text.split('\n').count();
    for fault in faults {
        assert!((1..=lines).contains(&fault.line) && fault.column >= 1, "{fault} is not in a text of {lines} lines");
        assert!(!fault.message.is_empty(), "{fault}");
        assert!(fault.code.as_str().parse::<ErrorCode>().is_ok(), "{fault}");
    }
    assert!(faults.is_sorted(), "the faults are not sorted");
}

/// A problem of the gateway has a status of a mistake of the caller, a code and a sentence.
pub(crate) fn problem(problem: &Problem, body: &[u8]) {
    assert!((400..500).contains(&problem.status), "status {}", problem.status);
    assert!(!problem.detail.is_empty() && !problem.next.is_empty(), "{}", problem.code);
    // A caller is not sent its own body many times over.
    assert!(problem.detail.len() <= 8 * body.len() + KEPT_TEXT_BYTES_MAX, "{} bytes of detail", problem.detail.len());
    assert!(serde_json::to_vec(problem).is_ok(), "{}", problem.code);
}
