//! `config writeback` of a running server, on real disks: what it may write it changes by no more bytes than it must, and
//! whatever stands in its way, the old file is whole and the reply says so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::serving::{Server, head, run_dir};
use crate::support::{ECUSER, Node};

const SLEEPER: &str = "Service \"sleeper\" { Command = ( \"/bin/sleep\" \"1000000\" )  Ready_After = 0.1 }\n";

/// A directory of `ecuser`'s, in which a file belongs to it as well.
fn own(node: &Node) -> PathBuf {
    run_dir(node)
}

/// A configuration of root's, whose changes go to a file of `ecuser`'s with this text.
fn with_local(node: &Node, local: &str) -> (String, PathBuf) {
    let path = own(node).join("local.conf");
    fs::write(&path, local).unwrap();
    chown(&path, Some(ECUSER), Some(ECUSER)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let text =
        format!("{}{SLEEPER}Local_Changes_File = \"{}\"\nBlackhole = yes\n", head(node), path.display());
    (text, path)
}

/// What of the directory is not the server's: a temporary file that was left would be.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn only_the_bytes_that_must_change_do_and_owner_and_mode_stay() {
    let Some(node) = Node::new() else { return };
    let local = "# By hand.\nDepth = 1\t# a tab and a comment\n\nother {A=1 B  =  \"x y\"   # here\n  C = ( a\n  b ) }\n# end";
    let (text, path) = with_local(&node, local);
    let server = Server::start(&node, &text);
    assert_eq!(server.answer(&["config", "writeback"]), "every change is in a file already\n");
    server.answer(&["config", "set", "Depth", "=", "2"]);
    server.answer(&["config", "set", "Other", "B", "=", "z"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), local, "a file does not change before the writeback");
    let before = fs::metadata(&path).unwrap();
    assert_eq!(server.answer(&["config", "writeback"]), format!("{}: saved\n", path.display()));
    let expected = local.replace("Depth = 1", "Depth = 2").replace("\"x y\"", "z");
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
    // What was saved is not undone by a reload, and not told as unsaved.
    let reloaded = server.answer(&["config", "reload"]);
    assert!(!reloaded.contains("undone"), "{reloaded}");
    assert_eq!(server.answer(&["config", "get", "Depth"]), "Depth = 2\n");
    assert_eq!(fs::read_to_string(node.dir.join("server.conf")).unwrap(), text, "root's file is as it was");
}

#[test]
fn what_belongs_to_root_s_file_goes_to_the_local_one() {
    let Some(node) = Node::new() else { return };
    let (text, path) = with_local(&node, "");
    let server = Server::start(&node, &text);
    server.answer(&["config", "set", "Blackhole", "=", "no"]);
    server.answer(&["config", "set", "Service", "sleeper", "Graceful_Timeout", "=", "7"]);
    assert_eq!(server.answer(&["config", "writeback"]), format!("{}: saved\n", path.display()));
    assert_eq!(fs::read_to_string(node.dir.join("server.conf")).unwrap(), text);
    let local = fs::read_to_string(&path).unwrap();
    assert!(local.contains("Blackhole = no") && local.contains("Graceful_Timeout = 7"), "{local}");
    assert!(server.answer(&["config", "get", "Blackhole", "--origin"]).contains("local.conf"));
    // The next server has it, too: it reads that file as the user that may write it.
    drop(server);
    let server = Server::start(&node, &text);
    assert_eq!(server.answer(&["config", "get", "Blackhole"]), "Blackhole = no\n");
}

#[test]
fn without_a_file_that_it_may_write_the_statements_are_printed() {
    let Some(node) = Node::new() else { return };
    let text = head(&node) + SLEEPER + "Blackhole = yes\nDepth = 1\n";
    let server = Server::start(&node, &text);
    server.answer(&["config", "set", "Blackhole", "=", "no"]);
    server.answer(&["config", "set", "Service", "sleeper", "Environment", "=", "[ A = \"b c\" ]"]);
    server.answer(&["config", "unset", "Depth"]);
    let written = server.ask(&["config", "writeback"]);
    // Only in root's file can the option that is no more be taken out: that was tried, and refused.
    assert_eq!((written.status, written.out.as_str()), (1, ""), "{written:?}");
    let answer = written.err.as_str();
    assert!(
        answer.contains("server.conf is not saved: failed to write to it: Permission denied"),
        "{answer}"
    );
    for words in ["config set Blackhole = no\n", "config unset Depth\n", "A = \"b c\"", "Local_Changes_File"]
    {
        assert!(answer.contains(words), "`{words}` is not in {written:?}");
    }
    assert!(answer.contains("3 changes are in memory alone"), "{answer}");
    assert_eq!(fs::read_to_string(node.dir.join("server.conf")).unwrap(), text);
    // What is printed can be typed again after a reload has undone it.
    let before = server.answer(&["config", "showrecurse"]);
    server.answer(&["config", "reload"]);
    assert_ne!(server.answer(&["config", "showrecurse"]), before);
    for line in answer.lines().filter_map(|line| line.strip_prefix("  config ")) {
        server.answer(&[&format!("config {line}")]);
    }
    assert_eq!(server.answer(&["config", "showrecurse"]), before);
    // Or be written to a file of its own, where the server's user may.
    let path = own(&node).join("changes.conf");
    let saved = server.answer(&["config", "writeback", path.to_str().unwrap()]);
    assert!(saved.contains("saved"), "{saved}");
    assert!(fs::read_to_string(&path).unwrap().contains("Blackhole = no"));
    let there = server.ask(&["config", "writeback", path.to_str().unwrap()]);
    assert!(there.status == 1 && there.err.contains("there is a file now where there was none"), "{there:?}");
    for path in ["/etc/changes.conf", "relative.conf", "/nowhere/changes.conf"] {
        let refused = server.ask(&["config", "writeback", path]);
        assert_eq!((refused.status, Path::new("/etc/changes.conf").exists()), (1, false), "{refused:?}");
    }
}

/// Changes `Depth` of the local file, has something done to the disk, and asserts that the writeback is refused with these
/// words, that the file is what `left` says, and that nothing else is in the directory.
#[track_caller]
fn refused(node: &Node, mount: &str, spoil: &str, words: &[&str], left: Option<&str>) {
    let directory = own(node);
    // Only in the node, which sees another disk there: everything is made and looked at from inside.
    let local = format!("Depth = 1\n# {}\n", "x".repeat(100_000));
    let made = node.sh(&format!(
        "mkdir -p {0}/disk && {mount} {0}/disk && cat >{0}/disk/local.conf <<'EOF'\n{local}EOF\n\
         chown -R ecuser:ecuser {0}/disk && chmod 600 {0}/disk/local.conf",
        directory.display()
    ));
    made.ran();
    let file = directory.join("disk/local.conf");
    let text = format!("{}{SLEEPER}Local_Changes_File = \"{}\"\n", head(node), file.display());
    let server = Server::start(node, &text);
    server.answer(&["config", "set", "Depth", "=", "2"]);
    node.sh(&format!("cd {} && {spoil}", directory.join("disk").display())).ran();
    let entries = || node.sh(&format!("ls -A {}", directory.join("disk").display())).out;
    let before = entries();
    let written = server.ask(&["config", "writeback"]);
    assert_eq!(written.status, 1, "{written:?}");
    for words in words {
        assert!(written.err.contains(words), "`{words}` is not in {}", written.err);
    }
    assert!(written.err.contains("not saved"), "{}", written.err);
    assert!(written.err.contains("config set Depth = 2"), "what was not saved is printed: {}", written.err);
    assert_eq!(entries(), before, "nothing is left behind");
    if let Some(left) = left {
        let now = node.sh(&format!("cat {}", file.display())).out;
        assert!(now == left.replace("LOCAL", &local), "{} bytes: {:.100}", now.len(), now);
    }
    // It serves, and has the change still.
    assert_eq!(server.answer(&["config", "get", "Depth"]), "Depth = 2\n");
    drop(server);
    node.sh(&format!("umount {}", directory.join("disk").display()));
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let Some(node) = Node::new() else { return };
    let fill = "dd if=/dev/zero of=filler bs=4k 2>/dev/null; test -s filler";
    let mount = "mount -t tmpfs -o size=256k,mode=755 none";
    refused(
        &node,
        mount,
        fill,
        &["No space left on device", "the old file is as it was", "make room"],
        Some("LOCAL"),
    );
}

#[test]
fn a_read_only_disk_leaves_the_old_file_whole() {
    let Some(node) = Node::new() else { return };
    let (mount, spoil) = ("mount -t tmpfs -o mode=755 none", "mount -o remount,ro $PWD");
    refused(&node, mount, spoil, &["Read-only file system"], Some("LOCAL"));
}

#[test]
fn a_link_in_its_way_is_not_followed() {
    let Some(node) = Node::new() else { return };
    let spoil = "mv local.conf kept && ln -s kept local.conf";
    refused(&node, "mount -t tmpfs -o mode=755 none", spoil, &["symbolic link"], Some("LOCAL"));
    let spoil = "ln local.conf second";
    refused(&node, "mount -t tmpfs -o mode=755 none", spoil, &["hard links"], Some("LOCAL"));
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_lost() {
    let Some(node) = Node::new() else { return };
    let mount = "mount -t tmpfs -o mode=755 none";
    refused(&node, mount, "echo 'Depth = 9' >local.conf", &["config reload"], Some("Depth = 9\n"));
    let replaced = "echo 'Depth = 9' >new && chown ecuser:ecuser new && mv new local.conf";
    refused(&node, mount, replaced, &["another file has taken its place"], Some("Depth = 9\n"));
    refused(&node, mount, "rm local.conf", &["it is gone"], None);
    refused(&node, mount, "chmod 400 local.conf", &["Permission denied"], Some("LOCAL"));
    refused(&node, mount, "chown root:root . && chmod 755 .", &["Permission denied"], Some("LOCAL"));
}

/// A link that is there from the start, to a file of root's: root would follow it for nobody.
#[test]
fn a_link_of_the_server_s_user_to_a_file_of_root_s_is_neither_read_nor_written() {
    let Some(node) = Node::new() else { return };
    let secret = node.file("secret", "Depth = 5\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let path = own(&node).join("local.conf");
    symlink(&secret, &path).unwrap();
    let text = format!("{}{SLEEPER}Local_Changes_File = \"{}\"\n", head(&node), path.display());
    let server = Server::start(&node, &text);
    assert_eq!(server.ask(&["config", "get", "Depth"]).status, 1);
    server.answer(&["config", "set", "Depth", "=", "6"]);
    let written = server.ask(&["config", "writeback"]);
    assert!((written.out + &written.err).contains("config set Depth = 6"), "{:?}", names(&own(&node)));
    assert_eq!(fs::read_to_string(&secret).unwrap(), "Depth = 5\n");
}
