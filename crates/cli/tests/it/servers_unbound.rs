//! unbound on port 53, over UDP and TCP, with several threads.

use crate::servers::{BIND, NO_CAPABILITY, Server, ask, assert_words, own_directory};
use crate::support::{Node, SAMPLE, have};

/// A configuration of unbound that answers for `example.test` alone, from its own data, with two threads.
fn unbound(node: &Node, address: &str) {
    node.file(
        "unbound.conf",
        &format!(
            "server:\n  directory: \"\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
             logfile: \"\"\n  do-daemonize: no\n  num-threads: 2\n  interface: 127.0.0.1@53\n  \
             access-control: 127.0.0.0/8 allow\n  module-config: \"iterator\"\n  so-rcvbuf: 0\n  so-sndbuf: 0\n  \
             local-zone: \"example.test.\" static\n  local-data: \"mx.example.test. A {address}\"\n\
             remote-control:\n  control-enable: no\n"
        ),
    );
}

fn start(node: &Node, security: &str) -> Option<Server> {
    if !have("unbound") || !have("dig") {
        return None;
    }
    own_directory(node, "dns");
    unbound(node, "192.0.2.25");
    let configuration = node.dir.join("unbound.conf");
    Some(Server::start(node, security, &["unbound", "-d", "-p", "-c", &configuration.display().to_string()]))
}

/// The address of `mx.example.test`, asked over UDP, or TCP with `+tcp`.
fn address(node: &Node, protocol: &str) -> Option<String> {
    let answer = ask(
        node,
        &format!("dig +short +tries=1 +time=20 +norec {protocol} @127.0.0.1 -p 53 mx.example.test A"),
    )?;
    Some(answer.trim_end().to_owned())
}

#[test]
fn unbound_answers_on_port_53_over_udp_and_tcp_and_no_thread_of_it_is_root() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE) else { return };
    let answer = server.until("port 53 answers", || address(&node, "+notcp"));
    assert_eq!(answer, "192.0.2.25", "over UDP");
    assert_eq!(address(&node, "+tcp").as_deref(), Some("192.0.2.25"), "over TCP");
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().count();
    assert_eq!(threads, 2, "two threads answer, and the next line looks at both");
    assert_eq!(server.is_unprivileged(BIND), 1);
}

#[test]
fn unbound_reads_its_data_anew_on_a_signal_and_stays_as_it_is() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE) else { return };
    server.until("port 53 answers", || address(&node, "+notcp"));
    unbound(&node, "192.0.2.26");
    server.signal("HUP");
    server.until("the new data is served", || {
        (address(&node, "+tcp").as_deref() == Some("192.0.2.26")).then_some(())
    });
    assert_eq!(server.is_unprivileged(BIND), 1);
}

#[test]
fn without_the_capability_unbound_does_not_get_port_53() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, NO_CAPABILITY) else { return };
    assert_eq!(server.end(), Some(1));
    assert_words(&server.log(), &["can't bind socket: Permission denied for 127.0.0.1 port 53"]);
}

/// unbound has a privilege drop of its own; where it is left on, it finds that there is nothing left to drop.
#[test]
fn the_user_that_unbound_would_change_to_is_out_of_reach() {
    let Some(node) = Node::new() else { return };
    if !have("unbound") || !have("dig") {
        return;
    }
    own_directory(&node, "dns");
    unbound(&node, "192.0.2.25");
    let path = node.dir.join("unbound.conf");
    let text = std::fs::read_to_string(&path).unwrap().replace("username: \"\"", "username: \"root\"");
    node.file("unbound.conf", &text);
    let program = ["unbound", "-d", "-p", "-c", &path.display().to_string()];
    let mut server = Server::start(&node, SAMPLE, &program);
    assert_eq!(server.end(), Some(1));
    assert_words(&server.log(), &["unable to set", "Operation not permitted"]);
}
