//! Hostile and broken input: every file gives an error or an answer, in bounded time and memory, and none makes root do
//! what somebody else wrote.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::{Done, Node, STEPDOWN, done};

/// `stepdown ARGUMENTS` in the node, ended after twenty seconds and held to half a GiB of memory: over either limit the
/// exit status is none of ours.
fn bounded(node: &Node, arguments: &str) -> Done {
    node.sh(&format!("ulimit -v 524288; exec timeout 20 {STEPDOWN} {arguments}"))
}

/// Both commands refuse `hostile.conf`, and say these words.
#[track_caller]
fn both_refuse(node: &Node, words: &[&str]) {
    bounded(node, "run -c hostile.conf -- id").refused(words);
    let check = bounded(node, "check -c hostile.conf");
    assert_eq!((check.status, check.err.as_str()), (1, ""), "{check:?}");
    for word in words {
        assert!(check.out.contains(word), "“{word}” is not in {}", check.out);
    }
}

const GOOD: &str = "Security { user = ecuser }\n";

#[test]
fn a_hundred_thousand_nested_scopes_are_an_error() {
    let Some(node) = Node::new() else { return };
    let closed = format!("{GOOD}{}{}", "a {".repeat(100_000), "}".repeat(100_000));
    for text in [closed, "a {".repeat(100_000), "Security { user = ((".to_owned() + &"(".repeat(100_000)] {
        node.file("hostile.conf", &text);
        both_refuse(&node, &["hostile.conf:", "error"]);
        assert_eq!(bounded(&node, "check --syntax hostile.conf").status, 1);
    }
}

#[test]
fn nesting_within_the_limit_is_read() {
    let Some(node) = Node::new() else { return };
    node.file("deep.conf", &format!("{GOOD}{}{}", "a { ".repeat(150), "}".repeat(150)));
    assert_eq!(bounded(&node, "check -c deep.conf").ran().out, "Configuration valid\n");
}

#[test]
fn a_value_of_a_hundred_megabytes_is_an_error() {
    let Some(node) = Node::new() else { return };
    for (open, close) in
        [("Security { user = \"", "\" }"), ("Security { user = ", " }"), ("# ", "\n"), ("", "")]
    {
        node.file("hostile.conf", &format!("{open}{}{close}", "x".repeat(100_000_000)));
        both_refuse(&node, &["hostile.conf is larger than 64 MiB"]);
    }
}

#[test]
fn a_value_that_a_file_may_hold_but_nobody_means_is_an_error() {
    let Some(node) = Node::new() else { return };
    node.file("hostile.conf", &format!("Security {{ user = \"{}\" }}", "x".repeat(50_000_000)));
    both_refuse(&node, &["hostile.conf:1:"]);
    node.file("hostile.conf", &format!("Security {{ user = \"{}\" }}", "x".repeat(1000)));
    both_refuse(&node, &["it is longer than 256 bytes"]);
}

#[test]
fn a_million_mistakes_do_not_make_a_million_messages() {
    let Some(node) = Node::new() else { return };
    node.file("hostile.conf", &"= ".repeat(1_000_000));
    let done = bounded(&node, "run -c hostile.conf -- id");
    done.refused(&["hostile.conf:1:1: error"]);
    assert!(done.err.lines().count() < 1000, "{} lines", done.err.lines().count());
    assert!(done.err.len() < 1_000_000, "{} bytes", done.err.len());
    node.file("hostile.conf", &format!("Security {{ {} }}", "bogus = 1 ".repeat(200_000)));
    assert_eq!(bounded(&node, "run -c hostile.conf -- id").status, 125);
}

#[test]
fn a_million_different_options_of_another_scope_are_read() {
    let Some(node) = Node::new() else { return };
    let options: String = (0..200_000).map(|number| format!("o{number} = {number}\n")).collect();
    node.file("many.conf", &format!("{GOOD}other {{ {options} }}"));
    assert_eq!(bounded(&node, "run -c many.conf -- id -u").ran().out, "994\n");
}

#[test]
fn an_include_cycle_is_an_error_that_shows_the_chain() {
    let Some(node) = Node::new() else { return };
    node.file("hostile.conf", &format!("{GOOD}include \"b.conf\"\n"));
    node.file("b.conf", "include c.conf");
    node.file("c.conf", "include hostile.conf");
    both_refuse(&node, &["hostile.conf", "b.conf", "c.conf"]);
    node.file("hostile.conf", "include hostile.conf");
    both_refuse(&node, &["hostile.conf:1:"]);
    // A link is the same file under another name.
    symlink("hostile.conf", node.dir.join("link.conf")).unwrap();
    node.file("hostile.conf", &format!("{GOOD}include link.conf"));
    both_refuse(&node, &["link.conf"]);
}

#[test]
fn includes_that_double_at_every_level_end() {
    let Some(node) = Node::new() else { return };
    for level in 0..40 {
        node.file(&format!("{level}.conf"), &format!("include {0}.conf include {0}.conf", level + 1));
    }
    node.file("40.conf", "x = 1");
    node.file("hostile.conf", "include 0.conf");
    both_refuse(&node, &["the files of this configuration are too many"]);
}

#[test]
fn a_missing_include_stops_everything() {
    let Some(node) = Node::new() else { return };
    node.file("hostile.conf", &format!("{GOOD}include \"missing.conf\"\n"));
    both_refuse(&node, &["hostile.conf:2:", "missing.conf"]);
}

#[test]
fn nul_bytes_are_an_error_with_a_place() {
    let Some(node) = Node::new() else { return };
    for text in [
        "Security { user = ecuser\0 }",
        "\0",
        "Security { user = \"root\0x\" }",
        "# \0\nSecurity { user = ecuser }",
    ] {
        node.file("hostile.conf", text);
        both_refuse(&node, &["hostile.conf:1:"]);
    }
}

#[test]
fn invalid_utf_8_is_an_error_with_a_place() {
    let Some(node) = Node::new() else { return };
    for bytes in [
        &b"Security { user = \xff }"[..],
        b"\xfe\xff\x00S",
        b"Security { user = \"\xc0\x80\" }",
        b"x = \xed\xa0\x80",
    ] {
        let path = node.file("hostile.conf", "");
        fs::write(path, bytes).unwrap();
        both_refuse(&node, &["hostile.conf:1:"]);
    }
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let Some(node) = Node::new() else { return };
    node.file(
        "hostile.conf",
        "Security { user = \"\u{1b}]0;title\u{7}\u{9b}31m\u{202e}x\" bogus\u{1b}[2J = 1 }",
    );
    let done = bounded(&node, "run -c hostile.conf -- id");
    assert_eq!(done.status, 125, "{done:?}");
    assert!(!done.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", done.err);
}

#[test]
fn what_is_no_file_is_an_error_and_does_not_hang() {
    let Some(node) = Node::new() else { return };
    let made = node.sh("mkfifo fifo && mknod null c 1 3 && mknod zero c 1 5 && mkdir dir && \
                        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'");
    assert_eq!(made.status, 0, "{made:?}");
    for (path, what) in [
        ("fifo", "a FIFO"),
        ("null", "a character device"),
        ("zero", "a character device"),
        ("/dev/zero", "a character device"),
        ("socket", "a socket"),
        ("dir", "directory"),
    ] {
        bounded(&node, &format!("run -c {path} -- id")).refused(&[path, what]);
        let syntax = bounded(&node, &format!("check --syntax {path}"));
        assert_eq!(syntax.status, 1, "{syntax:?}");
        assert!(syntax.out.contains(what), "{syntax:?}");
        if what != "directory" {
            node.file("hostile.conf", &format!("{GOOD}include \"{path}\"\n"));
            both_refuse(&node, &["hostile.conf:2:", what]);
        }
    }
    node.file("hostile.conf", &format!("{GOOD}include dir\n"));
    assert_eq!(bounded(&node, "check -c hostile.conf").status, 0, "a directory may be included");
}

#[test]
fn an_endless_file_is_read_to_the_limit_and_no_further() {
    let Some(node) = Node::new() else { return };
    // Regular by its type, and of size 0 as files of /proc are; a sparse file is large without any blocks.
    let sparse = fs::File::create(node.dir.join("hostile.conf")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    both_refuse(&node, &["hostile.conf is larger than 64 MiB"]);
    bounded(&node, "run -c /proc/kallsyms -- id").refused(&["/proc/kallsyms"]);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_configuration_that_others_can_write_to_is_refused_for_root() {
    let Some(node) = Node::new() else { return };
    let path = node.file("hostile.conf", GOOD);
    for (bits, who) in
        [(0o646, "everybody can write to it"), (0o664, "group 0 can write to it"), (0o602, "everybody")]
    {
        mode(&path, bits);
        both_refuse(&node, &["hostile.conf is not trusted", who, "chmod go-w"]);
    }
    mode(&path, 0o600);
    std::os::unix::fs::chown(&path, Some(995), None).unwrap();
    both_refuse(&node, &["hostile.conf is not trusted", "belongs to user 995"]);
    std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    assert_eq!(bounded(&node, "run -c hostile.conf -- id -u").ran().out, "994\n");
}

#[test]
fn a_configuration_in_a_directory_that_others_can_write_to_is_refused_for_root() {
    let Some(node) = Node::new() else { return };
    node.file("open/inner/good.conf", GOOD);
    symlink("open/inner/good.conf", node.dir.join("link.conf")).unwrap();
    for (bits, who) in [(0o757, "everybody can write to it"), (0o775, "group 0 can write to it")] {
        mode(&node.dir.join("open"), bits);
        for path in ["open/inner/good.conf", "link.conf", "open/../open/inner/good.conf"] {
            bounded(&node, &format!("run -c {path} -- id")).refused(&[
                "is not trusted because of",
                "/open",
                who,
            ]);
        }
    }
    // With the sticky bit, only root can replace what is root's.
    mode(&node.dir.join("open"), 0o1777);
    assert_eq!(bounded(&node, "run -c open/inner/good.conf -- id -u").ran().out, "994\n");
}

#[test]
fn an_include_that_others_can_write_to_is_refused_for_root() {
    let Some(node) = Node::new() else { return };
    let included = node.file("conf.d/included.conf", GOOD);
    node.file("hostile.conf", "include conf.d");
    mode(&included, 0o666);
    both_refuse(&node, &["hostile.conf:1:", "included.conf", "is not trusted"]);
    mode(&included, 0o644);
    mode(&node.dir.join("conf.d"), 0o777);
    both_refuse(&node, &["hostile.conf:1:", "is not trusted"]);
}

#[test]
fn anybody_may_check_a_file_of_their_own() {
    let Some(node) = Node::new() else { return };
    let path = node.file("mine.conf", "Security { user = ecuser ");
    std::os::unix::fs::chown(&path, Some(995), None).unwrap();
    mode(&path, 0o666);
    let done = bounded(&node, "check --syntax mine.conf");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(!done.out.contains("not trusted"), "{done:?}");
    assert!(done.out.contains("mine.conf:1:"), "{done:?}");
}

#[test]
fn a_named_security_and_a_nested_one_have_messages_of_their_own() {
    let Some(node) = Node::new() else { return };
    node.file("hostile.conf", "Security \"x\" { user = ecuser }");
    both_refuse(&node, &["hostile.conf:1:", "Security takes no name, but is called"]);
    node.file("hostile.conf", "other {\n  security { user = ecuser }\n}\n");
    both_refuse(&node, &["hostile.conf:2:", "Security stands inside the scope", "other"]);
    node.file("hostile.conf", "a { b { c \"d\" { SECURITY { user = root } } } }");
    both_refuse(&node, &["Security stands inside the scope", "1 | a { b { c"]);
    node.file("hostile.conf", "Security { Security { user = ecuser } }");
    both_refuse(&node, &["there is no scope", "inside Security"]);
}

#[test]
fn solaris_privileges_are_accepted_and_warned_about() {
    let Some(node) = Node::new() else { return };
    let scope = "Security { user = ecuser Privileges = \"basic net_privaddr\" }";
    let check = node.check(scope);
    assert_eq!(check.status, 0, "{check:?}");
    assert!(check.out.contains("warning: Privileges has no effect on Linux"), "{check:?}");
    assert_eq!(node.run(scope, &["id", "-u"]).ran().out, "994\n");
}

#[test]
fn names_that_are_no_files_are_errors() {
    let Some(node) = Node::new() else { return };
    let run = |name: &std::ffi::OsStr| {
        done(node.command(STEPDOWN).args(["run", "-c"]).arg(name).args(["--", "id"]))
    };
    use std::os::unix::ffi::OsStrExt;
    run(std::ffi::OsStr::from_bytes(b"\xff.conf")).refused(&["not valid UTF-8"]);
    run("".as_ref()).refused(&["error"]);
    run("missing.conf".as_ref()).refused(&["missing.conf"]);
    run("x".repeat(5000).as_ref()).refused(&["error"]);
}
