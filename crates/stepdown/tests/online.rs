//! The running configuration, on real files: where changes go, who wins, what is saved.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use stepdown::conf::Finding;
use stepdown::online::{Draft, Online, Outcome};

/// A directory with files, gone with this value.
struct Files(PathBuf);

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stepdown-online-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let made = Files(path);
        for (name, text) in files {
            fs::write(made.at(name), text).unwrap();
        }
        made
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn name(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// Gives a file a second name, which no process may replace one of.
    fn pin(&self, name: &str) {
        fs::hard_link(self.at(name), self.at(&format!(".{name}.pinned"))).unwrap();
    }

    fn online(&self) -> Online {
        Online::load(Some(&self.at("main.conf"))).unwrap_or_else(|findings| panic!("{findings:?}"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One change, committed and accepted; its reply.
fn set(online: &mut Online, text: &str) -> String {
    let mut draft = Draft::begin(online, "a test");
    let reply = draft.set(text).unwrap_or_else(|findings| panic!("{text}: {findings:?}"));
    online.accept(draft.candidate(online).unwrap()).unwrap();
    reply.words()
}

fn unset(online: &mut Online, words: &[&str]) -> String {
    let mut draft = Draft::begin(online, "a test");
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let reply = draft.unset(&words).unwrap_or_else(|findings| panic!("{words:?}: {findings:?}"));
    online.accept(draft.candidate(online).unwrap()).unwrap();
    reply.words()
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

fn saved(online: &mut Online) {
    let written = online.writeback(None);
    assert!(written.is_complete(), "{written:?}");
    assert!(!online.is_changed());
}

const MAIN: &str =
    "# The server\nSecurity {\n\tuser = ecuser   # who\n\tgroup=ecuser\n}\ninclude \"b.conf\"\n";
const SECOND: &str = "Domain \"x.org\" { Relay = no  Hosts = ( a b ) } # theirs\n";

#[test]
fn a_change_is_saved_where_the_value_is_and_every_other_byte_stays() {
    let files = Files::new(&[("main.conf", MAIN), ("b.conf", SECOND)]);
    fs::set_permissions(files.at("b.conf"), fs::Permissions::from_mode(0o640)).unwrap();
    let mut online = files.online();
    assert_eq!(set(&mut online, "domain x.org relay = yes"), "Relay = yes\n");
    assert_eq!(
        set(&mut online, "Domain \"x.org\" Hosts ( a b \"c d\" )"),
        "Hosts = (\n  a\n  b\n  \"c d\"\n)\n"
    );
    assert_eq!(set(&mut online, "security capabilities \"\""), "Capabilities = \"\"\n");
    assert_eq!((online.generation(), online.unsaved().count()), (4, 3));
    assert_eq!((files.text("main.conf"), files.text("b.conf")), (MAIN.into(), SECOND.into()), "memory only");

    saved(&mut online);
    assert_eq!(files.text("b.conf"), SECOND.replace("no", "yes").replace("a b", "a b \"c d\""));
    assert_eq!(files.text("main.conf"), MAIN.replace("=ecuser\n", "=ecuser\n\tCapabilities=\"\"\n"));
    assert_eq!(fs::metadata(files.at("b.conf")).unwrap().mode() & 0o7777, 0o640);
    let left: Vec<_> = fs::read_dir(&files.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");

    // And again, now that the files are other ones.
    set(&mut online, "Domain \"x.org\" Relay = no");
    saved(&mut online);
    assert_eq!(files.text("b.conf"), SECOND.replace("a b", "a b \"c d\""));
}

#[test]
fn a_change_that_is_taken_back_needs_no_saving() {
    let files = Files::new(&[("main.conf", MAIN), ("b.conf", SECOND)]);
    let mut online = files.online();
    set(&mut online, "Security user = other");
    assert!(online.is_changed());
    set(&mut online, "Security user = ecuser");
    assert!(!online.is_changed());
}

#[test]
fn a_place_where_a_change_has_no_effect_is_passed_over() {
    // What b sets cannot be written, and overrides what main could set.
    let main = "Security { user = one }\ninclude \"b.conf\"\nLocal_Changes_File = \"local.conf\"\n";
    let files = Files::new(&[("main.conf", main), ("b.conf", "Security { user = two }\n")]);
    files.pin("b.conf");
    let mut online = files.online();
    set(&mut online, "Security group = staff");
    set(&mut online, "Security user = three");
    saved(&mut online);
    assert_eq!(files.text("main.conf"), main.replace("one }", "one  Group = staff }"));
    assert_eq!(
        files.text("local.conf"),
        "# Changes made while the server runs.\nSecurity {\n  User = three\n}\n"
    );
    assert_eq!(fs::metadata(files.at("local.conf")).unwrap().mode() & 0o7777, 0o600);
    // What was created is in place from now on.
    set(&mut online, "Security user = four");
    saved(&mut online);
    assert!(files.text("local.conf").contains("User = four"));
    assert_eq!(files.online().config().notes(), []);
}

#[test]
fn local_changes_only_sends_everything_there() {
    let main = "a = 1\nLocal_Changes_Only = true\nLocal_Changes_File = local.conf\n";
    let files = Files::new(&[("main.conf", main), ("local.conf", "b = 2\n")]);
    let mut online = files.online();
    set(&mut online, "a = 3");
    set(&mut online, "b = 4");
    saved(&mut online);
    assert_eq!(
        (files.text("main.conf").as_str(), files.text("local.conf").as_str()),
        (main, "b = 4\na = 3\n")
    );
}

#[test]
fn what_belongs_to_no_file_is_in_memory_and_said() {
    let files = Files::new(&[("main.conf", "S { a = 1 }\n")]);
    files.pin("main.conf");
    let mut online = files.online();
    set(&mut online, "S a = 2");
    set(&mut online, "T \"new one\" b = ( x y )");
    let current = online.config().root().scope("S", None).unwrap().option("a").unwrap().current();
    assert_eq!(online.config().place(current.span()).file, "(online)");

    let written = online.writeback(None);
    assert_eq!(codes(&written.findings), ["not-in-any-file"]);
    assert_eq!(written.unsaved, "config set S a = 2\nconfig set T \"new one\" b = ( x y )\n");
    assert!(written.files.is_empty() && online.is_changed());
    assert_eq!(files.text("main.conf"), "S { a = 1 }\n");
    // What is printed can be typed again.
    let mut again = files.online();
    for line in written.unsaved.lines() {
        set(&mut again, line.strip_prefix("config set ").unwrap());
    }
    assert_eq!(again.writeback(None).unsaved, written.unsaved);
}

#[test]
fn what_is_included_twice_or_read_only_is_never_changed() {
    let main = "readonly_include \"r.conf\"\nA { include \"t.conf\" }\nB { include \"t.conf\" }\n";
    let files = Files::new(&[("main.conf", main), ("r.conf", "R { x = 1 }\n"), ("t.conf", "y = 1\n")]);
    let mut online = files.online();
    set(&mut online, "R x = 2");
    set(&mut online, "A y = 2");
    let mut draft = Draft::begin(&online, "a test");
    let refused = draft.unset(&["B".into(), "y".into()]).unwrap_err();
    assert_eq!((codes(&refused), refused[0].is_error()), (vec!["stays-set"], true));
    let y = |scope: &str| {
        let scope = online.config().root().scope(scope, None).unwrap();
        scope.option("y").unwrap().current().value().as_text().unwrap().text().into_owned()
    };
    assert_eq!((y("A").as_str(), y("B").as_str()), ("2", "1"));
    online.writeback(None);
    assert_eq!((files.text("r.conf").as_str(), files.text("t.conf").as_str()), ("R { x = 1 }\n", "y = 1\n"));
    assert_eq!(files.text("main.conf"), main.replace("\"t.conf\" }\nB", "\"t.conf\"  y = 2 }\nB"));
}

#[test]
fn to_unset_is_to_remove_every_assignment_and_to_say_what_holds_now() {
    let main = "Idle = 5\nS { idle = 1 }\ninclude b.conf\nSecurity { user = x }\n";
    let files = Files::new(&[("main.conf", main), ("b.conf", "S {\n  idle = 2 # last\n  idle = 3\n}\n")]);
    let mut online = files.online();
    assert_eq!(
        unset(&mut online, &["S", "Idle"]),
        "\"idle\" has been unset. Effective value is now:\nIdle = 5\n"
    );
    assert_eq!(
        unset(&mut online, &["Security", "user"]),
        "\"User\" has been unset. Effective value is now:\nUser = ecuser\n"
    );
    saved(&mut online);
    assert_eq!(files.text("main.conf"), "Idle = 5\nS { }\ninclude b.conf\nSecurity { }\n");
    assert_eq!(files.text("b.conf"), "S {\n}\n");
    assert_eq!(unset(&mut online, &["S"]), "\"S:\" has been unset.\n".replace("S:", "S::"));
    saved(&mut online);
    assert_eq!((files.text("main.conf").contains("S {"), files.text("b.conf").as_str()), (false, ""));

    let mut draft = Draft::begin(&online, "a test");
    assert_eq!(codes(&draft.unset(&[]).unwrap_err()), ["global-scope"]);
    let not_set = draft.unset(&["Blackhole".into()]).unwrap();
    assert_eq!(
        (not_set.status, not_set.words().as_str()),
        (1, "Option 'Blackhole' is not set in scope ''.\n")
    );
    assert!(draft.changes().is_empty());
}

#[test]
fn what_can_t_be_said_is_refused_and_changes_nothing() {
    let files = Files::new(&[("main.conf", "a = 1\nL \"x\" { }\nLocal_Changes_File = l.conf\n")]);
    let online = files.online();
    let mut draft = Draft::begin(&online, "a test");
    for (text, code) in [
        ("include = x", "bad-name"),
        ("a. = x", "bad-name"),
        ("Local_Changes_File = m.conf", "not-online"),
        ("a = b c", "no-assignment"),
        ("a = 1 b = 2", "no-assignment"),
        ("a = { }", "no-assignment"),
        ("a = (", "no-assignment"),
        ("a =", "no-assignment"),
        ("a", "no-assignment"),
        ("", "no-assignment"),
        ("= 1", "no-assignment"),
        ("\"a = 1", "no-assignment"),
        ("L = 1 } x = ( 2 )", "no-assignment"),
        ("a x \"y\" z = \0", "no-assignment"),
    ] {
        let refused = draft.set(text).err().unwrap_or_else(|| panic!("{text} is not refused"));
        assert_eq!(codes(&refused), [code], "{text}: {refused:?}");
    }
    assert!(draft.changes().is_empty());
    assert_eq!(codes(&draft.set("M \"x\" \"y\" = 1 2").unwrap_err()), ["no-assignment"]);
}

#[test]
fn a_scope_that_is_not_there_yet_is_made_in_the_style_of_the_one_around_it() {
    let main = "L {\n\tListen \":25\" {\n\t\tenable = true\n\t}\n}\n";
    let files = Files::new(&[("main.conf", main)]);
    let mut online = files.online();
    set(&mut online, "L listen :587 enable = false");
    set(&mut online, "Service \"web\" Command = ( /bin/true )");
    saved(&mut online);
    let listen = "\tListen \":587\" {\n\t\tenable = false\n\t}\n}\n";
    let service = "Service \"web\" {\n  Command = ( \"/bin/true\" )\n}\n";
    assert_eq!(files.text("main.conf"), main.replace("\t}\n}\n", &format!("\t}}\n{listen}{service}")));
}

#[test]
fn the_first_commit_wins_and_replay_says_what_it_meets() {
    let files = Files::new(&[("main.conf", "a = 1\nb = 1\nc = 1\n")]);
    let mut online = files.online();
    let mut first = Draft::begin(&online, "user anna");
    let mut second = Draft::begin(&online, "user ben");
    first.set("a = 2").unwrap();
    first.unset(&["c".into()]).unwrap();
    second.set("a = 3").unwrap();
    second.set("b = 3").unwrap();
    second.unset(&["c".into()]).unwrap();
    online.accept(first.candidate(&online).unwrap()).unwrap();

    assert!(second.is_stale(&online));
    let refused = second.candidate(&online).unwrap_err();
    assert_eq!(refused.code, "stale-transaction");
    assert!(refused.message.contains("user anna committed at "), "{}", refused.message);
    assert!(refused.hint.as_deref().unwrap().contains("config replay"));

    let met = second.replay(&online).unwrap();
    assert_eq!(codes(&met), ["replayed-over", "replayed-over", "already-unset"], "{met:?}");
    assert!(met[0].message.contains("`a` was changed to a = 2 by user anna"), "{}", met[0].message);
    online.accept(second.candidate(&online).unwrap()).unwrap();
    let text = stepdown::console::written::whole(online.config(), online.config().root(), false);
    assert_eq!(text, "a = 3\nb = 3\n");
}

#[test]
fn a_candidate_that_was_overtaken_is_not_accepted() {
    let files = Files::new(&[("main.conf", "a = 1\n")]);
    let mut online = files.online();
    let mut draft = Draft::begin(&online, "user anna");
    draft.set("a = 2").unwrap();
    let candidate = draft.candidate(&online).unwrap();
    let reload = online.reload(None, "SIGHUP").unwrap();
    online.accept(candidate).unwrap();
    assert_eq!(online.check(&reload).unwrap_err().code, "stale-transaction");
    assert_eq!(online.accept(reload).unwrap_err().code, "stale-transaction");
    assert_eq!(online.generation(), 2);
}

#[test]
fn from_scratch_no_file_has_a_part_in_it() {
    let files = Files::new(&[("main.conf", "a = 1\n")]);
    let mut online = files.online();
    let mut draft = Draft::begin_from_scratch(&online, "user anna").unwrap();
    draft.set("S b = 2").unwrap();
    online.accept(draft.candidate(&online).unwrap()).unwrap();
    let text = stepdown::console::written::whole(online.config(), online.config().root(), false);
    assert_eq!(text, "S {\n  b = 2\n}\n");
    assert!(online.is_from_scratch() && online.is_changed());
    assert_eq!(codes(&online.writeback(None).findings), ["not-in-any-file"]);
    set(&mut online, "S c = 3");
    assert!(online.is_from_scratch());

    let written = online.writeback(Some(&files.name("new.conf")));
    assert_eq!(written.findings, []);
    assert_eq!(files.text("new.conf"), "# Changes made while the server ran.\nS {\n  b = 2\n  c = 3\n}\n");
    let reload = online.reload(None, "user anna").unwrap();
    assert_eq!(codes(reload.warnings()), ["change-undone"; 3]);
    online.accept(reload).unwrap();
    assert!(!online.is_changed() && online.config().root().option("a").is_some());
}

#[test]
fn a_reload_undoes_what_was_not_saved_and_changes_nothing_on_an_error() {
    let files = Files::new(&[("main.conf", "a = 1\n"), ("other.conf", "o = 1\n")]);
    let mut online = files.online();
    set(&mut online, "a = 2");
    fs::write(files.at("main.conf"), "a = \n").unwrap();
    assert_eq!(codes(&online.reload(None, "SIGHUP").unwrap_err()), ["missing-value"]);
    assert_eq!((online.generation(), online.unsaved().count()), (2, 1));
    fs::write(files.at("main.conf"), "a = 3\n").unwrap();
    let reload = online.reload(None, "SIGHUP").unwrap();
    assert_eq!(codes(reload.warnings()), ["change-undone"]);
    assert!(reload.warnings()[0].message.contains("config set a = 2"), "{:?}", reload.warnings());
    online.accept(reload).unwrap();
    assert!(!online.is_changed());

    assert_eq!(codes(&online.reload(Some("other.conf"), "anna").unwrap_err()), ["relative-path"]);
    let other = online.reload(Some(&files.name("other.conf")), "anna").unwrap();
    online.accept(other).unwrap();
    // It is the main file from now on.
    let again = online.reload(None, "anna").unwrap();
    assert!(again.config().root().option("o").is_some());
}

#[test]
fn a_file_that_changed_on_disk_is_not_overwritten_and_others_are_saved() {
    let files = Files::new(&[("main.conf", "a = 1\ninclude b.conf\n"), ("b.conf", "b = 1\n")]);
    let mut online = files.online();
    set(&mut online, "a = 2");
    set(&mut online, "b = 2");
    fs::write(files.at("b.conf"), "b = 9 # by hand\n").unwrap();
    let written = online.writeback(None);
    let outcomes: Vec<(bool, Outcome)> =
        written.files.iter().map(|file| (file.path.ends_with("b.conf"), file.outcome)).collect();
    assert_eq!(outcomes, [(true, Outcome::NotSaved), (false, Outcome::Saved)]);
    assert_eq!(codes(&written.findings), ["changed-on-disk", "not-in-any-file"]);
    assert!(written.findings[1].why.as_ref().unwrap().contains("could not be written"));
    assert_eq!(written.unsaved, "config set b = 2\n");
    assert_eq!(files.text("b.conf"), "b = 9 # by hand\n");
    assert!(files.text("main.conf").starts_with("a = 2\n"));
    fs::write(files.at("b.conf"), "b = 1\n").unwrap();
    saved(&mut online);
    assert_eq!(files.text("b.conf"), "b = 2\n");
}

#[test]
fn a_transaction_that_began_before_a_writeback_is_committed_and_saved_after_it() {
    let files = Files::new(&[("main.conf", "a = 1\nb = 1\n")]);
    let mut online = files.online();
    set(&mut online, "a = 2");
    let mut draft = Draft::begin(&online, "user anna");
    draft.set("b = 2").unwrap();
    saved(&mut online);
    online.accept(draft.candidate(&online).unwrap()).unwrap();
    assert_eq!(online.unsaved().map(ToString::to_string).collect::<Vec<_>>(), ["config set b = 2"]);
    saved(&mut online);
    assert_eq!(files.text("main.conf"), "a = 2\nb = 2\n");
}

#[test]
fn a_link_put_in_the_way_is_not_followed() {
    let files = Files::new(&[("main.conf", "a = 1\n"), ("victim", "v\n")]);
    let mut online = files.online();
    set(&mut online, "a = 2");
    fs::remove_file(files.at("main.conf")).unwrap();
    std::os::unix::fs::symlink(files.at("victim"), files.at("main.conf")).unwrap();
    assert_eq!(codes(&online.writeback(None).findings), ["not-replaced", "not-in-any-file"]);
    assert_eq!(files.text("victim"), "v\n");
}

#[test]
fn changes_are_written_to_a_new_file_and_to_no_other() {
    let files = Files::new(&[("main.conf", "S { a = 1  b = 1 }\n")]);
    let mut online = files.online();
    set(&mut online, "S a = 2");
    unset(&mut online, &["S", "b"]);
    let written = online.writeback(Some(&files.name("changes.conf")));
    assert_eq!(codes(&written.findings), ["not-in-file"]);
    assert_eq!(files.text("changes.conf"), "# Changes made while the server ran.\nS {\n  a = 2\n}\n");
    assert_eq!(online.unsaved().count(), 2, "nothing includes that file");
    let again = online.writeback(Some(&files.name("changes.conf")));
    assert_eq!(again.files[0].outcome, Outcome::NotSaved);
    assert_eq!(codes(&online.writeback(Some("changes.conf")).findings), ["relative-path"]);
}

#[test]
fn as_root_what_another_user_may_write_is_left_for_later() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let files = Files::new(&[("main.conf", "a = 1\nLocal_Changes_File = l.conf\n"), ("l.conf", "a = 2\n")]);
    std::os::unix::fs::chown(files.at("l.conf"), Some(994), None).unwrap();
    let mut online = files.online();
    assert_eq!(codes(online.notes()), ["local-changes-later"]);
    set(&mut online, "a = 3");
    saved(&mut online);
    // It is not taken for one that is missing, either.
    let limited = "a = 1\nLocal_Changes_Only = yes\nLocal_Changes_File = l.conf\n";
    fs::write(files.at("main.conf"), limited).unwrap();
    let mut online = files.online();
    set(&mut online, "a = 4");
    assert_eq!(codes(&online.writeback(None).findings), ["not-in-any-file"]);
    assert_eq!(files.text("l.conf"), "a = 2\n");
    std::os::unix::fs::chown(files.at("l.conf"), Some(0), None).unwrap();
    let config = files.online();
    let current = config.config().root().option("a").unwrap().current();
    assert!(config.config().place(current.span()).file.ends_with("/l.conf"));
}
