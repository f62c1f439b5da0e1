//! What reaches an entity, whoever sent it, and states that were stored.

use crate::entity::Entity;

/// The most lines of an input that are taken.
const LINES_MAX: usize = 60;
/// After how many lines the state is written and read again: this takes most of the time.
const LINES_BETWEEN_CHECKS: usize = 8;
/// The beginning of the line with a stored state.
const CARRIED: &str = "carried ";

/// The workflow id of an entity, then what reaches it, a line each: the name of a signal, an update, a query or a result, and its JSON.
/// `at MILLISECONDS` sets the clock.
///
/// # Panics
/// If the state does not read the same after it was written, if an epoch does not grow, if a text that is kept or the state is too long,
/// if the entity would be woken without end, or if a rejected event changes anything.
pub fn messages(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let Some(mut entity) = lines.next().and_then(Entity::new) else { return };
    lives(&mut entity, lines, true);
}

/// The same with a stored state, which comes in the second line after `carried `.
///
/// # Panics
/// If the state does not read the same after it was written.
pub fn states(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let workflow_id = lines.next().unwrap_or_default();
    let carried = lines.next().and_then(|line| line.strip_prefix(CARRIED));
    let Some(mut entity) = carried.and_then(|state| Entity::carried(workflow_id, state)) else { return };
    entity.check(false);
    entity.receives("resumed");
    lives(&mut entity, lines, false);
}

/// Everything arrives, line by line; `is_own` if the entity itself came to its state.
fn lives<'a>(entity: &mut Entity, lines: impl Iterator<Item = &'a str>, is_own: bool) {
    for (number, line) in lines.take(LINES_MAX).filter(|line| !line.starts_with(CARRIED)).enumerate() {
        entity.receives(line);
        entity.check_promises(is_own);
        if number % LINES_BETWEEN_CHECKS == LINES_BETWEEN_CHECKS - 1 {
            entity.check(is_own);
        }
    }
    entity.check(is_own);
}
