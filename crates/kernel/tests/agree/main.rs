//! What the rules predict is what the kernel does: random sequences of steps, each performed on the real kernel by a
//! process of its own and predicted by `stepdown_security::rules`, and the two compared after every step, the error
//! number included. At the end the process executes a program, and what execve(2) made of it is compared as well.
//!
//! The process is this test binary once more, with [`SEQUENCE`] in its environment. `STEPDOWN_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod run;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use run::Run;

/// `SEED START DIRECTORY` for a process that performs one sequence.
const SEQUENCE: &str = "STEPDOWN_TEST_SEQUENCE";

/// The states that sequences begin in.
const STARTS: u64 = 7;

type Test = fn(&Place);

fn main() {
    if let Ok(order) = std::env::var(SEQUENCE) {
        return sequence(&order);
    }
    // What cargo test and its users pass: options, which say nothing here, and a part of a test's name.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    // Made before any of them starts a process, which would hold the copy open for writing.
    let place = Arc::new(Place::new());
    let tests: [(&str, Test); 3] = [
        ("random_steps_of_root_lead_where_the_rules_say", random_steps_of_root_lead_where_the_rules_say),
        (
            "random_steps_of_another_user_lead_where_the_rules_say",
            random_steps_of_another_user_lead_where_the_rules_say,
        ),
        (
            "random_steps_in_a_user_namespace_lead_where_the_rules_say",
            random_steps_in_a_user_namespace_lead_where_the_rules_say,
        ),
    ];
    let chosen = tests.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    let running: Vec<_> = chosen
        .map(|&(name, test)| {
            (name, {
                let place = Arc::clone(&place);
                std::thread::spawn(move || test(&place))
            })
        })
        .collect();
    let mut failed = false;
    for (name, test) in running {
        let passed = test.join().is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    // exit(3) would leave it behind.
    drop(place);
    if failed {
        std::process::exit(101);
    }
}

fn random_steps_of_root_lead_where_the_rules_say(place: &Place) {
    if !is_root() {
        return skip("it needs root");
    }
    sequences(place, 420, &[]);
}

fn random_steps_of_another_user_lead_where_the_rules_say(place: &Place) {
    let user: &[&str] =
        if is_root() { &["setpriv", "--reuid=65534", "--regid=65534", "--groups=65533"] } else { &[] };
    sequences(place, 100, user);
}

fn random_steps_in_a_user_namespace_lead_where_the_rules_say(place: &Place) {
    let user: &[&str] = if is_root() {
        &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "unshare",
            "--user",
            "--map-root-user",
        ]
    } else {
        &["unshare", "--user", "--map-root-user"]
    };
    if !Command::new(user[0]).args(&user[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        return skip("this host allows no user namespace to an unprivileged user");
    }
    sequences(place, 150, user);
}

/// One sequence, in the process that [`sequences`] starts for it.
fn sequence(order: &str) {
    let mut words = order.split(' ');
    let seed: u64 = words.next().unwrap().parse().unwrap();
    let start: u64 = words.next().unwrap().parse().unwrap();
    Run::new(seed, PathBuf::from(words.next().unwrap())).go(start);
}

/// Starts so many processes, each behind the command `wrapper`, and expects of each that it and the rules agree.
fn sequences(place: &Place, count: u64, wrapper: &[&str]) {
    let seed = match std::env::var("STEPDOWN_SEED") {
        Ok(seed) => seed.parse().expect("STEPDOWN_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 >> 10,
    };
    println!("STEPDOWN_SEED={seed}");
    let mut done: u64 = 0;
    let (mut steps, mut refused) = (0, 0);
    for number in 0..count {
        let mut words: Vec<&str> = wrapper.to_vec();
        let binary = place.directory.join("agree");
        words.push(binary.to_str().unwrap());
        let order =
            format!("{} {} {}", seed.wrapping_add(number), number % STARTS, place.directory.display());
        let output = Command::new(words[0])
            .args(&words[1..])
            .env(SEQUENCE, &order)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let all =
            || format!("{order}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}", all());
        compare_after_execve(&text).unwrap_or_else(|why| panic!("{why}: {}", all()));
        steps += text.lines().filter(|line| line.starts_with("step ")).count();
        refused += text.lines().filter(|line| line.starts_with("step ") && line.contains(" Err(")).count();
        done += 1;
    }
    println!("{done} sequences, {steps} steps, {refused} of them refused");
    assert!(steps as u64 >= done * 8 && refused as u64 > done, "{steps} steps, {refused} refused");
    assert!((refused as u64) < steps as u64 * 9 / 10, "hardly any step succeeded: {refused} of {steps}");
}

/// The lines of `/proc/self/status` that the process said it would have, and those that cat(1) then had.
fn compare_after_execve(text: &str) -> Result<(), String> {
    let (before, after) = text.split_once("--- execve\n").ok_or("it did not come to execve")?;
    let expected: Vec<&str> = before.lines().filter_map(|line| line.strip_prefix("expect ")).collect();
    if expected.len() != FIELDS.len() {
        return Err(format!("{} lines are expected", expected.len()));
    }
    for line in expected {
        let name = line.split(':').next().unwrap_or_default();
        let found = after.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap_or_default();
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        if squeeze(found) != squeeze(line) {
            return Err(format!("after execve: expected “{line}”, found “{found}”"));
        }
    }
    Ok(())
}

const FIELDS: [&str; 9] =
    ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"];

/// A directory that every user can reach, with this test binary and two directories to change the root to.
struct Place {
    directory: PathBuf,
}

impl Place {
    fn new() -> Place {
        let directory = std::env::temp_dir().join(format!("stepdown-agree-{}", std::process::id()));
        for name in ["", "a", "a/b"] {
            fs::create_dir(directory.join(name)).unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::copy(std::env::current_exe().unwrap(), directory.join("agree")).unwrap();
        fs::set_permissions(directory.join("agree"), fs::Permissions::from_mode(0o755)).unwrap();
        Place { directory }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

/// Says that a test is skipped, and counts it as the tests of the program do.
fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: agree: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "skipped: agree: {why}").unwrap();
    }
}
