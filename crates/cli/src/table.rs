//! Tables for a person: what a thread holds as rows of name and value, and lines that fit the terminal.
//!
//! `run -v` shows the state that it proved in these rows, `status` that of any process; both mean the same by the same
//! name. What the kernel's words are is in crate `security`; nothing is read here but the terminal's width.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::security::capability::CapSet;
use stepdown::security::credentials::{Credentials, Ids};
use stepdown_kernel::observe::Status;
use stepdown_kernel::terminal;

/// What a thread holds, as far as it is known.
pub(crate) struct Held<'a> {
    uid: Ids,
    gid: Ids,
    groups: &'a [u32],
    permitted: CapSet,
    effective: CapSet,
    inheritable: CapSet,
    bounding: CapSet,
    ambient: CapSet,
    /// The secure bits, where they could be read.
    pub(crate) securebits: Option<String>,
    no_new_privs: bool,
}

/// How what is held is put into words.
pub(crate) struct Words<'a> {
    /// The name of a user.
    pub(crate) user: &'a dyn Fn(u32) -> Option<String>,
    /// The name of the primary group.
    pub(crate) group: &'a dyn Fn(u32) -> Option<String>,
    /// The name of a supplementary group.
    pub(crate) member: &'a dyn Fn(u32) -> Option<String>,
    /// A set of capabilities.
    pub(crate) set: &'a dyn Fn(CapSet) -> String,
}

impl<'a> From<&'a Credentials> for Held<'a> {
    fn from(state: &'a Credentials) -> Held<'a> {
        Held {
            uid: state.uid,
            gid: state.gid,
            groups: &state.groups,
            permitted: state.permitted,
            effective: state.effective,
            inheritable: state.inheritable,
            bounding: state.bounding,
            ambient: state.ambient,
            securebits: Some(state.securebits.to_string()),
            no_new_privs: state.no_new_privs,
        }
    }
}

impl<'a> From<&'a Status> for Held<'a> {
    fn from(status: &'a Status) -> Held<'a> {
        Held {
            uid: status.uid,
            gid: status.gid,
            groups: &status.groups,
            permitted: status.permitted,
            effective: status.effective,
            inheritable: status.inheritable,
            bounding: status.bounding,
            ambient: status.ambient,
            securebits: None,
            no_new_privs: status.no_new_privs,
        }
    }
}

/// What is held, as rows of name and value, always the same names in the same order.
pub(crate) fn rows(held: &Held<'_>, words: &Words<'_>) -> Vec<(&'static str, String)> {
    let one = |id: u32, name: Option<String>| match name {
        Some(name) => format!("{id} ({name})"),
        None => id.to_string(),
    };
    let ids = |ids: Ids, name: &dyn Fn(u32) -> Option<String>| {
        let [real, effective, saved, filesystem] = all(ids).map(|id| one(id, name(id)));
        if ids == Ids::all(ids.real) {
            real
        } else {
            format!("real {real} effective {effective} saved {saved} filesystem {filesystem}")
        }
    };
    let members: Vec<String> = held.groups.iter().map(|&id| one(id, (words.member)(id))).collect();
    let unknown = "not readable from outside the process, prctl(2)";
    vec![
        ("user", ids(held.uid, words.user)),
        ("group", ids(held.gid, words.group)),
        ("groups", if members.is_empty() { "none".to_owned() } else { members.join(" ") }),
        ("permitted", (words.set)(held.permitted)),
        ("effective", (words.set)(held.effective)),
        ("inheritable", (words.set)(held.inheritable)),
        ("bounding", (words.set)(held.bounding)),
        ("ambient", (words.set)(held.ambient)),
        ("securebits", held.securebits.clone().unwrap_or_else(|| unknown.to_owned())),
        ("no_new_privs", if held.no_new_privs { "set" } else { "not set" }.to_owned()),
    ]
}

/// What is held, for a machine: ids as numbers, sets as arrays of names.
pub(crate) fn json(held: &Held<'_>) -> Value {
    json!({
        "user": all(held.uid),
        "group": all(held.gid),
        "groups": held.groups,
        "permitted": names(held.permitted),
        "effective": names(held.effective),
        "inheritable": names(held.inheritable),
        "bounding": names(held.bounding),
        "ambient": names(held.ambient),
        "no_new_privs": held.no_new_privs,
    })
}

/// A set as an array of names; a number stands for what has none.
pub(crate) fn names(set: CapSet) -> Value {
    set.iter().map(|capability| Value::String(capability.to_string())).collect()
}

/// How many columns there are: those of the terminal on standard output, or 80.
pub(crate) fn width() -> usize {
    terminal::columns_of_output().map_or(80, |columns| usize::from(columns).max(20))
}

/// A row: a name, and a value that goes on below itself where the line is too short for it. On a terminal too narrow for
/// two columns it goes on below the name.
pub(crate) fn row(text: &mut String, name: &str, value: &str, width: usize) {
    const COLUMN: usize = 20;
    let start = text.len();
    let _ = write!(text, "  {name:<18}");
    if width < 2 * COLUMN {
        text.truncate(text.trim_end().len().max(start));
        text.push('\n');
        wrap(text, value, 4, width);
    } else {
        let at = text.len();
        wrap(text, value, COLUMN, width);
        text.replace_range(at..at + COLUMN, "");
    }
}

/// A paragraph, indented, broken at white space and behind commas so that it fits the width where its words do.
pub(crate) fn wrap(text: &mut String, paragraph: &str, indent: usize, width: usize) {
    let room = width.saturating_sub(indent).max(12);
    let margin = " ".repeat(indent);
    let mut column = 0;
    text.push_str(&margin);
    for word in paragraph.split(' ') {
        for (index, part) in word.split_inclusive(',').enumerate() {
            let length = part.chars().count();
            let space = usize::from(index == 0 && column > 0);
            if column > 0 && column + space + length > room {
                text.push('\n');
                text.push_str(&margin);
                column = 0;
            } else if space == 1 {
                text.push(' ');
                column += 1;
            }
            text.push_str(part);
            column += length;
        }
    }
    text.push('\n');
}

fn all(ids: Ids) -> [u32; 4] {
    [ids.real, ids.effective, ids.saved, ids.filesystem]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_stays_in_its_column() {
        let mut text = String::new();
        row(&mut text, "bounding", "cap_chown,cap_kill,cap_setuid and more", 40);
        let column = " ".repeat(20);
        assert_eq!(text, format!("  bounding          cap_chown,cap_kill,\n{column}cap_setuid and more\n"));
        let mut text = String::new();
        row(&mut text, "bounding", "cap_chown,cap_kill and more", 30);
        assert_eq!(text, "  bounding\n    cap_chown,cap_kill and\n    more\n");
    }

    #[test]
    fn a_word_wider_than_the_terminal_is_not_cut() {
        let mut text = String::new();
        wrap(&mut text, "a cap_checkpoint_restore b", 4, 10);
        assert_eq!(text, "    a\n    cap_checkpoint_restore\n    b\n");
    }
}
