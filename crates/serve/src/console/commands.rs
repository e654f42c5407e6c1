//! The one table of the console's commands. Parsing, `help`, completion in the client and `docs/console.md` read it.
//!
//! What was typed becomes a [`Command`]; what it does is in [`answer`](super::answer). Not for: who may give it, which is
//! for [`authority`](super::authority), and what words behind it name, which is for the configuration.

mod help;
mod parse;

pub use help::help;
pub use parse::{Parsed, Usage, parse};

use super::authority::Rights;

/// A command of the console.
#[derive(Debug)]
pub struct Spec {
    /// Which it is.
    pub key: Key,
    /// What is typed: one word, or two.
    pub name: &'static str,
    /// The arguments behind it, as the synopsis shows them.
    pub arguments: &'static str,
    /// What it does, one line.
    pub summary: &'static str,
    /// What it does, in paragraphs.
    pub description: &'static [&'static str],
    /// What a peer has to be allowed.
    pub needs: Rights,
    /// Whether `--origin` means something to it.
    pub origin: bool,
    /// Whether it is left out where commands are listed: it is for programs.
    pub hidden: bool,
}

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Key {
    Get,
    Eval,
    Show,
    ShowRecurse,
    Locate,
    Set,
    Unset,
    Begin,
    Commit,
    Rollback,
    Replay,
    Reload,
    Writeback,
    Status,
    Services,
    Listeners,
    Pid,
    Version,
    Restart,
    Shutdown,
    Help,
    Quit,
    Handover,
}

/// A command with what was typed behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line.
    Nothing,
    /// `config get`, with the way to the option.
    Get(Vec<String>),
    /// `config eval`.
    Eval(Vec<String>),
    /// `config show`, with the way to the scope.
    Show(Vec<String>),
    /// `config showrecurse`.
    ShowRecurse(Vec<String>),
    /// `config locate`, with the name and the regular expression.
    Locate(Vec<String>),
    /// `config set`, with all that was typed behind it: the way to the option, and its value.
    Set(String),
    /// `config unset`, with the way to the option or scope.
    Unset(Vec<String>),
    /// `config begin`.
    Begin {
        /// From an empty configuration.
        from_scratch: bool,
    },
    /// `config commit`.
    Commit,
    /// `config rollback`.
    Rollback,
    /// `config replay`.
    Replay,
    /// `config reload`, with the main file if another is named.
    Reload(Option<String>),
    /// `config writeback`, with the file if one is named.
    Writeback(Option<String>),
    /// `status`.
    Status,
    /// `services`.
    Services,
    /// `listeners`.
    Listeners,
    /// `pid`.
    Pid,
    /// `version`.
    Version,
    /// `restart`, with the name of the service.
    Restart(String),
    /// `shutdown`.
    Shutdown,
    /// `help`, with the words of a command.
    Help(Vec<String>),
    /// `quit`.
    Quit,
    /// `handover`, with the console that is meant.
    Handover(Option<String>),
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a machine.
    Json,
}

/// Every command, in the order in which they are listed.
pub const COMMANDS: &[Spec] = &[
    Spec {
        key: Key::Status,
        name: "status",
        arguments: "",
        summary: "how the server is, and whether somebody has to do something",
        description: &[
            "The first line says whether all is well. A changed Security scope, which takes a restart, is shown with each \
             option, its value in force, the new one and its place in the file. Services that are not ready have a line each.",
        ],
        ..LOOK
    },
    Spec {
        key: Key::Services,
        name: "services",
        arguments: "",
        summary: "each service: its state, process, starts, and how it ended last",
        description: &["A replacement that failed stays visible here until the next one."],
        ..LOOK
    },
    Spec {
        key: Key::Listeners,
        name: "listeners",
        arguments: "",
        summary: "each listening socket, and the service that has it",
        ..LOOK
    },
    Spec { key: Key::Pid, name: "pid", arguments: "", summary: "the server's process id", ..LOOK },
    Spec {
        key: Key::Version,
        name: "version",
        arguments: "",
        summary: "the version of the server that runs",
        ..LOOK
    },
    Spec {
        key: Key::Show,
        name: "config show",
        arguments: "[SCOPE...] [OPTION] [--origin]",
        summary: "a scope of the running configuration, inner ones as `Listen \":25\" { ... }`",
        description: &[
            "SCOPE is the way from the outside in: a scope's name, and its instance where it has one. Names are the same in any \
             case; instances are compared exactly, and are quoted where they hold white space or quotes.",
            "With --origin, below each value, where it is from and what it overrode. Within a transaction it is the \
             configuration as the transaction would make it; so it is with all questions.",
        ],
        origin: true,
        ..LOOK
    },
    Spec {
        key: Key::ShowRecurse,
        name: "config showrecurse",
        arguments: "[SCOPE...] [--origin]",
        summary: "a scope with everything in it",
        origin: true,
        ..LOOK
    },
    Spec {
        key: Key::Get,
        name: "config get",
        arguments: "[SCOPE...] OPTION [--origin]",
        summary: "one option, where it is set in that very scope",
        origin: true,
        ..LOOK
    },
    Spec {
        key: Key::Eval,
        name: "config eval",
        arguments: "[SCOPE...] OPTION [--origin]",
        summary: "what holds for one option: set there, in an outer scope, or its default",
        origin: true,
        ..LOOK
    },
    Spec {
        key: Key::Locate,
        name: "config locate",
        arguments: "NAME [REGEX] [--origin]",
        summary: "every scope and option of that name whose instance, or value, matches",
        origin: true,
        ..LOOK
    },
    Spec {
        key: Key::Set,
        name: "config set",
        arguments: "[SCOPE...] OPTION [=] VALUE",
        summary: "give an option a value in the running configuration",
        description: &[
            "VALUE is what a file could have: a word, a text in quotes, ( a list ) or [ key = value ]. Outside a transaction it \
             is applied at once, as a reload would be: if anything is wrong, nothing changes. Files change at `config \
             writeback`. A new Security scope is accepted, and waits for a restart.",
        ],
        ..CHANGE
    },
    Spec {
        key: Key::Unset,
        name: "config unset",
        arguments: "[SCOPE...] [OPTION]",
        summary: "take an option, or a whole scope, out of the running configuration",
        description: &["The answer is the value that is effective now. The outermost scope can't be unset."],
        ..CHANGE
    },
    Spec {
        key: Key::Begin,
        name: "config begin",
        arguments: "[from scratch]",
        summary: "begin a transaction of this session: changes wait for `config commit`",
        description: &[
            "Others see nothing of it, and it ends with the session. `from scratch` begins with an empty configuration. Of two \
             transactions the first to be committed wins; the other is refused, and `config replay` repeats its changes on what \
             is there now.",
        ],
        ..CHANGE
    },
    Spec {
        key: Key::Commit,
        name: "config commit",
        arguments: "",
        summary: "apply what this session's transaction has changed, all of it or nothing",
        ..CHANGE
    },
    Spec {
        key: Key::Rollback,
        name: "config rollback",
        arguments: "",
        summary: "give this session's transaction up",
        ..CHANGE
    },
    Spec {
        key: Key::Replay,
        name: "config replay",
        arguments: "",
        summary: "repeat the transaction's changes on the present configuration",
        ..CHANGE
    },
    Spec {
        key: Key::Reload,
        name: "config reload",
        arguments: "[PATH]",
        summary: "read everything anew from the files and apply it, undoing online changes",
        description: &[
            "If anything is wrong, nothing changes, and `Reconfigure failed` follows the reasons. What can't change while the \
             server runs is named and waits for a restart. With PATH, that is the main file from now on.",
        ],
        ..CHANGE
    },
    Spec {
        key: Key::Writeback,
        name: "config writeback",
        arguments: "[PATH]",
        summary: "write online changes into the files that they belong to",
        description: &[
            "Only the bytes that must change do, a file is replaced whole or not at all, and its owner and mode stay. What can't \
             be saved is printed. With PATH, the changes go into that file instead.",
        ],
        ..CHANGE
    },
    Spec {
        key: Key::Restart,
        name: "restart",
        arguments: "SERVICE",
        summary: "replace the processes of a service; its sockets stay open meanwhile",
        description: &[
            "The new process is started, and the old one told to finish when the new one is ready. A service that was given up is \
             tried again. For the server itself there is the command `stepdown restart`.",
        ],
        ..CHANGE
    },
    Spec {
        key: Key::Shutdown,
        name: "shutdown",
        arguments: "",
        summary: "end the services, then the server",
        ..CHANGE
    },
    Spec {
        key: Key::Help,
        name: "help",
        arguments: "[COMMAND]",
        summary: "the commands, or one of them in full",
        ..LOOK
    },
    Spec { key: Key::Quit, name: "quit", arguments: "", summary: "end this session", ..LOOK },
    Spec {
        key: Key::Handover,
        name: "handover",
        arguments: "ENDPOINT",
        summary: "give the listening sockets to a successor, which is root",
        description: &[
            "For `stepdown restart` and `stepdown serve --replace`. ENDPOINT is the console that they were told to ask: a server that does \
             not listen there refuses, since somebody has led them astray.",
        ],
        needs: Rights::Root,
        hidden: true,
        ..LOOK
    },
];

/// What a row has if it says nothing else: it looks, and is listed.
const LOOK: Spec = Spec {
    key: Key::Help,
    name: "",
    arguments: "",
    summary: "",
    description: &[],
    needs: Rights::Look,
    origin: false,
    hidden: false,
};

/// Likewise for what changes something.
const CHANGE: Spec = Spec { needs: Rights::Change, ..LOOK };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_table() {
        let page = include_str!("../../../../docs/console.md");
        let start = page.find("| command |").expect("it has a table");
        let table: Vec<&str> =
            page[start..].lines().take_while(|line| line.starts_with('|')).skip(2).collect();
        let row = |spec: &Spec| {
            let mark = if spec.needs == Rights::Change { "* " } else { "" };
            let synopsis = format!("{} {}", spec.name, spec.arguments);
            format!("| {mark}`{}` | {} |", synopsis.trim_end(), spec.summary)
        };
        let rows: Vec<String> = COMMANDS.iter().filter(|spec| !spec.hidden).map(row).collect();
        assert_eq!(table, rows);
    }

    #[test]
    fn no_command_is_there_twice() {
        for (index, one) in COMMANDS.iter().enumerate() {
            assert!(!COMMANDS[..index].iter().any(|other| other.key == one.key || other.name == one.name));
        }
    }
}
