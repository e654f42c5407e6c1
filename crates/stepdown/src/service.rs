//! Starts services: children of a process that has stepped down itself, each under its scope or under less, proven before
//! it executes its program.
//!
//! What was known when the process still was root is kept in [`Grounds`]: in another root directory there is no `/proc`, as a
//! rule, and the child then is proven by system calls alone. Everything that can be refused is refused before the fork;
//! what becomes of the child is read later, from [`Started::report`]. Not for: when a service is to run.

use std::ffi::{CString, OsStr, OsString, c_int};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stepdown_conf::{Cause, Finding, shell_word, shown_path};
use stepdown_kernel::observe::Witness;
use stepdown_kernel::program::{self, Program};
use stepdown_kernel::signals::Inherited;
use stepdown_kernel::start::{self, Start};
use stepdown_kernel::{descriptors, errno_of};
use stepdown_security::capability::Capability;
use stepdown_security::credentials::{Credentials, Directory, Facts};
use stepdown_security::execve::ProgramFile;
use stepdown_security::plan::plan;
use stepdown_security::policy::{BoundingSet, Policy, Sourced};
use stepdown_security::situation::{Purpose, Situation};
use stepdown_security::text::CapState;

use crate::child::transition_of_child;
use crate::command::not_absolute;
use crate::error::no_program;
use crate::prepare::Ready;

pub use stepdown_kernel::start::{Report, Started};

/// What is known of a process that steps down, and is needed when it starts services.
#[derive(Clone, Debug)]
pub struct Grounds {
    facts: Facts,
    state: Credentials,
    root: Option<Directory>,
}

/// A service to start. The program is an absolute path, as the process sees it that has stepped down.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// The program's file.
    pub program: &'a Path,
    /// Its arguments, without the name it is called by, which is its path.
    pub arguments: &'a [OsString],
    /// Its whole environment, see [`environment`].
    pub environment: &'a [(OsString, OsString)],
    /// Whether `LISTEN_PID` is added to it, with the number of the child.
    pub listen_pid: bool,
    /// Standard input, output and error.
    pub standard: [BorrowedFd<'a>; 3],
    /// What it gets as 3 and upwards. It gets nothing else.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// Its working directory; without one, that of this process.
    pub directory: Option<&'a Path>,
    /// The signal it gets when this process ends.
    pub death_signal: Option<c_int>,
    /// The signals as this process was given them.
    pub inherited: &'a Inherited,
}

/// A program that a service may execute.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The program.
    pub program: Program,
    /// Warnings and notes.
    pub findings: Vec<Finding>,
}

impl Grounds {
    /// Of a transition that is ready, for a process that goes on itself ([`crate::prepare::End::Stay`]).
    #[must_use]
    pub fn of(ready: &Ready) -> Grounds {
        let root = ready.policy.chroot.as_ref().map(|_| ready.plan.end.root);
        Grounds { facts: ready.situation.facts.clone(), state: ready.plan.end.clone(), root }
    }

    /// The state that the transition leads to, in which services are started.
    #[must_use]
    pub fn state(&self) -> &Credentials {
        &self.state
    }

    /// Where a child stands.
    fn situation(&self, start: Credentials) -> Situation {
        Situation {
            facts: self.facts.clone(),
            start,
            chroot: None,
            descriptors: Vec::new(),
            terminal_injection: false,
        }
    }
}

/// The same policy with these capabilities instead, for a service that is to have less than the scope retains.
///
/// # Errors
/// A capability that the scope does not retain, by name.
pub fn narrowed(policy: &Policy, wanted: &Sourced<CapState>) -> Result<Policy, Box<Finding>> {
    let scope = policy.retained();
    let more = wanted.value.permitted.union(wanted.value.effective).difference(scope.permitted);
    let more = more.union(wanted.value.inheritable.difference(scope.permitted.union(scope.inheritable)));
    if !policy.stays_root() && !more.is_empty() {
        let names = if more.len() == 1 { "it" } else { "them" };
        let finding = Finding::error(
            "more-than-the-scope",
            Cause::Text,
            format!("Capabilities of the service names {more}, which the Security scope does not retain"),
        )
        .because("the server has given it up for good when it starts its services; a service may have less than the scope, and never more")
        .hint(format!("retain {names} in Security, which takes a restart, or leave {names} out"))
        .at_if(wanted.origin.place());
        return Err(Box::new(match policy.capabilities.as_ref().and_then(|scope| scope.origin.place()) {
            Some(place) => finding.related(place.clone(), "what the scope retains"),
            None => finding,
        }));
    }
    let mut narrowed = policy.clone();
    narrowed.capabilities = Some(wanted.clone());
    // The bounding set of the scope is in force. It can be shrunk to what the service retains only while CAP_SETPCAP is
    // held; else it stays, as it stays for a service that has all that the scope retains.
    let can_shrink = policy.stays_root() || scope.permitted.contains(Capability::SETPCAP);
    if narrowed.bounding_set.is_none() && !can_shrink {
        narrowed.bounding_set = Some(Sourced::default_of(
            BoundingSet::Unchanged,
            "that of the Security scope, which no service can change",
        ));
    }
    Ok(narrowed)
}

/// Looks whether a service could be started under the policy: the program, and the way from where this process is, or will be,
/// to what its program is to have. `before` is the transition of this process as long as it is still to come: the
/// program is then looked for in the new root directory.
///
/// # Errors
/// All that stands in the way.
pub fn check(
    grounds: &Grounds,
    policy: &Policy,
    program: &Path,
    before: Option<&Ready>,
) -> Result<Checked, Vec<Finding>> {
    use std::os::fd::AsFd;
    let name = program.as_os_str();
    if !program.is_absolute() {
        return Err(vec![not_absolute(name)]);
    }
    let root = before.and_then(|ready| ready.root.as_ref()).map(AsFd::as_fd);
    let found = program::find(name.as_bytes(), b"", root).map_err(|error| vec![no_program(&error)])?;
    if before.is_none() && !program::is_executable(program) {
        return Err(vec![not_executable(name)]);
    }
    let situation = grounds.situation(grounds.state.clone());
    let plan = plan(&within(policy), &situation, Purpose::Execute(Some(&found.file)))?;
    Ok(Checked { program: found, findings: plan.findings })
}

/// Starts a service under the policy: that of the scope, or [`narrowed`] from it. Comes back without waiting for the child.
///
/// # Errors
/// All that stands in the way; there is no child then. What goes wrong in the child is said by [`Started::report`].
pub fn start(grounds: &Grounds, policy: &Policy, service: &Service<'_>) -> Result<Started, Vec<Finding>> {
    let name = service.program.as_os_str();
    let checked = check(grounds, policy, service.program, None)?;
    if let Some(directory) = service.directory
        && !(directory.is_dir() && program::is_executable(directory))
    {
        return Err(vec![no_directory(directory)]);
    }
    if grounds.root.is_some() {
        let given = service.standard.iter().chain(service.descriptors);
        if let Some(number) = given.map(AsRawFd::as_raw_fd).find(|&number| descriptors::is_directory(number))
        {
            return Err(vec![leads_out(number)]);
        }
    }
    let c_string = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| vec![with_nul(name)]);
    let directory =
        service.directory.map(|directory| c_string(directory.as_os_str().as_bytes().to_vec())).transpose()?;
    let mut arguments = vec![checked.program.path.clone()];
    for argument in service.arguments {
        arguments.push(c_string(argument.as_bytes().to_vec())?);
    }
    let mut environment = Vec::with_capacity(service.environment.len());
    for (name, value) in service.environment {
        environment.push(c_string([name.as_bytes(), value.as_bytes()].join(&b'='))?);
    }
    let begin = Start {
        path: &checked.program.path,
        arguments: &arguments,
        environment: &environment,
        listen_pid: service.listen_pid,
        standard: service.standard,
        descriptors: service.descriptors,
        directory: directory.as_deref(),
        death_signal: service.death_signal,
        inherited: service.inherited,
    };
    let count = c_int::try_from(service.descriptors.len()).unwrap_or(c_int::MAX);
    let (policy, file) = (within(policy), &checked.program.file);
    start::start(&begin, || step_down(grounds, &policy, file, count).map_err(|finding| finding.to_string()))
        .map_err(|error| vec![not_started(name, &format!("the fork failed with {}", errno_of(&error)))])
}

/// The environment of a service: that of this process, without what is between it and whoever started it, with HOME, USER and
/// LOGNAME of the policy's user, and with `added`, which wins.
#[must_use]
pub fn environment(policy: &Policy, added: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let mut list = start::environment();
    let own = policy.environment().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    for (name, value) in own.iter().chain(added) {
        list.retain(|(known, _)| known != name);
        list.push((name.clone(), value.clone()));
    }
    list
}

/// The finding of a service that was not started, from the words of [`Report::Failed`].
#[must_use]
pub fn not_started(program: &OsStr, words: &str) -> Finding {
    let name = program.to_string_lossy();
    Finding::error("service-not-started", Cause::Host, format!("{} was not started: {words}", shown_path(&name)))
        .because("a service is proven to be where its scope asks before its program is executed")
        .hint("if it is execve that failed, see execve(2), section ERRORS; else look for a seccomp filter or a security module")
}

/// What the child does: from the state of this process to that of the service.
fn step_down(
    grounds: &Grounds,
    policy: &Policy,
    file: &ProgramFile,
    count: c_int,
) -> Result<(), Box<Finding>> {
    let unreadable = |error: stepdown_kernel::Error| {
        Box::new(Finding::error(
            "no-proof",
            Cause::Host,
            format!("the state of the child can't be read: {error}"),
        ))
    };
    // What is mounted at /proc inside another root directory is what somebody put there.
    let witness =
        if grounds.root.is_some() { Witness::by_calls() } else { Witness::open() }.map_err(unreadable)?;
    let mut threads = witness.threads().map_err(unreadable)?;
    let start = witness.credentials(threads.remove(0)).map_err(unreadable)?;
    if grounds.root.is_some_and(|root| root != start.root) {
        return Err(Box::new(Finding::error(
            "not-in-the-root-directory",
            Cause::Host,
            "the root directory is not that of the scope",
        )));
    }
    let mut situation = grounds.situation(start);
    let numbers: Vec<c_int> = (3..3 + count).collect();
    situation.descriptors = descriptors::passed(&numbers).map_err(|number| {
        let message = format!("descriptor {number} is not open in the child");
        Box::new(Finding::error("descriptor-not-open", Cause::Host, message))
    })?;
    // The plan knows of no change of the root directory, which lies behind; the descriptors must not lead out of it.
    let outward = if grounds.root.is_some() { situation.descriptors.as_slice() } else { &[] };
    if let Some(directory) = outward.iter().find(|descriptor| descriptor.directory) {
        return Err(Box::new(leads_out(directory.number)));
    }
    transition_of_child(policy, &situation, Some(file), &witness, None, outward).map(drop)
}

/// The policy as a child has it whose parent has made the change of root directory already.
fn within(policy: &Policy) -> Policy {
    Policy { chroot: None, ..policy.clone() }
}

fn not_executable(name: &OsStr) -> Finding {
    let name = name.to_string_lossy();
    Finding::error(
        "not-executable",
        Cause::Host,
        format!("{} can't be executed by the user of the scope", shown_path(&name)),
    )
    .because("the file, or a directory on the way to it, does not let that user execute it")
    .hint(format!("see `namei -l {}`", shell_word(&name)))
}

fn no_directory(directory: &Path) -> Finding {
    let name = directory.to_string_lossy();
    Finding::error(
        "no-directory",
        Cause::Host,
        format!("{} can't be the working directory", shown_path(&name)),
    )
    .because("there is no such directory, or the user of the scope may not enter it")
    .hint(format!("see `namei -l {}`", shell_word(&name)))
}

fn leads_out(number: c_int) -> Finding {
    Finding::error("directory-descriptor", Cause::Host, format!("descriptor {number} is a directory"))
        .because("fchdir(2) through it leads out of the chroot")
        .hint("pass sockets and files only")
}

fn with_nul(name: &OsStr) -> Finding {
    let name = name.to_string_lossy();
    Finding::error(
        "nul-byte",
        Cause::Text,
        format!("an argument, a variable or the directory of {} contains a NUL byte", shown_path(&name)),
    )
    .because("execve(2) takes strings that end at the first one")
    .hint("take it out")
}
