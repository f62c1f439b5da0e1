//! The adapter files that come with Interlock.

/// Their names and texts.
pub const SHIPPED: [(&str, &str); 7] = [
    ("espocrm.toml", include_str!("../../connectors/espocrm.toml")),
    ("hubspot.toml", include_str!("../../connectors/hubspot.toml")),
    ("portaone-api.toml", include_str!("../../connectors/portaone-api.toml")),
    ("portaone-nsps.toml", include_str!("../../connectors/portaone-nsps.toml")),
    ("salesforce.toml", include_str!("../../connectors/salesforce.toml")),
    ("tmf640.toml", include_str!("../../connectors/tmf640.toml")),
    ("tryton.toml", include_str!("../../connectors/tryton.toml")),
];

/// The text of the file of this name, e.g. `espocrm.toml`.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declarative::check;

    #[test]
    fn no_shipped_file_has_a_fault() {
        for (name, text) in SHIPPED {
            assert_eq!(check(text), [], "{name}");
        }
    }
}
