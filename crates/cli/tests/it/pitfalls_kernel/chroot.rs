//! Another root directory: the way out of it, and what is looked up before it is entered.

use super::compile;
use crate::support::{Done, Node, SAMPLE, STEPDOWN, done};

/// A jail with nothing in it but one static program, which says where it is and tries to leave by descriptor 9.
fn jail(node: &Node) {
    node.file(
        "jail.c",
        "#include <stdio.h>\n#include <unistd.h>\n#include <errno.h>\n#include <sys/stat.h>\n\
         int main(void) { char at[4096]; struct stat a, b;\n\
         printf(\"cwd=%s uid=%d gid=%d groups=%d\\n\",\
         getcwd(at, sizeof at), getuid(), getgid(), getgroups(0, 0));\n\
         stat(\"/\", &a); stat(\"/..\", &b); \
         printf(\"top=%d etc=%d\\n\", a.st_ino == b.st_ino, access(\"/etc\", F_OK));\n\
         errno = 0; int r = fchdir(9); printf(\"fchdir=%d errno=%d\\n\", r, errno); return 0; }\n",
    );
    let compiled = node.sh("mkdir jail && cc -static -o jail/server jail.c");
    assert_eq!(compiled.status, 0, "a static C program can be made: {compiled:?}");
}

fn scope(node: &Node, options: &str) -> String {
    format!("Security {{ chroot = \"{}/jail\" {options} }}", node.dir.display())
}

const OUTSIDE_CLOSED: &str = "cwd=/ uid=994 gid=994 groups=2\ntop=1 etc=-1\nfchdir=-1 errno=9\n";

#[test]
fn an_empty_jail_needs_no_user_database_and_the_working_directory_is_inside() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    let done = node.run(&scope(&node, "user = ecuser group = ecuser"), &["/server"]);
    assert_eq!(done.ran().out, OUTSIDE_CLOSED);
    let done = node.run(&scope(&node, "user = ecuser Supplemental_Groups = ( other extra )"), &["/server"]);
    assert_eq!(done.ran().out, OUTSIDE_CLOSED.replace("groups=2", "groups=3"));
}

#[test]
fn descriptor_9_on_the_old_root_does_not_reach_the_program() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    node.file("server.conf", &scope(&node, "user = ecuser"));
    let done = node.sh("exec $STEPDOWN run -c server.conf -- /server 9</");
    assert_eq!(done.ran().out, OUTSIDE_CLOSED);
}

fn with_descriptor(node: &Node, script: &str) -> Done {
    node.file("server.conf", &scope(node, "user = ecuser"));
    node.sh(script)
}

#[test]
fn a_directory_that_would_be_passed_is_refused() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    with_descriptor(&node, "exec $STEPDOWN run -c server.conf --pass-fd 9 -- /server 9</")
        .refused(&["descriptor 9 is a directory", "leads out of the chroot"]);
    with_descriptor(&node, "exec $STEPDOWN run -c server.conf -- /server </")
        .refused(&["descriptor 0 is a directory"]);
}

#[test]
fn a_descriptor_that_is_passed_and_no_directory_leads_nowhere() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    let done =
        with_descriptor(&node, "exec $STEPDOWN run -c server.conf --pass-fd 9 -- /server 9</etc/hostname");
    assert_eq!(done.ran().out, OUTSIDE_CLOSED.replace("errno=9", "errno=20"));
}

#[test]
fn the_program_is_looked_for_inside_the_jail() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    let outside = node.run(&scope(&node, "user = ecuser"), &["/bin/true"]);
    assert_eq!(outside.status, 127, "{outside:?}");
    assert!(outside.err.contains("in the new root directory"), "{outside:?}");
    assert_eq!(node.sh("mkdir jail/bin && mv jail/server jail/bin/").status, 0);
    let inside = node.run(&scope(&node, "user = ecuser"), &["server"]);
    assert_eq!(inside.ran().out, OUTSIDE_CLOSED);
}

#[test]
fn a_link_that_points_out_of_the_jail_is_followed_inside_it() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    assert_eq!(
        node.sh("ln -s /server jail/absolute; ln -s ../../../server jail/up; ln -s /bin/true jail/true")
            .status,
        0
    );
    for name in ["/absolute", "/up"] {
        assert_eq!(node.run(&scope(&node, "user = ecuser"), &[name]).ran().out, OUTSIDE_CLOSED);
    }
    assert_eq!(node.run(&scope(&node, "user = ecuser"), &["/true"]).status, 127);
}

#[test]
fn a_jail_without_the_loader_of_its_program_says_so() {
    let Some(node) = Node::new() else { return };
    jail(&node);
    assert_eq!(node.sh("cp /bin/true jail/true").status, 0);
    let done = node.run(&scope(&node, "user = ecuser"), &["/true"]);
    assert_eq!((done.status, done.out.as_str()), (127, ""), "{done:?}");
    assert!(done.err.contains("loader"), "{done:?}");
}

#[test]
fn a_root_directory_that_can_not_be_is_refused() {
    let Some(node) = Node::new() else { return };
    let dir = node.dir.display();
    for (path, words) in [
        (format!("{dir}/missing"), ["can't become the root directory", "ENOENT"]),
        (format!("{dir}/passwd"), ["can't become the root directory", "ENOTDIR"]),
        ("relative".to_owned(), ["not an absolute path", "relative"]),
        (String::new(), ["names no directory", "empty"]),
    ] {
        node.run(&format!("Security {{ user = ecuser chroot = \"{path}\" }}"), &["true"]).refused(&words);
    }
}

#[test]
fn the_status_is_read_though_the_process_can_not_be_dumped_any_more() {
    let Some(node) = Node::new() else { return };
    compile(
        &node,
        "dumpable",
        "#include <stdio.h>\n#include <sys/prctl.h>\n\
         int main(void) { printf(\"%d\\n\", prctl(PR_GET_DUMPABLE)); return 0; }\n",
    );
    node.file("server.conf", SAMPLE);
    // The proof is read after the change, when /proc/self belongs to root; the program itself is an ordinary one again.
    let run = done(node.command(STEPDOWN).args(["run", "-v", "-c", "server.conf", "--", "./dumpable"]));
    assert_eq!((run.status, run.out.as_str()), (0, "1\n"), "{run:?}");
    assert!(run.err.contains("stepdown: proven, for its one thread"), "{run:?}");
}
