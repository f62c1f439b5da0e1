//! Raw JSON as arguments and results of handlers: an undecodable payload must reach the handler, not fail the workflow task.

use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// The bytes of the first argument. Empty if there is no argument.
pub(crate) fn bytes(argument: &RawValue) -> &[u8] {
    argument.payloads.first().map_or(&[], |payload| payload.data.as_slice())
}

/// The first argument, parsed as JSON.
pub(crate) fn read<T: DeserializeOwned>(argument: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes(argument))
}

/// Encodes a value as an argument.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<RawValue, serde_json::Error> {
    let mut payload = Payload { data: serde_json::to_vec(value)?, ..Payload::default() };
    payload.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
    Ok(RawValue::new(vec![payload]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_value_can_be_read() {
        let argument = write(&vec![1, 2]).unwrap();
        assert_eq!(read::<Vec<u8>>(&argument).unwrap(), [1, 2]);
    }

    #[test]
    fn no_argument_is_an_error_and_no_panic() {
        assert!(read::<u8>(&RawValue::default()).is_err());
    }
}
