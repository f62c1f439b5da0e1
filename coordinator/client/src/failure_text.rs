//! The message of an entity's failure, which may be encrypted.

use interlock_domain::outcome::Outcome;
use temporalio_common::data_converters::{
    DataConverter, NoopDecodeHint, SerializationContextData, WorkflowSerializationContext,
};
use temporalio_common::payload_visitor::decode_payloads;
use temporalio_common::protos::temporal::api::failure::v1::Failure;

/// What a failed attempt of a call says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Why it failed: a sentence, with the target's own words if it answered.
    pub sentence: String,
    /// The outcome that the adapter returned. `None` if the attempt failed otherwise.
    pub outcome: Option<Outcome>,
}

impl FailedAttempt {
    /// Reads the message of its failure: an outcome in JSON, or a sentence.
    pub fn of(message: String) -> Self {
        match serde_json::from_str::<Outcome>(&message) {
            Ok(outcome) => Self { sentence: sentence(&outcome), outcome: Some(outcome) },
            Err(_) => Self { sentence: message, outcome: None },
        }
    }
}

/// An outcome in a sentence.
fn sentence(outcome: &Outcome) -> String {
    let words = outcome.words();
    match outcome.retry_after_ms().map(|ms| ms.div_ceil(1_000)) {
        Some(seconds) => format!("{}; the target asks for a pause of {seconds} s", words.trim_end_matches('.')),
        None => words.to_owned(),
    }
}

/// The message of a failure, decrypted if it was encrypted. If it cannot be decrypted, the reason.
pub async fn failure_text(converter: &DataConverter, mut failure: Failure) -> String {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    if let Err(error) = decode_payloads(&mut failure, converter.codec(), &context).await {
        return error.to_string();
    }
    match converter.to_error(&context, failure, NoopDecodeHint) {
        Ok(failed) => failed.failure().message.clone(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_is_a_sentence_with_the_targets_own_words() {
        let of = |message: &str| FailedAttempt::of(message.to_owned());
        let locked = of(r#"{"class":"transient","detail":"the row is locked"}"#);
        assert_eq!(locked.sentence, "the row is locked");
        assert_eq!(locked.outcome, Some(Outcome::Transient { detail: "the row is locked".to_owned() }));
        let throttled = of(r#"{"class":"throttled","retry_after_ms":1500,"detail":"Too many requests."}"#);
        assert_eq!(throttled.sentence, "Too many requests; the target asks for a pause of 2 s");
        let other = of("The attempt ran out of time before its call was sent.");
        assert_eq!(
            (other.sentence.as_str(), other.outcome),
            ("The attempt ran out of time before its call was sent.", None)
        );
        assert_eq!(of(r#"{"class":"of the future"}"#).outcome, None, "another build's words are shown as they are");
    }
}
