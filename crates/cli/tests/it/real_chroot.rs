//! A root directory made for a real, dynamic program, with the libraries that ldd(1) names: it runs there, and sees
//! nothing else. What is missing inside is told by whoever misses it.
//!
//! The ways out of a chroot, and a jail without the loader, are in `pitfalls_kernel::chroot`.

use crate::support::{Done, Node, have};

/// A node with `jail`, in which the shell, cat and ls are at home with their libraries.
fn node() -> Option<Node> {
    if !have("ldd") {
        return None;
    }
    let node = Node::new()?;
    let made = node.sh("mkdir -p jail/bin jail/tmp && chmod 1777 jail/tmp
        for program in sh cat ls; do
            file=$(readlink -f \"$(command -v $program)\") && cp \"$file\" jail/bin/$program || exit
            for library in $(ldd \"$file\" | grep -o '/[^ ]*'); do
                mkdir -p \"jail$(dirname \"$library\")\" && cp -L \"$library\" \"jail$library\" || exit
            done
        done
        echo inside >jail/marker; echo outside >marker");
    made.ran();
    Some(node)
}

fn scope(node: &Node, options: &str) -> String {
    format!("Security {{ user = ecuser chroot = \"{}/jail\" {options} }}", node.dir.display())
}

fn run(node: &Node, program: &[&str]) -> Done {
    node.run(&scope(node, ""), program)
}

#[test]
fn a_dynamic_program_runs_with_the_libraries_inside_and_sees_only_them() {
    let Some(node) = node() else { return };
    assert_eq!(run(&node, &["cat", "marker", "/marker", "../../marker"]).ran().out, "inside\n".repeat(3));
    let top = node.sh("ls -A jail").out;
    assert_eq!(run(&node, &["ls", "-A", "/"]).ran().out, top);
    assert_eq!(run(&node, &["ls", "-A", "/.."]).ran().out, top);
    for outside in ["/etc/passwd", "/proc/self/status", "/usr/bin", &format!("{}/marker", node.dir.display())]
    {
        let done = run(&node, &["ls", outside]);
        assert_eq!((done.status, done.out.as_str()), (2, ""), "{done:?}");
        assert!(done.err.contains("No such file or directory"), "{done:?}");
    }
}

#[test]
fn it_is_the_user_there_and_not_root() {
    let Some(node) = node() else { return };
    let script = "echo written >/tmp/file && cat /tmp/file; echo no >/marker";
    let done = run(&node, &["sh", "-c", script]);
    assert_eq!((done.status, done.out.as_str()), (2, "written\n"), "{done:?}");
    assert!(done.err.contains("Permission denied"), "{done:?}");
    assert_eq!(node.sh("stat -c '%u %g' jail/tmp/file; cat jail/marker").out, "994 994\ninside\n");
}

#[test]
fn a_capability_is_retained_in_there() {
    let Some(node) = node() else { return };
    assert_eq!(node.sh("echo secret >jail/secret && chmod 600 jail/secret").status, 0);
    let cat = ["cat", "/secret"];
    let with = scope(&node, "Capabilities = \"cap_dac_read_search+ep\"");
    assert_eq!(node.run(&with, &cat).ran().out, "secret\n");
    let without = run(&node, &cat);
    assert_eq!((without.status, without.out.as_str()), (1, ""), "{without:?}");
    assert!(without.err.contains("Permission denied"), "{without:?}");
}

#[test]
fn a_library_that_is_missing_is_told_by_the_loader() {
    let Some(node) = node() else { return };
    let moved = node.sh("find jail -name 'libc.so*' -delete -print");
    assert!(moved.ran().out.contains("libc.so"), "{moved:?}");
    let done = run(&node, &["/bin/cat", "/marker"]);
    // The program was started, and its loader ends it with a status of its own.
    assert_eq!((done.status, done.out.as_str()), (127, ""), "{done:?}");
    assert!(done.err.contains("/bin/cat: error while loading shared libraries: libc.so"), "{done:?}");
    assert!(!done.err.contains("stepdown"), "{done:?}");
}

#[test]
fn a_script_finds_its_interpreter_inside() {
    let Some(node) = node() else { return };
    node.file("jail/bin/serve", "#!/bin/sh\ncat /marker; echo \"$0 $1\"\n");
    node.file("jail/bin/lost", "#!/usr/bin/env sh\necho never\n");
    assert_eq!(node.sh("chmod 755 jail/bin/*").status, 0);
    assert_eq!(run(&node, &["serve", "now"]).ran().out, "inside\n/bin/serve now\n");
    let lost = run(&node, &["lost"]);
    assert_eq!((lost.status, lost.out.as_str()), (127, ""), "{lost:?}");
    for words in ["/bin/lost, its interpreter /usr/bin/env: ENOENT", "in the new root directory"] {
        assert!(lost.err.contains(words), "“{words}” is not in {}", lost.err);
    }
}

#[test]
fn the_path_is_followed_inside_and_not_outside() {
    let Some(node) = node() else { return };
    node.file("server.conf", &scope(&node, ""));
    let made = node.sh("mkdir -p jail/opt/first jail/opt/second outside
        printf '#!/bin/sh\\necho second\\n' >jail/opt/second/tool
        printf '#!/bin/sh\\necho outside\\n' >outside/tool; chmod 755 jail/opt/second/tool outside/tool
        echo text >jail/opt/first/tool");
    made.ran();
    let with = |path: &str| node.sh(&format!("PATH={path} exec \"$STEPDOWN\" run -c server.conf -- tool"));
    let outside = format!("{}/outside", node.dir.display());
    // What is first is no program; what is outside is not there.
    assert_eq!(with(&format!("{outside}:/opt/first:/opt/second")).ran().out, "second\n");
    let none = with(&outside);
    assert_eq!((none.status, none.out.as_str()), (127, ""), "{none:?}");
    assert!(none.err.contains("no directory of PATH has it, in the new root directory"), "{none:?}");
    let data = with("/opt/first:/nowhere");
    assert_eq!((data.status, data.out.as_str()), (126, ""), "{data:?}");
    assert!(data.err.contains("/opt/first/tool: EACCES"), "{data:?}");
}
