//! Limits on connections: in total, from one address, and some additional ones so that the health calls are always
//! answered.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conversation::{Conversation, Times};

/// The additional places, only for the health calls.
pub(super) const RESERVED: usize = 8;

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// For every call.
    Every,
    /// For the health calls: there are too many others.
    Health,
}

struct Open {
    conversation: Arc<Conversation>,
    peer: IpAddr,
    of: Use,
}

#[derive(Default)]
struct State {
    next: u64,
    open: BTreeMap<u64, Open>,
    peers: HashMap<IpAddr, usize>,
    reserved: usize,
}

/// All places of a service.
pub(super) struct Places {
    connections_max: usize,
    per_peer_max: usize,
    times: Times,
    state: Mutex<State>,
}

/// A place in use. Dropping it frees the place.
pub(super) struct Place {
    number: u64,
    pub(super) of: Use,
    pub(super) conversation: Arc<Conversation>,
    places: Arc<Places>,
}

impl Places {
    pub(super) fn new(connections_max: usize, per_peer_max: usize, times: Times) -> Self {
        Self { connections_max, per_peer_max, times, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address. If all are taken, one connection is closed: the one that has waited longest without a
    /// request, of the address that has most. If none waits, the new one gets one of the reserved places; none if those are busy
    /// with requests, too.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let peer = network_of(address);
        let mut state = self.state();
        if state.peers.get(&peer).is_some_and(|open| *open >= self.per_peer_max) {
            state.make_room(|open| open.of == Use::Every && open.peer == peer);
        } else if state.ordinary() >= self.connections_max {
            let most = state.peers.iter().max_by_key(|(_, open)| **open).map(|(peer, _)| *peer);
            if !state.make_room(|open| open.of == Use::Every && Some(open.peer) == most) {
                state.make_room(|open| open.of == Use::Every);
            }
        }
        let has_room = state.ordinary() < self.connections_max
            && state.peers.get(&peer).is_none_or(|open| *open < self.per_peer_max);
        let of = if has_room { Use::Every } else { Use::Health };
        if of == Use::Health && state.reserved >= RESERVED && !state.make_reserved_room() {
            return None;
        }
        Some(self.open(&mut state, peer, of))
    }

    fn open(self: &Arc<Self>, state: &mut State, peer: IpAddr, of: Use) -> Place {
        let conversation = Arc::new(Conversation::new(self.times));
        state.next += 1;
        let number = state.next;
        state.open.insert(number, Open { conversation: Arc::clone(&conversation), peer, of });
        match of {
            Use::Every => *state.peers.entry(peer).or_default() += 1,
            Use::Health => state.reserved += 1,
        }
        Place { number, of, conversation, places: Arc::clone(self) }
    }

    /// Closes this many connections that wait: there are no file descriptors left.
    pub(super) fn make_room(&self, connections: usize) {
        let mut state = self.state();
        for _ in 0..connections {
            if !state.make_room(|_| true) {
                break;
            }
        }
    }
}

impl State {
    fn ordinary(&self) -> usize {
        self.open.len() - self.reserved
    }

    /// Closes the connection that has waited longest; returns whether there was one.
    fn make_room(&mut self, is_meant: impl Fn(&Open) -> bool) -> bool {
        let waiting = self.open.iter().filter(|(_, open)| is_meant(open));
        let since = waiting.filter_map(|(number, open)| Some((open.conversation.waits_since()?, *number)));
        let Some((_, longest)) = since.min() else { return false };
        self.evict(longest);
        true
    }

    /// Closes the oldest connection on a reserved place that is handling no request.
    fn make_reserved_room(&mut self) -> bool {
        let mut reserved = self.open.iter().filter(|(_, open)| open.of == Use::Health && !open.conversation.is_busy());
        let Some(oldest) = reserved.next().map(|(number, _)| *number) else { return false };
        self.evict(oldest);
        true
    }

    fn evict(&mut self, number: u64) {
        if let Some(open) = self.remove(number) {
            open.conversation.evict();
        }
    }

    fn remove(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        match open.of {
            Use::Health => self.reserved -= 1,
            Use::Every => {
                if let Some(count) = self.peers.get_mut(&open.peer) {
                    *count -= 1;
                    if *count == 0 {
                        self.peers.remove(&open.peer);
                    }
                }
            }
        }
        Some(open)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The place is already removed if another connection took it.
        drop(self.places.state().remove(self.number));
    }
}

/// What counts as one address: an IPv4 address, or a network of IPv6, because every host has 2^64 addresses there.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(connections_max: usize, per_peer_max: usize) -> Arc<Places> {
        let second = Duration::from_secs(1);
        Arc::new(Places::new(connections_max, per_peer_max, Times { header: second, body: second, idle: second }))
    }

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn busy(place: Option<Place>) -> Place {
        let place = place.unwrap();
        place.conversation.asked();
        place
    }

    #[test]
    fn beyond_the_limit_only_health_is_answered_until_a_place_is_free() {
        let places = places(2, 9);
        let (first, second) = (busy(places.take(peer(1))), busy(places.take(peer(2))));
        assert_eq!([first.of, second.of], [Use::Every; 2]);
        let third = places.take(peer(3)).unwrap();
        assert_eq!(third.of, Use::Health);
        drop(first);
        assert_eq!(places.take(peer(3)).unwrap().of, Use::Every);
    }

    #[test]
    fn one_address_has_its_share_and_no_more() {
        let places = places(9, 2);
        let of_one = [busy(places.take(peer(1))), busy(places.take(peer(1)))];
        assert_eq!(places.take(peer(1)).unwrap().of, Use::Health);
        assert_eq!(places.take(peer(2)).unwrap().of, Use::Every);
        drop(of_one);
        assert_eq!(places.take(peer(1)).unwrap().of, Use::Every);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gives_way_first_of_the_address_that_has_most() {
        let places = places(3, 9);
        let quiet = places.take(peer(2)).unwrap();
        let noisy = [places.take(peer(1)).unwrap(), places.take(peer(1)).unwrap()];
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(places.take(peer(3)).unwrap().of, Use::Every);
        noisy[0].conversation.evicted().await;
        tokio::select! {
            biased;
            () = quiet.conversation.evicted() => panic!("the quiet one gave way"),
            () = std::future::ready(()) => {}
        }
    }

    #[test]
    fn the_reserved_places_are_never_held_by_those_who_ask_nothing() {
        let places = places(1, 9);
        let _first = busy(places.take(peer(1)));
        let _silent: Vec<_> = (0..RESERVED).map(|_| places.take(peer(1)).unwrap()).collect();
        assert_eq!(places.take(peer(2)).unwrap().of, Use::Health);
        let _asking: Vec<_> = (0..RESERVED).map(|_| busy(places.take(peer(1)))).collect();
        assert!(places.take(peer(2)).is_none());
    }
}
