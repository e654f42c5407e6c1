//! `stepdown serve` under a service manager: what it says by sd_notify(3), its pid file, and a second server beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::serving::{PATIENCE, Server, head, is_alive, pid_path, sleeper, until};
use crate::support::{Node, STEPDOWN};

/// The side of the manager.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// The next message, by its names.
    fn next(&self) -> BTreeMap<String, String> {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("it says something");
        let text = std::str::from_utf8(&bytes[..length]).unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        text.lines().map(pair).collect()
    }

    /// The next message that is more than a sign of life.
    fn word(&self) -> BTreeMap<String, String> {
        loop {
            let message = self.next();
            if message.keys().any(|name| name != "WATCHDOG") {
                return message;
            }
        }
    }
}

/// A server whose manager is at that address, with further variables.
fn start<'a>(node: &'a Node, address: &str, text: &str, more: &[(&str, &str)]) -> Server<'a> {
    node.file("server.conf", text);
    let mut serve = node.command(STEPDOWN);
    serve.args(["serve", "-c", "server.conf"]).env("NOTIFY_SOCKET", address).envs(more.iter().copied());
    Server::spawn(node, &mut serve)
}

/// CLOCK_MONOTONIC, in microseconds, as the kernel has had it at least until now.
fn uptime() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
    (seconds * 1e6) as u64
}

#[test]
fn the_manager_hears_of_the_start_of_reloads_and_of_the_end() {
    let Some(node) = Node::new() else { return };
    let path = node.dir.join("manager");
    let manager = Manager::new(&path);
    let text = head(&node) + &sleeper("one", "");
    let mut server = start(&node, path.to_str().unwrap(), &text, &[]);
    let ready = manager.next();
    assert_eq!((&*ready["READY"], ready.len()), ("1", 2), "{ready:?}");
    assert!(ready["STATUS"].contains("serving as user 994"), "{ready:?}");
    let reloads = |what: &str| {
        let before = uptime();
        let reloading = manager.next();
        assert_eq!(reloading["RELOADING"], "1", "{what}");
        // Tells this reload from the one before, which may still be answered.
        let at: u64 = reloading["MONOTONIC_USEC"].parse().unwrap();
        assert!(at > 0 && at.abs_diff(before) < 120_000_000, "{what}: {at} and {before}");
        let ready = manager.next();
        assert_eq!(ready["READY"], "1", "{what}");
        ready.get("STATUS").cloned().unwrap_or_default()
    };
    server.signal("HUP");
    reloads("by a signal");
    assert_eq!(server.reload(&(text.clone() + &sleeper("two", ""))).status, 0);
    reloads("by the console");
    // One that is refused is over, too.
    node.file("server.conf", "Service \"one\" { }");
    server.signal("HUP");
    reloads("that was refused");
    server.wait_for("Reconfigure failed");
    server.signal("TERM");
    assert_eq!(manager.next()["STOPPING"], "1");
    assert_eq!(server.wait(), 0, "{}", server.log());
}

#[test]
fn the_manager_hears_that_it_lives_as_often_as_it_asks() {
    let Some(node) = Node::new() else { return };
    let path = node.dir.join("manager");
    let manager = Manager::new(&path);
    let text = head(&node) + &sleeper("one", "");
    let mut server = start(&node, path.to_str().unwrap(), &text, &[("WATCHDOG_USEC", "200000")]);
    assert_eq!(manager.word()["READY"], "1");
    for _ in 0..5 {
        assert_eq!(manager.next()["WATCHDOG"], "1");
    }
    // A service does not hear of it.
    let environment = fs::read(format!("/proc/{}/environ", server.service_pids("one")[0])).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("WATCHDOG"));
    assert_eq!(server.has_ended(), None);
    server.signal("TERM");
    assert_eq!(manager.word()["STOPPING"], "1");
    assert_eq!(server.wait(), 0);
    // A watchdog that is another process' is not answered.
    let more = [("WATCHDOG_USEC", "50000"), ("WATCHDOG_PID", "1")];
    let mut server = start(&node, path.to_str().unwrap(), &text, &more);
    assert_eq!(manager.next()["READY"], "1");
    server.wait_for("serving");
    manager.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silence = manager.0.recv(&mut [0; 100]);
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_service_that_fails_is_in_the_words_that_the_manager_shows() {
    let Some(node) = Node::new() else { return };
    let path = node.dir.join("manager");
    let manager = Manager::new(&path);
    let failing = crate::serving::service("broken", &["/bin/false"], "Restart = never");
    let server = start(&node, path.to_str().unwrap(), &(head(&node) + &failing + &sleeper("one", "")), &[]);
    let ready = manager.next();
    assert_eq!(
        (&*ready["READY"], &*ready["STATUS"]),
        ("1", "serving, but not well: broken"),
        "{}",
        server.log()
    );
}

#[test]
fn a_manager_that_does_not_listen_does_not_stop_anything() {
    let Some(node) = Node::new() else { return };
    let path = node.dir.join("manager");
    let manager = Manager::new(&path);
    let text = head(&node) + &sleeper("one", "");
    let mut server = start(&node, path.to_str().unwrap(), &text, &[("WATCHDOG_USEC", "20000")]);
    assert_eq!(manager.word()["READY"], "1");
    // It never reads again, and its queue fills up; then it is gone.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.ask(&["status"]).status, 0);
    drop(manager);
    server.signal("HUP");
    until("it has reloaded", || server.json(&["status"])["generation"].as_u64() >= Some(2));
    let messages = server.log().matches("could not be told").count();
    assert_eq!(messages, 1, "it is not said over and over");
    server.signal("TERM");
    assert_eq!(server.wait(), 0);
    // An address that makes no sense is one of the things that a start is refused for.
    let mut refused = start(&node, "no/absolute/path", &text, &[]);
    assert_eq!(refused.wait(), 125);
    assert!(refused.log().contains("NOTIFY_SOCKET"), "{}", refused.log());
}

#[test]
fn the_pid_file_is_locked_and_a_second_server_is_refused_with_the_first_one_s_number() {
    let Some(node) = Node::new() else { return };
    let text = head(&node) + &sleeper("one", "Listen \"127.0.0.1:80\" { }");
    let mut first = Server::start(&node, &text);
    let (pid, content) = (first.pid(), format!("{}\n", first.pid()));
    assert_eq!(fs::read_to_string(pid_path(&node)).unwrap(), content);
    assert_eq!(node.sh("flock --nonblock run/pid true").status, 1, "it is locked");
    // Nobody else can even open it: whoever locked it would keep the next server from starting.
    let other = node.sh("setpriv --reuid=995 --clear-groups flock --nonblock run/pid true");
    assert!(other.err.contains("Permission denied"), "{other:?}");
    let mut second = Server::begin(&node, &text);
    assert_eq!(second.wait(), 125);
    let log = second.log();
    for words in [&*format!("it is held by process {pid}"), "server.conf:1:", "stepdown restart"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert_eq!(fs::read_to_string(pid_path(&node)).unwrap(), content, "it is still the first one's");
    // Without a pid file it is the console that tells.
    let mut third = Server::begin(&node, text.split_once('\n').unwrap().1);
    assert_eq!(third.wait(), 125);
    let log = third.log();
    for words in ["a process listens on it, perhaps this server, started already", "127.0.0.1:80"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(is_alive(pid) && first.has_ended().is_none());
    assert_eq!(first.ask(&["status"]).status, 0, "its console is where it was");
    assert_eq!(first.stop().0, 0);
}

#[test]
fn a_pid_file_that_is_something_else_is_not_written_to() {
    let Some(node) = Node::new() else { return };
    let target = node.file("precious", "precious\n");
    let text = head(&node) + &sleeper("one", "");
    for (make, words) in [
        ("ln -s ../precious run/pid", "a symbolic link"),
        ("ln precious run/pid", "another name"),
        ("mkfifo run/pid", "not a regular file"),
        ("mkdir run/pid", "a directory"),
        ("setpriv --reuid=994 --clear-groups touch run/pid", "another user"),
    ] {
        crate::serving::run_dir(&node);
        let made = node.sh(&format!("rm -rf run/pid && {make}"));
        assert_eq!(made.status, 0, "{made:?}");
        let mut refused = Server::begin(&node, &text);
        assert_eq!(refused.wait(), 125, "{make}");
        assert!(refused.log().contains(words), "{make}: {}", refused.log());
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    }
    node.sh("rm -rf run/pid").ran();
    // What a server that was killed has left is no hindrance.
    fs::write(pid_path(&node), "1\n").unwrap();
    let server = Server::start(&node, &text);
    assert_eq!(fs::read_to_string(pid_path(&node)).unwrap(), format!("{}\n", server.pid()));
}
