//! The cluster sample at work: what each of its capabilities is for is done by a real program, as `ecuser`, and fails
//! without that very capability.
//!
//! Whether the sample is read, overridden and refused rightly is in `cluster`. Here a program adds an address to an
//! interface, opens raw sockets and serves a low port, under every selection of the capabilities.

use crate::support::{Done, Node, STEPDOWN, done, have};

/// What the sample retains that a program can be seen to need, and what that program then says.
const NEEDED: [(&str, &str); 3] =
    [("cap_net_admin", "address"), ("cap_net_bind_service", "port"), ("cap_net_raw", "raw")];

/// Tries all three as whoever it is and says which worked. The address is added by ip(8), a program that this one starts.
const TRY: &str = r#"
import errno, os, socket, subprocess, sys
def address():
    ip = subprocess.run(["ip", "addr", "add", sys.argv[1] + "/32", "dev", "lo"], capture_output=True, text=True)
    assert (ip.returncode == 0) != ("Operation not permitted" in ip.stderr), ip
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind((sys.argv[1], 2525))
def raw():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def port():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 25))
    server.listen()
    client = socket.create_connection(("127.0.0.1", 25))
    server.accept()[0].sendall(b"220")
    assert client.recv(3) == b"220"
for what in address, port, raw:
    try:
        what()
        print(what.__name__, "works")
    except OSError as error:
        print(what.__name__, errno.errorcode[error.errno])
print("uid", *os.getresuid())
"#;

/// Runs the program on a node whose cluster file has this text for `Capabilities`.
fn tried(node: &Node, capabilities: &str, address: &str) -> Done {
    node.file("try.py", TRY);
    node.file("ecelerity.conf", "Security { user = ecuser }\ninclude \"ecelerity-cluster.conf\"\n");
    node.file(
        "ecelerity-cluster.conf",
        &format!("Security {{\n  user = ecuser\n  group = ecuser\n  Capabilities = \"{capabilities}\"\n}}\n"),
    );
    let run = ["run", "-c", "ecelerity.conf", "--", "/usr/bin/python3", "-I", "try.py", address];
    done(node.command(STEPDOWN).args(run))
}

/// What the program says if exactly these capabilities are held.
fn expected(held: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for (capability, what) in NEEDED {
        let refused = match what {
            // The address is not there to be bound to.
            "address" => "EADDRNOTAVAIL",
            "port" => "EACCES",
            _ => "EPERM",
        };
        text.push_str(&format!("{what} {}\n", if held(capability) { "works" } else { refused }));
    }
    text + "uid 994 994 994\n"
}

#[test]
fn each_capability_of_the_cluster_sample_allows_its_work_and_no_other() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("ip") {
        return;
    }
    for selection in 0..8_usize {
        let held: Vec<&str> =
            (0..3).filter(|bit| selection >> bit & 1 == 1).map(|bit| NEEDED[bit].0).collect();
        let text: Vec<String> = held.iter().map(|name| format!("{name}+ep")).collect();
        let address = format!("10.99.{selection}.1");
        let done = tried(&node, &text.join(" "), &address);
        assert_eq!(done.ran().out, expected(|name| held.contains(&name)), "{held:?}");
        // As the rest of the node sees it.
        let interface = node.sh("ip -4 -o addr show dev lo");
        assert_eq!(interface.out.contains(&address), held.contains(&"cap_net_admin"), "{interface:?}");
    }
}

#[test]
fn the_whole_cluster_sample_serves() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("ip") {
        return;
    }
    let mut text = "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep".to_owned();
    // Many containers take this one from root; that it is refused by name there is tested in `cluster`.
    let permitted = node.sh("cat /proc/self/status");
    if u64::from_str_radix(permitted.field("CapPrm"), 16).unwrap() >> 24 & 1 == 0 {
        text = text.replace(" cap_sys_resource+ep", "");
    }
    assert_eq!(tried(&node, &text, "10.99.8.1").ran().out, expected(|_| true));
}

#[test]
fn without_a_launcher_the_same_user_can_do_none_of_it() {
    let Some(node) = Node::new() else { return };
    if !have("python3") || !have("ip") || !have("setpriv") {
        return;
    }
    node.file("try.py", TRY);
    let done = node.sh(
        "setpriv --reuid=994 --regid=994 --clear-groups --inh-caps=-all /usr/bin/python3 -I try.py 10.99.9.1",
    );
    assert_eq!(
        done.ran().out,
        expected(|_| false),
        "what fails above fails for want of the capability alone"
    );
}
