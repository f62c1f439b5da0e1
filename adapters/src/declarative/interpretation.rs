//! Turns a row of a response table into the result that the adapter returns.

use std::time::{Duration, SystemTime};

use http::HeaderName;
use interlock_domain::attempt::JobAnswer;
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::toml_text::{Entry, Faults, Section};
use minijinja::Value as Rendered;
use serde_json::Value;

use super::class::Class;
use super::condition::read_header_name;
use super::duration::read_duration;
use super::pointer::Pointer;
use super::scope::Scope;
use super::template::Template;
use crate::adapter::{JOB_BYTES_MAX, Verification};
use crate::exchange::TargetResponse;
use crate::retry_after::Unit;

/// The longest sentence that is kept from a target's answer, in characters.
const DETAIL_CHARS_MAX: usize = 300;
/// The longest code that is kept from a target's answer, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// The result of a row whose conditions hold: the keys `class`, `code`, `detail`, `holder` and `retry_after`.
#[derive(Debug, Clone)]
pub(super) struct Saying {
    pub(super) class: Class,
    code: Option<Template>,
    detail: Option<Template>,
    holder: Option<Template>,
    job: Option<Template>,
    retry_after: Vec<RetryAfter>,
}

/// Where to find the pause. The first place that has one counts.
#[derive(Debug, Clone)]
enum RetryAfter {
    Header { name: HeaderName, unit: Unit },
    Body { pointer: Pointer, unit: Unit },
    Fixed(Duration),
}

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpretation {
    pub(super) class: Class,
    pub(super) code: String,
    pub(super) detail: String,
    holder: Option<String>,
    retry_after: Option<Duration>,
    /// What is wrong with the target as a whole.
    cause: Option<ErrorCode>,
    /// The target's name for the job.
    job: Option<String>,
}

impl Saying {
    /// Parses the keys of a row, or of a branch that ends without a request.
    pub(super) fn read(
        row: &mut Section<'_>,
        words: &[(&str, Class)],
        scope: &Scope,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let class = row.require("class", faults).map(|entry| entry.choice(words, faults));
        let template = |row: &mut Section<'_>, key, faults: &mut Faults<'_>| {
            row.take(key).and_then(|entry| Template::read(&entry, scope, faults))
        };
        let (has_code, has_holder, has_job) = (row.has("code"), row.has("holder"), row.has("job"));
        let code = template(row, "code", faults);
        let detail = template(row, "detail", faults);
        let holder = template(row, "holder", faults);
        let job = template(row, "job", faults);
        let retry_after = row.take("retry_after").map(|entry| read_retry_sources(entry, faults)).unwrap_or_default();
        // The other keys can be checked only if the class could be parsed.
        let class = class??;
        let spot = &row.spot;
        let is_about_holder = matches!(class, Class::InUse | Class::TargetIdentity);
        faults.refuse(
            has_code && class != Class::Permanent,
            spot,
            ErrorCode::NotTogether,
            "Only class 'permanent' may have a 'code'.",
        );
        faults.refuse(
            !has_code && class == Class::Permanent,
            spot,
            ErrorCode::MissingKey,
            "A row of class 'permanent' needs a 'code', so that its orders can be found and handled.",
        );
        faults.refuse(
            has_holder && !is_about_holder,
            spot,
            ErrorCode::NotTogether,
            "Only the classes 'in_use' and 'party' may have a 'holder'.",
        );
        faults.refuse(
            !has_holder && class == Class::TargetIdentity,
            spot,
            ErrorCode::MissingKey,
            "A row of class 'party' needs a 'holder'.",
        );
        faults.refuse(
            has_job != (class == Class::Accepted),
            spot,
            if has_job { ErrorCode::NotTogether } else { ErrorCode::MissingKey },
            "A row of class 'accepted' needs a 'job', the target's name for it; no other row may have one.",
        );
        faults.refuse(
            !retry_after.is_empty()
                && !matches!(class, Class::Throttled | Class::Unavailable | Class::Accepted | Class::Running),
            spot,
            ErrorCode::NotTogether,
            "Only the classes 'throttled', 'unavailable', 'accepted' and 'running' may have a 'retry_after'.",
        );
        Some(Self { class, code, detail, holder, job, retry_after })
    }

    /// The result for this answer, or without an answer.
    pub(super) fn interpret(&self, answer: Option<&TargetResponse>, variables: &Rendered) -> Interpretation {
        let say = |template: &Option<Template>| template.as_ref().and_then(|template| template.sentence(variables));
        let status = answer.map(|answer| answer.status.as_u16());
        let fallback = || match status {
            Some(status) => format!("the target responded with status {status}"),
            None => "the adapter file ends the operation here".to_owned(),
        };
        let code = say(&self.code).and_then(|text| code_of(&text)).unwrap_or_else(|| match status {
            Some(status) => format!("http_{status}"),
            None => ErrorCode::EndedByAdapterFile.into(),
        });
        let detail = say(&self.detail).unwrap_or_else(fallback);
        Interpretation {
            class: self.class,
            code,
            detail: detail.trim().chars().take(DETAIL_CHARS_MAX).collect(),
            holder: say(&self.holder).map(|holder| holder.trim().to_owned()),
            retry_after: answer.and_then(|answer| self.retry_after.iter().find_map(|source| source.wait(answer))),
            cause: None,
            job: say(&self.job).map(|job| job.trim().to_owned()),
        }
    }
}

impl Interpretation {
    /// No row of a table matched the answer. `check` rejects such files.
    pub(super) fn unmatched(answer: &TargetResponse) -> Self {
        Self::ambiguous(format!("no row of the response table matches status {}", answer.status.as_u16()))
    }

    /// The effect is unknown.
    pub(super) fn ambiguous(detail: String) -> Self {
        Self {
            class: Class::Ambiguous,
            code: String::new(),
            detail,
            holder: None,
            retry_after: None,
            cause: None,
            job: None,
        }
    }

    /// The same, unless a web page came of which the row knows nothing but the status: then it settles nothing. A page with a 4xx status
    /// is of a proxy, or of a server that does not have the API; one with a 2xx status may be a sign-in page.
    pub(super) fn of_web_page(self, answer: &TargetResponse) -> Self {
        let settles = !matches!(
            self.class,
            Class::Transient | Class::Throttled | Class::Unavailable | Class::Ambiguous | Class::Unclear
        );
        match answer.outcome_of_web_page() {
            _ if !settles || !answer.is_web_page() => self,
            Some(outcome) => Self {
                class: Class::Unavailable,
                detail: outcome.words().to_owned(),
                cause: Some(ErrorCode::AnsweredByWebPage),
                ..self
            },
            None => {
                let (status, came) = (answer.status.as_u16(), answer.what_came());
                Self::ambiguous(format!("the response with status {status} is {came}, not one of the target's API"))
            }
        }
    }

    /// The outcome of a write.
    pub(super) fn into_outcome(self) -> Outcome {
        let Self { class, code, detail, holder, retry_after, cause, job } = self;
        let retry_after_ms = retry_after.map(|wait| wait.as_millis().try_into().unwrap_or(u64::MAX));
        match class {
            Class::Done | Class::Applied | Class::Found => Outcome::Done,
            Class::AlreadyDone => Outcome::AlreadyDone,
            Class::Accepted => match job.filter(|job| !job.is_empty() && job.len() <= JOB_BYTES_MAX) {
                Some(job) => Outcome::Accepted { job, poll_after_ms: retry_after_ms, detail },
                None => Outcome::Ambiguous { detail: "the target accepted a job without a usable name".to_owned() },
            },
            Class::InUse | Class::TargetIdentity => Outcome::InUse { holder },
            Class::Transient | Class::NotApplied | Class::Absent | Class::Nobody => Outcome::Transient { detail },
            Class::Throttled => Outcome::Throttled { retry_after_ms, detail },
            Class::Unavailable => Outcome::Unavailable { retry_after_ms, cause: cause.map(Into::into), detail },
            Class::Permanent => Outcome::Permanent { code: ReasonCode::of_target(code), detail },
            Class::Ambiguous | Class::Unclear | Class::Running | Class::Unknown => Outcome::Ambiguous { detail },
        }
    }

    /// What it says about a job. `every` is the pause before the next question, if the answer does not say.
    pub(super) fn into_job_answer(self, every: Duration) -> JobAnswer {
        match self.class {
            Class::Running => {
                let wait = self.retry_after.unwrap_or(every);
                JobAnswer::Running { poll_after_ms: wait.as_millis().try_into().ok(), detail: self.detail }
            }
            Class::Unknown => JobAnswer::Unknown { detail: self.detail },
            Class::Throttled | Class::Unavailable | Class::Ambiguous => {
                JobAnswer::NotTold(self.into_outcome_of_question())
            }
            _ => JobAnswer::Ended(self.into_outcome()),
        }
    }

    /// The outcome if a read-only request ends the call.
    pub(super) fn into_outcome_of_question(self) -> Outcome {
        match self.into_outcome() {
            Outcome::Ambiguous { detail } => Outcome::unavailable(detail),
            other => other,
        }
    }

    /// The result of reading back.
    pub(super) fn into_verification(self) -> Verification {
        match self.class {
            Class::Applied => Verification::Applied,
            Class::NotApplied => Verification::NotApplied,
            Class::InUse => Verification::InUse { holder: self.holder },
            Class::Accepted => match self.job.filter(|job| !job.is_empty() && job.len() <= JOB_BYTES_MAX) {
                Some(job) => Verification::Accepted { job },
                None => Verification::Unclear { detail: self.detail },
            },
            _ => Verification::Unclear { detail: self.detail },
        }
    }

    /// The holder of a resource.
    pub(super) fn into_holder_answer(self) -> Result<HolderAnswer, Outcome> {
        match (self.class, self.holder) {
            (Class::TargetIdentity, Some(target_identity)) => Ok(HolderAnswer::TargetIdentity { target_identity }),
            (Class::TargetIdentity, None) => {
                Ok(HolderAnswer::Unclear { detail: "the target's response does not name the holder".to_owned() })
            }
            (Class::Nobody, _) => Ok(HolderAnswer::Nobody),
            (Class::Unclear, _) => Ok(HolderAnswer::Unclear { detail: self.detail }),
            (_, holder) => Err(Self { holder, ..self }.into_outcome_of_question()),
        }
    }
}

fn read_retry_sources(entry: Entry<'_>, faults: &mut Faults<'_>) -> Vec<RetryAfter> {
    entry.one_or_more(faults).iter().filter_map(|item| RetryAfter::read(item, faults)).collect()
}

impl RetryAfter {
    fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let header = section.take("header").map(|entry| read_header_name(&entry, faults));
        let pointer = section.take("body").map(|entry| Pointer::read(&entry, faults));
        let fixed = section.take("fixed").map(|entry| read_duration(&entry, faults));
        let unit = section.choice("unit", &[("s", Unit::Seconds), ("ms", Unit::Milliseconds)], faults);
        let unit = unit.unwrap_or(Unit::Seconds);
        let given = [header.is_some(), pointer.is_some(), fixed.is_some()].into_iter().filter(|given| *given).count();
        let spot = section.spot.clone();
        section.finish(faults);
        faults.refuse(given != 1, &spot, ErrorCode::OneSource, "Use exactly one of 'header', 'body' and 'fixed'.");
        match (header, pointer, fixed) {
            (Some(name), None, None) => Some(Self::Header { name: name?, unit }),
            (None, Some(pointer), None) => Some(Self::Body { pointer: pointer?, unit }),
            (None, None, Some(fixed)) => Some(Self::Fixed(fixed?)),
            _ => None,
        }
    }

    fn wait(&self, answer: &TargetResponse) -> Option<Duration> {
        let (pauses, now) = (&answer.pauses, SystemTime::now());
        match self {
            Self::Header { name, unit } => pauses.read_header(answer.headers.get(name)?, *unit, now),
            Self::Body { pointer, unit } => match pointer.first(answer.body.as_ref()?)? {
                Value::Null => None,
                Value::String(text) => pauses.read(text, *unit, now),
                other => pauses.read(&other.to_string(), *unit, now),
            },
            // The file's own pause is not the target's word.
            Self::Fixed(wait) => Some(*wait),
        }
    }
}

/// Turns a text into a code: lower case, with `_` for each run of other characters. `REQUEST_LIMIT_EXCEEDED` and `Not found.` become
/// codes.
fn code_of(text: &str) -> Option<String> {
    let mut code = String::new();
    for character in text.trim().chars() {
        if character.is_ascii_alphanumeric() {
            code.push(character.to_ascii_lowercase());
        } else if !code.is_empty() && !code.ends_with('_') {
            code.push('_');
        }
        if code.len() >= CODE_BYTES_MAX {
            break;
        }
    }
    let code = code.trim_end_matches('_');
    (!code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_code() {
        assert_eq!(code_of("REQUEST_LIMIT_EXCEEDED").as_deref(), Some("request_limit_exceeded"));
        assert_eq!(code_of(" Not found. ").as_deref(), Some("not_found"));
        assert_eq!(code_of("…"), None);
        assert_eq!(code_of(&"a".repeat(500)).map(|code| code.len()), Some(CODE_BYTES_MAX));
    }
}
