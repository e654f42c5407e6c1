//! A seccomp filter, as a container runtime or systemd sets one, that makes calls fail or claim success: as in
//! `faults`, but every call of that name, and with nobody tracing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::faults::compile;
use crate::support::{Done, Node, STEPDOWN, done, have};

const SCOPE: &str =
    r#"Security { user = ecuser Chroot = "{dir}/jail" Capabilities = "cap_net_bind_service+ep" }"#;

/// Every system call by which the scope above is reached.
const CALLS: [&str; 8] =
    ["setresuid", "setresgid", "setgroups", "capset", "prctl", "chroot", "fchdir", "close_range"];

#[test]
fn calls_that_claim_success_under_a_filter_start_nothing() {
    let Some(node) = node() else { return };
    for call in CALLS {
        let done = under(&node, call, 0);
        done.refused(&["stepdown: error"]);
        assert!(!ran(&node), "{call}: {done:?}");
    }
}

#[test]
fn calls_that_fail_under_a_filter_start_nothing_and_are_named() {
    let Some(node) = node() else { return };
    // EPERM, the usual answer of such filters, and one that nobody expects.
    for (errno, name) in [(1, "EPERM"), (28, "ENOSPC")] {
        for call in CALLS.iter().filter(|call| !matches!(**call, "prctl" | "fchdir" | "close_range")) {
            let done = under(&node, call, errno);
            done.refused(&[&format!("{call} answered {name}")]);
            assert!(!ran(&node), "{call}: {done:?}");
        }
        under(&node, "fchdir", errno).refused(&[&format!("chroot answered {name}")]);
        under(&node, "close_range", errno).refused(&["close-on-exec", name]);
        under(&node, "prctl", errno).refused(&["stepdown: error"]);
        assert!(!ran(&node));
    }
}

#[test]
fn a_filter_on_a_call_that_is_not_needed_is_no_hindrance() {
    let Some(node) = node() else { return };
    let done = under(&node, "acct", 1);
    assert_eq!((done.status, done.out.as_str(), done.err.as_str()), (0, "the program ran\n", ""));
    assert!(ran(&node));
}

fn node() -> Option<Node> {
    if !have("cc") {
        return None;
    }
    let node = Node::new()?;
    fs::create_dir_all(node.dir.join("jail/out")).unwrap();
    fs::set_permissions(node.dir.join("jail/out"), fs::Permissions::from_mode(0o777)).unwrap();
    compile("witness.c", &node.dir.join("jail/witness"), &["-static"]);
    compile("seccomp.c", &node.dir.join("seccomp"), &[]);
    node.file("server.conf", &SCOPE.replace("{dir}", &node.dir.display().to_string()));
    Some(node)
}

/// Runs stepdown under a filter that answers `call` so. Descriptor 9 is open, and must not pass.
fn under(node: &Node, call: &str, errno: i32) -> Done {
    let script = r#"exec 9</dev/null && exec ./seccomp "$@""#;
    let mut command = node.command("sh");
    command.args(["-c", script, "sh", call, &errno.to_string(), STEPDOWN, "run", "-c", "server.conf", "--"]);
    done(command.args(["/witness", "/out/report"]))
}

fn ran(node: &Node) -> bool {
    node.dir.join("jail/out/report").exists()
}
