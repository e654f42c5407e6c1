//! `stepdown status`: processes and their threads, compared with what `/proc` says, and processes that can't be read.

use serde_json::Value;

use crate::support::{Done, ECUSER, Node, have};

/// Starts `command` behind `exec`, runs `script` with its id as `$P` once it has put up the file `ready`, and ends it.
fn beside(node: &Node, command: &str, script: &str) -> Done {
    node.sh(&format!(
        "rm -f ready; (exec {command}) & P=$!; n=0; while [ ! -e ready ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n+1)); done; \
         {script}; s=$?; kill -9 $P; exit $s"
    ))
}

/// Four threads in one process: two alike, one with no_new_privs, one of another user; and a root directory of its own.
const THREADS: &str = r#"
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
done = threading.Barrier(4)
def work(number):
    libc.prctl(15, b"worker%d" % number, 0, 0, 0)
    if number == 2:
        libc.prctl(38, 1, 0, 0, 0)
    if number == 3:
        libc.syscall({"x86_64": 117, "aarch64": 147}[os.uname().machine], 994, 994, 994)
    done.wait()
    time.sleep(60)
for number in (1, 2, 3):
    threading.Thread(target=work, args=(number,), daemon=True).start()
done.wait()
open("ready", "w").close()
os.chroot("/mnt")
time.sleep(60)
"#;

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error} in {done:?}"))
}

fn row<'a>(done: &'a Done, name: &str) -> &'a str {
    done.out
        .lines()
        .find_map(|line| line.strip_prefix(&format!("  {name:<18}")))
        .unwrap_or_else(|| panic!("there is no row {name} in {done:?}"))
}

#[test]
fn a_server_that_stepped_down_is_shown_with_its_names() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = ecuser Capabilities = \"cap_net_bind_service+ep\" }");
    let started =
        "n=0; while [ \"$(cat /proc/$P/comm)\" != sleep ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n+1)); done";
    let run = "$STEPDOWN run -c server.conf -- sleep 60";
    let shown =
        node.sh(&format!("(exec {run}) & P=$!; {started}; $STEPDOWN status $P; s=$?; kill $P; exit $s"));
    let shown = shown.ran();
    assert_eq!(row(shown, "user"), format!("{ECUSER} (ecuser)"));
    assert_eq!(row(shown, "group"), "994 (ecuser)");
    assert_eq!(row(shown, "groups"), "994 (ecuser) 996 (extra)");
    for set in ["permitted", "effective", "inheritable", "bounding", "ambient"] {
        assert_eq!(row(shown, set), "cap_net_bind_service", "{shown:?}");
    }
    assert_eq!((row(shown, "no_new_privs"), row(shown, "seccomp")), ("set", "off"));
    assert!(row(shown, "securebits").starts_with("not readable"));
    assert_eq!(row(shown, "root directory"), "/");
}

#[test]
fn threads_that_differ_are_shown_with_what_they_differ_in() {
    if !have("python3") {
        return;
    }
    let Some(node) = Node::new() else { return };
    node.file("threads.py", THREADS);
    let script = "n=0; while [ \"$(readlink /proc/$P/root)\" = / ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n+1)); done; \
                  $STEPDOWN status $P; $STEPDOWN status --format json $P >json; $STEPDOWN status $(ls /proc/$P/task | tail -n 1); \
                  echo $? >thread";
    let done = beside(&node, "python3 threads.py", &format!("{script}; true"));
    assert!(done.out.contains("4 threads of 3 kinds:\n"), "{done:?}");
    assert_eq!((row(&done, "user"), row(&done, "root directory")), ("0 (root)", "/mnt"));
    let (_, differing) = done.out.split_once("but thread ").unwrap();
    let (second, third) = differing.split_once("but thread ").unwrap();
    assert!(second.ends_with("(worker2) differs:\n  no_new_privs      set\n"), "{second}");
    assert!(third.contains("(worker3) differs:\n  user              994 (ecuser)\n"), "{third}");
    assert!(!third.contains("no_new_privs") && third.contains("\n  effective         none\n"), "{third}");
    let object: Value =
        serde_json::from_str(&std::fs::read_to_string(node.dir.join("json")).unwrap()).unwrap();
    let process = &object["processes"][0];
    assert_eq!((&process["alike"], process["threads"].as_array().unwrap().len()), (&Value::from(false), 4));
    assert_eq!(process["threads"][3]["user"], Value::from(vec![994; 4]));
    // A thread's own number is no process.
    assert_eq!(std::fs::read_to_string(node.dir.join("thread")).unwrap().trim(), "1");
    assert!(
        done.err.contains("is a thread, not a process") && done.err.contains("hint: stepdown status"),
        "{done:?}"
    );
}

#[test]
fn without_an_operand_it_is_whoever_called() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("echo $$; $STEPDOWN status; true");
    let id = done.ran().out.lines().next().unwrap();
    assert!(done.out.contains(&format!("process {id} (sh), one thread:\n")), "{done:?}");
    let outside = node.sh("unshare --pid --fork --mount-proc $STEPDOWN status");
    assert_eq!((outside.status, outside.out.as_str()), (1, ""), "{outside:?}");
    assert!(outside.err.contains("can't be seen from here"), "{outside:?}");
}

#[test]
fn what_is_shown_is_what_proc_says() {
    let Some(node) = Node::new() else { return };
    let start =
        "setpriv --inh-caps=+chown,+kill --ambient-caps=+kill --bounding-set=-sys_time --no-new-privs";
    let done = node.sh(&format!(
        "exec {start} sh -c 'cat /proc/$$/status >kept; exec $STEPDOWN status --format json $$'"
    ));
    let kept =
        Done { status: 0, out: std::fs::read_to_string(node.dir.join("kept")).unwrap(), err: String::new() };
    let thread = json(done.ran())["processes"][0]["threads"][0].clone();
    for (name, line) in [
        ("inheritable", "CapInh"),
        ("permitted", "CapPrm"),
        ("effective", "CapEff"),
        ("bounding", "CapBnd"),
        ("ambient", "CapAmb"),
    ] {
        let bits = u64::from_str_radix(kept.field(line), 16).unwrap();
        let names = thread[name].as_array().unwrap();
        assert_eq!(names.len(), bits.count_ones() as usize, "{name}: {thread}");
    }
    assert_eq!(thread["ambient"], serde_json::json!(["cap_kill"]));
    assert_eq!(thread["inheritable"], serde_json::json!(["cap_chown", "cap_kill"]));
    assert_eq!(thread["no_new_privs"], true);
    assert_eq!(thread["seccomp"]["mode"], "off");
}

#[test]
fn secure_bits_are_shown_of_this_very_process() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("exec setpriv --securebits=+noroot,+noroot_locked sh -c 'exec $STEPDOWN status $$'");
    assert_eq!(row(done.ran(), "securebits"), "noroot,noroot-locked");
}

#[test]
fn every_process_of_a_name_is_shown_and_a_near_name_is_suggested() {
    let Some(node) = Node::new() else { return };
    let script = "cp /bin/sleep look-for-me-by-this-name; ./look-for-me-by-this-name 60 & A=$!; ./look-for-me-by-this-name 60 & B=$!; \
                  for p in $A $B; do while [ \"$(cat /proc/$p/comm)\" != look-for-me-by- ]; do sleep 0.02; done; done; echo $A $B; \
                  $STEPDOWN status look-for-me-by-this-name; $STEPDOWN status look-for-me-by-; $STEPDOWN status look-fro-me-by-; \
                  echo $?; kill $A $B";
    let done = node.sh(script);
    let mut lines = done.out.lines();
    for id in lines.next().unwrap().split(' ') {
        let head = format!("process {id} (look-for-me-by-), one thread:");
        assert_eq!(lines.clone().filter(|line| *line == head).count(), 2, "{done:?}");
    }
    assert_eq!(done.out.lines().last(), Some("1"));
    assert!(done.err.contains("no process named `look-fro-me-by-`"), "{done:?}");
    assert!(done.err.contains("did you mean `look-for-me-by-`?"), "{done:?}");
}

#[test]
fn a_process_that_is_not_there_or_is_hidden_says_so() {
    let Some(node) = Node::new() else { return };
    for operand in ["4294967295", "99999999999999999999", "no-process-of-that-name", "''"] {
        let done = node.sh(&format!("exec $STEPDOWN status {operand}"));
        assert_eq!((done.status, done.out.as_str()), (1, ""), "{operand}: {done:?}");
        assert!(done.err.contains("there is no process"), "{operand}: {done:?}");
        let object = json(&node.sh(&format!("exec $STEPDOWN status --format json {operand}")));
        assert_eq!(object["findings"][0]["code"], "no-process", "{operand}");
    }
    let as_other = "setpriv --reuid=995 --regid=995 --clear-groups --inh-caps=-all";
    for (option, word) in [("hidepid=2", "there is no process"), ("hidepid=1", "can't be looked at")] {
        let done = node.sh(&format!(
            "exec unshare --mount sh -c 'mount -t proc -o {option} proc /proc; sleep 60 & {as_other} $STEPDOWN status $!; s=$?; kill $!; exit $s'"
        ));
        assert_eq!((done.status, done.out.as_str()), (1, ""), "{option}: {done:?}");
        assert!(done.err.contains(word) && done.err.contains("hidepid="), "{option}: {done:?}");
    }
    let without = node.sh("exec unshare --mount sh -c 'mount -t tmpfs none /proc; exec $STEPDOWN status sh'");
    assert_eq!(without.status, 1, "{without:?}");
}

#[test]
fn one_that_ended_but_was_not_waited_for_is_shown_as_such() {
    let Some(node) = Node::new() else { return };
    // It ends when it is told to, after its parent has become a program that waits for nobody: a shell would.
    let done = node.sh("sh -c 'sh -c \"while [ ! -e go ]; do sleep 0.02; done\" & echo $! >child; exec sleep 60' & P=$!; \
                        while [ \"$(cat /proc/$P/comm)\" != sleep ]; do sleep 0.02; done; C=$(cat child); touch go; \
                        while ! grep -q '^State:.Z' /proc/$C/status; do sleep 0.02; done; $STEPDOWN status $C; s=$?; kill $P; exit $s");
    assert!(done.ran().out.contains("ended and not yet waited for"), "{done:?}");
    assert!(row(&done, "root directory").starts_with("none"), "{done:?}");
}

#[test]
fn a_hostile_name_does_not_reach_the_terminal() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("n=$(printf 'a\\033[31m\\nb'); cp /bin/sleep \"$n\"; \"./$n\" 60 & P=$!; \
                        while [ \"$(cat /proc/$P/comm)\" = sh ]; do sleep 0.02; done; $STEPDOWN status $P; s=$?; kill $P; exit $s");
    assert!(!done.ran().out.contains('\u{1b}'), "{done:?}");
    assert!(done.out.contains(r"(a\u{1b}[31m\nb), one thread:"), "{done:?}");
}

#[test]
fn it_fits_a_narrow_terminal_and_a_reader_that_goes_away() {
    let Some(node) = Node::new() else { return };
    let narrow = node.sh("exec setpriv --bounding-set=-all,+chown,+kill,+net_raw,+net_admin script -qec 'stty cols 40; $STEPDOWN status $$' /dev/null");
    let longest = narrow.ran().out.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(longest <= Some(40) && narrow.out.contains("cap_net_admin"), "{longest:?}: {}", narrow.out);
    let gone = node.sh("{ $STEPDOWN status; echo $? >status; } | true; cat status");
    assert_eq!(gone.err, "", "{gone:?}");
    assert!(["0", "141"].contains(&gone.out.trim()), "{gone:?}");
}
