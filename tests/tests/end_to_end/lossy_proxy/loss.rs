//! Which completions are lost, and how.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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

    pub(super) fn is_lost(&self, loss: usize) -> bool {
        matches!(self.ordered[loss].1, Progress::Losing { .. })
    }

    /// Remembers whose a workflow task is.
    pub(super) fn learn(&mut self, token: Vec<u8>, workflow_id: String) {
        self.owners.insert(token, workflow_id);
    }

    /// A message was accepted.
    pub(super) fn heard(&mut self, message: &Message) {
        for (loss, progress) in &mut self.ordered {
            if let (Moment::After { to, contains }, Progress::Waiting { is_next: false }) = (&loss.when, &progress)
                && to.as_ref().is_none_or(|to| *to == message.to)
                && contains.iter().all(|part| message.text.contains(part) || message.name == *part)
            {
                *progress = Progress::Waiting { is_next: true };
            }
        }
    }

    /// What becomes of the completion of the task with this token, which a worker sends now.
    pub(super) fn judge(&mut self, token: &[u8]) -> Sentence {
        let Some(owner) = self.owners.get(token) else { return Sentence::Pass };
        for (loss, progress) in &mut self.ordered {
            match progress {
                Progress::Losing { token: lost, since } if lost == token => {
                    return match loss.fate {
                        Fate::Lost { for_at_least } if since.elapsed() < for_at_least => Sentence::Refuse,
                        _ => Sentence::Pass,
                    };
                }
                Progress::Waiting { is_next: true } if loss.of == *owner => {
                    *progress = Progress::Losing { token: token.to_vec(), since: Instant::now() };
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
