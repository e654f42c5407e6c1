//! Groups: the primary one in the list, and the name service where it lists more sources than files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Done, Node, STEPDOWN, done};

#[test]
fn a_file_that_is_closed_to_a_group_stays_closed_to_its_member() {
    let Some(node) = Node::new() else { return };
    let path = node.file("denied", "secret\n");
    std::os::unix::fs::chown(&path, Some(0), Some(994)).unwrap();
    // root:ecuser 0604: everybody may read it but that group.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    // A set-group-id program takes the primary group away: what is left then is the list.
    let made = node.sh("cp /bin/cat sgcat && chgrp other sgcat && chmod 2755 sgcat");
    assert_eq!(made.status, 0, "{made:?}");
    for groups in ["", "Supplemental_Groups = ()", "Supplemental_Groups = ( extra )"] {
        let scope = format!("Security {{ user = ecuser No_New_Privs = false {groups} }}");
        let done = node.run(&scope, &["sh", "-c", "cat denied; ./sgcat denied; ./sgcat /proc/self/status"]);
        assert!(!done.out.contains("secret"), "{groups}: {done:?}");
        assert_eq!(done.field("Gid"), "994\t995\t995\t995", "{groups}");
        assert_eq!(done.err.matches("denied: Permission denied").count(), 2, "{groups}: {done:?}");
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

/// Runs a script where the name service has these sources.
fn with_sources(node: &Node, sources: &str, script: &str) -> Done {
    node.file("nsswitch.conf", &format!("passwd: {sources}\ngroup: {sources}\n"));
    let script = format!("mount --bind nsswitch.conf /etc/nsswitch.conf && {{ {script}; }}");
    done(node.command("unshare").args(["--mount", "sh", "-c", &script]).env("STEPDOWN", STEPDOWN))
}

#[test]
fn names_are_found_whatever_sources_the_name_service_lists() {
    let Some(node) = Node::new() else { return };
    // With `files` first the answer is read directly; with others first, or a condition in brackets, the name service
    // is asked. It must be the same, and a source that would crash a static program must not crash this one.
    for sources in
        ["files", "systemd files", "files systemd", "files [!NOTFOUND=return] systemd", "systemd compat"]
    {
        node.file("server.conf", "Security { user = ecuser Supplemental_Groups = ( other extra ) }");
        node.file("member.conf", "Security { user = ecuser }");
        let script = "$STEPDOWN run -c server.conf -- id -G; $STEPDOWN run -c member.conf -- id -G";
        let done = with_sources(&node, sources, script);
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
        node.file("server.conf", "Security { user = nobody-of-that-name group = no-such-group }");
        let done = with_sources(&node, sources, "exec $STEPDOWN run -c server.conf -- id");
        done.refused(&["nobody-of-that-name", "no-such-group"]);
    }
}
