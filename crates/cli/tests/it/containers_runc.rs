//! The containers that there are in the field, by runc(8): what the process is, which the rules predict; what the program
//! says inside; and what the program executed under it then is.

use std::fs;
use std::path::Path;

use serde_json::Value;
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::errno::Errno;
use stepdown_kernel::observe::Status;

use crate::containers::{Container, Engine, MAPPED, USUAL};
use crate::small::small;
use crate::support::{Done, STEPDOWN, done};

/// For an image without accounts.
const SERVER: &str = "Security { user = 10001 group = 10001 Capabilities = \"cap_net_bind_service+ep\" }";

/// What Kubernetes and `--user 1000` start is there already, or can't get there.
const SAME: &str = "Security { user = 1000 group = 1000 Supplemental_Groups = () Capabilities = \"cap_net_bind_service+ep\" }";
const SAME_WITHOUT: &str = "Security { user = 1000 group = 1000 Supplemental_Groups = () }";

const BIND: [&str; 1] = ["cap_net_bind_service"];

/// Asserts what the program under the scope is, and that `check` and `explain` have said so.
#[track_caller]
fn runs(engine: &Engine, container: &Container, scope: &str, user: u32, held: CapSet) -> Status {
    let check = engine.stepdown(container, "check", scope);
    assert_eq!(check.status, 0, "{check:?}");
    assert!(check.out.ends_with("Configuration valid\n"), "{check:?}");
    let run = engine.stepdown(container, "run", scope);
    run.ran();
    let status = Status::parse(&run.out).unwrap();
    assert_eq!([status.uid.real, status.uid.effective, status.uid.saved, status.uid.filesystem], [user; 4]);
    assert_eq!([status.gid.real, status.gid.effective, status.gid.saved, status.gid.filesystem], [user; 4]);
    assert_eq!(status.groups, [user]);
    for set in [status.permitted, status.effective, status.inheritable, status.ambient] {
        assert_eq!(set, held, "{status:?}");
    }
    assert!(status.no_new_privs);
    // Whoever may not shrink the bounding set has been told that it stays.
    assert_eq!(check.out.contains("the bounding set stays"), status.bounding != held, "{check:?}");
    // Whoever isn't root is told what root would do.
    if container.user == 0 {
        let program =
            ["/bin/stepdown", "explain", "--format", "json", "-c", "/etc/server.conf", "--", "/bin/cat"];
        let explained = engine.runc(container, scope, &program);
        explained.ran();
        let explained: Value = serde_json::from_str(&explained.out).unwrap();
        let forecast = &explained["execve"]["state"];
        for (name, set) in [
            ("permitted", status.permitted),
            ("effective", status.effective),
            ("inheritable", status.inheritable),
            ("bounding", status.bounding),
            ("ambient", status.ambient),
        ] {
            let names: Vec<&str> =
                forecast[name].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(crate::containers::set(&names), set, "{name} of {forecast}");
        }
    }
    status
}

/// Asserts that `check` and `run` refuse with these words, and that nothing ran.
#[track_caller]
fn refused(engine: &Engine, container: &Container, scope: &str, words: &[&str]) -> Done {
    let check = engine.stepdown(container, "check", scope);
    assert_eq!(check.status, 1, "{check:?}");
    for word in words {
        assert!(check.err.contains(word) || check.out.contains(word), "`{word}` is not in {check:?}");
    }
    let run = engine.stepdown(container, "run", scope);
    run.refused(words);
    run
}

fn bind() -> CapSet {
    CapSet::only(Capability::NET_BIND_SERVICE)
}

#[test]
fn from_root_with_the_usual_capabilities_exactly_one_is_kept() {
    let Some(engine) = Engine::new() else { return };
    let usual = Container::usual();
    for container in [
        usual.clone(),
        Container { readonly: true, ..usual.clone() },
        Container { no_new_privs: true, ..usual.clone() },
        // As engines started them until CVE-2022-24769: what is inherited is cleared first.
        Container { ambient: BIND.to_vec(), ..usual.clone() },
        Container { groups: vec![4, 8, 10001], ..usual },
    ] {
        engine.left(&container);
        if container.readonly {
            assert_ne!(engine.runc(&container, SERVER, &["/bin/touch", "/tmp/file"]).status, 0);
        }
        let status = runs(&engine, &container, SERVER, 10001, bind());
        assert_eq!(status.bounding, bind());
    }
}

#[test]
fn what_the_engine_withheld_is_refused_by_name() {
    let Some(engine) = Engine::new() else { return };
    let cluster = "Security { user = 10001 group = 10001\n  Capabilities = \"cap_net_admin+ep cap_net_bind_service+ep \
                   cap_net_raw+ep cap_sys_resource+ep\" }";
    let run = refused(
        &engine,
        &Container::usual(),
        cluster,
        &[
            "cap_net_admin, which is outside the bounding set",
            "--cap-add NET_ADMIN",
            "--cap-add SYS_RESOURCE",
        ],
    );
    assert!(!run.err.contains("NET_RAW"), "{run:?}");

    // --cap-drop ALL
    let nothing = Container { bounding: vec![], permitted: vec![], ..Container::usual() };
    engine.left(&nothing);
    refused(&engine, &nothing, SERVER, &["cap_net_bind_service, which is outside the bounding set"]);
    let another = "Security { user = 10001 group = 10001 }";
    refused(&engine, &nothing, another, &["EPERM", "it needs cap_setgid", "--cap-add"]);
}

#[test]
fn a_capability_that_is_added_for_a_user_who_is_not_root_has_no_effect() {
    let Some(engine) = Engine::new() else { return };
    let container = Container { user: 1000, groups: vec![1000], ..Container::usual() };
    let left = engine.left(&container);
    assert_eq!((left.field("CapPrm"), left.field("CapBnd")), ("0000000000000000", "00000000a80425fb"));
    refused(
        &engine,
        &container,
        SAME,
        &["cap_net_bind_service, which this process does not hold", "user 1000"],
    );
    // What was left, pasted: the reason and the remedy.
    engine.node.file("status", &left.out);
    let explained =
        done(engine.node.command(STEPDOWN).args(["explain", "--state", "status", "--", "/bin/cat"]));
    assert_eq!(explained.status, 0, "{explained:?}");
    for words in ["14 capabilities are in the bounding set only", "`ambient` in an OCI config.json"] {
        assert!(explained.out.contains(words), "{explained:?}");
    }
    // Without the capability all is well, and the bounding set, which may not be shrunk, gives nothing.
    let status = runs(&engine, &container, SAME_WITHOUT, 1000, CapSet::EMPTY);
    assert_eq!(status.bounding, crate::containers::set(&USUAL));
}

#[test]
fn an_ambient_capability_is_kept_by_a_user_who_is_not_root() {
    let Some(engine) = Engine::new() else { return };
    let container =
        Container { user: 1000, groups: vec![1000], ambient: BIND.to_vec(), ..Container::usual() };
    for container in [
        container.clone(),
        Container { no_new_privs: true, ..container.clone() },
        Container { bounding: BIND.to_vec(), permitted: BIND.to_vec(), ..container.clone() },
    ] {
        // What is permitted without being ambient has gone at execve(2).
        assert_eq!(engine.left(&container).field("CapPrm"), "0000000000000400");
        runs(&engine, &container, SAME, 1000, bind());
        runs(&engine, &container, SAME_WITHOUT, 1000, CapSet::EMPTY);
    }
    // CVE-2022-36109: an engine that leaves the primary group out of the list.
    let outside = Container { groups: vec![], ..container };
    engine.left(&outside);
    refused(&engine, &outside, SAME, &["supplementary groups is none, should be 1000", "--group-add"]);
}

#[test]
fn in_a_user_namespace_the_ids_that_it_has_are_to_be_had() {
    let Some(engine) = Engine::new() else { return };
    let container = Container { mapped: Some(200_000), ..Container::usual() };
    engine.left(&container);
    let status = runs(&engine, &container, SERVER, 10001, bind());
    assert_eq!(status.bounding, bind());
    let last = MAPPED - 1;
    let scope = |user: u32| format!("Security {{ user = {user} group = {user} }}");
    runs(&engine, &container, &scope(last), last, CapSet::EMPTY);
    let words = ["user 65536 does not exist in this user namespace", "group 65536 does not exist", "uid_map"];
    refused(&engine, &container, &scope(MAPPED), &words);
}

#[test]
fn a_file_that_needs_what_was_dropped_can_not_be_executed() {
    let Some(engine) = Engine::new() else { return };
    let files = "cd bundle/rootfs/bin && cp busybox busybox-heavy && cp busybox busybox-light && setcap cap_sys_admin,cap_chown=ep busybox-heavy && \
                 setcap cap_sys_admin,cap_chown=p busybox-light";
    engine.node.sh(files).ran();
    let container = Container::usual();
    let exec = |name| engine.runc(&container, "", &[name, "cat", "/proc/self/status"]);
    // capabilities(7), "Safety checking for capability-dumb binaries": root is not exempt.
    assert_eq!(container.predicted(&engine.program("busybox-heavy")), Err(Errno::PERM));
    let heavy = exec("/bin/busybox-heavy");
    assert_ne!(heavy.status, 0);
    assert!(heavy.out.is_empty() && heavy.err.contains("operation not permitted"), "{heavy:?}");
    // Without the effective bit it may start, with less.
    let user = Container { user: 1000, groups: vec![1000], ..Container::usual() };
    let light = engine.runc(&user, "", &["/bin/busybox-light", "cat", "/proc/self/status"]);
    let predicted = user.predicted(&engine.program("busybox-light")).unwrap();
    assert_eq!(predicted.permitted, CapSet::only(Capability::CHOWN));
    let status = Status::parse(&light.ran().out).unwrap();
    assert_eq!((status.permitted, status.effective), (predicted.permitted, predicted.effective));
    // The program says so before anything has changed.
    let arguments =
        |command| ["/bin/stepdown", command, "-c", "/etc/server.conf", "--", "/bin/busybox-heavy"];
    let run = engine.runc(&container, SERVER, &arguments("run"));
    run.refused(&["/bin/busybox-heavy", "cap_sys_admin", "execve"]);
    assert_eq!(engine.runc(&container, SERVER, &arguments("check")).status, 1);
}

/// `examples/run.Dockerfile`, unpacked: the container has what it copies, and no other file.
#[test]
fn an_image_from_scratch_holds_the_small_launcher_and_one_program() {
    let Some(engine) = Engine::new() else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let image = fs::read_to_string(examples.join("run.Dockerfile")).unwrap();
    assert!(image.contains("\nFROM scratch\n"));
    let root = engine.node.dir.join("bundle/rootfs");
    fs::remove_dir_all(root.join("bin")).unwrap();
    fs::remove_dir_all(root.join("etc")).unwrap();
    engine.node.file(
        "server.c",
        "#include <stdio.h>\n\
         int main(void) { int c; FILE *f = fopen(\"/proc/self/status\", \"r\");\n\
         while ((c = getc(f)) != EOF) putchar(c); return 0; }\n",
    );
    engine.node.sh("cc -static -o server server.c").ran();
    let mut copied = 0;
    for (from, to) in image.lines().filter_map(|line| line.strip_prefix("COPY ")?.split_once(' ')) {
        let from = match from {
            "stepdown-run" => small().to_owned(),
            "server" => engine.node.dir.join("server"),
            example => examples.join(example),
        };
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        copied += 1;
    }
    assert_eq!(copied, 3);
    let words = |name: &str| -> Vec<String> {
        let line = image.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let entry = [words("ENTRYPOINT "), words("CMD ")].concat();
    let entry: Vec<&str> = entry.iter().map(String::as_str).collect();
    let scope = fs::read_to_string(root.join("etc/server.conf")).unwrap();
    let run = engine.runc(&Container::usual(), &scope, &entry);
    let status = Status::parse(&run.ran().out).unwrap();
    assert_eq!([status.uid.real, status.gid.real], [10001; 2]);
    assert_eq!([status.permitted, status.effective, status.bounding, status.ambient], [bind(); 4]);
    assert!(status.no_new_privs && status.groups == [10001]);
    // A name needs accounts, and there are none, nor anybody to ask.
    let named = engine.runc(&Container::usual(), &scope.replace("user = 10001", "user = web"), &entry);
    named.refused(&["/etc/server.conf:3:10", "web", "passwd"]);
}
