//! `bench/launch/run` works. How long anything takes is not for a test to judge.

use std::process::Command;

use crate::support::{Done, STEPDOWN, done, have, is_root, skip};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/launch/run");

/// Three rounds with the program under test; `None` where it can't run.
fn three_rounds(flags: &[&str]) -> Option<Done> {
    if !is_root() {
        skip("it needs root, to start launchers as root");
        return None;
    }
    if !have("gcc") || !have("capsh") || !have("unshare") {
        return None;
    }
    let done = done(Command::new(RUN).args(["--rounds", "3", "--stepdown", STEPDOWN]).args(flags));
    done.ran();
    Some(done)
}

#[test]
fn the_launch_bench_measures_stepdown_beside_the_floor_and_capsh() {
    let Some(done) = three_rounds(&["--json"]) else { return };
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["rounds"], 3);
    let results = report["results"].as_array().unwrap();
    let floors = ["floor, ids built in", "floor", "floor, asking too"];
    let others = ["stepdown-run", "stepdown", "capsh --user --iab", "capsh --drop --user --inh --addamb"];
    for name in floors.into_iter().chain(others) {
        let result = results.iter().find(|result| result["name"] == name);
        let result = result.unwrap_or_else(|| panic!("{name} is not in {report}"));
        assert_eq!(result["keeps"], true, "{name} does the whole job: {result}");
        assert_eq!(result["bounding"], true, "{name} does the whole job: {result}");
        for number in ["median_us", "p99_us", "of_floor", "of_capsh"] {
            assert!(result[number].as_f64().unwrap() > 0.0, "{number} of {name}: {result}");
        }
    }
}

#[test]
fn the_launch_bench_prints_a_table() {
    let Some(done) = three_rounds(&[]) else { return };
    assert!(done.out.starts_with("3 rounds, interleaved, on Linux "), "{}", done.out);
    let row = done.out.lines().find(|line| line.starts_with("stepdown ")).unwrap();
    assert!(row.ends_with("yes       yes"), "{row}");
}

#[test]
fn the_launch_bench_refuses_a_program_that_is_not_there() {
    let done = done(Command::new(RUN).args(["--stepdown", "/nowhere"]));
    assert_eq!(done.status, 2);
    assert!(done.err.contains("there is no /nowhere"), "{}", done.err);
}
