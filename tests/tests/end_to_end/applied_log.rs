//! The changes that the sandbox targets applied. The tests judge only by this log.

use interlock_adapters::sandbox::{Applied, Effect, HandOverFault, hand_over_faults};

/// One registration or de-registration of a number, as `IMSI+` and `IMSI-`.
pub fn registrations(log: &[Applied], number: &str) -> Vec<String> {
    let of_number = log.iter().filter_map(|entry| match &entry.effect {
        Effect::NumberAssigned { msisdn, imsi } if msisdn == number => Some(format!("{imsi}+")),
        Effect::NumberReleased { msisdn, imsi } if msisdn == number => Some(format!("{imsi}-")),
        _ => None,
    });
    of_number.collect()
}

/// The IMSIs that a number was registered to, in order.
pub fn holders(log: &[Applied], number: &str) -> Vec<String> {
    registrations(log, number).iter().filter_map(|entry| entry.strip_suffix('+').map(str::to_owned)).collect()
}

/// Every write that gave one of these numbers to one party while another still had it.
pub fn faults_on(log: &[Applied], numbers: &[&str]) -> Vec<HandOverFault> {
    hand_over_faults(log).into_iter().filter(|fault| numbers.contains(&fault.msisdn.as_str())).collect()
}

/// The changes applied to an account at the CRM, in order, as `operation number`.
pub fn of_account(log: &[Applied], account: &str) -> Vec<String> {
    let of_account = log.iter().filter_map(|entry| match &entry.effect {
        Effect::NumberAdded { account: of, msisdn } if of == account => Some(format!("add {msisdn}")),
        Effect::NumberRemoved { account: of, msisdn } if of == account => Some(format!("remove {msisdn}")),
        Effect::NumberChanged { account: of, old_msisdn, new_msisdn } if of == account => {
            Some(format!("change {old_msisdn} {new_msisdn}"))
        }
        Effect::AccountOpened { account: of } if of == account => Some("open".to_owned()),
        Effect::AccountClosed { account: of } if of == account => Some("close".to_owned()),
        Effect::SimUpdated { account: of, imsi } if of == account => Some(format!("sim {imsi}")),
        Effect::StatusSet { account: of, status } if of == account => Some(format!("status {status}")),
        Effect::ServiceUpdated { of, settings } if of == account => {
            Some(format!("service {}", serde_json::Value::from(settings.clone())))
        }
        _ => None,
    });
    of_account.collect()
}

/// When it was applied, in milliseconds.
pub fn applied_at_ms(entry: &Applied) -> i64 {
    chrono::DateTime::parse_from_rfc3339(&entry.at).expect("the log writes RFC 3339").timestamp_millis()
}
