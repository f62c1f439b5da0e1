//! Which completions are lost, and how.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use temporalio_common::protos::constants::LOCAL_ACTIVITY_MARKER_NAME;

use super::messages::Message;

/// A completion of a workflow task that is to be lost, once.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Whose: its workflow id.
    pub of: String,
    /// Which of its completions.
    pub when: Moment,
    /// What becomes of it.
    pub fate: Fate,
}

/// Which completion of an entity, after the loss was ordered.
#[derive(Debug, Clone)]
pub enum Moment {
    /// The first one after the server accepted a message through the proxy: where the entity itself sent it by a local
    /// activity, that is the completion of the task in which it did.
    After {
        /// The workflow id of the receiver; none: whoever it is.
        to: Option<String>,
        /// All of these stand in the message.
        contains: Vec<String>,
    },
    /// That of the task that decides to say something, whichever way it leaves: in a command or an answer of the completion, or by
    /// a local activity that ran in the task, whose marker the completion brings.
    Saying {
        /// The workflow id of the receiver, where only a local activity says it; none: whoever it is.
        to: Option<String>,
        /// All of these stand in the one command, answer or message, or in the workflow id of who says it, or is told.
        contains: Vec<String>,
    },
}

impl Moment {
    /// Whether this is the message that it waits for.
    fn is_of(&self, message: &Message) -> bool {
        let (Self::After { to, contains } | Self::Saying { to, contains }) = self;
        let has = |part: &String| message.text.contains(part) || message.to.contains(part) || message.name == *part;
        to.as_ref().is_none_or(|to| *to == message.to) && contains.iter().all(has)
    }

    /// How a completion of this entity says what it waits for, where it does. `was_heard`: the server accepted such a message before.
    fn way(&self, owner: &str, said: &[String], was_heard: bool) -> Option<Way> {
        match self {
            Self::After { .. } => was_heard.then_some(Way::Afterwards),
            Self::Saying { to, contains } => {
                let says_all = |one: &String| {
                    to.is_none() && contains.iter().all(|part| one.contains(part) || owner.contains(part))
                };
                let is_recorded = said.iter().any(says_all).then_some(Way::Recorded);
                let ran_local = || said.iter().any(|one| one.contains(LOCAL_ACTIVITY_MARKER_NAME));
                is_recorded.or_else(|| (was_heard && ran_local()).then_some(Way::Within))
            }
        }
    }
}

/// How the effect that a loss was ordered for leaves its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The lost completion came after it.
    Afterwards,
    /// By a local activity: it had left when the completion was lost.
    Within,
    /// By the lost completion itself: nothing had left.
    Recorded,
}

/// What becomes of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The worker is told UNAVAILABLE each time that it sends it, for this long: longer than the task's time-out. Afterwards
    /// the server itself says that it does not know the task any more.
    Lost {
        /// For how long.
        for_at_least: Duration,
    },
    /// The server takes it, and the worker is told UNAVAILABLE.
    AnswerLost,
    /// It reaches the server late, by this much.
    Held {
        /// How late.
        by: Duration,
    },
}

/// What to do with a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    Pass,
    Refuse,
    LoseTheAnswer,
    Hold(Duration),
}

enum Progress {
    /// Until the message was accepted; then the next completion is the one.
    Waiting {
        is_next: bool,
    },
    Losing {
        token: Vec<u8>,
        since: Instant,
        way: Way,
    },
}

/// All losses that were ordered, and whose the workflow tasks are.
#[derive(Default)]
pub(super) struct Losses {
    ordered: Vec<(Loss, Progress)>,
    owners: BTreeMap<Vec<u8>, String>,
}

impl Losses {
    pub(super) fn add(&mut self, loss: Loss) -> usize {
        self.ordered.push((loss, Progress::Waiting { is_next: false }));
        self.ordered.len() - 1
    }

    pub(super) fn described(&self, loss: usize) -> String {
        format!("{:?}", self.ordered[loss].0)
    }

    /// How what was said left, once its completion was lost.
    pub(super) fn lost(&self, loss: usize) -> Option<Way> {
        match self.ordered[loss].1 {
            Progress::Losing { way, .. } => Some(way),
            Progress::Waiting { .. } => None,
        }
    }

    /// Remembers whose a workflow task is.
    pub(super) fn learn(&mut self, token: Vec<u8>, workflow_id: String) {
        self.owners.insert(token, workflow_id);
    }

    /// A message was accepted.
    pub(super) fn heard(&mut self, message: &Message) {
        for (loss, progress) in &mut self.ordered {
            if let Progress::Waiting { is_next } = progress {
                *is_next |= loss.when.is_of(message);
            }
        }
    }

    /// What becomes of the completion of the task with this token, which a worker sends now: `said` are its commands and answers.
    pub(super) fn judge(&mut self, token: &[u8], said: &[String]) -> Sentence {
        let Some(owner) = self.owners.get(token) else { return Sentence::Pass };
        for (loss, progress) in &mut self.ordered {
            match progress {
                Progress::Losing { token: lost, since, .. } if lost == token => {
                    return match loss.fate {
                        Fate::Lost { for_at_least } if since.elapsed() < for_at_least => Sentence::Refuse,
                        _ => Sentence::Pass,
                    };
                }
                Progress::Waiting { is_next } if loss.of == *owner => {
                    let Some(way) = loss.when.way(owner, said, *is_next) else { continue };
                    *progress = Progress::Losing { token: token.to_vec(), since: Instant::now(), way };
                    return match loss.fate {
                        Fate::Lost { .. } => Sentence::Refuse,
                        Fate::AnswerLost => Sentence::LoseTheAnswer,
                        Fate::Held { by } => Sentence::Hold(by),
                    };
                }
                _ => {}
            }
        }
        Sentence::Pass
    }
}
