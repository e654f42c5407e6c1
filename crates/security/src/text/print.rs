//! cap_to_text(3).
//!
//! The text begins with `=` and the flags that most capabilities have, which is left out where those are no flags
//! and another clause follows; then come the others, a clause for each combination of flags.

use super::state::CapState;
use crate::capability::CapSet;
use alloc::string::String;
use core::fmt::{self, Write};

/// The text that cap_to_text(3) makes of a state on a kernel that knows `count` capabilities.
///
/// [`parse`](super::parse) with the same count makes the same state of it again.
///
/// ```
/// use stepdown_security::text::{CapState, canonical, parse};
/// assert_eq!(canonical(&CapState::EMPTY, 41), "=");
/// assert_eq!(canonical(&parse("all+ep cap_chown-e 1-p", 41)?, 41), "=ep cap_chown-e cap_dac_override-p");
/// # Ok::<(), stepdown_security::text::TextError>(())
/// ```
#[must_use]
pub fn canonical(state: &CapState, count: u8) -> String {
    // Room for a handful of names, so that the usual text is one allocation.
    let mut text = String::with_capacity(128);
    // Writing to a String cannot fail.
    let _ = Canonical { state: *state, count }.write(&mut text);
    text
}

/// [`canonical`] without the `String`: displays as the same text.
#[derive(Clone, Copy, Debug)]
pub struct Canonical {
    /// The state to be written.
    pub state: CapState,
    /// How many capabilities the kernel knows.
    pub count: u8,
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl Canonical {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let known = CapSet::first(self.count);
        let usual = self.usual(known);
        // `= a,b=p` may be shortened to `a,b=p`, but not where `=` is all there is, and not where the first clause
        // is one of the unknown capabilities: libcap does not.
        let mut bare = usual == 0 && !known.intersection(self.state.mentioned()).is_empty();
        if !bare {
            out.write_char('=')?;
            flags(out, usual)?;
        }
        let mut first = bare;
        for combination in COMBINATIONS {
            let set = self.having(combination).intersection(known);
            if combination == usual || set.is_empty() {
                continue;
            }
            if !first {
                out.write_char(' ')?;
            }
            first = false;
            names(out, set)?;
            let (more, less) = (combination & !usual, usual & !combination);
            if more != 0 {
                out.write_char(if bare { '=' } else { '+' })?;
                bare = false;
                flags(out, more)?;
            }
            if less != 0 {
                out.write_char('-')?;
                flags(out, less)?;
            }
        }
        // What the kernel does not know is never part of the default, so it can only be added.
        for combination in COMBINATIONS {
            let set = self.having(combination).difference(known);
            if combination == 0 || set.is_empty() {
                continue;
            }
            out.write_char(' ')?;
            names(out, set)?;
            out.write_char('+')?;
            flags(out, combination)?;
        }
        Ok(())
    }

    /// The combination of flags that most of the known capabilities have; of equals, the one with the smallest
    /// number.
    fn usual(&self, known: CapSet) -> u8 {
        let mut usual = (0, self.having(0).intersection(known).len());
        for combination in 1..8 {
            let count = self.having(combination).intersection(known).len();
            if count > usual.1 {
                usual = (combination, count);
            }
        }
        usual.0
    }

    /// The capabilities that have exactly this combination of flags.
    fn having(&self, combination: u8) -> CapSet {
        let CapState { effective, permitted, inheritable } = self.state;
        let side = |set: CapSet, flag| if combination & flag != 0 { set.bits() } else { !set.bits() };
        CapSet::from_bits(
            side(effective, EFFECTIVE) & side(permitted, PERMITTED) & side(inheritable, INHERITABLE),
        )
    }
}

/// libcap's numbers for the flags; they decide the order of the clauses.
const EFFECTIVE: u8 = 1;
const PERMITTED: u8 = 2;
const INHERITABLE: u8 = 4;

/// In the order in which their clauses are written.
const COMBINATIONS: [u8; 8] = [7, 6, 5, 4, 3, 2, 1, 0];

fn names(out: &mut impl Write, set: CapSet) -> fmt::Result {
    for (index, capability) in set.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        match capability.name() {
            Some(name) => out.write_str(name)?,
            None => write!(out, "{}", capability.number())?,
        }
    }
    Ok(())
}

fn flags(out: &mut impl Write, combination: u8) -> fmt::Result {
    for (flag, letter) in [(EFFECTIVE, 'e'), (INHERITABLE, 'i'), (PERMITTED, 'p')] {
        if combination & flag != 0 {
            out.write_char(letter)?;
        }
    }
    Ok(())
}
