//! The completions to lose, and how.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use temporalio_common::protos::constants::LOCAL_ACTIVITY_MARKER_NAME;

use interlock_battery::proxy::messages::Message;

/// A completion of a workflow task that must be lost, once.
#[derive(Debug, Clone)]
pub struct Loss {
    /// The workflow id of its entity.
    pub of: String,
    /// Which of its completions.
    pub when: Moment,
    /// What happens to it.
    pub fate: Fate,
}

/// Which completion of an entity, after the loss was ordered.
#[derive(Debug, Clone)]
pub enum Moment {
    /// The first one after the server accepted a message through the proxy. If the entity itself sent the message by a local activity,
    /// this is the completion of the task that sent it.
    After {
        /// The workflow id of the receiver. `None`: any receiver.
        to: Option<String>,
        /// The parts that the message must contain.
        contains: Vec<String>,
    },
    /// The completion of the task that decides a message, however the message leaves: in a command or an answer of the completion, or
    /// by a local activity that ran in the task, whose marker is in the completion.
    Saying {
        /// The workflow id of the receiver, if only a local activity sends it. `None`: any receiver.
        to: Option<String>,
        /// The parts that the command, answer or message must contain, or the workflow id of its sender or receiver.
        contains: Vec<String>,
    },
}

impl Moment {
    /// Whether this is the awaited message.
    fn is_of(&self, message: &Message) -> bool {
        let (Self::After { to, contains } | Self::Saying { to, contains }) = self;
        let has = |part: &String| message.text.contains(part) || message.to.contains(part) || message.name == *part;
        to.as_ref().is_none_or(|to| *to == message.to) && contains.iter().all(has)
    }

    /// How a completion of this entity contains the awaited message, if it does. `was_heard`: the server has accepted such a message
    /// before.
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

/// How the awaited effect left its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Before the lost completion.
    Afterwards,
    /// By a local activity: it had left when the completion was lost.
    Within,
    /// In the lost completion itself: nothing had left.
    Recorded,
}

/// What happens to a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// For this time, the worker gets UNAVAILABLE each time it sends it: longer than the task's time-out. Afterwards the server itself
    /// answers that it no longer knows the task.
    Lost {
        /// The time.
        for_at_least: Duration,
    },
    /// The server accepts it, and the worker gets UNAVAILABLE.
    AnswerLost,
    /// It reaches the server late.
    Held {
        /// The delay.
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
    /// Until the message was accepted. The next completion is then the one.
    Waiting {
        is_next: bool,
    },
    Losing {
        token: Vec<u8>,
        since: Instant,
        way: Way,
    },
}

/// All requested losses, and the entities of the workflow tasks.
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

    /// How the message left, after its completion was lost.
    pub(super) fn lost(&self, loss: usize) -> Option<Way> {
        match self.ordered[loss].1 {
            Progress::Losing { way, .. } => Some(way),
            Progress::Waiting { .. } => None,
        }
    }

    /// Remembers the entity of a workflow task.
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

    /// Decides what happens to the completion of the task with this token. `said` are its commands and answers.
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
