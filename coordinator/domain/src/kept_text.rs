//! Texts from outside, as far as entities keep them: what a worker, a target or a sender says may be of any length, and an entity keeps
//! hundreds of such texts in a state of limited size.

/// The longest text that an entity keeps of what somebody says, in bytes: twice the longest reason of a person, which texts may quote.
pub const KEPT_TEXT_BYTES_MAX: usize = 2_000;

/// What follows the part of a text that is kept.
const REST: &str = " …";

/// The text, or its first part if it is longer than [`KEPT_TEXT_BYTES_MAX`].
pub fn kept(text: impl Into<String>) -> String {
    let mut text = text.into();
    if text.len() > KEPT_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(KEPT_TEXT_BYTES_MAX - REST.len()));
        text.push_str(REST);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_up_to_its_limit_and_never_cut_within_a_character() {
        assert_eq!(kept("x".repeat(KEPT_TEXT_BYTES_MAX)), "x".repeat(KEPT_TEXT_BYTES_MAX));
        for (long, character) in
            [("x".repeat(KEPT_TEXT_BYTES_MAX + 1), 1), ("é".repeat(5_000), 2), ("📞".repeat(5_000), 4)]
        {
            let kept = kept(long.clone());
            assert!((KEPT_TEXT_BYTES_MAX - character..=KEPT_TEXT_BYTES_MAX).contains(&kept.len()), "{}", kept.len());
            assert!(long.starts_with(kept.strip_suffix(REST).unwrap()));
        }
    }
}
