//! What a process was started with besides its descriptors: its environment, and whether its own file gave it rights, environ(7).
//!
//! It is a value that is handed on, so that a program without the C library, which gets it from the stack that execve(2) laid,
//! and one with it are the same to all others. Not for: changing it.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ffi::CStr;

/// The environment of this process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    entries: Vec<Cow<'static, CStr>>,
    secure: bool,
}

impl Environment {
    /// As the C library has it now.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn of_process() -> Environment {
        use std::os::unix::ffi::OsStringExt;
        let entry = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let entry = [name.into_vec(), value.into_vec()].join(&b'=');
            std::ffi::CString::new(entry).ok().map(Cow::Owned)
        };
        let entries = std::env::vars_os().filter_map(entry).collect();
        Environment { entries, secure: crate::sys::is_secure_execution() }
    }

    /// As execve(2) gave it. `secure` is what `AT_SECURE` of getauxval(3) says.
    #[must_use]
    pub fn given(entries: impl Iterator<Item = &'static CStr>, secure: bool) -> Environment {
        Environment { entries: entries.map(Cow::Borrowed).collect(), secure }
    }

    /// The value of a variable; the first one counts, as for getenv(3).
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        self.entries().find_map(|entry| entry.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// All entries, `NAME=value`.
    pub fn entries(&self) -> impl Iterator<Item = &CStr> {
        self.entries.iter().map(AsRef::as_ref)
    }

    /// Whether this program was given rights by its own file, set-id bits or capabilities: then who started it may be anybody,
    /// and what he says must not steer it.
    #[must_use]
    pub fn is_secure_execution(&self) -> bool {
        self.secure
    }
}
