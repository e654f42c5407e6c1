//! `Security` in a server that runs: what differs by its meaning waits for a restart and is said, the old policy is in force for
//! everything; what the service's user wrote has no say before the server is that user; and where each value came from.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::Value;

use crate::serving::{Server, console_path, head_with, status_field, until};
use crate::support::{ECUSER, Node, STEPDOWN, done};

const BOTH: &str = "user = ecuser  group = ecuser  Capabilities = \"cap_net_bind_service+ep cap_net_raw+ep\"";

fn sleeper(name: &str) -> String {
    format!("Service \"{name}\" {{ Command = ( /bin/sleep 1000000 )  Ready_After = 0.1 }}\n")
}

/// Asserts that a process is under the policy of [`BOTH`], by the kernel's account.
#[track_caller]
fn under_both(pid: u32) {
    assert_eq!(status_field(pid, "Uid"), "994\t994\t994\t994");
    assert_eq!(status_field(pid, "Gid"), "994\t994\t994\t994");
    assert_eq!(status_field(pid, "Groups"), "994 996");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status_field(pid, set), "0000000000002400", "{set}");
    }
    assert_eq!(status_field(pid, "NoNewPrivs"), "1");
}

fn pending(server: &Server<'_>) -> Value {
    server.json(&["status"])["restart_required"].clone()
}

/// The line of a text in which these words first are, from 1.
fn line_of(text: &str, words: &str) -> usize {
    1 + text.lines().position(|line| line.contains(words)).unwrap()
}

#[test]
fn the_same_in_other_words_is_no_change() {
    let Some(node) = Node::new() else { return };
    let text = |security: &str| head_with(&node, security) + &sleeper("idle");
    let server = Server::start(&node, &text(BOTH));
    let pids = server.service_pids("idle");
    for same in [
        "user = 994  group = ecuser  Capabilities = \"cap_net_bind_service+ep cap_net_raw+ep\"",
        "user = \"994\"  group = 994  Capabilities = \"cap_net_raw,cap_net_bind_service=pe\"",
        "GROUP = ecuser USER = ecuser CAPABILITIES = \"10+pe 13+pe\"",
        "capabilities = \"cap_net_raw=ep CAP_NET_BIND_SERVICE+ep cap_chown+ep cap_chown-ep\"",
        "user = root  user = ecuser  Capabilities = \"cap_net_raw,cap_net_bind_service+ep\"",
        "user = ecuser Supplemental_Groups = ( extra ecuser )  Capabilities = \"cap_net_raw,cap_net_bind_service+ep\"",
        "user = ecuser Supplemental_Groups = ( 996 )  Capabilities = \"cap_net_raw,cap_net_bind_service+ep\"",
        "user = ecuser Chroot = /  Capabilities = \"cap_net_raw,cap_net_bind_service+ep\"",
        "user = ecuser No_New_Privs = yes Bounding_Set = \"cap_net_raw,cap_net_bind_service\" Capabilities = \"cap_net_raw,cap_net_bind_service+ep\"",
    ] {
        let answer = server.reload(&text(same));
        assert_eq!(answer.status, 0, "{same}: {answer:?}");
        assert!(!answer.out.contains("warning"), "{same}: {answer:?}");
        assert_eq!(pending(&server), Value::Null, "{same}");
    }
    assert!(!server.log().contains("restart required"), "{}", server.log());
    assert_eq!(server.service_pids("idle"), pids);
}

#[test]
fn each_change_is_said_and_waits_and_what_is_new_is_under_the_old_policy() {
    let Some(node) = Node::new() else { return };
    fs::create_dir(node.dir.join("jail")).unwrap();
    let jail = format!("Chroot = {}/jail", node.dir.display());
    let text = |security: &str, more: &str| head_with(&node, security) + &sleeper("idle") + more;
    let before = text(BOTH, "");
    let server = Server::start(&node, &before);
    under_both(server.pid());
    let first = server.service_pids("idle");
    let capabilities = "Capabilities = \"cap_net_bind_service+ep cap_net_raw+ep\"";
    for (turn, (security, option, old, new)) in [
        (
            format!("user = other group = ecuser Supplemental_Groups = ( extra ) {capabilities}"),
            "User",
            "ecuser (994)",
            "other (995)",
        ),
        (format!("user = ecuser group = other {capabilities}"), "Group", "ecuser (994)", "other (995)"),
        (
            "user = ecuser group = ecuser Capabilities = \"cap_net_raw+ep\"".to_owned(),
            "Capabilities",
            "cap_net_bind_service,cap_net_raw=ep",
            "cap_net_raw=ep",
        ),
        (
            "user = ecuser group = ecuser".to_owned(),
            "Capabilities",
            "cap_net_bind_service,cap_net_raw=ep",
            "none",
        ),
        (format!("{BOTH} {jail}"), "Chroot", "the root directory stays", "/jail"),
        (format!("{BOTH} Supplemental_Groups = ( mail )"), "Supplemental_Groups", "994 996", "8 994"),
        (format!("{BOTH} Supplemental_Groups = ()"), "Supplemental_Groups", "994 996", "994"),
        (format!("{BOTH} No_New_Privs = no"), "No_New_Privs", "true", "false"),
        (format!("{BOTH} Bounding_Set = all"), "Bounding_Set", "cap_net_bind_service", "all"),
    ]
    .into_iter()
    .enumerate()
    {
        // A service comes with it, and it is under what is in force.
        let name = format!("new{turn}");
        let after = text(&security, &sleeper(&name));
        let answer = server.reload(&after);
        assert_eq!(answer.status, 0, "{security}: {answer:?}");
        let waiting = pending(&server);
        let differences =
            waiting["differences"].as_array().unwrap_or_else(|| panic!("{security}: {waiting}"));
        assert_eq!(differences.len(), 1, "{security}: {waiting}");
        let one = &differences[0];
        assert_eq!(one["option"], format!("Security {option}"), "{waiting}");
        assert!(one["old"].as_str().unwrap().contains(old), "{waiting}");
        assert!(one["new"].as_str().unwrap().ends_with(new), "{waiting}");
        assert!(waiting["since"].as_str().unwrap().starts_with("20"), "{waiting}");
        // Its place, where it is written at all.
        let place = &one["new_place"];
        if security.to_lowercase().contains(&option.to_lowercase()) {
            assert!(place["file"].as_str().unwrap().ends_with("server.conf"), "{waiting}");
            assert_eq!(place["line"], line_of(&after, "Security"), "{waiting}");
        } else {
            assert_eq!(*place, Value::Null, "{waiting}");
        }
        // In the reply, in the log, and in `status`.
        let status = server.answer(&["status"]).split_whitespace().collect::<Vec<_>>().join(" ");
        let log = server.log();
        let said = log
            .lines()
            .rev()
            .find(|line| line.contains("restart required"))
            .unwrap_or_else(|| panic!("{log}"));
        for (what, place) in [("reply", answer.out.as_str()), ("status", &status), ("log", said)] {
            for words in [option, old, new] {
                assert!(place.contains(words), "{what} of {security} lacks `{words}`:\n{place}");
            }
        }
        assert!(said.contains("server.conf:"), "{said}");
        assert!(status.contains("RESTART REQUIRED") && status.contains("since 20"), "{status}");
        until("the new service", || !server.service_pids(&name).is_empty());
        let pid = server.service_pids(&name)[0];
        until("its program", || {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
        });
        under_both(pid);
        under_both(server.pid());
        assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), PathBuf::from("/"));
        // The old value of what is written is where it was written at the start.
        if old.starts_with("cap_") && option == "Capabilities" {
            assert_eq!(one["old_place"]["line"], line_of(&before, "Security"), "{waiting}");
        }
        // Changing it back clears it.
        let answer = server.reload(&before);
        assert!(answer.status == 0 && !answer.out.contains("warning"), "{security}: {answer:?}");
        assert_eq!(pending(&server), Value::Null, "{security}");
        assert!(!server.answer(&["status"]).contains("RESTART"), "{security}");
    }
    assert_eq!(server.service_pids("idle"), first);
}

#[test]
fn several_changes_wait_together_since_the_first_and_end_one_by_one() {
    let Some(node) = Node::new() else { return };
    let text = |security: &str| head_with(&node, security) + &sleeper("idle");
    let server = Server::start(&node, &text(BOTH));
    let options = || -> Vec<String> {
        let waiting = pending(&server);
        let list = waiting["differences"].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one["option"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(server.reload(&text("user = other group = other")).status, 0);
    let since = pending(&server)["since"].clone();
    assert_eq!(options(), ["Security User", "Security Group", "Security Capabilities"]);
    // Online as well as in the files.
    let set =
        server.ask(&["config", "set", "Security", "Capabilities", "cap_net_raw,cap_net_bind_service+ep"]);
    assert_eq!(set.status, 0, "{set:?}");
    assert_eq!(options(), ["Security User", "Security Group"]);
    assert_eq!(pending(&server)["since"], since);
    // The pid file can't change either.
    let with = text("user = other group = ecuser").replacen("/run/pid", "/run/another", 1);
    assert_eq!(server.reload(&with).status, 0);
    assert!(
        options().contains(&"Pidfile".to_owned()) && !options().contains(&"Security Group".to_owned()),
        "{:?}",
        options()
    );
    assert!(node.dir.join("run/pid").exists() && !node.dir.join("run/another").exists());
    assert_eq!(server.reload(&text(BOTH)).status, 0);
    assert_eq!(options(), Vec::<String>::new());
    assert!(server.json(&["status"])["well"].as_bool().unwrap());
    under_both(server.pid());
}

/// What `Local_Changes_File` names, with this owner and text.
fn local(node: &Node, owner: u32, text: &str) -> PathBuf {
    let path = node.file("local/changes.conf", text);
    for each in [path.parent().unwrap(), &path] {
        chown(each, Some(owner), Some(owner)).unwrap();
    }
    path
}

#[test]
fn what_the_services_user_may_write_is_read_only_after_the_step_down() {
    let Some(node) = Node::new() else { return };
    // Root alone can read it by its mode, so that it shows who reads.
    let changes = "Security { user = root  Capabilities = \"cap_sys_admin+ep\" }\n\
                   Service \"added\" { Command = ( /bin/sleep 1000000 ) Ready_After = 0.1 Listen \"127.0.0.1:8080\" { } }\n";
    let path = local(&node, ECUSER, changes);
    let text =
        format!("{}{}Local_Changes_File = \"{}\"\n", head_with(&node, BOTH), sleeper("idle"), path.display());
    let server = Server::start(&node, &text);
    under_both(server.pid());
    until("the service of the local changes", || server.answer(&["services"]).contains("added"));
    let pid = server.service_pids("added")[0];
    until("its program", || {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    under_both(pid);
    let waiting = pending(&server);
    let words = waiting.to_string();
    assert!(words.contains("Security User") && words.contains("root (0)"), "{waiting}");
    assert!(words.contains("cap_sys_admin") && words.contains("changes.conf"), "{waiting}");
    assert!(server.log().contains("restart required"), "{}", server.log());
    // And a restart is no way either: root does not read it.
    let check = done(node.command(STEPDOWN).args(["check", "-c", "server.conf"]));
    assert!(!check.out.contains("cap_sys_admin"), "{check:?}");
    drop(server);
    let server = Server::start(&node, &text);
    under_both(server.pid());
}

#[test]
fn what_the_services_user_wrote_gets_it_no_privileged_port() {
    let Some(node) = Node::new() else { return };
    let changes = "Service \"added\" { Command = ( /bin/sleep 1000000 ) Ready_After = 0.1 Listen \"127.0.0.1:443\" { } }\n";
    let path = local(&node, ECUSER, changes);
    let end = format!("{}Local_Changes_File = \"{}\"\n", sleeper("idle"), path.display());
    let text = head_with(&node, "user = ecuser group = ecuser") + &end;
    let mut server = Server::start(&node, &text);
    server.wait_for("127.0.0.1:443 can't be listened on");
    assert!(server.log().contains("the server starts without them"), "{}", server.log());
    assert!(!server.answer(&["services"]).contains("added"));
    assert!(server.answer(&["services"]).contains("idle"));
    drop(server);
    // With the right retained it may: that is what the right is for.
    let server = Server::start(&node, &(head_with(&node, BOTH) + &end));
    assert!(server.answer(&["services"]).contains("added"), "{}", server.log());
    drop(server);
    // One that only root could have written is read by root, at once, and bound by root.
    local(&node, 0, changes);
    let server = Server::start(&node, &text);
    assert!(server.answer(&["services"]).contains("added"), "{}", server.log());
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000000");
    drop(server);
    // Also what it says of Security, which then is in force.
    local(&node, 0, "Security { Capabilities = \"cap_net_raw+ep\" }\n");
    let server = Server::start(&node, &text);
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000002000");
    assert_eq!(pending(&server), Value::Null);
}

#[test]
fn local_changes_that_are_wrong_or_no_file_do_not_stop_the_start() {
    let Some(node) = Node::new() else { return };
    let path = local(&node, ECUSER, "Service {");
    let text =
        format!("{}{}Local_Changes_File = \"{}\"\n", head_with(&node, BOTH), sleeper("idle"), path.display());
    for how in ["text", "fifo", "link", "directory", "secret"] {
        let _ = fs::remove_file(&path);
        let made = match how {
            "fifo" => node.sh("mkfifo local/changes.conf"),
            "link" => node.sh("ln -s /etc/shadow local/changes.conf"),
            "directory" => node.sh("mkdir local/changes.conf"),
            "secret" => node.sh("rmdir local/changes.conf; ln -s ../secret.conf local/changes.conf"),
            _ => node.sh("printf 'Service {' >local/changes.conf; chown 994:994 local/changes.conf"),
        };
        assert_eq!(made.status, 0, "{made:?}");
        let secret = node.file("secret.conf", "Service \"secret\" { password-of-root }\n");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let mut server = Server::start(&node, &text);
        server.wait_for("the server starts without them");
        assert!(server.answer(&["services"]).contains("idle"));
        // What only root may read is not shown to whoever made the link.
        assert!(
            !server.log().contains("password-of-root") && !server.log().contains("root:"),
            "{}",
            server.log()
        );
        under_both(server.pid());
    }
}

#[test]
fn a_node_of_a_cluster_says_where_each_value_came_from() {
    let Some(node) = Node::new() else { return };
    let services = sleeper("idle");
    let head = head_with(&node, "user = ecuser group = ecuser Capabilities = \"cap_net_bind_service+ep\"");
    node.file("conf/one/ecelerity.conf", &format!("{head}include \"ecelerity-cluster.conf\"\n{services}"));
    let cluster =
        "Security {\n  group = other\n  Capabilities = \"cap_net_raw+ep cap_net_bind_service+ep\"\n}\n";
    node.file("conf/global/ecelerity-cluster.conf", cluster);
    // The cluster manager's is its own.
    let manager = head_with(&node, "user = other group = other").replace("/run/", "/manager/");
    let own = node.dir.join("manager");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(995), Some(995)).unwrap();
    node.file("conf/global/eccluster.conf", &format!("{manager}{}", sleeper("manager")));
    let conf = node.dir.join("conf");
    let path = format!("{0}/global:{0}/{{NODENAME}}:{0}/default", conf.display());
    let serve = |arguments: &[&str]| {
        let mut command = node.command("unshare");
        let script = "hostname one.example.org && exec \"$STEPDOWN\" \"$@\"";
        command
            .args(["--uts", "sh", "-c", script, "sh"])
            .args(arguments)
            .env("STEPDOWN_CONF_PATH", &path)
            .env("STEPDOWN", STEPDOWN);
        command
    };
    // Found along the search path: the node's own directory comes before the default, which would be refused.
    node.file("conf/one/stepdown.conf", "include \"ecelerity.conf\"\n");
    node.file("conf/default/stepdown.conf", "Security { user = no-such-user }\n");
    let mut server = Server::spawn(&node, &mut serve(&["serve"]));
    server.wait_for("serving as user 994");
    assert_eq!(status_field(server.pid(), "Gid"), "995\t995\t995\t995", "{}", server.log());
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000002400");
    assert_eq!(server.json(&["status"])["node"], "one");
    let shown = server.answer(&["config", "show", "Security", "--origin"]);
    for words in ["one/ecelerity.conf:", "global/ecelerity-cluster.conf:2", "global/ecelerity-cluster.conf:3"]
    {
        assert!(shown.contains(words), "`{words}` is not in\n{shown}");
    }
    assert!(shown.matches("one/ecelerity.conf:").count() >= 3, "what was overridden is said too:\n{shown}");
    // Another value in the cluster's file waits, and says which file.
    node.file("conf/global/ecelerity-cluster.conf", &cluster.replace("cap_net_raw+ep ", ""));
    let answer = server.ask(&["config", "reload"]);
    assert_eq!(answer.status, 0, "{answer:?}");
    assert!(answer.out.contains("cap_net_raw"), "{answer:?}");
    let place = pending(&server)["differences"][0]["new_place"]["file"].to_string();
    assert!(place.contains("ecelerity-cluster.conf"), "{place}");
    assert_eq!(server.stop().0, 0);
    // The manager, with its own Security, and its own console.
    let mut server = Server::spawn(&node, &mut serve(&["serve", "-c", "conf/global/eccluster.conf"]));
    server.wait_for("serving as user 995");
    assert_eq!(status_field(server.pid(), "CapPrm"), "0000000000000000");
    assert!(!console_path(&node).exists() && own.join("console").exists());
    assert_eq!(server.stop().0, 0);
}
