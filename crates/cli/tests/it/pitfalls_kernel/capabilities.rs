//! Sets of capabilities: three refusals that are not one, and root, whom the kernel gives everything back.

use super::{KILL, NET_BIND_SERVICE, for_everyone, has_sets, inner_state, own};
use crate::support::{Done, Node, SAMPLE, STEPDOWN, done};

const STATUS: [&str; 2] = ["cat", "/proc/self/status"];

/// Starts the program with `setpriv ARGUMENTS`, under a scope that retains cap_kill.
fn retaining_kill(node: &Node, arguments: &[&str]) -> Done {
    node.file("kill.conf", "Security { user = ecuser Capabilities = \"cap_kill+ep\" }");
    let program = for_everyone(node);
    done(
        node.command("setpriv")
            .args(arguments)
            .arg(program)
            .args(["run", "-c", "kill.conf", "--"])
            .args(STATUS),
    )
}

#[test]
fn unknown_to_the_kernel_outside_the_bounding_set_and_not_permitted_are_three_refusals() {
    let Some(node) = Node::new() else { return };
    let last: u32 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    let unknown = last + 1;
    node.run(&format!("Security {{ user = ecuser Capabilities = \"{unknown}+ep\" }}"), &STATUS)
        .refused(&["server.conf:1:", &format!("retains {unknown}, which this kernel does not know")]);
    retaining_kill(&node, &["--bounding-set=-kill"]).refused(&[
        "retains cap_kill",
        "outside the bounding set of this process",
        "--cap-add KILL",
    ]);
    retaining_kill(&node, &["--reuid=995", "--regid=995", "--clear-groups"]).refused(&[
        "retains cap_kill",
        "this process does not hold",
        "started as user 995",
    ]);
    has_sets(retaining_kill(&node, &["--bounding-set=-chown"]).ran(), KILL, KILL, KILL, KILL, KILL);
}

#[test]
fn everything_refused_is_refused_at_once() {
    let Some(node) = Node::new() else { return };
    let done = node.run(
        "Security { user = nobody-of-that-name group = 0x0 Capabilities = \"cap_foo+ep\" chroot = relative }",
        &STATUS,
    );
    done.refused(&["0x0", "cap_foo", "relative"]);
}

#[test]
fn root_with_capabilities_holds_exactly_those_however_often_it_executes() {
    let Some(node) = Node::new() else { return };
    inner_state(&node);
    let scope = "Security { user = root group = root Capabilities = \"cap_net_bind_service+ep\" }";
    let done = node.run(scope, &["sh", "-c", "sh -c 'sh -c \"cat /proc/self/status; ./inner\"; exit'; exit"]);
    done.ran();
    has_sets(&done, NET_BIND_SERVICE, NET_BIND_SERVICE, NET_BIND_SERVICE, NET_BIND_SERVICE, NET_BIND_SERVICE);
    assert_eq!(done.field("Uid"), "0\t0\t0\t0");
    // noroot and its lock, or the next execve would give root all of the bounding set.
    assert_eq!(u32::from_str_radix(done.field("securebits").trim_start_matches("0x"), 16).unwrap() & 3, 3);
}

#[test]
fn root_with_an_empty_capability_text_holds_none() {
    let Some(node) = Node::new() else { return };
    let done = node.run("Security { user = 0 Capabilities = \"\" }", &["sh", "-c", "cat /proc/self/status"]);
    has_sets(done.ran(), 0, 0, 0, 0, 0);
    assert_eq!(done.field("Uid"), "0\t0\t0\t0");
}

#[test]
fn root_without_capabilities_keeps_what_it_has() {
    let Some(node) = Node::new() else { return };
    let done = node.run("Security { user = root }", &STATUS);
    has_sets(done.ran(), 0, own("CapBnd"), own("CapBnd"), own("CapBnd"), 0);
    assert_eq!(done.field("NoNewPrivs"), "1");
}

#[test]
fn root_is_warned_about_by_check_and_by_a_verbose_run() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = root }";
    let check = node.check(scope);
    assert_eq!(check.status, 0, "{check:?}");
    assert!(check.out.contains("server.conf:1:19: warning: the server stays user 0, root"), "{}", check.out);
    let run = done(node.command(STEPDOWN).args(["run", "-v", "-c", "server.conf", "--", "true"]));
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.err.contains("warning: the server stays user 0, root"), "{}", run.err);
    node.run(scope, &["true"]).ran();
}

#[test]
fn the_ambient_set_is_raised_after_the_change_of_user_that_clears_it() {
    let Some(node) = Node::new() else { return };
    let done = node.run(SAMPLE, &STATUS);
    assert_eq!(done.ran().field("CapAmb"), format!("{NET_BIND_SERVICE:016x}"));
    assert_eq!(done.field("Uid"), "994\t994\t994\t994");
}

#[test]
fn the_right_to_shrink_the_bounding_set_is_not_lost_before_it_is_shrunk() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = ecuser Bounding_Set = \"cap_kill\" }";
    has_sets(node.run(scope, &STATUS).ran(), 0, 0, 0, KILL, 0);
    let scope = "Security { user = ecuser Bounding_Set = all }";
    has_sets(node.run(scope, &STATUS).ran(), 0, 0, 0, own("CapBnd"), 0);
}

#[test]
fn what_no_execve_can_give_is_refused_with_the_rule() {
    let Some(node) = Node::new() else { return };
    for (text, message) in [
        ("cap_kill+p", "cap_kill can't be permitted but not effective"),
        ("cap_kill+e", "cap_kill can't be effective without being permitted"),
    ] {
        node.run(&format!("Security {{ user = ecuser Capabilities = \"{text}\" }}"), &STATUS)
            .refused(&[message, "write +ep"]);
    }
}
