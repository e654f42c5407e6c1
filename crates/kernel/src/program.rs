//! Finds the program to execute and looks at what of its file decides about credentials.
//!
//! Follows execvp(3) for the search along `PATH`, execve(2) for interpreter scripts, capabilities(7) for
//! `security.capability`, path_resolution(7) inside the new root directory. What is found is a forecast: the
//! kernel looks at the file again when it executes it, and the limits set before hold whatever it then is.

use alloc::borrow::ToOwned;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    Access, AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, accessat, fgetxattr, fstat,
    fstatvfs, getxattr, openat, openat2,
};
use stepdown_security::errno::Errno;
use stepdown_security::execve::{Attribute, FileCapabilities, ProgramFile};

use crate::error::number_of;

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

/// Whether this process may execute the file, or enter the directory, access(2) with its effective ids.
#[must_use]
pub fn is_executable(path: impl rustix::path::Arg) -> bool {
    match accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => true,
        // faccessat2(2) came with Linux 5.8; before, execve(2) will say.
        Err(error) => error == rustix::io::Errno::NOSYS,
    }
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
    // Opened as a path first: opening a device or a FIFO to read could have effects.
    let file = open(path, root, OFlags::PATH | OFlags::CLOEXEC).map_err(number_of)?;
    let stat = fstat(&file).map_err(number_of)?;
    // execve(2): EACCES for anything but a regular file, and for one that nobody may execute.
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG || stat.st_mode & 0o111 == 0 {
        return Err(Errno::ACCES);
    }
    let nosuid = fstatvfs(&file).map_err(number_of)?.f_flag.contains(StatVfsMountFlags::NOSUID);
    let readable = read_again(path, root, &stat)?;
    let capabilities = match &readable {
        Some(again) => file_capabilities(again.as_fd()),
        // Attributes of `security` need no right to read the file, but a descriptor that could read it.
        None => path_capabilities(&file, path, root.is_none()),
    }
    .map_err(number_of)?;
    let script = match readable {
        Some(again) => interpreter(&again)?,
        // Who may execute a file but not read it can't run it as a script: the interpreter would have to read it.
        None => None,
    };
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
        None => openat(CWD, path, flags, Mode::empty()),
        Some(root) => openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT),
    }
}

/// A second descriptor, to read from, of the same file; `None` where this process may not read it. Whatever else stands in
/// the way is an error: what could not be looked at is not known to be harmless.
fn read_again(path: &CString, root: Option<BorrowedFd<'_>>, first: &Stat) -> Result<Option<OwnedFd>, Errno> {
    // Somebody's lease on the file (fcntl(2) F_SETLEASE) would have the open wait; so it is EAGAIN.
    let again = match open(path, root, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC) {
        Ok(again) => again,
        Err(rustix::io::Errno::ACCESS) => return Ok(None),
        Err(error) => return Err(number_of(error)),
    };
    let now = fstat(&again).map_err(number_of)?;
    if (now.st_dev, now.st_ino) == (first.st_dev, first.st_ino) { Ok(Some(again)) } else { Err(Errno::AGAIN) }
}

/// The attribute `security.capability`, in the layout of `linux/capability.h`: revision 2, or revision 3 with the
/// user id that is root in the namespace it counts in. The kernel shows a revision 3 attribute that counts
/// in this namespace as one of revision 2, so one that is still of revision 3 counts elsewhere.
fn file_capabilities(file: BorrowedFd<'_>) -> rustix::io::Result<Option<FileCapabilities>> {
    let mut buffer = [0_u8; 24];
    let length = fgetxattr(file, c"security.capability", &mut buffer[..]);
    parsed_attribute(length, &buffer)
}

/// The same of a file that was opened as a path only.
fn path_capabilities(
    file: &OwnedFd,
    path: &CString,
    by_path: bool,
) -> rustix::io::Result<Option<FileCapabilities>> {
    let mut buffer = [0_u8; 24];
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let length = match getxattr(link.as_str(), c"security.capability", &mut buffer[..]) {
        // Without /proc, as in another root directory, the name has to do.
        Err(rustix::io::Errno::NOENT) if by_path => getxattr(path, c"security.capability", &mut buffer[..]),
        length => length,
    };
    parsed_attribute(length, &buffer)
}

fn parsed_attribute(
    length: rustix::io::Result<usize>,
    buffer: &[u8],
) -> rustix::io::Result<Option<FileCapabilities>> {
    match length {
        Ok(length) => Ok(buffer.get(..length).and_then(parse_file_capabilities)),
        // No such attribute, or a file system without any.
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_file_capabilities(bytes: &[u8]) -> Option<FileCapabilities> {
    let attribute = Attribute::parse(bytes)?;
    attribute.root.is_none_or(|root| root == 0).then_some(attribute.capabilities)
}

/// The interpreter that the first line of a script names, execve(2) "Interpreter scripts"; `None` for a binary of this
/// machine. Anything else is ENOEXEC, as it is for execve(2), except that it could be executed through an interpreter
/// that binfmt_misc has for it: then nobody but the kernel knows which file's set-id bits and capabilities count, and it is
/// refused all the same.
fn interpreter(file: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    // The kernel reads 256 bytes.
    let mut head = [0; 256];
    let mut length = 0;
    while length < head.len() {
        match rustix::io::read(file, &mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(number_of(error)),
        }
    }
    let head = &head[..length];
    if is_native_binary(head) {
        return Ok(None);
    }
    let no_format = Errno(libc::ENOEXEC);
    let line = head
        .strip_prefix(b"#!")
        .and_then(|line| line.split(|&byte| byte == b'\n').next())
        .ok_or(no_format)?;
    // Nothing but blanks and tabs is passed over, as in the kernel.
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !blank(byte)).ok_or(no_format)?;
    let word = line[start..].split(|byte| blank(byte) || *byte == 0).next().unwrap_or_default();
    if word.is_empty() { Err(no_format) } else { Ok(Some(word.to_vec())) }
}

/// elf(5): a binary of this machine, or of the 32-bit one that its kernels run as well.
fn is_native_binary(head: &[u8]) -> bool {
    let Some(&[low, high]) = head.get(18..20) else { return false };
    let machine =
        if head[5] == 2 { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) };
    head.starts_with(b"\x7fELF")
        && if cfg!(target_arch = "x86_64") {
            matches!(machine, 62 | 3)
        } else if cfg!(target_arch = "aarch64") {
            matches!(machine, 183 | 40)
        } else {
            // Of the others no list is kept; the kernel will say.
            true
        }
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
