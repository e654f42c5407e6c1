//! What peers that may only look, and whoever else is on the host, can't take from those who have to act.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::serving::{Server, console_path, head, sleeper, until};
use crate::support::{ECUSER, Node};

const NOBODY: u32 = 65534;

fn configuration(node: &Node, options: &str) -> String {
    let console = format!("File_Mode = 0666 }} Observers = ( {NOBODY} ) {options}");
    head(node).replace("File_Mode = 0600 }", &console) + &sleeper("web", "Environment = [ A = aaaaaaaa ]")
}

/// A program as another user, which ends when its standard input does, and so with the test; and the first line that it says.
fn played(node: &Node, user: u32, script: &str) -> (Child, String) {
    let ids = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
    let mut child = node
        .command("setpriv")
        .args(ids)
        .args(["python3", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

/// Ends it.
fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// Opens sessions without end, and says how many stayed open.
fn hog(node: &Node, user: u32) -> (Child, usize) {
    let script = format!(
        "import socket, sys\nkept = []\nfor i in range(40):\n  s = socket.socket(socket.AF_UNIX); s.connect('{}')\n  \
         try: s.sendall(b'pid\\n')\n  except OSError: pass\n  if s.recv(1) == b'0': kept.append(s)\n\
         print(len(kept), flush=True)\nsys.stdin.read()\n",
        console_path(node).display()
    );
    let (child, line) = played(node, user, &script);
    (child, line.parse().unwrap_or_else(|_| panic!("{line}")))
}

#[test]
fn an_expression_that_would_keep_others_waiting_is_refused() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &configuration(&node, ""));
    let answer = server.ask_as(NOBODY, &["config", "locate", "Command", "((a?){90}){90}ZQ"]);
    assert!(answer.status == 1 && answer.err.contains("the expression is too large"), "{answer:?}");
    let answer = server.ask_as(NOBODY, &["config", "locate", "Command", "^/bin/sl"]);
    assert!(answer.status == 0 && answer.out.contains("/bin/sleep"), "{answer:?}");
}

#[test]
fn whoever_takes_all_sessions_leaves_one_to_root() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &configuration(&node, "Max_Sessions = 16"));
    let (observer, count) = hog(&node, NOBODY);
    assert_eq!(count, 4, "of 16, for one that may only look");
    let (own, count) = hog(&node, ECUSER);
    assert_eq!(count, 12, "the rest");
    let refused = server.ask_as(ECUSER, &["pid"]);
    assert!(refused.status != 0 && refused.err.contains("16 sessions already"), "{refused:?}");
    assert_eq!(server.answer(&["pid"]).trim(), server.pid().to_string());
    end(observer);
    end(own);
}

#[test]
fn the_own_user_may_at_the_console_what_the_configuration_says() {
    let Some(node) = Node::new() else { return };
    for (word, looks, changes) in [("change", true, true), ("look", true, false), ("none", false, false)] {
        let server = Server::start(&node, &configuration(&node, &format!("Own_User = {word}")));
        let look = server.ask_as(ECUSER, &["config", "get", "Service", "web", "Command"]);
        assert_eq!(look.status == 0, looks, "{word}: {look:?}");
        let change =
            server.ask_as(ECUSER, &["config", "set", "Service", "web", "Graceful_Timeout", "=", "9"]);
        assert_eq!(change.status == 0, changes, "{word}: {change:?}");
        let reader = server.ask_as(NOBODY, &["pid"]);
        assert_eq!(reader.status, 0, "{reader:?}");
    }
}

#[test]
fn who_floods_the_notify_socket_stops_nothing() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &configuration(&node, ""));
    let pid = server.json(&["services"])["services"][0]["pids"][0].as_u64().unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let name = environment.split('\0').find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=@")).unwrap();
    let script = format!(
        "import select, socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('\\x00{name}')\n\
         print('flooding', flush=True)\nwhile not select.select([sys.stdin], [], [], 0)[0]:\n  for i in range(500): s.send(b'READY=1')\n"
    );
    let floods: Vec<_> = (0..3).map(|_| played(&node, NOBODY, &script)).collect();
    assert!(floods.iter().all(|(_, said)| said == "flooding"), "{floods:?}");
    for _ in 0..3 {
        assert_eq!(server.answer(&["pid"]).trim(), server.pid().to_string());
    }
    // A service is replaced meanwhile.
    server.answer(&["restart", "web"]);
    until("another process", || {
        let services = server.json(&["services"]);
        let now = services["services"][0]["pids"][0].as_u64();
        now.is_some_and(|now| now != pid) && services["services"][0]["state"] == "ready"
    });
    for (child, _) in floods {
        end(child);
    }
}
