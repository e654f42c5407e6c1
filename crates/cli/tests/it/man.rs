//! The manual pages: groff and mandoc find nothing wrong with them, and they tell of every command there is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Done, STEPDOWN, done, have};

fn man(arguments: &[&str]) -> Done {
    done(Command::new(STEPDOWN).arg("man").args(arguments))
}

/// Every page in a directory of its own, which ends with this.
struct Pages {
    dir: PathBuf,
    names: Vec<String>,
}

impl Pages {
    fn written(test: &str) -> Pages {
        let dir = PathBuf::from(format!("/tmp/stepdown-man-{}-{test}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let names: Vec<String> = man(&["--list"]).ran().out.lines().map(str::to_owned).collect();
        for name in &names {
            fs::write(dir.join(name), &man(&[name]).ran().out).unwrap();
        }
        Pages { dir, names }
    }

    /// What man(1) shows of a page, so many columns wide.
    fn shown(&self, name: &str, columns: &str) -> Done {
        let mut man = Command::new("man");
        man.args(["--warnings", "-l"]).arg(self.dir.join(name));
        done(man.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("MANWIDTH", columns))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn man_renders_every_page_at_80_columns_without_a_warning() {
    if !have("man") || !have("groff") {
        return;
    }
    let pages = Pages::written("warnings");
    for name in &pages.names {
        let shown = pages.shown(name, "80");
        shown.ran();
        let title =
            name.rsplit_once('.').map(|(page, section)| format!("{}({section})", page.to_uppercase()));
        assert!(shown.out.starts_with(&title.unwrap()), "{name}: {}", shown.out);
        // An example may be wider than that; words are not.
        let wide: Vec<&str> =
            shown.out.lines().filter(|line| line.len() > 80 && !line.starts_with("           ")).collect();
        assert!(wide.is_empty(), "{name}: {wide:?}");
        assert!(
            !shown.out.contains('`') || shown.out.contains("$(") || name.contains("man"),
            "{name}: a backtick is left"
        );
        let groff = done(Command::new("groff").args(["-ww", "-man", "-Tascii"]).arg(pages.dir.join(name)));
        assert_eq!((groff.status, groff.err.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn mandoc_finds_nothing_to_complain_of() {
    if !have("mandoc") {
        return;
    }
    let pages = Pages::written("mandoc");
    for name in &pages.names {
        let lint = done(Command::new("mandoc").args(["-T", "lint"]).arg(pages.dir.join(name)));
        assert_eq!((lint.status, lint.out.as_str(), lint.err.as_str()), (0, "", ""), "{name}");
    }
}

#[test]
fn a_page_is_readable_in_40_columns() {
    if !have("man") {
        return;
    }
    let pages = Pages::written("narrow");
    let shown = pages.shown("stepdown-check.1", "40");
    assert_eq!(shown.status, 0, "{shown:?}");
    assert!(shown.out.lines().all(|line| line.len() <= 60), "{}", shown.out);
}

#[test]
fn every_command_of_the_help_has_a_page_and_the_program_names_them_all() {
    let help = done(Command::new(STEPDOWN).arg("--help"));
    let commands: Vec<&str> = help
        .ran()
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // What goes on in a second line is indented further.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"run") && commands.contains(&"man"), "{commands:?}");
    let wide: Vec<&str> = help.out.lines().filter(|line| line.len() > 80).collect();
    assert!(wide.is_empty(), "the help is wider than a terminal: {wide:?}");
    let list = man(&["--list"]);
    let program = man(&[]);
    for section in ["EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"] {
        assert!(program.out.contains(&format!(".SH {section}\n")), "{section}");
    }
    for command in commands {
        assert!(list.out.lines().any(|line| line == format!("stepdown-{command}.1")), "{command}");
        assert!(program.out.contains(&format!(".BR stepdown\\-{command} (1)")), "{command}");
        let page = man(&[command]);
        assert!(
            page.ran().out.contains(&format!(".TH STEPDOWN\\-{} 1", command.to_uppercase())),
            "{command}"
        );
        for section in ["SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"] {
            assert!(page.out.contains(&format!(".SH {section}\n")), "{section} of {command}");
        }
    }
}

#[test]
fn the_page_of_the_file_tells_of_every_option_of_the_scope() {
    let page = man(&["stepdown.conf"]);
    page.ran();
    for option in
        ["User", "Group", "Capabilities", "Chroot", "Supplemental_Groups", "No_New_Privs", "Bounding_Set"]
    {
        assert!(page.out.contains(&format!(".TP\n\\fB{option}\\fR = ")), "{option}: {}", page.out);
    }
    assert_eq!(man(&["stepdown.conf.5"]).out, page.out);
}

#[test]
fn a_page_that_is_not_there_is_told_with_the_nearest_name() {
    let done = man(&["chekc"]);
    assert_eq!((done.status, done.out.as_str()), (2, ""));
    assert!(done.err.contains("there is no manual page `chekc`"), "{}", done.err);
    assert!(done.err.contains("did you mean `stepdown man check`?"), "{}", done.err);
    for wrong in [&["run", "check"][..], &["--list", "run"]] {
        assert_eq!(man(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn a_reader_that_goes_away_hears_nothing() {
    for words in ["man", "completions bash"] {
        let script = format!("({STEPDOWN} {words}; echo $? >&2) | :");
        let done = done(Command::new("sh").args(["-c", &script]));
        assert!(["0\n", "141\n"].contains(&done.err.as_str()), "{words}: {done:?}");
    }
}
