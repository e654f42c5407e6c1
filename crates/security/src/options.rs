//! The options of the `Security` scope, in one table: everything that lists, checks or documents them reads this.
//!
//! Follows the manual's page "security — Scope for defining which permissions are retained by which user" and
//! the pages of its options; those marked [`OptionSpec::ours`] are Stepdown's own. Not for: reading values,
//! see [`crate::request`].

/// The scope's type as the language spells it.
pub const SCOPE: &str = "Security";

/// The user and group that the manual documents as the default of `user`.
pub const DEFAULT_IDENTITY: &str = "ecuser";

/// One option of the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Which option it is.
    pub key: Key,
    /// Its name as it is printed; names are compared without regard to case.
    pub name: &'static str,
    /// The form of its value.
    pub form: Form,
    /// What stands for it when it is not written, in words.
    pub default: &'static str,
    /// What it does, one line.
    pub summary: &'static str,
    /// Whether it is Stepdown's own and not in the manual.
    pub ours: bool,
}

/// Which option of the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The user to become.
    User,
    /// The primary group.
    Group,
    /// What is retained.
    Capabilities,
    /// The new root directory.
    Chroot,
    /// The supplementary groups.
    SupplementalGroups,
    /// Whether later executions may gain privilege.
    NoNewPrivs,
    /// The limit of what later executions may gain.
    BoundingSet,
    /// Solaris privileges, ignored.
    Privileges,
}

/// The form of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One word or string.
    Scalar,
    /// An array; a single word or string is an array of one.
    Array,
    /// on/off, true/false, yes/no, enabled/disabled, 1/0.
    Boolean,
}

/// What reading an option takes: a table of its own, so that who only reads does not carry what documents them.
pub(crate) const READ: [Read; 8] = [
    Read { key: Key::User, name: "User", form: Form::Scalar },
    Read { key: Key::Group, name: "Group", form: Form::Scalar },
    Read { key: Key::Capabilities, name: "Capabilities", form: Form::Scalar },
    Read { key: Key::Chroot, name: "Chroot", form: Form::Scalar },
    Read { key: Key::SupplementalGroups, name: "Supplemental_Groups", form: Form::Array },
    Read { key: Key::NoNewPrivs, name: "No_New_Privs", form: Form::Boolean },
    Read { key: Key::BoundingSet, name: "Bounding_Set", form: Form::Scalar },
    Read { key: Key::Privileges, name: "Privileges", form: Form::Scalar },
];

/// An entry of [`READ`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) key: Key,
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

impl Read {
    /// The option of that name, in any case.
    pub(crate) fn by_name(name: &str) -> Option<Read> {
        READ.into_iter().find(|option| option.name.eq_ignore_ascii_case(name))
    }
}

/// Every option, in the order of the documentation.
pub const OPTIONS: [OptionSpec; 8] = [
    OptionSpec {
        key: READ[0].key,
        name: READ[0].name,
        form: READ[0].form,
        default: "ecuser",
        summary: "the user the server becomes: a name or a number",
        ours: false,
    },
    OptionSpec {
        key: READ[1].key,
        name: READ[1].name,
        form: READ[1].form,
        default: "the primary group of User; ecuser where neither is written",
        summary: "the primary group: a name or a number",
        ours: false,
    },
    OptionSpec {
        key: READ[2].key,
        name: READ[2].name,
        form: READ[2].form,
        default: "none are retained",
        summary: "the capabilities the server retains, as capability text; the set is the whole set",
        ours: false,
    },
    OptionSpec {
        key: READ[3].key,
        name: READ[3].name,
        form: READ[3].form,
        default: "the root directory stays",
        summary: "the directory that becomes the root directory: an absolute path",
        ours: false,
    },
    OptionSpec {
        key: READ[4].key,
        name: READ[4].name,
        form: READ[4].form,
        default: "the groups that the system lists User in",
        summary: "the supplementary groups: names or numbers; () is none; the primary group is always in the list",
        ours: false,
    },
    OptionSpec {
        key: READ[5].key,
        name: READ[5].name,
        form: READ[5].form,
        default: "true",
        summary: "nothing that is executed later can gain privilege",
        ours: true,
    },
    OptionSpec {
        key: READ[6].key,
        name: READ[6].name,
        form: READ[6].form,
        default: "the retained capabilities",
        summary: "what later executions could at most hold: names of capabilities, or all",
        ours: true,
    },
    OptionSpec {
        key: READ[7].key,
        name: READ[7].name,
        form: READ[7].form,
        default: "nothing",
        summary: "Solaris privileges: accepted and ignored with a warning, for files shared with Solaris",
        ours: false,
    },
];

/// The option of that name, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.name.eq_ignore_ascii_case(name))
}

/// The entry of `key`.
#[must_use]
pub fn spec(key: Key) -> &'static OptionSpec {
    // The table has an entry for each key; the test below proves it.
    OPTIONS.iter().find(|option| option.key == key).unwrap_or(&OPTIONS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_entry() {
        for option in &OPTIONS {
            assert_eq!(spec(option.key), option);
            assert_eq!(by_name(&option.name.to_lowercase()), Some(option));
        }
        assert_eq!(by_name("capabilites"), None);
    }
}
