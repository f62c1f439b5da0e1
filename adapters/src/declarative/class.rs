//! What an answer can mean. Which words may be written depends on what was asked.

/// The class of an answer, as the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The target confirmed the effect.
    Done,
    /// It was already so.
    AlreadyDone,
    /// Somebody else has the resource.
    InUse,
    /// Try again soon.
    Transient,
    /// Too much load.
    Throttled,
    /// Out of service.
    Unavailable,
    /// Never as it is.
    Permanent,
    /// Nobody knows.
    Ambiguous,
    /// A look-up found it.
    Found,
    /// A look-up did not.
    Absent,
    /// Reading back: it had its effect.
    Applied,
    /// Reading back: it had none.
    NotApplied,
    /// Reading back, or the holder: cannot be said.
    Unclear,
    /// The resource is registered to somebody.
    TargetIdentity,
    /// The resource is registered to nobody.
    Nobody,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To change something.
    Write,
    /// What is there before something is changed.
    LookUp,
    /// Whether an earlier write had its effect.
    Verify,
    /// Who has a resource.
    Holder,
    /// Any of these: the rows that follow those of every request.
    Anything,
}

impl Asked {
    /// The words that the rows of its table may write.
    pub(super) fn words(self) -> &'static [(&'static str, Class)] {
        match self {
            Self::Write => &[
                ("done", Class::Done),
                ("already_done", Class::AlreadyDone),
                ("in_use", Class::InUse),
                ("transient", Class::Transient),
                ("throttled", Class::Throttled),
                ("unavailable", Class::Unavailable),
                ("permanent", Class::Permanent),
                ("ambiguous", Class::Ambiguous),
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
        matches!(self, Self::LookUp | Self::Verify | Self::Holder)
    }
}
