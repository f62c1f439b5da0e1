//! How many connections the process has file descriptors for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are kept for everything else: the reserved places, connections that are about to close, connections to Temporal,
/// DNS queries, files.
const LEFT_FREE: u64 = 40;
/// The fewest connections: with fewer there is no service.
const CONNECTIONS_MIN: u64 = 4;

/// The wanted number of connections, or fewer if there are not enough descriptors. If the process may raise its limit,
/// it raises it as far as needed.
pub(super) fn connections(wanted: usize) -> usize {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "cannot read the limit on file descriptors");
            return wanted;
        }
    };
    let used = std::fs::read_dir("/dev/fd").map_or(0, |open| open.count() as u64);
    let needed = (wanted as u64).saturating_add(used).saturating_add(LEFT_FREE).min(hard);
    // Some systems have a limit below the hard one: then the limit stays unchanged.
    let is_raised = needed > soft && setrlimit(Resource::RLIMIT_NOFILE, needed, hard).is_ok();
    let allowed = if is_raised { needed } else { soft };
    let room = allowed.saturating_sub(used).saturating_sub(LEFT_FREE).max(CONNECTIONS_MIN);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::warn!(
            allowed,
            used,
            connections = room,
            "the limit on file descriptors allows fewer connections than configured"
        );
    }
    wanted.min(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_had_where_there_are_descriptors() {
        assert_eq!(connections(5), 5);
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(connections(usize::MAX) as u64 <= hard);
    }
}
