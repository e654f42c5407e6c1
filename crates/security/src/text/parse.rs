//! cap_from_text(3).
//!
//! ```text
//! text   := space* (clause space+)* clause?
//! clause := list "=" flag* action*       the capabilities of the list lose all three flags, then get these
//!         | list action+                 they keep what the actions do not name
//!         | "=" flag*                    without a list: all that the kernel knows
//! action := ("+" | "-") flag+
//! list   := item ("," item)*             item := a name, a number to 63, or "all"
//! flag   := "e" | "i" | "p"              lower case alone; repeating one is harmless
//! ```
//!
//! A clause has no white space inside it, and nothing but white space ends it.

use super::error::{TextError, TextErrorKind};
use super::item::{Cursor, Item, is_space};
use super::state::CapState;
use crate::capability::CapSet;

/// Reads capability text as cap_from_text(3) does on a kernel that knows `count` capabilities.
///
/// Later clauses work on what earlier ones left. Empty text is the empty state. Nothing is allocated unless there
/// is an error to tell.
///
/// ```
/// use stepdown_security::text::{CapState, parse};
/// assert_eq!(parse("", 41), Ok(CapState::EMPTY));
/// assert_eq!(parse("=ep", 41)?.permitted.len(), 41);
/// assert_eq!(parse("all=p cap_chown-p", 41)?.permitted.len(), 40);
/// assert_eq!(parse("0x1,CAP_CHOWN+p", 41)?.permitted.bits(), 0b11);
/// assert!(parse("cap_chown", 41).is_err());
/// # Ok::<(), stepdown_security::text::TextError>(())
/// ```
///
/// # Errors
///
/// Where libcap fails with EINVAL, and for a NUL byte, which a C string cannot hold. The first trouble is told.
pub fn parse(text: &str, count: u8) -> Result<CapState, TextError> {
    parse_bytes(text.as_bytes(), count)
}

/// [`parse`] for bytes, which is what a C string is made of.
///
/// # Errors
///
/// The same. Bytes that are not ASCII are never right.
pub fn parse_bytes(text: &[u8], count: u8) -> Result<CapState, TextError> {
    let known = CapSet::first(count);
    let mut cursor = Cursor { text, at: 0 };
    let mut state = CapState::EMPTY;
    loop {
        cursor.skip_space();
        if cursor.peek().is_none() {
            return Ok(state);
        }
        clause(&mut cursor, known, &mut state)?;
    }
}

#[inline]
fn clause(cursor: &mut Cursor<'_>, known: CapSet, state: &mut CapState) -> Result<(), TextError> {
    let (list, listed) = if cursor.at_item() { (list(cursor, known)?, true) } else { (known, false) };
    match cursor.peek() {
        Some(b'=') => {
            cursor.at += 1;
            change(state, ALL_FLAGS, list, Change::Take);
            change(state, flags(cursor)?, list, Change::Add);
        }
        Some(b'+' | b'-') => {}
        _ => return no_operator(cursor, listed),
    }
    loop {
        let operation = match cursor.peek() {
            Some(b'+') => Change::Add,
            Some(b'-') => Change::Take,
            // `flags` stops nowhere else but at white space and at the end.
            _ => return Ok(()),
        };
        if !listed {
            return cursor.error(1, TextErrorKind::MissingList);
        }
        cursor.at += 1;
        let flags = flags(cursor)?;
        if flags == 0 {
            return cursor.error(0, TextErrorKind::MissingFlags);
        }
        change(state, flags, list, operation);
    }
}

#[inline]
fn list(cursor: &mut Cursor<'_>, known: CapSet) -> Result<CapSet, TextError> {
    let mut list = CapSet::EMPTY;
    loop {
        match cursor.item()? {
            Item::One(capability) => list.insert(capability),
            // Not a union: libcap forgets what stood before it, and so `63,all` is without 63. Where the kernel knows
            // all that was named, as it should, that is no difference.
            Item::All => list = known,
        }
        if cursor.peek() != Some(b',') {
            return Ok(list);
        }
        cursor.at += 1;
        if !cursor.at_item() {
            return cursor.error(0, TextErrorKind::MissingName);
        }
    }
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Take,
}

/// Which of the three sets a clause speaks of, a bit each: effective, inheritable, permitted.
type Flags = u8;

const ALL_FLAGS: Flags = 0b111;

/// Reads flags up to white space, the end, or the next `+` or `-`.
#[inline]
fn flags(cursor: &mut Cursor<'_>) -> Result<Flags, TextError> {
    /// Looked up instead of compared, and below masked instead of chosen: which flags come next is anybody's guess, and
    /// a processor that guesses wrong loses more time than all else here takes.
    static FLAG: [Flags; 256] = {
        let mut flag = [0; 256];
        flag[b'e' as usize] = 0b001;
        flag[b'i' as usize] = 0b010;
        flag[b'p' as usize] = 0b100;
        flag
    };
    let mut flags = 0;
    loop {
        let next = cursor.peek();
        let flag = next.map_or(0, |byte| FLAG[usize::from(byte)]);
        if flag == 0 {
            return match next {
                None | Some(b'+' | b'-') => Ok(flags),
                Some(byte) if is_space(byte) => Ok(flags),
                Some(b',') => cursor.error(1, TextErrorKind::CommaAfterFlags),
                Some(b'=') => cursor.error(1, TextErrorKind::LateEquals),
                Some(byte) => cursor.error(1, TextErrorKind::BadFlag(byte)),
            };
        }
        flags |= flag;
        cursor.at += 1;
    }
}

#[inline]
fn change(state: &mut CapState, flags: Flags, list: CapSet, operation: Change) {
    let sets = [&mut state.effective, &mut state.inheritable, &mut state.permitted];
    for (flag, set) in sets.into_iter().enumerate() {
        // All of the list, or nothing.
        let mask = 0_u64.wrapping_sub(u64::from(flags >> flag & 1));
        let flagged = list.intersection(CapSet::from_bits(mask));
        *set = match operation {
            Change::Add => set.union(flagged),
            Change::Take => set.difference(flagged),
        };
    }
}

#[cold]
fn no_operator(cursor: &Cursor<'_>, listed: bool) -> Result<(), TextError> {
    match cursor.peek() {
        Some(byte) if !(listed && is_space(byte)) => cursor.error(1, TextErrorKind::Unexpected(byte)),
        _ => cursor.error(0, TextErrorKind::MissingOperator),
    }
}
