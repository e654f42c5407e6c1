//! The one table of commands and flags. Parsing, `--help`, and whatever else lists them reads it.
//!
//! What a command does is in the module of its name. What launching needs of the table is in crate `stepdown-launcher`.

mod server;

use server::{CONSOLE, RESTART, SERVE};
use stepdown_launcher::flags::RUN;
pub(crate) use stepdown_launcher::flags::{CONFIG, Command, EVERYWHERE, FORMAT, Flag, Key, Name};

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    RUN,
    Command {
        key: Key::Check,
        name: "check",
        operands: "[[--] PROGRAM] | --syntax FILE...",
        summary: "say whether `run` or `serve` would start, and everything that is wrong if not",
        description: &[
            "Everything that `run` looks at before it changes anything is looked at, by the user and on the host that the \
             command runs on; what this host causes is told apart from what the text says. With PROGRAM, its file is \
             looked at too. A file with a scope of `serve` and no PROGRAM is looked at as `serve` would, with the program of \
             each service; nothing is bound.",
            "With --syntax only the form of the files is looked at: names mean nothing, inclusions are not followed, and no \
             privilege is needed.",
        ],
        flags: &[
            CONFIG,
            Flag {
                name: Name::Syntax,
                short: None,
                long: "syntax",
                value: None,
                help: "look at the form of the named files alone, any number of them",
            },
            FORMAT,
        ],
        operands_end_flags: false,
        exit: &[
            ("0", "`run` would start"),
            ("1", "it would not; or, with --syntax, a file has an error"),
            ("2", "the command line is wrong"),
        ],
    },
    Command {
        key: Key::Explain,
        name: "explain",
        operands: "[[--] PROGRAM [ARGUMENT...]]",
        summary: "say in words what `run` would do, step by step, and what the program could do then",
        description: &[
            "Every value with where it comes from and what it overrides; every system call with what it changes; what execve(2) of \
             that very program file would do; and at the end, in plain words, what the program could do that another \
             unprivileged program can't, and what it could no longer do. With --graph the journey of every capability as a \
             picture.",
            "With --pid or --state it is not about a scope but about a process as it is, running or pasted: what it holds, what is \
             odd about that, and what execve(2) of PROGRAM would make of it, with the reason and what to do about it. A \
             pasted state is read strictly; securebits, which are not in it, are taken to be none.",
            "Needs no privilege and changes nothing. Whoever is not root sees what root would do.",
        ],
        flags: &[
            CONFIG,
            Flag {
                name: Name::Graph,
                short: None,
                long: "graph",
                value: None,
                help: "draw the journey of every capability, as an SVG",
            },
            Flag {
                name: Name::Pid,
                short: None,
                long: "pid",
                value: Some("PID"),
                help: "ask about this process instead",
            },
            Flag {
                name: Name::State,
                short: None,
                long: "state",
                value: Some("FILE"),
                help: "ask about this copy of a /proc/PID/status; - for standard input",
            },
            Flag {
                name: Name::Securebits,
                short: None,
                long: "securebits",
                value: Some("BITS"),
                help: "the securebits of that process, by number or name",
            },
            FORMAT,
        ],
        operands_end_flags: true,
        exit: &[
            ("0", "it was explained"),
            (
                "1",
                "`run` would refuse, or execve(2) would; no such process or program; the state can't be read",
            ),
            ("2", "the command line is wrong"),
        ],
    },
    Command {
        key: Key::Caps,
        name: "caps",
        operands: "[TEXT...] | --canonical - | --canonical TEXT...",
        summary: "what capabilities allow and how dangerous they are; capability text and masks",
        description: &[
            "Each TEXT is capability text (cap_net_raw+ep), names with or without cap_, a number from 0 to 63, or a mask in \
             hexadecimal: behind 0x, or the 16 digits of /proc/PID/status. It is answered with a table of its capabilities: what \
             each allows, which of the sets e, i and p it is in, and whether a hostile program that holds nothing else could make \
             itself root with it, and how. Below stand libcap's canonical text and the masks. Without TEXT the table has every \
             capability.",
            "With --canonical each TEXT, or each line of standard input for -, is read as cap_from_text(3) reads it and printed as \
             cap_to_text(3) prints it, one line each; a line that can't be read gives `error: ` and the reason.",
        ],
        flags: &[
            Flag {
                name: Name::Canonical,
                short: None,
                long: "canonical",
                value: None,
                help: "print libcap's canonical text, a line each",
            },
            FORMAT,
        ],
        operands_end_flags: false,
        exit: &[
            ("0", "every text could be read"),
            ("1", "at least one could not"),
            ("2", "the command line is wrong"),
        ],
    },
    Command {
        key: Key::Status,
        name: "status",
        operands: "[PID|NAME]",
        summary: "what a process holds, and where its threads differ",
        description: &[
            "Shows ids, groups, the five capability sets, no_new_privs, seccomp and root directory of a process, as the kernel \
             accounts for them. Its threads are compared: what one of them holds otherwise is shown below. NAME is the \
             command's name as the kernel keeps it (/proc/PID/comm, 15 bytes); every process of that name is shown. Without an \
             operand it is the process that called this one, such as the shell.",
            "The secure bits are shown only where the process is this very one: the kernel tells them to nobody else. The \
             root directory takes the right to trace the process.",
        ],
        flags: &[FORMAT],
        operands_end_flags: false,
        exit: &[
            ("0", "the process was shown"),
            ("1", "it is not there, ended meanwhile, or is hidden"),
            ("2", "the command line is wrong"),
        ],
    },
    Command {
        key: Key::Config,
        name: "config",
        operands: "show|showrecurse|get|eval|locate [SCOPE...] [OPTION]",
        summary: "what the files of a configuration come to, and where each value is from",
        description: &[
            "`show` answers with a scope, inner scopes as `Listen \":25\" { ... }`; `showrecurse` with all that is in \
             them; `get` with one option, where it is set in that very scope; `eval` with what holds, falling back to outer scopes and \
             then to the default (an option of Security has no outer scope: its default is next); `locate NAME [REGEX]` with every \
             scope and option of that name whose instance, or value, matches.",
            "SCOPE is the way from the outside in: a scope's name, and its instance where it has one, as one argument or as two: \
             `config show Esmtp_Listener Listen :25`. Names are the same in any case; instances are compared exactly.",
        ],
        flags: &[
            CONFIG,
            Flag {
                name: Name::Origin,
                short: None,
                long: "origin",
                value: None,
                help: "below each value, where it is from and what it overrode",
            },
            FORMAT,
        ],
        operands_end_flags: false,
        exit: &[
            ("0", "there is an answer"),
            ("1", "no such scope or option, it is not set, or the files have an error"),
            ("2", "the command line is wrong"),
        ],
    },
    SERVE,
    CONSOLE,
    RESTART,
    Command {
        key: Key::Demo,
        name: "demo",
        operands: "",
        summary: "show all of it on this machine, in private: a server on port 80 that steps down",
        description: &[
            "Makes a network and a user database of its own, runs a small server on port 80 of its loopback under an embedded \
             Security scope, connects to it, shows the process before and after side by side, and tries to get root back \
             from inside the server. Nothing outside is touched, and nothing is left behind.",
            "Not as root it does the same in a user namespace, where the kernel allows that, and says what differs.",
        ],
        flags: &[FORMAT],
        operands_end_flags: false,
        exit: &[
            ("0", "everything was as it must be"),
            ("1", "something was not"),
            ("2", "the command line is wrong"),
            ("125", "this host does not allow the demonstration"),
        ],
    },
    Command {
        key: Key::Man,
        name: "man",
        operands: "[COMMAND] | --list",
        summary: "print a manual page, as man(1) reads it",
        description: &[
            "Without COMMAND the page of the program, stepdown(1); with COMMAND that of the command; with stepdown.conf that of \
             the configuration file, stepdown.conf(5). To read one: stepdown man run | man -l -",
            "With --list the names of all pages, a line each, as files are called: each of them is a COMMAND too.",
        ],
        flags: &[Flag {
            name: Name::List,
            short: None,
            long: "list",
            value: None,
            help: "print the names of all pages, a line each",
        }],
        operands_end_flags: false,
        exit: &[("0", "the page was printed"), ("2", "the command line is wrong, or there is no such page")],
    },
    Command {
        key: Key::Completions,
        name: "completions",
        operands: "bash|zsh|fish",
        summary: "print what makes a shell complete the command line of stepdown",
        description: &[
            "For bash: source <(stepdown completions bash), or put it into a file `stepdown` below \
             ~/.local/share/bash-completion/completions. For zsh: into a file `_stepdown` in a directory of fpath, or source it \
             after compinit. For fish: into ~/.config/fish/completions/stepdown.fish, or pipe it to source.",
        ],
        flags: &[],
        operands_end_flags: false,
        exit: &[("0", "it was printed"), ("2", "the command line is wrong, or the shell is another")],
    },
];
