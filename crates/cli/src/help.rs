//! `--help` of the program, printed from the table of [`crate::flags`]. That of a command is in crate `stepdown-launcher`.

pub(crate) use stepdown_launcher::help::wrap;
use stepdown_launcher::help::{flags, of_command, row};

use crate::flags::{COMMANDS, Command, EVERYWHERE};

/// The help of a command, or of the program.
pub(crate) fn text(command: Option<&'static Command>) -> String {
    match command {
        Some(command) => of_command(command, &typed(command)),
        None => of_program(),
    }
}

/// The synopsis of a command, one line.
pub(crate) fn synopsis(command: &Command) -> String {
    stepdown_launcher::help::synopsis(command, &typed(command))
}

fn typed(command: &Command) -> String {
    format!("stepdown {}", command.name)
}

fn of_program() -> String {
    let mut text = String::from(
        "stepdown: start as root, serve without it, and have it proven\n\nUsage: stepdown COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n",
    );
    for command in COMMANDS {
        row(&mut text, &format!("  {}", command.name), 15, command.summary);
    }
    text.push_str("\nFlags:\n");
    flags(&mut text, EVERYWHERE.iter());
    text.push_str("\n`stepdown COMMAND --help` tells more of each.\n");
    text
}
