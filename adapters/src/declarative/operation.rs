//! One operation of the file: its requests and its capabilities.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use interlock_domain::attempt::POLL_AFTER_MS;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Faults, Section, Spot};

use super::class::{Asked, Class};
use super::duration::read_duration;
use super::interpretation::Saying;
use super::pointer::Pointer;
use super::request::{NamedRequests, RequestTemplate};
use super::response_table::{ResponseTable, SharedRows};
use super::scope::Scope;
use crate::adapter::{Capabilities, Fence, OnAmbiguous};

/// How long a request may take effect after it was sent, if the file gives no value.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(10);

/// The pause before a question about a job, if the file gives no value.
const POLL_EVERY: Duration = Duration::from_millis(POLL_AFTER_MS);

/// What all parts of a file share.
pub(super) struct Surroundings<'a> {
    /// The declared parameters.
    pub(super) parameters: BTreeSet<String>,
    /// The rows that are appended to those of every request.
    pub(super) shared: Arc<SharedRows>,
    /// The requests that several places may use.
    pub(super) requests: NamedRequests<'a>,
    /// Whether the file describes how to find the holder of a resource of at least one kind.
    pub(super) has_find_holder: bool,
}

/// A request with the meanings of its answers.
#[derive(Debug, Clone)]
pub(super) struct Inquiry {
    pub(super) request: RequestTemplate,
    pub(super) responses: ResponseTable,
}

impl Inquiry {
    /// Parses the keys of a request. Other keys may follow, so the section is not finished.
    pub(super) fn read(
        section: &mut Section<'_>,
        asked: Asked,
        scope: &Scope,
        surroundings: &Surroundings<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let request = RequestTemplate::read(section, asked, scope, &surroundings.requests, faults);
        let responses = ResponseTable::read(section, asked, &surroundings.shared, scope, faults);
        Some(Self { request: request?, responses: responses? })
    }
}

/// What to do after a look-up.
#[derive(Debug, Clone)]
pub(super) enum Branch {
    /// A request is sent.
    Write(Box<Inquiry>),
    /// Send nothing, and end the operation with this outcome.
    End(Box<Saying>),
}

/// The requests of an operation.
#[derive(Debug, Clone)]
pub(super) enum Flow {
    /// One request.
    Write(Box<Inquiry>),
    /// A look-up, and then a branch that depends on its result.
    LookUp(Box<LookUp>),
}

impl Flow {
    /// Whether an answer to one of its writes can be a job.
    fn accepts_jobs(&self) -> bool {
        let accepts = |inquiry: &Inquiry| inquiry.responses.has_class(Class::Accepted);
        let branch = |branch: &Branch| matches!(branch, Branch::Write(inquiry) if accepts(inquiry));
        match self {
            Self::Write(inquiry) => accepts(inquiry),
            Self::LookUp(lookup) => branch(&lookup.if_found) || branch(&lookup.if_absent),
        }
    }
}

/// A look-up before a write.
#[derive(Debug, Clone)]
pub(super) struct LookUp {
    pub(super) question: Inquiry,
    /// The parts of the answer that are available as `found.NAME` afterwards.
    pub(super) bind: Vec<(String, Pointer)>,
    pub(super) if_found: Branch,
    pub(super) if_absent: Branch,
}

/// How to ask about a job that the target accepted.
#[derive(Debug, Clone)]
pub(super) struct Poll {
    pub(super) question: Inquiry,
    /// The pause before a question, if the target does not say.
    pub(super) every: Duration,
}

impl Poll {
    fn read(
        mut section: Section<'_>,
        scope: &Scope,
        surroundings: &Surroundings<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let every = section.take("every").map(|entry| read_duration(&entry, faults));
        let question = Inquiry::read(&mut section, Asked::Poll, &scope.with_job(), surroundings, faults);
        section.finish(faults);
        Some(Self { question: question?, every: every.unwrap_or(Some(POLL_EVERY))? })
    }
}

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) flow: Flow,
    pub(super) verify: Option<Inquiry>,
    pub(super) poll: Option<Poll>,
    pub(super) capabilities: Capabilities,
    /// The operation gives up what the step names. It is done only if `find_holder` then finds no holder.
    pub(super) releases: bool,
}

impl Operation {
    pub(super) fn read(
        mut section: Section<'_>,
        defaults: &CapabilityKeys,
        surroundings: &Surroundings<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let scope = Scope::of_call(&surroundings.parameters);
        let flow = read_flow(&mut section, &scope, surroundings, faults);
        let has_verify = section.has("verify");
        let verify = section.section("verify", faults).and_then(|mut verify| {
            let inquiry = Inquiry::read(&mut verify, Asked::Verify, &scope, surroundings, faults);
            verify.finish(faults);
            inquiry
        });
        let has_poll = section.has("poll");
        let poll =
            section.section("poll", faults).and_then(|section| Poll::read(section, &scope, surroundings, faults));
        let accepts = flow.as_ref().is_some_and(Flow::accepts_jobs);
        faults.refuse(
            accepts != has_poll && flow.is_some(),
            &section.spot,
            if accepts { ErrorCode::MissingKey } else { ErrorCode::NotTogether },
            "A row of class 'accepted' and the request 'poll', which asks about the job, need each other.",
        );
        let own = section.section("capabilities", faults).map(|keys| CapabilityKeys::read(keys, faults));
        let capabilities = own.unwrap_or_default().or(defaults).check(has_verify, &section.spot, faults);
        section.take("describes").map(|entry| entry.text(faults));
        let releases = section.flag("releases", faults) == Some(true);
        faults.refuse(
            releases && !surroundings.has_find_holder,
            &section.spot,
            ErrorCode::NotTogether,
            "'releases' needs a [find_holder.KIND], which finds the holder after the release.",
        );
        section.finish(faults);
        Some(Self { flow: flow?, verify, poll, capabilities, releases })
    }
}

fn read_flow(
    section: &mut Section<'_>,
    scope: &Scope,
    surroundings: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Flow> {
    let has_branches = section.has("if_found") || section.has("if_absent");
    if let Some(mut lookup) = section.section("lookup", faults) {
        if section.has("request") {
            let message = "After a 'lookup', use 'if_found' and 'if_absent' instead of 'request'.";
            faults.add(&section.spot, ErrorCode::NotTogether, message);
            section.take("request");
        }
        let question = Inquiry::read(&mut lookup, Asked::LookUp, scope, surroundings, faults);
        let bind = lookup.named("bind", faults);
        let bind: Vec<_> = bind
            .into_iter()
            .filter_map(|(name, entry)| Some((name.to_owned(), Pointer::read(&entry, faults)?)))
            .collect();
        lookup.finish(faults);
        let found = scope.with_found(bind.iter().map(|(name, _)| name.as_str()));
        let if_found = read_branch(section, "if_found", &found, surroundings, faults);
        let if_absent = read_branch(section, "if_absent", scope, surroundings, faults);
        return Some(Flow::LookUp(Box::new(LookUp {
            question: question?,
            bind,
            if_found: if_found?,
            if_absent: if_absent?,
        })));
    }
    if has_branches {
        faults.add(&section.spot, ErrorCode::MissingLookup, "'if_found' and 'if_absent' need a 'lookup' before them.");
        section.take("if_found");
        section.take("if_absent");
    }
    let Some(mut request) = section.section("request", faults) else {
        if !has_branches && !section.has("request") && !section.has("lookup") {
            faults.add(
                &section.spot,
                ErrorCode::MissingRequest,
                "An operation needs either a 'request', or a 'lookup' with two branches.",
            );
        }
        return None;
    };
    let inquiry = Inquiry::read(&mut request, Asked::Write, scope, surroundings, faults);
    request.finish(faults);
    inquiry.map(Box::new).map(Flow::Write)
}

fn read_branch(
    section: &mut Section<'_>,
    key: &'static str,
    scope: &Scope,
    surroundings: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Branch> {
    let mut branch = section.require(key, faults)?.section(faults)?;
    let read = if branch.has("class") {
        let words: Vec<(&str, Class)> = Asked::Write
            .words()
            .iter()
            .filter(|(_, class)| !matches!(class, Class::Ambiguous | Class::Accepted))
            .copied()
            .collect();
        Saying::read(&mut branch, &words, scope, faults).map(Box::new).map(Branch::End)
    } else {
        Inquiry::read(&mut branch, Asked::Write, scope, surroundings, faults).map(Box::new).map(Branch::Write)
    };
    branch.finish(faults);
    read
}

/// The keys of a `capabilities` table. Each is optional.
#[derive(Debug, Clone, Default)]
pub(super) struct CapabilityKeys {
    fence: Option<Fence>,
    verify: Option<bool>,
    idempotency_keys: Option<bool>,
    on_ambiguous: Option<OnAmbiguous>,
    max_apply_delay: Option<Duration>,
}

impl CapabilityKeys {
    pub(super) fn read(mut section: Section<'_>, faults: &mut Faults<'_>) -> Self {
        let fences = [("enforced", Fence::Enforced), ("recorded", Fence::Recorded), ("none", Fence::None)];
        let policies = [
            ("verify", OnAmbiguous::Verify),
            ("resend", OnAmbiguous::Resend),
            ("hold", OnAmbiguous::Hold),
            ("give_up", OnAmbiguous::GiveUp),
        ];
        let keys = Self {
            fence: section.choice("fence", &fences, faults),
            verify: section.flag("verify", faults),
            idempotency_keys: section.flag("idempotency_keys", faults),
            on_ambiguous: section.choice("on_ambiguous", &policies, faults),
            max_apply_delay: section.take("max_apply_delay").and_then(|entry| read_duration(&entry, faults)),
        };
        section.finish(faults);
        keys
    }

    /// These keys, completed with those defaults.
    fn or(self, defaults: &Self) -> Self {
        Self {
            fence: self.fence.or(defaults.fence),
            verify: self.verify.or(defaults.verify),
            idempotency_keys: self.idempotency_keys.or(defaults.idempotency_keys),
            on_ambiguous: self.on_ambiguous.or(defaults.on_ambiguous),
            max_apply_delay: self.max_apply_delay.or(defaults.max_apply_delay),
        }
    }

    fn check(self, has_verify: bool, spot: &Spot, faults: &mut Faults<'_>) -> Capabilities {
        let capabilities = self.complete();
        faults.refuse(
            capabilities.verify && !has_verify,
            spot,
            ErrorCode::VerifyMissing,
            "The capability 'verify' is declared, but there is no 'verify' that reads the target back.",
        );
        faults.refuse(
            !capabilities.verify && has_verify,
            spot,
            ErrorCode::VerifyUnused,
            "'verify' is described, but the capability 'verify' is not declared: write verify = true.",
        );
        faults.refuse(
            capabilities.on_ambiguous == OnAmbiguous::Verify && !capabilities.verify,
            spot,
            ErrorCode::NotTogether,
            "on_ambiguous = \"verify\" needs the capability verify = true.",
        );
        capabilities
    }

    /// Completes the missing keys with the defaults.
    pub(super) fn complete(self) -> Capabilities {
        let (verify, idempotency_keys) = (self.verify.unwrap_or(false), self.idempotency_keys.unwrap_or(false));
        let on_ambiguous = match (verify, idempotency_keys) {
            (true, _) => OnAmbiguous::Verify,
            (false, true) => OnAmbiguous::Resend,
            (false, false) => OnAmbiguous::Hold,
        };
        Capabilities {
            fence: self.fence.unwrap_or_default(),
            verify,
            idempotency_keys,
            on_ambiguous: self.on_ambiguous.unwrap_or(on_ambiguous),
            max_apply_delay: self.max_apply_delay.unwrap_or(MAX_APPLY_DELAY),
        }
    }
}
