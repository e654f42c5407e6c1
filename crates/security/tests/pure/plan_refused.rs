//! Plans that are refused, each by its code, before anything is done.

use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{IdMap, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::plan::plan;
use stepdown_security::situation::{PassedDescriptor, Purpose, Situation};

use crate::states::{DOCKER, cap, caps, codes, every, planned, policy, root, root_with, user};

const SAMPLE: &str = "user = ecuser Supplemental_Groups = () Capabilities = cap_net_bind_service+ep";

/// Asserts that the plan is refused with exactly these codes of errors, and gives the words of the first.
#[track_caller]
fn refused(options: &str, situation: &Situation, expected: &[&str]) -> String {
    let findings = planned(options, situation).map(|plan| plan.steps).expect_err("it is refused");
    let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).cloned().collect();
    assert_eq!(codes(&errors), expected, "{errors:#?}");
    format!("{} {}", errors[0].message, errors[0].why.clone().unwrap_or_default())
}

#[test]
fn three_reasons_why_a_capability_cannot_be_had_are_told_apart() {
    let with = |number: &str| SAMPLE.replace("cap_net_bind_service", number);
    let words = refused(&with("60"), &root(), &["capability-unknown-to-kernel"]);
    assert!(words.contains("60") && words.contains("40"), "{words}");

    let words =
        refused(&with("cap_sys_resource"), &root_with(caps(DOCKER)), &["capability-outside-bounding-set"]);
    assert!(words.contains("cap_sys_resource"), "{words}");

    let mut situation = root();
    situation.start.permitted.remove(cap("cap_sys_resource"));
    situation.start.effective.remove(cap("cap_sys_resource"));
    let words = refused(&with("cap_sys_resource"), &situation, &["capability-not-held"]);
    assert!(words.contains("all but cap_sys_resource"), "{words}");
}

#[test]
fn root_without_setgid_cannot_change_groups() {
    let situation = root_with(every().without(cap("cap_setgid")));
    let words = refused(SAMPLE, &situation, &["step-impossible"]);
    assert!(words.contains("setgroups") && words.contains("cap_setgid"), "{words}");
}

#[test]
fn root_without_setuid_cannot_become_another() {
    let situation = root_with(every().without(cap("cap_setuid")));
    let words = refused(SAMPLE, &situation, &["step-impossible"]);
    assert!(words.contains("setresuid") && words.contains("cap_setuid"), "{words}");
}

#[test]
fn root_without_setpcap_cannot_shrink_the_bounding_set_and_may_leave_it() {
    let situation = root_with(every().without(cap("cap_setpcap")));
    let words = refused(SAMPLE, &situation, &["step-impossible"]);
    assert!(words.contains("PR_CAPBSET_DROP") && words.contains("cap_setpcap"), "{words}");
    let plan = planned(&format!("{SAMPLE} Bounding_Set = all"), &situation).unwrap();
    assert_eq!(plan.end.bounding, situation.start.bounding);
}

#[test]
fn another_user_is_refused_with_all_that_differs() {
    let words = refused(SAMPLE, &user(1000, CapSet::EMPTY, every()), &["capability-not-held"]);
    assert!(words.contains("cap_net_bind_service"), "{words}");
    let options = "user = ecuser Supplemental_Groups = () No_New_Privs = false Bounding_Set = all";
    let words = refused(options, &user(1000, CapSet::EMPTY, every()), &["not-root"]);
    for part in ["real user id is 1000, should be 994", "supplementary groups is 1000, should be 994"] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn the_right_user_in_a_wrong_group_is_refused() {
    let mut situation = user(994, CapSet::EMPTY, CapSet::EMPTY);
    situation.start.groups = vec![0, 994];
    let words = refused("user = ecuser Supplemental_Groups = ()", &situation, &["not-root"]);
    assert!(words.contains("supplementary groups is 0 994, should be 994"), "{words}");
}

#[test]
fn securebits_that_are_harmful_and_locked_are_refused() {
    let mut situation = root();
    situation.start.securebits =
        Securebits(Securebits::NO_SETUID_FIXUP.0 | Securebits::NO_SETUID_FIXUP.0 << 1);
    let words = refused(SAMPLE, &situation, &["securebits-inherited"]);
    assert!(words.contains("no-setuid-fixup"), "{words}");
}

#[test]
fn securebits_that_are_harmful_are_refused_where_they_cannot_be_changed() {
    let mut situation = root_with(every().without(cap("cap_setpcap")));
    situation.start.securebits = Securebits::NO_SETUID_FIXUP;
    refused(SAMPLE, &situation, &["securebits-inherited"]);
}

#[test]
fn keep_caps_locked_off_is_in_the_way_of_retaining() {
    let mut situation = root();
    situation.start.securebits = Securebits::KEEP_CAPS_LOCKED;
    let words = refused(SAMPLE, &situation, &["step-impossible"]);
    assert!(words.contains("keep-caps-locked"), "{words}");
}

#[test]
fn ambient_locked_off_is_in_the_way_of_retaining() {
    let mut situation = root();
    let bit = Securebits::NO_CAP_AMBIENT_RAISE.0;
    situation.start.securebits = Securebits(bit | bit << 1);
    let words = refused(SAMPLE, &situation, &["step-impossible"]);
    assert!(words.contains("no-cap-ambient-raise"), "{words}");
}

#[test]
fn ids_that_are_not_mapped_are_refused_one_by_one() {
    let mut situation = root();
    situation.facts.uid_map = IdMap(vec![(0, 1)]);
    situation.facts.gid_map = IdMap(vec![(0, 1)]);
    refused("user = ecuser Supplemental_Groups = ( mail )", &situation, &["id-not-mapped"; 3]);
}

#[test]
fn groups_that_cannot_be_changed_are_refused_unless_they_are_right() {
    let mut situation = root();
    situation.facts.setgroups_allowed = false;
    let words = refused(SAMPLE, &situation, &["setgroups-denied"]);
    assert!(words.contains("994") && words.contains("/proc/self/setgroups"), "{words}");
    situation.start.groups = vec![994];
    assert!(planned(SAMPLE, &situation).is_ok());
}

#[test]
fn a_directory_that_cannot_be_opened_is_refused_with_the_kernels_answer() {
    for (errno, name) in [(Errno::NOENT, "ENOENT"), (Errno::NOTDIR, "ENOTDIR"), (Errno::ACCES, "EACCES")] {
        let mut situation = root();
        situation.chroot = Some(Err(errno));
        let words = refused(&format!("{SAMPLE} Chroot = /jail"), &situation, &["chroot-directory"]);
        assert!(words.contains("/jail") && words.contains(name), "{words}");
    }
}

#[test]
fn a_directory_among_the_descriptors_leads_out_of_a_chroot() {
    let mut situation = root();
    situation.chroot = Some(Ok(crate::states::JAIL));
    situation.descriptors.push(PassedDescriptor { number: 9, directory: true, terminal: false, ring: false });
    let words = refused(&format!("{SAMPLE} Chroot = /jail"), &situation, &["directory-descriptor"]);
    assert!(words.contains("descriptor 9"), "{words}");
    situation.chroot = None;
    assert!(planned(SAMPLE, &situation).is_ok(), "without a chroot there is nothing to leave");
}

#[test]
fn a_ring_among_the_descriptors_may_hold_the_rights_of_root() {
    let mut situation = root();
    situation.descriptors.push(PassedDescriptor { number: 7, directory: false, terminal: false, ring: true });
    let words = refused(SAMPLE, &situation, &["ring-descriptor"]);
    assert!(words.contains("descriptor 7 is an io_uring"), "{words}");
}

#[test]
fn a_chroot_without_the_right_to_it_is_refused() {
    let mut situation = root_with(every().without(cap("cap_sys_chroot")));
    situation.chroot = Some(Ok(crate::states::JAIL));
    let words = refused(&format!("{SAMPLE} Chroot = /jail"), &situation, &["step-impossible"]);
    assert!(words.contains("cap_sys_chroot"), "{words}");
}

#[test]
fn what_no_execve_can_give_is_refused_for_a_program() {
    let options = "user = ecuser Supplemental_Groups = () Capabilities = ";
    refused(&format!("{options}cap_chown+p"), &root(), &["permitted-not-effective"]);
    let findings = planned(&format!("{options}cap_chown+e"), &root()).unwrap_err();
    assert!(codes(&findings).contains(&"effective-not-permitted"), "{findings:?}");
}

#[test]
fn a_bounding_set_below_the_retained_set_contradicts_it() {
    let findings = planned(&format!("{SAMPLE} Bounding_Set = cap_kill"), &root()).unwrap_err();
    assert_eq!(codes(&findings), ["bounding-below-capabilities"]);
    assert_eq!(findings[0].related.len(), 1, "the other place is shown as well");
}

#[test]
fn a_bounding_set_beyond_what_there_is_is_refused() {
    let options = "user = ecuser Supplemental_Groups = () Bounding_Set = cap_sys_admin";
    refused(options, &root_with(caps(DOCKER)), &["capability-outside-bounding-set"]);
}

#[test]
fn a_terminal_that_can_be_typed_into_is_warned_about_when_root_gives_it_away() {
    let mut situation = root();
    situation.terminal_injection = true;
    assert_eq!(codes(&planned(SAMPLE, &situation).unwrap().findings), ["terminal-injection"]);
    assert_eq!(codes(&planned("user = root", &situation).unwrap().findings), ["user-is-root"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut situation = root_with(caps(DOCKER));
    situation.chroot = Some(Err(Errno::NOENT));
    situation.start.securebits = Securebits(0xc);
    let options = "user = ecuser Capabilities = cap_sys_admin,cap_sys_time+ep Chroot = /jail";
    let findings = plan(&policy(options), &situation, Purpose::Execute(None)).unwrap_err();
    let mut found = codes(&findings);
    found.sort_unstable();
    let outside = "capability-outside-bounding-set";
    assert_eq!(found, [outside, outside, "chroot-directory", "securebits-inherited"]);
}
