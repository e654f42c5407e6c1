//! What a service of `stepdown serve` is started with, by the kernel's account of it: descriptors, environment, working directory,
//! capabilities; and what becomes of its output.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::serving::{Server, head, head_with, service, sleeper, status_field, until};
use crate::support::{ECUSER, Node, STEPDOWN, have};

/// Debian's own Python.
const PYTHON: &str = "/usr/bin/python3";

/// Says what it finds in its environment and its sockets, as one line of JSON.
const TELLS: &str = "
import json, os, socket, time
sockets = [socket.socket(fileno=3 + number) for number in range(int(os.environ['LISTEN_FDS']))]
def name(one):
    address = one.getsockname()
    return address.decode() if isinstance(address, bytes) else address if isinstance(address, str) else address[:2]
print('told:', json.dumps({
    'own': os.environ['LISTEN_PID'] == str(os.getpid()),
    'names': os.environ['LISTEN_FDNAMES'],
    'addresses': [name(one) for one in sockets],
    'types': [one.type.name for one in sockets],
    'blocking': [os.get_blocking(one.fileno()) for one in sockets],
    'listening': [one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for one in sockets],
}), flush=True)
time.sleep(1000000)
";

/// The variables that a process was started with.
fn environment(pid: u32) -> BTreeMap<String, String> {
    let text = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let entries = text.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let split = |entry: &[u8]| {
        let text = String::from_utf8(entry.to_vec()).unwrap();
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    entries.map(split).collect()
}

/// The numbers of a process' descriptors, and what they are.
fn descriptors(pid: u32) -> BTreeMap<u32, String> {
    let list = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    list.map(|entry| {
        let number = entry.file_name().to_str().unwrap().parse().unwrap();
        (number, fs::read_link(entry.path()).unwrap().display().to_string())
    })
    .collect()
}

#[test]
fn sockets_are_numbered_from_3_in_the_order_of_the_file_and_named() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let script = node.file("tells.py", TELLS).display().to_string();
    let listeners = "Listen \"*:443\" { Name = \"https\" }  Listen \"@name\" { }  Listen \"127.0.0.1:53\" { Type = datagram  Name = dns }\n  \
                     Listen \"[::1]:80\" { Name = \"https\" }  Listen \"10.0.0.1:25\" { Free_Bind = true }";
    let mut server =
        Server::start(&node, &(head(&node) + &service("tells", &[PYTHON, "-I", &script], listeners)));
    server.wait_for("told:");
    let log = server.log();
    let line = log.lines().find_map(|line| line.strip_prefix("tells: told: ")).unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    let expected = serde_json::json!({
        "own": true,
        "names": "https:tells:dns:https:tells",
        "addresses": [["::", 443], "\0name", ["127.0.0.1", 53], ["::1", 80], ["10.0.0.1", 25]],
        "types": ["SOCK_STREAM", "SOCK_STREAM", "SOCK_DGRAM", "SOCK_STREAM", "SOCK_STREAM"],
        "blocking": [true, true, true, true, true],
        "listening": [1, 1, 0, 1, 1],
    });
    assert_eq!(told, expected);
    let open = descriptors(server.service_pids("tells")[0]);
    assert_eq!(open.keys().copied().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>(), "{open:?}");
    assert_eq!(open[&0], "/dev/null");
    assert!(open[&1].starts_with("pipe:") && open[&1] == open[&2], "{open:?}");
}

/// The descriptors and variables of whoever starts the server, which are not for services.
#[test]
fn nothing_else_is_open_in_a_service_and_nothing_of_the_manager_s_in_its_environment() {
    let Some(node) = Node::new() else { return };
    let manager = UnixDatagram::bind(node.dir.join("manager")).unwrap();
    manager.set_nonblocking(true).unwrap();
    let script = "exec 7</etc/passwd 8</ 9<>./pipe; exec \"$STEPDOWN\" serve -c server.conf";
    node.sh("mkfifo pipe").ran();
    let text = head(&node)
        + &sleeper("silent", "Environment = [ ADDED = \"a b\" HOME = \"/elsewhere\" ]")
        + &sleeper("listens", "Listen \"127.0.0.1:80\" { }");
    node.file("server.conf", &text);
    let mut shell = node.command("sh");
    shell.args(["-c", script]).env("STEPDOWN", STEPDOWN).env("KEPT", "yes").env("USER", "root");
    shell.env("NOTIFY_SOCKET", node.dir.join("manager")).env("WATCHDOG_USEC", "1000000").env("MAINPID", "1");
    shell.env("LISTEN_FDS", "1").env("LISTEN_PID", "1").env("LISTEN_FDNAMES", "theirs");
    let mut server = Server::spawn(&node, &mut shell);
    server.wait_for("serving");
    let silent = server.service_pids("silent")[0];
    let mut found = environment(silent);
    let own = found.remove("NOTIFY_SOCKET").unwrap();
    assert!(own.starts_with('@'), "the server's own: {own}");
    let expected = [
        ("ADDED", "a b"),
        ("HOME", "/elsewhere"),
        ("KEPT", "yes"),
        ("LOGNAME", "ecuser"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("STEPDOWN", STEPDOWN),
        ("USER", "ecuser"),
    ];
    found.remove("PWD");
    let expected: BTreeMap<String, String> =
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(found, expected);
    let listens = server.service_pids("listens")[0];
    let found = environment(listens);
    assert_eq!((&*found["LISTEN_FDS"], &*found["LISTEN_FDNAMES"]), ("1", "listens"));
    assert_eq!((&*found["LISTEN_PID"], &*found["HOME"]), (&*listens.to_string(), "/nonexistent"));
    assert_eq!(descriptors(silent).len(), 3, "{:?}", descriptors(silent));
    assert_eq!(descriptors(listens).len(), 4, "{:?}", descriptors(listens));
    // Signals that the server blocks or ignores are its own affair.
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let set = |process| u64::from_str_radix(&status_field(process, field), 16).unwrap();
        // 32 and 33 are the C library's own: its posix_spawn leaves them ignored in what the test itself starts. What whoever
        // started the test ignores, as a shell does with SIGINT of what is in the background, stays so.
        let others = if field == "SigIgn" { set(std::process::id()) } else { 0 };
        assert_eq!(set(silent) & !(0b11 << 31) & !others, 0, "{field}");
    }
    assert_eq!(fs::read_link(format!("/proc/{silent}/cwd")).unwrap().to_str(), Some("/"));
}

#[test]
fn the_working_directory_is_the_one_that_is_written() {
    let Some(node) = Node::new() else { return };
    let directory = node.dir.join("run dir");
    fs::create_dir(&directory).unwrap();
    let inside = format!("Directory = \"{}\"", directory.display());
    let options = "Directory = \"/nonexistent/directory\"  Restart_Pause = 0.05  Restart_Limit = 2";
    let text = head(&node) + &sleeper("inside", &inside) + &sleeper("nowhere", options);
    let mut server = Server::start(&node, &text);
    server.wait_for("nowhere: can't be executed: /nonexistent/directory");
    let pid = server.service_pids("inside")[0];
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), directory);
    // One that the user may not enter is none, either.
    std::os::unix::fs::chown(&directory, Some(0), Some(0)).unwrap();
    node.sh("chmod 700 'run dir'").ran();
    server.answer(&["restart", "inside"]);
    server.wait_for("can't be the working directory");
    assert_eq!(server.service_pids("inside"), [pid], "the old process stays");
}

#[test]
fn the_capabilities_of_a_service_are_those_of_the_scope_or_fewer() {
    let Some(node) = Node::new() else { return };
    let security = "user = ecuser  group = ecuser  Capabilities = \"cap_net_bind_service,cap_net_raw+ep\"";
    let text = head_with(&node, security)
        + &sleeper("all", "")
        + &sleeper("one", "Capabilities = \"cap_net_raw+ep\"")
        + &sleeper("none", "Capabilities = \"\"");
    let server = Server::start(&node, &text);
    let sets = |name: &str| {
        let pid = server.service_pids(name)[0];
        assert_eq!(status_field(pid, "Uid"), format!("{ECUSER}\t{ECUSER}\t{ECUSER}\t{ECUSER}"));
        assert_eq!(status_field(pid, "NoNewPrivs"), "1");
        ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"].map(|field| status_field(pid, field))
    };
    let [none, raw, both] = ["0000000000000000", "0000000000002000", "0000000000002400"].map(str::to_owned);
    let scope = [&both; 5].map(Clone::clone);
    assert_eq!(sets("all"), scope);
    // The bounding set can be narrowed by CAP_SETPCAP alone; with no_new_privs it can't give anything, either.
    let with_bounding = |set: &String| [set, set, set, set, &both].map(Clone::clone);
    assert_eq!(sets("one"), with_bounding(&raw));
    assert_eq!(sets("none"), with_bounding(&none));
    // What the scope does not retain is refused at a reload, and nothing changes.
    let before = ["all", "one", "none"].map(|name| server.service_pids(name));
    let more = text.replace("Capabilities = \"\"", "Capabilities = \"cap_chown,cap_net_raw+ep\"")
        + &sleeper("new", "");
    let refused = server.reload(&more);
    assert_eq!(refused.status, 1, "{refused:?}");
    for words in ["cap_chown, which the Security scope does not retain", "server.conf:", "Reconfigure failed"]
    {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert_eq!(["all", "one", "none"].map(|name| server.service_pids(name)), before);
    assert!(!server.answer(&["services"]).contains("new"));
    // To ask for less or for as much as there is is no more.
    let back = server.reload(
        &text.replace("Capabilities = \"\"", "Capabilities = \"cap_net_raw,cap_net_bind_service+ep\""),
    );
    assert_eq!(back.status, 0, "{back:?}");
    until("it has all", || sets("none") == scope);
    assert_eq!(server.stop().0, 0);
    // And at the start.
    let mut refused = Server::begin(&node, &more);
    assert_eq!(refused.wait(), 125);
    let log = refused.log();
    assert!(
        log.contains("cap_chown, which the Security scope does not retain") && log.contains("server.conf:"),
        "{log}"
    );
}

#[test]
fn each_line_of_output_has_the_name_before_it_and_is_whole() {
    let Some(node) = Node::new() else { return };
    let long = "x".repeat(40_000);
    node.file("long", &long);
    // Two that write at the same time, each line in two pieces, and one whose last line does not end.
    let writer = |mark: &str| {
        format!(
            "for n in $(seq 100); do printf '{mark} first half, '; printf '{mark} second half\\n'; done\n"
        )
    };
    let a = node.file("a.sh", &(writer("a") + "exec sleep 1000000\n")).display().to_string();
    let b = node.file("b.sh", &(writer("b") + "exec sleep 1000000\n")).display().to_string();
    let c = format!(
        "printf 'bell\\a escape\\033[31m tab\\there\\n\\n'; printf 'to stderr\\n' >&2; cat {}/long; printf '\\nlast without an end'\n",
        node.dir.display()
    );
    let c = node.file("c.sh", &c).display().to_string();
    // Without the pid file, which is warned about: it is in a directory of the user's.
    let text = head(&node).split_once('\n').unwrap().1.to_owned()
        + &service("a", &["/bin/sh", &a], "")
        + &service("b", &["/bin/sh", &b], "")
        + &service("c", &["/bin/sh", &c], "Restart = never");
    let mut server = Server::start(&node, &text);
    server.wait_for("c: last without an end\n");
    server.wait_for_times("a: a first half, a second half\n", 100);
    server.wait_for_times("b: b first half, b second half\n", 100);
    let log = server.log();
    for line in log.lines() {
        assert!(["a: ", "b: ", "c: ", "stepdown: "].iter().any(|name| line.starts_with(name)), "{line}");
    }
    assert!(
        log.contains("c: bell\\u{7} escape\\u{1b}[31m tab\there\nc: \n") && log.contains("c: to stderr\n"),
        "{log}"
    );
    let pieces: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("c: x")).collect();
    let length: usize = pieces.iter().map(|piece| piece.len() + 1).sum();
    assert!(pieces.len() > 1 && length == long.len(), "{} pieces, {length} bytes", pieces.len());
}

#[test]
fn direct_output_goes_straight_through() {
    let Some(node) = Node::new() else { return };
    let text = "printf 'raw \\033[1m'; printf 'error\\n' >&2; exec sleep 1000000\n";
    let script = node.file("direct.sh", text).display().to_string();
    node.file("server.conf", &(head(&node) + &service("direct", &["/bin/sh", &script], "Output = direct")));
    let mut shell = node.command("sh");
    shell.args(["-c", "exec \"$STEPDOWN\" serve -c server.conf >stdout"]).env("STEPDOWN", STEPDOWN);
    let mut server = Server::spawn(&node, &mut shell);
    server.wait_for("serving");
    until("it is in the file", || fs::read_to_string(node.dir.join("stdout")).unwrap() == "raw \u{1b}[1m");
    assert!(server.log().lines().any(|line| line == "error"), "{}", server.log());
    let open = descriptors(server.service_pids("direct")[0]);
    assert_eq!(open[&1], node.dir.join("stdout").display().to_string());
}

/// A reader that stops reading stops the services that write, and not the server; nothing is lost to those who wait.
#[test]
fn when_nobody_reads_its_log_the_server_goes_on() {
    let Some(node) = Node::new() else { return };
    let script =
        node.file("talks.sh", "while :; do echo 'a line of output that somebody should read'; done\n");
    let text = head(&node)
        + &service("talks", &["/bin/sh", &script.display().to_string()], "")
        + &sleeper("quiet", "Listen \"127.0.0.1:80\" { }");
    node.file("server.conf", &text);
    let mut serve = node.command(STEPDOWN);
    serve
        .args(["serve", "-c", "server.conf"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut child = serve.spawn().unwrap();
    let unread = child.stderr.take().unwrap();
    let ask = |command: &[&str]| {
        crate::support::done(
            node.command(STEPDOWN).arg("console").arg(crate::serving::console_path(&node)).args(command),
        )
    };
    until("it serves", || ask(&["status"]).out.contains("serving"));
    let size =
        |pid: u32| -> u64 { status_field(pid, "VmRSS").trim_end_matches(" kB").trim().parse().unwrap() };
    for _ in 0..20 {
        assert_eq!(ask(&["services"]).status, 0);
    }
    assert!(size(child.id()) < 20_000, "what waits for a reader has a limit");
    crate::serving::signal(child.id(), "TERM");
    until("it has ended", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(unread);
}
