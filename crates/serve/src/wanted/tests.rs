//! What is read, and everything that is refused, at its line and column.

use super::*;
use crate::options::{self, Default, OPTIONS, Within};
use stepdown_conf::Cause;

mod refused;

const COUNT: u8 = 41;

fn wanted(text: &str) -> Wanted {
    let config = Config::from_text("t", text).unwrap();
    let (wanted, findings) = read(&config, COUNT).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(findings, [], "no warnings");
    wanted
}

/// Everything that is found in a text, errors and warnings.
fn findings(text: &str) -> Vec<Finding> {
    let config = Config::from_text("t", text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    match read(&config, COUNT) {
        Ok((_, findings)) | Err(findings) => findings,
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let page = include_str!("../../../../docs/serve.md");
    let example = page.split("```").nth(1).unwrap();
    let wanted = wanted(example);
    assert_eq!(wanted.pidfile.unwrap().value, "/run/stepdown.pid");
    let console = wanted.console.unwrap();
    assert_eq!((&*console.listeners[0].path, console.listeners[0].mode), ("/run/stepdown/console", 0o660));
    let who: Vec<String> = console.operators.iter().map(|(who, _)| who.to_string()).collect();
    assert_eq!(who, ["alice", "@wheel"]);
    let web = &wanted.services[0];
    assert_eq!(web.command.value, ["/usr/sbin/my-web", "--systemd-sockets"]);
    assert_eq!(web.capabilities.as_ref().unwrap().value, CapState::EMPTY);
    let listeners: Vec<_> =
        web.listeners.iter().map(|listen| (listen.address.to_string(), &*listen.name, listen.mode)).collect();
    assert_eq!(
        listeners,
        [
            ("*:443".into(), "https", 0o666),
            ("[::]:80".into(), "http", 0o666),
            ("/run/my-web.sock".into(), "web", 0o666)
        ]
    );
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let seconds = Duration::from_secs;
    let wanted = wanted(
        "Control_Listener { Listen /c { } }\nService a { Command = /x Listen \"*:1\" { } Listen /s { } }",
    );
    let console = wanted.console.unwrap();
    assert_eq!((console.timeout, console.max_sessions), (Some(seconds(60)), 1000));
    assert_eq!(console.listeners[0].mode, 0o600);
    let service = &wanted.services[0];
    assert_eq!((service.accept, service.notify, service.max_connections), (false, false, 64));
    assert!(service.capabilities.is_none());
    assert_eq!((service.ready_after, service.start_timeout), (seconds(1), Some(seconds(30))));
    assert_eq!((service.graceful_timeout, service.restart), (seconds(30), Restart::Always));
    assert_eq!((service.restart_pause, service.restart_pause_max), (Duration::from_millis(200), seconds(30)));
    assert_eq!((service.restart_limit, service.output), (Some(10), Output::Prefix));
    assert_eq!((&*service.directory.value, service.environment.len()), ("/", 0));
    let listen = &service.listeners[0];
    assert_eq!((listen.kind, listen.backlog, &*listen.name), (Kind::Stream, 4096, "a"));
    assert!(!listen.reuse_port && !listen.free_bind);
    assert_eq!(service.listeners[1].mode, 0o666);
}

/// A default that the table has as a value can be written, and then means the same as leaving it out.
#[test]
fn every_default_that_is_a_value_can_be_written() {
    let mut scopes: Vec<String> = Vec::new();
    for within in Within::ALL {
        let lines = OPTIONS.iter().filter(|option| option.within == within).filter_map(|option| match option
            .default
        {
            Default::Value(value) => Some(format!("{} = {}", option.name, value.replace('/', "\"/\""))),
            _ => None,
        });
        scopes.push(lines.collect::<Vec<_>>().join("\n"));
    }
    let [top, console, console_listen, service, listen] = scopes.try_into().unwrap();
    let text = |service: &str, listen: &str| {
        format!(
            "{top}\nControl_Listener {{ {console}\nListen /c {{ {console_listen} }} }}\n\
             Service a {{ Command = /x\n{service}\nListen \"*:1\" {{ {listen} }} }}"
        )
    };
    let bare = wanted("Control_Listener { Listen /c { } }\nService a { Command = /x Listen \"*:1\" { } }");
    let config = Config::from_text("t", &text(&service, &listen)).unwrap();
    let (written, warnings) = read(&config, COUNT).unwrap();
    assert!(warnings.iter().all(|warning| warning.code == "no-effect"), "{warnings:?}");
    assert_eq!(crate::changes::changes(&bare, &written), crate::changes::changes(&bare, &bare));
}

#[test]
fn every_option_is_read() {
    let wanted = wanted(
        "PIDFILE = \"/run/p\"\n\
         control_listener { listen /c { file_mode = \"0640\" } listen /d { }\n\
           timeout = 0  observers = bob  max_sessions = 0x10 }\n\
         service my-web.1 { command = ( /x \"a b\" \"\" )  capabilities = \"cap_kill+ep\"  notify = yes\n\
           ready_after = 0  start_timeout = \"0\"  graceful_timeout = 1.5  restart = ON_FAILURE\n\
           restart_pause = 60  restart_limit = 0  output = Direct  directory = /srv\n\
           environment = [ B = \"2 2\"  A = 1 ]\n\
           listen \"*:53\" { type = datagram  reuse_port = on  free_bind = on  name = \"dns 1\" }\n\
           listen \"[::1]:25\" { backlog = 010 }\n }",
    );
    let console = wanted.console.as_ref().unwrap();
    assert_eq!((console.timeout, console.max_sessions, console.listeners.len()), (None, 16, 2));
    assert_eq!(console.listeners[0].mode, 0o640);
    let service = wanted.service("my-web.1").unwrap();
    assert!(wanted.service("web").is_none());
    assert_eq!(service.command.value, ["/x", "a b", ""]);
    assert_eq!(service.capabilities.as_ref().unwrap().value.permitted.to_string(), "cap_kill");
    assert!(service.notify);
    assert_eq!((service.ready_after, service.start_timeout), (Duration::ZERO, None));
    assert_eq!(
        (service.graceful_timeout, service.restart),
        (Duration::from_millis(1500), Restart::OnFailure)
    );
    // A longest pause that is not written is no shorter than the first.
    assert_eq!(
        (service.restart_pause, service.restart_pause_max),
        (Duration::from_secs(60), Duration::from_secs(60))
    );
    assert_eq!((service.restart_limit, service.output), (None, Output::Direct));
    assert_eq!(service.environment, [("A".into(), "1".into()), ("B".into(), "2 2".into())]);
    assert_eq!(service.directory.origin.to_string().split(':').nth(1), Some("6"));
    let [dns, smtp] = &*service.listeners else { panic!("two listeners") };
    assert_eq!((dns.kind, dns.reuse_port, dns.free_bind, &*dns.name), (Kind::Datagram, true, true, "dns 1"));
    assert_eq!((smtp.backlog, smtp.place.line), (8, 9));
}

#[test]
fn scopes_of_other_software_are_left_alone() {
    let text = "Esmtp_Listener { Listen \":25\" { Whatever = 1 } }\nDevice x { Listens = a }\n\
                Timeout = 5\nLogger y { Service = web }\nServices { a = 1 }";
    let wanted = wanted(text);
    assert!(wanted.console.is_none() && wanted.services.is_empty() && wanted.pidfile.is_none());
}

#[test]
fn several_places_of_a_service_are_one_service() {
    let wanted = wanted(
        "Service a { Command = /x Listen \"*:1\" { Backlog = 5 } }\nService a { Command = /y Listen \"*:1\" { Backlog = 6 } Listen \"*:2\" { } }",
    );
    assert_eq!((wanted.services.len(), wanted.services[0].listeners.len()), (1, 2));
    assert_eq!(wanted.services[0].command.value, ["/y"]);
    assert_eq!(wanted.services[0].command.origin.to_string(), "t:2:23, overrides t:1:23");
    assert_eq!(wanted.services[0].listeners[0].backlog, 6);
}

#[test]
fn an_address_can_be_shared_by_services_that_all_say_so() {
    let wanted = wanted(
        "Service a { Command = /x Listen \"*:1\" { Reuse_Port = on } Listen \"127.0.0.1:1\" { Reuse_Port = on } }\n\
         Service b { Command = /x Listen \"*:1\" { Reuse_Port = on } Listen \"*:2\" { } }",
    );
    let keys: Vec<_> =
        wanted.services.iter().map(|service| service.listeners[0].key(&service.name)).collect();
    assert_ne!(keys[0], keys[1]);
    assert!(!keys[0].clashes(&keys[1]));
}

#[test]
fn thousands_of_listeners_are_read_without_delay() {
    use std::fmt::Write;
    let mut text = String::from("Service a { Command = /x\n");
    for port in 1..=3_000 {
        writeln!(text, "Listen \"*:{port}\" {{ Backlog = 7 }}").unwrap();
    }
    assert_eq!(wanted(&(text + "}")).services[0].listeners.len(), 3_000);
}

#[test]
fn the_table_names_every_option_that_is_read() {
    // What is asked for by a key that its scope has not would be taken for the first entry.
    assert_eq!(OPTIONS[0].key, options::Key::Pidfile);
    assert_eq!(OPTIONS.iter().filter(|option| option.key == options::Key::Pidfile).count(), 1);
}

#[test]
fn what_the_own_user_may_do_is_one_of_three_words() {
    let text = |option: &str| format!("Control_Listener {{ Listen \"/x\" {{ }} {option} }}");
    for (option, rights) in [
        ("", Rights::Change),
        ("Own_User = change", Rights::Change),
        ("Own_User = LOOK", Rights::Look),
        ("Own_User = none", Rights::Nothing),
    ] {
        assert_eq!(wanted(&text(option)).console.unwrap().own_user, rights, "{option}");
    }
    let found = findings(&text("Own_User = nobody"));
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["not-such-a-word"]);
    let old = wanted(&text(""));
    let changes = crate::changes::changes(&old, &wanted(&text("Own_User = look")));
    assert_eq!(changes.console, Some(crate::changes::ConsoleChange::Changed(vec!["Own_User"])));
}
