//! aiosmtpd accepting mail on port 25.

use crate::servers::{BIND, NO_CAPABILITY, NONE, Server, ask, assert_words, own_directory};
use crate::support::{Node, SAMPLE, have, skip};

/// Debian's own Python: another one that comes first in a `PATH` may lack the module.
const PYTHON: &str = "/usr/bin/python3";

/// Sends one message with smtplib; the arguments are the port and the subject.
const SEND: &str = r#"
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.example.test", timeout=60) as smtp:
    smtp.sendmail("from@example.test", ["to@example.test", "too@example.test"],
        "From: from@example.test\r\nTo: to@example.test\r\nSubject: " + sys.argv[2] + "\r\n\r\nOne line.\r\n.hidden dot\r\n")
"#;

fn aiosmtpd(node: &Node) -> bool {
    if !have("python3") {
        return false;
    }
    let there = node.sh(&format!("{PYTHON} -I -c 'import aiosmtpd'")).status == 0;
    if !there {
        skip("python3-aiosmtpd is not installed");
    }
    there
}

/// Starts the daemon that comes with aiosmtpd, with `flags`; it files what it accepts in the Maildir `mail`.
fn start(node: &Node, security: &str, port: u16, flags: &[&str]) -> Option<Server> {
    if !aiosmtpd(node) {
        return None;
    }
    own_directory(node, "mail");
    node.file("send.py", SEND);
    let (listen, maildir) = (format!("127.0.0.1:{port}"), node.dir.join("mail/box").display().to_string());
    let mut program = vec![PYTHON, "-I", "-m", "aiosmtpd"];
    program.extend(flags);
    program.extend(["-l", &listen, "-c", "aiosmtpd.handlers.Mailbox", &maildir]);
    Some(Server::start(node, security, &program))
}

fn send(node: &Node, port: u16, subject: &str) -> Option<String> {
    ask(node, &format!("{PYTHON} -I send.py {port} {subject}"))
}

/// The messages that have arrived, and who owns them.
fn arrived(node: &Node) -> Vec<(u32, String)> {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(node.dir.join("mail/box/new")).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            (std::fs::metadata(&path).unwrap().uid(), std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn aiosmtpd_accepts_mail_on_port_25_and_no_thread_of_it_is_root() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE, 25, &["-n"]) else { return };
    server.until("a message is accepted", || send(&node, 25, "first"));
    let messages = arrived(&node);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].0, 994, "the file belongs to ecuser");
    assert_words(
        &messages[0].1,
        &[
            "Subject: first\n",
            "X-MailFrom: from@example.test\n",
            "X-RcptTo: to@example.test, too@example.test\n",
            "\n\nOne line.\n.hidden dot\n",
        ],
    );
    assert_eq!(server.is_unprivileged(BIND), 1);
}

#[test]
fn without_the_capability_aiosmtpd_does_not_get_port_25() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, NO_CAPABILITY, 25, &["-n"]) else { return };
    assert_ne!(server.end(), Some(0));
    assert_words(&server.log(), &["PermissionError", "('127.0.0.1', 25)"]);
}

#[test]
fn without_any_capability_a_high_port_still_serves() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, NO_CAPABILITY, 2525, &["-n"]) else { return };
    server.until("a message is accepted", || send(&node, 2525, "high"));
    assert_eq!(arrived(&node).len(), 1);
    assert_eq!(server.is_unprivileged(NONE), 1);
}

/// Without `-n` the daemon calls setuid(2) for `nobody`, which takes a right that is gone.
#[test]
fn the_daemons_own_change_of_user_is_refused_by_the_kernel() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE, 25, &[]) else { return };
    assert_eq!(server.end(), Some(1));
    assert_words(&server.log(), &["Cannot setuid \"nobody\"; try running with -n option."]);
}
