//! The content of an event, written by hand: claims and steps, from which a plan is made.

use interlock_domain::catalog::Holdings;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, ResourceId};
use interlock_domain::order::{
    Claim, ClaimMode, Late, OnFailure, Plan, PlannedStep, Rejection, ReleaseWhen, ResourcePolicy,
};
use serde_json::{Map, Value, json};

use crate::names::{resource, target};

/// The attempt time-out in milliseconds. The machines only pass it on.
const ATTEMPT_TIMEOUT_MS: u64 = 30_000;

/// A claim of a deed.
#[derive(Debug, Clone)]
pub struct DeedClaim {
    /// The kind of claim.
    pub mode: ClaimMode,
    /// The resource.
    pub resource: ResourceId,
    /// For a release: its time.
    pub release_when: ReleaseWhen,
    /// The identity of the customer that it names. `None`: its first one, which is its name.
    pub target_identity: Option<String>,
    /// The identity that the customer has after the order, if it changes.
    pub target_identity_after: Option<String>,
}

/// The effect of a step on one resource at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// Registers it to the customer.
    Assign,
    /// Removes the customer's registration.
    Release,
    /// Registers it to another identity of the customer.
    Rename,
    /// Writes something about it.
    Touch,
}

impl Write {
    fn name(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Release => "release",
            Self::Rename => "rename",
            Self::Touch => "touch",
        }
    }
}

/// A step of a deed.
#[derive(Debug, Clone)]
pub struct DeedStep {
    /// The target.
    pub target: String,
    /// What it writes. Empty for a step that no lease protects.
    pub writes: Vec<(Write, ResourceId)>,
    /// The steps before it.
    pub after: Vec<usize>,
    /// What happens if it is refused.
    pub on_failure: OnFailure,
    /// Whether it can be undone.
    pub compensated: bool,
}

/// The content of an event.
#[derive(Debug, Clone)]
pub struct Deed {
    /// The event's type.
    pub name: String,
    /// What it claims.
    pub claims: Vec<DeedClaim>,
    /// What it does.
    pub steps: Vec<DeedStep>,
    /// Whether it passes orders that only wait.
    pub urgent: bool,
    /// Whether it needs no turn.
    pub unordered: bool,
    /// What it does if it comes late.
    pub late: Late,
    /// Whether it releases everything that its customer holds when it is admitted.
    pub releases_all: bool,
    /// Whether the planner rejects it.
    pub is_unplannable: bool,
}

impl Deed {
    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            claims: Vec::new(),
            steps: Vec::new(),
            urgent: false,
            unordered: false,
            late: Late::Apply,
            releases_all: false,
            is_unplannable: false,
        }
    }

    fn claim(mut self, mode: ClaimMode, name: &str) -> Self {
        let (resource, release_when) = (resource(name), ReleaseWhen::Turn);
        self.claims.push(DeedClaim {
            mode,
            resource,
            release_when,
            target_identity: None,
            target_identity_after: None,
        });
        self
    }

    fn step(mut self, on: &str, writes: &[(Write, &str)]) -> Self {
        let writes = writes.iter().map(|(write, name)| (*write, resource(name))).collect();
        self.steps.push(DeedStep {
            target: on.to_owned(),
            writes,
            after: Vec::new(),
            on_failure: OnFailure::Hold,
            compensated: false,
        });
        self
    }

    /// Each step comes after the one before it.
    #[must_use]
    pub fn in_sequence(mut self) -> Self {
        for index in 1..self.steps.len() {
            self.steps[index].after = vec![index - 1];
        }
        self
    }

    /// Adds a step on `target` that no lease protects, after all others.
    #[must_use]
    pub fn then_note(mut self, target: &str) -> Self {
        let before = (0..self.steps.len()).collect();
        self = self.step(target, &[]);
        if let Some(step) = self.steps.last_mut() {
            step.after = before;
        }
        self
    }

    /// Sets what happens if one of its steps is refused. `Skip` does not apply to steps that release.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        for step in &mut self.steps {
            let releases = step.writes.iter().any(|(write, _)| *write == Write::Release);
            if !(releases && on_failure == OnFailure::Skip) {
                step.on_failure = on_failure;
            }
        }
        self
    }

    /// Makes its steps undoable.
    #[must_use]
    pub fn compensated(mut self) -> Self {
        self.steps.iter_mut().for_each(|step| step.compensated = true);
        self
    }

    /// Makes it pass orders that only wait.
    #[must_use]
    pub fn urgent(mut self) -> Self {
        self.urgent = true;
        self
    }

    /// Sets what it does if it comes late.
    #[must_use]
    pub fn late(mut self, late: Late) -> Self {
        self.late = late;
        self
    }

    /// Makes it need no turn.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    /// Delays its release until its assign is granted.
    #[must_use]
    pub fn when_granted(mut self) -> Self {
        for claim in self.claims.iter_mut().filter(|claim| claim.mode == ClaimMode::Release) {
            claim.release_when = ReleaseWhen::Granted;
        }
        self
    }

    /// Names the customer by this identity.
    #[must_use]
    pub fn naming(mut self, target_identity: &str) -> Self {
        self.claims.iter_mut().for_each(|claim| claim.target_identity = Some(target_identity.to_owned()));
        self
    }

    /// The plan of this deed for a customer that holds, or is about to hold, `holdings`.
    ///
    /// # Errors
    /// A rejection if the planner rejects this deed.
    pub fn plan(&self, customer: &CustomerId, holdings: &Holdings, policy: &ResourcePolicy) -> Result<Plan, Rejection> {
        if self.is_unplannable {
            return Err(Rejection::new(ErrorCode::UnknownEventType, "The catalog does not know this type."));
        }
        if self.releases_all {
            let mut deed = Self::empty(&self.name);
            for held in holdings.keys().map(ToString::to_string) {
                deed = deed.claim(ClaimMode::Release, &held).step("hss", &[(Write::Release, &held)]);
            }
            return Ok(deed.fixed_plan(customer, policy));
        }
        Ok(self.fixed_plan(customer, policy))
    }

    fn fixed_plan(&self, customer: &CustomerId, policy: &ResourcePolicy) -> Plan {
        let target_identity = customer.to_string();
        let claim = |claim: &DeedClaim| Claim {
            resource: claim.resource.clone(),
            mode: claim.mode,
            release_when: claim.release_when,
            target_identity: Some(claim.target_identity.clone().unwrap_or_else(|| target_identity.clone())),
            target_identity_after: claim.target_identity_after.clone(),
            policy: policy.clone(),
        };
        Plan {
            requires: Vec::new(),
            first_use: Vec::new(),
            catalog_digest: "model".to_owned(),
            urgent: self.urgent,
            priority: None,
            unordered: self.unordered,
            expires_after_ms: None,
            due_within_ms: None,
            late: self.late,
            claims: self.claims.iter().map(claim).collect(),
            steps: self
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| step.planned(index, self, &target_identity))
                .collect(),
        }
    }
}

impl DeedStep {
    fn planned(&self, index: usize, deed: &Deed, customer: &str) -> PlannedStep {
        let mut data = Map::new();
        let named = |resource: &ResourceId| deed.claims.iter().find(|claim| claim.resource == *resource);
        let claim = self.writes.first().and_then(|(_, resource)| named(resource));
        let target_identity = claim.and_then(|claim| claim.target_identity.as_deref()).unwrap_or(customer);
        data.insert("party".to_owned(), Value::from(target_identity));
        if let Some(after) = claim.and_then(|claim| claim.target_identity_after.as_deref()) {
            data.insert("party_after".to_owned(), Value::from(after));
        }
        let writes: Vec<Value> =
            self.writes.iter().map(|(write, resource)| json!([write.name(), resource.to_string()])).collect();
        data.insert("writes".to_owned(), Value::from(writes));
        PlannedStep {
            name: format!("{}#{index}", self.target),
            role: self.target.parse().expect("a short name"),
            target: target(&self.target),
            operation: "do".to_owned(),
            data,
            fixed: Vec::new(),
            target_identity_arguments: Some(vec!["party".to_owned()]),
            resources: self.writes.iter().map(|(_, resource)| resource.clone()).collect(),
            after: self.after.clone(),
            on_failure: self.on_failure,
            compensation: self.compensated.then(|| "undo".to_owned()),
            attempt_timeout_ms: ATTEMPT_TIMEOUT_MS,
            retry: interlock_domain::retry::RetryPolicy::default(),
            proves: false,
        }
    }
}

/// Takes `name` and keeps it.
pub fn assign(name: &str) -> Deed {
    assign_on(&["hss"], name)
}

/// Takes `name` and keeps it, with a step on each of the targets.
pub fn assign_on(targets: &[&str], name: &str) -> Deed {
    let deed = Deed::empty("assign").claim(ClaimMode::Assign, name);
    targets.iter().fold(deed, |deed, on| deed.step(on, &[(Write::Assign, name)])).in_sequence()
}

/// Releases `name`.
pub fn release(name: &str) -> Deed {
    release_on(&["hss"], name)
}

/// Releases `name`, with a step on each of the targets.
pub fn release_on(targets: &[&str], name: &str) -> Deed {
    let deed = Deed::empty("release").claim(ClaimMode::Release, name);
    targets.iter().fold(deed, |deed, on| deed.step(on, &[(Write::Release, name)])).in_sequence()
}

/// Releases `old` once `new` is granted, and takes `new`.
pub fn changed(old: &str, new: &str) -> Deed {
    Deed::empty("changed")
        .claim(ClaimMode::Assign, new)
        .claim(ClaimMode::Release, old)
        .step("hss", &[(Write::Release, old)])
        .step("hss", &[(Write::Assign, new)])
        .in_sequence()
        .when_granted()
}

/// Takes all of `names` and keeps them, one step each.
pub fn assign_all(names: &[&str]) -> Deed {
    let deed = names.iter().fold(Deed::empty("assign_all"), |deed, name| deed.claim(ClaimMode::Assign, name));
    names.iter().fold(deed, |deed, name| deed.step("hss", &[(Write::Assign, name)])).in_sequence()
}

/// Locks all of `names` for one step that needs them all.
pub fn lock(names: &[&str]) -> Deed {
    let deed = names.iter().fold(Deed::empty("lock"), |deed, name| deed.claim(ClaimMode::Lock, name));
    let writes: Vec<_> = names.iter().map(|name| (Write::Touch, *name)).collect();
    deed.step("hss", &writes)
}

/// Locks names, with one step each, in sequence, on the targets given with them.
pub fn lock_each(steps: &[(&str, &str)]) -> Deed {
    let deed = steps.iter().fold(Deed::empty("lock_each"), |deed, (_, name)| deed.claim(ClaimMode::Lock, name));
    steps.iter().fold(deed, |deed, (on, name)| deed.step(on, &[(Write::Touch, *name)])).in_sequence()
}

/// Moves `number` from the SIM `old` to the SIM `new`.
pub fn swap_sim(number: &str, old: &str, new: &str) -> Deed {
    Deed::empty("swap_sim")
        .claim(ClaimMode::Lock, number)
        .claim(ClaimMode::Assign, new)
        .claim(ClaimMode::Release, old)
        .step("hss", &[(Write::Touch, number), (Write::Assign, new), (Write::Release, old)])
}

/// Registers `number` to the customer's identity `new` instead of `old`.
pub fn rename(number: &str, old: &str, new: &str) -> Deed {
    let mut deed =
        Deed::empty("rename").claim(ClaimMode::Lock, number).step("hss", &[(Write::Rename, number)]).naming(old);
    deed.claims.iter_mut().for_each(|claim| claim.target_identity_after = Some(new.to_owned()));
    deed
}

/// A step on `target` that no lease protects.
pub fn note(target: &str) -> Deed {
    Deed::empty("note").step(target, &[])
}

/// Releases everything that the customer holds when this is admitted.
pub fn release_all() -> Deed {
    let mut deed = Deed::empty("release_all");
    deed.releases_all = true;
    deed
}

/// An event that the planner rejects.
pub fn unplannable() -> Deed {
    let mut deed = Deed::empty("unplannable");
    deed.is_unplannable = true;
    deed
}
