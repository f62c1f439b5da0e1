//! Who there is: tenants with their customers, SIMs and numbers.

use interlock_adapters::sandbox::Seed;
use interlock_domain::ids::TenantId;

/// The tenants, each with the target that its role `hss` means.
pub const TENANTS: [(&str, &str); 2] = [("red", "hss-east"), ("blue", "hss-west")];

/// A customer with two SIMs: one that is a subscriber from the start, and a spare one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The CloudEvents subject.
    pub id: String,
    /// The IMSIs of the SIMs.
    pub sims: [String; 2],
}

impl Person {
    /// The id of the card of the first SIM.
    pub fn iccid(&self) -> String {
        format!("8901{}", self.sims[0])
    }
}

/// A tenant's part.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The tenant.
    pub id: TenantId,
    /// Its customers.
    pub people: Vec<Person>,
    /// Its numbers. The first one is hot.
    pub numbers: Vec<String>,
    /// The digit that its ids begin with.
    index: usize,
}

impl Tenant {
    /// The person with this place in the tenant. Places above the initial ones are newcomers.
    pub fn person(&self, place: usize) -> Person {
        let name = self.id.as_str();
        let sim = |which: usize| format!("00101{}{which}{place:08}", self.index);
        Person { id: format!("{name}-{place}"), sims: [sim(0), sim(1)] }
    }

    /// What its HSS knows from the start.
    pub fn seeds(&self) -> Vec<Seed> {
        let of_person = |person: &Person| {
            let [first, spare] = person.sims.clone();
            let subscriber = Seed { imsi: first, ..Seed::default() };
            [subscriber, Seed { imsi: spare, sim_only: true, ..Seed::default() }]
        };
        self.people.iter().flat_map(of_person).collect()
    }
}

/// The tenants with this many customers and numbers in sum.
///
/// # Panics
/// Never: the names of the tenants are valid.
pub fn populate(customers: usize, numbers: usize) -> Vec<Tenant> {
    let of_tenant = |(index, (name, _)): (usize, &(&str, &str))| {
        let id: TenantId = name.parse().expect("a valid name");
        let number = |place: usize| format!("1206{index}{place:06}");
        let numbers = (0..(numbers / TENANTS.len()).max(2)).map(number).collect();
        let mut tenant = Tenant { id, people: Vec::new(), numbers, index };
        tenant.people = (0..(customers / TENANTS.len()).max(4)).map(|place| tenant.person(place)).collect();
        tenant
    };
    TENANTS.iter().enumerate().map(of_tenant).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tenants_have_nothing_in_common() {
        let tenants = populate(200, 20);
        assert_eq!(tenants.iter().map(|tenant| tenant.people.len()).sum::<usize>(), 200);
        assert_eq!(tenants.iter().map(|tenant| tenant.numbers.len()).sum::<usize>(), 20);
        let numbers: BTreeSet<&String> = tenants.iter().flat_map(|tenant| &tenant.numbers).collect();
        let sims: BTreeSet<&String> =
            tenants.iter().flat_map(|tenant| &tenant.people).flat_map(|person| &person.sims).collect();
        assert_eq!((numbers.len(), sims.len()), (20, 400));
        assert!(sims.iter().all(|sim| sim.len() == 15));
    }
}
