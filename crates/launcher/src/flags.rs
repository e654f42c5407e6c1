//! The table of commands and flags, as far as launching goes. Parsing, `--help`, and whatever else lists them reads it.
//!
//! What was typed is read by [`crate::arguments`].

/// A command of a program.
#[derive(Debug)]
pub struct Command {
    /// Which it is.
    pub key: Key,
    /// What is typed.
    pub name: &'static str,
    /// The arguments behind the flags, as the synopsis shows them.
    pub operands: &'static str,
    /// What it does, one line.
    pub summary: &'static str,
    /// What it does, in paragraphs.
    pub description: &'static [&'static str],
    /// Its flags besides those of every command.
    pub flags: &'static [Flag],
    /// Whether the first operand ends the flags: what follows belongs to another program.
    pub operands_end_flags: bool,
    /// Its exit status.
    pub exit: &'static [(&'static str, &'static str)],
}

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Launching.
    Run,
    /// Looking whether a launch would succeed.
    Check,
    /// Explaining capabilities.
    Caps,
    /// Showing a process.
    Status,
    /// Asking a configuration.
    Config,
    /// A server that lives.
    Serve,
    /// Speaking to it.
    Console,
    /// A fresh one in its place.
    Restart,
    /// Showing all of it.
    Demo,
    /// Saying what would happen, and why.
    Explain,
    /// Manual pages.
    Man,
    /// What shells complete.
    Completions,
}

/// A flag of a command.
#[derive(Debug)]
pub struct Flag {
    /// Which it is.
    pub name: Name,
    /// The letter behind one dash.
    pub short: Option<char>,
    /// The word behind two dashes.
    pub long: &'static str,
    /// What its value is called, where it takes one.
    pub value: Option<&'static str>,
    /// What it does, one line.
    pub help: &'static str,
}

/// Which flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `--config`.
    Config,
    /// `--verbose`.
    Verbose,
    /// `--pass-fd`.
    PassFd,
    /// `--format`.
    Format,
    /// `--syntax`.
    Syntax,
    /// `--canonical`.
    Canonical,
    /// `--list`.
    List,
    /// `--origin`.
    Origin,
    /// `--pid`.
    Pid,
    /// `--state`.
    State,
    /// `--securebits`.
    Securebits,
    /// `--graph`.
    Graph,
    /// `--replace`.
    Replace,
    /// `--timeout`.
    Timeout,
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// Launching a program.
pub const RUN: Command = Command {
    key: Key::Run,
    name: "run",
    operands: "[--] PROGRAM [ARGUMENT...]",
    summary: "bring this process under the Security scope, prove it, and execute PROGRAM in it",
    description: &[
        "Nothing is changed before the configuration, the names in it, this host and the program have been looked at; \
         whatever is wrong is refused with its place, the reason and a hint. Then the process becomes the user and \
         groups of the scope, keeps exactly the capabilities that it names, and the kernel's own account of every \
         thread is compared with that. Only if they are equal, and the ways back to root have been tried and refused, \
         PROGRAM is executed, under the same process id.",
        "On success nothing is printed, unless -v asks for it. HOME, USER and LOGNAME follow the new user. PROGRAM gets \
         the descriptors 0, 1, 2, those of --pass-fd, and those of socket activation (LISTEN_FDS with this process's \
         LISTEN_PID); all others are closed.",
    ],
    flags: &[
        CONFIG,
        Flag {
            name: Name::Verbose,
            short: Some('v'),
            long: "verbose",
            value: None,
            help: "print warnings and the proof on standard error",
        },
        Flag {
            name: Name::PassFd,
            short: None,
            long: "pass-fd",
            value: Some("N[,N...]"),
            help: "leave these descriptors open for PROGRAM",
        },
        FORMAT,
    ],
    operands_end_flags: true,
    exit: &[
        ("125", "stepdown refused or failed; PROGRAM was not started"),
        ("126", "PROGRAM can't be executed"),
        ("127", "PROGRAM is not there"),
        ("other", "that of PROGRAM"),
    ],
};

/// The flags of every command.
pub const EVERYWHERE: [Flag; 2] = [
    Flag { name: Name::Help, short: Some('h'), long: "help", value: None, help: "print this and exit" },
    Flag {
        name: Name::Version,
        short: Some('V'),
        long: "version",
        value: None,
        help: "print the version and exit",
    },
];

/// The configuration file.
pub const CONFIG: Flag = Flag {
    name: Name::Config,
    short: Some('c'),
    long: "config",
    value: Some("FILE"),
    help: "the configuration file; without it stepdown.conf along the search path",
};

/// How to print.
pub const FORMAT: Flag = Flag {
    name: Name::Format,
    short: None,
    long: "format",
    value: Some("text|json"),
    help: "for a person (text, the default) or a machine (json)",
};
