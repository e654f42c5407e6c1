//! What execve(2) makes of a program file: its capabilities, its set-id bits, its mount, its interpreter, its user's limit.

use super::{NET_BIND_SERVICE, has_sets};
use crate::support::{Done, Node, SAMPLE};

/// A copy of cat(1) in the node, with these file capabilities.
fn cat_with(node: &Node, capabilities: &str) {
    let done = node.sh(&format!("cp /bin/cat ./cat && setcap '{capabilities}' ./cat"));
    assert_eq!(done.status, 0, "{done:?}");
}

fn run_cat(node: &Node, scope: &str) -> Done {
    node.run(scope, &["./cat", "/proc/self/status"])
}

const NONE: &str = "Security { user = ecuser }";

#[test]
fn a_program_whose_capabilities_are_out_of_reach_is_refused_before_the_drop() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    for scope in [SAMPLE, NONE] {
        run_cat(&node, scope).refused(&[
            "./cat would not start",
            "EPERM",
            "the file has the capabilities cap_kill=ep",
        ]);
    }
}

#[test]
fn the_kernel_refuses_that_program_too() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    // Found by the shell after the transition, so that nothing could predict it.
    let done = node.run(SAMPLE, &["sh", "-c", "./cat /proc/self/status"]);
    assert_eq!(done.status, 126, "{done:?}");
    assert!(done.err.contains("not permitted"), "{done:?}");
}

#[test]
fn a_program_whose_capabilities_would_be_added_is_refused() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    run_cat(&node, "Security { user = ecuser Bounding_Set = \"cap_kill\" No_New_Privs = false }")
        .refused(&["./cat would gain cap_kill"]);
}

#[test]
fn a_program_that_would_lose_the_capability_is_refused() {
    let Some(node) = Node::new() else { return };
    for capabilities in ["cap_kill,cap_net_bind_service=p", "cap_kill=i", "cap_net_bind_service=i"] {
        cat_with(&node, capabilities);
        run_cat(&node, SAMPLE).refused(&["./cat would run without cap_net_bind_service", capabilities]);
    }
}

#[test]
fn a_program_with_the_same_capabilities_is_accepted() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_net_bind_service=ep");
    let done = run_cat(&node, SAMPLE);
    let set = NET_BIND_SERVICE;
    // Such a file empties the ambient set; what it holds is the file's.
    has_sets(done.ran(), set, set, set, set, 0);
    let check = node.check(SAMPLE);
    assert_eq!(check.status, 0, "{check:?}");
}

#[test]
fn check_predicts_what_a_program_file_does() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    node.file("server.conf", SAMPLE);
    let with = node.sh("$STEPDOWN check -c server.conf ./cat");
    assert_eq!(with.status, 1, "{with:?}");
    assert!(with.out.contains("./cat would not start"), "{with:?}");
    let without = node.sh("$STEPDOWN check -c server.conf /bin/cat");
    assert_eq!((without.status, without.out.as_str()), (0, "Configuration valid\n"));
}

#[test]
fn a_nosuid_mount_hides_the_capabilities_of_a_file() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    let mounted = node.sh("mkdir mnt && mount -t tmpfs -o nosuid,mode=755 tmpfs mnt && \
                           cp --preserve=xattr,mode ./cat mnt/cat && getcap mnt/cat");
    assert_eq!(mounted.out, "mnt/cat cap_kill=ep\n", "{mounted:?}");
    let done = node.run(SAMPLE, &["mnt/cat", "/proc/self/status"]);
    let set = NET_BIND_SERVICE;
    has_sets(done.ran(), set, set, set, set, set);
}

#[test]
fn a_nosuid_mount_ignores_the_set_id_bit() {
    let Some(node) = Node::new() else { return };
    let mounted = node.sh("mkdir mnt && mount -t tmpfs -o nosuid,mode=755 tmpfs mnt && \
                           cp /usr/bin/id mnt/id && chmod 6755 mnt/id");
    assert_eq!(mounted.status, 0, "{mounted:?}");
    let done = node.run("Security { user = ecuser No_New_Privs = false }", &["mnt/id", "-u"]);
    assert_eq!(done.ran().out, "994\n");
}

#[test]
fn with_no_new_privs_a_set_id_program_gains_nothing() {
    let Some(node) = Node::new() else { return };
    assert_eq!(node.sh("cp /usr/bin/id ./id && chmod 6755 ./id").status, 0);
    assert_eq!(
        node.run(NONE, &["./id"]).ran().out,
        "uid=994(ecuser) gid=994(ecuser) groups=994(ecuser),996(extra)\n"
    );
}

#[test]
fn without_no_new_privs_a_set_id_program_is_refused() {
    let Some(node) = Node::new() else { return };
    let off = "Security { user = ecuser No_New_Privs = false }";
    assert_eq!(node.sh("cp /usr/bin/id ./id && chmod 4755 ./id").status, 0);
    node.run(off, &["./id"]).refused(&["./id would run as user 0: it has the set-user-id bit"]);
    assert_eq!(node.sh("chmod 2755 ./id").status, 0);
    node.run(off, &["./id"]).refused(&["./id would run as group 0: it has the set-group-id bit"]);
    assert_eq!(node.sh("chmod 755 ./id").status, 0);
    assert_eq!(node.run(off, &["./id", "-u"]).ran().out, "994\n");
}

#[test]
fn no_new_privs_does_not_stop_the_ambient_set() {
    let Some(node) = Node::new() else { return };
    let done = node.run(SAMPLE, &["sh", "-c", "sh -c 'cat /proc/self/status'"]);
    assert_eq!(done.ran().field("NoNewPrivs"), "1");
    assert_eq!(done.field("CapEff"), format!("{NET_BIND_SERVICE:016x}"));
}

#[test]
fn over_the_limit_of_tasks_execve_fails_and_the_reason_is_said() {
    let Some(node) = Node::new() else { return };
    // An id of this test's own: the kernel counts a user's tasks everywhere.
    node.file("limit.conf", "Security { user = 3994001 group = 994 }");
    let script = "setpriv --reuid=3994001 sleep 100 & a=$!; setpriv --reuid=3994001 sleep 100 & b=$!
        until grep -q '^Uid:.3994001' /proc/$a/status && grep -q '^Uid:.3994001' /proc/$b/status; do :; done
        prlimit --nproc=1:1 $STEPDOWN run -c limit.conf -- id; status=$?
        kill $a $b; exit $status";
    let done = node.sh(script);
    assert_eq!((done.status, done.out.as_str()), (126, ""), "{done:?}");
    for word in ["EAGAIN", "user 3994001 has 3 tasks and the limit is 1", "RLIMIT_NPROC", "LimitNPROC="] {
        assert!(done.err.contains(word), "“{word}” is not in {}", done.err);
    }
}

#[test]
fn a_script_is_executed_by_its_interpreter() {
    let Some(node) = Node::new() else { return };
    node.file("script", "#!/bin/sh\necho \"$0 $1\"; cat /proc/self/status\n");
    assert_eq!(node.sh("chmod 755 script").status, 0);
    let done = node.run(SAMPLE, &["./script", "argument"]);
    assert!(done.ran().out.starts_with("./script argument\n"), "{done:?}");
    let set = NET_BIND_SERVICE;
    has_sets(&done, set, set, set, set, set);
}

#[test]
fn what_counts_for_a_script_are_the_capabilities_of_its_interpreter() {
    let Some(node) = Node::new() else { return };
    cat_with(&node, "cap_kill=ep");
    node.file("script", &format!("#!{}\ntext\n", node.dir.join("cat").display()));
    // Its own set-id bits and capabilities mean nothing.
    assert_eq!(node.sh("setcap cap_chown=ep ./script; chmod 6755 ./script").status, 0);
    node.run(NONE, &["./script"]).refused(&["cat would not start", "cap_kill=ep"]);
    assert_eq!(node.sh("setcap -r ./cat").status, 0);
    assert!(node.run(NONE, &["./script"]).ran().out.ends_with("text\n"));
}
