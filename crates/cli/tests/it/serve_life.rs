//! How services live under `stepdown serve`: started, ready, ended, started again, given up; and what becomes of them when the
//! server or its warden is killed.

use crate::serving::{Server, head, pid_path};
use crate::support::Node;

/// A service that does nothing until it is told to end.
fn sleeper(name: &str, options: &str) -> String {
    format!(
        "Service \"{name}\" {{ Command = ( \"/bin/sleep\" \"1000000\" )  Ready_After = 0.1 {options} }}\n"
    )
}

#[test]
fn sigterm_ends_it_with_0_and_its_files_are_gone() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + &sleeper("idle", "")));
    assert_eq!(std::fs::read_to_string(pid_path(&node)).unwrap(), format!("{}\n", server.pid()));
    assert!(server.answer(&["status"]).contains("serving"));
    let (status, log) = server.stop();
    assert_eq!(status, 0, "{log}");
    assert_eq!(std::fs::read_dir(node.dir.join("run")).unwrap().count(), 0, "{log}");
}
