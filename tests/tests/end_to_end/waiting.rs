//! Waiting for a condition, with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// The time limit of a condition: much longer than needed, even on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
/// The pause between the first checks.
const PAUSE: Duration = Duration::from_millis(25);
/// The longest pause between two checks.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// A pause is this part of the time that has passed: most checks ask entities, and many waiting tests would keep the machine busy.
const PART_OF_WAIT: u32 = 10;

/// Checks repeatedly until there is an answer. `None` if there is none in time.
pub async fn until_or_give_up<T, F, Looking>(look: F) -> Option<T>
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    looked_for(LIMIT, PAUSE, look).await
}

/// The same within this limit, with at least this pause between two checks: many frequent checks are a load themselves.
pub async fn looked_for<T, F, Looking>(limit: Duration, pause: Duration, mut look: F) -> Option<T>
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(answer) = look().await {
            return Some(answer);
        }
        let longer = (began.elapsed() / PART_OF_WAIT).min(PAUSE_MAX);
        tokio::time::sleep(longer.max(pause)).await;
    }
    None
}

/// Checks repeatedly until there is an answer.
///
/// # Panics
/// If there is none in time. `what` describes what was awaited.
pub async fn until<T, F, Looking>(what: impl std::fmt::Display, look: F) -> T
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    let found = until_or_give_up(look).await;
    found.unwrap_or_else(|| panic!("not within {} s: {what}", LIMIT.as_secs()))
}

/// The same with a longer limit.
///
/// # Panics
/// If there is none in time.
pub async fn until_within<T, F, Looking>(limit: Duration, what: impl std::fmt::Display, look: F) -> T
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    let found = looked_for(limit, PAUSE, look).await;
    found.unwrap_or_else(|| panic!("not within {} s: {what}", limit.as_secs()))
}

/// The same for a condition that can be checked without waiting.
pub async fn until_true(what: &str, is_so: impl Fn() -> bool) {
    until(what, || std::future::ready(is_so().then_some(()))).await;
}
