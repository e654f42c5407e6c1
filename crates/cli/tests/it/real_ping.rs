//! ping(8), the best known program with file capabilities: with them and without, under scopes that retain `cap_net_raw`
//! and that don't; what is predicted, what is refused, and what the kernel does.
//!
//! The copy in the node gets `cap_net_raw=ep`, as Debian's package has it, so that it is no matter what this machine has.

use crate::support::{Done, Node, have};

const RAW: &str = "Security { user = ecuser Capabilities = \"cap_net_raw+ep\" }";
const NONE: &str = "Security { user = ecuser }";
/// The kernel could give it, and no_new_privs is in the way.
const ROOM: &str = "Security { user = ecuser Bounding_Set = \"cap_net_raw\" }";
/// The kernel would give it.
const GIVEN: &str = "Security { user = ecuser Bounding_Set = \"cap_net_raw\" No_New_Privs = off }";

const PING: [&str; 7] = ["./ping", "-n", "-c", "1", "-W", "5", "127.0.0.1"];

/// A node with `./ping`, with its file capabilities or without, in which sockets for ping without a capability are off,
/// as they are in a new network namespace.
fn node(capabilities: bool) -> Option<Node> {
    if !have("ping") || !have("setcap") {
        return None;
    }
    let node = Node::new()?;
    let made = node.sh("cp \"$(command -v ping)\" ping && setcap cap_net_raw=ep ping && getcap ping");
    assert_eq!((made.status, made.out.as_str()), (0, "ping cap_net_raw=ep\n"), "{made:?}");
    if !capabilities {
        let taken = node.sh("setcap -r ping && getcap ping");
        assert_eq!((taken.status, taken.out.as_str()), (0, ""), "{taken:?}");
    }
    assert_eq!(node.sh("cat /proc/sys/net/ipv4/ping_group_range").out, "1\t0\n");
    Some(node)
}

fn check(node: &Node, scope: &str) -> Done {
    node.file("server.conf", scope);
    node.sh("$STEPDOWN check -c server.conf ./ping")
}

#[track_caller]
fn answered(done: &Done) {
    assert!(done.ran().out.contains("1 packets transmitted, 1 received"), "{done:?}");
}

/// It ran, and was told by the kernel that it may not.
#[track_caller]
fn not_allowed(done: &Done) {
    assert_eq!(done.status, 2, "ping's own status: {done:?}");
    assert!(done.err.contains("ping: socket: Operation not permitted"), "{done:?}");
    assert!(!done.err.contains("stepdown"), "{done:?}");
}

#[test]
fn with_the_capability_ping_is_answered_and_its_children_are_warned_about() {
    let Some(node) = node(true) else { return };
    answered(&node.run(RAW, &PING));
    let checked = check(&node, RAW);
    assert_eq!(checked.status, 0);
    for words in
        ["what ./ping executes in turn will hold no capability", "cap_net_raw=ep", "Configuration valid"]
    {
        assert!(checked.out.contains(words), "“{words}” is not in {}", checked.out);
    }
}

#[test]
fn without_the_capability_it_is_refused_before_the_drop_as_the_kernel_would_after_it() {
    let Some(node) = node(true) else { return };
    let words = ["./ping would not start", "EPERM", "cap_net_raw=ep", "retain cap_net_raw in Capabilities"];
    node.run(NONE, &PING).refused(&words);
    let checked = check(&node, NONE);
    assert_eq!(checked.status, 1, "{checked:?}");
    for word in words {
        assert!(checked.out.contains(word), "“{word}” is not in {}", checked.out);
    }
    let shell = node.run(NONE, &["sh", "-c", &PING.join(" ")]);
    assert_eq!((shell.status, shell.out.as_str()), (126, ""), "{shell:?}");
    assert!(shell.err.contains("ping: Operation not permitted"), "{shell:?}");
}

#[test]
fn what_the_file_would_add_is_refused_and_with_no_new_privs_it_adds_nothing() {
    let Some(node) = node(true) else { return };
    node.run(GIVEN, &PING).refused(&["./ping would gain cap_net_raw"]);
    // That it would is the truth.
    answered(&node.run(GIVEN, &["sh", "-c", &PING.join(" ")]));
    not_allowed(&node.run(ROOM, &PING));
    assert_eq!(check(&node, ROOM).out, "Configuration valid\n");
}

#[test]
fn taken_off_the_file_nothing_is_refused_and_the_scope_alone_decides() {
    let Some(node) = node(false) else { return };
    answered(&node.run(RAW, &PING));
    assert_eq!(check(&node, RAW).out, "Configuration valid\n", "and the ambient set is not emptied");
    for scope in [NONE, ROOM, GIVEN] {
        not_allowed(&node.run(scope, &PING));
        assert_eq!(check(&node, scope).out, "Configuration valid\n", "{scope}");
    }
}

#[test]
fn another_capability_is_of_no_use() {
    let Some(node) = node(false) else { return };
    let other = RAW.replace("raw", "bind_service");
    not_allowed(&node.run(&other, &PING));
    assert_eq!(node.sh("setcap cap_net_raw=ep ping").status, 0);
    node.run(&other, &PING)
        .refused(&["./ping would not start", "cap_net_raw would be outside the bounding set"]);
}

#[test]
fn the_capability_reaches_ping_through_a_shell() {
    for capabilities in [true, false] {
        let Some(node) = node(capabilities) else { return };
        answered(&node.run(RAW, &["sh", "-c", &format!("sh -c '{}'", PING.join(" "))]));
    }
}
