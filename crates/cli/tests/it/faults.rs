//! What happens when a system call of the transition fails, or claims success and does nothing: each call of a normal
//! run, one at a time, with each of several errors and with a fake success, by the injection of strace(1).
//!
//! Which outcome is right is decided by rule, in [`right`]: a change that did not happen, or an observation that could
//! not be made, ends in 125 with nothing started. Only an answer that changes nothing may go unnoticed, and then the
//! program has to be in exactly the state of a normal run, as it says itself (`witness.c`).

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Done, Node, STEPDOWN, done, have};

/// One scope and the way of starting that are put through every fault.
struct Scenario {
    scope: &'static str,
    /// A command in front of the program under test.
    starter: &'static [&'static str],
    /// How the report is called inside the new root directory, or from outside without one.
    jailed: bool,
    /// How many changing calls the scope cannot do without.
    changes: usize,
}

/// Everything at once: directory, groups, capabilities, a bounding set, and a parent that left things behind.
const FULL: Scenario = Scenario {
    scope: r#"Security { user = 994 group = 994 Supplemental_Groups = ( 996 ) Chroot = "{dir}/jail"
        Capabilities = "cap_net_bind_service,cap_net_raw+ep" Bounding_Set = "cap_net_bind_service,cap_net_raw,cap_kill" }"#,
    starter: &["setpriv", "--pdeathsig", "TERM", "--inh-caps", "+chown", "--ambient-caps", "+chown", "--"],
    jailed: true,
    // close_range, capset, clear, fchdir, chroot, chdir, setgroups, setresgid, at least ten capabilities, keep,
    // setresuid, do not keep, capset, two to raise, the signal, no_new_privs.
    changes: 26,
};

/// Root with capabilities, which takes securebits.
const ROOT: Scenario = Scenario {
    scope: r#"Security { user = 0 group = 0 Supplemental_Groups = ( 996 ) Capabilities = "cap_net_bind_service+ep" }"#,
    starter: &[],
    jailed: false,
    changes: 18,
};

/// Nothing is retained.
const BARE: Scenario = Scenario {
    scope: "Security { user = 994 group = 994 Supplemental_Groups = () }",
    starter: &[],
    jailed: false,
    changes: 15,
};

const FAULTS: [Fault; 6] = [
    Fault::Error("EPERM"),
    Fault::Error("EINVAL"),
    Fault::Error("ENOMEM"),
    Fault::Error("ENOSYS"),
    Fault::Error("EIO"),
    Fault::Success,
];

#[test]
fn no_fault_in_any_call_of_the_transition_starts_the_program() {
    every_fault(&FULL, Range::Transition);
}

#[test]
fn no_fault_starts_the_program_where_root_keeps_capabilities() {
    every_fault(&ROOT, Range::Transition);
}

#[test]
fn no_fault_starts_the_program_where_nothing_is_retained() {
    every_fault(&BARE, Range::Transition);
}

#[test]
fn no_fault_in_the_look_around_before_leads_to_another_state() {
    every_fault(&FULL, Range::LookAround);
}

/// Which part of a run is put to the test.
#[derive(Clone, Copy, PartialEq)]
enum Range {
    /// From the opening of /proc/self to the first change.
    LookAround,
    /// From the first change to execve(2) of the program.
    Transition,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error(&'static str),
    Success,
}

/// A system call of the normal run.
#[derive(Debug)]
struct Call {
    name: String,
    /// Which of that name it is, from 1: what strace calls `when`.
    number: usize,
    /// The arguments, as strace prints them.
    arguments: String,
    /// The answer: a number, or the name of an error.
    answer: String,
    /// Whether what it does is also done by another call of the run.
    repeated: bool,
}

/// What a fault has to lead to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Right {
    /// Exit status 125, and a message with these words.
    Refused(&'static [&'static str]),
    /// 126 or 127, and the error's name.
    NotExecuted,
    /// It is what the kernel answered anyway: the program runs, in the state of the normal run.
    Same,
    /// Either: refused, or the program runs in exactly the state of the normal run.
    RefusedOrSame,
}

/// The rule. `call` is a call of the normal run, with the answer it then had.
fn right(call: &Call, fault: Fault, range: Range) -> Right {
    if matches!(fault, Fault::Error(error) if error == call.answer) {
        return Right::Same;
    }
    match (call.name.as_str(), fault) {
        ("execve", Fault::Error(_)) => return Right::NotExecuted,
        ("execve", Fault::Success) => return Right::Refused(&["reported success"]),
        // Memory, and closing a descriptor of its own that execve(2) would close: no part of the state.
        ("brk" | "mmap" | "munmap" | "mremap" | "madvise" | "close", _) => return Right::RefusedOrSame,
        ("unshare", Fault::Error(_)) => return Right::Refused(&["unshare answered"]),
        // Here nobody shares the directories, so that there is nothing to be seen of it.
        ("unshare", Fault::Success) => return Right::RefusedOrSame,
        // The number of the keyring that is answered is compared with that of the one that is then there.
        ("keyctl", _) => return Right::Refused(&["the session keyring could not be left"]),
        // Answers of kernels before 5.9 and 5.11, for which there is another way.
        ("close_range", Fault::Error("ENOSYS" | "EINVAL")) => return Right::RefusedOrSame,
        _ => {}
    }
    match (call.changes(), call.answer == "0", fault) {
        (true, true, Fault::Error(_)) => Right::Refused(&["answered|marked close-on-exec"]),
        // Another call brings about the same; that the state is right is proven at the end.
        (true, true, Fault::Success) if call.repeated => Right::RefusedOrSame,
        // Read back, or a later step failed for the lack of it.
        (true, true, Fault::Success) => Right::Refused(&["should be|should get|answered"]),
        // A way back to privilege.
        (true, false, Fault::Error(_)) => Right::Refused(&["should have answered"]),
        (true, false, Fault::Success) => Right::Refused(&["the kernel allowed it"]),
        // Before anything has changed there is more than one way to be careful.
        (false, _, _) if range == Range::LookAround => Right::RefusedOrSame,
        (false, _, Fault::Error(_)) => Right::Refused(&["can't be read"]),
        // The answer is a lie, but what it hides may be as it should be.
        (false, _, Fault::Success) => Right::RefusedOrSame,
    }
}

impl Call {
    /// Whether it is a call that changes credentials, directories or descriptors, or tries to.
    fn changes(&self) -> bool {
        match self.name.as_str() {
            "setresuid" | "setresgid" | "setgroups" | "capset" | "chroot" | "chdir" | "fchdir"
            | "close_range" => true,
            "prctl" => ["PR_SET_", "PR_CAPBSET_DROP", "PR_CAP_AMBIENT"]
                .iter()
                .any(|operation| self.arguments.starts_with(operation)),
            _ => false,
        }
    }

    /// Reads a line of strace's: `name(arguments) = answer …`.
    fn parse(line: &str, counts: &mut HashMap<String, usize>) -> Option<Call> {
        let (name, rest) = line.split_once('(')?;
        let (arguments, answer) = rest.rsplit_once(" = ")?;
        let mut words = answer.split_whitespace();
        let first = words.next()?;
        let answer = if first == "-1" { words.next()? } else { first };
        let number = counts.entry(name.to_owned()).or_default();
        *number += 1;
        Some(Call {
            name: name.to_owned(),
            number: *number,
            arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
            answer: answer.to_owned(),
            repeated: false,
        })
    }

    /// Marks the calls whose effect another one has too: capset(2) sets all three sets each time, so that only the last
    /// one counts for the end, and chdir(2) to the root directory goes where fchdir(2) before chroot(2) went already.
    fn mark_repeated(calls: &mut [Call]) {
        let last_capset = calls.iter().rposition(|call| call.name == "capset" && call.answer == "0");
        let chroot = calls.iter().position(|call| call.name == "chroot" && call.arguments == "\".\"");
        for (index, call) in calls.iter_mut().enumerate() {
            call.repeated = match call.name.as_str() {
                "capset" => last_capset.is_some_and(|last| index < last),
                "chdir" => chroot.is_some_and(|chroot| index == chroot + 1),
                _ => false,
            };
        }
    }
}

/// A scenario in a node, ready to be run many times.
struct Bench {
    node: Node,
    scenario: &'static Scenario,
    count: AtomicUsize,
}

/// One run: what stepdown did, what the program said of itself if it ran, and what strace wrote.
struct Outcome {
    done: Done,
    report: Option<String>,
    log: String,
}

impl Bench {
    fn new(scenario: &'static Scenario) -> Option<Bench> {
        if !have("strace") || !have("cc") || !have("setpriv") {
            return None;
        }
        let node = Node::new()?;
        let out = node.dir.join("jail/out");
        fs::create_dir_all(&out).unwrap();
        let writable = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&out, writable).unwrap();
        compile("witness.c", &node.dir.join("jail/witness"), &["-static"]);
        node.file("server.conf", &scenario.scope.replace("{dir}", &node.dir.display().to_string()));
        Some(Bench { node, scenario, count: AtomicUsize::new(0) })
    }

    /// Runs the program under strace with these options. Descriptor 9 is open, and must not reach it.
    fn run(&self, options: &[String]) -> Outcome {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let log = self.node.dir.join(format!("log{number}"));
        let report = self.node.dir.join(format!("jail/out/{number}"));
        let (program, argument) = if self.scenario.jailed {
            (PathBuf::from("/witness"), PathBuf::from(format!("/out/{number}")))
        } else {
            (self.node.dir.join("jail/witness"), report.clone())
        };
        let mut command = self.node.command("sh");
        command.args(["-c", r#"exec 9</dev/null && exec "$@""#, "sh", "strace", "-qq", "-s", "32", "-o"]);
        command.arg(&log).args(options).arg("--").args(self.scenario.starter);
        command.args([STEPDOWN, "run", "-c", "server.conf", "--"]).arg(program).arg(argument);
        let done = done(&mut command);
        Outcome {
            done,
            report: fs::read_to_string(report).ok(),
            log: fs::read_to_string(log).unwrap_or_default(),
        }
    }

    /// The calls of a normal run, those of `range`, and what the program then said of itself.
    fn normal(&self, range: Range) -> (Vec<Call>, String) {
        let Outcome { done, report, log } = self.run(&[]);
        assert_eq!((done.status, done.err.as_str()), (0, ""), "{done:?}");
        let mut counts = HashMap::new();
        // The first line is strace's own start of the command, which it does not count.
        let mut calls: Vec<Call> =
            log.lines().skip(1).filter_map(|line| Call::parse(line, &mut counts)).collect();
        let position = |what: &dyn Fn(&Call) -> bool| {
            calls.iter().rposition(what).unwrap_or_else(|| panic!("not as expected:\n{log}"))
        };
        let looked =
            position(&|call| call.name.starts_with("open") && call.arguments.contains("\"/proc/self\""));
        let first = position(&|call| call.name == "close_range");
        let last = position(&|call| call.name == "execve");
        let range = match range {
            Range::LookAround => looked..first,
            Range::Transition => first..last + 1,
        };
        let mut calls: Vec<Call> = calls.drain(range).collect();
        Call::mark_repeated(&mut calls);
        (calls, report.expect("the program ran and said so"))
    }

    /// Runs with one fault and says what was wrong, if anything was.
    fn verdict(&self, call: &Call, fault: Fault, range: Range, normal: &str) -> Result<(), String> {
        let injected = match fault {
            Fault::Error(error) => format!("error={error}"),
            Fault::Success => "retval=0".to_owned(),
        };
        let name = &call.name;
        let outcome = self
            .run(&[format!("--trace={name}"), format!("--inject={name}:{injected}:when={}", call.number)]);
        let right = right(call, fault, range);
        let result = outcome.verdict(call, fault, right, normal);
        result.map_err(|why| {
            format!(
                "{name}({}) = {}, made to answer {fault:?}: {why}; right would be {right:?}\n  {:?}",
                call.arguments, call.answer, outcome.done
            )
        })
    }
}

impl Outcome {
    fn verdict(&self, call: &Call, fault: Fault, right: Right, normal: &str) -> Result<(), String> {
        let uncounted = usize::from(call.name == "execve");
        let line = self.log.lines().nth(call.number - 1 + uncounted);
        let hit = line.is_some_and(|line| line.contains("(INJECTED)"));
        if !hit {
            return Err(format!("the fault was not injected there, by strace's account:\n{}", self.log));
        }
        let (status, ran) = (self.done.status, self.report.is_some() || !self.done.out.is_empty());
        if ran {
            if !matches!(right, Right::Same | Right::RefusedOrSame) {
                return Err("the program ran".into());
            }
            let same = self.report.as_deref() == Some(normal) && status == 0 && self.done.err.is_empty();
            return if same { Ok(()) } else { Err(format!("in another state: {:?}", self.report)) };
        }
        let error = match fault {
            Fault::Error(error) => error,
            Fault::Success => "",
        };
        let said = |words: &str| words.split('|').any(|words| self.done.err.contains(words));
        let fine = match right {
            Right::Same => false,
            Right::NotExecuted => matches!(status, 126 | 127) && said(error),
            Right::Refused(words) => {
                status == 125 && words.iter().all(|words| said(words)) && said(error) && self.says_something()
            }
            Right::RefusedOrSame => matches!(status, 125..=127) && self.says_something(),
        };
        if fine { Ok(()) } else { Err("refused, but not as it should be".into()) }
    }

    /// Whether the message has something behind its last colon.
    fn says_something(&self) -> bool {
        let first = self.done.err.lines().next().unwrap_or_default();
        first.contains(": ") && !first.trim_end().ends_with(':')
    }
}

/// Puts every call of the range through every fault, several at a time, and counts.
fn every_fault(scenario: &'static Scenario, range: Range) {
    let Some(bench) = Bench::new(scenario) else { return };
    let (calls, normal) = bench.normal(range);
    let changed = calls.iter().filter(|call| call.changes() && call.answer == "0").count();
    if range == Range::Transition {
        assert!(changed >= scenario.changes, "the run shrank to {changed} changes: {calls:#?}");
        let attempts = calls.iter().filter(|call| call.changes() && call.answer == "EPERM").count();
        assert!(attempts >= 4, "the ways back that are tried shrank to {attempts}: {calls:#?}");
    } else {
        assert_eq!(changed, 0, "nothing is changed before the program has been looked at: {calls:#?}");
    }
    let trials: Vec<(&Call, Fault)> =
        calls.iter().flat_map(|call| FAULTS.map(|fault| (call, fault))).collect();
    let wrong = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((call, fault)) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = bench.verdict(call, *fault, range, &normal) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    println!("{} calls, {changed} of them changes, {} faults", calls.len(), trials.len());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} faults:\n{}", wrong.len(), trials.len(), wrong.join("\n"));
}

/// Compiles a C file of this directory.
pub fn compile(source: &str, program: &std::path::Path, options: &[&str]) {
    let source = format!("{}/tests/it/{source}", env!("CARGO_MANIFEST_DIR"));
    let done = done(Command::new("cc").args(["-O1", "-o"]).arg(program).arg(source).args(options));
    assert_eq!(done.status, 0, "{done:?}");
}
