//! The console of a running server and its clients: hostile ones, many, and those who may not. While each of them does what it
//! does, another client asks and is answered.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::serving::{PATIENCE, Server, console_path, head, run_dir, until};
use crate::support::{Done, Node, STEPDOWN, done};

/// A service that does nothing, and is ready at once.
const SLEEPER: &str = "Service \"sleeper\" { Command = ( \"/bin/sleep\" \"1000000\" )  Ready_After = 0.1 }\n";

/// A configuration whose console has these options, and whose socket all may connect to.
fn open(node: &Node, options: &str) -> String {
    let console = console_path(node);
    format!(
        "Security {{ user = ecuser  group = ecuser }}\n\
         Control_Listener {{ Listen \"{}\" {{ File_Mode = 0666 }} {options} }}\n{SLEEPER}",
        console.display()
    )
}

/// A connection to the console, of which a read that hangs fails the test.
fn connect(node: &Node) -> UnixStream {
    let stream = UnixStream::connect(console_path(node)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes until the server closes. What it did not read when it closed ends the stream with an error.
fn rest(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server does not close: {error}"),
    }
    String::from_utf8(bytes).unwrap()
}

/// One reply: its status and its text.
fn reply(stream: &mut UnixStream) -> (u8, String) {
    let mut header = String::new();
    let mut byte = [0];
    while !header.ends_with('\n') {
        stream.read_exact(&mut byte).unwrap();
        header.push(char::from(byte[0]));
    }
    let (status, length) = header.trim_end().split_once(' ').unwrap();
    let mut text = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut text).unwrap();
    (status.parse().unwrap(), String::from_utf8(text).unwrap())
}

/// Does something while a client with a session of its own asks over and over; it has to have been answered, rightly, at the
/// same time.
fn unnoticed(node: &Node, server: &Server<'_>, does: impl FnOnce()) {
    let pid = format!("{}\n", server.pid());
    let (over, answers) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let mut session = connect(node);
            while !over.load(Ordering::Relaxed) {
                session.write_all(b"pid\n").unwrap();
                assert_eq!(reply(&mut session), (0, pid.clone()));
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        until("the first answer", || answers.load(Ordering::Relaxed) > 0 || asker.is_finished());
        let before = answers.load(Ordering::Relaxed);
        does();
        until("an answer meanwhile", || answers.load(Ordering::Relaxed) > before || asker.is_finished());
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn garbage_is_answered_and_the_session_goes_on() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    unnoticed(&node, &server, || {
        let mut session = connect(&node);
        for garbage in
            [&b"\xff\xfe\x00\n"[..], b"\x1b[2J\n", b"config get \"\n", b"sttaus\n", b"config\n", b"\t\x01\n"]
        {
            session.write_all(garbage).unwrap();
            let (status, text) = reply(&mut session);
            assert_eq!(status, 2, "{garbage:?}: {text}");
            assert!(!text.contains(['\u{1b}', '\u{1}', '\0']), "{garbage:?}: {text:?}");
        }
        session.write_all(b"\n\r\n  version  \r\n").unwrap();
        assert_eq!([reply(&mut session), reply(&mut session)], [(0, String::new()), (0, String::new())]);
        assert_eq!(reply(&mut session).0, 0);
        // Not one byte of it is a line feed.
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..40_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .filter(|byte| *byte != b'\n')
            .collect();
        session.write_all(&noise).unwrap();
        session.write_all(b"\npid\n").unwrap();
        assert_eq!(reply(&mut session).0, 2);
        assert_eq!(reply(&mut session), (0, format!("{}\n", server.pid())));
    });
}

#[test]
fn a_line_without_an_end_ends_the_session_and_not_the_memory() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    let peak = || {
        crate::serving::status_field(server.pid(), "VmHWM").trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let before = peak();
    unnoticed(&node, &server, || {
        let mut session = connect(&node);
        let piece = vec![b'x'; 1 << 20];
        let mut sent = 0_usize;
        // A gigabyte, or what is taken of it.
        while sent < 1 << 30 {
            match session.write(&piece) {
                Ok(count) => sent += count,
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    break;
                }
                Err(error) => panic!("after {sent} bytes: {error}"),
            }
        }
        assert!(sent < 16 << 20, "{sent} bytes were taken");
        let text = rest(&mut session);
        assert!(text.starts_with("2 ") || text.is_empty(), "{text}");
    });
    assert!(peak() < before + 4096, "{before} kB before, {} kB after", peak());
}

#[test]
fn half_a_command_is_not_carried_out() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    unnoticed(&node, &server, || {
        let mut session = connect(&node);
        session.write_all(b"pid\nshutdown").unwrap();
        session.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(reply(&mut session).0, 0);
        let (status, text) = reply(&mut session);
        assert!(status == 2 && !text.is_empty(), "{status} {text}");
        assert_eq!(rest(&mut session), "");
        // Begun, and never ended: nobody waits for it.
        let mut hanging = connect(&node);
        hanging.write_all(b"config set a").unwrap();
        drop(hanging);
    });
    assert_eq!(server.answer(&["services"]).lines().count(), server.answer(&["services"]).lines().count());
    assert!(!server.log().contains("shutdown"), "{}", server.log());
}

#[test]
fn a_client_that_never_reads_is_dropped_and_the_others_do_not_notice() {
    let Some(node) = Node::new() else { return };
    let configuration = open(&node, "Timeout = 2") + &format!("Filler = \"{}\"\n", "x".repeat(1_000_000));
    let server = Server::start(&node, &configuration);
    unnoticed(&node, &server, || {
        let mut sessions: Vec<UnixStream> = (0..20).map(|_| connect(&node)).collect();
        for session in &mut sessions {
            session.write_all(&b"config show\n".repeat(50)).unwrap();
        }
        // It does not wait for them: two seconds later they are gone.
        until("the end of those who do not read", || {
            server.json(&["status"])["sessions"].as_u64().unwrap() <= 2
        });
        for session in &mut sessions {
            let got = rest(session);
            assert!(got.len() < 1_000_000, "less than one reply, {} bytes", got.len());
        }
    });
}

#[test]
fn five_hundred_clients_at_once_are_all_answered() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    unnoticed(&node, &server, || {
        let mut sessions: Vec<UnixStream> = (0..500).map(|_| connect(&node)).collect();
        for session in &mut sessions {
            session.write_all(b"pid\nconfig get Security user\n").unwrap();
        }
        for session in &mut sessions {
            assert_eq!(reply(session), (0, format!("{}\n", server.pid())));
            assert_eq!(reply(session).0, 0);
        }
        let there = server.json(&["status"])["sessions"].as_u64().unwrap();
        assert!(there >= 501, "{there} sessions");
    });
}

#[test]
fn one_more_than_the_most_sessions_is_told_so() {
    let Some(node) = Node::new() else { return };
    let _server = Server::start(&node, &open(&node, "Max_Sessions = 3"));
    let mut sessions: Vec<UnixStream> = (0..3).map(|_| connect(&node)).collect();
    for session in &mut sessions {
        session.write_all(b"pid\n").unwrap();
        assert_eq!(reply(session).0, 0);
    }
    let mut next = connect(&node);
    let text = rest(&mut next);
    assert!(text.starts_with("1 ") && text.contains("Max_Sessions"), "{text}");
    drop(sessions.pop());
    until("a place that has become free", || {
        let mut next = connect(&node);
        next.write_all(b"pid\n").is_ok() && rest_or_reply(&mut next)
    });
}

/// Whether a reply with status 0 comes.
fn rest_or_reply(stream: &mut UnixStream) -> bool {
    let mut byte = [0];
    stream.read_exact(&mut byte).is_ok() && byte[0] == b'0'
}

#[test]
fn silence_ends_a_session_and_half_a_line_is_silence() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &open(&node, "Timeout = 1"));
    let (mut silent, mut dripping) = (connect(&node), connect(&node));
    let drips = thread::spawn(move || {
        // Until the server closes.
        while dripping.write_all(b"p").is_ok() {
            thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    assert_eq!(rest(&mut silent), "");
    drips.join().unwrap();
    // Timeout = 0 is for ever; the change holds for what is asked from then on.
    let reloaded = server.reload(&open(&node, "Timeout = 0"));
    assert_eq!(reloaded.status, 0, "{reloaded:?}");
    let mut patient = connect(&node);
    patient.write_all(b"pid\n").unwrap();
    assert_eq!(reply(&mut patient).0, 0);
    thread::sleep(std::time::Duration::from_secs(2));
    patient.write_all(b"pid\n").unwrap();
    assert_eq!(reply(&mut patient).0, 0);
}

/// `stepdown console` as a user with these ids, and with supplementary groups.
fn ask_as(node: &Node, user: u32, group: u32, groups: &str, command: &[&str]) -> Done {
    let mut asker = node.command("setpriv");
    asker.args([format!("--reuid={user}"), format!("--regid={group}")]);
    match groups {
        "" => asker.arg("--clear-groups"),
        groups => asker.arg(format!("--groups={groups}")),
    };
    done(asker.arg(STEPDOWN).arg("console").arg(console_path(node)).args(command))
}

#[track_caller]
fn may(node: &Node, who: (u32, u32, &str), look: i32, change: i32) {
    let asked = ask_as(node, who.0, who.1, who.2, &["status"]);
    assert_eq!(asked.status, look, "{who:?} looks: {asked:?}");
    let shown = ask_as(node, who.0, who.1, who.2, &["config", "show", "Security"]);
    assert_eq!(shown.status, look, "{who:?} looks: {shown:?}");
    for command in [
        &["config", "set", "Foreign", "=", "1"][..],
        &["config", "writeback", "/nowhere/file"],
        &["config", "begin"],
    ] {
        let asked = ask_as(node, who.0, who.1, who.2, command);
        // What nobody can do is refused to those who may as well, for another reason.
        let refused = asked.err.contains("may not") || asked.err.contains("is not allowed");
        assert_eq!(i32::from(refused), change, "{who:?} {command:?}: {asked:?}");
    }
}

#[test]
fn by_default_root_and_the_server_s_own_user_may_and_others_may_not_even_connect() {
    let Some(node) = Node::new() else { return };
    let server = Server::start(&node, &(head(&node) + SLEEPER));
    may(&node, (0, 0, ""), 0, 0);
    may(&node, (994, 994, ""), 0, 0);
    let other = server.ask_as(995, &["status"]);
    assert!(other.status == 1 && other.err.contains("may not be used by this user"), "{other:?}");
    // Who could connect all the same, since the mode lets in everybody, is refused.
    let reloaded = server.reload(&open(&node, ""));
    assert_eq!(reloaded.status, 0, "{reloaded:?}");
    for command in ["status", "version", "help", "quit", "shutdown", "handover"] {
        let other = server.ask_as(995, &[command]);
        assert!(other.status == 1 && other.err.contains("user 995 is not allowed"), "{command}: {other:?}");
    }
    // The group is not the user.
    may(&node, (995, 994, "994,0"), 1, 1);
    // Only root gets the sockets.
    let handover = server.ask_as(994, &["handover"]);
    assert!(handover.status == 1 && handover.err.contains("only root may"), "{handover:?}");
}

#[test]
fn operators_and_observers_by_name_id_and_group() {
    let Some(node) = Node::new() else { return };
    node.file(
        "group",
        &(fs::read_to_string(node.dir.join("group")).unwrap() + "watch:x:1200:\nwheel:x:1201:other\n"),
    );
    let server = Server::start(
        &node,
        &open(&node, "Operators = ( 1101 \"@1201\" )  Observers = ( other \"@watch\" )"),
    );
    for (who, look, change) in [
        ((1101, 1, ""), 0, 0),
        ((1102, 1201, ""), 0, 0),
        ((1102, 1, "1201"), 0, 0),
        ((1102, 1, "1200"), 0, 1),
        ((995, 995, ""), 0, 1),
        // Both: the greater right wins.
        ((995, 995, "1201"), 0, 0),
        ((1102, 1101, "1101"), 1, 1),
        ((1102, 995, "995"), 1, 1),
    ] {
        may(&node, who, look, change);
    }
    // A change holds for sessions that are there, from their next request on.
    let script = "import socket,sys,os\nos.setgroups([]); os.setgid(995); os.setuid(995)\n\
         s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
         for line in sys.stdin:\n s.sendall(line.encode()); print(s.recv(65536).decode()[0], flush=True)\n";
    let mut session = node
        .command("python3")
        .args(["-c", script])
        .arg(console_path(&node))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, from) = (session.stdin.take().unwrap(), session.stdout.take().unwrap());
    let mut answers = std::io::BufRead::lines(std::io::BufReader::new(from));
    let mut ask = |line: &str| {
        to.write_all(line.as_bytes()).unwrap();
        answers.next().unwrap().unwrap()
    };
    assert_eq!((ask("pid\n").as_str(), ask("config begin\n").as_str()), ("0", "1"));
    assert_eq!(server.reload(&open(&node, "Operators = ( other )")).status, 0);
    assert_eq!((ask("pid\n").as_str(), ask("config begin\n").as_str()), ("0", "0"));
    assert_eq!(server.reload(&open(&node, "")).status, 0);
    assert_eq!(ask("pid\n").as_str(), "1");
    let _ = session.kill();
    let _ = session.wait();
    let unknown = server.reload(&open(&node, "Operators = ( nobody_of_that_name )"));
    assert!(unknown.status == 1 && unknown.err.contains("Reconfigure failed"), "{unknown:?}");
    may(&node, (995, 995, ""), 1, 1);
    assert!(run_dir(&node).join("console").exists());
}
