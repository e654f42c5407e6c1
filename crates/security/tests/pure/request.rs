//! Texts that are right: every option, every form, merging, and where each value comes from.

use stepdown_conf::Place;
use stepdown_security::capability::CapSet;
use stepdown_security::identity::Identity;
use stepdown_security::options::OPTIONS;
use stepdown_security::policy::{BoundingSet, Origin, Sourced};
use stepdown_security::request::Request;
use stepdown_security::text::CapState;

use crate::states::{caps, codes, every, read};

fn request(text: &str) -> Request {
    let (request, findings) = read(text).unwrap();
    // Without a scope there is a warning, and that is all there may be.
    assert!(codes(&findings).iter().all(|code| *code == "no-security"), "{findings:?}");
    request
}

fn name(name: &str) -> Identity {
    Identity::Name(name.into())
}

fn at(place: &Place) -> (u32, u32) {
    (place.line, place.column)
}

/// Line and column of a value that is written, and the lines of those it overrides.
fn written<T>(value: &Sourced<T>) -> ((u32, u32), Vec<u32>) {
    match &value.origin {
        Origin::Written { place, shadowed } => (at(place), shadowed.iter().map(|place| place.line).collect()),
        Origin::Default(rule) => panic!("by default: {rule}"),
    }
}

#[track_caller]
fn is_default(request: &Request) {
    let empty = Request::empty();
    assert_eq!(request.user.value, empty.user.value);
    assert_eq!(request.group.as_ref().unwrap().value, name("ecuser"));
    assert!(request.user.origin.place().is_none());
    assert!(request.capabilities.is_none() && request.chroot.is_none());
    assert!(request.supplemental_groups.is_none() && request.bounding_set.is_none());
    assert!(request.no_new_privs.value);
}

#[test]
fn no_scope_is_the_same_as_an_empty_one() {
    assert_eq!(Request::empty().user.value, name("ecuser"));
    is_default(&request(""));
    is_default(&request("Security { }"));
    is_default(&request("Listener \"x\" { user = root } chroot = \"/nowhere\""));
}

#[test]
fn every_option_is_read() {
    let request = request(
        r#"Security {
            user = server
            group = 7
            capabilities = "cap_kill+ep cap_chown+i"
            chroot = /srv/jail
            supplemental_groups = ( mail "4" )
            no_new_privs = off
            bounding_set = "cap_kill cap_chown"
        }"#,
    );
    assert_eq!(request.user.value, name("server"));
    assert_eq!(request.group.unwrap().value, Identity::Id(7));
    let kill = caps("cap_kill");
    assert_eq!(
        request.capabilities.unwrap().value,
        CapState { effective: kill, permitted: kill, inheritable: caps("cap_chown") }
    );
    assert_eq!(request.chroot.unwrap().value, "/srv/jail");
    let groups: Vec<Identity> =
        request.supplemental_groups.unwrap().value.into_iter().map(|(identity, _)| identity).collect();
    assert_eq!(groups, [name("mail"), Identity::Id(4)]);
    assert!(!request.no_new_privs.value);
    assert_eq!(request.bounding_set.unwrap().value, BoundingSet::Exactly(caps("cap_kill,cap_chown")));
}

#[test]
fn every_option_is_known_in_any_case() {
    for option in &OPTIONS {
        let value = match option.name {
            "Chroot" => "/",
            "No_New_Privs" => "true",
            "Capabilities" => "cap_kill+ep",
            "Bounding_Set" => "all",
            _ => "ecuser",
        };
        for spelling in [option.name.to_lowercase(), option.name.to_uppercase()] {
            let read = read(&format!("sEcUrItY {{ {spelling} = {value} }}"));
            assert!(read.is_ok(), "{spelling}: {read:?}");
        }
    }
}

#[test]
fn a_user_without_a_group_has_his_own_and_a_group_without_a_user_is_ecusers() {
    assert!(request("Security { user = server }").group.is_none());
    let request = request("Security { group = mail }");
    assert_eq!((request.user.value, request.group.unwrap().value), (name("ecuser"), name("mail")));
}

#[test]
fn a_single_word_is_an_array_of_one_and_nothing_is_none() {
    let groups = |text: &str| request(text).supplemental_groups.unwrap().value.len();
    assert_eq!(groups("Security { Supplemental_Groups = mail }"), 1);
    assert_eq!(groups("Security { Supplemental_Groups = () }"), 0);
    assert_eq!(groups("Security { Supplemental_Groups = ( a, b c ) }"), 3);
}

#[test]
fn every_form_of_a_boolean_is_read() {
    for (value, expected) in [
        ("on", true),
        ("TRUE", true),
        ("yes", true),
        ("\"enabled\"", true),
        ("1", true),
        ("off", false),
        ("false", false),
        ("No", false),
        ("disabled", false),
        ("\"0\"", false),
    ] {
        assert_eq!(request(&format!("Security {{ No_New_Privs = {value} }}")).no_new_privs.value, expected);
    }
}

#[test]
fn the_whole_bounding_set_is_told_from_a_list_of_all() {
    let all = request("Security { Bounding_Set = ALL }").bounding_set.unwrap().value;
    assert_eq!(all, BoundingSet::Unchanged);
}

#[test]
fn empty_capability_text_retains_nothing_and_is_not_the_same_as_none() {
    let empty = request("Security { user = root Capabilities = \"\" }").capabilities.unwrap();
    assert_eq!(empty.value, CapState::default());
    assert_eq!(empty.value.permitted, CapSet::EMPTY);
    let all = request("Security { Capabilities = \"all=ep\" }").capabilities.unwrap().value;
    assert_eq!(all.permitted, every(), "as many as the kernel knows");
}

#[test]
fn scopes_merge_option_by_option_and_the_last_value_wins() {
    let request = request(
        "Security { user = first group = kept Supplemental_Groups = ( a b ) }\n\
         Security {\n  user = second Supplemental_Groups = ( c ) }\n\
         Security { user = third }\n",
    );
    assert_eq!(request.user.value, name("third"));
    assert_eq!(written(&request.user), ((4, 19), vec![1, 3]));
    let group = request.group.unwrap();
    assert_eq!((written(&group), group.value), (((1, 33), vec![]), name("kept")));
    let groups = request.supplemental_groups.unwrap();
    assert_eq!(groups.value.len(), 1, "an array replaces");
    assert_eq!(written(&groups).1, [1]);
}

#[test]
fn a_value_written_twice_in_one_scope_counts_as_it_stands_last() {
    let request = request("Security {\n user = a\n user = b\n}");
    assert_eq!((written(&request.user), request.user.value), (((3, 9), vec![2]), name("b")));
}

#[test]
fn each_group_has_a_place_of_its_own() {
    let request = request("Security { Supplemental_Groups = ( mail\n  \"4\" ) }");
    let places: Vec<_> =
        request.supplemental_groups.unwrap().value.iter().map(|(_, place)| at(place)).collect();
    assert_eq!(places, [(1, 36), (2, 3)]);
}

#[test]
fn what_belongs_to_solaris_is_warned_about_and_ignored() {
    let (request, findings) = read("Security { Privileges = \"basic net_privaddr\" }").unwrap();
    assert_eq!(codes(&findings), ["solaris-privileges"]);
    assert!(!findings[0].is_error());
    assert_eq!(at(findings[0].place.as_ref().unwrap()), (1, 25));
    is_default(&request);
}

#[test]
fn the_samples_of_the_manual_are_read() {
    for sample in [
        r#"Security { user = ecuser  group = ecuser  Capabilities = "cap_net_bind_service+ep" }"#,
        r#"Security { user = ecuser  group = ecuser
             Capabilities = "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep" }"#,
        r#"Security { user = "ecuser" group = "ecuser" }"#,
        r#"Security { Supplemental_Groups = ( mail "4" )  Capabilities = "cap_net_bind_service+ep" }"#,
        r#"security { chroot = "/chroot/dir" }"#,
    ] {
        assert!(!request(sample).user.value.to_string().is_empty());
    }
}
