//! stepdown.conf(5): the `Security` scope, from the table of its options, and the language around it in short.

use stepdown::security::options::{Form, Key, OPTIONS, SCOPE};
use stepdown::source::{CONFIGURATION_DIRECTORY, MAIN_FILE};

use super::roff::Text;

pub(super) fn write(page: &mut Text) {
    page.name("stepdown.conf", "which user a server becomes, and which of root's privileges it retains");
    page.section("SYNOPSIS");
    page.opening(&format!("`{CONFIGURATION_DIRECTORY}/default/{MAIN_FILE}`"));
    page.example(
        "Security {\n  user = ecuser\n  group = ecuser\n  # Ports below 1024, also after a reload\n  \
         Capabilities = \"cap_net_bind_service+ep\"\n}",
    );
    scope(page);
    capabilities(page);
    language(page);
    files(page);
    page.section("EXAMPLES");
    page.opening("A name server without supplementary groups, on port 53:");
    page.example(
        "Security {\n  user = unbound\n  Supplemental_Groups = ()\n  Capabilities = \"cap_net_bind_service+ep\"\n}",
    );
    page.paragraph("Another root directory, and no capability at all:");
    page.example("Security { user = www-data  chroot = \"/srv/jail\" }");
    page.paragraph("Ids without accounts, as containers have them:");
    page.example("Security { user = 65532  group = 65532  Supplemental_Groups = () }");
    let also = [("stepdown", '1'), ("stepdown-run", '1'), ("stepdown-check", '1'), ("cap_from_text", '3')];
    let more = [("nsswitch.conf", '5'), ("capabilities", '7'), ("credentials", '7')];
    let all: Vec<(String, char)> =
        also.iter().chain(&more).map(|(name, section)| ((*name).to_owned(), *section)).collect();
    page.see_also(&all);
}

fn scope(page: &mut Text) {
    page.section("DESCRIPTION");
    page.opening(&format!(
        "The scope `{SCOPE}` stands at the top of a configuration, without a name of its own. Several of them, from one \
         file or several, are merged option by option; the last assignment wins, an array replaces, and what the later one \
         does not name stays. Without any, all options have their defaults: nothing that is left out makes a program stay \
         root."
    ));
    page.paragraph(
        "Names of options are the same in any case. An option that is not described here is an error. Scopes and options of \
         other software in the same file are read and left alone. Nothing in the scope can change in a running process: a \
         change needs a restart.",
    );
    page.section("OPTIONS");
    for option in &OPTIONS {
        let (form, value) = match option.form {
            Form::Scalar => ("one word or string", "VALUE"),
            Form::Array => ("an array; a single word is an array of one", "( VALUE ... )"),
            Form::Boolean => ("on or off, true or false, yes or no, enabled or disabled, 1 or 0", "SWITCH"),
        };
        page.entry(&format!("{} = {value}", option.name), &format!("{}.", option.summary));
        page.more(&format!("Value: {form}. Default: {}.", option.default));
        for text in rules(option.key) {
            page.more(text);
        }
        if option.ours {
            page.more("The manual of the scope does not have this option; it is Stepdown's own.");
        }
    }
}

/// The rules of an option, and why they are as they are.
fn rules(key: Key) -> &'static [&'static str] {
    match key {
        Key::User => &[
            "A name is looked up through nsswitch.conf(5), before the root directory changes. An id is plain decimal from 0 to \
             4294967294; it needs no account, but then `Group` has to be written. Everything else is refused: an empty \
             value, signs, leading zeros, hexadecimal, names that begin with a digit, white space, and 4294967295, which \
             setresuid(2) reads as no change.",
            "`root` is warned about. With `Capabilities` it means exactly those; without, the process stays fully root.",
        ],
        Key::Group => {
            &["Written as `User` is. It is never the one that the process was started with by chance."]
        }
        Key::Capabilities => &[
            "A capability that the kernel does not know, that is outside of the bounding set, or that the process does not \
             hold, is refused by name and with its cause. Over execve(2) only ambient capabilities are kept by a user \
             other than root, and those are effective: `+p` without `e` is refused by `run`.",
        ],
        Key::Chroot => &[
            "It is looked at before anything changes, entered before the user changes, and chdir(2) follows at once. The \
             program is looked for inside. A passed descriptor that is a directory leads out, and is refused.",
        ],
        Key::SupplementalGroups => &[
            "The primary group is always in the list: without it, a file mode such as 0604, which shuts a group out, would \
             let the server in.",
        ],
        Key::NoNewPrivs => &[
            "Set-id bits and file capabilities of programs that are executed later mean nothing, as of prctl(2). A server that has \
             to execute such a program needs it off. Ambient capabilities are kept all the same.",
        ],
        Key::BoundingSet => &[
            "Names separated by commas or spaces; `all` leaves it as it was found. It may not leave out what \
             `Capabilities` retains. To shrink it takes CAP_SETPCAP, which some containers do not have: there, `all` is the way \
             out.",
        ],
        Key::Privileges => &[],
    }
}

fn capabilities(page: &mut Text) {
    page.section("CAPABILITY TEXT");
    page.opening(
        "The text is that of cap_from_text(3), exactly as libcap reads it: clauses separated by white space, each a list \
         of names separated by commas, an operator and flags. The flags are `e` (effective), `p` (permitted) and `i` \
         (inheritable). `+` adds them, `-` takes them away, `=` sets exactly these. What a server needs is nearly always \
         a list and `+ep`:",
    );
    page.example("Capabilities = \"cap_net_bind_service,cap_net_raw+ep\"");
    page.paragraph("`stepdown caps` tells what a text means, see stepdown-caps(1).");
}

fn language(page: &mut Text) {
    page.section("LANGUAGE");
    page.opening(
        "A file is UTF-8 text made of options, scopes and inclusions. White space separates and means nothing else; a \
         statement needs no line of its own and nothing ends it.",
    );
    page.term("name = value", "sets an option.");
    page.term(
        "name { ... }, name instance { ... }",
        "a scope of statements, to any depth. An instance keeps its case.",
    );
    page.term(
        "include file, readonly_include file",
        "another file, or the files of a directory in alphabetical order.",
    );
    page.term(
        "# ..., /* ... */",
        "a comment, to the end of the line or to the closing mark, which does not nest.",
    );
    page.term(
        "word, \"string\", 'string'",
        "a text. A word ends at white space, #, =, quotes, braces, brackets and parentheses; quote what you are not sure of. \
         In double quotes, \\r \\n \\t \\\\ and \\\" are escapes and any other backslash is itself; in single quotes \
         everything is. Strings may span lines.",
    );
    page.term(
        "( a b \"c d\" )",
        "an array; commas are tolerated, () is empty, and a single text is an array of one.",
    );
    page.term("[ key = value ... ]", "a dictionary.");
    page.paragraph(
        "Numbers are decimal, octal with a leading zero, or hexadecimal after 0x. There is no interpolation and no line \
         continuation.",
    );
}

fn files(page: &mut Text) {
    page.section("FILES");
    page.opening(&format!(
        "Without `-c`, `{MAIN_FILE}` is looked for in `{CONFIGURATION_DIRECTORY}/global`, in `{CONFIGURATION_DIRECTORY}/` and \
         the host name up to its first dot, and in `{CONFIGURATION_DIRECTORY}/default`; the first hit is the \
         configuration. stepdown(1) names the variables that replace this path."
    ));
    page.paragraph(
        "A relative name in an inclusion is looked for beside the file that it stands in, then along the same path. In a \
         directory, names that begin with a dot, or end in a tilde, `.bak`, `.dpkg-*` or `.rpm*`, are left out. What is \
         missing or can't be read is an error, and so is a file that includes itself.",
    );
    page.paragraph(
        "A configuration decides what root does. So, to root, a file has to belong to root, and so has each directory \
         above it, and none may be writable by anyone else; a sticky directory such as /tmp may. Only regular files are \
         read, up to 64 MiB.",
    );
}
