//! `stepdown config` on files: included ones, those of the search path, and those with something wrong.

use serde_json::Value;

use crate::support::{Done, Node};

const MAIN: &str = r#"# the node's own
Security {
  user = ecuser
  Capabilities = "cap_net_bind_service+ep"
  supplemental_GROUPS = ( extra "4" )
}
Esmtp_Listener {
  Listen ":25" { }
  Listen ":587" { Enable = false }
  Idle_Time = 300
}
include "cluster.conf"
"#;

const CLUSTER: &str = "Security { Capabilities = \"cap_net_raw+ep\" }\nMessage_Expiration = 86400\n";

fn node() -> Option<Node> {
    let node = Node::new()?;
    node.file("main.conf", MAIN);
    node.file("cluster.conf", CLUSTER);
    Some(node)
}

fn config(node: &Node, arguments: &str) -> Done {
    node.sh(&format!("exec $STEPDOWN config {arguments} -c main.conf"))
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error} in {done:?}"))
}

#[test]
fn the_questions_are_answered_in_the_words_of_the_console() {
    let Some(node) = node() else { return };
    for (line, answer) in [
        ("show", "Security { ... }\nEsmtp_Listener { ... }\nMessage_Expiration = 86400\n"),
        ("show Esmtp_Listener", "Listen \":25\" { ... }\nListen \":587\" { ... }\nIdle_Time = 300\n"),
        ("show esmtp_listener listen :587", "Enable = false\n"),
        ("show Esmtp_Listener Listen :25", ""),
        ("showrecurse Esmtp_Listener 'Listen \":587\"'", "Listen \":587\" {\n  Enable = false\n}\n"),
        ("get security USER", "User = ecuser\n"),
        ("get security capabilities", "Capabilities = \"cap_net_raw+ep\"\n"),
        ("get security supplemental_groups", "Supplemental_Groups = (\n  extra\n  \"4\"\n)\n"),
        ("eval Esmtp_Listener Listen :587 Message_Expiration", "Message_Expiration = 86400\n"),
        ("eval Security No_New_Privs", "No_New_Privs = true\n"),
        (
            "locate listen",
            "Listen \":25\"\n  is at Esmtp_Listener::Listen:\\:25:\nListen \":587\"\n  is at Esmtp_Listener::Listen:\\:587:\n",
        ),
        ("locate listen '^:5.7$'", "Listen \":587\"\n  is at Esmtp_Listener::Listen:\\:587:\n"),
        ("locate user", "User = ecuser\n  is at Security::User\n"),
    ] {
        assert_eq!(config(&node, line).ran().out, answer, "{line}");
    }
}

#[test]
fn what_is_not_there_is_1_with_what_was_meant() {
    let Some(node) = node() else { return };
    for (line, out, err) in [
        ("get Blackhole", "Option 'Blackhole' is not set in scope ''.\n", ""),
        ("get Security usr", "Option 'usr' is not set in scope 'Security::'.\n", "did you mean `User`?"),
        (
            "get security chroot",
            "Option 'Chroot' is not set in scope 'Security::'.\n",
            "the root directory stays",
        ),
        ("get user", "Option 'User' is not set in scope ''.\n", "it is set at Security::User"),
        ("show Securty", "", "did you mean `Security`?"),
        ("show Esmtp_Listener Listen :2", "", "did you mean"),
        ("show Esmtp_Listener Listen", "", "Listen \":25\", Listen \":587\""),
        ("get Security", "Option 'Security' is not set in scope ''.\n", ""),
        ("get", "", "no option is named"),
        ("locate lisetn", "", "did you mean `Listen`?"),
        ("locate listen 99", "", "none that matches"),
        ("locate listen '('", "", "no regular expression"),
    ] {
        let done = config(&node, line);
        assert_eq!((done.status, done.out.as_str()), (1, out), "{line}: {done:?}");
        assert!(done.err.contains(err), "{line}: {done:?}");
        let object = json(&config(&node, &format!("{line} --format json")));
        assert!(object["set"] == false || object["findings"][0]["severity"] == "error", "{line}: {object}");
    }
}

#[test]
fn the_origin_names_the_file_and_what_was_overridden() {
    let Some(node) = node() else { return };
    let done = config(&node, "get Security Capabilities --origin");
    assert_eq!(
        done.ran().out,
        "Capabilities = \"cap_net_raw+ep\"\n  # cluster.conf:1:27\n  # instead of \"cap_net_bind_service+ep\" at main.conf:4:18\n"
    );
    let object = json(&config(&node, "get Security Capabilities --format json"));
    assert_eq!(object["value"], "cap_net_raw+ep");
    assert_eq!(object["place"], serde_json::json!({ "file": "cluster.conf", "line": 1, "column": 27 }));
    assert_eq!(object["overrode"][0]["value"], "cap_net_bind_service+ep");
    assert_eq!(object["overrode"][0]["place"]["file"], "main.conf");
    let whole = config(&node, "showrecurse --origin");
    for line in [
        "  # opened at main.conf:2:1\n  # opened at cluster.conf:1:1\n",
        "Message_Expiration = 86400\n  # cluster.conf:2:22\n",
    ] {
        assert!(whole.ran().out.contains(line), "{line} is not in {}", whole.out);
    }
    let defaulted = config(&node, "eval Security No_New_Privs --origin");
    assert_eq!(defaulted.ran().out, "No_New_Privs = true\n  # the default\n");
}

#[test]
fn the_whole_of_every_sample_read_again_says_the_same() {
    let Some(node) = Node::new() else { return };
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(&samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        // A copy, since the sources may belong to somebody whom root does not trust.
        node.file(&path.file_name().unwrap().to_string_lossy(), &std::fs::read_to_string(&path).unwrap());
        count += 1;
    }
    assert!(count > 4, "{count}");
    let done = node.sh(
        "for f in *.conf; do for o in '' --origin; do $STEPDOWN config showrecurse $o -c $f >again || exit; \
         $STEPDOWN config showrecurse -c $f >plain; $STEPDOWN config showrecurse -c again >twice || exit; cmp plain twice || exit; \
         done; done; echo same",
    );
    assert_eq!(done.ran().out, "same\n");
}

#[test]
fn without_a_file_the_search_path_is_followed() {
    let Some(node) = node() else { return };
    node.file("etc/stepdown.conf", "Security { user = other }");
    let done = node.sh("STEPDOWN_CONF_PATH=$PWD/etc exec $STEPDOWN config get Security User");
    assert_eq!(done.ran().out, "User = other\n");
    let done = node.sh("STEPDOWN_CONF_PATH=$PWD/none exec $STEPDOWN config get Security User");
    assert_eq!((done.status, done.out.as_str()), (1, ""), "{done:?}");
    assert!(done.err.contains("no configuration found"), "{done:?}");
}

#[test]
fn a_file_with_an_error_is_answered_with_the_error() {
    let Some(node) = node() else { return };
    node.file("main.conf", "a = (\n");
    let done = config(&node, "show");
    assert_eq!((done.status, done.out.as_str()), (1, ""), "{done:?}");
    assert!(done.err.contains("main.conf:1:"), "{done:?}");
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let Some(node) = node() else { return };
    node.file("main.conf", "a = \"x\u{1b}[31my\"\nL \"\u{7}\" { }\n");
    let done = config(&node, "showrecurse --origin");
    assert_eq!(done.ran().out.lines().next(), Some("a = \"x\\u{1b}[31my\""), "{done:?}");
    assert!(!done.out.contains(['\u{1b}', '\u{7}']), "{done:?}");
    assert_eq!(json(&config(&node, "get a --format json"))["value"], "x\u{1b}[31my");
}

#[test]
fn deep_and_wide_files_are_shown_and_a_reader_may_go_away() {
    let Some(node) = node() else { return };
    let deep = format!("{}x = 1{}", "a { ".repeat(190), " }".repeat(190));
    let wide: String = (0..20_000).map(|n| format!("L \"{n}\" {{ v = {n} }}\n")).collect();
    node.file("main.conf", &format!("{deep}\n{wide}"));
    let path = "a ".repeat(190);
    assert_eq!(config(&node, &format!("get {path} x")).ran().out, "x = 1\n");
    assert_eq!(config(&node, "get L 19999 v").ran().out, "v = 19999\n");
    assert!(config(&node, "show").ran().out.ends_with("L \"19999\" { ... }\n"));
    let gone = node.sh("{ $STEPDOWN config showrecurse -c main.conf; echo $? >status; } | true; cat status");
    assert_eq!(gone.err, "", "{gone:?}");
    assert!(["0", "141"].contains(&gone.out.trim()), "{gone:?}");
}

#[test]
fn the_output_in_the_reference_is_real() {
    const PAGE: &str = include_str!("../../../../docs/commands.md");
    let Some(node) = Node::new() else { return };
    for name in ["server.conf", "site.conf"] {
        let (_, after) = PAGE.split_once(&format!("\n`{name}`:\n\n```\n")).unwrap();
        node.file(name, after.split_once("```").unwrap().0);
    }
    let mut count = 0;
    for block in PAGE.split("```console\n").skip(1) {
        let block = block.split_once("```").unwrap().0;
        for example in block.split("$ stepdown ").skip(1) {
            let (command, printed) = example.split_once('\n').unwrap();
            count += 1;
            let done = if command.ends_with("$!") {
                // The process number is another one each time.
                let script = "while [ \"$(cat /proc/$P/comm)\" != sleep ]; do sleep 0.02; done";
                let done = node.sh(&format!(
                    "$STEPDOWN run -c server.conf -- sleep 60 & P=$!; {script}; $STEPDOWN {command} | sed \"s/$P/4711/\"; kill $P"
                ));
                assert_eq!(done.err, "", "{done:?}");
                done
            } else {
                node.sh(&format!("exec $STEPDOWN {command}"))
            };
            assert_eq!(done.out, printed, "{command}");
        }
    }
    assert!(count >= 10, "{count}");
}
