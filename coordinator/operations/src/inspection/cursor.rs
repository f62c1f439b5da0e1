//! Where a list continues: opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interlock_domain::ids::{CustomerId, OrderId};
use serde::{Deserialize, Serialize};

use super::InspectionError;

/// The longest cursor that is accepted, in bytes. Ours contain a token of Temporal and two ids.
const BYTES_MAX: usize = 4_096;

/// A position in a list of orders, which has the orders of entities first and then the standalone ones. On the wire it is base64url of JSON; only this program reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// Whether the list has reached the standalone orders: pages and positions are then those of activities.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Temporal's token of the page of entities, in base64url; empty for the first one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    page: String,
    /// The entity on that page at which to continue; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityPlace>,
    /// The last order of that entity that was shown, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<OrderId>,
}

/// A position on a page of entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EntityPlace {
    /// The workflow id; for a standalone order the activity's id.
    pub workflow_id: String,
    /// When its run started, in milliseconds: pages go from newer to older ones, so the position is found even if
    /// the entity itself is no longer on the page.
    pub started_ms: i64,
}

impl Cursor {
    /// The start of the page of entities with this token of Temporal.
    pub(super) fn page(token: &[u8]) -> Self {
        Self { page: URL_SAFE_NO_PAD.encode(token), ..Self::default() }
    }

    /// The start of the page of activities with this token of Temporal.
    pub(super) fn alone(token: &[u8]) -> Self {
        Self { alone: true, ..Self::page(token) }
    }

    /// After this order of the entity, which was the last one shown.
    pub(super) fn after(order: OrderId) -> Self {
        Self { after: Some(order), ..Self::default() }
    }

    /// The same page, continuing at this entity, after this order.
    pub(super) fn at(&self, entity: EntityPlace, after: Option<OrderId>) -> Self {
        Self { alone: self.alone, page: self.page.clone(), entity: Some(entity), after }
    }

    /// Temporal's token.
    ///
    /// # Errors
    /// [`InspectionError::BadCursor`].
    pub(super) fn token(&self) -> Result<Vec<u8>, InspectionError> {
        URL_SAFE_NO_PAD.decode(&self.page).map_err(|_| InspectionError::BadCursor)
    }

    /// Whether it is a position in the list of this customer's orders.
    pub(super) fn is_of(&self, customer: &CustomerId) -> bool {
        let is_its = |order: &OrderId| order.customer() == *customer;
        let place = self.entity.as_ref().map(|place| place.workflow_id.parse::<OrderId>());
        match (self.alone, place) {
            (true, Some(order)) => order.is_ok_and(|order| is_its(&order)),
            (true, None) => true,
            (false, place) => place.is_none() && self.after.as_ref().is_none_or(is_its),
        }
    }

    /// Its form on the wire.
    pub(super) fn to_text(&self) -> String {
        // Texts and numbers can always be serialised.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what [`Cursor::to_text`] wrote.
    ///
    /// # Errors
    /// [`InspectionError::BadCursor`].
    pub(super) fn parse(text: &str) -> Result<Self, InspectionError> {
        if text.len() > BYTES_MAX {
            return Err(InspectionError::BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InspectionError::BadCursor)?;
        serde_json::from_slice(&bytes).map_err(|_| InspectionError::BadCursor)
    }
}

/// The part of a page that a list which continues at `place` has not shown yet, and whether its first element is the one
/// at `place` itself. If that one is no longer on the page, another one that started in the same millisecond may be
/// shown again; none is left out.
pub(super) fn from_place<T>(page: Vec<T>, place: &EntityPlace, of: impl Fn(&T) -> &EntityPlace) -> (Vec<T>, bool) {
    match page.iter().position(|found| of(found).workflow_id == place.workflow_id) {
        Some(position) => (page.into_iter().skip(position).collect(), true),
        None => (page.into_iter().filter(|found| of(found).started_ms <= place.started_ms).collect(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let order = OrderId::derive(&"t".parse().unwrap(), &"c".parse().unwrap(), "s", "1", None);
        let place = EntityPlace { workflow_id: "t/customer/c".to_owned(), started_ms: 7 };
        let cursor = Cursor::page(&[0, 255, 1]).at(place, Some(order));
        let text = cursor.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(Cursor::parse(&text).unwrap(), cursor);
        assert_eq!(cursor.token().unwrap(), [0, 255, 1]);
        let alone = Cursor::alone(&[7]).at(EntityPlace { workflow_id: "A~1".to_owned(), started_ms: 7 }, None);
        assert!(alone.alone && Cursor::parse(&alone.to_text()).unwrap() == alone);
        assert_eq!(Cursor::default().token().unwrap(), [0; 0]);
    }

    #[test]
    fn a_cursor_of_another_customer_s_list_is_told_from_its_own() {
        let customer = |name: &str| name.parse::<CustomerId>().unwrap();
        let order = OrderId::derive(&"t".parse().unwrap(), &customer("c"), "s", "1", None);
        let place = EntityPlace { workflow_id: order.to_string(), started_ms: 7 };
        for cursor in [Cursor::after(order.clone()), Cursor::alone(&[]).at(place.clone(), None)] {
            assert!(cursor.is_of(&customer("c")) && !cursor.is_of(&customer("d")), "{cursor:?}");
        }
        assert!(Cursor::default().is_of(&customer("d")) && Cursor::alone(&[1]).is_of(&customer("d")));
        // It is a position among the entities of a tenant.
        assert!(!Cursor::page(&[]).at(place, None).is_of(&customer("c")));
    }

    #[test]
    fn what_nobody_wrote_is_no_cursor() {
        let long = "A".repeat(BYTES_MAX + 1);
        let other_json = URL_SAFE_NO_PAD.encode(r#"{"page":"x"}"#);
        let bad_order = URL_SAFE_NO_PAD.encode(r#"{"after":"x"}"#);
        for text in ["", "x", "%%%", long.as_str(), other_json.as_str(), bad_order.as_str()] {
            let read = Cursor::parse(text).and_then(|cursor| cursor.token().map(|_| cursor));
            assert!(matches!(read, Err(InspectionError::BadCursor)), "{text}: {read:?}");
        }
    }

    fn found(name: &str, started_ms: i64) -> EntityPlace {
        EntityPlace { workflow_id: name.to_owned(), started_ms }
    }

    #[test]
    fn a_list_goes_on_where_it_was_although_the_page_has_changed() {
        let page = || vec![found("a", 9), found("b", 7), found("c", 5)];
        let names = |(entities, exact): (Vec<EntityPlace>, bool)| {
            (entities.iter().map(|found| found.workflow_id.clone()).collect::<String>(), exact)
        };
        let from = |place: &EntityPlace| names(from_place(page(), place, |found| found));
        assert_eq!(from(&found("b", 7)), ("bc".to_owned(), true));
        assert_eq!(from(&found("gone", 7)), ("bc".to_owned(), false));
        assert_eq!(from(&found("gone", 6)), ("c".to_owned(), false));
    }
}
