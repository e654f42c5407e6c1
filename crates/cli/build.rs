//! Links the unwinder into the program instead of loading `libgcc_s.so.1` at each start.
//!
//! The standard library asks for `libgcc_s` by name, whichever way a panic ends. Loading that one shared library is
//! a tenth of the time that a launch takes (see docs/performance.md), and with `panic = "abort"` nothing of it
//! runs. A linker script of that name, found first, names gcc's static libraries instead; where the linker's gcc
//! has none, nothing is changed.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let glibc = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "gnu");
    let Ok(out) = std::env::var("OUT_DIR") else { return };
    let found = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    let there = found.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout);
        Path::new(path.trim()).is_absolute() && Path::new(path.trim()).exists()
    });
    if !glibc || !there {
        return;
    }
    if std::fs::write(Path::new(&out).join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n").is_ok() {
        println!("cargo:rustc-link-search=native={out}");
    }
}
