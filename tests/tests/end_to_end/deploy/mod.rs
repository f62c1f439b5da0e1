//! `deploy/` and the commands in the documentation, held against the program itself: what a manifest or a page says must be
//! something that Interlock takes. No server is needed.

mod command_lines;
mod compose;
mod containers;
mod dockerfile;
mod kustomizations;
mod manifests;
mod network;
mod page_settings;
mod pages;
mod scaling;
mod security;
mod settings_file;
