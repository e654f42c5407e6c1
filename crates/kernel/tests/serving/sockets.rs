//! Sockets that are listened on: families, options, and the files of Unix sockets.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use stepdown_kernel::namespaces::private_network;
use stepdown_kernel::sockets::{
    Address, BindError, Bound, Kind, Options, accept, bind, connect, identify, is_same, remove, set_backlog,
    set_nonblocking,
};
use stepdown_security::errno::Errno;

use crate::{Scratch, skip};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("any_address_is_both_families_and_others_are_one", families),
    ("options_of_ip_sockets", options),
    ("without_ipv6_any_address_is_ipv4", without_ipv6),
    ("unix_sockets_get_mode_owner_and_directory", unix_files),
    ("what_stands_in_the_way_of_a_unix_socket", in_the_way),
    ("sockets_are_recognised", recognised),
    ("connections_are_accepted", accepted),
];

fn network() -> bool {
    match private_network() {
        Ok(()) => true,
        Err(error) => {
            skip(&format!("it needs a network of its own: {error}"));
            false
        }
    }
}

fn stream() -> Options {
    Options::default()
}

fn datagram() -> Options {
    Options { kind: Kind::Datagram, ..Options::default() }
}

fn inet(text: &str) -> Address {
    Address::Inet(text.parse().unwrap())
}

fn error(result: Result<OwnedFd, BindError>) -> (&'static str, i32) {
    match result.unwrap_err() {
        BindError::System(call, Errno(number)) => (call, number),
        other => panic!("{other:?}"),
    }
}

fn reaches(address: &str, listener: &OwnedFd) -> bool {
    let client = TcpStream::connect(address.parse::<SocketAddr>().unwrap());
    client.is_ok() && accept(listener.as_fd()).unwrap().is_some()
}

fn families() {
    if !network() {
        return;
    }
    let both = bind(&Address::Any(1), &stream()).unwrap();
    assert!(reaches("127.0.0.1:1", &both) && reaches("[::1]:1", &both));
    let six = bind(&inet("[::]:2"), &stream()).unwrap();
    assert!(reaches("[::1]:2", &six) && TcpStream::connect("127.0.0.1:2").is_err());
    // So that IPv4 is free for another.
    let four = bind(&inet("0.0.0.0:2"), &stream()).unwrap();
    assert!(reaches("127.0.0.1:2", &four));
    assert_eq!(error(bind(&Address::Any(2), &stream())), ("bind", libc::EADDRINUSE));
    let udp = bind(&Address::Any(2), &datagram()).unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", "127.0.0.1:2").unwrap();
    let mut bytes = [0; 9];
    assert_eq!(UdpSocket::from(udp).recv(&mut bytes).unwrap(), 5);
}

fn options() {
    if !network() {
        return;
    }
    let shared = Options { reuse_port: true, ..stream() };
    let first = bind(&inet("127.0.0.1:3"), &shared).unwrap();
    let second = bind(&inet("127.0.0.1:3"), &shared).unwrap();
    assert_eq!(error(bind(&inet("127.0.0.1:3"), &stream())), ("bind", libc::EADDRINUSE));
    drop((first, second));
    for (address, kind) in
        [("192.0.2.1:4", Kind::Stream), ("[2001:db8::1]:4", Kind::Stream), ("192.0.2.1:4", Kind::Datagram)]
    {
        let plain = Options { kind, ..stream() };
        assert_eq!(error(bind(&inet(address), &plain)), ("bind", libc::EADDRNOTAVAIL), "{address}");
        bind(&inet(address), &Options { free_bind: true, ..plain }).unwrap();
    }
    // A datagram socket does not let another of the same user have its port.
    let _taken = bind(&inet("127.0.0.1:5"), &datagram()).unwrap();
    assert_eq!(error(bind(&inet("127.0.0.1:5"), &datagram())), ("bind", libc::EADDRINUSE));
    // A stream socket whose connections linger can be bound anew at once.
    let listener = bind(&inet("127.0.0.1:6"), &stream()).unwrap();
    let client = TcpStream::connect("127.0.0.1:6").unwrap();
    drop(accept(listener.as_fd()).unwrap());
    drop((client, listener));
    bind(&inet("127.0.0.1:6"), &stream()).unwrap();
    let nobody = rustix::process::Uid::from_raw(65534);
    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
    assert_eq!(error(bind(&inet("127.0.0.1:7"), &stream())), ("bind", libc::EACCES));
    assert_eq!(error(bind(&Address::Any(7), &stream())), ("bind", libc::EACCES));
}

fn without_ipv6() {
    if !network() {
        return;
    }
    // As near as it comes to a kernel without: no address of that family is there.
    fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
    let listener = bind(&Address::Any(8), &stream()).unwrap();
    assert!(reaches("127.0.0.1:8", &listener));
    let bound = identify(listener.as_fd()).unwrap();
    assert!(is_same(&bound, &Address::Any(8), &stream()), "{bound:?}");
}

fn unix_files() {
    let scratch = Scratch::new();
    let path = scratch.path("new/socket");
    let options = Options { mode: Some(0o660), owner: Some((994, 995)), ..stream() };
    for kind in [Kind::Stream, Kind::Datagram] {
        let options = Options { kind, ..options.clone() };
        let socket = bind(&Address::Unix(path.clone()), &options).unwrap();
        let file = fs::symlink_metadata(&path).unwrap();
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (994, 995, 0o660));
        let directory = fs::metadata(scratch.path("new")).unwrap();
        assert_eq!((directory.uid(), directory.gid(), directory.mode() & 0o7777), (994, 995, 0o755));
        drop(socket);
    }
    // In a directory of nobody else's.
    let path = scratch.path("socket");
    // One of this user, with a mode that the umask would not allow, and one that it decides.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    for (mode, expected) in [(Some(0o666), 0o666), (None, 0o750), (Some(0), 0)] {
        for owner in [None, Some((0, 0)), Some((994, 994))] {
            let _socket = bind(&Address::Unix(path.clone()), &Options { mode, owner, ..stream() }).unwrap();
            assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, expected, "{mode:?} {owner:?}");
        }
    }
    assert_eq!(rustix::process::umask(before).as_raw_mode(), 0o027, "the umask is as it was");
    // Two levels are not made; and a name that is too long is none.
    let deep = scratch.path("one/two/socket");
    assert_eq!(error(bind(&Address::Unix(deep), &stream())), ("mkdir", libc::ENOENT));
    let long = scratch.path(&"x".repeat(120));
    assert_eq!(error(bind(&Address::Unix(long), &stream())), ("bind", libc::ENAMETOOLONG));
    remove(&path);
    assert!(!path.exists());
}

fn in_the_way() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let here = Address::Unix(path.clone());
    // Nobody listens any more.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let live = bind(&here, &stream()).unwrap();
    assert_eq!(bind(&here, &stream()).unwrap_err(), BindError::Live);
    assert_eq!(bind(&here, &datagram()).unwrap_err(), BindError::Live, "of another kind, but alive");
    // One whose queue is full is alive as well.
    set_backlog(live.as_fd(), 0).unwrap();
    set_nonblocking(live.as_fd(), true).unwrap();
    while accept(live.as_fd()).unwrap().is_some() {}
    let _waiting = connect(&path, None).unwrap();
    assert_eq!(bind(&here, &stream()).unwrap_err(), BindError::Live);
    drop(live);
    let datagrams = UnixDatagram::bind(scratch.path("datagrams")).unwrap();
    assert_eq!(bind(&Address::Unix(scratch.path("datagrams")), &datagram()).unwrap_err(), BindError::Live);
    drop(datagrams);
    bind(&Address::Unix(scratch.path("datagrams")), &stream()).unwrap();
    // A link is not followed, wherever it leads; nothing that is no socket is touched.
    let target = scratch.path("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, scratch.path("link")).unwrap();
    symlink(scratch.path("nothing"), scratch.path("dangling")).unwrap();
    symlink(&path, scratch.path("to-socket")).unwrap();
    fs::create_dir(scratch.path("directory")).unwrap();
    for (name, what) in [
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("to-socket", "a symbolic link"),
        ("target", "a regular file"),
        ("directory", "a directory"),
    ] {
        let address = Address::Unix(scratch.path(name));
        assert_eq!(bind(&address, &stream()).unwrap_err(), BindError::NotASocket(what), "{name}");
        remove(&scratch.path(name));
        assert!(fs::symlink_metadata(scratch.path(name)).is_ok(), "{name} is still there");
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert!(!scratch.path("nothing").exists());
    let abstract_ = Address::Abstract(format!("stepdown-{}", std::process::id()).into());
    let _held = bind(&abstract_, &stream()).unwrap();
    assert_eq!(error(bind(&abstract_, &stream())), ("bind", libc::EADDRINUSE));
}

fn recognised() {
    if !network() {
        return;
    }
    let scratch = Scratch::new();
    let addresses = [
        Address::Any(10),
        inet("127.0.0.1:11"),
        inet("0.0.0.0:12"),
        inet("[::1]:13"),
        inet("[::]:14"),
        Address::Unix(scratch.path("socket")),
        Address::Abstract(b"name\0with a zero".to_vec()),
    ];
    for options in [stream(), datagram()] {
        let sockets: Vec<OwnedFd> =
            addresses.iter().map(|address| bind(address, &options).unwrap()).collect();
        for (at, socket) in sockets.iter().enumerate() {
            let bound = identify(socket.as_fd()).unwrap();
            assert_eq!(bound.address.as_ref(), Some(&addresses[at]));
            for (other, address) in addresses.iter().enumerate() {
                assert_eq!(is_same(&bound, address, &options), at == other, "{bound:?} {address}");
            }
            let other = if options.kind == Kind::Stream { datagram() } else { stream() };
            assert!(!is_same(&bound, &addresses[at], &other));
            let idle = Bound { listening: !bound.listening, ..bound };
            assert!(!is_same(&idle, &addresses[at], &options), "one that does not listen");
        }
    }
    let file = fs::File::open("/proc/self/status").unwrap();
    assert_eq!(identify(file.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
    let (one, _other) = UnixStream::pair().unwrap();
    assert_eq!(identify(one.as_fd()).unwrap().address, None);
    let route =
        rustix::net::socket(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, None).unwrap();
    assert_eq!(identify(route.as_fd()).unwrap_err().raw_os_error(), Some(libc::EPROTONOSUPPORT));
}

fn accepted() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener = bind(&Address::Unix(path.clone()), &stream()).unwrap();
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    set_nonblocking(listener.as_fd(), true).unwrap();
    assert!(accept(listener.as_fd()).unwrap().is_none());
    let mut client = UnixStream::from(connect(&path, None).unwrap());
    let served = accept(listener.as_fd()).unwrap().unwrap();
    client.write_all(b"hello").unwrap();
    drop(client);
    let mut text = String::new();
    let mut served = UnixStream::from(served);
    assert!(!rustix::fs::fcntl_getfl(&served).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    served.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(connect(Path::new("/nowhere"), None).unwrap_err().raw_os_error(), Some(libc::ENOENT));
}
