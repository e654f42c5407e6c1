//! A `Security` scope that is not where, or not what, it should be is never passed over.

use crate::states::{codes, read};

fn refused(text: &str) -> Vec<&'static str> {
    codes(&read(text).unwrap_err())
}

#[test]
fn other_brackets_or_an_option_are_no_scope() {
    for text in [
        "Security [ user = 4243, group = 4243 ]",
        "Security = nobody",
        "security = ( user 4243 )",
        "Security { user = a }\nSecurity = b",
    ] {
        assert_eq!(refused(text), ["security-not-a-scope"], "{text}");
    }
}

#[test]
fn a_misspelt_scope_is_told_apart_from_none() {
    assert_eq!(refused("Securty { user = 4243 }"), ["misspelt-security"]);
    assert_eq!(refused("user = 4243 group = 4243"), ["option-outside-security", "option-outside-security"]);
    // With a scope of the right name, the other belongs to somebody else.
    assert!(read("Securty { user = 4243 }\nSecurity { user = 1 group = 1 }").is_ok());
    let (_, findings) = read("Listener \"x\" { user = 1 }").unwrap();
    assert_eq!(codes(&findings), ["no-security"]);
}

#[test]
fn more_groups_than_a_process_can_have_are_refused_at_once() {
    let many = "1 ".repeat(70_000);
    assert_eq!(refused(&format!("Security {{ supplemental_groups = ( {many}) }}")), ["too-many-groups"]);
}
