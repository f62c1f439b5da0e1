//! Schemas of the ids and numbers of the field, for the gateway's OpenAPI document.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{CustomerId, Epoch, Incarnation, OrderId, ResourceId, SubscriptionId, TargetId, TenantId};
use crate::target_entity::{Limit, Rate};

fn simple(schema_type: SchemaType, format: Option<SchemaFormat>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(schema_type).format(format).description(Some(description)).build().into()
}

fn text(description: &str) -> RefOr<Schema> {
    simple(Type::String.into(), None, description)
}

fn integer(description: &str) -> RefOr<Schema> {
    simple(Type::Integer.into(), Some(SchemaFormat::KnownFormat(KnownFormat::Int64)), description)
}

fn number(schema_type: SchemaType, description: &str) -> RefOr<Schema> {
    simple(schema_type, Some(SchemaFormat::KnownFormat(KnownFormat::Double)), description)
}

macro_rules! schemas {
    ($($name:ident => $schema:expr;)+) => {
        $(
            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+
    };
}

schemas! {
    TenantId => text("A tenant.");
    CustomerId => text("A customer: the `subject` of its events.");
    TargetId => text("A target, for example `hss-east`.");
    SubscriptionId => text("A subscription.");
    ResourceId => text("A resource, KIND/ID: for example `msisdn/12065551234`.");
    OrderId => text("An order: CUSTOMER~UUID.");
    ReasonCode => text("A stable code: one of the catalogue of errors, or a target's own.");
    ErrorCode => text("A stable code of the catalogue of errors.");
    Epoch => integer("The fencing token of a lease: it only grows for a resource.");
    Incarnation => integer("One life of a customer's entity: the start of its first run, in milliseconds since 1970.");
    Rate => number(Type::Number.into(), "Requests per second.");
    Limit => number(
        SchemaType::from_iter([Type::Number, Type::Null]),
        "Requests per second; null for no limit.",
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::QueueWait;

    #[test]
    fn the_words_of_a_schema_are_those_that_are_written() {
        let words: Vec<&str> = QueueWait::ALL.iter().map(|word| word.as_str()).collect();
        assert_eq!(json!(QueueWait::schema())["enum"], json!(words));
        assert_eq!(json!(crate::order::OrderState::schema())["enum"][2], "inProgress");
    }
}
