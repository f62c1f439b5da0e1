//! Settings of targets that an adapter kind does not use. One that is set all the same would promise something that nothing keeps.

use crate::settings::AdapterKind;
use AdapterKind::{Declarative, External, Intake, Json, Pyhss, Webhook};

/// The settings that not every kind uses, and the kinds that do.
const USED_BY: &[(&str, &[AdapterKind])] = &[
    ("base_url", &[Pyhss, Json, Declarative, Webhook]),
    ("auth", &[Pyhss, Json, Declarative, Webhook]),
    ("timeout", &[Pyhss, Json, Declarative, Webhook]),
    ("connect_timeout", &[Pyhss, Json, Declarative, Webhook]),
    ("retry_after_max", &[Pyhss, Json, Declarative, Webhook]),
    ("max_apply_delay", &[Pyhss, Json, Declarative]),
    ("concurrency", &[Pyhss, Json, Declarative, Webhook, Intake]),
    ("callbacks", &[Json, Declarative]),
    ("format", &[Webhook]),
    ("signing_keys", &[Webhook]),
    ("espf_group", &[Webhook]),
    ("espf_account", &[Webhook]),
    ("file", &[Declarative, Intake]),
    ("producer", &[Intake]),
    ("parameters", &[Declarative]),
    ("fence", &[Json]),
    ("idempotency_keys", &[Json]),
    ("verify", &[Json]),
    ("success", &[Json]),
    ("empty_success", &[Json]),
    ("releases", &[Json]),
    ("on_ambiguous", &[Json]),
    ("profiles", &[Pyhss]),
    ("ifc_path", &[Pyhss]),
    ("scan_rows_max", &[Pyhss]),
];

impl AdapterKind {
    /// The name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Pyhss => "pyhss",
            Json => "json",
            Declarative => "declarative",
            Webhook => "webhook",
            Intake => "intake",
            External => "external",
        }
    }

    /// The first of these settings of a target that this kind does not use, and the kinds that use it.
    pub fn ignored<'a>(self, settings: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, String)> {
        settings.into_iter().find_map(|setting| {
            let (_, kinds) = USED_BY.iter().find(|(name, kinds)| *name == setting && !kinds.contains(&self))?;
            Some((setting, kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::TargetSettings;

    const KINDS: [AdapterKind; 6] = [Pyhss, Json, Declarative, Webhook, Intake, External];

    #[test]
    fn each_setting_in_the_list_exists_and_each_other_one_is_for_all_kinds() {
        let unknown = json!({"adapter": "json", "no_such_setting": 1});
        let error = serde_json::from_value::<TargetSettings>(unknown).unwrap_err().to_string();
        // "unknown field `…`, expected one of `adapter`, `base_url`, …"
        let known: Vec<&str> = error.split('`').skip(1).step_by(2).filter(|name| *name != "no_such_setting").collect();
        for (name, kinds) in USED_BY {
            assert!(known.contains(name) && !kinds.is_empty(), "{name}: {known:?}");
        }
        let for_all: Vec<&&str> = known.iter().filter(|name| USED_BY.iter().all(|(used, _)| used != *name)).collect();
        assert_eq!(for_all, [&"adapter", &"rate_per_second", &"rate_per_tenant", &"maintenance", &"outage"]);
    }

    #[test]
    fn a_setting_is_ignored_by_the_kinds_that_are_not_listed() {
        assert_eq!(Json.ignored(["base_url", "profiles"]), Some(("profiles", "pyhss".to_owned())));
        assert_eq!(Pyhss.ignored(["fence"]), Some(("fence", "json".to_owned())));
        assert_eq!(Declarative.ignored(["success"]), Some(("success", "json".to_owned())));
        assert_eq!(External.ignored(["timeout"]), Some(("timeout", "pyhss, json, declarative, webhook".to_owned())));
        for kind in KINDS {
            assert_eq!(kind.ignored(["adapter", "rate_per_second", "rate_per_tenant", "maintenance", "outage"]), None);
        }
        for kind in [Pyhss, Json, Declarative] {
            assert_eq!(kind.ignored(["base_url", "auth", "timeout", "retry_after_max", "max_apply_delay"]), None);
        }
    }
}
