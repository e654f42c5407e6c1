//! What a thread holds, as rows of name and value for a person and as an object for a machine.
//!
//! Whoever shows a state shows it in these rows, so that the same name means the same everywhere. Not for: reading a state,
//! or fitting it to a terminal. What the sets are called is in crate `security`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use stepdown_kernel::observe::Status;
use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Ids};

use crate::json::Json;

/// What a thread holds, as far as it is known.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    uid: Ids,
    gid: Ids,
    groups: &'a [u32],
    permitted: CapSet,
    effective: CapSet,
    inheritable: CapSet,
    bounding: CapSet,
    ambient: CapSet,
    /// The securebits, where they could be read.
    pub securebits: Option<String>,
    no_new_privs: bool,
}

/// How what is held is put into words.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The name of a user.
    pub user: &'a dyn Fn(u32) -> Option<String>,
    /// The name of the primary group.
    pub group: &'a dyn Fn(u32) -> Option<String>,
    /// The name of a supplementary group.
    pub member: &'a dyn Fn(u32) -> Option<String>,
    /// A set of capabilities.
    pub set: &'a dyn Fn(CapSet) -> String,
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
#[must_use]
pub fn rows(held: &Held<'_>, words: &Words<'_>) -> Vec<(&'static str, String)> {
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
    let mut members = String::new();
    for &id in held.groups {
        if !members.is_empty() {
            members.push(' ');
        }
        members.push_str(&one(id, (words.member)(id)));
    }
    if members.is_empty() {
        members.push_str("none");
    }
    let unknown = "not readable from outside the process, prctl(2)";
    vec![
        ("user", ids(held.uid, words.user)),
        ("group", ids(held.gid, words.group)),
        ("groups", members),
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
#[must_use]
pub fn json(held: &Held<'_>) -> Json {
    Json::Object(vec![
        ("user", all(held.uid).into_iter().collect()),
        ("group", all(held.gid).into_iter().collect()),
        ("groups", held.groups.iter().copied().collect()),
        ("permitted", names(held.permitted)),
        ("effective", names(held.effective)),
        ("inheritable", names(held.inheritable)),
        ("bounding", names(held.bounding)),
        ("ambient", names(held.ambient)),
        ("no_new_privs", held.no_new_privs.into()),
    ])
}

/// A set as an array of names; a number stands for what has none.
#[must_use]
pub fn names(set: CapSet) -> Json {
    set.iter().map(|capability| capability.to_string()).collect()
}

fn all(ids: Ids) -> [u32; 4] {
    [ids.real, ids.effective, ids.saved, ids.filesystem]
}
