//! The attribute `security.capability` of a file, in the layout of `linux/capability.h`, and whether it counts.
//!
//! Source: capabilities(7), "File capability extended attribute versioning" and "Namespaced file capabilities". Not
//! for: reading it from a file, which crate `kernel` does.

use crate::capability::CapSet;
use crate::credentials::Facts;
use crate::execve::FileCapabilities;
use crate::rule::Rule;

/// What the attribute says, as getxattr(2) shows it in a namespace. The kernel shows there as revision 2 what counts
/// because of the namespace's own user 0, or of one that has no id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The capabilities.
    pub capabilities: FileCapabilities,
    /// Revision 3: the id, as seen here, of the user that is 0 in the namespace they belong to.
    pub root: Option<u32>,
}

impl Attribute {
    /// Reads the bytes of revisions 1, 2 and 3; `None` for anything else, which the kernel does not store either
    /// (setxattr(2) is EINVAL), and with which execve(2) is EINVAL where a file has it all the same.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Attribute> {
        let word = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let set = |low: usize, high: usize| Some(u64::from(word(low)?) | u64::from(word(high)?) << 32);
        let magic = word(0)?;
        let (permitted, inheritable, root) = match (magic >> 24, bytes.len()) {
            (1, 12) => (u64::from(word(1)?), u64::from(word(2)?), None),
            (2, 20) => (set(1, 3)?, set(2, 4)?, None),
            (3, 24) => (set(1, 3)?, set(2, 4)?, Some(word(5)?)),
            _ => return None,
        };
        let capabilities = FileCapabilities {
            permitted: CapSet::from_bits(permitted),
            inheritable: CapSet::from_bits(inheritable),
            effective: magic & 1 != 0,
        };
        Some(Attribute { capabilities, root })
    }

    /// The bytes of revision 2 or 3.
    #[must_use]
    pub fn bytes(&self) -> alloc::vec::Vec<u8> {
        let FileCapabilities { permitted, inheritable, effective } = self.capabilities;
        let revision: u32 = if self.root.is_some() { 3 } else { 2 };
        let half = |set: CapSet, shift: u32| (set.bits() >> shift) as u32;
        let words = [
            revision << 24 | u32::from(effective),
            half(permitted, 0),
            half(inheritable, 0),
            half(permitted, 32),
            half(inheritable, 32),
        ];
        words.into_iter().chain(self.root).flat_map(u32::to_le_bytes).collect()
    }

    /// The capabilities that execve(2) takes account of in this namespace, if any.
    #[must_use]
    pub fn counts(&self, facts: &Facts) -> Option<FileCapabilities> {
        let foreign = self.root.is_some_and(|root| !facts.root_ids.contains(&root));
        if Rule::AttributeRoot.when(foreign) { None } else { Some(self.capabilities) }
    }
}
