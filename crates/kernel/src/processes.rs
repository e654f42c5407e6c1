//! Looks at any process of this host: every thread's status, and what else `/proc` tells of it, proc(5),
//! proc_pid_status(5), proc_pid_root(5).
//!
//! A process is held by its directory from the first look to the last, so that a number which is given to another one
//! meanwhile can't mix the two. Not for proofs: those are about this process, see [`crate::observe`].

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat};

use crate::observe::Status;

/// A process as it was found.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its parent's id; 0 where that is outside of this process id namespace.
    pub parent: u32,
    /// Its command's name, at most 15 bytes, `comm`.
    pub name: String,
    /// Its first thread and then every other one by id. One that ended meanwhile is not among them.
    pub threads: Vec<Thread>,
    /// Its root directory as this process would name it; or why that can't be told.
    pub root: Result<String, Unseen>,
}

/// A thread as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// What it is doing: `S` sleeping, `R` running, `Z` ended but not yet waited for, and so on.
    pub state: char,
    /// What it holds.
    pub status: Status,
    /// What filters its system calls.
    pub seccomp: Seccomp,
}

/// How the system calls of a thread are filtered, seccomp(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// They are not.
    Off,
    /// Only read, write, return from a signal, and exit.
    Strict,
    /// By so many programs; `None` where the kernel doesn't tell, before Linux 5.9.
    Filters(Option<u32>),
    /// The kernel is built without it.
    Unknown,
}

/// Why the root directory of a process can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// It takes the right to trace the process, ptrace(2).
    Denied,
    /// The process has none: it has ended, or belongs to the kernel.
    None,
}

/// Why a process can't be read.
#[derive(Debug)]
pub enum ReadError {
    /// There is none of that id, or `/proc` hides it.
    NotThere,
    /// There was one, and it ended while it was read.
    Ended,
    /// The id is that of a thread; its process has this one.
    ThreadOf(u32),
    /// `/proc` could not be read.
    System(io::Error),
}

/// Reads the process of that id.
///
/// # Errors
/// See [`ReadError`].
pub fn read(id: u32) -> Result<Process, ReadError> {
    let directory = match openat(CWD, format!("/proc/{id}").as_str(), DIRECTORY, Mode::empty()) {
        Ok(directory) => directory,
        Err(error) => return Err(at_the_door(error.into())),
    };
    let first = text(&directory, "status").map_err(at_the_door)?;
    match number(&first, "Tgid") {
        Some(process) if process != id => return Err(ReadError::ThreadOf(process)),
        _ => {}
    }
    let parent = number(&first, "PPid").unwrap_or(0);
    let mut threads = vec![thread(&first).map_err(ReadError::System)?];
    let listing = openat(&directory, "task", DIRECTORY, Mode::empty());
    let listing = listing.map_err(|error| inside(error.into()))?;
    let mut others = numbers(&listing).map_err(inside)?;
    others.retain(|other| *other != id);
    for other in others {
        match text(&listing, &format!("{other}/status")) {
            Ok(status) => threads.push(thread(&status).map_err(ReadError::System)?),
            Err(error) if ended(&error) => {}
            Err(error) => return Err(ReadError::System(error)),
        }
    }
    let root = match readlinkat(&directory, "root", Vec::new()) {
        Ok(path) => Ok(path.to_string_lossy().into_owned()),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Err(Unseen::Denied),
        Err(_) => Err(Unseen::None),
    };
    // A process that ended in between has lost its threads one by one, and what was read is no state it was ever in.
    text(&directory, "status").map_err(inside)?;
    let name = threads[0].name.clone();
    Ok(Process { id, parent, name, threads, root })
}

/// The id and the command's name of every process that `/proc` shows, by id.
///
/// # Errors
/// Where `/proc` is not mounted or not readable.
pub fn names() -> io::Result<Vec<(u32, String)>> {
    let proc = openat(CWD, "/proc", DIRECTORY, Mode::empty())?;
    let mut list = Vec::new();
    for id in numbers(&proc)? {
        // One that has ended since, or that is hidden, has no name to be found by.
        if let Ok(name) = text(&proc, &format!("{id}/comm")) {
            list.push((id, name.trim_end_matches('\n').to_owned()));
        }
    }
    Ok(list)
}

/// Whether a process of that command's name is what `wanted` names: the kernel keeps the first 15 bytes.
#[must_use]
pub fn is_named(name: &str, wanted: &str) -> bool {
    const KEPT: usize = 15;
    name == wanted || (wanted.len() > KEPT && name.len() == KEPT && wanted.starts_with(name))
}

/// The value of the mount option `hidepid` of `/proc`, where it hides processes of other users, proc(5).
#[must_use]
pub fn hidden() -> Option<String> {
    let mounts = text(&openat(CWD, "/proc/self", DIRECTORY, Mode::empty()).ok()?, "mountinfo").ok()?;
    // What is mounted last lies on top.
    let options = mounts.lines().rev().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let here = mount.split(' ').nth(4) == Some("/proc") && filesystem.starts_with("proc ");
        here.then(|| filesystem.rsplit(' ').next())?
    })?;
    let value = options.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
    (!matches!(value, "0" | "off")).then(|| value.to_owned())
}

/// The id of this process, and that of its parent, getpid(2).
#[must_use]
pub fn own() -> (u32, Option<u32>) {
    let parent = rustix::process::getppid().map(|id| id.as_raw_nonzero().get().cast_unsigned());
    (std::process::id(), parent)
}

/// The secure bits of the calling thread, prctl(2) `PR_GET_SECUREBITS`; there is no way to ask for another's.
///
/// # Errors
/// What the system call answered.
pub fn own_securebits() -> io::Result<u32> {
    Ok(rustix::thread::capabilities_secure_bits()?.bits())
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What an error means before anything of the process was seen.
fn at_the_door(error: io::Error) -> ReadError {
    if ended(&error) { ReadError::NotThere } else { ReadError::System(error) }
}

/// What it means afterwards.
fn inside(error: io::Error) -> ReadError {
    if ended(&error) { ReadError::Ended } else { ReadError::System(error) }
}

fn ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Reads a file of `/proc` whole.
fn text(directory: &OwnedFd, path: &str) -> io::Result<String> {
    let file = openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The entries of a directory that are numbers, in order.
fn numbers(directory: &OwnedFd) -> io::Result<Vec<u32>> {
    let mut list = Vec::new();
    for entry in Dir::read_from(directory)? {
        list.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    list.sort_unstable();
    Ok(list)
}

fn thread(text: &str) -> io::Result<Thread> {
    let status = Status::parse(text).map_err(|line| io::Error::new(io::ErrorKind::InvalidData, line))?;
    let seccomp = match number(text, "Seccomp") {
        None => Seccomp::Unknown,
        Some(0) => Seccomp::Off,
        Some(1) => Seccomp::Strict,
        Some(_) => Seccomp::Filters(number(text, "Seccomp_filters")),
    };
    let name = field(text, "Name").map(unescape).unwrap_or_default();
    let state = field(text, "State").and_then(|state| state.chars().next()).unwrap_or('?');
    Ok(Thread { name, state, status, seccomp })
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))
}

fn number(text: &str, name: &str) -> Option<u32> {
    field(text, name)?.trim().parse().ok()
}

/// A name as the status has it: with a backslash and a line feed escaped, and nothing else.
fn unescape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (replaced, length) = match rest.as_bytes().get(at + 1) {
            Some(b'n') => ('\n', 2),
            Some(b'\\') => ('\\', 2),
            _ => ('\\', 1),
        };
        text.push(replaced);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read_with_all_its_threads() {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let waiting =
            std::thread::Builder::new().name("a waiter".into()).spawn(move || receive.recv()).unwrap();
        // The name is set by the thread itself.
        while !names_of_threads().contains(&"a waiter".to_owned()) {
            std::thread::yield_now();
        }
        let (id, parent) = own();
        let process = read(id).unwrap();
        assert_eq!((process.id, Some(process.parent)), (id, parent));
        assert_eq!(process.threads[0].status.thread, id);
        assert!(process.threads.len() > 1);
        assert!(process.threads.windows(2).skip(1).all(|pair| pair[0].status.thread < pair[1].status.thread));
        assert_eq!(process.root, Ok("/".to_owned()));
        let other = process.threads.iter().find(|thread| thread.name == "a waiter").unwrap();
        assert!(matches!(read(other.status.thread), Err(ReadError::ThreadOf(process)) if process == id));
        drop(send);
        assert!(waiting.join().unwrap().is_err());
    }

    fn names_of_threads() -> Vec<String> {
        read(std::process::id()).unwrap().threads.into_iter().map(|thread| thread.name).collect()
    }

    #[test]
    fn a_process_that_is_not_there_is_told_from_one_that_ends() {
        assert!(matches!(read(u32::MAX), Err(ReadError::NotThere)));
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let directory =
            openat(CWD, format!("/proc/{}", child.id()).as_str(), DIRECTORY, Mode::empty()).unwrap();
        assert!(text(&directory, "status").is_ok());
        drop(child.stdin.take());
        child.wait().unwrap();
        let error = text(&directory, "status").unwrap_err();
        assert!(matches!(inside(error), ReadError::Ended));
    }

    #[test]
    fn processes_are_found_by_the_name_the_kernel_keeps() {
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        let id = std::process::id();
        assert!(names().unwrap().contains(&(id, own.trim_end().to_owned())));
        assert!(
            is_named("nginx", "nginx") && !is_named("nginx", "nginx-debug") && !is_named("nginx", "ngin")
        );
        assert!(is_named("a-name-of-fifte", "a-name-of-fifteen-and-more"));
        assert!(!is_named("a-name-of-four", "a-name-of-fourteen"));
    }

    #[test]
    fn what_a_status_may_say() {
        assert_eq!(unescape(r"a\nb\\c\d"), "a\nb\\c\\d");
        assert_eq!(number("Tgid:\t12\nNgid:\t0\n", "Tgid"), Some(12));
        assert_eq!(number("Seccomp:\t2\nSeccomp_filters:\t3\n", "Seccomp"), Some(2));
        assert_eq!(number("Seccomp:\t2\nSeccomp_filters:\t3\n", "Seccomp_filters"), Some(3));
    }
}
