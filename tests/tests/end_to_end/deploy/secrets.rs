//! Secrets: each that a manifest or a component names is made by a command of a page, with the keys that are looked for.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::kustomizations::patched;
use super::manifests::{all_pods, deploy, files, objects, text};

/// The Secrets that are made by commands of pages, with their keys.
fn made() -> BTreeMap<String, BTreeSet<String>> {
    let command =
        Regex::new(r"create secret (?P<type>generic|tls) (?P<name>[\w-]+) (?P<rest>(?:[^\n]*\\\n)*[^\n]*)").unwrap();
    let key = Regex::new(r"--from-(?:file|literal)=(?:[^\s=]*/)?(?P<key>[\w.-]+)").unwrap();
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for page in files(&deploy(""), &[".md"]) {
        for found in command.captures_iter(&text(&page)) {
            let keys = made.entry(found["name"].to_owned()).or_default();
            keys.extend(key.captures_iter(&found["rest"]).map(|found| found["key"].to_owned()));
            if &found["type"] == "tls" {
                keys.extend(["tls.crt", "tls.key"].map(str::to_owned));
            }
        }
    }
    made
}

/// Every Secret that an object of Kubernetes names, anywhere in it, with the key, if it names one.
fn named(value: &Value, found: &mut Vec<(String, Option<String>)>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("secretName").and_then(text).map(|name| (name, None)));
            for reference in ["secretKeyRef", "apiKeySecretRef", "mutualTLSSecretRef"] {
                let Some(reference) = fields.get(reference) else { continue };
                found.push((reference["name"].as_str().unwrap().to_owned(), text(&reference["key"])));
            }
            if fields.contains_key("parameter") {
                found.push((fields["name"].as_str().unwrap().to_owned(), text(&fields["key"])));
            }
            // A patch sets a part of an object.
            if let (Some(path), Some(value)) = (fields.get("path").and_then(Value::as_str), fields.get("value"))
                && path.ends_with("SecretRef")
            {
                found.push((value["name"].as_str().unwrap().to_owned(), text(&value["key"])));
            }
            fields.values().for_each(|value| named(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| named(value, found)),
        _ => {}
    }
}

#[test]
fn every_secret_that_is_named_is_made_on_a_page_with_its_keys() {
    let made = made();
    let mut wanted = Vec::new();
    for value in all_pods().into_iter().map(|pod| pod.spec).chain(patched()) {
        named(&value, &mut wanted);
    }
    for (name, key) in &wanted {
        let keys = made.get(name).unwrap_or_else(|| panic!("no page makes the Secret {name}: {made:?}"));
        assert!(key.as_ref().is_none_or(|key| keys.contains(key)), "{name} is made without {key:?}: {keys:?}");
    }
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "interlock-codec-keys",
        "interlock-id-key",
        "interlock-secrets",
        "interlock-temporal-api-key",
        "interlock-temporal-ca",
        "interlock-temporal-mtls",
    ];
    assert_eq!(names, expected.into());
}

#[test]
fn the_key_that_encrypts_is_one_that_the_page_makes() {
    let variables: Vec<Value> =
        patched().into_iter().filter(|it| it["path"].as_str().unwrap().ends_with("/env/-")).collect();
    let value = |name: &str| {
        let set = variables.iter().find(|operation| operation["value"]["name"] == name);
        set.unwrap_or_else(|| panic!("nothing sets {name}"))["value"]["value"].as_str().unwrap().to_owned()
    };
    let current = value("INTERLOCK_CODEC_CURRENT_KEY");
    assert!(made()["interlock-codec-keys"].contains(&current), "{current}");
    let page = text(&deploy("docs/data-at-rest.md"));
    assert!(page.contains(&format!("> keys/{current} ")), "the page makes another key");
    assert!(page.contains(&format!("INTERLOCK_CODEC_CURRENT_KEY={current}")), "{current}");
    let server = objects("components/codec").into_iter().find(|it| it.kind == "Deployment").unwrap();
    assert_eq!(server.name, "interlock-codec-server");
}

/// A line end at the end of a file would be part of it.
#[test]
fn a_key_that_is_taken_as_it_is_is_not_made_from_a_file() {
    let pages: String = files(&deploy("docs"), &[".md"]).iter().map(|page| text(page)).collect();
    for key in ["id-key", "api-key"] {
        assert!(pages.contains(&format!("--from-literal={key}=\"$")), "{key}");
        assert!(!pages.contains(&format!("--from-file={key}")), "{key}");
    }
}
