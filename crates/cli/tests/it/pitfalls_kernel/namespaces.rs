//! User namespaces of an unprivileged user, and process 1 of a process namespace.

use super::for_everyone;
use crate::support::{Done, Node, SAMPLE, done, skip};

/// Starts the program as `ecuser`, who has made a user namespace with `unshare ARGUMENTS`; `None` where users may not.
fn in_namespace(
    node: &Node,
    groups: &str,
    arguments: &[&str],
    scope: &str,
    program: &[&str],
) -> Option<Done> {
    let user = ["--reuid=994", "--regid=994", groups, "unshare", "--user"];
    if done(node.command("setpriv").args(user).arg("true")).status != 0 {
        skip("unprivileged user namespaces are not allowed here");
        return None;
    }
    node.file("server.conf", scope);
    let stepdown = for_everyone(node);
    let mut command = node.command("setpriv");
    command.args(user).args(arguments).arg(stepdown).args(["run", "-c", "server.conf", "--"]).args(program);
    Some(done(&mut command))
}

const MAPPED: [&str; 2] = ["--map-user=994", "--map-group=994"];

#[test]
fn ids_without_a_mapping_are_refused_each_by_name() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = ecuser group = other Supplemental_Groups = ( extra ) }";
    let Some(nothing) = in_namespace(&node, "--clear-groups", &[], scope, &["id"]) else { return };
    nothing.refused(&[
        "user 994 does not exist in this user namespace",
        "group 995 does not exist in this user namespace",
        "group 996 does not exist in this user namespace",
        "/proc/self/uid_map",
        "/proc/self/gid_map",
    ]);
    let Some(one) = in_namespace(&node, "--clear-groups", &MAPPED, scope, &["id"]) else { return };
    one.refused(&["group 995", "group 996"]);
    assert!(!one.err.contains("user 994 does not exist"), "{one:?}");
}

#[test]
fn setgroups_that_is_denied_is_refused_by_name_if_any_group_is_left() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = ecuser group = ecuser Supplemental_Groups = () }";
    let Some(left) = in_namespace(&node, "--groups=994,996", &MAPPED, scope, &["id"]) else { return };
    left.refused(&["the supplementary groups can't become 994", "setgroups(2) is denied here", "newgidmap"]);
    let Some(missing) = in_namespace(&node, "--clear-groups", &MAPPED, scope, &["id"]) else { return };
    missing.refused(&["the supplementary groups can't become 994", "setgroups(2) is denied here"]);
}

#[test]
fn where_the_groups_are_right_already_a_denied_setgroups_does_not_matter() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = ecuser group = ecuser Supplemental_Groups = () }";
    let program = ["sh", "-c", "id -u; id -g; id -G; cat /proc/self/setgroups"];
    let Some(done) = in_namespace(&node, "--groups=994", &MAPPED, scope, &program) else { return };
    assert_eq!(done.ran().out, "994\n994\n994\ndeny\n");
}

#[test]
fn an_id_of_the_user_database_that_no_namespace_has_is_refused() {
    let Some(node) = Node::new() else { return };
    let path = node.dir.join("passwd");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "unchanged:x:4294967295:995:trap:/:/bin/sh\n").unwrap();
    // setresuid(2) would take it for “leave unchanged”.
    let done = node.run("Security { user = unchanged }", &["id"]);
    done.refused(&["unchanged", "4294967295"]);
}

#[test]
fn it_works_as_process_1() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", SAMPLE);
    for namespace in ["unshare --pid --fork --mount-proc", "unshare --pid --fork"] {
        let done = node
            .sh(&format!("exec {namespace} $STEPDOWN run -c server.conf -- sh -c 'echo $$; id -u; id -G'"));
        assert_eq!(done.ran().out, "1\n994\n994 996\n", "{namespace}");
    }
}

#[test]
fn the_program_keeps_the_process_id() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", SAMPLE);
    let done = node.sh("echo $$; exec $STEPDOWN run -c server.conf -- sh -c 'echo $$'");
    let ids: Vec<&str> = done.ran().out.lines().collect();
    assert_eq!(ids[0], ids[1], "{done:?}");
}

#[test]
fn without_proc_nothing_is_proven_and_nothing_started() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", SAMPLE);
    let done = node.sh(
        "exec unshare --mount sh -c 'mount -t tmpfs tmpfs /proc && exec $STEPDOWN run -c server.conf -- id'",
    );
    done.refused(&["/proc/self can't be read", "mount -t proc"]);
}
