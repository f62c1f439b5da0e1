//! The unchanged domain of the previous build. Entities live through many builds, and during a deployment two builds run at once.
//!
//! Its sources are packed next to this folder, and are replaced at each release (CONTRIBUTING.md).
#![allow(warnings, clippy::all, clippy::pedantic, reason = "it is not changed any more")]

include!(concat!(env!("OUT_DIR"), "/domain/src/included.rs"));
