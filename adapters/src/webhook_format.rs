//! How a receiver names what it is told of.

use serde::Deserialize;

/// How an ESPF names the account of a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EspfAccount {
    /// The customer's id is `i_account`.
    #[default]
    IAccount,
    /// The customer's id is the account's id, e.g. `7912…@msisdn`.
    Id,
}
