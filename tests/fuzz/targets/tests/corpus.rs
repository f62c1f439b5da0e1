//! Every target over its corpus and over deterministic changes of it, in the time that a test may take; and that every target is complete.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interlock_fuzz_targets::{FuzzTarget, TARGETS};

/// How long the changes of one target may take, unless `INTERLOCK_FUZZ_SECONDS` says otherwise.
const CHANGES_FOR: Duration = Duration::from_millis(700);
/// The most changes of one target.
const CHANGES_MAX: u64 = 3_000;
/// The largest input in the repository, and all of them together, in bytes.
const INPUT_BYTES_MAX: u64 = 32 * 1024;
const CORPUS_BYTES_MAX: u64 = 700 * 1024;

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The inputs of a target, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = home().join("corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// The words that are put into inputs: those of the dictionaries.
fn words() -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for name in ["json.dict", "toml.dict"] {
        let text = fs::read_to_string(home().join("dictionaries").join(name)).unwrap();
        for line in text.lines().filter(|line| line.starts_with('"')) {
            let word = line.trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\");
            words.push(word.into_bytes());
        }
    }
    words
}

/// Changes an input at a few places: bytes, words, repetitions, and parts of another input.
fn changed(random: &mut fastrand::Rng, input: &[u8], other: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
    let mut changed = input.to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=changed.len());
        let end = (at + random.usize(..=32)).min(changed.len());
        match random.u8(..7) {
            0 if at < changed.len() => changed[at] ^= 1 << random.u8(..8),
            1 => drop(changed.splice(at..end, [])),
            2 => drop(changed.splice(at..at, words[random.usize(..words.len())].iter().copied())),
            3 => drop(changed.splice(at..end, words[random.usize(..words.len())].iter().copied())),
            4 => {
                let part = changed[at..end].to_vec();
                drop(changed.splice(at..at, part));
            }
            5 => {
                let from = random.usize(..=other.len());
                let part = other[from..(from + random.usize(..=64)).min(other.len())].to_vec();
                drop(changed.splice(at..end, part));
            }
            _ => drop(changed.splice(at..end, random.i64(..).to_string().into_bytes())),
        }
    }
    changed
}

fn takes_its_corpus_and_changes_of_it((name, target): FuzzTarget) {
    let corpus = corpus(name);
    for (file, input) in &corpus {
        // A panic names the input by this line.
        println!("{}", file.display());
        target(input);
    }
    let for_ever =
        std::env::var("INTERLOCK_FUZZ_SECONDS").ok().map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let (begun, words) = (Instant::now(), words());
    for seed in 0.. {
        let is_over = match for_ever {
            Some(limit) => begun.elapsed() > limit,
            None => seed >= CHANGES_MAX || begun.elapsed() > CHANGES_FOR,
        };
        if is_over {
            break;
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let (file, input) = &corpus[random.usize(..corpus.len())];
        let (_, other) = &corpus[random.usize(..corpus.len())];
        let input = changed(&mut random, input, other, &words);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            println!("change {seed} of {}: {}", file.display(), input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

macro_rules! corpus_tests {
    ($($target:ident),*) => {
        $(#[test] fn $target() { takes_its_corpus_and_changes_of_it((stringify!($target), interlock_fuzz_targets::$target)); })*

        #[test]
        fn every_target_has_a_test() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

corpus_tests!(adapter_files, answers, bodies, catalogs, events, ids, messages, states);

/// The names of the files in a folder, without the ending.
fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries =
        fs::read_dir(home().join(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn every_target_has_a_wrapper_a_corpus_and_a_line_in_the_page() {
    let expected: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("fuzz_targets", ".rs"), expected);
    assert_eq!(names("corpus", ""), expected);
    let manifest = fs::read_to_string(home().join("Cargo.toml")).unwrap();
    let page = fs::read_to_string(home().join("../../CONTRIBUTING.md")).unwrap();
    for name in expected {
        let wrapper = fs::read_to_string(home().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(wrapper.contains(&format!("interlock_fuzz_targets::{name}(")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "{name} has no line in CONTRIBUTING.md");
        assert!(corpus(name).len() >= 5, "{name}");
    }
}

#[test]
fn the_corpus_is_small() {
    let sizes = TARGETS.iter().flat_map(|(name, _)| corpus(name)).map(|(file, input)| (file, input.len() as u64));
    let sizes: Vec<(PathBuf, u64)> = sizes.collect();
    let largest = sizes.iter().max_by_key(|(_, size)| *size).unwrap();
    assert!(largest.1 <= INPUT_BYTES_MAX, "{largest:?}");
    let total: u64 = sizes.iter().map(|(_, size)| size).sum();
    assert!(total <= CORPUS_BYTES_MAX, "{total} bytes");
}
