//! The pages. Each is a function from a request to HTML.

pub(crate) mod actions;
pub(crate) mod customer;
pub(crate) mod find;
pub(crate) mod now;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod resource;
pub(crate) mod sign_in;
pub(crate) mod target;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use crate::Console;
use crate::api::part;
use crate::page::{bare, session_of, to_sign_in};

/// The first page: what is going on at the person's first tenant.
pub(crate) async fn start(State(console): State<Console>, headers: HeaderMap) -> Response {
    let Some((rights, _)) = session_of(&console, &headers) else { return to_sign_in() };
    match rights.reads.first() {
        Some(tenant) => Redirect::to(&format!("/console/{}/now", part(tenant.as_str()))).into_response(),
        None => bare(StatusCode::FORBIDDEN, "Not for you", &html! { p { "The token gives access to no tenant." } }),
    }
}
