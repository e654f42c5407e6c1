//! What comes with a message besides its bytes, who sent it, and what is waited for meanwhile; the pid file.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stepdown_kernel::events::{Event, Events, Interest};
use stepdown_kernel::notify::{BATCH, MESSAGE_LIMIT, Message, Notifier, Receiver};
use stepdown_kernel::peer::Peer;
use stepdown_kernel::pidfile::{Pidfile, PidfileError};
use stepdown_kernel::sockets::{
    Address, Options, accept, bind, connect, receive_descriptors, send_descriptors, take_inherited,
};
use stepdown_kernel::start::{Start, start};
use stepdown_kernel::warden::Warden;

use crate::roles::{ROLE, TO};
use crate::start::{Child, nothing};
use crate::{Scratch, until};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("a_thousand_sockets_are_passed", thousand),
    ("descriptors_that_are_lost_on_the_way_are_an_error", lost),
    ("sockets_are_inherited_by_the_convention", inherited),
    ("events_are_waited_for", events),
    ("a_service_says_how_it_is_and_who_it_is", notify),
    ("the_peer_of_a_socket_is_known_by_the_kernel", peer),
    ("a_pid_file_is_locked_once", pidfile),
];

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn roomy() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

fn thousand() {
    roomy();
    let (one, other) = UnixStream::pair().unwrap();
    let before = open_descriptors();
    let sockets: Vec<OwnedFd> = (0..1234)
        .map(|number| {
            bind(&Address::Abstract(format!("{}-{number}", std::process::id()).into()), &Options::default())
                .unwrap()
        })
        .collect();
    let borrowed: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    send_descriptors(one.as_fd(), b"they follow\n", &borrowed).unwrap();
    let (mut text, mut received) = (Vec::<u8>::new(), Vec::new());
    while received.len() < sockets.len() {
        let mut bytes = [0; 100];
        let (length, mut descriptors) = receive_descriptors(other.as_fd(), &mut bytes).unwrap();
        assert!(length > 0 && descriptors.len() <= 253);
        text.extend(&bytes[..length]);
        received.append(&mut descriptors);
    }
    assert_eq!(text, b"they follow\n\0\0\0\0");
    for (sent, received) in sockets.iter().zip(&received) {
        let [sent, received] = [sent, received].map(|socket| rustix::fs::fstat(socket).unwrap().st_ino);
        assert_eq!(sent, received, "in the order they were sent in");
    }
    for socket in &received {
        assert!(rustix::io::fcntl_getfd(socket).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    drop((sockets, received));
    assert_eq!(open_descriptors(), before);
    // Without bytes of its own, and without descriptors.
    send_descriptors(one.as_fd(), b"", &[one.as_fd()]).unwrap();
    send_descriptors(one.as_fd(), b"bytes", &[]).unwrap();
    let mut bytes = [0; 9];
    let (length, descriptors) = receive_descriptors(other.as_fd(), &mut bytes).unwrap();
    assert_eq!((&bytes[..length], descriptors.len()), (&b"\0"[..], 1));
    drop((one, descriptors));
    let (length, descriptors) = receive_descriptors(other.as_fd(), &mut bytes).unwrap();
    assert_eq!((&bytes[..length], descriptors.len()), (&b"bytes"[..], 0));
    assert_eq!(receive_descriptors(other.as_fd(), &mut bytes).unwrap().0, 0, "the end");
}

fn lost() {
    let (one, other) = UnixStream::pair().unwrap();
    send_descriptors(one.as_fd(), b"x", &[one.as_fd(); 200]).unwrap();
    let before = open_descriptors();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(50), maximum: limit.maximum }).unwrap();
    let error = receive_descriptors(other.as_fd(), &mut [0; 9]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(open_descriptors(), before, "those that came are closed");
}

fn inherited() {
    let scratch = Scratch::new();
    let report = scratch.path("report");
    assert!(take_inherited().unwrap().is_empty());
    let names = ["a", "b"].map(|name| format!("stepdown-{}-{name}", std::process::id()));
    let sockets =
        names.clone().map(|name| bind(&Address::Abstract(name.into()), &Options::default()).unwrap());
    let mut child = Child::new("inherited").to(&report);
    child.add("LISTEN_FDS=2");
    child.add("LISTEN_FDNAMES=web:");
    let descriptors = [sockets[0].as_fd(), sockets[1].as_fd()];
    let started =
        start(&Start { descriptors: &descriptors, listen_pid: true, ..child.start() }, nothing).unwrap();
    until("the report", || report.exists());
    assert_eq!(fs::read_to_string(&report).unwrap(), format!("web @{}\n @{}", names[0], names[1]));
    drop(started);
}

fn events() {
    let events = Events::new().unwrap();
    let file = fs::File::open("/proc/self/exe").unwrap();
    assert!(!events.add(file.as_fd(), 1, Interest::Read).unwrap(), "a regular file is always ready");
    let (one, mut other) = UnixStream::pair().unwrap();
    assert!(events.add(one.as_fd(), u64::MAX, Interest::Read).unwrap());
    let mut list = vec![];
    events.wait(&mut list, Some(Duration::ZERO)).unwrap();
    assert_eq!(list, []);
    events.wait(&mut list, Some(Duration::from_micros(1))).unwrap();
    assert_eq!(list, []);
    other.write_all(b"x").unwrap();
    events.wait(&mut list, None).unwrap();
    let event = Event { token: u64::MAX, readable: true, writable: false, closed: false };
    assert_eq!(list, [event]);
    events.modify(one.as_fd(), 7, Interest::Write).unwrap();
    events.wait(&mut list, None).unwrap();
    assert_eq!(list, [Event { token: 7, readable: false, writable: true, closed: false }]);
    events.modify(one.as_fd(), 8, Interest::End).unwrap();
    events.wait(&mut list, Some(Duration::ZERO)).unwrap();
    assert_eq!(list, []);
    drop(other);
    events.wait(&mut list, None).unwrap();
    assert_eq!(list.iter().map(|event| (event.token, event.closed)).collect::<Vec<_>>(), [(8, true)]);
    events.remove(one.as_fd()).unwrap();
    assert_eq!(events.remove(one.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    events.wait(&mut list, Some(Duration::ZERO)).unwrap();
    assert_eq!(list, []);
}

/// Everything that is there.
fn heard(receiver: &Receiver) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        match receiver.receive(|_, _| Some(())).unwrap() {
            messages if messages.is_empty() => return all,
            messages => all.extend(messages.into_iter().map(|(_, message)| message)),
        }
    }
}

fn notify() {
    let receiver = Receiver::bind().unwrap();
    assert!(receiver.address().starts_with('@') && heard(&receiver).is_empty());
    let notifier = Notifier::to(receiver.address().as_ref(), None).unwrap();
    notifier.send("READY=1\nSTATUS=well").unwrap();
    let own = Message { pid: std::process::id(), uid: 0, text: "READY=1\nSTATUS=well".into() };
    assert_eq!(heard(&receiver), [own]);
    // From another process, through its own library where the host has one: here, a shell's child of another user.
    let nobody = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "systemd-notify", "--ready", "--no-block"])
        .env("NOTIFY_SOCKET", receiver.address())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = nobody
        && child.wait().unwrap().success()
    {
        let message = heard(&receiver).swap_remove(0);
        assert_eq!((message.uid, message.text.contains("READY=1")), (65534, true), "{message:?}");
    }
    // Too long: dropped, and the next one is read. Descriptors: closed.
    notifier.send(&"x".repeat(MESSAGE_LIMIT + 1)).unwrap();
    let before = open_descriptors();
    let address =
        rustix::net::SocketAddrUnix::new_abstract_name(&receiver.address().as_bytes()[1..]).unwrap();
    let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
    rustix::net::connect(&sender, &address).unwrap();
    send_descriptors(sender.as_fd(), b"FDSTORE=1", &[sender.as_fd(); 9]).unwrap();
    assert_eq!(heard(&receiver)[0].text, "FDSTORE=1");
    assert_eq!(open_descriptors(), before + 1, "only the sender's socket is new");
    // Who waits for the end of what it has sent along is there as long as it is asked whose it is.
    let (mut end, other) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&end, true).unwrap();
    send_descriptors(sender.as_fd(), b"BARRIER=1", &[other.as_fd()]).unwrap();
    drop(other);
    let mut state = || std::io::Read::read(&mut end, &mut [0]).map_err(|error| error.kind());
    let mut while_asked = None;
    let barrier = receiver.receive(|_, _| while_asked.insert(state()).is_err().then_some("it"));
    assert_eq!(barrier.unwrap().len(), 1);
    assert_eq!(while_asked, Some(Err(std::io::ErrorKind::WouldBlock)));
    assert_eq!(state(), Ok(0), "and then it is closed");
    send_descriptors(sender.as_fd(), &[b'A', 0xff], &[]).unwrap();
    assert_eq!(heard(&receiver)[0].text, "A\u{fffd}");
    // Somebody who is not wanted sends on and on: no more than so many are looked at, and what a service says comes through.
    let mut asked = 0;
    notifier.send("FLOOD=1").unwrap();
    let messages = receiver.receive(|pid, uid| {
        asked += 1;
        assert_eq!((pid, uid), (std::process::id(), 0));
        notifier.send("FLOOD=1").unwrap();
        None::<()>
    });
    assert_eq!((messages.unwrap(), asked), (Vec::new(), BATCH));
    assert_eq!(heard(&receiver).len(), 1, "what is left is still there");
    for address in ["", "relative", "@", "vsock:2:1"] {
        assert!(Notifier::to(address.as_ref(), None).is_err(), "{address}");
    }
    // Nobody there any more is an error, and somebody there again is found.
    drop(receiver);
    assert!(notifier.send("STOPPING=1").is_err());
}

fn peer() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener =
        bind(&Address::Unix(path.clone()), &Options { mode: Some(0o666), ..Options::default() }).unwrap();
    fs::set_permissions(&scratch.0, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(Peer::of(listener.as_fd()).unwrap().pid, std::process::id(), "who listens");
    let pid = rustix::process::getpid();
    let groups: Vec<u32> = (1000..1300).collect();
    let own: Vec<rustix::process::Gid> =
        groups.iter().map(|&id| rustix::process::Gid::from_raw(id)).collect();
    rustix::thread::set_thread_groups(&own).unwrap();
    let gid = rustix::process::Gid::from_raw(994);
    let uid = rustix::process::Uid::from_raw(994);
    rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
    rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
    let client = connect(&path, None).unwrap();
    let served = accept(listener.as_fd()).unwrap().unwrap();
    let peer = Peer::of(served.as_fd()).unwrap();
    assert_eq!((peer.pid, peer.uid, peer.gid), (pid.as_raw_pid().unsigned_abs(), 994, 994));
    assert_eq!(peer.groups.as_ref(), Some(&groups));
    assert!(peer.is_in(994) && peer.is_in(1299) && !peer.is_in(0));
    drop(client);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(Peer::of(udp.as_fd()).is_err());
}

fn pidfile() {
    let scratch = Scratch::new();
    let path = scratch.path("run/pid");
    let own = Pidfile::lock(&path, Some(994)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    let directory = fs::metadata(scratch.path("run")).unwrap();
    assert_eq!((directory.uid(), directory.gid(), directory.mode() & 0o7777), (0, 0, 0o755));
    let error = Pidfile::lock(&path, None).unwrap_err();
    assert_eq!(error, PidfileError::Held(Some(std::process::id())));
    assert_eq!(error.to_string(), format!("it is held by process {}", std::process::id()));
    // The warden, forked while it is held, does not hold it.
    let warden = Warden::start().unwrap();
    until("the warden to let go", || {
        fs::read_dir(format!("/proc/{}/fd", warden.pid())).is_ok_and(|list| list.count() == 1)
    });
    drop(own);
    let own = Pidfile::lock(&path, None).unwrap();
    warden.goodbye();
    // At an orderly end it is removed, but not what somebody has put in its place.
    own.remove();
    assert!(!path.exists());
    let own = Pidfile::lock(&path, None).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    own.remove();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
    // A holder that is killed leaves no lock.
    let said = scratch.path("said");
    let mut locker = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, "locker")
        .env(TO, &said)
        .env("PIDFILE", &path)
        .spawn()
        .unwrap();
    until("the lock", || said.exists());
    assert_eq!(Pidfile::lock(&path, None).unwrap_err(), PidfileError::Held(Some(locker.id())));
    locker.kill().unwrap();
    locker.wait().unwrap();
    // Nor can anybody else lock what it left, which takes no right to write: who is to wait for it then?
    fs::set_permissions(&scratch.0, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut other = Command::new("flock");
    let other = std::os::unix::process::CommandExt::uid(&mut other, 994);
    let other = std::os::unix::process::CommandExt::gid(other, 994);
    let other = other.args(["--nonblock", "--shared"]).arg(&path).arg("true").output().unwrap();
    assert!(!other.status.success(), "another user's lock");
    assert!(String::from_utf8_lossy(&other.stderr).contains("Permission denied"), "{other:?}");
    // Not even where it was open to everybody once.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    drop(Pidfile::lock(&path, None).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    // Nothing is written through a link, to a file with another name, or to another user's.
    let precious = scratch.path("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, scratch.path("link")).unwrap();
    fs::hard_link(&precious, scratch.path("hard")).unwrap();
    fs::create_dir(scratch.path("directory")).unwrap();
    fs::write(scratch.path("foreign"), "precious").unwrap();
    std::os::unix::fs::chown(scratch.path("foreign"), Some(994), None).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scratch.path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for name in ["link", "hard", "directory", "foreign", "fifo"] {
        let error = Pidfile::lock(&scratch.path(name), None).unwrap_err();
        assert!(matches!(error, PidfileError::NotOurs(_)), "{name}: {error:?}");
    }
    for name in ["precious", "foreign"] {
        assert_eq!(fs::read_to_string(scratch.path(name)).unwrap(), "precious");
    }
    assert_eq!(
        Pidfile::lock(&scratch.path("a/b/pid"), None).unwrap_err(),
        PidfileError::System("mkdir", stepdown_security::errno::Errno::NOENT)
    );
}
