//! Command lines, parsed by the program's own parser.

use std::ffi::OsString;

use interlock_coordinator::cli::{check_arguments, check_service};
use interlock_settings::SettingsSources;

/// The fault in the arguments of `interlock`, without its name.
pub(super) fn fault(arguments: &[String]) -> Option<String> {
    let own_name = std::iter::once(OsString::from("interlock"));
    check_arguments(own_name.chain(arguments.iter().map(OsString::from))).err()
}

/// The fault in them, and why a service would not start with them if nothing else is configured.
pub(super) fn fault_alone(arguments: &[String]) -> Option<String> {
    let own_name = std::iter::once(OsString::from("interlock"));
    let arguments = own_name.chain(arguments.iter().map(OsString::from));
    check_service(arguments, SettingsSources::default()).err()
}

#[test]
fn a_service_that_would_refuse_to_start_is_found() {
    let line = |text: &str| fault_alone(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(line("codec-server --listen 127.0.0.1:8089 --cors-origin https://temporal.example"), None);
    assert_eq!(line("gateway"), None);
    for refused in ["codec-server --listen 0.0.0.0:8081", "codec-server --cors-origin *", "gateway --listen 0.0.0.0:80"]
    {
        assert!(line(refused).is_some(), "{refused}");
    }
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
