//! What happens to customers: short stories of events that make sense one after the other. Producers then shuffle, repeat and delay them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::population::{Person, Tenant};

/// How many customers want one number at the same time.
const BORROWERS_MAX: usize = 5;
/// The share of stories that are about the hot number of their tenant.
const HOT_SHARE: f64 = 0.3;
/// The shortest pause between the events of a story, in seconds, unless the longest one is shorter.
const PAUSE_MIN: f64 = 0.5;

/// A change that can be recognised at the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// An event of a story.
#[derive(Debug, Clone, PartialEq)]
pub struct Scripted {
    /// The place of the tenant.
    pub tenant: usize,
    /// The CloudEvents type.
    pub event_type: &'static str,
    /// The subject.
    pub customer: String,
    /// The data.
    pub data: Value,
    /// By which the targets' logs show it, if it can be recognised.
    pub token: Option<Token>,
    /// A new SIM that the HSS must know before.
    pub newcomer: Option<Person>,
    /// Whom and what it frees for other stories.
    frees: Frees,
}

/// What ends with an event, for other stories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Frees {
    numbers: Vec<(usize, String)>,
    person: Option<(usize, usize)>,
}

/// An event of a person, alone.
fn of(event_type: &'static str, person: &Person, data: Value) -> Scripted {
    let customer = person.id.clone();
    Scripted { tenant: 0, event_type, customer, data, token: None, newcomer: None, frees: Frees::default() }
}

/// A story of somebody who gets a number, keeps it for a while, and gives it back.
struct Borrowing {
    tenant: usize,
    place: usize,
    person: Person,
    /// The numbers that it is about: the one that is given back in the end first, the one that is got in the beginning last, if it changed.
    numbers: Vec<String>,
    /// What happens meanwhile.
    middle: Vec<Scripted>,
    /// Who gives it back, if that is another.
    last: Option<(usize, Person)>,
}

impl Borrowing {
    fn story(&self) -> Vec<Scripted> {
        let is_changed = self.middle.first().is_some_and(|event| event.event_type == "number.changed");
        let got = if is_changed { &self.numbers[1] } else { &self.numbers[0] };
        let assigned = of("number.assigned", &self.person, json!({"imsi": self.person.sims[0], "msisdn": got}));
        let (place, person) = self.last.as_ref().map_or((self.place, &self.person), |(place, to)| (*place, to));
        let data = json!({"imsi": person.sims[0], "msisdn": self.numbers[0]});
        let numbers = self.numbers.iter().map(|number| (self.tenant, number.clone())).collect();
        let frees = Frees { numbers, person: Some((self.tenant, place)) };
        let unassigned = Scripted { frees, ..of("number.unassigned", person, data) };
        [assigned].into_iter().chain(self.middle.iter().cloned()).chain([unassigned]).collect()
    }
}

/// An event with the moment at which it happens.
struct Due(Instant, u64, Scripted);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// Tells stories.
pub struct Stories {
    rng: fastrand::Rng,
    tenants: Vec<Tenant>,
    upcoming: BinaryHeap<Reverse<Due>>,
    /// How many stories want a number.
    borrowers: BTreeMap<(usize, String), usize>,
    /// The persons in a story: each is in one at a time.
    busy: BTreeSet<(usize, usize)>,
    /// The next newcomer of each tenant.
    newcomers: Vec<usize>,
    tokens: u64,
    events: u64,
    /// The pauses between the events of a story, in seconds.
    pauses: Range<f64>,
}

impl Stories {
    /// The stories of this seed, with pauses of at most `pause_max` seconds.
    pub fn new(seed: u64, tenants: Vec<Tenant>, pause_max: f64) -> Self {
        let newcomers = tenants.iter().map(|tenant| tenant.people.len()).collect();
        let (upcoming, borrowers, busy) = (BinaryHeap::new(), BTreeMap::new(), BTreeSet::new());
        let rng = fastrand::Rng::with_seed(seed);
        let pauses = PAUSE_MIN.min(pause_max / 2.0)..pause_max;
        Self { rng, tenants, upcoming, borrowers, busy, newcomers, tokens: 0, events: 0, pauses }
    }

    /// The next event: one of a story that has begun, if it is due, else the first one of a new story. `None` if everybody is in a story
    /// whose next event is not due yet.
    pub fn next(&mut self, now: Instant) -> Option<Scripted> {
        let is_due = self.upcoming.peek().is_some_and(|Reverse(Due(at, ..))| *at <= now);
        if !is_due {
            self.begin(now);
        }
        self.due(now)
    }

    /// The next event of a story that has begun, whether it is due or not.
    pub fn next_of_begun(&mut self) -> Option<Scripted> {
        self.upcoming.pop().map(|Reverse(Due(_, _, event))| self.told(event))
    }

    fn due(&mut self, now: Instant) -> Option<Scripted> {
        let is_due = self.upcoming.peek().is_some_and(|Reverse(Due(at, ..))| *at <= now);
        if is_due { self.next_of_begun() } else { None }
    }

    fn told(&mut self, event: Scripted) -> Scripted {
        for number in &event.frees.numbers {
            if let Some(count) = self.borrowers.get_mut(number) {
                *count = count.saturating_sub(1);
            }
        }
        if let Some(person) = event.frees.person {
            self.busy.remove(&person);
        }
        event
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// A number that not too many want.
    fn number(&mut self, tenant: usize, other_than: Option<&str>) -> Option<String> {
        let numbers = &self.tenants[tenant].numbers;
        let hot = self.rng.f64() < HOT_SHARE;
        let place = if hot { 0 } else { self.rng.usize(0..numbers.len()) };
        let number = numbers[place].clone();
        let wanted = self.borrowers.get(&(tenant, number.clone())).copied().unwrap_or(0);
        let limit = if place == 0 { 4 * BORROWERS_MAX } else { BORROWERS_MAX };
        (wanted < limit && other_than != Some(number.as_str())).then_some(number)
    }

    fn person(&mut self, tenant: usize) -> Option<(usize, Person)> {
        let people = self.tenants[tenant].people.len();
        let place = self.rng.usize(0..people);
        self.busy.insert((tenant, place)).then(|| (place, self.tenants[tenant].people[place].clone()))
    }

    /// Begins a story, if the customer and the number that come up are free.
    fn begin(&mut self, now: Instant) {
        let tenant = self.rng.usize(0..self.tenants.len());
        let Some(number) = self.number(tenant, None) else { return };
        match self.rng.u32(0..100) {
            0..10 => return self.quota(now, tenant, &number),
            10..18 => return self.life(now, tenant, number),
            _ => {}
        }
        let Some((place, person)) = self.person(tenant) else { return };
        let mut borrowing = Borrowing { tenant, place, person, numbers: vec![number], middle: Vec::new(), last: None };
        match self.rng.u32(0..100) {
            0..45 => {
                for _ in 0..self.rng.usize(0..3) {
                    let updated = self.updated(&borrowing.person, 0);
                    borrowing.middle.push(updated);
                }
            }
            45..60 => {
                if !self.moved(&mut borrowing) {
                    self.busy.remove(&(tenant, place));
                    return;
                }
            }
            60..75 => self.changed(&mut borrowing),
            75..90 => self.swapped(&mut borrowing),
            _ => self.second_number(&mut borrowing),
        }
        let story = borrowing.story();
        self.schedule(now, tenant, &borrowing.numbers, story);
    }

    /// A change of the service of one of a person's SIMs.
    fn updated(&mut self, person: &Person, sim: usize) -> Scripted {
        let token = self.token();
        let data = json!({"imsi": person.sims[sim], "settings": {"ue_ambr_dl": token.0}});
        Scripted { token: Some(token), ..of("service.updated", person, data) }
    }

    /// The number moves to another customer, who gives it back. Returns whether there is one.
    fn moved(&mut self, borrowing: &mut Borrowing) -> bool {
        let Some((place, to)) = self.person(borrowing.tenant) else { return false };
        let identity = |person: &Person| json!({"customer_id": person.id, "imsi": person.sims[0]});
        let from = &borrowing.person;
        let data = json!({"msisdn": borrowing.numbers[0], "from": identity(from), "to": identity(&to)});
        let frees = Frees { numbers: Vec::new(), person: Some((borrowing.tenant, borrowing.place)) };
        let moved = Scripted { frees, ..of("number.moved", from, data) };
        borrowing.middle.push(moved);
        borrowing.last = Some((place, to));
        true
    }

    /// The number changes to another one.
    fn changed(&mut self, borrowing: &mut Borrowing) {
        if let Some(new) = self.number(borrowing.tenant, Some(&borrowing.numbers[0])) {
            let (person, old) = (&borrowing.person, &borrowing.numbers[0]);
            let data = json!({"imsi": person.sims[0], "old_msisdn": old, "new_msisdn": new});
            borrowing.middle.push(of("number.changed", person, data));
            // The last event gives back the first one of these.
            borrowing.numbers.insert(0, new);
        }
    }

    /// The SIM changes, and back.
    fn swapped(&mut self, borrowing: &mut Borrowing) {
        let (person, number) = (borrowing.person.clone(), borrowing.numbers[0].clone());
        let [sim, spare] = &person.sims;
        let swap = |old: &String, new: &String| {
            of("sim.swapped", &person, json!({"old_imsi": old, "new_imsi": new, "msisdn": number}))
        };
        borrowing.middle.extend([swap(sim, spare), self.updated(&person, 1), swap(spare, sim)]);
    }

    /// The SIM has a second number for a while.
    fn second_number(&mut self, borrowing: &mut Borrowing) {
        if let Some(second) = self.number(borrowing.tenant, Some(&borrowing.numbers[0])) {
            let person = &borrowing.person;
            let data = json!({"imsi": person.sims[0], "msisdn": second});
            let events = ["number.assigned", "number.unassigned"].map(|what| of(what, person, data.clone()));
            borrowing.middle.extend(events);
            borrowing.numbers.push(second);
        }
    }

    /// A text message, which needs no turn.
    fn quota(&mut self, now: Instant, tenant: usize, number: &str) {
        let place = self.rng.usize(0..self.tenants[tenant].people.len());
        let person = self.tenants[tenant].people[place].clone();
        let token = self.token();
        let data = json!({"msisdn": number, "kind": format!("token-{}", token.0), "limit": 80});
        let event = Scripted { token: Some(token), ..of("quota.exceeded", &person, data) };
        self.schedule(now, tenant, &[], vec![event]);
    }

    /// The life of a new customer, from its activation to the end of its contract.
    fn life(&mut self, now: Instant, tenant: usize, number: String) {
        let place = self.newcomers[tenant];
        self.newcomers[tenant] += 1;
        let person = self.tenants[tenant].person(place);
        let sim = &person.sims[0];
        let data = json!({"imsi": sim, "iccid": person.iccid(), "msisdn": number, "profile": "default"});
        let activated = Scripted { newcomer: Some(person.clone()), ..of("subscriber.activated", &person, data) };
        let updated = self.updated(&person, 0);
        let suspended = of("customer.suspended", &person, json!({"imsi": sim, "reason": "fraud"}));
        let resumed = of("customer.resumed", &person, json!({"imsi": sim, "reason": "cleared"}));
        let frees = Frees { numbers: vec![(tenant, number.clone())], person: None };
        let terminated = Scripted { frees, ..of("customer.terminated", &person, json!({"imsi": sim})) };
        self.schedule(now, tenant, &[number], vec![activated, updated, suspended, resumed, terminated]);
    }

    fn schedule(&mut self, now: Instant, tenant: usize, wanted: &[String], story: Vec<Scripted>) {
        for number in wanted {
            *self.borrowers.entry((tenant, number.clone())).or_default() += 1;
        }
        let mut at = now;
        for event in story {
            self.events += 1;
            self.upcoming.push(Reverse(Due(at, self.events, Scripted { tenant, ..event })));
            let Range { start, end } = self.pauses;
            at += Duration::from_secs_f64(start + self.rng.f64() * (end - start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::population::populate;
    use super::*;

    #[test]
    fn stories_tell_every_event_type_and_free_everybody() {
        let mut stories = Stories::new(7, populate(200, 20), 12.0);
        let mut types = BTreeSet::new();
        let mut now = Instant::now();
        for _ in 0..3_000 {
            now += Duration::from_millis(100);
            types.extend(stories.next(now).map(|event| event.event_type));
        }
        while let Some(event) = stories.next_of_begun() {
            types.insert(event.event_type);
        }
        let catalog = interlock_domain::catalog::REFERENCE_TEXT;
        let of_catalog = catalog.lines().filter_map(|line| line.strip_prefix("[events.\"")?.strip_suffix("\"]"));
        let of_catalog: BTreeSet<&str> = of_catalog.collect();
        assert_eq!(types, of_catalog);
        assert!(stories.busy.is_empty() && stories.borrowers.values().all(|wanted| *wanted == 0));
    }

    #[test]
    fn the_same_seed_tells_the_same_stories() {
        let told = |seed| {
            let (mut stories, now) = (Stories::new(seed, populate(40, 6), 12.0), Instant::now());
            let of = |stories: &mut Stories| stories.next(now).map(|event| (event.event_type, event.data));
            (0..50).map(|_| of(&mut stories)).collect::<Vec<_>>()
        };
        assert_eq!(told(3), told(3));
        assert_ne!(told(3), told(4));
    }
}
