//! Starts a child under a scope, with the same proof: an extension of the standard library's `Command`.
//!
//! This process stays as it is, whatever threads it has: a child of fork(2) has one. Everything that can be refused is
//! refused before the fork; the child then makes its own plan from the state it finds itself in, performs it, proves
//! it, and only then executes the program.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};

use stepdown_conf::{Cause, Finding};
use stepdown_kernel::child::{self, Change, SpawnError};
use stepdown_kernel::environment::Environment;
use stepdown_kernel::errno_of;
use stepdown_kernel::program::Program;
use stepdown_security::credentials::Directory;
use stepdown_security::policy::Policy;

use crate::child::transition_of_child;
use crate::error::Error;
use crate::prepare::{End, look_around, prepare_request};
use crate::scope::Security;

/// Starts children under a [`Security`] scope.
pub trait CommandExt {
    /// Starts the program as [`Command::spawn`] does, under the scope, proven. HOME, USER and LOGNAME follow the new
    /// user; of this process's descriptors, the child gets none but its standard streams.
    ///
    /// The program has to be named by an absolute path: the file that is looked at before has to be the one that is executed,
    /// whatever the child's `PATH` and working directory. A command is good for one start: any later one fails.
    ///
    /// # Errors
    /// Everything that stands in the way. This process is unchanged then, and no program was started.
    ///
    /// ```no_run
    /// use std::process::Command;
    /// use stepdown::{CommandExt, Security};
    ///
    /// let security = Security::from_text("built in", "Security { user = nobody  group = nogroup }")?;
    /// let mut child = Command::new("/usr/bin/id").spawn_under(&security)?;
    /// child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn spawn_under(&mut self, security: &Security) -> Result<Child, Error>;
}

impl CommandExt for Command {
    fn spawn_under(&mut self, security: &Security) -> Result<Child, Error> {
        let name = self.get_program().to_owned();
        if !name.as_bytes().starts_with(b"/") {
            return Err(Error::refused(vec![not_absolute(&name)]));
        }
        let end = End::Spawn(name.as_bytes());
        let ready = prepare_request(
            &security.request,
            security.findings.clone(),
            end,
            &[],
            &Environment::of_process(),
            security.capability_count,
            false,
        )
        .map_err(Error::from_refusal)?;
        for (name, value) in ready.policy.environment() {
            self.env(name, value);
        }
        let directory = ready.situation.chroot.and_then(Result::ok);
        let change = StepDown {
            policy: ready.policy,
            root: ready.root,
            directory,
            program: ready.program,
            capability_count: security.capability_count,
        };
        child::spawn(self, change).map_err(|error| Error::refused(vec![not_started(&name, &error)]))
    }
}

/// The change that the child makes to itself.
struct StepDown {
    policy: Policy,
    root: Option<OwnedFd>,
    directory: Option<Directory>,
    program: Option<Program>,
    capability_count: u8,
}

impl Change for StepDown {
    fn make(&self) -> Result<(), String> {
        let said = |finding: Box<Finding>| finding.to_string();
        let (witness, mut situation) =
            look_around(End::ExecuteSomething, &[], self.capability_count, false).map_err(said)?;
        situation.chroot = self.directory.map(Ok);
        let file = self.program.as_ref().map(|program| &program.file);
        transition_of_child(&self.policy, &situation, file, &witness, self.root.as_ref(), &[])
            .map(drop)
            .map_err(said)
    }
}

pub(crate) fn not_absolute(name: &OsStr) -> Finding {
    Finding::error("program-not-absolute", Cause::Host, format!("{} is not an absolute path", name.to_string_lossy()))
        .because("which file that is would depend on the child's PATH and working directory, and another could be looked at than executed")
        .hint("name the program by its whole path")
}

fn not_started(name: &OsStr, error: &SpawnError) -> Finding {
    let name = name.to_string_lossy();
    match error {
        SpawnError::Change(words) => {
            Finding::error("child-not-started", Cause::Host, format!("{name} was not started: {words}"))
                .because("the child has to be proven to be where the scope asks before it executes anything")
                .hint("look for a seccomp filter or a security module that interferes with this system call")
        }
        SpawnError::System(error) => Finding::error(
            "child-not-started",
            Cause::Host,
            format!("{name} was not started: {}", errno_of(error)),
        )
        .because("fork(2) failed, or the user of the scope may not execute the program")
        .hint("see fork(2) and execve(2), sections ERRORS"),
    }
}
