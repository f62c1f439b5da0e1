//! Messages that are held in transit, so that others overtake them.

use tokio::sync::watch;

use crate::waiting::until_true;
use interlock_battery::proxy::messages::Message;

/// The messages to stop.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// Signals to an entity whose text has all of these parts. They wait until the gate is opened.
    Signals {
        /// The workflow id of the receiver.
        to: String,
        /// The parts.
        contains: Vec<String>,
    },
    /// Updates of an entity whose text has this part. They are lost.
    Updates {
        /// The workflow id of the receiver.
        to: String,
        /// The part.
        contains: String,
    },
}

impl Stopped {
    fn is_of(&self, message: &Message) -> bool {
        match self {
            Self::Signals { to, contains } => {
                !message.is_update && message.to == *to && contains.iter().all(|part| message.text.contains(part))
            }
            Self::Updates { to, contains } => message.is_update && message.to == *to && message.text.contains(contains),
        }
    }
}

/// A gate that messages wait at. It also opens when it is dropped.
pub struct Gate {
    which: Stopped,
    is_open: watch::Sender<bool>,
    reached: watch::Receiver<bool>,
}

impl Gate {
    /// Waits until a message has come to the gate.
    pub async fn until_reached(&self) {
        until_true(&format!("a message at the gate: {:?}", self.which), || *self.reached.borrow()).await;
    }

    /// Lets all messages pass from now on.
    pub fn open(self) {
        self.is_open.send_replace(true);
    }
}

/// A gate that a message waits at.
pub(super) struct Closed {
    waits: bool,
    is_open: watch::Receiver<bool>,
}

impl Closed {
    /// Waits, and returns whether the message passes.
    pub(super) async fn passed(mut self) -> bool {
        if self.waits {
            // If the gate itself is gone, it is open.
            let _gone = self.is_open.wait_for(|is_open| *is_open).await.is_err();
        }
        self.waits
    }
}

/// All gates.
#[derive(Default)]
pub(super) struct Gates {
    gates: Vec<(Stopped, watch::Receiver<bool>, watch::Sender<bool>)>,
}

impl Gates {
    pub(super) fn add(&mut self, which: Stopped) -> Gate {
        let (is_open, opens) = watch::channel(false);
        let (reaches, reached) = watch::channel(false);
        self.gates.push((which.clone(), opens, reaches));
        Gate { which, is_open, reached }
    }

    /// The closed gate that a message must wait at, if there is one.
    pub(super) fn before(&self, message: &Message) -> Option<Closed> {
        let is_closed = |is_open: &watch::Receiver<bool>| !*is_open.borrow() && is_open.has_changed().is_ok();
        let (which, is_open, reaches) =
            self.gates.iter().find(|(which, is_open, _)| is_closed(is_open) && which.is_of(message))?;
        reaches.send_replace(true);
        Some(Closed { waits: matches!(which, Stopped::Signals { .. }), is_open: is_open.clone() })
    }
}
