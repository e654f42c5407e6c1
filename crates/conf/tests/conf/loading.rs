//! Inclusions, the search path, and the file of local changes, with a loader over a few texts or a directory.

use crate::printing::{codes, findings};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use stepdown_conf::{Cause, Config, Finding, LoadError, Loaded, Loader, ReadOnly};

/// Real files below one directory.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn new(directory: &Path) -> Disk {
        Disk(directory.to_path_buf())
    }
}

impl Loader for Disk {
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        let path = self.0.join(path);
        let Ok(facts) = path.metadata() else { return Err(LoadError::NotFound) };
        if facts.is_dir() {
            let names =
                path.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            return Ok(Loaded::Directory { names: names.collect() });
        }
        let text = std::fs::read(&path).unwrap();
        Ok(Loaded::File { identity: (facts.dev(), facts.ino()), text, writable: true })
    }
}

/// Texts by path. A text `-> path` is another name of that file; `!` is refused; what ends in `/` is a directory.
struct Texts {
    files: BTreeMap<&'static str, String>,
    asked: Vec<String>,
}

impl Loader for Texts {
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        self.asked.push(path.to_string());
        let directory = format!("{path}/");
        let below: Vec<&str> = self.files.keys().filter_map(|name| name.strip_prefix(&directory)).collect();
        if !below.is_empty() {
            let mut names: Vec<String> =
                below.iter().map(|name| name.split('/').next().unwrap().into()).collect();
            names.reverse();
            return Ok(Loaded::Directory { names });
        }
        let Some(mut text) = self.files.get(path) else { return Err(LoadError::NotFound) };
        let mut name = path;
        while let Some(other) = text.strip_prefix("-> ") {
            name = other;
            text = &self.files[other];
        }
        if text == "!" {
            let message = format!("`{path}` cannot be read: Permission denied");
            return Err(LoadError::Refused { message, why: None, hint: Some("read it as root".into()) });
        }
        let inode = self.files.keys().position(|key| *key == name).unwrap() as u64;
        Ok(Loaded::File {
            identity: (1, inode),
            text: text.clone().into(),
            writable: !text.starts_with("#ro"),
        })
    }
}

fn load(files: &[(&'static str, &str)]) -> Result<Config, Vec<Finding>> {
    let files = files.iter().map(|(name, text)| (*name, text.to_string())).collect();
    Config::load("/etc/main", &["/p1".into(), "/p2".into()], &mut Texts { files, asked: Vec::new() })
}

fn loaded(files: &[(&'static str, &str)]) -> Config {
    load(files).unwrap_or_else(|all| panic!("{}", findings(&all)))
}

fn refused(files: &[(&'static str, &str)]) -> Vec<Finding> {
    load(files).expect_err("it should be refused")
}

fn option(config: &Config, name: &str) -> String {
    config.root().option(name).unwrap().current().value().as_text().unwrap().text().into_owned()
}

#[test]
fn an_inclusion_stands_where_it_is_written_and_the_last_assignment_wins() {
    let config = loaded(&[
        ("/etc/main", "a = 1 INCLUDE b a = 3 z = 1 include \"b2\""),
        ("/etc/b", "a = 2"),
        ("/etc/b2", "Z = 9"),
    ]);
    assert_eq!((option(&config, "A"), option(&config, "z")), ("3".into(), "9".into()));
    let history: Vec<u32> = config.root().option("a").unwrap().history().map(|one| one.span().file).collect();
    assert_eq!(history, [0, 1, 0]);
}

#[test]
fn an_inclusion_in_a_scope_belongs_to_the_scope() {
    let config = loaded(&[("/etc/main", "S { include b }"), ("/etc/b", "a = 2 T { b = 1 }")]);
    assert!(config.root().option("a").is_none());
    let scope = config.root().scope("s", None).unwrap();
    assert!(scope.option("a").is_some() && scope.scope("t", None).is_some());
}

#[test]
fn a_relative_name_is_looked_up_beside_the_including_file_and_then_along_the_path() {
    let files = [
        ("/etc/main", "include sub/one"),
        ("/etc/sub/one", "include two include three"),
        ("/etc/sub/two", "a = beside"),
        ("/p2/two", "a = path"),
        ("/p2/three", "b = path"),
    ];
    let mut texts = Texts { files: files.map(|(n, t)| (n, t.to_string())).into(), asked: Vec::new() };
    let config = Config::load("/etc/main", &["/p1".into(), "/p2".into()], &mut texts).unwrap();
    assert_eq!((option(&config, "a"), option(&config, "b")), ("beside".into(), "path".into()));
    let asked = ["/etc/main", "/etc/sub/one", "/etc/sub/two", "/etc/sub/three", "/p1/three", "/p2/three"];
    assert_eq!(texts.asked, asked);
}

#[test]
fn the_main_file_is_the_first_along_the_search_path() {
    let files = [("/p2/stepdown.conf", "a = 2"), ("/p3/stepdown.conf", "a = 3")];
    let path = ["/p1".to_string(), "/p2".into(), "/p3".into()];
    let mut texts = Texts { files: files.map(|(n, t)| (n, t.to_string())).into(), asked: Vec::new() };
    assert_eq!(option(&Config::find("stepdown.conf", &path, &mut texts).unwrap(), "a"), "2");

    texts.files.clear();
    let all = Config::find("stepdown.conf", &path, &mut texts).unwrap_err();
    assert_eq!(codes(&all), ["no-configuration"]);
    assert!(all[0].why.as_ref().unwrap().contains("`/p1/stepdown.conf`, then `/p2/stepdown.conf`"));
    assert_eq!(codes(&refused(&[("/etc/main/x", "")])), ["not-a-file"]);
    assert_eq!(codes(&refused(&[("/etc/main", "!")])), ["unreadable"]);
}

#[test]
fn a_directory_means_its_files_in_order_without_what_was_left_behind() {
    let config = loaded(&[
        ("/etc/main", "include d"),
        ("/etc/d/20.conf", "a = 20"),
        ("/etc/d/10.conf", "a = 10"),
        ("/etc/d/30.conf~", "a = 30"),
        ("/etc/d/30.bak", "a = 31"),
        ("/etc/d/30.dpkg-old", "a = 32"),
        ("/etc/d/30.rpmnew", "a = 33"),
        ("/etc/d/.hidden", "a = 34"),
        ("/etc/d/sub/40.conf", "a = 40"),
    ]);
    assert_eq!(option(&config, "a"), "20");
    assert_eq!(config.root().option("a").unwrap().history().count(), 2);
    let expected = ["file-skipped", "file-skipped", "file-skipped", "file-skipped", "directory-skipped"];
    assert_eq!(codes(config.notes()), expected);
    assert!(config.notes().iter().all(|note| !note.is_error() && note.place.is_some()));
}

#[test]
fn what_is_missing_or_unreadable_is_an_error_of_the_host_and_all_are_reported() {
    let all = refused(&[("/etc/main", "include no include b\ninclude no2 x ="), ("/etc/b", "!")]);
    assert_eq!(codes(&all), ["missing-value", "include-not-found", "unreadable", "include-not-found"]);
    assert_eq!(all[1].cause, Cause::Host);
    assert_eq!(all[1].why.as_deref(), Some("looked for `/etc/no`, then `/p1/no`, then `/p2/no`"));
    assert_eq!(all[2].to_string(), "/etc/main:1:20: error: `/etc/b` cannot be read: Permission denied");
    assert_eq!(codes(&refused(&[("/etc/main", "include \"\"")])), ["empty-path"]);
    assert_eq!(codes(&refused(&[("/etc/main", "include b"), ("/etc/b", "x = (")])), ["unclosed-list"]);
}

#[test]
fn a_cycle_is_refused_with_its_chain_whatever_the_names() {
    let all = refused(&[("/etc/main", "include a"), ("/etc/a", "include b"), ("/etc/b", "include a")]);
    assert_eq!(codes(&all), ["include-cycle"]);
    assert_eq!(all[0].why.as_deref(), Some("/etc/a → /etc/b → /etc/a"));
    assert_eq!(all[0].related.len(), 1);
    assert_eq!(all[0].related[0].0.file, "/etc/a");

    let all =
        refused(&[("/etc/main", "include a"), ("/etc/a", "include link"), ("/etc/link", "-> /etc/main")]);
    assert_eq!(all[0].why.as_deref(), Some("/etc/main → /etc/a → /etc/main"));
    assert_eq!(codes(&refused(&[("/etc/main", "include main")])), ["include-cycle"]);
    assert_eq!(
        codes(&refused(&[
            ("/etc/main", "include d"),
            ("/etc/d/a", "include ../d"),
            ("/etc/d/../d/a", "-> /etc/d/a")
        ])),
        ["include-cycle"]
    );
}

#[test]
fn included_twice_counts_twice_and_is_read_only_with_all_it_includes() {
    let config = loaded(&[
        ("/etc/main", "include b S { include link } readonly_include c include ro"),
        ("/etc/b", "a = 1 include deep"),
        ("/etc/link", "-> /etc/b"),
        ("/etc/deep", "d = 1"),
        ("/etc/c", "include c2"),
        ("/etc/c2", "c = 1"),
        ("/etc/ro", "#ro"),
    ]);
    let states: Vec<_> = config.files().iter().map(|file| (file.path(), file.read_only())).collect();
    let expected = [
        ("/etc/main", None),
        ("/etc/b", Some(ReadOnly::IncludedTwice)),
        ("/etc/deep", Some(ReadOnly::IncludedTwice)),
        ("/etc/c", Some(ReadOnly::ReadonlyInclude)),
        ("/etc/c2", Some(ReadOnly::ReadonlyInclude)),
        ("/etc/ro", Some(ReadOnly::NotWritable)),
    ];
    assert_eq!(states, expected);
    assert!(config.root().option("d").is_some());
    assert!(config.root().scope("s", None).unwrap().option("d").is_some());
}

#[test]
fn the_file_of_local_changes_is_last_wherever_it_is_set() {
    let config = loaded(&[
        ("/etc/main", "Local_Changes_File = first a = 1 include b a = 2 S { local_changes_file = ignored }"),
        ("/etc/b", "LOCAL_changes_file = \"local\""),
        ("/etc/local", "a = 9"),
        ("/etc/first", "a = 8"),
    ]);
    assert_eq!(option(&config, "a"), "9");
    assert!(config.files()[2].is_local_changes() && !config.files()[1].is_local_changes());
    assert_eq!(codes(loaded(&[("/etc/main", "local_changes_file = new")]).notes(),), ["no-local-changes"]);
}

#[test]
fn the_file_of_local_changes_can_be_no_other_file() {
    let wrong = |files: &[(&'static str, &str)]| codes(&refused(files)) == ["local-changes-file"];
    assert!(wrong(&[("/etc/main", "Local_Changes_File = main")]));
    assert!(wrong(&[("/etc/main", "Local_Changes_File = l"), ("/etc/l", "-> /etc/main")]));
    assert!(wrong(&[("/etc/main", "include b Local_Changes_File = b"), ("/etc/b", "")]));
    assert!(wrong(&[("/etc/main", "Local_Changes_File = b"), ("/etc/b", "Local_Changes_File = c")]));
    assert!(wrong(&[("/etc/main", "Local_Changes_File = ( a b )")]));
    assert!(wrong(&[("/etc/main", "Local_Changes_File = \"\"")]));
    assert_eq!(codes(&refused(&[("/etc/main", "Local_Changes_File = d"), ("/etc/d/x", "")])), ["not-a-file"]);
}

#[test]
fn a_text_alone_can_include_nothing() {
    for text in ["include x", "readonly_include x", "Local_Changes_File = x"] {
        assert_eq!(codes(&Config::from_text("text", text).unwrap_err()), ["include-without-files"]);
    }
}

#[test]
fn files_that_include_each_other_many_times_over_are_limited() {
    let names: Vec<&'static str> = (0..40).map(|n| &*format!("/etc/{n}").leak()).collect();
    let mut files: Vec<(&'static str, String)> =
        (0..39).map(|n| (names[n], format!("include {} include {}", n + 1, n + 1))).collect();
    files.push((names[39], "a = 1".into()));
    files.push(("/etc/main", "include 0".into()));
    let mut texts = Texts { files: files.into_iter().collect(), asked: Vec::new() };
    let all = Config::load("/etc/main", &[], &mut texts).unwrap_err();
    assert_eq!(codes(&all), ["configuration-too-large"]);
    assert!(texts.asked.len() <= 41);
}

#[test]
fn scopes_nest_no_deeper_across_inclusions_than_in_one_file() {
    let nested = |depth: usize, inner: &str| "a{".repeat(depth) + inner + &"}".repeat(depth);
    let inner = nested(100, "x = 1");
    assert!(load(&[("/etc/main", &nested(100, "include b")), ("/etc/b", &inner)]).is_ok());
    let all = refused(&[("/etc/main", &nested(101, "include b")), ("/etc/b", &inner)]);
    assert_eq!((codes(&all), all[0].cause), (vec!["too-deep"], Cause::Text));
    assert_eq!(all[0].place.as_ref().unwrap().file, "/etc/b");
}

#[test]
fn a_chain_of_inclusions_ends() {
    let files = (0..100).map(|n| (&*format!("/etc/{n}").leak(), format!("include {}", n + 1))).collect();
    let all = Config::load("/etc/0", &[], &mut Texts { files, asked: Vec::new() }).unwrap_err();
    assert_eq!(codes(&all), ["include-too-deep"]);

    let text = "include nothing\n".repeat(50_000);
    let all = refused(&[("/etc/main", &text)]);
    assert!(all.len() < 10_100 && all.iter().any(|one| one.code == "configuration-too-large"));
}
