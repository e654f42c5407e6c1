//! A file is replaced whole or not at all, with everything that belongs to it, and not through a link.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use stepdown_kernel::namespaces::private_mounts;
use stepdown_kernel::replace::{Expected, ReplaceError, obstacle, replace};

use crate::Scratch;

pub(crate) const CASES: &[(&str, fn())] = &[
    ("a_replaced_file_keeps_owner_mode_and_attributes", attributes),
    ("a_directory_s_default_list_lets_nobody_in", default_list),
    ("a_reader_sees_the_old_file_or_the_new_one", readers),
    ("on_a_full_disk_the_old_file_is_whole", full),
    ("on_a_read_only_mount_nothing_is_replaced", read_only),
    ("what_another_user_may_not_keep_is_not_replaced", other_user),
    ("links_and_devices_are_not_replaced", links),
    ("what_is_not_what_was_read_is_not_replaced", changed),
    ("a_link_under_the_temporary_name_is_not_followed", temporary),
    ("a_new_file_takes_the_place_of_none", new),
];

const USER: u32 = 994;

fn identity(path: &Path) -> (u64, u64) {
    let status = fs::symlink_metadata(path).unwrap();
    (status.dev(), status.ino())
}

/// Replaces what is there now.
fn put(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let old = fs::read(path).unwrap();
    let replaced = replace(path, bytes, Expected::File(identity(path), &old))?;
    assert!(replaced.unsynced.is_none());
    assert_eq!(replaced.identity, identity(path));
    Ok(())
}

/// The step that failed, and why; the file is as it was, and alone in its directory.
#[track_caller]
fn fails(path: &Path, bytes: &[u8], old: &[u8]) -> (&'static str, std::io::ErrorKind) {
    let Err(ReplaceError::Step(step, error)) = put(path, bytes) else { panic!("no step failed") };
    assert_eq!(fs::read(path).unwrap(), old);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    (step, error.kind())
}

fn become_user() {
    set_thread_groups(&[]).unwrap();
    let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
    set_thread_res_gid(gid, gid, gid).unwrap();
    set_thread_res_uid(uid, uid, uid).unwrap();
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success());
}

/// A tmpfs of its own for this process alone.
fn tmpfs(scratch: &Scratch, options: &str) {
    private_mounts().unwrap();
    mount(&["-t", "tmpfs", "-o", options, "tmpfs", scratch.0.to_str().unwrap()]);
}

/// An access control list that lets one user more in: acl(5), as the kernel has it.
fn list(user: u32) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let entries =
        [(1_u16, 6_u16, NOBODY), (2, 6, user), (4, 4, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY)];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = fgetxattr(File::open(path).unwrap(), name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

fn attributes() {
    let scratch = Scratch::new();
    tmpfs(&scratch, "size=1m");
    let path = scratch.path("a");
    fs::write(&path, "old").unwrap();
    chown(&path, Some(USER), Some(USER + 1)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o2750)).unwrap();
    let file = File::open(&path).unwrap();
    fsetxattr(&file, "system.posix_acl_access", &list(7), XattrFlags::empty()).unwrap();
    let is_kept = fsetxattr(&file, "trusted.note", b"kept", XattrFlags::empty()).is_ok();
    let mode = fs::metadata(&path).unwrap().mode();
    put(&path, b"new").unwrap();
    let status = fs::metadata(&path).unwrap();
    assert_eq!((status.uid(), status.gid(), status.mode()), (USER, USER + 1, mode));
    assert_eq!(attribute(&path, "system.posix_acl_access").unwrap(), list(7));
    assert_eq!(attribute(&path, "trusted.note").is_some(), is_kept);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}

fn default_list() {
    let scratch = Scratch::new();
    tmpfs(&scratch, "size=1m");
    let path = scratch.path("a");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
    let directory = File::open(&scratch.0).unwrap();
    fsetxattr(&directory, "system.posix_acl_default", &list(7), XattrFlags::empty()).unwrap();
    fs::write(scratch.path("b"), "").unwrap();
    assert!(attribute(&scratch.path("b"), "system.posix_acl_access").is_some(), "the directory gives a list");
    put(&path, b"new").unwrap();
    assert_eq!(attribute(&path, "system.posix_acl_access"), None);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
}

fn readers() {
    let scratch = Scratch::new();
    let path = scratch.path("a");
    let texts = [vec![b'a'; 100_000], vec![b'b'; 50_000]];
    fs::write(&path, &texts[0]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0_u32; 2];
            while !done.load(Ordering::Relaxed) {
                let text = fs::read(&path).unwrap();
                let which = texts.iter().position(|whole| *whole == text).expect("it is one of them, whole");
                seen[which] += 1;
            }
            seen
        });
        for round in 1..=100 {
            put(&path, &texts[round % 2]).unwrap();
        }
        // It has read both by now, or will at once.
        std::thread::yield_now();
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap().iter().sum::<u32>() > 0);
    });
}

fn full() {
    let scratch = Scratch::new();
    tmpfs(&scratch, "size=64k");
    let path = scratch.path("a");
    fs::write(&path, "old").unwrap();
    assert_eq!(
        fails(&path, &[b'x'; 200_000], b"old"),
        ("write the new file", std::io::ErrorKind::StorageFull)
    );
    put(&path, &[b'x'; 10_000]).unwrap();
}

fn read_only() {
    let scratch = Scratch::new();
    tmpfs(&scratch, "size=64k");
    let path = scratch.path("a");
    fs::write(&path, "old").unwrap();
    assert_eq!(obstacle(&path), None);
    mount(&["-o", "remount,ro", scratch.0.to_str().unwrap()]);
    assert_eq!(fails(&path, b"new", b"old"), ("write to it", std::io::ErrorKind::ReadOnlyFilesystem));
    assert!(obstacle(&path).unwrap().contains("Read-only file system"));
    assert!(obstacle(&scratch.path("none")).unwrap().contains("Read-only file system"));
}

fn other_user() {
    let scratch = Scratch::new();
    let directory = |name: &str, mode: u32, file: (u32, u32, u32)| {
        let path = scratch.path(name);
        fs::create_dir(&path).unwrap();
        let inner = path.join("a");
        fs::write(&inner, "old").unwrap();
        chown(&inner, Some(file.0), Some(file.1)).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(file.2)).unwrap();
        chown(&path, Some(USER), Some(USER)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        inner
    };
    let of_root = directory("root", 0o755, (0, 0, 0o666));
    let of_group = directory("group", 0o755, (USER, 7, 0o664));
    let sealed = directory("sealed", 0o755, (USER, USER, 0o444));
    let closed = directory("closed", 0o555, (USER, USER, 0o644));
    let own = directory("own", 0o700, (USER, USER, 0o640));
    become_user();
    use std::io::ErrorKind::PermissionDenied;
    assert_eq!(fails(&of_root, b"new", b"old"), ("keep its owner and group", PermissionDenied));
    assert_eq!(fails(&of_group, b"new", b"old"), ("keep its owner and group", PermissionDenied));
    assert_eq!(fails(&sealed, b"new", b"old"), ("write to it", PermissionDenied));
    assert_eq!(fails(&closed, b"new", b"old"), ("make a new file beside it", PermissionDenied));
    assert_eq!(obstacle(&of_root).unwrap(), "it belongs to user 0, which a new file would not");
    assert_eq!(obstacle(&of_group).unwrap(), "it belongs to group 7, which a new file would not");
    assert!(obstacle(&sealed).unwrap().contains("Permission denied"));
    assert!(obstacle(&closed).unwrap().contains("no new file can be made"));
    assert_eq!(obstacle(&own), None);
    put(&own, b"new").unwrap();
    assert_eq!(fs::metadata(&own).unwrap().mode() & 0o7777, 0o640);
}

fn links() {
    let scratch = Scratch::new();
    let (target, link, second) = (scratch.path("target"), scratch.path("link"), scratch.path("second"));
    fs::write(&target, "old").unwrap();
    symlink(&target, &link).unwrap();
    let refused = |path: &Path, what: &str| {
        let expected = Expected::File(identity(path), b"old");
        let Err(ReplaceError::Refused(why)) = replace(path, b"new", expected) else { panic!("{what}") };
        assert!(why.contains(what), "{why}");
        assert_eq!(obstacle(path), Some(why));
    };
    refused(&link, "symbolic link");
    fs::hard_link(&target, &second).unwrap();
    refused(&target, "2 names");
    let fifo = scratch.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(&fifo, "not a regular file");
    refused(&scratch.0, "directory");
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

fn changed() {
    let scratch = Scratch::new();
    let path = scratch.path("a");
    fs::write(&path, "old").unwrap();
    let seen = identity(&path);
    let is_changed = |expected: Expected<'_>, how: &str| {
        let before = fs::read(&path).ok();
        let Err(ReplaceError::Changed(why)) = replace(&path, b"new", expected) else { panic!("{how}") };
        assert!(why.contains(how), "{why}");
        assert_eq!(fs::read(&path).ok(), before);
    };
    is_changed(Expected::File(seen, b"odd"), "content");
    is_changed(Expected::File(seen, b"ol"), "content");
    is_changed(Expected::Nothing, "there is a file now");
    fs::write(scratch.path("b"), "old").unwrap();
    fs::rename(scratch.path("b"), &path).unwrap();
    is_changed(Expected::File(seen, b"old"), "another file");
    fs::remove_file(&path).unwrap();
    is_changed(Expected::File(seen, b"old"), "gone");
}

fn temporary() {
    let scratch = Scratch::new();
    let (path, victim) = (scratch.path("a"), scratch.path("victim"));
    fs::write(&path, "old").unwrap();
    fs::write(&victim, "theirs").unwrap();
    symlink(&victim, scratch.path(&format!(".stepdown-{}-0", std::process::id()))).unwrap();
    put(&path, b"new").unwrap();
    assert_eq!((fs::read(&victim).unwrap(), fs::read(&path).unwrap()), (b"theirs".to_vec(), b"new".to_vec()));
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 3);
}

fn new() {
    let scratch = Scratch::new();
    let path = scratch.path("a");
    assert_eq!(obstacle(&path), None);
    let made = replace(&path, b"new", Expected::Nothing).unwrap();
    assert_eq!((made.identity, fs::read(&path).unwrap()), (identity(&path), b"new".to_vec()));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let nowhere = replace(&scratch.path("none/a"), b"new", Expected::Nothing);
    assert!(matches!(nowhere, Err(ReplaceError::Step("open the directory", _))));
    assert!(obstacle(&scratch.path("none/a")).unwrap().contains("No such file or directory"));
}
