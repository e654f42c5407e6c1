//! How a configuration names a user or a group: by name, or by number.
//!
//! A wrong reading here is root by accident: `setpriv --reuid=4294967295`, `su-exec ''` and others run the
//! program as user 0. So only two forms are accepted, a plain decimal id and a name that the system's name
//! service can be asked for, and every other text is refused with the reason. Sources: credentials(7),
//! setresuid(2) (4294967295 means "leave unchanged"), useradd(8) for names.
//!
//! Not for: looking anything up; crate `kernel` asks the name service.

use alloc::string::String;
use core::fmt;

/// A user or a group as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A name, to be looked up through the system's name service.
    Name(String),
    /// A number, 0 to 4294967294.
    Id(u32),
}

/// Why a text is not an [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// Nothing is written.
    Empty,
    /// A minus or plus sign stands in front.
    Sign,
    /// 4294967295, which setresuid(2) reads as "do not change".
    Unchanged,
    /// A number above 4294967294; the kernel's ids have 32 bits, and what does not fit would wrap, to 0 at worst.
    TooLarge,
    /// A number with leading zeros, which could be meant as octal.
    LeadingZero,
    /// A name that begins with a digit: a typing error of a number, or hexadecimal.
    DigitFirst,
    /// White space, a control character, or one of `:` `,` `/`, none of which a name of passwd(5) or group(5) has.
    Character(char),
    /// Longer than the 256 bytes that name services agree on (`LOGIN_NAME_MAX`).
    TooLong,
}

impl Identity {
    /// Reads a name or an id.
    ///
    /// # Errors
    /// Any text that is neither a plain decimal in 0…4294967294 nor usable as a name.
    ///
    /// ```
    /// use stepdown_security::identity::{Identity, IdentityError};
    /// assert_eq!(Identity::parse("994"), Ok(Identity::Id(994)));
    /// assert_eq!(Identity::parse("ecuser"), Ok(Identity::Name("ecuser".into())));
    /// assert_eq!(Identity::parse("4294967295"), Err(IdentityError::Unchanged));
    /// assert_eq!(Identity::parse("0x0"), Err(IdentityError::DigitFirst));
    /// ```
    pub fn parse(text: &str) -> Result<Identity, IdentityError> {
        let Some(first) = text.chars().next() else { return Err(IdentityError::Empty) };
        if text.len() > 256 {
            return Err(IdentityError::TooLong);
        }
        if let Some(bad) =
            text.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, ':' | ',' | '/'))
        {
            return Err(IdentityError::Character(bad));
        }
        if matches!(first, '-' | '+') {
            return Err(IdentityError::Sign);
        }
        if !first.is_ascii_digit() {
            return Ok(Identity::Name(text.into()));
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdentityError::DigitFirst);
        }
        if text.len() > 1 && first == '0' {
            return Err(IdentityError::LeadingZero);
        }
        match text.parse::<u32>() {
            Ok(u32::MAX) => Err(IdentityError::Unchanged),
            Ok(id) => Ok(Identity::Id(id)),
            Err(_) => Err(IdentityError::TooLarge),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Name(name) => f.write_str(name),
            Identity::Id(id) => write!(f, "{id}"),
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::Empty => f.write_str("it is empty; an empty name has been taken for user 0 before"),
            IdentityError::Sign => f.write_str("it begins with a sign; ids are plain decimal and names never begin so"),
            IdentityError::Unchanged => {
                f.write_str("setresuid(2) and setresgid(2) read 4294967295 (-1) as `leave unchanged`, which would keep root")
            }
            IdentityError::TooLarge => f.write_str("ids end at 4294967294; a larger number would wrap around"),
            IdentityError::LeadingZero => {
                f.write_str("a leading zero could mean octal; ids are plain decimal")
            }
            IdentityError::DigitFirst => {
                f.write_str("it begins with a digit but is not a plain decimal number; no name begins with a digit")
            }
            IdentityError::Character(c) => write!(f, "it contains '{c}', which no name and no number has"),
            IdentityError::TooLong => f.write_str("it is longer than 256 bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_decimals_are_ids() {
        assert_eq!(Identity::parse("0"), Ok(Identity::Id(0)));
        assert_eq!(Identity::parse("4294967294"), Ok(Identity::Id(4_294_967_294)));
    }

    #[test]
    fn names_are_kept_as_written() {
        for name in ["ecuser", "_apt", "systemd-network", "Debian-exim", "a.b", "user$", "jürgen", "٣"] {
            assert_eq!(Identity::parse(name), Ok(Identity::Name(name.into())));
        }
    }

    #[test]
    fn nothing_odd_becomes_an_identity() {
        use IdentityError as E;
        for (text, error) in [
            ("", E::Empty),
            ("-1", E::Sign),
            ("+0", E::Sign),
            ("4294967295", E::Unchanged),
            ("4294967296", E::TooLarge),
            ("18446744073709551616", E::TooLarge),
            ("0x0", E::DigitFirst),
            ("1e3", E::DigitFirst),
            ("00", E::LeadingZero),
            ("0994", E::LeadingZero),
            (" root", E::Character(' ')),
            ("root\n", E::Character('\n')),
            ("root:x", E::Character(':')),
            ("\u{0}", E::Character('\0')),
            ("7zip", E::DigitFirst),
        ] {
            assert_eq!(Identity::parse(text), Err(error), "{text:?}");
        }
    }
}
