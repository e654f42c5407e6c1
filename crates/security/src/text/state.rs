//! The three sets that capability text describes. See capabilities(7), "Thread capability sets".

use crate::capability::CapSet;

/// What libcap calls a capability state: the three sets of a process that capset(2) sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct CapState {
    /// What the kernel lets the process do now: the flag `e`.
    pub effective: CapSet,
    /// What the process may make effective: the flag `p`.
    pub permitted: CapSet,
    /// What a program with file capabilities of its own may get through execve(2): the flag `i`.
    pub inheritable: CapSet,
}

impl CapState {
    /// Nothing in any of the three sets.
    pub const EMPTY: CapState =
        CapState { effective: CapSet::EMPTY, permitted: CapSet::EMPTY, inheritable: CapSet::EMPTY };

    /// Everything that is in at least one of the three sets.
    #[must_use]
    pub const fn mentioned(&self) -> CapSet {
        self.effective.union(self.permitted).union(self.inheritable)
    }
}
