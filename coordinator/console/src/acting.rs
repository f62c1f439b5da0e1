//! From a form to the gateway's call and back to a page: the same for orders, resources and targets.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use interlock_domain::views::ActionForecast;
use interlock_http_service::UnreadBody;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::api::ApiProblem;
use crate::forecast;
use crate::form::Form;
use crate::page::{Visit, told};
use crate::show::{PREVIEW, preview_of};

/// A form that was sent.
pub(crate) struct Sent {
    headers: HeaderMap,
    is_preview: bool,
    body: UnreadBody,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = <UnreadBody as FromRequest<S>>::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let headers = request.headers().clone();
        let is_preview = request.uri().query() == Some(PREVIEW);
        Ok(Self { headers, is_preview, body: UnreadBody::from_request(request, state).await? })
    }
}

/// What is acted on.
pub(crate) struct ActedOn {
    /// Its name, for a title.
    pub(crate) what: String,
    /// The gateway's call for actions on it.
    pub(crate) call: String,
    /// The page of it.
    pub(crate) page: String,
}

/// Sends a form's action to the gateway with the person's rights, and goes back to the page of what was acted on. A preview is shown as a page
/// of its own, from which the action can be done. A script gets either as JSON. `more` completes the action from the form.
pub(crate) async fn act(
    visit: &Visit,
    on: &ActedOn,
    sent: Sent,
    more: impl FnOnce(&Form, &mut Map<String, Value>) -> Result<(), ApiProblem>,
) -> Response {
    let Sent { headers, is_preview, body } = sent;
    let wants_json = headers.get(header::ACCEPT).is_some_and(|accepted| accepted == "application/json");
    let taken = async {
        let form = Form::read(&headers, body).await?;
        visit.check(&form)?;
        let mut action = form.action();
        more(&form, &mut action)?;
        let call = if is_preview { preview_of(&on.call) } else { on.call.clone() };
        let answer = visit.post(&call, &action.into()).await?;
        Ok::<_, ApiProblem>((form, answer))
    };
    match taken.await {
        Ok((_, answer)) if wants_json => axum::Json(answer).into_response(),
        Ok((form, answer)) if is_preview => match serde_json::from_value(answer) {
            Ok(forecast) => previewed(visit, on, &form, &forecast),
            Err(fault) => visit.problem(&on.what, &ApiProblem::unreadable(fault)),
        },
        Ok(_) => Redirect::to(&on.page).into_response(),
        Err(problem) if wants_json => {
            let body = json!({"code": problem.code, "detail": problem.detail});
            (problem.status(), axum::Json(body)).into_response()
        }
        Err(problem) => {
            let title = if is_preview { "It would be refused" } else { "Not done" };
            let content = html! { h1 { (title) } (told(&problem)) (back(on)) };
            visit.problem_page(title, &problem, &content)
        }
    }
}

fn back(on: &ActedOn) -> Markup {
    html! { p { a href=(on.page) { "Back to " (on.what) } } }
}

/// The page of a forecast, with the form again: its action can be done from here.
fn previewed(visit: &Visit, on: &ActedOn, form: &Form, forecast: &ActionForecast) -> Response {
    let content = html! {
        h1 { "Preview of " (forecast.action) ": " span.id { (on.what) } }
        (forecast::shown(visit, forecast))
        @if !forecast.repeated {
            form.action method="post" action=(format!("{}/actions", on.page)) {
                @for (name, value) in form.fields() { input type="hidden" name=(name) value=(value); }
                button { "Do it: " (forecast.action) }
            }
        }
        (back(on))
    };
    visit.page("Preview", false, &content)
}
