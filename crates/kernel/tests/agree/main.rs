//! What the rules predict is what the kernel does: random moves from random states, and at the end a random program, are
//! done for real by a process of its own and predicted by `stepdown_security::moves`; the two are compared after every
//! move, the error number included. They happen in the user namespace the test is started in, in one with a
//! single id where setgroups(2) is denied, and in one with several.
//!
//!     cargo test -p stepdown-kernel --test agree -- [--cases N] [--seed S] [--workers W]
//!
//! `AGREE_CASES`, `AGREE_SEED` and `AGREE_WORKERS` say the same. Without any of them it is 50,000 cases that are always the
//! same and 5,000 that never are. A disagreement is cut down to the moves that it needs.
//!
//! The program is one static file, starts no other one, and needs nothing but the kernel: it can be the first process of
//! a machine, which it then turns off.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;
mod generate;
#[cfg(stepdown_mutate)]
mod mutate;
mod place;
mod probe;
mod raw;
mod record;
mod reporter;
mod run;

use std::ffi::CStr;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use run::{Setting, Summary};

/// In the environment of the program that a case executes, which is this one where there is no smaller.
pub(crate) const REPORT: &CStr = c"AGREE_REPORT=1";

/// The cases that are always the same.
const FIXED: Setting = Setting { seed: 20_261_123, cases: 50_000 };

/// How many others there are by default.
const FRESH: u64 = 5_000;

fn main() {
    if std::env::var_os("AGREE_REPORT").is_some() {
        let mut report = Vec::with_capacity(record::SIZE);
        raw::observe().write(&mut report);
        raw::write(case::REPORT_TO, &report);
        raw::exit(0);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What cargo test passes to every test.
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    let passed = tests(&arguments);
    if std::process::id() == 1 {
        raw::power_off();
    }
    if !passed {
        std::process::exit(101);
    }
}

fn tests(arguments: &[String]) -> bool {
    let number = |name: &str| {
        let after = arguments.iter().position(|argument| *argument == format!("--{name}"));
        let of_environment = || std::env::var(format!("AGREE_{}", name.to_uppercase())).ok();
        let text = after.and_then(|at| arguments.get(at + 1).cloned()).or_else(of_environment)?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("--{name} takes a number, not `{text}`")))
    };
    if rustix::process::geteuid().as_raw() != 0 {
        skip("it needs root");
        return true;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = number("workers").map_or(processors, |number| number.clamp(1, 64) as usize);
    let bench = match run::Bench::new(workers) {
        Ok(bench) => bench,
        Err(why) => {
            skip(&format!("this host does not allow it: {why}"));
            return true;
        }
    };
    #[cfg(stepdown_mutate)]
    if arguments.iter().any(|argument| argument == "--mutate") {
        return bench.mutate(number("cases").unwrap_or(40_000), number("seed").unwrap_or(FIXED.seed));
    }
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64 >> 10);
    let settings = match (number("cases"), number("seed")) {
        (None, None) => vec![FIXED, Setting { seed: fresh(), cases: FRESH }],
        (cases, seed) => {
            vec![Setting { seed: seed.unwrap_or_else(fresh), cases: cases.unwrap_or(FIXED.cases) }]
        }
    };
    let mut passed = true;
    for setting in settings {
        let summary = bench.run(setting);
        passed &= summary.disagreements == 0 && sound(&summary);
        say(&summary, setting);
    }
    passed
}

/// Whether the cases are worth something: moves that succeed, moves that are refused, programs that are executed.
fn sound(summary: &Summary) -> bool {
    let Summary { moves, refused, .. } = *summary;
    let sound = summary.cases < 1000 || (refused * 20 > moves && refused * 2 < moves);
    if !sound {
        println!("{refused} of {moves} moves are refused: these cases show little");
    }
    sound
}

fn say(summary: &Summary, setting: Setting) {
    let release = rustix::system::uname();
    println!("{} moves, {} of them refused", summary.moves, summary.refused);
    println!(
        "agree: {} cases, {} disagreements, seed {}, kernel {}",
        summary.cases,
        summary.disagreements,
        setting.seed,
        release.release().to_string_lossy()
    );
}

/// Says that the test is skipped, and counts it as the tests of the program do.
fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: agree: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "skipped: agree: {why}").unwrap();
    }
}
