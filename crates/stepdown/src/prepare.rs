//! From a configuration to a transition that is ready to be performed, the process still being untouched.
//!
//! Everything that can be refused is refused here: the text, the names, what this host allows, the program.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Config, Finding, shell_word};
use stepdown_kernel::environment::Environment;
use stepdown_kernel::observe::{Status, Witness};
use stepdown_kernel::program::{self, Program, ProgramError};
use stepdown_kernel::{AsFd, Error, OwnedFd, accounts, descriptors, host, trust};
use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Directory, Ids};
use stepdown_security::plan::{Plan, findings_without_names, plan};
use stepdown_security::policy::Policy;
use stepdown_security::request::Request;
use stepdown_security::situation::{Purpose, Situation};

#[cfg(feature = "std")]
use crate::threads;

/// A transition that is ready: nothing has changed yet.
#[derive(Debug)]
pub struct Ready {
    /// What is asked for.
    pub policy: Policy,
    /// Where the process stands.
    pub situation: Situation,
    /// The steps, and the state they must lead to.
    pub plan: Plan,
    /// The program to execute, where one was named.
    pub program: Option<Program>,
    /// Warnings and notes, from the files to the plan.
    pub findings: Vec<Finding>,
    pub(crate) witness: Witness,
    pub(crate) root: Option<OwnedFd>,
    /// Whether a program is executed at the end, which gets no descriptors but those passed on purpose.
    pub(crate) executes: bool,
}

/// What is to happen at the end of the transition.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// This program is executed by this process: its name or path, as execvp(3) takes it.
    Execute(&'a [u8]),
    /// Some program is executed, which is not known yet.
    ExecuteSomething,
    /// This program, an absolute path, is executed by a child, which has one thread however many this process has.
    #[cfg(feature = "std")]
    Spawn(&'a [u8]),
    /// The process goes on itself.
    #[cfg(feature = "std")]
    Stay,
    /// Nothing will be done: what would be, if this program were executed. A process that is not root is looked at as if it
    /// were, with all capabilities of its bounding set.
    #[cfg(feature = "std")]
    Forecast(Option<&'a [u8]>),
}

impl<'a> End<'a> {
    /// The program that is executed, where it is known.
    fn program(self) -> Option<&'a [u8]> {
        match self {
            End::Execute(name) => Some(name),
            End::ExecuteSomething => None,
            #[cfg(feature = "std")]
            End::Spawn(name) | End::Forecast(Some(name)) => Some(name),
            #[cfg(feature = "std")]
            End::Stay | End::Forecast(None) => None,
        }
    }

    /// Whether the process goes on itself. A launcher's never does.
    fn stays(self) -> bool {
        #[cfg(feature = "std")]
        return matches!(self, End::Stay);
        #[cfg(not(feature = "std"))]
        false
    }

    /// Whether nothing will be done.
    fn is_forecast(self) -> bool {
        #[cfg(feature = "std")]
        return matches!(self, End::Forecast(_));
        #[cfg(not(feature = "std"))]
        false
    }

    /// Whether the process may have these threads.
    fn suits(self, threads: &[Status]) -> Result<(), Box<Finding>> {
        match self {
            End::Execute(_) | End::ExecuteSomething if threads.len() > 1 => Err(several(threads.len())),
            #[cfg(feature = "std")]
            End::Stay => threads::alike(threads),
            _ => Ok(()),
        }
    }
}

/// Why there is nothing ready.
#[derive(Debug)]
pub enum Refusal {
    /// These findings, at least one of them an error; warnings and notes among them.
    Findings(Vec<Finding>),
    /// The program can't be executed; everything else is as it should be.
    Program(Box<ProgramError>),
}

/// Prepares the transition that the `Security` scope of `config` asks for. `pass` are the descriptors above 2 that the
/// program is to get; `environment` has the `PATH` that the program is looked for along.
///
/// # Errors
/// All that is wrong, see [`Refusal`]. Nothing has changed then, and nothing has when this succeeds.
pub fn prepare(
    config: &Config,
    end: End<'_>,
    pass: &[i32],
    environment: &Environment,
) -> Result<Ready, Refusal> {
    prepare_for(config, end, pass, environment, true)
}

/// As [`prepare`]. Where nobody will see a warning, what only `warnings` come from is not looked at.
///
/// # Errors
/// As for [`prepare`].
pub fn prepare_for(
    config: &Config,
    end: End<'_>,
    pass: &[i32],
    environment: &Environment,
    warnings: bool,
) -> Result<Ready, Refusal> {
    let capability_count = host::capability_count();
    let (request, findings) = read(config, capability_count).map_err(Refusal::Findings)?;
    prepare_request(&request, findings, end, pass, environment, capability_count, warnings)
}

/// The scope of a configuration as a request, with the warnings of the files and of the text.
pub(crate) fn read(config: &Config, capability_count: u8) -> Result<(Request, Vec<Finding>), Vec<Finding>> {
    let mut findings = config.notes().to_vec();
    match Request::read(config, capability_count) {
        Ok((request, warnings)) => {
            findings.extend(warnings);
            Ok((request, findings))
        }
        Err(errors) => {
            findings.extend(errors);
            Err(findings)
        }
    }
}

/// As [`prepare`], from a request and what was found when it was read.
pub(crate) fn prepare_request(
    request: &Request,
    mut findings: Vec<Finding>,
    end: End<'_>,
    pass: &[i32],
    environment: &Environment,
    capability_count: u8,
    warnings: bool,
) -> Result<Ready, Refusal> {
    let (witness, mut situation) = match look_around(end, pass, capability_count, warnings) {
        Ok(seen) => seen,
        Err(finding) => {
            findings.push(*finding);
            return Err(Refusal::Findings(findings));
        }
    };
    let root = match request.chroot.as_ref().map(|chroot| host::open_directory(&chroot.value)) {
        None => None,
        Some(Ok((root, directory))) => {
            findings.extend(look_at_chroot(request, &situation, directory));
            if findings.iter().any(Finding::is_error) {
                return Err(Refusal::Findings(findings));
            }
            situation.chroot = Some(Ok(directory));
            Some(root)
        }
        Some(Err(errno)) => {
            situation.chroot = Some(Err(errno));
            None
        }
    };
    let policy = match request.resolve(&accounts::answer(&request.questions())) {
        Ok(policy) => policy,
        Err(errors) => {
            findings.extend(errors);
            let purpose = if end.stays() { Purpose::Stay } else { Purpose::Execute(None) };
            findings.extend(findings_without_names(request, &situation, purpose));
            return Err(Refusal::Findings(findings));
        }
    };
    // With a chroot directory that can't be opened, there is nowhere to look.
    let name = end.program().filter(|_| !matches!(situation.chroot, Some(Err(_))));
    let program =
        name.map(|name| program::find(name, search_path(environment), root.as_ref().map(AsFd::as_fd)));
    let purpose = match &program {
        _ if end.stays() => Purpose::Stay,
        Some(Ok(program)) => Purpose::Execute(Some(&program.file)),
        _ => Purpose::Execute(None),
    };
    let mut plan = match plan(&policy, &situation, purpose) {
        Ok(plan) => plan,
        Err(errors) => {
            findings.extend(errors);
            return Err(Refusal::Findings(findings));
        }
    };
    findings.append(&mut plan.findings);
    let executes = !end.stays();
    let program = program.transpose().map_err(|error| Refusal::Program(Box::new(error)))?;
    Ok(Ready { policy, situation, plan, program, findings, witness, root, executes })
}

/// Reads where the process stands.
pub(crate) fn look_around(
    end: End<'_>,
    pass: &[i32],
    capability_count: u8,
    warnings: bool,
) -> Result<(Witness, Situation), Box<Finding>> {
    let no_proof = |error: Error| {
        Box::new(
            Finding::error("no-proc", Cause::Host, format!("/proc/self can't be read: {error}"))
                .because(
                    "it is the kernel's own account of every thread, and without it nothing could be proven",
                )
                .hint("mount -t proc proc /proc"),
        )
    };
    // Before anything is opened: a number that is free now could soon be one of our own, and would be passed on.
    let mut descriptors = descriptors::passed(pass).map_err(|number| {
        Box::new(
            Finding::error("descriptor-not-open", Cause::Host, format!("descriptor {number} is not open"))
                .because("it was to be passed to the program")
                .hint("open it where the program is started, such as 3<file in a shell"),
        )
    })?;
    if end.stays() {
        // A process that goes on itself keeps all that it has open, and what is a directory leads out of a chroot.
        descriptors.extend(descriptors::directories_above_standard().map_err(no_proof)?);
    }
    let witness = Witness::open().map_err(no_proof)?;
    let mut threads = witness.threads().map_err(no_proof)?;
    end.suits(&threads)?;
    let mut start = witness.credentials(threads.remove(0)).map_err(no_proof)?;
    if end.is_forecast() && start.uid.effective != 0 {
        start = as_root(start);
    }
    let facts = host::facts(&witness, capability_count).map_err(no_proof)?;
    let terminal_injection = warnings
        && (descriptors.iter().any(|descriptor| descriptor.terminal) || host::has_controlling_terminal())
        && host::terminal_injection();
    Ok((witness, Situation { facts, start, chroot: None, descriptors, terminal_injection }))
}

/// Whether the directory of `Chroot` is where it seems to be, and will stay so: nobody else may change what the path leads to,
/// and it may not lead back to where the process is.
fn look_at_chroot(request: &Request, situation: &Situation, directory: Directory) -> Option<Finding> {
    let chroot = request.chroot.as_ref()?;
    let path = &chroot.value;
    let place = chroot.origin.place();
    if directory == situation.start.root && path != "/" {
        return Some(
            Finding::error(
                "chroot-nowhere",
                Cause::Host,
                format!("{path} is the root directory that the process has already"),
            )
            .because("a link on the way, or the path itself, leads back to it")
            .hint(format!("see `namei -l {}`; to enter none, leave Chroot out or write /", shell_word(path)))
            .at_if(place),
        );
    }
    if !trust::is_privileged() {
        return None;
    }
    match trust::way(path.as_bytes()) {
        // It was opened a moment ago; what is wrong with it now is said where it is used.
        Err(_) => None,
        Ok(Err(untrusted)) => Some(
            Finding::error(
                "chroot-not-trusted",
                Cause::Host,
                format!(
                    "{path} is not trusted as the root directory because of {}: {}",
                    untrusted.what, untrusted.how
                ),
            )
            .because("whoever can change what the path leads to decides what the server is locked into")
            .hint(format!("chown root {0} && chmod go-w {0}", shell_word(&untrusted.what)))
            .at_if(place),
        ),
        Ok(Ok(status)) => {
            let how = trust::writable_by_others(&status, true)?;
            Some(
                Finding::warning("chroot-writable", Cause::Host, format!("{path} is not root's alone: {how}"))
                    .because("whoever can write to the root directory can put a library or an account into it that the server takes for the system's")
                    .hint(format!("chown root {0} && chmod go-w {0}", shell_word(path)))
                    .at_if(place),
            )
        }
    }
}

/// The same process, had it been started as root.
fn as_root(start: Credentials) -> Credentials {
    Credentials {
        uid: Ids::all(0),
        gid: Ids::all(0),
        groups: Vec::new(),
        permitted: start.bounding,
        effective: start.bounding,
        inheritable: CapSet::EMPTY,
        ambient: CapSet::EMPTY,
        no_new_privs: false,
        ..start
    }
}

/// The refusal of a process that would execute a program, with several threads.
fn several(threads: usize) -> Box<Finding> {
    Box::new(
        Finding::error(
            "several-threads",
            Cause::Host,
            format!("this process has {threads} threads, and credentials belong to threads"),
        )
        .because("a program is executed by a process that has one; another thread would be root until then")
        .hint("look for LD_PRELOAD where nothing should have started a thread"),
    )
}

fn search_path(environment: &Environment) -> &[u8] {
    environment.variable("PATH").unwrap_or(program::DEFAULT_PATH.as_bytes())
}
