//! The commands besides what they do to a process: help, version, usage errors, exit statuses, formats, where the
//! configuration is looked for, and a reader that goes away.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Done, Node, STEPDOWN, done};

const GOOD: &str = "Security { user = ecuser }\n";

/// The program itself, needing no node and no root.
fn stepdown(arguments: &[&str]) -> Done {
    done(std::process::Command::new(STEPDOWN).args(arguments).env_clear().stdin(Stdio::null()))
}

const COMMANDS: [&str; 6] = ["run", "check", "caps", "status", "config", "demo"];

#[test]
fn the_help_of_the_program_lists_every_command() {
    for arguments in [["--help"], ["-h"]] {
        let help = stepdown(&arguments);
        for command in COMMANDS {
            assert!(help.ran().out.contains(&format!("\n  {command} ")), "{command}: {}", help.out);
        }
    }
}

#[test]
fn every_command_has_help_with_its_usage_flags_and_exit_statuses() {
    for command in COMMANDS {
        let help = stepdown(&[command, "--help"]);
        let usage = format!("\nUsage: stepdown {command}");
        for part in [usage.as_str(), "\nFlags:\n", "--help", "--version", "\nExit status:\n"] {
            assert!(help.ran().out.contains(part), "{command}: “{part}” is not in {}", help.out);
        }
        assert!(help.out.lines().all(|line| !line.ends_with(' ')), "{command}: {}", help.out);
        assert_eq!(help.out, stepdown(&[command, "-h"]).out);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    for arguments in [&["--version"][..], &["-V"], &["run", "--version"]] {
        assert_eq!(stepdown(arguments).ran().out, format!("stepdown {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_wrong_command_line_is_2_and_for_run_125_so_that_it_is_not_the_programs() {
    for (arguments, status, word) in [
        (&[][..], 2, "no command is given"),
        (&["chekc"], 2, "did you mean `stepdown check`?"),
        (&["--nonsense"], 2, "--nonsense"),
        (&["check", "--fromat", "json"], 2, "did you mean --format?"),
        (&["check", "--format", "xml"], 2, "text or json"),
        (&["check", "-x"], 2, "-x"),
        (&["check", "-c"], 2, "-c"),
        (&["check", "one", "two"], 2, "-c"),
        (&["check", "--syntax"], 2, "--syntax"),
        (&["check", "--syntax", "-c", "x", "y"], 2, "--syntax"),
        (&["status", "1", "2"], 2, "one process at most"),
        (&["config"], 2, "showrecurse"),
        (&["config", "shwo"], 2, "did you mean `stepdown config show`?"),
        (&["config", "locate"], 2, "locate takes a name"),
        (&["caps", "--canonical"], 2, "--canonical"),
        (&["run"], 125, "no program is named"),
        (&["run", "--"], 125, "no program is named"),
        (&["run", "--nonsense", "id"], 125, "--nonsense"),
        (&["run", "-c"], 125, "-c"),
        (&["run", "--format", "xml", "id"], 125, "text or json"),
    ] {
        let usage = stepdown(arguments);
        assert_eq!((usage.status, usage.out.as_str()), (status, ""), "{arguments:?}: {usage:?}");
        assert!(usage.err.contains(word), "{arguments:?}: “{word}” is not in {}", usage.err);
        assert!(usage.err.contains("  usage: stepdown"), "{arguments:?}: {}", usage.err);
    }
}

#[test]
fn what_follows_the_program_is_the_programs_own() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", GOOD);
    for dashes in ["--", ""] {
        let done = node.sh(&format!("$STEPDOWN run -c server.conf {dashes} echo --help -c -- --format xml"));
        assert_eq!(done.ran().out, "--help -c -- --format xml\n");
    }
}

#[test]
fn the_exit_status_is_the_programs_own() {
    let Some(node) = Node::new() else { return };
    for (script, status) in
        [("exit 0", 0), ("exit 3", 3), ("exit 125", 125), ("kill -9 $$", 137), ("kill -15 $$", 143)]
    {
        let done = node.run(GOOD, &["sh", "-c", script]);
        assert_eq!((done.status, done.err.as_str()), (status, ""), "{script}: {done:?}");
    }
}

#[test]
fn a_program_that_can_not_be_executed_is_126_and_one_that_is_not_there_127() {
    let Some(node) = Node::new() else { return };
    let made = node
        .sh("echo text >data; echo nothing >odd; chmod 755 odd; mkdir dir private; cp /bin/true private/; \
                        chmod 700 private; printf '#!/nonexistent/sh\\n' >script; chmod 755 script");
    assert_eq!(made.status, 0, "{made:?}");
    for (program, status, word) in [
        ("./data", 126, "EACCES"),
        ("./dir", 126, "EACCES"),
        ("./odd", 126, "ENOEXEC"),
        ("private/true", 126, "EACCES"),
        ("./missing", 127, "ENOENT"),
        ("./data/missing", 127, "ENOTDIR"),
        ("missing-program", 127, "no directory of PATH has it"),
        ("./script", 127, "its interpreter /nonexistent/sh"),
        ("", 127, "ENOENT"),
    ] {
        let done = node.run(GOOD, &[program]);
        assert_eq!((done.status, done.out.as_str()), (status, ""), "{program}: {done:?}");
        assert!(done.err.contains(word), "{program}: “{word}” is not in {}", done.err);
    }
}

#[test]
fn a_refusal_for_the_scope_comes_before_one_for_the_program() {
    let Some(node) = Node::new() else { return };
    node.run("Security { user = nobody-of-that-name }", &["missing-program"])
        .refused(&["nobody-of-that-name"]);
}

#[test]
fn silent_on_success_and_the_proof_on_demand() {
    let Some(node) = Node::new() else { return };
    assert_eq!(node.run(GOOD, &["true"]).ran().out, "");
    let told = node.sh("$STEPDOWN run -v -c server.conf -- true");
    assert_eq!((told.status, told.out.as_str()), (0, ""));
    for word in ["proven", "994", "no_new_privs", "refused by the kernel", "executing"] {
        assert!(told.err.contains(word), "“{word}” is not in {}", told.err);
    }
}

#[test]
fn check_answers_with_one_line_where_all_is_well() {
    let Some(node) = Node::new() else { return };
    assert_eq!(node.check(GOOD).ran().out, "Configuration valid\n");
}

#[test]
fn check_tells_findings_of_the_text_from_those_of_the_host() {
    let Some(node) = Node::new() else { return };
    let text = node.check("Security { user = 0x0 }");
    assert_eq!(text.status, 1);
    assert!(text.out.contains(": error: ") && !text.out.contains("(this host)"), "{}", text.out);
    let host = node.check("Security { user = nobody-of-that-name }");
    assert_eq!(host.status, 1);
    assert!(host.out.contains(": error (this host): "), "{}", host.out);
    assert!(host.out.contains("1 error (0 in the text, 1 caused by this host)"), "{}", host.out);
}

#[test]
fn check_without_any_configuration_says_so() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("STEPDOWN_CONF_PATH=$PWD/nowhere exec $STEPDOWN check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.out.ends_with("No configuration found\n"), "{done:?}");
    node.sh("STEPDOWN_CONF_PATH=$PWD/nowhere exec $STEPDOWN run -- id")
        .refused(&["stepdown.conf", "nowhere"]);
}

#[test]
fn syntax_alone_needs_no_host_no_names_and_no_includes() {
    let Some(node) = Node::new() else { return };
    node.file("a.conf", "include missing\nSecurity { user = nobody-of-that-name bogus = 1 }");
    node.file("b.conf", "Listen \":25\" { x = ( 1 2 ) }");
    // As a user who is nobody here.
    let both = node.sh("cp $STEPDOWN ./stepdown && chmod 755 stepdown && \
                        exec setpriv --reuid=3003 --regid=3003 --clear-groups \
                        ./stepdown check --syntax a.conf b.conf");
    assert_eq!(both.ran().out, "Configuration valid\n");
    node.file("c.conf", "x = (\n");
    node.file("d.conf", "} y\n");
    let broken = node.sh("exec $STEPDOWN check --syntax a.conf c.conf d.conf missing.conf");
    assert_eq!(broken.status, 1, "{broken:?}");
    for word in ["c.conf:1:", "d.conf:1:", "missing.conf", "Configuration not valid: "] {
        assert!(broken.out.contains(word), "“{word}” is not in {}", broken.out);
    }
}

#[test]
fn all_syntax_errors_are_reported_and_not_the_first_alone() {
    let Some(node) = Node::new() else { return };
    node.file("e.conf", "a = \n}\nb = ( x\nc = ]\n\"loose\"\n");
    let done = node.sh("exec $STEPDOWN check --syntax e.conf");
    assert!(done.out.matches(": error: ").count() > 2, "{}", done.out);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn the_json_of_check_has_every_finding_with_its_place() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = root\n  bogus = 1\n  group = 0x0 }");
    let done = node.sh("exec $STEPDOWN check --format json -c server.conf");
    assert_eq!((done.status, done.err.as_str(), done.out.lines().count()), (1, "", 1), "{done:?}");
    let answer = json(&done.out);
    assert_eq!(answer["valid"], false);
    let findings = answer["findings"].as_array().unwrap();
    let unknown = findings.iter().find(|finding| finding["code"] == "unknown-option").unwrap();
    assert_eq!(unknown["severity"], "error");
    assert_eq!(unknown["cause"], "text");
    assert_eq!((&unknown["place"]["line"], &unknown["place"]["column"]), (&Value::from(2), &Value::from(3)));
    assert!(unknown["place"]["file"].as_str().unwrap().ends_with("server.conf"));
    for key in ["message", "why", "hint"] {
        assert!(unknown[key].is_string(), "{key} of {unknown}");
    }
    assert!(findings.iter().any(|finding| finding["code"] == "bad-identity"), "{answer}");
    node.file("server.conf", GOOD);
    let good = json(&node.sh("exec $STEPDOWN check --format json -c server.conf").out);
    assert_eq!((&good["valid"], &good["findings"]), (&Value::from(true), &Value::Array(vec![])));
}

#[test]
fn the_json_of_run_is_on_standard_error() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", GOOD);
    let ran = node.sh("exec $STEPDOWN run --format json -v -c server.conf -- echo hello");
    assert_eq!((ran.status, ran.out.as_str()), (0, "hello\n"));
    let proof = json(&ran.err);
    assert_eq!(proof["proven"]["user"], Value::from(vec![994; 4]));
    assert_eq!(proof["proven"]["groups"], Value::from(vec![994, 996]));
    assert_eq!(proof["proven"]["no_new_privs"], true);
    assert_eq!(proof["threads"], 1);
    assert!(!proof["refused"].as_array().unwrap().is_empty());
    let quiet = node.sh("exec $STEPDOWN run --format json -c server.conf -- echo hello");
    assert_eq!(quiet.ran().out, "hello\n");
    for (program, status) in [("missing-program", 127), ("./server.conf", 126)] {
        let failed = node.sh(&format!("exec $STEPDOWN run --format json -c server.conf -- {program}"));
        assert_eq!(failed.status, status);
        assert_eq!(json(&failed.err)["started"], false);
    }
}

/// `caps --canonical -` with this input.
fn caps(node: &Node, flags: &str, input: &[u8]) -> Done {
    let path = node.file("caps", "");
    std::fs::write(path, input).unwrap();
    node.sh(&format!("exec $STEPDOWN caps --canonical {flags} - <caps"))
}

#[test]
fn caps_answers_each_line_with_a_line() {
    let Some(node) = Node::new() else { return };
    let done = caps(&node, "", b"cap_net_bind_service+ep\n\ncap_chown=p=e\n=ep\nCAP_KILL+ip\ncap_foo+p");
    assert_eq!(done.status, 1, "{done:?}");
    let lines: Vec<&str> = done.out.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[4]), (6, "cap_net_bind_service=ep", "cap_kill=ip"), "{done:?}");
    assert!(lines[2].starts_with("error: ") && lines[5].starts_with("error: "), "{done:?}");
    assert_eq!(caps(&node, "", b"cap_kill+p\n").ran().out, "cap_kill=p\n");
    assert_eq!(caps(&node, "", b"").ran().out, "");
}

#[test]
fn caps_survives_what_is_no_text() {
    let Some(node) = Node::new() else { return };
    let mut input = b"\xff\xfe+p\ncap_kill\0+p\n".to_vec();
    input.extend(vec![b'x'; 5_000_000]);
    let done = caps(&node, "", &input);
    assert_eq!((done.status, done.out.lines().count()), (1, 3), "{}", done.err);
    assert!(done.out.lines().all(|line| line.starts_with("error: ")));
    assert!(done.out.len() < 10_000, "{} bytes", done.out.len());
}

#[test]
fn the_json_of_caps_is_an_object_a_line() {
    let Some(node) = Node::new() else { return };
    let done = caps(&node, "--format json", b"cap_kill+ep\nnonsense\n");
    let lines: Vec<Value> = done.out.lines().map(json).collect();
    assert_eq!(lines[0]["canonical"], "cap_kill=ep");
    assert_eq!(lines[0]["effective"], "0000000000000020");
    assert!(lines[1]["error"].is_string() && lines[1]["offset"].is_u64(), "{done:?}");
}

#[test]
fn a_reader_that_has_gone_is_no_reason_for_a_message() {
    let Some(node) = Node::new() else { return };
    node.file("lines", &"cap_kill+ep\n".repeat(200_000));
    node.file("wrong.conf", "Security { bogus = 1 }");
    for command in ["caps --canonical - <lines", "--help", "check -c wrong.conf", "run --help"] {
        let done = node.sh(&format!("{{ $STEPDOWN {command}; echo $? >status; }} | true; cat status"));
        assert_eq!(done.err, "", "{command}: {done:?}");
        // Ended by the signal, or by itself: but never with a message, and never 101 for a panic.
        assert!(["0", "1", "141"].contains(&done.out.trim()), "{command}: {done:?}");
    }
}

#[test]
fn a_full_disk_is_no_panic() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("$STEPDOWN --help >/dev/full; echo $?; \
         echo cap_kill+p | $STEPDOWN caps --canonical - >/dev/full; echo $?");
    assert!(!done.err.contains("panic"), "{done:?}");
    assert!(done.out.lines().all(|status| ["0", "1", "2"].contains(&status)), "{done:?}");
    assert_eq!(done.out.lines().last(), Some("2"), "{done:?}");
}

/// `check` of a configuration with an error, on a terminal of its own.
fn on_a_terminal(node: &Node, environment: &str) -> String {
    node.file("wrong.conf", "Security { bogus = 1 }");
    let done = node
        .sh(&format!("env TERM=xterm {environment} script -qec \"$STEPDOWN check -c wrong.conf\" /dev/null"));
    assert!(done.out.contains("bogus"), "{done:?}");
    done.out
}

#[test]
fn colour_is_for_terminals_and_not_where_no_color_is_set() {
    let Some(node) = Node::new() else { return };
    assert!(on_a_terminal(&node, "").contains("\u{1b}["));
    assert!(on_a_terminal(&node, "NO_COLOR=").contains("\u{1b}["), "empty is not set, says no-color.org");
    for environment in ["NO_COLOR=1", "NO_COLOR=0", "TERM=dumb"] {
        assert!(!on_a_terminal(&node, environment).contains('\u{1b}'), "{environment}");
    }
    assert!(!node.sh("exec $STEPDOWN check -c wrong.conf").out.contains('\u{1b}'));
}

/// Prints the user that the configuration found without `-c` names.
fn found(node: &Node, environment: &str) -> Done {
    node.sh(&format!("{environment} exec $STEPDOWN run -- id -u"))
}

#[test]
fn without_a_file_the_search_path_is_followed_and_the_first_hit_wins() {
    let Some(node) = Node::new() else { return };
    node.file("one/stepdown.conf", "Security { user = ecuser }");
    node.file("two/stepdown.conf", "Security { user = other }");
    let dir = node.dir.display();
    let path = |list: &[&str]| list.iter().map(|name| format!("{dir}/{name}")).collect::<Vec<_>>().join(":");
    for (list, user) in [(&["one", "two"][..], "994"), (&["two", "one"], "995"), (&["none", "two"], "995")] {
        for variable in ["STEPDOWN_CONF_PATH", "EC_CONF_SEARCH_PATH"] {
            assert_eq!(found(&node, &format!("{variable}={}", path(list))).ran().out, format!("{user}\n"));
        }
    }
    let both = format!("STEPDOWN_CONF_PATH={} EC_CONF_SEARCH_PATH={}", path(&["one"]), path(&["two"]));
    assert_eq!(found(&node, &both).ran().out, "994\n");
}

#[test]
fn the_search_path_knows_the_name_of_the_node() {
    let Some(node) = Node::new() else { return };
    node.file("mx7/stepdown.conf", "Security { user = other }");
    let dir = node.dir.display();
    let done = node.sh(&format!(
        "exec unshare --uts sh -c 'hostname mx7.example.com; \
         STEPDOWN_CONF_PATH=\"{dir}/{{NODENAME}}\" exec $STEPDOWN run -- id -u'"
    ));
    assert_eq!(done.ran().out, "995\n");
}

#[test]
fn the_standard_places_are_global_the_node_and_default() {
    let Some(node) = Node::new() else { return };
    node.file("etc/default/stepdown.conf", "Security { user = 3001 group = 3001 }");
    let run = |node: &Node| {
        node.sh("exec unshare --uts --mount sh -c 'hostname mx7.example.com; \
                 mount -t tmpfs -o mode=755 tmpfs /mnt && \
                 mkdir /mnt/up /mnt/work /mnt/etc && cp -r etc /mnt/up/stepdown && mount -t overlay \
                 -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work overlay /etc && \
                 exec $STEPDOWN run -- id -u'")
    };
    assert_eq!(run(&node).ran().out, "3001\n");
    node.file("etc/mx7/stepdown.conf", "Security { user = 3002 group = 3002 }");
    assert_eq!(run(&node).ran().out, "3002\n");
    node.file("etc/global/stepdown.conf", "Security { user = 3003 group = 3003 }");
    assert_eq!(run(&node).ran().out, "3003\n");
}
