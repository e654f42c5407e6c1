//! The moves that no transition makes, what kernels disagree about, and the table of docs/rules.md. That they are right is
//! shown against a kernel; here is what each is meant to be.

use stepdown_security::credentials::{Dumpable, Facts, Features, Ids, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::execve::{Attribute, FileCapabilities, ProgramFile, predict_execution};
use stepdown_security::moves::{Move, Process, Program, predict_move};
use stepdown_security::rule::Rule;
use stepdown_security::rules::ids::{Kind, UNCHANGED};
use stepdown_security::step::Step;

use crate::states::{COUNT, cap, caps, every, root, user};

fn facts() -> Facts {
    Facts::initial(COUNT)
}

/// Before Linux 6.3.
fn old() -> Facts {
    let features = Features {
        execve_compares_effective: false,
        exec_securebits: false,
        setres_keeps_filesystem: false,
        suid_dumpable: Dumpable::RootOnly,
    };
    Facts { features, ..facts() }
}

fn full() -> Process {
    Process { credentials: root().start, dumpable: Dumpable::Yes }
}

/// Real 1, effective 2, saved 3, filesystem 4, and no capability.
fn four() -> Process {
    let mut process = full();
    process.credentials = user(9, caps("cap_kill"), every()).start;
    process.credentials.uid = Ids { real: 1, effective: 2, saved: 3, filesystem: 4 };
    process
}

#[track_caller]
fn uid(facts: &Facts, from: &Process, step: Move) -> [u32; 4] {
    let Ids { real, effective, saved, filesystem } =
        predict_move(facts, from, &step).unwrap().process.credentials.uid;
    [real, effective, saved, filesystem]
}

fn plain() -> ProgramFile {
    ProgramFile {
        path: "/bin/server".into(),
        owner: 0,
        group: 0,
        set_user_id: false,
        set_group_id: false,
        capabilities: None,
        nosuid: false,
    }
}

#[test]
fn ids_are_chosen_from_those_there_are() {
    let from = four();
    let choices: [(Move, Option<[u32; 4]>); 11] = [
        (Move::Set(Kind::User, 1), Some([1, 1, 3, 1])),
        (Move::Set(Kind::User, 3), Some([1, 3, 3, 3])),
        // Not even to what it is.
        (Move::Set(Kind::User, 2), None),
        (Move::SetRe(Kind::User, 2, UNCHANGED), Some([2, 2, 2, 2])),
        (Move::SetRe(Kind::User, 3, UNCHANGED), None),
        (Move::SetRe(Kind::User, UNCHANGED, 1), Some([1, 1, 3, 1])),
        (Move::SetRe(Kind::User, UNCHANGED, 3), Some([1, 3, 3, 3])),
        (Move::SetRe(Kind::User, UNCHANGED, 4), None),
        (Move::SetRes(Kind::User, [3, 1, 2]), Some([3, 1, 2, 1])),
        (Move::SetRes(Kind::User, [4, UNCHANGED, UNCHANGED]), None),
        (Move::SetFilesystem(Kind::User, 5), Some([1, 2, 3, 4])),
    ];
    for (step, expected) in choices {
        let words = step.to_string();
        match expected {
            Some(ids) => assert_eq!(uid(&facts(), &from, step), ids, "{words}"),
            None => assert_eq!(predict_move(&facts(), &from, &step).unwrap_err(), Errno::PERM, "{words}"),
        }
    }
    assert_eq!(uid(&facts(), &full(), Move::SetRe(Kind::User, UNCHANGED, 5)), [0, 5, 5, 5]);
    assert_eq!(uid(&facts(), &full(), Move::Set(Kind::User, 5)), [5; 4]);
    assert_eq!(predict_move(&facts(), &full(), &Move::Set(Kind::User, UNCHANGED)).unwrap_err(), Errno::INVAL);
}

#[test]
fn a_filesystem_id_of_root_holds_the_capabilities_of_files() {
    let away = predict_move(&facts(), &full(), &Move::SetFilesystem(Kind::User, 5)).unwrap();
    assert_eq!(away.answer, 0);
    let of_files = caps(
        "cap_chown,cap_dac_override,cap_dac_read_search,cap_fowner,cap_fsetid,cap_linux_immutable,cap_mknod,\
         cap_mac_override",
    );
    assert_eq!(every().difference(away.process.credentials.effective), of_files);
    assert_eq!(away.process.dumpable, Dumpable::Not);
    let back = predict_move(&facts(), &away.process, &Move::SetFilesystem(Kind::User, 0)).unwrap();
    assert_eq!((back.answer, back.process.credentials.effective), (5, every()));
}

#[test]
fn a_filesystem_id_of_its_own_stays_where_no_id_changes_since_linux_6_3() {
    let step = || Move::SetRes(Kind::User, [UNCHANGED; 3]);
    assert_eq!(uid(&facts(), &four(), step()), [1, 2, 3, 4]);
    assert_eq!(uid(&old(), &four(), step()), [1, 2, 3, 2]);
}

#[test]
fn advice_to_interpreters_is_unknown_before_linux_6_14() {
    let step = Move::Step(Step::SetSecurebits(Securebits(0x100)));
    assert!(predict_move(&facts(), &four(), &step).is_ok());
    assert_eq!(predict_move(&old(), &full(), &step).unwrap_err(), Errno::PERM);
}

#[test]
fn whether_ids_change_at_execve_is_another_question_before_linux_6_16() {
    let mut from = user(994, caps("cap_kill"), every()).start;
    from.gid.real = 5;
    let secure = |facts: &Facts| {
        let execution = predict_execution(facts, &from, &plain()).unwrap();
        (execution.credentials.ambient.is_empty(), execution.secure)
    };
    // Effective and real ids differ: a secure execution on both, a change of ids on one.
    assert_eq!(secure(&facts()), (false, true));
    assert_eq!(secure(&old()), (true, true));
    // A set-group-id file of a group the process is in.
    let mut from = user(994, caps("cap_kill"), every()).start;
    from.groups = vec![8, 994];
    let file = ProgramFile { set_group_id: true, group: 8, ..plain() };
    assert!(!predict_execution(&facts(), &from, &file).unwrap().credentials.ambient.is_empty());
    assert!(predict_execution(&old(), &from, &file).unwrap().credentials.ambient.is_empty());
}

#[test]
fn the_ambient_set_is_asked_and_lowered_by_anyone() {
    let from = four();
    let ask = |from: &Process, name| predict_move(&facts(), from, &Move::AskAmbient(cap(name)));
    assert_eq!(ask(&from, "cap_kill").unwrap().answer, 1);
    assert_eq!(ask(&from, "60").unwrap_err(), Errno::INVAL);
    let lowered = predict_move(&facts(), &from, &Move::LowerAmbient(cap("cap_kill"))).unwrap().process;
    assert_eq!(ask(&lowered, "cap_kill").unwrap().answer, 0);
    assert_eq!(lowered.credentials.permitted, from.credentials.permitted);
}

#[test]
fn dumpable_is_set_and_lost() {
    let set =
        |value| predict_move(&facts(), &full(), &Move::SetDumpable(value)).map(|to| to.process.dumpable);
    assert_eq!([set(0), set(1), set(2)], [Ok(Dumpable::Not), Ok(Dumpable::Yes), Err(Errno::INVAL)]);
    let become_user = Move::Step(Step::SetResUid(5));
    let lost = |facts: Facts| predict_move(&facts, &full(), &become_user).unwrap().process;
    assert_eq!(lost(facts()).dumpable, Dumpable::Not);
    assert_eq!(lost(old()).dumpable, Dumpable::RootOnly);
    // And found again: the next program is a process like any other.
    let execute = Move::Execute(Box::new(Program { file: plain(), interpreter: None }));
    assert_eq!(predict_move(&facts(), &lost(facts()), &execute).unwrap().process.dumpable, Dumpable::Yes);
}

#[test]
fn of_a_script_the_interpreter_counts() {
    let marked = ProgramFile { set_user_id: true, owner: 5, ..plain() };
    let run = |file: ProgramFile, interpreter| {
        let step = Move::Execute(Box::new(Program { file, interpreter }));
        predict_move(&facts(), &full(), &step).unwrap().process.credentials.uid.effective
    };
    assert_eq!(run(marked.clone(), None), 5);
    assert_eq!(run(marked.clone(), Some(plain())), 0);
    assert_eq!(run(plain(), Some(marked)), 5);
}

#[test]
fn attributes_go_to_bytes_and_back_and_count_where_their_root_is() {
    let capabilities = FileCapabilities {
        permitted: caps("cap_net_raw,cap_checkpoint_restore"),
        inheritable: caps("cap_kill"),
        effective: true,
    };
    for root in [None, Some(0), Some(1000)] {
        let attribute = Attribute { capabilities, root };
        assert_eq!(Attribute::parse(&attribute.bytes()), Some(attribute));
        assert_eq!(attribute.counts(&facts()).is_some(), root != Some(1000));
        let below = Facts { root_ids: vec![0, 1000], ..facts() };
        assert_eq!(attribute.counts(&below), Some(capabilities));
    }
    let bytes = Attribute { capabilities, root: None }.bytes();
    assert_eq!(Attribute::parse(&bytes[..19]), None);
    assert_eq!(Attribute::parse(&[]), None);
    // What the kernel does not know is passed over, and is no reason to refuse.
    let from = user(994, caps("cap_kill"), every()).start;
    let unknown = FileCapabilities { permitted: caps("cap_kill").with(cap("60")), ..capabilities };
    let file = ProgramFile { capabilities: Some(unknown), ..plain() };
    let after = predict_execution(&facts(), &from, &file).unwrap();
    assert_eq!(after.credentials.permitted, caps("cap_kill"));
}

#[test]
fn moves_are_said_as_calls() {
    let said = [
        (Move::SetRes(Kind::User, [994, UNCHANGED, 0]), "setresuid(994, -1, 0)"),
        (Move::SetFilesystem(Kind::Group, 5), "setfsgid(5)"),
        (Move::SetRe(Kind::Group, 1, UNCHANGED), "setregid(1, -1)"),
        (Move::Set(Kind::User, 7), "setuid(7)"),
        (Move::Step(Step::ClearAmbient), "empty the ambient set"),
    ];
    for (step, words) in said {
        assert_eq!(step.to_string(), words);
        assert!(step.man_page().ends_with(')'), "{words}");
    }
}

#[test]
fn every_rule_is_in_the_documentation_and_was_noticed_when_broken() {
    let text = include_str!("../../../../docs/rules.md");
    for rule in Rule::ALL {
        let row = format!("| {} | {} | ", rule.says(), rule.page());
        let line =
            text.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no line {row}"));
        let [opposite, never, _] =
            line[row.len()..].trim_end_matches(" |").split(" | ").collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        assert!(opposite.parse::<u64>().is_ok() && never.parse::<u64>().is_ok(), "{line}");
    }
    let rows = text.lines().skip_while(|line| !line.starts_with("| rule | page")).skip(2);
    assert_eq!(rows.take_while(|line| line.starts_with('|')).count(), Rule::ALL.len());
}
