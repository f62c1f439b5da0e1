//! Resources as an import list names them. They must be the same resources that events name.

use super::Catalog;
use super::event_rule::Body;
use super::form::Form;
use super::pattern::Pattern;
use crate::error_code::ErrorCode;
use crate::ids::{ResourceId, ResourceKind};
use crate::order::Rejection;

impl Catalog {
    /// The resource that a list names, with its id normalised as in events of this catalog.
    ///
    /// # Errors
    /// `bad_id`, or `kind_not_in_catalog`.
    pub fn listed(&self, kind: &str, id: &str) -> Result<ResourceId, Rejection> {
        let bad = |what: String| Rejection::new(ErrorCode::BadId, what);
        let kind: ResourceKind = kind.parse().map_err(|error| bad(format!("the kind is invalid: {error}")))?;
        let is_known = self.kinds().any(|known| *known == kind) || self.patterns().any(|(known, _)| *known == kind);
        if !is_known {
            let detail = format!("the catalog has no claim on the resource kind '{kind}' and does not declare it");
            return Err(Rejection::new(ErrorCode::KindNotInCatalog, detail));
        }
        let form = self.patterns().find_map(|(known, form)| form.filter(|_| *known == kind));
        let id = match form {
            // The text is personal data and is not repeated.
            Some(form) => form.normalise(id).map_err(|what| bad(format!("the id {what}")))?,
            None => id.to_owned(),
        };
        ResourceId::new(kind, &id).map_err(|error| bad(format!("the id is invalid: {error}")))
    }

    /// The kinds that events claim, and the form of the field that their ids come from.
    fn patterns(&self) -> impl Iterator<Item = (&ResourceKind, Option<Form>)> {
        self.inner.rules.values().flat_map(|rule| {
            let claims = match &rule.body {
                Body::Order(order) => order.claims.as_slice(),
                Body::Split { .. } => &[],
            };
            claims.iter().filter_map(|claim| match &claim.resource {
                Pattern::One { kind, id } => {
                    Some((kind, id.whole_field().and_then(|field| rule.schema.form_of(field))))
                }
                Pattern::Held(_) => None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(kind: &str, id: &str) -> Result<String, String> {
        let listed = Catalog::reference().listed(kind, id);
        listed.map(|resource| resource.to_string()).map_err(|rejection| rejection.code.to_string())
    }

    #[test]
    fn a_number_is_the_resource_that_events_mean_however_it_is_written() {
        assert_eq!(listed("msisdn", "+1 206-555-1234"), Ok("msisdn/12065551234".to_owned()));
        assert_eq!(listed("imsi", "001010000000001"), Ok("imsi/001010000000001".to_owned()));
    }

    #[test]
    fn what_is_no_resource_of_the_catalog_is_told() {
        assert_eq!(listed("msisdn", "0206"), Err("bad_id".to_owned()));
        assert_eq!(listed("", "1"), Err("bad_id".to_owned()));
        assert_eq!(listed("imsi", "abc"), Err("bad_id".to_owned()));
        assert_eq!(listed("vehicle", "1"), Err("kind_not_in_catalog".to_owned()));
    }
}
