//! The completions, asked of the shells themselves.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Done, STEPDOWN, done, have};

/// A command line up to the cursor; words that have to be offered there; a word that must not be.
type Case = (&'static str, &'static [&'static str], &'static str);

/// What holds for all shells.
const CASES: &[Case] = &[
    ("stepdown ", &["run", "check", "man", "completions"], "--help"),
    ("stepdown ru", &["run"], "check"),
    ("stepdown --v", &["--version"], "--help"),
    ("stepdown run --f", &["--format"], "--config"),
    ("stepdown run --format ", &["text", "json"], "run"),
    ("stepdown run -v --format j", &["json"], "text"),
    ("stepdown run -- setpr", &["setpriv"], "--config"),
    ("stepdown run -c none setpr", &["setpriv"], "--config"),
    ("stepdown check setpr", &["setpriv"], "--syntax"),
    ("stepdown check --format json setpr", &["setpriv"], "text"),
    ("stepdown man che", &["check"], "run"),
    ("stepdown man stepdown.c", &["stepdown.conf"], "run"),
    ("stepdown completions ", &["bash", "zsh", "fish"], "run"),
    ("stepdown caps --canonical cap_net_a", &["cap_net_admin"], "cap_net_raw"),
    ("stepdown caps cap_net_a", &["cap_net_admin"], "cap_net_raw"),
    ("stepdown config ev", &["eval"], "get"),
    ("stepdown config get Security Cap", &["Capabilities"], "User"),
    ("stepdown status stepdown-no-such", &[], "stepdown-no-such"),
];

/// The completion script of a shell, in a directory that ends with this.
struct Script {
    dir: PathBuf,
    file: PathBuf,
}

impl Script {
    fn of(shell: &str, name: &str, test: &str) -> Script {
        let dir = PathBuf::from(format!("/tmp/stepdown-completions-{}-{test}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let file = dir.join(name);
        fs::write(&file, &done(Command::new(STEPDOWN).args(["completions", shell])).ran().out).unwrap();
        fs::write(dir.join("a file.conf"), "").unwrap();
        fs::write(dir.join("afterwards.conf"), "").unwrap();
        Script { dir, file }
    }

    fn ask(&self, command: &mut Command) -> Done {
        command.current_dir(&self.dir).env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", &self.dir);
        done(command.env("TERM", "dumb").env("LC_ALL", "C.UTF-8"))
    }

    /// What bash offers at the end of a line: the words of `COMPREPLY`.
    fn bash(&self, line: &str) -> Done {
        // As readline takes it apart: by white space and by the word breaks, of which only `=` is in our lines.
        let script = format!(
            "source {}; line=$1; COMP_WORDS=(${{line//=/ = }}); [[ $line == *' ' ]] && COMP_WORDS+=(''); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _stepdown; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            self.file.display()
        );
        self.ask(Command::new("bash").args(["--norc", "-c", &script, "bash", line]))
    }

    /// What fish offers, which knows the programs of the system but no settings of a person.
    fn fish(&self, line: &str) -> Done {
        let script = format!("source {}; complete -C $argv[1]", self.file.display());
        self.ask(Command::new("fish").args(["-c", &script, line]))
    }

    /// What zsh offers, with TAB pressed on a terminal.
    fn zsh(&self, line: &str) -> Done {
        const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/completions.zsh");
        self.ask(Command::new("zsh").args(["-f", DRIVER]).arg(&self.dir).arg(line))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The words that are offered: each line up to a description.
fn words(done: &Done) -> Vec<&str> {
    done.out.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect()
}

#[track_caller]
fn offers(done: &Done, (line, offered, not): Case) {
    assert_eq!(done.err, "", "{line}");
    let words = words(done);
    for word in offered {
        assert!(words.contains(word), "`{word}` is not offered after `{line}`: {words:?}");
    }
    assert!(!words.contains(&not), "`{not}` is offered after `{line}`: {words:?}");
}

#[test]
fn bash_completes() {
    if !have("bash") {
        return;
    }
    let script = Script::of("bash", "stepdown.bash", "bash");
    let source = format!("source {} && complete -p stepdown", script.file.display());
    let known = script.ask(Command::new("bash").args(["--norc", "-c", &source]));
    assert_eq!(known.ran().out, "complete -F _stepdown stepdown\n");
    for case in CASES {
        offers(&script.bash(case.0), *case);
    }
    for case in [
        ("stepdown run --format=j", &["json"][..], "text"),
        ("stepdown run -c aft", &["afterwards.conf"], "a file.conf"),
        ("stepdown run -c a", &["afterwards.conf", "a file.conf"], "run"),
        ("stepdown run -- cat aft", &["afterwards.conf"], "a file.conf"),
        ("stepdown run cat -", &[], "--config"),
        ("stepdown check --syntax a", &["afterwards.conf", "a file.conf"], "run"),
        ("stepdown caps --canonical cap_kill,cap_net_a", &["cap_kill,cap_net_admin"], "cap_net_admin"),
        ("stepdown -- ru", &["run"], "check"),
        ("stepdown nonsense ", &[], "run"),
    ] {
        offers(&script.bash(case.0), case);
    }
}

#[test]
fn fish_completes() {
    if !have("fish") {
        return;
    }
    let script = Script::of("fish", "stepdown.fish", "fish");
    for case in CASES {
        offers(&script.fish(case.0), *case);
    }
    for case in [
        ("stepdown run --format=j", &["--format=json"][..], "--format=text"),
        ("stepdown run -c aft", &["afterwards.conf"], "a file.conf"),
        ("stepdown run -- cat aft", &["afterwards.conf"], "a file.conf"),
        // Another program's own flags, as fish knows them.
        ("stepdown run -c none -- cat --show-a", &["--show-all"], "--config"),
        ("stepdown run cat --show-a", &["--show-all"], "--config"),
        ("stepdown check --syntax aft", &["afterwards.conf"], "setpriv"),
        ("stepdown run ", &[], "--format"),
        ("stepdown caps --canonical cap_kill,cap_net_a", &["cap_kill,cap_net_admin"], "cap_net_admin"),
    ] {
        offers(&script.fish(case.0), case);
    }
}

#[test]
fn zsh_completes() {
    if !have("zsh") {
        return;
    }
    let script = Script::of("zsh", "_stepdown", "zsh");
    for case in CASES {
        offers(&script.zsh(case.0), *case);
    }
    for case in [
        ("stepdown run -c aft", &["line stepdown run -c afterwards.conf "][..], "a file.conf"),
        ("stepdown run -- cat aft", &["line stepdown run -- cat afterwards.conf "], "a file.conf"),
        // Another program's own arguments, as zsh knows them.
        ("stepdown run -c none -- kill -", &["-TERM", "-KILL"], "--config"),
        ("stepdown check --syntax aft", &["line stepdown check --syntax afterwards.conf "], "setpriv"),
    ] {
        offers(&script.zsh(case.0), case);
    }
}

#[test]
fn zsh_takes_the_script_after_compinit_too() {
    if !have("zsh") {
        return;
    }
    let script = Script::of("zsh", "_stepdown", "zsh-source");
    let source = format!(
        "autoload -Uz compinit; compinit -u -D; source {}; print -r -- $_comps[stepdown]",
        script.file.display()
    );
    assert_eq!(script.ask(Command::new("zsh").args(["-f", "-c", &source])).ran().out, "_stepdown\n");
}

#[test]
fn another_shell_is_refused() {
    for wrong in [&["completions"][..], &["completions", "tcsh"], &["completions", "bash", "zsh"]] {
        let done = done(Command::new(STEPDOWN).args(wrong));
        assert_eq!((done.status, done.out.as_str()), (2, ""), "{wrong:?}");
        assert!(done.err.contains("bash, zsh"), "{wrong:?}: {}", done.err);
    }
}
