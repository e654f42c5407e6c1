//! Where the test works: a mount namespace of its own with two small file systems in memory, one of them `nosuid`, each with
//! a copy of this program and scripts for it; and two user namespaces.
//!
//! It needs no program and nothing of the file system but `/` to be writable or `/tmp` to exist, so that the test can
//! be the first process of a machine.

use std::ffi::{CString, c_int};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use stepdown_security::credentials::{Directory, Facts, Features, IdMap};

use crate::{raw, reporter};

/// The files that a worker changes and executes, and the directories it changes the root to.
#[derive(Debug)]
pub(crate) struct Place {
    /// By mount: the program.
    pub(crate) programs: [Executable; 2],
    /// By the script's mount and its interpreter's.
    pub(crate) scripts: [[Executable; 2]; 2],
    /// To change the root to.
    pub(crate) directories: [(OwnedFd, Directory); 2],
}

/// A file, and a descriptor to execute it by, since after chroot(2) there may be no path to it.
#[derive(Debug)]
pub(crate) struct Executable {
    pub(crate) path: CString,
    pub(crate) file: File,
}

/// A user namespace that cases happen in, with the ids outside it as the files have them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) facts: Facts,
    /// What to enter; none for the one that this program was started in.
    pub(crate) namespace: Option<File>,
    /// First id inside, first outside, length; for users and groups alike.
    pub(crate) map: &'static [(u32, u32, u32)],
}

/// Where everything is mounted.
pub(crate) fn mount_private() -> Result<PathBuf, String> {
    let said = |what: &'static str| {
        move |errno: i32| format!("{what}: {}", std::io::Error::from_raw_os_error(errno))
    };
    raw::unlimited_tasks();
    raw::unshare(libc::CLONE_NEWNS).map_err(said("a mount namespace"))?;
    raw::mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE).map_err(said("private mounts"))?;
    if !Path::new("/proc/self/status").exists() {
        let _ = fs::create_dir("/proc");
        raw::mount(c"proc", c"/proc", 0).map_err(said("/proc"))?;
    }
    let program = match reporter::reporter() {
        Some(program) => program,
        None => own_program().map_err(|error| format!("this program: {error}"))?,
    };
    let base = PathBuf::from("/tmp");
    let _ = fs::create_dir(&base);
    raw::mount(c"tmpfs", c"/tmp", 0).map_err(said("a tmpfs"))?;
    fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    for (name, flags) in [("0", 0), ("1", libc::MS_NOSUID)] {
        let directory = base.join(name);
        fs::create_dir(&directory).map_err(|error| error.to_string())?;
        raw::mount(c"tmpfs", &c_path(&directory), flags).map_err(said("a tmpfs"))?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))
            .and_then(|()| fs::write(base.join("program"), &program))
            .map_err(|error| error.to_string())?;
    }
    Ok(base)
}

/// This program itself, read before anything is mounted over it.
fn own_program() -> std::io::Result<Vec<u8>> {
    let name = std::env::args_os().next().unwrap_or_default();
    let mut program = Vec::new();
    File::open("/proc/self/exe").or_else(|_| File::open(name))?.read_to_end(&mut program)?;
    Ok(program)
}

impl Place {
    /// What the worker of that number has for itself. Made before any process is started that would hold a program open
    /// for writing.
    pub(crate) fn new(base: &Path, worker: usize) -> std::io::Result<Place> {
        let path = |mount: usize, name: &str| base.join(mount.to_string()).join(format!("{name}{worker}"));
        let make = |path: PathBuf, bytes: &[u8]| -> std::io::Result<Executable> {
            fs::write(&path, bytes)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(&path)?;
            Ok(Executable { path: c_path(&path), file })
        };
        let program = fs::read(base.join("program"))?;
        let programs = [make(path(0, "program"), &program)?, make(path(1, "program"), &program)?];
        let script = |on: usize, to: usize| {
            let text = format!("#!{}\n", programs[to].path.to_string_lossy());
            make(path(on, &format!("script{to}-")), text.as_bytes())
        };
        let scripts = [[script(0, 0)?, script(0, 1)?], [script(1, 0)?, script(1, 1)?]];
        let directory = |name: &str| {
            let path = base.join(name);
            let _ = fs::create_dir(&path);
            stepdown_kernel::host::open_directory(&path.to_string_lossy())
                .map_err(|errno| std::io::Error::from_raw_os_error(errno.0))
        };
        let directories = [directory("a")?, directory("a/b")?];
        Ok(Place { programs, scripts, directories })
    }
}

impl Executable {
    pub(crate) fn descriptor(&self) -> c_int {
        self.file.as_raw_fd()
    }
}

impl World {
    /// The one this program was started in, one with a single id, as an unprivileged user makes it, and one with
    /// several, as newuidmap(1) makes it. In the last, the user outside who is 0 has the id 1000.
    pub(crate) fn all(features: Features, capability_count: u8) -> Result<Vec<World>, String> {
        let initial = Facts { features, ..Facts::initial(capability_count) };
        let mut worlds =
            vec![World { name: "initial", facts: initial, namespace: None, map: &[(0, 0, u32::MAX)] }];
        for (name, map, setgroups_allowed) in [
            ("one id", &[(0_u32, 1000_u32, 1_u32)][..], false),
            ("several ids", &[(0, 100_000, 1000), (1000, 0, 1)][..], true),
        ] {
            let ids = || IdMap(map.iter().map(|&(inside, _, length)| (inside, length)).collect());
            let facts = Facts {
                capability_count,
                uid_map: ids(),
                gid_map: ids(),
                setgroups_allowed,
                root_ids: if setgroups_allowed { vec![0, 1000] } else { vec![0] },
                features,
            };
            let namespace = user_namespace(map, setgroups_allowed)
                .map_err(|error| format!("a user namespace with {name}: {error}"))?;
            worlds.push(World { name, facts, namespace: Some(namespace), map });
        }
        Ok(worlds)
    }

    /// The id inside of an id outside.
    pub(crate) fn inside(&self, outside: u32) -> Option<u32> {
        self.map
            .iter()
            .find(|&&(_, first, length)| outside >= first && outside - first < length)
            .map(|&(inside, first, _)| inside + (outside - first))
    }

    /// The id outside of user 0.
    pub(crate) fn owner(&self) -> u32 {
        self.map[0].1
    }

    /// Makes this process, which is root outside, user 0 of the world.
    pub(crate) fn enter(&self) -> raw::Result<()> {
        let Some(namespace) = &self.namespace else { return Ok(()) };
        become_user(self.owner())?;
        raw::enter_user_namespace(namespace.as_raw_fd())
    }
}

fn become_user(id: u32) -> raw::Result<()> {
    let id = u64::from(id);
    raw::call(libc::SYS_setgroups, [0, 0])?;
    raw::call(libc::SYS_setresgid, [id, id, id])?;
    raw::call(libc::SYS_setresuid, [id, id, id]).map(|_| ())
}

/// Makes a user namespace that belongs to the user who is 0 in it.
fn user_namespace(map: &[(u32, u32, u32)], setgroups: bool) -> std::io::Result<File> {
    let (mut ready, ready_to) = std::io::pipe()?;
    let (go, go_to) = std::io::pipe()?;
    let pid = raw::fork().map_err(std::io::Error::from_raw_os_error)?;
    if pid == 0 {
        drop((ready, go_to));
        let (mut ready_to, mut go) = (ready_to, go);
        let done = become_user(map[0].1).and_then(|()| raw::unshare(libc::CLONE_NEWUSER));
        let _ = ready_to.write_all(&done.err().unwrap_or(0).to_ne_bytes());
        let _ = go.read(&mut [0]);
        raw::exit(0);
    }
    drop((ready_to, go));
    let mut errno = [0; 4];
    let made = ready.read_exact(&mut errno).and_then(|()| match i32::from_ne_bytes(errno) {
        0 => Ok(()),
        errno => Err(std::io::Error::from_raw_os_error(errno)),
    });
    let text: String =
        map.iter().map(|(inside, outside, length)| format!("{inside} {outside} {length}\n")).collect();
    let written = made.and_then(|()| {
        if !setgroups {
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        }
        fs::write(format!("/proc/{pid}/gid_map"), &text)?;
        fs::write(format!("/proc/{pid}/uid_map"), &text)?;
        File::open(format!("/proc/{pid}/ns/user"))
    });
    drop(go_to);
    raw::wait(pid);
    written
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in it")
}
