use super::*;

fn error(text: &str) -> (String, String) {
    let error = Address::parse(text).expect_err(text);
    (error.what.to_owned(), error.hint)
}

#[test]
fn addresses_are_read_and_printed_as_they_are_meant() {
    for (text, printed) in [
        ("*:443", "*:443"),
        ("*:1", "*:1"),
        ("*:65535", "*:65535"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("192.0.2.1:25", "192.0.2.1:25"),
        ("[::]:80", "[::]:80"),
        ("[2001:DB8:0::1]:80", "[2001:db8::1]:80"),
        ("[fe80::1%2]:80", "[fe80::1%2]:80"),
        ("/run/x", "/run/x"),
        ("//run/./x", "/run/x"),
        ("/run/../x", "/run/../x"),
        ("@name", "@name"),
        ("@a:1", "@a:1"),
        ("/run/a:1", "/run/a:1"),
    ] {
        assert_eq!(
            Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).to_string(),
            printed
        );
    }
}

#[test]
fn what_no_socket_can_be_bound_to_is_refused_with_what_to_write() {
    for (text, what, hint) in [
        ("", "is no address", "write ADDRESS:PORT"),
        ("443", "is no address", "*:443"),
        ("run/x", "is no address", "/run/x"),
        ("x", "is no address", "absolute path"),
        (":443", "has no address before its port", "*:443"),
        ("*:0", "has port 0", "1 to 65535"),
        ("*:65536", "has a port above 65535", "1 to 65535"),
        ("*:4294967376", "has a port above 65535", "1 to 65535"),
        ("*:99999999999999999999", "has no port that is a number", "1 to 65535"),
        ("*:-1", "has no port that is a number", "1 to 65535"),
        ("*:+80", "has no port that is a number", "1 to 65535"),
        ("*:080", "has a port that begins with 0", "1 to 65535"),
        ("*:http", "has no port that is a number", "1 to 65535"),
        ("*:", "has no port that is a number", "1 to 65535"),
        ("localhost:80", "has no IP address before its port", "127.0.0.1:80 or [::1]:80"),
        ("www.example.com:80", "has no IP address before its port", "*:80"),
        ("1.2.3:80", "has no IP address before its port", "*:80"),
        ("1.2.3.04:80", "has no IP address before its port", "*:80"),
        ("1.2.3.256:80", "has no IP address before its port", "*:80"),
        ("::1:80", "has colons that leave open where the port begins", "[::1:80]:PORT"),
        ("fd00::g:80", "has colons that leave open where the port begins", "[IPV6]:PORT"),
        ("[::1:80", "has no `]` before its port", "[2001:db8::1]:443"),
        ("[localhost]:80", "has no IPv6 address in its brackets", "[::]:80"),
        ("[1.2.3.4]:80", "has no IPv6 address in its brackets", "[::]:80"),
        ("[fe80::1%eth0]:80", "has a zone that is no number", "ip link"),
        ("[fe80::1%]:80", "has a zone that is no number", "ip link"),
        ("[::ffff:192.0.2.1]:80", "is an IPv4 address in IPv6 clothes", "192.0.2.1:80"),
        ("run/x:1", "is no absolute path", "beginning with /"),
        ("/", "names a directory", "name"),
        ("/run/", "names a directory", "name"),
        ("/run/..", "names a directory", "name"),
        ("@", "names nothing", "@my-web"),
    ] {
        let (found, how) = error(text);
        assert_eq!(found, what, "{text}");
        assert!(how.contains(hint), "{text}: {how}");
    }
}

#[test]
fn a_unix_socket_has_107_bytes() {
    for begin in ["/", "@"] {
        assert!(
            Address::parse(&(begin.to_owned() + &"x".repeat(if begin == "/" { 106 } else { 107 }))).is_ok()
        );
        assert_eq!(error(&(begin.to_owned() + &"x".repeat(108))).0, "is too long for a socket");
    }
    // What is left of it counts.
    assert!(Address::parse(&("/".repeat(100) + &"x".repeat(106))).is_ok());
}

/// The rule against the kernel's own answer, on the loopback addresses of this process.
#[test]
fn what_overlaps_is_what_the_kernel_does_not_bind_twice() {
    use std::net::TcpListener;
    let same_port = |first: &str, second: &str| -> Option<bool> {
        let held = TcpListener::bind(first).ok()?;
        let port = held.local_addr().ok()?.port();
        let second = second.replace(":0", &format!(":{port}"));
        let bound = TcpListener::bind(&second);
        match bound {
            Ok(_) => Some(false),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Some(true),
            Err(_) => None,
        }
    };
    for (first, second) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.1:0"),
        ("127.0.0.1:0", "0.0.0.0:0"),
        ("127.0.0.1:0", "127.0.0.2:0"),
        ("127.0.0.1:0", "[::1]:0"),
    ] {
        let read = |text: &str| Address::parse(&text.replace(":0", ":9")).unwrap();
        if let Some(in_use) = same_port(first, second) {
            assert_eq!(read(first).overlaps(&read(second)), in_use, "{first} and {second}");
        }
    }
}

#[test]
fn a_wildcard_has_all_of_its_family() {
    let clashes = |a: &str, b: &str, kinds: [Kind; 2], shared: [bool; 2]| {
        let key = |index: usize, text: &str| SocketKey {
            address: Address::parse(text).unwrap(),
            kind: kinds[index],
            shared_by: shared[index].then(|| index.to_string()),
        };
        let (a, b) = (key(0, a), key(1, b));
        assert_eq!(a.clashes(&b), b.clashes(&a), "{a} {b}");
        a.clashes(&b)
    };
    let streams = [Kind::Stream; 2];
    for (a, b, expected) in [
        ("*:80", "*:80", true),
        ("*:80", "*:81", false),
        ("*:80", "0.0.0.0:80", true),
        ("*:80", "[::]:80", true),
        ("*:80", "[::1]:80", true),
        ("*:80", "127.0.0.1:80", true),
        ("0.0.0.0:80", "[::]:80", false),
        ("0.0.0.0:80", "127.0.0.1:80", true),
        ("[::]:80", "127.0.0.1:80", false),
        ("[::]:80", "[::1]:80", true),
        ("[fe80::1%1]:80", "[fe80::1%2]:80", false),
        ("/run/x", "//run/x", true),
        ("@x", "@x", true),
        ("@x", "/x", false),
    ] {
        assert_eq!(clashes(a, b, streams, [false, false]), expected, "{a} {b}");
        assert_eq!(clashes(a, b, streams, [true, false]), expected, "{a} {b}");
        assert!(!clashes(a, b, streams, [true, true]), "{a} {b}");
        let is_file = a == "/run/x";
        assert_eq!(
            clashes(a, b, [Kind::Stream, Kind::Datagram], [false, false]),
            expected && is_file,
            "{a} {b}"
        );
    }
}
