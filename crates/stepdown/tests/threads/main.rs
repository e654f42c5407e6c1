//! Credentials belong to threads: all of a process are brought to the scope, or none is, or the process ends.
//!
//! Each case is this binary once more with its name in the environment, as it takes a process of its own; it runs in a
//! network and a mount namespace of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod every;
mod hostile;
mod keyring;
mod raw;
mod server;
mod single;
mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

const CASE: &str = "STEPDOWN_TEST_CASE";
/// Generous: it only ends a case that hangs.
const HANGS: &str = "120";

/// How a case has to end.
#[derive(Clone, Copy)]
enum End {
    /// In order.
    Well,
    /// By SIGABRT, with this on standard error, and with nothing else done.
    Stopped(&'static str),
}

type Case = (&'static str, fn(), End);

const CASES: &[Case] = &[
    ("a_program_is_not_executed_by_several_threads", single::several_threads, End::Well),
    ("one_thread_is_brought_to_the_scope", single::one_thread, End::Well),
    ("a_thread_started_after_the_look_is_found_out", single::late_thread, End::Well),
    ("a_thread_that_has_ended_is_no_hindrance", single::ended_thread, End::Well),
    ("two_threads", every::two, End::Well),
    ("sixty_four_threads_under_load", every::sixty_four_under_load, End::Well),
    ("any_thread_may_be_the_one_that_asks", every::asked_by_another, End::Well),
    ("threads_that_are_being_started_are_taken_along", every::being_started, End::Well),
    ("threads_that_are_ending_are_no_hindrance", every::ending, End::Well),
    ("a_thread_started_after_the_plan_is_taken_along", every::late, End::Well),
    ("calls_that_wait_go_on", every::waiting_calls, End::Well),
    ("masks_errno_and_handlers_are_as_they_were", every::as_they_were, End::Well),
    ("threads_of_the_c_library_that_block_signals", every::of_the_c_library, End::Well),
    ("the_c_library_may_broadcast_meanwhile", every::c_library_broadcasts, End::Well),
    ("each_has_left_the_session_keyring", keyring::left, End::Well),
    ("more_threads_than_keys_share_a_session_keyring", keyring::more_threads_than_keys, End::Well),
    ("a_session_keyring_that_can_not_be_had_is_a_refusal", keyring::no_key_left, End::Well),
    ("each_is_in_the_new_root_directory", every::new_root, End::Well),
    ("every_descriptor_may_be_in_use", every::no_descriptor_left, End::Well),
    ("each_keeps_its_own_death_signal", every::death_signals, End::Well),
    ("a_thread_that_blocks_the_signal", hostile::blocks, End::Well),
    ("a_thread_that_can_not_be_interrupted", hostile::uninterruptible, End::Well),
    ("a_signal_that_is_taken", hostile::taken, End::Well),
    ("a_thread_in_another_state_is_seen_by_the_plan", hostile::differs, End::Well),
    ("a_thread_that_changes_after_the_plan", hostile::differs_later, End::Well),
    ("a_thread_with_a_directory_of_its_own", hostile::own_directory, End::Well),
    ("a_directory_opened_after_the_plan", hostile::directory_opened, End::Well),
    ("a_first_thread_that_has_ended", hostile::first_ended, End::Well),
    ("two_threads_that_ask_at_once", hostile::at_once, End::Well),
    (
        "a_step_that_fails_in_one_thread_stops_the_process",
        hostile::one_fails,
        End::Stopped("(filtered) is left behind: setresuid answered EPERM (Operation not permitted)"),
    ),
    (
        "a_step_that_lies_in_one_thread_stops_the_process",
        hostile::one_lies,
        End::Stopped("(filtered) is left behind: the kernel's account of it differs in Uid"),
    ),
    (
        "a_step_that_fails_in_the_asking_thread_stops_the_process",
        hostile::own_fails,
        End::Stopped("is left behind: setresuid answered EPERM"),
    ),
    (
        "a_refusal_stops_the_process_where_that_is_asked_for",
        hostile::refusal_aborts,
        End::Stopped("(deaf) blocks signal 33"),
    ),
    ("an_asynchronous_server_under_load", server::under_load, End::Well),
];

fn main() {
    if let Ok(name) = std::env::var(CASE) {
        return CASES.iter().find(|(other, ..)| *other == name).expect("one of the cases").1();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    if !support::is_root() {
        return support::skip("it needs root");
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = false;
    for (name, _, end) in CASES {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let result = run(name, *end);
        println!("test {name} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
        if let Err(words) = result {
            println!("{words}");
            failed = true;
        }
    }
    if failed {
        std::process::exit(101);
    }
}

fn run(name: &str, end: End) -> Result<(), String> {
    let mut command = Command::new("timeout");
    command.args([
        "--foreground",
        "-s",
        "KILL",
        HANGS,
        "unshare",
        "--net",
        "--mount",
        "--propagation",
        "private",
    ]);
    let output =
        command.arg(std::env::current_exe().unwrap()).env(CASE, name).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let as_expected = match end {
        End::Well => output.status.success(),
        // timeout(1) ends by the signal that its command ended by.
        End::Stopped(words) => {
            let signal = output.status.signal().or(output.status.code().map(|code| code - 128));
            let lines: Vec<&str> = error.lines().collect();
            signal == Some(6) && matches!(lines[..], [line] if line.contains(words))
        }
    };
    let out = String::from_utf8_lossy(&output.stdout);
    if as_expected { Ok(()) } else { Err(format!("{}\n{out}{error}", output.status)) }
}
