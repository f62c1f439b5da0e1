//! Messages and answers, with every variant written by hand.

use std::collections::BTreeMap;

use crate::previous;
use crate::reading::Reading;
use crate::this::customer::{Action, ActionDone, ActionKind, Refusal};
use crate::this::error_code::ErrorCode;
use crate::this::ids::{Epoch, Timestamp};
use crate::this::limits::EntityLimits;
use crate::this::message::ClaimAnswer;
use crate::this::order::OrderState;
use crate::this::outcome::{HolderAnswer, Outcome};
use crate::this::sweep::{Cause, Difference, DifferenceKind, Finding, Ledger, MisplacedRun, Side, Suspect, Tally};
use crate::this::target_entity::{Limit, LimitRecord, ProbeAnswer};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// All of them.
pub fn by_hand(reading: &mut Reading) {
    outcomes(reading);
    sweeps(reading);
    actions(reading);
    reading.both_ways::<_, previous::limits::EntityLimits>("limits", &EntityLimits::default());
    let claims = [ClaimAnswer::Queued, ClaimAnswer::Granted { epoch: Epoch(7), registered: true, recall: None }];
    for answer in &claims {
        reading.both_ways::<_, previous::message::ClaimAnswer>("answers to claims", answer);
    }
    let record = LimitRecord::of(Limit::NONE);
    reading.both_ways::<_, previous::target::Standing>("standings of queues", &record);
    let answer = ProbeAnswer { finding: crate::this::target_entity::Finding::Up, stands: Some(record) };
    reading.both_ways::<_, previous::target::ProbeAnswer>("answers of probes", &answer);
}

fn outcomes(reading: &mut Reading) {
    let detail = || "because".to_owned();
    let outcomes = [
        Outcome::Done,
        Outcome::AlreadyDone,
        Outcome::InUse { holder: Some("001010000000001".to_owned()) },
        Outcome::Transient { detail: detail() },
        Outcome::Throttled { retry_after_ms: Some(5), detail: detail() },
        Outcome::Unavailable { retry_after_ms: None, cause: None, detail: detail() },
        Outcome::Permanent { code: ErrorCode::TargetUnknown.into(), detail: detail() },
        Outcome::Ambiguous { detail: detail() },
    ];
    for outcome in &outcomes {
        reading.both_ways::<_, previous::outcome::Outcome>("outcomes", outcome);
    }
    let answers = [
        HolderAnswer::TargetIdentity { target_identity: "A".to_owned() },
        HolderAnswer::Nobody,
        HolderAnswer::Unclear { detail: detail() },
    ];
    for answer in &answers {
        reading.both_ways::<_, previous::outcome::HolderAnswer>("answers of authorities", answer);
    }
}

fn sweeps(reading: &mut Reading) {
    let finding = |cause| Finding {
        cause,
        tenant: Some("operator".parse().unwrap()),
        customer: None,
        order: None,
        resource: Some("msisdn/12065550100".parse().unwrap()),
        target: Some("hss".parse().unwrap()),
        since: NOW,
        detail: "because".to_owned(),
    };
    let mut ledger = Ledger::default();
    let mut news =
        ledger.take(Cause::OF_WAITS.map(finding).into(), Tally::default(), &[].into(), Some("there".to_owned()));
    // What is reported about leases is in a place that the previous build does not read.
    let side = |customer: &str| Side {
        tenant: "operator".parse().unwrap(),
        customer: customer.parse().unwrap(),
        epoch: Epoch(7),
    };
    let difference = Difference {
        kind: DifferenceKind::HeldTwice,
        resource: "msisdn/12065550100".parse().unwrap(),
        holder: Some(side("a")),
        held: [side("a"), side("b")].into(),
    };
    let suspect = Suspect { difference, since: NOW, told: true };
    ledger.leases.suspects.insert("operator/resource/msisdn/12065550100".to_owned(), suspect.clone());
    news.leases.standing.insert(suspect.finding().cause, 1);
    news.leases.raised.push(suspect);
    let misplaced = MisplacedRun {
        namespace: "default".to_owned(),
        workflow_id: "operator/customer/a".to_owned(),
        run_id: "run".to_owned(),
        tenant: Some("operator".parse().unwrap()),
        customer: Some("a".parse().unwrap()),
        resource: None,
        since: NOW,
        detail: "because".to_owned(),
        remedy: "interlock".to_owned(),
    };
    news.misplaced = ledger.misplaced.take(Some(vec![misplaced]));
    reading.both_ways::<_, previous::sweep::News>("news of sweeps", &news);
    reading.both_ways::<_, previous::sweep::Ledger>("ledgers of sweeps", &ledger);
}

fn actions(reading: &mut Reading) {
    let amended = BTreeMap::from([("hss.assign_number".to_owned(), serde_json::Map::new())]);
    let kinds = [
        ActionKind::Retry,
        ActionKind::Skip,
        ActionKind::Amend { steps: amended },
        ActionKind::Cancel,
        ActionKind::ReleaseFirst,
    ];
    for kind in kinds {
        let action = Action {
            action_id: "1".to_owned(),
            order_id: "customer~6f1b7c1e-3c54-5a7e-8b1e-000000000001".parse().unwrap(),
            kind,
            actor: "night-shift".to_owned(),
            reason: "mended".to_owned(),
            paused_call: false,
            content: None,
        };
        reading.both_ways::<_, previous::customer::Action>("actions", &action);
    }
    let done = ActionDone { state: OrderState::InProgress.into(), repeated: false };
    reading.both_ways::<_, previous::customer::ActionDone>("actions done", &done);
    let refusal = Refusal { code: ErrorCode::NeverSeen.into(), detail: "because".to_owned() };
    reading.both_ways::<_, previous::customer::Refusal>("refusals", &refusal);
}
