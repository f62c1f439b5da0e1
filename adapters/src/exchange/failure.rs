//! Why there is no answer to a request, and what is known then.

use std::error::Error as _;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use rustls::AlertDescription;

use crate::content::NotDecoded;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request certainly did not reach the target.
    NotSent(String),
    /// The request may have reached the target.
    MaybeSent(String),
    /// The target answered, but the answer is too long to read.
    AnswerTooLong(String),
    /// The target answered, but the answer has a content coding that cannot be undone.
    AnswerUnreadable(String),
    /// No request can reach the target before a person corrects this. None was sent.
    Misconfigured(ErrorCode, String),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let not_sent = error.is_connect() || error.is_builder();
        if let Some(alert) = alert_of(&error).filter(|alert| is_about_our_certificate(*alert)) {
            let detail = format!(
                "the target rejects Interlock's client certificate (TLS alert {alert:?}): check the certificate that \
                 the target's settings name, and its issuer"
            );
            return Self::Misconfigured(ErrorCode::ClientCertificateRejected, detail);
        }
        let detail = describe(error);
        if not_sent { Self::NotSent(detail) } else { Self::MaybeSent(detail) }
    }
}

impl From<NotDecoded> for Failure {
    fn from(error: NotDecoded) -> Self {
        let detail = format!("the target's response cannot be read: {error}");
        match error {
            NotDecoded::TooLong { .. } => Self::AnswerTooLong(detail),
            NotDecoded::UnknownCoding(_) | NotDecoded::Invalid(_) => Self::AnswerUnreadable(detail),
        }
    }
}

/// The TLS alert that ended the connection.
fn alert_of(error: &reqwest::Error) -> Option<AlertDescription> {
    let mut source = error.source();
    while let Some(cause) = source {
        // An `io::Error` hides its content from `source`.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = cause.downcast_ref::<rustls::Error>().or_else(|| inner?.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return Some(*alert);
        }
        source = cause.source();
    }
    None
}

/// Whether a target sends this alert, in place of reading the first request, because of the client's certificate (RFC 8446, 6.2). With
/// TLS 1.3 the client learns of it only after it sent that request.
fn is_about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

impl Failure {
    /// The kind of failure, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::MaybeSent(_) => "maybe_sent",
            Self::AnswerTooLong(_) => "answer_too_long",
            Self::AnswerUnreadable(_) => "answer_unreadable",
            Self::Misconfigured(..) => "misconfigured",
        }
    }

    /// The failure, in a sentence.
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::NotSent(detail)
            | Self::MaybeSent(detail)
            | Self::AnswerTooLong(detail)
            | Self::AnswerUnreadable(detail)
            | Self::Misconfigured(_, detail) => detail,
        }
    }

    /// The outcome if the request was a write.
    pub(crate) fn of_write(self) -> Outcome {
        match self {
            Self::NotSent(detail) => Outcome::unavailable(detail),
            Self::MaybeSent(detail) | Self::AnswerTooLong(detail) | Self::AnswerUnreadable(detail) => {
                Outcome::Ambiguous { detail }
            }
            Self::Misconfigured(cause, detail) => Outcome::misconfigured(cause, detail),
        }
    }

    /// The outcome if the request was read-only: nothing was changed.
    pub(crate) fn of_read(self) -> Outcome {
        match self {
            Self::NotSent(detail)
            | Self::MaybeSent(detail)
            | Self::AnswerTooLong(detail)
            | Self::AnswerUnreadable(detail) => Outcome::unavailable(detail),
            Self::Misconfigured(cause, detail) => Outcome::misconfigured(cause, detail),
        }
    }
}

/// The whole chain of causes, without the URL, since its path names customers.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
