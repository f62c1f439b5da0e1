//! Orders: the key that sorts everything that waits, the plan of an event, and their states.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{OrderId, ResourceId, Role, TargetId, Timestamp};
use crate::kept_text::kept;
use crate::limits::REMEMBERED_MS_MAX;
use crate::recording::Edition;
use crate::retry::RetryPolicy;
use crate::wire::WireWord;

/// How far back an event's own time counts, in milliseconds: as long as duplicates are remembered, 30 days before its
/// acceptance. An older event is rejected as `too_old`.
pub const OCCURRED_AT_BACK_MS_MAX: i64 = REMEMBERED_MS_MAX;
/// How far back an event's own time counted in 0.1.0, in milliseconds: 24 hours before its acceptance.
const OCCURRED_AT_BACK_MS_MAX_V0_1: i64 = 24 * 60 * 60 * 1000;

/// What sorts lanes and resource queues: `(occurred_at, sequence, accepted_at, arrival, order id)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// The event's `time`, never after acceptance and at most 30 days before it; without a `time` the acceptance time.
    pub occurred_at: Timestamp,
    /// The CloudEvents extension `sequence`, in a form that sorts as text; empty if the event has none.
    pub sequence: String,
    /// When the entity accepted the event.
    pub accepted_at: Timestamp,
    /// How many events the entity had accepted, including this one: of events accepted within the same millisecond the first
    /// goes first. 0 if it was accepted by a build that did not count. Between customers it has no meaning, and decides no better than
    /// the order's id.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub arrival: u64,
    /// The order, so that no two keys are equal.
    pub order: OrderId,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl OrderKey {
    /// The key of an event with this `time` and `sequence` that was accepted at `accepted_at`.
    ///
    /// A `sequence` of digits sorts as a number (up to 20 digits), any other as text.
    pub fn new(time: Option<Timestamp>, sequence: Option<&str>, accepted_at: Timestamp, order: OrderId) -> Self {
        Self::back_to(OCCURRED_AT_BACK_MS_MAX, time, sequence, accepted_at, order)
    }

    /// The same, as a run of this edition makes it: in 0.1.0 an event's `time` counted for 24 hours only.
    pub fn of_edition(
        edition: Edition,
        time: Option<Timestamp>,
        sequence: Option<&str>,
        accepted_at: Timestamp,
        order: OrderId,
    ) -> Self {
        let back_ms_max = match edition {
            Edition::V0_1 => OCCURRED_AT_BACK_MS_MAX_V0_1,
            Edition::V0_2 | Edition::V0_2Tells => OCCURRED_AT_BACK_MS_MAX,
        };
        Self::back_to(back_ms_max, time, sequence, accepted_at, order)
    }

    fn back_to(
        back_ms_max: i64,
        time: Option<Timestamp>,
        sequence: Option<&str>,
        accepted_at: Timestamp,
        order: OrderId,
    ) -> Self {
        let earliest = Timestamp(accepted_at.0.saturating_sub(back_ms_max));
        let occurred_at = time.map_or(accepted_at, |time| time.clamp(earliest, accepted_at));
        let sequence = match sequence {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{:0>20}", digits.trim_start_matches('0'))
            }
            Some(text) => text.to_owned(),
            None => String::new(),
        };
        Self { occurred_at, sequence, accepted_at, arrival: 0, order }
    }

    /// The same, for the event that the entity accepted as its `arrival`-th.
    #[must_use]
    pub fn arrived(self, arrival: u64) -> Self {
        Self { arrival, ..self }
    }
}

/// What an order wants of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimMode {
    /// Take it and keep it after the order.
    Assign,
    /// Give it up.
    Release,
    /// Hold it for this order only.
    Lock,
}

impl WireWord for ClaimMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Release => "release",
            Self::Lock => "lock",
        }
    }
}

/// When the release of an order that also assigns may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseWhen {
    /// In its turn.
    #[default]
    Turn,
    /// Only when the order's own assigns are granted, so that the customer always has a number.
    Granted,
}

/// One claim of a plan. A plan has at most one claim per resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The resource.
    pub resource: ResourceId,
    /// What is wanted of it.
    pub mode: ClaimMode,
    /// For a release: when it may run.
    #[serde(default)]
    pub release_when: ReleaseWhen,
    /// The name under which the targets know the claimant (an IMSI for a number): a look-up's answer is compared
    /// with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// That name once the order is done, if it changes (a SIM swap).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party_after")]
    pub target_identity_after: Option<String>,
    /// How the resource's kind is looked up, and how long requests of dead entities may still arrive.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

/// What a resource entity must know of its kind. It travels with each ticket, planned from the catalog, so that a
/// resource entity reads no configuration of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// The look-up that says who is registered, if the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Whether the workers of the authority repeat the proof of a question in their answer, as Interlock's own do. Then an answer without
    /// it does not count. Admissions of 0.1.0 do not set it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authority_proves: bool,
    /// How long a request of a dead customer entity may still arrive, in milliseconds.
    #[serde(default)]
    pub orphan_settle_ms: u64,
    /// How long a resource entity without history waits before its first grant, because clocks differ, in milliseconds.
    #[serde(default)]
    pub fresh_wait_ms: u64,
    /// The limits of the resource entity.
    #[serde(default)]
    pub limits: crate::limits::EntityLimits,
}

impl ResourcePolicy {
    /// The same, with whether the workers of the authority's target repeat proofs.
    #[must_use]
    pub fn with_proofs(self, proves: impl FnOnce(&TargetId) -> bool) -> Self {
        let authority_proves = self.authority.as_ref().is_some_and(|authority| proves(&authority.target));
        Self { authority_proves, ..self }
    }
}

/// The look-up operation of a resource kind: it is asked when the ledger does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Authority {
    /// The target that is asked.
    pub target: TargetId,
    /// Its operation, e.g. `find_holder`.
    pub operation: String,
}

/// What happens when a step fails permanently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The lane waits for a person.
    #[default]
    Hold,
    /// The step is skipped. Not allowed for steps that release.
    Skip,
    /// The rest of the order is cancelled and the done steps' compensations run.
    Abort,
}

impl WireWord for OnFailure {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Abort => "abort",
        }
    }
}

/// What a late event of a type without claims does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// It is applied anyway.
    #[default]
    Apply,
    /// It waits for a person.
    Hold,
    /// It is rejected.
    Reject,
}

/// One step of a plan: one call of one adapter operation on one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name, unique within the order: `hss.assign_number`, or with `#2` if an operation comes twice.
    pub name: String,
    /// What the catalog calls the outside system.
    pub role: Role,
    /// The instance that the tenant's settings map the role to.
    pub target: TargetId,
    /// The adapter operation, e.g. `assign_number`.
    pub operation: String,
    /// The operation's arguments.
    pub data: Map<String, Value>,
    /// The names of the arguments that repeat what a claim of the plan says: they cannot be amended, because the lease would
    /// then protect something else. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// The names of the arguments that carry the name under which the target knows the customer: what a claim of the plan
    /// calls the party. Sorted. None in plans of builds that did not record it: such a release uses the identity in its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party_arguments")]
    pub target_identity_arguments: Option<Vec<String>>,
    /// The resources whose lease protects this step. Each is claimed by the plan.
    #[serde(default)]
    pub resources: Vec<ResourceId>,
    /// The steps of this order, by index, that must have ended before this one starts. All are smaller than its own.
    #[serde(default)]
    pub after: Vec<usize>,
    /// What happens if it fails permanently.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The operation that undoes it, run with the same arguments when the order is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<String>,
    /// How long one attempt may take, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// The pauses between its attempts.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// Whether the workers of its target repeat the proof of a request in their answer, as Interlock's own do. A result without it
    /// was then entered by a person in Temporal, and settles nothing. False in plans of builds before 0.2.0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proves: bool,
}

/// How soon the calls of an order leave when calls of several customers wait for one target: 0, the highest, to 4, as in TMF622 and
/// TMF652. It never changes the order of one customer's orders, nor who gets a lease first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct OrderPriority(u8);

impl OrderPriority {
    /// The highest.
    pub const HIGHEST: Self = Self(0);
    /// The number of the lowest.
    pub const LOWEST: u64 = 4;

    /// The priority with this number, 0 to 4.
    ///
    /// # Errors
    /// [`BadOrderPriority`] for a larger one.
    pub fn new(number: u64) -> Result<Self, BadOrderPriority> {
        let small = u8::try_from(number).ok().filter(|_| number <= Self::LOWEST);
        small.map(Self).ok_or(BadOrderPriority)
    }

    /// Temporal's priority key, 1 to 5. A task without one has 3.
    pub fn key(self) -> u8 {
        self.0 + 1
    }
}

impl TryFrom<u64> for OrderPriority {
    type Error = BadOrderPriority;

    fn try_from(number: u64) -> Result<Self, BadOrderPriority> {
        Self::new(number)
    }
}

impl From<OrderPriority> for u64 {
    fn from(priority: OrderPriority) -> Self {
        priority.0.into()
    }
}

/// A number that is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a priority is an integer from 0 to {}", OrderPriority::LOWEST)]
pub struct BadOrderPriority;

/// The plan of an event: recorded in history with the catalog's digest, so that a later catalog never
/// changes an order that was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The digest of the catalog that made it: SHA-256, the first 16 hex digits.
    pub catalog_digest: String,
    /// Whether it passes orders of the same customer that only wait.
    #[serde(default)]
    pub urgent: bool,
    /// How soon its calls leave, among those of other customers. `None`: as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<OrderPriority>,
    /// Whether it needs no turn.
    #[serde(default)]
    pub unordered: bool,
    /// How long after it happened an unordered order is no longer worth doing, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_ms: Option<u64>,
    /// How soon after acceptance it should be done, in milliseconds. Nothing is dropped after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_within_ms: Option<u64>,
    /// What happens if it comes late and has no claims.
    #[serde(default)]
    pub late: Late,
    /// Which resources it wants, and how.
    pub claims: Vec<Claim>,
    /// The resources that the customer must be known to have before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// The resources that no other customer may have if a step names them: the customer is known to have them, or is the first
    /// to use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_use: Vec<ResourceId>,
    /// What it does.
    pub steps: Vec<PlannedStep>,
}

/// The state of an order, named as in TMF641, and `superseded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum OrderState {
    /// Accepted, not planned yet.
    Acknowledged,
    /// Waits for a lease or a turn.
    Pending,
    /// A step has started.
    InProgress,
    /// Waits for a person or a window.
    Held,
    /// Every step had its effect.
    Completed,
    /// Some steps were skipped.
    Partial,
    /// Aborted.
    Failed,
    /// Nothing took effect.
    Cancelled,
    /// Never planned, with a reason.
    Rejected,
    /// A younger order of the same customer had already replaced it.
    Superseded,
}

impl OrderState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Acknowledged,
        Self::Pending,
        Self::InProgress,
        Self::Held,
        Self::Completed,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::Rejected,
        Self::Superseded,
    ];

    /// Whether the order has ended.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Acknowledged | Self::Pending | Self::InProgress | Self::Held)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Pending => "pending",
            Self::InProgress => "inProgress",
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }
}

impl WireWord for OrderState {
    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// Why an event was not accepted: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Rejection {
    /// A stable code, e.g. `unknown_event_type`.
    pub code: ReasonCode,
    /// A sentence for a person.
    pub detail: String,
    /// The id and the type of an event of which these could be read, but not the whole; the type is empty if only the id could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<(String, String)>,
}

impl Rejection {
    /// A rejection with this code and sentence, of which a customer keeps [`KEPT_TEXT_BYTES_MAX`](crate::kept_text::KEPT_TEXT_BYTES_MAX).
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: kept(detail), event: None }
    }

    /// The same, of an event with this id and type.
    #[must_use]
    pub fn of_event(self, event: Option<(String, String)>) -> Self {
        Self { event, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderId {
        OrderId::derive(&"t".parse().unwrap(), &"c".parse().unwrap(), "s", "1", None)
    }

    #[test]
    fn the_time_of_an_event_counts_as_far_back_as_duplicates_are_remembered() {
        let now = Timestamp(2_000_000_000_000);
        let key = |time| OrderKey::new(Some(Timestamp(time)), None, now, order()).occurred_at;
        assert_eq!(key(now.0 + 1), now);
        assert_eq!(key(now.0 - OCCURRED_AT_BACK_MS_MAX), Timestamp(now.0 - OCCURRED_AT_BACK_MS_MAX));
        assert_eq!(key(now.0 - OCCURRED_AT_BACK_MS_MAX - 1), Timestamp(now.0 - OCCURRED_AT_BACK_MS_MAX));
        assert_eq!(OrderKey::new(None, None, now, order()).occurred_at, now);
    }

    #[test]
    fn a_run_that_began_with_0_1_0_counts_the_time_of_an_event_for_a_day() {
        let now = Timestamp(2_000_000_000_000);
        let old = Some(Timestamp(now.0 - 50 * 60 * 60 * 1000));
        let of = |edition| OrderKey::of_edition(edition, old, None, now, order()).occurred_at;
        assert_eq!(of(Edition::V0_1), Timestamp(now.0 - 24 * 60 * 60 * 1000));
        assert_eq!(Some(of(Edition::V0_2)), old);
    }

    #[test]
    fn a_sequence_of_digits_sorts_as_a_number() {
        let now = Timestamp(5);
        let key = |sequence| OrderKey::new(None, Some(sequence), now, order());
        assert!(key("9") < key("10"));
        assert!(key("0009") < key("10"));
        assert!(key("a") < key("b"));
    }
}
