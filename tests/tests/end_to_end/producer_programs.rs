//! The programs of `examples/producers`: how the tests build them, and run them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use interlock_settings::Settings;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::outside_tools::on_path;
use crate::python_sdk::python_sdk;
use crate::skipped::skipped;

/// Where their sources are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/producers");
/// Where the built ones are kept for the next run.
const BUILT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/producers");
/// How long a build may take, with what it downloads.
const LIMIT: Duration = Duration::from_mins(5);
/// What a build leaves in a folder of sources.
const NO_SOURCES: [&str; 5] = ["__pycache__", "dist", "node_modules", "producer", "target"];

/// The language of a producer.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    /// With interlock-client. Cargo builds it with the tests.
    Rust,
    Python,
    Go,
    Java,
    TypeScript,
}

/// A program that can be run.
pub struct Program {
    file: PathBuf,
    first_arguments: Vec<String>,
    search_path: PathBuf,
}

impl Program {
    /// A command that runs it, without arguments. It knows no server.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.args(&self.first_arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TEMPORAL_") {
                command.env_remove(name);
            }
        }
        command.env("PYTHONPATH", &self.search_path).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn new(file: impl Into<PathBuf>, first_arguments: &[&Path]) -> Self {
        let first_arguments = first_arguments.iter().map(|argument| argument.display().to_string()).collect();
        Self { file: file.into(), first_arguments, search_path: PathBuf::new() }
    }
}

/// Why a test cannot run here.
pub struct Skipped {
    needed: &'static str,
    why: String,
}

impl Skipped {
    /// Says why the test is skipped.
    ///
    /// # Panics
    /// If what it needs is required here.
    pub fn say(&self) {
        skipped(self.needed, &self.why);
    }
}

/// The producer in a language. It is built if it was not built from the same sources before.
///
/// # Errors
/// [`Skipped`] if the tools for the language are missing, or if nothing may be downloaded.
pub async fn program(language: Language) -> Result<Program, Skipped> {
    match language {
        Language::Rust => Ok(Program::new(env!("CARGO_BIN_EXE_producer-in-rust"), &[])),
        Language::Python => {
            let sdk = python_sdk().await.map_err(|missing| Skipped { needed: "python-sdk", why: missing.why() })?;
            let script = Path::new(SOURCES).join("python/producer.py");
            Ok(Program { search_path: sdk, ..Program::new("python3", &[&script]) })
        }
        Language::Go => {
            let go = tool("go", "go", "go.dev/doc/install")?;
            let built = built("go", "go", &[(&go, &["build", "-o", "producer", "."])]).await?;
            Ok(Program::new(built.join("producer"), &[]))
        }
        Language::Java => {
            let (java, maven) = (tool("java", "java", "a JDK of version 17")?, tool("java", "mvn", "Apache Maven")?);
            needs_version("java", &java, "-version", 17).await?;
            let built = built("java", "java", &[(&maven, &["--quiet", "--batch-mode", "package"])]).await?;
            Ok(Program::new(
                java,
                &[Path::new("-XX:TieredStopAtLevel=1"), Path::new("-jar"), &built.join("target/producer.jar")],
            ))
        }
        Language::TypeScript => {
            let (node, npm) = (tool("node", "node", "nodejs.org")?, tool("node", "npm", "nodejs.org")?);
            needs_version("node", &node, "--version", 20).await?;
            let install: &[&str] = &["ci", "--silent", "--no-audit", "--no-fund"];
            let built = built("node", "typescript", &[(&npm, install), (&npm, &["run", "--silent", "build"])]).await?;
            Ok(Program::new(node, &[&built.join("dist/producer.js")]))
        }
    }
}

fn tool(needed: &'static str, name: &str, how: &str) -> Result<PathBuf, Skipped> {
    on_path(name).ok_or_else(|| Skipped { needed, why: format!("there is no {name} on PATH. To have it: {how}") })
}

/// Checks that the first number that a tool says about its version is at least this one.
async fn needs_version(needed: &'static str, tool: &Path, option: &str, at_least: u32) -> Result<(), Skipped> {
    let output = Command::new(tool).arg(option).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let digits = said.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    match digits.parse::<u32>() {
        Ok(version) if version >= at_least => Ok(()),
        _ => Err(Skipped { needed, why: format!("{} is older than {at_least}: {said}", tool.display()) }),
    }
}

/// The folder in which a producer was built with these commands.
async fn built(needed: &'static str, folder: &str, commands: &[(&PathBuf, &[&str])]) -> Result<PathBuf, Skipped> {
    let sources = Path::new(SOURCES).join(folder);
    let files = files_below(&sources);
    let mut digest = Sha256::new();
    for file in &files {
        digest.update(file.strip_prefix(&sources).unwrap().to_str().unwrap());
        digest.update(fs::read(file).unwrap());
    }
    let built = Path::new(BUILT).join(format!("{folder}-{}", &format!("{:x}", digest.finalize())[..16]));
    fs::create_dir_all(BUILT).unwrap();
    let lock = File::create(Path::new(BUILT).join(format!("{folder}.lock"))).unwrap();
    // Other processes may build it at the same time.
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.unwrap().unwrap();
    if !built.is_dir() {
        if Settings::from_environment().unwrap().offline {
            let why = format!("INTERLOCK_OFFLINE forbids to download what the producer in {folder} needs");
            return Err(Skipped { needed, why });
        }
        eprintln!("Building the producer in {folder} in {}.", built.display());
        let workspace = tempfile::Builder::new().prefix(".building-").tempdir_in(BUILT).unwrap();
        for file in &files {
            let copy = workspace.path().join(file.strip_prefix(&sources).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(file, copy).unwrap();
        }
        for (tool, arguments) in commands {
            build(tool, arguments, workspace.path()).await;
        }
        fs::rename(workspace.keep(), &built).unwrap();
    }
    drop(lock);
    Ok(built)
}

async fn build(tool: &Path, arguments: &[&str], folder: &Path) {
    let mut command = Command::new(tool);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; set INTERLOCK_OFFLINE=true to leave this test out: {said}");
}

/// The sources of a producer, in order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if NO_SOURCES.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
