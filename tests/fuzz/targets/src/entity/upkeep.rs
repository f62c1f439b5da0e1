//! The shells of targets, tenants and imports.

use std::collections::VecDeque;

use interlock_domain::ids::{TargetId, TenantId, Timestamp};
use interlock_domain::import::{self, ImportPart, ImportProgress};
use interlock_domain::message::Envelope;
use interlock_domain::routing::QueueAssignment;
use interlock_domain::target_entity::{self, Target, TargetAction, TargetRules};
use interlock_domain::tenant::{self, Step, Tenant, TenantAction};
use serde_json::Value;

use super::{Shell, restored, shown, stored};

pub(crate) struct TargetShell {
    machine: Target,
    is_telling: bool,
    is_probing: bool,
}

impl TargetShell {
    pub(crate) fn new(target: TargetId, now: Timestamp) -> Self {
        let mut shell = Self::of(Target::new(target, TargetRules::default(), now));
        shell.step(now, target_entity::Input::Woke);
        shell
    }

    pub(crate) fn of(machine: Target) -> Self {
        Self { machine, is_telling: false, is_probing: false }
    }

    fn step(&mut self, now: Timestamp, input: target_entity::Input) {
        let effects = self.machine.step(now, input);
        self.begin(effects);
    }

    fn begin(&mut self, effects: Vec<target_entity::Effect>) {
        for effect in effects {
            match effect {
                target_entity::Effect::SetLimit { record, .. } => {
                    assert!(
                        serde_json::to_string(&record).is_ok_and(|note| note.len() <= 1_100),
                        "the note is too long"
                    );
                    self.is_telling = true;
                }
                target_entity::Effect::Probe => self.is_probing = true,
            }
        }
    }

    /// A signal.
    fn told(
        &mut self,
        now: Timestamp,
        message: Option<(target_entity::Input, Option<QueueAssignment>)>,
    ) -> Option<QueueAssignment> {
        let (input, queue_assignment) = message?;
        self.step(now, input);
        queue_assignment
    }
}

impl Shell for TargetShell {
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment> {
        use target_entity::Input;
        match word {
            "report" => {
                let report = serde_json::from_str::<Envelope<_>>(json).ok();
                return self.told(now, report.map(|report| (Input::Reported(report.message), report.queue_assignment)));
            }
            "configure" => {
                let rules = serde_json::from_str::<Envelope<_>>(json).ok();
                return self.told(now, rules.map(|rules| (Input::Configured(rules.message), rules.queue_assignment)));
            }
            "act" => {
                if let Ok(action) = serde_json::from_str::<TargetAction>(json) {
                    let (answer, effects) = self.machine.act(now, &action);
                    shown(&answer);
                    self.begin(effects);
                }
            }
            "told" if std::mem::take(&mut self.is_telling) => self.step(now, Input::LimitSet(Ok(()))),
            "not_told" if std::mem::take(&mut self.is_telling) => {
                self.step(now, Input::LimitSet(Err("unavailable".to_owned())));
            }
            "probed" if self.is_probing => {
                if let Ok(answer) = serde_json::from_str(json) {
                    self.is_probing = false;
                    self.step(now, Input::Probed(answer));
                }
            }
            "woke" => self.step(now, Input::Woke),
            "reset" => self.step(now, Input::WasReset),
            "resumed" => {
                (self.is_telling, self.is_probing) = (false, false);
                self.step(now, Input::Resumed);
            }
            _ => {}
        }
        None
    }

    fn stored(&self) -> Value {
        stored(&self.machine)
    }

    fn restored(&self) -> Result<Value, serde_json::Error> {
        restored(&self.machine)
    }

    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at(now)
    }

    fn show(&mut self) {
        shown(&self.machine.view());
        shown(&self.machine.is_idle());
    }

    fn check_promises(&mut self, _is_own: bool) {}
}

pub(crate) struct TenantShell {
    machine: Tenant,
    preparing: VecDeque<Step>,
    is_counting: bool,
}

impl TenantShell {
    pub(crate) fn new(tenant: TenantId, now: Timestamp) -> Self {
        Self::of(Tenant::new(tenant, now))
    }

    pub(crate) fn of(machine: Tenant) -> Self {
        Self { machine, preparing: VecDeque::new(), is_counting: false }
    }

    fn begin(&mut self, effects: Vec<tenant::Effect>) {
        for effect in effects {
            match effect {
                tenant::Effect::Prepare(step) => self.preparing.push_back(step),
                tenant::Effect::Count => self.is_counting = true,
                tenant::Effect::Show { .. } | tenant::Effect::ShowSubscriptions(_) => {}
            }
        }
    }
}

impl Shell for TenantShell {
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment> {
        use tenant::Input;
        let input = match word {
            "act" => {
                if let Ok(action) = serde_json::from_str::<TenantAction>(json) {
                    let (answer, effects) = self.machine.act(now, &action);
                    shown(&answer);
                    self.begin(effects);
                }
                return None;
            }
            "prepared" => Input::Prepared(self.preparing.pop_front()?, Ok(json.to_owned())),
            "not_prepared" => Input::Prepared(self.preparing.pop_front()?, Err(serde_json::from_str(json).ok()?)),
            "counted" if std::mem::take(&mut self.is_counting) => Input::Counted(Ok(json.parse().unwrap_or_default())),
            "not_counted" if std::mem::take(&mut self.is_counting) => {
                Input::Counted(Err(tenant::StepFault::strange("unavailable")))
            }
            "woke" => Input::Woke,
            "resumed" => {
                (self.preparing, self.is_counting) = (VecDeque::new(), false);
                Input::Resumed
            }
            _ => return None,
        };
        let effects = self.machine.step(now, input);
        self.begin(effects);
        None
    }

    fn stored(&self) -> Value {
        stored(&self.machine)
    }

    fn restored(&self) -> Result<Value, serde_json::Error> {
        restored(&self.machine)
    }

    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at()
    }

    fn show(&mut self) {
        shown(&self.machine.view());
        shown(&(self.machine.is_idle(), self.machine.refuses_events()));
    }

    fn check_promises(&mut self, _is_own: bool) {}
}

pub(crate) struct ImportShell {
    machine: ImportProgress,
    parts: VecDeque<u64>,
}

impl ImportShell {
    pub(crate) fn new(tenant: TenantId, now: Timestamp) -> Self {
        Self::of(ImportProgress::new(tenant, now))
    }

    pub(crate) fn of(machine: ImportProgress) -> Self {
        Self { machine, parts: VecDeque::new() }
    }

    fn begin(&mut self, effects: Vec<import::Effect>) {
        for import::Effect::Begin(part) in effects {
            let _lines = interlock_workflows::unpack(&part.data);
            self.parts.push_back(part.number);
        }
    }
}

impl Shell for ImportShell {
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment> {
        match word {
            "begin" => self.machine.heard(now, json.parse().ok()),
            "part" => {
                self.machine.heard(now, None);
                let (answer, effects) = self.machine.part(serde_json::from_str::<ImportPart>(json).ok()?);
                shown(&answer);
                self.begin(effects);
            }
            "complete" => {
                self.machine.heard(now, None);
                self.machine.complete(json.parse().ok()?);
            }
            "ended" => {
                let effects = self.machine.ended(self.parts.pop_front()?, serde_json::from_str(json).ok());
                self.begin(effects);
            }
            "woke" => self.machine.woke(now),
            "resumed" => {
                self.parts.clear();
                let effects = self.machine.resumed();
                self.begin(effects);
            }
            _ => {}
        }
        None
    }

    fn stored(&self) -> Value {
        stored(&self.machine)
    }

    fn restored(&self) -> Result<Value, serde_json::Error> {
        restored(&self.machine)
    }

    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at()
    }

    fn show(&mut self) {
        shown(&self.machine.view());
        shown(&(self.machine.is_idle(), self.machine.run_is_over()));
    }

    fn check_promises(&mut self, _is_own: bool) {
        assert!(!self.machine.is_done() || self.machine.is_idle());
    }
}
