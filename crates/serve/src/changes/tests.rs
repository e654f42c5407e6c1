use super::*;
use crate::options::{Within, by_name};
use stepdown_conf::Config;

fn wanted(text: &str) -> Wanted {
    let config = Config::from_text("t", text).unwrap();
    crate::wanted::read(&config, 41).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

fn words(old: &str, new: &str) -> Vec<String> {
    changes(&wanted(old), &wanted(new)).words()
}

/// A service with this in it.
fn web(inside: &str) -> String {
    format!("Service web {{ Command = /x {inside} }}\n")
}

#[test]
fn the_same_is_no_change() {
    let text = "Pidfile = /p\nControl_Listener { Listen /c { } Operators = ( a b ) }\n\
                Service web { Command = ( /x y ) Listen \"*:443\" { } Environment = [ A = 1 B = 2 ] }";
    let again = "Service web { Environment = [ B = 2 A = 1 ]\n Listen \"*:443\" { Backlog = 4096 }\nCommand = ( \"/x\" \"y\" ) }\n\
                 Control_Listener { Listen \"//c\" { } Operators = ( \"a\" b ) }";
    let found = changes(&wanted(text), &wanted(again));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(found.words(), [""; 0]);
    assert_eq!(found.kept.len(), 2);
}

#[test]
fn listeners_come_and_go() {
    let old = web("Listen \"*:443\" { } Listen /s { }");
    let new = web("Listen \"*:443\" { } Listen \"*:53\" { Type = datagram }");
    assert_eq!(
        words(&old, &new),
        [
            "listener /s of web: removed",
            "listener *:53 (datagram) of web: added",
            "service web: replaced (Listen)"
        ]
    );
}

#[test]
fn what_a_live_socket_can_be_told_is_told() {
    let old = web("Listen \"*:443\" { } Listen /s { } Listen @a { }");
    let new = web(
        "Listen \"*:443\" { Backlog = 5 Free_Bind = on } Listen /s { File_Mode = 0600 Backlog = 6 } Listen @a { }",
    );
    assert_eq!(
        words(&old, &new),
        [
            "listener *:443 of web: Backlog 4096 to 5",
            "listener /s of web: Backlog 4096 to 6, File_Mode 0666 to 0600"
        ]
    );
    // Of what has no effect, no change is one.
    let old = web("Listen \"*:53\" { Type = datagram }");
    let new = web("Listen \"*:53\" { Type = datagram Backlog = 5 File_Mode = 0600 }");
    assert!(changes(&wanted(&old), &wanted(&new)).is_empty());
}

#[test]
fn what_a_live_socket_can_not_be_told_takes_another() {
    let old = web("Listen \"*:443\" { } Listen \"127.0.0.1:1\" { }");
    let new = web("Listen \"*:443\" { Reuse_Port = on } Listen \"*:1\" { } Listen \"*:2\" { }");
    let found = changes(&wanted(&old), &wanted(&new));
    assert_eq!((found.removed.len(), found.added.len(), found.kept.len()), (2, 3, 0));
    let displaced: Vec<Vec<String>> =
        found.added.iter().map(|added| added.displaces.iter().map(ToString::to_string).collect()).collect();
    assert_eq!(displaced, [vec!["*:443"], vec!["127.0.0.1:1"], vec![]]);
    assert_eq!(found.services[0].what, What::Replaced(vec!["Listen"]));
}

#[test]
fn a_socket_goes_from_one_service_to_another_without_being_closed() {
    let service = |name: &str, listen: &str| format!("Service {name} {{ Command = /x {listen} }}\n");
    let listen = "Listen \"*:443\" { }";
    let old = service("a", listen) + &service("b", "");
    let new = service("a", "") + &service("b", listen);
    assert_eq!(
        words(&old, &new),
        [
            "listener *:443 of b: taken over from a",
            "service a: replaced (Listen)",
            "service b: replaced (Listen)"
        ]
    );
    // One that is shared is the service's own.
    let shared = "Listen \"*:443\" { Reuse_Port = on }";
    let found = changes(
        &wanted(&(service("a", shared) + &service("b", ""))),
        &wanted(&(service("a", "") + &service("b", shared))),
    );
    assert_eq!((found.removed.len(), found.added.len()), (1, 1));
    assert!(found.added[0].displaces.is_empty(), "they share it for as long as both are there");
}

#[test]
fn names_and_order_of_sockets_are_what_a_process_knows_them_by() {
    let old = web("Listen \"*:1\" { } Listen \"*:2\" { }");
    for new in
        [web("Listen \"*:2\" { } Listen \"*:1\" { }"), web("Listen \"*:1\" { Name = n } Listen \"*:2\" { }")]
    {
        assert_eq!(words(&old, &new), ["service web: replaced (Listen)"]);
    }
    let old = web("Accept = on Listen \"*:1\" { } Listen \"*:2\" { }");
    let new = web("Accept = on Listen \"*:2\" { } Listen \"*:1\" { Name = n } Listen \"*:3\" { }");
    assert_eq!(words(&old, &new), ["listener *:3 of web: added"], "a connection's process gets no listener");
}

/// Each option of a service, with another value than its default: whether a process is started with it.
#[test]
fn every_option_of_a_service_is_known_to_take_a_new_process_or_not() {
    let listen = "Listen \"*:1\" { }";
    let cases = [
        ("Command", "Command = /y", true),
        ("Accept", "Accept = on", true),
        ("Max_Connections", "Max_Connections = 5", false),
        ("Capabilities", "Capabilities = \"\"", true),
        ("Notify", "Notify = on", true),
        ("Ready_After", "Ready_After = 5", false),
        ("Start_Timeout", "Start_Timeout = 5", false),
        ("Graceful_Timeout", "Graceful_Timeout = 5", false),
        ("Restart", "Restart = never", false),
        ("Restart_Pause", "Restart_Pause = 5", false),
        ("Restart_Pause_Max", "Restart_Pause_Max = 5", false),
        ("Restart_Limit", "Restart_Limit = 5", false),
        ("Output", "Output = direct", true),
        ("Directory", "Directory = /srv", true),
        ("Environment", "Environment = [ A = 1 ]", true),
    ];
    assert_eq!(cases.len(), crate::options::of(Within::Service).count(), "a new option is a new case");
    for (name, option, replaced) in cases {
        assert!(by_name(Within::Service, name).is_some(), "{name}");
        let found = changes(&wanted(&web(listen)), &wanted(&web(&format!("{listen} {option}"))));
        let options = vec![by_name(Within::Service, name).unwrap().name];
        let what = if replaced { What::Replaced(options) } else { What::Retimed(options) };
        assert_eq!(found.services, [ServiceChange { name: "web".into(), what }], "{option}");
    }
}

#[test]
fn services_come_and_go() {
    assert_eq!(
        words("Service a { Command = /x }", "Service b { Command = /x }"),
        ["service b: added", "service a: removed"]
    );
    assert_eq!(
        words(&web(""), &web("Command = /y Restart_Limit = 3")),
        ["service web: replaced (Command, Restart_Limit)"]
    );
    assert_eq!(
        words(&web(""), &web("Restart_Limit = 3")),
        ["service web: changed without a new process (Restart_Limit)"]
    );
}

#[test]
fn the_console_comes_goes_and_changes() {
    let console = |inside: &str| format!("Control_Listener {{ Listen /c {{ }} {inside} }}");
    assert_eq!(words("", &console("")), ["listener /c of the console: added", "console: added"]);
    assert_eq!(words(&console(""), ""), ["listener /c of the console: removed", "console: removed"]);
    for (option, name) in [
        ("Timeout = 5", "Timeout"),
        ("Operators = a", "Operators"),
        ("Observers = @a", "Observers"),
        ("Max_Sessions = 5", "Max_Sessions"),
    ] {
        assert!(by_name(Within::Console, name).is_some());
        assert_eq!(words(&console(""), &console(option)), [format!("console: changed ({name})")]);
    }
    assert_eq!(
        words(
            "Control_Listener { Listen /c { } }",
            "Control_Listener { Listen /c { File_Mode = 0666 } Listen /d { } }"
        ),
        ["listener /d of the console: added", "listener /c of the console: File_Mode 0600 to 0666"]
    );
}

/// Each of many listeners is looked at a few times, not once for each of the others.
#[test]
fn thousands_of_listeners_are_compared_without_delay() {
    use std::fmt::Write;
    let many = |from: u16| {
        let mut text = String::from("Service a { Command = /x\n");
        for port in from..from + 3_000 {
            writeln!(text, "Listen \"*:{port}\" {{ }}").unwrap();
        }
        wanted(&(text + "}"))
    };
    let (old, new) = (many(1), many(1_501));
    let found = changes(&old, &new);
    assert_eq!((found.added.len(), found.removed.len(), found.kept.len()), (1_500, 1_500, 1_500));
}
