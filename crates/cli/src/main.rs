//! The program `stepdown`. What it can do is in the table of [`flags`]; what a command does is in the module of its
//! name; what a user of the library would miss is not here but in crate `stepdown`.
#![cfg_attr(not(test), no_main)]

mod arguments;
mod caps;
mod check;
mod completions;
mod config;
mod console;
mod demo;
mod explain;
mod flags;
mod help;
mod man;
mod output;
mod program;
mod proof;
mod restart;
mod run;
mod serve;
mod status;
mod table;

use std::ffi::{c_char, c_int};

use arguments::{Typed, UsageError};
use flags::Key;
use stepdown::report;

/// Exit status when stepdown refuses or fails, so that it is told apart from the program's own.
pub(crate) const REFUSED: u8 = 125;

/// Exit status for a command line that can't be understood, of every command but `run`.
const USAGE: u8 = 2;

/// The C library's entry point instead of Rust's: the latter would ignore SIGPIPE, which the executed program would
/// inherit, and read `/proc/self/maps` for a guard page that a program this short-lived never touches.
#[allow(unsafe_code)]
// SAFETY: no other symbol of the program is called `main`, and its type is that of C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn main(_count: c_int, _vector: *const *const c_char) -> c_int {
    if let Err(error) = stepdown_kernel::descriptors::fill_standard() {
        output::error(&format!(
            "stepdown: error: a standard descriptor is closed, and /dev/null can't be opened: {error}\n"
        ));
        return c_int::from(REFUSED);
    }
    let status = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Typed::Help(command)) => {
            output::out(&help::text(command));
            0
        }
        Ok(Typed::Version) => {
            output::out(&help::version());
            0
        }
        Ok(Typed::Command(arguments)) => {
            let result = match arguments.command.key {
                Key::Run => run::run(&arguments),
                Key::Check => check::run(&arguments),
                Key::Caps => caps::run(&arguments),
                Key::Status => status::run(&arguments),
                Key::Config => config::run(&arguments),
                Key::Serve => serve::run(&arguments),
                Key::Restart => restart::run(&arguments),
                Key::Console => console::run(&arguments),
                Key::Demo => demo::run(&arguments),
                Key::Explain => explain::run(&arguments),
                Key::Man => man::run(&arguments),
                Key::Completions => completions::run(&arguments),
            };
            result.unwrap_or_else(|error| usage(&error))
        }
        Err(error) => usage(&error),
    };
    c_int::from(status)
}

fn usage(error: &UsageError) -> u8 {
    let mut text = format!("stepdown: error: {}\n", report::clean(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    match error.command {
        Some(command) => text.push_str(&format!("  usage: {}\n", help::synopsis(command))),
        None => text.push_str("  usage: stepdown COMMAND ...; `stepdown --help` lists the commands\n"),
    }
    output::error(&text);
    match error.command {
        Some(command) if command.key == Key::Run => REFUSED,
        _ => USAGE,
    }
}
