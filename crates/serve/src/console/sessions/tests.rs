//! With real sockets, and a loop that is told everything by hand.

use std::io::{Read, Write};

use super::*;
use crate::console::wire::{MAX_REQUEST_BYTES, Replies};

const ROOT: u32 = 0;
const TIMEOUT: Duration = Duration::from_secs(60);

fn sessions() -> Sessions<u32> {
    Sessions::new(Settings {
        authority: Authority { own: 994, ..Authority::default() },
        timeout: Some(TIMEOUT),
        max_sessions: 1000,
    })
}

fn connect(sessions: &mut Sessions<u32>, uid: u32, now: Duration) -> (UnixStream, Option<SessionId>) {
    let (client, server) = UnixStream::pair().expect("sockets");
    client.set_nonblocking(true).expect("it is a socket");
    let peer = Peer { pid: 1, uid, gid: 1, groups: Some(Vec::new()) };
    let id = sessions.admit(server.into(), peer, now).expect("it is a socket");
    (client, id)
}

fn session(sessions: &mut Sessions<u32>, now: Duration) -> (UnixStream, SessionId) {
    let (client, id) = connect(sessions, ROOT, now);
    (client, id.expect("it is let in"))
}

/// Answers every request that waits with itself, and how often its session has asked.
fn answer(sessions: &mut Sessions<u32>, now: Duration) -> Vec<(SessionId, String)> {
    let mut asked = Vec::new();
    for _ in 0..sessions.waiting() {
        let Some(request) = sessions.take(now) else { break };
        let data = request.data + 1;
        let reply = Reply::new(Status::Done, format!("{data} {}\n", request.line));
        asked.push((request.session, request.line));
        sessions.reply(request.session, &reply, data, After::GoOn, now);
    }
    asked
}

/// What has come back, and whether the other side has closed.
fn replies(client: &mut UnixStream) -> (Vec<Reply>, bool) {
    let mut reader = Replies::default();
    let mut buffer = [0; 64 << 10];
    let mut all = Vec::new();
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return (all, true),
            Ok(length) => reader.feed(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (all, false),
            Err(_) => return (all, true),
        }
        while let Some(reply) = reader.next().expect("it is a reply") {
            all.push(reply);
        }
    }
}

fn texts(client: &mut UnixStream) -> Vec<String> {
    replies(client).0.into_iter().map(|reply| reply.text).collect()
}

const START: Duration = Duration::ZERO;

#[test]
fn sessions_take_turns_a_request_each() {
    let mut sessions = sessions();
    let (mut one, first) = session(&mut sessions, START);
    let (mut two, second) = session(&mut sessions, START);
    one.write_all(b"a\nb\nc\n").expect("there is room");
    two.write_all(b"d\n").expect("there is room");
    sessions.ready(first, false, START);
    sessions.ready(second, false, START);
    let asked: Vec<_> =
        std::iter::from_fn(|| Some(answer(&mut sessions, START)).filter(|asked| !asked.is_empty())).collect();
    let line = |id, text: &str| (id, text.to_owned());
    assert_eq!(
        asked,
        [vec![line(first, "a"), line(second, "d")], vec![line(first, "b")], vec![line(first, "c")]]
    );
    assert_eq!(texts(&mut one), ["1 a\n", "2 b\n", "3 c\n"], "what a session owns stays its own");
    assert_eq!(texts(&mut two), ["1 d\n"]);
}

#[test]
fn garbage_is_refused_politely_and_half_a_command_is_not_carried_out() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(b"\0\n\xff\n\nok\nhalf").expect("there is room");
    client.shutdown(std::net::Shutdown::Write).expect("it is connected");
    for _ in 0..3 {
        sessions.ready(id, false, START);
        answer(&mut sessions, START);
    }
    assert!(matches!(sessions.changes().last(), Some(Change::Remove(removed, _)) if *removed == id));
    let (said, closed) = replies(&mut client);
    let status: Vec<Status> = said.iter().map(|reply| reply.status).collect();
    let expected =
        [Status::NotUnderstood, Status::NotUnderstood, Status::Done, Status::Done, Status::NotUnderstood];
    assert_eq!(status, expected, "{said:?}");
    assert_eq!(said[3].text, "2 ok\n");
    assert!(said[4].text.contains("no line feed"), "{said:?}");
    assert_eq!((sessions.count(), closed), (0, true));
}

#[test]
fn a_hundred_megabytes_without_a_line_feed_are_not_kept() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    let chunk = vec![b'x'; 256 << 10];
    let mut sent = 0;
    let mut reads = 0;
    'sending: while sent < 100 << 20 {
        loop {
            match client.write(&chunk) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => break 'sending,
            }
        }
        sessions.ready(id, false, START);
        reads += 1;
        drop(sessions.changes());
    }
    assert!(reads <= MAX_REQUEST_BYTES / 4096 + 2, "it was read on: {reads} times");
    let (said, closed) = replies(&mut client);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].status, closed, sessions.count()), (Status::NotUnderstood, true, 0));
    assert!(said[0].text.contains("longer than 64 KiB"), "{said:?}");
}

#[test]
fn who_does_not_read_is_not_read_from_and_is_dropped_in_time() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(&b"more\n".repeat(1000)).expect("there is room");
    sessions.ready(id, false, START);
    let long = Reply::new(Status::Done, "x".repeat(8 << 20));
    let mut answered = 0;
    while let Some(request) = sessions.take(START) {
        sessions.reply(request.session, &long, 0, After::GoOn, START);
        answered += 1;
    }
    assert_eq!((answered, sessions.waiting()), (1, 0), "one reply waits, and nothing more is asked");
    assert!(matches!(sessions.changes().last(), Some(Change::Modify(_, Interest::Write))));
    // Others are served.
    let (mut other, second) = session(&mut sessions, START);
    other.write_all(b"hello\n").expect("there is room");
    sessions.ready(second, false, START);
    assert_eq!(answer(&mut sessions, START).len(), 1);
    assert_eq!(texts(&mut other), ["1 hello\n"]);
    // Reading some of it is progress.
    let mut some = vec![0; 1 << 20];
    let later = START + TIMEOUT / 2;
    let length = client.read(&mut some).expect("there is something");
    assert!(length > 0);
    sessions.ready(id, false, later);
    assert_eq!(sessions.expire(START + TIMEOUT), 1, "the other one was silent");
    assert_eq!(sessions.deadline(), Some(later + TIMEOUT));
    assert_eq!(sessions.expire(later + TIMEOUT), 1);
    assert_eq!(sessions.count(), 0);
}

#[test]
fn who_reads_in_the_end_gets_everything() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(b"one\ntwo\n").expect("there is room");
    sessions.ready(id, false, START);
    let long = Reply::new(Status::Refused, "long ".repeat(1 << 20));
    let mut got = Vec::new();
    let mut reader = Replies::default();
    let mut buffer = vec![0; 64 << 10];
    while got.len() < 2 {
        if let Some(request) = sessions.take(START) {
            sessions.reply(request.session, &long, 0, After::GoOn, START);
        }
        while let Ok(length) = client.read(&mut buffer) {
            reader.feed(&buffer[..length]);
        }
        got.extend(reader.next().expect("it is a reply"));
        sessions.ready(id, false, START);
    }
    assert_eq!(got, [long.clone(), long]);
}

#[test]
fn all_replies_together_have_a_limit() {
    let mut sessions = sessions();
    let long = Reply::new(Status::Done, "x".repeat(24 << 20));
    let mut clients = Vec::new();
    for second in 0..5 {
        let now = Duration::from_secs(second);
        let (mut client, id) = session(&mut sessions, now);
        client.write_all(b"show\n").expect("there is room");
        sessions.ready(id, false, now);
        let request = sessions.take(now).expect("it asks");
        sessions.reply(request.session, &long, 0, After::GoOn, now);
        clients.push((client, id));
    }
    let left: Vec<SessionId> =
        clients.iter().map(|(_, id)| *id).filter(|id| sessions.socket(*id).is_some()).collect();
    assert_eq!(left, [clients[3].1, clients[4].1], "those that stood still for longest are gone");
}

#[test]
fn five_hundred_clients_at_once_are_all_answered() {
    let mut sessions = sessions();
    let mut clients: Vec<_> = (0..500).map(|_| session(&mut sessions, START)).collect();
    for (client, id) in &mut clients {
        client.write_all(format!("I am {}\n", id.0).as_bytes()).expect("there is room");
        sessions.ready(*id, false, START);
    }
    assert_eq!(answer(&mut sessions, START).len(), 500);
    for (client, id) in &mut clients {
        assert_eq!(texts(client), [format!("1 I am {}\n", id.0)]);
    }
    drop(clients.split_off(10));
    for id in 0..500 {
        sessions.ready(SessionId(id), id >= 10, START);
    }
    assert_eq!(sessions.count(), 10);
}

#[test]
fn one_too_many_and_who_may_not_are_told_so() {
    let mut sessions = sessions();
    let mut settings = sessions.settings.clone();
    settings.max_sessions = 1;
    sessions.set(settings.clone());
    let (mut client, id) = session(&mut sessions, START);
    let (mut second, refused) = connect(&mut sessions, ROOT, START);
    assert_eq!(refused, None);
    let (said, closed) = replies(&mut second);
    assert!(closed && said.len() == 1 && said[0].text.contains("1 sessions already"), "{said:?}");
    let (mut other, refused) = connect(&mut sessions, 995, START);
    assert_eq!(refused, None);
    let (said, closed) = replies(&mut other);
    assert!(closed && said[0].text.contains("user 995 is not allowed"), "{said:?}");
    assert_eq!(said[0].status, Status::Refused);
    // Rights that are taken away are gone at the next request.
    sessions.ready(id, true, START);
    let (mut own, id) = {
        settings.max_sessions = 2;
        sessions.set(settings.clone());
        let (own, id) = connect(&mut sessions, 994, START);
        (own, id.expect("it is let in"))
    };
    own.write_all(b"status\n").expect("there is room");
    sessions.ready(id, false, START);
    settings.authority.own = 1;
    sessions.set(settings);
    assert!(sessions.take(START).is_none());
    let (said, _) = replies(&mut own);
    assert!(said[0].text.contains("user 994 is not allowed"), "{said:?}");
    drop(client.write(b"x"));
}

#[test]
fn silence_has_an_end_and_a_byte_now_and_then_does_not_break_it() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(b"status\n").expect("there is room");
    let at = |seconds| Duration::from_secs(seconds);
    sessions.ready(id, false, at(30));
    answer(&mut sessions, at(31));
    assert_eq!(sessions.deadline(), Some(at(91)));
    for second in (40..90).step_by(10) {
        client.write_all(b"x").expect("there is room");
        sessions.ready(id, false, at(second));
    }
    assert_eq!(sessions.expire(at(90)), 0);
    assert_eq!(sessions.expire(at(91)), 1);
    assert!(sessions.deadline().is_none());
    // No time runs while the server is the one that is slow.
    let (mut client, id) = session(&mut sessions, at(100));
    client.write_all(b"reload\n").expect("there is room");
    sessions.ready(id, false, at(101));
    let request = sessions.take(at(101)).expect("it asks");
    assert_eq!(sessions.deadline(), None);
    sessions.reply(request.session, &Reply::new(Status::Done, ""), 0, After::GoOn, at(500));
    assert_eq!(sessions.deadline(), Some(at(560)));
}

#[test]
fn who_leaves_is_forgotten_and_a_late_reply_hurts_nobody() {
    let mut sessions = sessions();
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(b"status\n").expect("there is room");
    sessions.ready(id, false, START);
    let request = sessions.take(START).expect("it asks");
    drop(client);
    sessions.ready(id, true, START);
    assert_eq!(sessions.count(), 0);
    sessions.reply(request.session, &Reply::new(Status::Done, "late"), 0, After::GoOn, START);
    let (mut client, id) = session(&mut sessions, START);
    client.write_all(b"handover\nstatus\n").expect("there is room");
    sessions.ready(id, false, START);
    assert!(sessions.release(id).is_none(), "nothing was taken");
    let request = sessions.take(START).expect("it asks");
    let socket = sessions.release(request.session).expect("it was taken");
    UnixStream::from(socket).write_all(b"sockets").expect("there is room");
    let mut said = [0; 7];
    client.read_exact(&mut said).expect("it was sent");
    assert_eq!((&said, sessions.count()), (b"sockets", 0));
}

#[test]
fn who_may_only_look_shuts_nobody_out() {
    let mut sessions = sessions();
    let mut settings = sessions.settings.clone();
    settings.max_sessions = 16;
    settings.authority.observers.users = (30..60).collect();
    sessions.set(settings);
    let mut hogs = Vec::new();
    for uid in 30..60 {
        for number in 0..10 {
            let fits = number < 4 && sessions.count() < 14;
            let (mut client, id) = connect(&mut sessions, uid, START);
            assert_eq!(id.is_some(), fits, "{uid} {number}");
            if id.is_none() {
                assert!(replies(&mut client).0[0].text.contains("sessions already"));
            }
            hogs.push((uid, client, id));
        }
    }
    assert_eq!(sessions.count(), 14, "of four users");
    let (_first, own) = connect(&mut sessions, 994, START);
    let (_second, too) = connect(&mut sessions, 994, START);
    assert!(own.is_some() && too.is_some());
    let (mut third, none) = connect(&mut sessions, 994, START);
    assert!(none.is_none() && replies(&mut third).1);
    drop(sessions.changes());
    // Everything is taken: root has the place of the idlest of somebody who only looks and has most.
    let (mut root, id) = session(&mut sessions, Duration::from_secs(1));
    let changes = sessions.changes();
    let gone = changes.iter().find_map(|change| match change {
        Change::Remove(id, _) => Some(*id),
        _ => None,
    });
    drop(changes);
    let (uid, client, _) = hogs.iter_mut().find(|(.., id)| *id == gone).expect("one of them");
    assert_eq!(*uid, 30);
    let (said, closed) = replies(client);
    assert!(closed && said[0].text.contains("root needed its place"), "{said:?}");
    assert_eq!(sessions.count(), 16);
    root.write_all(b"status\n").expect("there is room");
    sessions.ready(id, false, START);
    assert_eq!(answer(&mut sessions, START).len(), 1);
}

#[test]
fn many_sessions_of_a_user_have_one_turn_between_those_of_others() {
    let mut sessions = sessions();
    let mut all = Vec::new();
    for uid in [994, 994, 994, 994, 0, 0] {
        let (mut client, id) = connect(&mut sessions, uid, START);
        let id = id.expect("it is let in");
        client.write_all(b"a\n").expect("there is room");
        sessions.ready(id, false, START);
        all.push((client, id));
    }
    let asked: Vec<usize> = answer(&mut sessions, START)
        .into_iter()
        .filter_map(|(id, _)| all.iter().position(|(_, other)| *other == id))
        .collect();
    assert_eq!(asked, [0, 4, 1, 5, 2, 3]);
}
