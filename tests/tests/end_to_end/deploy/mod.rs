//! `deploy/` and the commands in the documentation, compared with the program itself: Interlock must accept everything that a manifest
//! or a page contains. No server is needed.

mod command_lines;
mod compose;
mod containers;
mod dockerfile;
mod kustomizations;
mod kustomized;
mod manifests;
mod memory;
mod network;
mod page_settings;
mod pages;
mod scaling;
mod secrets;
mod security;
mod settings_file;
