//! The codec in the form that the SDK needs.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use temporalio_common::data_converters::{
    DataConverter, DefaultFailureConverter, PayloadCodec, PayloadConversionError, PayloadConverter,
    SerializationContextData,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::key_ring::{CodecError, KeyRing};

/// The converter of all clients and workers of a process: JSON, encrypted if the ring encrypts. Then the messages and stack traces
/// of failures are encrypted too: they may contain subscriber numbers.
pub fn data_converter(ring: Arc<KeyRing>) -> DataConverter {
    let failures = DefaultFailureConverter::new(ring.encrypts());
    DataConverter::new(PayloadConverter::default(), failures, AtRest(ring))
}

/// Encrypts and decrypts everything that the SDK sends and receives.
pub struct AtRest(pub Arc<KeyRing>);

impl AtRest {
    /// Decrypts one payload. A payload that can never be read is passed on unchanged: its reader then fails to parse it as JSON,
    /// and an event is rejected, while an error here would fail its customer's workflow tasks forever. A missing key is
    /// different: it can still be added, and nothing may be lost meanwhile.
    fn decrypt(&self, payload: Payload) -> Result<Payload, CodecError> {
        match self.0.decrypt(&payload) {
            Err(error @ CodecError::Unreadable { .. }) => {
                tracing::error!(code = %error.code(), %error, "cannot decrypt a payload; it is passed on unchanged");
                Ok(payload)
            }
            decrypted => decrypted,
        }
    }
}

impl PayloadCodec for AtRest {
    fn encode(
        &self,
        _context: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        let encrypted = payloads.into_iter().map(|payload| self.0.encrypt(payload));
        ready(encrypted.collect::<Result<_, _>>().map_err(conversion_error)).boxed()
    }

    fn decode(
        &self,
        _context: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        let decrypted = payloads.into_iter().map(|payload| self.decrypt(payload));
        ready(decrypted.collect::<Result<_, _>>().map_err(conversion_error)).boxed()
    }
}

fn conversion_error(error: CodecError) -> PayloadConversionError {
    PayloadConversionError::EncodingError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use serde_json::{Value, json};
    use temporalio_common::data_converters::NoopDecodeHint;
    use temporalio_common::error::{ApplicationFailure, OutgoingActivityError, OutgoingError};
    use temporalio_common::payload_visitor::{decode_payloads, encode_payloads};

    use super::super::key_ring::tests::ring;
    use super::*;

    const CONTEXT: SerializationContextData = SerializationContextData::None;

    fn converter(ids: &[&str], current: Option<&str>) -> DataConverter {
        data_converter(Arc::new(ring(ids, current)))
    }

    #[tokio::test]
    async fn a_value_goes_through_encrypted_and_arrives() {
        let value = json!({"msisdn": "12065551234"});
        let payloads = converter(&["1"], Some("1")).to_payloads(&CONTEXT, &value).await.unwrap();
        assert_eq!(payloads[0].metadata["encoding"], b"binary/encrypted");
        let read: Value = converter(&["1", "2"], Some("2")).from_payloads(&CONTEXT, payloads.clone()).await.unwrap();
        assert_eq!(read, value);
        let error = converter(&["2"], Some("2")).from_payloads::<Value>(&CONTEXT, payloads).await.unwrap_err();
        assert!(error.to_string().contains("codec_key_unknown"), "{error}");
    }

    #[tokio::test]
    async fn what_can_never_be_read_is_handed_on_and_fails_nothing_by_itself() {
        let converter = converter(&["1"], Some("1"));
        let mut payload = converter.to_payload(&CONTEXT, &json!(1)).await.unwrap();
        payload.data[0] ^= 1;
        let decoded = converter.codec().decode(&CONTEXT, vec![payload.clone()]).await.unwrap();
        assert_eq!(decoded, [payload]);
    }

    #[tokio::test]
    async fn the_message_of_a_failure_is_encrypted_and_arrives() {
        let converter = converter(&["1"], Some("1"));
        let failed =
            ApplicationFailure::builder(anyhow::anyhow!("12065551234 is in use")).type_name("in_use".to_owned());
        let error = OutgoingError::Activity(OutgoingActivityError::Application(failed.build().into()));
        let mut failure = converter.to_failure(&CONTEXT, error);
        encode_payloads(&mut failure, converter.codec(), &CONTEXT).await.unwrap();
        assert!(!format!("{failure:?}").contains("12065551234"), "{failure:?}");
        decode_payloads(&mut failure, converter.codec(), &CONTEXT).await.unwrap();
        let read = converter.to_error(&CONTEXT, failure, NoopDecodeHint).unwrap();
        assert_eq!(read.failure().message, "12065551234 is in use");
    }

    /// Prints the costs that deploy/docs/data-at-rest.md lists; only the sizes are the same on every machine.
    #[tokio::test]
    #[allow(clippy::cast_precision_loss, reason = "shown to a person")]
    async fn what_the_codec_costs() {
        let (plain, at_rest) = (converter(&[], None), converter(&["1"], Some("1")));
        for (bytes, times, overhead_max) in [(500, 2_000, 150), (16 * 1024, 500, 150), (512 * 1024, 20, 150)] {
            let value = json!({"data": "x".repeat(bytes)});
            let mut sizes = Vec::new();
            let mut spent_us = Vec::new();
            for converter in [&plain, &at_rest] {
                let began = std::time::Instant::now();
                for _ in 0..times {
                    let payloads = converter.to_payloads(&CONTEXT, &value).await.unwrap();
                    sizes.push(payloads[0].encoded_len());
                    let _read: Value = converter.from_payloads(&CONTEXT, payloads).await.unwrap();
                }
                spent_us.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(times));
            }
            let (without, with) = (sizes[0], sizes[sizes.len() - 1]);
            eprintln!(
                "payload of {without} bytes: {with} encrypted (+{:.1} %); written and read in {:.1} us, {:.1} us as \
                 it is",
                (with as f64 / without as f64 - 1.0) * 100.0,
                spent_us[1],
                spent_us[0],
            );
            assert!(with - without <= overhead_max, "{with} bytes of {without}");
        }
    }
}
