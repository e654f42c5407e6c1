//! Where `stepdown serve` is led by a path, as root: not through what a user made, not into what is not the user's; and whose the
//! files of sockets are after a restart that changes the user or the mode.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::serving::{Server, console_path, head, pid_path, run_dir, sleeper};
use crate::support::{ECUSER, Node, STEPDOWN, done};

const OTHER: u32 = 995;

/// Starts a server that has to be refused, and gives what it said.
#[track_caller]
fn refused(node: &Node, text: &str) -> String {
    let mut server = Server::begin(node, text);
    assert_eq!(server.wait(), 125, "{}", server.log());
    server.log()
}

fn link_of_the_user(to: &Path, at: &Path) {
    symlink(to, at).unwrap();
    lchown(at, Some(ECUSER), Some(ECUSER)).unwrap();
}

/// Owner, group and mode.
fn status(path: &Path) -> (u32, u32, u32) {
    let status = fs::symlink_metadata(path).unwrap();
    (status.uid(), status.gid(), status.mode() & 0o7777)
}

#[test]
fn root_follows_no_link_and_no_directory_of_a_user() {
    let Some(node) = Node::new() else { return };
    let run = run_dir(&node);
    let private = node.dir.join("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(private.join("pid"), "root's data").unwrap();
    fs::set_permissions(private.join("pid"), PermissionsExt::from_mode(0o600)).unwrap();
    link_of_the_user(&private, &run.join("link"));
    link_of_the_user(&node.dir, &run.join("app"));
    let security = "Security { user = ecuser  group = ecuser }\n";
    for way in ["link/pid", "app/private/pid", "app/new/pid", "new/pid"] {
        let path = run.join(way);
        let culprit = format!("chown root {0} && chmod go-w {0}", run.display());
        let pidfile = format!("Pidfile = \"{}\"\n{security}{}", path.display(), sleeper("web", ""));
        let listen = format!("Listen \"{}\" {{ }}", path.display());
        let console = format!("{security}Control_Listener {{ {listen} }}\n{}", sleeper("web", ""));
        let service = format!("{security}{}", sleeper("web", &listen));
        for text in [pidfile, console, service] {
            let log = refused(&node, &text);
            assert!(log.contains("is not trusted: it belongs to user 994"), "{log}");
            assert!(log.contains(&culprit), "{log}");
        }
    }
    assert_eq!(status(&private), (0, 0, 0o700));
    assert_eq!(status(&private.join("pid")), (0, 0, 0o600));
    assert_eq!(fs::read_to_string(private.join("pid")).unwrap(), "root's data");
    assert_eq!(fs::read_dir(&private).unwrap().count(), 1);
    assert!(!node.dir.join("new").exists() && !run.join("new").exists());
}

#[test]
fn a_pid_file_is_root_s_business() {
    let Some(node) = Node::new() else { return };
    // In the user's directory it serves, but not without a word.
    let steered = "is in a directory that is not root's alone: it belongs to user 994";
    let mut server = Server::start(&node, &(head(&node) + &sleeper("web", "")));
    server.wait_for(steered);
    server.wait_for("such as /run/stepdown.pid");
    drop(server);
    // In root's, which is made so, nobody else can lock it: neither while it is held nor when it was left.
    let path = node.dir.join("new/pid");
    let text =
        head(&node).replace(pid_path(&node).to_str().unwrap(), path.to_str().unwrap()) + &sleeper("web", "");
    for end in ["KILL", "TERM"] {
        let mut server = Server::start(&node, &text);
        assert!(!server.log().contains(steered), "{}", server.log());
        assert_eq!(status(path.parent().unwrap()), (0, 0, 0o755));
        assert_eq!(status(&path), (0, 0, 0o600));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.pid()));
        server.signal(end);
        server.wait();
        let ids = ["--reuid=994", "--regid=994", "--clear-groups", "flock", "--nonblock", "--shared"];
        let lock = done(node.command("setpriv").args(ids).arg(&path).arg("true"));
        assert!(lock.status != 0 && lock.err.contains("Permission denied"), "{lock:?}");
    }
    // Who is not root any more can't remove it; it says nothing then.
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn after_a_restart_the_files_of_sockets_are_as_the_configuration_says() {
    let Some(node) = Node::new() else { return };
    let (run, console_file) = (run_dir(&node), console_path(&node));
    let socket: PathBuf = run.join("web.sock");
    let text = |user: &str, console: &str, mode: &str| {
        format!(
            "Security {{ user = {user}  group = {user} }}\n\
             Control_Listener {{ Listen \"{}\" {{ File_Mode = {console} }} }}\n{}",
            console_file.display(),
            sleeper("web", &format!("Listen \"{}\" {{ File_Mode = {mode} }}", socket.display()))
        )
    };
    let replace =
        || Server::spawn(&node, node.command(STEPDOWN).args(["serve", "-c", "server.conf", "--replace"]));
    let mut first = Server::start(&node, &text("ecuser", "0666", "0666"));
    assert_eq!(status(&console_file), (ECUSER, ECUSER, 0o666));
    assert_eq!(status(&socket), (ECUSER, ECUSER, 0o666));
    // Who may connect is who the new configuration says, for what was open before.
    node.file("server.conf", &text("other", "0600", "0660"));
    let mut second = replace();
    second.wait_for("serving as user 995");
    assert_eq!(first.wait(), 0, "{}", first.log());
    assert_eq!(status(&console_file), (OTHER, OTHER, 0o600));
    assert_eq!(status(&socket), (OTHER, OTHER, 0o660));
    assert_eq!(second.answer(&["pid"]).trim(), second.pid().to_string());
    assert_eq!(second.ask_as(OTHER, &["pid"]).out.trim(), second.pid().to_string());
    let shut_out = second.ask_as(ECUSER, &["pid"]);
    assert!(shut_out.status != 0 && shut_out.err.contains("may not be used by this user"), "{shut_out:?}");
    // The directory is still that of the user before, who could put anything there.
    let hint = format!("chown 995 {0} && chmod go-w {0}", run.display());
    second.wait_for(&hint);
    // So what is there may not be what was handed over: nobody is let in by the file of another socket.
    fs::remove_file(&socket).unwrap();
    let script = format!("import socket; s = socket.socket(socket.AF_UNIX); s.bind('{}')", socket.display());
    let ids = ["--reuid=994", "--regid=994", "--clear-groups", "python3", "-c", &script];
    done(node.command("setpriv").args(ids)).ran();
    lchown(&run, Some(OTHER), Some(OTHER)).unwrap();
    node.file("server.conf", &text("other", "0660", "0600"));
    let mut third = replace();
    third.wait_for("serving as user 995");
    assert_eq!(second.wait(), 0, "{}", second.log());
    assert_eq!(status(&console_file), (OTHER, OTHER, 0o660));
    assert_eq!(status(&socket), (OTHER, OTHER, 0o600));
    let listening = done(node.command("ss").args(["-H", "-lx", "src", socket.to_str().unwrap()])).out;
    assert_eq!(listening.lines().count(), 1, "{listening}");
    // A listener of systemd's, or of whoever starts the server, is no exception.
    drop(third);
    let script = format!(
        "import os, socket\nsocks = []\nfor path in ('{}',):\n s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(9); \
         os.chmod(path, 0o666); os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
         os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
         os.execv('{STEPDOWN}', ['stepdown', 'serve', '-c', 'server.conf'])",
        socket.display()
    );
    let mut fourth = Server::spawn(&node, node.command("python3").args(["-c", &script]));
    fourth.wait_for("serving as user 995");
    assert_eq!(status(&socket), (OTHER, OTHER, 0o600));
    drop(fourth);
    assert!(Command::new("test").arg("-S").arg(&socket).status().unwrap().success(), "it is the manager's");
}

#[test]
fn after_a_change_of_user_a_cold_start_says_whose_the_directory_is_to_be() {
    let Some(node) = Node::new() else { return };
    let console = console_path(&node);
    let text = format!(
        "Security {{ user = other  group = other }}\nControl_Listener {{ Listen \"{}\" {{ }} }}\n{}",
        console.display(),
        sleeper("web", "")
    );
    let log = refused(&node, &text);
    let directory = console.parent().unwrap().display();
    assert!(log.contains(&format!("chown {OTHER} {directory} && chmod go-w {directory}")), "{log}");
    node.sh(&format!("chown {OTHER} {directory}")).ran();
    assert_eq!(Server::start(&node, &text).stop().0, 0);
}
