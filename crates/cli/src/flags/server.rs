//! The commands about a server that lives under its scope.

use super::{CONFIG, Command, FORMAT, Flag, Key, Name};

pub(super) const SERVE: Command = Command {
    key: Key::Serve,
    name: "serve",
    operands: "",
    summary: "start the services of the configuration under its Security scope, and live with them",
    description: &[
        "Stays in the foreground, as a service manager or a container starts it. All listeners are bound as root; then the process \
         itself steps down and is proven, before any service is started. Services get their sockets as sd_listen_fds(3) has \
         it, or with Accept one process for each connection; those that end are started again. SIGHUP, or `config reload` at \
         the console, takes over a changed configuration as a whole or not at all; SIGTERM ends.",
        "What changed in Security waits for a restart, which `status` at the console says. See stepdown.conf(5) and docs/serve.md \
         for the scopes Control_Listener and Service, sd_notify(3) for what a service manager is told.",
    ],
    flags: &[
        CONFIG,
        Flag {
            name: Name::Replace,
            short: None,
            long: "replace",
            value: None,
            help: "take the sockets of the server that runs, and let it end once this one serves",
        },
        FORMAT,
    ],
    operands_end_flags: false,
    exit: &[
        ("0", "it was told to end, and has ended"),
        ("125", "it was refused, and nothing was started; with --replace, the old server goes on"),
        ("2", "the command line is wrong"),
    ],
};

pub(super) const CONSOLE: Command = Command {
    key: Key::Console,
    name: "console",
    operands: "[ENDPOINT] [COMMAND...]",
    summary: "ask a running server, or change it while it runs",
    description: &[
        "ENDPOINT is the path of the server's console, told apart from a command by its slash. Without one it is that of the \
         configuration, the first Listen of Control_Listener, or /run/stepdown/console. COMMAND is one of the console's, \
         which `help` lists; its own flags, such as --format json, stand behind it. It is one argument or several, of which each \
         that is not a word, a text in quotes or a list in brackets is put into quotes.",
        "On a terminal and without COMMAND the console asks for commands, with line editing, history and completion. Otherwise \
         there is no banner and no prompt: each line of standard input is a command, blank lines and those that begin with # \
         are skipped, and one that fails does not keep the next from being given. What is refused is said on standard error.",
    ],
    flags: &[CONFIG, FORMAT],
    operands_end_flags: true,
    exit: &[
        ("0", "it was done; on a terminal, always"),
        ("1", "it was refused, the answer is \"no\", or no server can be reached"),
        ("2", "the command, or the command line, is wrong; of several commands the worst counts"),
    ],
};

pub(super) const RESTART: Command = Command {
    key: Key::Restart,
    name: "restart",
    operands: "[[--] COMMAND [ARGUMENT...]]",
    summary: "have a fresh process, root again, take the place of the running server; no connection is refused",
    description: &[
        "For what can't change in a process that runs: the Security scope. The configuration is looked at first, as a start would; \
         while it is refused, nothing is touched. Then the listening sockets of the running server are held open, so that \
         clients wait in their queues, while it ends and a fresh one starts, takes them over, steps down and serves.",
        "Without COMMAND the running server is told to end, and whoever started it has to start it again, as a supervisor or \
         Restart=always does. COMMAND ends the one and starts the other: stepdown restart -- systemctl restart UNIT. At a \
         terminal, `stepdown serve --replace` is the fresh process itself.",
    ],
    flags: &[
        CONFIG,
        Flag {
            name: Name::Timeout,
            short: None,
            long: "timeout",
            value: Some("SECONDS"),
            help: "how long the fresh server may take; 60 without it",
        },
        FORMAT,
    ],
    operands_end_flags: true,
    exit: &[
        ("0", "a fresh server serves"),
        ("1", "it was refused and nothing has changed, or no fresh server came: the message says which"),
        ("2", "the command line is wrong"),
    ],
};
