//! A preloaded library that starts a thread before the program's first line. Credentials belong to threads, so that a
//! program with two of them can't be brought anywhere by one; a statically linked program has nothing preloaded.
//!
//! That a process with several threads is refused, whoever started them, is shown by the tests of crate `stepdown`.

use std::fs;

use crate::faults::compile;
use crate::support::{ECUSER, Node, SAMPLE, STEPDOWN, done, have};

#[test]
fn a_preloaded_library_that_starts_a_thread_is_refused_or_has_no_effect() {
    if !have("cc") {
        return;
    }
    let Some(node) = Node::new() else { return };
    let library = node.dir.join("thread.so");
    compile("thread.c", &library, &["-shared", "-fPIC", "-pthread"]);
    node.file("server.conf", SAMPLE);
    let preload = format!("LD_PRELOAD={}", library.display());
    let preloaded = |command: &[&str]| done(node.command("env").arg(&preload).args(command));
    // The library does what it is meant to, in a program that is linked dynamically.
    let threads = preloaded(&["grep", "Threads", "/proc/self/status"]);
    assert_eq!(threads.out, "Threads:\t2\n", "{threads:?}");

    // The program that is executed is preloaded again, which is its own business.
    let ran = preloaded(&[STEPDOWN, "run", "-c", "server.conf", "--", "env", "-u", "LD_PRELOAD", "id", "-u"]);
    if has_interpreter(&fs::read(STEPDOWN).unwrap()) {
        ran.refused(&["2 threads", "LD_PRELOAD"]);
    } else {
        ran.ran();
        assert_eq!(ran.out, format!("{ECUSER}\n"));
    }
}

/// Whether an ELF file names a program interpreter, which is what loads what LD_PRELOAD names: elf(5), `PT_INTERP`.
fn has_interpreter(file: &[u8]) -> bool {
    let number = |at: usize, size: usize| {
        file[at..at + size].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
    };
    assert_eq!(
        (&file[..4], file[4], file[5]),
        (&b"\x7fELF"[..], 2, 1),
        "a little-endian ELF file of 64 bits"
    );
    let (table, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    assert!(count > 0);
    (0..count).any(|index| number(table + index * size, 4) == 3)
}

#[test]
fn an_interpreter_is_found_in_what_has_one() {
    assert!(has_interpreter(&fs::read("/bin/ls").unwrap()));
}
