//! Tests that need what only an embedded server can do: to be killed, to be read as a file, or to have settings of its own. Their names say
//! so, here by this module.

mod audited;
pub mod buttons;
mod paused;
pub mod resets;
mod resource_buttons;
mod server_killed;
mod terminated_by_batch;
