//! P1: for one customer and one target, steps take effect in the order of their order keys, among orders that are known.

use std::collections::BTreeMap;

use interlock_adapters::sandbox::{Applied, Effect};

use super::{Evidence, Verdict};
use crate::load::producers::Accepted;
use crate::load::stories::Token;

/// The places in a log at which the changes of services took effect, by token.
pub(super) fn services(log: &[Applied]) -> BTreeMap<Token, Vec<u64>> {
    let mut places: BTreeMap<Token, Vec<u64>> = BTreeMap::new();
    for entry in log {
        if let Effect::ServiceUpdated { settings, .. } = &entry.effect
            && let Some(token) = settings.get("ue_ambr_dl").and_then(serde_json::Value::as_u64)
        {
            places.entry(Token(token)).or_default().push(entry.seq);
        }
    }
    places
}

/// Checks each pair of a customer's changes of services of which the one that happened first was accepted before the other was sent:
/// then it was known. A customer whose entity was terminated or reset may have forgotten it for a while.
pub(super) fn order(evidence: &Evidence<'_>) -> Verdict {
    let mut pairs = 0;
    let mut violations = Vec::new();
    let mut customers: BTreeMap<(usize, &str), Vec<&Accepted>> = BTreeMap::new();
    let is_service = |accepted: &&Accepted| accepted.event_type == "service.updated";
    for accepted in evidence.accepted.iter().filter(is_service) {
        if !evidence.done.forgetful.contains(&accepted.customer) {
            customers.entry((accepted.tenant, accepted.customer.as_str())).or_default().push(accepted);
        }
    }
    let crm = services(&evidence.logs.crm);
    let hss: Vec<_> = evidence.logs.hss.iter().map(|log| services(log)).collect();
    for ((tenant, customer), services) in customers {
        for earlier in &services {
            for later in &services {
                let was_known = earlier.accepted_at < later.sent_at && earlier.occurred_at_ms < later.occurred_at_ms;
                let (Some(one), Some(other)) = (earlier.token, later.token) else { continue };
                if !was_known {
                    continue;
                }
                pairs += 1;
                for (target, places) in [("hss", &hss[tenant]), ("crm", &crm)] {
                    let place = |token: Token| places.get(&token).and_then(|places| places.first());
                    if let (Some(of_earlier), Some(of_later)) = (place(one), place(other))
                        && of_earlier > of_later
                    {
                        violations.push(format!(
                            "{customer} at {target}: order {} (accepted before {} was sent, and earlier) took effect in \
                             entry {of_earlier}, the later one in entry {of_later}",
                            earlier.order, later.order
                        ));
                    }
                }
            }
        }
    }
    let checked = format!("{pairs} pairs of orders of one customer");
    Verdict { violations, ..Verdict::new("P1 order per customer", checked) }
}
