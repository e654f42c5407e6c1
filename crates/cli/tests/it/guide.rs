//! `docs/guide.md` is true: its commands are run, in its order, and print what it says they print.

use crate::support::{Node, STEPDOWN, have};

const GUIDE: &str = include_str!("../../../../docs/guide.md");

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

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
        // What a console says of a change begins like a command, and is none.
        let command = line.strip_prefix("# ");
        let is_change = |rest: &&str| rest.starts_with("listener ") || rest.starts_with("service ");
        match command.filter(|rest| !is_change(rest)) {
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
        if command.starts_with("stepdown serve") {
            script.push_str("until grep -q serving server.log || ! kill -0 $!; do sleep 0.1; done\n");
        } else if command.ends_with('&') {
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

/// With the number that the guide has for every process, whichever it is here.
fn pid(output: &str) -> String {
    let mut parts = output.split("pid ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("pid 4711");
        shown.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    shown
}

#[test]
fn the_guide_shows_what_its_commands_print() {
    let Some(node) = Node::new() else { return };
    if !have("curl") || !have("setpriv") || !have("openssl") || !have("python3") {
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

    std::os::unix::fs::symlink(EXAMPLES, node.dir.join("examples")).unwrap();
    // In the node's own view of the file system; the machine's directories stay as they are.
    node.sh("mount -t tmpfs -o mode=755 none /srv && mount -t tmpfs -o mode=755 none /run").ran();

    let done = node.sh(&script(&commands));
    // The guide is typed in root's home.
    let here = node.dir.display().to_string();
    let outputs: Vec<String> =
        done.out.split(MARK).skip(1).map(|output| visible(&pid(output)).replace(&here, "/root")).collect();
    assert_eq!(outputs.len(), commands.len(), "{done:?}");
    for ((command, shown), printed) in commands.iter().zip(&outputs) {
        assert_eq!(printed, shown, "the guide shows something else for: {command}");
    }
}
