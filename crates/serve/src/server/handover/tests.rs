//! With the other side played by hand, over a real socket.

use super::*;

#[test]
fn who_refuses_before_it_is_asked_is_heard_with_its_own_words() {
    let (mut server, client) = UnixStream::pair().expect("sockets");
    let words = "error: the console has 8 sessions already\n";
    server.write_all(format!("1 {}\n{words}", words.len()).as_bytes()).expect("there is room");
    drop(server);
    let mut predecessor = Predecessor { socket: client, pid: 1, uid: 994, is_holder: false };
    let error = predecessor.receive(Path::new("/run/console")).expect_err("nothing was given");
    assert_eq!(error.to_string(), words.trim());
}

#[test]
fn who_says_nothing_and_leaves_is_an_error() {
    let (server, client) = UnixStream::pair().expect("sockets");
    drop(server);
    let mut predecessor = Predecessor { socket: client, pid: 1, uid: 994, is_holder: false };
    assert_eq!(
        predecessor.receive(Path::new("/run/console")).expect_err("nothing was given").kind(),
        io::ErrorKind::BrokenPipe
    );
}
