//! What root does not do for a user who leads it somewhere: by links and directories of theirs on the way to a socket or a pid
//! file, and by what stands where a socket was that is handed over.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use stepdown_kernel::pidfile::{Pidfile, PidfileError};
use stepdown_kernel::sockets::{
    Address, BindError, Kind, Options, Settled, bind, connect, remove, set_mode, settle,
};

use crate::Scratch;

pub(crate) const CASES: &[(&str, fn())] = &[
    ("root_goes_no_way_that_a_user_made", ways),
    ("others_go_where_the_path_leads", unprivileged),
    ("a_socket_that_is_handed_over_gets_mode_and_owner", settled),
    ("a_file_that_is_another_sockets_is_left_alone", impostor),
];

const USER: u32 = 994;
const THIRD: u32 = 993;

fn options() -> Options {
    Options { mode: Some(0o600), owner: Some((USER, USER)), ..Options::default() }
}

/// A directory of this owner and mode.
fn directory(scratch: &Scratch, name: &str, owner: u32, mode: u32) -> PathBuf {
    let path = scratch.path(name);
    fs::create_dir(&path).unwrap();
    chown(&path, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

fn link(to: &Path, at: &Path, owner: u32) {
    symlink(to, at).unwrap();
    std::os::unix::fs::lchown(at, Some(owner), Some(owner)).unwrap();
}

/// Owner, mode and number of entries of a directory.
fn state(path: &Path) -> (u32, u32, usize) {
    let status = fs::metadata(path).unwrap();
    (status.uid(), status.mode() & 0o7777, fs::read_dir(path).unwrap().count())
}

#[track_caller]
fn refused(path: &Path, culprit: &Path) {
    match bind(&Address::Unix(path.to_owned()), &options()).unwrap_err() {
        BindError::Untrusted(untrusted) => assert_eq!(Path::new(&untrusted.what), culprit),
        error => panic!("{error:?}"),
    }
    match Pidfile::lock(path, Some(USER)).unwrap_err() {
        PidfileError::Untrusted(untrusted) => assert_eq!(Path::new(&untrusted.what), culprit),
        error => panic!("{error:?}"),
    }
}

fn ways() {
    let scratch = Scratch::new();
    let private = directory(&scratch, "private", 0, 0o700);
    fs::write(private.join("pid"), "precious").unwrap();
    let before = state(&private);
    let users = directory(&scratch, "users", USER, 0o755);
    // The last directory is a link of the user's, to what is root's.
    link(&private, &users.join("run"), USER);
    refused(&users.join("run/pid"), &users);
    // What is above the last directory is the user's: it is neither made nor given away.
    refused(&users.join("new/pid"), &users);
    link(&scratch.0, &users.join("app"), USER);
    refused(&users.join("app/private/pid"), &users);
    refused(&users.join("app/new/pid"), &users);
    // A link of the user's in a directory of root's; and one that everybody can write to.
    link(&private, &scratch.path("link"), USER);
    refused(&scratch.path("link/pid"), &scratch.path("link"));
    let open = directory(&scratch, "open", 0, 0o777);
    refused(&open.join("new/pid"), &open);
    // The last directory is somebody else's; or the user's, who could put another in its place.
    let third = directory(&scratch, "third", THIRD, 0o755);
    refused(&third.join("pid"), &third);
    let shared = directory(&scratch, "shared", 0, 0o1777);
    let theirs = directory(&scratch, "shared/theirs", USER, 0o755);
    refused(&theirs.join("pid"), &theirs);
    assert_eq!(state(&private), before);
    assert_eq!(fs::read_to_string(private.join("pid")).unwrap(), "precious");
    assert_eq!(fs::metadata(private.join("pid")).unwrap().mode() & 0o7777, 0o644);
    assert!(!scratch.path("new").exists() && !users.join("new").exists() && !open.join("new").exists());
    // Nor is anything changed or removed that a link leads to.
    let victim = UnixListener::bind(private.join("victim")).unwrap();
    fs::set_permissions(private.join("victim"), PermissionsExt::from_mode(0o600)).unwrap();
    for path in [users.join("run/victim"), scratch.path("link/victim")] {
        remove(&path);
        assert!(matches!(set_mode(&path, 0o666).unwrap_err(), BindError::Untrusted(_)));
    }
    link(&private.join("victim"), &users.join("victim"), USER);
    assert_eq!(set_mode(&users.join("victim"), 0o666).unwrap_err(), BindError::NotASocket("a symbolic link"));
    assert_eq!(fs::metadata(private.join("victim")).unwrap().mode() & 0o7777, 0o600);
    drop(victim);
    // What stays possible: the user's directory in one of root's, a link of root's, and a shared directory itself.
    link(&users, &scratch.path("roots"), 0);
    for path in [users.join("socket"), scratch.path("roots/second"), shared.join("socket")] {
        let _socket = bind(&Address::Unix(path.clone()), &options()).unwrap();
        let file = fs::symlink_metadata(&path).unwrap();
        assert_eq!((file.uid(), file.mode() & 0o7777), (USER, 0o600), "{}", path.display());
    }
    Pidfile::lock(&users.join("pid"), Some(USER)).unwrap().remove();
    assert!(!users.join("pid").exists());
    Pidfile::lock(&shared.join("pid"), Some(USER)).unwrap();
}

fn unprivileged() {
    let scratch = Scratch::new();
    let users = directory(&scratch, "users", USER, 0o755);
    let open = directory(&scratch, "open", 0, 0o777);
    link(&users, &open.join("link"), THIRD);
    fs::set_permissions(&scratch.0, PermissionsExt::from_mode(0o755)).unwrap();
    let uid = rustix::process::Uid::from_raw(USER);
    rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
    for path in [open.join("link/socket"), open.join("new/socket")] {
        let own = Options { owner: None, ..options() };
        let _socket = bind(&Address::Unix(path.clone()), &own).unwrap();
        assert!(connect(&path, None).is_ok());
        set_mode(&path, 0o666).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o666);
        remove(&path);
        assert!(!path.exists());
    }
    Pidfile::lock(&open.join("link/pid"), None).unwrap().remove();
}

fn settled() {
    let scratch = Scratch::new();
    let path = scratch.path("run/socket");
    let address = Address::Unix(path.clone());
    let loose = Options { mode: Some(0o666), ..options() };
    for kind in [Kind::Stream, Kind::Datagram] {
        let socket = bind(&address, &Options { kind, ..loose.clone() }).unwrap();
        let wanted = Options { kind, owner: Some((THIRD, USER)), ..options() };
        // The directory is that of the user before, who could replace the file.
        let shared = settle(socket.as_fd(), &address, &wanted).unwrap();
        assert!(
            matches!(&shared, Settled::Shared(untrusted) if untrusted.what == scratch.path("run")),
            "{shared:?}"
        );
        let file = fs::symlink_metadata(&path).unwrap();
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (THIRD, USER, 0o600));
        assert_eq!(settle(socket.as_fd(), &address, &loose), Ok(Settled::Kept));
        let file = fs::symlink_metadata(&path).unwrap();
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (USER, USER, 0o666));
        remove(&path);
        assert_eq!(settle(socket.as_fd(), &address, &loose), Ok(Settled::Lost));
    }
    fs::remove_dir(scratch.path("run")).unwrap();
    let other = bind(&Address::Abstract(b"x".to_vec()), &loose).unwrap();
    assert_eq!(settle(other.as_fd(), &address, &loose), Ok(Settled::Lost));
    assert_eq!(settle(other.as_fd(), &Address::Abstract(b"x".to_vec()), &loose), Ok(Settled::Kept));
}

fn impostor() {
    let scratch = Scratch::new();
    let path = scratch.path("run/socket");
    let address = Address::Unix(path.clone());
    let socket = bind(&address, &options()).unwrap();
    fs::rename(&path, scratch.path("run/away")).unwrap();
    let _another = UnixDatagram::bind(&path).unwrap();
    chown(&path, Some(USER), Some(USER)).unwrap();
    let wanted = Options { mode: Some(0o666), owner: Some((THIRD, THIRD)), ..options() };
    let untouched = |path: &Path| {
        let file = fs::symlink_metadata(path).unwrap();
        assert_eq!(file.uid(), USER);
        assert_ne!(file.mode() & 0o7777, 0o666);
    };
    assert_eq!(settle(socket.as_fd(), &address, &wanted), Ok(Settled::Lost));
    untouched(&path);
    untouched(&scratch.path("run/away"));
    // Nor is anything changed that a link of the same name leads to.
    fs::remove_file(&path).unwrap();
    link(&scratch.path("run/away"), &path, USER);
    assert_eq!(settle(socket.as_fd(), &address, &wanted), Ok(Settled::Lost));
    untouched(&scratch.path("run/away"));
    // Back in its place, it is the one.
    fs::rename(scratch.path("run/away"), &path).unwrap();
    assert!(matches!(settle(socket.as_fd(), &address, &wanted), Ok(Settled::Shared(_))));
    assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), THIRD);
}
