//! stepdown(1): the program as a whole.

use stepdown::source::{CONFIGURATION_DIRECTORY, MAIN_FILE, SEARCH_PATH_VARIABLES};
use stepdown_kernel::program::DEFAULT_PATH;

use super::{Page, pages, roff::Text};
use crate::flags::{COMMANDS, EVERYWHERE};

pub(super) fn write(page: &mut Text) {
    page.name("stepdown", "start as root, serve without it, and have it proven");
    page.section("SYNOPSIS");
    page.synopsis("stepdown COMMAND [FLAG...] [ARGUMENT...]");
    page.section("DESCRIPTION");
    page.opening(
        "`stepdown` lets an Internet server start as root and then serve without it. One scope in a configuration file, \
         `Security`, says which user and groups the server becomes, which directory is its root, and which of root's \
         privileges, the capabilities of capabilities(7), it retains. `stepdown` brings the process there, reads back from the \
         kernel that it got there, on every thread, and starts nothing otherwise.",
    );
    page.paragraph(
        "Whatever is ambiguous, contradictory or impossible on this host is refused before anything has changed, with the \
         place in the file, the reason, and what to write instead. The set of capabilities in the file is the whole set; \
         none is ever dropped or added in silence.",
    );
    page.paragraph("The scope and the language around it are described in stepdown.conf(5).");
    page.section("COMMANDS");
    for command in COMMANDS {
        page.term(&format!("stepdown {}", command.name), &format!("{}.", command.summary));
    }
    page.paragraph(
        "Each has a page of its own, such as stepdown-run(1), and tells of itself when given --help.",
    );
    page.section("OPTIONS");
    flags(page, EVERYWHERE.iter());
    exit(page);
    environment(page);
    files(page);
    page.section("EXAMPLES");
    page.opening(
        "A server on a privileged port, as a user that can do nothing else. The file `server.conf`:",
    );
    page.example("Security {\n  user = www-data\n  Capabilities = \"cap_net_bind_service+ep\"\n}");
    page.paragraph("Whether it would start here, then the start:");
    page.example(
        "# stepdown check -c server.conf -- nginx\n# stepdown run -c server.conf -- nginx -g 'daemon off;'",
    );
    page.paragraph("In a systemd.service(5) that has neither User= nor CapabilityBoundingSet= of its own:");
    page.example("ExecStart=/usr/bin/stepdown run -c /etc/server.conf -- /usr/sbin/nginx -g 'daemon off;'");
    page.paragraph("All of it in private, with nothing to configure, as root or as anybody:");
    page.example("$ stepdown demo");
    let mut also: Vec<(String, char)> = pages().skip(1).map(Page::title).collect();
    also.extend([("setpriv".into(), '1'), ("capsh".into(), '1'), ("capabilities".into(), '7')]);
    also.push(("credentials".into(), '7'));
    page.see_also(&also);
}

/// A list of flags, each with its value.
pub(super) fn flags<'a>(page: &mut Text, list: impl Iterator<Item = &'a crate::flags::Flag>) {
    for flag in list {
        let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        page.entry(&format!("{short}--{}{value}", flag.long), &format!("{}.", flag.help));
    }
}

fn exit(page: &mut Text) {
    page.section("EXIT STATUS");
    page.opening(
        "That of `stepdown run` is the executed program's own, or 125, 126 or 127, as of env(1), where the program was \
         not started. The other commands:",
    );
    page.term("0", "yes, or done.");
    page.term("1", "no: something is wrong with what was looked at.");
    page.term("2", "the command line can't be understood.");
    page.term("125", "this host does not allow what the command has to do.");
    page.paragraph("The page of each command says what its own mean.");
}

fn environment(page: &mut Text) {
    page.section("ENVIRONMENT");
    page.term(
        SEARCH_PATH_VARIABLES[0],
        "replaces the path that configuration files are looked for along: directories separated by colons, in which \
         {NODENAME} stands for the host name up to its first dot.",
    );
    page.term(SEARCH_PATH_VARIABLES[1], &format!("the same, where {} is not set.", SEARCH_PATH_VARIABLES[0]));
    page.term(
        "PATH",
        &format!(
            "where a program named without a slash is looked for, in the new root directory; without it {}.",
            DEFAULT_PATH.replace(':', ", ")
        ),
    );
    page.term(
        "LISTEN_FDS, LISTEN_PID",
        "the descriptors of socket activation, sd_listen_fds(3), which `run` leaves open where they are meant for this \
         process.",
    );
    page.term(
        "NO_COLOR",
        "set to anything but nothing: no colours, on a terminal either. A `TERM` of dumb means the same.",
    );
    page.paragraph("For the program that is executed, HOME, USER and LOGNAME follow the new user.");
}

fn files(page: &mut Text) {
    page.section("FILES");
    page.opening("Without -c, the first of these that is there is the configuration, stepdown.conf(5):");
    for (directory, what) in [
        ("global", "for every node of a cluster."),
        ("{NODENAME}", "for the node of that name: the host name up to its first dot."),
        ("default", "for whatever has none of the others."),
    ] {
        page.term(&format!("{CONFIGURATION_DIRECTORY}/{directory}/{MAIN_FILE}"), what);
    }
}
