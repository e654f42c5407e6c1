//! One case: moves from the state that a world begins in and perhaps a program executed at the end, done for real by a
//! process of its own, and predicted by the rules.

use std::fmt;
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{PermissionsExt, chown};

use stepdown_kernel::observe::Witness;
use stepdown_kernel::perform;
use stepdown_security::credentials::differences;
use stepdown_security::errno::Errno;
use stepdown_security::execve::{Attribute, ProgramFile};
use stepdown_security::moves::{Move, Outcome, Process, Program, predict_move};
use stepdown_security::rules::ids::Kind;
use stepdown_security::step::Step;

use crate::REPORT;
use crate::place::{Executable, Place, World};
use crate::raw;
use crate::record::{Record, SIZE};

/// The descriptor that a program reports to.
pub(crate) const REPORT_TO: i32 = 200;

/// The descriptor of what is executed.
const EXECUTED: i32 = 201;

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) moves: Vec<Move>,
    pub(crate) program: Option<Built>,
    /// Whether `stepdown_kernel::observe` is asked at the end, too.
    pub(crate) witness: bool,
}

/// A program to be made: its file, and the script for it, if that is what is executed.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) file: Bits,
    pub(crate) script: Option<Bits>,
}

/// What of a file decides, with ids as they are outside of the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits {
    /// 1 for the one that is `nosuid`.
    pub(crate) mount: usize,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) mode: u32,
    pub(crate) attribute: Option<Attribute>,
}

/// A predicted move: the process before it, and what comes of it.
type Predicted = (Process, Result<Outcome, Errno>);

impl Case {
    /// Where kernel and rules disagree: the place of the move, and in what. Nothing if they agree.
    pub(crate) fn disagreement(
        &self,
        world: &World,
        place: &Place,
        start: &Process,
    ) -> Option<(usize, Vec<String>)> {
        let found = match self.real(world, place) {
            Ok(records) => records,
            Err(why) => return Some((0, vec![why])),
        };
        if let Some(built) = &self.program {
            let seen = built.file.seen_attribute(world);
            let length = usize::try_from(found[0].attribute[0]).unwrap_or(0);
            let bytes: Vec<u8> = found[0].attribute[1..].iter().flat_map(|word| word.to_ne_bytes()).collect();
            let shown = Attribute::parse(&bytes[..length]);
            if shown != seen {
                return Some((0, vec![format!("attribute: {seen:?} by the test, {shown:?} by the kernel")]));
            }
        }
        let unchanged = Ok(Outcome { process: start.clone(), answer: 0 });
        let first = (start.clone(), unchanged);
        let predicted = [first].into_iter().chain(self.predicted(world, start));
        for (index, ((before, expected), record)) in predicted.zip(&found).enumerate() {
            let list = record.differences(&before, &expected);
            if !list.is_empty() {
                return Some((index, list.into_iter().collect()));
            }
        }
        None
    }

    /// What the rules say, move by move.
    fn predicted(&self, world: &World, start: &Process) -> Vec<Predicted> {
        let mut state = start.clone();
        let execute = self.program.as_ref().map(|built| Move::Execute(Box::new(built.seen(world))));
        self.moves
            .iter()
            .chain(&execute)
            .map(|step| {
                let (before, outcome) = predict(world, &state, step);
                state = outcome.as_ref().map_or_else(|_| before.clone(), |outcome| outcome.process.clone());
                (before, outcome)
            })
            .collect()
    }

    /// What the kernel makes of it, in a process of its own: the start, and after every move.
    pub(crate) fn real(&self, world: &World, place: &Place) -> Result<Vec<Record>, String> {
        let executable = self.program.as_ref().map(|built| built.make(place));
        let (mut from, to) = std::io::pipe().map_err(|error| error.to_string())?;
        let child = raw::fork().map_err(|errno| format!("fork: {errno}"))?;
        if child == 0 {
            raw::duplicate(to.as_raw_fd(), REPORT_TO);
            raw::exit(self.go(world, place, executable));
        }
        drop(to);
        let mut bytes = Vec::with_capacity(SIZE * 32);
        let read = from.read_to_end(&mut bytes);
        let status = raw::wait(child);
        let records: Vec<Record> = bytes.chunks_exact(SIZE).map(Record::read).collect();
        let count = 1 + self.moves.len() + usize::from(self.program.is_some());
        if status != 0 || read.is_err() || records.len() != count {
            return Err(format!(
                "the process ended with {status}, after {} of {count} reports",
                records.len()
            ));
        }
        Ok(records)
    }

    /// In the child: the moves. What is to be reported is written at once, before execve(2).
    fn go(&self, world: &World, place: &Place, executable: Option<&Executable>) -> i32 {
        if world.enter().is_err() {
            return 3;
        }
        let witness = if self.witness { Witness::open().ok() } else { None };
        let mut report = Vec::with_capacity(SIZE * (self.moves.len() + 2));
        let mut record = raw::observe();
        record.answer = 0;
        if let Some(built) = &self.program {
            let mut bytes = [0; 24];
            record.attribute[0] = raw::attribute(&place.programs[built.file.mount].path, &mut bytes);
            for (word, bytes) in record.attribute[1..].iter_mut().zip(bytes.chunks_exact(8)) {
                *word = i64::from_ne_bytes(bytes.try_into().unwrap_or_default());
            }
        }
        record.write(&mut report);
        for (index, step) in self.moves.iter().enumerate() {
            let done = perform(step, place);
            let last = index + 1 == self.moves.len();
            let about = match step {
                Move::Step(Step::DropBounding(capability)) => 1 << capability.number(),
                _ => 0,
            };
            let before = record;
            record = if last { raw::observe() } else { raw::observe_between(&before, about) };
            record.errno = done.err().unwrap_or(0) as u32;
            record.answer = done.unwrap_or(0);
            if last && record.group_count as usize <= record.groups.len() {
                record.other_witness =
                    u32::from(witness.as_ref().is_some_and(|witness| !agrees(witness, record)));
            }
            record.write(&mut report);
        }
        raw::write(REPORT_TO, &report);
        let Some(executable) = executable else { return 0 };
        // A copy that execve(2) does not close: the interpreter of a script would not find the script.
        raw::duplicate(executable.descriptor(), EXECUTED);
        let errno = raw::execute(EXECUTED, c"agree", REPORT);
        let mut record = raw::observe();
        record.errno = errno as u32;
        report.clear();
        record.write(&mut report);
        raw::write(REPORT_TO, &report);
        0
    }
}

/// What the rules say of one move, and the process before it. A step into a new root begins in that directory: `perform`
/// goes there before it calls chroot(2), which may then fail.
pub(crate) fn predict(world: &World, from: &Process, step: &Move) -> Predicted {
    let mut before = from.clone();
    if let Move::Step(Step::Chroot { directory }) = step {
        before.credentials.working_directory = *directory;
    }
    let outcome = predict_move(&world.facts, &before, step);
    (before, outcome)
}

/// Does it: the steps as `stepdown` does them, the other moves by the bare call.
fn perform(step: &Move, place: &Place) -> raw::Result<u32> {
    let by = |kind: &Kind, user, group| if *kind == Kind::User { user } else { group };
    match step {
        Move::Step(step) => {
            let root = match step {
                Step::Chroot { directory } => place.directories.iter().find(|(_, is)| is == directory),
                _ => None,
            };
            perform::perform(step, root.map(|(file, _)| file.as_fd())).map(|()| 0).map_err(|errno| errno.0)
        }
        Move::Set(kind, id) => raw::call(by(kind, libc::SYS_setuid, libc::SYS_setgid), [u64::from(*id)]),
        Move::SetRe(kind, real, effective) => {
            raw::call(by(kind, libc::SYS_setreuid, libc::SYS_setregid), [*real, *effective].map(u64::from))
        }
        Move::SetRes(kind, ids) => {
            raw::call(by(kind, libc::SYS_setresuid, libc::SYS_setresgid), ids.map(u64::from))
        }
        Move::SetFilesystem(kind, id) => {
            raw::call(by(kind, libc::SYS_setfsuid, libc::SYS_setfsgid), [u64::from(*id)])
        }
        Move::LowerAmbient(capability) => raw::prctl(
            libc::PR_CAP_AMBIENT,
            [libc::PR_CAP_AMBIENT_LOWER as u64, u64::from(capability.number())],
        ),
        Move::AskAmbient(capability) => raw::prctl(
            libc::PR_CAP_AMBIENT,
            [libc::PR_CAP_AMBIENT_IS_SET as u64, u64::from(capability.number())],
        ),
        Move::SetDumpable(value) => raw::prctl(libc::PR_SET_DUMPABLE, [u64::from(*value), 0]),
        Move::Execute(_) => Err(libc::ENOSYS),
    }
}

/// Whether the part of Stepdown that observes says the same as the system calls.
fn agrees(witness: &Witness, record: Record) -> bool {
    let mut record = record;
    let count = record.group_count as usize;
    record.groups[..count].sort_unstable();
    let status = witness.threads().ok().and_then(|mut threads| threads.pop());
    status
        .and_then(|status| witness.credentials(status).ok())
        .is_some_and(|credentials| differences(&record.process().credentials, &credentials).is_empty())
}

impl Built {
    /// The program as the rules take it.
    pub(crate) fn seen(&self, world: &World) -> Program {
        match &self.script {
            None => Program { file: self.file.seen(world), interpreter: None },
            Some(script) => Program { file: script.seen(world), interpreter: Some(self.file.seen(world)) },
        }
    }

    /// Gives the files their bits, and says which is to be executed.
    fn make<'a>(&self, place: &'a Place) -> &'a Executable {
        let program = &place.programs[self.file.mount];
        self.file.give(program);
        match &self.script {
            None => program,
            Some(script) => {
                let file = &place.scripts[script.mount][self.file.mount];
                script.give(file);
                file
            }
        }
    }
}

impl Bits {
    fn give(&self, file: &Executable) {
        let path = file.path.to_str().expect("made by this test");
        // In this order: a new owner takes the bits and the attribute away.
        chown(path, Some(self.owner), Some(self.group)).expect("chown(2) of root");
        fs::set_permissions(path, fs::Permissions::from_mode(self.mode)).expect("chmod(2) of root");
        match self.attribute {
            Some(attribute) => {
                raw::set_attribute(&file.path, Some(&attribute.bytes())).expect("setxattr(2) of root");
            }
            None => {
                let _ = raw::set_attribute(&file.path, None);
            }
        }
    }

    /// The attribute as getxattr(2) shows it in the world: revision 2 for that of a user 0 who has no other id there.
    fn seen_attribute(&self, world: &World) -> Option<Attribute> {
        let attribute = self.attribute?;
        let root = attribute.root.unwrap_or(0);
        let shown = world.inside(root);
        match shown {
            Some(id) if id != 0 => Some(Attribute { root: Some(id), ..attribute }),
            _ if root == 0 || root == world.owner() => Some(Attribute { root: None, ..attribute }),
            // EOVERFLOW, and execve(2) takes no notice of it.
            _ => None,
        }
    }

    fn seen(&self, world: &World) -> ProgramFile {
        // The id that is shown for those that do not exist in a namespace, which exists in none of the test's.
        let id = |id: u32| world.inside(id).unwrap_or(65534);
        ProgramFile {
            path: String::new(),
            owner: id(self.owner),
            group: id(self.group),
            set_user_id: self.mode & 0o4000 != 0,
            set_group_id: self.mode & 0o2010 == 0o2010,
            capabilities: self.seen_attribute(world).and_then(|attribute| attribute.counts(&world.facts)),
            nosuid: self.mount == 1,
        }
    }
}

/// As a list of what is done.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.moves.iter().enumerate() {
            writeln!(f, "  {}. {step}", index + 1)?;
        }
        if let Some(Built { file, script }) = &self.program {
            let (mode, attribute) = (file.mode, file.attribute);
            write!(f, "  {}. execute ", self.moves.len() + 1)?;
            if let Some(script) = script {
                write!(
                    f,
                    "a script of {}:{} {:o} {}, for ",
                    script.owner,
                    script.group,
                    script.mode,
                    mounted(script)
                )?;
            }
            write!(f, "a file of {}:{} {mode:o} {}", file.owner, file.group, mounted(file))?;
            if let Some(Attribute { capabilities, root }) = attribute {
                write!(f, ", {capabilities}")?;
                if let Some(root) = root {
                    write!(f, " of the namespace of {root}")?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn mounted(bits: &Bits) -> &'static str {
    if bits.mount == 1 { "(nosuid)" } else { "" }
}
