//! `stepdown explain --state`: a pasted status is read strictly, and what is wrong with it is said with its line.

use serde_json::Value;

use crate::support::{Done, Node, STEPDOWN, done};

/// The status of a server in a container, as a kernel wrote it.
const STATUS: &str = "Name:\tserver\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nNgid:\t0\nPid:\t1\nPPid:\t0\nTracerPid:\t0\n\
    Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nFDSize:\t64\nGroups:\t1000 \nThreads:\t1\n\
    CapInh:\t0000000000000400\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n\
    CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";

fn explain(node: &Node, status: &[u8], arguments: &[&str]) -> Done {
    std::fs::write(node.dir.join("status"), status).unwrap();
    done(node.command(STEPDOWN).args(["explain", "--state", "status"]).args(arguments))
}

#[test]
fn a_pasted_state_is_explained_wherever_it_comes_from() {
    let Some(node) = Node::new() else { return };
    let from_file = explain(&node, STATUS.as_bytes(), &["--", "/bin/true"]);
    from_file.ran();
    for words in [
        "The state in status\n  user              1000\n",
        "  inheritable       cap_net_bind_service\n",
        "none is assumed",
        "stepdown: warning: cap_net_bind_service is in the inheritable set only",
        "\nExecve(2) of /bin/true\n",
        "  nothing changes\n",
    ] {
        assert!(from_file.out.contains(words), "{words} in {}", from_file.out);
    }
    // Through a pipe, with the tabs gone, Windows' line ends and indented, as pasted texts are.
    let mangled = "sed 's/\\t/ /g; s/^/  /; s/$/\\r/' status";
    let piped = node.sh(&format!("{mangled} | $STEPDOWN explain --state - -- /bin/true"));
    piped.ran();
    let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(rest(&piped.out), rest(&from_file.out));
    // Without a privilege.
    let other = node.sh(
        "cp $STEPDOWN stepdown; setpriv --reuid other --regid other --clear-groups ./stepdown explain --state status -- /bin/true",
    );
    assert_eq!(other.out, from_file.out);
}

#[test]
fn the_kernels_own_text_is_read() {
    let Some(node) = Node::new() else { return };
    // Every thread of every process that is there now: no line that this kernel writes may be unknown.
    let done = node.sh("cat /proc/1/status >one; $STEPDOWN explain --state one >/dev/null && cat /proc/self/status | $STEPDOWN explain --state -");
    done.ran();
    assert!(done.out.starts_with("The state on standard input\n"), "{}", done.out);
}

#[test]
fn what_no_kernel_wrote_is_refused_with_its_line() {
    let Some(node) = Node::new() else { return };
    let change = |from: &str, to: &str| {
        assert!(STATUS.contains(from));
        STATUS.replace(from, to)
    };
    let cut = STATUS.find("CapBnd").unwrap();
    for (text, words) in [
        (STATUS[..cut].to_owned(), "status:16:1: error: the text ends without CapBnd, CapAmb, NoNewPrivs"),
        (
            STATUS[..cut + 12].to_owned(),
            "status:17:1: error: the value of `CapBnd` is not what a kernel writes",
        ),
        (String::new(), "status:1:1: error: the text ends without Pid, Uid"),
        (change("CapInh:\t0", "CapInh:\t10"), "status:14:1: error: `CapInh` has capabilities above 63"),
        (change("CapInh:\t0", "CapInh:\tx"), "status:14:1: error: the value of `CapInh`"),
        (change("Ngid", "Nonsense"), "status:5:1: error: `Nonsense` is no line"),
        (change("CapAmb", "CapAmp"), "status:18:1: error: `CapAmp` is no line"),
        (change("Seccomp:\t2\n", "hello\n"), "status:20:1: error: this is no line of a status file"),
        (format!("{STATUS}{STATUS}"), "status:21:1: error: `Name` is there for the second time"),
        (change("Uid:\t1000\t1000", "Uid:\t1000"), "status:9:1: error: the value of `Uid`"),
        (change("Uid:\t1000", "Uid:\t-1"), "status:9:1: error: the value of `Uid`"),
        (change("Uid:\t1000", "Uid:\t4294967295"), "status:9:1: error: the value of `Uid`"),
        (change("NoNewPrivs:\t0", "NoNewPrivs:\t2"), "status:19:1: error: the value of `NoNewPrivs`"),
        (
            change("CapEff:\t0000000000000000", "CapEff:\t0000000000000400"),
            "status:16:1: error: no kernel produces this state: cap_net_bind_service is in the effective set and not in the permitted set",
        ),
        (
            change("CapAmb:\t0000000000000000", "CapAmb:\t0000000000002400"),
            "status:18:1: error: no kernel produces this state: cap_net_bind_service,cap_net_raw are in the ambient set and not in the permitted set",
        ),
        (
            change("CapPrm:\t0000000000000000", "CapPrm:\t0000000000002000")
                .replace("CapAmb:\t0000000000000000", "CapAmb:\t0000000000002000"),
            "status:18:1: error: no kernel produces this state: cap_net_raw is in the ambient set and not in the inheritable set",
        ),
    ] {
        let done = explain(&node, text.as_bytes(), &["--", "/bin/true"]);
        assert_eq!((done.status, done.out.as_str()), (1, ""), "{words}: {done:?}");
        assert!(done.err.contains(words), "{words} in {}", done.err);
        assert!(done.err.contains("   why: ") && done.err.contains("  hint: "), "{}", done.err);
        let json = explain(&node, text.as_bytes(), &["--format", "json"]);
        let json: Value = serde_json::from_str(&json.out).unwrap();
        assert!(json["findings"][0]["place"]["line"].is_number(), "{json}");
    }
}

#[test]
fn hostile_files_end_in_an_error() {
    let Some(node) = Node::new() else { return };
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let done = explain(&node, &binary, &[]);
    assert_eq!((done.status, done.out.as_str()), (1, ""));
    assert!(
        !done.err.bytes().any(|byte| byte < 0x20 && byte != b'\n'),
        "control characters reach the terminal"
    );
    for (make, words) in [
        (":", "there is no such file"),
        ("mkdir f", "it is a directory"),
        ("mkfifo f", "not a regular file"),
        ("ln -s /dev/zero f", "not a regular file"),
        ("yes Pid: 1 | head -c 2000000 >f", "is larger than"),
    ] {
        let done = node.sh(&format!("rm -rf f; {make}; timeout 20 $STEPDOWN explain --state f"));
        assert_eq!(done.status, 1, "{make}: {done:?}");
        assert!(done.err.contains(words), "{make}: {}", done.err);
    }
    let done = node.sh("timeout 20 $STEPDOWN explain --state - </dev/zero");
    assert!(done.status == 1 && done.err.contains("is larger than"), "{done:?}");
}

#[test]
fn securebits_are_assumed_or_told() {
    let Some(node) = Node::new() else { return };
    let root = STATUS.replace("Uid:\t1000\t1000\t1000\t1000", "Uid:\t0\t0\t0\t0");
    let state = |arguments: &[&str]| -> Value {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        all.extend(["--", "/bin/true"]);
        serde_json::from_str(&explain(&node, root.as_bytes(), &all).out).unwrap()
    };
    let assumed = state(&[]);
    assert_eq!(assumed["securebits_assumed"], true);
    assert_eq!(assumed["execve"]["state"]["permitted"].as_array().unwrap().len(), 14);
    for bits in ["1", "0x3", "noroot", "noroot,noroot-locked"] {
        let told = state(&["--securebits", bits]);
        assert_eq!(told["securebits_assumed"], false);
        assert_eq!(told["execve"]["state"]["permitted"], serde_json::json!([]), "{bits}");
        assert_eq!(told["findings"][0]["code"], "root-without-capabilities");
    }
}

#[test]
fn it_is_readable_in_a_narrow_terminal_and_by_a_reader_that_goes_away() {
    let Some(node) = Node::new() else { return };
    node.file("status", STATUS);
    let done = node.sh("$STEPDOWN explain --state status -- /bin/true 2>err | head -1; cat err");
    assert_eq!(done.out, "The state in status\n");
    let done = node.sh("LC_ALL=C NO_COLOR=1 $STEPDOWN explain --state status -- /bin/true");
    done.ran();
    assert!(done.out.lines().all(|line| line.len() <= 80 && line.is_ascii()), "{}", done.out);
}
