//! The tests of the program `stepdown`, on the real kernel and with real programs, as one binary.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod commands;
mod compare;
mod completions;
mod containers;
mod containers_runc;
mod demo;
mod examples;
mod explain;
mod faults;
mod faults_seccomp;
mod guide;
mod input;
mod launch_bench;
mod look_caps;
mod look_config;
mod look_status;
mod man;
mod package;
mod pitfalls_kernel;
mod pitfalls_launchers;
mod real_chroot;
mod real_cluster;
mod real_exec;
mod real_ping;
mod run;
mod servers;
mod servers_nginx;
mod servers_smtp;
mod servers_unbound;
mod support;
mod text_benches;
mod threads;
