use super::*;

fn ok(line: &str) -> (Command, Format, bool) {
    let parsed = parse(line).unwrap_or_else(|usage| panic!("{line}: {}", usage.finding));
    (parsed.command, parsed.format, parsed.origin)
}

fn set(line: &str) -> String {
    match ok(line).0 {
        Command::Set(text) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    let usage = parse(line).expect_err("it is not understood");
    format!("{}; {}", usage.finding.message, usage.finding.hint.as_deref().unwrap_or_default())
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_command_of_the_table_is_found_by_its_name() {
    for spec in COMMANDS {
        let line = match spec.key {
            Key::Set => format!("{} a 1", spec.name),
            Key::Get | Key::Eval | Key::Locate | Key::Restart => format!("{} a", spec.name),
            _ => spec.name.to_ascii_uppercase(),
        };
        let parsed = parse(&line).unwrap_or_else(|usage| panic!("{line}: {}", usage.finding));
        assert_eq!(parsed.spec.map(|spec| spec.key), Some(spec.key), "{line}");
    }
}

#[test]
fn flags_stand_anywhere_and_quoted_they_are_words() {
    let words = strings(&["Security", "User"]);
    let json = (Command::Get(words.clone()), Format::Json, false);
    for line in [
        "config get Security User --format json",
        "config get Security --format=json User",
        "--format json config get Security User",
        "config --format json get Security User",
    ] {
        assert_eq!(ok(line), json, "{line}");
    }
    assert_eq!(ok("config get --origin Security User"), (Command::Get(words), Format::Text, true));
    assert_eq!(ok("config get '--origin'").0, Command::Get(strings(&["--origin"])));
    assert_eq!(ok("config begin From Scratch").0, Command::Begin { from_scratch: true });
    assert_eq!(ok("  ").0, Command::Nothing);
}

#[test]
fn a_value_is_kept_as_it_was_typed() {
    for text in [
        "Security User = ecuser",
        "Security User=ecuser",
        "Security User ecuser",
        "Security User \"ec  user\"",
        "Security User = \"a = b\"",
        "Service \"a=b\" Command = ( \"/bin/x\"  '--y=z' )",
        "Security Supplemental_Groups ( mail  4 )",
        "Environment [ A = \"--origin\"  B=--origin ]",
        "x = --origin",
        "x=--format=json",
        "x = é",
        "x =",
    ] {
        assert_eq!(set(&format!("config set  {text} ")), text);
        for line in [
            format!("config set {text} --format json"),
            format!("config set {text} --format=json"),
            format!("config set --format=json {text}"),
        ] {
            assert_eq!((set(&line), ok(&line).1), (text.to_owned(), Format::Json), "{line}");
        }
    }
    assert_eq!(set("config set Security --format json User ecuser"), "Security User ecuser");
}

#[test]
fn what_is_not_understood_is_refused_with_what_was_meant() {
    for (line, expected) in [
        ("statsu", "there is no command `statsu`; did you mean `status`?"),
        ("confg get x", "there is no command `confg`; did you mean `config`?"),
        ("config gte x", "there is no command `config gte`; did you mean `config get`?"),
        ("showrecurse", "there is no command `showrecurse`; did you mean `config showrecurse`?"),
        ("xyzzy", "there is no command `xyzzy`; `help` lists what there is"),
        ("config", "`config` alone is no command; `help config` lists what there is"),
        ("status now", "`status` takes no argument; usage: status"),
        ("restart", "`restart` needs an argument; usage: restart SERVICE"),
        ("status --origin", "`status` has no flag --origin; usage: status"),
        ("status --fromat json", "there is no flag `--fromat`; did you mean `--format`?"),
        ("status --format xml", "--format takes text or json; "),
        ("status --format", "--format takes text or json; "),
        (
            "config set x",
            "`config set` takes an option and its value; usage: config set [SCOPE...] OPTION [=] VALUE",
        ),
        (
            "config begin from scrath",
            "`config begin` takes nothing, or `from scratch`; usage: config begin [from scratch]",
        ),
        (
            "config get \"x",
            "a quote is opened and not closed: \"x; a quote that is meant as itself stands between quotes of the other kind",
        ),
        ("\u{1b}[2J", "there is no command `\\u{1b}[2J`; `help` lists what there is"),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
    assert_eq!(parse("statsu --format json").expect_err("unknown").format, Format::Json);
}
