//! What can't change while the server runs, and waits for a restart: the `Security` scope, and `Pidfile`.
//!
//! Compared is what is meant, not what is written: ids and not names, capabilities and not their text. The server goes on
//! under what it was started with; [`Pending`] is what `status` says about it. Not for: making anything so.

use std::collections::BTreeSet;

use stepdown_conf::Finding;
use stepdown_security::capability::CapSet;
use stepdown_security::policy::{BoundingSet, Origin, Policy, Sourced};
use stepdown_security::request::Request;
use stepdown_security::resolve::{Answers, Questions};
use stepdown_security::text::{CapState, canonical};

use crate::life::Millis;
use crate::wanted::address::plain_path;

/// One option that would be another after a restart.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The option.
    pub option: &'static str,
    /// What the server was started with, in words.
    pub old: String,
    /// What it would be started with.
    pub new: String,
    /// Where the old value comes from; files may have changed since.
    pub old_origin: Origin,
    /// Where the new value comes from.
    pub new_origin: Origin,
}

/// What waits for a restart, and since when.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    since: Option<Millis>,
    differences: Vec<Difference>,
}

/// Compares the policy that is in force with one that a restart would put in its place.
#[must_use]
pub fn compare(now: &Policy, new: &Policy, capability_count: u8) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut note = |option, (old, old_origin): (String, Origin), (new, new_origin): (String, Origin)| {
        differences.push(Difference { option, old, new, old_origin, new_origin });
    };
    if now.user.value.id != new.user.value.id {
        let words = |policy: &Policy| {
            let user = &policy.user;
            (identity(user.value.name.as_deref(), user.value.id), user.origin.clone())
        };
        note("User", words(now), words(new));
    }
    if now.group.value.id != new.group.value.id {
        let words = |policy: &Policy| {
            let group = &policy.group;
            (identity(group.value.name.as_deref(), group.value.id), group.origin.clone())
        };
        note("Group", words(now), words(new));
    }
    let retained = |policy: &Policy| (policy.stays_root(), policy.retained());
    if retained(now) != retained(new) {
        let words = |policy: &Policy| {
            let origin = origin_of(policy.capabilities.as_ref(), "none are retained");
            (retained_words(policy, capability_count), origin)
        };
        note("Capabilities", words(now), words(new));
    }
    if root(now) != root(new) {
        let words = |policy: &Policy| {
            let directory = root(policy).unwrap_or_else(|| "the root directory stays".into());
            (directory, origin_of(policy.chroot.as_ref(), "the root directory stays"))
        };
        note("Chroot", words(now), words(new));
    }
    if groups_differ(now, new) {
        let words = |policy: &Policy| (ids(&policy.groups.value), policy.groups.origin.clone());
        note("Supplemental_Groups", words(now), words(new));
    }
    if now.no_new_privs.value != new.no_new_privs.value {
        let words =
            |policy: &Policy| (policy.no_new_privs.value.to_string(), policy.no_new_privs.origin.clone());
        note("No_New_Privs", words(now), words(new));
    }
    // Where neither is written, it follows from what is retained, which has been said.
    if limit(now) != limit(new) && (now.bounding_set.is_some() || new.bounding_set.is_some()) {
        let words = |policy: &Policy| {
            (limit_words(policy), origin_of(policy.bounding_set.as_ref(), "the retained capabilities"))
        };
        note("Bounding_Set", words(now), words(new));
    }
    differences
}

/// Compares the `Security` scope as it is written now with what the server was started from. The name service is asked
/// only if other names are written: the same names mean what they meant at the start, and inside a `Chroot` there may be
/// nobody to ask.
///
/// # Errors
/// A name that does not exist or can't be looked up: then nothing is known of what a restart would do.
pub fn compare_request(
    started: (&Request, &Policy),
    new: &Request,
    capability_count: u8,
    ask: impl FnOnce(&Questions) -> Answers,
) -> Result<Vec<Difference>, Vec<Finding>> {
    let (request, now) = started;
    let questions = new.questions();
    let policy = if questions == request.questions() {
        Policy {
            capabilities: new.capabilities.clone(),
            chroot: new.chroot.clone(),
            no_new_privs: new.no_new_privs.clone(),
            bounding_set: new.bounding_set.clone(),
            ..now.clone()
        }
    } else {
        new.resolve(&ask(&questions))?
    };
    Ok(compare(now, &policy, capability_count))
}

/// Compares the `Pidfile` that is held with the one that is asked for.
#[must_use]
pub fn compare_pidfile(held: Option<&Sourced<String>>, new: Option<&Sourced<String>>) -> Option<Difference> {
    let path = |file: Option<&Sourced<String>>| file.map(|file| plain_path(&file.value));
    let (old_path, new_path) = (path(held), path(new));
    if old_path == new_path {
        return None;
    }
    let words = |path: Option<String>| path.unwrap_or_else(|| "none".into());
    Some(Difference {
        option: "Pidfile",
        old: words(old_path),
        new: words(new_path),
        old_origin: origin_of(held, "none is written"),
        new_origin: origin_of(new, "none is written"),
    })
}

impl Pending {
    /// Takes what the last look at the configuration found. What waits does so since the first look that found anything.
    pub fn look(&mut self, differences: Vec<Difference>, now: Millis) {
        self.since = match differences.is_empty() {
            true => None,
            false => self.since.or(Some(now)),
        };
        self.differences = differences;
    }

    /// Since when a restart is required; `None` where none is.
    #[must_use]
    pub fn since(&self) -> Option<Millis> {
        self.since
    }

    /// What a restart would change.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

/// `User: ecuser (994) is in force, mail (8) waits for a restart`.
impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} is in force, {} waits for a restart", self.option, self.old, self.new)
    }
}

fn origin_of<T>(value: Option<&Sourced<T>>, default: &'static str) -> Origin {
    value.map_or(Origin::Default(default), |value| value.origin.clone())
}

fn identity(name: Option<&str>, id: u32) -> String {
    match name {
        Some(name) => format!("{} ({id})", stepdown_conf::shown(name)),
        None => id.to_string(),
    }
}

/// Whether the supplementary groups differ by more than what `User` and `Group` say already: the primary group is in the
/// list, and where none is written it is that of the user.
fn groups_differ(now: &Policy, new: &Policy) -> bool {
    let others = |policy: &Policy| {
        let mut groups = set(&policy.groups.value);
        groups.remove(&policy.group.value.id);
        groups
    };
    let follow = [now, new].iter().all(|policy| policy.groups.origin.place().is_none())
        && now.user.value.id != new.user.value.id;
    set(&now.groups.value) != set(&new.groups.value) && others(now) != others(new) && !follow
}

fn set(ids: &[u32]) -> BTreeSet<u32> {
    ids.iter().copied().collect()
}

fn ids(ids: &[u32]) -> String {
    match ids {
        [] => "none".to_owned(),
        ids => set(ids).iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// The new root directory; `/` is the one that the process has.
fn root(policy: &Policy) -> Option<String> {
    policy.chroot.as_ref().map(|chroot| plain_path(&chroot.value)).filter(|path| path != "/")
}

fn retained_words(policy: &Policy, capability_count: u8) -> String {
    if policy.stays_root() {
        return "all of root's".to_owned();
    }
    match policy.retained() {
        CapState::EMPTY => "none".to_owned(),
        state => canonical(&state, capability_count).to_string(),
    }
}

/// What later executions could at most hold; `None` is what the process was started with. The default is the rule of
/// the plan: what is retained, and all where the process stays root.
fn limit(policy: &Policy) -> Option<CapSet> {
    match policy.bounding_set.as_ref().map(|set| set.value) {
        Some(BoundingSet::Unchanged) => None,
        Some(BoundingSet::Exactly(set)) => Some(set),
        None if policy.stays_root() => None,
        None => Some(policy.retained().permitted.union(policy.retained().inheritable)),
    }
}

fn limit_words(policy: &Policy) -> String {
    match limit(policy) {
        None => "all".to_owned(),
        Some(set) if set.is_empty() => "none".to_owned(),
        Some(set) => set.to_string(),
    }
}

#[cfg(test)]
mod tests;
