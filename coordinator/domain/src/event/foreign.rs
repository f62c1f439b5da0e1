//! Events in formats that are not CloudEvents, so that their senders are told what to do instead of which attribute is missing.

use serde_json::{Map, Value};

/// A format that producers send although it is not CloudEvents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignFormat {
    /// Its name, with an article.
    pub name: &'static str,
    /// What its sender can do.
    pub next: &'static str,
}

/// A format, and the fields by which it is known.
struct Known {
    format: ForeignFormat,
    /// All of these.
    all: &'static [&'static str],
    /// And one of these, if there are any.
    one_of: &'static [&'static str],
}

const KNOWN: &[Known] = &[
    Known {
        format: ForeignFormat {
            name: "an event in Azure Event Grid's own schema",
            next: "create the event subscription with the delivery schema 'CloudEvents v1.0'",
        },
        all: &["eventType", "subject"],
        one_of: &["dataVersion", "metadataVersion", "topic"],
    },
    Known {
        format: ForeignFormat {
            name: "a TM Forum notification",
            next: "send a CloudEvent whose data is the part that the event type needs",
        },
        all: &["eventType", "eventId", "event"],
        one_of: &[],
    },
    Known {
        format: ForeignFormat {
            name: "an event of Amazon EventBridge",
            next: "give the rule's target an input transformer that makes a CloudEvent of it",
        },
        all: &["detail-type", "detail"],
        one_of: &[],
    },
    Known {
        format: ForeignFormat {
            name: "a notification of Amazon SNS",
            next: "subscribe with raw message delivery, and publish CloudEvents",
        },
        all: &["Type", "MessageId", "TopicArn"],
        one_of: &[],
    },
    Known {
        format: ForeignFormat {
            name: "a push message of Google Pub/Sub",
            next: "have the subscription unwrap its messages, and publish CloudEvents",
        },
        all: &["message", "subscription"],
        one_of: &[],
    },
    Known {
        format: ForeignFormat {
            name: "an event of PortaOne's ESPF",
            next: "convert it to the event type that it means: it names only what changed, not the old and the new value",
        },
        all: &["event_type", "variables"],
        one_of: &[],
    },
    Known {
        format: ForeignFormat {
            name: "an event of PortaOne's NSPS connector",
            next: "convert it to the event type that it means: its 'data' is the ESPF event",
        },
        all: &["event_id", "data"],
        one_of: &["pb_data", "handler_id"],
    },
];

impl ForeignFormat {
    /// The format of an event without `specversion`.
    pub fn of(attributes: &Map<String, Value>) -> Option<Self> {
        let has = |name: &&str| attributes.contains_key(*name);
        let is =
            |known: &&Known| known.all.iter().all(has) && (known.one_of.is_empty() || known.one_of.iter().any(has));
        KNOWN.iter().find(is).filter(|_| !attributes.contains_key("specversion")).map(|known| known.format)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usual_formats_are_named_for_what_they_are() {
        let name = |event: Value| ForeignFormat::of(event.as_object().unwrap()).map(|format| format.name);
        for (event, expected) in [
            (
                json!({"id": "1", "eventType": "a", "subject": "s", "eventTime": "t", "data": {}, "dataVersion": "1"}),
                "Event Grid",
            ),
            (
                json!({"eventId": "1", "eventType": "ServiceOrderCreateEvent", "eventTime": "t", "event": {}}),
                "TM Forum",
            ),
            (
                json!({"version": "0", "id": "1", "detail-type": "a", "source": "s", "account": "1", "detail": {}}),
                "EventBridge",
            ),
            (json!({"Type": "Notification", "MessageId": "1", "TopicArn": "arn", "Message": "{}"}), "SNS"),
            (json!({"message": {"data": "e30="}, "subscription": "projects/p"}), "Pub/Sub"),
            (json!({"event_type": "SIM/Updated", "variables": {"i_event": 1}}), "ESPF"),
            (json!({"event_id": "1", "data": {"event_type": "SIM/Updated"}, "pb_data": {}}), "NSPS"),
        ] {
            assert!(name(event.clone()).is_some_and(|name| name.contains(expected)), "{event}");
        }
        assert_eq!(name(json!({"id": "1", "source": "s", "type": "t"})), None);
        assert_eq!(
            name(json!({"specversion": "1.0", "event_type": "a", "variables": {}})),
            None,
            "extensions of a CloudEvent"
        );
    }
}
