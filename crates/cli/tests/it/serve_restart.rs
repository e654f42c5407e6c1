//! A restart, in which a fresh process that is root takes the place of one that can't be any more: no connection is refused, the
//! new `Security` is in force by the kernel's account, and where it is refused the old server goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::serving::{Server, console_path, head_with, is_alive, pid_path, status_field, until};
use crate::serving_load::{Clients, node};
use crate::support::{Done, Node, STEPDOWN, done};

const BIND: &str = "user = ecuser  group = ecuser  Capabilities = \"cap_net_bind_service+ep\"";
const OTHER: &str = "user = other  group = other  Capabilities = \"cap_net_raw+ep\"";

/// A server under this `Security`, with one service that listens at port 80 and at a Unix socket, which has a second to finish.
fn text(node: &Node, security: &str) -> String {
    format!(
        "{}Service \"web\" {{\n  Command = ( \"{}\" serve )\n  Notify = true  Graceful_Timeout = 20\n  \
         Listen \"*:80\" {{ }}  Listen \"{}\" {{ }}\n}}\n",
        head_with(node, security),
        node.dir.join("load").display(),
        unix_socket(node).display(),
    )
}

fn unix_socket(node: &Node) -> PathBuf {
    node.dir.join("run/web.sock")
}

/// What starts a server again whenever it ends, as a service manager does, until there is a file `stop`.
fn supervised(node: &Node) -> Server<'_> {
    let script = "while [ ! -e stop ]; do \"$STEPDOWN\" serve -c server.conf; echo \"ended with $?\" >&2; sleep 0.05; done";
    let mut server = Server::spawn(node, node.command("sh").args(["-c", script]).env("STEPDOWN", STEPDOWN));
    server.wait_for("serving as user");
    server
}

/// Ends the server, and what would start it again.
#[track_caller]
fn end(node: &Node, mut supervised: Server<'_>) {
    node.file("stop", "");
    supervised.answer(&["shutdown"]);
    assert_eq!(supervised.wait(), 0, "{}", supervised.log());
    assert!(!pid_path(node).exists() && !unix_socket(node).exists(), "{}", supervised.log());
    assert_eq!(meeting_points(node), "");
}

/// The files of the meeting points in the node, each on a line.
fn meeting_points(node: &Node) -> String {
    done(node.command("sh").args(["-c", "ls /run/stepdown-restart 2>/dev/null"])).out
}

fn restart(node: &Node, arguments: &[&str]) -> Done {
    done(
        node.command(STEPDOWN)
            .args(["restart", "-c", "server.conf"])
            .args(arguments)
            .env("STEPDOWN", STEPDOWN),
    )
}

/// The process that serves, by its own account, by the pid file, and by what the kernel says it is.
#[track_caller]
fn serving(node: &Node, server: &Server<'_>, user: u32, capabilities: u64) -> u32 {
    let pid: u32 = server.answer(&["pid"]).trim().parse().unwrap();
    assert_eq!(fs::read_to_string(pid_path(node)).unwrap().trim(), pid.to_string());
    let service = server.service_pids("web")[0];
    for pid in [pid, service] {
        assert_eq!(status_field(pid, "Uid"), [user; 4].map(|id| id.to_string()).join("\t"));
        assert_eq!(status_field(pid, "Gid"), [user; 4].map(|id| id.to_string()).join("\t"));
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(status_field(pid, set), format!("{capabilities:016x}"), "{set} of {pid}");
        }
        assert_eq!(status_field(pid, "NoNewPrivs"), "1");
    }
    // Nothing that leads back: no descriptor of a directory or of the process before it.
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let to = fs::read_link(entry.path()).unwrap_or_default();
        let to = to.to_string_lossy().into_owned();
        assert!(!fs::metadata(entry.path()).is_ok_and(|file| file.is_dir()), "{to}");
    }
    pid
}

/// What is listened on in the node, by the kernel's account, with the sockets' own numbers: what was handed over is the same.
fn listening(node: &Node) -> Vec<String> {
    let out = done(node.command("ss").args(["-H", "-lntxe"])).out;
    let mut sockets: Vec<String> = out
        .lines()
        .filter(|line| line.contains(":80 ") || line.contains("/run/"))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            if line.contains(":80 ") {
                return words.iter().find(|word| word.starts_with("ino:")).map(|word| (*word).to_owned());
            }
            Some(format!("{} {}", words[4], words[5]))
        })
        .collect();
    sockets.sort();
    sockets
}

#[test]
fn a_security_change_takes_effect_and_no_connection_is_refused() {
    let Some((node, _)) = node() else { return };
    node.file("server.conf", &text(&node, BIND));
    let server = supervised(&node);
    let first = serving(&node, &server, 994, 1 << 10);
    let sockets = listening(&node);
    assert_eq!(sockets.len(), 3, "{sockets:?}");
    let clients = Clients::start(&node, "80", 0, 16, 0);
    let long = Clients::start(&node, "80", 0, 8, 300);
    let mut before = first;
    for (turn, (security, user, set)) in
        [(OTHER, 995, 1 << 13), (BIND, 994, 1 << 10), ("user = ecuser", 994, 0)].into_iter().enumerate()
    {
        node.file("server.conf", &text(&node, security));
        // The reload does not put it in force; what runs goes on as it was.
        let reload = server.ask(&["config", "reload"]);
        assert!(
            reload.status == 0 && reload.out.contains("it can't change in a process that runs"),
            "{reload:?}"
        );
        assert!(server.answer(&["status"]).contains("RESTART REQUIRED"));
        let done = restart(&node, &[]);
        assert_eq!(done.status, 0, "{done:?}\n{}", server.log());
        let now = serving(&node, &server, user, set);
        assert!(done.out.contains(&format!("process {now} serves")), "{done:?}");
        assert!(done.out.contains(&format!("of process {before};")), "{done:?}");
        assert!(!server.answer(&["status"]).contains("RESTART REQUIRED"));
        assert_ne!(now, before);
        // Whose process could have kept a copy of a socket is said, where that is another user now.
        let whose = "the sockets are those of a server of user";
        let copies =
            (server.log().matches(whose).count(), server.log().matches(&format!("{whose} 0")).count());
        assert_eq!(copies, ([1, 2, 2][turn], 0), "{}", server.log());
        until("the end of the old process", || !is_alive(before));
        before = now;
    }
    let counts = clients.end();
    counts.none_lost(100);
    assert!(counts.processes >= 4, "{counts:?}");
    long.end().none_lost(10);
    assert_eq!(listening(&node), sockets, "the very same sockets");
    end(&node, server);
}

#[test]
fn a_command_ends_the_old_one_and_starts_the_new_one() {
    let Some((node, _)) = node() else { return };
    node.file("server.conf", &text(&node, BIND));
    let mut old = Server::start(&node, &text(&node, BIND));
    let sockets = listening(&node);
    let unix = Clients::start(&node, unix_socket(&node).to_str().unwrap(), 0, 8, 0);
    let clients = Clients::start(&node, "80", 0, 16, 0);
    node.file("server.conf", &text(&node, OTHER));
    // As a service manager would: end it, wait for its end, start another.
    let script = format!(
        "kill {0}; while kill -0 {0} 2>/dev/null && ! grep -q 'State:.Z' /proc/{0}/status; do sleep 0.05; done\n\
         \"$STEPDOWN\" serve -c server.conf >/dev/null 2>new.log & echo $! >new.pid",
        old.pid()
    );
    let answer = restart(&node, &["--", "sh", "-c", &script]);
    let log = || fs::read_to_string(node.dir.join("new.log")).unwrap_or_default();
    assert_eq!(answer.status, 0, "{answer:?}\n{}\n{}", old.log(), log());
    assert_eq!(old.wait(), 0, "{}", old.log());
    let pid = serving(&node, &old, 995, 1 << 13);
    assert_eq!(fs::read_to_string(node.dir.join("new.pid")).unwrap().trim(), pid.to_string());
    unix.end().none_lost(1);
    clients.end().none_lost(1);
    assert_eq!(listening(&node), sockets);
    old.answer(&["shutdown"]);
    until("the end of the new one", || !is_alive(pid));
}

#[test]
fn a_command_that_fails_leaves_the_old_server_as_it_was() {
    let Some((node, _)) = node() else { return };
    let server = Server::start(&node, &text(&node, BIND));
    for (command, why) in [
        (&["--timeout", "30", "--", "/nonexistent/command"][..], "was not started"),
        (&["--timeout", "30", "--", "sh", "-c", "exit 3"][..], "exit status: 3"),
        (&["--timeout", "1", "--", "sleep", "3"][..], "within 1 second"),
    ] {
        let answer = restart(&node, command);
        assert_eq!(answer.status, 1, "{answer:?}");
        assert!(answer.err.contains(why), "{answer:?}");
        assert!(answer.err.contains("the old server goes on"), "{answer:?}");
        assert!(!answer.err.contains("closed now"), "{answer:?}");
        assert_eq!(serving(&node, &server, 994, 1 << 10), server.pid());
        until("the old one to notice", || {
            server.log().matches("this server goes on").count() == server.log().matches("has got the").count()
        });
    }
    Clients::start(&node, "80", 50, 8, 0).wait().none_lost(50);
    assert_eq!(meeting_points(&node), "");
}

#[test]
fn serve_replace_takes_the_place_of_a_running_server() {
    let Some((node, _)) = node() else { return };
    let mut old = Server::start(&node, &text(&node, BIND));
    let sockets = listening(&node);
    let clients = Clients::start(&node, "80", 0, 16, 100);
    node.file("server.conf", &text(&node, OTHER));
    let mut new =
        Server::spawn(&node, node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"]));
    new.wait_for("serving as user 995");
    assert_eq!(old.wait(), 0, "{}", old.log());
    assert!(old.log().contains("goes on with the sockets"), "{}", old.log());
    assert_eq!(serving(&node, &new, 995, 1 << 13), new.pid());
    clients.end().none_lost(10);
    assert_eq!(listening(&node), sockets);
    // What the old one left to it is there.
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(console_path(&node)), mode(unix_socket(&node))), (0o600, 0o666));
    assert_eq!(new.stop().0, 0);
}

#[test]
fn with_nobody_to_replace_it_starts_as_ever() {
    let Some((node, _)) = node() else { return };
    node.file("server.conf", &text(&node, BIND));
    let mut new =
        Server::spawn(&node, node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"]));
    new.wait_for("serving as user 994");
    let again = restart(&node, &["--timeout", "1", "--", "true"]);
    assert_eq!(again.status, 1, "{again:?}");
    assert_eq!(new.stop().0, 0);
    let nobody = restart(&node, &[]);
    assert_eq!(nobody.status, 1);
    assert!(nobody.err.contains("no server listens at"), "{nobody:?}");
}

#[test]
fn a_configuration_that_is_wrong_is_refused_before_anything_happens() {
    let Some((node, _)) = node() else { return };
    let mut server = Server::start(&node, &text(&node, BIND));
    let good = text(&node, OTHER);
    for (bad, why) in [
        (good.replace("user = other", "user = no-such-user"), "no-such-user"),
        (good.replace("cap_net_raw+ep", "cap_nonsense+ep"), "cap_nonsense"),
        (good.replace("load\" serve", "no-such-program\" serve"), "no-such-program"),
        (good.replace("Notify = true", "Notfy = true"), "did you mean Notify?"),
        (good.replace("*:80", "*:80000"), "*:80000"),
        (format!("{good}Service"), "server.conf:"),
        (String::new(), "no Control_Listener"),
    ] {
        node.file("server.conf", &bad);
        for replace in [false, true] {
            // An empty configuration is one that serves nothing, and replaces nobody.
            if replace && bad.is_empty() {
                continue;
            }
            let answer = match replace {
                false => restart(&node, &[]),
                true => done(node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"])),
            };
            assert!(answer.status == if replace { 125 } else { 1 } && answer.err.contains(why), "{answer:?}");
        }
    }
    assert!(!server.log().contains("has got the"), "it was not even asked: {}", server.log());
    assert_eq!(serving(&node, &server, 994, 1 << 10), server.pid());
    assert_eq!(server.has_ended(), None);
}

#[test]
fn a_fresh_server_that_fails_after_it_took_the_sockets_gives_way_to_the_old_one() {
    let Some((node, _)) = node() else { return };
    let server = Server::start(&node, &text(&node, BIND));
    let clients = Clients::start(&node, "80", 0, 8, 50);
    let sockets = listening(&node);
    let replace = || done(node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"]));
    let fresh = node.dir.join("fresh");
    fs::create_dir(&fresh).unwrap();
    std::os::unix::fs::chown(&fresh, Some(995), Some(995)).unwrap();
    let new_socket = fresh.join("new.sock");
    let with_new = |program: &str| {
        format!(
            "{}Service \"more\" {{ Command = ( {program} ) Listen \"{}\" {{ }} Restart_Limit = 1 Ready_After = 5 }}\n",
            text(&node, OTHER),
            new_socket.display()
        )
    };
    // A service that ends at once.
    node.file("server.conf", &with_new("/bin/false"));
    let failed = replace();
    assert_eq!(failed.status, 125, "{failed:?}");
    assert!(failed.err.contains("more did not start: process"), "{failed:?}");
    // A socket that can't be bound.
    node.file(
        "server.conf",
        &with_new("/bin/sleep 1000000").replace("Restart_Limit", "Listen \"192.0.2.7:81\" { } Restart_Limit"),
    );
    let failed = replace();
    assert_eq!(failed.status, 125, "{failed:?}");
    assert!(failed.err.contains("192.0.2.7:81 can't be listened on"), "{failed:?}");
    until("the old one to notice", || server.log().matches("this server goes on").count() == 2);
    // A step down that the kernel refuses, after everything was bound.
    node.file("server.conf", &with_new("/bin/sleep 1000000"));
    crate::faults::compile("seccomp.c", &node.dir.join("seccomp"), &[]);
    let failed = done(node.command("./seccomp").args([
        "setresuid",
        "1",
        STEPDOWN,
        "serve",
        "--replace",
        "-c",
        "server.conf",
    ]));
    assert_eq!(failed.status, 125, "{failed:?}");
    assert!(failed.err.contains("setresuid answered EPERM"), "{failed:?}");
    // And one that is killed.
    node.file("server.conf", &with_new("/bin/sleep 1000000"));
    let mut killed =
        Server::spawn(&node, node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"]));
    until("the sockets to be taken", || {
        server.log().matches("has got the").count() == 4 && new_socket.exists()
    });
    killed.signal("KILL");
    assert_eq!(killed.wait(), 128 + 9);
    until("the old one to notice", || server.log().matches("this server goes on").count() == 4);
    assert_eq!(serving(&node, &server, 994, 1 << 10), server.pid());
    assert_eq!(listening(&node).iter().filter(|socket| !socket.contains("new.sock")).count(), sockets.len());
    assert!(unix_socket(&node).exists() && console_path(&node).exists());
    clients.end().none_lost(10);
    Clients::start(&node, unix_socket(&node).to_str().unwrap(), 20, 8, 0).wait().none_lost(20);
    // What was new is gone, but for what a killed process can't take with it.
    node.file("server.conf", &with_new("/bin/false"));
    fs::remove_file(&new_socket).unwrap();
    assert_eq!(replace().status, 125);
    assert!(!new_socket.exists(), "the failed one took its own with it");
    // And in the end it works.
    let reload = server.reload(&text(&node, BIND));
    assert_eq!(reload.status, 0, "{reload:?}");
}

#[test]
fn nobody_but_root_restarts() {
    let Some((node, _)) = node() else { return };
    let server = Server::start(&node, &text(&node, BIND));
    let ids = ["--reuid=994", "--regid=994", "--clear-groups", "--"];
    for arguments in [&["restart", "-c", "server.conf"][..], &["serve", "--replace", "-c", "server.conf"][..]]
    {
        let refused = done(node.command("setpriv").args(ids).arg(STEPDOWN).args(arguments));
        assert!(matches!(refused.status, 1 | 125), "{refused:?}");
    }
    // Nor by talking to the console directly.
    let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.sendall(b'handover\\n')\n\
                  m,f,_,_=socket.recv_fds(s,4096,10)\nprint(m.decode(),len(f))";
    let asked =
        done(node.command("setpriv").args(ids).args(["python3", "-c", script]).arg(console_path(&node)));
    assert!(
        asked.status == 0 && asked.out.trim_end().ends_with(" 0") && asked.out.starts_with('1'),
        "{asked:?}"
    );
    assert!(!server.log().contains("has got the"), "{}", server.log());
    assert_eq!(serving(&node, &server, 994, 1 << 10), server.pid());
}

#[test]
fn where_no_fresh_server_comes_it_says_so_and_the_next_start_works() {
    let Some((node, _)) = node() else { return };
    let mut server = Server::start(&node, &text(&node, BIND));
    let answer = restart(&node, &["--timeout", "3"]);
    assert_eq!(answer.status, 1, "{answer:?}");
    for words in
        ["no fresh server served within 3 seconds", "did not start it again", "the sockets are closed now"]
    {
        assert!(answer.err.contains(words), "`{words}` is not in {answer:?}");
    }
    assert_eq!(server.wait(), 0, "{}", server.log());
    let server = Server::start(&node, &text(&node, BIND));
    assert_eq!(serving(&node, &server, 994, 1 << 10), server.pid());
    Clients::start(&node, "80", 20, 8, 0).wait().none_lost(20);
}

#[test]
fn of_two_restarts_at_once_one_is_done() {
    let Some((node, _)) = node() else { return };
    node.file("server.conf", &text(&node, BIND));
    let server = supervised(&node);
    let clients = Clients::start(&node, "80", 0, 8, 10);
    node.file("server.conf", &text(&node, "user = ecuser"));
    for _ in 0..3 {
        let answers: Vec<Done> = std::thread::scope(|scope| {
            let both = [0, 1, 2].map(|_| scope.spawn(|| restart(&node, &[])));
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        // Those who come while it is done are refused; one that comes after it does it again.
        assert!(answers.iter().any(|answer| answer.status == 0), "{answers:?}\n{}", server.log());
        for answer in answers.iter().filter(|answer| answer.status != 0) {
            let why = [
                "has got the sockets already",
                "one restart runs at a time",
                "the server is ending",
                "no server listens",
                // It ended while it was asked.
                "could not be taken over",
            ];
            assert!(why.iter().any(|why| answer.err.contains(why)), "{answer:?}\n{}", server.log());
        }
        serving(&node, &server, 994, 0);
    }
    clients.end().none_lost(10);
    end(&node, server);
}

/// More sockets than the limit of descriptors that the commands start with.
#[test]
fn many_sockets_are_handed_over_under_a_small_limit() {
    let Some((node, _)) = node() else { return };
    let many: String = (1..=600)
        .map(|number| format!("Listen \"127.0.{}.{}:80\" {{ }}\n", 1 + number / 200, 1 + number % 200))
        .collect();
    let text = |security: &str| text(&node, security).replace("Listen \"*:80\" { }", &many);
    node.file("server.conf", &text(BIND));
    let limited = "ulimit -Sn 128; exec \"$STEPDOWN\" \"$@\"";
    let run = |arguments: &[&str]| {
        let mut command = node.command("sh");
        command.args(["-c", limited, "sh"]).args(arguments).env("STEPDOWN", STEPDOWN);
        command
    };
    let mut old = Server::spawn(&node, &mut run(&["serve", "-c", "server.conf"]));
    old.wait_for("serving as user 994");
    node.file("server.conf", &text(OTHER));
    let mut new = Server::spawn(&node, &mut run(&["serve", "--replace", "-c", "server.conf"]));
    new.wait_for("serving as user 995");
    assert_eq!(old.wait(), 0);
    serving(&node, &new, 995, 1 << 13);
    // The other way: held between the two.
    let script =
        format!("kill {}; sleep 0.2; \"$STEPDOWN\" serve -c server.conf >/dev/null 2>new.log &", new.pid());
    let done = done(&mut run(&["restart", "-c", "server.conf", "--", "sh", "-c", &script]));
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.out.contains("with 603 descriptors"), "{done:?}");
    assert_eq!(new.wait(), 0);
    let pid: u32 = new.answer(&["pid"]).trim().parse().unwrap();
    new.answer(&["shutdown"]);
    until("its end", || !is_alive(pid));
}
