//! A node of a cluster: `ecelerity.conf`, and `ecelerity-cluster.conf` which it includes after its own `Security`.
//!
//! Also the samples of the manual, each of which runs, or is refused for exactly its reason.

use crate::support::{Done, Node, SAMPLE, STEPDOWN, done, have};

/// A whole configuration of the mail server, with domains, bindings, listeners, modules and regular expressions.
const WHOLE: &str = include_str!("../../../conf/tests/fixtures/valid/ecelerity.conf");

/// What a node says itself, before the inclusion.
const OWN: &str = r#"Security {
  user = ecuser
  group = ecuser
  Capabilities = "cap_net_bind_service+ep"
}
"#;

/// The cluster sample of the manual: four capabilities.
const CLUSTER: &str = r#"Security {
  user = ecuser
  group = ecuser
  Capabilities = "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep"
}
"#;

const STATUS: [&str; 2] = ["cat", "/proc/self/status"];

/// A launcher that takes `cap_sys_resource` away from root, as many containers do, before it executes the rest.
const WITHOUT_SYS_RESOURCE: [&str; 2] = ["setpriv", "--bounding-set=-sys_resource"];

/// Writes both files: the node's own, with `own` before the inclusion, and the cluster's.
fn write(node: &Node, own: &str, cluster: &str) {
    node.file("ecelerity.conf", &format!("{own}include \"ecelerity-cluster.conf\"\n"));
    node.file("ecelerity-cluster.conf", cluster);
}

/// `stepdown run -c ecelerity.conf` of a program that prints its own state.
fn run(node: &Node) -> Done {
    done(node.command(STEPDOWN).args(["run", "-c", "ecelerity.conf", "--"]).args(STATUS))
}

fn check(node: &Node) -> Done {
    done(node.command(STEPDOWN).args(["check", "-c", "ecelerity.conf"]))
}

/// Runs the node's configuration and asserts what the program was: effective user, group, groups, and its five sets.
#[track_caller]
fn assert_state(node: &Node, user: u32, group: u32, groups: &str, set: u64) {
    let state = run(node);
    state.ran();
    assert_eq!(state.field("Uid"), [user; 4].map(|id| id.to_string()).join("\t"));
    assert_eq!(state.field("Gid"), [group; 4].map(|id| id.to_string()).join("\t"));
    assert_eq!(state.field("Groups"), groups);
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(state.field(name), format!("{set:016x}"), "{name}");
    }
}

const BIND: u64 = 1 << 10;
const ADMIN: u64 = 1 << 12;
const RAW: u64 = 1 << 13;

#[test]
fn what_the_cluster_file_does_not_name_stays() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "cluster { cluster_group = ec_cluster }\n");
    assert_state(&node, 994, 994, "994 996", BIND);
    write(&node, OWN, "Security { }\n");
    assert_state(&node, 994, 994, "994 996", BIND);
}

#[test]
fn a_user_in_the_cluster_file_wins_and_the_rest_stays() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "Security { user = other }\n");
    // The memberships are those that initgroups(3) gives: by the user's name, and the group of the scope.
    assert_state(&node, 995, 994, "994", BIND);
}

#[test]
fn a_group_in_the_cluster_file_wins_and_the_rest_stays() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "Security { group = other }\n");
    assert_state(&node, 994, 995, "995 996", BIND);
}

#[test]
fn capabilities_in_the_cluster_file_are_the_whole_set() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "Security { Capabilities = \"cap_net_raw+ep\" }\n");
    assert_state(&node, 994, 994, "994 996", RAW);
    write(&node, OWN, "Security { Capabilities = \"\" }\n");
    assert_state(&node, 994, 994, "994 996", 0);
}

#[test]
fn supplementary_groups_in_the_cluster_file_replace_the_array() {
    let Some(node) = Node::new() else { return };
    let own = "Security { Supplemental_Groups = ( mail \"4\" ) }\n";
    write(&node, own, "Security { user = ecuser }\n");
    assert_state(&node, 994, 994, "4 8 994", 0);
    write(&node, own, "Security { supplemental_groups = ( extra ) }\n");
    assert_state(&node, 994, 994, "994 996", 0);
    write(&node, own, "Security { SUPPLEMENTAL_GROUPS = () }\n");
    assert_state(&node, 994, 994, "994", 0);
}

#[test]
fn our_own_options_in_the_cluster_file_win_too() {
    let Some(node) = Node::new() else { return };
    let own = format!(
        "{OWN}Security {{ No_New_Privs = yes  Bounding_Set = \"cap_net_bind_service,cap_chown\" }}\n"
    );
    write(
        &node,
        &own,
        "Security { No_New_Privs = no  Bounding_Set = \"cap_net_bind_service,cap_net_raw\" }\n",
    );
    let state = run(&node);
    state.ran();
    assert_eq!(state.field("NoNewPrivs"), "0");
    assert_eq!(state.field("CapBnd"), format!("{:016x}", BIND | RAW));
    assert_eq!(state.field("CapEff"), format!("{BIND:016x}"), "what the node says of the rest stays");
}

#[test]
fn a_chroot_in_the_cluster_file_wins() {
    let Some(node) = Node::new() else { return };
    let jail = node.file("jail/marker", "");
    let own = "Security { chroot = \"/nowhere/at/all\" }\n";
    write(&node, own, &format!("Security {{ chroot = \"{}\" }}\n", jail.parent().unwrap().display()));
    let checked = check(&node);
    assert_eq!((checked.status, checked.out.as_str()), (0, "Configuration valid\n"), "{checked:?}");
    write(&node, own, "");
    check_refuses(&node, &["ecelerity.conf:1:21: error (this host): /nowhere/at/all can't become the root"]);
}

#[test]
fn an_inclusion_before_the_nodes_own_scope_loses() {
    let Some(node) = Node::new() else { return };
    node.file("ecelerity-cluster.conf", "Security { user = other  Capabilities = \"cap_net_raw+ep\" }\n");
    node.file(
        "ecelerity.conf",
        "include ecelerity-cluster.conf\nSecurity { Capabilities = \"cap_net_bind_service+ep\" }\n",
    );
    assert_state(&node, 995, 995, "995", BIND);
}

#[test]
fn an_error_in_the_cluster_file_is_told_with_its_place_there() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "# shared\nSecurity {\n  Capabilities = \"cap_net_bind_servce+ep\"\n}\n");
    run(&node).refused(&["ecelerity-cluster.conf:3:19: error:", "did you mean", "cap_net_bind_service"]);
    write(&node, OWN, "# shared\nSecurity {\n  Capabilitys = \"cap_net_raw+ep\"\n}\n");
    run(&node).refused(&["ecelerity-cluster.conf:3:3: error:", "Capabilitys"]);
    write(&node, OWN, "Security {\n  user = ecuser\n");
    run(&node).refused(&["ecelerity-cluster.conf:", "error:"]);
}

#[test]
fn a_cluster_file_that_is_missing_is_refused_where_it_is_included() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, "");
    std::fs::remove_file(node.dir.join("ecelerity-cluster.conf")).unwrap();
    run(&node).refused(&["ecelerity.conf:6:9: error", "there is no `ecelerity-cluster.conf` to include"]);
}

#[test]
fn where_root_lacks_cap_sys_resource_the_cluster_sample_is_refused_by_that_name_and_place() {
    let Some(node) = Node::new() else { return };
    if !have("setpriv") {
        return;
    }
    write(&node, OWN, &format!("# All nodes\n{CLUSTER}"));
    let refused = done(
        node.command(WITHOUT_SYS_RESOURCE[0])
            .arg(WITHOUT_SYS_RESOURCE[1])
            .args([STEPDOWN, "run", "-c", "ecelerity.conf", "--"])
            .args(STATUS),
    );
    // The place of the text in the cluster file.
    refused.refused(&[
        "ecelerity-cluster.conf:5:18:",
        "error (this host): Capabilities retains cap_sys_resource, which is outside the bounding set",
        "leave it out",
    ]);
    assert_eq!(refused.err.matches("error").count(), 1, "the other three are fine: {}", refused.err);
    let checked = done(node.command(WITHOUT_SYS_RESOURCE[0]).arg(WITHOUT_SYS_RESOURCE[1]).args([
        STEPDOWN,
        "check",
        "-c",
        "ecelerity.conf",
    ]));
    assert_eq!(checked.status, 1);
    assert!(checked.out.contains("1 error (0 in the text, 1 caused by this host)"), "{}", checked.out);
}

#[test]
fn without_cap_sys_resource_in_it_the_cluster_sample_runs() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, &CLUSTER.replace(" cap_sys_resource+ep", ""));
    assert_state(&node, 994, 994, "994 996", BIND | ADMIN | RAW);
}

/// The cluster manager reads a file of its own, and nothing of the node's.
#[test]
fn the_cluster_managers_own_file_stands_alone() {
    let Some(node) = Node::new() else { return };
    write(&node, OWN, CLUSTER);
    node.file("eccluster.conf", "Security { user = other }\n");
    let state = done(node.command(STEPDOWN).args(["run", "-c", "eccluster.conf", "--"]).args(STATUS));
    state.ran();
    assert_eq!(state.field("Uid"), "995\t995\t995\t995");
    assert_eq!(state.field("CapEff"), "0000000000000000");
}

#[test]
fn the_single_node_sample_runs() {
    let Some(node) = Node::new() else { return };
    write(&node, SAMPLE, "");
    assert_state(&node, 994, 994, "994 996", BIND);
}

#[test]
fn the_sample_without_capabilities_runs_without_any() {
    let Some(node) = Node::new() else { return };
    write(&node, "Security { user = \"ecuser\" group = \"ecuser\" }\n", "");
    assert_state(&node, 994, 994, "994 996", 0);
}

#[test]
fn the_sample_with_supplementary_groups_runs_with_the_primary_one_added() {
    let Some(node) = Node::new() else { return };
    let sample =
        "Security { Supplemental_Groups = ( mail \"4\" )  Capabilities = \"cap_net_bind_service+ep\" }\n";
    write(&node, sample, "");
    assert_state(&node, 994, 994, "4 8 994", BIND);
}

#[test]
fn the_chroot_sample_is_refused_where_its_directory_is_missing_and_nowhere_else() {
    let Some(node) = Node::new() else { return };
    let sample = "security { chroot = \"/chroot/dir\" }\n";
    write(&node, sample, "");
    // In the node's own view of the file system, whatever the machine has under that name.
    let hidden = node.sh("[ ! -d /chroot ] || mount -t tmpfs none /chroot");
    hidden.ran();
    run(&node)
        .refused(&["ecelerity.conf:1:21: error (this host): /chroot/dir can't become the root", "ENOENT"]);
    let jail = node.dir.join("jail");
    std::fs::create_dir(&jail).unwrap();
    write(&node, &sample.replace("/chroot/dir", jail.to_str().unwrap()), "");
    assert_eq!(check(&node).out, "Configuration valid\n");
}

#[test]
fn the_solaris_sample_runs_and_its_privileges_are_warned_about() {
    let Some(node) = Node::new() else { return };
    let sample = "Security { user = ecuser Capabilities = \"cap_net_bind_service+ep\" \
                  Privileges = \"basic net_privaddr\" }\n";
    write(&node, sample, "");
    assert_state(&node, 994, 994, "994 996", BIND);
    let checked = check(&node);
    assert_eq!(checked.status, 0);
    assert!(checked.out.contains("warning: Privileges has no effect on Linux"), "{}", checked.out);
    assert!(checked.out.ends_with("Configuration valid\n"), "{}", checked.out);
}

#[test]
fn a_whole_configuration_of_a_mail_server_is_accepted_and_run() {
    let Some(node) = Node::new() else { return };
    for word in ["Domain /^", "Binding ", "Listen ", "scriptlet ", "ec_logger "] {
        assert!(WHOLE.contains(word), "{word} belongs to a whole configuration");
    }
    node.file("ecelerity.conf", WHOLE);
    let checked = check(&node);
    assert_eq!((checked.status, checked.out.as_str()), (0, "Configuration valid\n"));
    assert_state(&node, 994, 994, "994 996", BIND);
}

#[test]
fn a_whole_configuration_with_a_cluster_file_is_overridden_like_a_small_one() {
    let Some(node) = Node::new() else { return };
    write(
        &node,
        &format!("{WHOLE}\n"),
        "Security { Capabilities = \"cap_net_raw,cap_net_bind_service+ep\" }\n",
    );
    assert_state(&node, 994, 994, "994 996", BIND | RAW);
}

#[track_caller]
fn check_refuses(node: &Node, words: &[&str]) {
    let checked = check(node);
    assert_eq!(checked.status, 1, "{checked:?}");
    for word in words {
        assert!(checked.out.contains(word), "“{word}” is not in {}", checked.out);
    }
}
