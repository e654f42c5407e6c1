//! What reaches the program besides its credentials: descriptors, signals, environment, and which file it is.

use super::compile;
use crate::support::{Done, Node, SAMPLE, skip};

fn sh(node: &Node, script: &str) -> Done {
    node.file("server.conf", SAMPLE);
    node.sh(script)
}

/// Lists the descriptors of a shell that is the program itself, not of a child.
const LIST: &str =
    "sh -c \"for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/\\$\\$/fd/\\$n ] && echo \\$n; done\"";

fn descriptors(node: &Node, before: &str, flags: &str, redirections: &str) -> String {
    let done =
        sh(node, &format!("{before} exec $STEPDOWN run -c server.conf {flags} -- {LIST} {redirections}"));
    assert_eq!(done.err, "", "{done:?}");
    done.out.replace('\n', " ").trim().to_owned()
}

#[test]
fn descriptors_that_nobody_named_do_not_reach_the_program() {
    let Some(node) = Node::new() else { return };
    let open = "3</etc/hosts 4</ 5</dev/null 9>>/dev/null";
    assert_eq!(descriptors(&node, "", "", open), "0 1 2");
}

#[test]
fn the_descriptors_of_pass_fd_reach_the_program() {
    let Some(node) = Node::new() else { return };
    let open = "3</etc/hosts 4</dev/null 5</dev/null 6</dev/null 9</dev/null";
    assert_eq!(descriptors(&node, "", "--pass-fd 4", open), "0 1 2 4");
    assert_eq!(descriptors(&node, "", "--pass-fd 9,3 --pass-fd 5", open), "0 1 2 3 5 9");
    assert_eq!(descriptors(&node, "", "--pass-fd 0,1,2", open), "0 1 2");
}

#[test]
fn a_descriptor_to_pass_that_is_not_open_is_refused() {
    let Some(node) = Node::new() else { return };
    // None of the numbers that the program itself will use is mistaken for one that was open before.
    for number in 3..=9 {
        let script = format!("exec $STEPDOWN run -c server.conf --pass-fd {number} -- id {number}<&-");
        sh(&node, &script).refused(&[&format!("descriptor {number} is not open")]);
    }
    for odd in ["x", "", "-1", "3,", "4294967299", "1.5"] {
        sh(&node, &format!("exec $STEPDOWN run -c server.conf --pass-fd={odd} -- id"))
            .refused(&["--pass-fd takes numbers"]);
    }
}

#[test]
fn the_sockets_of_socket_activation_reach_the_program() {
    let Some(node) = Node::new() else { return };
    let open = "3</dev/null 4</dev/null 5</dev/null";
    let ours = "export LISTEN_FDS=2 LISTEN_PID=$$;";
    assert_eq!(descriptors(&node, ours, "", open), "0 1 2 3 4");
    let anothers = "export LISTEN_FDS=2 LISTEN_PID=1;";
    assert_eq!(descriptors(&node, anothers, "", open), "0 1 2");
    assert_eq!(descriptors(&node, "export LISTEN_FDS=0 LISTEN_PID=$$;", "", open), "0 1 2");
    // Sockets that are meant for this process must not be closed in silence because their count can't be read.
    for odd in ["-2", "x", "''", "4294967297"] {
        let script = format!("LISTEN_FDS={odd} LISTEN_PID=$$ exec $STEPDOWN run -c server.conf -- id {open}");
        sh(&node, &script).refused(&["LISTEN_FDS is meant for this process"]);
    }
}

#[test]
fn a_count_of_sockets_that_are_not_there_is_refused() {
    let Some(node) = Node::new() else { return };
    for (count, words) in [
        ("2", "descriptor 4 is not open"),
        ("99999999", "is no number of sockets"),
        ("2147483647", "is no number of sockets"),
    ] {
        sh(
            &node,
            &format!(
                "LISTEN_FDS={count} LISTEN_PID=$$ exec $STEPDOWN run -c server.conf -- id 3</dev/null 4<&-"
            ),
        )
        .refused(&[words]);
    }
}

#[test]
fn the_environment_of_socket_activation_reaches_the_program() {
    let Some(node) = Node::new() else { return };
    let done = sh(
        &node,
        "LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ exec $STEPDOWN run -c server.conf -- \
         sh -c '[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES && cat <&3' 3<group",
    );
    assert!(done.ran().out.starts_with("1 web\nroot:"), "{done:?}");
}

#[test]
fn closed_standard_descriptors_are_null_in_the_program() {
    let Some(node) = Node::new() else { return };
    let see = "sh -c 'readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 >see'";
    assert_eq!(sh(&node, "touch see && chmod 666 see").status, 0);
    let done = sh(&node, &format!("exec $STEPDOWN run -c server.conf -- {see} <&- >&- 2>&-"));
    assert_eq!(done.status, 0, "{done:?}");
    let seen = std::fs::read_to_string(node.dir.join("see")).unwrap();
    assert_eq!(seen.lines().next(), Some("/dev/null"), "{seen}");
    assert_eq!(seen.lines().nth(2), Some("/dev/null"), "{seen}");
    assert_eq!(seen.lines().count(), 3, "{seen}");
}

#[test]
fn signal_dispositions_and_mask_pass_through_untouched() {
    let Some(node) = Node::new() else { return };
    compile(
        &node,
        "signals",
        "#include <signal.h>\n#include <unistd.h>\nint main(int c, char **v) { sigset_t s; sigemptyset(&s);\n\
         sigaddset(&s, SIGUSR2); sigaddset(&s, SIGRTMIN); sigprocmask(SIG_BLOCK, &s, 0);\n\
         signal(SIGHUP, SIG_IGN); signal(SIGCHLD, SIG_IGN); execvp(v[1], v + 1); return 9; }\n",
    );
    let see = "grep -E ^Sig[BIC] /proc/self/status";
    let run = format!("$STEPDOWN run -c server.conf -- {see}");
    // SIGPIPE in particular: Rust's own start would ignore it.
    let (plain, ours) = (sh(&node, &format!("exec {see}")), sh(&node, &format!("exec {run}")));
    assert_eq!(ours.ran().out, plain.out);
    assert_eq!(u64::from_str_radix(ours.field("SigIgn"), 16).unwrap() & 1 << 12, 0, "{ours:?}");
    let (plain, ours) =
        (sh(&node, &format!("exec ./signals {see}")), sh(&node, &format!("exec ./signals {run}")));
    assert_eq!(ours.ran().out, plain.out);
    // SIGUSR2 is 12 and SIGRTMIN of the C library 34; SIGHUP is 1 and SIGCHLD 17.
    assert_eq!(ours.field("SigBlk"), "0000000200000800");
    assert_eq!(u64::from_str_radix(ours.field("SigIgn"), 16).unwrap() & 0x10001, 0x10001, "{ours:?}");
}

#[test]
fn a_broken_pipe_ends_the_program_as_it_would_without_us() {
    let Some(node) = Node::new() else { return };
    let done = sh(&node, "{ $STEPDOWN run -c server.conf -- yes; echo $? >&2; } | head -1");
    assert_eq!((done.out.as_str(), done.err.as_str()), ("y\n", "141\n"), "{done:?}");
}

#[test]
fn home_user_and_logname_follow_and_the_rest_of_the_environment_stays() {
    let Some(node) = Node::new() else { return };
    let done = sh(
        &node,
        "HOME=/root USER=root LOGNAME=root KEEP='a b' ODD= exec $STEPDOWN run -c server.conf -- \
         sh -c 'echo $HOME $USER $LOGNAME $KEEP; env | grep -c ^HOME; env | grep ^ODD'",
    );
    assert_eq!(done.ran().out, "/nonexistent ecuser ecuser a b\n1\nODD=\n");
}

#[test]
fn a_user_without_an_account_gets_no_home_of_root() {
    let Some(node) = Node::new() else { return };
    node.file("number.conf", "Security { user = 65429 group = 65429 }");
    let done = node.sh("HOME=/root USER=root LOGNAME=root exec $STEPDOWN run -c number.conf -- \
                        sh -c 'echo $HOME $USER $LOGNAME'");
    assert_eq!(done.ran().out, "/ 65429 65429\n");
}

#[test]
fn the_umask_the_directory_and_the_limits_stay() {
    let Some(node) = Node::new() else { return };
    let done = sh(
        &node,
        "umask 027; ulimit -n 123; ulimit -c 0; \
         exec $STEPDOWN run -c server.conf -- sh -c 'umask; ulimit -n; ulimit -c; pwd'",
    );
    assert_eq!(done.ran().out, format!("0027\n123\n0\n{}\n", node.dir.display()));
}

#[test]
fn the_program_is_found_along_path() {
    let Some(node) = Node::new() else { return };
    let made = sh(
        &node,
        "mkdir one two three && printf '#!/bin/sh\\necho two\\n' >two/prog \
         && printf '#!/bin/sh\\necho three\\n' >three/prog \
         && echo data >one/prog && chmod 755 two/prog three/prog && mkdir one/dir",
    );
    assert_eq!(made.status, 0, "{made:?}");
    let run = |path: &str, name: &str| {
        sh(&node, &format!("s=$STEPDOWN; export PATH={path}; exec $s run -c server.conf -- {name}"))
    };
    // What may not be executed is passed over, as execvp(3) does, and said where nothing else is found.
    assert_eq!(run("one:two:three:/bin", "prog").ran().out, "two\n");
    assert_eq!(run("nowhere:three:two:/bin", "prog").ran().out, "three\n");
    assert_eq!(run("one", "prog").status, 126);
    assert_eq!(run("one", "dir").status, 126);
    assert_eq!(run("nowhere", "prog").status, 127);
    assert_eq!(sh(&node, "cp two/prog here").status, 0);
    assert_eq!(run(":/bin", "here").ran().out, "two\n");
    assert_eq!(run("/bin", "here").status, 127);
}

#[test]
fn a_ring_in_which_the_rights_of_root_are_registered_does_not_reach_the_program() {
    let Some(node) = Node::new() else { return };
    compile(&node, "ring", include_str!("../ring.c"));
    let done = sh(&node, "exec ./ring $STEPDOWN run -c server.conf -- id");
    if done.status == 77 {
        skip("this kernel has no io_uring");
        return;
    }
    done.refused(&["descriptor 0 is an io_uring", "io_uring_register(2)"]);
    let done = sh(
        &node,
        "exec ./ring sh -c 'exec 7<&0 </dev/null; exec $STEPDOWN run -c server.conf --pass-fd 7 -- id'",
    );
    done.refused(&["descriptor 7 is an io_uring"]);
    // Another thing of the kernel's without a file is passed on, and a ring that nobody named is closed.
    let done =
        sh(&node, "exec ./ring sh -c 'exec 7<&0 </dev/null; exec $STEPDOWN run -c server.conf -- id -u'");
    assert_eq!(done.ran().out, "994\n");
}
