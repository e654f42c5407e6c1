use super::*;
use stepdown_conf::Config;
use stepdown_security::policy::Group;
use stepdown_security::resolve::Account;

const COUNT: u8 = 41;

fn request(scope: &str) -> Request {
    let config = Config::from_text("t", &format!("Security {{ {scope} }}")).unwrap();
    Request::read(&config, COUNT).unwrap().0
}

/// A name service that knows three users, `ecuser` (994), `mail` (8) and `root`, each with a group of the same number.
fn answer(questions: &Questions) -> Answers {
    use stepdown_security::identity::Identity;
    let id = |identity: &Identity| match identity {
        Identity::Id(id) => Some(*id),
        Identity::Name(name) => [("ecuser", 994), ("mail", 8), ("root", 0)]
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, id)| *id),
    };
    let name = |id: u32| format!("n{id}");
    let group = |identity: &Identity| Ok(id(identity).map(|id| Group { id, name: Some(name(id)) }));
    let user = id(&questions.user).map(|id| Account { id, group: id, name: name(id), home: "/".into() });
    Answers {
        memberships: user.as_ref().map(|user| Ok(vec![user.id + 1000])),
        user: Ok(user),
        group: questions.group.as_ref().map(group),
        supplemental_groups: questions.supplemental_groups.iter().flatten().map(group).collect(),
        user_names: Vec::new(),
        group_names: Vec::new(),
    }
}

fn policy(scope: &str) -> Policy {
    let request = request(scope);
    request.resolve(&answer(&request.questions())).unwrap()
}

/// The options that differ, with both values.
fn differing(old: &str, new: &str) -> Vec<(&'static str, String, String)> {
    let found = compare(&policy(old), &policy(new), COUNT);
    found.into_iter().map(|difference| (difference.option, difference.old, difference.new)).collect()
}

#[test]
fn other_words_for_the_same_are_no_difference() {
    for (old, new) in [
        ("user = ecuser", "User = 994"),
        ("user = ecuser", "user = ecuser  group = ecuser"),
        ("user = ecuser", "user = ecuser  Supplemental_Groups = ( 1994 )"),
        (
            "user = ecuser  Supplemental_Groups = ( mail 4 )",
            "user = ecuser  Supplemental_Groups = ( 4 8 4 994 )",
        ),
        ("Capabilities = \"\"", ""),
        ("Capabilities = \"cap_kill,cap_chown+ep\"", "Capabilities = \"cap_chown=p 5+pe cap_chown+e\""),
        ("Capabilities = \"cap_kill+ep\"", "Capabilities = \"cap_kill+ep\"  Bounding_Set = cap_kill"),
        (
            "Capabilities = \"cap_kill+ep cap_chown+i\"",
            "Capabilities = \"cap_kill+ep cap_chown+i\"  Bounding_Set = \"cap_kill cap_chown\"",
        ),
        ("user = root", "user = 0  Bounding_Set = all"),
        ("chroot = /srv/jail", "chroot = \"//srv/./jail/\""),
        ("chroot = /", ""),
        ("No_New_Privs = true", ""),
    ] {
        assert_eq!(differing(old, new), [], "{old} | {new}");
        assert_eq!(differing(new, old), [], "{new} | {old}");
    }
}

#[test]
fn each_option_that_means_something_else_is_named_with_both_values() {
    let s = String::from;
    for (old, new, expected) in [
        (
            "user = ecuser",
            "user = mail",
            vec![("User", s("n994 (994)"), s("n8 (8)")), ("Group", s("994"), s("8"))],
        ),
        ("user = ecuser", "user = ecuser  group = mail", vec![("Group", s("994"), s("n8 (8)"))]),
        (
            "Capabilities = \"cap_kill+ep\"",
            "Capabilities = \"cap_kill+p\"",
            vec![("Capabilities", s("cap_kill=ep"), s("cap_kill=p"))],
        ),
        ("Capabilities = \"cap_kill+ep\"", "", vec![("Capabilities", s("cap_kill=ep"), s("none"))]),
        (
            "user = root",
            "user = root  Capabilities = \"\"",
            vec![("Capabilities", s("all of root's"), s("none"))],
        ),
        ("", "Bounding_Set = all", vec![("Bounding_Set", s("none"), s("all"))]),
        (
            "Capabilities = \"cap_kill+ep\"",
            "Capabilities = \"cap_kill+ep\"  Bounding_Set = \"cap_kill,cap_chown\"",
            vec![("Bounding_Set", s("cap_kill"), s("cap_chown,cap_kill"))],
        ),
        ("", "chroot = /srv", vec![("Chroot", s("the root directory stays"), s("/srv"))]),
        (
            "Supplemental_Groups = ()",
            "Supplemental_Groups = ( mail )",
            vec![("Supplemental_Groups", s("994"), s("8 994"))],
        ),
        ("", "No_New_Privs = off", vec![("No_New_Privs", s("true"), s("false"))]),
    ] {
        let found = differing(old, new);
        assert_eq!(found, expected, "{old} | {new}");
    }
}

#[test]
fn a_difference_knows_both_places() {
    let (old, new) = (policy("user = ecuser"), policy("\n\n user = mail"));
    let difference = &compare(&old, &new, COUNT)[0];
    assert_eq!(difference.old_origin.to_string(), "t:1:19");
    assert_eq!(difference.new_origin.to_string(), "t:3:9");
    assert_eq!(difference.to_string(), "User: n994 (994) is in force, n8 (8) waits for a restart");
    let default = &compare(&policy("chroot = /srv"), &policy(""), COUNT)[0];
    assert_eq!(default.new_origin.to_string(), "default: the root directory stays");
}

#[test]
fn names_are_asked_for_only_where_they_differ() {
    let started = request("user = ecuser  group = mail");
    let now = started.resolve(&answer(&started.questions())).unwrap();
    let never = |_: &Questions| -> Answers { panic!("the name service is not to be asked") };
    let same = request("group = \"mail\"\nUSER = ecuser  chroot = /srv");
    let found = compare_request((&started, &now), &same, COUNT, never).unwrap();
    assert_eq!(found.iter().map(|difference| difference.option).collect::<Vec<_>>(), ["Chroot"]);

    let id = request("user = 994  group = 8");
    assert!(compare_request((&started, &now), &id, COUNT, answer).unwrap().is_empty());

    let unknown = request("user = ecuserr  group = mail");
    let findings = compare_request((&started, &now), &unknown, COUNT, answer).unwrap_err();
    assert_eq!(findings[0].code, "no-such-account");
}

#[test]
fn a_pidfile_is_compared_as_a_path() {
    let file = |text: &str| {
        let config = Config::from_text("t", text).unwrap();
        crate::wanted::read(&config, COUNT).unwrap().0.pidfile
    };
    let compare = |old: &str, new: &str| {
        let (old, new) = (file(old), file(new));
        compare_pidfile(old.as_ref(), new.as_ref()).map(|difference| (difference.old, difference.new))
    };
    assert_eq!(compare("Pidfile = /run/a", "pidfile = \"/run//a\""), None);
    assert_eq!(compare("", ""), None);
    assert_eq!(compare("Pidfile = /run/a", ""), Some(("/run/a".into(), "none".into())));
    assert_eq!(compare("Pidfile = /run/a", "Pidfile = /run/b"), Some(("/run/a".into(), "/run/b".into())));
}

#[test]
fn what_waits_does_so_since_it_was_first_seen() {
    let differences = |new: &str| compare(&policy(""), &policy(new), COUNT);
    let mut pending = Pending::default();
    pending.look(differences(""), 1);
    assert_eq!(pending.since(), None);
    pending.look(differences("user = mail"), 2);
    pending.look(differences("chroot = /srv"), 3);
    assert_eq!((pending.since(), pending.differences().len()), (Some(2), 1));
    pending.look(differences("user = 994"), 4);
    assert_eq!((pending.since(), pending.differences().len()), (None, 0));
    pending.look(differences("user = mail"), 5);
    assert_eq!(pending.since(), Some(5));
}
