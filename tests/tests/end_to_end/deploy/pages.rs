//! The commands in the documentation.

use super::command_lines::{fault, fault_alone};
use super::manifests::{files, repository, text};

/// A command of a page.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    arguments: Vec<String>,
    /// Whether the line names its settings, or runs in an environment that has them.
    configured: bool,
}

/// The texts that may precede the arguments of `interlock` in a shell.
const NAMES: [&str; 5] =
    ["cargo run --release -- ", "cargo run -- ", "interlock ", "temporal interlock ", "./interlock "];

/// The Interlock commands in the fenced blocks of a page.
fn lines(page: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let (mut fenced, mut continued) = (false, String::new());
    for (index, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\').filter(|_| fenced) {
            continued += begun;
            continue;
        }
        let whole = std::mem::take(&mut continued) + line;
        if fenced && let Some(arguments) = arguments(&whole) {
            let in_container = ["docker ", "kubectl "].iter().any(|name| whole.trim_start().starts_with(name));
            let configured = in_container || ["INTERLOCK_CONFIG=", "--config "].iter().any(|it| whole.contains(it));
            found.push(Line { number: index + 1, arguments, configured });
        }
    }
    found
}

/// The arguments of `interlock` in a shell line, if the line calls it.
fn arguments(line: &str) -> Option<Vec<String>> {
    let mut rest = line.trim_start().trim_start_matches("$ ");
    // After a container command: `docker compose … exec gateway interlock …`, `kubectl … -- interlock …`.
    if rest.starts_with("kubectl ") {
        return first_command(rest.split_once(" -- interlock ")?.1);
    }
    if rest.starts_with("docker ") {
        return first_command(rest.split_once(" exec ")?.1.split_once(" interlock ")?.1);
    }
    while let Some((word, after)) = rest.split_once(' ') {
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        });
        if !is_assignment {
            break;
        }
        rest = after;
    }
    first_command(NAMES.iter().find_map(|name| rest.strip_prefix(name))?)
}

/// The words up to the end of the command: a pipe, a redirection, another command, a comment.
fn first_command(text: &str) -> Option<Vec<String>> {
    let words = shlex::split(text)?;
    let ends = |word: &String| matches!(word.as_str(), "|" | "&&" | ";" | ">" | "<" | "2>" | "&" | "||");
    Some(words.into_iter().take_while(|word| !ends(word)).collect())
}

#[test]
fn commands_are_found_in_every_notation() {
    let page = "interlock not fenced\n```sh\n$ interlock order why ID   # a comment\nA=1 cargo run -- dev \\\n  --db x | jq .\n\
                kubectl exec -n interlock x -- interlock sweep\nkubectl -n interlock get pods\ninterlocked x\n```\n";
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let found: Vec<_> = lines(page).into_iter().map(|line| (line.number, line.arguments)).collect();
    assert!(lines("```\nINTERLOCK_CONFIG=a interlock gateway\n```").remove(0).configured);
    assert!(!lines("```\ninterlock gateway\n```").remove(0).configured);
    assert_eq!(found, [(3, words("order why ID")), (5, words("dev --db x")), (6, words("sweep"))]);
}

#[test]
fn every_command_in_the_documentation_is_valid() {
    let mut all = 0;
    for page in files(&repository(), &[".md"]) {
        for line in lines(&text(&page)) {
            all += 1;
            let fault = if line.configured { fault(&line.arguments) } else { fault_alone(&line.arguments) };
            assert_eq!(fault, None, "{}:{}: interlock {}", page.display(), line.number, line.arguments.join(" "));
        }
    }
    assert!(all > 20, "only {all} commands were found in the pages");
}
