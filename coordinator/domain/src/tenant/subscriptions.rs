//! What a tenant checks before it makes or removes a subscription of its own.

use super::own_subscription::{
    CALLBACK_BYTES_MAX, OWN_SUBSCRIPTION_BYTES_MAX, OWN_SUBSCRIPTIONS_MAX, OwnSubscription, OwnSubscriptions,
};
use super::state::Tenant;
use crate::action_words::Refusal;
use crate::error_code::ErrorCode;
use crate::ids::SubscriptionId;
use crate::subscription::receiver_of;

impl Tenant {
    /// The subscriptions that it made itself.
    pub fn subscriptions(&self) -> &OwnSubscriptions {
        &self.subscriptions
    }

    /// Checks a subscription that is to be made.
    pub(super) fn may_subscribe(&self, id: &SubscriptionId, wanted: &OwnSubscription) -> Result<(), Refusal> {
        let refused = |code: ErrorCode, detail: String| Err(Refusal::new(code, detail));
        if wanted.callback.len() > CALLBACK_BYTES_MAX {
            let detail =
                format!("The callback has {} bytes; the limit is {CALLBACK_BYTES_MAX}.", wanted.callback.len());
            return refused(ErrorCode::SubscriptionInvalid, detail);
        }
        let bytes = wanted.bytes();
        if bytes > OWN_SUBSCRIPTION_BYTES_MAX {
            let detail = format!(
                "The subscription has {bytes} bytes as JSON; the limit is {OWN_SUBSCRIPTION_BYTES_MAX}. Longer filters can be in the settings."
            );
            return refused(ErrorCode::SubscriptionInvalid, detail);
        }
        if receiver_of(&self.name, id).as_ref() != Some(&wanted.settings.target) {
            let detail = "The id of the subscription is too long, or its target is that of another one.".to_owned();
            return refused(ErrorCode::SubscriptionInvalid, detail);
        }
        if !self.subscriptions.contains_key(id) && self.subscriptions.len() >= OWN_SUBSCRIPTIONS_MAX {
            let detail =
                format!("The tenant has {OWN_SUBSCRIPTIONS_MAX} subscriptions of its own, which is the limit.");
            return refused(ErrorCode::SubscriptionsFull, detail);
        }
        Ok(())
    }

    /// Checks that there is a subscription to be removed.
    pub(super) fn may_unsubscribe(&self, id: &SubscriptionId) -> Result<(), Refusal> {
        if self.subscriptions.contains_key(id) {
            return Ok(());
        }
        let detail = format!("The tenant has no subscription '{id}' of its own.");
        Err(Refusal::new(ErrorCode::SubscriptionUnknown, detail))
    }
}
