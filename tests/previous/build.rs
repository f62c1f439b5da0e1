//! Unpacks the sources of the previous build's domain.

use std::path::Path;
use std::process::Command;

fn main() {
    let archive = "interlock-domain.tar.gz";
    println!("cargo::rerun-if-changed={archive}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR").expect("cargo names a directory");
    let domain = Path::new(&out).join("domain");
    drop(std::fs::remove_dir_all(&domain));
    std::fs::create_dir_all(&domain).expect("cargo's directory can be written to");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&domain).status();
    assert!(unpacked.is_ok_and(|status| status.success()), "{archive} cannot be unpacked by tar");
    // It is included, where attributes of a whole crate, and what describes it, must not stand.
    let source = std::fs::read_to_string(domain.join("src/lib.rs")).expect("the archive holds a crate");
    let kept = source.lines().filter(|line| !line.starts_with("#![") && !line.starts_with("//!"));
    let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
    std::fs::write(domain.join("src/included.rs"), kept).expect("cargo's directory can be written to");
}
