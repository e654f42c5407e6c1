//! For zsh, zshcompsys(1): a function `_stepdown` for `fpath`, which may be sourced after compinit as well.

use std::fmt::Write;

use super::{Kind, capability_names, command_names, flags, forms, quoted, spellings};
use crate::flags::{COMMANDS, Command, EVERYWHERE, Flag};

/// The program as a whole, and how the function becomes known.
const ENTRY: &str = r#"
_stepdown() {
    local curcontext=$curcontext state line
    local -a everywhere
    typeset -A opt_args
    _arguments -C -S $__stepdown_everywhere '1: :->command' '*:: :->rest' && return
    case $state in
        (command) _describe -t commands command __stepdown_commands ;;
        (rest) (( $+functions[__stepdown_command_$words[1]] )) && __stepdown_command_$words[1] ;;
    esac
}

if [[ $funcstack[1] == _stepdown ]]; then
    _stepdown "$@"
else
    compdef _stepdown stepdown
fi
"#;

pub(super) fn script() -> String {
    let mut text = String::from(
        "#compdef stepdown\n# zsh completion for stepdown, made by `stepdown completions zsh`.\n\n",
    );
    text.push_str("typeset -ga __stepdown_commands=(\n");
    for command in COMMANDS {
        let _ = writeln!(text, "    {}", quoted(&format!("{}:{}", command.name, command.summary)));
    }
    text.push_str(")\ntypeset -ga __stepdown_everywhere=(\n");
    for flag in &EVERYWHERE {
        specify(&mut text, flag);
    }
    text.push_str(")\n");
    let names = capability_names().join(" ");
    let _ = write!(text, "\n__stepdown_capabilities() {{\n    _values -s , capability {names}\n}}\n");
    text.push_str(
        "\n__stepdown_processes() {\n    local -a names=( ${(f)\"$(cat /proc/<->/comm 2>/dev/null)\"} )\n    \
                   _alternative 'pids:process:_pids' 'names:name:compadd -a names'\n}\n",
    );
    for command in COMMANDS {
        of_command(&mut text, command);
    }
    text.push_str(ENTRY);
    text
}

fn of_command(text: &mut String, command: &Command) {
    let _ = write!(text, "\n__stepdown_command_{}() {{\n    local -a specs=(\n", command.name);
    for flag in flags(command) {
        text.push_str("    ");
        specify(text, flag);
    }
    text.push_str("    )\n");
    let forms = forms(command);
    for (number, form) in forms.iter().enumerate() {
        let keyword = if number == 0 { "if" } else { "elif" };
        let condition = match form.flag {
            Some(long) => format!("(( ${{words[(I)--{long}]}} ))"),
            None => "true".into(),
        };
        let _ = write!(text, "    {keyword} {condition}; then\n        specs+=(");
        let last = form.kinds.len().saturating_sub(1);
        for (place, kind) in form.kinds.iter().enumerate() {
            let spec = if command.operands_end_flags && place > 0 {
                // What follows belongs to another program, and is completed as if it stood alone.
                "*:: :_normal".to_owned()
            } else {
                let place = match (command.operands_end_flags, place == last && form.repeats) {
                    (true, _) => "(-)1".to_owned(),
                    (false, true) => "*".to_owned(),
                    (false, false) => (place + 1).to_string(),
                };
                format!("{place}:{}", action(kind))
            };
            let _ = write!(text, " {}", quoted(&spec));
        }
        text.push_str(" )\n");
    }
    // Behind `--` there are no flags any more, which is what -S says.
    text.push_str("    fi\n    _arguments -S $specs\n}\n");
}

/// A flag for _arguments: each spelling, which excludes the other.
fn specify(text: &mut String, flag: &Flag) {
    let all = spellings(flag);
    let help = flag.help.replace('[', "\\[").replace(']', "\\]");
    for spelling in &all {
        let value = flag.value.map(|value| format!(":{}", action(&super::kind(value)))).unwrap_or_default();
        let sign = match (flag.value, spelling.starts_with("--")) {
            (None, _) => "",
            (Some(_), true) => "=",
            (Some(_), false) => "+",
        };
        // A flag with a list for a value may be repeated.
        let spec = if flag.value.is_some_and(|value| value.contains("...")) {
            format!("*{spelling}{sign}[{help}]{value}")
        } else {
            format!("({}){spelling}{sign}[{help}]{value}", all.join(" "))
        };
        let _ = writeln!(text, "    {}", quoted(&spec));
    }
}

/// The message and the action of a kind.
fn action(kind: &Kind) -> String {
    match kind {
        Kind::File => "file:_files".into(),
        Kind::Program => "program:_command_names -e".into(),
        Kind::Command => format!("page:({} stepdown stepdown.conf)", command_names().join(" ")),
        Kind::Capabilities => "capability text:__stepdown_capabilities".into(),
        Kind::Process => "process:__stepdown_processes".into(),
        Kind::Words(words) => format!("word:({})", words.join(" ")),
        Kind::Unknown => "value: ".into(),
    }
}
