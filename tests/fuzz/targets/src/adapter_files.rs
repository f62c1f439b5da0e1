//! Adapter files: whatever text is a valid file makes bounded requests.

use std::io::Write as _;

use interlock_adapters::{DeclarativeAdapter, declarative, mapping};
use interlock_domain::ids::TargetId;
use tempfile::NamedTempFile;

use crate::explained;
use crate::target_stub::{SECRET, TargetStub};

/// The line between an adapter file and a call. In TOML it is a comment.
const CALL_FOLLOWS: &str = "\n#---\n";
/// The most operations of a file that are called.
const OPERATIONS_MAX: usize = 3;

thread_local! {
    static STUB: TargetStub = TargetStub::new();
}

/// An adapter file; after a line `#---`, a call (`call OPERATION DATA`, `find_holder KIND/ID`, …) and the target's answers, a line each.
/// Without them, each of its operations is called with usual data.
///
/// # Panics
/// If a fault has no place or code, if checking a file twice finds other faults, or if a valid file makes a call too long or too large.
pub fn adapter_files(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, calls) = match text.split_once(CALL_FOLLOWS) {
        Some((file, calls)) => (file, Some(calls)),
        None => (&*text, None),
    };
    explained::toml_faults(file, &mapping::check(file));
    let faults = declarative::check(file);
    explained::toml_faults(file, &faults);
    assert_eq!(declarative::check(file), faults);
    let Ok(operations) = declarative::operations(file) else {
        assert!(!faults.is_empty(), "a file without faults has no operations");
        return;
    };
    assert!(faults.is_empty(), "a file with faults has operations");
    // An outcome may repeat what the file says, and what is called.
    if file.contains(SECRET)
        || calls.is_some_and(|calls| calls.lines().next().is_some_and(|call| call.contains(SECRET)))
    {
        return;
    }
    STUB.with(|stub| {
        let Some(adapter) = adapter(stub, file) else { return };
        if let Some(calls) = calls {
            let mut lines = calls.split('\n');
            return stub.calls(&adapter, lines.next().unwrap_or_default(), lines);
        }
        for operation in operations.iter().filter(|name| !name.contains(' ')).take(OPERATIONS_MAX) {
            for word in ["call", "verify"] {
                let answers = ["200 {\"id\":\"1\"}", "200 []"];
                stub.calls(&adapter, &format!("{word} {operation}"), answers.into_iter());
            }
        }
        stub.calls(&adapter, "health", ["200 {}"].into_iter());
    });
}

/// The adapter of a file, unless the file needs parameters or secrets.
fn adapter(stub: &TargetStub, text: &str) -> Option<DeclarativeAdapter> {
    let mut file = NamedTempFile::new().ok()?;
    file.write_all(text.as_bytes()).ok()?;
    let mut settings = stub.settings("declarative");
    settings.file = Some(file.path().to_owned());
    let target: TargetId = "crm".parse().ok()?;
    DeclarativeAdapter::new(&target, &settings).ok()
}
