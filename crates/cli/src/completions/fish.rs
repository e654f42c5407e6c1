//! For fish(1), `complete`.

use std::fmt::Write;

use super::{Kind, capability_names, command_names, flags, forms, spellings};
use crate::flags::{COMMANDS, Command, EVERYWHERE, Flag};

/// The walk over the words before the cursor, and the words of another program.
const FUNCTIONS: &str = r#"
# Where the cursor is: the command, how many operands stand before it, the place of the first one, the flags.
function __stepdown_walk
    set -l tokens (commandline -opc)
    set -l command
    set -l operands 0
    set -l first 0
    set -l typed
    set -l value
    set -l ended
    for i in (seq 2 (count $tokens))
        set -l token $tokens[$i]
        if test -n "$value"
            set value
        else if test -z "$ended"; and test "$token" = '--'
            set ended 1
        else if test -z "$ended"; and string match -q -- '-?*' $token
            set -a typed $token
            contains -- "$command $token" $__stepdown_valued; and set value 1
        else if test -z "$command"
            set command $token
        else
            set operands (math $operands + 1)
            test $first -eq 0; and set first $i
            contains -- "$command" $__stepdown_ending; and break
        end
    end
    printf '%s\n' "$command" $operands $first $typed
end

# Whether the flags of a command may stand here.
function __stepdown_in
    set -l at (__stepdown_walk)
    test "$at[1]" = "$argv[1]"; or return 1
    not contains -- "$at[1]" $__stepdown_ending; or test $at[2] -eq 0
end

# Whether an operand of a command stands here: command, place or *, and a flag that has or has not been typed.
function __stepdown_operand
    set -l at (__stepdown_walk)
    test "$at[1]" = "$argv[1]"; or return 1
    contains -- "$argv[2]" '*' $at[2]; or return 1
    for flag in $argv[3..]
        if string match -q -- 'not *' $flag
            contains -- (string replace 'not ' '' -- $flag) $at[4..]; and return 1
        else
            contains -- $flag $at[4..]; or return 1
        end
    end
    return 0
end

# Programs: what a command line that begins with this word is completed to.
function __stepdown_names
    set -l token (commandline -ct)
    test -n "$token"; and complete --do-complete="$token"
end

# What the program that is named completes its own arguments to.
function __stepdown_program
    set -l at (__stepdown_walk)
    set -l tokens (commandline -opc) (commandline -ct)
    complete --do-complete=(string join ' ' -- (string escape -- $tokens[$at[3]..-2]) $tokens[-1])
end
"#;

pub(super) fn script() -> String {
    let mut text = String::from("# fish completion for stepdown, made by `stepdown completions fish`.\n\n");
    let valued: Vec<String> = COMMANDS
        .iter()
        .flat_map(|command| {
            let flags = command.flags.iter().filter(|flag| flag.value.is_some());
            flags.flat_map(spellings).map(move |spelling| format!("'{} {spelling}'", command.name))
        })
        .collect();
    let ending: Vec<&str> =
        COMMANDS.iter().filter(|command| command.operands_end_flags).map(|command| command.name).collect();
    let _ = writeln!(text, "set -g __stepdown_valued {}", valued.join(" "));
    let _ = writeln!(text, "set -g __stepdown_ending {}", ending.join(" "));
    let _ = writeln!(text, "set -g __stepdown_capabilities {}", capability_names().join(" "));
    text.push_str(FUNCTIONS);
    text.push_str("\ncomplete -c stepdown -f\n");
    for flag in &EVERYWHERE {
        of_flag(&mut text, "__stepdown_in ''", flag);
    }
    for command in COMMANDS {
        let _ = writeln!(
            text,
            "complete -c stepdown -n \"__stepdown_in ''\" -a {} -d {}",
            command.name,
            quoted(command.summary)
        );
    }
    for command in COMMANDS {
        of_command(&mut text, command);
    }
    text
}

fn of_command(text: &mut String, command: &Command) {
    text.push('\n');
    for flag in flags(command) {
        of_flag(text, &format!("__stepdown_in {}", command.name), flag);
    }
    let forms = forms(command);
    let asked: Vec<&str> = forms.iter().filter_map(|form| form.flag).collect();
    for form in &forms {
        let condition = match form.flag {
            Some(long) => format!(" --{long}"),
            None => asked.iter().map(|long| format!(" 'not --{long}'")).collect(),
        };
        let last = form.kinds.len().saturating_sub(1);
        for (place, kind) in form.kinds.iter().enumerate() {
            let foreign = command.operands_end_flags && place > 0;
            let at = match (foreign, place == last && form.repeats) {
                (true, _) => "1".to_owned(),
                (false, true) => "'*'".to_owned(),
                (false, false) => place.to_string(),
            };
            let from = if foreign { "-a '(__stepdown_program)'".to_owned() } else { source(kind) };
            if !from.is_empty() {
                let _ = writeln!(
                    text,
                    "complete -c stepdown -n \"__stepdown_operand {} {at}{condition}\" {from}",
                    command.name
                );
            }
        }
    }
}

fn of_flag(text: &mut String, condition: &str, flag: &Flag) {
    let short = flag.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
    let value = match flag.value {
        Some(value) => {
            let kind = super::kind(value);
            // With files where they are meant, and never otherwise.
            format!(" {} {}", if kind == Kind::File { "-r" } else { "-x" }, source(&kind))
        }
        None => String::new(),
    };
    let _ = writeln!(
        text,
        "complete -c stepdown -n \"{condition}\"{short} -l {}{} -d {}",
        flag.long,
        value.trim_end(),
        quoted(flag.help)
    );
}

/// Where the words of a kind come from, as flags of `complete`.
fn source(kind: &Kind) -> String {
    match kind {
        Kind::File => "-F".into(),
        Kind::Program => "-a '(__stepdown_names)'".into(),
        Kind::Command => format!("-a '{} stepdown stepdown.conf'", command_names().join(" ")),
        Kind::Capabilities => "-a '(__fish_append , $__stepdown_capabilities)'".into(),
        Kind::Process => "-a '(__fish_complete_pids)'".into(),
        Kind::Words(words) => format!("-a '{}'", words.join(" ")),
        Kind::Unknown => String::new(),
    }
}

/// Text in single quotes, in which fish knows two escapes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
