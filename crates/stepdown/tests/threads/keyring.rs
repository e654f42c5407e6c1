//! Session keyrings, keyrings(7): every thread leaves the one that root had, also where keys are rationed.
//!
//! They are for every user but the first root, so these cases become root of a user namespace.

use std::io::{Read, Write, pipe};
use std::process::{Command, Stdio};

use crate::raw;
use crate::support::{Waiting, applied, apply, plan, refused, skip, status};

/// `KEY_POS_ALL | KEY_USR_VIEW | KEY_USR_READ`, what the kernel gives a session keyring without a name.
const NOBODY_ELSE_JOINS: u32 = 0x3f03_0000;

pub(crate) fn left() {
    if raw::session_keyring() < 0 {
        return skip("there are no keys here");
    }
    raw::join_session_keyring();
    let others = [Waiting::start(), Waiting::start()];
    let before = raw::session_keyring();
    assert!(others.iter().all(|other| other.does(raw::session_keyring) == before));
    apply();
    let mut now: Vec<_> = others.iter().map(|other| other.does(raw::session_keyring)).collect();
    now.push(raw::session_keyring());
    now.sort_unstable();
    now.dedup();
    // Where there are keys enough, nobody else could join theirs at any time: they have no name.
    assert!(now.len() == 3 && now[0] > 0 && !now.contains(&before), "{now:?}, before {before}");
}

pub(crate) fn more_threads_than_keys() {
    let Some(keys) = ration() else { return };
    become_root_of_a_namespace();
    // A process that stays root of the namespace, and tries to join when all is done.
    let (mut read, mut write) = pipe().unwrap();
    let root = raw::fork();
    if root == 0 {
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        let (key, name) = text.split_once(' ').unwrap();
        let joined = raw::join_session_keyring_named(name);
        // It gets one of that name, and another.
        std::process::exit(if joined > 0 && joined.to_string() != key { 7 } else { 1 });
    }
    raw::join_session_keyring();
    let before = raw::session_keyring();
    let others: Vec<Waiting> = (0..keys + 100).map(|_| Waiting::start()).collect();
    assert!(others.iter().all(|other| other.does(raw::session_keyring) == before));
    assert_eq!(applied(plan().apply()).threads, others.len() + 1);
    let now = raw::session_keyring();
    assert!(now > 0 && now != before, "{now}, before {before}");
    assert!(others.iter().all(|other| other.does(raw::session_keyring) == now));
    // Whoever possesses it has seen the name; from here on it leads nowhere.
    let (user, permissions, name) = raw::describe_key(now);
    assert_eq!((user, permissions), (0, NOBODY_ELSE_JOINS), "{name}");
    assert!(name.starts_with("stepdown-") && name.len() == 9 + 32, "{name}");
    write!(write, "{now} {name}").unwrap();
    drop(write);
    assert_eq!(raw::ended(root), 7);
}

pub(crate) fn no_key_left() {
    let Some(keys) = ration() else { return };
    become_root_of_a_namespace();
    let others: Vec<Waiting> = (0..keys + 10).map(|_| Waiting::start()).collect();
    others.iter().for_each(|other| other.does(raw::join_session_keyring));
    let before: Vec<_> = others.iter().map(|other| other.does(raw::session_keyring)).collect();
    let words = refused(plan().apply(), "keyring-kept");
    assert!(words.contains("keyctl answered EDQUOT"), "{words}");
    let after: Vec<_> = others.iter().map(|other| other.does(raw::session_keyring)).collect();
    assert_eq!(before, after);
}

/// How many keys a user may have; `None` where the case makes no sense, after saying so.
fn ration() -> Option<usize> {
    let keys = std::fs::read_to_string("/proc/sys/kernel/keys/maxkeys");
    match keys.ok().and_then(|keys| keys.trim().parse().ok()) {
        Some(keys) if keys <= 2000 && raw::session_keyring() >= 0 => Some(keys),
        _ => {
            skip("there are no keys here, or too many");
            None
        }
    }
}

/// This process, which has one thread, is root of a namespace afterwards and another user outside of it.
fn become_root_of_a_namespace() {
    let own = std::process::id();
    // A user nobody else is: keys are counted by user over all namespaces, also for a while after whoever had them has ended.
    let outside = 1_000_000_000 + own % 1_000_000 * 1000;
    let map = format!(
        "read go; for map in uid_map gid_map; do echo 0 {outside} 1000 >/proc/{own}/$map || exit 1; done"
    );
    // Who writes the map has to be privileged outside.
    let mut writer = Command::new("sh").args(["-c", &map]).stdin(Stdio::piped()).spawn().unwrap();
    raw::own_user_namespace();
    writer.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(writer.wait().unwrap().success());
    raw::become_root();
    assert_eq!(status("Uid"), "0 0 0 0");
}
