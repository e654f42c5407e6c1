//! What the `Security` scope asks for, with every name resolved and every value knowing where it comes from.
//!
//! A [`Policy`] is made from a [`crate::request::Request`] and the answers of the name service by
//! [`crate::resolve`]; [`crate::plan`] makes the steps from it. Nothing of the running process is in here: the
//! same policy can be planned from many states.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use stepdown_conf::Place;

use crate::capability::CapSet;
use crate::text::CapState;

/// A resolved `Security` scope.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The user to become.
    pub user: Sourced<User>,
    /// The primary group to become.
    pub group: Sourced<Group>,
    /// The supplementary groups, the primary one included, sorted, each once.
    pub groups: Sourced<Vec<u32>>,
    /// The capabilities to retain; `None` where none are written, which root reads as "all".
    pub capabilities: Option<Sourced<CapState>>,
    /// The directory that becomes the root directory.
    pub chroot: Option<Sourced<String>>,
    /// Whether later executions are kept from gaining privilege.
    pub no_new_privs: Sourced<bool>,
    /// The limit of what later executions could hold; `None` for the default, the retained set.
    pub bounding_set: Option<Sourced<BoundingSet>>,
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it is written, or why it holds without being written.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It is written in a file.
    Written {
        /// Where the value that counts stands.
        place: Place,
        /// Where values stand that it overrides, oldest first.
        shadowed: Vec<Place>,
    },
    /// It is not written; this rule gives it.
    Default(&'static str),
}

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub id: u32,
    /// The account's name; none for an id without an account.
    pub name: Option<String>,
    /// The account's home directory; none for an id without an account.
    pub home: Option<String>,
}

/// A group to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group id.
    pub id: u32,
    /// Its name where known.
    pub name: Option<String>,
}

/// The value of `Bounding_Set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundingSet {
    /// `all`: it stays as the process was started with.
    Unchanged,
    /// Exactly these.
    Exactly(CapSet),
}

/// The options that mean something before any name is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nameless<'a> {
    pub(crate) capabilities: Option<&'a Sourced<CapState>>,
    pub(crate) bounding_set: Option<&'a Sourced<BoundingSet>>,
    pub(crate) chroot: Option<&'a Sourced<String>>,
}

impl<T> Sourced<T> {
    /// A value that is not written.
    pub fn default_of(value: T, rule: &'static str) -> Sourced<T> {
        Sourced { value, origin: Origin::Default(rule) }
    }

    /// Another value from the same place.
    pub fn map<U>(&self, change: impl FnOnce(&T) -> U) -> Sourced<U> {
        Sourced { value: change(&self.value), origin: self.origin.clone() }
    }
}

impl Origin {
    /// The place in a file, where there is one.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Origin::Written { place, .. } => Some(place),
            Origin::Default(_) => None,
        }
    }
}

impl Nameless<'_> {
    /// What `Capabilities` retains; empty where it is not written.
    pub(crate) fn retained(&self) -> CapState {
        self.capabilities.map(|capabilities| capabilities.value).unwrap_or_default()
    }

    /// Where `Capabilities` is written.
    pub(crate) fn capabilities_place(&self) -> Option<&Place> {
        self.capabilities.and_then(|capabilities| capabilities.origin.place())
    }
}

/// `server.conf:2:10, overrides base.conf:1:8`, or `default: …`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Written { place, shadowed } => {
                write!(f, "{place}")?;
                // The last that was overridden first: it is what would count without this one.
                for (index, place) in shadowed.iter().rev().enumerate() {
                    write!(f, "{}{place}", if index == 0 { ", overrides " } else { ", " })?;
                }
                Ok(())
            }
            Origin::Default(rule) => write!(f, "default: {rule}"),
        }
    }
}

impl Policy {
    /// The options that need no names.
    pub(crate) fn nameless(&self) -> Nameless<'_> {
        Nameless {
            capabilities: self.capabilities.as_ref(),
            bounding_set: self.bounding_set.as_ref(),
            chroot: self.chroot.as_ref(),
        }
    }

    /// What the scope retains: permitted, effective and inheritable sets as written; empty where none are.
    /// For root without `Capabilities` see [`Policy::stays_root`].
    #[must_use]
    pub fn retained(&self) -> CapState {
        self.capabilities.as_ref().map(|capabilities| capabilities.value).unwrap_or_default()
    }

    /// Whether the process stays fully root: user 0 with no `Capabilities` written, as the manual has it.
    #[must_use]
    pub fn stays_root(&self) -> bool {
        self.user.value.id == 0 && self.capabilities.is_none()
    }

    /// The home directory, user and login name that environ(7) should say: HOME, USER and LOGNAME.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 3] {
        use alloc::string::ToString;
        let user = &self.user.value;
        let name = user.name.clone().unwrap_or_else(|| user.id.to_string());
        let home = user.home.clone().filter(|home| !home.is_empty()).unwrap_or_else(|| "/".into());
        [("HOME", home), ("USER", name.clone()), ("LOGNAME", name)]
    }
}
