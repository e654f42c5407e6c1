//! A process that executes a program has to have one thread.

use stepdown::Environment;
use stepdown::conf::{Config, Finding};
use stepdown::prepare::{End, Ready, Refusal, prepare};
use stepdown::transition;

use crate::support::{TEXT, Waiting, status};

pub(crate) fn several_threads() {
    let (_first, _second) = (Waiting::start(), Waiting::start());
    let Err(Refusal::Findings(findings)) = ready() else {
        panic!("a process with three threads is not refused")
    };
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["several-threads"]);
    assert!(findings[0].message.contains("3 threads"), "{}", findings[0].message);
    assert_eq!(status("Uid"), "0 0 0 0", "nothing has changed");
}

pub(crate) fn one_thread() {
    let proof = transition::apply(&ready().map_err(words).unwrap()).map_err(|finding| *finding).unwrap();
    assert_eq!(proof.threads, 1);
    assert_eq!((status("Uid"), status("Groups")), ("994 994 994 994".into(), "994".into()));
}

pub(crate) fn late_thread() {
    let ready = ready().map_err(words).unwrap();
    let _thread = Waiting::start();
    let finding: Box<Finding> = transition::apply(&ready).expect_err("one thread is still root");
    assert_eq!(finding.code, "thread-left-behind", "{}", finding.message);
}

pub(crate) fn ended_thread() {
    drop(Waiting::start());
    // A thread can be joined a moment before the kernel has put it away.
    while status("Threads") != "1" {
        std::thread::yield_now();
    }
    one_thread();
}

fn ready() -> Result<Ready, Refusal> {
    prepare(
        &Config::from_text("test.conf", TEXT).unwrap(),
        End::Execute(b"/bin/true"),
        &[],
        &Environment::of_process(),
    )
}

fn words(refusal: Refusal) -> String {
    format!("{refusal:?}")
}
