//! stepdown-COMMAND(1): one command, from its entry in the table of [`crate::flags`].

use super::program::flags;
use super::roff::Text;
use crate::flags::{Command, EVERYWHERE, Key};
use crate::help;

pub(super) fn write(page: &mut Text, command: &Command) {
    page.name(&format!("stepdown-{}", command.name), command.summary);
    page.section("SYNOPSIS");
    page.synopsis(&help::synopsis(command));
    if command.key == Key::Run {
        page.also(&stepdown_launcher::help::synopsis(command, "stepdown-run"));
    }
    page.section("DESCRIPTION");
    for (number, text) in command.description.iter().enumerate() {
        if number == 0 {
            page.opening(text);
        } else {
            page.paragraph(text);
        }
    }
    if command.key == Key::Run {
        page.paragraph(
            "`stepdown-run` is this command as a program of its own: one small static file that needs nothing beside it, for images \
             that hold nothing else and for what is started often. What it does, refuses, prints and answers is the same.",
        );
    }
    page.section("OPTIONS");
    flags(page, command.flags.iter().chain(&EVERYWHERE));
    page.section("EXIT STATUS");
    for (status, meaning) in command.exit {
        page.term(status, &format!("{meaning}."));
    }
    let examples = examples(command.key);
    if !examples.is_empty() {
        page.section("EXAMPLES");
        for (number, (what, typed)) in examples.iter().enumerate() {
            if number == 0 {
                page.opening(what);
            } else {
                page.paragraph(what);
            }
            page.example(typed);
        }
    }
    let mut also = vec![("stepdown".to_owned(), '1'), ("stepdown.conf".to_owned(), '5')];
    also.extend(more(command.key).iter().map(|(name, section)| ((*name).to_owned(), *section)));
    page.see_also(&also);
}

/// What is typed for what, one line to each.
fn examples(key: Key) -> &'static [(&'static str, &'static str)] {
    match key {
        Key::Run => &[
            ("As the first file along the search path has it:", "# stepdown run -- unbound -d"),
            (
                "With warnings and the proof on standard error:",
                "# stepdown run -v -c /etc/server.conf -- nginx -g 'daemon off;'",
            ),
            (
                "With a descriptor that the shell has opened left open:",
                "# stepdown run --pass-fd 3 -c server.conf -- ./server 3<secret.key",
            ),
        ],
        Key::Check => &[
            (
                "Everything that `run` would look at, for this program:",
                "# stepdown check -c /etc/server.conf -- nginx",
            ),
            (
                "The form alone, of files that are not in place yet, by anybody:",
                "$ stepdown check --syntax *.conf",
            ),
        ],
        Key::Explain => &[(
            "What `run` would do with this program, and what the program could do then:",
            "$ stepdown explain -c /etc/server.conf -- nginx",
        )],
        Key::Caps => &[
            ("What a capability allows:", "$ stepdown caps cap_net_raw"),
            (
                "What libcap makes of a text:",
                "$ stepdown caps --canonical 'cap_net_raw,cap_kill+p'\ncap_kill,cap_net_raw=p",
            ),
        ],
        Key::Status => &[("What every process of that name holds:", "$ stepdown status nginx")],
        Key::Config => &[
            (
                "Where the user comes from, and what it overrides:",
                "$ stepdown config get --origin Security User",
            ),
            ("The whole of it, inner scopes in full:", "$ stepdown config showrecurse -c /etc/server.conf"),
        ],
        Key::Man => &[("Read one:", "$ stepdown man run | man -l -")],
        Key::Completions => &[("In the shell that runs:", "$ source <(stepdown completions bash)")],
        _ => &[],
    }
}

/// Pages that tell more.
fn more(key: Key) -> &'static [(&'static str, char)] {
    match key {
        Key::Run => &[("stepdown-check", '1'), ("execve", '2'), ("capabilities", '7'), ("credentials", '7')],
        Key::Check => &[("stepdown-run", '1')],
        Key::Explain => &[("stepdown-run", '1'), ("execve", '2'), ("capabilities", '7')],
        Key::Status => &[("proc", '5'), ("capabilities", '7'), ("credentials", '7')],
        Key::Caps => &[("cap_from_text", '3'), ("getcap", '8'), ("capabilities", '7')],
        Key::Demo => &[("user_namespaces", '7')],
        Key::Man => &[("man", '1'), ("man", '7')],
        _ => &[],
    }
}
