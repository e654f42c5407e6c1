//! `bench/parse/run` and `bench/captext/run` work, and what they measure is the same on both sides. How long anything
//! takes is not for a test to judge.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Done, done, skip};
use serde_json::Value;

/// A few iterations of a bench, built quickly, beside the tests' own files.
fn run(bench: &str, arguments: &[&str]) -> Done {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench").join(bench).join("run");
    done(
        Command::new(script)
            .args(arguments)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join(bench))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )
}

fn positive(value: &Value, names: &[&str]) {
    for name in names {
        assert!(value[name].as_f64().is_some_and(|number| number > 0.0), "{name} of {value}");
    }
}

#[test]
fn the_parse_bench_reads_every_size_and_weighs_it() {
    let measured = run("parse", &["--sizes", "1,2", "--runs", "2", "--json"]);
    let report: Value = serde_json::from_str(&measured.ran().out).unwrap();
    assert_eq!(report["runs"], 2);
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, bytes) in results.iter().zip([1_000_000, 2_000_000]) {
        let generated = result["bytes"].as_u64().unwrap();
        assert!((bytes..bytes + 2_000).contains(&generated), "{result}");
        positive(result, &["parse_mb_s", "parse_mb_s_best", "load_mb_s", "load_mb_s_best"]);
        // The text is in memory once at least, and a tree takes a few times its text at most.
        let [parse, load] = ["parse_memory", "load_memory"].map(|name| result[name].as_f64().unwrap());
        assert!(1.5 < parse && parse < load && load < 10.0, "{result}");
    }
    let table = run("parse", &["--sizes", "1", "--runs", "1"]);
    assert!(table.ran().out.starts_with("1 run of each, "), "{}", table.out);
    assert_eq!(run("parse", &["--sizes", "0"]).status, 2);
}

#[test]
fn the_capability_text_bench_agrees_with_libcap_and_measures_both() {
    let linked = Command::new("sh")
        .args(["-c", "echo 'int main(void) { return 0; }' | cc -x c - -lcap -o /dev/null"])
        .stderr(Stdio::null())
        .status();
    if !linked.is_ok_and(|status| status.success()) {
        return skip("a C compiler and libcap-dev are needed to link with libcap");
    }
    let measured = run("captext", &["--batches", "3", "--json"]);
    let report: Value = serde_json::from_str(&measured.ran().out).unwrap();
    let results = report["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["text"] == "cap_net_bind_service+ep"), "{report}");
    for result in results {
        for way in ["read", "write"] {
            positive(&result[way], &["ours_ns", "libcap_ns", "ratio"]);
        }
    }
    let table = run("captext", &["--batches", "1"]);
    assert!(table.ran().out.contains("\ncluster, four clauses "), "{}", table.out);
    assert_eq!(run("captext", &["--batches", "0"]).status, 2);
}
