//! The configuration language of Stepdown: a lossless tree, includes, merged scopes, and where every value came from.
//!
//! ```
//! use stepdown_conf::{Config, Value};
//!
//! let text = "Security { user = root }\nsecurity { User = ecuser }\n";
//! let config = Config::from_text("example.conf", text).expect("it is well-formed");
//! let user = config.root().scope("Security", None).and_then(|scope| scope.option("user")).expect("it is set");
//!
//! let current = user.current();
//! assert!(matches!(current.value(), Value::Text(text) if text.text() == "ecuser"));
//! assert_eq!(config.place(current.span()).line, 2);
//! assert_eq!(user.history().count(), 2);
//! ```
//!
//! # Pitfalls
//!
//! - The crate does no input or output. Files are read by the caller's [`Loader`], whose care decides what a FIFO, a device
//!   or a file that others can write to does.
//! - It knows no option's or scope's name but `include`, `readonly_include` and `Local_Changes_File`. A misspelt option is
//!   for the crate that defines the options to find.
//! - Names of options and scopes are the same in any case, instances of scopes are not.
//!
//! The language is described in `docs/language.md`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub use config::{Assignment, Config, OVERLAY, Scope, Setting};
pub use edit::{Edit, NewText, NewValue, apply};
pub use finding::{Cause, Finding, Found, Place, Severity, Shown, Spot, shown, shown_path};
pub use load::{File, LoadError, Loaded, Loader, ReadOnly};
pub use nearest::nearest;
pub use paths::{node_name, search_path};
pub use sink::MAX_ERRORS;
pub use source::Span;
pub use tree::{Kind, Tree};
pub use value::{Text, Value, quote};
pub use word::shell_word;

use alloc::vec::Vec;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 64 << 20;
/// The most that the files of one configuration may have together, in bytes; a file counts each time it is included.
pub const MAX_TOTAL_BYTES: u64 = 128 << 20;
/// The most inclusions of one configuration, counting each file each time it is included.
pub const MAX_INCLUSIONS: u32 = 10_000;
/// How deep inclusions may follow each other.
pub const MAX_INCLUDE_DEPTH: usize = 64;
/// How deep scopes may nest, in one file and across inclusions.
pub const MAX_DEPTH: usize = 200;
/// The longest name, word or string, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Looks at the form of one file alone: every syntax error and warning, in order. No inclusion is followed.
pub fn syntax(name: &str, bytes: &[u8]) -> Vec<Finding> {
    load::read(name, bytes.into()).1
}

mod chars;
mod config;
mod count;
mod edit;
mod finding;
mod include;
mod lex;
mod lists;
mod load;
mod merge;
mod name;
mod nearest;
mod parse;
mod paths;
mod sink;
mod source;
mod tree;
mod unclosed;
mod value;
mod word;
