//! The warden: what it does when its supervisor is killed, and what it does not hold.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stepdown_kernel::sockets::{Address, Options, bind};

use crate::roles::{ROLE, TO};
use crate::{Scratch, is_alive, until};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("the_warden_ends_what_a_killed_supervisor_left", killed),
    ("the_warden_says_nothing_after_a_goodbye", goodbye),
];

struct Supervisor {
    process: Child,
    address: String,
    warden: u32,
    service: Vec<u32>,
}

fn supervisor(role: &str, scratch: &Path) -> Supervisor {
    let (said, out) = (scratch.join("said"), scratch.join("out"));
    let address = format!("stepdown-warden-{}", std::process::id());
    let process = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, role)
        .env(TO, &said)
        .env("OUT", &out)
        .env("LISTEN", &address)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("the supervisor", || said.exists());
    let warden = fs::read_to_string(&said).unwrap().parse().unwrap();
    let service = fs::read_to_string(&out).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    Supervisor { process, address, warden, service }
}

fn killed() {
    let scratch = Scratch::new();
    let Supervisor { mut process, address, warden, service } = supervisor("supervisor", &scratch.0);
    let read = |name: &str| fs::read_to_string(format!("/proc/{warden}/{name}")).unwrap();
    until("its name", || read("comm") == "stepdown-warden\n");
    assert_eq!(fs::read_dir(format!("/proc/{warden}/fd")).unwrap().count(), 1, "one socket and nothing else");
    // It sleeps: two looks see the same number of switches.
    let switches = || {
        let text = read("status");
        text.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect::<Vec<_>>()
    };
    until("it to sleep", || read("wchan").len() > 1 || read("stat").contains(") S "));
    let before = switches();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(switches(), before, "no wake-ups");
    assert!(service.iter().all(|&pid| is_alive(pid)));
    process.kill().unwrap();
    process.wait().unwrap();
    // The sockets are free at once, while the service still has its time.
    until("the address to be free", || {
        bind(&Address::Abstract(address.clone().into()), &Options::default()).is_ok()
    });
    until("the service to be gone", || !service.iter().any(|&pid| is_alive(pid)));
    until("the warden to be gone", || !is_alive(warden));
}

fn goodbye() {
    let scratch = Scratch::new();
    let Supervisor { mut process, warden, service, .. } = supervisor("polite-supervisor", &scratch.0);
    assert!(process.wait().unwrap().success());
    assert!(!is_alive(warden));
    assert!(service.iter().all(|&pid| is_alive(pid)), "nobody was told to end");
    for pid in service {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}
