//! Real servers under `stepdown run`: what the tests of nginx, unbound and aiosmtpd share.
//!
//! A [`Server`] is started as root in a [`Node`] and looked at from outside, through the kernel's account of every
//! thread of every process that it has become.

use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Done, ECUSER, Node, STEPDOWN};

/// `cap_net_bind_service` alone, as a status file has it.
pub const BIND: &str = "0000000000000400";

/// No capability at all.
pub const NONE: &str = "0000000000000000";

/// The sample without any capability.
pub const NO_CAPABILITY: &str = "Security { user = ecuser  group = ecuser }\n";

/// A server that was started as root by `stepdown run`, and ends with this value.
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `stepdown run -c server.conf -- PROGRAM…`; whatever it prints goes to the file `server.log`.
    pub fn start(node: &Node, configuration: &str, program: &[&str]) -> Server {
        node.file("server.conf", configuration);
        let log = node.file("server.log", "");
        let file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        let child = node
            .command(STEPDOWN)
            .args(["run", "-c", "server.conf", "--"])
            .args(program)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Server { child, log }
    }

    /// Its process id: that of `stepdown`, which the program keeps.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed until now.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until `look` sees something; fails when the server ends before that.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before {what}: {ended:?}: {}", self.log());
            assert!(Instant::now() < end, "never {what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it ends of itself, and gives its exit status.
    pub fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal, such as `HUP`, as root.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Its processes: its own first, then all that descend from it.
    pub fn processes(&self) -> Vec<u32> {
        family(self.id())
    }

    /// Asserts that every thread of every process of it is `ecuser`, holds exactly `set` in each of the five sets,
    /// and can gain nothing by an execution; gives the number of processes.
    #[track_caller]
    pub fn is_unprivileged(&self, set: &str) -> usize {
        self.processes().into_iter().filter(|process| assert_unprivileged(*process, set)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in self.processes() {
            signal(process, "KILL");
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server printed: {}", self.log());
        }
    }
}

/// Asserts the state of every thread of a process: the user and groups of the sample, `set` in all five sets. False
/// where there is no thread to look at, because the process has ended meanwhile.
#[track_caller]
pub fn assert_unprivileged(process: u32, set: &str) -> bool {
    let mut threads = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let path = task.path().join("status");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let status = Done { status: 0, out: text, err: String::new() };
        let ids = format!("{ECUSER}\t{ECUSER}\t{ECUSER}\t{ECUSER}");
        assert_eq!(status.field("Uid"), ids, "{}", path.display());
        assert_eq!(status.field("Gid"), ids, "{}", path.display());
        assert_eq!(status.field("Groups"), "994 996", "{}", path.display());
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status.field(name), set, "{name} of {}", path.display());
        }
        assert_eq!(status.field("NoNewPrivs"), "1", "{}", path.display());
        threads += 1;
    }
    threads > 0
}

/// A process and all that descend from it.
pub fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut next = 0;
    while next < family.len() {
        family.extend(children(family[next]));
        next += 1;
    }
    family
}

/// A directory of the node's that belongs to the server.
pub fn own_directory(node: &Node, name: &str) -> PathBuf {
    let path = node.dir.join(name);
    fs::create_dir(&path).unwrap();
    chown(&path, Some(ECUSER), Some(ECUSER)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs a client in the node and gives what it printed, or `None` where it failed.
pub fn ask(node: &Node, script: &str) -> Option<String> {
    let done = node.sh(script);
    (done.status == 0).then_some(done.out)
}

/// The file's text holds all of these words.
#[track_caller]
pub fn assert_words(text: &str, words: &[impl AsRef<str> + Debug]) {
    for word in words {
        assert!(text.contains(word.as_ref()), "{word:?} is not in {text}");
    }
}

fn signal(process: u32, name: &str) {
    let number = process.to_string();
    let _ = std::process::Command::new("kill")
        .args(["-s", name, &number])
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

fn children(parent: u32) -> Vec<u32> {
    let is_child = |path: &Path| {
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{parent}"))
            // One that has ended and waits to be collected has no state left to look at.
            && !status.lines().any(|line| line.starts_with("State:\tZ"))
    };
    let mut list = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number
            && is_child(&entry.path())
        {
            list.push(number);
        }
    }
    list
}
