//! Whether a form was sent by one of our own pages.

use axum::http::{HeaderMap, header};
use url::Url;

/// Whether a browser sends this from a page of the same origin. A browser says where a form comes from; what says nothing is no browser, and
/// the session's `SameSite` and the form's token protect it as well.
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
