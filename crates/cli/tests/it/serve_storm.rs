//! What a server has to live through: storms of signals, clocks that are not what they were, and no descriptors left. It says
//! so, goes on serving, and recovers.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::serving::{Server, console_path, head, is_alive, status_field, until};
use crate::serving_load::{Clients, node};
use crate::support::{Node, STEPDOWN, done};

fn load(node: &Node) -> String {
    format!(
        "Service \"web\" {{ Command = ( \"{}\" serve )  Notify = true  Listen \"*:80\" {{ }} }}\n",
        node.dir.join("load").display()
    )
}

/// How many times a process was woken up so far.
fn wakeups(pid: u32) -> u64 {
    status_field(pid, "voluntary_ctxt_switches").parse().unwrap()
}

#[test]
fn ten_thousand_signals_are_no_reason_to_stop_serving() {
    let Some((node, _)) = node() else { return };
    let server = Server::start(&node, &(head(&node) + &load(&node)));
    let service = server.service_pids("web")[0];
    let clients = Clients::start(&node, "80", 0, 8, 0);
    // As fast as they can be sent, from several sides, while the console is asked.
    let script = format!(
        "import os, signal\nfor turn in range(2500):\n  \
         for one in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, \
         signal.SIGCONT, signal.SIGPIPE): os.kill({}, one)\n",
        server.pid()
    );
    let storms: Vec<_> = (0..4)
        .map(|_| node.command("python3").args(["-c", &script]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    let mut asked = 0;
    for mut storm in storms {
        while storm.try_wait().unwrap().is_none() {
            assert!(server.answer(&["status"]).contains("serving"));
            asked += 1;
        }
        assert!(storm.wait().unwrap().success());
    }
    assert!(asked > 0);
    assert!(server.log().contains("reload by SIGHUP: done"), "{}", server.log());
    assert_eq!(server.service_pids("web"), [service]);
    assert!(is_alive(service));
    clients.end().none_lost(100);
    // And is as idle as before when it is over.
    until("rest", || {
        let before = wakeups(server.pid());
        std::thread::sleep(std::time::Duration::from_millis(500));
        wakeups(server.pid()) == before
    });
}

#[test]
fn children_that_end_by_the_hundred_are_all_waited_for() {
    let Some((node, _)) = node() else { return };
    let text = format!(
        "{}{}Service \"each\" {{ Command = ( /bin/true ) Accept = true Max_Connections = 50 Output = direct Listen \"*:7\" {{ }} }}\n",
        head(&node),
        load(&node)
    );
    let server = Server::start(&node, &text);
    // Each is one process that ends at once, which is one connection that is cut; there is always room for the next.
    let clients = Clients::start(&node, "7", 500, 50, 0).wait();
    assert_eq!((clients.refused, clients.failed), (0, 0), "{clients:?}");
    until("the last child", || server.json(&["services"])["services"][1]["connections"] == 0);
    let zombies = crate::serving::children(server.pid());
    assert!(zombies.iter().all(|child| is_alive(*child)), "{zombies:?}");
}

#[test]
fn a_server_that_was_stopped_for_a_while_goes_on_where_it_was() {
    let Some((node, _)) = node() else { return };
    let text = format!(
        "{}{}Service \"dies\" {{ Command = ( /bin/sleep 0.05 ) Ready_After = 0.01 Restart_Pause = 0.1 Restart_Limit = 0 Restart_Pause_Max = 0.2 }}\n",
        head(&node).replace("File_Mode = 0600 }", "File_Mode = 0600 } Timeout = 1"),
        load(&node)
    );
    let server = Server::start(&node, &text);
    let clients = Clients::start(&node, "80", 0, 8, 20);
    for _ in 0..3 {
        server.signal("STOP");
        // Every deadline of it passes meanwhile.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        server.signal("HUP");
        server.signal("CONT");
        assert!(server.answer(&["status"]).contains("serving"));
    }
    let restarts = || server.json(&["services"])["services"][1]["restarts"].as_u64().unwrap();
    let before = restarts();
    until("the service that dies to be started again", || restarts() > before);
    clients.end().none_lost(10);
}

/// The clock of the day can't be set for one process: that would be the machine's. But the server has no deadline by it. The
/// others can be set, once, in a time namespace.
#[test]
fn clocks_that_say_something_else_are_no_reason_to_wait() {
    let Some((node, _)) = node() else { return };
    let probe = done(node.command("unshare").args(["--time", "--boottime", "1", "--monotonic", "1", "true"]));
    if probe.status != 0 {
        crate::support::skip("this kernel has no time namespaces");
        return;
    }
    let text = head(&node)
        + &load(&node)
        + "Service \"dies\" { Command = ( /bin/sleep 0.05 ) Ready_After = 0.01 Restart_Pause = 0.1 Restart_Limit = 0 }\n";
    node.file("server.conf", &text);
    for offset in ["4000000000", "100000"] {
        let mut command = node.command("unshare");
        command.args([
            "--time",
            "--boottime",
            offset,
            "--monotonic",
            offset,
            STEPDOWN,
            "serve",
            "-c",
            "server.conf",
        ]);
        let mut server = Server::spawn(&node, &mut command);
        server.wait_for("serving");
        let status = server.json(&["status"]);
        assert!(status["uptime_seconds"].as_u64().unwrap() < 1000, "{status}");
        let restarts = || server.json(&["services"])["services"][1]["restarts"].as_u64().unwrap();
        until("the service that dies to be started again", || restarts() > 1);
        Clients::start(&node, "80", 20, 4, 0).wait().none_lost(20);
        assert_eq!(server.stop().0, 0);
    }
}

/// A server that may have few descriptors, soft and hard.
fn limited<'a>(node: &'a Node, text: &str, descriptors: u32) -> Server<'a> {
    node.file("server.conf", text);
    let script = format!("ulimit -n {descriptors} && exec \"$STEPDOWN\" serve -c server.conf");
    let mut server = Server::spawn(node, node.command("sh").args(["-c", &script]).env("STEPDOWN", STEPDOWN));
    server.wait_for("serving");
    server
}

#[test]
fn consoles_that_take_all_descriptors_are_said_and_the_services_go_on() {
    let Some((node, _)) = node() else { return };
    let server = limited(&node, &(head(&node) + &load(&node)), 40);
    let clients = Clients::start(&node, "80", 0, 8, 10);
    let sessions: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(console_path(&node)).unwrap()).collect();
    let mut server = server;
    server.wait_for("a connection can't be accepted");
    // It is said once and not in a storm, it sleeps, and what is served goes on.
    let count = server.log().matches("can't be accepted").count();
    let before = wakeups(server.pid());
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert!(wakeups(server.pid()) - before < 100);
    assert!(server.log().matches("can't be accepted").count() <= count + 4, "{}", server.log());
    // A signal gets through; what can't be done is refused and said, and nothing changes.
    node.file(
        "server.conf",
        &(head(&node)
            + &load(&node).replace(
                "Listen \"*:80\" { }",
                "Listen \"*:80\" { } Listen \"*:81\" { } Listen \"*:82\" { }",
            )),
    );
    server.signal("HUP");
    server.wait_for("Reconfigure failed; nothing has changed");
    assert!(server.log().contains("EMFILE") || server.log().contains("os error 24"), "{}", server.log());
    drop(sessions);
    until("the console", || server.ask(&["status"]).status == 0);
    assert_eq!(server.ask(&["config", "reload"]).status, 0);
    clients.end().none_lost(20);
    Clients::start(&node, "82", 20, 4, 0).wait().none_lost(20);
}

#[test]
fn connections_that_take_all_descriptors_wait_for_their_turn() {
    let Some((node, _)) = node() else { return };
    let text = format!(
        "{}{}Service \"each\" {{ Command = ( /bin/cat ) Accept = true Max_Connections = 1000 Listen \"127.0.0.1:7\" {{ }} }}\n",
        head(&node),
        load(&node)
    );
    let mut server = limited(&node, &text, 48);
    let clients = Clients::start(&node, "80", 0, 8, 10);
    let script = "import socket, sys\n\
                  all = []\n\
                  for _ in range(100):\n  one = socket.create_connection(('127.0.0.1', 7)); all.append(one)\n\
                  print('connected', flush=True)\nsys.stdin.read()\nserved = 0\n\
                  for one in all:\n  one.settimeout(60); one.sendall(b'x')\n  served += one.recv(1) == b'x'; one.close()\n\
                  print(served)\n";
    let mut many = node
        .command("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Either a connection can't be accepted or its process can't be started: both are said.
    until("the descriptors to run out", || {
        let log = server.log();
        log.contains("can't be accepted") || log.contains("EMFILE") || log.contains("os error 24")
    });
    assert!(server.has_ended().is_none());
    drop(many.stdin.take());
    let said = many.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // Not one was accepted that could not have its process: all had their turn.
    assert_eq!(said, "connected\n100\n", "{}", server.log());
    until("all connections to end", || server.json(&["services"])["services"][1]["connections"] == 0);
    clients.end().none_lost(20);
    Clients::start(&node, "80", 20, 4, 0).wait().none_lost(20);
    let echo = done(
        node.command("bash").args(["-c", "exec 3<>/dev/tcp/127.0.0.1/7 && echo hello >&3 && head -n 1 <&3"]),
    );
    assert_eq!(echo.out, "hello\n", "{}", server.log());
}

#[test]
fn a_service_that_dies_while_there_are_no_descriptors_comes_back_when_there_are() {
    let Some((node, _)) = node() else { return };
    let text = head(&node)
        + &load(&node).replace("Notify = true", "Notify = true Restart_Pause_Max = 0.5 Restart_Limit = 0");
    let mut server = limited(&node, &text, 30);
    let first = server.service_pids("web")[0];
    let sessions: Vec<UnixStream> =
        (0..60).map(|_| UnixStream::connect(console_path(&node)).unwrap()).collect();
    server.wait_for("can't be accepted");
    crate::serving::signal(first, "KILL");
    server.wait_for("web: was ended by signal 9");
    // Its sockets are there: who connects waits.
    let waiting = Clients::start(&node, "80", 10, 10, 0);
    drop(sessions);
    waiting.wait().none_lost(10);
    let second = server.service_pids("web")[0];
    assert!(second != first && fs::metadata(format!("/proc/{second}")).is_ok());
}
