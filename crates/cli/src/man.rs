//! `stepdown man`: the manual pages, made from the table of [`crate::flags`] and the options of the scope.
//!
//! Follows man-pages(7) for the order of sections, and man(7) for the macros. Not for: the text on a terminal, which is
//! `--help` or man(1).

mod command;
mod program;
mod roff;
mod scope;

use crate::arguments::{Arguments, UsageError};
use crate::flags::{COMMANDS, Command, Name};
use crate::output;

/// The day on which the text of the pages last changed, as man(7) wants it in the title.
const DATE: &str = "2026-11-23";

/// A manual page.
#[derive(Clone, Copy)]
enum Page {
    /// stepdown(1).
    Program,
    /// stepdown-COMMAND(1).
    Command(&'static Command),
    /// stepdown.conf(5).
    Scope,
}

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let operands: Vec<_> = arguments.operands.iter().map(|operand| operand.to_string_lossy()).collect();
    if arguments.has(Name::List) {
        if !operands.is_empty() {
            return Err(arguments.wrong("--list takes no arguments"));
        }
        output::out(&pages().map(|page| format!("{}\n", page.file())).collect::<String>());
        return Ok(0);
    }
    let page = match &operands[..] {
        [] => Page::Program,
        [word] => pages().find(|page| page.is_called(word)).ok_or_else(|| unknown(arguments, word))?,
        _ => return Err(arguments.wrong("one page is printed at a time")),
    };
    output::out(&page.text());
    Ok(0)
}

/// Every page, in the order in which `--list` names them.
fn pages() -> impl Iterator<Item = Page> {
    [Page::Program].into_iter().chain(COMMANDS.iter().map(Page::Command)).chain([Page::Scope])
}

fn unknown(arguments: &Arguments, word: &str) -> UsageError {
    let names = COMMANDS.iter().map(|command| command.name).chain(["stepdown", "stepdown.conf"]);
    let hint =
        stepdown::conf::nearest(word, names).map(|name| format!("did you mean `stepdown man {name}`?"));
    UsageError { hint, ..arguments.wrong(&format!("there is no manual page `{}`", word.escape_debug())) }
}

impl Page {
    /// The name as it stands in the title of other manual pages, and the section.
    fn title(self) -> (String, char) {
        match self {
            Page::Program => ("stepdown".into(), '1'),
            Page::Command(command) => (format!("stepdown-{}", command.name), '1'),
            Page::Scope => ("stepdown.conf".into(), '5'),
        }
    }

    /// The name of its file.
    fn file(self) -> String {
        let (name, section) = self.title();
        format!("{name}.{section}")
    }

    /// Whether it is what `word` means: a command, a page, or a page's file.
    fn is_called(self, word: &str) -> bool {
        let command = matches!(self, Page::Command(command) if command.name == word);
        command || word == self.title().0 || word == self.file()
    }

    fn text(self) -> String {
        let (name, section) = self.title();
        let manual = if section == '5' { "File Formats" } else { "User Commands" };
        let mut page = roff::Text::new(&name, section, DATE, manual);
        match self {
            Page::Program => program::write(&mut page),
            Page::Command(command) => command::write(&mut page, command),
            Page::Scope => scope::write(&mut page),
        }
        page.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_by_its_names_and_no_other_has_them() {
        for page in pages() {
            let file = page.file();
            for word in [page.title().0, file.clone()] {
                let found: Vec<String> =
                    pages().filter(|other| other.is_called(&word)).map(Page::file).collect();
                assert_eq!(found, [file.as_str()], "{word}");
            }
        }
    }

    #[test]
    fn every_page_is_ascii_and_tells_of_every_flag() {
        for page in pages() {
            let text = page.text();
            assert!(text.is_ascii(), "{}", page.file());
            if let Page::Command(command) = page {
                for flag in command.flags {
                    let long = flag.long.replace('-', "\\-");
                    assert!(text.contains(&format!("\\-\\-{long}")), "{} in {}", flag.long, page.file());
                }
            }
        }
    }
}
