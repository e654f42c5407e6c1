//! A process of the service's user in the place of the server that a fresh one asks for its sockets. The fresh one is root: it
//! must not be harmed, not wait for ever, and not use what it was not meant to be given.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::serving::{Server, console_path, head, is_alive, run_dir, status_field};
use crate::support::{Done, Node, STEPDOWN, done};

/// Listens at a path as whoever it is, and answers everybody who connects in one way, which is its second argument.
const HOSTILE: &str = r#"
import array, os, socket, sys, threading, time
path, how = sys.argv[1], sys.argv[2]
listener = socket.socket(socket.AF_UNIX)
try: os.unlink(path)
except OSError: pass
listener.bind(path)
os.chmod(path, 0o777)
listener.listen(0 if how == 'full' else 64)

def send(to, data, descriptors):
    to.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))])

def bound(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    if kind == socket.SOCK_STREAM: one.listen(5)
    return one

def answer(to):
    if how == 'nothing': time.sleep(1000)
    to.recv(100)
    null, root = os.open('/dev/null', os.O_RDWR), os.open('/', os.O_RDONLY)
    if how == 'silent': time.sleep(1000)
    if how == 'closes': return to.close()
    if how == 'garbage': to.sendall(bytes(range(256)) * 1000)
    if how == 'escapes': to.sendall(b'1 30\n\x1b[2J\x1b]0;owned\x07 error: \xff\xfe\r\n')
    if how == 'negative': to.sendall(b'sockets -1\n')
    if how == 'huge': to.sendall(b'sockets 18446744073709551615\n')
    if how == 'no end': to.sendall(b's' * 100000)
    if how == 'drips':
        to.sendall(b'sockets 3\n')
        while True:
            to.sendall(b'x')
            time.sleep(1)
    if how == 'files': send(to, b'sockets 3\n', [null, root, os.open('/etc/passwd', os.O_RDONLY)])
    if how == 'thousands':
        to.sendall(b'sockets 90000\n')
        try:
            for _ in range(1000): send(to, b'x', [null] * 253)
        except OSError: pass
    if how == 'more':
        send(to, b'sockets 1\n', [null] * 250)
    if how == 'sockets':
        pair = socket.socketpair()
        others = [
            bound(('127.0.0.1', 8081)), bound(('127.0.0.1', 8080)), bound(('0.0.0.0', 8082)),
            bound(('127.0.0.1', 8083), kind=socket.SOCK_DGRAM), bound('\0other', socket.AF_UNIX),
            bound(os.path.dirname(path) + '/other.sock', socket.AF_UNIX), pair[0], pair[1],
            socket.socket(), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET),
        ]
        unbound = socket.socket(); unbound.connect(('127.0.0.1', 8081))
        others.append(unbound)
        send(to, b'sockets %d\n' % (len(others) + 2), [one.fileno() for one in others] + [null, root])
    time.sleep(1000)

print('listening', flush=True)
if how == 'full':
    others = []
    for _ in range(3):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try: one.connect(path)
        except OSError: pass
        others.append(one)
    time.sleep(1000)
while True:
    connection, _ = listener.accept()
    def go(connection=connection):
        try: answer(connection)
        except OSError: pass
    threading.Thread(target=go, daemon=True).start()
"#;

/// One that answers like this, as `ecuser`, at this path.
struct Hostile(Child);

impl Hostile {
    fn start(node: &Node, at: &Path, how: &str) -> Hostile {
        node.file("hostile.py", HOSTILE);
        let ids = ["--reuid=994", "--regid=994", "--clear-groups", "--", "python3", "hostile.py"];
        let mut command = node.command("setpriv");
        let mut child = command.args(ids).arg(at).arg(how).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 10];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Hostile(child)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(node: &Node) -> String {
    format!(
        "{}Service \"web\" {{ Command = ( /bin/sleep 1000000 ) Listen \"127.0.0.1:8080\" {{ Type = datagram }} \
         Listen \"127.0.0.1:80\" {{ }} Ready_After = 0.1 }}\n",
        head(node)
    )
}

/// The fresh one: what asks for sockets, as root, and has a minute.
fn ask(node: &Node, command: &[&str]) -> Done {
    let mut timeout = node.command("timeout");
    done(timeout.args(["-k", "1", "60"]).arg(STEPDOWN).args(command).args(["-c", "server.conf"]))
}

/// What every one of these does to whoever waits for it: nothing but an error in plain words.
#[track_caller]
fn refused(done: &Done, how: &str) {
    assert!(matches!(done.status, 1 | 125), "{how}: {done:?}");
    assert!(done.err.contains("error"), "{how}: {done:?}");
    // What it sent may be quoted, made harmless, and not at length.
    assert!(
        done.err.chars().all(|c| c == '\n' || c == '\u{fffd}' || (' '..='~').contains(&c)),
        "{how}: {done:?}"
    );
    assert!(done.err.len() < 8000, "{how}: {}", done.err.len());
    assert!(!done.err.contains("panicked"), "{how}: {done:?}");
}

const WAYS: [&str; 13] = [
    "closes",
    "garbage",
    "escapes",
    "negative",
    "huge",
    "no end",
    "files",
    "thousands",
    "more",
    "sockets",
    "full",
    "silent",
    "drips",
];

#[test]
fn what_listens_in_the_place_of_the_server_is_asked_in_vain() {
    if Node::new().is_none() {
        return;
    }
    std::thread::scope(|scope| {
        // Those at which it takes its time are waited for together.
        for how in WAYS {
            let own = Node::new().unwrap();
            scope.spawn(move || {
                let console = console_path(&own);
                own.file("server.conf", &text(&own));
                let hostile = Hostile::start(&own, &console, how);
                let replaced = ask(&own, &["serve", "--replace"]);
                // What gave nothing that is wanted is a live socket in the place of the console.
                refused(&replaced, how);
                drop(hostile);
                // When it has gone, a start is not hindered by what it left.
                let server = Server::start(&own, &text(&own));
                assert_eq!(status_field(server.pid(), "Uid"), "994\t994\t994\t994", "{how}");
                assert_eq!(server.stop().0, 0);
            });
        }
    });
}

#[test]
fn a_restart_is_not_held_up_by_what_listens_in_the_place_of_the_server() {
    if Node::new().is_none() {
        return;
    }
    std::thread::scope(|scope| {
        for how in WAYS {
            let own = Node::new().unwrap();
            scope.spawn(move || {
                let mounted =
                    done(own.command("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]));
                assert_eq!(mounted.status, 0);
                own.file("server.conf", &text(&own));
                let hostile = Hostile::start(&own, &console_path(&own), how);
                let restarted = ask(&own, &["restart", "--timeout", "2"]);
                refused(&restarted, how);
                drop(hostile);
                assert_eq!(own.sh("ls /run/stepdown-restart 2>/dev/null").out, "", "{how}");
            });
        }
    });
}

#[test]
fn sockets_that_nobody_asked_for_are_closed_and_said() {
    let Some(node) = Node::new() else { return };
    // The console is elsewhere by now, so that nothing is in the way of the start.
    let hostile_at = run_dir(&node).join("old-console");
    let _hostile = Hostile::start(&node, &hostile_at, "sockets");
    let text = text(&node).replace(
        &format!("Listen \"{}\"", console_path(&node).display()),
        &format!("Listen \"{}\" {{ }} Listen \"{}\"", hostile_at.display(), console_path(&node).display()),
    );
    node.file("server.conf", &text);
    // It is alive, and gives everything but itself: the start is refused for that alone.
    let refused = ask(&node, &["serve", "--replace"]);
    assert!(refused.err.contains("old-console can't be listened on"), "{refused:?}");
    drop(_hostile);
    let server = Server::start(&node, &text);
    assert!(is_alive(server.pid()));
    let held = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().flatten();
    for entry in held {
        let to = fs::read_link(entry.path()).unwrap_or_default();
        assert!(to != Path::new("/") && to != Path::new("/etc/passwd"), "{to:?}");
    }
}

#[test]
fn at_the_meeting_point_nobody_but_root_is_believed() {
    let Some(node) = Node::new() else { return };
    let mounted = done(node.command("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]));
    assert_eq!(mounted.status, 0);
    // Where it is, the program says itself where nobody comes.
    let mut server = Server::start(&node, &text(&node));
    let said = ask(&node, &["restart", "--timeout", "1"]);
    let point = said.err.split_whitespace().find(|word| word.starts_with("/run/stepdown-restart/"));
    let point = point.unwrap_or_else(|| panic!("{said:?}")).trim_end_matches(')').to_owned();
    server.wait();
    assert_eq!(node.sh("stat -c '%u %a' /run/stepdown-restart").out, "0 755\n");
    let as_ecuser =
        "setpriv --reuid=994 --regid=994 --clear-groups -- sh -c \"echo >/run/stepdown-restart/x\"";
    assert_ne!(node.sh(as_ecuser).status, 0);
    // Even if the directory were its: it is seen who listens.
    assert_eq!(node.sh("chown 994 /run/stepdown-restart").status, 0);
    let hostile = Hostile::start(&node, Path::new(&point), "sockets");
    for command in [&["serve"][..], &["serve", "--replace"][..]] {
        let refused = ask(&node, command);
        assert_eq!(refused.status, 125, "{refused:?}");
        assert!(refused.err.contains("user 994"), "{refused:?}");
        assert!(refused.err.contains("only root may hold sockets"), "{refused:?}");
    }
    drop(hostile);
    // What it left is a socket without anybody behind it.
    let server = Server::start(&node, &text(&node));
    assert_eq!(server.stop().0, 0);
    // A link in its place leads nowhere: it is not followed.
    let other = run_dir(&node).join("other");
    let _hostile = Hostile::start(&node, &other, "files");
    assert_eq!(node.sh(&format!("ln -sf {} {point}", other.display())).status, 0);
    let refused = ask(&node, &["serve"]);
    assert!(refused.status == 125 && refused.err.contains("could not be taken over"), "{refused:?}");
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o777);
}
