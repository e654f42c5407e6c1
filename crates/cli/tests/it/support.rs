//! What the tests need around them: a private node with its own users and its own network, and the program.
//!
//! A [`Node`] is a mount and a network namespace, held open by a sleeping process. Its `/etc/passwd` and `/etc/group`
//! are its own, its loopback is up, and everything ends with it. Nothing outside is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The program under test: `stepdown`, or what `STEPDOWN_UNDER_TEST` named when the tests were compiled (`tests/small`), which
/// executes `stepdown-run` for the command `run`.
pub const STEPDOWN: &str = match option_env!("STEPDOWN_UNDER_TEST") {
    Some(path) => path,
    None => env!("CARGO_BIN_EXE_stepdown"),
};

/// `stepdown` itself, as a program that needs nothing but its file.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_stepdown");

/// Puts the program under test into another root directory, as `bin/stepdown`, with all that it executes.
pub fn install(root: &Path) {
    let copy = |from: &Path, to: &Path| {
        let to = root.join(to.strip_prefix("/").unwrap_or(to));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    copy(Path::new(STEPDOWN), Path::new("bin/stepdown"));
    if STEPDOWN != PROGRAM {
        let small = Path::new(STEPDOWN).with_file_name("release/stepdown-run");
        for program in [Path::new(PROGRAM), &small] {
            copy(program, program);
        }
    }
}

/// The ids of `ecuser` in a node.
pub const ECUSER: u32 = 994;

/// The single-node sample of the manual.
pub const SAMPLE: &str = r#"Security {
  user = ecuser
  group = ecuser
  # Allow binding to privileged ports without requiring a process restart
  Capabilities = "cap_net_bind_service+ep"
}
"#;

/// A machine of its own, as far as a test sees.
pub struct Node {
    /// A directory of the node's, `/tmp/…`, which belongs to root and which all may read.
    pub dir: PathBuf,
    holder: Child,
}

/// What a command in a node did.
#[derive(Debug)]
pub struct Done {
    /// Its exit status; 128 + n for a signal, as a shell has it.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Node {
    /// Makes a node; `None` where this process may not, after saying so and counting it as skipped.
    pub fn new() -> Option<Node> {
        if !is_root() {
            skip("it needs root, to make namespaces and to start as root");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/stepdown-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, extra) in [
            (
                "passwd",
                "ecuser:x:994:994:test:/nonexistent:/bin/sh\nother:x:995:995:test:/nonexistent:/bin/sh\n",
            ),
            ("group", "ecuser:x:994:\nother:x:995:\nextra:x:996:ecuser\n"),
        ] {
            // The machine's own entries, less any that would contradict the test's.
            let text = fs::read_to_string(format!("/etc/{name}")).unwrap();
            let kept: Vec<&str> = text
                .lines()
                .filter(|line| {
                    let mut fields = line.split(':');
                    let entry = fields.next().unwrap_or_default();
                    let id = fields.nth(1).unwrap_or_default();
                    !["ecuser", "other", "extra"].contains(&entry) && !["994", "995", "996"].contains(&id)
                })
                .collect();
            fs::write(dir.join(name), format!("{}\n{extra}", kept.join("\n"))).unwrap();
        }
        let script = "mount --bind passwd /etc/passwd && mount --bind group /etc/group && ip link set lo up && \
                      echo ready && exec sleep 1000000";
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--propagation", "private", "sh", "-c", script])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux has unshare");
        let mut ready = [0; 6];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut ready)
            .expect("the node's namespaces can be made, with mount and ip");
        Some(Node { dir, holder })
    }

    /// Writes a file into the node's directory, readable by all, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// A command that will run in the node, in its directory, with nothing of this process's environment but `PATH`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.holder.id()))
            .args(["--mount", "--net"])
            // Opened inside the namespace: a directory of the outer one would be a foreign mount, on which the kernel
            // ignores file capabilities and set-id bits, and below which the node's own mounts do not show.
            .arg(format!("--wdns={}", self.dir.display()))
            .arg("--")
            .arg(program);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a shell script in the node; `$STEPDOWN` is the program under test.
    pub fn sh(&self, script: &str) -> Done {
        done(self.command("sh").arg("-c").arg(script).env("STEPDOWN", STEPDOWN).env("PROGRAM", PROGRAM))
    }

    /// `stepdown run -c FILE -- …` with this text as the file `server.conf`.
    pub fn run(&self, configuration: &str, program: &[&str]) -> Done {
        self.file("server.conf", configuration);
        done(self.command(STEPDOWN).args(["run", "-c", "server.conf", "--"]).args(program))
    }

    /// `stepdown check -c FILE` with this text as the file `server.conf`.
    pub fn check(&self, configuration: &str) -> Done {
        self.file("server.conf", configuration);
        done(self.command(STEPDOWN).args(["check", "-c", "server.conf"]))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A server that a failing test left behind ends with its network.
        let holder = self.holder.id();
        let _ = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "net=$(readlink /proc/{holder}/ns/net) && for p in /proc/[0-9]*; do \
                 [ \"$(readlink $p/ns/net 2>/dev/null)\" = \"$net\" ] && kill -9 ${{p#/proc/}}; done"
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Done {
    /// One line of a status file in the standard output, such as `CapEff`.
    pub fn field(&self, name: &str) -> &str {
        self.out
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .unwrap_or_else(|| panic!("there is no line {name} in {self:?}"))
    }

    /// Asserts that stepdown refused, with 125, and that its message has all of these words.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> &Done {
        assert_eq!(self.status, 125, "{self:?}");
        assert_eq!(self.out, "", "nothing ran: {self:?}");
        for word in words {
            assert!(self.err.contains(word), "“{word}” is not in {}", self.err);
        }
        self
    }

    /// Asserts that the program ran and ended well, with nothing on standard error.
    #[track_caller]
    pub fn ran(&self) -> &Done {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{self:?}");
        self
    }
}

/// Runs a command to its end.
pub fn done(command: &mut Command) -> Done {
    let output: Output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    use std::os::unix::process::ExitStatusExt;
    let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
    Done {
        status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether this process is root, in the sense of what the tests need.
pub fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

/// Whether a program that a test uses is installed; where not, says so and counts the test as skipped.
pub fn have(program: &str) -> bool {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Says that a test is skipped, and why; counts it in the file that `STEPDOWN_SKIPPED` names. Where everything has to run
/// (`STEPDOWN_REQUIRE_ALL=1`) it fails the test instead.
#[track_caller]
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "{test} would be skipped: {why}"
    );
    eprintln!("skipped: {test}: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "skipped: {test}: {why}").unwrap();
    }
}
