//! Unpacks the sources of the previous build's domain.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let archive = "interlock-domain.tar.gz";
    println!("cargo::rerun-if-changed={archive}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(its_own_tests)");
    let out = std::env::var("OUT_DIR").expect("cargo names a directory");
    let domain = Path::new(&out).join("domain");
    drop(std::fs::remove_dir_all(&domain));
    std::fs::create_dir_all(&domain).expect("cargo's directory can be written to");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&domain).status();
    assert!(unpacked.is_ok_and(|status| status.success()), "{archive} cannot be unpacked by tar");
    for source in sources(&domain.join("src")) {
        // Its tests need more dependencies, and were run when it was the current build.
        let never = |text: &str| {
            text.replace("cfg(test)", "cfg(its_own_tests)").replace("cfg(not(test))", "cfg(not(its_own_tests))")
        };
        rewrite(&source, &source, never);
    }
    // It is included as a module, where attributes and documentation of a whole crate are not allowed.
    let is_kept = |line: &&str| !line.starts_with("#![") && !line.starts_with("//!");
    let kept = |text: &str| text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    rewrite(&domain.join("src/lib.rs"), &domain.join("src/included.rs"), kept);
}

fn rewrite(from: &Path, to: &Path, change: impl Fn(&str) -> String) {
    let text = std::fs::read_to_string(from).expect("the archive holds sources");
    std::fs::write(to, change(&text)).expect("cargo's directory can be written to");
}

/// All Rust sources below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the archive holds a crate");
    let paths = entries.map(|entry| entry.expect("cargo's directory can be read").path());
    let of = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => vec![path],
        _ => Vec::new(),
    };
    paths.flat_map(of).collect()
}
