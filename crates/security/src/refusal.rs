//! Why a plan is refused, in words: what, where, the rule behind it, and what to do instead.
//!
//! Each function looks at one kind of trouble and returns findings; [`crate::plan`] asks them in turn before
//! anything is done. Not for: deciding what is possible, which the rules do ([`crate::rules`], [`crate::execve`]).

mod execve;
mod host;
mod policy;
mod steps;

pub(crate) use execve::{of_execve, of_file_capabilities};
pub(crate) use host::{of_bounding_set, of_host, of_situation};
pub(crate) use policy::{of_policy, of_text, open_ways};
pub(crate) use steps::{of_end, of_step};
