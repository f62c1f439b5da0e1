//! Why an adapter could not be created or found.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_domain::toml_text::TomlFault;
use thiserror::Error;

/// Why an adapter could not be created or found.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The base URL is not an http or https URL.
    #[error(
        "target '{target}': '{base_url}' is not an http or https URL; write it as http://HOST:PORT in \
         [targets.{target}]"
    )]
    BaseUrl {
        /// The target.
        target: TargetId,
        /// Its base URL as given.
        base_url: String,
    },
    /// The base URL is missing, and the adapter needs one.
    #[error("target '{target}': the base URL is missing; set base_url in [targets.{target}]")]
    BaseUrlMissing {
        /// The target.
        target: TargetId,
    },
    /// The URL of a receiver leads to an address that it may not have.
    #[error("target '{target}': its URL leads to an address that receivers may not have")]
    AddressForbidden {
        /// The target.
        target: TargetId,
    },
    /// A receiver of ESPF statuses needs a group.
    #[error("target '{target}': format = \"espf\" needs espf_group in [targets.{target}], e.g. \"HSS\"")]
    EspfGroupMissing {
        /// The target.
        target: TargetId,
    },
    /// The settings require reading back, and the target cannot be read.
    #[error(
        "target '{target}': on_ambiguous = \"verify\" needs verify = true in [targets.{target}]; choose resend, hold \
         or give_up"
    )]
    NotVerified {
        /// The target.
        target: TargetId,
    },
    /// The condition for a success is invalid.
    #[error("target '{target}': 'success' in [targets.{target}] is invalid: {}", first(faults))]
    Success {
        /// The target.
        target: TargetId,
        /// All of its faults.
        faults: Vec<TomlFault>,
    },
    /// A secret or header name has characters that HTTP headers cannot contain.
    #[error(
        "target '{target}': its auth contains characters that an HTTP header cannot carry; check [targets.{target}] \
         auth"
    )]
    Authentication {
        /// The target.
        target: TargetId,
    },
    /// The adapter file is not named or cannot be read.
    #[error("target '{target}': {detail}; name the adapter file in [targets.{target}] file")]
    AdapterFile {
        /// The target.
        target: TargetId,
        /// The cause.
        detail: String,
    },
    /// The adapter file has faults.
    #[error(
        "target '{target}': the adapter file '{file}' has {} error(s), the first is {}; `interlock catalog check \
         {file}` lists all of them",
        faults.len(), first(faults)
    )]
    AdapterFileFaults {
        /// The target.
        target: TargetId,
        /// The file.
        file: String,
        /// All of its faults.
        faults: Vec<TomlFault>,
    },
    /// The settings promise the target URLs for call backs, and its adapter file does not send them.
    #[error(
        "target '{target}': callbacks = true in [targets.{target}], and its adapter file '{file}' never uses callback_url; \
         remove the setting, or send the URL with the requests"
    )]
    CallbacksUnused {
        /// The target.
        target: TargetId,
        /// The file.
        file: String,
    },
    /// A parameter of the adapter file has no value, or the settings give one that the file does not declare.
    #[error("target '{target}': {detail}; see [targets.{target}.parameters]")]
    Parameter {
        /// The target.
        target: TargetId,
        /// Which parameter, and why.
        detail: String,
    },
    /// A secret is missing at the place that the adapter file names, or it is invalid.
    #[error("target '{target}': {detail}")]
    Secret {
        /// The target.
        target: TargetId,
        /// Which secret, and what to do. It never contains the secret.
        detail: String,
    },
    /// The HTTP client could not be created.
    #[error(
        "target '{target}': the HTTP client cannot be created ({detail}); check its settings in [targets.{target}]"
    )]
    Client {
        /// The target.
        target: TargetId,
        /// The cause.
        detail: String,
    },
    /// The settings do not name this target.
    #[error("target '{target}' is not configured; add [targets.{target}] to interlock.toml")]
    UnknownTarget {
        /// The target.
        target: TargetId,
    },
}

impl RegistryError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BaseUrl { .. } => ErrorCode::TargetBaseUrlInvalid,
            Self::BaseUrlMissing { .. } => ErrorCode::TargetBaseUrlMissing,
            Self::AddressForbidden { .. } => ErrorCode::CallbackForbidden,
            Self::NotVerified { .. } => ErrorCode::TargetNotVerified,
            Self::Success { .. } => ErrorCode::TargetSuccessInvalid,
            Self::Authentication { .. } => ErrorCode::TargetAuthInvalid,
            Self::AdapterFile { .. } => ErrorCode::TargetAdapterFileMissing,
            Self::AdapterFileFaults { .. } => ErrorCode::TargetAdapterFileFaulty,
            Self::CallbacksUnused { .. } | Self::EspfGroupMissing { .. } => ErrorCode::SettingInvalid,
            Self::Parameter { .. } => ErrorCode::TargetParameterInvalid,
            Self::Secret { .. } => ErrorCode::TargetSecretMissing,
            Self::Client { .. } => ErrorCode::TargetClientFailed,
            Self::UnknownTarget { .. } => ErrorCode::TargetUnknown,
        }
    }
}

fn first(faults: &[TomlFault]) -> String {
    faults.first().map(TomlFault::to_string).unwrap_or_default()
}
