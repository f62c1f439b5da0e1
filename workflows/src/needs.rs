//! The types that a worker must have registered to serve a queue, so that every task of an entity finds its code.

use temporalio_common::ActivityDefinition as _;

use crate::definitions::{
    Importing, LocalActivities, RecordedActivities, Sweeping, TargetActivities, TargetUpkeep, TenantUpkeep,
};
use crate::names;

/// The work of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Customer entities, and the activities that send their messages.
    Customers,
    /// Resource entities, and the activities that send their messages.
    Resources,
    /// Target entities and sweeps, and the unordered work that producers put there.
    Jobs,
    /// The workflows of tenants, and imports of leases.
    TenantOps,
    /// The calls to one target.
    Target,
}

/// The types that occur on a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Workflow types.
    pub workflows: Vec<String>,
    /// Activity types.
    pub activities: Vec<String>,
}

impl Served {
    /// All kinds of work.
    pub const ALL: [Self; 5] = [Self::Customers, Self::Resources, Self::Jobs, Self::TenantOps, Self::Target];

    /// The types that its workers must have registered.
    pub fn needs(self) -> Needs {
        let (workflows, activities): (&[&str], Vec<&str>) = match self {
            Self::Customers => (
                &[names::CUSTOMER_ENTITY],
                vec![
                    LocalActivities::admit.name(),
                    LocalActivities::send.name(),
                    RecordedActivities::admit_recorded.name(),
                    RecordedActivities::send_recorded.name(),
                ],
            ),
            Self::Resources => (
                &[names::RESOURCE_ENTITY],
                vec![LocalActivities::notify.name(), RecordedActivities::notify_recorded.name()],
            ),
            Self::Jobs => (
                &[names::TARGET_ENTITY, names::SWEEP],
                vec![
                    TargetUpkeep::set_limit.name(),
                    TargetUpkeep::probe.name(),
                    Sweeping::look.name(),
                    Sweeping::announce.name(),
                    Sweeping::revive.name(),
                    // Of unordered events.
                    TargetActivities::provision.name(),
                ],
            ),
            Self::TenantOps => (
                &[names::TENANT_ENTITY, names::ACTION_LOG, names::RESOURCE_IMPORT, names::RESOURCE_IMPORT_PART],
                vec![TenantUpkeep::tenant_step.name(), Importing::import_part.name()],
            ),
            Self::Target => (
                &[],
                vec![
                    TargetActivities::provision.name(),
                    TargetActivities::look_up.name(),
                    TargetActivities::deliver.name(),
                ],
            ),
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Needs { workflows: owned(workflows), activities: owned(&activities) }
    }

    /// Whether workflows run there.
    pub fn has_workflows(self) -> bool {
        !self.needs().workflows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The texts between `before` and the next quotation mark, everywhere.
    fn quoted_after(text: &str, before: &str) -> BTreeSet<String> {
        text.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    }

    fn needed(of: impl Fn(Needs) -> Vec<String>) -> BTreeSet<String> {
        Served::ALL.into_iter().flat_map(|served| of(served.needs())).collect()
    }

    #[test]
    fn every_activity_that_is_defined_is_needed_on_some_queue() {
        let defined = quoted_after(include_str!("definitions.rs"), "#[activity(name = \"");
        assert!(defined.len() >= 9, "{defined:?}");
        assert_eq!(needed(|needs| needs.activities), defined);
    }

    #[test]
    fn every_workflow_type_is_needed_on_some_queue() {
        let lines: Vec<&str> = include_str!("lib.rs").lines().collect();
        let types = lines.windows(2).filter(|pair| pair[0].trim().starts_with("/// Workflow type of"));
        let defined: BTreeSet<String> = types.flat_map(|pair| quoted_after(pair[1], "= \"")).collect();
        assert!(defined.len() >= 4, "{defined:?}");
        assert_eq!(needed(|needs| needs.workflows), defined);
    }
}
