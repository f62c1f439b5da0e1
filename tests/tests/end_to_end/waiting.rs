//! Waiting for a condition, with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take: much longer than it does, even on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(90);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks again and again until there is an answer.
///
/// # Panics
/// Where there is none in time; `what` says what was waited for.
pub async fn until<T, F, Looking>(what: impl std::fmt::Display, mut look: F) -> T
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(began.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same for something that can be seen without waiting.
pub async fn until_true(what: &str, is_so: impl Fn() -> bool) {
    until(what, || std::future::ready(is_so().then_some(()))).await;
}
