//! The text of a template, of limited size: a few words of a file and a small event may make any amount of text.

use std::io;

use minijinja::{Environment, Error, ErrorKind, Value};

/// The longest text that a template makes, in bytes: many times what an event has.
pub(super) const RENDERED_BYTES_MAX: usize = 256 * 1024;

/// The text that a template has made so far.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = RENDERED_BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole text.
///
/// # Errors
/// If it is longer than [`RENDERED_BYTES_MAX`], or cannot be made.
pub(super) fn whole(environment: &Environment<'_>, source: &str, variables: &Value) -> Result<String, Error> {
    let (text, made) = render(environment, source, variables);
    made.map(|()| text.unwrap_or_default())
}

/// The text, or its beginning if it is longer than [`RENDERED_BYTES_MAX`]. `None` if it cannot be made.
pub(super) fn beginning(environment: &Environment<'_>, source: &str, variables: &Value) -> Option<String> {
    render(environment, source, variables).0
}

fn render(environment: &Environment<'_>, source: &str, variables: &Value) -> (Option<String>, Result<(), Error>) {
    let mut text = Bounded::default();
    let made = environment
        .template_from_str(source)
        .and_then(|template| template.render_captured_to(variables, &mut text).map(drop));
    if text.is_full {
        let too_long = format!("the text is longer than {RENDERED_BYTES_MAX} bytes");
        return (
            Some(String::from_utf8_lossy(&text.bytes).into_owned()),
            Err(Error::new(ErrorKind::InvalidOperation, too_long)),
        );
    }
    let text = made.is_ok().then(|| String::from_utf8_lossy(&text.bytes).into_owned());
    (text, made)
}
