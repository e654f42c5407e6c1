//! What the parent left behind: securebits, capability sets, the death signal, an identity that is there already.

use super::{NET_BIND_SERVICE, for_everyone, has_sets, inner_state};
use crate::support::{Done, Node, SAMPLE, done};

/// Starts the program under the sample, itself started with `setpriv ARGUMENTS`.
fn started_with(node: &Node, arguments: &[&str], program: &[&str]) -> Done {
    node.file("server.conf", SAMPLE);
    let stepdown = for_everyone(node);
    let mut command = node.command("setpriv");
    done(command.args(arguments).arg(stepdown).args(["run", "-c", "server.conf", "--"]).args(program))
}

const SEE: [&str; 3] = ["sh", "-c", "cat /proc/self/status; ./inner"];

const EXACTLY: u64 = NET_BIND_SERVICE;

#[test]
fn inherited_securebits_about_privilege_are_taken_back() {
    let Some(node) = Node::new() else { return };
    inner_state(&node);
    // no_setuid_fixup is 0x4: with it, setresuid(2) would leave every capability in place.
    for bits in ["+no_setuid_fixup", "+no_setuid_fixup,+noroot_locked"] {
        let done = started_with(&node, &["--securebits", bits], &SEE);
        has_sets(done.ran(), EXACTLY, EXACTLY, EXACTLY, EXACTLY, EXACTLY);
        let left = if bits.ends_with("noroot_locked") { "0x2" } else { "0" };
        assert_eq!(done.field("securebits"), left, "{bits}");
        assert_eq!(done.field("Uid"), "994\t994\t994\t994");
    }
}

#[test]
fn a_locked_no_setuid_fixup_is_refused_by_name() {
    let Some(node) = Node::new() else { return };
    started_with(&node, &["--securebits", "+no_setuid_fixup,+no_setuid_fixup_locked"], &["id"]).refused(&[
        "no-setuid-fixup",
        "can't be taken back",
        "SecureBits=",
    ]);
}

#[test]
fn a_locked_keep_caps_is_refused_by_name() {
    let Some(node) = Node::new() else { return };
    started_with(&node, &["--securebits", "+keep_caps_locked"], &["id"])
        .refused(&["PR_SET_KEEPCAPS", "keep-caps-locked"]);
}

#[test]
fn an_inherited_noroot_is_no_obstacle_where_root_holds_what_it_needs() {
    let Some(node) = Node::new() else { return };
    inner_state(&node);
    // With noroot, root gets at execve(2) what is ambient, and nothing else.
    let held = "+net_bind_service,+setuid,+setgid,+setpcap";
    let inherited = |bits| ["--securebits", bits, "--inh-caps", held, "--ambient-caps", held];
    for (bits, left) in [("+noroot", "0"), ("+noroot,+noroot_locked", "0x3")] {
        let done = started_with(&node, &inherited(bits), &SEE);
        has_sets(done.ran(), EXACTLY, EXACTLY, EXACTLY, EXACTLY, EXACTLY);
        assert_eq!(done.field("securebits"), left, "{bits}");
    }
    started_with(&node, &["--securebits", "+noroot"], &["id"]).refused(&[
        "retains cap_net_bind_service",
        "does not hold",
        "started as user 0 with the permitted set none",
    ]);
}

#[test]
fn keep_caps_is_off_in_the_program() {
    let Some(node) = Node::new() else { return };
    inner_state(&node);
    let done = started_with(&node, &[], &SEE);
    assert_eq!(done.ran().field("securebits"), "0");
}

#[test]
fn inherited_inheritable_and_ambient_sets_are_cleared_first() {
    let Some(node) = Node::new() else { return };
    let inherited = ["--inh-caps=+chown,+kill,+setuid", "--ambient-caps=+chown,+kill"];
    let done = started_with(&node, &inherited, &["cat", "/proc/self/status"]);
    has_sets(done.ran(), EXACTLY, EXACTLY, EXACTLY, EXACTLY, EXACTLY);
}

#[test]
fn the_death_signal_survives_the_change_of_user() {
    let Some(node) = Node::new() else { return };
    inner_state(&node);
    let done = started_with(&node, &["--pdeathsig", "USR1"], &["./inner"]);
    assert_eq!(done.ran().field("death"), "10");
    let done = started_with(&node, &[], &["./inner"]);
    assert_eq!(done.ran().field("death"), "0");
}

#[test]
fn started_as_exactly_the_target_it_goes_on() {
    let Some(node) = Node::new() else { return };
    let there = [
        "--reuid=994",
        "--regid=994",
        "--groups=994,996",
        "--inh-caps=+net_bind_service",
        "--ambient-caps=+net_bind_service",
    ];
    let done = started_with(&node, &there, &["cat", "/proc/self/status"]);
    assert_eq!(done.ran().field("Uid"), "994\t994\t994\t994");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(done.field(set), format!("{EXACTLY:016x}"), "{set}");
    }
    assert_eq!(done.field("NoNewPrivs"), "1");
}

#[test]
fn started_as_the_target_with_something_missing_it_names_that() {
    let Some(node) = Node::new() else { return };
    node.file("plain.conf", "Security { user = ecuser }");
    let stepdown = for_everyone(&node);
    let start = |arguments: &[&str]| {
        let mut command = node.command("setpriv");
        done(command.args(arguments).arg(&stepdown).args(["run", "-c", "plain.conf", "--", "id", "-u"]))
    };
    assert_eq!(start(&["--reuid=994", "--regid=994", "--groups=994,996"]).ran().out, "994\n");
    start(&["--reuid=994", "--regid=994", "--clear-groups"])
        .refused(&["this process is user 994, not root", "supplementary groups is none, should be 994 996"]);
    start(&["--reuid=994", "--regid=995", "--groups=994,996"]).refused(&["group", "995", "994"]);
    start(&["--reuid=995", "--regid=994", "--groups=994,996"])
        .refused(&["this process is user 995, not root"]);
}

#[test]
fn no_new_privs_that_was_there_stays_and_nothing_is_said() {
    let Some(node) = Node::new() else { return };
    let done = started_with(&node, &["--no-new-privs"], &["cat", "/proc/self/status"]);
    has_sets(done.ran(), EXACTLY, EXACTLY, EXACTLY, EXACTLY, EXACTLY);
    assert_eq!(done.field("NoNewPrivs"), "1");
}
