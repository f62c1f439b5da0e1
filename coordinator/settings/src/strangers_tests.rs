//! Settings for HTTP callers, and for the places of secrets.

use super::tests::{environment, file};
use super::*;

#[test]
fn a_secret_of_nothing_or_of_spaces_is_an_error_that_names_its_key() {
    let token = |token: &str| format!("[[gateway.tokens]]\ntoken = {token}\nrole = \"read\"\ntenants = [\"blue\"]\n");
    let target = |auth: &str| format!("[targets.crm]\nadapter = \"json\"\nbase_url = \"http://crm\"\nauth = {auth}\n");
    for blank in ["\"\"", "\" \"", "\" \\t \""] {
        for (text, key) in [
            (token(blank), "gateway.tokens, number 1"),
            (format!("{}{}", token("\"open sesame\""), token(blank)), "gateway.tokens, number 2"),
            (format!("[broker]\npassword = {blank}\n"), "broker.password"),
            (format!("[broker]\ntoken = {blank}\n"), "broker.token"),
            (format!("[[codec.server.tokens]]\ntoken = {blank}\n"), "codec.server.tokens, number 1"),
            (target(&format!("{{ kind = \"bearer\", token = {blank} }}")), "targets.crm.auth"),
            (target(&format!("{{ kind = \"basic\", username = \"u\", password = {blank} }}")), "targets.crm.auth"),
            (target(&format!("{{ kind = \"header\", name = \"X-Key\", value = {blank} }}")), "targets.crm.auth"),
            (target(&format!("{{ kind = \"provisioning_key\", key = {blank} }}")), "targets.crm.auth"),
        ] {
            let (_directory, sources) = file(&text);
            let fault = Settings::load(&sources).unwrap_err();
            assert_eq!((fault.code.as_str(), fault.exit_code()), ("secret_empty", 2), "{text}");
            assert!(fault.message.contains(key), "{fault}");
        }
        let (_directory, sources) = file(&format!("id_key = {blank}\n"));
        assert_eq!(Settings::load(&sources).unwrap_err().code, "bad_id_key");
    }
    assert_eq!(Settings::load(&environment("INTERLOCK_ID_KEY", " ")).unwrap_err().code, "bad_id_key");
    let (_directory, sources) = file(&token("\"open sesame\""));
    assert!(Settings::load(&sources).is_ok());
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let warnings = |text: &str, mode: u32| {
        let (directory, sources) = file(text);
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path().join(CONFIG_FILE_DEFAULT), permissions).unwrap();
        Settings::load(&sources).unwrap().warnings
    };
    let token = "[[gateway.tokens]]\ntoken = \"open sesame\"\nrole = \"read\"\ntenants = [\"blue\"]\n";
    for text in [
        token,
        "id_key = \"hidden\"\n",
        "[codec.keys]\n\"1\" = \"x\"\n",
        "[broker]\npassword = \"hidden\"\n",
        "[targets.crm]\nadapter = \"json\"\nbase_url = \"http://crm\"\nauth = { kind = \"bearer\", token = \"t\" }\n",
    ] {
        let told = warnings(text, 0o644);
        assert!(told.len() == 1 && told[0].contains(CONFIG_FILE_DEFAULT), "{text}: {told:?}");
        assert!(!told[0].contains("sesame"));
        assert_eq!(warnings(text, 0o640), Vec::<String>::new(), "{text}");
    }
    // If the secrets are stored elsewhere, the file contains nothing to protect.
    let elsewhere = token.replace("\"open sesame\"", "{ file = \"/run/secrets/token\" }");
    assert_eq!(warnings(&elsewhere, 0o644), Vec::<String>::new());
}

#[test]
fn what_a_service_asks_of_callers_is_refused_where_it_cannot_be_meant() {
    for (text, key) in [
        ("[http]\nhosts = [\"https://interlock.example\"]\n", "http.hosts"),
        ("[http]\nhosts = [\"interlock.example:443\"]\n", "http.hosts"),
        ("[http]\nhosts = [\"\"]\n", "http.hosts"),
        ("[http]\norigins = [\"*\"]\n", "http.origins"),
        ("[http]\norigins = [\"console.example\"]\n", "http.origins"),
        ("[http]\nheader_timeout = \"0s\"\n", "http.header_timeout"),
    ] {
        let (_directory, sources) = file(text);
        let fault = Settings::load(&sources).unwrap_err();
        assert!(fault.code == "setting_invalid" && fault.message.contains(key), "{text}: {fault}");
    }
    let (_directory, sources) =
        file("[http]\nhosts = [\"a.example\", \".b.example\"]\norigins = [\"https://c.example\"]\n");
    assert_eq!(Settings::load(&sources).unwrap().http.hosts.len(), 2);
    for name in [
        "INTERLOCK_HTTP_CONNECTIONS_MAX",
        "INTERLOCK_GATEWAY_BATCH_EVENTS_MAX",
        "INTERLOCK_GATEWAY_LISTS_PER_TENANT_MAX",
    ] {
        assert!(Settings::load(&environment(name, "1")).is_ok(), "{name}");
        assert!(Settings::load(&environment(name, "0")).is_err(), "{name}");
    }
}

#[test]
fn limits_of_callers_say_their_defaults() {
    let (http, gateway) = (HttpSettings::default(), GatewaySettings::default());
    let seconds = |of: std::time::Duration| format!("{}s", of.as_secs());
    for (key, default) in [
        ("http.connections_max", http.connections_max.to_string()),
        ("http.connections_per_peer_max", http.connections_per_peer_max.to_string()),
        ("http.body_bytes_max", http.body_bytes_max.to_string()),
        ("http.header_timeout", seconds(http.header_timeout)),
        ("http.body_timeout", seconds(http.body_timeout)),
        ("gateway.events_per_second_max", gateway.events_per_second_max.to_string()),
        ("gateway.batch_events_max", gateway.batch_events_max.to_string()),
        ("gateway.calls_per_token_max", gateway.calls_per_token_max.to_string()),
        ("gateway.reads_per_second_max", gateway.reads_per_second_max.to_string()),
        ("gateway.actions_per_second_max", gateway.actions_per_second_max.to_string()),
        ("gateway.lists_per_second_max", gateway.lists_per_second_max.to_string()),
        ("gateway.lists_per_tenant_max", gateway.lists_per_tenant_max.to_string()),
    ] {
        let variable = VARIABLES.iter().find(|variable| variable.key == Some(key));
        assert_eq!(variable.map(|variable| variable.default), Some(default.as_str()), "{key}");
    }
}

#[test]
fn the_name_of_a_token_is_not_one_that_could_forge_who_acted() {
    let named = |name: &str| {
        let token = format!(
            "[[gateway.tokens]]\ntoken = \"open sesame\"\nname = \"{name}\"\nrole = \"operate\"\ntenants = [\"blue\"]\n"
        );
        let (_directory, sources) = file(&token);
        Settings::load(&sources).map(|_| ())
    };
    for forged in ["ann on behalf of bob", "ann on behalf of", "on behalf of bob", " on behalf of "] {
        let fault = named(forged).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.exit_code()), ("token_name_forbidden", 2), "{forged}");
        assert!(fault.message.contains("gateway.tokens, number 1"), "{fault}");
    }
    for sound in ["ann", "night shift", "on behalf", "beacon behalf office"] {
        assert!(named(sound).is_ok(), "{sound}");
    }
}

#[test]
fn tenants_that_share_a_realm_and_ask_different_targets_are_refused_before_anything_starts() {
    let target = |name: &str| format!("[targets.{name}]\nadapter = \"pyhss\"\nbase_url = \"http://{name}\"\n");
    let calls = |tenant: &str, name: &str| format!("[tenants.{tenant}.targets]\nhss = \"{name}\"\n");
    let two = [("blue", "hss-east"), ("green", "hss-west")];
    let text: String = two.iter().map(|(tenant, name)| target(name) + &calls(tenant, name)).collect();
    let (_directory, sources) = file(&text);
    let settings = Settings::load(&sources).unwrap();
    let text = interlock_domain::catalog::REFERENCE_TEXT;
    let shared = text.replace("[resources.msisdn]\n", "[resources.msisdn]\nrealm = \"numbers\"\n");
    let routing = |text: &str| settings.routing(&Catalog::parse(text).unwrap(), ShardCount::ONE).map(|_| ());
    let fault = routing(&shared).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.exit_code()), ("realm_authorities_differ", 2), "{fault}");
    assert!(routing(text).is_ok(), "each tenant has its own numbers");
}
