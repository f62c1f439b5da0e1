//! Signing in with a token of the gateway, and out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::UnreadBody;
use maud::{Markup, html};
use secrecy::SecretString;

use crate::Console;
use crate::api::ApiProblem;
use crate::form::{Form, refused};
use crate::page::{bare, session_of, to_sign_in, told};

/// The form.
pub(crate) async fn show() -> Response {
    bare(StatusCode::OK, "Sign in", &form(None))
}

fn form(problem: Option<&ApiProblem>) -> Markup {
    html! {
        @if let Some(problem) = problem { (told(problem)) }
        form.stacked method="post" action="/console/sign-in" {
            label { "Token of the gateway" input name="token" type="password" required autofocus autocomplete="current-password"; }
            button { "Sign in" }
        }
        p { "The token's role decides what you see: " code { "read" } " to look, " code { "operate" } " to act as well." }
    }
}

/// Begins a session.
pub(crate) async fn take(State(console): State<Console>, headers: HeaderMap, body: UnreadBody) -> Response {
    let form = match Form::read(&headers, body).await {
        Ok(form) => form,
        Err(problem) => return again(&problem),
    };
    let token = SecretString::from(form.get("token"));
    if console.doorkeeper.rights(Some(&token)).is_none() {
        return again(&refused(401, ErrorCode::TokenUnknown, "This token is unknown, or may not read."));
    }
    let Some(cookie) = console.sessions.begin(&token) else {
        return again(&refused(400, ErrorCode::TokenUnknown, "This token is too long for a session."));
    };
    ([(header::SET_COOKIE, cookie)], Redirect::to("/console")).into_response()
}

fn again(problem: &ApiProblem) -> Response {
    bare(problem.status(), "Sign in", &form(Some(problem)))
}

/// Ends the session.
pub(crate) async fn leave(State(console): State<Console>, headers: HeaderMap, body: UnreadBody) -> Response {
    let form = Form::read(&headers, body).await;
    let session = session_of(&console, &headers).and_then(|(_, session)| session.token);
    if let Err(problem) = form.and_then(|form| form.check(&console, session.as_ref())) {
        return bare(problem.status(), "Sign out", &told(&problem));
    }
    match console.sessions.end() {
        Some(cookie) => ([(header::SET_COOKIE, cookie)], to_sign_in()).into_response(),
        None => to_sign_in(),
    }
}
