//! Who outlives whom: the server is killed, its warden is, its services are.

use std::fs;

use crate::serving::{
    Server, children, console_path, head, is_alive, pid_path, run_dir, service, signal, sleeper, until,
};
use crate::support::Node;

/// A service that ignores SIGTERM, with a child that does as well, and that writes both numbers into the file `pids`.
fn stubborn(node: &Node, options: &str) -> String {
    let file = run_dir(node).join("pids");
    let text = format!(
        "trap '' TERM\nsh -c 'while :; do sleep 0.05; done' & echo $! >>{0}; echo $$ >>{0}\n\
         while :; do sleep 0.05; done\n",
        file.display()
    );
    let script = node.file("stubborn.sh", &text).display().to_string();
    service(
        "stubborn",
        &["/bin/sh", &script],
        &format!("Graceful_Timeout = 0.3  Ready_After = 0.1 {options}"),
    )
}

fn pids(node: &Node) -> Vec<u32> {
    let text = fs::read_to_string(run_dir(node).join("pids")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// The process that watches over a server.
#[track_caller]
fn warden(server: &Server<'_>) -> u32 {
    let is_warden = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "stepdown-warden\n")
    };
    let mut found = Vec::new();
    // It takes its name a moment after it was started.
    until("there is a warden", || {
        found = children(server.pid()).into_iter().filter(is_warden).collect();
        found.len() == 1
    });
    found[0]
}

/// How many processes there are in the node: one, which holds it, where nobody is left behind.
fn processes(node: &Node) -> usize {
    let network = node.sh("readlink /proc/self/ns/net").out;
    let is_there = |path: std::path::PathBuf| {
        fs::read_link(path.join("ns/net")).is_ok_and(|link| link.to_str() == Some(network.trim()))
    };
    fs::read_dir("/proc").unwrap().filter(|entry| is_there(entry.as_ref().unwrap().path())).count()
}

#[test]
fn when_the_server_is_killed_its_services_follow_and_the_next_one_starts() {
    let Some(node) = Node::new() else { return };
    let socket = run_dir(&node).join("socket");
    let listen = format!("Listen \"{}\" {{ }}  Listen \"127.0.0.1:80\" {{ }}", socket.display());
    // The first has a child in its group, and more time than anybody waits for: it ends by itself.
    let file = run_dir(&node).join("pids");
    let parent = format!("sleep 1000000 & echo $! >>{0}; echo $$ >>{0}\nwait\n", file.display());
    let parent = node.file("parent.sh", &parent).display().to_string();
    let text = head(&node)
        + &service("parent", &["/bin/sh", &parent], "Graceful_Timeout = 100000  Ready_After = 0.1")
        + &stubborn(&node, &listen);
    for _ in 0..2 {
        let mut server = Server::start(&node, &text);
        until("all of them run", || pids(&node).len() == 4);
        let all = pids(&node);
        let warden = warden(&server);
        server.signal("KILL");
        assert_eq!(server.wait(), 128 + 9);
        until("nobody is left", || !all.iter().any(|pid| is_alive(*pid)));
        until("the warden has gone", || !is_alive(warden));
        // What is left are files, which are in nobody's way.
        assert!(socket.exists() && console_path(&node).exists() && pid_path(&node).exists());
        fs::remove_file(&file).unwrap();
    }
    let server = Server::start(&node, &text);
    assert_eq!(fs::read_to_string(pid_path(&node)).unwrap(), format!("{}\n", server.pid()));
    until("all of them run", || pids(&node).len() == 4);
    let (status, log) = server.stop();
    assert_eq!(status, 0, "{log}");
    assert_eq!(processes(&node), 1, "{log}");
    assert!(!socket.exists() && !console_path(&node).exists() && !pid_path(&node).exists());
}

#[test]
fn a_warden_that_is_killed_has_a_successor_that_knows_everything() {
    let Some(node) = Node::new() else { return };
    let mut server = Server::start(&node, &(head(&node) + &stubborn(&node, "")));
    until("they run", || pids(&node).len() == 2);
    for time in 1..=3 {
        let old = warden(&server);
        signal(old, "KILL");
        server.wait_for_times("the warden has ended; another is started", time);
        assert_ne!(warden(&server), old);
    }
    let (all, warden) = (pids(&node), warden(&server));
    server.signal("KILL");
    assert_eq!(server.wait(), 128 + 9);
    until("nobody is left", || !all.iter().any(|pid| is_alive(*pid)));
    until("the warden has gone", || !is_alive(warden));
}

#[test]
fn when_both_are_killed_at_once_those_that_listen_to_sigterm_end() {
    let Some(node) = Node::new() else { return };
    let mut server = Server::start(&node, &(head(&node) + &sleeper("one", "") + &sleeper("two", "")));
    let warden = warden(&server);
    let services = [server.service_pids("one"), server.service_pids("two")].concat();
    assert_eq!(services.len(), 2);
    // Neither has time to do anything for the other.
    crate::support::done(std::process::Command::new("kill").args([
        "-s",
        "KILL",
        &warden.to_string(),
        &server.pid().to_string(),
    ]));
    assert_eq!(server.wait(), 128 + 9);
    until("nobody is left", || !services.iter().any(|pid| is_alive(*pid)));
}

/// The children of a service that has ended are told to end, and still have time to: a server that is killed meanwhile does not
/// leave them behind, whichever warden there is.
#[test]
fn children_without_their_service_follow_the_server_too() {
    let Some(node) = Node::new() else { return };
    let file = run_dir(&node).join("pids");
    // It ends only when its child is deaf to SIGTERM.
    let text = format!(
        "sh -c 'trap \"\" TERM; echo $$ >>{0}; while :; do sleep 0.05; done' &\n\
         until [ -s {0} ]; do sleep 0.05; done\nexit 0\n",
        file.display()
    );
    let script = node.file("leaves.sh", &text).display().to_string();
    let options = "Restart = never  Graceful_Timeout = 3";
    let mut server =
        Server::start(&node, &(head(&node) + &service("leaves", &["/bin/sh", &script], options)));
    until("its child is alone", || pids(&node).len() == 1 && server.service("leaves")["state"] == "ended");
    let child = pids(&node)[0];
    let old = warden(&server);
    signal(old, "KILL");
    server.wait_for("the warden has ended; another is started");
    server.signal("KILL");
    assert_eq!(server.wait(), 128 + 9);
    until("it is gone", || !is_alive(child));
}

#[test]
fn services_that_are_killed_at_random_are_all_back() {
    let Some(node) = Node::new() else { return };
    let names = ["a", "b", "c", "d"];
    let options = "Restart_Pause = 0.02  Restart_Pause_Max = 0.1  Restart_Limit = 0  Listen \"@NAME\" { }";
    let services: String = names.iter().map(|name| sleeper(name, &options.replace("NAME", name))).collect();
    let mut server = Server::start(&node, &(head(&node) + &services));
    let warden = warden(&server);
    // Which process is killed how is chosen by a generator with a fixed beginning.
    let mut state: u32 = 1;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let mut killed = vec![warden];
    while killed.len() <= 60 {
        let mut processes = Vec::new();
        until("there is somebody to kill", || {
            processes = children(server.pid());
            processes.retain(|pid| !killed.contains(pid));
            !processes.is_empty()
        });
        let chosen = processes[next(processes.len())];
        signal(chosen, ["KILL", "TERM", "SEGV"][next(3)]);
        killed.push(chosen);
        assert_eq!(server.has_ended(), None, "{}", server.log());
    }
    until("all are back", || names.iter().all(|name| server.service(name)["state"] == "ready"));
    let restarts: u64 = names.iter().map(|name| server.service(name)["restarts"].as_u64().unwrap()).sum();
    assert_eq!(restarts, 60, "each of them was replaced by another");
    let mut alive = children(server.pid());
    alive.retain(|pid| *pid != warden && is_alive(*pid));
    let mut known: Vec<u32> = names.iter().flat_map(|name| server.service_pids(name)).collect();
    alive.sort_unstable();
    known.sort_unstable();
    assert_eq!(alive, known, "one process for each, and no other");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(descriptors < 40, "nothing is left of those that were: {descriptors}");
    assert!(is_alive(warden));
}
