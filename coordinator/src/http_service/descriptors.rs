//! How many connections the process has file descriptors for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are left for everything else: the reserved places, connections that are about to close, those to Temporal,
/// names that are looked up, files.
const LEFT_FREE: u64 = 40;
/// The fewest connections: with less there is no service.
const CONNECTIONS_MIN: u64 = 4;

/// As many connections as wanted, or fewer where there are not enough descriptors. The process takes as many of those as it may
/// have.
pub(super) fn connections(wanted: usize) -> usize {
    let allowed = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            // Some systems have a limit below the hard one.
            Err(_) => soft,
        },
        Err(error) => {
            tracing::warn!(%error, "the limit on file descriptors cannot be read");
            return wanted;
        }
    };
    let used = std::fs::read_dir("/dev/fd").map_or(0, |open| open.count() as u64);
    let room = allowed.saturating_sub(used).saturating_sub(LEFT_FREE).max(CONNECTIONS_MIN);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::warn!(
            allowed,
            used,
            connections = room,
            "there are file descriptors for fewer connections than are set"
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
        assert!(connections(usize::MAX) < usize::MAX);
    }
}
