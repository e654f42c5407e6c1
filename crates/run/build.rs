//! Tells the linker that the program has an entry point of its own, and where its parts lie.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = format!("-Wl,-T,{directory}/link.ld");
    for flag in ["-nostartfiles", "-nostdlib", "-Wl,--build-id=none", "-Wl,-z,norelro", &script] {
        println!("cargo:rustc-link-arg-bins={flag}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link.ld");
}
