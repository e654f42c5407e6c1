//! Sets of capabilities, 64 bits wide as the kernel's are.
//!
//! Plain set algebra in `const` functions; which of the bits a kernel knows is the caller's business.

use super::table::Capability;
use core::fmt;

/// A set of capabilities: bit *n* is capability *n*, as in the `Cap…` lines of proc_pid_status(5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapSet(u64);

impl CapSet {
    /// No capability.
    pub const EMPTY: CapSet = CapSet(0);

    /// The set with these bits; all 64 are meaningful.
    #[must_use]
    pub const fn from_bits(bits: u64) -> CapSet {
        CapSet(bits)
    }

    /// The bits, capability *n* as bit *n*.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of this capability alone.
    #[must_use]
    pub const fn only(capability: Capability) -> CapSet {
        CapSet(1 << capability.number())
    }

    /// Every capability from 0 to `last`, which is included: what a kernel knows whose last is `last`.
    #[must_use]
    pub const fn upto(last: Capability) -> CapSet {
        CapSet(u64::MAX >> (63 - last.number()))
    }

    /// The first `count` capabilities; 64 or more is all of them, 0 none.
    #[must_use]
    pub const fn first(count: u8) -> CapSet {
        match count {
            0 => CapSet::EMPTY,
            1..=63 => CapSet::upto(Capability(count - 1)),
            _ => CapSet(u64::MAX),
        }
    }

    /// Whether the capability is in the set.
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & CapSet::only(capability).0 != 0
    }

    /// Adds one capability in place.
    pub const fn insert(&mut self, capability: Capability) {
        self.0 |= CapSet::only(capability).0;
    }

    /// Takes one capability out in place.
    pub const fn remove(&mut self, capability: Capability) {
        self.0 &= !CapSet::only(capability).0;
    }

    /// This set and one capability more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> CapSet {
        self.union(CapSet::only(capability))
    }

    /// This set less one capability.
    #[must_use]
    pub const fn without(self, capability: Capability) -> CapSet {
        self.difference(CapSet::only(capability))
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn difference(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// Whether all of this set is in the other.
    #[must_use]
    pub const fn is_subset(self, other: CapSet) -> bool {
        self.difference(other).is_empty()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many capabilities are in it.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The capability of the lowest number, if there is any.
    #[must_use]
    pub const fn lowest(self) -> Option<Capability> {
        if self.0 == 0 { None } else { Some(Capability(self.0.trailing_zeros() as u8)) }
    }

    /// The capabilities in it, by number, lowest first.
    #[must_use]
    pub const fn iter(self) -> Iter {
        Iter(self)
    }
}

/// The names in the order of their numbers, joined by commas; nothing at all for the empty set.
impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, capability) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match capability.name() {
                Some(name) => f.write_str(name)?,
                None => write!(f, "{}", capability.0)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl FromIterator<Capability> for CapSet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> CapSet {
        capabilities.into_iter().fold(CapSet::EMPTY, CapSet::with)
    }
}

impl IntoIterator for CapSet {
    type Item = Capability;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// The capabilities of a set, lowest number first; see [`CapSet::iter`].
#[derive(Clone, Debug)]
pub struct Iter(CapSet);

impl Iterator for Iter {
    type Item = Capability;

    fn next(&mut self) -> Option<Capability> {
        let capability = self.0.lowest()?;
        self.0.remove(capability);
        Some(capability)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Iter {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn sets_follow_the_laws_of_sets() {
        let a = CapSet::from_bits(0xf0f0_0000_0000_00ff);
        let b = CapSet::from_bits(0x00ff_0000_0000_0f0f);
        assert_eq!(a.union(b).bits(), a.bits() | b.bits());
        assert_eq!(a.intersection(b).bits(), a.bits() & b.bits());
        assert_eq!(a.difference(b).union(a.intersection(b)), a);
        assert!(a.intersection(b).is_subset(b) && !a.is_subset(b) && CapSet::EMPTY.is_subset(a));
        assert_eq!(a.iter().collect::<CapSet>(), a);
        assert_eq!((a.iter().len(), a.iter().count()), (a.len(), a.len()));
        for number in 0..64 {
            let capability = Capability::new(number).unwrap();
            assert_eq!(a.contains(capability), a.bits() >> number & 1 == 1);
            assert!(a.with(capability).contains(capability) && !a.without(capability).contains(capability));
            assert_eq!(CapSet::upto(capability).len(), usize::from(number) + 1);
            assert_eq!(CapSet::first(number).len(), usize::from(number));
            assert_eq!(CapSet::only(capability).lowest(), Some(capability));
        }
        assert_eq!(CapSet::first(64), CapSet::first(255));
        assert_eq!(CapSet::first(64).len(), 64);
    }

    #[test]
    fn sets_are_printed_by_name_in_the_order_of_numbers() {
        assert_eq!(CapSet::from_bits(1 << 63 | 1 << 41 | 1).to_string(), "cap_chown,41,63");
        assert_eq!(CapSet::EMPTY.to_string(), "");
    }
}
