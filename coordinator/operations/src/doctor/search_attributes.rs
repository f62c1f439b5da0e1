//! The search attributes: without them no list shows anything, and with another type entities cannot set them.

use std::collections::BTreeSet;

use interlock_client::{Registration, SearchAttributeGate, ServerError, namespaces};
use interlock_workflows::names::SEARCH_ATTRIBUTES;
use temporalio_client::Client;

use super::report::{Check, Finding};

/// Whether they can be used in a namespace.
pub(super) async fn examine(client: &Client, namespace: &str) -> Vec<Finding> {
    let registration = SearchAttributeGate::new(client.clone()).of(namespace).await;
    let others = namespaces::search_attributes_of_other_types(client, namespace, &SEARCH_ATTRIBUTES).await;
    judged(namespace, registration, others)
}

fn judged(namespace: &str, registration: Registration, others: Result<BTreeSet<String>, ServerError>) -> Vec<Finding> {
    // The operator service is not available everywhere; then the query alone decides.
    if let Some(others) = others.ok().filter(|others| !others.is_empty()) {
        let names: Vec<String> = others.into_iter().collect();
        return vec![Finding::error(
            Check::SearchAttributes,
            format!("In '{namespace}' these search attributes are not of the type Keyword: {}.", names.join(", ")),
            "Remove them ('temporal operator search-attribute remove'), and run 'interlock bootstrap'.",
        )];
    }
    vec![match registration {
        Registration::Registered => {
            Finding::ok(Check::SearchAttributes, format!("The search attributes are registered in '{namespace}'."))
        }
        Registration::Missing => Finding::error(
            Check::SearchAttributes,
            format!("The search attributes are not registered in '{namespace}': lists and sweeps find nothing."),
            "Run 'interlock bootstrap'; on Temporal Cloud register them there, as Keyword. Then restart the workers.",
        ),
        Registration::Unknown => Finding::unknown(
            Check::SearchAttributes,
            &format!("Whether the search attributes are registered in '{namespace}'"),
            "the visibility store did not answer",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::super::report::Level;
    use super::*;

    #[test]
    fn missing_attributes_and_those_of_another_type_are_errors() {
        let none = || Ok(BTreeSet::new());
        let level = |registration, others| judged("n", registration, others)[0].level;
        assert_eq!(level(Registration::Registered, none()), Level::Ok);
        assert_eq!(level(Registration::Missing, none()), Level::Error);
        assert_eq!(level(Registration::Unknown, none()), Level::Warning);
        assert_eq!(level(Registration::Registered, Ok(["InterlockState".to_owned()].into())), Level::Error);
        let not_there = Err(ServerError::from(Status::unimplemented("no operator service")));
        assert_eq!(level(Registration::Registered, not_there), Level::Ok);
    }
}
