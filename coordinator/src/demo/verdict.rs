//! Checks whether the order was right, only from what the targets applied.

use interlock_adapters::sandbox::{Applied, Effect, hand_over_faults};
use serde::Serialize;

use super::story::{A1, A2, NUMBER};

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, as a sentence.
    pub what: String,
    /// Whether it is.
    pub holds: bool,
    /// The actual state, if it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// The result of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether all checks hold.
    pub right: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Checks the logs of the HSS and the CRM.
    pub fn of(hss: &[Applied], crm: &[Applied]) -> Self {
        let checks = vec![never_two(hss), in_order(hss), ends_with_a2(hss), crm_agrees(crm)];
        Self { right: checks.iter().all(|check| check.holds), checks }
    }
}

fn check(what: String, instead: Option<String>) -> Check {
    Check { what, holds: instead.is_none(), instead }
}

fn never_two(hss: &[Applied]) -> Check {
    let faults = hand_over_faults(hss);
    check(format!("{NUMBER} never had two subscribers"), faults.first().map(ToString::to_string))
}

/// A1's last release, in either table, comes before A2's first write.
fn in_order(hss: &[Applied]) -> Check {
    let released = |of: &Effect| match of {
        Effect::NumberReleased { msisdn, imsi } | Effect::PrimaryNumberCleared { msisdn, imsi } => {
            msisdn == NUMBER && imsi == A1.imsi
        }
        _ => false,
    };
    let gave_up = hss.iter().rev().find(|entry| released(&entry.effect)).map(|entry| entry.seq);
    let got = hss.iter().find(|entry| gives(&entry.effect, A2.imsi)).map(|entry| entry.seq);
    let instead = match (gave_up, got) {
        (Some(gave_up), Some(got)) if gave_up < got => None,
        (Some(gave_up), Some(got)) => Some(format!("A2 got it in entry {got}, A1 released it in entry {gave_up}")),
        (None, _) => Some("A1 never released it".to_owned()),
        (_, None) => Some("A2 never got it".to_owned()),
    };
    check("A1 was de-registered before A2 was registered, although A2's event arrived first".to_owned(), instead)
}

fn gives(effect: &Effect, to: &str) -> bool {
    matches!(effect, Effect::PrimaryNumberSet { msisdn, imsi } | Effect::NumberAssigned { msisdn, imsi }
        if msisdn == NUMBER && imsi == to)
}

/// Who has the number at the end, in both tables of the HSS.
fn ends_with_a2(hss: &[Applied]) -> Check {
    let (mut primary, mut ims) = (Vec::new(), Vec::new());
    for entry in hss {
        match &entry.effect {
            Effect::PrimaryNumberSet { msisdn, imsi } if msisdn == NUMBER => primary.push(imsi.as_str()),
            Effect::PrimaryNumberCleared { msisdn, imsi } if msisdn == NUMBER => {
                primary.retain(|holder| holder != imsi);
            }
            Effect::NumberAssigned { msisdn, imsi } if msisdn == NUMBER => ims.push(imsi.as_str()),
            Effect::NumberReleased { msisdn, imsi } if msisdn == NUMBER => ims.retain(|holder| holder != imsi),
            _ => {}
        }
    }
    let instead = match (primary.as_slice(), ims.as_slice()) {
        ([one], [other]) if *one == A2.imsi && *other == A2.imsi => None,
        ([], []) => Some("no one has it: the number is lost".to_owned()),
        _ => Some(format!("subscriber: {primary:?}, ims_subscriber: {ims:?}")),
    };
    check(format!("{NUMBER} belongs to A2 in the HSS at the end"), instead)
}

fn crm_agrees(crm: &[Applied]) -> Check {
    let mut accounts: Vec<&str> = Vec::new();
    for entry in crm {
        match &entry.effect {
            Effect::NumberAdded { account, msisdn } if msisdn == NUMBER => accounts.push(account),
            Effect::NumberRemoved { account, msisdn } if msisdn == NUMBER => accounts.retain(|other| other != account),
            _ => {}
        }
    }
    let instead = (accounts != [A2.customer]).then(|| match accounts.as_slice() {
        [] => "it is in no account".to_owned(),
        others => format!("it is in the accounts {others:?}"),
    });
    check(format!("{NUMBER} is in A2's account in the CRM at the end"), instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(effects: Vec<Effect>) -> Vec<Applied> {
        let entry = |(effect, seq)| Applied {
            seq,
            at: String::new(),
            target: "hss".to_owned(),
            request: seq,
            method: "PUT".to_owned(),
            path: String::new(),
            operation: String::new(),
            effect,
            change: None,
            idempotency_key: None,
            epoch: None,
        };
        effects.into_iter().zip(1..).map(entry).collect()
    }

    fn set(imsi: &str) -> [Effect; 2] {
        let (msisdn, imsi) = (NUMBER.to_owned(), imsi.to_owned());
        [
            Effect::PrimaryNumberSet { msisdn: msisdn.clone(), imsi: imsi.clone() },
            Effect::NumberAssigned { msisdn, imsi },
        ]
    }

    fn cleared(imsi: &str) -> [Effect; 2] {
        let (msisdn, imsi) = (NUMBER.to_owned(), imsi.to_owned());
        [
            Effect::NumberReleased { msisdn: msisdn.clone(), imsi: imsi.clone() },
            Effect::PrimaryNumberCleared { msisdn, imsi },
        ]
    }

    fn crm() -> Vec<Applied> {
        log(vec![Effect::NumberAdded { account: "A2".to_owned(), msisdn: NUMBER.to_owned() }])
    }

    #[test]
    fn a_hand_over_in_order_is_right() {
        let hss = log([set(A1.imsi), cleared(A1.imsi), set(A2.imsi)].concat());
        assert!(Verdict::of(&hss, &crm()).right);
    }

    #[test]
    fn a_second_holder_before_the_release_is_wrong() {
        let hss = log([set(A1.imsi), set(A2.imsi), cleared(A1.imsi)].concat());
        let verdict = Verdict::of(&hss, &crm());
        assert!(!verdict.right);
        assert!(!verdict.checks[0].holds && !verdict.checks[1].holds, "{verdict:?}");
    }

    #[test]
    fn a_lost_number_is_wrong() {
        let hss = log([set(A1.imsi), cleared(A1.imsi)].concat());
        let verdict = Verdict::of(&hss, &[]);
        assert!(!verdict.right);
        assert_eq!(verdict.checks[2].instead.as_deref(), Some("no one has it: the number is lost"));
    }
}
