//! An import list that is read from a target: who has each resource, and which customers those are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interlock_adapters::Adapter;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceKind;
use interlock_domain::import::LineProblem;
use interlock_domain::outcome::Outcome;
use interlock_fault::Fault;
use tempfile::NamedTempFile;

/// The columns of a list of customers, as in its first line.
const COLUMNS: [&str; 2] = ["party", "customer"];

/// The list that was read from a target.
#[derive(Debug)]
pub struct TargetList {
    /// A list 'kind,id,customer', sorted, so that the same content is the same import.
    pub file: NamedTempFile,
    /// Resources that are left out. They belong to no line: their number is 0.
    pub left_out: Vec<LineProblem>,
}

/// Reads the list of customers: which customer each party is, with the target's names for parties (an IMSI).
///
/// # Errors
/// [`Fault`] `list_unreadable`, also for a line without two fields and for a party that is listed for two customers.
pub fn read_customers(path: &Path) -> Result<BTreeMap<String, String>, Fault> {
    let unreadable = |reason: &dyn std::fmt::Display| {
        Fault::wrong_use(
            ErrorCode::ListUnreadable,
            format!("The list of customers {} cannot be read: {reason}.", path.display()),
        )
        .with_next("Check the path, and that it is CSV in UTF-8 whose first line is 'party,customer'.")
    };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| unreadable(&error))?;
    if reader.headers().map_err(|error| unreadable(&error))?.iter().ne(COLUMNS) {
        return Err(unreadable(&"its first line is not 'party,customer'"));
    }
    let mut customers = BTreeMap::new();
    for row in reader.into_deserialize::<(String, String)>() {
        let (target_identity, customer) = row.map_err(|error| unreadable(&error))?;
        let known = customers.insert(target_identity.clone(), customer.clone());
        if known.is_some_and(|known| known != customer) {
            return Err(unreadable(&format!("the party {target_identity} is listed for two customers")));
        }
    }
    Ok(customers)
}

/// Reads everything of a kind that a target has registered, and writes it as a list.
///
/// # Errors
/// [`Fault`] if the target cannot be read, or the list cannot be written.
pub async fn read_target(
    adapter: &dyn Adapter,
    kind: &ResourceKind,
    customers: &BTreeMap<String, String>,
) -> Result<TargetList, Fault> {
    let mut target_identities: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for page in 0.. {
        let read = adapter.list_holders(kind, page).await.map_err(|outcome| fault_of(&outcome))?;
        for holder in read.holders {
            target_identities.entry(holder.id).or_default().insert(holder.target_identity);
        }
        if read.is_last {
            break;
        }
    }
    write(kind, &target_identities, customers).map_err(|error| {
        Fault::failed(
            ErrorCode::ListUnreadable,
            format!("The list of holders at the target cannot be written: {error}."),
        )
    })
}

fn write(
    kind: &ResourceKind,
    target_identities: &BTreeMap<String, BTreeSet<Option<String>>>,
    customers: &BTreeMap<String, String>,
) -> Result<TargetList, csv::Error> {
    let file = NamedTempFile::new()?;
    let mut list = csv::Writer::from_writer(file.as_file());
    list.write_record(["kind", "id", "customer"])?;
    let mut left_out = Vec::new();
    let mut problem =
        |code: ErrorCode, detail: String| left_out.push(LineProblem { line: 0, code: code.into(), detail });
    for (id, of_id) in target_identities {
        let named: Vec<&str> = of_id
            .iter()
            .map(|target_identity| target_identity.as_deref().unwrap_or("a row that names no party"))
            .collect();
        match (named.as_slice(), of_id.first().and_then(Option::as_ref)) {
            ([_], Some(target_identity)) => match customers.get(target_identity) {
                Some(customer) => list.write_record([kind.as_str(), id, customer])?,
                None => problem(
                    ErrorCode::PartyUnknown,
                    format!("{kind}/{id} is registered to {target_identity}, which is not in the list of customers"),
                ),
            },
            _ => problem(ErrorCode::SeveralParties, format!("{kind}/{id} is registered to {}", named.join(" and "))),
        }
    }
    list.flush()?;
    drop(list);
    Ok(TargetList { file, left_out })
}

fn fault_of(outcome: &Outcome) -> Fault {
    match outcome {
        Outcome::Permanent { code, detail } if code.as_str() == ErrorCode::CannotListHolders.as_str() => {
            Fault::wrong_use(ErrorCode::CannotListHolders, format!("{detail}."))
        }
        outcome => Fault::failed(
            ErrorCode::TargetUnanswered,
            format!("The target cannot be read: {}.", serde_json::to_string(outcome).unwrap_or_default()),
        )
        .with_next("Check the target and its settings, then run the import again."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_no_customer_and_what_several_have_is_left_out_and_told() {
        let target_identities = |names: &[Option<&str>]| names.iter().map(|name| name.map(str::to_owned)).collect();
        let registered = BTreeMap::from([
            ("1".to_owned(), target_identities(&[Some("I1")])),
            ("2".to_owned(), target_identities(&[Some("I2")])),
            ("3".to_owned(), target_identities(&[Some("I1"), Some("I2")])),
            ("4".to_owned(), target_identities(&[None])),
        ]);
        let customers = BTreeMap::from([("I1".to_owned(), "A,1".to_owned())]);
        let list = write(&"msisdn".parse().unwrap(), &registered, &customers).unwrap();
        assert_eq!(std::fs::read_to_string(list.file.path()).unwrap(), "kind,id,customer\nmsisdn,1,\"A,1\"\n");
        let told: Vec<&str> = list.left_out.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(told, ["party_unknown", "several_parties", "several_parties"]);
        assert_eq!(list.left_out[1].detail, "msisdn/3 is registered to I1 and I2");
    }

    #[test]
    fn a_list_of_customers_names_each_party_once() {
        let read = |text: &str| {
            let file = NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            read_customers(file.path())
        };
        assert_eq!(read("party,customer\nI1, A1\nI2,A1\nI1,A1\n").unwrap().len(), 2);
        for bad in ["imsi,customer\nI1,A1\n", "party,customer\nI1\n", "party,customer\nI1,A1\nI1,A2\n"] {
            assert_eq!(read(bad).unwrap_err().code, ErrorCode::ListUnreadable, "{bad}");
        }
    }
}
