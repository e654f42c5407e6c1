//! `stepdown serve` where it is not started as root on a host: as the user already, as another one, in a user namespace, and with
//! another root directory.

use std::fs;
use std::os::unix::fs::chown;

use crate::servers::{BIND, NONE, ask};
use crate::serving::{Server, console_path, head, head_with, run_dir, service, sleeper, status_field, until};
use crate::support::{ECUSER, Node, have};

const PLAIN: &str = "user = ecuser  group = ecuser";

/// Starts a server by setpriv(1) with these options. The program is copied: others may not look where it was built.
fn start_with<'a>(node: &'a Node, setpriv: &str, text: &str) -> Server<'a> {
    node.file("server.conf", text);
    if !node.dir.join("stepdown").exists() {
        fs::copy(crate::support::STEPDOWN, node.dir.join("stepdown")).unwrap();
    }
    let mut shell = node.command("sh");
    Server::spawn(node, shell.args(["-c", &format!("exec {setpriv} ./stepdown serve -c server.conf")]))
}

/// What a container runtime does for `--user 994 --cap-drop=ALL`.
const AS_USER: &str = "setpriv --reuid=994 --regid=994 --groups=994,996 --bounding-set=-all";

#[test]
fn who_is_the_user_already_serves() {
    let Some(node) = Node::new() else { return };
    let listens =
        |port: u16| head_with(&node, PLAIN) + &sleeper("one", &format!("Listen \"127.0.0.1:{port}\" {{ }}"));
    let mut server = start_with(&node, AS_USER, &listens(8080));
    server.wait_for("serving as user 994");
    assert_eq!(server.is_unprivileged(NONE), 3);
    // Whoever is not root can't take over from it, and is told so.
    let as_user =
        node.sh("setpriv --reuid=994 --regid=994 --groups=994,996 ./stepdown restart -c server.conf");
    assert!(as_user.status != 0 && as_user.err.contains("not root"), "{as_user:?}");
    let reload = server.reload(&listens(8081));
    assert_eq!(reload.status, 0, "{reload:?}");
    let (status, log) = server.stop();
    assert_eq!((status, fs::read_dir(run_dir(&node)).unwrap().count()), (0, 0), "{log}");
    // Ports below 1024 are root's here,
    let mut refused = start_with(&node, AS_USER, &listens(80));
    assert_eq!(refused.wait(), 125);
    let log = refused.log();
    for words in ["127.0.0.1:80 can't be listened on", "cap_net_bind_service", "server.conf:"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert_eq!(fs::read_dir(run_dir(&node)).unwrap().count(), 0, "{log}");
    // as they are not where the host says so, which container runtimes do.
    assert_eq!(node.sh("echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start").status, 0);
    let mut server = start_with(&node, AS_USER, &listens(80));
    server.wait_for("serving as user 994");
}

#[test]
fn a_capability_that_it_was_started_with_is_retained() {
    let Some(node) = Node::new() else { return };
    let security = "user = ecuser  group = ecuser  Capabilities = \"cap_net_bind_service+ep\"";
    let text = head_with(&node, security)
        + &sleeper("one", "Listen \"127.0.0.1:80\" { }")
        + &sleeper("two", "Capabilities = \"\"");
    let ambient = "setpriv --reuid=994 --regid=994 --groups=994,996 --bounding-set=-all,+net_bind_service \
                   --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service";
    let mut server = start_with(&node, ambient, &text);
    server.wait_for("serving as user 994");
    let effective = |name: &str| status_field(server.service_pids(name)[0], "CapEff");
    assert_eq!((effective("one").as_str(), effective("two").as_str()), (BIND, NONE));
    let reload = server.reload(&(text.clone() + &sleeper("three", "Listen \"127.0.0.1:81\" { }")));
    assert_eq!(reload.status, 0, "{reload:?}");
    assert_eq!(server.stop().0, 0);
    let without = AS_USER.replace("-all", "-all,+net_bind_service");
    let mut refused = start_with(&node, &without, &text);
    assert_eq!(refused.wait(), 125);
    let words = "retains cap_net_bind_service, which this process does not hold";
    assert!(refused.log().contains(words), "{}", refused.log());
}

#[test]
fn whoever_is_elsewhere_and_can_t_get_there_is_told_what_is_missing() {
    let Some(node) = Node::new() else { return };
    let text = head_with(&node, PLAIN) + &sleeper("one", "");
    let without_groups = "setpriv --reuid=994 --regid=994 --clear-groups --bounding-set=-all";
    let other = "setpriv --reuid=995 --regid=995 --clear-groups --bounding-set=-all";
    let mapped = "unshare --user --map-root-user";
    for (how, words) in [
        (without_groups, "supplementary groups is none, should be 994 996"),
        (other, "real user id is 995, should be 994"),
        (mapped, "user 994 does not exist in this user namespace"),
    ] {
        if how == mapped && node.sh("unshare --user --map-root-user true").status != 0 {
            crate::support::skip("user namespaces can't be made here");
            continue;
        }
        let mut refused = start_with(&node, how, &text);
        assert_eq!(refused.wait(), 125, "{how}: {}", refused.log());
        assert!(refused.log().contains(words), "{how}: {}", refused.log());
        assert_eq!(fs::read_dir(run_dir(&node)).unwrap().count(), 0, "nothing was made: {}", refused.log());
    }
}

/// A note about the host is one about every service: it is said once.
#[test]
fn what_is_so_for_all_is_said_once() {
    let Some(node) = Node::new() else { return };
    let text = head_with(&node, PLAIN) + &sleeper("one", "") + &sleeper("two", "");
    let mut server = start_with(&node, "setpriv --reuid=994 --regid=994 --groups=994,996", &text);
    server.wait_for("serving");
    assert_eq!(server.log().matches("the bounding set stays as it was found").count(), 1, "{}", server.log());
}

/// A root directory with nothing but a static busybox(1).
fn jail(node: &Node) -> Option<std::path::PathBuf> {
    if !have("busybox") {
        return None;
    }
    let jail = node.dir.join("jail");
    let made = node
        .sh("mkdir -p jail/bin jail/run && cp \"$(command -v busybox)\" jail/bin/ && jail/bin/busybox true");
    assert_eq!(made.status, 0, "{made:?}");
    chown(jail.join("run"), Some(ECUSER), Some(ECUSER)).unwrap();
    Some(jail)
}

#[test]
fn with_chroot_the_services_live_in_the_jail() {
    let Some(node) = Node::new() else { return };
    let Some(jail) = jail(&node) else { return };
    if !have("socat") {
        return;
    }
    let security = format!(
        "user = ecuser  group = ecuser  Chroot = \"{}\"  Capabilities = \"cap_net_bind_service+ep\"",
        jail.display()
    );
    let hello = |text: &str| {
        service("hello", &["/bin/busybox", "echo", text], "Accept = true  Listen \"127.0.0.1:80\" { }")
    };
    let sleeps = service(
        "sleeps",
        &["/bin/busybox", "sleep", "1000000"],
        "Listen \"127.0.0.1:81\" { }  Directory = \"/run\"  Ready_After = 0.1  Capabilities = \"\"",
    );
    // The child that ignores SIGTERM shows that what is left behind is found without /proc, too.
    let child = "/bin/busybox sh -c 'trap \"\" TERM; echo $$ >>/run/pids; while :; do /bin/busybox sleep 1; done' &\n\
                 exec /bin/busybox sleep 1000000\n";
    // What a shell gives its children to read.
    node.file("jail/dev/null", "");
    node.file("jail/child.sh", child);
    let parent = service(
        "parent",
        &["/bin/busybox", "sh", "/child.sh"],
        "Ready_After = 0.1  Graceful_Timeout = 0.5  Restart_Pause = 0.05",
    );
    let text = head_with(&node, &security) + &hello("before") + &sleeps + &parent;
    let server = Server::start(&node, &text);
    let answer = |port: u16| ask(&node, &format!("socat -u -T 30 TCP:127.0.0.1:{port} -"));
    assert_eq!(answer(80).as_deref(), Some("before\n"), "{}", server.log());
    for pid in [server.pid(), server.service_pids("sleeps")[0], server.service_pids("parent")[0]] {
        assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), jail);
        assert_eq!(status_field(pid, "Uid"), format!("{ECUSER}\t{ECUSER}\t{ECUSER}\t{ECUSER}"));
        assert_eq!(status_field(pid, "NoNewPrivs"), "1");
    }
    let sleeps = server.service_pids("sleeps")[0];
    assert_eq!(fs::read_link(format!("/proc/{sleeps}/cwd")).unwrap(), jail.join("run"));
    assert_eq!(
        (status_field(sleeps, "CapEff").as_str(), status_field(server.pid(), "CapEff").as_str()),
        (NONE, BIND)
    );
    // A service that dies is started again in there, and its child does not stay.
    let pids = || {
        let text = fs::read_to_string(jail.join("run/pids")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect::<Vec<u32>>()
    };
    until("it has a child", || pids().len() == 1);
    crate::serving::signal(server.service_pids("parent")[0], "KILL");
    until("another has a child", || pids().len() == 2);
    until("the first has gone", || !crate::serving::is_alive(pids()[0]));
    // The configuration is outside: a reload can't read it, says so, and changes nothing.
    let changed = text.replace("before", "after");
    let refused = server.reload(&changed);
    assert!(refused.status == 1 && refused.err.contains("server.conf"), "{refused:?}");
    assert_eq!(answer(80).as_deref(), Some("before\n"));
    assert_eq!(server.service_pids("sleeps"), [sleeps]);
}

/// One whose files are inside as they are outside can be reloaded, with new listeners on both kinds of address.
#[test]
fn in_a_jail_that_has_the_files_a_reload_works() {
    let Some(node) = Node::new() else { return };
    let Some(jail) = jail(&node) else { return };
    if !have("socat") {
        return;
    }
    let security = format!(
        "user = ecuser  group = ecuser  Chroot = \"{}\"  Capabilities = \"cap_net_bind_service+ep\"",
        jail.display()
    );
    let hello = |name: &str, listen: &str| {
        service(name, &["/bin/busybox", "echo", name], &format!("Accept = true  Listen \"{listen}\" {{ }}"))
    };
    let text = head_with(&node, &security) + &hello("one", "127.0.0.1:80");
    let outside = node.file("jail/etc/server.conf", &text);
    assert_eq!(node.sh("mkdir etc && mount --bind jail/etc etc").status, 0);
    // The same path in both: the directory of the node is there inside of the jail.
    let inside = jail.join(node.dir.strip_prefix("/").unwrap());
    fs::create_dir_all(&inside).unwrap();
    let mounted = node.sh(&format!("mkdir {0}/etc && mount --bind jail/etc {0}/etc", inside.display()));
    assert_eq!(mounted.status, 0, "{mounted:?}");
    let mut serve = node.command(crate::support::STEPDOWN);
    serve.args(["serve", "-c"]).arg(node.dir.join("etc/server.conf"));
    let mut server = Server::spawn(&node, &mut serve);
    server.wait_for("serving as user 994");
    let answer = |address: &str| ask(&node, &format!("socat -u -T 30 {address} -"));
    assert_eq!(answer("TCP:127.0.0.1:80").as_deref(), Some("one\n"), "{}", server.log());
    let more = text.clone() + &hello("two", "127.0.0.1:81") + &hello("three", "/run/three");
    fs::write(&outside, more).unwrap();
    let reload = server.ask(&["config", "reload"]);
    assert_eq!(reload.status, 0, "{reload:?}\n{}", server.log());
    assert_eq!(answer("TCP:127.0.0.1:81").as_deref(), Some("two\n"), "{}", server.log());
    let three = format!("UNIX-CONNECT:{}", jail.join("run/three").display());
    assert_eq!(answer(&three).as_deref(), Some("three\n"), "{}", server.log());
    // A program that is there outside only is not there.
    fs::write(&outside, text + &sleeper("outside", "")).unwrap();
    let refused = server.ask(&["config", "reload"]);
    assert!(refused.status == 1 && refused.err.contains("/bin/sleep"), "{refused:?}");
    assert_eq!(server.stop().0, 0);
    assert!(!jail.join("run/three").exists(), "what was made inside can be removed inside");
    assert!(console_path(&node).exists(), "and what was made outside can't");
}

#[test]
fn what_a_jail_lacks_is_refused_at_the_start() {
    let Some(node) = Node::new() else { return };
    let Some(jail) = jail(&node) else { return };
    let security = format!("user = ecuser  group = ecuser  Chroot = \"{}\"", jail.display());
    let text = head_with(&node, &security) + &sleeper("outside", "");
    let mut refused = Server::begin(&node, &text);
    assert_eq!(refused.wait(), 125);
    let log = refused.log();
    assert!(log.contains("/bin/sleep") && log.contains("server.conf:"), "{log}");
    let without = Server::start(&node, &(head(&node) + &sleeper("outside", "")));
    assert_eq!(without.stop().0, 0);
}
