//! `stepdown demo`: as root, as anybody, with lent ids, and where no namespace can be made.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Done, ECUSER, Node, STEPDOWN, have};

/// A shell test that nothing of a demonstration is left on the host's `/tmp`.
const NOTHING_LEFT: &str = "[ -z \"$(ls -d /tmp/stepdown-demo-* 2>/dev/null)\" ]";

/// The program where every user can reach it, whatever the mode of the directories it was built in.
fn public(node: &Node) -> String {
    let path = node.dir.join("stepdown");
    fs::copy(STEPDOWN, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[track_caller]
fn shows(done: &Done, rows: &[&str]) {
    assert_eq!((done.status, done.err.as_str()), (0, ""), "{done:?}");
    let squeezed: Vec<String> =
        done.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in rows {
        assert!(squeezed.iter().any(|line| line == row), "no line `{row}` in {}", done.out);
    }
    assert!(
        done.out.contains("Served: GET http://127.0.0.1:80/ was answered `hello from process"),
        "{}",
        done.out
    );
    assert!(done.out.contains("\n  bind: EACCES (Permission denied)\n"), "{}", done.out);
    assert!(done.out.ends_with("All as it must be; nothing is left behind.\n"), "{}", done.out);
    let tried = done.out.lines().filter(|line| line.contains(" refused, E")).count();
    assert!(tried >= 6, "{tried} ways back were tried: {}", done.out);
    assert!(!done.out.contains("NOT REFUSED"));
}

#[test]
fn root_sees_a_server_become_another_user_with_one_capability() {
    let Some(node) = Node::new() else { return };
    let done = node.sh(&format!("$STEPDOWN demo && {NOTHING_LEFT}"));
    shows(&done, &["user 0 994", "groups none 994", "no_new_privs not set set"]);
    let after = "cap_net_bind_service";
    let rows: Vec<&str> = done.out.lines().filter(|line| line.trim_end().ends_with(after)).collect();
    assert_eq!(rows.len(), 5, "the five sets: {rows:?}");
}

#[test]
fn the_same_for_a_machine() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("$STEPDOWN demo --format json");
    done.ran();
    let evidence: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(evidence["sound"], true);
    assert_eq!(evidence["before"]["user"][0], 0);
    for set in ["permitted", "effective", "inheritable", "bounding", "ambient"] {
        assert_eq!(evidence["after"][set], serde_json::json!(["cap_net_bind_service"]));
    }
    assert_eq!(evidence["after"]["user"], serde_json::json!([ECUSER, ECUSER, ECUSER, ECUSER]));
    assert_eq!(evidence["without_capability"], "bind: EACCES (Permission denied)");
}

#[test]
fn a_user_with_no_other_group_sees_it_in_a_user_namespace_and_what_differs() {
    let Some(node) = Node::new() else { return };
    let program = public(&node);
    let done = node.sh(&format!("setpriv --reuid other --regid other --groups other {program} demo"));
    shows(&done, &["user 0 0", "groups 0 0"]);
    assert!(done.out.contains("what differs: only one id exists in it"), "{}", done.out);
}

#[test]
fn a_user_whose_groups_cannot_be_left_is_told_so() {
    let Some(node) = Node::new() else { return };
    let program = public(&node);
    let done = node.sh(&format!("setpriv --reuid other --regid other --groups 995,996 {program} demo"));
    assert_eq!((done.status, done.out.as_str()), (125, ""));
    for words in ["setgroups(2) is denied here", "hint: map the ids with newgidmap", "can't be given here"] {
        assert!(done.err.contains(words), "{}", done.err);
    }
}

#[test]
fn a_user_who_was_lent_ids_becomes_another() {
    let Some(node) = Node::new() else { return };
    if !have("newuidmap") {
        return;
    }
    let program = public(&node);
    node.file("subid", "other:200000:65536\n");
    let done = node.sh(&format!(
        "for f in subuid subgid; do [ -e /etc/$f ] || exit 99; mount --bind subid /etc/$f; done; \
         setpriv --reuid other --regid other --groups 995,996 {program} demo"
    ));
    if done.status == 99 {
        crate::support::skip("there is no /etc/subuid to cover");
        return;
    }
    shows(&done, &["user 0 994", "groups 0 65534 994"]);
}

#[test]
fn root_without_the_right_to_make_namespaces_sees_it_where_it_is() {
    let Some(node) = Node::new() else { return };
    let done = node.sh(&format!("setpriv --bounding-set=-sys_admin $STEPDOWN demo && {NOTHING_LEFT}"));
    shows(&done, &["user 0 65534", "group 0 65534"]);
    assert!(done.out.contains("this host or container as it is"), "{}", done.out);
}

#[test]
fn a_port_that_is_taken_is_no_obstacle() {
    // In a network of its own, whatever listens outside does not matter.
    let Some(node) = Node::new() else { return };
    let done = node.sh(
        "/usr/bin/python3 -m http.server --bind 127.0.0.1 80 >/dev/null 2>&1 & trap 'kill $!' EXIT; \
         until /usr/bin/python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 80))' 2>/dev/null; do sleep 0.05; done; \
         $STEPDOWN demo",
    );
    shows(&done, &["user 0 994"]);
}
