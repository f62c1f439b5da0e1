//! The sandbox HSS without its server: for rehearsals of requests.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::hss::Hss;
use super::model::{Model, Request};
use super::seeds::Seed;

/// An HSS in this process. Its row ids are numbers that no real database has, so that they can be told from other numbers.
pub(crate) struct StandIn(Hss);

/// A request to it.
pub(crate) struct Rehearsed {
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) text: String,
}

impl StandIn {
    /// An empty HSS.
    pub(crate) fn hss() -> Self {
        Self(Hss::with_foreseen_ids())
    }

    /// The column whose row ids this is one of.
    pub(crate) fn column_of(id: i64) -> Option<&'static str> {
        Hss::column_of_foreseen_id(id)
    }

    /// Adds a SIM or subscriber. One that contradicts another is left out.
    pub(crate) fn seed(&mut self, seed: &Seed) {
        let _seeded = self.0.seed(seed);
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, request: Rehearsed) -> (StatusCode, Value) {
        let Rehearsed { method, path, query, text } = request;
        let (reply, _changes) = self.0.handle(&Request { method, path, query, headers: HeaderMap::new(), text });
        (reply.status, reply.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_row_ids_name_their_columns() {
        let mut hss = StandIn::hss();
        let seed =
            Seed { imsi: "001010000000001".to_owned(), msisdn: Some("12065550100".to_owned()), ..Seed::default() };
        hss.seed(&seed);
        let path = ["subscriber", "imsi", "001010000000001"].map(str::to_owned).to_vec();
        let request = Rehearsed { method: Method::GET, path, query: Vec::new(), text: String::new() };
        let (status, row) = hss.answer(request);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(StandIn::column_of(row["subscriber_id"].as_i64().unwrap()), Some("subscriber_id"));
        assert_eq!(StandIn::column_of(row["auc_id"].as_i64().unwrap_or(1)), row["auc_id"].as_i64().map(|_| "auc_id"));
        assert_eq!(StandIn::column_of(1), None);
    }
}
