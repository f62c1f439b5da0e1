//! How the histories are judged.

use std::sync::Arc;
use std::time::Duration;

use interlock_domain::ids::Timestamp;
use interlock_domain::routing::{Routing, RoutingSettings};

/// How the histories are judged.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where resources live: which realm a tenant's resource kind belongs to.
    pub routing: Arc<Routing>,
    /// Whether the system is at rest: every order must have ended, and ledger and customers must agree.
    pub settled: bool,
    /// Whether the histories are those of all entities of the installation: what has no history then does not exist.
    pub all_entities: bool,
    /// All histories were read after this time, so none of them lacks what happened before. `None`: they are complete.
    pub read_from: Option<Timestamp>,
    /// How far the clocks of the server's hosts may be apart: times of different entities are compared only beyond that.
    pub clocks_apart: Duration,
    /// How long a message may be under way before a difference between two entities counts.
    pub messages_take: Duration,
    /// The most facts to keep. Histories beyond it are left out, and the verdict says so.
    pub facts_max: usize,
    /// How many violations of each promise are listed. All are counted.
    pub violations_shown_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        let routing = Routing::new(RoutingSettings::default()).expect("the default settings are valid");
        Self {
            routing: Arc::new(routing),
            settled: false,
            all_entities: false,
            read_from: None,
            clocks_apart: CLOCKS_APART,
            messages_take: MESSAGES_TAKE,
            facts_max: FACTS_MAX,
            violations_shown_max: VIOLATIONS_SHOWN_MAX,
        }
    }
}

/// The default of [`Options::clocks_apart`].
pub const CLOCKS_APART: Duration = Duration::from_secs(1);
/// The default of [`Options::messages_take`].
pub const MESSAGES_TAKE: Duration = Duration::from_mins(10);
/// The default of [`Options::facts_max`]: about 1 GiB.
pub const FACTS_MAX: usize = 2_000_000;
/// The default of [`Options::violations_shown_max`].
pub const VIOLATIONS_SHOWN_MAX: usize = 20;
