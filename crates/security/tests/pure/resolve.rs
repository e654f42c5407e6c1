//! Requests and what the name service answers: policies, and refusals.

use stepdown_conf::Finding;
use stepdown_security::identity::Identity;
use stepdown_security::policy::{Group, Origin, Policy};
use stepdown_security::request::Request;
use stepdown_security::resolve::{Answers, Questions};

use crate::states::{answers, codes, policy, read};

fn request(text: &str) -> Request {
    read(text).unwrap().0
}

fn resolved(text: &str, change: impl FnOnce(&mut Answers)) -> Result<Policy, Vec<Finding>> {
    let request = request(text);
    let mut answers = answers(&request);
    change(&mut answers);
    request.resolve(&answers)
}

#[test]
fn only_what_the_policy_needs_is_asked() {
    let asked = request("Security { user = 7 Supplemental_Groups = () }").questions();
    assert_eq!(asked, Questions { user: Identity::Id(7), group: None, supplemental_groups: Some(vec![]) });
    let asked = request("Security { user = ecuser group = 5 Supplemental_Groups = ( mail 9 ) }").questions();
    assert_eq!(asked.group, Some(Identity::Id(5)));
    assert_eq!(asked.supplemental_groups, Some(vec![Identity::Name("mail".into()), Identity::Id(9)]));
}

#[test]
fn the_memberships_of_the_user_are_the_default_of_the_groups() {
    let policy = policy("user = ecuser");
    assert_eq!(policy.groups.value, [8, 994]);
    assert!(matches!(policy.groups.origin, Origin::Default(_)));
}

#[test]
fn the_primary_group_is_always_in_the_list_and_each_group_once() {
    let policy = policy("user = ecuser group = 5 Supplemental_Groups = ( mail 8 3 mail )");
    assert_eq!((policy.group.value.id, &policy.groups.value[..]), (5, &[3, 5, 8][..]));
}

#[test]
fn an_empty_list_of_groups_is_the_primary_group_alone() {
    assert_eq!(policy("user = ecuser Supplemental_Groups = ()").groups.value, [994]);
}

#[test]
fn the_group_of_the_user_is_the_default_of_the_group() {
    let policy = policy("user = other");
    assert_eq!(policy.group.value, Group { id: 995, name: None });
    assert!(policy.group.origin.place().is_none());
}

#[test]
fn an_id_needs_no_account_but_then_a_group() {
    let found = policy("user = 7 group = 7 Supplemental_Groups = ()");
    assert_eq!((found.user.value.id, found.user.value.name.clone()), (7, None));
    assert_eq!(found.environment(), [("HOME", "/".into()), ("USER", "7".into()), ("LOGNAME", "7".into())]);
    let findings = resolved("Security { user = 7 }", |_| {}).unwrap_err();
    assert_eq!(codes(&findings), ["no-primary-group"]);
}

#[test]
fn home_and_name_come_from_the_account() {
    let found = policy("user = 994");
    let expected = [("HOME", "/home/ecuser".into()), ("USER", "ecuser".into()), ("LOGNAME", "ecuser".into())];
    assert_eq!(found.environment(), expected);
}

#[test]
fn a_user_that_does_not_exist_is_refused_where_it_is_written() {
    let findings = resolved("Security {\n  user = nosuch\n}", |_| {}).unwrap_err();
    assert_eq!(codes(&findings), ["no-such-account"]);
    let place = findings[0].place.as_ref().unwrap();
    assert_eq!(place.line, 2);
    assert!(findings[0].hint.as_ref().unwrap().contains("nosuch"), "{:?}", findings[0]);
}

#[test]
fn the_default_user_that_does_not_exist_is_refused_and_never_root() {
    let findings = resolved("", |answers| {
        answers.user = Ok(None);
        answers.group = Some(Ok(None));
    })
    .unwrap_err();
    assert!(codes(&findings).iter().all(|code| *code == "no-such-account"), "{findings:?}");
    assert!(findings[0].place.is_none());
    assert!(findings[0].why.as_ref().unwrap().contains("default"), "{:?}", findings[0]);
}

#[test]
fn every_group_that_does_not_exist_is_named_with_its_own_place() {
    let text = "Security { user = ecuser Supplemental_Groups = ( nosuch mail\n nosuch2 ) group = nosuch3 }";
    let findings = resolved(text, |_| {}).unwrap_err();
    assert_eq!(codes(&findings), ["no-such-account"; 3]);
    let mut lines: Vec<u32> = findings.iter().map(|finding| finding.place.as_ref().unwrap().line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [1, 2, 2]);
}

#[test]
fn a_name_service_that_fails_leaves_nothing_to_guess() {
    let failed = || "the service is down".to_owned();
    let text = "Security { user = ecuser group = mail }";
    for change in [
        (|answers: &mut Answers, why| answers.user = Err(why)) as fn(&mut Answers, String),
        |answers, why| answers.group = Some(Err(why)),
        |answers, why| answers.memberships = Some(Err(why)),
    ] {
        let findings = resolved(text, |answers| change(answers, failed())).unwrap_err();
        assert_eq!(codes(&findings), ["name-service"]);
        assert!(findings[0].message.contains("the service is down"));
    }
    let text = "Security { user = ecuser Supplemental_Groups = ( mail ) }";
    let findings = resolved(text, |answers| answers.supplemental_groups = vec![Err(failed())]).unwrap_err();
    assert_eq!(codes(&findings), ["name-service"]);
}

#[test]
fn a_failure_is_no_answer_even_for_an_id() {
    let findings = resolved("Security { user = 7 group = 7 }", |answers| answers.user = Err("down".into()));
    assert_eq!(codes(&findings.unwrap_err()), ["name-service"]);
}

#[test]
fn a_misspelt_user_or_group_is_told_with_the_nearest_name() {
    let findings = resolved("Security { user = ecusr group = mial }", |_| {}).unwrap_err();
    let hints: Vec<&str> = findings.iter().map(|finding| finding.hint.as_deref().unwrap()).collect();
    assert!(hints[0].contains("ecuser") && hints[1].contains("mail"), "{hints:?}");
}
