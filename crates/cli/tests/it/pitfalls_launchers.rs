//! What goes wrong with the launchers in use today, one test for each case: the same input given to `stepdown`, and what
//! the program then is, read from the kernel.

use std::fs;

use crate::support::{Done, Node, STEPDOWN, done};

/// Texts that some launcher has taken for user 0, or for “leave it as it is”, and what is wrong with each.
const ODD: [(&str, &str); 20] = [
    ("", "empty"),
    ("-1", "sign"),
    ("-0", "sign"),
    ("+0", "sign"),
    ("4294967295", "leave unchanged"),
    ("4294967296", "wrap"),
    ("8589934592", "wrap"),
    ("18446744073709551616", "wrap"),
    ("0x0", "begins with a digit"),
    ("0b0", "begins with a digit"),
    ("1e3", "begins with a digit"),
    ("0.0", "begins with a digit"),
    ("0root", "begins with a digit"),
    ("994ecuser", "begins with a digit"),
    ("00", "leading zero"),
    ("0994", "leading zero"),
    (" root", "contains ' '"),
    ("root ", "contains ' '"),
    ("root\n", "contains '\\n'"),
    ("ecuser:root", "contains ':'"),
];

/// Names that no system has, though they look like root's, and so are refused by the name service.
const UNKNOWN: [&str; 4] = ["ROOT", "r\u{f6}\u{f6}t", "\u{660}", "*"];

/// Runs `id` under a scope with this text in it.
fn ids(node: &Node, options: &str) -> Done {
    node.run(&format!("Security {{ {options} }}"), &["sh", "-c", "id -u; id -g; id -G"])
}

#[track_caller]
fn are(done: &Done, uid: &str, gid: &str, groups: &str) {
    assert_eq!(done.ran().out, format!("{uid}\n{gid}\n{groups}\n"));
}

#[test]
fn an_odd_user_is_refused() {
    let Some(node) = Node::new() else { return };
    for (text, why) in ODD {
        ids(&node, &format!("user = \"{text}\" group = other")).refused(&["is no value for user", why]);
    }
}

#[test]
fn an_odd_group_is_refused() {
    let Some(node) = Node::new() else { return };
    for (text, why) in ODD {
        ids(&node, &format!("user = other group = \"{text}\"")).refused(&["is no value for group", why]);
    }
}

#[test]
fn an_odd_supplementary_group_is_refused() {
    let Some(node) = Node::new() else { return };
    for (text, why) in ODD {
        ids(&node, &format!("user = other Supplemental_Groups = ( extra \"{text}\" )"))
            .refused(&["is no value for Supplemental_Groups", why]);
    }
}

#[test]
fn a_name_that_only_looks_like_root_is_unknown() {
    let Some(node) = Node::new() else { return };
    for name in UNKNOWN {
        ids(&node, &format!("user = \"{name}\" group = other")).refused(&["there is no user", name]);
        ids(&node, &format!("user = other group = \"{name}\"")).refused(&["there is no group", name]);
        ids(&node, &format!("user = other Supplemental_Groups = ( \"{name}\" )"))
            .refused(&["there is no group", name]);
    }
}

#[test]
fn the_largest_ids_are_those_very_ids() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = 4294967294 group = 4294967293"), "4294967294", "4294967293", "4294967293");
    are(
        &ids(&node, "user = other Supplemental_Groups = ( 2147483648 4294967294 )"),
        "995",
        "995",
        "995 2147483648 4294967294",
    );
}

#[test]
fn a_quoted_number_is_that_number() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = \"994\" group = '995'"), "994", "995", "995 996");
}

/// Adds accounts to the node's own files, in place: the files are mounted where the system looks.
fn add(node: &Node, file: &str, lines: &str) {
    let path = node.dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text + lines).unwrap();
}

#[test]
fn an_account_with_a_number_for_a_name_is_not_meant_by_the_number() {
    let Some(node) = Node::new() else { return };
    add(&node, "passwd", "4242:x:0:0:trap:/root:/bin/sh\n");
    add(&node, "group", "4242:x:0:\n");
    are(&ids(&node, "user = 4242 group = 4242 Supplemental_Groups = ( 4242 )"), "4242", "4242", "4242");
}

#[test]
fn a_broken_entry_of_the_user_database_never_gives_root() {
    let Some(node) = Node::new() else { return };
    let odd = ["", "-1", "4294967295", "4294967296", "8589934592", "0x0", " "];
    for (number, id) in odd.iter().enumerate() {
        add(&node, "passwd", &format!("u{number}:x:{id}:995:trap:/nonexistent:/bin/sh\n"));
        add(&node, "passwd", &format!("p{number}:x:995:{id}:trap:/nonexistent:/bin/sh\n"));
        add(&node, "group", &format!("g{number}:x:{id}:\n"));
    }
    for (number, id) in odd.iter().enumerate() {
        for options in [
            format!("user = u{number} group = other"),
            format!("user = p{number}"),
            format!("user = other group = g{number}"),
            format!("user = other Supplemental_Groups = ( g{number} )"),
        ] {
            let done = ids(&node, &options);
            assert_eq!((done.status, done.out.as_str()), (125, ""), "{options}, {:?}: {done:?}", id);
        }
    }
}

#[test]
fn a_user_without_a_group_gets_its_own_and_not_roots() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = ecuser"), "994", "994", "994 996");
    are(&ids(&node, "user = 994"), "994", "994", "994 996");
}

#[test]
fn a_group_without_a_user_is_the_default_users() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "group = other"), "994", "995", "995 996");
}

#[test]
fn a_numeric_user_without_an_account_needs_a_group() {
    let Some(node) = Node::new() else { return };
    ids(&node, "user = 65433").refused(&["user 65433 has no account to take one from", "Group ="]);
    are(&ids(&node, "user = 65433 group = 65432"), "65433", "65432", "65432");
}

#[test]
fn a_group_that_is_written_keeps_the_users_other_groups() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = ecuser group = other"), "994", "995", "995 996");
}

#[test]
fn no_supplementary_groups_leaves_the_primary_one() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = ecuser Supplemental_Groups = ()"), "994", "994", "994");
}

#[test]
fn a_user_with_exactly_one_group_has_exactly_one() {
    let Some(node) = Node::new() else { return };
    are(&ids(&node, "user = other"), "995", "995", "995");
}

#[test]
fn capabilities_above_the_kernels_last_are_refused_by_number() {
    let Some(node) = Node::new() else { return };
    let last: u32 = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    for number in [last + 1, 63] {
        for flags in ["p", "ep", "i", "eip"] {
            ids(&node, &format!("user = other Capabilities = \"{number}+{flags}\"")).refused(&[
                &format!("retains {number}, which this kernel does not know"),
                &format!("number {last}"),
            ]);
        }
    }
    ids(&node, "user = other Capabilities = \"64+ep\"").refused(&["Capabilities can't be read", "64"]);
}

#[test]
fn a_capability_that_root_lacks_here_is_refused_by_name() {
    let Some(node) = Node::new() else { return };
    // This machine's root may have it; the one of the test has it not.
    let lacking = |options: &str| {
        node.file("lacking.conf", &format!("Security {{ user = ecuser {options} }}"));
        done(node.command("setpriv").args(["--bounding-set=-sys_resource", "--inh-caps=-all"]).args([
            "sh",
            "-c",
            "exec \"$0\" run -c lacking.conf -- id",
            STEPDOWN,
        ]))
    };
    let cluster = "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep";
    let refused = lacking(&format!("Capabilities = \"{cluster}\""));
    refused.refused(&["lacking.conf:1:", "retains cap_sys_resource", "outside the bounding set"]);
    assert!(!refused.err.contains("retains cap_net_raw"), "only what is missing: {}", refused.err);
    lacking("Bounding_Set = \"cap_net_raw,cap_sys_resource\"")
        .refused(&["Bounding_Set names cap_sys_resource", "outside the bounding set"]);
}

#[test]
fn the_order_of_options_makes_no_difference() {
    let Some(node) = Node::new() else { return };
    let before = "Security { Capabilities = \"cap_net_bind_service+ep\" user = ecuser group = ecuser }";
    let after = "Security { group = ecuser }\nSecurity { user = ecuser }\n\
                 Security { Capabilities = \"cap_net_bind_service+ep\" }";
    let status = ["grep", "-E", "^(Uid|Gid|Groups|Cap|NoNew)", "/proc/self/status"];
    let first = node.run(before, &status);
    assert_eq!(first.ran().field("CapEff"), "0000000000000400");
    assert_eq!(first.out, node.run(after, &status).ran().out);
}

#[test]
fn nothing_inherited_passes_through() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = ecuser }");
    let done = node.sh("exec setpriv --inh-caps=+kill,+chown --ambient-caps=+kill,+chown sh -c \
                        'grep CapAmb /proc/self/status >&2; \
                        exec $STEPDOWN run -c server.conf -- \
                        sh -c \"cat /proc/self/status; ls /proc/self/fd\" 9</'");
    assert_eq!((done.status, done.err.as_str()), (0, "CapAmb:\t0000000000000021\n"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(done.field(set), "0000000000000000", "{set}");
    }
    assert!(done.out.ends_with("\n0\n1\n2\n3\n"), "3 is the listing's own: {}", done.out);
}

#[test]
fn check_finds_what_a_unit_verifier_passes_over() {
    let Some(node) = Node::new() else { return };
    for (options, words) in [
        ("user = nobody-of-that-name", ["nobody-of-that-name", "(this host)"]),
        ("chroot = /nonexistent/root", ["/nonexistent/root can't become the root directory", "ENOENT"]),
        (
            "Capabilities = \"cap_net_bind_servise+ep\"",
            ["cap_net_bind_servise", "did you mean cap_net_bind_service?"],
        ),
    ] {
        let done = node.check(&format!("Security {{ user = ecuser {options} }}"));
        assert_eq!(done.status, 1, "{done:?}");
        for word in words {
            assert!(done.out.contains(word), "“{word}” is not in {}", done.out);
        }
        assert!(done.out.contains("Configuration not valid: 1 error"), "{}", done.out);
    }
}

#[test]
fn a_misspelt_option_is_refused_with_the_nearest_name() {
    let Some(node) = Node::new() else { return };
    ids(&node, "user = ecuser Capabilites = \"cap_kill+ep\"").refused(&[
        "there is no option",
        "Capabilites",
        "did you mean Capabilities?",
    ]);
}

#[test]
fn a_misspelt_user_or_group_is_refused_with_the_nearest_name() {
    let Some(node) = Node::new() else { return };
    ids(&node, "user = ecusr").refused(&["server.conf:1:19:", "there is no user", "did you mean ecuser?"]);
    ids(&node, "user = ecuser group = othr").refused(&["there is no group", "did you mean other?"]);
    ids(&node, "user = ecuser Supplemental_Groups = ( extar )")
        .refused(&["there is no group", "did you mean extra?"]);
    // Without one that is near there is nothing to guess, and the default user is no slip of anybody's.
    let far = ids(&node, "user = zzzzzzzzzz");
    assert!(!far.refused(&["there is no user", "create it"]).err.contains("did you mean"), "{far:?}");
}

#[test]
fn an_account_that_exists_without_a_shell_a_home_or_a_member_is_found() {
    let Some(node) = Node::new() else { return };
    add(&node, "passwd", "bare:x:3100:3101:::\n");
    add(&node, "group", "bare:x:3101:\n");
    are(&ids(&node, "user = bare"), "3100", "3101", "3101");
}

#[test]
fn without_a_scope_the_default_user_is_meant_and_never_root() {
    let Some(node) = Node::new() else { return };
    are(&node.run("# nothing\n", &["sh", "-c", "id -u; id -g; id -G"]), "994", "994", "994 996");
    let passwd = fs::read_to_string(node.dir.join("passwd")).unwrap();
    fs::write(node.dir.join("passwd"), passwd.replace("ecuser", "renamed")).unwrap();
    node.run("# nothing\n", &["id"]).refused(&[
        "there is no user",
        "ecuser",
        "the manual's default",
        "useradd",
    ]);
}
