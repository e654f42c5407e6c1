//! Groups: the primary one in the list, and the name service where it lists more sources than files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Done, Node, STEPDOWN, done, have};

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

/// What nsswitch.conf(5) allows to be missing or wrong is as the C library takes it: the answers are those of getent(1).
#[test]
fn a_file_of_sources_that_is_missing_or_odd_is_read_as_the_c_library_reads_it() {
    let Some(node) = Node::new() else { return };
    let odd = [
        ("empty", String::new()),
        ("no colon", "passwd files\ngroup files\n".into()),
        ("no line end", "group:files\npasswd:files".into()),
        ("no sources", "passwd:\ngroup:   \n".into()),
        ("comments", "# passwd: nosuch\npasswd: # nothing\ngroup: files#more\n".into()),
        ("tabs", "passwd\t:\tfiles\n\tgroup\t: files\n".into()),
        ("twice", "passwd: nosuch\npasswd: files\ngroup: files\ngroup: files\n".into()),
        ("brackets", "passwd: files [\ngroup: [NOTFOUND=return] files\n".into()),
        ("nothing but noise", "\u{1}\u{7f}é: \0\n".repeat(1000)),
        ("a line of a megabyte", format!("passwd: {}files\ngroup: files\n", "files ".repeat(1 << 18))),
    ];
    node.file("server.conf", "Security { user = ecuser Supplemental_Groups = ( extra ) }");
    for (name, text) in &odd {
        node.file("nsswitch.conf", text);
        let script = "mount --bind nsswitch.conf /etc/nsswitch.conf && \
                      { getent passwd ecuser >/dev/null && getent group extra >/dev/null; echo $?; } && \
                      exec $STEPDOWN run -c server.conf -- id -G";
        let done =
            done(node.command("unshare").args(["--mount", "sh", "-c", script]).env("STEPDOWN", STEPDOWN));
        if done.out.starts_with("0\n") {
            assert_eq!((done.status, done.out.as_str()), (0, "0\n994 996\n"), "{name}: {done:?}");
        } else {
            // The C library finds nobody, or ends: then nobody is found here either.
            assert_eq!(done.status, 125, "{name}: {done:?}");
            assert!(done.err.contains("ecuser") || done.err.contains("extra"), "{name}: {done:?}");
        }
    }
    let script = "mkdir -p etc && cp /etc/passwd /etc/group etc && cp -d /etc/ld.so.cache etc && mount --bind etc /etc && \
                  test ! -e /etc/nsswitch.conf && exec $STEPDOWN run -c server.conf -- id -G";
    let missing =
        done(node.command("unshare").args(["--mount", "sh", "-c", script]).env("STEPDOWN", STEPDOWN));
    assert_eq!(missing.ran().out, "994 996\n");
}

/// A module of the name service that never answers, as one whose server is away.
#[test]
fn a_source_that_hangs_is_given_up_and_named() {
    if !have("gcc") || !have("ldconfig") {
        return;
    }
    let Some(node) = Node::new() else { return };
    node.file(
        "hang.c",
        "#include <nss.h>\n#include <pwd.h>\n#include <unistd.h>\n\
         enum nss_status _nss_hang_getpwnam_r(const char *n, struct passwd *p, char *b, size_t s, int *e)\n\
         { for (;;) pause(); }\n",
    );
    node.file("ld.conf", &format!("include /etc/ld.so.conf\n{}\n", node.dir.display()));
    node.sh("gcc -shared -fPIC -o libnss_hang.so.2 hang.c && ldconfig -C cache -f ld.conf").ran();
    node.file("server.conf", "Security { user = away group = 994 Supplemental_Groups = () }");
    node.file("known.conf", "Security { user = ecuser Supplemental_Groups = () }");
    let script =
        |file: &str| format!("mount --bind cache /etc/ld.so.cache && exec $STEPDOWN run -c {file} -- id -u");
    let started = std::time::Instant::now();
    let hung = with_sources(&node, "files hang", &script("server.conf"));
    hung.refused(&["away", "did not answer within 10 seconds", "`passwd: files hang`", "why: ", "hint: "]);
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
    // Whom `files` knows is found without asking it.
    assert_eq!(with_sources(&node, "files hang", &script("known.conf")).ran().out, "994\n");
    // Nothing is left behind that waits.
    assert_eq!(node.sh("pgrep -f '[g]etent .*away'").status, 1);
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
