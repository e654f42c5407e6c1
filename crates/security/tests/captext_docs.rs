//! The examples of docs/capability-text.md are real: each line `text -> answer` in its fenced blocks is tried.

use std::{fs, path::Path};
use stepdown_security::text::{canonical, parse, parse_names};

/// What the page says its examples were made with.
const COUNT: u8 = 41;

#[test]
fn every_example_of_the_page_is_what_happens() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/capability-text.md");
    let page = fs::read_to_string(&page).expect("the page is in the repository");
    let (mut inside, mut examples) = ("", 0);
    for line in page.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = language;
            continue;
        }
        let Some((text, answer)) = line.split_once("->") else { continue };
        let (text, answer) = (text.trim(), answer.trim());
        let text = if text == "(nothing)" { "" } else { text };
        let ours = match inside {
            "capability-text" => parse(text, COUNT).map(|state| canonical(&state, COUNT)),
            "capability-names" => parse_names(text, COUNT).map(|set| set.len().to_string() + " capabilities"),
            _ => continue,
        };
        let ours = ours.unwrap_or_else(|error| format!("error: byte {}: {error}", error.offset + 1));
        assert_eq!(answer, ours, "{text}");
        examples += 1;
    }
    assert!(examples >= 40, "only {examples} examples found; has the page's format changed?");
}
