//! Which file is executed, and with which exit status it is not: the look-up along `PATH`, scripts and their
//! interpreters, and files that no kernel executes.
//!
//! The plain cases of 126 and 127 are in `commands`, the same inside a chroot in `real_chroot`. Where env(1) does the same
//! job, run by the same user, its answer is the measure.

use crate::support::{Done, Node, have};

const SCOPE: &str = "Security { user = ecuser }";

/// `stepdown run` with this `PATH`; `None` is no `PATH` at all.
fn with_path(node: &Node, path: Option<&str>, program: &str) -> Done {
    node.file("server.conf", SCOPE);
    let set = path.map_or_else(|| "unset PATH".to_owned(), |path| format!("export PATH='{path}'"));
    node.sh(&format!("{set}; exec \"$STEPDOWN\" run -c server.conf -- {program}"))
}

/// What env(1) makes of it as the same user.
fn with_env(node: &Node, path: Option<&str>, program: &str) -> Done {
    let set = path.map_or_else(|| "unset PATH".to_owned(), |path| format!("export PATH='{path}'"));
    node.sh(&format!(
        "{set}; exec /usr/bin/setpriv --reuid=994 --regid=994 --init-groups /usr/bin/env {program}"
    ))
}

#[track_caller]
fn not_executed(done: &Done, status: i32, words: &[&str]) {
    assert_eq!((done.status, done.out.as_str()), (status, ""), "{done:?}");
    for word in words {
        assert!(done.err.contains(word), "“{word}” is not in {}", done.err);
    }
}

/// Files that may be executed, so far as their mode goes.
fn executables(node: &Node, files: &[(&str, &str)]) {
    for (name, text) in files {
        node.file(name, text);
        assert_eq!(node.sh(&format!("chmod 755 {name}")).status, 0);
    }
}

#[test]
fn the_path_is_followed_as_env_follows_it() {
    let Some(node) = Node::new() else { return };
    if !have("setpriv") {
        return;
    }
    executables(
        &node,
        &[
            ("a/tool", "#!/bin/sh\necho a\n"),
            ("b/tool", "#!/bin/sh\necho b\n"),
            ("tool", "#!/bin/sh\necho here\n"),
        ],
    );
    node.file("data/tool", "text");
    assert_eq!(node.sh("mkdir -p directory/tool closed && chmod 700 closed").status, 0);
    let dir = node.dir.display().to_string();
    for path in [
        "D/a:D/b",
        "D/b:D/a",
        // Neither what is missing, nor what is no program, hides what comes later.
        "D/missing:D/b",
        "D/data:D/b",
        "D/directory:D/b",
        "D/data/tool:D/b",
        "D/closed:D/b",
        // Relative ones, and an empty one, which is the working directory.
        "a:D/b",
        ":D/b",
        "D/missing::D/b",
        "D/missing:",
        "",
        // Nothing to be found.
        "D/missing",
        "D/data",
        "D/directory:D/missing",
    ] {
        let path = path.replace('D', &dir);
        let (ours, theirs) = (with_path(&node, Some(&path), "tool"), with_env(&node, Some(&path), "tool"));
        assert_eq!((ours.status, &ours.out), (theirs.status, &theirs.out), "{path}: {ours:?} {theirs:?}");
    }
    // A name with a slash is a path already.
    for name in ["./tool", "b/tool", "data/tool", "directory/tool", "missing/tool"] {
        let (ours, theirs) =
            (with_path(&node, Some("/nowhere"), name), with_env(&node, Some("/nowhere"), name));
        assert_eq!((ours.status, &ours.out), (theirs.status, &theirs.out), "{name}: {ours:?} {theirs:?}");
    }
}

#[test]
fn without_a_path_the_usual_directories_are_searched() {
    let Some(node) = Node::new() else { return };
    assert_eq!(with_path(&node, None, "id -u").ran().out, "994\n");
    not_executed(&with_path(&node, None, "missing-program"), 127, &["no directory of PATH has it"]);
}

/// Root finds it there; the user may not go there. It is not started from elsewhere instead.
#[test]
fn a_program_that_only_root_can_reach_is_named_with_its_path() {
    let Some(node) = Node::new() else { return };
    executables(
        &node,
        &[("closed/tool", "#!/bin/sh\necho closed\n"), ("open/tool", "#!/bin/sh\necho open\n")],
    );
    assert_eq!(node.sh("chmod 700 closed").status, 0);
    let dir = node.dir.display();
    let done = with_path(&node, Some(&format!("{dir}/closed:{dir}/open")), "tool");
    not_executed(
        &done,
        126,
        &[&format!("{dir}/closed/tool was not executed: EACCES"), "user 994 may not", "namei -l"],
    );
}

#[test]
fn a_script_is_run_by_whatever_its_first_line_names() {
    let Some(node) = Node::new() else { return };
    executables(
        &node,
        &[
            ("plain", "#!/bin/sh\necho \"$0 $*\"\n"),
            ("spaced", "#! \t /bin/sh\necho \"$0 $*\"\n"),
            ("option", "#!/bin/sh -e\nfalse\necho never\n"),
            ("env", "#!/usr/bin/env sh\necho \"$0 $*\"\n"),
            // An interpreter that is a script itself, and a relative one.
            ("nested", "#!./plain\n"),
            ("no-newline", "#!/bin/echo"),
        ],
    );
    for (program, out) in [
        ("./plain", "./plain one two\n"),
        ("./spaced", "./spaced one two\n"),
        ("./env", "./env one two\n"),
        ("./nested", "./plain ./nested one two\n"),
        ("./no-newline", "./no-newline one two\n"),
    ] {
        assert_eq!(node.run(SCOPE, &[program, "one", "two"]).ran().out, out, "{program}");
    }
    not_executed(&node.run(SCOPE, &["./option"]), 1, &[]);
}

#[test]
fn a_script_whose_interpreter_can_not_be_is_not_started() {
    let Some(node) = Node::new() else { return };
    let data = node.file("data", "text").display().to_string();
    executables(
        &node,
        &[
            ("relative", "#!nothing\n"),
            ("data-script", &format!("#!{data}\n")),
            ("directory-script", &format!("#!{}\n", node.dir.display())),
            ("empty-line", "#!\necho never\n"),
            ("carriage", "#!/bin/sh\r\necho never\r\n"),
            ("itself", "#!./itself\n"),
        ],
    );
    for (program, status, words) in [
        ("./relative", 127, ["./relative, its interpreter nothing", "ENOENT"]),
        ("./data-script", 126, ["its interpreter /", "EACCES"]),
        ("./directory-script", 126, ["its interpreter /", "EACCES"]),
        ("./empty-line", 126, ["./empty-line", "ENOEXEC"]),
        // What an editor hides must show.
        ("./carriage", 127, ["its interpreter /bin/sh\\r", "ENOENT"]),
        ("./itself", 126, ["./itself", "ELOOP"]),
    ] {
        not_executed(&node.run(SCOPE, &[program]), status, &words);
    }
}

/// env(1) as the interpreter is found, and it is env that does not find what it was told to run.
#[test]
fn an_interpreter_that_finds_nothing_has_a_status_of_its_own() {
    let Some(node) = Node::new() else { return };
    executables(&node, &[("script", "#!/usr/bin/env nothing-of-that-name\n")]);
    let done = node.run(SCOPE, &["./script"]);
    not_executed(&done, 127, &["env: ", "nothing-of-that-name", "No such file or directory"]);
    assert!(!done.err.contains("stepdown"), "{done:?}");
}

/// An interpreter reads its script as the user; the kernel only asks whether it may be executed.
#[test]
fn a_script_that_only_root_can_read_fails_in_its_interpreter() {
    let Some(node) = Node::new() else { return };
    executables(&node, &[("script", "#!/bin/cat\n")]);
    assert_eq!(node.sh("chmod 711 script").status, 0);
    let done = node.run(SCOPE, &["./script"]);
    not_executed(&done, 1, &["cat: ./script: Permission denied"]);
    assert!(!done.err.contains("stepdown"), "{done:?}");
}

/// execvp(3) would hand the first of these to a shell; a server is what it is, or is not started.
#[test]
fn what_no_kernel_executes_is_126() {
    let Some(node) = Node::new() else { return };
    let machine = |number: u8| {
        let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        header.extend([number, 0, 1, 0, 0, 0]);
        header.resize(64, 0);
        header
    };
    let binary = std::fs::read("/bin/true").unwrap();
    // SPARC V9, which is none of the machines that this kernel's distributions emulate.
    let files: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("text", b"echo never\n"),
        ("foreign", &machine(43)),
        ("cut", &binary[..40]),
        ("data", b"\x00\x01\x02\x03"),
    ];
    for (name, bytes) in files {
        std::fs::write(node.dir.join(name), bytes).unwrap();
        assert_eq!(node.sh(&format!("chmod 755 {name}")).status, 0);
        let done = node.run(SCOPE, &[&format!("./{name}")]);
        not_executed(&done, 126, &[&format!("./{name}"), "ENOEXEC", "neither a binary"]);
    }
}

#[test]
fn links_are_followed_and_a_loop_of_them_is_126() {
    let Some(node) = Node::new() else { return };
    assert_eq!(node.sh("ln -s /bin/echo good; ln -s nowhere broken; ln -s loop loop").status, 0);
    assert_eq!(node.run(SCOPE, &["./good", "text"]).ran().out, "text\n");
    not_executed(&node.run(SCOPE, &["./broken"]), 127, &["./broken: ENOENT"]);
    not_executed(&node.run(SCOPE, &["./loop"]), 126, &["./loop: ELOOP"]);
}
