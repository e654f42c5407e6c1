//! For bash(1), section "Programmable Completion"; with or without the package bash-completion.

use std::fmt::Write;

use super::{Kind, capability_names, command_names, flags, forms, spellings};
use crate::flags::{COMMANDS, Command, EVERYWHERE};

/// The walk over the words before the cursor, and what each kind of word is completed to.
const FUNCTIONS: &str = r#"
# What a word of one kind is completed to, in COMPREPLY.
__stepdown_complete() {
    local kind=$1 current=$2 before=
    case $kind in
        file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            ;;
        program)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -c -- "$current" | sort -u)
            ;;
        capabilities)
            [[ $current == *[,\ ]* ]] && before=${current%"${current##*[, ]}"}
            compopt -o nospace 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -P "$before" -W "$__stepdown_capabilities" -- "${current#"$before"}")
            ;;
        process)
            mapfile -t COMPREPLY < <(cd /proc && compgen -W "$(echo [0-9]*; cat [0-9]*/comm 2>/dev/null)" -- "$current" | sort -u)
            ;;
        words:*)
            mapfile -t COMPREPLY < <(compgen -W "${kind#words:}" -- "$current")
            ;;
    esac
}

_stepdown() {
    local current=${COMP_WORDS[COMP_CWORD]} command= value= typed=' ' ended= operands=0 i word
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $value ]]; then
            # The shell takes --flag=value apart into three words.
            [[ $word == = ]] || value=
        elif [[ ! $ended && $word == -- ]]; then
            ended=1
        elif [[ ! $ended && $word == -?* ]]; then
            typed+="$word "
            value=$(__stepdown_value "$command" "$word")
        elif [[ ! $command ]]; then
            command=$word
        elif [[ $(__stepdown_operand "$command" 0 "$typed") == program ]] && __stepdown_ends "$command"; then
            # What follows belongs to another program.
            if declare -F _command_offset >/dev/null; then
                _command_offset "$i"
            else
                __stepdown_complete file "$current"
            fi
            return
        else
            ((operands++))
        fi
    done
    if [[ $value ]]; then
        [[ $current == = ]] && current=
        __stepdown_complete "$value" "$current"
    elif [[ ! $ended && $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(__stepdown_flags "$command")" -- "$current")
    elif [[ ! $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$__stepdown_commands" -- "$current")
    else
        __stepdown_complete "$(__stepdown_operand "$command" "$operands" "$typed")" "$current"
    fi
}

complete -F _stepdown stepdown
"#;

pub(super) fn script() -> String {
    let mut text = String::from(
        "# bash completion for stepdown, made by `stepdown completions bash`. -*- shell-script -*-\n\n",
    );
    let _ = writeln!(text, "__stepdown_commands='{}'", command_names().join(" "));
    let _ = writeln!(text, "__stepdown_capabilities='{}'", capability_names().join(" "));
    function(&mut text, "flags", "The flags of a command.", |text| {
        for command in COMMANDS {
            let all: Vec<String> = flags(command).flat_map(spellings).collect();
            let _ = writeln!(text, "        {}) echo '{}' ;;", command.name, all.join(" "));
        }
        let all: Vec<String> = EVERYWHERE.iter().flat_map(spellings).collect();
        let _ = writeln!(text, "        '') echo '{}' ;;", all.join(" "));
    });
    text.push_str("\n# The kind of a flag's value, nothing where it takes none.\n__stepdown_value() {\n    case $1:$2 in\n");
    for command in COMMANDS {
        for flag in command.flags {
            let Some(value) = flag.value else { continue };
            let patterns: Vec<String> =
                spellings(flag).iter().map(|spelling| format!("{}:{spelling}", command.name)).collect();
            let _ = writeln!(text, "        {}) echo '{}' ;;", patterns.join("|"), word(&super::kind(value)));
        }
    }
    text.push_str("    esac\n}\n");
    text.push_str("\n# The kind of a command's operand at a place, after these flags.\n__stepdown_operand() {\n    case $1:$3:$2 in\n");
    for command in COMMANDS {
        operands(&mut text, command);
    }
    text.push_str("    esac\n}\n");
    let ending: Vec<&str> =
        COMMANDS.iter().filter(|command| command.operands_end_flags).map(|command| command.name).collect();
    let _ = write!(
        text,
        "\n# Whether the first operand ends the command's own words.\n__stepdown_ends() {{\n    [[ ' {} ' == *\" $1 \"* ]]\n}}\n",
        ending.join(" ")
    );
    text.push_str(FUNCTIONS);
    text
}

fn function(text: &mut String, name: &str, what: &str, cases: impl Fn(&mut String)) {
    let _ = write!(text, "\n# {what}\n__stepdown_{name}() {{\n    case $1 in\n");
    cases(text);
    text.push_str("    esac\n}\n");
}

fn operands(text: &mut String, command: &Command) {
    for form in forms(command) {
        let flag = form.flag.map(|long| format!("' --{long} '*")).unwrap_or_default();
        let last = form.kinds.len().saturating_sub(1);
        for (place, kind) in form.kinds.iter().enumerate() {
            let place = if place == last && form.repeats { "*".to_owned() } else { place.to_string() };
            let _ = writeln!(text, "        {}:*{flag}:{place}) echo '{}' ;;", command.name, word(kind));
        }
    }
}

/// What the functions call a kind.
fn word(kind: &Kind) -> String {
    match kind {
        Kind::File => "file".into(),
        Kind::Program => "program".into(),
        Kind::Command => format!("words:{} stepdown stepdown.conf", command_names().join(" ")),
        Kind::Capabilities => "capabilities".into(),
        Kind::Process => "process".into(),
        Kind::Words(words) => format!("words:{}", words.join(" ")),
        Kind::Unknown => "unknown".into(),
    }
}
