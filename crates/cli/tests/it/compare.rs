//! `bench/compare/run` works, stepdown refuses there what it must refuse, and `docs/comparison.md` shows what the script
//! prints.

use std::process::Command;

use crate::support::{Done, STEPDOWN, done, have, is_root, skip};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/compare/run");
const DOCUMENT: &str = include_str!("../../../../docs/comparison.md");

/// The script with the program under test; `None` where it can't run.
fn compare(flags: &[&str]) -> Option<Done> {
    if !is_root() {
        skip("it needs root, to start launchers as root");
        return None;
    }
    if !have("python3") || !have("unshare") || !have("ip") {
        return None;
    }
    let done = done(Command::new(RUN).args(["--stepdown", STEPDOWN]).args(flags));
    done.ran();
    Some(done)
}

#[test]
fn the_comparison_runs_and_stepdown_refuses_or_does_what_was_asked() {
    let Some(done) = compare(&["--json"]) else { return };
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let groups = report["groups"].as_array().unwrap();
    assert!(groups.len() >= 10, "{report}");
    for group in groups {
        let rows = group["rows"].as_array().unwrap();
        let ours: Vec<_> = rows.iter().filter(|row| row["stepdown"] == true).collect();
        assert!(!ours.is_empty(), "{group}");
        for row in ours {
            // Either nothing ran, with 125 and a reason, or it ran as another user and with nothing of root's.
            if row["uid"].is_null() {
                assert_eq!(row["exit"], 125, "{row}");
                assert!(row["said"].as_str().unwrap().starts_with("server.conf:1:"), "{row}");
            } else {
                assert_eq!((&row["exit"], &row["uid"]), (&0.into(), &"994".into()), "{row}");
                assert_eq!((&row["nnp"], &row["fd 9"]), (&"1".into(), &"closed".into()), "{row}");
            }
        }
        // setpriv is on every machine that has `unshare`: the others are really run.
        let others = rows.iter().filter(|row| row["stepdown"] == false);
        assert!(others.count() > 0, "{group}");
    }
    let kept = groups.iter().find(|group| group["title"] == "Keep `cap_net_bind_service`").unwrap();
    let ours = kept["rows"].as_array().unwrap().iter().find(|row| row["stepdown"] == true).unwrap();
    assert_eq!(
        (&ours["effective"], &ours["bounding"]),
        (&"net_bind_service".into(), &"net_bind_service".into())
    );
}

#[test]
fn the_document_shows_what_the_comparison_prints() {
    let Some(done) = compare(&[]) else { return };
    for line in done.out.lines().filter(|line| line.starts_with("### ") || line.starts_with("| `stepdown: "))
    {
        // What is said may differ with the kernel; what is done may not.
        let shown = line.rsplit_once(" | ").map_or(line, |(row, _)| row);
        assert!(
            DOCUMENT.lines().any(|other| other.starts_with(shown)),
            "docs/comparison.md does not have {shown}"
        );
    }
}

#[test]
fn a_program_that_is_not_stepdown_is_found_out() {
    if !is_root() {
        skip("it needs root, to start launchers as root");
        return;
    }
    if !have("python3") || !have("unshare") || !have("ip") {
        return;
    }
    // It starts what it is told to start, as root, whatever the configuration says.
    let place = std::env::temp_dir().join(format!("stepdown-compare-{}", std::process::id()));
    std::fs::write(&place, "#!/bin/sh\nshift 4\nexec \"$@\"\n").unwrap();
    std::os::unix::fs::chown(&place, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = done(Command::new(RUN).arg("--stepdown").arg(&place));
    let _ = std::fs::remove_file(&place);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("stepdown did not do what it must"), "{}", done.err);
}
