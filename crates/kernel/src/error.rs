//! Why there is no answer: an error number of the kernel's, or an answer that can't be made sense of.

use alloc::borrow::Cow;
use core::fmt;

use stepdown_security::errno::Errno;

/// Why the kernel did not say what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It answered with this error number.
    Errno(Errno),
    /// It answered something that can't be, in words.
    Words(Cow<'static, str>),
}

impl Error {
    /// The error number; EIO where there is none.
    #[must_use]
    pub fn number(&self) -> Errno {
        self.errno().unwrap_or(Errno(libc::EIO))
    }

    /// The error number, if there is one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Errno(errno) => Some(*errno),
            Error::Words(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Errno(errno) => errno.fmt(f),
            Error::Words(words) => f.write_str(words),
        }
    }
}

impl core::error::Error for Error {}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error::Errno(errno)
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Error {
        Error::Errno(number_of(errno))
    }
}

/// The number of an error of a bare call.
pub(crate) fn number_of(error: rustix::io::Errno) -> Errno {
    Errno(error.raw_os_error())
}

impl From<&'static str> for Error {
    fn from(words: &'static str) -> Error {
        Error::Words(words.into())
    }
}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        match error {
            Error::Errno(errno) => std::io::Error::from_raw_os_error(errno.0),
            Error::Words(words) => std::io::Error::other(words),
        }
    }
}
