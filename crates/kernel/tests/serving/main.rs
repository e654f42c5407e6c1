//! What a server that starts others needs of the kernel, for real: children and their descriptors, sockets, messages that
//! carry descriptors and credentials, the pid file, the warden.
//!
//! Each case is this binary once more with its name in the environment, since it takes a process of its own with one
//! thread. What a case starts in turn is this binary too, with a role.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod messages;
mod replacing;
mod roles;
mod sockets;
mod start;
mod trust;
mod warden;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CASE: &str = "STEPDOWN_TEST_CASE";

fn main() {
    if let Some(role) = std::env::var_os(roles::ROLE) {
        return roles::play(role.to_str().unwrap());
    }
    let cases: Vec<(&str, fn())> =
        [start::CASES, sockets::CASES, messages::CASES, replacing::CASES, trust::CASES, warden::CASES]
            .concat();
    if let Ok(case) = std::env::var(CASE) {
        return cases.iter().find(|(name, _)| *name == case).expect("one of the cases").1();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    if rustix::process::geteuid().as_raw() != 0 {
        return skip("it needs root");
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut failed = false;
    for (name, _) in cases.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter))) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut case = command.env(CASE, name).stdin(Stdio::null()).spawn().unwrap();
        let passed = case.wait().unwrap().success();
        // What a case made as root that became somebody else.
        let _ = std::fs::remove_dir_all(Scratch::of(case.id()));
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    if failed {
        std::process::exit(101);
    }
}

/// A directory of its own for a case, which is gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let path = Scratch::of(std::process::id());
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn of(pid: u32) -> PathBuf {
        PathBuf::from(format!("/tmp/stepdown-serving-{pid}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until it is so; what never comes fails the test.
#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether there is a process of that number that is more than a zombie.
fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| {
        text.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
    })
}

/// Says that the test is skipped, and counts it as the tests of the program do.
fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: serving: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("skipped: serving: {why}\n").as_bytes()).unwrap();
    }
}
