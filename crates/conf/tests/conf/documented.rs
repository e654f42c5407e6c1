//! The language's reference names every finding and limit there is, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use stepdown_conf::{
    MAX_DEPTH, MAX_ERRORS, MAX_FILE_BYTES, MAX_INCLUDE_DEPTH, MAX_INCLUSIONS, MAX_TEXT_BYTES, MAX_TOTAL_BYTES,
};

fn reference() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/language.md")).unwrap()
}

#[test]
fn every_finding_is_in_the_reference() {
    let mut made = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for call in ["syntax(", "syntax_error(", "Finding::error(", "Finding::warning(", "Finding::note("] {
            for after in source.split(call).skip(1) {
                if let Some(code) = after.trim_start().strip_prefix('"') {
                    made.insert(code.split('"').next().unwrap().to_string());
                }
            }
        }
    }
    // Calls that name no finding: `syntax("f", …)` and the like in tests of the sources.
    for name in ["f", "text", "fuzz", "again"] {
        made.remove(name);
    }
    assert!(made.len() > 40, "{made:?}");

    let reference = reference();
    let section = reference.split("## Errors").nth(1).unwrap();
    let documented: BTreeSet<String> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains('-') || ["semicolon", "unreadable"].contains(code))
        .map(str::to_string)
        .collect();
    assert_eq!(documented, made);
}

#[test]
fn every_limit_is_in_the_reference() {
    let reference = reference();
    let limit = |what: &str| {
        let row = reference.lines().find(|line| line.starts_with(&format!("| {what}"))).unwrap();
        let number = row.rsplit('|').nth(1).unwrap().trim().replace(' ', "");
        match number.strip_suffix("MiB") {
            Some(number) => number.parse::<u64>().unwrap() << 20,
            None => number.parse().unwrap(),
        }
    };
    assert_eq!(limit("one file"), MAX_FILE_BYTES as u64);
    assert_eq!(limit("all files"), MAX_TOTAL_BYTES);
    assert_eq!(limit("files, each"), u64::from(MAX_INCLUSIONS));
    assert_eq!(limit("inclusions"), MAX_INCLUDE_DEPTH as u64);
    assert_eq!(limit("scopes"), MAX_DEPTH as u64);
    assert_eq!(limit("one name"), MAX_TEXT_BYTES as u64);
    assert_eq!(limit("errors"), MAX_ERRORS as u64);
}
