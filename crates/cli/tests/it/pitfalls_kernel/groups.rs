//! Groups: the primary one in the list, and the name service where it lists more sources than files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Node, done};

#[test]
fn a_file_that_is_closed_to_a_group_stays_closed_to_its_member() {
    let Some(node) = Node::new() else { return };
    let path = node.file("denied", "secret\n");
    std::os::unix::fs::chown(&path, Some(0), Some(994)).unwrap();
    // root:ecuser 0604: everybody may read it but that group. A process that is in the group by its primary id alone
    // could drop that and get at it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    for groups in ["", "Supplemental_Groups = ()", "Supplemental_Groups = ( extra )"] {
        let scope = format!("Security {{ user = ecuser {groups} }}");
        let done = node.run(&scope, &["sh", "-c", "cat denied || id -G"]);
        assert!(!done.out.contains("secret"), "{groups}: {done:?}");
        assert!(done.out.split_whitespace().any(|group| group == "994"), "{groups}: {done:?}");
    }
    assert_eq!(node.run("Security { user = other }", &["cat", "denied"]).ran().out, "secret\n");
}

#[test]
fn the_primary_group_is_in_the_list_that_the_kernel_has() {
    let Some(node) = Node::new() else { return };
    for (options, list) in [
        ("user = ecuser", "994 996"),
        ("user = ecuser Supplemental_Groups = ()", "994"),
        ("user = ecuser Supplemental_Groups = ( other )", "994 995"),
        ("user = ecuser group = 65430 Supplemental_Groups = ( 4 4 other 4 )", "4 995 65430"),
    ] {
        let done = node.run(&format!("Security {{ {options} }}"), &["cat", "/proc/self/status"]);
        assert_eq!(done.ran().field("Groups"), list, "{options}");
    }
}

#[test]
fn roots_own_groups_do_not_stay() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = other }");
    let done = node.sh("exec setpriv --groups=0,4,6,27,994 $STEPDOWN run -c server.conf -- id -G");
    assert_eq!(done.ran().out, "995\n");
}

#[test]
fn names_are_found_whatever_sources_the_name_service_lists() {
    let Some(node) = Node::new() else { return };
    // With `files` first the answer is read directly; with others first, or a condition in brackets, the C library gives
    // it. It must be the same, and a source that crashes static programs must not crash this one.
    for sources in
        ["files", "systemd files", "files systemd", "files [!NOTFOUND=return] systemd", "systemd compat"]
    {
        let text = format!("passwd: {sources}\ngroup: {sources}\n");
        node.file("nsswitch.conf", &text);
        node.file("server.conf", "Security { user = ecuser Supplemental_Groups = ( other extra ) }");
        node.file("member.conf", "Security { user = ecuser }");
        let done = done(node.command("unshare").args(["--mount", "sh", "-c"]).arg(
            "mount --bind nsswitch.conf /etc/nsswitch.conf && $STEPDOWN run -c server.conf -- id -G && \
             $STEPDOWN run -c member.conf -- id -G && ! $STEPDOWN check -c /dev/stdin",
        ).env("STEPDOWN", crate::support::STEPDOWN));
        assert_eq!(
            done.out.lines().take(2).collect::<Vec<_>>(),
            ["994 995 996", "994 996"],
            "{sources}: {done:?}"
        );
    }
}

#[test]
fn an_unknown_name_is_a_refusal_whatever_sources_the_name_service_lists() {
    let Some(node) = Node::new() else { return };
    for sources in ["systemd files", "files systemd", "nosuchsource files"] {
        node.file("nsswitch.conf", &format!("passwd: {sources}\ngroup: {sources}\n"));
        node.file("server.conf", "Security { user = nobody-of-that-name group = no-such-group }");
        let done = done(node.command("unshare").args(["--mount", "sh", "-c"]).arg(
            "mount --bind nsswitch.conf /etc/nsswitch.conf && exec $STEPDOWN run -c server.conf -- id",
        ).env("STEPDOWN", crate::support::STEPDOWN));
        done.refused(&["nobody-of-that-name", "no-such-group"]);
    }
}
