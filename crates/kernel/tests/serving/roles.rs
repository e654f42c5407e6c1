//! What the processes are that the cases start.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use stepdown_kernel::pidfile::Pidfile;
use stepdown_kernel::sockets::{self, Address, Options};
use stepdown_kernel::start::start;
use stepdown_kernel::warden::Warden;

use crate::start::{Child, nothing};

pub(crate) const ROLE: &str = "STEPDOWN_TEST_ROLE";
/// Where a role writes what it has to say: a file, since its descriptors are what is looked at.
pub(crate) const TO: &str = "STEPDOWN_TEST_TO";

pub(crate) fn play(role: &str) {
    let to = std::env::var_os(TO).unwrap();
    let say = |text: String| {
        // Whole at once, for whoever waits for the file.
        let part = format!("{}.part", to.to_str().unwrap());
        fs::write(&part, text).unwrap();
        fs::rename(&part, &to).unwrap();
    };
    match role {
        "descriptors" => say(descriptors()),
        "status" => say(status()),
        "inherited" => {
            let names = sockets::take_inherited().unwrap().into_iter().map(|(name, socket)| {
                use std::os::fd::AsFd;
                let bound = sockets::identify(socket.as_fd()).unwrap();
                format!("{} {}", name.unwrap_or_default(), bound.address.unwrap())
            });
            let names: Vec<String> = names.collect();
            assert!(sockets::take_inherited().is_err(), "they are taken once");
            say(names.join("\n"));
        }
        "locker" => {
            let _held =
                Pidfile::lock(std::path::Path::new(&std::env::var_os("PIDFILE").unwrap()), None).unwrap();
            say("locked".into());
            sleep();
        }
        "sleeper" => {
            say(std::process::id().to_string());
            sleep();
        }
        "parent" => {
            let child = Child::new("sleeper").death_signal();
            let _started = start(&child.start(), nothing).unwrap();
            sleep();
        }
        "dying-parent" => dying_parent(),
        "supervisor" | "polite-supervisor" => supervisor(role == "polite-supervisor", say),
        _ => panic!("no role {role}"),
    }
}

pub(crate) fn sleep() {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// Every open descriptor and the inode it is open on.
fn descriptors() -> String {
    let mut text = String::new();
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    for number in numbers {
        // That of the listing is gone by now.
        if let Ok(file) = fs::metadata(format!("/proc/self/fd/{number}")) {
            writeln!(text, "{number} {}", file.ino()).unwrap();
        }
    }
    text
}

fn status() -> String {
    let mut text = fs::read_to_string("/proc/self/status").unwrap();
    let session = stepdown_kernel::reap::session_of(std::process::id()).unwrap();
    writeln!(text, "Session:\t{session}\nDirectory:\t{}", std::env::current_dir().unwrap().display())
        .unwrap();
    let mut variables: Vec<String> =
        std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    variables.sort();
    writeln!(text, "Environment:\t{}", variables.join(" ")).unwrap();
    let signal = rustix::process::parent_process_death_signal().unwrap();
    writeln!(text, "DeathSignal:\t{}", signal.map_or(0, rustix::process::Signal::as_raw)).unwrap();
    text
}

/// A process that is killed by its child before the child has asked for a signal in that case.
fn dying_parent() {
    let child = Child::new("sleeper").death_signal();
    let parent = rustix::process::getpid();
    let started = start(&child.start(), || {
        rustix::process::kill_process(parent, rustix::process::Signal::KILL).unwrap();
        while rustix::process::getppid() == Some(parent) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    drop(started);
    sleep();
}

/// A process with a warden, a listening socket, and a service that does not want to end.
fn supervisor(polite: bool, say: impl Fn(String)) {
    let listener =
        sockets::bind(&Address::Abstract(std::env::var("LISTEN").unwrap().into()), &Options::default());
    let listener = listener.unwrap();
    let service = Child::new("sleeper").shell(
        // A process in its group, one in its session only, and itself; none minds SIGTERM.
        "trap '' TERM; sh -c 'echo $$ >>$OUT; while :; do sleep 1000; done' & \
         set -m; sh -c 'echo $$ >>$OUT; while :; do sleep 1000; done' & set +m; \
         echo $$ >>$OUT; while :; do sleep 1000; done",
    );
    let warden = Warden::start().unwrap();
    let started = start(&service.start(), nothing).unwrap();
    warden.watch(7, Duration::from_secs(1)).unwrap();
    warden.watch(started.pid, Duration::from_secs(100)).unwrap();
    warden.watch(started.pid, Duration::from_millis(300)).unwrap();
    warden.forget(7).unwrap();
    crate::until("the service", || {
        fs::read_to_string(std::env::var_os("OUT").unwrap()).is_ok_and(|text| text.lines().count() == 3)
    });
    let pid = warden.pid();
    if polite {
        warden.goodbye();
        crate::until("the warden to end", || {
            stepdown_kernel::reap::reap().unwrap().iter().any(|end| end.0 == pid)
        });
        say(format!("{pid}"));
    } else {
        say(format!("{pid}"));
        sleep();
    }
    drop(listener);
}
