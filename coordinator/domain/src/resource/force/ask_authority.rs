//! The authority says who is registered, which may be a reason against a forced release.

use super::{ForceStage, Resource};
use crate::error_code::ErrorCode;
use crate::ids::Timestamp;
use crate::outcome::HolderAnswer;

impl Resource {
    /// Whether a forced release must ask the authority.
    pub(in crate::resource) fn force_asks_authority(&self) -> bool {
        self.forcing.as_ref().is_some_and(|forcing| forcing.stage == ForceStage::Authority)
    }

    /// Handles the authority's answer about who is registered.
    pub(in crate::resource) fn force_looked_up(&mut self, now: Timestamp, answer: HolderAnswer) {
        if !self.force_asks_authority() {
            return;
        }
        match answer {
            HolderAnswer::Nobody => {
                self.mark("the target reports no registration");
                self.ask_the_holder(now, self.authority_asked_at());
            }
            HolderAnswer::TargetIdentity { target_identity } => {
                let own = self.holder.as_ref().and_then(|holder| holder.target_identity.as_deref());
                if own.is_some_and(|own| own != target_identity) {
                    self.mark(&format!("the target has it registered to another party, {target_identity}"));
                    if let Some(forcing) = &mut self.forcing {
                        forcing.other_target_identity = Some(target_identity);
                    }
                    self.ask_the_holder(now, self.authority_asked_at());
                } else {
                    let what = format!("the target has it registered to {target_identity}");
                    self.insist_or_refuse(now, ErrorCode::StillRegistered, &what);
                }
            }
            HolderAnswer::Unclear { detail } => {
                let what = format!("the target cannot tell who is registered: {detail}");
                self.insist_or_refuse(now, ErrorCode::AuthorityUnclear, &what);
            }
        }
    }

    /// The authority's answer, or its silence, is a reason against the release: only a person who insists may continue.
    pub(super) fn insist_or_refuse(&mut self, now: Timestamp, code: ErrorCode, what: &str) {
        if self.forcing.as_ref().is_some_and(|forcing| forcing.release.even_if_registered) {
            self.mark(what);
            self.ask_the_holder(now, None);
        } else {
            let mut sentence = what.to_owned();
            if let Some(first) = sentence.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            self.refuse_force(now, code, format!("{}.", sentence.trim_end_matches('.')));
        }
    }

    fn authority_asked_at(&self) -> Option<Timestamp> {
        self.forcing.as_ref().and_then(|forcing| forcing.asked_at)
    }
}
