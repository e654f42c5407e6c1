//! `docs/guide.md` is true: its commands are run, in its order, and print what it says they print.

use crate::support::{Node, STEPDOWN, have};

const GUIDE: &str = include_str!("../../../../docs/guide.md");

/// What stands between the outputs of two commands.
const MARK: &str = "@@@@\n";

/// The text of every block of one kind.
fn blocks(kind: &str) -> Vec<String> {
    let start = format!("```{kind}\n");
    GUIDE.split(&start).skip(1).map(|text| text.split("```").next().unwrap().to_owned()).collect()
}

/// The commands of the guide, each with what it shows as its output.
fn commands() -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    for line in blocks("console").iter().flat_map(|block| block.lines()) {
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

/// All commands as one script, so that `$!` and `$?` mean what they mean to a reader who types them.
fn script(commands: &[(String, String)]) -> String {
    let mut script = String::from("exec 2>&1; PATH=$PWD/bin:$PATH\n");
    for (command, _) in commands {
        let command = command.replace("$?", "$status");
        script.push_str(&format!("printf '@@@@\\n'\n{command}\nstatus=$?\n"));
        if command.ends_with('&') {
            // A reader is slower than a script.
            script.push_str(
                "until curl -sk -o /dev/null https://localhost/ || ! kill -0 $!; do sleep 0.1; done\n",
            );
        }
    }
    script
}

/// What a reader sees of an output: no carriage returns of HTTP, no blanks at the end of a line.
fn visible(output: &str) -> String {
    output.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_guide_shows_what_its_commands_print() {
    let Some(node) = Node::new() else { return };
    if !have("curl") || !have("setpriv") || !have("openssl") {
        return;
    }
    let commands = commands();
    assert!(commands.len() >= 20, "the guide has commands: {commands:?}");
    let [configuration] = blocks("conf").try_into().expect("the guide has one configuration");
    node.file("server.conf", &configuration);
    // As `useradd` leaves it: a user with a group of its own, and in no other.
    let group = std::fs::read_to_string(node.dir.join("group")).unwrap();
    node.file("group", &group.replace("extra:x:996:ecuser\n", ""));
    std::fs::create_dir(node.dir.join("bin")).unwrap();
    std::os::unix::fs::symlink(STEPDOWN, node.dir.join("bin/stepdown")).unwrap();

    let done = node.sh(&script(&commands));
    let outputs: Vec<String> = done.out.split(MARK).skip(1).map(visible).collect();
    assert_eq!(outputs.len(), commands.len(), "{done:?}");
    for ((command, shown), printed) in commands.iter().zip(&outputs) {
        assert_eq!(printed, shown, "the guide shows something else for: {command}");
    }
}
