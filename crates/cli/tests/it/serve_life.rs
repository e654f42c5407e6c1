//! How services live under `stepdown serve`: started, ready, ended, started again, given up, told to finish. What becomes of
//! them when processes are killed is in `serve_killed`.

use std::fs;
use std::path::PathBuf;

use crate::serving::{Server, head, is_alive, pid_path, run_dir, service, sleeper, until};
use crate::support::{Node, have};

/// Debian's own Python.
const PYTHON: &str = "/usr/bin/python3";

/// A script of sh(1) as a service, in a file of the node's.
fn script(node: &Node, name: &str, text: &str, options: &str) -> String {
    let file = node.file(&format!("{name}.sh"), text).display().to_string();
    service(name, &["/bin/sh", &file], options)
}

/// Numbers that a script wrote into a file of the directory `run`, one a line.
fn numbers(node: &Node, name: &str) -> Vec<u32> {
    let text = fs::read_to_string(run_dir(node).join(name)).unwrap_or_default();
    // A line that is not finished is not looked at yet.
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

#[test]
fn sigterm_ends_it_with_0_and_its_files_are_gone() {
    let Some(node) = Node::new() else { return };
    let socket = run_dir(&node).join("socket");
    let options = format!("Listen \"{}\" {{ }}", socket.display());
    let server = Server::start(&node, &(head(&node) + &sleeper("idle", &options)));
    assert_eq!(fs::read_to_string(pid_path(&node)).unwrap(), format!("{}\n", server.pid()));
    assert!(server.answer(&["status"]).contains("serving") && socket.exists());
    let (status, log) = server.stop();
    assert_eq!(status, 0, "{log}");
    let left: Vec<_> = fs::read_dir(node.dir.join("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}\n{log}");
}

#[test]
fn one_that_dies_is_started_again_with_growing_pauses_and_given_up_where_all_can_see() {
    let Some(node) = Node::new() else { return };
    let options = "Restart_Pause = 0.1  Restart_Pause_Max = 0.3  Restart_Limit = 5";
    let text = head(&node) + &script(&node, "dies", "exit 3\n", options) + &sleeper("lives", "");
    let mut server = Server::start(&node, &text);
    server.wait_for("given up");
    let log = server.log();
    let said: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("error: dies: ").or(line.split_once("warning: dies: ")))
        .map(|(_, said)| said)
        .collect();
    let again = |pause: &str| format!("exited with status 3; it is started again in {pause} s");
    let given_up =
        "exited with status 3; given up after 5 starts in a row that did not last; `restart` tries it again";
    assert_eq!(said, [again("0.1"), again("0.2"), again("0.3"), again("0.3"), given_up.to_owned()], "{log}");
    assert!(log.contains("warning: serving, but not well: dies"), "{log}");
    let dies = server.service("dies");
    assert_eq!(
        (&dies["state"], &dies["well"], &dies["restarts"]),
        (&"given up".into(), &false.into(), &4.into())
    );
    assert_eq!(dies["last_end"], "exited with status 3");
    assert_eq!(server.json(&["status"])["well"], false);
    let words = server.answer(&["services"]);
    assert!(words.contains("dies: given up") && words.contains("exited with status 3"), "{words}");
    assert_eq!(server.service("lives")["state"], "ready", "the others are not touched");
    // It is tried again from the beginning, and stays once it does what it should.
    server.answer(&["restart", "dies"]);
    server.wait_for_times("given up", 2);
    node.file("dies.sh", "exec sleep 1000000\n");
    server.answer(&["restart", "dies"]);
    until("it is ready", || server.service("dies")["state"] == "ready");
    assert_eq!(server.json(&["status"])["well"], true);
}

#[test]
fn restart_never_and_on_failure_are_kept() {
    let Some(node) = Node::new() else { return };
    let count =
        |name: &str, status: u8| format!("echo $$ >>{}/{name}; exit {status}\n", run_dir(&node).display());
    let mut text = head(&node);
    for (name, status, restart) in
        [("once", 1, "never"), ("done", 0, "on_failure"), ("again", 7, "on_failure")]
    {
        let options = format!("Restart = {restart}  Restart_Pause = 0.05  Restart_Limit = 3");
        text += &script(&node, name, &count(name, status), &options);
    }
    let mut server = Server::start(&node, &text);
    server.wait_for("again: exited with status 7; given up");
    server.wait_for("error: once: exited with status 1; Restart says that it is not started again");
    server.wait_for("stepdown: done: exited with status 0; Restart says that it is not started again");
    assert_eq!(["once", "done", "again"].map(|name| numbers(&node, name).len()), [1, 1, 3]);
    let state = |name| server.service(name)["state"].clone();
    assert_eq!(
        [state("once"), state("done"), state("again")],
        ["failed", "ended", "given up"].map(serde_json::Value::from)
    );
    let well = |name| server.service(name)["well"].clone();
    assert_eq!(
        [well("once"), well("done"), well("again")],
        [false, true, false].map(serde_json::Value::from)
    );
    server.answer(&["restart", "once"]);
    until("it has run again", || numbers(&node, "once").len() == 2);
}

/// Says what it is told to: each line of the file `say` is one message to the server.
const TALKER: &str = "
import os, socket, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = os.environ['NOTIFY_SOCKET']
notify.connect('\\0' + address[1:])
said = 0
while True:
    try:
        lines = open('say').read().split('\\n')[:-1]
    except FileNotFoundError:
        lines = []
    for line in lines[said:]:
        notify.sendall(line.replace('|', '\\n').encode())
        said += 1
    time.sleep(0.02)
";

#[test]
fn one_that_notifies_is_ready_when_it_says_so_and_its_status_is_shown() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let script = node.file("talker.py", TALKER).display().to_string();
    // It would be ready after a moment, if that counted.
    let options = format!("Notify = true  Ready_After = 0.05  Directory = \"{}\"", node.dir.display());
    let text = head(&node) + &service("talker", &[PYTHON, "-I", &script], &options);
    let mut server = Server::begin(&node, &text);
    until("the console answers", || server.ask(&["status"]).status == 0);
    let mut said = String::new();
    let mut say = |line: &str| {
        said += &format!("{line}\n");
        node.file("say", &said);
    };
    say("STATUS=warming up");
    until("its status is shown", || server.service("talker")["says"] == "warming up");
    assert_eq!(server.service("talker")["state"], "starting");
    assert!(!server.log().contains("serving"), "it has not started yet: {}", server.log());
    assert_eq!(server.json(&["status"])["state"], "starting");
    say("NONSENSE|READY=1|STATUS=at \u{1b}[31mwork");
    server.wait_for("serving as user 994");
    assert_eq!(server.service("talker")["state"], "ready");
    let words = server.answer(&["services"]);
    assert!(words.contains("work") && !words.contains('\u{1b}'), "{words:?}");
    say("RELOADING=1");
    until("it reloads", || server.service("talker")["state"] == "reloading");
    say("READY=1|STATUS=");
    until("it is ready again", || server.service("talker")["state"] == "ready");
    assert_eq!(server.service("talker")["says"], serde_json::Value::Null);
}

#[test]
fn systemd_notify_may_say_it_for_the_script_that_it_is_called_from() {
    let Some(node) = Node::new() else { return };
    if !have("systemd-notify") {
        return;
    }
    let text = "systemd-notify --ready --status='told by a child' && exec sleep 1000000\n";
    // Many at once: each of these children is gone as soon as the server has taken what it sent.
    let services: String =
        (0..20).map(|number| script(&node, &format!("shell{number}"), text, "Notify = true")).collect();
    let mut server = Server::begin(&node, &(head(&node) + &services));
    server.wait_for("serving as user 994");
    for number in 0..20 {
        let shell = server.service(&format!("shell{number}"));
        let found = (&shell["state"], &shell["says"], &shell["restarts"]);
        assert_eq!(found, (&"ready".into(), &"told by a child".into(), &0.into()), "{}", server.log());
    }
}

#[test]
fn what_is_said_by_a_process_of_no_service_counts_for_nothing() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let waits = format!("echo $NOTIFY_SOCKET >{}/where; exec sleep 1000000\n", run_dir(&node).display());
    let text = head(&node) + &script(&node, "waits", &waits, "Notify = true");
    let server = Server::begin(&node, &text);
    let place = run_dir(&node).join("where");
    until("it runs", || fs::read_to_string(&place).is_ok_and(|text| text.ends_with('\n')));
    let address = fs::read_to_string(&place).unwrap();
    let say = "import os,socket,sys\nnotify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
               notify.sendto(b'READY=1\\nSTATUS=forged', '\\0' + sys.argv[1][1:])\n";
    node.file("say.py", say);
    for user in ["0", "994"] {
        let said =
            node.sh(&format!("setpriv --reuid={user} --clear-groups {PYTHON} -I say.py {}", address.trim()));
        assert_eq!(said.status, 0, "it was sent: {said:?}");
    }
    // The console is answered after what came before.
    let waits = server.service("waits");
    assert_eq!((&waits["state"], &waits["says"]), (&"starting".into(), &serde_json::Value::Null));
}

#[test]
fn one_that_does_not_say_that_it_is_ready_has_failed_after_its_time() {
    let Some(node) = Node::new() else { return };
    let options = "Notify = true  Start_Timeout = 0.3  Restart_Pause = 0.05  Restart_Limit = 2";
    let mut server =
        Server::start(&node, &(head(&node) + &script(&node, "silent", "exec sleep 1000000\n", options)));
    server.wait_for("serving, but not well: silent");
    server.wait_for_times("silent: was not ready within 0.3", 2);
    server.wait_for("given up after 2 starts");
    let silent = server.service("silent");
    assert!(silent["last_end"].as_str().unwrap().contains("and was ended by signal 15"), "{silent}");
    assert_eq!(silent["pids"].as_array().unwrap().len(), 0);
}

#[test]
fn a_program_that_is_not_there_is_refused_at_the_start_and_visible_later() {
    let Some(node) = Node::new() else { return };
    let program = node.file("program", "#!/bin/sh\nexec sleep 1000000\n");
    node.sh("chmod 755 program").ran();
    let path = program.display().to_string();
    let text = head(&node)
        + &service("mine", &[&path], "Restart_Pause = 0.05  Restart_Limit = 3  Ready_After = 0.05");
    let mut server = Server::start(&node, &text);
    let before = server.service_pids("mine")[0];
    fs::remove_file(&program).unwrap();
    crate::serving::signal(before, "KILL");
    server.wait_for("mine: can't be executed: ");
    server.wait_for("given up after");
    assert!(
        server.service("mine")["last_end"].as_str().unwrap().contains(&path),
        "{}",
        server.service("mine")
    );
    // There again, but not for everybody.
    let program = node.file("program", "#!/bin/sh\nexec sleep 1000000\n");
    node.sh("chmod 700 program").ran();
    server.answer(&["restart", "mine"]);
    server.wait_for_times("given up after", 2);
    let said = server.service("mine")["last_end"].as_str().unwrap().to_owned();
    assert!(said.contains("can't be executed by the user of the scope"), "{said}");
    node.sh("chmod 755 program").ran();
    // And one whose interpreter is missing.
    fs::write(&program, "#!/nonexistent/sh\n").unwrap();
    server.answer(&["restart", "mine"]);
    server.wait_for_times("given up after", 3);
    let said = server.service("mine")["last_end"].as_str().unwrap().to_owned();
    assert!(said.contains("/nonexistent/sh"), "{said}");
    fs::write(&program, "#!/bin/sh\nexec sleep 1000000\n").unwrap();
    server.answer(&["restart", "mine"]);
    until("it runs", || server.service("mine")["state"] == "ready");
    assert_eq!(server.stop().0, 0);
    for (missing, words) in [("/nonexistent/program", "/nonexistent/program"), ("/etc/passwd", "/etc/passwd")]
    {
        let mut refused = Server::begin(&node, &(head(&node) + &service("mine", &[missing], "")));
        assert_eq!(refused.wait(), 125);
        let log = refused.log();
        assert!(log.contains(words) && log.contains("server.conf:"), "{log}");
        assert!(!pid_path(&node).exists(), "nothing is left of it: {log}");
    }
}

#[test]
fn one_that_ignores_sigterm_is_killed_after_its_time_and_not_before() {
    let Some(node) = Node::new() else { return };
    let run = run_dir(&node).display().to_string();
    let stubborn = format!(
        "trap 'echo term >>{run}/heard' TERM; echo $$ >>{run}/pid.stubborn\nwhile :; do sleep 0.05; done\n"
    );
    // One with all the time it wants, who takes a little of it.
    let polite = format!(
        "trap 'sleep 0.5; echo done >{run}/polite; exit 0' TERM; echo $$ >>{run}/pid.polite\nwhile :; do sleep 0.05; done\n"
    );
    let text = head(&node)
        + &script(&node, "stubborn", &stubborn, "Graceful_Timeout = 0.3  Ready_After = 0.1")
        + &script(&node, "polite", &polite, "Graceful_Timeout = 1000  Ready_After = 0.1");
    let server = Server::start(&node, &text);
    until("both run", || {
        !numbers(&node, "pid.stubborn").is_empty() && !numbers(&node, "pid.polite").is_empty()
    });
    let (status, log) = server.stop();
    assert_eq!(status, 0, "{log}");
    assert!(log.contains("stubborn: did not finish in time, and was ended by signal 9"), "{log}");
    assert!(log.contains("polite: exited with status 0"), "{log}");
    assert_eq!(fs::read_to_string(run_dir(&node).join("polite")).unwrap(), "done\n");
    assert!(fs::read_to_string(run_dir(&node).join("heard")).unwrap().starts_with("term\n"));
    assert!(!is_alive(numbers(&node, "pid.stubborn")[0]));
}

/// A shell with two children, one of which is in a process group of its own, that ends at once when it is told to.
fn parent(node: &Node, options: &str) -> String {
    let pids = run_dir(node).join("pids");
    let text = format!(
        "sleep 1000000 & echo $! >>{0}\nset -m\nsleep 1000000 & echo $! >>{0}\nwait\n",
        pids.display()
    );
    let file = node.file("parent.sh", &text).display().to_string();
    service("parent", &["/bin/bash", &file], options)
}

#[test]
fn a_service_that_ends_leaves_nobody_behind_and_is_not_waited_for_longer_than_needed() {
    let Some(node) = Node::new() else { return };
    // Much longer than any test waits: who waits for it hangs.
    let text =
        head(&node) + &parent(&node, "Graceful_Timeout = 100000  Ready_After = 0.1  Restart_Pause = 0.05");
    let server = Server::start(&node, &text);
    until("it has children", || numbers(&node, "pids").len() == 2);
    let first = numbers(&node, "pids");
    // It is killed, and can't end its children itself.
    crate::serving::signal(server.service_pids("parent")[0], "KILL");
    until("another has children", || numbers(&node, "pids").len() == 4);
    until("those of the first are gone", || !first.iter().any(|pid| is_alive(*pid)));
    let second = numbers(&node, "pids")[2..].to_vec();
    assert!(second.iter().all(|pid| is_alive(*pid)), "only those of the first");
    let (status, log) = server.stop();
    assert_eq!(status, 0, "{log}");
    assert!(!second.iter().any(|pid| is_alive(*pid)), "{log}");
}

/// Its own service, beside which a service with another name stays as it is.
#[test]
fn a_restart_is_for_one_service_and_its_sockets_stay() {
    let Some(node) = Node::new() else { return };
    let text = head(&node)
        + &sleeper("one", "Listen \"127.0.0.1:80\" { }")
        + &sleeper("two", "Listen \"127.0.0.1:81\" { }");
    let server = Server::start(&node, &text);
    let inode = |pid: u32| fs::read_link(format!("/proc/{pid}/fd/3")).unwrap();
    let (one, two) = (server.service_pids("one")[0], server.service_pids("two")[0]);
    let (socket, other): (PathBuf, PathBuf) = (inode(one), inode(two));
    server.answer(&["restart", "one"]);
    until("it is another", || {
        let pids = server.service_pids("one");
        pids.len() == 1 && pids[0] != one
    });
    assert_eq!(inode(server.service_pids("one")[0]), socket);
    assert_eq!((server.service_pids("two"), inode(two)), (vec![two], other));
    let unknown = server.ask(&["restart", "onne"]);
    assert!(unknown.status == 1 && unknown.err.contains("did you mean one?"), "{unknown:?}");
}
