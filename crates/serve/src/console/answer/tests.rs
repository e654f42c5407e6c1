//! A server that accepts whatever reads, or refuses everything; its configuration and its transactions are the real ones.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::console::report::Difference;

struct Accepting {
    online: Online,
    refuses: Option<Finding>,
    pending: Option<RestartRequired>,
    ended: bool,
    file: PathBuf,
}

impl Server for Accepting {
    fn online(&mut self) -> &mut Online {
        &mut self.online
    }

    fn apply(&mut self, candidate: Candidate) -> Result<Applied, Vec<Finding>> {
        if let Some(finding) = &self.refuses {
            return Err(vec![finding.clone()]);
        }
        self.online.accept(candidate).map_err(|finding| vec![*finding])?;
        Ok(Applied {
            changes: vec!["listener *:80 of web: added".into()],
            warnings: Vec::new(),
            pending: self.pending.clone(),
        })
    }

    fn status(&self) -> StatusReport {
        StatusReport {
            state: "serving",
            pid: 4711,
            version: "1.2.3".into(),
            since: UNIX_EPOCH,
            uptime: Duration::ZERO,
            node: "node".into(),
            file: "x.conf".into(),
            generation: self.online.generation(),
            unsaved: self.online.unsaved().map(ToString::to_string).collect(),
            security: Vec::new(),
            proof: String::new(),
            pending: self.pending.clone(),
            services: Vec::new(),
            listeners: 0,
            sessions: 1,
        }
    }

    fn services(&self) -> Vec<ServiceReport> {
        Vec::new()
    }

    fn listeners(&self) -> Vec<ListenerReport> {
        Vec::new()
    }

    fn restart_service(&mut self, name: &str) -> Result<(), Box<Finding>> {
        match name {
            "web" => Ok(()),
            _ => Err(Box::new(Finding::error("no-service", Cause::Text, "there is no such service"))),
        }
    }

    fn shutdown(&mut self) {
        self.ended = true;
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn server(test: &str) -> Accepting {
    let file = std::env::temp_dir().join(format!("stepdown-answer-{}-{test}.conf", std::process::id()));
    let text = "Security {\n  user = ecuser # theirs\n}\nListen \":25\" { enable = true }\n";
    std::fs::write(&file, text).expect("it can be written");
    let online = Online::load(Some(&file)).expect("it reads");
    Accepting { online, refuses: None, pending: None, ended: false, file }
}

fn asker(rights: Rights) -> Asker {
    Asker::new(
        rights,
        &Peer { pid: 7, uid: if rights == Rights::Root { 0 } else { 994 }, gid: 994, groups: None },
    )
}

/// Status and text of the reply to an operator.
fn said(server: &mut Accepting, draft: &mut Option<Draft>, line: &str) -> (u8, String) {
    match answer(server, draft, &asker(Rights::Change), line) {
        Answer::Reply(reply) | Answer::Last(reply) => (reply.status as u8, reply.text),
        Answer::Handover(_) => panic!("{line} is no handover"),
    }
}

#[test]
fn questions_are_answered_in_the_console_s_words() {
    let (mut server, mut draft) = (server("questions"), None);
    for (line, expected) in [
        ("config get Security User", (0, "User = ecuser\n")),
        ("config get Listen \":25\" enable", (0, "enable = true\n")),
        ("config eval Security no_new_privs", (0, "No_New_Privs = true\n")),
        ("config get Blackhole", (1, "Option 'Blackhole' is not set in scope ''.\n")),
        ("config show", (0, "Security { ... }\nListen \":25\" { ... }\n")),
        ("pid", (0, "4711\n")),
        ("version", (0, "1.2.3\n")),
        ("pid --format json", (0, "{\"pid\":4711}\n")),
        ("", (0, "")),
    ] {
        assert_eq!(said(&mut server, &mut draft, line), (expected.0, expected.1.to_owned()), "{line}");
    }
    let (status, text) = said(&mut server, &mut draft, "config get Security User --origin");
    assert_eq!((status, text.contains(".conf:2:10\n")), (0, true), "{text}");
    let (status, text) = said(&mut server, &mut draft, "confg --format json");
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((status, json["findings"][0]["code"].as_str()), (2, Some("unknown-command")));
}

#[test]
fn a_change_outside_a_transaction_is_applied_at_once_or_not_at_all() {
    let (mut server, mut draft) = (server("change"), None);
    let (status, text) = said(&mut server, &mut draft, "config set Listen \":25\" enable = false");
    assert_eq!((status, text.as_str()), (0, "enable = false\n# listener *:80 of web: added\n"));
    assert_eq!(said(&mut server, &mut draft, "config get Listen :25 enable").1, "enable = false\n");
    assert_eq!(server.online.generation(), 2);
    server.refuses = Some(Finding::error("no-port", Cause::Host, "port 80 is taken"));
    let (status, text) = said(&mut server, &mut draft, "config set Listen \":25\" enable = true");
    assert_eq!(status, 1);
    let (reason, end) = (text.find("port 80 is taken"), text.find("Reconfigure failed"));
    assert!(reason.is_some() && reason < end, "{text}");
    assert_eq!(said(&mut server, &mut draft, "config get Listen :25 enable").1, "enable = false\n");
    assert_eq!(server.online.generation(), 2);
    let (status, text) = said(&mut server, &mut draft, "config unset Security");
    assert_eq!((status, text.contains("Reconfigure failed")), (1, true), "{text}");
}

#[test]
fn what_waits_for_a_restart_is_named_with_both_values() {
    let (mut server, mut draft) = (server("restart"), None);
    server.pending = Some(RestartRequired {
        since: UNIX_EPOCH,
        ago: Duration::ZERO,
        differences: vec![Difference {
            option: "Security User".into(),
            old: "994 (ecuser)".into(),
            new: "995 (other)".into(),
            old_place: None,
            new_place: None,
            is_local: false,
        }],
    });
    let (status, text) = said(&mut server, &mut draft, "config reload");
    assert_eq!(status, 0);
    assert!(text.contains("Security User: now 994 (ecuser) (the default), then 995 (other)"), "{text}");
    assert!(text.contains("stepdown restart"), "{text}");
    let (_, text) = said(&mut server, &mut draft, "config reload --format json");
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["restart_required"]["differences"][0]["new"], "995 (other)");
    assert_eq!(json["changes"][0], "listener *:80 of web: added");
}

#[test]
fn the_first_commit_wins_and_the_other_is_replayed() {
    let mut server = server("commit");
    let (mut one, mut two) = (None, None);
    for draft in [&mut one, &mut two] {
        assert_eq!(said(&mut server, draft, "config begin").0, 0);
        assert_eq!(said(&mut server, draft, "config begin").0, 1, "there is one already");
        assert_eq!(said(&mut server, draft, "config reload").0, 1, "not inside a transaction");
    }
    assert_eq!(said(&mut server, &mut one, "config set a = 1"), (0, "a = 1\n".into()));
    assert_eq!(said(&mut server, &mut two, "config set b = 2"), (0, "b = 2\n".into()));
    assert_eq!(said(&mut server, &mut None, "config get a").0, 1, "others see nothing of it");
    assert_eq!(said(&mut server, &mut one, "config get a"), (0, "a = 1\n".into()));
    let (status, text) = said(&mut server, &mut one, "config commit");
    assert_eq!(
        (status, text.as_str(), one.is_none()),
        (0, "one change is committed\n# listener *:80 of web: added\n", true)
    );
    let (status, text) = said(&mut server, &mut two, "config commit");
    assert_eq!((status, two.is_some()), (1, true), "{text}");
    assert!(text.contains("user 994 (pid 7)") && text.contains("config replay"), "{text}");
    assert_eq!(said(&mut server, &mut two, "config replay").0, 0);
    assert_eq!(said(&mut server, &mut two, "config commit").0, 0);
    assert_eq!(said(&mut server, &mut None, "config get a").1, "a = 1\n");
    assert_eq!(said(&mut server, &mut None, "config get b").1, "b = 2\n");
    for line in ["config commit", "config rollback", "config replay"] {
        let (status, text) = said(&mut server, &mut two, line);
        assert_eq!((status, text.contains("has no transaction")), (1, true), "{line}: {text}");
    }
    assert_eq!(said(&mut server, &mut two, "config begin from scratch").0, 0);
    assert_eq!(said(&mut server, &mut two, "config show"), (0, String::new()));
    assert_eq!(said(&mut server, &mut two, "config rollback").0, 0);
}

#[test]
fn changes_go_into_their_file_and_a_reload_undoes_those_that_did_not() {
    let (mut server, mut draft) = (server("writeback"), None);
    said(&mut server, &mut draft, "config set Security User = other");
    let (status, text) = said(&mut server, &mut draft, "config writeback");
    assert_eq!((status, text), (0, format!("{}: saved\n", server.file.display())));
    let written = std::fs::read_to_string(&server.file).expect("it is there");
    assert_eq!(written, "Security {\n  user = other # theirs\n}\nListen \":25\" { enable = true }\n");
    assert_eq!(said(&mut server, &mut draft, "config writeback").1, "every change is in a file already\n");
    said(&mut server, &mut draft, "config set Security User = third");
    let (status, text) = said(&mut server, &mut draft, "config reload");
    assert_eq!(status, 0);
    assert!(text.contains("is undone"), "{text}");
    assert_eq!(said(&mut server, &mut draft, "config get Security User").1, "User = other\n");
}

#[test]
fn who_may_only_look_changes_nothing() {
    let (mut server, mut draft) = (server("look"), None);
    for spec in commands::COMMANDS {
        for rights in [Rights::Look, Rights::Change, Rights::Root] {
            let line = match spec.key {
                commands::Key::Set => "config set a = 1".to_owned(),
                commands::Key::Get | commands::Key::Eval => format!("{} Security User", spec.name),
                commands::Key::Locate => "config locate User".to_owned(),
                commands::Key::Restart => "restart web".to_owned(),
                _ => spec.name.to_owned(),
            };
            let answered = answer(&mut server, &mut draft, &asker(rights), &line);
            let refused = matches!(&answered, Answer::Reply(reply) if reply.text.contains(" may not `"));
            assert_eq!(refused, rights < spec.needs, "{line} {rights:?}");
            assert_eq!(
                matches!(answered, Answer::Handover(_)),
                spec.hidden && rights == Rights::Root,
                "{line}"
            );
        }
        if spec.needs == Rights::Look {
            assert_eq!(
                (server.online.generation(), server.ended, draft.is_some()),
                (1, false, false),
                "{}",
                spec.name
            );
        } else {
            server = self::server("look");
            draft = None;
        }
    }
    assert!(matches!(answer(&mut server, &mut draft, &asker(Rights::Look), "quit"), Answer::Last(_)));
    assert_eq!(said(&mut server, &mut draft, "restart nothing").0, 1);
    assert_eq!(said(&mut server, &mut draft, "shutdown").0, 0);
    assert!(server.ended);
}
