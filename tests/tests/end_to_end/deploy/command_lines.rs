//! Command lines, read by the program's own parser.

use std::ffi::OsString;

use interlock_coordinator::cli::check_arguments;

/// Commands that are being built in parallel. Their lines are held against the parser as soon as it knows them.
const ARRIVING: [&[&str]; 4] = [&["bootstrap"], &["resource", "import"], &["tenant"], &["codec-server"]];

/// What is wrong with the arguments of `interlock`, without its name.
pub(super) fn fault(arguments: &[String]) -> Option<String> {
    let check = |arguments: &[String]| {
        let own_name = std::iter::once(OsString::from("interlock"));
        check_arguments(own_name.chain(arguments.iter().map(OsString::from)))
    };
    let fault = check(arguments).err()?;
    let arriving = |words: &[&str]| {
        let begins_so = words.iter().zip(arguments).filter(|(word, argument)| *word == argument).count() == words.len();
        let help: Vec<String> = words.iter().map(|word| (*word).to_owned()).chain(["--help".to_owned()]).collect();
        begins_so && check(&help).is_err()
    };
    (!ARRIVING.iter().any(|words| arriving(words))).then_some(fault)
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
