//! Programs that people run, as services of `stepdown serve`: each gets sockets on ports below 1024 that root bound, and runs
//! without root and without any capability. And the other way around: systemd-socket-activate(1) starts `stepdown serve`.

use std::io::Write;
use std::path::Path;

use crate::servers::{NONE, ask, own_directory};
use crate::serving::{Server, head_with, pid_path, run_dir, service, until};
use crate::support::{Node, STEPDOWN, have, skip};

/// `ecuser`, and nothing retained: what listens below 1024 was bound before.
const NOTHING: &str = "user = ecuser  group = ecuser";

/// Debian's own Python: another one that comes first in a `PATH` may lack the modules.
const PYTHON: &str = "/usr/bin/python3";

/// What curl(1) prints; fails the test where it can't.
#[track_caller]
fn get(node: &Node, url: &str) -> String {
    let done = node.sh(&format!("curl -sS --max-time 30 {url}"));
    assert_eq!((done.status, done.err.as_str()), (0, ""), "{url}");
    done.out
}

/// Whether Debian's Python has a module; where not, the test is skipped.
fn have_module(node: &Node, module: &str) -> bool {
    let there = node.sh(&format!("{PYTHON} -I -c 'import {module}'")).status == 0;
    if !there {
        skip(&format!("Debian's Python has no module {module}"));
    }
    there
}

/// nginx with a master and two workers that keeps all it writes in the directory `web`.
fn nginx(node: &Node) -> Option<String> {
    if !have("nginx") || !have("curl") {
        return None;
    }
    let dir = own_directory(node, "web");
    let dir = dir.display();
    let file = node.file(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes 2; pid {dir}/pid; error_log stderr notice;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2;\n\
             fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;\n\
             server {{ listen [::]:80 ipv6only=off; listen 127.0.0.1:443; return 200 \"$server_port\\n\"; }} }}\n"
        ),
    );
    // nginx has a convention of its own, older than LISTEN_FDS: the numbers of descriptors, each with a semicolon.
    Some(service(
        "nginx",
        &["/usr/sbin/nginx", "-e", "stderr", "-c", &file.display().to_string()],
        "Listen \"*:80\" { }  Listen \"127.0.0.1:443\" { }  Environment = [ NGINX = \"3;4;\" ]  Ready_After = 0.1",
    ))
}

#[test]
fn nginx_serves_ports_80_and_443_that_it_could_not_have_bound() {
    let Some(node) = Node::new() else { return };
    let Some(nginx) = nginx(&node) else { return };
    let mut server = Server::start(&node, &(head_with(&node, NOTHING) + &nginx));
    server.wait_for("using inherited sockets from \"3;4;\"");
    assert_eq!(get(&node, "http://127.0.0.1/ http://[::1]/ http://127.0.0.1:443/"), "80\n80\n443\n");
    // The server, its warden, the master and its two workers.
    until("nginx has its workers", || server.is_unprivileged(NONE) == 5);
    let before = server.service_pids("nginx");
    server.answer(&["restart", "nginx"]);
    // SIGTERM is to nginx to drop what it has; a client who was with the old master may lose that connection.
    until("another master serves", || !server.service_pids("nginx").contains(&before[0]));
    assert_eq!(get(&node, "http://127.0.0.1/"), "80\n");
    until("nginx has its workers again", || server.is_unprivileged(NONE) == 5);
}

#[test]
fn haproxy_takes_its_frontend_s_socket_by_number() {
    let Some(node) = Node::new() else { return };
    if !have("haproxy") || !have("curl") {
        return;
    }
    let file = node.file(
        "haproxy.cfg",
        "global\n maxconn 100\ndefaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
         frontend low\n bind fd@3\n http-request return status 200 content-type text/plain string \"by haproxy\"\n",
    );
    let command = ["/usr/sbin/haproxy", "-db", "-f", &file.display().to_string()];
    let options = "Listen \"127.0.0.1:80\" { }  Ready_After = 0.1";
    let server = Server::start(&node, &(head_with(&node, NOTHING) + &service("haproxy", &command, options)));
    assert_eq!(get(&node, "http://127.0.0.1/"), "by haproxy");
    assert_eq!(server.is_unprivileged(NONE), 3);
}

#[test]
fn gunicorn_takes_sockets_by_listen_fds_and_says_that_it_is_ready() {
    let Some(node) = Node::new() else { return };
    if !have("gunicorn") || !have("curl") {
        return;
    }
    let dir = own_directory(&node, "web");
    node.file(
        "app.py",
        "def app(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n    return [b'by gunicorn']\n",
    );
    let (here, own) = (node.dir.display().to_string(), dir.display().to_string());
    let command = ["/usr/bin/gunicorn", "--chdir", &here, "--worker-tmp-dir", &own, "app:app"];
    let socket = run_dir(&node).join("web.sock");
    let options =
        format!("Listen \"127.0.0.1:80\" {{ }}  Listen \"{}\" {{ }}  Notify = true", socket.display());
    let server =
        Server::start(&node, &(head_with(&node, NOTHING) + &service("gunicorn", &command, &options)));
    assert_eq!(server.service("gunicorn")["says"], "Gunicorn arbiter booted");
    assert_eq!(get(&node, "http://127.0.0.1/"), "by gunicorn");
    assert_eq!(get(&node, &format!("--unix-socket {} http://x/", socket.display())), "by gunicorn");
    until("it has its worker", || server.is_unprivileged(NONE) == 4);
}

/// A mail server of a few lines around aiosmtpd, which leaves the listening to whoever starts it.
const SMTPD: &str = "
import asyncio, socket
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP
async def main():
    handler = Mailbox('mail/box')
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), sock=socket.socket(fileno=3))
    await server.serve_forever()
asyncio.run(main())
";

#[test]
fn aiosmtpd_accepts_mail_at_an_inherited_port_25() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have_module(&node, "aiosmtpd") {
        return;
    }
    own_directory(&node, "mail");
    let script = node.file("smtpd.py", SMTPD).display().to_string();
    let options = format!("Listen \"*:25\" {{ }}  Directory = \"{}\"  Ready_After = 0.1", node.dir.display());
    let text = head_with(&node, NOTHING) + &service("mail", &[PYTHON, "-I", &script], &options);
    let server = Server::start(&node, &text);
    // The connection waits in the socket's queue until the script gets to it.
    let send = "import smtplib\nwith smtplib.SMTP('::1', 25, 'client.example.test', timeout=60) as smtp:\n    \
                smtp.sendmail('a@example.test', ['b@example.test'], 'Subject: hello\\r\\n\\r\\ntext\\r\\n')\n";
    node.file("send.py", send);
    let sent = node.sh(&format!("{PYTHON} -I send.py"));
    assert_eq!(sent.status, 0, "{sent:?}\n{}", server.log());
    let mails: Vec<_> = std::fs::read_dir(node.dir.join("mail/box/new")).unwrap().collect();
    assert_eq!(mails.len(), 1);
    assert_eq!(server.is_unprivileged(NONE), 3);
}

/// Both sides of itself: started by a server, it is the service, which answers each connection with what the crate
/// `listenfd` found.
#[test]
fn a_program_with_the_crate_listenfd_gets_every_socket() {
    let mut found = listenfd::ListenFd::from_env();
    if found.len() > 0 {
        let datagrams = found.take_udp_socket(2).unwrap().unwrap();
        let local = found.take_unix_listener(1).unwrap().unwrap();
        let names = std::env::var("LISTEN_FDNAMES").unwrap();
        std::thread::spawn(move || {
            for stream in local.incoming() {
                stream.unwrap().write_all(b"unix").unwrap();
            }
        });
        std::thread::spawn(move || {
            let mut bytes = [0; 64];
            loop {
                let (length, from) = datagrams.recv_from(&mut bytes).unwrap();
                datagrams.send_to(&bytes[..length], from).unwrap();
            }
        });
        for stream in found.take_tcp_listener(0).unwrap().unwrap().incoming() {
            stream.unwrap().write_all(names.as_bytes()).unwrap();
        }
        return;
    }
    let Some(node) = Node::new() else { return };
    if !have("socat") {
        return;
    }
    // Where the program was built others may not look.
    let program = node.dir.join("listenfd");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let command = [&program.display().to_string(), "--exact", &name, "--nocapture", "--test-threads=1"];
    let socket = run_dir(&node).join("local");
    let options = format!(
        "Listen \"127.0.0.1:80\" {{ Name = first }}  Listen \"{}\" {{ Name = second }}\n  \
         Listen \"127.0.0.1:53\" {{ Type = datagram  Name = third }}  Ready_After = 0.1",
        socket.display()
    );
    let server = Server::start(&node, &(head_with(&node, NOTHING) + &service("rust", &command, &options)));
    let socat = |to: &str| ask(&node, &format!("socat -u -T 30 {to} -"));
    let log = || server.log();
    assert_eq!(socat("TCP:127.0.0.1:80").as_deref(), Some("first:second:third"), "{}", log());
    assert_eq!(socat(&format!("UNIX-CONNECT:{}", socket.display())).as_deref(), Some("unix"), "{}", log());
    let echo = ask(&node, "echo ping | socat -t 1 - UDP:127.0.0.1:53");
    assert_eq!(echo.as_deref(), Some("ping\n"), "{}", log());
    assert_eq!(server.is_unprivileged(NONE), 3);
}

#[test]
fn socat_gets_each_connection_as_its_standard_input_and_output() {
    let Some(node) = Node::new() else { return };
    if !have("socat") {
        return;
    }
    let command = ["/usr/bin/socat", "-", "EXEC:/usr/bin/tr a-z A-Z"];
    let options = "Accept = true  Max_Connections = 2  Listen \"*:7\" { }";
    let mut server =
        Server::start(&node, &(head_with(&node, NOTHING) + &service("upper", &command, options)));
    for client in ["TCP4:127.0.0.1:7", "TCP6:[::1]:7"] {
        let answer = ask(&node, &format!("echo hello | socat -t 30 - {client}"));
        assert_eq!(answer.as_deref(), Some("HELLO\n"), "{}", server.log());
    }
    // Two hold their connections open; the third waits until one of them lets go.
    let mut holders: Vec<_> = (0..2)
        .map(|_| {
            let mut socat = node.command("socat");
            socat.args(["-t", "30", "-", "TCP4:127.0.0.1:7"]);
            socat.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    until("both have a process", || server.service("upper")["connections"] == 2);
    // Server, warden, and for each connection socat and tr.
    until("each has its program", || server.is_unprivileged(NONE) == 6);
    let third = node
        .command("sh")
        .args(["-c", "echo third | socat -t 30 - TCP4:127.0.0.1:7"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = holders.remove(0);
    first.stdin.take().unwrap().write_all(b"first\n").unwrap();
    assert_eq!(first.wait_with_output().unwrap().stdout, b"FIRST\n");
    assert_eq!(third.wait_with_output().unwrap().stdout, b"THIRD\n");
    assert_eq!(server.service("upper")["connections"], 1);
    let mut second = holders.remove(0);
    second.stdin.take().unwrap().write_all(b"second\n").unwrap();
    assert_eq!(second.wait_with_output().unwrap().stdout, b"SECOND\n");
    until("nothing is left", || server.is_unprivileged(NONE) == 2);
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.log());
}

#[test]
fn unbound_answers_at_an_inherited_udp_port_53() {
    let Some(node) = Node::new() else { return };
    if !have("unbound") || !have("dig") {
        return;
    }
    let file = node.file(
        "unbound.conf",
        "server:\n  directory: \"\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
         logfile: \"\"\n  do-daemonize: no\n  use-systemd: yes\n  do-tcp: no\n  interface: 127.0.0.1@53\n  \
         access-control: 127.0.0.0/8 allow\n  module-config: \"iterator\"\n  so-rcvbuf: 0\n  so-sndbuf: 0\n  \
         local-zone: \"example.test.\" static\n  local-data: \"mx.example.test. A 192.0.2.25\"\n\
         remote-control:\n  control-enable: no\n",
    );
    // It takes sockets only on a machine that was booted by systemd, sd_booted(3).
    let booted = node.sh("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system");
    assert_eq!(booted.status, 0, "{booted:?}");
    let command = ["/usr/sbin/unbound", "-d", "-p", "-c", &file.display().to_string()];
    let options = "Listen \"127.0.0.1:53\" { Type = datagram }  Notify = true";
    let server = Server::start(&node, &(head_with(&node, NOTHING) + &service("unbound", &command, options)));
    let dig = ask(&node, "dig +short +tries=1 +time=20 +norec +notcp @127.0.0.1 mx.example.test A");
    assert_eq!(dig.as_deref(), Some("192.0.2.25\n"), "{}", server.log());
    assert_eq!(server.is_unprivileged(NONE), 3);
}

/// Says which sockets it got, and greets whoever connects to the first.
const GREETER: &str = "
import os, socket
count = int(os.environ['LISTEN_FDS'])
sockets = [socket.socket(fileno=3 + number) for number in range(count)]
print('got', *(one.getsockname() for one in sockets), flush=True)
while True:
    connection, _ = sockets[0].accept()
    connection.sendall(b'hello')
    connection.close()
";

#[test]
fn sockets_of_systemd_socket_activate_are_adopted_and_those_nobody_wants_are_named() {
    let Some(node) = Node::new() else { return };
    if !have("systemd-socket-activate") || !have("socat") || !have("python3") {
        return;
    }
    let script = node.file("greeter.py", GREETER).display().to_string();
    let local = run_dir(&node).join("local");
    // 81 was not passed on, and is bound by the server itself.
    let options = format!(
        "Listen \"127.0.0.1:80\" {{ }}  Listen \"{}\" {{ }}  Listen \"127.0.0.1:81\" {{ }}  Ready_After = 0.1",
        local.display()
    );
    let text = head_with(&node, NOTHING) + &service("greeter", &[PYTHON, "-I", &script], &options);
    node.file("server.conf", &text);
    let mut activate = node.command("systemd-socket-activate");
    activate.args(["-l", "127.0.0.1:80", "-l", &local.display().to_string(), "-l", "127.0.0.1:99"]);
    activate.args([STEPDOWN, "serve", "-c", "server.conf"]);
    let mut server = Server::spawn(&node, &mut activate);
    server.wait_for("Listening on 127.0.0.1:99");
    assert!(!pid_path(&node).exists(), "it is started by the first connection");
    let greeting = |to: &str| ask(&node, &format!("socat -u -T 30 {to} -"));
    assert_eq!(greeting("TCP:127.0.0.1:80").as_deref(), Some("hello"), "{}", server.log());
    server.wait_for(&format!("got ('127.0.0.1', 80) {} ('127.0.0.1', 81)", local.display()));
    server.wait_for("the socket 127.0.0.1:99 was passed to this server, and nothing wants it");
    server.wait_for("serving");
    assert_eq!(greeting("TCP:127.0.0.1:80").as_deref(), Some("hello"));
    assert_eq!(server.is_unprivileged(NONE), 3);
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.log());
    assert!(Path::new(&local).exists(), "whoever made the socket still listens on it, and removes it");
}
