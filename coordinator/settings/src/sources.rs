//! Reading the layers: file, environment, flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::limits::EntityLimits;
use interlock_fault::{Fault, with_causes};

use super::variables::{CONFIG_VARIABLE, VARIABLES};
use super::workers::{WORKLOAD_KEYS, WorkloadDefaults, variable_name};
use super::{Settings, secrets};

/// The settings file that is read if none is named and this one exists in the working directory.
pub const CONFIG_FILE_DEFAULT: &str = "interlock.toml";

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct SettingsSources {
    /// The file named by `--config`.
    pub config_file: Option<PathBuf>,
    /// The environment, by variable. An empty value counts as not set.
    pub environment: BTreeMap<String, String>,
    /// What flags set: the flag, the key and the value, as given on the command line.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// The directory in which [`CONFIG_FILE_DEFAULT`] is searched; if none, it is not searched.
    pub working_directory: Option<PathBuf>,
}

impl SettingsSources {
    /// This process's environment and working directory, and no flags.
    pub fn from_environment() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("INTERLOCK_"))
            .collect();
        Self { config_file: None, environment, flags: Vec::new(), working_directory: Some(PathBuf::from(".")) }
    }

    /// A variable with a value that is not empty.
    fn variable(&self, name: &str) -> Option<&String> {
        self.environment.get(name).filter(|value| !value.is_empty())
    }

    /// The file to read: the one that is named, or the default one if it exists.
    fn file(&self) -> Option<PathBuf> {
        let named = self.config_file.clone().or_else(|| self.variable(CONFIG_VARIABLE.name).map(PathBuf::from));
        let by_default =
            || self.working_directory.as_ref().map(|of| of.join(CONFIG_FILE_DEFAULT)).filter(|f| f.is_file());
        named.or_else(by_default)
    }
}

/// Reads and layers them; the values themselves are not checked beyond their types.
pub(super) fn read(sources: &SettingsSources) -> Result<Settings, Fault> {
    let mut builder = Config::builder();
    let mut warnings = Vec::new();
    if let Some(file) = sources.file() {
        let (text, in_file) = read_file(&file)?;
        warnings.extend(secrets::warning(&file, &in_file));
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let mut environment = Layer::default();
    for variable in VARIABLES {
        if let (Some(key), Some(value)) = (variable.key, sources.variable(variable.name)) {
            environment.0.push(Entry { key: key.to_owned(), value: value.clone(), origin: variable.name.to_owned() });
        }
    }
    environment.0.extend(of_workloads(sources));
    let flags = sources.flags.iter().map(|(flag, key, value)| Entry {
        key: (*key).to_owned(),
        value: value.clone(),
        origin: (*flag).to_owned(),
    });
    builder = builder.add_source(environment).add_source(Layer(flags.collect()));
    let read: Settings = builder.build().and_then(Config::try_deserialize).map_err(|error| invalid(&error))?;
    Ok(Settings { warnings, ..read })
}

/// The values that the variables of the workloads' tables set.
fn of_workloads(sources: &SettingsSources) -> Vec<Entry> {
    let keys =
        WorkloadDefaults::ALL.iter().flat_map(|(workload, _)| WORKLOAD_KEYS.iter().map(move |of| (*workload, of.key)));
    let set = keys.filter_map(|(workload, key)| {
        let origin = variable_name(workload, key);
        let value = sources.variable(&origin)?.clone();
        Some(Entry { key: format!("workers.{workload}.{key}"), value, origin })
    });
    set.collect()
}

/// Reads a settings file and checks it alone, so that a fault in it is reported with its line.
fn read_file(file: &Path) -> Result<(String, Settings), Fault> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Fault::wrong_use(
            ErrorCode::SettingsFileUnreadable,
            format!("The settings file {name} cannot be read: {error}."),
        )
    })?;
    let malformed = |detail: String| {
        Fault::wrong_use(ErrorCode::SettingsFileMalformed, format!("The settings file {name} is invalid: {detail}"))
    };
    let in_file = toml::from_str::<Settings>(&text);
    let in_file = in_file.map_err(|error| malformed(error.to_string().trim_end().to_owned()))?;
    if let Some(key) = unknown_limit(&text) {
        return Err(malformed(format!("[limits] has no setting '{key}'.")));
    }
    if let Some(ignored) = ignored_by_target(&text, &in_file) {
        return Err(malformed(ignored));
    }
    Ok((text, in_file))
}

/// A setting of a target that its kind of adapter does not use, with what to do, as a sentence.
fn ignored_by_target(text: &str, in_file: &Settings) -> Option<String> {
    let file: toml::Table = toml::from_str(text).ok()?;
    let targets = file.get("targets")?.as_table()?;
    in_file.targets.iter().find_map(|(target, settings)| {
        let given = targets.get(target.as_str())?.as_table()?.keys().map(String::as_str);
        let (key, kinds) = settings.adapter.ignored(given)?;
        Some(format!(
            "[targets.{target}] has adapter = \"{}\", which ignores '{key}': it is for {kinds}. Remove it.",
            settings.adapter.as_str()
        ))
    })
}

/// A key of `[limits]` that does not exist: the type belongs to the domain and travels in messages, so it accepts unknown keys.
fn unknown_limit(text: &str) -> Option<String> {
    let file: toml::Table = toml::from_str(text).ok()?;
    let known = serde_json::to_value(EntityLimits::default()).ok()?;
    file.get("limits")?.as_table()?.keys().find(|key| known.get(key.as_str()).is_none()).cloned()
}

fn invalid(error: &ConfigError) -> Fault {
    // The origin of a value is the flag or variable it came from.
    Fault::wrong_use(ErrorCode::SettingInvalid, format!("A setting cannot be read: {}.", with_causes(error)))
}

/// One layer of single values.
#[derive(Debug, Clone, Default)]
struct Layer(Vec<Entry>);

/// A value, and the flag or variable it came from.
#[derive(Debug, Clone)]
struct Entry {
    key: String,
    value: String,
    origin: String,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |entry: &Entry| Value::new(Some(&entry.origin), ValueKind::String(entry.value.clone()));
        Ok(self.0.iter().map(|entry| (entry.key.clone(), value(entry))).collect())
    }
}
