//! The crate without a kernel: texts become requests, requests policies, policies plans; and the kernel's rules one by
//! one. That the rules are the kernel's is shown by the tests of crate `stepdown-kernel`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod execve;
mod plan;
mod plan_refused;
mod request;
mod request_refused;
mod resolve;
mod rules;
mod rules_moves;
mod states;
