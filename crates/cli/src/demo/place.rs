//! Where the demonstration is given: namespaces of its own where the host allows them, else the container or host as it is.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stepdown_kernel::namespaces::{self, Mapped};
use stepdown_kernel::observe::Status;

use crate::arguments::Format;

/// A place to demonstrate in.
pub(crate) struct Place {
    /// What it is, and what differs from the usual, in sentences.
    pub(crate) words: Vec<&'static str>,
    /// What the server becomes.
    pub(crate) user: u32,
    /// The name of that user in the scope.
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    directory: PathBuf,
    /// Whether the directory is the host's, and has to be removed.
    remove: bool,
}

/// Where to go on.
pub(crate) enum Where {
    /// In this process.
    Here(Place),
    /// It was done in a child, which ended with this status.
    Child(u8),
}

/// The user of the demonstration, where a user database of its own can be made.
const USER: &str = "ecuser";
const USER_ID: u32 = 994;

/// Finds a place, from outside of any namespace.
pub(crate) fn outside(format: Format) -> io::Result<Where> {
    let root = Status::of_process(std::process::id())?.uid.effective == 0;
    if !root {
        return user_namespace(format).map(Where::Child);
    }
    match private(&[
        "namespaces of its own: a network with nothing but a loopback, and a user database with `ecuser`",
    ]) {
        Ok(place) => Ok(Where::Here(place)),
        // A container that may make no namespaces is private enough.
        Err(_) => as_it_is().map(Where::Here),
    }
}

/// Finds a place inside of a user namespace that is being mapped from outside.
pub(crate) fn inside(mapped: &str) -> io::Result<Place> {
    namespaces::private_users()?;
    // Says that there is a namespace to map, and waits until it is.
    io::stdout().write_all(b"\n")?;
    io::stdout().flush()?;
    let mut how = [0];
    io::stdin().read_exact(&mut how)?;
    if how[0] == RANGE && mapped == "auto" {
        return private(&[
            "a user namespace of its own, since this user is not root: user 0 in it is this user outside, and `ecuser` is one of the ids that /etc/subuid lends",
            "in it, a network with nothing but a loopback, and a user database with `ecuser`",
        ]);
    }
    namespaces::private_mounts()?;
    namespaces::private_network()?;
    let directory = directory(true)?;
    Ok(Place {
        words: vec![
            "a user namespace of its own, since this user is not root, and in it a network with nothing but a loopback",
            "what differs: only one id exists in it, so the server can't become another user; it stays user 0 there, which is this user outside, and loses root's capabilities instead",
            "with newuidmap and newgidmap (package uidmap) and a range in /etc/subuid it would become another user here too",
        ],
        user: 0,
        name: "root",
        port: 80,
        directory,
        remove: false,
    })
}

impl Place {
    /// The embedded scope.
    pub(crate) fn scope(&self) -> String {
        format!(
            "Security {{\n  user = {0}\n  group = {1}\n  # Allow binding to privileged ports, and nothing else of root's\n  Capabilities = \"cap_net_bind_service+ep\"\n}}\n",
            self.name,
            self.group()
        )
    }

    /// The same without the capability.
    pub(crate) fn scope_without(&self) -> String {
        format!(
            "Security {{\n  user = {}\n  group = {}\n  Capabilities = \"\"\n}}\n",
            self.name,
            self.group()
        )
    }

    /// Writes a file that root can trust.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// Removes what the host would keep.
    pub(crate) fn clean_up(&self) {
        if self.remove {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    /// An id where the group's name differs between systems (nogroup, nobody).
    fn group(&self) -> String {
        if self.user == USER_ID || self.user == 0 { self.name.to_owned() } else { self.user.to_string() }
    }
}

/// Namespaces of this process's own, with `ecuser` in a user database of its own.
fn private(words: &[&'static str]) -> io::Result<Place> {
    namespaces::private_mounts()?;
    namespaces::private_network()?;
    let directory = directory(true)?;
    for (file, entry) in [
        (
            "/etc/passwd",
            format!("root:x:0:0:root:/root:/bin/sh\n{USER}:x:{USER_ID}:{USER_ID}::/nonexistent:/bin/false\n"),
        ),
        ("/etc/group", format!("root:x:0:\n{USER}:x:{USER_ID}:\n")),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\n".to_owned()),
    ] {
        let Some(name) = Path::new(file).file_name() else { continue };
        let own = directory.join(name);
        fs::write(&own, entry)?;
        if Path::new(file).exists() {
            namespaces::cover(Path::new(file), &own)?;
        }
    }
    Ok(Place { words: words.to_vec(), user: USER_ID, name: USER, port: 80, directory, remove: false })
}

/// The host, or the container, with its own network and users.
fn as_it_is() -> io::Result<Place> {
    let port =
        [80, 81, 79, 70].into_iter().find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let Some(port) = port else {
        return Err(io::Error::other(
            "no namespaces can be made, and no privileged port of the loopback is free",
        ));
    };
    Ok(Place {
        words: vec![
            "this host or container as it is, since it allows no namespaces of one's own: its loopback, and its user `nobody`",
        ],
        user: 65534,
        name: "nobody",
        port,
        directory: directory(false)?,
        remove: true,
    })
}

/// A directory for two small files: in memory and gone with the namespace, or on the host.
fn directory(private: bool) -> io::Result<PathBuf> {
    if private {
        namespaces::empty_directory(Path::new("/tmp"))?;
        return Ok(PathBuf::from("/tmp"));
    }
    let path = std::env::temp_dir().join(format!("stepdown-demo-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o755).create(&path)?;
    Ok(path)
}

/// What is written to the child when its ids are mapped: a range of them, or one.
const RANGE: u8 = b'r';
const ONE: u8 = b'1';

/// Does it in a child in a user namespace, whose ids only a process outside can map.
fn user_namespace(format: Format) -> io::Result<u8> {
    let mut child = Command::new("/proc/self/exe")
        .args([
            "demo",
            "--format",
            if format == Format::Json { "json" } else { "text" },
            super::INSIDE,
            "auto",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a pipe is missing"));
    };
    let mut made = [0];
    if from.read_exact(&mut made).is_err() {
        // It has said why.
        return Ok(status(child.wait()?));
    }
    let mapped = match namespaces::map_ids(child.id()) {
        Ok(Mapped::Range) => RANGE,
        Ok(Mapped::One) => ONE,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    to.write_all(&[mapped])?;
    drop(to);
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    crate::output::out(&String::from_utf8_lossy(&text));
    Ok(status(child.wait()?))
}

fn status(status: std::process::ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(crate::REFUSED)
}
