//! What a reviewer found in `stepdown serve` stays closed: descriptors that were open by accident, and a standard error that
//! nobody reads.

use std::process::Stdio;

use crate::serving::{PATIENCE, Server, console_path, head, service, signal, sleeper, until};
use crate::support::{Node, STEPDOWN, done};

/// The numbers that a process has open, and what they are.
fn descriptors(pid: u32) -> Vec<(u32, String)> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let what = std::fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, what.to_string_lossy().into_owned()))
        })
        .collect()
}

#[test]
fn what_was_open_by_accident_is_closed_before_anything_else() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", &(head(&node) + &sleeper("web", "Listen \"127.0.0.1:80\" { }")));
    let script = "exec 7</etc/shadow 8</ 250</etc/passwd; exec \"$0\" serve -c server.conf";
    // The shell of Debian has no numbers beyond 9.
    let mut server = Server::spawn(&node, node.command("bash").args(["-c", script, STEPDOWN]));
    server.wait_for("serving");
    for pid in crate::servers::family(server.pid()) {
        for (number, what) in descriptors(pid) {
            assert!(
                !what.starts_with("/etc/") && what != "/",
                "process {pid} has {number} open, which is {what}"
            );
        }
    }
}

#[test]
fn a_process_that_asks_the_name_service_has_nothing_of_its_parent() {
    let Some(node) = Node::new() else { return };
    // A getent of the test's own in place of the system's, which answers what is asked for and leaves word of what it has open.
    let seen = node.dir.join("seen");
    std::fs::write(&seen, "").unwrap();
    std::fs::set_permissions(&seen, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let getent =
        format!("#!/bin/sh\nls -l /proc/$$/fd >> {}\nexec /bin/grep \"^$2:\" /etc/\"$1\"\n", seen.display());
    let path = node.file("getent", &getent);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    node.file("nsswitch.conf", "passwd: other files\ngroup: files\n");
    let place = node.sh("mount --bind getent /usr/bin/getent && touch /etc/nsswitch.conf && mount --bind nsswitch.conf /etc/nsswitch.conf");
    place.ran();
    let script = "exec 7</etc/shadow; exec \"$0\" run -c server.conf --pass-fd 7 -- /bin/true";
    node.file("server.conf", "Security { user = ecuser  group = ecuser  supplemental_groups = () }");
    done(node.command("sh").args(["-c", script, STEPDOWN])).ran();
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains(" 0 -> "), "getent was not asked: {seen}");
    assert!(!seen.contains("shadow"), "{seen}");
}

/// A terminal of its own, as standard error, which nobody reads: the server is asked and told to end all the same.
#[test]
fn a_terminal_that_nobody_reads_stops_neither_the_console_nor_the_end() {
    let Some(node) = Node::new() else { return };
    let talk = "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123; done";
    let talker = service("talk", &["/bin/sh", "-c", talk], "Ready_After = 0.1");
    node.file("server.conf", &(head(&node) + &talker));
    let script = format!(
        "import pty, subprocess, sys\n\
         master, terminal = pty.openpty()\n\
         server = subprocess.Popen(['{STEPDOWN}', 'serve', '-c', 'server.conf'], stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True)\n\
         print(server.pid, flush=True)\n\
         sys.stdin.read()\n\
         server.kill()\n"
    );
    let mut holder = node
        .command("python3")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line)
        .unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    let ask = || {
        done(
            node.command("timeout")
                .arg("20")
                .arg(STEPDOWN)
                .arg("console")
                .arg(console_path(&node))
                .arg("status"),
        )
    };
    until("the console answers", || ask().status == 0);
    // The terminal takes some kilobytes. Until the service stands still, it is not full.
    let service = || crate::serving::children(pid).into_iter().find(|child| comm(*child) == "sh");
    until("the service waits for its output", || {
        service().is_some_and(|child| wchan(child).contains("pipe"))
    });
    let answer = ask();
    assert_eq!(answer.status, 0, "{answer:?}");
    signal(pid, "TERM");
    let begin = std::time::Instant::now();
    while crate::serving::is_alive(pid) {
        assert!(begin.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

fn comm(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn wchan(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default()
}

/// The user of one server leads root, who restarts it, to the console of another user's.
#[test]
fn a_restart_asks_the_server_that_is_meant_and_no_other() {
    let Some(node) = Node::new() else { return };
    let text = head(&node) + &sleeper("web", "Listen \"127.0.0.1:80\" { }");
    let mut server = Server::start(&node, &text);
    let theirs = node.dir.join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(995), Some(995)).unwrap();
    let other = format!(
        "Security {{ user = other  group = other }}\nControl_Listener {{ Listen \"{}/console\" {{ }} }}\n{}",
        theirs.display(),
        sleeper("their", "Listen \"127.0.0.1:81\" { }")
    );
    node.file("other.conf", &other);
    let mut victim = Server::spawn(&node, node.command(STEPDOWN).args(["serve", "-c", "other.conf"]));
    victim.wait_for("serving");
    let as_ecuser = "setpriv --reuid=994 --regid=994 --clear-groups -- sh -c";
    let console = console_path(&node);
    let away = format!("{as_ecuser} 'mv {0} {0}.real'", console.display());
    node.sh(&away).ran();
    let tricks = [
        format!("ln -s {}/console {}", theirs.display(), console.display()),
        format!("ln -s {} {}", theirs.display(), console.with_file_name("there").display()),
    ];
    for trick in &tricks {
        node.sh(&format!("{as_ecuser} '{trick}'")).ran();
    }
    let refused = done(node.command(STEPDOWN).args(["restart", "-c", "server.conf", "--timeout", "2"]));
    assert!(refused.status == 1 && refused.err.contains("could not be taken over"), "{refused:?}");
    // The same by a directory on the way, where root asks for a path of ecuser's making.
    let led = text.replace(
        &console.display().to_string(),
        &format!("{}/there/console", console.parent().unwrap().display()),
    );
    node.file("led.conf", &led);
    let refused = done(node.command(STEPDOWN).args(["restart", "-c", "led.conf", "--timeout", "2"]));
    assert!(refused.status == 1, "{refused:?}");
    for one in [&mut server, &mut victim] {
        assert_eq!(one.has_ended(), None, "{}", one.log());
        assert!(!one.log().contains("has got the"), "{}", one.log());
    }
    node.sh(&format!("{as_ecuser} 'rm {0}; mv {0}.real {0}'", console.display())).ran();
}

/// A socket with the right address, of another network: nobody on this host would reach it.
#[test]
fn a_socket_of_another_network_is_not_taken() {
    let Some(node) = Node::new() else { return };
    let console = console_path(&node);
    let giver = format!(
        "import socket, ctypes, sys\n\
         path = {:?}\n\
         listener = socket.socket(socket.AF_UNIX); listener.bind(path); listener.listen()\n\
         assert ctypes.CDLL(None).unshare(0x40000000) == 0\n\
         far = socket.socket(); far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); far.bind(('0.0.0.0', 80)); far.listen()\n\
         print('ready', flush=True)\n\
         client, _ = listener.accept()\n\
         client.recv(500)\n\
         listener.close()\n\
         socket.send_fds(client, [b'sockets 1\\n'], [far.fileno()])\n\
         client.recv(500)\n",
        console.display().to_string()
    );
    let mut giver = node.command("python3").args(["-c", &giver]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(giver.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    let text = head(&node) + &sleeper("web", "Listen \"0.0.0.0:80\" { }");
    node.file("server.conf", &text);
    let mut server =
        Server::spawn(&node, node.command(STEPDOWN).args(["serve", "--replace", "-c", "server.conf"]));
    server.wait_for("serving");
    giver.kill().unwrap();
    giver.wait().unwrap();
    // Bound anew, here: the node's own network has it.
    assert!(node.sh("ss -ltn").out.contains(":80 "), "{}", server.log());
}
