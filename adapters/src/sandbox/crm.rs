//! The sandbox CRM: accounts with numbers, a SIM, settings and a status.
//!
//! It checks only the order of each account's own operations, not who else has a number: that is the task of the HSS. The first
//! operation on an unknown account creates it, so that made-up customers work.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::applied::Effect;
use super::keyed::{Operations, Refusal, invalid_data, text, unknown_operation};

/// One account.
#[derive(Debug, Default, Serialize)]
struct Account {
    numbers: BTreeSet<String>,
    imsi: Option<String>,
    status: Option<String>,
    settings: Map<String, Value>,
    closed: bool,
    /// Whether it was opened explicitly, or created by another operation.
    opened: bool,
}

/// All accounts, by `customer_id`, or by IMSI if the data has no customer.
#[derive(Default)]
pub(super) struct Crm {
    accounts: BTreeMap<String, Account>,
}

impl Operations for Crm {
    fn run(&mut self, operation: &str, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        match operation {
            "open_account" => self.open_account(data),
            "close_account" => self.close_account(data),
            "add_number" => self.add_number(data),
            "remove_number" => self.remove_number(data),
            "change_number" => self.change_number(data),
            "update_sim" => self.update_sim(data),
            "update_service" => self.update_service(data),
            "set_status" => self.set_status(data),
            other => Err(unknown_operation(other)),
        }
    }

    fn state(&self) -> Value {
        json!({"accounts": self.accounts})
    }
}

fn name(data: &Map<String, Value>, imsi_field: &str) -> Result<String, Refusal> {
    text(data, "customer_id").or_else(|_| text(data, imsi_field))
}

impl Crm {
    fn account(&mut self, data: &Map<String, Value>) -> Result<(String, &mut Account), Refusal> {
        let name = name(data, "imsi")?;
        let account = self.accounts.entry(name.clone()).or_default();
        if let Ok(imsi) = text(data, "imsi") {
            account.imsi.get_or_insert(imsi);
        }
        Ok((name, account))
    }

    fn open_account(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let msisdn = text(data, "msisdn").ok();
        let (name, account) = self.account(data)?;
        account.numbers.extend(msisdn);
        let is_new = !account.opened || account.closed;
        (account.opened, account.closed) = (true, false);
        Ok(is_new.then_some(Effect::AccountOpened { account: name }))
    }

    fn close_account(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let (name, account) = self.account(data)?;
        let was_open = !std::mem::replace(&mut account.closed, true);
        account.numbers.clear();
        Ok(was_open.then_some(Effect::AccountClosed { account: name }))
    }

    fn add_number(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let msisdn = text(data, "msisdn")?;
        let (name, account) = self.account(data)?;
        let is_new = account.numbers.insert(msisdn.clone());
        Ok(is_new.then_some(Effect::NumberAdded { account: name, msisdn }))
    }

    fn remove_number(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let msisdn = text(data, "msisdn")?;
        let (name, account) = self.account(data)?;
        let was_there = account.numbers.remove(&msisdn);
        Ok(was_there.then_some(Effect::NumberRemoved { account: name, msisdn }))
    }

    fn change_number(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let (old_msisdn, new_msisdn) = (text(data, "old_msisdn")?, text(data, "new_msisdn")?);
        let (name, account) = self.account(data)?;
        let was_there = account.numbers.remove(&old_msisdn);
        let is_new = account.numbers.insert(new_msisdn.clone());
        Ok((was_there || is_new).then_some(Effect::NumberChanged { account: name, old_msisdn, new_msisdn }))
    }

    fn update_sim(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let imsi = text(data, "new_imsi")?;
        let mut name = name(data, "old_imsi")?;
        let mut account = self.accounts.remove(&name).unwrap_or_default();
        if !data.contains_key("customer_id") {
            name.clone_from(&imsi);
            if let Some(moved) = self.accounts.remove(&name) {
                account = moved;
            }
        }
        let is_new = account.imsi.replace(imsi.clone()).as_ref() != Some(&imsi);
        self.accounts.insert(name.clone(), account);
        Ok(is_new.then_some(Effect::SimUpdated { account: name, imsi }))
    }

    fn update_service(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let settings = data.get("settings").and_then(Value::as_object).cloned();
        let settings = settings.ok_or_else(|| invalid_data("'settings' is not an object"))?;
        let (name, account) = self.account(data)?;
        let is_new = settings.iter().any(|(key, value)| account.settings.get(key) != Some(value));
        account.settings.extend(settings.clone());
        Ok(is_new.then_some(Effect::ServiceUpdated { of: name, settings }))
    }

    fn set_status(&mut self, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        let status = match data.get("enabled").and_then(Value::as_bool) {
            Some(true) => "active".to_owned(),
            Some(false) => "suspended".to_owned(),
            None => text(data, "status")?,
        };
        let (name, account) = self.account(data)?;
        let is_new = account.status.replace(status.clone()).as_ref() != Some(&status);
        Ok(is_new.then_some(Effect::StatusSet { account: name, status }))
    }
}
