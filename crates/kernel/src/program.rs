//! Finds the program to execute and looks at what of its file decides about credentials.
//!
//! Follows execvp(3) for the search along `PATH`, execve(2) for interpreter scripts, capabilities(7) for
//! `security.capability`, path_resolution(7) inside the new root directory. What is found is a forecast: the
//! kernel looks at the file again when it executes it, and the limits set before hold whatever it then is.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    Mode, OFlags, ResolveFlags, StatVfsMountFlags, fgetxattr, fstat, fstatvfs, openat, openat2,
};
use stepdown_security::capability::CapSet;
use stepdown_security::errno::Errno;
use stepdown_security::execve::{FileCapabilities, ProgramFile};

/// A program that was found.
#[derive(Clone, Debug)]
pub struct Program {
    /// The path to execute, as seen from inside the new root directory.
    pub path: CString,
    /// The file that the kernel will finally execute: the interpreter, for a script.
    pub file: ProgramFile,
    /// The script itself, if it is one: nothing of it counts for credentials, which surprises whoever set a bit on it.
    pub script: Option<ProgramFile>,
}

/// Why there is no program to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramError {
    /// What was looked for.
    pub path: String,
    /// The error number: ENOENT where there is none, EACCES where it is not executable, and so on.
    pub errno: Errno,
    /// What is wrong, where it is not the program itself: its interpreter.
    pub detail: Option<String>,
}

/// The search path of a process that has no `PATH`.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds `name` as execvp(3) does: a name with a slash is a path, another is looked for along `search`. With `root`,
/// an opened directory, everything is looked up inside it, and relative paths begin at it.
///
/// # Errors
/// Nothing there, nothing executable there, or an interpreter that is not.
pub fn find(name: &[u8], search: &[u8], root: Option<BorrowedFd<'_>>) -> Result<Program, ProgramError> {
    let error =
        |errno| ProgramError { path: String::from_utf8_lossy(name).into_owned(), errno, detail: None };
    if name.is_empty() {
        return Err(error(Errno::NOENT));
    }
    if name.contains(&b'/') {
        return look(name, root);
    }
    let mut refused = error(Errno::NOENT);
    for directory in search.split(|&byte| byte == b':') {
        // An empty entry is the working directory, execvp(3).
        let directory = if directory.is_empty() { b".".as_slice() } else { directory };
        match look(&[directory, b"/", name].concat(), root) {
            Ok(program) => return Ok(program),
            // As execvp(3): go on, but remember that something was there.
            Err(found) if found.errno == Errno::ACCES => refused = found,
            Err(found) if matches!(found.errno, Errno::NOENT | Errno::NOTDIR) && found.detail.is_none() => {}
            Err(found) => return Err(found),
        }
    }
    Err(refused)
}

fn look(path: &[u8], root: Option<BorrowedFd<'_>>) -> Result<Program, ProgramError> {
    let shown = String::from_utf8_lossy(path).into_owned();
    let fail = |errno| ProgramError { path: shown.clone(), errno, detail: None };
    let c_path = CString::new(path).map_err(|_| fail(Errno::INVAL))?;
    let mut current = c_path.clone();
    let mut name = shown.clone();
    let mut first = None;
    // The kernel follows five interpreters, and no more.
    for depth in 0..6 {
        let (file, script) = inspect(&current, &name, root).map_err(|errno| ProgramError {
            path: shown.clone(),
            errno,
            detail: (depth > 0).then(|| format!("its interpreter {name}")),
        })?;
        let Some(interpreter) = script else { return Ok(Program { path: c_path, file, script: first }) };
        first.get_or_insert(file);
        name = String::from_utf8_lossy(&interpreter).into_owned();
        current = CString::new(interpreter).map_err(|_| fail(Errno(libc::ENOEXEC)))?;
    }
    Err(fail(Errno(libc::ELOOP)))
}

/// Looks at one file: what of it decides about credentials, and the interpreter it names, if it is a script.
fn inspect(
    path: &CString,
    shown: &str,
    root: Option<BorrowedFd<'_>>,
) -> Result<(ProgramFile, Option<Vec<u8>>), Errno> {
    let fail = |error: rustix::io::Errno| Errno(error.raw_os_error());
    // Opened as a path first: opening a device or a FIFO to read could have effects.
    let file = open(path, root, OFlags::PATH | OFlags::CLOEXEC).map_err(fail)?;
    let stat = fstat(&file).map_err(fail)?;
    // execve(2): EACCES for anything but a regular file, and for one that nobody may execute.
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG || stat.st_mode & 0o111 == 0 {
        return Err(Errno::ACCES);
    }
    let nosuid = fstatvfs(&file).map_err(fail)?.f_flag.contains(StatVfsMountFlags::NOSUID);
    // A second descriptor, to read from; the same file if nobody replaced it in between. A file that may be executed but
    // not read is no script that this process could run, and shows no attributes.
    let readable = open(path, root, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC)
        .ok()
        .filter(|again| fstat(again).is_ok_and(|now| now.st_dev == stat.st_dev && now.st_ino == stat.st_ino));
    let capabilities = readable.as_ref().and_then(|file| file_capabilities(file.as_fd()));
    let script = readable.and_then(|file| interpreter(std::fs::File::from(file)));
    let file = ProgramFile {
        path: shown.to_owned(),
        owner: stat.st_uid,
        group: stat.st_gid,
        set_user_id: stat.st_mode & libc::S_ISUID != 0,
        set_group_id: stat.st_mode & libc::S_ISGID != 0 && stat.st_mode & libc::S_IXGRP != 0,
        capabilities,
        nosuid,
    };
    Ok((file, script))
}

fn open(path: &CString, root: Option<BorrowedFd<'_>>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    match root {
        None => openat(rustix::fs::CWD, path, flags, Mode::empty()),
        Some(root) => openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT),
    }
}

/// The attribute `security.capability`, in the layout of `linux/capability.h`: revision 2, or revision 3 with the
/// user id that is root in the namespace it counts in. The kernel shows a revision 3 attribute that counts
/// in this namespace as one of revision 2, so one that is still of revision 3 counts elsewhere.
fn file_capabilities(file: BorrowedFd<'_>) -> Option<FileCapabilities> {
    let mut buffer = [0_u8; 24];
    let length = fgetxattr(file, c"security.capability", &mut buffer[..]).ok()?;
    parse_file_capabilities(buffer.get(..length)?)
}

fn parse_file_capabilities(bytes: &[u8]) -> Option<FileCapabilities> {
    let word = |index: usize| {
        let bytes = bytes.get(index * 4..index * 4 + 4)?;
        Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    let magic = word(0)?;
    let effective = magic & 1 != 0;
    let (permitted, inheritable) = match (magic >> 24, bytes.len()) {
        (1, 12) => (word(1)?, word(2)?),
        (2, 20) => (word(1)? | word(3)? << 32, word(2)? | word(4)? << 32),
        (3, 24) if word(5)? == 0 => (word(1)? | word(3)? << 32, word(2)? | word(4)? << 32),
        _ => return None,
    };
    Some(FileCapabilities {
        permitted: CapSet::from_bits(permitted),
        inheritable: CapSet::from_bits(inheritable),
        effective,
    })
}

/// The interpreter that the first line of a script names, execve(2) "Interpreter scripts".
fn interpreter(file: std::fs::File) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    // The kernel reads 256 bytes.
    file.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t' | 0)).next()?;
    (!word.is_empty()).then(|| word.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_along_the_path() {
        let program = find(b"sh", b"/nowhere:/bin", None).unwrap();
        assert_eq!(program.path.to_bytes(), b"/bin/sh");
        assert_eq!(find(b"sh", b"/nowhere", None).unwrap_err().errno, Errno::NOENT);
        assert_eq!(find(b"/etc/passwd", b"", None).unwrap_err().errno, Errno::ACCES);
        assert_eq!(find(b"/etc", b"", None).unwrap_err().errno, Errno::ACCES);
        assert_eq!(find(b"", b"/bin", None).unwrap_err().errno, Errno::NOENT);
    }

    #[test]
    fn attributes_are_read_in_every_revision() {
        let revision2 = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let read = parse_file_capabilities(&revision2).unwrap();
        assert!(read.effective);
        assert_eq!(read.permitted.bits(), 1 << 10 | 1 << 32);
        let mut elsewhere = revision2.to_vec();
        elsewhere[3] = 3;
        elsewhere.extend([0x10, 0x27, 0, 0]);
        assert_eq!(parse_file_capabilities(&elsewhere), None);
        assert_eq!(parse_file_capabilities(&revision2[..8]), None);
    }
}
