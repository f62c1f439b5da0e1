//! Whether a form was sent by one of our own pages.

use axum::http::{HeaderMap, header};
use url::Url;

/// Whether a request may come from a page of the same origin. Browsers name the origin of a form. A request that names none is accepted: it
/// is not from a current browser, and the `SameSite` cookie and the form's token still protect the session.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else { return false };
    let authority = origin.host_str().map(|host| match origin.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    authority.as_deref() == text("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(headers: &[(&'static str, &'static str)]) -> bool {
        is_own(&headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
    }

    #[test]
    fn a_form_of_another_origin_is_told_by_what_the_browser_says() {
        assert!(own(&[("host", "a:1")]) && own(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(own(&[("host", "a"), ("origin", "https://a"), ("sec-fetch-site", "same-origin")]));
        for origin in ["http://b:1", "http://a:2", "null", "http://a:1.evil"] {
            assert!(!own(&[("host", "a:1"), ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!own(&[("host", "a:1"), ("sec-fetch-site", site)]), "{site}");
        }
    }
}
