//! Texts that are refused: each code, at the line and column of what is wrong.

use stepdown_conf::{Cause, Finding};

use crate::states::{codes, read};

/// Code, line and column of everything that is wrong with a text.
fn refused(text: &str) -> Vec<(&'static str, u32, u32)> {
    let findings = read(text).expect_err("it is refused");
    findings
        .iter()
        .map(|finding| {
            let place = finding.place.as_ref().unwrap_or_else(|| panic!("{finding:?} has no place"));
            assert_eq!(finding.cause, Cause::Text, "{finding:?}");
            assert!(
                finding.why.is_some() && finding.hint.is_some(),
                "{finding:?} has a reason and a way out"
            );
            (finding.code, place.line, place.column)
        })
        .collect()
}

fn only(text: &str) -> Finding {
    let findings = read(text).expect_err("it is refused");
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

#[test]
fn an_unknown_option_is_told_with_the_nearest_name() {
    assert_eq!(refused("Security {\n  Capabilites = x\n}"), [("unknown-option", 2, 3)]);
    let finding = only("Security { Capabilites = x }");
    assert!(finding.hint.clone().unwrap().contains("Capabilities"));
    let finding = only("Security { Frobnicate_It_All = x }");
    assert!(!finding.hint.clone().unwrap().contains("did you mean"));
}

#[test]
fn every_odd_identity_is_refused_at_its_value() {
    for value in [
        "\"\"",
        "-1",
        "4294967295",
        "4294967296",
        "0x0",
        "00",
        "+0",
        "\" root\"",
        "1root",
        "\"root\\n\"",
        "\"a:b\"",
    ] {
        for option in ["user = ", "group = ", "supplemental_groups = "] {
            let text = format!("Security {{ {option}{value} }}");
            let column = 12 + u32::try_from(option.len()).unwrap();
            assert_eq!(refused(&text), [("bad-identity", 1, column)], "{text}");
        }
    }
}

#[test]
fn each_odd_identity_of_an_array_is_refused_at_its_own_place() {
    let text = "Security { Supplemental_Groups = ( -1 mail\n  00 ) }";
    assert_eq!(refused(text), [("bad-identity", 1, 36), ("bad-identity", 2, 3)]);
}

#[test]
fn capability_text_is_refused_at_the_word_that_is_wrong() {
    let text = r#"Security { Capabilities = "cap_kill+ep cap_net_bind_servce+ep" }"#;
    assert_eq!(refused(text), [("bad-capability-text", 1, 40)]);
    assert!(only(text).hint.clone().unwrap().contains("cap_net_bind_service"));
    assert_eq!(refused("Security { Capabilities = \"cap_kill\" }")[0].0, "bad-capability-text");
    assert_eq!(refused("Security { Bounding_Set = \"cap_kil\" }"), [("bad-capability-text", 1, 28)]);
    assert_eq!(refused("Security { Bounding_Set = \"cap_kill+ep\" }")[0].0, "bad-capability-text");
}

#[test]
fn a_chroot_is_an_absolute_directory() {
    assert_eq!(refused("Security { Chroot = \"\" }"), [("empty-chroot", 1, 21)]);
    assert_eq!(refused("Security { Chroot = srv/jail }"), [("relative-chroot", 1, 21)]);
    assert!(only("Security { Chroot = srv/jail }").hint.clone().unwrap().contains("/srv/jail"));
}

#[test]
fn what_is_no_boolean_is_refused() {
    assert_eq!(refused("Security { No_New_Privs = perhaps }"), [("not-a-boolean", 1, 27)]);
    assert_eq!(refused("Security { No_New_Privs = \"\" }"), [("not-a-boolean", 1, 27)]);
}

#[test]
fn one_value_is_no_array_and_no_dictionary() {
    for option in ["User", "Group", "Capabilities", "Chroot", "No_New_Privs", "Bounding_Set", "Privileges"] {
        for value in ["( a b )", "[ a = b ]"] {
            let found = refused(&format!("Security {{ {option} = {value} }}"));
            let column = 15 + u32::try_from(option.len()).unwrap();
            assert_eq!(found, [("not-one-value", 1, column)], "{option} = {value}");
        }
    }
}

#[test]
fn an_array_is_no_dictionary() {
    assert_eq!(refused("Security { Supplemental_Groups = [ a = b ] }"), [("not-an-array", 1, 34)]);
}

#[test]
fn a_security_with_a_name_is_refused_wherever_it_stands() {
    let text = "Security \"x\" { }\nSecurity \"x\" { user = a }";
    assert_eq!(refused(text), [("named-security", 1, 1), ("named-security", 2, 1)]);
}

#[test]
fn a_security_inside_another_scope_is_refused_however_deep() {
    assert_eq!(refused("Listener { Security { user = a } }"), [("nested-security", 1, 12)]);
    assert_eq!(refused("A { B \"x\" {\n security { } } }"), [("nested-security", 2, 2)]);
}

#[test]
fn a_scope_inside_security_is_refused() {
    assert_eq!(refused("Security {\n user { } }"), [("scope-in-security", 2, 2)]);
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let text = "Security { usr = a user = 00 chroot = x No_New_Privs = maybe Capabilities = bogus }";
    let found = codes(&read(text).unwrap_err());
    let expected =
        ["unknown-option", "bad-identity", "relative-chroot", "not-a-boolean", "bad-capability-text"];
    assert_eq!(found, expected);
}

#[test]
fn control_characters_never_reach_a_message() {
    for value in ["\"a\u{1b}[31mb c\"", "\"\u{7}\u{202e}x y\""] {
        let finding = only(&format!("Security {{ user = {value} }}"));
        assert!(!finding.message.contains(['\u{1b}', '\u{7}']), "{:?}", finding.message);
    }
}
