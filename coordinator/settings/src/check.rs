//! Checks that types cannot express: ranges, and settings that must fit together.

use std::time::Duration;

use interlock_adapters::AdapterKind;
use interlock_domain::action_mark::ON_BEHALF_OF;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::limits::EntityLimits;
use interlock_domain::subscription::{OutgoingFormat, SubscriptionSettings, subscription_of};
use interlock_domain::target_entity::Rate;
use interlock_fault::Fault;
use url::Url;

use super::{SecondPersonSettings, Settings, secrets};

/// The server rejects signals from 10,000 in one run; this leaves some room for signals in flight.
const SIGNALS_MAX: u32 = 9_000;

fn invalid(setting: &str, reason: impl std::fmt::Display) -> Fault {
    Fault::wrong_use(ErrorCode::SettingInvalid, format!("The setting {setting} {reason}."))
}

/// Checks the settings after they were read.
pub(super) fn check(settings: &Settings) -> Result<(), Fault> {
    let gateway = &settings.gateway;
    if gateway.tokens.is_empty() && !gateway.listen.ip().is_loopback() {
        return Err(Fault::wrong_use(
            ErrorCode::GatewayWithoutTokens,
            format!(
                "The gateway would listen on {}, which other machines can reach, and no token is configured.",
                gateway.listen
            ),
        ));
    }
    if let Some((index, name)) = name_of_another(settings) {
        let message = format!(
            "The name '{name}' of gateway.tokens, number {}, contains '{}', which separates a caller from the person \
             that it acts for.",
            index + 1,
            ON_BEHALF_OF.trim()
        );
        return Err(Fault::wrong_use(ErrorCode::TokenNameForbidden, message));
    }
    if let Some(key) = secrets::blank(settings) {
        let message = format!("The secret in {key} is empty or blank.");
        return Err(Fault::wrong_use(ErrorCode::SecretEmpty, message));
    }
    if secrets::has_blank_id_key(settings) {
        let message = "The setting id_key is empty or blank.";
        return Err(Fault::wrong_use(ErrorCode::BadIdKey, message));
    }
    if let Some((key, reason)) = settings.http.fault() {
        return Err(invalid(&format!("http.{key}"), reason));
    }
    check_codec(settings)?;
    check_limits(&settings.limits)?;
    if let Some((key, reason)) = settings.workers.fault() {
        return Err(invalid(&key, reason));
    }
    if !(SecondPersonSettings::WITHIN_MIN..=SecondPersonSettings::WITHIN_MAX).contains(&settings.second_person.within) {
        return Err(invalid("second_person.within", "must be from 1 second to 7 days"));
    }
    if settings.sweep.interval < Duration::from_secs(1) {
        return Err(invalid("sweep.interval", "is less than 1 second"));
    }
    check_targets(settings)?;
    check_console(settings)?;
    check_callbacks(settings)?;
    check_espf(settings)?;
    check_tenants(settings)
}

/// The first token whose name would make its bearer look like another person in the journals.
fn name_of_another(settings: &Settings) -> Option<(usize, &str)> {
    let mut names =
        settings.gateway.tokens.iter().enumerate().filter_map(|(at, token)| Some((at, token.name.as_deref()?)));
    // With spaces around it, because the separator starts and ends with one.
    names.find(|(_, name)| format!(" {name} ").contains(ON_BEHALF_OF))
}

/// Checks which keys are named. Whether they can be used is checked when they are read, because not every command needs them.
fn check_codec(settings: &Settings) -> Result<(), Fault> {
    let codec = &settings.codec;
    if codec.encrypt && codec.current_key.is_some() && codec.keys.is_empty() && codec.keys_directory.is_none() {
        return Err(Fault::wrong_use(
            ErrorCode::CodecCurrentKeyMissing,
            "[codec] current_key is set, but there are no keys.",
        ));
    }
    Ok(())
}

fn check_targets(settings: &Settings) -> Result<(), Fault> {
    for (target, of_target) in &settings.targets {
        if subscription_of(target).is_some() {
            return Err(invalid(&format!("targets.{target}"), "has the name of a receiver that a tenant made itself"));
        }
        let rules = of_target.rules(settings.limits);
        rules.check().map_err(|fault| invalid(&format!("targets.{target}.{}", fault.key), fault.reason))?;
        if of_target.rate_per_tenant.is_some_and(Rate::is_zero) {
            return Err(invalid(
                &format!("targets.{target}.rate_per_tenant"),
                "is 0; to stop the calls, pause the target",
            ));
        }
        if of_target.concurrency == Some(0) {
            return Err(invalid(&format!("targets.{target}.concurrency"), "is 0; it must be at least 1"));
        }
    }
    Ok(())
}

/// Checks who translates the events of ESPF, and whom these translators ask.
fn check_espf(settings: &Settings) -> Result<(), Fault> {
    let kind = |target| settings.targets.get(target).map(|of| of.adapter);
    for (tenant, of) in &settings.espf {
        if kind(&of.target) != Some(AdapterKind::Intake) {
            let reason = format!("is '{}', which is no target with adapter = \"intake\"", of.target);
            return Err(invalid(&format!("espf.{tenant}.target"), reason));
        }
        if of.signature.as_ref().is_some_and(|signature| signature.keys.is_empty()) {
            return Err(invalid(&format!("espf.{tenant}.signature.keys"), "is empty; it needs the shared key"));
        }
        if of.users.iter().any(|user| user.username.is_empty() || user.username.contains(':')) {
            return Err(invalid(&format!("espf.{tenant}.users"), "has a name that is empty or contains ':'"));
        }
    }
    for (target, of) in settings.targets.iter().filter(|(_, of)| of.adapter == AdapterKind::Intake) {
        if of.file.is_none() {
            return Err(invalid(&format!("targets.{target}.file"), "is missing; it names the mapping"));
        }
        if let Some(producer) = of.producer.as_ref().filter(|producer| kind(producer) != Some(AdapterKind::Declarative))
        {
            let reason = format!("is '{producer}', which is no target with adapter = \"declarative\"");
            return Err(invalid(&format!("targets.{target}.producer"), reason));
        }
    }
    Ok(())
}

fn check_console(settings: &Settings) -> Result<(), Fault> {
    let is_page = |url: &Url| {
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && !has_more && url.password().is_none()
    };
    match &settings.console.temporal_ui {
        // The URL itself is not shown: it may contain a password.
        Some(url) if !is_page(url) => Err(invalid(
            "console.temporal_ui",
            "must be an http or https URL without user, password, query and fragment",
        )),
        _ => Ok(()),
    }
}

fn check_callbacks(settings: &Settings) -> Result<(), Fault> {
    let Some(callbacks) = &settings.callbacks else {
        let wanting = settings.targets.iter().find(|(_, of)| of.callbacks).map(|(target, _)| target);
        return wanting.map_or(Ok(()), |target| {
            Err(invalid(&format!("targets.{target}.callbacks"), "needs [callbacks] with a url and keys"))
        });
    };
    let url = &callbacks.url;
    let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || has_more || url.password().is_some() {
        // The URL itself is not shown: it may contain a password.
        return Err(invalid(
            "callbacks.url",
            "must be an http or https URL without user, password, query and fragment",
        ));
    }
    if callbacks.keys.is_empty() {
        return Err(invalid("callbacks.keys", "is empty; it needs the key that signs"));
    }
    Ok(())
}

fn check_limits(limits: &EntityLimits) -> Result<(), Fault> {
    let all = serde_json::to_value(limits).map_err(|error| invalid("limits", error))?;
    for (name, value) in all.as_object().into_iter().flatten() {
        if value.as_u64() == Some(0) {
            return Err(invalid(&format!("limits.{name}"), "is 0; it must be at least 1"));
        }
    }
    if limits.signals_max > SIGNALS_MAX {
        return Err(invalid("limits.signals_max", format!("is {}; the maximum is {SIGNALS_MAX}", limits.signals_max)));
    }
    if limits.continue_as_new_events_forced < limits.continue_as_new_events {
        return Err(invalid(
            "limits.continue_as_new_events_forced",
            format!(
                "is {}; it must be at least limits.continue_as_new_events, {}",
                limits.continue_as_new_events_forced, limits.continue_as_new_events
            ),
        ));
    }
    Ok(())
}

fn check_subscription(settings: &Settings, key: &str, subscription: &SubscriptionSettings) -> Result<(), Fault> {
    let target = &subscription.target;
    let Some(receiver) = settings.targets.get(target) else {
        return Err(invalid(&format!("{key}.target"), format!("is '{target}', but [targets.{target}] does not exist")));
    };
    if receiver.adapter != AdapterKind::Webhook {
        let reason =
            format!("is '{target}', which is no receiver; it needs adapter = \"webhook\" in [targets.{target}]");
        return Err(invalid(&format!("{key}.target"), reason));
    }
    let of_orders_only = matches!(receiver.format, OutgoingFormat::Tmf641 | OutgoingFormat::Espf);
    match subscription.types.iter().find(|event_type| of_orders_only && !event_type.is_of_order()) {
        Some(event_type) => {
            let reason = format!("has '{}', which the format of '{target}' cannot express", event_type.as_str());
            Err(invalid(&format!("{key}.types"), reason))
        }
        None => Ok(()),
    }
}

fn check_tenants(settings: &Settings) -> Result<(), Fault> {
    for (tenant, of_tenant) in &settings.tenants {
        if of_tenant.namespace.as_ref().is_some_and(String::is_empty) {
            return Err(invalid(&format!("tenants.{tenant}.namespace"), "is empty"));
        }
        for (role, target) in &of_tenant.targets {
            if !settings.targets.contains_key(target) {
                return Err(invalid(
                    &format!("tenants.{tenant}.targets.{role}"),
                    format!("is '{target}', but [targets.{target}] does not exist"),
                ));
            }
        }
        for (subscription, of) in &of_tenant.subscriptions {
            check_subscription(settings, &format!("tenants.{tenant}.subscriptions.{subscription}"), of)?;
        }
    }
    Ok(())
}
