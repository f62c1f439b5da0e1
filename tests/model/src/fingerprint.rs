//! A state's fingerprint. The explorer treats two states with the same fingerprint as equal.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::Arc;

use interlock_domain::customer::Customer;
use interlock_domain::resource::Resource;
use serde::Serialize;

/// A large value that changes rarely, shared between the worlds that have it in common.
#[derive(Debug, Clone)]
pub struct Tracked<T> {
    inner: Arc<(u64, T)>,
}

/// The part of a value that is hashed: everything that its future depends on, and nothing else.
pub trait Fingerprint: Clone {
    /// The hash.
    fn fingerprint(&self) -> u64;
}

impl<T: Fingerprint> Tracked<T> {
    /// Tracks a value.
    pub fn new(value: T) -> Self {
        Self { inner: Arc::new((value.fingerprint(), value)) }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.inner.1
    }

    /// Changes the value, in this world only.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let inner = Arc::make_mut(&mut self.inner);
        let result = change(&mut inner.1);
        inner.0 = inner.1.fingerprint();
        result
    }
}

impl<T> Hash for Tracked<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.inner.0);
    }
}

/// The hash of a value's JSON form.
///
/// # Panics
/// If the value has no JSON form. All states have one, since they pass through continue-as-new.
pub fn hash_of_json<T: Serialize>(value: &T) -> u64 {
    struct Sink(DefaultHasher);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    serde_json::to_writer(&mut sink, value).expect("every state has a JSON form");
    sink.0.finish()
}

impl Fingerprint for Customer {
    /// The journal is left out, except for persons' actions, and so are the counts, since no decision depends on them.
    fn fingerprint(&self) -> u64 {
        let acted: Vec<_> =
            self.journal.iter().map(|entry| &entry.what).filter(|what| what.starts_with("action")).collect();
        let waiting = (&self.unjudged, &self.early_recalls, &self.early_notices);
        let pending = (&self.inbox, self.local, &self.basis, &self.outbox, waiting);
        let to_say = (&self.to_reassert, &self.contradicting, &self.to_reassert_as_reset, self.reset_at);
        let memory = (to_say, &self.given_back, &self.settled, &self.applied, &self.remembered);
        hash_of_json(&(self.incarnation, pending, &self.orders, &self.leases, memory, acted))
    }
}

impl Fingerprint for Resource {
    /// The history is left out, since no decision depends on it.
    fn fingerprint(&self) -> u64 {
        let queue: Vec<_> = self.queue.values().collect();
        let earlier = (self.reborn, self.unsure, self.hears_again, self.untold, self.settled, self.floor, &self.rival);
        let grants = (self.epoch, &self.holder, self.vacancy, self.not_before, self.contested_in_a_row);
        // No decision depends on the number of its questions.
        let asking = (self.looking_up, self.look_up_is_stale, self.asking.by_hand, self.asking.again_at);
        let pending = (asking, &self.outbox, self.sending, self.fresh);
        hash_of_json(&(grants, earlier, pending, queue, &self.finished))
    }
}
