//! What all pages have: who visits, the frame around the content, and the headers.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::{CustomerId, ResourceId, TenantId};
use maud::{DOCTYPE, Markup, html};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{ApiProblem, part};
use crate::form::Form;
use crate::session::Session;
use crate::{Console, Rights};

/// Nothing is loaded from elsewhere, no script stands in a page, and no other page may show this one.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How often a page that is looked at loads itself again, in seconds.
pub(crate) const LIVE_S: u32 = 5;

/// A person who may see pages of a tenant.
pub(crate) struct Visit {
    console: Console,
    rights: Rights,
    session: Session,
    pub(crate) tenant: TenantId,
}

impl FromRequestParts<Console> for Visit {
    /// The answer for somebody who may not: the way to sign in, or a page that says why.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let (rights, session) = session_of(console, &parts.headers).ok_or_else(to_sign_in)?;
        let named = Path::<BTreeMap<String, String>>::from_request_parts(parts, console).await;
        let named = named.ok().and_then(|Path(mut named)| named.remove("tenant"));
        let known = rights.reads.iter().find(|known| Some(known.as_str()) == named.as_deref()).cloned();
        let tenant = known.ok_or_else(|| {
            let detail = "The token gives no access to this tenant, or there is none with this name.";
            bare(StatusCode::FORBIDDEN, "Not for you", &html! { p { (detail) } p { a href="/console" { "Back" } } })
        })?;
        Ok(Self { console: Console::clone(console), rights, session, tenant })
    }
}

impl Visit {
    /// The catalog of the installation.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.console.catalog
    }

    /// A link to the workflow of a customer in the Temporal UI, if that is known.
    pub(crate) fn temporal_of_customer(&self, customer: &CustomerId) -> Markup {
        temporal_link(self.console.temporal.of_customer(&self.tenant, customer))
    }

    /// The same for a resource.
    pub(crate) fn temporal_of_resource(&self, resource: &ResourceId) -> Markup {
        temporal_link(self.console.temporal.of_resource(&self.tenant, resource))
    }

    /// Checks that a form was made for this session.
    ///
    /// # Errors
    /// [`ApiProblem`] 403 `bad_action`.
    pub(crate) fn check(&self, form: &Form) -> Result<(), ApiProblem> {
        form.check(&self.console, self.token())
    }

    /// Whether the person may act for the tenant.
    pub(crate) fn may_act(&self) -> bool {
        self.rights.operates.contains(&self.tenant)
    }

    /// The person's token.
    pub(crate) fn token(&self) -> Option<&SecretString> {
        self.session.token.as_ref()
    }

    /// The token of this session's forms.
    pub(crate) fn form_token(&self) -> &str {
        &self.session.form_token
    }

    /// Reads with the person's rights. `path` begins with `/v1`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiProblem> {
        self.console.api.get(self.token(), path).await
    }

    /// Reads something of the tenant. `path` is what follows the tenant.
    pub(crate) async fn get_of_tenant<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiProblem> {
        self.get(&format!("/v1/tenants/{}/{path}", part(self.tenant.as_str()))).await
    }

    /// Acts with the person's rights.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiProblem> {
        self.console.api.post(self.token(), path, body).await
    }

    /// A link below the tenant's pages.
    pub(crate) fn link(&self, parts: &[&str]) -> String {
        let parts: Vec<String> = parts.iter().map(|text| part(text)).collect();
        format!("/console/{}/{}", part(self.tenant.as_str()), parts.join("/"))
    }

    /// A whole page. If it is live, it loads itself again while somebody looks at it.
    pub(crate) fn page(&self, title: &str, is_live: bool, content: &Markup) -> Response {
        let nav = html! {
            nav aria-label="Pages" {
                a href=(self.link(&["now"])) { "Now" }
                a href=(self.link(&["orders"])) { "Orders" }
                a href=(self.link(&["actions"])) { "Who did what" }
            }
            form.find role="search" action=(self.link(&["find"])) {
                label for="find" { "Find" }
                input #find name="q" type="search" required placeholder="number, SIM, customer, order, event" accesskey="f";
                button { "Find" }
            }
            div.who {
                @if self.rights.reads.len() > 1 {
                    details {
                        summary { (self.tenant) }
                        ul { @for tenant in &self.rights.reads {
                            li { a href=(format!("/console/{}/now", part(tenant.as_str()))) { (tenant) } }
                        } }
                    }
                } @else {
                    span { (self.tenant) }
                }
                @if self.token().is_some() {
                    form method="post" action="/console/sign-out" {
                        input type="hidden" name="form_token" value=(self.form_token());
                        button { (self.rights.name) ": sign out" }
                    }
                }
            }
        };
        let live = is_live.then_some(LIVE_S);
        frame(StatusCode::OK, title, Some(&nav), live, content)
    }

    /// The page of a call that gave no answer.
    pub(crate) fn problem(&self, title: &str, problem: &ApiProblem) -> Response {
        self.problem_page(title, problem, &html! { h1 { (title) } (told(problem)) })
    }

    /// The same, with this content.
    pub(crate) fn problem_page(&self, title: &str, problem: &ApiProblem, content: &Markup) -> Response {
        if problem.status() == StatusCode::UNAUTHORIZED {
            return to_sign_in();
        }
        let mut page = self.page(title, false, content);
        *page.status_mut() = problem.status();
        page
    }
}

fn temporal_link(address: Option<String>) -> Markup {
    html! { @if let Some(address) = address { " " a.temporal href=(address) rel="external" { "Workflow in Temporal" } } }
}

/// Who sends a request, if the person has signed in, or the gateway has no tokens.
pub(crate) fn session_of(console: &crate::Parts, headers: &HeaderMap) -> Option<(Rights, Session)> {
    let token = console.sessions.token(headers);
    let open = || console.doorkeeper.rights(None).map(|rights| (rights, None));
    let signed_in = |token: SecretString| Some((console.doorkeeper.rights(Some(&token))?, Some(token)));
    let (rights, token) = open().or_else(|| signed_in(token?))?;
    let form_token = console.sessions.form_token(token.as_ref());
    Some((rights, Session { token, form_token }))
}

/// The way to the page where one signs in.
pub(crate) fn to_sign_in() -> Response {
    Redirect::to("/console/sign-in").into_response()
}

/// A problem, for a person.
pub(crate) fn told(problem: &ApiProblem) -> Markup {
    html! {
        div.problem role="alert" {
            p { (problem.detail) }
            @if !problem.next.is_empty() { p { (problem.next) } }
            p.code { (problem.code) }
        }
    }
}

/// A page for somebody who has not signed in.
pub(crate) fn bare(status: StatusCode, title: &str, content: &Markup) -> Response {
    frame(status, title, None, None, &html! { h1 { (title) } (content) })
}

fn frame(status: StatusCode, title: &str, nav: Option<&Markup>, live: Option<u32>, content: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Interlock" }
                link rel="stylesheet" href="/console/assets/console.css";
                script src="/console/assets/console.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                header { span.brand { "Interlock" } @if let Some(nav) = nav { (nav) } }
                main #main tabindex="-1" data-live=[live] { (content) }
                div #announce.hidden role="status" aria-live="polite" {}
            }
        }
    };
    (status, Html(whole.into_string())).into_response()
}

/// Adds the headers that every answer of the console has.
pub(crate) async fn secured(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}
