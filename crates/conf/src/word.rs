//! A text as one word of a shell command: hints are there to be pasted, by root.
//!
//! Follows the quoting of sh(1). Not for: the quoting of the configuration language, see `quote`.

use alloc::borrow::Cow;
use alloc::format;

/// The text as one word that a shell takes for just that: as it is where nothing in it means anything, else in single
/// quotes.
///
/// ```
/// assert_eq!(stepdown_conf::shell_word("/etc/stepdown.conf"), "/etc/stepdown.conf");
/// assert_eq!(stepdown_conf::shell_word("/srv/a b; rm it's"), r"'/srv/a b; rm it'\''s'");
/// ```
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | '@' | '%');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}
