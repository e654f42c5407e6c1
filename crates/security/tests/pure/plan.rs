//! Plans that can be performed: which steps, in which order, and where they lead.

use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{IdMap, Ids, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::plan::{Plan, plan};
use stepdown_security::situation::Purpose;
use stepdown_security::step::Step;
use stepdown_security::text::CapState;
use stepdown_security::ways::Way;

use crate::states::{DOCKER, JAIL, cap, caps, codes, every, planned, policy, root, root_with, steps, user};

const SAMPLE: &str = "user = ecuser Supplemental_Groups = () Capabilities = cap_net_bind_service+ep";

fn drops(plan: &Plan) -> CapSet {
    let mut dropped = CapSet::EMPTY;
    for step in &plan.steps {
        if let Step::DropBounding(capability) = step {
            dropped.insert(*capability);
        }
    }
    dropped
}

/// The steps without those that shrink the bounding set, of which there are many.
fn but_drops(plan: &Plan) -> Vec<String> {
    let shown = plan.steps.iter().filter(|step| !matches!(step, Step::DropBounding(_)));
    shown.map(ToString::to_string).collect()
}

#[test]
fn the_sample_from_full_root() {
    let plan = planned(SAMPLE, &root()).unwrap();
    let held = caps("cap_net_bind_service");
    let retained = CapState { effective: held, permitted: held, inheritable: held };
    assert_eq!(
        but_drops(&plan),
        [
            "set the supplementary groups to 994",
            "become group 994 (real, effective, saved)",
            "keep the permitted capabilities over the change of user",
            "become user 994 (real, effective, saved)",
            "stop keeping capabilities over a change of user",
            &Step::SetCapabilities(retained).to_string(),
            "raise cap_net_bind_service in the ambient set",
            "let no later execve give anything new (no_new_privs)",
        ]
    );
    assert_eq!(drops(&plan), every().difference(held));
    let end = &plan.end;
    assert_eq!((end.uid, end.gid, &end.groups[..]), (Ids::all(994), Ids::all(994), &[994][..]));
    assert_eq!([end.permitted, end.effective, end.inheritable, end.bounding, end.ambient], [held; 5]);
    assert_eq!((end.securebits, end.no_new_privs), (Securebits(0), true));
    assert_eq!(codes(&plan.findings), [""; 0]);
}

#[test]
fn the_bounding_set_shrinks_after_the_groups_and_before_the_user() {
    let plan = planned(SAMPLE, &root()).unwrap();
    let position = |what: fn(&Step) -> bool| plan.steps.iter().position(what).unwrap();
    let first = position(|step| matches!(step, Step::DropBounding(_)));
    assert!(position(|step| matches!(step, Step::SetResGid(_))) < first);
    assert!(first < position(|step| matches!(step, Step::SetResUid(_))));
    let count = every().len() - 1;
    assert!(plan.steps[first..first + count].iter().all(|step| matches!(step, Step::DropBounding(_))));
}

#[test]
fn with_no_capability_to_retain_nothing_is_kept_over_the_change_of_user() {
    let plan = planned("user = ecuser Supplemental_Groups = ()", &root()).unwrap();
    assert_eq!(
        but_drops(&plan),
        [
            "set the supplementary groups to 994",
            "become group 994 (real, effective, saved)",
            "become user 994 (real, effective, saved)",
            "let no later execve give anything new (no_new_privs)",
        ]
    );
    assert_eq!(drops(&plan), every());
    assert_eq!(
        [plan.end.permitted, plan.end.effective, plan.end.bounding, plan.end.ambient],
        [CapSet::EMPTY; 4]
    );
}

#[test]
fn a_chroot_is_entered_first_and_left_for_its_root_at_once() {
    let mut situation = root();
    situation.chroot = Some(Ok(JAIL));
    let plan = planned(&format!("{SAMPLE} Chroot = /jail"), &situation).unwrap();
    assert_eq!(plan.steps[0], Step::Chroot { directory: JAIL });
    assert_eq!(plan.steps[1], Step::ChdirRoot);
    assert_eq!((plan.end.root, plan.end.working_directory), (JAIL, JAIL));
    let tried: Vec<i32> = plan
        .attempts
        .iter()
        .filter_map(|attempt| match attempt.way {
            Way::LeaveRoot(number) if attempt.expected == Errno::NOTDIR => Some(number),
            _ => None,
        })
        .collect();
    assert_eq!(tried, [0, 1, 2]);
}

#[test]
fn from_a_container_only_what_it_has_is_dropped() {
    let plan = planned(SAMPLE, &root_with(caps(DOCKER))).unwrap();
    assert_eq!(drops(&plan), caps(DOCKER).difference(caps("cap_net_bind_service")));
    assert_eq!(plan.end.bounding, caps("cap_net_bind_service"));
}

#[test]
fn what_the_parent_left_behind_goes_first() {
    let mut situation = root();
    let left = caps("cap_chown,cap_net_bind_service");
    (situation.start.inheritable, situation.start.ambient) = (left, left);
    let plan = planned(SAMPLE, &situation).unwrap();
    let reduced =
        CapState { effective: every(), permitted: every(), inheritable: caps("cap_net_bind_service") };
    assert_eq!(plan.steps[0], Step::SetCapabilities(reduced));
    assert_eq!(plan.end.inheritable, caps("cap_net_bind_service"));
    assert_eq!(plan.end.ambient, caps("cap_net_bind_service"));
    assert!(!plan.journey()[1].after.ambient.contains(cap("cap_chown")));
}

#[test]
fn securebits_of_privilege_are_taken_back_where_nothing_locks_them() {
    let mut situation = root();
    situation.start.securebits = Securebits::NO_SETUID_FIXUP.with(Securebits(0x100));
    let plan = planned(SAMPLE, &situation).unwrap();
    assert_eq!(plan.steps[0], Step::SetSecurebits(Securebits(0x100)));
    assert_eq!(plan.end.securebits, Securebits(0x100), "those of advice to interpreters stay");
}

#[test]
fn a_death_signal_that_was_asked_for_is_asked_for_again() {
    let mut situation = root();
    situation.start.parent_death_signal = 15;
    let plan = planned(SAMPLE, &situation).unwrap();
    assert!(plan.steps.contains(&Step::SetParentDeathSignal(15)));
    assert_eq!(plan.end.parent_death_signal, 15);
}

#[test]
fn root_with_capabilities_is_locked_out_of_the_rest() {
    let plan =
        planned("user = root Supplemental_Groups = () Capabilities = cap_net_bind_service+ep", &root())
            .unwrap();
    let locked = Securebits::NOROOT.with(Securebits::NOROOT_LOCKED);
    assert_eq!(plan.end.securebits, locked);
    assert!(plan.steps.contains(&Step::SetSecurebits(locked)));
    assert_eq!([plan.end.permitted, plan.end.effective, plan.end.ambient], [caps("cap_net_bind_service"); 3]);
    assert_eq!(codes(&plan.findings), ["user-is-root"]);
}

#[test]
fn root_without_capabilities_stays_root_and_is_warned_about() {
    let plan = planned("user = root Supplemental_Groups = ()", &root()).unwrap();
    assert_eq!(steps(&plan), ["let no later execve give anything new (no_new_privs)"]);
    assert_eq!((plan.end.permitted, plan.end.bounding), (every(), every()));
    assert_eq!(codes(&plan.findings), ["user-is-root"]);
}

#[test]
fn steps_that_change_nothing_are_left_out() {
    let held = caps("cap_net_bind_service");
    let mut situation = user(994, held, held);
    situation.start.no_new_privs = true;
    let plan = planned(SAMPLE, &situation).unwrap();
    assert_eq!(steps(&plan), [""; 0]);
    assert_eq!(plan.end, situation.start);
}

#[test]
fn a_user_already_there_but_for_no_new_privs_needs_that_alone() {
    let held = caps("cap_net_bind_service");
    let plan = planned(SAMPLE, &user(994, held, held)).unwrap();
    assert_eq!(steps(&plan), ["let no later execve give anything new (no_new_privs)"]);
}

#[test]
fn a_user_already_there_keeps_a_bounding_set_that_he_cannot_change() {
    let plan = planned(SAMPLE, &user(994, caps("cap_net_bind_service"), every())).unwrap();
    assert_eq!(plan.end.bounding, every());
    assert_eq!(codes(&plan.findings), ["bounding-set-left"]);
}

#[test]
fn a_written_bounding_set_or_all_counts_instead_of_the_retained_set() {
    let plan =
        planned(&format!("{SAMPLE} Bounding_Set = \"cap_net_bind_service,cap_kill\""), &root()).unwrap();
    assert_eq!(plan.end.bounding, caps("cap_net_bind_service,cap_kill"));
    let plan = planned(&format!("{SAMPLE} Bounding_Set = all"), &root()).unwrap();
    assert_eq!((plan.end.bounding, drops(&plan)), (every(), CapSet::EMPTY));
}

#[test]
fn in_a_user_namespace_root_becomes_whoever_is_mapped() {
    let mut situation = root();
    situation.facts.uid_map = IdMap(vec![(0, 1000)]);
    situation.facts.gid_map = IdMap(vec![(0, 1000)]);
    let plan = planned(SAMPLE, &situation).unwrap();
    assert_eq!(plan.end.uid, Ids::all(994));
}

#[test]
fn a_process_that_goes_on_itself_needs_no_ambient_set() {
    let plan = plan(&policy(SAMPLE), &root(), Purpose::Stay).unwrap();
    assert_eq!((plan.end.ambient, plan.end.inheritable), (CapSet::EMPTY, CapSet::EMPTY));
    assert_eq!(plan.end.permitted, caps("cap_net_bind_service"));
    assert!(plan.after_execve.is_none());
}

#[test]
fn permitted_but_not_effective_is_possible_for_a_process_that_goes_on_itself() {
    let options = "user = ecuser Supplemental_Groups = () Capabilities = cap_net_bind_service+p";
    let plan = plan(&policy(options), &root(), Purpose::Stay).unwrap();
    assert_eq!((plan.end.permitted, plan.end.effective), (caps("cap_net_bind_service"), CapSet::EMPTY));
}

#[test]
fn no_new_privs_is_left_alone_where_it_is_switched_off() {
    let plan = planned(&format!("{SAMPLE} No_New_Privs = false"), &root()).unwrap();
    assert!(!plan.end.no_new_privs);
    let mut set = root();
    set.start.no_new_privs = true;
    let plan = planned(&format!("{SAMPLE} No_New_Privs = false"), &set).unwrap();
    assert!(plan.end.no_new_privs, "what is set can't be unset");
}

#[test]
fn every_way_back_is_tried_and_each_must_be_refused() {
    let plan = planned(SAMPLE, &root()).unwrap();
    let all = every();
    let held = caps("cap_net_bind_service");
    let tried: Vec<Way> = plan.attempts.iter().map(|attempt| attempt.way.clone()).collect();
    assert_eq!(
        tried,
        [
            Way::Step(Step::SetResUid(0)),
            Way::Step(Step::SetResGid(0)),
            Way::Step(Step::SetGroups(vec![0, 994])),
            Way::Step(Step::SetCapabilities(CapState { effective: all, permitted: all, inheritable: held })),
            Way::Step(Step::SetCapabilities(CapState { effective: held, permitted: held, inheritable: all })),
            Way::Step(Step::RaiseAmbient(cap("cap_chown"))),
            Way::Step(Step::DropBounding(cap("cap_net_bind_service"))),
            Way::ChrootAgain,
        ]
    );
    assert!(plan.attempts.iter().all(|attempt| attempt.expected == Errno::PERM));
}

#[test]
fn a_way_that_is_retained_on_purpose_is_not_tried_but_warned_about() {
    let options = "user = ecuser Supplemental_Groups = () Capabilities = cap_setgid,cap_sys_chroot+ep";
    let plan = planned(options, &root()).unwrap();
    let tries = |way: &Way| plan.attempts.iter().any(|attempt| attempt.way == *way);
    assert!(!tries(&Way::Step(Step::SetResGid(0))) && !tries(&Way::ChrootAgain));
    assert!(tries(&Way::Step(Step::SetResUid(0))));
    let codes = codes(&plan.findings);
    assert!(codes.contains(&"capability-like-root") || codes.contains(&"way-back-open"), "{codes:?}");
}

#[test]
fn every_step_is_followed_by_the_state_it_leads_to() {
    let plan = planned(SAMPLE, &root()).unwrap();
    let mut state = plan.start.clone();
    for planned in plan.journey() {
        let after = stepdown_security::rules::predict(&root().facts, &state, &planned.step).unwrap();
        assert_eq!(after, planned.after, "{}", planned.step);
        assert_ne!(after, state, "{} changes nothing", planned.step);
        state = after;
    }
    assert_eq!(state, plan.end);
}

#[test]
fn what_is_ambient_is_emptied_for_a_process_that_goes_on_itself() {
    let held = caps("cap_kill");
    let options = "user = ecuser Supplemental_Groups = () Capabilities = cap_kill+eip";
    let plan = plan(&policy(options), &user(994, held, held), Purpose::Stay).unwrap();
    assert_eq!(plan.steps[0], Step::ClearAmbient);
    assert_eq!((plan.end.ambient, plan.end.inheritable), (CapSet::EMPTY, held));
}
