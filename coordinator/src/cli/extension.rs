//! `temporal interlock …`: the program as an extension of Temporal's CLI, which runs `temporal-interlock` from PATH.
//!
//! Temporal's CLI puts its own global flags in front of all other arguments, wherever a person wrote them:
//! `temporal interlock order list --profile blue` runs `temporal-interlock --profile blue order list`. Interlock has the flags of the
//! connection after the command, so those are moved there.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The name of the program as an extension.
const PROGRAM: &str = "temporal-interlock";
/// How it is then called.
const CALLED: &str = "temporal interlock";

/// Global flags of Temporal's CLI that have a value, besides those that are Interlock's own global flags, too.
const WITH_VALUE: [&str; 6] =
    ["--client-connect-timeout", "--config-file", "--env", "--env-file", "--profile", "--time-format"];
/// Global flags of Temporal's CLI without a value.
const WITHOUT_VALUE: [&str; 3] = ["--disable-config-env", "--disable-config-file", "--no-json-shorthand-payloads"];
/// Flags that both have, and with the same meaning. They stay where they are.
const OF_BOTH: [&str; 5] = ["--color", "--log-format", "--log-level", "--output", "-o"];
/// The time limit of a command. Temporal's CLI observes it by itself: it ends the extension.
const COMMAND_TIMEOUT: &str = "--command-timeout";

/// How the program is called in its help, if it runs as an extension.
pub(super) fn called(arguments: &[OsString]) -> Option<&'static str> {
    let program = arguments.first().map(Path::new)?;
    (program.file_stem() == Some(OsStr::new(PROGRAM))).then_some(CALLED)
}

/// The arguments of `interlock` that mean what these arguments mean, the first of which is the program's own name. They are the same,
/// unless the program runs as an extension.
pub(super) fn as_interlock(arguments: Vec<OsString>) -> Vec<OsString> {
    if called(&arguments).is_none() {
        return arguments;
    }
    let mut left = arguments.into_iter();
    let mut kept: Vec<OsString> = left.next().into_iter().collect();
    let mut moved = Vec::new();
    let mut rest = Vec::new();
    while let Some(argument) = left.next() {
        let text = argument.to_string_lossy().into_owned();
        let (name, is_joined) = text.split_once('=').map_or((text.as_str(), false), |(name, _)| (name, true));
        let with_value = WITH_VALUE.contains(&name) || name == COMMAND_TIMEOUT || OF_BOTH.contains(&name);
        if !with_value && !WITHOUT_VALUE.contains(&name) {
            rest.push(argument);
            break;
        }
        let value = if with_value && !is_joined { left.next() } else { None };
        match name {
            COMMAND_TIMEOUT => {}
            name if OF_BOTH.contains(&name) => kept.extend([argument].into_iter().chain(value)),
            _ => moved.extend([argument].into_iter().chain(value)),
        }
    }
    rest.extend(left);
    // After `--` there are no flags any more.
    let end = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    rest.splice(end..end, moved);
    kept.extend(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(program: &str, line: &str) -> String {
        let arguments = [program].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        let read = as_interlock(arguments);
        read[1..].iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_that_temporal_moves_to_the_front_are_put_after_the_command() {
        let extension = |line| read("/usr/bin/temporal-interlock", line);
        for (given, meant) in [
            ("order list --address h:1", "order list --address h:1"),
            ("--profile blue order list --all", "order list --all --profile blue"),
            ("--profile=blue order list", "order list --profile=blue"),
            (
                "-o json --profile blue --disable-config-env order list",
                "-o json order list --profile blue --disable-config-env",
            ),
            ("--client-connect-timeout 2s route x -- --y", "route x --client-connect-timeout 2s -- --y"),
            ("--command-timeout 2s order list", "order list"),
            ("--command-timeout=2s --color never order list", "--color never order list"),
            ("--tenant x order list --profile", "--tenant x order list --profile"),
            ("--time-format raw order list", "order list --time-format raw"),
        ] {
            assert_eq!(extension(given), meant);
        }
        assert_eq!(read("interlock", "--profile blue order list"), "--profile blue order list");
    }

    #[test]
    fn a_flag_without_its_value_is_left_for_the_parser_to_refuse() {
        assert_eq!(read("temporal-interlock", "--profile"), "--profile");
    }

    #[test]
    fn only_the_extension_is_called_otherwise() {
        let called = |program: &str| called(&[OsString::from(program)]);
        assert_eq!(called("/opt/bin/temporal-interlock"), Some("temporal interlock"));
        assert_eq!(called("temporal-interlock.exe"), Some("temporal interlock"));
        assert_eq!((called("interlock"), called("/opt/temporal-interlock/interlock")), (None, None));
    }
}
