//! A rate limit for each tenant, so that a noisy one does not starve another.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use interlock_domain::ids::TenantId;
use interlock_settings::GatewaySettings;
use tokio::time::Instant;

/// How many keys are remembered before those with a full bucket are forgotten: as many as can send in one second.
const REMEMBERED: usize = 10_000;

/// What has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Events.
    Events,
    /// Reads, which entities answer.
    Reads,
    /// Lists, which Temporal's visibility store answers. They are limited for each tenant, and for all together.
    Lists,
    /// Actions.
    Actions,
}

/// Counts the events and calls of each tenant.
pub(super) struct Throttle {
    events: Buckets<TenantId>,
    reads: Buckets<TenantId>,
    actions: Buckets<TenantId>,
    lists: Buckets<TenantId>,
    all_lists: Buckets<()>,
}

impl Throttle {
    /// With the limits of these settings.
    pub(super) fn new(settings: &GatewaySettings) -> Self {
        Self {
            events: Buckets::new(settings.events_per_second_max),
            reads: Buckets::new(settings.reads_per_second_max),
            actions: Buckets::new(settings.actions_per_second_max),
            lists: Buckets::new(settings.lists_per_tenant_max),
            all_lists: Buckets::new(settings.lists_per_second_max),
        }
    }

    /// Takes this many of a tenant's allowance.
    ///
    /// # Errors
    /// How long to wait, if the allowance is used up.
    pub(super) fn pass(&self, tenant: &TenantId, counted: Counted, number: usize) -> Result<(), Duration> {
        match counted {
            Counted::Events => self.events.take(tenant, number),
            Counted::Reads => self.reads.take(tenant, number),
            Counted::Actions => self.actions.take(tenant, number),
            Counted::Lists => {
                self.lists.take(tenant, number)?;
                self.all_lists.take(&(), number)
            }
        }
    }

    /// Whether an event of a tenant could pass now; nothing is counted.
    ///
    /// # Errors
    /// How long to wait, if it could not.
    pub(super) fn has_room(&self, tenant: &TenantId) -> Result<(), Duration> {
        self.events.take(tenant, 0)
    }
}

/// A token bucket for each key: it is filled at a rate, and holds what is filled in one second. A request for more than a bucket holds
/// passes if the bucket is full, and leaves it in debt: so a batch is counted in full, and no batch is refused forever.
struct Buckets<K> {
    per_second: f64,
    of: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    level: f64,
    at: Instant,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(per_second: NonZeroU32) -> Self {
        Self { per_second: f64::from(per_second.get()), of: Mutex::default() }
    }

    fn take(&self, key: &K, number: usize) -> Result<(), Duration> {
        let (now, full) = (Instant::now(), self.per_second);
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= REMEMBERED && !of.contains_key(key) {
            of.retain(|_, bucket| bucket.filled(full, now) < full);
        }
        let bucket = of.entry(key.clone()).or_insert(Bucket { level: full, at: now });
        bucket.level = bucket.filled(full, now);
        bucket.at = now;
        let number = f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        // At least one is needed, even to ask whether there is room.
        let needed = number.clamp(1.0, full);
        if bucket.level < needed {
            return Err(Duration::from_secs_f64((needed - bucket.level) / full));
        }
        bucket.level -= number;
        Ok(())
    }
}

impl Bucket {
    fn filled(&self, full: f64, now: Instant) -> f64 {
        (self.level + now.duration_since(self.at).as_secs_f64() * full).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(change: impl FnOnce(&mut GatewaySettings)) -> Throttle {
        let mut settings = GatewaySettings::default();
        change(&mut settings);
        Throttle::new(&settings)
    }

    fn number(of: u32) -> NonZeroU32 {
        NonZeroU32::new(of).unwrap()
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_tenant_that_sends_too_much_waits_and_another_does_not() {
        let throttle = throttle(|settings| settings.events_per_second_max = number(2));
        let (noisy, quiet) = (tenant("noisy"), tenant("quiet"));
        assert!(throttle.pass(&noisy, Counted::Events, 2).is_ok());
        assert_eq!(throttle.pass(&noisy, Counted::Events, 1), Err(Duration::from_millis(500)));
        assert_eq!(throttle.has_room(&noisy), Err(Duration::from_millis(500)));
        assert!(throttle.pass(&quiet, Counted::Events, 1).is_ok());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(throttle.has_room(&noisy).is_ok());
        assert!(throttle.pass(&noisy, Counted::Events, 1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_counts_as_all_that_it_has() {
        let throttle = throttle(|settings| settings.events_per_second_max = number(10));
        let one = tenant("one");
        assert!(throttle.pass(&one, Counted::Events, 1_000).is_ok());
        // The debt is 990, and one more is needed.
        assert_eq!(throttle.pass(&one, Counted::Events, 1), Err(Duration::from_secs_f64(99.1)));
        tokio::time::advance(Duration::from_secs(99)).await;
        assert!(throttle.pass(&one, Counted::Events, 1).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(throttle.pass(&one, Counted::Events, 1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_counted_is_counted_for_itself() {
        let throttle = throttle(|settings| settings.events_per_second_max = number(1));
        let one = tenant("one");
        assert!(throttle.pass(&one, Counted::Events, 1).is_ok());
        assert!(throttle.pass(&one, Counted::Events, 1).is_err());
        for other in [Counted::Reads, Counted::Lists, Counted::Actions] {
            assert!(throttle.pass(&one, other, 1).is_ok(), "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_a_share_of_the_lists_and_all_have_the_whole() {
        let throttle = throttle(|settings| {
            settings.lists_per_second_max = number(3);
            settings.lists_per_tenant_max = number(2);
        });
        let list = |name: &str| throttle.pass(&tenant(name), Counted::Lists, 1).is_ok();
        assert_eq!([list("a"), list("a"), list("a")], [true, true, false]);
        assert_eq!([list("b"), list("b")], [true, false]);
        assert!(!list("c"), "the whole is used up");
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_nobody_has_are_forgotten() {
        let throttle = throttle(|settings| settings.reads_per_second_max = number(1_000));
        for index in 0..=REMEMBERED {
            assert!(throttle.pass(&tenant(&format!("t{index}")), Counted::Reads, 1).is_ok());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(throttle.reads.of.lock().unwrap().len() < REMEMBERED);
    }
}
