//! The requests of an operation, without sending them: after a look-up both branches are rendered.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, Method};
use interlock_domain::ids::TargetId;
use interlock_domain::views::RequestView;
use url::Url;

use super::auth::AuthKind;
use super::connector::Connector;
use super::operation::{Branch, Flow, Operation};
use super::request::{Content, RequestTemplate};
use super::template::NotRendered;
use super::variables::{self, Variables};
use super::{merge, read_file};
use crate::adapter::Call;
use crate::exchange::{form, hidden_headers, url_below};
use crate::settings::{Authentication, TargetSettings};
use crate::stage::HIDDEN;

/// Renders requests to one target.
struct Renderer<'a> {
    base_url: &'a Url,
    /// The header with credentials.
    proof: Option<HeaderName>,
}

/// The requests of a call, or why they are not known. No secret is read.
pub(crate) fn requests(target: &TargetId, settings: &TargetSettings, call: &Call) -> Result<Vec<RequestView>, String> {
    let text_of = |error: crate::error::RegistryError| error.to_string();
    let (name, text) = read_file(target, settings.file.as_deref()).map_err(text_of)?;
    let connector = Connector::parse(&text).map_err(|faults| format!("{name} has {} fault(s)", faults.len()))?;
    let parameters = merge(target, &connector.parameters, &settings.parameters).map_err(text_of)?;
    let Some(operation) = connector.operations.get(&call.operation) else {
        return Err(format!("the target's adapter file does not have the operation '{}'", call.operation));
    };
    let base_url = settings.address(target).map_err(text_of)?;
    let renderer = Renderer { base_url, proof: proof_header(settings, &connector) };
    let callback_url = settings.callbacks.then_some("{callback_url}");
    let variables = variables::of_call(call, callback_url, &parameters);
    let mut requests = renderer.of_flow(operation, &variables).map_err(|not_rendered| {
        format!("'{}' in the adapter file does not match this order: {}", not_rendered.path, not_rendered.reason)
    })?;
    if operation.releases {
        for resource in call.epochs.keys() {
            let Some(question) = connector.find_holder.get(resource.kind()) else { continue };
            let variables = variables::of_resource(target, resource, &parameters);
            let only_if = Some("the release is answered as done");
            requests.extend(renderer.of(&question.request, &variables, true, only_if).ok());
        }
    }
    Ok(requests)
}

/// The name of the header with credentials.
fn proof_header(settings: &TargetSettings, connector: &Connector) -> Option<HeaderName> {
    match (&settings.auth, &connector.auth) {
        (Authentication::None, None) => None,
        (Authentication::None, Some(auth)) => match &auth.kind {
            AuthKind::None => None,
            AuthKind::Given(headers) => headers.keys().next().cloned(),
            AuthKind::Basic { .. } | AuthKind::Bearer { .. } | AuthKind::OAuth2(_) => Some(AUTHORIZATION),
            AuthKind::Header { name, .. } => Some(name.clone()),
            AuthKind::Session(session) => Some(session.header.clone()),
        },
        (given, _) => hidden_headers(given).keys().next().cloned(),
    }
}

impl Renderer<'_> {
    fn of_flow(&self, operation: &Operation, variables: &Variables) -> Result<Vec<RequestView>, NotRendered> {
        let lookup = match &operation.flow {
            Flow::Write(inquiry) => return Ok(vec![self.of(&inquiry.request, variables, false, None)?]),
            Flow::LookUp(lookup) => lookup,
        };
        let mut requests = vec![self.of(&lookup.question.request, variables, true, None)?];
        let found = variables.with_names(lookup.bind.iter().map(|(name, _)| name.as_str()));
        let branches = [
            (&lookup.if_found, &found, "the look-up finds it"),
            (&lookup.if_absent, variables, "the look-up finds nothing"),
        ];
        for (branch, variables, only_if) in branches {
            if let Branch::Write(inquiry) = branch {
                requests.push(self.of(&inquiry.request, variables, false, Some(only_if))?);
            }
        }
        Ok(requests)
    }

    fn of(
        &self,
        request: &RequestTemplate,
        variables: &Variables,
        reads: bool,
        only_if: Option<&str>,
    ) -> Result<RequestView, NotRendered> {
        let rendering = request.render(&variables.rendered())?;
        let path: Vec<&str> = rendering.path.iter().map(String::as_str).collect();
        let mut url = url_below(self.base_url, &path);
        if !rendering.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&rendering.query);
        }
        let mut headers: BTreeMap<String, String> =
            rendering.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
        headers.extend(self.proof.iter().map(|name| (name.as_str().to_owned(), HIDDEN.to_owned())));
        let (media_type, body) = match &rendering.content {
            Content::None => (None, None),
            Content::Json(body) => (Some("application/json"), Some(body.clone())),
            Content::Form(fields) => (Some("application/x-www-form-urlencoded"), Some(form(fields).into())),
        };
        if let Some(media_type) = media_type {
            headers.entry(CONTENT_TYPE.as_str().to_owned()).or_insert_with(|| media_type.to_owned());
        }
        Ok(RequestView {
            reads: reads || matches!(rendering.method, Method::GET | Method::HEAD),
            method: rendering.method.to_string(),
            url: url.to_string(),
            headers,
            body,
            only_if: only_if.map(str::to_owned),
        })
    }
}
