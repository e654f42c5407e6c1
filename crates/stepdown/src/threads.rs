//! A process of several threads: whether it can be brought under a scope, and why not, in words.
//!
//! The work is `stepdown_kernel::threads`'. Not for: a process of one thread, see [`crate::transition`].

use stepdown_conf::{Cause, Finding};
use stepdown_kernel::observe::Status;
use stepdown_kernel::threads::{self, Refused, SIGNAL};

/// Whether the threads are all in the state of the first, and can be interrupted: as far as that can be seen while they run.
pub(crate) fn alike(threads: &[Status]) -> Result<(), Box<Finding>> {
    let [first, others @ ..] = threads else { return Ok(()) };
    if others.is_empty() {
        return Ok(());
    }
    let same = |status: &&Status| {
        Status { thread: first.thread, threads: first.threads, ..(*status).clone() } != *first
    };
    if let Some(other) = others.iter().find(same) {
        return Err(Box::new(differs(&other.thread.to_string())));
    }
    match threads::signal_is_free() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Box::new(words(&Refused::SignalTaken))),
        Err(errno) => Err(Box::new(words(&Refused::System("rt_sigaction", errno)))),
    }
}

fn differs(thread: &str) -> Finding {
    Finding::error(
        "threads-differ",
        Cause::Host,
        format!("thread {thread} is not in the state that the process is in"),
    )
    .because("one plan takes all threads from one state to another, and for this one it would be the wrong plan")
    .hint("step down before a thread changes its own user, groups or capabilities; see `stepdown status` of the process")
}

/// Why nothing was begun.
pub(crate) fn words(refused: &Refused) -> Finding {
    let host = |code, message: String| Finding::error(code, Cause::Host, message);
    match refused {
        Refused::SignalTaken => host("signal-taken", format!("signal {SIGNAL} is used by somebody else"))
            .because("it is what interrupts the other threads; only the default and the C library's own handler are put aside for that")
            .hint("step down before that handler is installed, or before there are threads"),
        Refused::Busy => host("already-stepping-down", "another thread is bringing this process under a scope".to_owned())
            .because("a process can go to one state at a time")
            .hint("call apply once"),
        Refused::Blocked(thread) => host(
            "thread-unreachable",
            format!("thread {} blocks signal {SIGNAL}, and so can't be changed", thread),
        )
        .because("credentials belong to threads, and this one would keep what it has; nothing has been changed")
        .hint("no mask set through the C library blocks this signal; a thread of io_uring (iou-...) does, as the kernel made it: step down before the ring is used"),
        Refused::Absent(thread, state) => host(
            "thread-unreachable",
            format!("thread {} did not come in time; {}", thread, doing(*state)),
        )
        .because("credentials belong to threads, and this one would keep what it has; nothing has been changed")
        .hint("try again when that call has ended, or wait longer with wait_at_most"),
        Refused::FirstEnded => host("first-thread-ended", "the first thread of this process has ended, and others have not".to_owned())
            .because("the kernel keeps it in the list as what it was, and it can't be changed or proven")
            .hint("let the first thread wait for the others"),
        Refused::Differs(thread) => differs(&thread.to_string()),
        Refused::Moved => host("directory-changed", "root or working directory is another than when the plan was made".to_owned())
            .because("the plan begins in the state that was looked at")
            .hint("do not call chdir or chroot between plan and apply"),
        Refused::Directories(thread) => host(
            "thread-directory",
            format!("thread {} has a root and working directory of its own", thread),
        )
        .because("the root directory is changed once for all threads, and this one would stay outside of the new one")
        .hint("step down before a thread calls unshare(CLONE_FS)"),
        Refused::DirectoryOpen(number) => host(
            "directory-left-open",
            format!("descriptor {number} is a directory, and would lead out of the new root directory"),
        )
        .because("whoever has it can leave the new root directory by fchdir; nothing has been changed")
        .hint("close it before stepping down"),
        Refused::TooMany => host("threads-unsettled", "threads come and go faster than they can be stopped".to_owned())
            .because("there has to be one moment at which all are held; nothing has been changed")
            .hint("step down before the process is busy, or wait longer with wait_at_most"),
        Refused::Keyring(errno) => host(
            "keyring-kept",
            format!("there is no new session keyring for the threads to be had: keyctl answered {errno}"),
        )
        .because("each thread leaves the session keyring, whose keys are possessed by whoever has it, whatever user it becomes; nothing has been changed")
        .hint("the kernel rations keys by user, see /proc/key-users: give some up, or raise kernel.keys.maxkeys and maxbytes, see keyrings(7)"),
        Refused::System(call, errno) => host("threads-not-held", format!("the threads can't be held: {call} answered {errno}"))
            .because("nothing has been changed")
            .hint("see the manual of that call; a seccomp filter may forbid it"),
    }
}

fn doing(state: char) -> &'static str {
    match state {
        'D' => "it waits in the kernel and can't be interrupted (state D), as the parent of a vfork does",
        't' => "a debugger has stopped it (state t)",
        'T' => "it is stopped (state T)",
        'R' => "it is running, and gets no time of a processor (state R)",
        _ => "the signal was not delivered",
    }
}
