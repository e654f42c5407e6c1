//! Everything that a process can do about its credentials, as data, and where each leads: [`Step`] is the part of it that a
//! transition needs, this is the whole.
//!
//! For those who ask "what would happen if": auditors, container runtimes, the tests against the kernel. Sources: the
//! pages that [`Move::man_page`] names. Not for: plans, which are made of steps.

use alloc::boxed::Box;
use core::fmt;

use crate::capability::Capability;
use crate::credentials::{Credentials, Dumpable, Facts};
use crate::errno::Errno;
use crate::execve::{ProgramFile, predict_execution};
use crate::rule::Rule;
use crate::rules::ids::{self, Kind, UNCHANGED};
use crate::rules::{Committed, committed, known, predict};
use crate::step::Step;

/// A process of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What its thread may do.
    pub credentials: Credentials,
    /// Whether it may be looked into.
    pub dumpable: Dumpable,
}

/// Where a move leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The process afterwards.
    pub process: Process,
    /// What the call returns: the filesystem id before setfsuid(2) and setfsgid(2), 0 or 1 for a question; for execve(2),
    /// which does not return, `AT_SECURE` of getauxval(3); otherwise 0.
    pub answer: u32,
}

/// One system call about credentials. An id of [`UNCHANGED`] is the -1 that some calls give a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// One that a transition is made of.
    Step(Step),
    /// setuid(2), setgid(2).
    Set(Kind, u32),
    /// setreuid(2), setregid(2): real, effective.
    SetRe(Kind, u32, u32),
    /// setresuid(2), setresgid(2): real, effective, saved.
    SetRes(Kind, [u32; 3]),
    /// setfsuid(2), setfsgid(2).
    SetFilesystem(Kind, u32),
    /// Take a capability out of the ambient set, prctl(2) `PR_CAP_AMBIENT_LOWER`.
    LowerAmbient(Capability),
    /// Ask whether a capability is ambient, prctl(2) `PR_CAP_AMBIENT_IS_SET`.
    AskAmbient(Capability),
    /// prctl(2) `PR_SET_DUMPABLE`.
    SetDumpable(u32),
    /// execve(2).
    Execute(Box<Program>),
}

/// A program to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file that is named.
    pub file: ProgramFile,
    /// If that is a script, the file that its first line leads to in the end.
    pub interpreter: Option<ProgramFile>,
}

/// Where `step` leads from `from`.
///
/// # Errors
/// The error number that the call answers with; the process is then as before.
pub fn predict_move(facts: &Facts, from: &Process, step: &Move) -> Result<Outcome, Errno> {
    let mut credentials = from.credentials.clone();
    let mut dumpable = from.dumpable;
    let mut answer = 0;
    match step {
        Move::Step(step) => credentials = predict(facts, &from.credentials, step)?,
        Move::Set(kind, id) => ids::set(facts, &mut credentials, *kind, *id)?,
        Move::SetRe(kind, real, effective) => {
            ids::set_re(facts, &mut credentials, *kind, *real, *effective)?;
        }
        Move::SetRes(kind, wanted) => ids::set_res(facts, &mut credentials, *kind, *wanted)?,
        Move::SetFilesystem(kind, id) => {
            answer = kind.of(&mut credentials).filesystem;
            ids::set_filesystem(facts, &mut credentials, *kind, *id);
        }
        Move::LowerAmbient(capability) => {
            known(facts, *capability, Rule::AmbientKnown)?;
            credentials.ambient = credentials.ambient.without(*capability);
        }
        Move::AskAmbient(capability) => {
            known(facts, *capability, Rule::AmbientKnown)?;
            answer = u32::from(credentials.ambient.contains(*capability));
        }
        Move::SetDumpable(value) => {
            dumpable = match (*value, Rule::DumpableValue.when(*value > 1)) {
                (_, true) => return Err(Errno::INVAL),
                (0, false) => Dumpable::Not,
                (_, false) => Dumpable::Yes,
            };
        }
        Move::Execute(program) => {
            let execution = predict_execution(facts, &from.credentials, program.decisive())?;
            let process = Process { credentials: execution.credentials, dumpable: execution.dumpable };
            return Ok(Outcome { process, answer: u32::from(execution.secure) });
        }
    }
    if committed(&Committed::of(&from.credentials), &mut credentials) {
        dumpable = facts.features.suid_dumpable;
    }
    Ok(Outcome { process: Process { credentials, dumpable }, answer })
}

impl Program {
    /// The file whose bits and capabilities count.
    #[must_use]
    pub fn decisive(&self) -> &ProgramFile {
        match &self.interpreter {
            Some(interpreter) if Rule::ScriptInterpreter.when(true) => interpreter,
            _ => &self.file,
        }
    }
}

impl Move {
    /// The page of the manual that documents the call.
    #[must_use]
    pub fn man_page(&self) -> &'static str {
        match self {
            Move::Step(step) => step.man_page(),
            Move::Set(Kind::User, _) => "setuid(2)",
            Move::Set(Kind::Group, _) => "setgid(2)",
            Move::SetRe(..) => "setreuid(2)",
            Move::SetRes(..) => "setresuid(2)",
            Move::SetFilesystem(Kind::User, _) => "setfsuid(2)",
            Move::SetFilesystem(Kind::Group, _) => "setfsgid(2)",
            Move::LowerAmbient(_) | Move::AskAmbient(_) | Move::SetDumpable(_) => "prctl(2)",
            Move::Execute(_) => "execve(2)",
        }
    }
}

/// As a person would write the call: `setresuid(994, -1, 0)`. A step is in words.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |kind: &Kind| if *kind == Kind::User { 'u' } else { 'g' };
        match self {
            Move::Step(step) => write!(f, "{step}"),
            Move::Set(kind, id) => write!(f, "set{}id({})", letter(kind), Id(*id)),
            Move::SetRe(kind, real, effective) => {
                write!(f, "setre{}id({}, {})", letter(kind), Id(*real), Id(*effective))
            }
            Move::SetRes(kind, [real, effective, saved]) => {
                write!(f, "setres{}id({}, {}, {})", letter(kind), Id(*real), Id(*effective), Id(*saved))
            }
            Move::SetFilesystem(kind, id) => write!(f, "setfs{}id({})", letter(kind), Id(*id)),
            Move::LowerAmbient(capability) => write!(f, "take {capability} out of the ambient set"),
            Move::AskAmbient(capability) => write!(f, "ask whether {capability} is ambient"),
            Move::SetDumpable(value) => write!(f, "set dumpable to {value}"),
            Move::Execute(program) => write!(f, "execute {program}"),
        }
    }
}

/// In words: `a file of user 0 and group 0, set-user-id, with cap_net_raw=ep`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Words(&self.file))?;
        match &self.interpreter {
            Some(interpreter) => write!(f, ", a script for {}", Words(interpreter)),
            None => Ok(()),
        }
    }
}

struct Id(u32);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == UNCHANGED { f.write_str("-1") } else { write!(f, "{}", self.0) }
    }
}

struct Words<'a>(&'a ProgramFile);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProgramFile { path: _, owner, group, set_user_id, set_group_id, capabilities, nosuid } = self.0;
        write!(f, "a file of user {owner} and group {group}")?;
        for (is, words) in [
            (set_user_id, ", set-user-id"),
            (set_group_id, ", set-group-id"),
            (nosuid, ", on a nosuid mount"),
        ] {
            if *is {
                f.write_str(words)?;
            }
        }
        if let Some(capabilities) = capabilities {
            write!(f, ", with {capabilities}")?;
        }
        Ok(())
    }
}
