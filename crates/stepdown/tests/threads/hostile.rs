//! Threads that can't be brought to the scope: nothing changes, or the process ends.

use std::os::fd::AsRawFd;
use std::time::Duration;

use stepdown::{OnRefusal, Security};

use crate::raw;
use crate::support::{Waiting, apply, plan, refused, security, status, statuses};

pub(crate) fn blocks() {
    let deaf = Waiting::named("deaf");
    let _other = Waiting::start();
    deaf.does(|| raw::block_all(true));
    let handler = raw::action(33, None);
    let words = refused(plan().apply(), "thread-unreachable");
    assert!(words.contains("(deaf) blocks signal 33"), "{words}");
    assert_eq!(raw::action(33, None), handler);
    // What was sent to it, and is delivered only now, does it no harm.
    deaf.does(|| raw::block_all(false));
    assert_eq!(deaf.does(|| status("Uid")), "0 0 0 0");
    assert_eq!(apply().threads, 3);
}

pub(crate) fn uninterruptible() {
    let (read, write) = std::io::pipe().unwrap();
    let parent = Waiting::named("parent");
    let _other = Waiting::start();
    let (from, to) = (read.as_raw_fd(), write.as_raw_fd());
    let child = parent.begins(move || raw::wait_for_child(from, to));
    crate::support::until(|| {
        statuses().values().any(|status| status["Name"] == "parent" && status["State"].starts_with('D'))
    });
    let words = refused(plan().wait_at_most(Duration::from_millis(300)).apply(), "thread-unreachable");
    assert!(words.contains("(parent) did not come in time; it waits in the kernel"), "{words}");
    drop(write);
    assert_eq!(child.recv().unwrap(), 0);
    assert_eq!(apply().threads, 3);
}

pub(crate) fn taken() {
    let _other = Waiting::start();
    let before = raw::action(33, None);
    let ignored = raw::Action { handler: 1, flags: 0, restorer: 0, mask: 0 };
    raw::action(33, Some(&ignored));
    let words = refused(security().plan().and_then(stepdown::Planned::apply), "signal-taken");
    assert!(words.contains("signal 33 is used by somebody else"), "{words}");
    assert_eq!(raw::action(33, Some(&before)).handler, 1, "it is left alone");
    let plan = plan();
    // With a mask and other flags than the C library's.
    let somebody = raw::Action { flags: before.flags & !4, mask: 1, ..before };
    raw::action(33, Some(&somebody));
    refused(plan.apply(), "signal-taken");
    assert_eq!(raw::action(33, Some(&before)), somebody);
    assert_eq!(apply().threads, 2);
}

pub(crate) fn differs() {
    let (_same, other) = (Waiting::start(), Waiting::start());
    assert_eq!(other.does(|| raw::set_user(1)), 0);
    let error = security().plan().unwrap_err();
    assert_eq!(error.findings()[0].code, "threads-differ", "{error}");
    assert_eq!(status("Uid"), "0 0 0 0");
}

pub(crate) fn differs_later() {
    let (same, other) = (Waiting::start(), Waiting::named("other"));
    let plan = plan();
    assert_eq!(other.does(|| raw::set_user(1)), 0);
    let error = plan.apply().unwrap_err();
    assert!(error.is_unchanged());
    assert_eq!(error.findings()[0].code, "threads-differ", "{error}");
    assert!(error.to_string().contains("(other) is not in the state"), "{error}");
    assert_eq!(other.does(|| status("Uid")), "1 1 1 1");
    assert_eq!((same.does(|| status("Uid")), status("Uid")), ("0 0 0 0".into(), "0 0 0 0".into()));
}

pub(crate) fn own_directory() {
    let (_same, other) = (Waiting::start(), Waiting::named("apart"));
    other.does(raw::own_directories);
    let mask = status("Umask");
    let words = refused(under_run().plan().unwrap().apply(), "thread-directory");
    assert!(words.contains("(apart) has a root and working directory of its own"), "{words}");
    assert_eq!((status("Umask"), other.does(|| status("Umask"))), (mask.clone(), mask));
}

pub(crate) fn directory_opened() {
    let _other = Waiting::start();
    let plan = under_run().plan().unwrap();
    let open = std::fs::File::open("/").unwrap();
    let words = refused(plan.apply(), "directory-left-open");
    assert!(words.contains(&format!("descriptor {} is a directory", open.as_raw_fd())), "{words}");
}

pub(crate) fn first_ended() {
    let plan = plan();
    std::thread::spawn(move || {
        let first = std::process::id().to_string();
        crate::support::until(|| statuses()[&first]["State"].starts_with('Z'));
        let words = refused(plan.apply(), "first-thread-ended");
        assert!(words.contains("the first thread of this process has ended"), "{words}");
        std::process::exit(0);
    });
    raw::end_thread();
}

pub(crate) fn at_once() {
    let others = [Waiting::start(), Waiting::start()];
    let plans = [plan(), plan()];
    let results: Vec<_> = others
        .iter()
        .zip(plans)
        .map(|(other, plan)| {
            other.begins(move || {
                plan.apply().map_err(|error| (error.findings()[0].code, error.is_unchanged()))
            })
        })
        .collect();
    let (done, not): (Vec<_>, Vec<_>) =
        results.into_iter().map(|result| result.recv().unwrap()).partition(Result::is_ok);
    assert_eq!((done.len(), not.len()), (1, 1), "{not:?}");
    // It came while the other was at it, or found itself elsewhere when it was let go.
    let code = not[0].as_ref().unwrap_err();
    assert!(matches!(code, ("already-stepping-down" | "threads-differ", true)), "{code:?}");
    crate::support::all_are_under_the_scope();
}

pub(crate) fn one_fails() {
    filtered(libc::EPERM as u16);
}

pub(crate) fn one_lies() {
    filtered(0);
}

pub(crate) fn own_fails() {
    let _other = Waiting::start();
    raw::filter(libc::SYS_setresuid, libc::EPERM as u16);
    let _ = plan().apply();
    println!("the process has gone on");
}

pub(crate) fn refusal_aborts() {
    let deaf = Waiting::named("deaf");
    deaf.does(|| raw::block_all(true));
    // An orderly program would be told; this one wants to end.
    raw::handle(libc::SIGABRT);
    let security = Security::builder("994").group("994").on_refusal(OnRefusal::Abort).build().unwrap();
    let _ = security.plan().unwrap().apply();
    println!("the process has gone on");
}

/// One thread can't change its user: setresuid(2) answers with this, where 0 is a lie.
fn filtered(errno: u16) {
    let (_other, thread) = (Waiting::start(), Waiting::named("filtered"));
    thread.does(move || raw::filter(libc::SYS_setresuid, errno));
    raw::handle(libc::SIGABRT);
    let _ = plan().apply();
    println!("the process has gone on");
}

fn under_run() -> Security {
    Security::builder("994").group("994").supplemental_groups(&[]).chroot("/run").build().unwrap()
}
