//! So many events a second for each tenant, so that a noisy one does not starve another.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use interlock_domain::ids::TenantId;

/// Counts the events of each tenant.
pub struct Throttle {
    limiter: DefaultKeyedRateLimiter<TenantId>,
    clock: DefaultClock,
    /// The most events that can pass at once.
    at_once: NonZeroU32,
}

impl Throttle {
    /// Lets so many events pass in a second, as an average and at once.
    pub fn new(events_per_second_max: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(events_per_second_max)),
            clock: DefaultClock::default(),
            at_once: events_per_second_max,
        }
    }

    /// Lets so many events of a tenant pass. A batch larger than what can ever pass at once counts as that much.
    ///
    /// # Errors
    /// How long to wait, where they are too many just now.
    pub fn pass(&self, tenant: &TenantId, events: usize) -> Result<(), Duration> {
        let events = u32::try_from(events).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        match self.limiter.check_key_n(tenant, events.min(self.at_once)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now())),
            // Never: no more than the capacity is asked for.
            Err(_) => Err(Duration::from_secs(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_that_sends_too_much_waits_and_another_does_not() {
        let throttle = Throttle::new(NonZeroU32::new(2).unwrap());
        let (noisy, quiet): (TenantId, TenantId) = ("noisy".parse().unwrap(), "quiet".parse().unwrap());
        assert!(throttle.pass(&noisy, 7).is_ok());
        assert!(throttle.pass(&noisy, 1).unwrap_err() <= Duration::from_secs(1));
        assert!(throttle.pass(&quiet, 1).is_ok());
    }
}
