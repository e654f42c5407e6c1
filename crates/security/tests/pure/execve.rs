//! Each rule of `predict_execve`.

use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Ids, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::execve::{FileCapabilities, ProgramFile, predict_execve};

use crate::states::{caps, every, root, user};

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

fn with_caps(permitted: &str, inheritable: &str, effective: bool) -> ProgramFile {
    let set = |names: &str| if names.is_empty() { CapSet::EMPTY } else { caps(names) };
    let capabilities =
        FileCapabilities { permitted: set(permitted), inheritable: set(inheritable), effective };
    ProgramFile { capabilities: Some(capabilities), ..plain() }
}

/// User 994 holding one capability in all of its sets, as `run` leaves it, but free to gain.
fn server() -> Credentials {
    user(994, caps("cap_net_bind_service"), caps("cap_net_bind_service")).start
}

fn after(from: &Credentials, file: &ProgramFile) -> Credentials {
    predict_execve(&root().facts, from, file).unwrap()
}

#[test]
fn an_ordinary_program_keeps_what_is_ambient() {
    assert_eq!(after(&server(), &plain()), server());
}

#[test]
fn what_is_not_ambient_is_lost() {
    let mut from = server();
    from.ambient = CapSet::EMPTY;
    let after = after(&from, &plain());
    assert_eq!([after.permitted, after.effective], [CapSet::EMPTY; 2]);
    assert_eq!(after.inheritable, caps("cap_net_bind_service"));
}

#[test]
fn root_gets_all_of_the_bounding_set_and_what_it_can_inherit() {
    let mut from = root().start;
    (from.permitted, from.effective) = (CapSet::EMPTY, CapSet::EMPTY);
    from.bounding = caps("cap_kill");
    from.inheritable = caps("cap_chown");
    let after = after(&from, &plain());
    assert_eq!([after.permitted, after.effective], [caps("cap_kill,cap_chown"); 2]);
}

#[test]
fn root_gets_nothing_with_noroot() {
    let mut from = root().start;
    from.securebits = Securebits::NOROOT;
    assert_eq!(after(&from, &plain()).permitted, CapSet::EMPTY);
    (from.inheritable, from.ambient) = (caps("cap_kill"), caps("cap_kill"));
    assert_eq!(after(&from, &plain()).effective, caps("cap_kill"));
}

#[test]
fn a_real_root_that_is_not_effective_is_given_permission_only() {
    let mut from = server();
    from.uid = Ids { real: 0, effective: 994, saved: 994, filesystem: 994 };
    (from.ambient, from.inheritable, from.bounding) = (CapSet::EMPTY, CapSet::EMPTY, every());
    let after = after(&from, &plain());
    assert_eq!((after.permitted, after.effective), (every(), CapSet::EMPTY));
}

#[test]
fn keep_caps_does_not_outlive_execve() {
    let mut from = server();
    from.securebits = Securebits::KEEP_CAPS.with(Securebits::NOROOT);
    assert_eq!(after(&from, &plain()).securebits, Securebits::NOROOT);
}

#[test]
fn a_set_user_id_program_runs_as_its_owner_and_loses_what_is_ambient() {
    let file = ProgramFile { owner: 1000, set_user_id: true, ..plain() };
    let after = after(&server(), &file);
    assert_eq!(after.uid, Ids { real: 994, effective: 1000, saved: 1000, filesystem: 1000 });
    assert_eq!((after.ambient, after.permitted), (CapSet::EMPTY, CapSet::EMPTY));
}

#[test]
fn a_set_group_id_program_runs_as_its_group_and_loses_what_is_ambient() {
    let file = ProgramFile { group: 1000, set_group_id: true, ..plain() };
    let after = after(&server(), &file);
    assert_eq!((after.gid.effective, after.gid.real, after.uid), (1000, 994, Ids::all(994)));
    assert_eq!(after.ambient, CapSet::EMPTY);
}

#[test]
fn a_set_user_id_root_program_gives_the_bounding_set() {
    let mut from = server();
    from.parent_death_signal = 15;
    let after = after(&from, &ProgramFile { set_user_id: true, ..plain() });
    assert_eq!((after.uid.effective, after.effective), (0, caps("cap_net_bind_service")));
    assert_eq!(after.parent_death_signal, 0);
}

#[test]
fn neither_no_new_privs_nor_a_nosuid_mount_lets_a_set_id_bit_count() {
    let file = ProgramFile { set_user_id: true, set_group_id: true, ..plain() };
    let mut from = server();
    from.no_new_privs = true;
    assert_eq!(after(&from, &file), from);
    let nosuid = ProgramFile { nosuid: true, ..file };
    assert_eq!(after(&server(), &nosuid), server());
}

#[test]
fn a_set_id_bit_for_an_id_that_is_not_mapped_does_not_count() {
    let mut facts = root().facts;
    facts.uid_map.0 = vec![(900, 100)];
    let file = ProgramFile { set_user_id: true, ..plain() };
    assert_eq!(predict_execve(&facts, &server(), &file), Ok(server()));
}

#[test]
fn file_capabilities_replace_what_is_ambient() {
    let mut from = server();
    from.bounding = every();
    let after = after(&from, &with_caps("cap_kill", "", true));
    assert_eq!([after.permitted, after.effective], [caps("cap_kill"); 2]);
    assert_eq!(after.ambient, CapSet::EMPTY);
}

#[test]
fn file_capabilities_without_the_effective_bit_are_only_permitted() {
    let mut from = server();
    from.bounding = every();
    let after = after(&from, &with_caps("cap_kill", "", false));
    assert_eq!((after.permitted, after.effective), (caps("cap_kill"), CapSet::EMPTY));
}

#[test]
fn file_capabilities_outside_the_bounding_set_are_eperm_with_the_effective_bit_alone() {
    let facts = root().facts;
    assert_eq!(predict_execve(&facts, &server(), &with_caps("cap_kill", "", true)), Err(Errno::PERM));
    let less = predict_execve(&facts, &server(), &with_caps("cap_kill", "", false)).unwrap();
    assert_eq!(less.permitted, CapSet::EMPTY);
}

#[test]
fn what_both_file_and_thread_can_inherit_is_permitted() {
    let after = after(&server(), &with_caps("", "cap_net_bind_service,cap_kill", true));
    assert_eq!([after.permitted, after.effective], [caps("cap_net_bind_service"); 2]);
}

#[test]
fn a_nosuid_mount_hides_file_capabilities() {
    let file = ProgramFile { nosuid: true, ..with_caps("cap_kill", "", true) };
    assert_eq!(after(&server(), &file), server());
}

#[test]
fn with_no_new_privs_file_capabilities_give_nothing_new_and_still_empty_the_ambient_set() {
    let mut from = server();
    (from.no_new_privs, from.bounding) = (true, every());
    let after = after(&from, &with_caps("cap_kill,cap_net_bind_service", "", true));
    assert_eq!([after.permitted, after.effective], [caps("cap_net_bind_service"); 2]);
    assert_eq!(after.ambient, CapSet::EMPTY);
}

#[test]
fn a_set_user_id_root_program_with_capabilities_gives_others_those_alone() {
    let mut from = server();
    from.bounding = every();
    let file = ProgramFile { set_user_id: true, ..with_caps("cap_kill", "", true) };
    let after = after(&from, &file);
    assert_eq!((after.uid.effective, after.permitted), (0, caps("cap_kill")));
}

#[test]
fn the_root_directory_groups_and_limits_stay() {
    let mut from = server();
    from.groups = vec![8, 994];
    let after = after(&from, &with_caps("cap_net_bind_service", "", true));
    assert_eq!(
        (after.root, after.working_directory, &after.groups, after.bounding),
        (from.root, from.working_directory, &from.groups, from.bounding)
    );
}
