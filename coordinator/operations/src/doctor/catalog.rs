//! The catalog, and whether the targets that it needs are configured.

use std::collections::BTreeSet;

use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_settings::Settings;

use super::report::{Check, Finding};

/// The catalog, if it can be read, and what was found.
pub(super) fn examine(settings: &Settings) -> (Option<Catalog>, Vec<Finding>) {
    let catalog = match settings.catalog() {
        Ok(catalog) => catalog,
        Err(fault) => return (None, vec![Finding::fault(Check::Catalog, fault)]),
    };
    let name = settings
        .catalog
        .as_ref()
        .map_or_else(|| "The reference catalog".to_owned(), |file| format!("The catalog {}", file.display()));
    let mut findings = vec![Finding::ok(
        Check::Catalog,
        format!("{name} has {} event types, digest {}.", catalog.event_types().count(), catalog.digest()),
    )];
    findings.extend(catalog.unprotected().map(|event_type| {
        Finding::warning(
            Check::Catalog,
            format!("{event_type}: anyone who may submit it can change whatever it names."),
            "See 'interlock catalog check FILE', and say in the catalog what its customer must hold.",
        )
    }));
    findings.extend(missing(settings, &catalog));
    (Some(catalog), findings)
}

/// The targets that some tenant calls and that have no settings here.
fn missing(settings: &Settings, catalog: &Catalog) -> Option<Finding> {
    let mut missing: BTreeSet<TargetId> = BTreeSet::new();
    for role in catalog.roles() {
        let by_default = TargetId::from(&role);
        let named = settings.tenants.values().filter_map(|tenant| tenant.targets.get(&role).cloned());
        let all_map_it =
            !settings.tenants.is_empty() && settings.tenants.values().all(|tenant| tenant.targets.contains_key(&role));
        // Tenants without settings use the role's own name, so it may be missing on purpose only if all others map it.
        let defaults = (!all_map_it).then_some(by_default);
        missing.extend(named.chain(defaults).filter(|target| !settings.targets.contains_key(target)));
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| {
        Finding::warning(
            Check::Catalog,
            format!("The catalog's steps call targets that these settings do not have: {}.", names.join(", ")),
            "Add [targets.NAME] to the settings, or map the role in [tenants.NAME.targets]; leave it if the settings of the \
             workers have it.",
        )
    })
}

#[cfg(test)]
mod tests {
    use interlock_adapters::TargetSettings;
    use interlock_settings::SettingsSources;

    use super::super::report::Level;
    use super::*;

    fn settings() -> Settings {
        Settings::load(&SettingsSources::default()).unwrap()
    }

    #[test]
    fn a_catalog_that_cannot_be_read_or_is_faulty_is_an_error_with_its_first_fault() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "nonsense = 1\n").unwrap();
        for path in [file.path(), std::path::Path::new("/nowhere/catalog.toml")] {
            let (catalog, findings) = examine(&Settings { catalog: Some(path.to_owned()), ..settings() });
            assert_eq!((catalog.is_none(), findings.len(), findings[0].level), (true, 1, Level::Error), "{findings:?}");
            assert!(findings[0].detail.contains(&path.display().to_string()), "{findings:?}");
        }
    }

    #[test]
    fn a_role_without_a_target_is_a_warning_that_names_it() {
        let mut with = settings();
        let (_, findings) = examine(&with);
        assert_eq!(findings.iter().filter(|finding| finding.level == Level::Warning).count(), 1, "{findings:?}");
        assert!(findings.iter().any(|finding| finding.detail.contains("crm, hss, notify")), "{findings:?}");
        for target in ["hss", "crm", "notify"] {
            with.targets.insert(target.parse().unwrap(), TargetSettings::external());
        }
        let (_, findings) = examine(&with);
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    }
}
