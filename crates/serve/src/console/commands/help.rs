//! What `help` answers, from the table.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown_conf::{Cause, Finding, nearest, shown};

use super::{COMMANDS, Spec};
use crate::console::authority::Rights;
use crate::console::lines;

/// The answer to `help`, or to `help` with the words of a command, as text and as JSON.
///
/// # Errors
/// No command begins so; with the nearest name.
pub fn help(words: &[String]) -> Result<(String, Value), Box<Finding>> {
    let asked = words.join(" ").to_ascii_lowercase();
    let begins = |spec: &&Spec| spec.name == asked || spec.name.starts_with(&format!("{asked} "));
    let specs: Vec<&Spec> = match asked.as_str() {
        "" => COMMANDS.iter().filter(|spec| !spec.hidden).collect(),
        _ => COMMANDS.iter().filter(begins).collect(),
    };
    let text = match &specs[..] {
        [] => {
            let finding = Finding::error(
                "unknown-command",
                Cause::Syntax,
                format!("there is no command `{}`", shown(&asked)),
            );
            let names = COMMANDS.iter().filter(|spec| !spec.hidden).map(|spec| spec.name);
            return Err(Box::new(match nearest(&asked, names) {
                Some(near) => finding.hint(format!("did you mean `help {near}`?")),
                None => finding.hint("`help` lists what there is"),
            }));
        }
        [one] => in_full(one),
        several => list(several),
    };
    let commands: Vec<Value> = specs.iter().map(|spec| object(spec)).collect();
    Ok((text, json!({ "commands": commands })))
}

fn list(specs: &[&Spec]) -> String {
    let mut text = String::new();
    let column = specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0) + 4;
    for spec in specs {
        let mark = if spec.needs == Rights::Look { ' ' } else { '*' };
        let name = format!("{mark} {}", spec.name);
        lines::row(&mut text, &name, spec.summary, column);
    }
    let footer = "* changes something: for operators. Each takes --format json; `help COMMAND` says more.";
    lines::wrap(&mut text, footer, 0);
    text
}

fn in_full(spec: &Spec) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", format!("{} {}", spec.name, spec.arguments).trim_end());
    lines::wrap(&mut text, spec.summary, 2);
    for paragraph in spec.description {
        text.push('\n');
        lines::wrap(&mut text, paragraph, 2);
    }
    let for_whom = match spec.needs {
        Rights::Root => "For root.",
        Rights::Change => "For root, the server's own user, and operators.",
        Rights::Look | Rights::Nothing => "For whoever may connect.",
    };
    let _ = writeln!(text, "\n  {for_whom}");
    text
}

fn object(spec: &Spec) -> Value {
    json!({
        "name": spec.name,
        "arguments": spec.arguments,
        "summary": spec.summary,
        "description": spec.description,
        "needs": spec.needs.word(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn help_lists_every_command_that_is_for_people_within_80_columns() {
        let (text, json) = help(&[]).expect("it lists");
        for spec in COMMANDS {
            assert_eq!(text.contains(spec.name), !spec.hidden, "{}", spec.name);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(json["commands"].as_array().map(Vec::len), Some(COMMANDS.len() - 1));
    }

    #[test]
    fn help_of_one_says_all_and_of_many_lists_them() {
        let (text, _) = help(&words("config set")).expect("there is one");
        assert!(text.starts_with("config set [SCOPE...] OPTION [=] VALUE\n"), "{text}");
        assert!(text.contains("For root, the server's own user, and operators."), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let (text, _) = help(&words("CONFIG")).expect("there are several");
        assert!(text.contains("config writeback") && !text.contains("shutdown"), "{text}");
        let error = help(&words("confg set")).expect_err("there is none");
        assert_eq!(error.hint.as_deref(), Some("did you mean `help config set`?"));
    }
}
