use super::*;
use stepdown_conf::Config;

fn accepting(options: &str) -> Accepting {
    let text = format!("Service a {{ Command = /bin/cat  Accept = true  Listen \"*:7\" {{ }} {options} }}");
    let config = Config::from_text("t", &text).unwrap();
    Accepting::new(&crate::wanted::read(&config, 41).unwrap().0.services[0])
}

#[test]
fn there_are_as_many_as_may_be_and_then_none() {
    let mut service = accepting("Max_Connections = 2");
    let first = service.accepted();
    assert!(service.has_room());
    let second = service.accepted();
    assert!(!service.has_room());
    assert_ne!(first, second);
    assert_eq!(service.exited(first, End::Exited(0)), []);
    assert!(service.has_room());
    // An end that was told of before changes nothing.
    assert_eq!(service.exited(first, End::Exited(0)), []);
    assert_eq!((service.connections(), service.total()), (1, 2));
}

#[test]
fn a_way_of_failing_is_told_once() {
    let mut service = accepting("");
    for (status, told) in [(1, 1), (1, 0), (2, 1), (1, 1), (0, 0), (1, 0)] {
        let id = service.accepted();
        assert_eq!(service.exited(id, End::Exited(status)).len(), told, "{status}");
    }
    let id = service.accepted();
    let actions = service.not_executed(id, "no\nsuch");
    assert_eq!(
        actions,
        [Action::Say(Severity::Warning, "a connection's process can't be executed: no\\nsuch".into())]
    );
    assert_eq!(service.failures().0, 6);
}

#[test]
fn a_stop_waits_for_connections_then_tells_then_kills() {
    let mut service = accepting("Graceful_Timeout = 5");
    let (a, b) = (service.accepted(), service.accepted());
    assert_eq!(service.stop(100), []);
    assert!(!service.has_room());
    assert_eq!(service.deadline(), Some(5_100));
    assert_eq!(service.due(5_099), []);
    assert_eq!(service.exited(a, End::Exited(1)), []);
    assert_eq!(service.stop(4_000), [], "a second stop does not prolong it");
    assert_eq!(service.due(5_100), [Action::Signal(b, Signal::Term)]);
    assert_eq!(service.deadline(), Some(7_100));
    assert_eq!(service.due(7_100), [Action::Signal(b, Signal::Kill)]);
    assert_eq!((service.deadline(), service.due(9_000)), (None, vec![]));
    assert_eq!(service.exited(b, End::Signaled { signal: 9, core: false }), [Action::Gone]);
    assert_eq!(service.failures(), (0, None), "what is ended by the server is no failure");
}

#[test]
fn a_kill_has_no_patience() {
    let mut service = accepting("");
    assert_eq!(service.clone().stop(0), [Action::Gone]);
    assert_eq!(service.clone().kill(), [Action::Gone]);
    let id = service.accepted();
    service.stop(0);
    assert_eq!(service.kill(), [Action::Signal(id, Signal::Kill)]);
    assert_eq!(service.kill(), []);
    assert_eq!(service.deadline(), None);
    assert_eq!(service.exited(id, End::Exited(0)), [Action::Gone]);
}
