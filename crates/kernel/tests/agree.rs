//! What the rules predict is what the kernel does: random sequences of steps, each performed on the real kernel by a
//! process of its own and predicted by `stepdown_security::rules`, and the two compared after every step, the error
//! number included. At the end the process executes a program, and what execve(2) made of it is compared as well.
//!
//! The process is this test binary once more, with [`SEQUENCE`] in its environment. `STEPDOWN_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stepdown_kernel::{exec, host, observe::Witness, perform};
use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::credentials::{Credentials, Facts, Securebits, differences, words_of_ids};
use stepdown_security::execve::{ProgramFile, predict_execve};
use stepdown_security::rules::predict;
use stepdown_security::step::Step;
use stepdown_security::text::CapState;

/// `SEED START DIRECTORY` for a process that performs one sequence.
const SEQUENCE: &str = "STEPDOWN_TEST_SEQUENCE";

/// The states that sequences begin in.
const STARTS: u64 = 7;

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
    let tests: [(&str, fn(&Place)); 3] = [
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

/// One process on its way.
struct Run {
    random: Random,
    facts: Facts,
    witness: Witness,
    state: Credentials,
    directory: PathBuf,
    jailed: bool,
    /// How many bits of the securebits are tried.
    securebits: u64,
}

impl Run {
    fn new(seed: u64, directory: PathBuf) -> Run {
        let witness = Witness::open().unwrap();
        let threads = witness.threads().unwrap();
        assert_eq!(threads.len(), 1, "credentials belong to threads, and there must be one");
        let facts = host::facts(&witness, host::capability_count()).unwrap();
        let state = witness.credentials(threads[0].clone()).unwrap();
        Run {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            facts,
            witness,
            state,
            directory,
            jailed: false,
            securebits: if has_exec_securebits() { 13 } else { 8 },
        }
    }

    fn go(mut self, start: u64) {
        for step in self.start(start) {
            self.step(&step);
        }
        println!("start is over");
        for _ in 0..8 + self.random.below(16) {
            let step = self.any();
            self.step(&step);
        }
        self.execute();
    }

    /// Steps to a state that a parent could leave behind; those that are refused here make no difference.
    fn start(&mut self, number: u64) -> Vec<Step> {
        let held = self.state.permitted;
        let some = CapSet::from_bits(held.bits() & 0xa804_25fb);
        let both = |set: CapSet, inheritable: CapSet| {
            Step::SetCapabilities(CapState { effective: set, permitted: set, inheritable })
        };
        match number {
            // As found.
            0 => vec![],
            // The fourteen of a container.
            1 => held
                .difference(some)
                .iter()
                .map(Step::DropBounding)
                .chain([both(some, CapSet::EMPTY)])
                .collect(),
            // A user who holds capabilities, as a service manager starts it.
            2 => {
                let mut steps =
                    vec![Step::SetGroups(vec![994]), Step::SetResGid(994), Step::SetKeepCaps(true)];
                steps.extend([Step::SetResUid(994), Step::SetKeepCaps(false), both(some, some)]);
                steps.extend(some.iter().take(3).map(Step::RaiseAmbient));
                steps
            }
            // Root with inheritable and ambient left over.
            3 => [both(held, some)].into_iter().chain(some.iter().map(Step::RaiseAmbient)).collect(),
            4 => vec![Step::SetSecurebits(Securebits(0x2f)), Step::SetParentDeathSignal(15)],
            5 => vec![Step::SetSecurebits(Securebits(0x54))],
            // Without the capability that most of the rules ask for.
            _ => vec![both(held.without(Capability::SETPCAP), CapSet::EMPTY)],
        }
    }

    /// Performs the step and predicts it, and panics where the two differ.
    fn step(&mut self, step: &Step) {
        let root = match step {
            Step::Chroot { .. } => self.chroot_directory().map(|path| host::open_directory(&path).unwrap()),
            _ => None,
        };
        let step = match (&root, step) {
            (Some((_, directory)), _) => Step::Chroot { directory: *directory },
            (None, Step::Chroot { .. }) => return,
            (None, step) => step.clone(),
        };
        let predicted = predict(&self.facts, &self.state, &step);
        let real = perform::perform(&step, root.as_ref().map(|(fd, _)| std::os::fd::AsFd::as_fd(fd)));
        println!("step {step:?} {real:?}");
        assert_eq!(
            predicted.as_ref().map(|_| ()).map_err(|errno| *errno),
            real,
            "{step} from {:#?}",
            self.state
        );
        if let Step::Chroot { .. } = step {
            // A step of two calls: the first may have changed the working directory whatever the second did.
            self.jailed |= real.is_ok();
            perform::perform(&Step::ChdirRoot, None).unwrap();
        }
        let mut expected = predicted.unwrap_or_else(|_| self.state.clone());
        if let Step::Chroot { .. } = step {
            expected = predict(&self.facts, &expected, &Step::ChdirRoot).unwrap();
        }
        let status = self.witness.threads().unwrap().remove(0);
        let observed = self.witness.credentials(status).unwrap();
        let left = differences(&expected, &observed);
        assert!(left.is_empty(), "{step}: {left:#?} from {:#?}", self.state);
        self.state = observed;
    }

    /// A directory to change the root to, by a name that is right in the present one.
    fn chroot_directory(&mut self) -> Option<String> {
        let name = if self.random.below(2) == 0 { "a" } else { "a/b" };
        let path = if self.jailed { Path::new("/").to_owned() } else { self.directory.join(name) };
        host::open_directory(path.to_str()?).ok().map(|_| path.to_str().unwrap_or("/").to_owned())
    }

    /// Some step; half of the values are near what the state has, so that many are allowed.
    fn any(&mut self) -> Step {
        let capability =
            Capability::new(self.random.below(u64::from(self.facts.capability_count) + 3) as u8).unwrap();
        let signal = self.random.below(67) as i32 - 1;
        match self.random.below(24) {
            0 | 1 => Step::SetSecurebits(Securebits(self.bits())),
            // In the new root there is nothing to execute: rare.
            2 if self.random.below(4) == 0 => Step::Chroot { directory: self.state.root },
            2 | 3 => Step::ChdirRoot,
            4 | 5 => Step::SetGroups(self.groups()),
            6 | 7 => Step::SetResGid(self.id()),
            8 | 9 => Step::DropBounding(capability),
            10 => Step::SetKeepCaps(self.random.below(3) > 0),
            11 | 12 => Step::SetResUid(self.id()),
            13..=17 => Step::SetCapabilities(self.sets()),
            18 => Step::ClearAmbient,
            19..=21 => {
                let possible = self.state.permitted.intersection(self.state.inheritable).lowest();
                Step::RaiseAmbient(possible.filter(|_| self.random.below(2) == 0).unwrap_or(capability))
            }
            22 => Step::SetParentDeathSignal(signal),
            _ if self.random.below(4) == 0 => Step::SetNoNewPrivs,
            _ => Step::SetKeepCaps(true),
        }
    }

    fn bits(&mut self) -> u32 {
        let bits = self.random.below(1 << self.securebits) as u32;
        match self.random.below(4) {
            0 => self.state.securebits.0 | (1 << self.random.below(self.securebits)),
            1 => self.state.securebits.0 & bits,
            2 => bits & 0xff,
            _ => bits,
        }
    }

    fn id(&mut self) -> u32 {
        [0, 0, 994, 995, 65534, 4_294_967_294, self.state.uid.real, self.state.gid.real]
            [self.random.below(8) as usize]
    }

    fn groups(&mut self) -> Vec<u32> {
        (0..self.random.below(5)).map(|_| self.id()).collect()
    }

    fn sets(&mut self) -> CapState {
        let state = self.state.clone();
        let permitted = self.near(state.permitted);
        let effective = if self.random.below(2) == 0 { permitted } else { self.near(permitted) };
        CapState { effective, permitted, inheritable: self.near(state.inheritable.union(state.permitted)) }
    }

    /// Mostly a part of the set, now and then one more.
    fn near(&mut self, set: CapSet) -> CapSet {
        match self.random.below(8) {
            0 => CapSet::EMPTY,
            1..=3 => set,
            4..=6 => CapSet::from_bits(set.bits() & (self.random.next() | self.random.next())),
            _ => set.with(
                Capability::new(self.random.below(u64::from(self.facts.capability_count) + 2) as u8).unwrap(),
            ),
        }
    }

    /// Says what execve(2) has to lead to, and executes cat(1).
    fn execute(self) {
        let file = ProgramFile {
            path: "/bin/cat".into(),
            owner: 0,
            group: 0,
            set_user_id: false,
            set_group_id: false,
            capabilities: None,
            nosuid: false,
        };
        let after = predict_execve(&self.facts, &self.state, &file).unwrap();
        if self.jailed {
            // Nothing to execute in there; the steps were compared.
            self.say(&self.state);
            println!("--- execve");
            self.say(&self.state);
            return;
        }
        self.say(&after);
        println!("--- execve");
        std::io::stdout().flush().unwrap();
        let arguments = [c"cat".to_owned(), c"/proc/self/status".to_owned()];
        panic!("{}", exec::execute(&c"/bin/cat".to_owned(), &arguments, &[]));
    }

    fn say(&self, state: &Credentials) {
        let ids = |ids: stepdown_security::credentials::Ids| {
            format!("{} {} {} {}", ids.real, ids.effective, ids.saved, ids.filesystem)
        };
        let set = |set: CapSet| format!("{:016x}", set.bits());
        let groups = if state.groups.is_empty() { String::new() } else { words_of_ids(&state.groups) };
        let values = [
            ids(state.uid),
            ids(state.gid),
            groups,
            set(state.inheritable),
            set(state.permitted),
            set(state.effective),
            set(state.bounding),
            set(state.ambient),
            u8::from(state.no_new_privs).to_string(),
        ];
        for (name, value) in FIELDS.iter().zip(values) {
            println!("expect {name}: {value}");
            if self.jailed {
                println!("{name}: {value}");
            }
        }
    }
}

/// xorshift64*, which is enough to wander about.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
}

/// `SECBIT_EXEC_*` came with Linux 6.14; before, setting one is EPERM.
fn has_exec_securebits() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
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
