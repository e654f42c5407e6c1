use std::time::{Duration, UNIX_EPOCH};

use stepdown_conf::{Config, Place, Spot};

use super::*;

fn report() -> StatusReport {
    StatusReport {
        state: "serving",
        pid: 4711,
        version: "0.1.0".into(),
        since: UNIX_EPOCH,
        uptime: Duration::from_secs(2 * 86400 + 3 * 3600),
        node: "mail-1".into(),
        file: "/etc/stepdown/stepdown.conf".into(),
        generation: 3,
        unsaved: Vec::new(),
        security: vec![("user", "994 (ecuser)".into()), ("retained", "cap_net_bind_service".into())],
        proof: "the kernel's account of every thread equals the policy".into(),
        pending: None,
        services: vec![ServiceReport {
            name: "web".into(),
            state: "ready".into(),
            is_well: true,
            since: Duration::from_secs(61),
            pids: vec![4800],
            ..ServiceReport::default()
        }],
        listeners: 3,
        sessions: 1,
    }
}

fn place(line: u32) -> Option<Place> {
    let file = "/etc/stepdown/stepdown.conf".into();
    Some(Spot { file, line, column: 18, excerpt: String::new(), excerpt_column: 0, width: 1 }.into())
}

#[test]
fn a_server_that_is_well_is_short() {
    let expected = "\
stepdown 0.1.0 on mail-1: serving, pid 4711, for 2 d 3 h
  configuration     /etc/stepdown/stepdown.conf, generation 3
  user              994 (ecuser)
  retained          cap_net_bind_service
  proof             the kernel's account of every thread equals the policy
  services          1, all well
  listeners         3
  sessions          1
";
    assert_eq!(status(&report()), expected);
    assert!(report().is_well());
    assert_eq!(report().json()["services"][0]["pids"][0], 4800);
}

#[test]
fn what_somebody_has_to_do_is_said_first_and_in_full() {
    let mut report = report();
    report.unsaved = vec!["config set x = 1".into(), "config unset y".into()];
    report.services.push(ServiceReport {
        name: "mail".into(),
        state: "given up".into(),
        since: Duration::from_secs(300),
        last_end: Some("killed by signal 11\u{1b}[2J".into()),
        ..ServiceReport::default()
    });
    report.pending = Some(RestartRequired {
        since: UNIX_EPOCH + Duration::from_secs(951_782_400),
        ago: Duration::from_secs(300),
        differences: vec![Difference {
            option: "Security Capabilities".into(),
            old: "none".into(),
            new: "cap_net_bind_service=ep".into(),
            old_place: None,
            new_place: place(3),
            is_local: false,
        }],
    });
    let expected = "\
stepdown 0.1.0 on mail-1: serving, pid 4711, for 2 d 3 h - RESTART REQUIRED -
ONE SERVICE IS NOT WELL
  configuration     /etc/stepdown/stepdown.conf, generation 3
                    2 online changes are in no file yet: `config writeback`
  user              994 (ecuser)
  retained          cap_net_bind_service
  proof             the kernel's account of every thread equals the policy
  restart required  since 2000-02-29 00:00:00 UTC (5 min)
                    Security Capabilities: now none (the default), then
                    cap_net_bind_service=ep (/etc/stepdown/stepdown.conf:3:18)
                    the old values stay in force until `stepdown restart`
  services          2, 1 not well
                    mail: given up for 5 min; killed by signal 11\\u{1b}[2J
  listeners         3
  sessions          1
";
    assert_eq!(status(&report), expected);
    let json = report.json();
    assert_eq!((json["well"].as_bool(), json["unsaved"].as_array().map(Vec::len)), (Some(false), Some(2)));
    assert_eq!(json["restart_required"]["differences"][0]["new_place"]["line"], 3);
    assert!(json["restart_required"]["differences"][0]["old_place"].is_null());
}

#[test]
fn services_and_listeners_have_their_rows() {
    let mail = ServiceReport {
        name: "mail".into(),
        state: "ready".into(),
        is_well: true,
        since: Duration::from_secs(5),
        pids: vec![1, 2],
        restarts: 4,
        last_end: Some("exit status 1".into()),
        says: Some("42 messages".into()),
        failure: Some("replacement failed: exit status 2".into()),
        connections: Some((3, 64)),
    };
    let expected = "\
mail: ready for 5 s; replacement failed: exit status 2
  processes         1 2
  connections       3 of at most 64
  started again     4
  ended last        exit status 1
  says              42 messages
";
    assert_eq!(services(&[mail]), expected);
    let listener = |address: &str, service: Option<&str>, name: Option<&str>| ListenerReport {
        address: address.into(),
        kind: "stream",
        service: service.map(Into::into),
        name: name.map(Into::into),
    };
    let all = [
        listener("*:443", Some("web"), Some("web")),
        listener("[::]:80", Some("web"), Some("http")),
        listener("/run/stepdown/console", None, None),
    ];
    let expected = "\
*:443                  stream    web
[::]:80                stream    web, as http
/run/stepdown/console  stream    console
";
    assert_eq!(listeners(&all), expected);
    assert_eq!(services(&[]), "there are no services\n");
}

#[test]
fn what_root_does_not_read_is_not_promised_for_a_restart() {
    let place = Config::from_text("/var/lib/mail/changes.conf", "a = 1").expect("it is well formed");
    let place = place.root().option("a").map(|setting| place.place(setting.current().span()));
    let mut difference = Difference {
        option: "Security User".into(),
        old: "ecuser".into(),
        new: "mail".into(),
        old_place: None,
        new_place: place,
        is_local: false,
    };
    assert_eq!(difference.remedy(), "`stepdown restart` puts it in force");
    difference.is_local = true;
    let words = difference.remedy();
    assert!(
        words.contains("does not read /var/lib/mail/changes.conf while others can write to it"),
        "{words}"
    );
    assert!(words.contains("write it into the main configuration"), "{words}");
    let pending = RestartRequired { since: UNIX_EPOCH, ago: Duration::ZERO, differences: vec![difference] };
    let text = status(&StatusReport { pending: Some(pending), ..report() });
    let text: Vec<&str> = text.split_whitespace().collect();
    assert!(text.join(" ").contains(&words), "{text:?}");
}
