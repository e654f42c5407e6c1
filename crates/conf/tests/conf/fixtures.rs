//! The fixtures: each `.conf` with the `.txt` it comes to.

use crate::loading::Disk;
use crate::printing;
use std::fs;
use std::path::{Path, PathBuf};
use stepdown_conf::{Config, Tree, syntax};

#[test]
fn valid_files_come_to_what_is_expected() {
    for path in fixtures("valid") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let config = Config::from_text(name, &text).unwrap_or_else(|e| panic!("{}", printing::findings(&e)));
        expect(&path.with_extension("txt"), &printing::config(&config));
        assert_eq!(walked(&text), text);
    }
}

#[test]
fn invalid_files_get_every_error_with_place_and_hint() {
    for path in fixtures("invalid") {
        let bytes = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let findings = syntax(name, &bytes);
        assert!(findings.iter().any(|finding| finding.is_error()), "{name} is valid");
        assert!(findings.iter().all(|finding| finding.place.is_some() && finding.why.is_some()), "{name}");
        expect(&path.with_extension("txt"), &printing::findings(&findings));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(walked(&text), text);
    }
}

#[test]
fn a_cluster_file_overrides_security_option_by_option() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/node");
    let mut loader = Disk::new(&directory);
    let path = ["default".to_string()];
    let config = Config::load("ecelerity.conf", &path, &mut loader)
        .unwrap_or_else(|findings| panic!("{}", printing::findings(&findings)));
    expect(&directory.join("expected.txt"), &printing::config(&config));

    let security = config.root().scope("security", None).unwrap();
    let option = |name| security.option(name).unwrap();
    assert_eq!(option("capabilities").history().count(), 2);
    assert_eq!(config.place(option("capabilities").current().span()).file, "ecelerity-cluster.conf");
    assert_eq!(config.place(option("user").current().span()).file, "ecelerity.conf");
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn walked(text: &str) -> String {
    Tree::parse("walked", text).0.walk(text).map(|(_, part)| part).collect()
}

fn expect(path: &Path, got: &str) {
    if std::env::var_os("UPDATE_EXPECTATIONS").is_some() {
        fs::write(path, got).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    for (number, (expected, got)) in expected.lines().zip(got.lines()).enumerate() {
        assert_eq!(got, expected, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(got.lines().count(), expected.lines().count(), "{}", path.display());
}
