//! The settings on documentation pages.

use std::collections::BTreeSet;
use std::ffi::OsString;

use interlock_coordinator::cli::check_service;
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_settings::{Settings, SettingsSources};
use tempfile::TempDir;

use super::manifests::{deploy, objects, strings, text};

/// The fenced blocks of a page that contain settings, by the file name in their first line.
fn settings_of(page: &str) -> Vec<(String, String)> {
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .filter_map(|block| {
            let name = block.lines().next()?.strip_prefix("# ")?.trim();
            name.strip_suffix(".toml")?;
            Some((name.to_owned(), block.to_owned()))
        })
        .collect()
}

/// Writes these settings to a file, at the path from which they are read.
fn written(text: &str) -> (TempDir, SettingsSources) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("interlock.toml");
    std::fs::write(&file, text).unwrap();
    (directory, SettingsSources { config_file: Some(file), ..SettingsSources::default() })
}

fn page(name: &str) -> String {
    text(&deploy(name))
}

#[test]
fn the_shadow_of_the_migration_calls_sandboxes_only() {
    let page = page("docs/migration.md");
    let (_, shadow) = settings_of(&page).into_iter().find(|(name, _)| name == "shadow.toml").unwrap();
    let (_directory, sources) = written(&shadow);
    let settings = Settings::load(&sources).unwrap();
    let sandboxes: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("interlock sandbox ")?.split_once(" --listen "))
        .map(|(_, address)| format!("http://{address}/"))
        .collect();
    let called: BTreeSet<String> =
        settings.targets.values().map(|target| target.base_url.as_ref().unwrap().to_string()).collect();
    assert_eq!(called, sandboxes);
    for role in Catalog::reference().roles() {
        assert!(settings.targets.contains_key(&TargetId::from(&role)), "no target has the role {role:?}");
    }
    let of_shadow: Vec<&str> = page.lines().filter(|line| line.contains("TEMPORAL_NAMESPACE=shadow")).collect();
    assert!(of_shadow.iter().any(|line| line.contains("interlock worker --workload all")), "no worker would run");
    for line in of_shadow {
        assert!(line.contains("INTERLOCK_CONFIG=shadow.toml"), "it would call the real targets: {line}");
    }
}

#[test]
fn the_codec_server_begins_with_the_settings_that_its_page_shows_and_not_without() {
    let shown = settings_of(&page("docs/data-at-rest.md"));
    let (_, settings) = shown.into_iter().find(|(name, _)| name == "interlock.toml").unwrap();
    let deployment = objects("components/codec").into_iter().find(|it| it.kind == "Deployment").unwrap();
    let arguments = strings(&deployment.pod().unwrap().container()["args"]);
    let begins = |sources: SettingsSources| {
        let own_name = std::iter::once(OsString::from("interlock"));
        check_service(own_name.chain(arguments.iter().map(OsString::from)), sources)
    };
    let (_directory, sources) = written(&settings);
    assert_eq!(begins(sources), Ok(()));
    assert!(begins(SettingsSources::default()).is_err());
}
