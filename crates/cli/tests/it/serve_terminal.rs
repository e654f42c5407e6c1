//! `stepdown console` on a terminal, in front of a running server: what appears, and what keys do.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::serving::{Server, console_path, head};
use crate::support::{Node, STEPDOWN, have};

const SLEEPER: &str =
    "Service \"sleeper\" { Command = ( \"/bin/sleep\" \"1000000\" )  Ready_After = 0.1 }\nBlackhole = yes\n";

/// Types at a console: what has to appear, and what is typed then. All that appeared, without the sequences that place the cursor;
/// the last line is the exit status.
fn terminal(node: &Node, steps: &[(&str, &str)]) -> String {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/terminal.py");
    let mut command: Command = node.command("python3");
    command.arg(program).arg(STEPDOWN).arg("console").arg(console_path(node));
    command.env("TERM", "xterm").env("HOME", &node.dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let steps = json!(steps.iter().map(|(wait, typed)| [wait, typed]).collect::<Vec<_>>());
    child.stdin.take().unwrap().write_all(steps.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    plain(&String::from_utf8_lossy(&output.stdout))
}

/// Without control sequences: `ESC [ … letter`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next() == Some('[') {
                    characters.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            '\r' => {}
            character => plain.push(character),
        }
    }
    plain
}

/// Whether a line of this begins with a time of day and the endpoint.
fn has_prompt(node: &Node, shown: &str) -> bool {
    let endpoint = console_path(node).display().to_string();
    shown.match_indices(&format!(" {endpoint}> ")).any(|(at, _)| {
        at >= 8 && {
            let time = &shown.as_bytes()[at - 8..at];
            time.iter().enumerate().all(|(index, byte)| match index {
                2 | 5 => *byte == b':',
                _ => byte.is_ascii_digit(),
            })
        }
    })
}

#[test]
fn a_person_gets_a_prompt_an_answer_and_an_end() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    let pid = server.pid().to_string();
    let shown = terminal(
        &node,
        &[
            ("> ", "pid\r"),
            (&pid, ""),
            ("> ", "config get Blackhole\r"),
            ("Blackhole = yes", ""),
            ("> ", "\u{4}"),
        ],
    );
    assert!(has_prompt(&node, &shown), "{shown}");
    assert!(shown.contains("`help` lists the commands") && shown.ends_with("\n0\n"), "{shown}");
    // `quit` is another end. What fails before it is no reason for another status: the person has seen it.
    let shown = terminal(&node, &[("> ", "sttaus\r"), ("status", ""), ("> ", "quit\r")]);
    assert!(shown.ends_with("\n0\n"), "{shown}");
}

#[test]
fn commands_options_scopes_and_services_are_completed() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    let shown = terminal(
        &node,
        &[
            ("> ", "vers\t"),
            ("version ", "\r"),
            (env!("CARGO_PKG_VERSION"), ""),
            ("> ", "config get Black\t"),
            ("Blackhole ", "\r"),
            ("Blackhole = yes", ""),
            // An option that is known and not set.
            ("> ", "config get Security Supp\t"),
            ("Supplemental_Groups ", "\r"),
            ("is not set", ""),
            ("> ", "restart sl\t"),
            ("sleeper ", "\u{3}"),
            // Several: a second Tab lists them.
            ("> ", "config rel\t\r"),
            ("reloaded", ""),
            ("> ", "config r\t\t"),
            ("replay", ""),
            ("> config r", "\u{3}"),
            ("> ", "\u{4}"),
        ],
    );
    assert!(shown.ends_with("\n0\n"), "{shown}");
    assert!(!server.log().contains("replaced"), "what Ctrl-C cleared was not done: {}", server.log());
}

#[test]
fn what_was_typed_comes_back_and_ctrl_c_clears_the_line() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    let pid = server.pid().to_string();
    let (up, begin) = ("\u{1b}[A", "\u{1}");
    let shown = terminal(
        &node,
        &[
            ("> ", "shutdown\u{3}"),
            ("> ", "pid\r"),
            (&pid, ""),
            ("> ", up),
            ("> pid", "\r"),
            (&pid, ""),
            // Edited: the beginning of the line.
            ("> ", "get Blackhole"),
            ("Blackhole", &format!("{begin}config \r")),
            ("Blackhole = yes", ""),
            ("> ", "\u{4}"),
        ],
    );
    assert!(shown.ends_with("\n0\n"), "{shown}");
    assert!(!server.log().contains("shutdown"), "{}", server.log());
    // The next console has the lines of this one, which only its user may read.
    let history = node.dir.join(".local/state/stepdown/console_history");
    let kept = fs::read_to_string(&history).unwrap();
    assert_eq!(kept, "pid\nconfig get Blackhole\n");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = terminal(
        &node,
        &[("> ", up), ("config get Blackhole", "\r"), ("Blackhole = yes", ""), ("> ", "\u{4}")],
    );
    assert!(shown.ends_with("\n0\n"), "{shown}");
}

#[test]
fn a_server_that_ends_ends_the_console_and_one_that_comes_back_is_found() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    let server = Server::start(&node, &(head(&node) + SLEEPER + "# \u{1b}[2J\nEvil = \"\u{9b}2Jx\"\n"));
    let shown = terminal(&node, &[("> ", "config get Evil\r"), ("Evil = ", ""), ("> ", "\u{4}")]);
    assert!(shown.contains("\\u{9b}2Jx"), "{shown}");
    let gone = &format!("until gone: {}", console_path(&node).display());
    // Its session ends with the server: the next line says so, and there is no other server.
    let text = terminal(
        &node,
        &[("> ", "shutdown\r"), ("told to finish", gone), ("> ", "pid\r"), ("no server listens", "")],
    );
    assert!(text.ends_with("\n1\n"), "{text}");
    let mut server = server;
    assert_eq!(server.wait(), 0);
    // No server at all.
    let none = terminal(&node, &[("no server listens", "")]);
    assert!(none.ends_with("\n1\n") && !none.contains("> "), "{none}");
}
