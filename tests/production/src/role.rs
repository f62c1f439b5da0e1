//! The roles of a Temporal server. Each is a process, as in production, so that each can be killed alone.

use std::fmt;

/// A role of a Temporal server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Answers clients.
    Frontend,
    /// Stores workflows.
    History,
    /// Keeps task queues.
    Matching,
    /// Runs the server's own workflows.
    Worker,
}

impl Role {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 4] = [Self::History, Self::Matching, Self::Frontend, Self::Worker];

    /// Its name in the server's configuration and in its command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::History => "history",
            Self::Matching => "matching",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
