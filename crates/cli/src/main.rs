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
mod proof;
mod restart;
mod serve;
mod status;
mod table;

use std::ffi::{c_char, c_int};

use arguments::UsageError;
use flags::Key;
use stepdown::Environment;
pub(crate) use stepdown_launcher::REFUSED;
use stepdown_launcher::arguments::Typed;
use stepdown_launcher::run;

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
    let status = match arguments::parse() {
        Ok(Typed::Help(command)) => {
            output::out(&help::text(command));
            0
        }
        Ok(Typed::Version) => {
            output::out(&stepdown_launcher::help::version("stepdown"));
            0
        }
        Ok(Typed::Command(typed)) => command(typed).unwrap_or_else(|error| usage(&error)),
        Err(error) => usage(&error),
    };
    c_int::from(status)
}

fn command(typed: stepdown_launcher::arguments::Arguments) -> Result<u8, UsageError> {
    match typed.command.key {
        Key::Run => match run::run(&typed, &Environment::of_process()) {
            Err(error) => Err(error),
        },
        Key::Check => check::run(&typed.into()),
        Key::Caps => caps::run(&typed.into()),
        Key::Status => status::run(&typed.into()),
        Key::Config => config::run(&typed.into()),
        Key::Serve => serve::run(&typed.into()),
        Key::Restart => restart::run(&typed.into()),
        Key::Console => console::run(&typed.into()),
        Key::Demo => demo::run(&typed.into()),
        Key::Explain => explain::run(&typed.into()),
        Key::Man => man::run(&typed.into()),
        Key::Completions => completions::run(&typed.into()),
    }
}

fn usage(error: &UsageError) -> u8 {
    let synopsis = error.command.map(help::synopsis);
    run::complain(
        error,
        synopsis.as_deref().unwrap_or("stepdown COMMAND ...; `stepdown --help` lists the commands"),
    );
    match error.command {
        Some(command) if command.key == Key::Run => REFUSED,
        _ => USAGE,
    }
}
