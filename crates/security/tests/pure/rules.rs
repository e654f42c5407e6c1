//! Each rule of `predict`, and each error number it can answer with.

use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Facts, IdMap, Ids, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::rules::{is_done, predict, required};
use stepdown_security::step::Step;
use stepdown_security::text::CapState;

use crate::states::{JAIL, ROOT, cap, caps, every, root, user};

fn facts() -> Facts {
    root().facts
}

fn full() -> Credentials {
    root().start
}

fn without(name: &str) -> Credentials {
    let mut state = full();
    state.effective = state.effective.without(cap(name));
    state
}

fn nobody() -> Credentials {
    user(65534, CapSet::EMPTY, every()).start
}

fn sets(effective: &str, permitted: &str, inheritable: &str) -> Step {
    let set = |names: &str| if names.is_empty() { CapSet::EMPTY } else { caps(names) };
    Step::SetCapabilities(CapState {
        effective: set(effective),
        permitted: set(permitted),
        inheritable: set(inheritable),
    })
}

#[track_caller]
fn after(from: &Credentials, step: Step) -> Credentials {
    predict(&facts(), from, &step).unwrap_or_else(|errno| panic!("{step}: {errno}"))
}

#[track_caller]
fn fails(from: &Credentials, step: Step, errno: Errno) {
    assert_eq!(predict(&facts(), from, &step), Err(errno), "{step}");
}

#[test]
fn securebits_need_setpcap_and_keep_every_lock() {
    assert_eq!(after(&full(), Step::SetSecurebits(Securebits(0x3))).securebits, Securebits(0x3));
    fails(&without("cap_setpcap"), Step::SetSecurebits(Securebits(0x1)), Errno::PERM);
    let mut locked = full();
    locked.securebits = Securebits(0x3);
    fails(&locked, Step::SetSecurebits(Securebits(0x2)), Errno::PERM);
    fails(&locked, Step::SetSecurebits(Securebits(0x1)), Errno::PERM);
    assert_eq!(after(&locked, Step::SetSecurebits(Securebits(0x7))).securebits, Securebits(0x7));
    fails(&full(), Step::SetSecurebits(Securebits(0x1000)), Errno::PERM);
}

#[test]
fn securebits_of_advice_need_no_capability_but_a_change() {
    assert_eq!(after(&nobody(), Step::SetSecurebits(Securebits(0x100))).securebits, Securebits(0x100));
    fails(&nobody(), Step::SetSecurebits(Securebits(0)), Errno::PERM);
    fails(&nobody(), Step::SetSecurebits(Securebits(0x101)), Errno::PERM);
}

#[test]
fn chroot_needs_its_capability_and_chdir_nothing() {
    let inside = after(&full(), Step::Chroot { directory: JAIL });
    assert_eq!(inside.root, JAIL);
    assert_eq!(after(&inside, Step::ChdirRoot).working_directory, JAIL);
    fails(&without("cap_sys_chroot"), Step::Chroot { directory: JAIL }, Errno::PERM);
    assert_eq!(after(&nobody(), Step::ChdirRoot).working_directory, ROOT);
}

#[test]
fn setgroups_needs_setgid_and_a_namespace_that_allows_it() {
    assert_eq!(after(&full(), Step::SetGroups(vec![9, 4])).groups, [4, 9], "as the kernel sorts them");
    fails(&without("cap_setgid"), Step::SetGroups(vec![]), Errno::PERM);
    fails(&full(), Step::SetGroups(vec![1; 65537]), Errno::INVAL);
    let mut denied = facts();
    denied.setgroups_allowed = false;
    assert_eq!(predict(&denied, &full(), &Step::SetGroups(vec![])), Err(Errno::PERM));
    let mut mapped = facts();
    mapped.gid_map = IdMap(vec![(0, 10)]);
    assert_eq!(predict(&mapped, &full(), &Step::SetGroups(vec![10])), Err(Errno::INVAL));
    assert!(predict(&mapped, &full(), &Step::SetGroups(vec![9])).is_ok());
}

#[test]
fn setresgid_needs_setgid_for_an_id_that_is_not_its_own() {
    assert_eq!(after(&full(), Step::SetResGid(7)).gid, Ids::all(7));
    fails(&without("cap_setgid"), Step::SetResGid(7), Errno::PERM);
    let mut saved = nobody();
    saved.gid.saved = 7;
    assert_eq!(after(&saved, Step::SetResGid(7)).gid, Ids::all(7));
    let mut mapped = facts();
    mapped.gid_map = IdMap(vec![(0, 1)]);
    assert_eq!(predict(&mapped, &full(), &Step::SetResGid(1)), Err(Errno::INVAL));
}

#[test]
fn the_bounding_set_shrinks_with_setpcap_alone_and_for_capabilities_there_are() {
    assert!(!after(&full(), Step::DropBounding(cap("cap_kill"))).bounding.contains(cap("cap_kill")));
    fails(&without("cap_setpcap"), Step::DropBounding(cap("cap_kill")), Errno::PERM);
    fails(&full(), Step::DropBounding(cap("41")), Errno::INVAL);
    fails(&without("cap_setpcap"), Step::DropBounding(cap("41")), Errno::PERM);
    let dropped = after(&full(), Step::DropBounding(cap("cap_kill")));
    assert!(dropped.permitted.contains(cap("cap_kill")), "what is held is held");
}

#[test]
fn keep_caps_is_anyones_unless_it_is_locked() {
    assert_eq!(after(&nobody(), Step::SetKeepCaps(true)).securebits, Securebits::KEEP_CAPS);
    let mut kept = nobody();
    kept.securebits = Securebits::KEEP_CAPS.with(Securebits::NOROOT);
    assert_eq!(after(&kept, Step::SetKeepCaps(false)).securebits, Securebits::NOROOT);
    kept.securebits = Securebits::KEEP_CAPS_LOCKED;
    fails(&kept, Step::SetKeepCaps(true), Errno::PERM);
}

#[test]
fn setresuid_needs_setuid_for_an_id_that_is_not_its_own() {
    fails(&without("cap_setuid"), Step::SetResUid(7), Errno::PERM);
    fails(&nobody(), Step::SetResUid(0), Errno::PERM);
    let mut saved = nobody();
    saved.uid.saved = 0;
    assert_eq!(after(&saved, Step::SetResUid(0)).uid, Ids::all(0));
    let mut mapped = facts();
    mapped.uid_map = IdMap(vec![(0, 1)]);
    assert_eq!(predict(&mapped, &full(), &Step::SetResUid(1)), Err(Errno::INVAL));
}

#[test]
fn leaving_root_empties_the_sets() {
    let mut state = full();
    (state.inheritable, state.ambient) = (caps("cap_kill"), caps("cap_kill"));
    let left = after(&state, Step::SetResUid(7));
    assert_eq!([left.permitted, left.effective, left.ambient], [CapSet::EMPTY; 3]);
    assert_eq!((left.inheritable, left.bounding), (caps("cap_kill"), every()));
}

#[test]
fn with_keep_caps_the_permitted_set_stays_but_neither_effective_nor_ambient() {
    let mut state = after(&full(), Step::SetKeepCaps(true));
    (state.inheritable, state.ambient) = (caps("cap_kill"), caps("cap_kill"));
    let left = after(&state, Step::SetResUid(7));
    assert_eq!((left.permitted, left.effective, left.ambient), (every(), CapSet::EMPTY, CapSet::EMPTY));
}

#[test]
fn with_no_setuid_fixup_nothing_changes_but_the_ids() {
    let mut state = full();
    state.securebits = Securebits::NO_SETUID_FIXUP;
    let left = after(&state, Step::SetResUid(7));
    assert_eq!((left.permitted, left.effective), (every(), every()));
}

#[test]
fn becoming_root_makes_the_permitted_set_effective() {
    let held = caps("cap_setuid,cap_kill");
    let mut state = user(7, held, every()).start;
    state.effective = caps("cap_setuid");
    assert_eq!(after(&state, Step::SetResUid(0)).effective, held);
}

#[test]
fn a_changed_id_takes_the_death_signal_away_and_the_same_id_does_not() {
    let mut state = full();
    state.parent_death_signal = 15;
    assert_eq!(after(&state, Step::SetResUid(7)).parent_death_signal, 0);
    assert_eq!(after(&state, Step::SetResGid(7)).parent_death_signal, 0);
    assert_eq!(after(&state, Step::SetResUid(0)).parent_death_signal, 15);
    assert_eq!(after(&state, Step::SetGroups(vec![1])).parent_death_signal, 15);
}

#[test]
fn capset_takes_away_and_gives_nothing() {
    let state = user(7, caps("cap_kill,cap_chown"), every()).start;
    let less = after(&state, sets("cap_kill", "cap_kill", "cap_kill"));
    assert_eq!([less.permitted, less.effective, less.inheritable, less.ambient], [caps("cap_kill"); 4]);
    fails(&state, sets("", "cap_kill,cap_setuid", ""), Errno::PERM);
    fails(&state, sets("cap_chown", "cap_kill", ""), Errno::PERM);
    fails(&state, sets("", "", "cap_setuid"), Errno::PERM);
}

#[test]
fn the_inheritable_set_can_take_from_the_bounding_set_with_setpcap() {
    let mut state = user(7, caps("cap_setpcap"), every()).start;
    assert_eq!(after(&state, sets("", "", "cap_kill")).inheritable, caps("cap_kill"));
    state.bounding = caps("cap_setpcap");
    fails(&state, sets("", "", "cap_kill"), Errno::PERM);
    let mut holder = user(7, caps("cap_kill"), CapSet::EMPTY).start;
    holder.inheritable = CapSet::EMPTY;
    fails(&holder, sets("", "", "cap_kill"), Errno::PERM);
}

#[test]
fn ambient_is_what_is_permitted_and_inheritable() {
    let mut state = user(7, caps("cap_kill,cap_chown"), every()).start;
    let without = after(&state, sets("cap_kill,cap_chown", "cap_kill,cap_chown", "cap_kill"));
    assert_eq!(without.ambient, caps("cap_kill"));
    assert_eq!(after(&state, Step::ClearAmbient).ambient, CapSet::EMPTY);
    (state.ambient, state.inheritable) = (CapSet::EMPTY, caps("cap_kill"));
    assert_eq!(after(&state, Step::RaiseAmbient(cap("cap_kill"))).ambient, caps("cap_kill"));
    fails(&state, Step::RaiseAmbient(cap("cap_chown")), Errno::PERM);
    fails(&state, Step::RaiseAmbient(cap("cap_setuid")), Errno::PERM);
    fails(&state, Step::RaiseAmbient(cap("41")), Errno::INVAL);
    state.securebits = Securebits::NO_CAP_AMBIENT_RAISE;
    fails(&state, Step::RaiseAmbient(cap("cap_kill")), Errno::PERM);
}

#[test]
fn what_the_kernel_does_not_know_is_passed_over_by_capset() {
    let more = CapSet::EMPTY.with(cap("63"));
    let step = Step::SetCapabilities(CapState { effective: more, permitted: more, inheritable: more });
    let left = after(&nobody(), step);
    assert_eq!([left.effective, left.permitted, left.inheritable], [CapSet::EMPTY; 3]);
}

#[test]
fn a_death_signal_is_a_signal_or_none() {
    for signal in [0, 1, 64] {
        assert_eq!(after(&nobody(), Step::SetParentDeathSignal(signal)).parent_death_signal, signal);
    }
    for signal in [-1, 65] {
        fails(&nobody(), Step::SetParentDeathSignal(signal), Errno::INVAL);
    }
}

#[test]
fn no_new_privs_is_anyones() {
    assert!(after(&nobody(), Step::SetNoNewPrivs).no_new_privs);
}

#[test]
fn a_step_is_done_when_taking_it_changes_nothing() {
    let mut state = full();
    (state.inheritable, state.ambient) = (caps("cap_kill"), caps("cap_kill"));
    let steps = [
        Step::SetSecurebits(Securebits(1)),
        Step::Chroot { directory: JAIL },
        Step::SetGroups(vec![5]),
        Step::SetResGid(5),
        Step::DropBounding(cap("cap_kill")),
        Step::SetKeepCaps(true),
        sets("cap_setuid", "cap_setuid", ""),
        Step::ClearAmbient,
        Step::SetParentDeathSignal(9),
        Step::SetResUid(5),
        Step::SetNoNewPrivs,
    ];
    for step in steps {
        let there = predict(&facts(), &state, &step);
        assert!(!is_done(&state, &step), "{step}");
        // After the sets are gone some are refused; those before were enough to get here.
        if let Ok(there) = there {
            assert!(is_done(&there, &step), "{step}");
        }
    }
}

#[test]
fn the_capability_that_a_step_needs_is_the_one_whose_lack_is_eperm() {
    let steps = [
        Step::SetSecurebits(Securebits(1)),
        Step::Chroot { directory: JAIL },
        Step::SetGroups(vec![5]),
        Step::SetResGid(5),
        Step::DropBounding(cap("cap_kill")),
        Step::SetResUid(5),
    ];
    for step in steps {
        let needed = required(&full(), &step).unwrap();
        let mut state = full();
        state.effective = every().without(needed);
        fails(&state, step.clone(), Errno::PERM);
        state.effective = CapSet::EMPTY.with(needed);
        assert!(predict(&facts(), &state, &step).is_ok(), "{step}");
    }
}
