//! Flags that set a setting.

/// A flag, the setting that it sets, and the value.
pub(super) type SettingsFlag = (&'static str, &'static str, String);
