//! The listeners of `stepdown serve` and their options, by what the kernel and clients see of them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};

use crate::servers::ask;
use crate::serving::{Server, head, head_with, run_dir, service, sleeper, until};
use crate::support::{ECUSER, Node, have};

/// Debian's own Python.
const PYTHON: &str = "/usr/bin/python3";

/// Answers every connection and every datagram of every socket with the socket's number.
const ECHO: &str = "
import os, selectors, socket
wait = selectors.DefaultSelector()
for number in range(3, 3 + int(os.environ['LISTEN_FDS'])):
    wait.register(socket.socket(fileno=number), selectors.EVENT_READ)
while True:
    for key, _ in wait.select():
        one, answer = key.fileobj, str(key.fileobj.fileno()).encode()
        if one.type == socket.SOCK_DGRAM:
            _, sender = one.recvfrom(100)
            one.sendto(answer, sender)
        else:
            connection, _ = one.accept()
            connection.sendall(answer)
            connection.close()
";

fn echo(node: &Node, listeners: &str) -> String {
    let script = node.file("echo.py", ECHO).display().to_string();
    service("echo", &[PYTHON, "-I", &script], listeners)
}

/// What is answered at an address in the words of socat(1).
fn answer(node: &Node, address: &str) -> Option<String> {
    ask(node, &format!("socat -u -T 30 {address} -"))
}

#[test]
fn every_kind_of_address_is_reached_by_its_clients() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("socat") {
        return;
    }
    let path = run_dir(&node).join("web.sock").display().to_string();
    let datagrams = run_dir(&node).join("log.sock").display().to_string();
    let listeners = format!(
        "Listen \"*:80\" {{ }}  Listen \"127.0.0.1:81\" {{ }}  Listen \"[::1]:82\" {{ }}  Listen \"[::]:83\" {{ }}\n  \
         Listen \"{path}\" {{ }}  Listen \"@abstract name\" {{ }}  Listen \"*:53\" {{ Type = datagram }}  \
         Listen \"{datagrams}\" {{ Type = datagram }}"
    );
    let security = "user = ecuser  group = ecuser";
    let server = Server::start(&node, &(head_with(&node, security) + &echo(&node, &listeners)));
    let own = run_dir(&node).join("own").display().to_string();
    for (address, number) in [
        ("TCP4:127.0.0.1:80", Some("3")),
        ("TCP6:[::1]:80", Some("3")),
        ("TCP4:127.0.0.1:81", Some("4")),
        ("TCP6:[::1]:81", None),
        ("TCP6:[::1]:82", Some("5")),
        ("TCP4:127.0.0.1:82", None),
        ("TCP6:[::1]:83", Some("6")),
        ("TCP4:127.0.0.1:83", None),
        (&format!("UNIX-CONNECT:{path}"), Some("7")),
        ("'ABSTRACT-CONNECT:abstract name'", Some("8")),
    ] {
        assert_eq!(answer(&node, address).as_deref(), number, "{address}\n{}", server.log());
    }
    let datagram = |address: &str| ask(&node, &format!("umask 0; echo x | socat -t 1 - {address}"));
    assert_eq!(datagram("UDP4:127.0.0.1:53").as_deref(), Some("9"));
    assert_eq!(datagram("UDP6:[::1]:53").as_deref(), Some("9"));
    assert_eq!(datagram(&format!("UNIX-SENDTO:{datagrams},bind={own}")).as_deref(), Some("10"));
    let listed = server.json(&["listeners"]);
    let listed = listed["listeners"].as_array().unwrap();
    // The console's among them.
    assert_eq!(listed.len(), 9, "{listed:?}");
    let of = |address: &str| listed.iter().find(|one| one["address"] == address).unwrap();
    assert_eq!((&of("*:53")["type"], &of("*:53")["service"]), (&"datagram".into(), &"echo".into()));
}

#[test]
fn the_file_of_a_socket_has_its_mode_and_belongs_to_the_scope_s_user() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("socat") {
        return;
    }
    let run = run_dir(&node);
    let (open, closed, deep) = (run.join("open"), run.join("closed"), node.dir.join("made/for/it"));
    let listeners = format!(
        "Listen \"{}\" {{ }}  Listen \"{}\" {{ File_Mode = 0600 }}  Listen \"{}\" {{ File_Mode = 0660 }}",
        open.display(),
        closed.display(),
        node.dir.join("made/it").display()
    );
    // A careless umask opens nothing, and a careful one closes nothing.
    for umask in ["000", "077"] {
        node.file("server.conf", &(head(&node) + &echo(&node, &listeners)));
        let mut shell = node.command("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$STEPDOWN\" serve -c server.conf")]);
        shell.env("STEPDOWN", crate::support::STEPDOWN);
        let mut server = Server::spawn(&node, &mut shell);
        server.wait_for("serving");
        for (path, mode) in
            [(open.clone(), 0o666), (closed.clone(), 0o600), (node.dir.join("made/it"), 0o660)]
        {
            let found = fs::metadata(&path).unwrap();
            assert!(found.file_type().is_socket());
            assert_eq!((found.uid(), found.gid()), (ECUSER, ECUSER), "{}", path.display());
            assert_eq!(found.permissions().mode() & 0o7777, mode, "{}", path.display());
        }
        let other = |path: &std::path::Path| {
            ask(
                &node,
                &format!(
                    "setpriv --reuid=995 --regid=995 --clear-groups socat -u -T 30 UNIX-CONNECT:{} -",
                    path.display()
                ),
            )
        };
        assert_eq!((other(&open).as_deref(), other(&closed)), (Some("3"), None));
        assert_eq!(server.stop().0, 0);
        fs::remove_dir_all(node.dir.join("made")).unwrap();
    }
    // Only the last directory of a path is made: a mistake in the others is one.
    let listener = format!("Listen \"{}\" {{ }}", deep.display());
    let mut refused = Server::begin(&node, &(head(&node) + &echo(&node, &listener)));
    assert_eq!(refused.wait(), 125);
    assert!(refused.log().contains("only the last directory of a path is made"), "{}", refused.log());
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0, "nothing is left of a start that was refused");
}

/// The line of ss(8) about a listening socket.
fn ss(node: &Node, options: &str, address: &str) -> String {
    let done = node.sh(&format!("ss -H -n {options}"));
    assert_eq!(done.status, 0, "{done:?}");
    let found = done.out.lines().find(|line| line.split_whitespace().any(|word| word == address));
    found.unwrap_or_else(|| panic!("no {address} in {}", done.out)).to_owned()
}

#[test]
fn the_backlog_is_what_is_written_and_changes_with_a_reload() {
    let Some(node) = Node::new() else { return };
    let text =
        |backlog: &str| head(&node) + &sleeper("one", &format!("Listen \"127.0.0.1:80\" {{ {backlog} }}"));
    assert_eq!(node.sh("echo 5000 >/proc/sys/net/core/somaxconn").status, 0);
    let server = Server::start(&node, &text(""));
    let queue = || {
        let line = ss(&node, "-lt", "127.0.0.1:80");
        line.split_whitespace().nth(2).unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(queue(), 4096);
    let pid = server.service_pids("one");
    let reload = server.reload(&text("Backlog = 7"));
    assert_eq!((reload.status, queue()), (0, 7), "{reload:?}");
    assert_eq!(server.service_pids("one"), pid, "the service is not touched");
}

#[test]
fn free_bind_takes_an_address_that_is_yet_to_come() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("socat") {
        return;
    }
    let text = |option: &str| head(&node) + &echo(&node, &format!("Listen \"192.0.2.1:80\" {{ {option} }}"));
    let mut refused = Server::begin(&node, &text(""));
    assert_eq!(refused.wait(), 125);
    let log = refused.log();
    for words in ["no interface of this host has the address", "Free_Bind = true", "server.conf:"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let server = Server::start(&node, &text("Free_Bind = true"));
    node.sh("ip address add 192.0.2.1/32 dev lo").ran();
    assert_eq!(answer(&node, "TCP:192.0.2.1:80").as_deref(), Some("3"), "{}", server.log());
}

#[test]
fn reuse_port_shares_an_address_and_nothing_else_does() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let bind = "import socket,sys\none = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\none.bind(('127.0.0.1', int(sys.argv[1])))\n";
    node.file("bind.py", bind);
    let listeners = "Listen \"127.0.0.1:53\" { Type = datagram  Reuse_Port = true }  Listen \"127.0.0.1:54\" { Type = datagram }";
    let server = Server::start(&node, &(head(&node) + &sleeper("one", listeners)));
    let bind = |port: u16| node.sh(&format!("{PYTHON} -I bind.py {port}"));
    assert_eq!(bind(53).status, 0, "{}", server.log());
    let refused = bind(54);
    assert!(refused.status == 1 && refused.err.contains("Address already in use"), "{refused:?}");
}

#[test]
fn an_address_in_use_is_refused_with_its_place_and_everything_is_given_back() {
    let Some(node) = Node::new() else { return };
    if !have("socat") {
        return;
    }
    let mut holder = node.command("socat").args(["TCP-LISTEN:81", "-"]).spawn().unwrap();
    until("it listens", || node.sh("ss -Hltn").out.contains(":81"));
    let path = run_dir(&node).join("socket");
    let listeners = format!(
        "Listen \"{}\" {{ }}\n  Listen \"127.0.0.1:80\" {{ }}\n  Listen \"*:81\" {{ }}\n  Listen \"/etc/passwd\" {{ }}",
        path.display()
    );
    let mut refused = Server::begin(&node, &(head(&node) + &sleeper("one", &listeners)));
    assert_eq!(refused.wait(), 125);
    let log = refused.log();
    for words in [
        "*:81 can't be listened on",
        "another socket has the address",
        "server.conf:8:",
        "/etc/passwd",
        "server.conf:9:",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert_eq!(fs::read_dir(run_dir(&node)).unwrap().count(), 0, "{log}");
    assert!(fs::read_to_string("/etc/passwd").unwrap().contains("root"));
    let _ = holder.kill();
    let _ = holder.wait();
}

/// Between services that accept for themselves and those that get connections a socket can change; whether it blocks belongs to the
/// socket, and a service that waits in accept(2) counts on it.
#[test]
fn a_socket_that_the_server_accepted_from_blocks_again_in_the_hands_of_a_service() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("socat") {
        return;
    }
    let accepting = head(&node)
        + &service("one", &["/bin/echo", "accepted"], "Accept = true  Listen \"127.0.0.1:80\" { }");
    let server = Server::start(&node, &accepting);
    assert_eq!(answer(&node, "TCP:127.0.0.1:80").as_deref(), Some("accepted\n"));
    let text = "import socket,time\none = socket.socket(fileno=3)\nprint('waits', flush=True)\n\
                while True:\n    connection, _ = one.accept()\n    connection.sendall(b'served')\n    connection.close()\n";
    let script = node.file("waits.py", text).display().to_string();
    let serving = head(&node)
        + &service("one", &[PYTHON, "-I", &script], "Listen \"127.0.0.1:80\" { }  Ready_After = 0.1");
    let reload = server.reload(&serving);
    assert_eq!(reload.status, 0, "{reload:?}");
    until("the service has it", || answer(&node, "TCP:127.0.0.1:80").as_deref() == Some("served"));
    assert!(!server.log().contains("Error"), "{}", server.log());
    assert_eq!(server.service("one")["restarts"], 0);
    // And back.
    assert_eq!(server.reload(&accepting).status, 0);
    until("the server has it", || answer(&node, "TCP:127.0.0.1:80").as_deref() == Some("accepted\n"));
}

/// A directory that is not the user's keeps its files when the server ends: the next start is not hindered by them.
#[test]
fn a_socket_s_file_that_can_t_be_removed_does_not_hinder_the_next_start() {
    let Some(node) = Node::new() else { return };
    let directory = node.dir.join("roots");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(0), Some(0)).unwrap();
    let path = directory.join("socket");
    let text = head(&node) + &sleeper("one", &format!("Listen \"{}\" {{ }}", path.display()));
    for _ in 0..2 {
        let server = Server::start(&node, &text);
        assert_eq!(server.stop().0, 0);
        assert!(path.exists());
    }
}
