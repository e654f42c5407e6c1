//! `docs/questions.md` is true: its commands are run, in its order, and print what it says they print; and the kernel does
//! what the answers say.

use crate::support::{Node, STEPDOWN, have};

const QUESTIONS: &str = include_str!("../../../../docs/questions.md");

/// What stands between the outputs of two commands.
const MARK: &str = "@@@@\n";

/// The commands of the page, each with what it shows as its output.
fn commands() -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    let blocks = QUESTIONS.split("```console\n").skip(1).map(|text| text.split("```").next().unwrap());
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("# ") {
            Some(command) => list.push((command.to_owned(), String::new())),
            None => {
                let output = &mut list.last_mut().expect("a block begins with a command").1;
                output.push_str(line);
                output.push('\n');
            }
        }
    }
    list
}

/// An output with the numbers of processes and the names of test directories as the page has them.
fn general(output: &str, node: &Node) -> String {
    let directory = node.dir.display().to_string();
    let mut text = String::new();
    for line in output.replace(&directory, "/root").lines() {
        match line.strip_prefix("Process ").and_then(|rest| rest.split_once(' ')) {
            Some((number, name)) if number.parse::<u32>().is_ok() => {
                text.push_str("Process 4711 ");
                text.push_str(name);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_page_shows_what_its_commands_print() {
    let Some(node) = Node::new() else { return };
    if !have("capsh") || !have("setpriv") || !have("setcap") {
        return;
    }
    let commands = commands();
    assert!(commands.len() >= 20, "the page has commands: {commands:?}");
    let mut script = String::from("exec 2>&1; PATH=$PWD/bin:$PATH\n");
    for (command, _) in &commands {
        script.push_str(&format!("printf '@@@@\\n'\n{command}\n"));
        if command.ends_with('&') {
            // A reader is slower than a script.
            script.push_str(
                "for i in $(seq 200); do grep -qE '^(sleep|nap)$' /proc/$!/comm && break; sleep 0.02; done; pids=\"$pids $!\"\n",
            );
        }
    }
    // Those that sleep on hold the pipe that is read here.
    script.push_str("kill $pids 2>/dev/null\n");
    std::fs::create_dir(node.dir.join("bin")).unwrap();
    std::os::unix::fs::symlink(STEPDOWN, node.dir.join("bin/stepdown")).unwrap();
    let done = node.sh(&script);
    let outputs: Vec<String> = done.out.split(MARK).skip(1).map(|output| general(output, &node)).collect();
    assert_eq!(outputs.len(), commands.len(), "{done:?}");
    if let Some(path) = std::env::var_os("STEPDOWN_WRITE_QUESTIONS") {
        let text: String = commands
            .iter()
            .zip(&outputs)
            .map(|((command, _), output)| format!("# {command}\n{output}"))
            .collect();
        std::fs::write(path, text).unwrap();
    }
    for ((command, shown), printed) in commands.iter().zip(&outputs) {
        assert_eq!(printed, shown, "the page shows something else for: {command}");
    }
}
