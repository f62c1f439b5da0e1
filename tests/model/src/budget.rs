//! How much the tests explore: little in every build, and more if there is time.

/// The most states of one world to explore: `INTERLOCK_MODEL_STATES`, or the default.
///
/// # Panics
/// If the variable is not a number.
pub fn states_max(usual: usize) -> usize {
    from_environment("INTERLOCK_MODEL_STATES").map_or(usual, |states| usize::try_from(states).unwrap_or(usize::MAX))
}

/// The seeds of random runs: `INTERLOCK_MODEL_RUNS` of them, or the default number, starting at `first`; or only the seed in
/// `INTERLOCK_SEED`.
///
/// # Panics
/// If a variable is not a number.
pub fn seeds(first: u64, usual: u64) -> std::ops::Range<u64> {
    match from_environment("INTERLOCK_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + from_environment("INTERLOCK_MODEL_RUNS").unwrap_or(usual),
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not '{text}'")))
}
