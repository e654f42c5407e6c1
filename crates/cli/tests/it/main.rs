//! The tests of the program `stepdown`, on the real kernel and with real programs, as one binary.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod commands;
mod demo;
mod examples;
mod faults;
mod faults_seccomp;
mod guide;
mod input;
mod launch_bench;
mod pitfalls_kernel;
mod pitfalls_launchers;
mod run;
mod servers;
mod servers_nginx;
mod servers_smtp;
mod servers_unbound;
mod support;
mod threads;
