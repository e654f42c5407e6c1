//! `stepdown explain --pid`: what it forecasts for a running process is what the kernel then makes of it.

use serde_json::Value;

use crate::support::{Done, Node, have};

/// Programs of every kind, all of which print their own status.
const PROGRAMS: &str = "cp /bin/cat plain; cp /bin/cat cap; setcap cap_net_raw=ep cap; cp /bin/cat both; \
    setcap cap_net_raw,cap_chown=ep both; cp /bin/cat later; setcap cap_net_raw=p later; cp /bin/cat inh; \
    setcap cap_net_bind_service=ei inh; cp /bin/cat suid; chmod 4755 suid; cp /bin/cat sgid; chown :other sgid; chmod 2755 sgid; \
    cp /bin/cat other; chown other other; chmod 4755 other; cp /bin/cat mixed; chmod 4755 mixed; setcap cap_net_raw=ep mixed; \
    printf '#!/bin/cat\\n' >script; chmod 4755 script; setcap cap_net_raw=ep script; \
    mkdir quiet; mount -t tmpfs -o nosuid none quiet; cp -a plain cap suid quiet; setcap cap_net_raw=ep quiet/cap";

const NAMES: [&str; 13] = [
    "plain",
    "cap",
    "both",
    "later",
    "inh",
    "suid",
    "sgid",
    "other",
    "mixed",
    "script",
    "quiet/plain",
    "quiet/cap",
    "quiet/suid",
];

/// Ways to be somebody, before the program is executed.
const STARTS: [&str; 9] = [
    "",
    "setpriv --reuid ecuser --regid ecuser --clear-groups",
    "setpriv --reuid ecuser --regid ecuser --clear-groups --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service",
    "setpriv --reuid ecuser --regid ecuser --clear-groups --inh-caps=-all,+net_bind_service",
    "setpriv --reuid ecuser --regid ecuser --clear-groups --bounding-set=-all,+net_raw,+setuid",
    "setpriv --reuid ecuser --regid ecuser --clear-groups --no-new-privs",
    "setpriv --reuid ecuser --regid ecuser --clear-groups --bounding-set=-all",
    "setpriv --ruid ecuser --regid ecuser --clear-groups",
    "setpriv --bounding-set=-all,+chown",
];

/// Explains what a process is about to execute, lets it, and prints both.
fn both(node: &Node, start: &str, program: &str) -> (Value, Done) {
    // The one that asks is root and outside; the one that is asked about waits for the answer, but not for ever. It is looked at
    // when its shell has come as far as to start a program: at its own start it may give up the effective user id.
    let script =
        format!("for i in $(seq 1000); do [ -e go ] && exec ./{program} /proc/self/status; sleep 0.01; done");
    node.file("start.sh", &script);
    let done = node.sh(&format!(
        "rm -f go; {start} sh start.sh >out 2>err & \
         until [ \"$(tr '\\0' ' ' </proc/$!/cmdline)\" = 'sh start.sh ' ] && [ -n \"$(cat /proc/$!/task/$!/children)\" ]; do kill -0 $! || {{ cat err >&2; exit 9; }}; sleep 0.01; done; \
         $STEPDOWN explain --format json --pid $! -- ./{program}; touch go; wait $!; status=$?; echo; echo \"@@@@$status\"; cat out err"
    ));
    let (answer, rest) = done.out.split_once("\n@@@@").unwrap_or_else(|| panic!("{done:?}"));
    let (status, out) = rest.split_once('\n').unwrap();
    let answer = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    (answer, Done { status: status.parse().unwrap(), out: out.to_owned(), err: done.err })
}

fn mask(names: &Value) -> u64 {
    use stepdown::security::capability::Capability;
    let number = |name: &str| name.parse().unwrap_or_else(|_| Capability::from_name(name).unwrap().number());
    names.as_array().unwrap().iter().fold(0, |mask, name| mask | 1 << number(name.as_str().unwrap()))
}

/// Compares a forecast with what the program found when it looked at itself.
fn agree(what: &str, answer: &Value, real: &Done) {
    let state = &answer["execve"]["state"];
    if state.is_null() {
        // The shell's exit status for a program that the kernel refuses.
        assert_eq!(real.status, 126, "{what}: {answer} {real:?}");
        assert!(answer["execve"]["errno"].as_str().unwrap().starts_with("EPERM"), "{what}: {answer}");
        return;
    }
    assert_eq!(real.status, 0, "{what}: {answer} {real:?}");
    for (set, field) in [
        ("permitted", "CapPrm"),
        ("effective", "CapEff"),
        ("inheritable", "CapInh"),
        ("bounding", "CapBnd"),
        ("ambient", "CapAmb"),
    ] {
        let real = u64::from_str_radix(real.field(field), 16).unwrap();
        assert_eq!(mask(&state[set]), real, "{set} of {what}: {answer}");
    }
    for (ids, field) in [("user", "Uid"), ("group", "Gid")] {
        let real: Vec<u64> = real.field(field).split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(state[ids], serde_json::json!(real), "{ids} of {what}");
    }
}

#[test]
fn what_is_forecast_is_what_the_kernel_does() {
    let Some(node) = Node::new() else { return };
    node.sh(PROGRAMS).ran();
    for start in STARTS {
        for program in NAMES {
            let (answer, real) = both(&node, start, program);
            agree(&format!("{program} after `{start}`"), &answer, &real);
        }
    }
}

#[test]
fn a_process_in_a_user_namespace_is_explained_in_the_ids_it_has_there() {
    let Some(node) = Node::new() else { return };
    node.sh(PROGRAMS).ran();
    // One id each: user 994 outside is 0 inside; 995 is 5; and the host's root is root there too.
    for start in [
        "setpriv --reuid ecuser --regid ecuser --clear-groups unshare --user --map-root-user",
        "setpriv --reuid other --regid other --clear-groups unshare --user --map-user 5 --map-group 5",
        "unshare --user --map-root-user",
    ] {
        for program in ["plain", "cap", "suid", "other", "script"] {
            let (answer, real) = both(&node, start, program);
            agree(&format!("{program} after `{start}`"), &answer, &real);
        }
    }
}

#[test]
fn whoever_may_not_look_far_is_still_told() {
    let Some(node) = Node::new() else { return };
    // Process 1 of the machine belongs to root, and its root directory is not for others to see.
    let done = node.sh(
        "cp $STEPDOWN stepdown; setpriv --reuid other --regid other --clear-groups ./stepdown explain --pid 1 -- /bin/true",
    );
    done.ran();
    assert!(done.out.starts_with("Process 1 ("), "{}", done.out);
    assert!(
        done.out.contains("looked at here: the root directory of that process can't be seen"),
        "{}",
        done.out
    );
}

#[test]
fn a_process_that_is_not_there_is_a_finding() {
    let Some(node) = Node::new() else { return };
    let done = node.sh("$STEPDOWN explain --pid 4194305 -- id");
    assert_eq!((done.status, done.out.as_str()), (1, ""));
    assert!(done.err.contains("there is no process 4194305"), "{}", done.err);
    // A number that ended, and one that is none.
    let done = node.sh("sleep 0 & wait $!; $STEPDOWN explain --format json --pid $!");
    let findings: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((done.status, findings["findings"][0]["code"].as_str()), (1, Some("no-process")));
    for (arguments, words) in [
        ("--pid 0", "--pid takes the number of a process"),
        ("--pid self", "--pid takes the number of a process"),
        ("--pid 1 --state x", "two questions"),
        ("--pid 1 -c x", "-c explains a scope"),
        ("--securebits 0", "--securebits goes with"),
        ("--pid 1 --securebits 0x1000", "--securebits takes"),
        ("--pid 1 --securebits noroot,nonsense", "--securebits takes"),
        ("--graph --pid 1", "--graph draws"),
        ("--graph --format json", "--graph draws"),
    ] {
        let done = node.sh(&format!("$STEPDOWN explain {arguments}"));
        assert_eq!((done.status, done.out.as_str()), (2, ""), "{arguments}");
        assert!(done.err.contains(words), "{arguments}: {}", done.err);
    }
}

#[test]
fn the_program_is_looked_for_in_the_root_directory_of_the_process() {
    let Some(node) = Node::new() else { return };
    if !have("gcc") {
        return;
    }
    // The same path, inside with a set-id bit, outside without.
    node.file("wait.c", "#include <unistd.h>\nint main(void){for(;;)pause();}\n");
    let done = node.sh(
        "mkdir -p jail/srv; gcc -static -o jail/wait wait.c; cp jail/wait jail/srv/tool; chmod 4755 jail/srv/tool; \
         mkdir -p /srv; mount -t tmpfs none /srv; cp jail/wait /srv/tool; \
         chroot jail setpriv true 2>/dev/null; setpriv --reuid other --regid other --clear-groups --inh-caps=-all,+sys_chroot \
         --ambient-caps=-all,+sys_chroot chroot jail /wait & until [ \"$(cat /proc/$!/comm)\" = wait ]; do sleep 0.01; done; \
         $STEPDOWN explain --pid $! -- /srv/tool; kill $!; $STEPDOWN explain --pid $$ -- /srv/tool",
    );
    assert_eq!((done.status, done.err.as_str()), (0, ""), "{done:?}");
    let (inside, outside) = done.out.split_at(done.out.rfind("Process ").unwrap());
    assert!(inside.contains("/srv/tool: set-user-id of user 0"), "{inside}");
    assert!(outside.contains("/srv/tool: no set-id bits"), "{outside}");
}
