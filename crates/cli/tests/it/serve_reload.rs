//! What a reload does to clients that are being served, which is nothing; and a reload that is refused, which does nothing.

use crate::serving::{Server, head, head_with, is_alive, status_field, until};
use crate::serving_load::{Clients, node};
use crate::support::{Node, done};

/// The service of `load.c`, with these listeners.
fn load(node: &Node, name: &str, listeners: &str) -> String {
    format!(
        "Service \"{name}\" {{\n  Command = ( \"{}\" serve )\n  Notify = true  {listeners}\n}}\n",
        node.dir.join("load").display()
    )
}

/// Whether a port of the node takes connections.
fn is_open(node: &Node, port: u16) -> bool {
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    done(node.command("bash").args(["-c", &script])).status == 0
}

#[test]
fn two_hundred_reloads_of_privileged_listeners_do_not_cost_one_of_20000_connections() {
    let Some((node, _)) = node() else { return };
    let constant = head(&node) + &load(&node, "constant", "Listen \"*:80\" { }");
    // By turns a service comes with a privileged port, and goes; and every tenth time the constant one is replaced as well.
    let more = [
        load(&node, "more", "Listen \"*:81\" { }  Listen \"127.0.0.1:82\" { }"),
        String::new(),
        load(&node, "more", "Listen \"*:83\" { Type = datagram }  Listen \"[::1]:84\" { }"),
        String::new(),
    ];
    let server = Server::start(&node, &constant);
    assert_eq!(status_field(server.pid(), "Uid"), "994\t994\t994\t994");
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000400");
    let mut clients = Clients::start(&node, "80", 20_000, 16, 0);
    let mut reloads = 0;
    while reloads < 200 || !clients.have_ended() {
        let replaced = match reloads / 10 % 2 {
            0 => "Listen \"*:80\" { }",
            _ => "Listen \"*:80\" { }  Environment = [ TURN = 1 ]",
        };
        let text = head(&node) + &load(&node, "constant", replaced) + &more[reloads % more.len()];
        let answer = server.reload(&text);
        assert_eq!(answer.status, 0, "{answer:?}\n{}", server.log());
        reloads += 1;
    }
    let counts = clients.wait();
    counts.none_lost(20_000);
    assert_eq!(counts.done, 20_000);
    // Nothing was gained or lost by all this.
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000400");
    assert_eq!(server.reload(&constant).status, 0);
    until("the processes of the last services", || {
        server.json(&["services"])["services"].as_array().unwrap().len() == 1
    });
    assert!(!is_open(&node, 81) && !is_open(&node, 82) && is_open(&node, 80));
}

#[test]
fn a_service_that_is_replaced_under_load_loses_no_connection() {
    let Some((node, _)) = node() else { return };
    let path = node.dir.join("run/load.sock");
    let text = |turn: u32| {
        let listeners = format!(
            "Listen \"*:80\" {{ }}  Listen \"{}\" {{ }}  Graceful_Timeout = 50  Environment = [ TURN = {turn} ]",
            path.display()
        );
        head(&node) + &load(&node, "web", &listeners)
    };
    let server = Server::start(&node, &text(0));
    let old = server.service_pids("web")[0];
    // Some are short, and some are still there when their process has been told to finish.
    let short = Clients::start(&node, "80", 0, 8, 0);
    let long = Clients::start(&node, "80", 0, 16, 400);
    let files = Clients::start(&node, path.to_str().unwrap(), 0, 8, 50);
    for turn in 1..=8 {
        let before = server.service_pids("web")[0];
        match turn % 2 {
            0 => assert_eq!(server.reload(&text(turn)).status, 0),
            _ => drop(server.answer(&["restart", "web"])),
        }
        until("the replacement", || {
            let pids = server.service_pids("web");
            pids.first().is_some_and(|pid| *pid != before)
                && server.answer(&["services"]).lines().next().is_some_and(|line| line.contains("ready"))
        });
    }
    until("the end of the first process", || !is_alive(old));
    for (clients, at_least) in [(short, 100), (long, 16), (files, 16)] {
        let counts = clients.end();
        counts.none_lost(at_least);
        assert!(counts.processes > 1, "{counts:?}");
    }
}

#[test]
fn a_reload_is_all_or_nothing() {
    let Some((node, _)) = node() else { return };
    let text = head(&node) + &load(&node, "web", "Listen \"*:80\" { }");
    let server = Server::start(&node, &text);
    let before = server.service_pids("web");
    // Another process has the port of the third.
    let mut other = node.command(node.dir.join("load"));
    other.args(["listen", "90"]).stdout(std::process::Stdio::piped());
    let mut other = other.spawn().unwrap();
    until("the other process", || is_open(&node, 90));
    let run = node.dir.join("run");
    let five = format!(
        "Listen \"*:80\" {{ }}  Listen \"*:88\" {{ }}  Listen \"{0}/a.sock\" {{ }}  Listen \"127.0.0.1:90\" {{ }}\n  \
         Listen \"{0}/b.sock\" {{ }}  Listen \"@abstract-of-{1}\" {{ }}",
        run.display(),
        std::process::id()
    );
    let unchanged = |why: &[&str], answer: &crate::support::Done| {
        assert_eq!(answer.status, 1, "{answer:?}");
        for words in why.iter().chain(&["Reconfigure failed"]) {
            assert!(answer.err.contains(words), "`{words}` is not in {answer:?}");
        }
        assert!(!is_open(&node, 88));
        assert!(!run.join("a.sock").exists() && !run.join("b.sock").exists());
        assert_eq!(server.service_pids("web"), before);
        assert_eq!(server.json(&["status"])["generation"], 1);
        assert_eq!(server.json(&["listeners"])["listeners"].as_array().unwrap().len(), 2);
        assert!(is_open(&node, 80));
    };
    let answer = server.reload(&(head(&node) + &load(&node, "web", &five)));
    unchanged(
        &[
            "127.0.0.1:90 can't be listened on",
            "EADDRINUSE",
            "another socket has the address",
            "server.conf:",
        ],
        &answer,
    );
    // By a signal: the log has it all.
    server.signal("HUP");
    until("the log", || server.log().matches("nothing has changed").count() == 2);
    unchanged(&[], &answer);
    // What would have gone well with these is not done either.
    let fine = load(&node, "web", "Listen \"*:80\" { }  Listen \"*:88\" { }");
    for (bad, why) in [
        ("Service \"bad\" { Comand = ( /bin/true ) }", "did you mean Command?"),
        ("Service \"bad\" { Command = ( /bin/nothing-there ) }", "/bin/nothing-there"),
        ("Service \"bad\" { Command = ( relative ) }", "relative"),
        (
            "Service \"bad\" { Command = ( /bin/true ) Capabilities = \"cap_net_raw+ep\" }",
            "cap_net_raw, which the Security scope does not retain",
        ),
        ("Service \"bad\" { Command = ( /bin/true ) Listen \"*:0\" { } }", "*:0"),
        ("Control_Listener { Timeout = soon }", "Timeout"),
        ("Control_Listener { Operators = ( no-such-user ) }", "no-such-user"),
        ("Security { user = no-such-user }", "no-such-user"),
        ("Security { Capabilities = \"cap_nonsense+ep\" }", "cap_nonsense"),
        ("Service \"bad\" { ", "server.conf:"),
        ("include \"not-there.conf\"", "not-there.conf"),
    ] {
        let answer = server.reload(&format!("{}{fine}{bad}\n", head(&node)));
        unchanged(&[why], &answer);
    }
    // All of it at once, and each has its place.
    let all = "Service \"x\" { Command = ( /bin/nothing ) }\nService \"y\" { Command = ( /bin/none ) }\nSecurity { user = nobody-there }\n";
    let answer = server.reload(&format!("{}{fine}{all}", head(&node)));
    unchanged(&["/bin/nothing", "/bin/none", "nobody-there"], &answer);
    other.kill().unwrap();
    other.wait().unwrap();
    let answer = server.reload(&(head(&node) + &load(&node, "web", &five)));
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_ne!(server.service_pids("web"), before);
    assert!(is_open(&node, 88) && is_open(&node, 90) && run.join("b.sock").exists());
}

#[test]
fn a_privileged_port_without_the_retained_right_is_refused_and_says_what_to_retain() {
    let Some((node, _)) = node() else { return };
    let head = head_with(&node, "user = ecuser  group = ecuser");
    let server = Server::start(&node, &(head.clone() + &load(&node, "web", "Listen \"*:80\" { }")));
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000000");
    let answer =
        server.reload(&(head.clone() + &load(&node, "web", "Listen \"*:80\" { }  Listen \"*:443\" { }")));
    assert_eq!(answer.status, 1, "{answer:?}");
    for words in [
        "*:443 can't be listened on: bind answered EACCES",
        "port 443 is one",
        "write Capabilities = \"cap_net_bind_service+ep\" in Security",
        "Reconfigure failed",
    ] {
        assert!(answer.err.contains(words), "`{words}` is not in {answer:?}");
    }
    assert!(is_open(&node, 80) && !is_open(&node, 443));
    // One that is not privileged is no trouble; and the one that root bound stays when its service is another.
    let fine = head + &load(&node, "web", "Listen \"*:80\" { }  Listen \"*:8080\" { }  Graceful_Timeout = 5");
    let answer = server.reload(&fine);
    assert_eq!(answer.status, 0, "{answer:?}");
    assert!(is_open(&node, 80) && is_open(&node, 8080));
}

#[test]
fn a_reload_while_a_reload_runs_is_done_after_it() {
    let Some((node, _)) = node() else { return };
    let text = |turn: u32| {
        head(&node) + &load(&node, "web", &format!("Listen \"*:80\" {{ }}  Environment = [ TURN = {turn} ]"))
    };
    let server = Server::start(&node, &text(0));
    let clients = Clients::start(&node, "80", 0, 8, 20);
    node.file("server.conf", &text(1));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let answer = server.ask(&["config", "reload"]);
                    assert_eq!(answer.status, 0, "{answer:?}");
                }
            });
        }
        for turn in 2..12 {
            node.file("server.conf.new", &text(turn));
            std::fs::rename(node.dir.join("server.conf.new"), node.dir.join("server.conf")).unwrap();
            server.signal("HUP");
        }
    });
    let answer = server.answer(&["config", "reload"]);
    assert!(answer.contains("reloaded"), "{answer}");
    assert!(server.answer(&["config", "show", "Service", "web"]).contains("11"));
    clients.end().none_lost(1);
}

#[test]
fn a_thousand_listeners_come_and_go() {
    let Some((node, _)) = node() else { return };
    let many: String = (0..1000)
        .map(|number| format!("Listen \"127.0.{}.{}:80\" {{ }}\n", 1 + number / 200, 1 + number % 200))
        .collect();
    let few = head(&node) + &load(&node, "web", "Listen \"127.0.0.1:80\" { }");
    let server = Server::start(&node, &few);
    let answer = server
        .reload(&(head(&node) + &load(&node, "web", &format!("Listen \"127.0.0.1:80\" {{ }}\n{many}"))));
    assert_eq!(answer.status, 0, "{}", answer.err);
    let count = || server.json(&["status"])["listeners"].as_u64().unwrap();
    assert_eq!(count(), 1002);
    until("the new process", || {
        let pid = server.service_pids("web")[0];
        std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|list| list.count() > 1000)
    });
    let script = "exec 3<>/dev/tcp/127.0.5.200/80 && echo 0 >&3 && head -n 1 <&3";
    let said = done(node.command("bash").args(["-c", script]));
    assert!(said.out.starts_with("begin "), "{said:?}");
    let answer = server.reload(&few);
    assert_eq!((answer.status, count()), (0, 2), "{}", answer.err);
    let gone = done(node.command("bash").args(["-c", script]));
    assert_ne!(gone.status, 0, "{gone:?}");
}
