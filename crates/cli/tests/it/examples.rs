//! The files of the directory `examples`: each is valid, and runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::servers::{BIND, NONE};
use crate::serving::{Server, status_field};
use crate::support::{Done, Node, STEPDOWN, done, have};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

/// The files that can be run, each with a test below.
const FILES: [&str; 7] = [
    "chroot.conf",
    "container.conf",
    "dns.conf",
    "ecelerity-cluster.conf",
    "ecelerity.conf",
    "mail.conf",
    "web.conf",
];

/// An image of `stepdown-run`, which the tests with runc start.
const IMAGE: &str = "run.Dockerfile";

/// What starts `stepdown serve`, and the service of its example.
const SERVE: [&str; 5] = ["serve.Dockerfile", "serve.conf", "serve.py", "serve.s6", "stepdown.service"];

/// Copies the examples into the node, where they belong to root.
fn node() -> Option<Node> {
    let node = Node::new()?;
    for name in FILES {
        node.file(name, &fs::read_to_string(Path::new(DIRECTORY).join(name)).unwrap());
    }
    Some(node)
}

/// Checks the file, and runs a program that prints its own state.
#[track_caller]
fn state(node: &Node, file: &str) -> Done {
    let checked = done(node.command(STEPDOWN).args(["check", "-c", file, "--", "cat"]));
    assert_eq!((checked.status, checked.out.as_str()), (0, "Configuration valid\n"), "{checked:?}");
    let state = done(node.command(STEPDOWN).args(["run", "-c", file, "--", "cat", "/proc/self/status"]));
    state.ran();
    state
}

/// Asserts the effective user and group, the groups, and all five capability sets.
#[track_caller]
fn assert_is(state: &Done, user: &str, group: &str, groups: &str, set: &str) {
    assert_eq!(state.field("Uid"), [user; 4].join("\t"));
    assert_eq!(state.field("Gid"), [group; 4].join("\t"));
    assert_eq!(state.field("Groups"), groups);
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(state.field(name), set, "{name}");
    }
}

#[test]
fn every_example_is_listed_and_run_here() {
    let mut names: Vec<String> = fs::read_dir(DIRECTORY)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // The servers that use the C library are run by its tests.
        .filter(|name| !["README.md", "c", "python"].contains(&name.as_str()))
        .collect();
    names.sort();
    let mut files = [&FILES[..], &SERVE, &[IMAGE]].concat();
    files.sort_unstable();
    assert_eq!(names, files);
    let readme = fs::read_to_string(Path::new(DIRECTORY).join("README.md")).unwrap();
    for name in files {
        assert!(readme.contains(&format!("]({name})")), "README.md says nothing of {name}");
    }
}

#[test]
fn the_web_example_becomes_www_data() {
    let Some(node) = node() else { return };
    let www = node.sh("id -u www-data; id -g www-data");
    let (user, group) = www.out.trim().split_once('\n').unwrap();
    assert_is(&state(&node, "web.conf"), user, group, group, BIND);
}

#[test]
fn the_dns_example_is_in_no_other_group() {
    let Some(node) = node() else { return };
    assert_is(&state(&node, "dns.conf"), "994", "994", "994", BIND);
}

#[test]
fn the_mail_example_is_in_the_groups_that_it_names() {
    let Some(node) = node() else { return };
    assert_is(&state(&node, "mail.conf"), "994", "994", "4 8 994", BIND);
}

#[test]
fn the_cluster_examples_give_three_capabilities() {
    let Some(node) = node() else { return };
    assert_is(&state(&node, "ecelerity.conf"), "994", "994", "994 996", "0000000000003400");
}

/// As a container does it: the first process of its own process namespace, with no account of that id.
#[test]
fn the_container_example_runs_as_process_1() {
    let Some(node) = node() else { return };
    assert_is(&state(&node, "container.conf"), "10001", "10001", "10001", BIND);
    let first = node.sh("exec unshare --pid --fork --mount-proc \"$STEPDOWN\" run -c container.conf -- \
         sh -c 'echo process $$ HOME=$HOME USER=$USER; exec cat /proc/self/status'");
    first.ran();
    assert!(first.out.starts_with("process 1 HOME=/ USER=10001\n"), "{}", first.out);
    assert_is(&first, "10001", "10001", "10001", BIND);
}

#[test]
fn the_chroot_example_sees_its_jail_alone() {
    let Some(node) = node() else { return };
    // In the node's own view of the file system; the machine's /srv stays as it is.
    node.sh(
        "mount -t tmpfs -o mode=755 none /srv && mkdir -p /srv/jail/proc && mount --bind /proc /srv/jail/proc && \
         for program in cat ls; do \
         cp --parents --dereference $(command -v $program) $(ldd $(command -v $program) | grep -o '/[^ ]*') /srv/jail; done",
    )
    .ran();
    assert_is(&state(&node, "chroot.conf"), "994", "994", "994 996", NONE);
    let seen = done(node.command(STEPDOWN).args(["run", "-c", "chroot.conf", "--", "ls", "/"]));
    seen.ran();
    let jail = node.sh("ls /srv/jail");
    assert_eq!(seen.out, jail.out);
    assert!(!seen.out.contains("tmp"), "the node's own root directory has a /tmp: {}", seen.out);
}

/// The example of `serve`, with directories of the node's own where it has those of the machine.
#[test]
fn the_serve_example_serves() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("curl") {
        return;
    }
    for name in SERVE {
        fs::copy(Path::new(DIRECTORY).join(name), node.dir.join(name)).unwrap();
    }
    node.sh("mount -t tmpfs -o mode=755 none /srv && mount -t tmpfs -o mode=755 none /run && mkdir /srv/web && cp serve.py /srv/web")
        .ran();
    let mut server = Server::spawn(&node, node.command(STEPDOWN).args(["serve", "-c", "serve.conf"]));
    server.wait_for("serving as user 994");
    assert_eq!(
        node.sh("curl -s http://127.0.0.1/ && curl -s http://[::1]/").ran().out,
        "served by user 994\n".repeat(2)
    );
    let pid = node.sh("\"$STEPDOWN\" console services --format json").ran().out.clone();
    let pid: serde_json::Value = serde_json::from_str(&pid).unwrap();
    let pid = pid["services"][0]["pids"][0].as_u64().unwrap() as u32;
    assert_eq!(status_field(pid, "CapPrm"), "0000000000000000");
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000400");
    assert_eq!(
        fs::read_to_string(format!("/proc/{}/root/run/stepdown/pid", server.pid())).unwrap(),
        format!("{}\n", server.pid())
    );
    let (status, log) = server.stop();
    assert!(status == 0 && log.contains("web: exited with status 0"), "{status} {log}");
}

/// What each of them starts is `stepdown serve`, in a form that whoever reads it understands.
#[test]
fn what_starts_serve_is_understood() {
    let read = |name: &str| fs::read_to_string(Path::new(DIRECTORY).join(name)).unwrap();
    let installed = "/usr/local/bin/stepdown";
    assert!(read("serve.s6").contains(&format!("exec {installed} serve\n")));
    let shell = done(Command::new("sh").arg("-n").arg(Path::new(DIRECTORY).join("serve.s6")));
    shell.ran();
    let image = read("serve.Dockerfile");
    assert!(image.contains(&format!("ENTRYPOINT [\"{installed}\", \"serve\"]")));
    for copied in image.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let from = copied.split(' ').next().unwrap();
        assert!(from == "stepdown" || SERVE.contains(&from), "{from} is no example");
    }
    let unit = read("stepdown.service");
    for line in [
        "ExecStart=/usr/local/bin/stepdown serve",
        "ExecReload=/usr/local/bin/stepdown console config reload",
        "Type=notify",
    ] {
        assert!(unit.lines().any(|there| there == line), "{line} is not in {unit}");
    }
    if !have("systemd-analyze") {
        return;
    }
    let place = std::env::temp_dir().join(format!("stepdown-unit-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    let path = place.join("stepdown.service");
    fs::write(&path, unit.replace(installed, STEPDOWN)).unwrap();
    let verified = done(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path));
    fs::write(&path, unit.replace(installed, STEPDOWN).replace("Type=notify", "Typ=notify")).unwrap();
    let wrong = done(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path));
    fs::remove_dir_all(&place).unwrap();
    assert_eq!((verified.status, verified.err.as_str()), (0, ""), "{verified:?}");
    assert!(wrong.err.contains("Typ"), "it finds what is wrong: {wrong:?}");
}
