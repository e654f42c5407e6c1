//! `stepdown console` against a console of a few lines: what it sends, what it prints, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use stepdown_serve::console::wire::{Reply, Status};

use crate::support::{self, Done, STEPDOWN, done};

/// A directory that ends with the test, and a console in it.
struct Place {
    dir: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn new(name: &str) -> Place {
        let dir = PathBuf::from(format!("/tmp/stepdown-console-{}-{name}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Place { dir, asked: Arc::default() }
    }

    fn endpoint(&self) -> PathBuf {
        self.dir.join("console")
    }

    /// Answers `no …` with 1, `what …` with 2, `end` by closing, and all else with 0.
    fn serve(&self) {
        let listener = UnixListener::bind(self.endpoint()).unwrap();
        let asked = Arc::clone(&self.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || answer(stream, &asked));
            }
        });
    }

    fn console(&self, arguments: &[&str]) -> Done {
        done(Command::new(STEPDOWN).arg("console").arg(self.endpoint()).args(arguments).stdin(Stdio::null()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn answer(stream: UnixStream, asked: &Mutex<Vec<String>>) {
    let mut writer = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let status = match line.split(' ').next() {
            Some("no") => Status::Refused,
            Some("what") => Status::NotUnderstood,
            Some("end") => return,
            _ => Status::Done,
        };
        let text = if line.contains("--format json") { "{\"a\":\"\u{9b}\"}\n" } else { "it said\u{1b}[2J\n" };
        asked.lock().unwrap().push(line);
        if writer.write_all(&Reply::new(status, text).encode()).is_err() {
            return;
        }
    }
}

fn lines(place: &Place, input: &str) -> Done {
    let mut child = Command::new(STEPDOWN)
        .arg("console")
        .arg(place.endpoint())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Done {
        status: output.status.code().unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_command_is_sent_as_it_was_meant_and_its_status_is_the_program_s() {
    let place = Place::new("command");
    place.serve();
    let said = "it said\\u{1b}[2J\n";
    let ok = place.console(&["config", "set", "Security", "Capabilities", "=", "a+p b+p"]);
    assert_eq!((ok.status, ok.out.as_str(), ok.err.as_str()), (0, said, ""));
    place.console(&["config", "set", "x", "=", "( a b )"]);
    place.console(&["config get Listen \":25\" enable"]);
    let no = place.console(&["no"]);
    assert_eq!((no.status, no.out.as_str(), no.err.as_str()), (1, "", said));
    let what = place.console(&["what", "--format", "json"]);
    assert_eq!((what.status, what.out.as_str(), what.err.as_str()), (2, "{\"a\":\"\\u009b\"}\n", ""));
    let asked = place.asked.lock().unwrap().clone();
    let expected = [
        "config set Security Capabilities = \"a+p b+p\"",
        "config set x = ( a b )",
        "config get Listen \":25\" enable",
        "no",
        "what --format json",
    ];
    assert_eq!(asked, expected);
    assert_eq!(place.console(&["two\nlines"]).status, 2);
}

#[test]
fn lines_go_on_behind_one_that_fails_and_the_worst_status_counts() {
    let place = Place::new("lines");
    place.serve();
    let all = lines(&place, "first\nno\n\n# a comment\n  last  ");
    assert_eq!(all.status, 1, "{all:?}");
    assert_eq!((all.out.lines().count(), all.err.lines().count()), (2, 1), "{all:?}");
    assert_eq!(lines(&place, "what\nno\nfirst\n").status, 2);
    assert_eq!(lines(&place, "").status, 0);
    let ended = lines(&place, "first\nend\nnever\n");
    assert_eq!((ended.status, ended.out.lines().count()), (1, 1), "{ended:?}");
    assert!(ended.err.contains("ended the session without a reply"), "{ended:?}");
    assert_eq!(lines(&place, "quit\nnever\n").status, 0);
    assert!(!place.asked.lock().unwrap().contains(&"never".to_owned()));
}

#[test]
fn without_an_endpoint_it_is_that_of_the_configuration() {
    let place = Place::new("endpoint");
    place.serve();
    let file = place.dir.join("server.conf");
    fs::write(&file, format!("control_listener {{ Listen \"{}\" {{}} }}\n", place.endpoint().display()))
        .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let status =
        done(Command::new(STEPDOWN).args(["console", "-c"]).arg(&file).arg("status").stdin(Stdio::null()));
    assert_eq!((status.status, status.err.as_str()), (0, ""), "{status:?}");
    let none = done(Command::new(STEPDOWN).args(["console", "-c", "/nonexistent.conf", "status"]));
    assert_eq!(none.status, 1);
}

#[test]
fn why_there_is_no_connection_is_said() {
    let place = Place::new("refused");
    let refused = |words: &str| {
        let done = place.console(&["status"]);
        assert!(done.status == 1 && done.err.contains(words), "{words}: {done:?}");
    };
    refused("there is no such file");
    fs::write(place.endpoint(), "").unwrap();
    refused("is no socket");
    fs::remove_file(place.endpoint()).unwrap();
    drop(UnixListener::bind(place.endpoint()).unwrap());
    refused("was left behind by a server that was killed");
    fs::remove_file(place.endpoint()).unwrap();
    let json = place.console(&["status", "--format", "json"]);
    assert!(json.err.contains("no such file"), "only the server reads the command: {json:?}");
    let json = done(
        Command::new(STEPDOWN).args(["console", "--format", "json"]).arg(place.endpoint()).arg("status"),
    );
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.status, value["findings"][0]["code"].as_str()), (1, Some("no-connection")));
    if !support::is_root() {
        return support::skip("another user is needed");
    }
    place.serve();
    fs::set_permissions(place.endpoint(), fs::Permissions::from_mode(0o600)).unwrap();
    let program: &Path = Path::new(STEPDOWN);
    let copy = place.dir.join("stepdown");
    fs::copy(program, &copy).unwrap();
    let other = done(
        Command::new("setpriv")
            .args(["--reuid=995", "--regid=995", "--clear-groups"])
            .arg(&copy)
            .arg("console")
            .arg(place.endpoint())
            .arg("status"),
    );
    assert!(other.status == 1 && other.err.contains("it may be by root (mode 0600)"), "{other:?}");
}
