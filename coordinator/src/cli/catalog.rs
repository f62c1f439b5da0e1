//! `interlock catalog check FILE`: a catalog, the file of a declarative adapter, or a mapping of a producer's events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use interlock_adapters::declarative;
use interlock_adapters::mapping::Mapping;
use interlock_domain::catalog::Catalog;
use interlock_domain::order::Authority;
use interlock_domain::toml_text::TomlFault;
use interlock_fault::Fault;
use interlock_settings::{Settings, catalog_file};
use serde::Serialize;

use super::arguments::CatalogCommand;
use super::output::{Output, OutputFormat};

/// The result of the check.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    valid: bool,
    /// The digest in orders of this catalog; none if the catalog has errors, or the file is an adapter's.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The event types of a catalog.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    event_types: Vec<String>,
    /// The operations of an adapter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<String>,
    /// What an adapter can be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queries: Vec<String>,
    /// The producer's types of events that a mapping has rules for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    producer_types: Vec<String>,
    faults: Vec<TomlFault>,
    /// Things that are allowed, but probably not intended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Exit code 0 for a catalog without errors, 1 for one with errors, each of which is written.
pub(super) fn run(command: &CatalogCommand, settings: &Settings, output: Output) -> Result<ExitCode, Fault> {
    let CatalogCommand::Check { file } = command;
    let report = check(file, settings)?;
    if output.format() == OutputFormat::Jsonl && !report.valid {
        output.list(&report.faults, ToString::to_string)?;
    } else {
        output.one(&report, text)?;
    }
    Ok(ExitCode::from(u8::from(!report.valid)))
}

fn check(file: &Path, settings: &Settings) -> Result<Report, Fault> {
    let text = catalog_file::text(file)?;
    let name = file.display().to_string();
    let report = |faults: Vec<TomlFault>| Report {
        file: name.clone(),
        valid: faults.is_empty(),
        digest: None,
        event_types: Vec::new(),
        operations: Vec::new(),
        queries: Vec::new(),
        producer_types: Vec::new(),
        faults,
        warnings: Vec::new(),
    };
    if is_mapping(&text) {
        return Ok(match Mapping::parse(&text) {
            Ok(mapping) => Report {
                producer_types: mapping.producer_types().map(str::to_owned).collect(),
                warnings: unknown_to_catalog(&mapping, settings)?,
                ..report(Vec::new())
            },
            Err(faults) => report(faults),
        });
    }
    if is_adapter(&text) {
        return Ok(match declarative::operations(&text) {
            Ok(operations) => Report {
                warnings: unable_to_tell(&text, &operations),
                queries: declarative::queries(&text).unwrap_or_default(),
                operations,
                ..report(Vec::new())
            },
            Err(faults) => report(faults),
        });
    }
    Ok(match Catalog::parse(&text) {
        Ok(catalog) => Report {
            digest: Some(catalog.digest().to_owned()),
            event_types: catalog.event_types().map(str::to_owned).collect(),
            warnings: catalog
                .unprotected()
                .map(|event_type| unprotected(&catalog, event_type))
                .chain(authorities_unable_to_tell(&catalog, settings))
                .collect(),
            ..report(Vec::new())
        },
        Err(faults) => report(faults),
    })
}

fn unprotected(catalog: &Catalog, event_type: &str) -> String {
    if let Some((kind, field)) = catalog.unproven_field(event_type) {
        return format!(
            "{event_type}: its steps use any {kind} that the field '{field}' names, but it neither claims nor requires \
             it; say what its customer must hold, as in requires = [\"{kind}/{{{field}}}\"], or also allow what no \
             customer is known to hold with first_use = true, or write requires = [] if nothing is needed"
        );
    }
    format!(
        "{event_type}: it claims nothing and has no 'requires', so anyone who may submit it can change anything that \
         it names; say what its customer must hold, as in requires = [\"imsi/{{imsi}}\"], or write requires = [] if \
         nothing is needed"
    )
}

/// An operation with which an adapter takes a number: the kind has an authority in the reference catalog.
const TAKES_NUMBER: &str = "assign_number";

/// What follows if an authority cannot tell who has a resource, and what to do.
const UNTOLD: &str = "it answers \"unclear\", and each one that Interlock does not know waits for a person before its first grant; name a \
                      target that can tell as 'authority', or import the holders ('interlock resource import') and leave 'authority' out";

/// A warning for an adapter file that takes numbers and cannot tell who has one.
fn unable_to_tell(text: &str, operations: &[String]) -> Vec<String> {
    let kinds = declarative::holder_kinds(text).unwrap_or_default();
    let is_unable = kinds.is_empty() && operations.iter().any(|operation| operation == TAKES_NUMBER);
    let warning = || {
        format!(
            "it has no [find_holder.KIND], so it cannot tell who has a number; as the authority of a kind, as the reference catalog has it \
             for msisdn, {UNTOLD}"
        )
    };
    is_unable.then(warning).into_iter().collect()
}

/// Warnings for the kinds whose authority, with the targets of these settings, cannot tell who has a resource.
fn authorities_unable_to_tell(catalog: &Catalog, settings: &Settings) -> BTreeSet<String> {
    let unmapped = BTreeMap::new();
    let mappings: Vec<_> =
        settings.tenants.values().map(|tenant| &tenant.targets).chain(std::iter::once(&unmapped)).collect();
    let unable = catalog.kinds().flat_map(|kind| mappings.iter().map(move |targets| (kind, *targets)));
    let unable = unable.filter_map(|(kind, targets)| {
        let Authority { target, operation } = catalog.policy(kind, targets, &settings.limits).authority?;
        let kinds = declarative::holder_kinds_of(&target, settings.targets.get(&target)?)?;
        (!kinds.contains(kind)).then(|| {
            format!(
                "the authority of {kind} is {operation} of the target '{target}', whose adapter file has no [find_holder.{kind}]: {UNTOLD}"
            )
        })
    });
    unable.collect()
}

/// Whether a file describes an adapter: adapters have operations or queries, catalogs have events.
fn is_adapter(text: &str) -> bool {
    let table: Option<toml::Table> = text.parse().ok();
    table.is_some_and(|table| {
        (table.contains_key("operations") || table.contains_key("queries")) && !table.contains_key("events")
    })
}

/// Whether a file is a mapping: mappings have rules.
fn is_mapping(text: &str) -> bool {
    let table: Option<toml::Table> = text.parse().ok();
    table.is_some_and(|table| table.contains_key("rules") && !table.contains_key("events"))
}

/// Warnings for event types that a mapping makes and that the catalog of these settings does not have.
fn unknown_to_catalog(mapping: &Mapping, settings: &Settings) -> Result<Vec<String>, Fault> {
    let catalog = settings.catalog()?;
    let known: BTreeSet<&str> = catalog.event_types().collect();
    let unknown = mapping.catalog_types().into_iter().filter(|name| !known.contains(name));
    Ok(unknown.map(|name| format!("it makes events of the type {name}, which the catalog does not have")).collect())
}

fn text(report: &Report) -> String {
    if let Some(digest) = &report.digest {
        let found = format!("{}: {} event types, digest {digest}", report.file, report.event_types.len());
        let warnings = report.warnings.iter().map(|warning| format!("{}: warning: {warning}", report.file));
        return std::iter::once(found).chain(warnings).collect::<Vec<_>>().join("\n");
    }
    if report.valid {
        let found = match (report.operations.as_slice(), report.queries.as_slice()) {
            ([], []) => format!("{}: a mapping of {} event types", report.file, report.producer_types.len()),
            ([], queries) => format!("{}: an adapter with the queries {}", report.file, queries.join(", ")),
            (operations, _) => format!("{}: an adapter with the operations {}", report.file, operations.join(", ")),
        };
        let warnings = report.warnings.iter().map(|warning| format!("{}: warning: {warning}", report.file));
        return std::iter::once(found).chain(warnings).collect::<Vec<_>>().join("\n");
    }
    // FILE:LINE:COLUMN, as compilers write it, so that editors can open the place.
    let lines: Vec<String> = report.faults.iter().map(|fault| format!("{}:{fault}", report.file)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use interlock_settings::SettingsSources;

    use super::*;

    fn report(text: &str) -> Report {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        check(file.path(), &defaults()).unwrap()
    }

    fn defaults() -> Settings {
        Settings::load(&SettingsSources::default()).unwrap()
    }

    #[test]
    fn an_authority_that_cannot_tell_who_has_a_number_is_said() {
        let nsps = std::fs::read_to_string("../adapters/connectors/portaone-nsps.toml").unwrap();
        let warned = report(&nsps);
        assert!(warned.valid && warned.warnings.len() == 1, "{:?}", warned.warnings);
        assert!(text(&warned).contains("warning: it has no [find_holder.KIND]"), "{}", text(&warned));
        let hubspot = std::fs::read_to_string("../adapters/connectors/hubspot.toml").unwrap();
        assert!(report(&hubspot).warnings.is_empty(), "a CRM takes no numbers");

        let directory = tempfile::tempdir().unwrap();
        let settings = |hss: &str| {
            let config = directory.path().join("interlock.toml");
            std::fs::write(&config, format!("[targets.hss]\n{hss}")).unwrap();
            Settings::load(&SettingsSources { config_file: Some(config), ..SettingsSources::default() }).unwrap()
        };
        let of = |settings: &Settings| authorities_unable_to_tell(&Catalog::reference(), settings);
        let by_file = "adapter = \"declarative\"\nbase_url = \"https://connector/process-event\"\nfile = \"portaone-nsps.toml\"\n";
        let warnings = of(&settings(by_file));
        assert!(
            warnings
                .iter()
                .any(|warning| warning.starts_with("the authority of msisdn is find_holder of the target 'hss'")),
            "{warnings:?}"
        );
        assert!(of(&settings("adapter = \"pyhss\"\nbase_url = \"http://hss:8080\"\n")).is_empty());
        assert!(of(&defaults()).is_empty(), "the target is not known here");
    }

    #[test]
    fn the_shipped_catalog_is_valid() {
        let report = report(interlock_domain::catalog::REFERENCE_TEXT);
        assert!(report.valid, "{}", text(&report));
        assert_eq!(report.warnings, [""; 0], "each of its types says how it proves its right");
        assert!(report.event_types.contains(&"number.moved".to_owned()));
    }

    #[test]
    fn a_type_that_needs_no_right_is_warned_of_unless_it_says_so() {
        let shipped = interlock_domain::catalog::REFERENCE_TEXT;
        let without = shipped.replacen("requires = [\"imsi/{imsi}\"]\n", "", 1);
        let on_purpose = shipped.replacen("requires = [\"imsi/{imsi}\"]", "requires = []", 1);
        let found = report(&without);
        assert!(found.valid && found.warnings.len() == 1, "{found:?}");
        assert!(text(&found).contains(": warning: service.updated: "), "{}", text(&found));
        assert_eq!(report(&on_purpose).warnings, [""; 0]);

        // A free number for any SIM that the event names.
        let first_use = "requires = [{ resource = \"imsi/{imsi}\", first_use = true }]\n";
        let found = report(&shipped.replace(first_use, ""));
        let told = text(&found);
        assert_eq!(found.warnings.len(), 2, "{told}");
        assert!(told.contains(": warning: number.assigned: ") && told.contains("number.changed: "), "{told}");
        assert!(told.contains("any imsi that the field 'imsi' names"), "{told}");
    }

    #[test]
    fn each_fault_is_told_with_file_line_and_reason() {
        let report = report("\nnonsense = 1\n");
        assert!(!report.valid);
        let expected = format!("{}:2:1: nonsense: ", report.file);
        assert!(text(&report).lines().any(|line| line.starts_with(&expected)), "{}", text(&report));
    }

    #[test]
    fn the_file_of_an_adapter_is_checked_as_one() {
        for (name, shipped) in declarative::SHIPPED {
            let report = report(shipped);
            let can = !report.operations.is_empty() || !report.queries.is_empty();
            assert!(report.valid && can, "{name}: {}", text(&report));
        }
        let report = report("[operations.send]\nmethod = 'NONSENSE'\n");
        assert!(!report.valid);
        assert!(report.faults.iter().any(|fault| fault.path == "operations.send.method"), "{}", text(&report));
    }

    #[test]
    fn a_mapping_is_checked_as_one_and_against_the_catalog() {
        for (name, shipped) in interlock_adapters::mapping::SHIPPED {
            let report = report(shipped);
            assert!(report.valid && !report.producer_types.is_empty(), "{name}: {}", text(&report));
            assert!(text(&report).contains("a mapping of "), "{name}");
            let told: Vec<&str> = report.warnings.iter().map(String::as_str).collect();
            assert_eq!(told.len(), 2, "the reference catalog lacks the intake events: {told:?}");
            assert!(told[0].contains("portaone.account"), "{told:?}");
        }
        let report = report("describes = 'x'\n[[rules]]\nevents = ['A']\ntype = 't'\n");
        assert!(!report.valid);
        assert!(report.faults.iter().any(|fault| fault.path == "rules[0]" && fault.line == 2), "{}", text(&report));
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_use() {
        let fault = check(Path::new("/nowhere/catalog.toml"), &defaults()).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.exit_code()), ("catalog_unreadable", 2));
    }
}
