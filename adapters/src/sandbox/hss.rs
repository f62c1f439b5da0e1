//! The sandbox HSS: behaves like PyHSS 2.0 from outside, with its rows in memory.
//!
//! Its answers were compared with a running PyHSS on SQLite: the same contract tests run against both.

mod answers;
mod effects;
mod operation_log;
mod questions;
mod schema;
mod table;
mod writes;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::model::{Change, Model, Reply, Request};
use super::seeds::{Seed, SeedError};
use effects::{RowChange, changes_of};
use operation_log::OperationLog;
use questions::list;
use table::{LISTED, Schema, Table, Violation};
use writes::stamped;

/// How the database behind PyHSS behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// A duplicate of a value that must be unique is answered with 400 and a reason.
    #[default]
    Sqlite,
    /// It is answered with 200 and `null`.
    Postgresql,
}

/// The first row id of the first table in a rehearsal: far beyond those of a real database, and of numbers with another meaning.
const FORESEEN_IDS_FROM: i64 = 9_100_000_000_000_000;
/// How many ids each table has in a rehearsal.
const FORESEEN_IDS: i64 = 1_000_000;

/// The tables.
const SCHEMAS: [&Schema; 5] =
    [&schema::APN, &schema::AUC, &schema::SUBSCRIBER, &schema::IMS_SUBSCRIBER, &schema::SUBSCRIBER_ATTRIBUTES];

/// All tables.
pub(super) struct Hss {
    tables: Vec<Table>,
    operation_log: OperationLog,
    provisioning_key: Option<SecretString>,
    database: DatabaseKind,
}

impl Hss {
    pub(super) fn new(provisioning_key: Option<SecretString>, database: DatabaseKind) -> Self {
        Self {
            tables: SCHEMAS.into_iter().map(Table::new).collect(),
            operation_log: OperationLog::default(),
            provisioning_key,
            database,
        }
    }

    /// An HSS for a rehearsal, in which the id of a row tells its table.
    pub(super) fn with_foreseen_ids() -> Self {
        let first_id = |index: i64| FORESEEN_IDS_FROM + index * FORESEEN_IDS;
        // Access points are named by settings, not by rows that were read.
        let table = |(schema, index): (&'static Schema, i64)| match schema.name {
            "apn" => Table::new(schema),
            _ => Table::with_first_id(schema, first_id(index)),
        };
        Self { tables: SCHEMAS.into_iter().zip(0..).map(table).collect(), ..Self::new(None, DatabaseKind::default()) }
    }

    /// The column of a row id in a rehearsal.
    pub(super) fn column_of_foreseen_id(id: i64) -> Option<&'static str> {
        let index = usize::try_from(id.checked_sub(FORESEEN_IDS_FROM)? / FORESEEN_IDS).ok()?;
        (id >= FORESEEN_IDS_FROM).then(|| SCHEMAS.get(index).map(|schema| schema.id_column)).flatten()
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema.name == name)
    }

    fn table_mut(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.schema.name == name)
    }

    /// Adds a row for a seed.
    fn plant(&mut self, table: &str, imsi: &str, columns: &Value) -> Result<(i64, Vec<Change>), SeedError> {
        let taken = |column: &str| SeedError::Taken { imsi: imsi.to_owned(), column: column.to_owned() };
        let columns = stamped(columns.as_object().unwrap_or(&Map::new()));
        let table = self.table_mut(table).ok_or(SeedError::NoSubscribers)?;
        let schema = table.schema;
        let id = table.insert(&columns).map_err(|violation| match violation {
            Violation::NotNull(column) | Violation::Unique(column) => taken(column),
        })?;
        let changes = changes_of(&RowChange { schema, id, before: None, after: table.get(id) });
        Ok((id, changes))
    }
}

impl Model for Hss {
    fn operation(&self, request: &Request) -> String {
        let table = request.path.first().map_or("", String::as_str);
        format!("{}_{table}", request.method.as_str().to_lowercase())
    }

    fn handle(&mut self, request: &Request) -> (Reply, Vec<Change>) {
        if request.method == http::Method::GET {
            return (self.get(request), Vec::new());
        }
        self.write(request).unwrap_or_else(|reply| (reply, Vec::new()))
    }

    fn state(&self) -> Value {
        self.tables.iter().map(|table| (table.schema.name.to_owned(), list(table, 0, usize::MAX))).collect()
    }

    fn seed(&mut self, seed: &Seed) -> Result<Option<Vec<Change>>, SeedError> {
        let imsi = seed.imsi.as_str();
        let sim = self.look_up("auc", "imsi", imsi).and_then(|row| row.get("auc_id")?.as_i64());
        let is_there = self.look_up("subscriber", "imsi", imsi).is_some();
        if is_there || (seed.sim_only && sim.is_some()) {
            return Ok(None);
        }
        let taken = |column: &str| SeedError::Taken { imsi: imsi.to_owned(), column: column.to_owned() };
        if let Some(msisdn) = &seed.msisdn
            && [("ims_subscriber", "msisdn"), ("ims_subscriber", LISTED), ("subscriber", "msisdn")]
                .into_iter()
                .any(|(table, column)| self.table(table).is_some_and(|table| table.has(column, msisdn)))
        {
            return Err(taken("msisdn"));
        }
        if self.table("apn").is_some_and(|table| table.rows().next().is_none()) {
            self.plant("apn", imsi, &json!({"apn": "internet", "apn_ambr_dl": 999_999, "apn_ambr_ul": 999_999}))?;
        }
        let auc_id = match sim {
            Some(auc_id) => auc_id,
            None => self.plant("auc", imsi, &sim_of(seed))?.0,
        };
        if seed.sim_only {
            return Ok(Some(Vec::new()));
        }
        let msisdn = seed.msisdn.as_deref().unwrap_or(imsi);
        let subscriber = json!({"imsi": imsi, "auc_id": auc_id, "default_apn": 1, "apn_list": "1", "msisdn": msisdn});
        let (_, mut changes) = self.plant("subscriber", imsi, &subscriber)?;
        let Some(msisdn) = &seed.msisdn else { return Ok(Some(Vec::new())) };
        let registered = json!({"imsi": imsi, "msisdn": msisdn, "msisdn_list": msisdn, "ifc_path": "default_ifc.xml"});
        changes.extend(self.plant("ims_subscriber", imsi, &registered)?.1);
        Ok(Some(changes))
    }
}

/// A SIM with meaningless keys.
fn sim_of(seed: &Seed) -> Value {
    let key = "0".repeat(32);
    json!({"ki": key, "opc": key, "amf": "8000", "sqn": 0, "algo": "3", "imsi": seed.imsi, "iccid": seed.iccid})
}
