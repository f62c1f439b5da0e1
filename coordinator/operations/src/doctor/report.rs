//! What the doctor finds.

use interlock_fault::Fault;
use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is as it must be.
    Ok,
    /// It works, but may fail later, or the doctor cannot tell.
    Warning,
    /// Something does not work.
    Error,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The catalog.
    Catalog,
    /// The connection to Temporal.
    Connection,
    /// Whether that connection is encrypted, and who vouches for whom.
    Tls,
    /// The version of the server.
    ServerVersion,
    /// What the server is configured to allow.
    DynamicConfiguration,
    /// The namespaces, and the record of the installation in them.
    Namespaces,
    /// The search attributes.
    SearchAttributes,
    /// The schedules of the sweeps.
    Schedules,
    /// The workers that poll each queue.
    Workers,
    /// The targets.
    Targets,
    /// Runs that no worker executes.
    Runs,
    /// The clocks of this machine and of the server.
    Clocks,
}

impl Check {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 12] = [
        Self::Catalog,
        Self::Connection,
        Self::Tls,
        Self::ServerVersion,
        Self::DynamicConfiguration,
        Self::Namespaces,
        Self::SearchAttributes,
        Self::Schedules,
        Self::Workers,
        Self::Targets,
        Self::Runs,
        Self::Clocks,
    ];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::ServerVersion => "server_version",
            Self::DynamicConfiguration => "dynamic_configuration",
            Self::Namespaces => "namespaces",
            Self::SearchAttributes => "search_attributes",
            Self::Schedules => "schedules",
            Self::Workers => "workers",
            Self::Targets => "targets",
            Self::Runs => "runs",
            Self::Clocks => "clocks",
        }
    }
}

/// One thing that was checked, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How bad it is.
    pub level: Level,
    /// What was found, as a sentence.
    pub detail: String,
    /// What to do next, if anything is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    /// It is as it must be.
    pub(super) fn ok(check: Check, detail: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, detail: detail.into(), next: None }
    }

    /// It works, but.
    pub(super) fn warning(check: Check, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, detail: detail.into(), next: Some(next.into()) }
    }

    /// It does not work.
    pub(super) fn error(check: Check, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Error, detail: detail.into(), next: Some(next.into()) }
    }

    /// It does not work, for the reason of this fault.
    pub(super) fn fault(check: Check, fault: Fault) -> Self {
        Self::error(check, format!("{} [{}]", fault.message, fault.code), fault.next)
    }

    /// It could not be checked, for this reason.
    pub(super) fn unknown(check: Check, what: &str, reason: &str) -> Self {
        let reason = reason.trim_end_matches('.');
        Self::warning(
            check,
            format!("{what} could not be checked: {reason}."),
            "Run it again; if it remains, give this client the right to ask for it.",
        )
    }
}

/// All findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
    /// How many of them are errors.
    pub errors: usize,
    /// How many of them are warnings.
    pub warnings: usize,
}

impl Report {
    /// The report with these findings.
    pub(super) fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.check);
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self { errors: count(Level::Error), warnings: count(Level::Warning), findings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_and_come_in_the_order_of_the_checks() {
        let report = Report::of(vec![
            Finding::error(Check::Clocks, "late", "set it"),
            Finding::warning(Check::Tls, "open", "close it"),
            Finding::ok(Check::Catalog, "fine"),
        ]);
        assert_eq!((report.errors, report.warnings), (1, 1));
        let checks: Vec<Check> = report.findings.iter().map(|finding| finding.check).collect();
        assert_eq!(checks, [Check::Catalog, Check::Tls, Check::Clocks]);
    }

    #[test]
    fn a_check_has_one_name_in_text_and_json() {
        for check in Check::ALL {
            assert_eq!(serde_json::to_value(check).unwrap(), check.as_str());
        }
        for level in [Level::Ok, Level::Warning, Level::Error] {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
    }
}
