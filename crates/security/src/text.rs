//! Capability text: `cap_net_bind_service+ep` and its kin, read and written exactly as libcap 2.66 does.
//!
//! [`parse`] is cap_from_text(3) and [`canonical`] is cap_to_text(3), for every string and every state; a test
//! compares them with the library itself. The one addition: where libcap answers "Invalid argument",
//! [`TextError`] says what is wrong and where. [`parse_names`] reads a plain list of names, which libcap has no
//! text for.
//!
//! A *count* is the number of capabilities that a kernel knows: its last one, plus one. It decides what `all`
//! means, and which capabilities the canonical text can leave to its default, so it is a parameter here. No other
//! rule depends on it: a name or a number the kernel does not know is read all the same, as libcap reads it, and
//! must be refused by whoever knows the kernel.
//!
//! Not here: whether a process may have these capabilities, or could carry them through execve(2).
//!
//! ```
//! use stepdown_security::capability::{CapSet, Capability};
//! use stepdown_security::text;
//!
//! let state = text::parse("cap_net_admin,cap_net_raw=p cap_net_raw+e", 41)?;
//! assert_eq!(state.effective, CapSet::only(Capability::NET_RAW));
//! assert_eq!(text::canonical(&state, 41), "cap_net_raw=ep cap_net_admin+p");
//!
//! let error = text::parse("cap_net_raw+ep,cap_chown+p", 41).unwrap_err();
//! assert_eq!((error.offset, error.length), (14, 1));
//! assert_eq!(error.to_string(), "clauses are separated by white space, not by a comma");
//! # Ok::<(), text::TextError>(())
//! ```

mod error;
mod item;
mod names;
mod parse;
mod print;
mod state;

pub use error::{TextError, TextErrorKind};
pub use names::parse_names;
pub use parse::{parse, parse_bytes};
pub use print::{Canonical, canonical};
pub use state::CapState;
