//! `stepdown run` as a program of its own: one small static file, without a C runtime, for images built from scratch and for what is
//! started thousands of times.
//!
//! What it does is in crate `stepdown-launcher`, and is the same as in the program `stepdown`. Here is what a C runtime would
//! do: the entry point ([`start`]), memory ([`memory`]), and the functions that compilers call ([`bytes`]).
#![no_std]
#![no_main]

mod bytes;
mod memory;
mod start;

use core::ffi::CStr;

use stepdown::Environment;
use stepdown_kernel::descriptors;
use stepdown_launcher::arguments::{Typed, parse};
use stepdown_launcher::flags::RUN;
use stepdown_launcher::{REFUSED, help, output, run};

const NAME: &str = "stepdown-run";

/// The whole program, given what execve(2) gave it: its exit status, if it was not replaced by another program.
fn main(words: impl Iterator<Item = &'static CStr>, environment: &Environment) -> u8 {
    if let Err(errno) = descriptors::fill_standard() {
        output::error(&alloc::format!(
            "stepdown: error: a standard descriptor is closed, and /dev/null can't be opened: {errno}\n"
        ));
        return REFUSED;
    }
    let error = match parse(words.skip(1), &[], Some(&RUN)) {
        Ok(Typed::Help(_)) => {
            output::out(&help::of_command(&RUN, NAME));
            return 0;
        }
        Ok(Typed::Version) => {
            output::out(&help::version(NAME));
            return 0;
        }
        Ok(Typed::Command(arguments)) => match run::run(&arguments, environment) {
            Err(error) => error,
        },
        Err(error) => error,
    };
    run::complain(&error, &help::synopsis(&RUN, NAME));
    REFUSED
}

extern crate alloc;
