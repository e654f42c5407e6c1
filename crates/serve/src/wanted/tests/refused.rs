//! Texts that are refused, or warned about: each code, at the line and column of what is wrong.

use super::{Cause, findings};

/// Code, line and column of everything that is found.
fn found(text: &str) -> Vec<(&'static str, u32, u32)> {
    let all = findings(text);
    all.iter()
        .map(|finding| {
            let place = finding.place.as_ref().unwrap_or_else(|| panic!("{finding:?} has no place"));
            assert_eq!(finding.cause, Cause::Text, "{finding:?}");
            assert!(
                finding.why.is_some() && finding.hint.is_some(),
                "{finding:?} has a reason and a way out"
            );
            assert!(finding.why.iter().all(|why| why.is_ascii()), "{finding:?}");
            (finding.code, place.line, place.column)
        })
        .collect()
}

/// What is found in a service that has a command.
fn in_service(options: &str) -> Vec<(&'static str, u32, u32)> {
    found(&format!("Service a {{ Command = /x\n{options}\n}}"))
}

fn hint(text: &str) -> String {
    let all = findings(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].hint.clone().unwrap().into_owned()
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    assert_eq!(in_service("  Commnad = /y"), [("unknown-option", 2, 3)]);
    assert!(hint("Service a { Command = /x Gracefull_Timeout = 1 }").contains("Graceful_Timeout"));
    assert!(hint("Service a { Command = /x Listen \"*:1\" { Reuseport = on } }").contains("Reuse_Port"));
    assert!(hint("Control_Listener { Operator = x  Listen /c { } }").contains("Operators"));
    assert!(hint("Control_Listener { Listen /c { Filemode = 0600 } }").contains("File_Mode"));
    // An option of the other Listen is none of this one.
    assert_eq!(found("Control_Listener { Listen /c { Backlog = 5 } }"), [("unknown-option", 1, 32)]);
    assert!(hint("Service a { Command = /x Listne \"*:1\" { } }").contains("Listen"));
    assert_eq!(found("Control_Listener { Listen /c { X { } } }"), [("unknown-scope", 1, 32)]);
    assert!(hint("Service a { Command = /x Listen = \"*:1\" }").contains("Listen \"*:443\" { }"));
}

#[test]
fn what_is_not_as_a_scope_should_be() {
    assert_eq!(found("Service { Command = /x }"), [("nameless-service", 1, 1)]);
    assert_eq!(found("Control_Listener \"x\" { Listen /c { } }"), [("named-console", 1, 1)]);
    assert_eq!(found("Control_Listener { }"), [("console-nowhere", 1, 1)]);
    assert_eq!(
        found("Service = web\nControl_Listener [ a = b ]"),
        [("not-a-scope", 2, 1), ("not-a-scope", 1, 1)]
    );
    assert_eq!(found("Listen \"*:80\" { }"), [("listen-outside", 1, 1)]);
    assert_eq!(found("Service a { Command = /x Listen { } }"), [("listen-nowhere", 1, 26)]);
    assert_eq!(found("Servcie web { Command = /x }"), [("misspelt-scope", 1, 1)]);
    assert!(hint("Contrl_Listener { Listen /c { } }").contains("Control_Listener"));
    for name in ["\"\"", "\"a b\"", "\"a:b\"", "-a", "\"a/b\"", "\"\u{e9}\"", &"x".repeat(65)] {
        assert_eq!(
            found(&format!("Service {name} {{ Command = /x }}")),
            [("bad-service-name", 1, 1)],
            "{name}"
        );
    }
    for name in ["a", "A.b_c-9", &"x".repeat(64)] {
        assert_eq!(found(&format!("Service {name} {{ Command = /x }}")), [], "{name}");
    }
}

#[test]
fn a_command_is_an_absolute_path_and_words() {
    assert_eq!(found("Service a { }"), [("no-command", 1, 1)]);
    for (value, code, column) in [
        ("( )", "empty-command", 23),
        ("[ a = b ]", "not-an-array", 23),
        ("my-web", "relative-path", 23),
        ("\"\"", "relative-path", 23),
        ("( my-web /x )", "relative-path", 25),
        ("\"/usr/sbin/my-web --flag\"", "blank-in-command", 23),
    ] {
        assert_eq!(found(&format!("Service a {{ Command = {value} }}")), [(code, 1, column)], "{value}");
    }
    assert_eq!(found("Service a { Command = ( \"/a b\" c ) }"), [], "in an array it is meant");
    assert_eq!(in_service("Directory = srv"), [("relative-path", 2, 13)]);
    assert_eq!(found("Pidfile = pid"), [("relative-path", 1, 11)]);
}

#[test]
fn values_that_are_none() {
    for (option, code) in [
        ("Accept = perhaps", "not-a-boolean"),
        ("Notify = ( on )", "not-one-value"),
        ("Max_Connections = 0", "not-such-a-number"),
        ("Max_Connections = -1", "not-such-a-number"),
        ("Max_Connections = 1.5", "not-such-a-number"),
        ("Restart_Limit = many", "not-such-a-number"),
        ("Restart_Limit = 4294967297", "not-such-a-number"),
        ("Restart = sometimes", "not-such-a-word"),
        ("Output = prefixed", "not-such-a-word"),
        ("Environment = ( a b )", "not-a-dictionary"),
        ("Directory = [ a = b ]", "not-one-value"),
    ] {
        let column = 1 + u32::try_from(option.find("= ").unwrap()).unwrap() + 2;
        let all = in_service(option);
        assert_eq!(all.first(), Some(&(code, 2, column)), "{option}: {all:?}");
    }
    assert!(hint("Service a { Command = /x Output = prefixed }").contains("did you mean prefix?"));
}

#[test]
fn times_are_seconds() {
    for time in [
        "-1",
        "5s",
        "1m",
        "31536001",
        "31536000.1",
        "1.",
        ".5",
        "1.0000000001",
        "08",
        "00.5",
        "1e3",
        "\"\"",
        "99999999999999999999",
    ] {
        assert_eq!(in_service(&format!("Graceful_Timeout = {time}")), [("not-a-time", 2, 20)], "{time}");
    }
    for time in ["0", "0.5", "31536000", "\"30\"", "010", "0x10", "0.000000001"] {
        assert_eq!(in_service(&format!("Graceful_Timeout = {time}")), [], "{time}");
    }
    assert_eq!(in_service("Restart_Pause = 5  Restart_Pause_Max = 4"), [("pauses-crossed", 2, 40)]);
}

#[test]
fn modes_are_octal_with_a_leading_zero() {
    for mode in ["660", "0x1b0", "01777", "0888", "rw", "-0600", "\"\""] {
        let text = format!("Control_Listener {{ Listen /c {{ File_Mode = {mode} }} }}");
        assert_eq!(found(&text), [("not-a-mode", 1, 44)], "{mode}");
    }
    assert!(hint("Control_Listener { Listen /c { File_Mode = 660 } }").contains("0660"));
    assert_eq!(found("Control_Listener { Listen /c { File_Mode = 0 } }"), [], "nobody but root may connect");
}

#[test]
fn names_of_sockets_are_what_listen_fdnames_can_hold() {
    for name in ["\"a:b\"", "\"a\\tb\"", "\"\"", "\"\u{e9}\"", &"x".repeat(256)] {
        let options = format!("Listen \"*:1\" {{ Name = {name} }}");
        assert_eq!(in_service(&options), [("bad-socket-name", 2, 23)], "{name}");
    }
    assert_eq!(
        in_service(&format!(
            "Listen \"*:1\" {{ Name = {} }} Listen \"*:2\" {{ Name = a }} Listen \"*:3\" {{ Name = a }}",
            "x".repeat(255)
        )),
        []
    );
}

#[test]
fn addresses_are_refused_where_they_stand() {
    assert_eq!(in_service("  Listen localhost:80 { }"), [("bad-address", 2, 3)]);
    assert_eq!(found("Control_Listener { Listen \"*:80\" { } }"), [("console-not-a-path", 1, 20)]);
    assert_eq!(found("Control_Listener { Listen @x { } }"), [("console-not-a-path", 1, 20)]);
}

#[test]
fn an_address_twice_names_both_places() {
    for (first, second) in [
        ("*:80", "*:80"),
        ("*:80", "0.0.0.0:80"),
        ("[::]:80", "*:80"),
        ("127.0.0.1:80", "0.0.0.0:80"),
        ("/run/a", "/run//a"),
        ("@a", "@a"),
    ] {
        let text = format!(
            "Service a {{ Command = /x Listen \"{first}\" {{ }} }}\nService b {{ Command = /x Listen \"{second}\" {{ }} }}"
        );
        assert_eq!(found(&text), [("address-twice", 2, 26)], "{first} {second}");
        let all = findings(&text);
        assert_eq!((all[0].related[0].0.line, all[0].related[0].0.column), (1, 26));
        assert!(
            all[0].message.contains("Service a") && all[0].message.contains("Service b"),
            "{}",
            all[0].message
        );
    }
    let half = "Service a { Command = /x Listen \"*:1\" { Reuse_Port = on } }\nService b { Command = /x Listen \"*:1\" { } }";
    assert!(hint(half).contains("in both"));
    let twice = "Service a { Command = /x Listen \"127.0.0.1:1\" { Reuse_Port = on } Listen '127.0.0.1:1' { Reuse_Port = on } }";
    assert_eq!(found(twice), [], "quotes apart it is the same scope");
    let spelt = "Service a { Command = /x Listen \"[::1]:1\" { Reuse_Port = on } Listen \"[0::1]:1\" { Reuse_Port = on } }";
    assert_eq!(found(spelt), [("address-twice", 1, 63)]);
    assert_eq!(
        found("Control_Listener { Listen /c { } }\nService a { Command = /x Listen /c { } }"),
        [("address-twice", 2, 26)]
    );
    assert_eq!(in_service("Listen \"*:53\" { } Listen \"0.0.0.0:53\" { Type = datagram }"), []);
    assert_eq!(in_service("Listen /s { } Listen \"//s\" { Type = datagram }"), [("address-twice", 2, 15)]);
}

#[test]
fn accept_takes_streams() {
    assert_eq!(in_service("Accept = on"), [("accept-nothing", 1, 1)]);
    assert_eq!(in_service("Accept = on  Listen \"*:1\" { Type = datagram }"), [("accept-datagram", 2, 14)]);
    assert_eq!(
        in_service("Accept = on  Listen \"*:1\" { } Listen \"*:2\" { Type = datagram }"),
        [("accept-datagram", 2, 31)]
    );
    assert_eq!(in_service("Accept = on  Listen \"*:1\" { } Listen /s { }"), []);
}

#[test]
fn capability_text_is_refused_at_the_word_that_is_wrong() {
    assert_eq!(
        in_service("Capabilities = \"cap_kill+ep cap_net_bind_servce+ep\""),
        [("bad-capability-text", 2, 29)]
    );
    assert!(hint("Service a { Command = /x Capabilities = \"net_raw+p\" }").contains("cap_net_raw"));
}

#[test]
fn variables_are_the_services_own() {
    for (entries, code, column) in [
        ("\"\" = x", "bad-variable", 17),
        ("\"A=B\" = x", "bad-variable", 17),
        ("\"A B\" = x", "bad-variable", 17),
        ("LISTEN_FDS = 3", "reserved-variable", 17),
        ("NOTIFY_SOCKET = x", "reserved-variable", 17),
        ("A = 1 A = 2", "variable-twice", 23),
    ] {
        assert_eq!(in_service(&format!("Environment = [ {entries} ]")), [(code, 2, column)], "{entries}");
    }
    assert_eq!(in_service("Environment = [ a = 1 A = 2 PATH = /bin ]"), []);
}

#[test]
fn what_has_no_effect_is_said() {
    for option in ["Notify = on", "Ready_After = 1", "Restart = never", "Restart_Limit = 3"] {
        assert_eq!(
            in_service(&format!("Accept = on Listen \"*:1\" {{ }} {option}")),
            [("no-effect", 2, 30)],
            "{option}"
        );
    }
    for (listen, options) in [
        ("\"*:1\"", "File_Mode = 0600"),
        ("/s", "Reuse_Port = on"),
        ("/s", "Free_Bind = on"),
        ("@s", "File_Mode = 0600"),
        ("\"*:1\"", "Type = datagram Backlog = 5"),
    ] {
        let all = in_service(&format!("Listen {listen} {{ {options} }}"));
        assert_eq!(all.iter().map(|finding| finding.0).collect::<Vec<_>>(), ["no-effect"], "{options}");
    }
    assert_eq!(in_service("Max_Connections = 5"), [("no-effect", 2, 1)]);
}

#[test]
fn everything_is_told_at_once() {
    let text = "Pidfile = x\nControl_Listener { Timeout = -1 Operators = ( \"\" \"@0x1\" ) Listen x { } }\n\
                Service \"\" { Bogus = 1 Listen \"*:0\" { Type = x } }\nService b { Accept = maybe }\nListen x { }";
    let codes: Vec<_> = found(text).into_iter().map(|(code, line, _)| (code, line)).collect();
    for expected in [
        ("relative-path", 1),
        ("not-a-time", 2),
        ("bad-identity", 2),
        ("bad-address", 2),
        ("bad-service-name", 3),
        ("unknown-option", 3),
        ("bad-address", 3),
        ("not-such-a-word", 3),
        ("no-command", 3),
        ("no-command", 4),
        ("not-a-boolean", 4),
        ("listen-outside", 5),
    ] {
        assert!(codes.contains(&expected), "{expected:?} of {codes:?}");
    }
}
