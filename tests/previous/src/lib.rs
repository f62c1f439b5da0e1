//! The domain of the previous build, as it was: entities live through many builds, and while one replaces another both run.
//!
//! Its sources are packed beside this file's folder, and are replaced when a release is made (CONTRIBUTING.md).
#![allow(warnings, clippy::all, clippy::pedantic, reason = "it is not changed any more")]

include!(concat!(env!("OUT_DIR"), "/domain/src/included.rs"));
