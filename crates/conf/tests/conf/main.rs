//! The language from outside: whole files, what they come to, and what is said about broken ones.
//!
//! Expectations are text beside the fixtures. `UPDATE_EXPECTATIONS=1 cargo test -p stepdown-conf` writes them anew; read
//! the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing to unwrap has failed")]

mod documented;
mod editing;
mod fixtures;
mod forms;
mod limits;
mod loading;
mod printing;
mod roundtrip;
