//! `bench/serve/run` works, and what does not depend on how busy the machine is, is as it is promised: an idle server does not wake
//! up, and is small. How long anything takes is not for a test to judge.

use std::process::Command;

use crate::support::{Done, STEPDOWN, done, have, is_root, skip};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/serve/run");

/// One round with the program under test; `None` where it can't run.
fn one_round(flags: &[&str]) -> Option<Done> {
    if !is_root() {
        skip("it needs root, to start servers as root");
        return None;
    }
    if ["gcc", "unshare"].iter().any(|program| !have(program)) {
        return None;
    }
    let done =
        done(Command::new(RUN).args(["--rounds", "1", "--seconds", "2", "--stepdown", STEPDOWN]).args(flags));
    done.ran();
    Some(done)
}

#[test]
fn an_idle_server_sleeps_and_holds_less_than_three_megabytes() {
    let Some(done) = one_round(&["--json"]) else { return };
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    for name in ["stepdown serve", "its warden"] {
        let row = &report["idle"][name];
        assert_eq!(row["wake_ups"], 0, "{name}: {report}");
        assert!(row["VmRSS"].as_u64().unwrap() < 3 * 1024, "{name}: {report}");
    }
    // It is as small again after somebody has asked something.
    assert!(report["idle"]["stepdown serve, asked"]["VmRSS"].as_u64().unwrap() < 3 * 1024, "{report}");
    // The others, and the load, are measured where they are installed.
    for peer in ["s6-supervise", "runsv"] {
        if let Some(row) = report["idle"].get(peer) {
            assert!(row["VmRSS"].as_u64().unwrap() > 0, "{report}");
        }
    }
    if let Some(throughput) = report.get("throughput") {
        for way in ["kept connections", "a connection each"] {
            assert!(throughput[way]["ratio"].as_f64().unwrap() > 0.0, "{report}");
        }
    }
    for what in ["nothing changed", "one added", "all changed"] {
        assert!(report["reload"][what]["median_ms"].as_f64().unwrap() > 0.0, "{report}");
    }
}

#[test]
fn the_serve_bench_refuses_a_program_that_is_not_there() {
    let done = done(Command::new(RUN).args(["--stepdown", "/nowhere"]));
    assert_eq!(done.status, 2);
    assert!(done.err.contains("there is no /nowhere"), "{}", done.err);
}
