//! Replaces a file by another text so that at every moment it has the old one or the new one, whole.
//!
//! A new file is made in the same directory under a hidden name, written, given the owner, mode and extended attributes
//! of the old one, brought to the disk, and renamed: rename(2), fsync(2), acl(5), xattr(7). Attributes of the kernel's
//! security modules, `security.*`, are left to it. What can't be kept is refused; nothing is changed in silence. Links
//! are not followed, and what has two names is not given a second content. Not for: what is in the file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    Access, AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Stat, Uid, XattrFlags, accessat, fchmod, fchown,
    fgetxattr, flistxattr, fremovexattr, fsetxattr, fstat, fsync, openat, renameat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;

/// What has to be at the path for it to be replaced.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// Nothing: a new file, for its owner alone.
    Nothing,
    /// This file, by device and inode, with this content.
    File((u64, u64), &'a [u8]),
}

/// What was done.
#[derive(Debug)]
pub struct Replaced {
    /// Device and inode of the new file.
    pub identity: (u64, u64),
    /// Why it is not certain that the new name survives a failure of the machine, if so.
    pub unsynced: Option<io::Error>,
}

/// Why the file is as it was.
#[derive(Debug)]
pub enum ReplaceError {
    /// It is not what was expected: in words.
    Changed(String),
    /// It is not replaced, whoever asks: what it is, in words.
    Refused(String),
    /// A step failed: which, in words that follow `failed to`, and why.
    Step(&'static str, io::Error),
}

/// Replaces a file, or makes a new one.
///
/// # Errors
/// As [`ReplaceError`] says. Whatever was at the path is unchanged, and no temporary file is left.
pub fn replace(path: &Path, bytes: &[u8], expected: Expected<'_>) -> Result<Replaced, ReplaceError> {
    let (directory, name) = split(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, &directory, flags, Mode::empty()).map_err(at("open the directory"))?;
    let old = look(&directory, name, expected)?;

    let temporary = Temporary::create(&directory)?;
    let mut file = &temporary.file;
    file.write_all(bytes).map_err(|error| ReplaceError::Step("write the new file", error))?;
    if let Some(old) = &old {
        keep(old, &temporary.file)?;
    }
    fsync(&temporary.file).map_err(at("bring the new file to the disk"))?;
    let status = fstat(&temporary.file).map_err(at("look at the new file"))?;
    match &old {
        Some(old) => {
            let now = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(gone)?;
            if !same(&now, &old.status) {
                return Err(ReplaceError::Changed("it changed while it was being replaced".to_owned()));
            }
            renameat(&directory, &temporary.name, &directory, name).map_err(at("rename the new file"))?;
        }
        None => match renameat_with(&directory, &temporary.name, &directory, name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(ReplaceError::Changed(THERE_NOW.to_owned())),
            Err(error) => return Err(at("rename the new file")(error)),
        },
    }
    temporary.renamed();
    let unsynced = fsync(&directory).err().map(io::Error::from);
    Ok(Replaced { identity: (status.st_dev, status.st_ino), unsynced })
}

/// What would be in the way of replacing a file, or of making it, now; in words. Nothing is changed, and what is found may
/// be otherwise a moment later.
#[must_use]
pub fn obstacle(path: &Path) -> Option<String> {
    let (parent, name) = match split(path) {
        Ok(parts) => parts,
        Err(_) => return Some("it is no name of a file".to_owned()),
    };
    let access = Access::WRITE_OK | Access::EXEC_OK | Access::READ_OK;
    if let Err(error) = accessat(CWD, &parent, access, AtFlags::EACCESS) {
        return Some(format!("no new file can be made in {}: {}", parent.display(), words(error)));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = match openat(CWD, &parent, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(error) => return Some(words(error)),
    };
    let status = match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => status,
        Err(Errno::NOENT) => return None,
        Err(error) => return Some(words(error)),
    };
    if let Err(why) = replaceable(&status) {
        return Some(why);
    }
    let access = Access::WRITE_OK | Access::READ_OK;
    if let Err(error) = accessat(&directory, name, access, AtFlags::EACCESS) {
        return Some(format!("it can't be written: {}", words(error)));
    }
    foreign(&status)
}

const THERE_NOW: &str = "there is a file now where there was none";

/// The file that is there.
struct Old {
    status: Stat,
    file: File,
}

fn look(directory: &OwnedFd, name: &OsStr, expected: Expected<'_>) -> Result<Option<Old>, ReplaceError> {
    let status = match (statat(directory, name, AtFlags::SYMLINK_NOFOLLOW), expected) {
        (Err(Errno::NOENT), Expected::Nothing) => return Ok(None),
        (Err(error), _) => return Err(gone(error)),
        (Ok(_), Expected::Nothing) => return Err(ReplaceError::Changed(THERE_NOW.to_owned())),
        (Ok(status), Expected::File(..)) => status,
    };
    let Expected::File(identity, bytes) = expected else { return Ok(None) };
    replaceable(&status).map_err(ReplaceError::Refused)?;
    if (status.st_dev, status.st_ino) != identity {
        return Err(ReplaceError::Changed("another file has taken its place".to_owned()));
    }
    // rename(2) asks the directory alone; a file that says it is not to be written is not written.
    accessat(directory, name, Access::WRITE_OK, AtFlags::EACCESS).map_err(at("write to it"))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(directory, name, flags, Mode::empty()).map_err(at("open it"))?);
    let status = fstat(&file).map_err(at("look at it"))?;
    let mut content = Vec::with_capacity(bytes.len() + 1);
    let limit = bytes.len() as u64 + 1;
    (&file).take(limit).read_to_end(&mut content).map_err(|error| ReplaceError::Step("read it", error))?;
    if (status.st_dev, status.st_ino) != identity || content != bytes {
        return Err(ReplaceError::Changed("its content is not what was read".to_owned()));
    }
    Ok(Some(Old { status, file }))
}

/// Whether it is a plain file with one name.
fn replaceable(status: &Stat) -> Result<(), String> {
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG if status.st_nlink > 1 => {
            Err(format!("it has {} names (hard links), and would be replaced under one", status.st_nlink))
        }
        libc::S_IFREG => Ok(()),
        libc::S_IFLNK => Err("it is a symbolic link, and links are not followed".to_owned()),
        libc::S_IFDIR => Err("it is a directory".to_owned()),
        _ => Err("it is not a regular file".to_owned()),
    }
}

/// Why a new file could not be given this one's owner and group, if so: chown(2).
fn foreign(status: &Stat) -> Option<String> {
    use rustix::thread::CapabilitySet;
    let may_give = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::CHOWN | CapabilitySet::FOWNER));
    if may_give {
        return None;
    }
    if status.st_uid != rustix::process::geteuid().as_raw() {
        return Some(format!("it belongs to user {}, which a new file would not", status.st_uid));
    }
    let own = rustix::process::getegid().as_raw() == status.st_gid
        || rustix::process::getgroups()
            .is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == status.st_gid));
    (!own).then(|| format!("it belongs to group {}, which a new file would not", status.st_gid))
}

/// Gives a new file the owner, mode and attributes of the old one.
fn keep(old: &Old, new: &File) -> Result<(), ReplaceError> {
    let made = fstat(new).map_err(at("look at the new file"))?;
    let (uid, gid) = (old.status.st_uid, old.status.st_gid);
    if (made.st_uid, made.st_gid) != (uid, gid) {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        fchown(new, Some(uid), Some(gid)).map_err(at("keep its owner and group"))?;
    }
    fchmod(new, Mode::from_raw_mode(old.status.st_mode & 0o7777)).map_err(at("keep its mode"))?;
    let names = attributes(&old.file).map_err(at("read its extended attributes"))?;
    for name in &names {
        let value = attribute(&old.file, name).map_err(at("read its extended attributes"))?;
        fsetxattr(new, name.as_os_str(), &value, XattrFlags::empty())
            .map_err(at("keep its extended attributes"))?;
    }
    // A list that the directory gives to every new file lets in whom the old file did not.
    if !names.iter().any(|name| name == ACCESS_LIST) {
        match fremovexattr(new, ACCESS_LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(at("keep its access control list")(error)),
        }
    }
    let kept = fstat(new).map_err(at("look at the new file"))?;
    if (kept.st_uid, kept.st_gid, kept.st_mode) != (uid, gid, old.status.st_mode) {
        let error = io::Error::other("the system says it did, and did not");
        return Err(ReplaceError::Step("keep its owner and mode", error));
    }
    Ok(())
}

const ACCESS_LIST: &str = "system.posix_acl_access";

/// The names of the attributes to keep.
fn attributes(file: &File) -> rustix::io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt;
    let mut list = vec![0_u8; 64 << 10];
    let length = match flistxattr(file, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error),
    };
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names
        .filter(|name| !name.starts_with(b"security."))
        .map(|name| OsString::from_vec(name.to_vec()))
        .collect())
}

fn attribute(file: &File, name: &OsStr) -> rustix::io::Result<Vec<u8>> {
    let mut value = vec![0_u8; 64 << 10];
    let length = fgetxattr(file, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}

/// A new file under a hidden name, which no inclusion of a directory reads; gone with this unless it was renamed.
struct Temporary<'d> {
    directory: &'d OwnedFd,
    name: String,
    file: File,
    remove: bool,
}

impl<'d> Temporary<'d> {
    fn create(directory: &'d OwnedFd) -> Result<Temporary<'d>, ReplaceError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempt = 0_u32;
        loop {
            let name = format!(".stepdown-{}-{attempt}", std::process::id());
            match openat(directory, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(file) => return Ok(Temporary { directory, name, file: file.into(), remove: true }),
                // Left by a process that was killed, or put in the way; another name does as well.
                Err(Errno::EXIST) if attempt < 1000 => attempt += 1,
                Err(error) => return Err(at("make a new file beside it")(error)),
            }
        }
    }

    fn renamed(mut self) {
        self.remove = false;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if self.remove {
            // Nothing else can be done about it; a hidden file is never read.
            let _ = unlinkat(self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// The directory and the name in it.
fn split(path: &Path) -> Result<(PathBuf, &OsStr), ReplaceError> {
    let Some(name) = path.file_name() else {
        return Err(ReplaceError::Refused("it is no name of a file".to_owned()));
    };
    match path.parent() {
        Some(parent) if parent != Path::new("") => Ok((parent.to_owned(), name)),
        _ => Ok((PathBuf::from("."), name)),
    }
}

fn same(one: &Stat, other: &Stat) -> bool {
    let of = |status: &Stat| {
        let times = (status.st_mtime, status.st_mtime_nsec, status.st_ctime, status.st_ctime_nsec);
        (status.st_dev, status.st_ino, status.st_size, status.st_nlink, times)
    };
    of(one) == of(other)
}

fn gone(error: Errno) -> ReplaceError {
    match error {
        Errno::NOENT => ReplaceError::Changed("it is gone".to_owned()),
        error => at("look at it")(error),
    }
}

fn at(step: &'static str) -> impl Fn(Errno) -> ReplaceError {
    move |error| ReplaceError::Step(step, error.into())
}

/// An error of the system without the `(os error 13)` that the standard library adds.
fn words(error: Errno) -> String {
    let text = io::Error::from(error).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
