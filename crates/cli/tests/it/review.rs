//! Ways around stepdown that a reviewer found, each closed: none of them may ever work again.

use crate::support::{Node, SAMPLE, STEPDOWN, done};

const BY_ID: &str = "Security { user = 994 group = 994 }\n";

#[test]
fn a_bind_mount_of_the_root_directory_is_a_root_directory_of_its_own() {
    let Some(node) = Node::new() else { return };
    node.file(
        "chroot.conf",
        &format!("Security {{ user = 994 group = 994 chroot = \"{}/jail\" }}\n", node.dir.display()),
    );
    let script = "mkdir jail && mount --bind / jail && mount -o remount,bind,ro,nosuid jail && \
                  exec $STEPDOWN run -c chroot.conf -- /bin/sh -c 'grep \" / / \" /proc/self/mountinfo; stat -f -c %T / >/dev/null; \
                  touch /var/tmp/stepdown-escaped 2>&1 | grep -o \"Read-only file system\"'";
    let done = node.sh(script);
    assert!(done.out.contains("Read-only file system"), "the mount of the jail counts: {done:?}");
    assert!(!std::path::Path::new("/var/tmp/stepdown-escaped").exists());
}

#[test]
fn a_link_that_another_made_leads_nowhere() {
    let Some(node) = Node::new() else { return };
    node.file("root.conf", "Security { user = root }\n");
    node.sh("mkdir theirs sticky && ln -s ../root.conf theirs/server.conf && chown -h other theirs theirs/server.conf && \
             chmod 1777 sticky && ln -s ../root.conf sticky/server.conf && chown -h other sticky/server.conf && \
             mkdir ours && ln -s ../root.conf ours/server.conf")
        .ran();
    for directory in ["theirs", "sticky"] {
        let done = node.sh(&format!("$STEPDOWN run -c {directory}/server.conf -- id"));
        done.refused(&["is not trusted", "it belongs to user 995"]);
    }
    assert!(node.sh("$STEPDOWN run -c ours/server.conf -- id -u").ran().out == "0\n");
    node.file("main.conf", "include \"theirs/server.conf\"\nSecurity { user = ecuser }\n");
    node.sh("$STEPDOWN run -c main.conf -- id").refused(&["is not trusted"]);
}

#[test]
fn a_directory_of_another_user_is_no_way_to_a_jail() {
    let Some(node) = Node::new() else { return };
    let dir = node.dir.display();
    node.sh(
        "mkdir -p app root/jail && ln -s /usr app/jail && chown -h ecuser app app/jail && ln -s / root/back",
    )
    .ran();
    for (path, words) in [("app/jail", "is not trusted as the root directory"), ("root/back", "has already")]
    {
        node.file(
            "chroot.conf",
            &format!("Security {{ user = 994 group = 994 chroot = \"{dir}/{path}\" }}\n"),
        );
        node.sh("$STEPDOWN run -c chroot.conf -- /bin/true").refused(&[words, "hint: "]);
    }
}

#[test]
fn the_name_service_answers_what_was_asked_or_nothing() {
    let Some(node) = Node::new() else { return };
    node.file("nsswitch", "passwd: other\ngroup: files\n");
    let asked = |user: &str, answer: &str| {
        node.file("getent", &format!("#!/bin/sh\ncat <<'END'\n{answer}\nEND\n"));
        node.file(
            "server.conf",
            &format!("Security {{ user = {user} group = 994 supplemental_groups = () }}\n"),
        );
        node.sh("chmod 755 getent; mount --bind nsswitch /etc/nsswitch.conf && \
             mount --bind getent /usr/bin/getent && exec $STEPDOWN run -c server.conf -- id -u")
    };
    assert_eq!(asked("5000", "svc:x:5000:5000::/:/bin/sh").ran().out, "5000\n");
    asked("5000", "someone:x:0:0::/:/bin/sh").refused(&["asked for user 5000, it answered with user 0"]);
    asked("someone", "toor:x:0:0::/:/bin/sh")
        .refused(&["asked for someone, it answered with toor, who is user 0"]);
    asked("svc", "svc:x:5000:5000::/ho\u{1b}me:/bin/sh").refused(&["control characters"]);
}

#[test]
fn an_account_that_readers_read_differently_is_left_to_the_name_service() {
    let Some(node) = Node::new() else { return };
    // The C library takes the first, which is cut short; a reader that skips it would take root's.
    let script = "printf 'svc:x:4300:4300\\nsvc:x:0:0::/:/bin/sh\\n' >>passwd; getent passwd svc | cut -d: -f3; \
                  exec $STEPDOWN run -c server.conf -- id -u";
    node.file("server.conf", "Security { user = svc supplemental_groups = () }\n");
    assert_eq!(node.sh(script).ran().out, "4300\n4300\n");
}

#[test]
fn a_program_that_cannot_be_looked_at_is_not_executed() {
    let Some(node) = Node::new() else { return };
    node.file(
        "lease.py",
        "import fcntl, os, sys, time\nf = os.open('leased', os.O_RDWR)\nfcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
         print('held', flush=True)\ntime.sleep(30)\n",
    );
    node.file("server.conf", SAMPLE);
    let script = "cp /bin/true leased; chown other leased; setcap cap_net_raw=p leased; \
                  setpriv --reuid other --regid other --clear-groups /usr/bin/python3 lease.py >said & \
                  trap 'kill $!' EXIT; until grep -q held said 2>/dev/null; do sleep 0.05; done; \
                  $STEPDOWN run -c server.conf -- ./leased";
    let leased = node.sh(script);
    assert_eq!((leased.status, leased.out.as_str()), (126, ""), "{leased:?}");
    assert!(leased.err.contains("lease"), "{}", leased.err);
    // Not readable for a root without the right to read everything, but its attributes are.
    let script = "cp /bin/true unread; chown other unread; chmod 0711 unread; setcap cap_net_raw=p unread; \
                  exec setpriv --bounding-set=-dac_override,-dac_read_search $STEPDOWN run -c server.conf -- ./unread";
    node.sh(script).refused(&["would run without cap_net_bind_service", "cap_net_raw=p"]);
}

#[test]
fn nobody_else_shares_the_root_directory() {
    let Some(node) = Node::new() else { return };
    node.sh("mkdir -p jail/bin && cp $PROGRAM jail/bin/stepdown").ran();
    node.file(
        "chroot.conf",
        &format!("Security {{ user = 994 group = 994 chroot = \"{}/jail\" }}\n", node.dir.display()),
    );
    let trace = "strace -qq -f -o log -e trace=unshare,chroot $STEPDOWN run -c chroot.conf -- /bin/stepdown --version";
    let done = node.sh(&format!("{trace} && cat log"));
    let calls: Vec<&str> = done.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let first = |name: &str| calls.iter().position(|call| call.starts_with(name));
    assert!(first("unshare(CLONE_FS)").unwrap() < first("chroot(").unwrap(), "{done:?}");
}

#[test]
fn the_keys_of_root_stay_behind() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", BY_ID);
    let id = "/usr/bin/python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'";
    if !cfg!(target_arch = "x86_64") {
        return crate::support::skip("the number of keyctl(2) is that of x86_64");
    }
    // A session keyring of root's own, and then the one that the program has.
    let script = format!(
        "exec /usr/bin/python3 -c 'import ctypes, os; ctypes.CDLL(None).syscall(250, 1, None); \
         os.execvp(\"sh\", [\"sh\", \"-c\", \"\"\"{id}; $STEPDOWN run -c server.conf -- {id}\"\"\"])'",
        id = id.replace('\'', "'\\''")
    );
    let done = node.sh(&script);
    let ids: Vec<i64> = done.out.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{done:?}");
    assert!(ids[0] > 0 && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_controlling_terminal_is_warned_about_whatever_the_descriptors_are() {
    let Some(node) = Node::new() else { return };
    if std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").is_ok_and(|text| text.trim() == "0") {
        return crate::support::skip("dev.tty.legacy_tiocsti is 0 here");
    }
    node.file("server.conf", BY_ID);
    let script =
        "script -qec \"$STEPDOWN check -c server.conf </dev/null >out 2>&1\" /dev/null >/dev/null; cat out";
    assert!(node.sh(script).out.contains("could type into it"));
    assert!(!node.sh("setsid -w $STEPDOWN check -c server.conf").out.contains("could type into it"));
}

#[test]
fn rights_that_come_from_the_file_of_stepdown_are_refused() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = root }\n");
    for rights in ["chmod 4755 own", "setcap cap_setuid,cap_setgid+ep own"] {
        let script = format!(
            "cp $STEPDOWN own && {rights} && exec setpriv --reuid other --regid other --clear-groups ./own run -c server.conf -- id"
        );
        node.sh(&script).refused(&["given rights by its own file"]);
    }
}

#[test]
fn what_is_printed_is_one_line_and_moves_no_cursor() {
    let Some(node) = Node::new() else { return };
    node.file(
        "server.conf",
        "Security { user = ecuser chroot = \"/nope\\nstepdown: proven\\r\u{202e}x\" }\n",
    );
    let done = done(node.command(STEPDOWN).args(["run", "-c", "server.conf", "--", "id"]));
    assert_eq!(done.status, 125);
    assert!(!done.err.lines().any(|line| line.starts_with("stepdown: proven")), "{}", done.err);
    assert!(!done.err.contains(['\r', '\u{202e}']), "{:?}", done.err);
}

/// A byte that is no text ends the letters of a word, and not what stands behind them: another file would be read.
#[test]
fn what_is_no_text_behind_a_flag_is_its_value() {
    use std::os::unix::ffi::OsStrExt;
    let Some(node) = Node::new() else { return };
    node.file("stepdown.conf", SAMPLE);
    let run = |words: &[&[u8]]| {
        let mut command = node.command(STEPDOWN);
        command.arg("run").env("STEPDOWN_CONF_PATH", ".");
        command.args(words.iter().map(|word| std::ffi::OsStr::from_bytes(word)));
        done(&mut command)
    };
    assert_eq!(run(&[b"id", b"-u"]).ran().out, "994\n");
    for words in
        [&[&b"-vcstrict\xff.conf"[..], b"--", b"id"][..], &[b"-cstrict\xff.conf", b"stepdown.conf", b"id"]]
    {
        run(words).refused(&["strict"]);
    }
    for word in [&b"-v\xc3"[..], b"-\xffv", b"-v\xc3\xa9c"] {
        run(&[word, b"id"]).refused(&["has no flag"]);
    }
}
