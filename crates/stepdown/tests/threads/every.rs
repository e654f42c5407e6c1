//! All threads are brought to the scope, whatever they are doing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::raw;
use crate::support::{
    Waiting, all_are_under_the_scope, applied, apply, plan, security, status, statuses, until,
};

pub(crate) fn two() {
    let other = Waiting::start();
    let secret = secret();
    assert_eq!(apply().threads, 2);
    let refused = other.does(move || {
        // What was kept can be used, and what was dropped can not, by the thread that did not ask.
        TcpListener::bind("0.0.0.0:82").unwrap();
        (File::open(&secret).unwrap_err().kind(), raw::set_user(0), std::fs::set_permissions("/", perms()))
    });
    assert_eq!(refused.0, std::io::ErrorKind::PermissionDenied);
    assert_eq!(refused.1, libc::EPERM);
    assert_eq!(refused.2.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    TcpListener::bind("0.0.0.0:83").unwrap();
    // And so can one that is started only now.
    Waiting::start().does(|| TcpListener::bind("0.0.0.0:84").map(drop)).unwrap();
}

pub(crate) fn sixty_four_under_load() {
    let end = Arc::new(AtomicBool::new(false));
    let work = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..63)
        .map(|number| {
            let (end, work) = (Arc::clone(&end), Arc::clone(&work));
            thread::spawn(move || {
                // What is held in the middle of this holds the locks of the allocator and of the standard streams.
                while !end.load(SeqCst) {
                    let bytes = vec![number; 1 + number * 4096];
                    let text = format!("{}", bytes.iter().take(100).sum::<usize>());
                    work.fetch_add(text.len() as u64, SeqCst);
                    let _ = std::io::stderr().write_all(b"");
                }
            })
        })
        .collect();
    until(|| work.load(SeqCst) > 1000);
    assert_eq!(apply().threads, 64);
    let before = work.load(SeqCst);
    until(|| work.load(SeqCst) > before + 1000);
    end.store(true, SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

pub(crate) fn asked_by_another() {
    let other = Waiting::start();
    let _third = Waiting::start();
    assert_eq!(other.does(|| plan().apply().unwrap().threads), 3);
    all_are_under_the_scope();
    assert_eq!(status("Uid"), "994 994 994 994");
}

pub(crate) fn being_started() {
    let end = Arc::new(AtomicBool::new(false));
    let started = Arc::new(AtomicU64::new(0));
    for _ in 0..8 {
        relay(Arc::clone(&end), Arc::clone(&started));
    }
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (end, started) = (Arc::clone(&end), Arc::clone(&started));
            thread::spawn(move || {
                let mut inner = Vec::new();
                while !end.load(SeqCst) {
                    started.fetch_add(1, SeqCst);
                    inner.push(thread::spawn(|| ()));
                    if inner.len() > 8 {
                        inner.remove(0).join().unwrap();
                    }
                }
                inner.into_iter().for_each(|thread| thread.join().unwrap());
            })
        })
        .collect();
    until(|| started.load(SeqCst) > 100);
    let proof = plan().apply().unwrap();
    assert!(proof.threads >= 5, "{}", proof.threads);
    for _ in 0..100 {
        all_are_under_the_scope();
    }
    let before = started.load(SeqCst);
    until(|| started.load(SeqCst) > before + 100);
    end.store(true, SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    all_are_under_the_scope();
}

/// A thread that starts the next and ends: whoever lists them sees the last but one.
fn relay(end: Arc<AtomicBool>, started: Arc<AtomicU64>) {
    thread::spawn(move || {
        started.fetch_add(1, SeqCst);
        if !end.load(SeqCst) {
            relay(end, started);
        }
    });
}

pub(crate) fn ending() {
    let plan = plan();
    let threads: Vec<_> = (0..300)
        .map(|number| thread::spawn(move || thread::sleep(Duration::from_micros(number * 37 % 9000))))
        .collect();
    applied(plan.apply());
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

pub(crate) fn late() {
    let plan = plan();
    let _thread = Waiting::start();
    assert_eq!(applied(plan.apply()).threads, 2);
}

pub(crate) fn waiting_calls() {
    let (read, mut write) = pipe().unwrap();
    let (quiet, _kept) = pipe().unwrap();
    let (reader, poller, sleeper, acceptor) =
        (Waiting::start(), Waiting::start(), Waiting::start(), Waiting::start());
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let reads = reader.begins(move || {
        let mut byte = [0];
        // One call of read(2), which would show EINTR.
        let result = (&read).read(&mut byte).map(|_| byte[0]);
        (result, status("Uid"))
    });
    let polls = poller.begins(move || raw::poll(quiet.as_raw_fd()));
    let sleeps = sleeper.begins(|| thread::sleep(Duration::from_millis(300)));
    let accepts = acceptor.begins(move || {
        listener.set_nonblocking(false).unwrap();
        // Nobody comes; it waits until the process ends.
        let _ = listener.accept();
    });
    let calls = ["read", "poll", "clock_nanosleep", "accept"];
    until(|| statuses().values().filter(|status| status["State"].starts_with('S')).count() >= calls.len());
    assert_eq!(apply().threads, 5);
    write.write_all(b"x").unwrap();
    let (byte, uid) = reads.recv().unwrap();
    assert_eq!((byte.unwrap(), uid.as_str()), (b'x', "994 994 994 994"));
    // As signal(7) has it: this one is not begun again by the kernel, whatever the handler says.
    assert_eq!(polls.recv().unwrap(), libc::EINTR);
    sleeps.recv().unwrap();
    assert!(accepts.try_recv().is_err());
    std::mem::forget(acceptor);
}

pub(crate) fn as_they_were() {
    let end = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = [libc::SIGUSR1, libc::SIGUSR2, 40]
        .into_iter()
        .map(|signal| {
            let thread = Waiting::start();
            thread.does(move || raw::block(signal));
            thread
        })
        .collect();
    raw::handle(libc::SIGHUP);
    let flag = Arc::clone(&end);
    let counts = threads[0].begins(move || {
        // In a container, say; it is the one call of a plan that may fail, and then writes errno.
        raw::filter(libc::SYS_keyctl, libc::EPERM as u16);
        raw::errno_stays(77, || flag.load(SeqCst))
    });
    let plan = plan();
    let masks = || -> BTreeMap<String, Vec<String>> {
        let names = ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"];
        statuses()
            .into_iter()
            .map(|(id, status)| (id, names.iter().map(|name| status[*name].clone()).collect()))
            .collect()
    };
    let (before, handler) = (masks(), raw::action(33, None));
    assert!(before.len() == 4 && before.values().any(|lines| lines[0] == "0000008000000000"), "{before:?}");
    assert_eq!(applied(plan.apply()).threads, 4);
    assert_eq!(raw::action(33, None), handler);
    // A thread that was let go may have a few instructions of its handler before it; after them, the mask is as it was.
    until(|| masks() == before);
    end.store(true, SeqCst);
    assert!(counts.recv().unwrap(), "errno has changed");
}

pub(crate) fn of_the_c_library() {
    let deaf = Waiting::named("deaf");
    deaf.does(raw::block_all_of_the_library);
    #[cfg(target_env = "gnu")]
    raw::start_timer();
    // Besides its helper, which stays, there is a thread for every ring of the timer, which comes and goes.
    let threads = statuses();
    let blocking = threads.values().filter(|status| status["SigBlk"].starts_with("fffffff")).count();
    assert!(blocking >= if cfg!(target_env = "gnu") { 2 } else { 1 }, "{threads:?}");
    assert!(apply().threads >= if cfg!(target_env = "gnu") { 3 } else { 2 });
    assert_eq!(deaf.does(|| status("Uid")), "994 994 994 994");
}

pub(crate) fn c_library_broadcasts() {
    let end = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&end);
    let (other, _third) = (Waiting::start(), Waiting::start());
    let rounds = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&rounds);
    let broadcasts = other.begins(move || {
        while !flag.load(SeqCst) {
            assert!(raw::broadcast_nothing());
            counter.fetch_add(1, SeqCst);
        }
    });
    // Not by sleeping: each interruption makes a sleep longer by the timer's slack, and this is one every few microseconds.
    let reaches = |count| {
        while rounds.load(SeqCst) < count {
            thread::yield_now();
        }
    };
    reaches(20);
    assert_eq!(apply().threads, 3);
    reaches(rounds.load(SeqCst) + 20);
    end.store(true, SeqCst);
    broadcasts.recv().unwrap();
}

pub(crate) fn new_root() {
    let directory = tempfile();
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(format!("{directory}/marker"), "inside").unwrap();
    let others = [Waiting::start(), Waiting::start()];
    let text = format!("Security {{ user = 994 group = 994 Supplemental_Groups = () chroot = {directory} }}");
    let mask = status("Umask");
    let planned = stepdown::Security::from_text("test.conf", &text).unwrap().plan().unwrap();
    let outside = statuses().len();
    assert_eq!(planned.apply().unwrap().threads, outside);
    for other in &others {
        assert_eq!(other.does(|| std::fs::read_to_string("/marker").unwrap()), "inside");
        assert!(other.does(|| std::fs::read_dir("/proc").is_err()));
    }
    // `/proc` is outside, but umask(2) is part of what was looked at.
    assert_eq!(mask, "0022");
    let made = others[0].does(|| std::fs::metadata("/marker").unwrap());
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&made) & 0o777, 0o644);
}

pub(crate) fn no_descriptor_left() {
    let _others = [Waiting::start(), Waiting::start()];
    let plan = plan();
    raw::limit_descriptors(40);
    let mut open = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        open.push(file);
    }
    // For the directory of the threads, which is opened before anything is begun, and its spare.
    open.truncate(open.len() - 2);
    assert_eq!(plan.apply().unwrap().threads, 3);
    drop(open);
    all_are_under_the_scope();
}

pub(crate) fn death_signals() {
    raw::set_death_signal(libc::SIGUSR1);
    let (asks, other) = (Waiting::start(), Waiting::start());
    other.does(|| raw::set_death_signal(libc::SIGUSR2));
    assert_eq!(asks.does(|| security().plan().unwrap().apply().unwrap().threads), 3);
    assert_eq!(raw::death_signal(), libc::SIGUSR1);
    assert_eq!((asks.does(raw::death_signal), other.does(raw::death_signal)), (0, libc::SIGUSR2));
}

/// A file that only root can read.
fn secret() -> String {
    let path = tempfile();
    std::fs::write(&path, "secret").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

fn perms() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

/// A path in a file system of this process's own, which goes away with it: the process has a mount namespace.
fn tempfile() -> String {
    let mount = ["-t", "tmpfs", "-o", "mode=0755", "none", "/mnt"];
    assert!(std::process::Command::new("mount").args(mount).status().unwrap().success());
    "/mnt/it".to_owned()
}
