//! Children: what they get, what they don't, and what is said of those that fail.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stepdown_kernel::reap::{End, reap, signal, signal_group};
use stepdown_kernel::signals::{self, Inherited, Signals};
use stepdown_kernel::start::{Report, Start, Started, start};

use crate::roles::{ROLE, TO};
use crate::{Scratch, is_alive, skip, until};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("descriptors_are_placed_whatever_their_order", descriptors_in_any_order),
    ("as_many_descriptors_as_the_limit_allows_are_placed", descriptors_at_the_limit),
    ("a_failure_at_each_stage_is_said_and_nothing_runs", failures),
    ("a_slow_start_is_not_waited_for", slow_start),
    ("a_child_has_the_signals_session_and_environment_of_a_service", state_of_child),
    ("a_child_ends_with_its_parent", death_with_parent),
    ("a_child_whose_parent_ended_first_executes_nothing", death_before),
    ("signals_are_read_with_their_sender", signals_are_read),
];

/// A child to start: this binary in a role, or a shell.
pub(crate) struct Child {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    null: File,
    inherited: Inherited,
    death_signal: Option<i32>,
}

impl Child {
    pub(crate) fn new(role: &str) -> Child {
        let path = std::env::current_exe().unwrap().into_os_string().into_encoded_bytes();
        let own = std::env::vars().filter(|(name, _)| name != ROLE);
        let mut environment: Vec<CString> =
            own.map(|(name, value)| CString::new(format!("{name}={value}")).unwrap()).collect();
        environment.push(CString::new(format!("{ROLE}={role}")).unwrap());
        Child {
            arguments: vec![CString::new(path.clone()).unwrap()],
            path: CString::new(path).unwrap(),
            environment,
            null: File::options().read(true).write(true).open("/dev/null").unwrap(),
            inherited: Inherited::current().unwrap(),
            death_signal: None,
        }
    }

    pub(crate) fn shell(mut self, script: &str) -> Child {
        self.path = c"/bin/sh".into();
        self.arguments = vec![c"sh".into(), c"-c".into(), CString::new(script).unwrap()];
        self
    }

    pub(crate) fn death_signal(mut self) -> Child {
        self.death_signal = Some(signals::TERM);
        self
    }

    pub(crate) fn add(&mut self, variable: &str) {
        self.environment.push(CString::new(variable).unwrap());
    }

    pub(crate) fn to(mut self, file: &std::path::Path) -> Child {
        self.environment.retain(|entry| !entry.as_bytes().starts_with(TO.as_bytes()));
        self.environment.push(CString::new(format!("{TO}={}", file.display())).unwrap());
        self
    }

    pub(crate) fn start(&self) -> Start<'_> {
        Start {
            path: &self.path,
            arguments: &self.arguments,
            environment: &self.environment,
            listen_pid: false,
            standard: [self.null.as_fd(); 3],
            descriptors: &[],
            directory: None,
            death_signal: self.death_signal,
            inherited: &self.inherited,
        }
    }
}

pub(crate) fn nothing() -> Result<(), String> {
    Ok(())
}

/// Waits for the child's report and for its end.
fn outcome(started: &Started) -> (Report, End) {
    let mut report = Report::Pending;
    until("the report", || {
        report = started.report().unwrap();
        report != Report::Pending
    });
    (report, ended(started.pid))
}

fn ended(pid: u32) -> End {
    let mut end = None;
    until("the child to end", || {
        end = end.or(reap().unwrap().into_iter().find(|(child, _)| *child == pid).map(|(_, end)| end));
        end.is_some()
    });
    end.unwrap()
}

fn descriptors_in_any_order() {
    let scratch = Scratch::new();
    let report = scratch.path("report");
    let child = Child::new("descriptors").to(&report);
    let files: Vec<File> =
        (0..12).map(|number| File::create(scratch.path(&format!("{number}"))).unwrap()).collect();
    let inode = |file: &File| file.metadata().unwrap().ino();
    let mut random: u64 = 20_261_123;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for round in 0..300 {
        // Copies at numbers that overlap with those they are to have, in any order, some of them more than once.
        let count = 3 + next(8);
        let chosen: Vec<usize> = (0..count).map(|_| next(files.len())).collect();
        let held: Vec<OwnedFd> = files
            .iter()
            .map(|file| fcntl_dupfd_cloexec(file, 3 + i32::try_from(next(14)).unwrap()).unwrap())
            .collect();
        let given: Vec<BorrowedFd<'_>> = chosen.iter().map(|&index| held[index].as_fd()).collect();
        let start_ =
            Start { standard: [given[0], given[1], given[2]], descriptors: &given[3..], ..child.start() };
        let started = start(&start_, nothing).unwrap();
        assert_eq!(outcome(&started), (Report::Executed, End::Exited(0)), "round {round}");
        let expected: String = chosen
            .iter()
            .enumerate()
            .map(|(number, &index)| format!("{number} {}\n", inode(&files[index])))
            .collect();
        let mut found: Vec<String> =
            fs::read_to_string(&report).unwrap().lines().map(str::to_owned).collect();
        found.sort_by_key(|line| line.split(' ').next().unwrap().parse::<i32>().unwrap());
        assert_eq!(found.join("\n") + "\n", expected, "round {round}");
        fs::remove_file(&report).unwrap();
    }
    // In every order of this process's own standard ones, which stand in each other's way.
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let own = [input.as_fd(), output.as_fd(), error.as_fd()];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [2, 2, 2]] {
        let given = order.map(|index: usize| own[index]);
        let started = start(&Start { standard: given, ..child.start() }, nothing).unwrap();
        assert_eq!(outcome(&started), (Report::Executed, End::Exited(0)));
        let inode = |file: &BorrowedFd<'_>| rustix::fs::fstat(file).unwrap().st_ino;
        let expected: Vec<String> =
            given.iter().enumerate().map(|(number, file)| format!("{number} {}", inode(file))).collect();
        let text = fs::read_to_string(&report).unwrap();
        let mut found: Vec<&str> = text.lines().collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{order:?}");
        fs::remove_file(&report).unwrap();
    }
}

fn descriptors_at_the_limit() {
    let scratch = Scratch::new();
    let report = scratch.path("report");
    let child = Child::new("descriptors").to(&report);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(1024), maximum: limit.maximum }).unwrap();
    // From both ends, so that each stands where another is to be. A pipe and a pidfd need the rest.
    let held: Vec<OwnedFd> = (0..1005).map(|_| fcntl_dupfd_cloexec(&child.null, 3).unwrap()).collect();
    for given in [
        held.iter().map(AsFd::as_fd).collect::<Vec<_>>(),
        held.iter().rev().map(AsFd::as_fd).collect::<Vec<_>>(),
    ] {
        let start_ = Start { descriptors: &given, ..child.start() };
        let started = start(&start_, nothing).unwrap();
        assert_eq!(outcome(&started), (Report::Executed, End::Exited(0)));
        assert_eq!(fs::read_to_string(&report).unwrap().lines().count(), 1008);
        fs::remove_file(&report).unwrap();
    }
}

fn failures() {
    let scratch = Scratch::new();
    let marker = scratch.path("ran");
    let child = Child::new("sleeper").to(&marker);
    let words = |started: Started| match outcome(&started) {
        (Report::Failed(words), End::Exited(127)) => words,
        other => panic!("{other:?}"),
    };
    let begin = |start_: Start<'_>| words(start(&start_, nothing).unwrap());
    assert_eq!(
        begin(Start { directory: Some(c"/nowhere"), ..child.start() }),
        "chdir to /nowhere answered ENOENT (No such file or directory)"
    );
    let refused = start(&child.start(), || Err("it must not be".into())).unwrap();
    assert_eq!(words(refused), "it must not be");
    let long = start(&child.start(), || Err("é".repeat(5000))).unwrap();
    assert_eq!(words(long), "é".repeat(2048), "cut where a character ends");
    assert!(
        begin(Start { death_signal: Some(65), ..child.start() })
            .starts_with("prctl(PR_SET_PDEATHSIG) answered EINVAL")
    );
    let path: &CStr = c"/nowhere/program";
    assert!(begin(Start { path, ..child.start() }).starts_with("execve of /nowhere/program answered ENOENT"));
    assert!(begin(Start { path: c"/etc/passwd", ..child.start() }).contains("answered EACCES"));
    // A change that panics ends the child as well; the words of the panic are for standard error, which is /dev/null.
    let panicked = start(&child.start(), || panic!("of the change")).unwrap();
    assert_eq!(outcome(&panicked), (Report::Executed, End::Exited(127)), "nothing is said, and it has ended");
    // Killed before it executes: the same.
    let killed = start(&child.start(), || {
        crate::roles::sleep();
        Ok(())
    })
    .unwrap();
    assert_eq!(killed.report().unwrap(), Report::Pending);
    assert!(signal(killed.pidfd.as_fd(), signals::KILL).unwrap());
    assert_eq!(outcome(&killed), (Report::Executed, End::Signaled(signals::KILL, false)));
    assert!(!signal(killed.pidfd.as_fd(), signals::KILL).unwrap(), "it is gone");
    assert!(!marker.exists(), "none of them has run");
    // More than one thread.
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let waiting = std::thread::spawn(move || receive.recv());
    assert_eq!(start(&child.start(), nothing).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(stepdown_kernel::warden::Warden::start().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert!(stepdown_kernel::observe::Witness::by_calls().is_err());
    drop(send);
    assert!(waiting.join().unwrap().is_err());
    assert_eq!(reap().unwrap(), []);
    // No number of a group is one that kill(2) takes for something else.
    for number in [0, 1, u32::MAX, 1 << 31] {
        assert_eq!(signal_group(number, 0).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}

fn slow_start() {
    let scratch = Scratch::new();
    let said = scratch.path("said");
    let child = Child::new("sleeper").to(&said);
    let gate = scratch.path("gate");
    let path = gate.clone();
    let started = start(&child.start(), move || {
        until("the gate", || path.exists());
        Ok(())
    })
    .unwrap();
    for _ in 0..10 {
        assert_eq!(started.report().unwrap(), Report::Pending);
        assert_eq!(reap().unwrap(), []);
    }
    fs::write(&gate, "").unwrap();
    until("the program", || said.exists());
    assert_eq!(started.report().unwrap(), Report::Executed);
    assert_eq!(fs::read_to_string(&said).unwrap(), started.pid.to_string());
    assert!(signal_group(started.pid, signals::TERM).unwrap());
    assert_eq!(ended(started.pid), End::Signaled(signals::TERM, false));
    assert_eq!(End::Signaled(signals::TERM, false).to_string(), "SIGTERM");
}

fn state_of_child() {
    let scratch = Scratch::new();
    let said = scratch.path("said");
    let line = |name: &str| {
        let text = fs::read_to_string(&said).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap();
        line.to_owned()
    };
    // As something that was started with a signal blocked and another ignored.
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = |name: &str| {
        own.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap().to_owned()
    };
    let signals = Signals::block_and_open().unwrap();
    let mut child = Child::new("status").to(&said).death_signal();
    child.inherited = *signals.inherited();
    child.environment.extend([c"LISTEN_PID=1".into(), c"LISTEN_FDS=0".into()]);
    let start_ = Start { listen_pid: true, directory: Some(c"/usr"), ..child.start() };
    let started = start(&start_, nothing).unwrap();
    assert_eq!(outcome(&started), (Report::Executed, End::Exited(0)));
    assert_eq!((line("SigBlk"), line("SigCgt")), (own("SigBlk"), own("SigCgt")));
    // Rust's own runtime ignores SIGPIPE in this process and in the child, whose own entry does so again.
    assert_eq!(line("SigIgn"), own("SigIgn"));
    assert_eq!(line("Session"), started.pid.to_string());
    assert_eq!(line("Directory"), "/usr");
    assert_eq!(line("DeathSignal"), signals::TERM.to_string());
    let environment = line("Environment");
    assert!(environment.contains(&format!("LISTEN_PID={} ", started.pid)), "{environment}");
    assert_eq!(environment.matches("LISTEN_PID=").count(), 1);
    // A program that does not touch its signals sees SIGPIPE as it is by default.
    let mut shell = Child::new("").shell("grep SigIgn /proc/self/status >$OUT");
    shell.inherited = *signals.inherited();
    shell.add(&format!("OUT={}", said.display()));
    let started = start(&shell.start(), nothing).unwrap();
    assert_eq!(outcome(&started), (Report::Executed, End::Exited(0)));
    let ignored = u64::from_str_radix(&line("SigIgn"), 16).unwrap();
    assert_eq!(ignored & 1 << (libc::SIGPIPE - 1), 0);
}

fn death_with_parent() {
    let scratch = Scratch::new();
    let said = scratch.path("said");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, "parent")
        .env(TO, &said)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("the child", || said.exists());
    let pid: u32 = fs::read_to_string(&said).unwrap().parse().unwrap();
    assert!(is_alive(pid));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the child to end", || !is_alive(pid));
}

fn death_before() {
    let scratch = Scratch::new();
    let said = scratch.path("said");
    let mut parent = Command::new(std::env::current_exe().unwrap());
    let (read, write) = rustix::pipe::pipe().unwrap();
    let status = parent.env(ROLE, "dying-parent").env(TO, &said).stdin(write).status();
    drop(parent);
    if status.is_err() {
        return skip("this host kills what it should start");
    }
    // The pipe ends when the child, which holds a copy until its descriptors are placed, is gone or has executed.
    let mut rest = [0];
    assert_eq!(rustix::io::read(&read, &mut rest).unwrap(), 0);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!said.exists(), "the program was not executed");
}

fn signals_are_read() {
    let signals = Signals::block_and_open().unwrap();
    assert_eq!(signals.read().unwrap(), []);
    let own = rustix::process::getpid();
    for signal in [rustix::process::Signal::HUP, rustix::process::Signal::USR2] {
        rustix::process::kill_process(own, signal).unwrap();
    }
    let read = signals.read().unwrap();
    let expected: Vec<(i32, u32, u32)> =
        [signals::HUP, signals::USR2].map(|signal| (signal, std::process::id(), 0)).to_vec();
    assert_eq!(read.iter().map(|one| (one.signal, one.pid, one.uid)).collect::<Vec<_>>(), expected);
    assert_eq!((signals::name(signals::HUP), signals::name(40)), ("SIGHUP".into(), "signal 40".into()));
}
