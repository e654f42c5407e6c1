//! Linux capabilities, the `Security` scope as a policy, the plan of a transition, and the rules of the kernel.
//!
//! This crate computes; it never asks and never does. Text becomes a [`request::Request`], with the answers of the
//! name service a [`policy::Policy`], with the [`situation::Situation`] of a process a [`plan::Plan`]: a list of
//! [`step::Step`]s and the state that each must lead to. Crate `stepdown-kernel` reads, performs and observes.
//!
//! No I/O, no system calls, no `std`, no unsafe code. Sources: capabilities(7), credentials(7),
//! user_namespaces(7), the pages of the system calls that the steps name, and libcap's cap_from_text(3).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod capability;
pub mod credentials;
pub mod errno;
pub mod execve;
mod goal;
pub mod identity;
mod misplaced;
pub mod moves;
pub mod options;
pub mod plan;
pub mod policy;
mod refusal;
pub mod request;
pub mod resolve;
pub mod rule;
pub mod rules;
pub mod situation;
pub mod step;
pub mod text;
pub mod ways;
pub mod why;
