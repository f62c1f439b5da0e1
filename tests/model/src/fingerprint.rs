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
    fn fingerprint(&self) -> u64 {
        hash_of_json(&self.decisive_state())
    }
}

impl Fingerprint for Resource {
    fn fingerprint(&self) -> u64 {
        hash_of_json(&self.decisive_state())
    }
}
