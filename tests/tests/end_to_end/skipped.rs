//! Tests that need what is not everywhere: Python, tools of others, a Temporal server built from its module. Where it is missing, such a
//! test is skipped, and says so in spite of the test runner, which keeps what passing tests print. `INTERLOCK_TEST_REQUIRE` names, with
//! spaces between them, what must be there: `.ci/run` names what it has installed. A test that needs one of these and does not find it
//! fails.

use std::io::Write;

/// The variable with what must be there.
const REQUIRED: &str = "INTERLOCK_TEST_REQUIRE";

/// This test is skipped for want of `needed`, which is one word.
///
/// # Panics
/// If it is required here.
pub fn skipped(needed: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let required = std::env::var(REQUIRED).unwrap_or_default();
    let line = line(&test, needed, why, &required).unwrap_or_else(|must| panic!("{must}"));
    // If stderr is closed, nobody reads it.
    let _written = writeln!(std::io::stderr(), "{line}");
}

fn line(test: &str, needed: &str, why: &str, required: &str) -> Result<String, String> {
    if required.split_whitespace().any(|required| required == needed) {
        return Err(format!("{needed} is required here ({REQUIRED}), and cannot be used: {why}"));
    }
    Ok(format!("skipped: {test}, because {why}"))
}

#[test]
fn what_is_required_is_not_skipped() {
    let of = |required: &str| line("t", "python-sdk", "there is no python3", required);
    assert_eq!(of("").unwrap(), "skipped: t, because there is no python3");
    assert!(of("python promtool").is_ok());
    assert!(of("promtool python-sdk").unwrap_err().contains("python-sdk is required here"));
}
