//! The console: the socket on which a running server answers.
//!
//! [`commands`] is the table of what can be asked, [`wire`] the form of requests and replies, [`authority`] who may ask for
//! what, [`sessions`] the connected peers, and [`answer`] what is done. The loop that waits for them is the server's;
//! the client is the program's. Follows `docs/console.md`.

pub mod answer;
pub mod authority;
pub mod commands;
pub mod lines;
pub mod report;
pub mod sessions;
pub mod wire;
pub mod words;
