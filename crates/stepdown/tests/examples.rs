//! The examples, run as they stand in a network and with a user database of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An example of this package, which cargo has built beside this test.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is built with the tests", path.display());
    path
}

/// Runs a shell script as root in namespaces of its own, with `ecuser` (994), and the path of the example as `$0`.
/// `None`, after saying so, where this process is not root.
fn run(name: &str, script: &str) -> Option<Output> {
    if !std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t") {
        skip("it needs root");
        return None;
    }
    let setup = "mount -t tmpfs -o mode=0755 none /mnt && cd /mnt && cp /etc/passwd /etc/group . && \
                 echo ecuser:x:994:994::/nonexistent:/bin/sh >>passwd && echo ecuser:x:994: >>group && \
                 echo extra:x:996:ecuser >>group && mount --bind passwd /etc/passwd && mount --bind group /etc/group && \
                 ip link set lo up || exit 99\n";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--propagation", "private", "sh", "-c"]);
    command.arg(format!("{setup}{script}")).arg(example(name)).stdin(Stdio::null());
    Some(command.output().unwrap())
}

fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "{test} would be skipped: {why}"
    );
    eprintln!("skipped: {test}: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "skipped: {test}: {why}").unwrap();
    }
}

#[track_caller]
fn out(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(err, "");
    out.into_owned()
}

/// Waits until the server says that it serves, prints what it is by then, and connects to port 25.
const CLIENT: &str = "(ONCE=1 \"$0\" $ARGUMENT >said & echo $! >pid; /usr/bin/python3 - <<'END'\n\
import socket, time\n\
for attempt in range(1000):\n\
\x20   if 'serving' in open('said').read(): break\n\
\x20   time.sleep(0.01)\n\
print(open('/proc/' + open('pid').read().strip() + '/status').read())\n\
s = socket.create_connection(('127.0.0.1', 25))\n\
print(s.recv(100).decode().strip())\n\
END\n\
wait $(cat pid) && cat said)";

#[test]
fn a_server_on_port_25_in_under_forty_lines() {
    let lines = include_str!("../examples/tcp25.rs").lines().count();
    assert!(lines < 40, "{lines}");
    let Some(output) = run("tcp25", CLIENT) else { return };
    let text = out(&output);
    for line in [
        "220 localhost at your service",
        "serving as user 65534 with cap_net_bind_service",
        "CapEff:\t0000000000000400",
        "Uid:\t65534\t65534\t65534\t65534",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_same_from_a_file() {
    let script = format!(
        "echo 'Security {{ user = ecuser Capabilities = \"cap_net_bind_service+ep\" }}' >server.conf; ARGUMENT=server.conf; {CLIENT}"
    );
    let Some(output) = run("tcp25", &script) else { return };
    let text = out(&output);
    for line in ["serving as user 994 with cap_net_bind_service", "Groups:\t994 996"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_runtime_with_threads_starts_after_stepping_down() {
    let script = format!("echo 'Security {{ user = ecuser }}' >server.conf; ARGUMENT=server.conf; {CLIENT}");
    let Some(output) = run("tokio", &script) else { return };
    let text = out(&output);
    for line in
        ["serving as user 994, 1 thread", "220 localhost at your service", "CapPrm:\t0000000000000000"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_child_of_a_program_with_threads_runs_under_the_scope() {
    let script = "exec 7</; \"$0\" ecuser /bin/sh -c 'cat /proc/self/status; id -u; id -G; echo $HOME $USER $LOGNAME; ls /proc/self/fd'";
    let Some(output) = run("spawn", script) else { return };
    let text = out(&output);
    for line in [
        "CapEff:\t0000000000000400",
        "CapBnd:\t0000000000000400",
        "NoNewPrivs:\t1",
        "\n994\n994 996\n/nonexistent ecuser ecuser\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.ends_with("ecuser\n0\n1\n2\n3\n"), "no descriptor but those of ls: {text}");
}

#[test]
fn a_child_that_cannot_be_is_refused_before_the_fork() {
    let Some(output) = run("spawn", "\"$0\" nosuch /bin/true") else { return };
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("there is no user `nosuch`"), "{text}");
    let Some(output) = run("spawn", "\"$0\" ecuser /bin/nosuchprogram") else { return };
    assert!(String::from_utf8_lossy(&output.stderr).contains("nosuchprogram: ENOENT"));
}

#[test]
fn a_call_that_lies_in_the_child_is_found_out_and_named() {
    if !Path::new("/usr/bin/strace").exists() {
        return skip("strace is not installed");
    }
    let script = "strace -f -qq -o log -e trace=setgroups -e inject=setgroups:retval=0 \"$0\" ecuser /bin/sh -c 'echo it ran'";
    let Some(output) = run("spawn", script) else { return };
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("supplementary groups is") && text.contains("should be 994 996"), "{text}");
}

#[test]
fn without_root_nothing_changes_and_the_reason_is_given() {
    // The port is free for all in this network, so that it is not the bind that fails.
    let script = "sysctl -qw net.ipv4.ip_unprivileged_port_start=0 && cp \"$0\" example && \
                  setpriv --reuid 995 --regid 995 --clear-groups ./example";
    let Some(output) = run("tcp25", script) else { return };
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("this process does not hold"), "{text}");
}
