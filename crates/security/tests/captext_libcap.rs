//! Capability text against the real libcap: hundreds of thousands of texts and states, and for each of them the same
//! acceptance, the same bits and the same canonical text on both sides.
//!
//! Needs a C compiler and libcap's shared library. Where one is missing the test says `skipped` and why; with
//! STEPDOWN_REQUIRE_ALL=1 that is a failure. It prints the seed of its random part; STEPDOWN_SEED=0x… repeats it.

#![allow(clippy::unwrap_used, reason = "the whole file is a test, its helpers too")]

#[path = "oracle/generate.rs"]
mod generate;

use generate::Random;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use stepdown_security::capability::CapSet;
use stepdown_security::text::{CapState, TextErrorKind, canonical, parse_bytes};

/// The seed that every run uses; beside it each run has one of its own.
const FIXED_SEED: u64 = 0x5eed;

/// Kernels to believe in: none of the later capabilities, the borders of libcap's 32-bit words, a kernel older than
/// the table, the table's own, newer ones, and the most there can be.
const COUNTS: [u8; 11] = [1, 5, 31, 32, 33, 38, 40, 42, 45, 63, 64];

#[test]
fn same_answers_as_libcap() {
    let oracle = match Oracle::build() {
        Ok(oracle) => oracle,
        Err(why) => {
            let required = std::env::var("STEPDOWN_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!required, "STEPDOWN_REQUIRE_ALL=1, but: {why}");
            println!("skipped: {why}");
            return;
        }
    };
    let own_seed = match std::env::var("STEPDOWN_SEED") {
        Ok(seed) => u64::from_str_radix(seed.trim_start_matches("0x"), 16).unwrap(),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    println!("seeds: {FIXED_SEED:#x} and STEPDOWN_SEED={own_seed:#x}");

    let mut tally = Tally::default();
    for seed in [FIXED_SEED, own_seed] {
        let mut random = Random::new(seed);
        oracle.compare(None, &requests(&mut random, 41, 80_000, 20_000), &mut tally);
        for count in COUNTS {
            oracle.compare(Some(count), &requests(&mut random, count, 8_000, 2_000), &mut tally);
        }
    }
    let sequences: Vec<_> = generate::every_sequence(5).map(Request::Text).collect();
    oracle.compare(None, &sequences, &mut tally);
    tally.check();
}

enum Request {
    Text(Vec<u8>),
    State(CapState),
}

fn requests(random: &mut Random, count: u8, texts: usize, states: usize) -> Vec<Request> {
    let mut requests: Vec<_> = (0..texts).map(|_| Request::Text(generate::text(random))).collect();
    requests.extend((0..states).map(|_| Request::State(generate::state(random, count))));
    requests
}

impl Request {
    /// The line that puts it to the oracle.
    fn line(&self) -> String {
        match self {
            Request::Text(text) => {
                let digits = text.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                let hex = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
                "t ".chars().chain(hex).collect()
            }
            Request::State(CapState { effective, permitted, inheritable }) => {
                format!("s {:x} {:x} {:x}", effective.bits(), permitted.bits(), inheritable.bits())
            }
        }
    }

    /// Our answer to it, in the oracle's words.
    fn answer(&self, count: u8, tally: &mut Tally) -> String {
        let state = match self {
            Request::State(state) => {
                tally.states += 1;
                *state
            }
            Request::Text(text) => match parse_bytes(text, count) {
                Ok(state) => {
                    tally.accepted += 1;
                    state
                }
                Err(error) => {
                    assert!(error.offset + error.length <= text.len(), "{error:?} is outside of {text:?}");
                    tally.refused += 1;
                    tally.reasons.insert(reason(&error.kind));
                    return "error".into();
                }
            },
        };
        let text = canonical(&state, count);
        // Not libcap's word, but what makes the text canonical.
        assert_eq!(parse_bytes(text.as_bytes(), count), Ok(state), "{text}");
        tally.canonical.insert(text.clone());
        let bits = CapSet::bits;
        format!(
            "{:x} {:x} {:x} {text}",
            bits(state.effective),
            bits(state.permitted),
            bits(state.inheritable)
        )
    }

    fn shown(&self) -> String {
        match self {
            Request::Text(text) => format!("\"{}\"", text.escape_ascii()),
            Request::State(state) => format!("{state:?}"),
        }
    }
}

fn reason(kind: &TextErrorKind) -> String {
    let shown = format!("{kind:?}");
    shown.split([' ', '(']).next().unwrap_or_default().into()
}

/// What was compared, so that the test can tell whether it tried enough.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    states: usize,
    reasons: BTreeSet<String>,
    canonical: BTreeSet<String>,
}

impl Tally {
    /// A generator that has gone stale must not pass for agreement.
    fn check(&self) {
        let Tally { accepted, refused, states, reasons, canonical } = self;
        println!("the same: {accepted} texts accepted, {refused} refused, {states} states");
        println!("{} canonical texts, reasons: {reasons:?}", canonical.len());
        assert!(accepted + refused > 400_000 && *states > 80_000);
        assert!(*accepted > 100_000 && *refused > 100_000);
        assert!(canonical.len() > 100_000);
        // All but those that a C string or capability text cannot show.
        assert_eq!(reasons.len(), 11);
    }
}

/// The C program beside this file, compiled.
struct Oracle {
    folder: PathBuf,
}

impl Oracle {
    fn build() -> Result<Oracle, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/libcap_oracle.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("captext-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let oracle = Oracle { folder };
        let mut said = String::new();
        // Debian without libcap-dev has the library by its full name only.
        for library in ["-lcap", "-l:libcap.so.2"] {
            let mut cc = Command::new("cc");
            cc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(oracle.program()).arg(&source).arg(library);
            let output = cc.output().map_err(|error| format!("cc cannot be started: {error}"))?;
            if output.status.success() {
                return Ok(oracle);
            }
            said += &String::from_utf8_lossy(&output.stderr);
        }
        Err(format!("cc could not link with libcap: {said}"))
    }

    fn program(&self) -> PathBuf {
        self.folder.join("libcap_oracle")
    }

    /// Puts the requests to both sides; `believed` is the number of capabilities that libcap is made to believe in, or
    /// `None` for what it finds out from the kernel here.
    fn compare(&self, believed: Option<u8>, requests: &[Request], tally: &mut Tally) {
        let mut command = Command::new(self.program());
        if let Some(count) = believed {
            command.env("ORACLE_COUNT", count.to_string());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = BufWriter::new(child.stdin.take().unwrap());
        let output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);

        std::thread::scope(|scope| {
            // Owned here, so that a failed comparison closes it and the writer below ends too.
            let mut output = output;
            scope.spawn(move || {
                // An error here is a reader that has given up, and it tells why itself.
                let lines = requests.iter().try_for_each(|request| writeln!(input, "{}", request.line()));
                lines.and_then(|()| input.flush())
            });
            let greeting = output.next().expect("the oracle says what it is");
            let (count, library) = greeting.split_once(' ').unwrap();
            let count: u8 = count.parse().unwrap();
            if let Some(believed) = believed {
                assert_eq!(count, believed, "the oracle did not take the number it was given");
            } else {
                println!("{} requests to {library}, {count} capabilities", requests.len());
            }
            for request in requests {
                let theirs = output.next().expect("an answer to every request");
                let ours = request.answer(count, tally);
                assert_eq!(ours, theirs, "ours, then {library}'s, of {} with count {count}", request.shown());
            }
        });
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
