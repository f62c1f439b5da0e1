//! The meanings that an answer can have. Which words a file may use depends on the request.

/// The class of an answer, as the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The target confirmed that the operation took effect.
    Done,
    /// The target was already in the wanted state.
    AlreadyDone,
    /// The target accepted the call as a job.
    Accepted,
    /// Asking about a job: the target works on it.
    Running,
    /// Asking about a job: the target does not know it.
    Unknown,
    /// Somebody else has the resource.
    InUse,
    /// A temporary failure. Retry soon.
    Transient,
    /// The target is overloaded.
    Throttled,
    /// The target is out of service.
    Unavailable,
    /// The request can never succeed as it is.
    Permanent,
    /// The effect is unknown.
    Ambiguous,
    /// A look-up found the resource.
    Found,
    /// A look-up found nothing.
    Absent,
    /// Reading back: the operation took effect.
    Applied,
    /// Reading back: the operation had no effect.
    NotApplied,
    /// Reading back, or a holder request: unknown.
    Unclear,
    /// The resource has a holder.
    TargetIdentity,
    /// The resource has no holder.
    Nobody,
}

/// The purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It changes something.
    Write,
    /// It looks at the current state before a change.
    LookUp,
    /// It reads back whether an earlier write took effect.
    Verify,
    /// It asks about a job that the target accepted.
    Poll,
    /// It asks who has a resource.
    Holder,
    /// It asks what the target knows.
    Query,
    /// Any of these: for the rows that are appended to those of every request.
    Anything,
}

/// The words for answers to a query.
const OF_QUERY: [(&str, Class); 6] = [
    ("found", Class::Found),
    ("absent", Class::Absent),
    ("transient", Class::Transient),
    ("throttled", Class::Throttled),
    ("unavailable", Class::Unavailable),
    ("permanent", Class::Permanent),
];

impl Asked {
    /// The words that the rows of its response table may use.
    pub(super) fn words(self) -> &'static [(&'static str, Class)] {
        match self {
            Self::Write => &[
                ("done", Class::Done),
                ("already_done", Class::AlreadyDone),
                ("accepted", Class::Accepted),
                ("in_use", Class::InUse),
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
                ("ambiguous", Class::Ambiguous),
            ],
            Self::Poll => &[
                ("running", Class::Running),
                ("done", Class::Done),
                ("already_done", Class::AlreadyDone),
                ("in_use", Class::InUse),
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
                ("unknown", Class::Unknown),
            ],
            Self::LookUp => &[
                ("found", Class::Found),
                ("absent", Class::Absent),
                ("already_done", Class::AlreadyDone),
                ("in_use", Class::InUse),
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
            ],
            Self::Verify => &[
                ("applied", Class::Applied),
                ("not_applied", Class::NotApplied),
                ("accepted", Class::Accepted),
                ("in_use", Class::InUse),
                ("unclear", Class::Unclear),
            ],
            Self::Holder => &[
                ("party", Class::TargetIdentity),
                ("nobody", Class::Nobody),
                ("unclear", Class::Unclear),
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
            ],
            Self::Query => &OF_QUERY,
            Self::Anything => &[
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
                ("ambiguous", Class::Ambiguous),
            ],
        }
    }

    /// Whether the request changes nothing at the target.
    pub(super) fn is_question(self) -> bool {
        matches!(self, Self::LookUp | Self::Verify | Self::Poll | Self::Holder | Self::Query)
    }
}
