//! How much the tests explore: little enough for every build, and as much as somebody has time for.

/// How many states of one world are explored at most: `INTERLOCK_MODEL_STATES`, or else the usual number.
///
/// # Panics
/// Where the variable is no number.
pub fn states_max(usual: usize) -> usize {
    from_environment("INTERLOCK_MODEL_STATES").map_or(usual, |states| usize::try_from(states).unwrap_or(usize::MAX))
}

/// The seeds of random runs: `INTERLOCK_MODEL_RUNS` of them, or else the usual number, from `first`; or the one that
/// `INTERLOCK_SEED` names.
///
/// # Panics
/// Where a variable is no number.
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
