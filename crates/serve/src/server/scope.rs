//! The `Security` scope that is in force: what was asked for at the start, and what was proven.

use stepdown::Proof;
use stepdown::service::Grounds;
use stepdown_security::policy::Policy;
use stepdown_security::request::Request;
use stepdown_security::text::canonical;

/// The scope, from the step-down on. Nothing in it changes any more.
#[derive(Debug)]
pub(super) struct Scope {
    /// As it was written.
    pub(super) request: Request,
    /// As it was resolved.
    pub(super) policy: Policy,
    /// What services are started from.
    pub(super) grounds: Grounds,
    pub(super) proof: Proof,
    pub(super) capability_count: u8,
}

impl Scope {
    /// Whom files belong to that the server makes.
    pub(super) fn owner(&self) -> (u32, u32) {
        owner(&self.policy)
    }

    /// In rows of a name and words, for a person.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let named = |name: Option<&str>, id: u32| match name {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        };
        let (user, group) = (&self.policy.user.value, &self.policy.group.value);
        let state = &self.proof.state;
        let sets = |words: String| if words.is_empty() { "none".to_owned() } else { words };
        let retained = if self.policy.stays_root() {
            "all of root's".to_owned()
        } else {
            sets(canonical(&self.policy.retained(), self.capability_count).to_string())
        };
        let mut rows = vec![
            ("user", named(user.name.as_deref(), user.id)),
            ("group", named(group.name.as_deref(), group.id)),
            ("groups", sets(state.groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))),
            ("capabilities", retained),
        ];
        if let Some(chroot) = &self.policy.chroot {
            rows.push(("chroot", chroot.value.clone()));
        }
        rows.push(("no_new_privs", state.no_new_privs.to_string()));
        rows
    }

    /// What was proven, in words.
    pub(super) fn proof(&self) -> String {
        let threads = match self.proof.threads {
            1 => "1 thread".to_owned(),
            several => format!("{several} threads"),
        };
        let ways = self.proof.attempts.len();
        format!(
            "the kernel's account of {threads} is as asked for; {ways} ways back to root were tried and refused"
        )
    }
}

/// Whom files belong to that are made for a policy.
pub(super) fn owner(policy: &Policy) -> (u32, u32) {
    (policy.user.value.id, policy.group.value.id)
}
