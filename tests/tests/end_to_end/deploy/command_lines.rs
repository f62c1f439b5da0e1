//! Command lines, read by the program's own parser.

use std::ffi::OsString;

use interlock_coordinator::cli::check_arguments;

/// What is wrong with the arguments of `interlock`, without its name.
pub(super) fn fault(arguments: &[String]) -> Option<String> {
    let own_name = std::iter::once(OsString::from("interlock"));
    check_arguments(own_name.chain(arguments.iter().map(OsString::from))).err()
}

#[test]
fn a_wrong_argument_is_found() {
    let line = |text: &str| fault(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(line("worker --workload entity"), None);
    assert_eq!(line("--help"), None);
    for wrong in ["wroker", "worker --workload entities", "worker --workload entity --port 1", "order why"] {
        assert!(line(wrong).is_some(), "{wrong}");
    }
}
