//! The traps of the kernel, one test for each: what it does is provoked for real, and read back from it.

mod capabilities;
mod chroot;
mod execve;
mod groups;
mod inherited;
mod namespaces;
mod passing;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Done, Node, STEPDOWN, done};

/// Compiles a C program into the node's directory, `./NAME`.
fn compile(node: &Node, name: &str, source: &str) {
    node.file(&format!("{name}.c"), source);
    let compiled = done(node.command("cc").args(["-o", name, &format!("{name}.c")]));
    assert_eq!(compiled.status, 0, "{compiled:?}");
}

/// A program of the node's that prints what no file of `/proc` shows: securebits and the death signal.
fn inner_state(node: &Node) {
    compile(
        node,
        "inner",
        "#include <stdio.h>\n#include <sys/prctl.h>\n\
         int main(void) { int s = -1; prctl(PR_GET_PDEATHSIG, &s);\n\
         printf(\"securebits: %#x\\ndeath: %d\\n\", prctl(PR_GET_SECUREBITS), s); return 0; }\n",
    );
}

/// The program under test, copied to where every user can execute it.
fn for_everyone(node: &Node) -> PathBuf {
    let path = node.dir.join("stepdown");
    fs::copy(STEPDOWN, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Asserts the five capability sets of a printed status file.
#[track_caller]
fn has_sets(done: &Done, inheritable: u64, permitted: u64, effective: u64, bounding: u64, ambient: u64) {
    let sets = [
        ("CapInh", inheritable),
        ("CapPrm", permitted),
        ("CapEff", effective),
        ("CapBnd", bounding),
        ("CapAmb", ambient),
    ];
    for (name, set) in sets {
        assert_eq!(done.field(name), format!("{set:016x}"), "{name} of {done:?}");
    }
}

/// The line of this process's own status file.
fn own(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t")).unwrap();
    u64::from_str_radix(line, 16).unwrap()
}

const NET_BIND_SERVICE: u64 = 1 << 10;
const KILL: u64 = 1 << 5;
