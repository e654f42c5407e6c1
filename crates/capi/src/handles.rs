//! The handles that callers hold: numbers in a table, none of which is given out twice.
//!
//! A number is odd and carries its kind, so that neither an address nor a handle of another kind is taken for one. What a
//! handle stands for is shared: freed while another thread works with it, it ends when that thread is done. Texts are
//! memory of the caller's, told apart by their addresses. Not for: what is done with any of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepdown::{Planned, Security};

use crate::types::Failure;

/// A plan, what it says, and itself until it is applied.
pub(crate) struct Plan {
    pub(crate) words: String,
    pub(crate) planned: Mutex<Option<Planned>>,
}

/// Puts a scope into the table; its number.
pub(crate) fn add_scope(scope: Security) -> Result<usize, Failure> {
    SCOPES.add(scope)
}

/// The scope of that number.
pub(crate) fn scope(number: usize) -> Result<Arc<Security>, Failure> {
    SCOPES.get(number)
}

/// Puts another scope in the place of one, with the same number. Whoever works with the old one goes on with it.
pub(crate) fn replace_scope(number: usize, make: impl FnOnce(&Security) -> Security) -> Result<(), Failure> {
    SCOPES.replace(number, make)
}

/// Takes a scope out of the table.
pub(crate) fn free_scope(number: usize) -> Result<(), Failure> {
    SCOPES.free(number)
}

/// Puts a plan into the table; its number.
pub(crate) fn add_plan(plan: Plan) -> Result<usize, Failure> {
    PLANS.add(plan)
}

/// The plan of that number.
pub(crate) fn plan(number: usize) -> Result<Arc<Plan>, Failure> {
    PLANS.get(number)
}

/// Takes a plan out of the table.
pub(crate) fn free_plan(number: usize) -> Result<(), Failure> {
    PLANS.free(number)
}

/// Notes that the caller owns a text of that length at that address.
pub(crate) fn add_text(address: usize, length: usize) {
    // Should the address be there already, the caller has given the text to free(3).
    locked(&TEXTS).insert(address, length);
}

/// The length of the text at that address, which the caller owns no more.
pub(crate) fn free_text(address: usize) -> Result<usize, Failure> {
    let mut texts = locked(&TEXTS);
    let length = texts.remove(&address).ok_or_else(|| {
        Failure::invalid(
            "no-such-text",
            "this text was freed already, or is not of this library",
            "free each text once, and with stepdown_text_free",
        )
    })?;
    if texts.is_empty() {
        *texts = BTreeMap::new();
    }
    Ok(length)
}

static SCOPES: Table<Security> = Table::new("scope", 1);
static PLANS: Table<Plan> = Table::new("plan", 3);
static TEXTS: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// How far the numbers of one kind are apart.
const DISTANCE: usize = 8;

/// The handles of one kind.
struct Table<T> {
    name: &'static str,
    /// The last three bits of every number.
    kind: usize,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    given: usize,
    by_number: BTreeMap<usize, Arc<T>>,
}

impl<T> Table<T> {
    const fn new(name: &'static str, kind: usize) -> Table<T> {
        Table { name, kind, entries: Mutex::new(Entries { given: 0, by_number: BTreeMap::new() }) }
    }

    fn add(&self, value: T) -> Result<usize, Failure> {
        let mut entries = locked(&self.entries);
        let number =
            entries.given.checked_add(1).and_then(|next| next.checked_mul(DISTANCE)?.checked_add(self.kind));
        let Some(number) = number else {
            return Err(Failure::invalid(
                "no-handle-left",
                "there are no handles left",
                "have fewer, for longer",
            ));
        };
        entries.given += 1;
        entries.by_number.insert(number, Arc::new(value));
        Ok(number)
    }

    fn get(&self, number: usize) -> Result<Arc<T>, Failure> {
        let entries = locked(&self.entries);
        entries.by_number.get(&number).cloned().ok_or_else(|| self.none(&entries, number))
    }

    fn replace(&self, number: usize, make: impl FnOnce(&T) -> T) -> Result<(), Failure> {
        // Made under the lock, so that of two threads neither undoes what the other has said.
        let mut entries = locked(&self.entries);
        match entries.by_number.get_mut(&number) {
            Some(entry) => *entry = Arc::new(make(entry)),
            None => return Err(self.none(&entries, number)),
        }
        Ok(())
    }

    fn free(&self, number: usize) -> Result<(), Failure> {
        let mut entries = locked(&self.entries);
        let Some(freed) = entries.by_number.remove(&number) else {
            return Err(self.none(&entries, number));
        };
        if entries.by_number.is_empty() {
            // An empty map may keep memory, which whoever looks for leaks would be shown.
            entries.by_number = BTreeMap::new();
        }
        // What it takes to end it, closing descriptors, is not done under the lock.
        drop(entries);
        drop(freed);
        Ok(())
    }

    fn none(&self, entries: &Entries<T>, number: usize) -> Failure {
        let name = self.name;
        if number == 0 {
            return Failure::invalid(
                "null-pointer",
                format!("the {name} is a null pointer"),
                "look at the status of the call that was to store it",
            );
        }
        let was = number % DISTANCE == self.kind && number / DISTANCE <= entries.given;
        let message = if was {
            format!("this {name} was freed already")
        } else {
            format!("this is no handle of a {name}")
        };
        Failure::invalid("no-such-handle", message, "keep a handle until it is freed, and free it once")
    }
}

/// What is behind a lock. Nobody panics while holding one; if somebody did, the table would still be whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_until_it_is_freed_and_never_again() {
        static TABLE: Table<u8> = Table::new("thing", 5);
        let (one, other) = (TABLE.add(1).unwrap(), TABLE.add(2).unwrap());
        assert!(one != other && one % 2 == 1 && one % DISTANCE == 5);
        let held = TABLE.get(one).unwrap();
        TABLE.replace(other, |value| value + 7).unwrap();
        TABLE.free(one).unwrap();
        assert!(TABLE.replace(one, |_| unreachable!()).is_err());
        assert_eq!((*held, *TABLE.get(other).unwrap()), (1, 9));
        assert_ne!(TABLE.add(3).unwrap(), one);
        let code = |failure: Failure| failure.findings[0].message.clone();
        assert_eq!(code(TABLE.free(one).unwrap_err()), "this thing was freed already");
        assert_eq!(code(TABLE.get(one + DISTANCE * 9).unwrap_err()), "this is no handle of a thing");
        assert_eq!(code(TABLE.get(one - 2).unwrap_err()), "this is no handle of a thing");
        assert_eq!(code(TABLE.get(0).unwrap_err()), "the thing is a null pointer");
    }
}
