//! The secrets whose text is in the settings: none may be empty, and a file that contains one should not be readable by others.

use std::path::Path;

use interlock_adapters::Secret;
use secrecy::ExposeSecret;

use super::{KeySource, Settings};

/// Each secret that is a [`Secret`], with its key.
fn secrets(settings: &Settings) -> impl Iterator<Item = (String, &Secret)> {
    let of_gateway = settings.gateway.tokens.iter().map(|of| &of.token).enumerate();
    let of_codec = settings.codec.server.tokens.iter().map(|of| &of.token).enumerate();
    let of_callbacks = settings.callbacks.iter().flat_map(|of| &of.keys).enumerate();
    let of_subscriptions = settings.subscriptions.keys.iter().enumerate();
    let of_broker = [("broker.password", &settings.broker.password), ("broker.token", &settings.broker.token)];
    let of_broker = of_broker.into_iter().filter_map(|(key, secret)| Some((key.to_owned(), secret.as_ref()?)));
    let of_targets = settings.targets.iter().filter_map(|(target, of)| Some((target, of.auth.secret()?)));
    let of_receivers = settings.targets.iter().flat_map(|(target, of)| {
        of.signing_keys.iter().enumerate().map(move |(index, secret)| (target, index, secret))
    });
    let of_espf = settings.espf.iter().flat_map(|(tenant, of)| of.secrets().map(move |secret| (tenant, secret)));
    of_gateway
        .map(|(index, secret)| (format!("gateway.tokens, number {}", index + 1), secret))
        .chain(of_codec.map(|(index, secret)| (format!("codec.server.tokens, number {}", index + 1), secret)))
        .chain(of_callbacks.map(|(index, secret)| (format!("callbacks.keys, number {}", index + 1), secret)))
        .chain(of_subscriptions.map(|(index, secret)| (format!("subscriptions.keys, number {}", index + 1), secret)))
        .chain(of_broker)
        .chain(of_espf.map(|(tenant, (key, secret))| (format!("espf.{tenant}.{key}"), secret)))
        .chain(of_targets.map(|(target, secret)| (format!("targets.{target}.auth"), secret)))
        .chain(
            of_receivers.map(|(target, index, secret)| {
                (format!("targets.{target}.signing_keys, number {}", index + 1), secret)
            }),
        )
}

/// The key of the first secret that is empty or blank. Secrets that are stored elsewhere are checked when they are read.
pub(super) fn blank(settings: &Settings) -> Option<String> {
    secrets(settings).find(|(_, secret)| secret.is_blank()).map(|(key, _)| key)
}

/// Whether the key that hides resource ids is empty or blank.
pub(super) fn has_blank_id_key(settings: &Settings) -> bool {
    settings.id_key.as_ref().is_some_and(|key| key.expose_secret().trim().is_empty())
}

/// A warning if a file contains secrets and every user of this machine can read it.
pub(super) fn warning(file: &Path, in_file: &Settings) -> Option<String> {
    let has_texts = secrets(in_file).any(|(_, secret)| secret.is_text())
        || in_file.id_key.is_some()
        || in_file.codec.keys.values().any(|key| matches!(key, KeySource::Inline(_)));
    (has_texts && is_readable_by_others(file)).then(|| {
        format!(
            "the settings file {} contains secrets, and every user of this machine can read it: remove that permission \
             (chmod o-r), or move the secrets elsewhere ({{ file = \"PATH\" }})",
            file.display()
        )
    })
}

#[cfg(unix)]
fn is_readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_file: &Path) -> bool {
    false
}
