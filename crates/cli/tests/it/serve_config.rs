//! The console's commands on a running server: each as a person and as a machine reads it, and that what it says is what the
//! kernel and the clients see.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::serving::{Server, console_path, head, status_field, until};
use crate::support::{Node, STEPDOWN, done};

const SLEEPER: &str = "Service \"sleeper\" { Command = ( \"/bin/sleep\" \"1000000\" )  Ready_After = 0.1 }\n";

fn start(node: &Node) -> (String, Server<'_>) {
    let text =
        head(node) + SLEEPER + "Blackhole = yes   # kept\nOther { Depth = 1  Inner \"x\" { Width = 2 } }\n";
    let server = Server::start(node, &text);
    (text, server)
}

/// The answer to a command that is refused, with these words on standard error.
#[track_caller]
fn refused(server: &Server<'_>, command: &[&str], words: &[&str]) {
    let asked = server.ask(command);
    assert_eq!((asked.status, asked.out.as_str()), (1, ""), "{command:?}: {asked:?}");
    for word in words {
        assert!(asked.err.contains(word), "`{word}` is not in {asked:?}");
    }
}

/// A session that is asked line by line; the status and the text of each reply.
struct Session(std::os::unix::net::UnixStream);

impl Session {
    fn new(node: &Node) -> Session {
        Session(std::os::unix::net::UnixStream::connect(console_path(node)).unwrap())
    }

    fn ask(&mut self, line: &str) -> (u8, String) {
        use std::io::Read;
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut header = Vec::new();
        while header.last() != Some(&b'\n') {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            header.push(byte[0]);
        }
        let header = String::from_utf8(header).unwrap();
        let (status, length) = header.trim_end().split_once(' ').unwrap();
        let mut text = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut text).unwrap();
        (status.parse().unwrap(), String::from_utf8(text).unwrap())
    }

    #[track_caller]
    fn done(&mut self, line: &str) -> String {
        let (status, text) = self.ask(line);
        assert_eq!(status, 0, "{line}: {text}");
        text
    }

    #[track_caller]
    fn refused(&mut self, line: &str, words: &str) {
        let (status, text) = self.ask(line);
        assert!(status == 1 && text.contains(words), "{line}: {status} {text}");
    }
}

/// Whether something listens on this TCP port of the node.
fn listens(node: &Node, port: u16) -> bool {
    let table = node.sh("cat /proc/net/tcp /proc/net/tcp6").out;
    table.lines().any(|line| line.contains(&format!(":{port:04X} ")) && line.contains(" 0A "))
}

#[test]
fn questions_are_answered_in_the_console_s_words() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    let file = node.dir.join("server.conf");
    for (command, answer) in [
        (&["config", "get", "Blackhole"][..], "Blackhole = yes\n".to_owned()),
        (
            &["config", "get", "blackhole", "--origin"],
            format!("Blackhole = yes\n  # {}:5:13\n", file.display()),
        ),
        (&["config", "eval", "Other", "Inner", "x", "Depth"], "Depth = 1\n".to_owned()),
        (&["config", "show", "Other"], "Depth = 1\nInner \"x\" { ... }\n".to_owned()),
        (
            &["config", "showrecurse", "Other"],
            "Other {\n  Depth = 1\n  Inner \"x\" {\n    Width = 2\n  }\n}\n".to_owned(),
        ),
        (&["config", "locate", "Width"], "Width = 2\n  is at Other::Inner:x:Width\n".to_owned()),
        (&["config", "locate", "Inner", "^x$"], "Inner \"x\"\n  is at Other::Inner:x:\n".to_owned()),
        (&["pid"], format!("{}\n", server.pid())),
    ] {
        assert_eq!(server.answer(command), answer, "{command:?}");
    }
    let none = server.ask(&["config", "get", "Nothing"]);
    assert_eq!(
        (none.status, none.err.as_str()),
        (1, "Option 'Nothing' is not set in scope ''.\n"),
        "{none:?}"
    );
    let outside = server.ask(&["config", "get", "Other", "Blackhole"]);
    assert_eq!(outside.status, 1, "only that very scope: {outside:?}");
    refused(
        &server,
        &["config", "showrecurse", "Service"],
        &["which `Service` is meant?", "Service \"sleeper\""],
    );
    let usage = server.ask(&["config", "sohw"]);
    assert!(usage.status == 2 && usage.err.contains("config show"), "{usage:?}");
}

#[test]
fn every_command_answers_a_machine_with_one_line_of_json() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    let one = |command: &str| -> Value {
        let words: Vec<&str> = command.split(' ').chain(["--format", "json"]).collect();
        let asked = server.ask(&words);
        assert_eq!(
            (asked.status, asked.err.as_str(), asked.out.lines().count()),
            (0, "", 1),
            "{command}: {asked:?}"
        );
        serde_json::from_str(&asked.out).unwrap()
    };
    assert_eq!(one("pid")["pid"], server.pid());
    assert_eq!(one("version")["version"], env!("CARGO_PKG_VERSION"));
    let status = one("status");
    assert_eq!(
        (&status["state"], &status["well"], &status["pid"]),
        (&"serving".into(), &true.into(), &server.pid().into())
    );
    assert_eq!(
        (status["security"]["user"].as_str(), &status["restart_required"]),
        (Some("ecuser (994)"), &Value::Null)
    );
    let service = &one("services")["services"][0];
    assert_eq!((service["name"].as_str(), service["state"].as_str()), (Some("sleeper"), Some("ready")));
    assert_eq!(status_field(service["pids"][0].as_u64().unwrap() as u32, "Uid"), "994\t994\t994\t994");
    assert_eq!(one("listeners")["listeners"][0]["address"], console_path(&node).to_str().unwrap());
    let got = one("config get Blackhole --origin");
    assert_eq!((&got["value"], &got["place"]["line"]), (&"yes".into(), &5.into()));
    assert_eq!(one("config eval Other Depth")["value"], 1.to_string());
    assert!(
        one("config show Other")["options"][0]["name"] == "Depth"
            && one("config showrecurse")["scopes"].is_array()
    );
    assert!(one("config locate Width").to_string().contains("Inner"));
    assert_eq!(one("config set Blackhole = no")["value"], "no");
    assert_eq!(one("config unset Blackhole")["unset"], "Blackhole");
    assert_eq!(one("config reload")["applied"], true);
    assert_eq!(one("config writeback")["unsaved"], Value::Array(Vec::new()));
    for command in ["help", "help config set", "quit"] {
        one(command);
    }
    // Those that belong to a session, in one.
    let mut session = Session::new(&node);
    let mut one = |line: &str| -> Value {
        serde_json::from_str(&session.done(&format!("{line} --format json"))).unwrap()
    };
    assert_eq!(one("config begin")["transaction"], true);
    one("config set Blackhole = maybe");
    assert_eq!(one("config replay")["changes"], 1);
    assert_eq!(one("config rollback")["forgotten"], 1);
    assert_eq!(one("config begin from scratch")["from_scratch"], true);
    one("config rollback");
    one("config begin");
    assert_eq!(one("config commit")["applied"], true);
    assert_eq!(one("restart sleeper")["restarting"], "sleeper");
    // A refusal is one, too.
    let no = server.ask(&["restart", "nobody", "--format", "json"]);
    let value: Value = serde_json::from_str(&no.out).unwrap();
    assert_eq!((no.status, value["findings"][0]["code"].as_str()), (1, Some("no-service")), "{no:?}");
    let what = server.ask(&["config", "what", "--format", "json"]);
    let value: Value = serde_json::from_str(&what.out).unwrap();
    assert_eq!((what.status, value["findings"].as_array().unwrap().len()), (2, 1), "{what:?}");
    assert_eq!(one("shutdown")["shutdown"], true);
    let mut server = server;
    assert_eq!(server.wait(), 0, "{}", server.log());
}

#[test]
fn listeners_and_services_that_are_set_are_there_and_gone_when_unset() {
    let Some(node) = Node::new() else { return };
    let (text, server) = start(&node);
    let set = server.answer(&[
        "config",
        "set",
        "Service",
        "sleeper",
        "Listen",
        "127.0.0.1:82",
        "Backlog",
        "=",
        "100",
    ]);
    assert!(
        set.starts_with("Backlog = 100\n") && set.contains("listener 127.0.0.1:82 of sleeper: added"),
        "{set}"
    );
    assert!(listens(&node, 82), "a privileged port, by a process that is not root");
    assert!(server.answer(&["listeners"]).contains("127.0.0.1:82"));
    server.answer(&["config", "set", "Service", "second", "Command", "=", "( /bin/sleep 1000000 )"]);
    until("the second service", || server.answer(&["services"]).contains("second: ready"));
    let pid = server.service_pids("second")[0];
    assert_eq!(status_field(pid, "CapPrm"), "0000000000000400");
    // What can't be done changes nothing.
    let before = server.answer(&["config", "showrecurse"]);
    for (command, words) in [
        (&["config", "set", "Service", "third", "Directory", "=", "/"][..], "Command"),
        (
            &["config", "set", "Service", "second", "Listen", "127.0.0.1:82", "Backlog", "=", "1"],
            "127.0.0.1:82",
        ),
        (&["config", "set", "Service", "second", "Comand", "=", "( /bin/true )"], "Command"),
        (&["config", "set", "Service", "second", "Command", "=", "( /nowhere )"], "/nowhere"),
        (&["config", "set", "Service", "second", "Capabilities", "=", "cap_sys_admin+ep"], "cap_sys_admin"),
        (&["config", "unset", "Service", "second", "Command"], "Command"),
    ] {
        refused(&server, command, &[words, "Reconfigure failed"]);
    }
    assert_eq!(server.answer(&["config", "showrecurse"]), before);
    assert_eq!(server.service_pids("second"), [pid]);
    let unset = server.answer(&["config", "unset", "Service", "sleeper", "Listen", "127.0.0.1:82"]);
    assert!(unset.contains("has been unset"), "{unset}");
    // The old process has it until its replacement is ready.
    until("the end of the listener", || !listens(&node, 82));
    server.answer(&["config", "unset", "Service", "second"]);
    until("the end of the second service", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    refused(&server, &["config", "unset"], &["the global scope can't be unset"]);
    assert_eq!(fs::read_to_string(node.dir.join("server.conf")).unwrap(), text, "the file is as it was");
}

#[test]
fn unset_says_what_holds_now() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    server.answer(&["config", "set", "Other", "Blackhole", "=", "no"]);
    assert_eq!(server.answer(&["config", "eval", "Other", "Blackhole"]), "Blackhole = no\n");
    assert_eq!(
        server.answer(&["config", "unset", "Other", "Blackhole"]),
        "\"Blackhole\" has been unset. Effective value is now:\nBlackhole = yes\n"
    );
}

#[test]
fn the_first_commit_wins_and_the_other_can_be_replayed() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    let (mut first, mut second) = (Session::new(&node), Session::new(&node));
    for session in [&mut first, &mut second] {
        session.done("config begin");
        session.refused("config begin", "has a transaction already");
        session.refused("config reload", "transaction");
    }
    first.done("config set A = first");
    second.done("config set A = second");
    second.done("config set B = second");
    // A session sees its own changes, and nobody else does.
    assert_eq!(first.done("config get A"), "A = first\n");
    assert_eq!(second.done("config get A"), "A = second\n");
    assert_eq!(server.ask(&["config", "get", "A"]).status, 1);
    assert!(first.done("config commit").contains("one change is committed"));
    assert_eq!(server.answer(&["config", "get", "A"]), "A = first\n");
    second.refused("config commit", "config replay");
    assert_eq!(server.answer(&["config", "get", "A"]), "A = first\n");
    let replayed = second.done("config replay");
    assert!(replayed.contains("2 changes are made again") && replayed.contains("A"), "{replayed}");
    second.done("config commit");
    assert_eq!(
        (server.answer(&["config", "get", "A"]), server.answer(&["config", "get", "B"])),
        ("A = second\n".into(), "B = second\n".into())
    );
    first.refused("config commit", "no transaction");
    first.refused("config rollback", "no transaction");
    first.refused("config replay", "no transaction");
    first.done("config begin");
    first.done("config unset B");
    first.done("config rollback");
    assert_eq!(first.done("config get B"), "B = second\n");
    // What a session leaves open ends with it.
    first.done("config begin");
    first.done("config set C = 1");
    drop(first);
    assert_eq!(server.ask(&["config", "get", "C"]).status, 1);
}

#[test]
fn a_transaction_from_scratch_replaces_everything_at_once() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    let (pid, console) = (server.service_pids("sleeper")[0], console_path(&node));
    let mut session = Session::new(&node);
    session.done("config begin from scratch");
    assert_eq!(session.done("config show"), "");
    session.done("config set Security user = ecuser");
    session.done("config set Security Capabilities = cap_net_bind_service+ep");
    session.done(&format!("config set Control_Listener Listen \"{}\" File_Mode = 0600", console.display()));
    session.done("config set Service other Command = ( /bin/sleep 1000000 )");
    // Half of it is nobody's business.
    assert_eq!(server.service_pids("sleeper"), [pid]);
    let committed = session.done("config commit");
    assert!(
        committed.contains("service sleeper: removed") && committed.contains("service other: added"),
        "{committed}"
    );
    until("the old service's end", || !server.answer(&["services"]).contains("sleeper"));
    assert_eq!(server.ask(&["config", "get", "Blackhole"]).status, 1);
    // The files bring everything back.
    let reloaded = server.answer(&["config", "reload"]);
    assert!(
        reloaded.contains("service sleeper: added") && reloaded.contains("service other: removed"),
        "{reloaded}"
    );
    assert_eq!(server.answer(&["config", "get", "Blackhole"]), "Blackhole = yes\n");
}

#[test]
fn a_reload_undoes_what_was_changed_online_and_says_so() {
    let Some(node) = Node::new() else { return };
    let (text, server) = start(&node);
    server.answer(&["config", "set", "Blackhole", "=", "no"]);
    server.answer(&["config", "set", "Service", "sleeper", "Listen", "127.0.0.1:82", "Backlog", "=", "5"]);
    assert!(
        server.answer(&["status"]).contains("unsaved") || server.answer(&["status"]).contains("in no file")
    );
    let reloaded = server.ask(&["config", "reload"]);
    assert_eq!(reloaded.status, 0, "{reloaded:?}");
    for words in ["`config set Blackhole = no`", "is undone", "listener 127.0.0.1:82 of sleeper: removed"] {
        assert!(reloaded.out.contains(words), "`{words}` is not in {reloaded:?}");
    }
    until("the end of the listener", || !listens(&node, 82));
    assert_eq!(server.answer(&["config", "get", "Blackhole"]), "Blackhole = yes\n");
    // A file that can't be read as a configuration: nothing changes, online changes stay.
    server.answer(&["config", "set", "Blackhole", "=", "no"]);
    let failed = server.reload(&format!("{text}}}\n"));
    assert!(failed.status == 1 && failed.err.contains("Reconfigure failed"), "{failed:?}");
    assert_eq!(server.answer(&["config", "get", "Blackhole"]), "Blackhole = no\n");
    // Another main file.
    let other = node.file("other.conf", &text.replace("Blackhole = yes", "Blackhole = elsewhere"));
    server.answer(&["config", "reload", other.to_str().unwrap()]);
    assert_eq!(server.answer(&["config", "get", "Blackhole"]), "Blackhole = elsewhere\n");
    refused(&server, &["config", "reload", "/nowhere.conf"], &["/nowhere.conf", "Reconfigure failed"]);
}

#[test]
fn lines_from_a_pipe_are_commands_of_one_session() {
    let Some(node) = Node::new() else { return };
    let (_, server) = start(&node);
    let lines = |text: &str| {
        let mut child = node
            .command(STEPDOWN)
            .arg("console")
            .arg(console_path(&node))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (status, out, err) =
        lines("config begin\nconfig set A = 1\n# nothing\nconfig commit\nconfig get A\n");
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("A = 1\n") && !out.contains('>'), "no banner, no prompt: {out}");
    assert_eq!(
        lines("config get Nothing\npid\n"),
        (1, format!("{}\n", server.pid()), "Option 'Nothing' is not set in scope ''.\n".to_owned())
    );
    let (status, out, err) = lines("whatever\npid\nconfig get Nothing\n");
    assert_eq!((status, out), (2, format!("{}\n", server.pid())), "{err}");
}

#[test]
fn restart_service_and_shutdown_do_what_they_say() {
    let Some(node) = Node::new() else { return };
    let (_, mut server) = start(&node);
    let pid = server.service_pids("sleeper")[0];
    assert!(server.answer(&["restart", "sleeper"]).contains("a replacement is started"));
    until("another process", || {
        let pids = server.service_pids("sleeper");
        pids.len() == 1 && pids[0] != pid
    });
    refused(&server, &["restart", "sleper"], &["there is no service `sleper`", "did you mean sleeper?"]);
    let usage = server.ask(&["restart"]);
    assert!(usage.status == 2 && usage.err.contains("restart SERVICE"), "{usage:?}");
    let help = server.answer(&["help"]);
    for name in ["status", "config writeback", "restart  ", "shutdown"] {
        assert!(help.contains(name), "{name} is not in {help}");
    }
    assert!(!help.contains("handover") && help.lines().all(|line| line.chars().count() <= 80), "{help}");
    assert!(server.answer(&["help", "config", "begin"]).contains("from scratch"));
    assert!(server.answer(&["shutdown"]).contains("told to finish"));
    assert_eq!(server.wait(), 0, "{}", server.log());
    let gone = done(node.command(STEPDOWN).arg("console").arg(console_path(&node)).arg("pid"));
    assert!(gone.status == 1 && gone.err.contains("there is no such file"), "{gone:?}");
}
