//! `stepdown serve` in a node: started, asked, told to end, and never left behind.
//!
//! A [`Server`] that goes out of scope is told to end, and fails the test if it doesn't; what a failed test leaves ends with its
//! node. Nothing here asserts on time: [`PATIENCE`] is for what hangs.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::servers::{assert_unprivileged, family};
use crate::support::{Done, ECUSER, Node, STEPDOWN, done};

/// How long is waited for what should have come long ago.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory of the node that belongs to `ecuser`: where the server can remove its sockets and its pid file.
pub fn run_dir(node: &Node) -> PathBuf {
    let dir = node.dir.join("run");
    fs::create_dir_all(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(ECUSER), Some(ECUSER)).unwrap();
    dir
}

/// Where the console of [`head`] listens.
pub fn console_path(node: &Node) -> PathBuf {
    run_dir(node).join("console")
}

/// The pid file of [`head`].
pub fn pid_path(node: &Node) -> PathBuf {
    run_dir(node).join("pid")
}

/// What most configurations begin with: a pid file, a console that only root and `ecuser` may use, and `ecuser` with the right
/// to bind privileged ports.
pub fn head(node: &Node) -> String {
    head_with(node, "user = ecuser  group = ecuser  Capabilities = \"cap_net_bind_service+ep\"")
}

/// As [`head`], with these options in its `Security` scope.
pub fn head_with(node: &Node, security: &str) -> String {
    format!(
        "Pidfile = \"{}\"\nSecurity {{ {security} }}\nControl_Listener {{ Listen \"{}\" {{ File_Mode = 0600 }} }}\n",
        pid_path(node).display(),
        console_path(node).display()
    )
}

/// A service: its command, of words that need no quotes inside, and further options and listeners as they are written.
pub fn service(name: &str, command: &[&str], options: &str) -> String {
    let words: Vec<String> = command.iter().map(|word| format!("\"{word}\"")).collect();
    format!("Service \"{name}\" {{\n  Command = ( {} )\n  {options}\n}}\n", words.join(" "))
}

/// A service that does nothing until it is told to end, and counts as ready soon.
pub fn sleeper(name: &str, options: &str) -> String {
    service(name, &["/bin/sleep", "1000000"], &format!("Ready_After = 0.1 {options}"))
}

/// Waits until `happened`; fails the test with `what` where that takes longer than [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether there is such a process, and it is no zombie.
pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// Sends a signal, by its name, to a process.
pub fn signal(pid: u32, name: &str) {
    // It may have ended by itself, which whoever cares will see.
    let _ = done(Command::new("kill").args(["-s", name, &pid.to_string()]));
}

/// The processes whose parent this is.
pub fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

/// One line of a process' status file, such as `CapEff`.
#[track_caller]
pub fn status_field(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

/// A server that runs.
pub struct Server<'a> {
    node: &'a Node,
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    status: Option<i32>,
}

impl<'a> Server<'a> {
    /// Writes the configuration as `server.conf` of the node's directory, starts a server, and waits until it serves.
    #[track_caller]
    pub fn start(node: &'a Node, configuration: &str) -> Server<'a> {
        let mut server = Server::begin(node, configuration);
        server.wait_for("serving");
        server
    }

    /// As [`Server::start`], without waiting for anything.
    pub fn begin(node: &'a Node, configuration: &str) -> Server<'a> {
        node.file("server.conf", configuration);
        Server::spawn(node, node.command(STEPDOWN).args(["serve", "-c", "server.conf"]))
    }

    /// Starts a server by a command that becomes it: whose process is the server's in the end.
    pub fn spawn(node: &'a Node, command: &mut Command) -> Server<'a> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut from = child.stderr.take().unwrap();
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let to = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 1 << 16];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                to.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Server { node, child, said, reader: Some(reader), status: None }
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that was written to standard error, by the server and by its services.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    /// Waits until the log has these words.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        self.wait_for_times(words, 1);
    }

    /// Waits until the log has these words that many times.
    #[track_caller]
    pub fn wait_for_times(&mut self, words: &str, times: usize) {
        let begin = Instant::now();
        loop {
            // Before the log is looked at: what it said last is in there then.
            let ended = self.has_ended();
            let log = self.log();
            if log.matches(words).count() >= times {
                return;
            }
            assert!(ended.is_none(), "it ended with {ended:?} and did not say `{words}`:\n{log}");
            assert!(begin.elapsed() < PATIENCE, "it did not say `{words}` {times} times:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `stepdown console` with a command, as root.
    pub fn ask(&self, command: &[&str]) -> Done {
        self.ask_as(0, command)
    }

    /// `stepdown console` with a command, as another user, whose group has the same number.
    pub fn ask_as(&self, user: u32, command: &[&str]) -> Done {
        let endpoint = console_path(self.node);
        if user == 0 {
            return done(self.node.command(STEPDOWN).arg("console").arg(endpoint).args(command));
        }
        let ids = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
        done(self.node.command("setpriv").args(ids).arg(STEPDOWN).arg("console").arg(endpoint).args(command))
    }

    /// The answer to a command that has to be obeyed.
    #[track_caller]
    pub fn answer(&self, command: &[&str]) -> String {
        let answer = self.ask(command);
        assert!(answer.status == 0, "{command:?}: {answer:?}\nThe log:\n{}", self.log());
        answer.out
    }

    /// The same, read as JSON.
    #[track_caller]
    pub fn json(&self, command: &[&str]) -> serde_json::Value {
        let text = self.answer(&[command, &["--format", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The processes of a service, the present one first.
    #[track_caller]
    pub fn service_pids(&self, name: &str) -> Vec<u32> {
        let pids = self.service(name)["pids"].clone();
        pids.as_array().unwrap().iter().map(|pid| u32::try_from(pid.as_u64().unwrap()).unwrap()).collect()
    }

    /// Asserts that every thread of the server, its warden and all its services is `ecuser`, holds exactly `set` in each of
    /// the five sets of capabilities, and can gain nothing by an execution; gives the number of processes.
    #[track_caller]
    pub fn is_unprivileged(&self, set: &str) -> usize {
        family(self.pid()).into_iter().filter(|process| assert_unprivileged(*process, set)).count()
    }

    /// What the console says of a service.
    #[track_caller]
    pub fn service(&self, name: &str) -> serde_json::Value {
        let services = self.json(&["services"]);
        let found = services["services"].as_array().unwrap().iter().find(|service| service["name"] == name);
        found.unwrap_or_else(|| panic!("no service {name} in {services}")).clone()
    }

    /// Changes the configuration's file and has it read.
    pub fn reload(&self, configuration: &str) -> Done {
        self.node.file("server.conf", configuration);
        self.ask(&["config", "reload"])
    }

    /// Sends the server a signal, by its name.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Its exit status (128 + n for a signal) if it has ended. What it said last is in the log then.
    pub fn has_ended(&mut self) -> Option<i32> {
        if self.status.is_none() {
            let ended = self.child.try_wait().unwrap()?;
            self.status = Some(ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or(0)));
            // Its services have the same standard error with `Output = direct`, and may have outlived it: the end of the
            // pipe is not waited for then.
            let begin = Instant::now();
            while self.reader.as_ref().is_some_and(|reader| !reader.is_finished())
                && begin.elapsed() < Duration::from_secs(2)
            {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.status
    }

    /// Waits for its end, and gives its exit status: 128 + n for a signal.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.has_ended() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Tells it to end, and gives its exit status and all that it said.
    #[track_caller]
    pub fn stop(mut self) -> (i32, String) {
        self.signal("TERM");
        let status = self.wait();
        (status, self.log())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            eprintln!("the server's log:\n{}", self.log());
            return;
        }
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status, 0, "it did not end well:\n{}", self.log());
    }
}
