//! The mappings that come with Interlock.

/// Their names and texts.
pub const SHIPPED: [(&str, &str); 1] = [("portaone-espf.toml", include_str!("../../mappings/portaone-espf.toml"))];

/// The text of the mapping of this name, e.g. `portaone-espf.toml`.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}
