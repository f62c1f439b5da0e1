//! A request, as the file describes it and as it is sent.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section, Spot};
use minijinja::Value as Rendered;
use serde_json::Value;

use super::class::Asked;
use super::duration::read_duration;
use super::path::PathTemplate;
use super::scope::Scope;
use super::template::{JsonTemplate, NotRendered, Template};

/// The allowed methods.
const METHODS: [(&str, Method); 6] = [
    ("GET", Method::GET),
    ("HEAD", Method::HEAD),
    ("POST", Method::POST),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("DELETE", Method::DELETE),
];

/// The body of the request.
#[derive(Debug, Clone)]
enum ContentTemplate {
    None,
    Json(JsonTemplate),
    Form(Vec<(String, Template)>),
}

/// A request of the file.
#[derive(Debug, Clone)]
pub(super) struct RequestTemplate {
    method: Method,
    path: PathTemplate,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    content: ContentTemplate,
    /// Its time limit, if the file gives one.
    pub(super) timeout: Option<Duration>,
}

/// The requests that several places may use: `[requests.NAME]`. Each is checked at the place that uses it, with the variables known
/// there.
pub(super) struct NamedRequests<'a> {
    entries: BTreeMap<&'a str, Entry<'a>>,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> NamedRequests<'a> {
    pub(super) fn read(root: &mut Section<'a>, faults: &mut Faults<'_>) -> Self {
        Self { entries: root.named("requests", faults).into_iter().collect(), used: RefCell::default() }
    }

    fn get(&self, name: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Section<'a>> {
        let text = name.text(faults)?;
        let Some(entry) = self.entries.get(text) else {
            faults.add(&name.spot, ErrorCode::UnknownRequest, format!("[requests.{text}] does not exist."));
            return None;
        };
        self.used.borrow_mut().insert(text.to_owned());
        entry.section(faults)
    }

    /// Reports the requests that no place uses, since they were not checked.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        let used = self.used.into_inner();
        for (name, entry) in self.entries.iter().filter(|(name, _)| !used.contains(**name)) {
            faults.add(
                &entry.spot,
                ErrorCode::UnusedRequest,
                format!("No 'use' names the request '{name}'; remove it."),
            );
        }
    }
}

/// The rendered body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
}

/// A rendered request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendering {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) content: Content,
}

impl RequestTemplate {
    /// Parses the keys of a request, except `responses`, or returns the request that `use` names.
    pub(super) fn read(
        section: &mut Section<'_>,
        asked: Asked,
        scope: &Scope,
        named: &NamedRequests<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let Some(name) = section.take("use") else { return Self::read_keys(section, asked, scope, faults) };
        let mut other = named.get(&name, faults)?;
        let request = Self::read_keys(&mut other, asked, scope, faults);
        other.finish(faults);
        request
    }

    fn read_keys(section: &mut Section<'_>, asked: Asked, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let method = section.require("method", faults).and_then(|entry| read_method(&entry, asked, faults));
        let path = section.require("path", faults).and_then(|entry| PathTemplate::read(&entry, scope, faults));
        let query = read_texts(section, "query", scope, faults);
        let headers = section.named("headers", faults);
        let headers =
            headers.into_iter().filter_map(|(name, entry)| read_header(name, &entry, scope, faults)).collect();
        let timeout = section.take("timeout").and_then(|entry| read_duration(&entry, faults));
        let content = read_content(section, scope, faults);
        let (method, content) = (method?, content?);
        let is_bodiless = matches!(method, Method::GET | Method::HEAD | Method::DELETE);
        if is_bodiless && !matches!(content, ContentTemplate::None) {
            faults.add(
                &section.spot,
                ErrorCode::NotTogether,
                format!("A {method} request must not have a 'body' or a 'form'."),
            );
        }
        Some(Self { method, path: path?, query, headers, content, timeout })
    }

    /// Renders the request with these variables.
    pub(super) fn render(&self, variables: &Rendered) -> Result<Rendering, NotRendered> {
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let Some(text) = template.text(variables)? else { continue };
            if HeaderValue::try_from(&text).is_err() {
                let reason = format!("the header '{name}' would contain characters that HTTP cannot carry");
                return Err(NotRendered { path: "headers".to_owned(), reason });
            }
            headers.push((name.clone(), text));
        }
        let content = match &self.content {
            ContentTemplate::None => Content::None,
            ContentTemplate::Json(template) => Content::Json(template.value(variables)?.unwrap_or_default()),
            ContentTemplate::Form(fields) => Content::Form(texts(fields, variables)?),
        };
        let (path, query) = (self.path.segments(variables)?, texts(&self.query, variables)?);
        Ok(Rendering { method: self.method.clone(), path, query, headers, content })
    }
}

fn texts(templates: &[(String, Template)], variables: &Rendered) -> Result<Vec<(String, String)>, NotRendered> {
    let mut pairs = Vec::with_capacity(templates.len());
    for (name, template) in templates {
        if let Some(text) = template.text(variables)? {
            pairs.push((name.clone(), text));
        }
    }
    Ok(pairs)
}

fn read_method(entry: &Entry<'_>, asked: Asked, faults: &mut Faults<'_>) -> Option<Method> {
    let text = entry.text(faults)?;
    let Some((_, method)) = METHODS.iter().find(|(word, _)| *word == text) else {
        let known = METHODS.map(|(word, _)| word).join(", ");
        faults.add(
            &entry.spot,
            ErrorCode::UnknownValue,
            format!("'{text}' is not a supported method here; supported are: {known}."),
        );
        return None;
    };
    // Some targets search by POST.
    if asked.is_question() && !matches!(*method, Method::GET | Method::HEAD | Method::POST) {
        faults.add(
            &entry.spot,
            ErrorCode::QuestionThatWrites,
            "A read-only request must not change data: use GET, HEAD or POST.",
        );
    }
    Some(method.clone())
}

fn read_texts(
    section: &mut Section<'_>,
    key: &'static str,
    scope: &Scope,
    faults: &mut Faults<'_>,
) -> Vec<(String, Template)> {
    let mut templates = Vec::new();
    for (name, entry) in section.named(key, faults) {
        // An array repeats the same name.
        for item in entry.one_or_more(faults) {
            if let Some(template) = Template::read(&item, scope, faults) {
                refuse_secret(name, template.is_constant(), &item.spot, faults);
                templates.push((name.to_owned(), template));
            }
        }
    }
    templates
}

fn read_header(
    name: &str,
    entry: &Entry<'_>,
    scope: &Scope,
    faults: &mut Faults<'_>,
) -> Option<(HeaderName, Template)> {
    let template = Template::read(entry, scope, faults)?;
    refuse_secret(name, template.is_constant(), &entry.spot, faults);
    let Ok(header) = HeaderName::try_from(name) else {
        faults.add(&entry.spot, ErrorCode::BadHeaderName, format!("'{name}' is not a valid header name."));
        return None;
    };
    Some((header, template))
}

fn read_content(section: &mut Section<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<ContentTemplate> {
    if section.has("body") && section.has("form") {
        faults.add(&section.spot, ErrorCode::NotTogether, "A request must not have both a 'body' (JSON) and a 'form'.");
    }
    if section.has("form") {
        return Some(ContentTemplate::Form(read_texts(section, "form", scope, faults)));
    }
    let Some(body) = section.take("body") else {
        section.take("form");
        return Some(ContentTemplate::None);
    };
    refuse_secrets_within(&body, faults);
    JsonTemplate::read(&body, scope, faults).map(ContentTemplate::Json)
}

fn refuse_secrets_within(entry: &Entry<'_>, faults: &mut Faults<'_>) {
    if !entry.is_table() {
        return;
    }
    let Some(section) = entry.section(faults) else { return };
    for (name, field) in section.entries() {
        let is_constant = field.as_text().is_some_and(|text| !text.contains("{{"));
        refuse_secret(name, is_constant, &field.spot, faults);
        refuse_secrets_within(&field, faults);
    }
}

/// A literal value under a name that is typical of secrets is a secret.
fn refuse_secret(name: &str, is_constant: bool, spot: &Spot, faults: &mut Faults<'_>) {
    let name = name.to_ascii_lowercase().replace('_', "-");
    // Any value of this header must come from [auth].
    let is_proof = name.ends_with("authorization");
    let is_secret = is_proof
        || name.ends_with("cookie")
        || ["api-key", "apikey", "secret", "password", "passwd", "token"].iter().any(|word| name.contains(word));
    if is_proof || (is_secret && is_constant) {
        let message =
            "Secrets must not be written here: describe them in [auth] as { env = \"NAME\" } or { file = \"PATH\" }.";
        faults.add(spot, ErrorCode::InlineSecret, message);
    }
}
