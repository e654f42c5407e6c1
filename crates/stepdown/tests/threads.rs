//! Credentials belong to threads: a process that has several is refused before anything changes, and one that gets
//! another between the look and the step down is found out afterwards.
//!
//! Each case is this binary once more with its name in the environment, as it takes a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Stdio};
use std::sync::mpsc;

use stepdown::conf::{Config, Finding};
use stepdown::prepare::{End, Ready, Refusal, prepare};
use stepdown::transition;

const CASE: &str = "STEPDOWN_TEST_CASE";

fn main() {
    let cases: [(&str, fn()); 4] = [
        ("several_threads_are_refused_with_their_number", several_threads),
        ("one_thread_is_brought_to_the_scope", one_thread),
        ("a_thread_started_after_the_look_is_found_out", late_thread),
        ("a_thread_that_has_ended_is_no_hindrance", ended_thread),
    ];
    if let Ok(case) = std::env::var(CASE) {
        return cases.iter().find(|(name, _)| *name == case).expect("one of the cases").1();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    if !is_root() {
        return skip("it needs root");
    }
    let mut failed = false;
    for (name, _) in cases {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let passed = command.env(CASE, name).stdin(Stdio::null()).status().unwrap().success();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    if failed {
        std::process::exit(101);
    }
}

fn several_threads() {
    let (_first, _second) = (Waiting::start(), Waiting::start());
    let Err(Refusal::Findings(findings)) = ready() else {
        panic!("a process with three threads is not refused")
    };
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["several-threads"]);
    assert!(findings[0].message.contains("3 threads"), "{}", findings[0].message);
    assert_eq!(status("Uid"), "0 0 0 0", "nothing has changed");
}

fn one_thread() {
    let proof = transition::apply(&ready().map_err(words).unwrap()).map_err(|finding| *finding).unwrap();
    assert_eq!(proof.threads, 1);
    assert_eq!((status("Uid"), status("Groups")), ("994 994 994 994".into(), "994".into()));
}

fn late_thread() {
    let ready = ready().map_err(words).unwrap();
    let _thread = Waiting::start();
    let finding: Box<Finding> = transition::apply(&ready).expect_err("one thread is still root");
    assert_eq!(finding.code, "thread-left-behind", "{}", finding.message);
}

fn ended_thread() {
    drop(Waiting::start());
    // A thread can be joined a moment before the kernel has put it away.
    while status("Threads") != "1" {
        std::thread::yield_now();
    }
    one_thread();
}

fn ready() -> Result<Ready, Refusal> {
    let text = "Security { user = 994 group = 994 Supplemental_Groups = () }";
    prepare(&Config::from_text("test.conf", text).unwrap(), End::Stay, &[])
}

fn words(refusal: Refusal) -> String {
    format!("{refusal:?}")
}

/// A thread that waits until this is dropped.
struct Waiting(Option<(mpsc::Sender<()>, std::thread::JoinHandle<()>)>);

impl Waiting {
    fn start() -> Waiting {
        let (send, receive) = mpsc::channel();
        Waiting(Some((send, std::thread::spawn(move || receive.recv().unwrap_or(())))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((send, thread)) = self.0.take() else { return };
        drop(send);
        thread.join().unwrap();
    }
}

fn status(name: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_root() -> bool {
    status("Uid") == "0 0 0 0"
}

/// Says that a test is skipped, and counts it as the tests of the program do.
fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: threads: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("skipped: threads: {why}\n").as_bytes()).unwrap();
    }
}
