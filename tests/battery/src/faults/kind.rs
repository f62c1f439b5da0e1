//! The faults, by name.

use crate::options::ServerKind;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A worker process is killed (SIGKILL), and replaced.
    WorkerKilled,
    /// A worker process is suspended (SIGSTOP) for half a minute, and continues.
    WorkerStopped,
    /// Completions of workflow tasks and activities get lost for a while.
    CompletionsLost,
    /// A gateway process is killed, and replaced.
    GatewayKilled,
    /// The whole server is killed, and started again on its data.
    ServerKilled,
    /// One role of the server is killed, and started again.
    RoleKilled,
    /// PostgreSQL is stopped at once, and started again.
    PostgresStopped,
    /// A target refuses requests: 500, 503, 429 with Retry-After.
    TargetRefuses,
    /// A target cuts connections before it applies a request.
    TargetFailsBefore,
    /// A target applies a request, and cuts the connection or does not answer.
    TargetFailsAfter,
    /// A target is slow: slower than some callers wait.
    TargetSlow,
    /// A target cuts connections, and applies the request later.
    TargetLate,
    /// A target applies requests twice.
    TargetDuplicates,
    /// A target is away for a minute.
    TargetAway,
    /// A customer's or a number's entity is terminated.
    EntityTerminated,
    /// A customer's or a number's entity is reset to an earlier workflow task.
    EntityReset,
    /// The cancellation of an entity is requested.
    EntityCancelled,
    /// A call to a target is reset: `temporal activity reset`.
    ActivityReset,
    /// A call to a target is paused for a while: `temporal activity pause`.
    ActivityPaused,
    /// A call to a target is completed by hand with a result that is not true.
    ActivityCompleted,
    /// A producer sends hundreds of events at once.
    Flood,
    /// Events that no one can read, or that are too large, unknown or hostile.
    Poison,
    /// All worker processes are replaced one after the other, as by a rolling change of build.
    RollingChange,
    /// The sweep is paused for a minute.
    SweepPaused,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 24] = [
        Self::WorkerKilled,
        Self::WorkerStopped,
        Self::CompletionsLost,
        Self::GatewayKilled,
        Self::ServerKilled,
        Self::RoleKilled,
        Self::PostgresStopped,
        Self::TargetRefuses,
        Self::TargetFailsBefore,
        Self::TargetFailsAfter,
        Self::TargetSlow,
        Self::TargetLate,
        Self::TargetDuplicates,
        Self::TargetAway,
        Self::EntityTerminated,
        Self::EntityReset,
        Self::EntityCancelled,
        Self::ActivityReset,
        Self::ActivityPaused,
        Self::ActivityCompleted,
        Self::Flood,
        Self::Poison,
        Self::RollingChange,
        Self::SweepPaused,
    ];

    /// Its name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker-killed",
            Self::WorkerStopped => "worker-stopped",
            Self::CompletionsLost => "completions-lost",
            Self::GatewayKilled => "gateway-killed",
            Self::ServerKilled => "server-killed",
            Self::RoleKilled => "role-killed",
            Self::PostgresStopped => "postgres-stopped",
            Self::TargetRefuses => "target-refuses",
            Self::TargetFailsBefore => "target-fails-before",
            Self::TargetFailsAfter => "target-fails-after",
            Self::TargetSlow => "target-slow",
            Self::TargetLate => "target-late",
            Self::TargetDuplicates => "target-duplicates",
            Self::TargetAway => "target-away",
            Self::EntityTerminated => "entity-terminated",
            Self::EntityReset => "entity-reset",
            Self::EntityCancelled => "entity-cancelled",
            Self::ActivityReset => "activity-reset",
            Self::ActivityPaused => "activity-paused",
            Self::ActivityCompleted => "activity-completed",
            Self::Flood => "flood",
            Self::Poison => "poison",
            Self::RollingChange => "rolling-change",
            Self::SweepPaused => "sweep-paused",
        }
    }

    /// How often it is chosen, in relation to the others.
    pub fn weight(self) -> u32 {
        match self {
            Self::WorkerKilled | Self::TargetFailsAfter | Self::TargetLate => 6,
            Self::WorkerStopped | Self::CompletionsLost | Self::ActivityReset | Self::EntityReset => 4,
            Self::ServerKilled | Self::RollingChange | Self::SweepPaused | Self::Flood => 1,
            _ => 3,
        }
    }

    /// Whether only a target is disturbed.
    pub fn is_of_targets(self) -> bool {
        matches!(
            self,
            Self::TargetRefuses
                | Self::TargetFailsBefore
                | Self::TargetFailsAfter
                | Self::TargetSlow
                | Self::TargetLate
                | Self::TargetDuplicates
                | Self::TargetAway
        )
    }

    /// Whether this server can have it.
    pub fn is_of(self, server: ServerKind) -> bool {
        match self {
            Self::RoleKilled | Self::PostgresStopped => server == ServerKind::Production,
            _ => true,
        }
    }
}

/// The faults with these names; all, if there are none.
///
/// # Errors
/// The sentence for a name that is unknown, or that this server cannot have.
pub fn chosen(names: &[String], server: ServerKind) -> Result<Vec<Fault>, String> {
    let of_server = Fault::ALL.into_iter().filter(|fault| fault.is_of(server));
    if names.is_empty() {
        return Ok(of_server.collect());
    }
    let known: Vec<Fault> = of_server.collect();
    let of_name = |name: &String| {
        known.iter().copied().find(|fault| fault.name() == name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|fault| fault.name()).collect();
            format!("There is no fault '{name}' with this server; the faults are: {}.", names.join(", "))
        })
    };
    // "none" is a run without faults, which must be clean, too.
    if names == ["none"] { Ok(Vec::new()) } else { names.iter().map(of_name).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_chosen_by_its_name_if_the_server_can_have_it() {
        let of =
            |names: &[&str], server| chosen(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), server);
        assert_eq!(of(&[], ServerKind::Production).unwrap(), Fault::ALL);
        assert_eq!(of(&["role-killed"], ServerKind::Production).unwrap(), [Fault::RoleKilled]);
        assert!(of(&["role-killed"], ServerKind::Embedded).unwrap_err().contains("worker-killed"));
        assert_eq!(of(&["none"], ServerKind::Embedded).unwrap(), []);
    }
}
