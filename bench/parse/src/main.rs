//! Measures how fast a configuration is read, and what memory that takes, from 1 to 50 MB.
//!
//! *parse* is text to lossless tree, with every check of the text's form. *load* is all of it: reading the file, checking
//! that it is UTF-8, the tree, and merging the scopes so that each option can be asked for. Each is the median of several
//! runs, the sizes taking turns. Memory is the peak of a process of its own for each, the text included.

mod generate;

use std::hint::black_box;
use std::process::{Command, exit};
use std::time::Instant;
use std::{env, fs, io};
use stepdown_conf::{Config, LoadError, Loaded, Loader, Tree};

const MB: usize = 1_000_000;
const USAGE: &str = "usage: bench/parse/run [--sizes 1,5,10,25,50] [--runs N] [--json] [--keep FILE]";

/// One size: MB/s, nanoseconds a byte, and memory as a multiple of the file.
struct Row {
    file: String,
    bytes: usize,
    parse: Vec<f64>,
    load: Vec<f64>,
    memory: [f64; 2],
}

fn main() {
    let mut arguments = env::args().skip(1);
    let (mut sizes, mut runs, mut json, mut keep) = (vec![1, 5, 10, 25, 50], 9, false, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage());
        match argument.as_str() {
            "--sizes" => sizes = value().split(',').map(number).collect(),
            "--runs" => runs = number(&value()),
            "--json" => json = true,
            "--keep" => keep = Some(value()),
            // What measures memory: one reading in a process of its own.
            "--once" => return once(&value(), &value()),
            _ => usage(),
        }
    }
    let directory = env::temp_dir().join(format!("stepdown-bench-parse-{}", std::process::id()));
    let result = measure(&directory, &sizes, runs, keep);
    // Nothing is left behind, whatever happened.
    let _ = fs::remove_dir_all(&directory);
    match result {
        Ok(rows) if json => print_json(&rows, runs),
        Ok(rows) => print_text(&rows, runs),
        Err(error) => {
            eprintln!("bench/parse/run: {error}");
            exit(1);
        }
    }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    exit(2)
}

fn number(text: &str) -> usize {
    text.parse().ok().filter(|number| *number > 0).unwrap_or_else(|| usage())
}

fn measure(
    directory: &std::path::Path,
    sizes: &[usize],
    runs: usize,
    keep: Option<String>,
) -> io::Result<Vec<Row>> {
    fs::create_dir_all(directory)?;
    let mut rows = Vec::new();
    for size in sizes {
        let path = directory.join(format!("{size}.conf"));
        let text = generate::configuration(size * MB);
        fs::write(&path, &text)?;
        if let Some(keep) = keep.as_ref().filter(|_| Some(size) == sizes.iter().max()) {
            fs::copy(&path, keep)?;
        }
        let file = path.display().to_string();
        let memory = [peak("parse", &file)? / text.len() as f64, peak("load", &file)? / text.len() as f64];
        rows.push(Row { file, bytes: text.len(), parse: Vec::new(), load: Vec::new(), memory });
    }
    for _ in 0..runs {
        for row in &mut rows {
            let text = fs::read_to_string(&row.file)?;
            row.parse.push(timed(|| drop(black_box(parse(&text)))));
            drop(text);
            row.load.push(timed(|| drop(black_box(load(&row.file)))));
        }
    }
    Ok(rows)
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn parse(text: &str) -> Tree {
    let (tree, findings) = Tree::parse("generated.conf", black_box(text));
    assert!(findings.is_empty(), "{}", findings[0]);
    tree
}

fn load(file: &str) -> Config {
    let config = Config::load(file, &[], &mut Files).unwrap_or_else(|findings| panic!("{}", findings[0]));
    assert!(config.root().scope("Security", None).is_some_and(|scope| scope.option("user").is_some()));
    config
}

/// Reads files as they come; a bench trusts what it has written.
struct Files;

impl Loader for Files {
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        let text = fs::read(path).map_err(|_| LoadError::NotFound)?;
        Ok(Loaded::File { identity: (0, 0), text, writable: true })
    }
}

fn once(what: &str, file: &str) {
    match what {
        "parse" => {
            let text = fs::read_to_string(file).expect("the bench wrote it");
            drop(black_box(parse(&text)));
        }
        _ => drop(black_box(load(file))),
    }
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("proc_pid_status(5)");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

/// The most memory that a process held which does nothing but this, in bytes.
fn peak(what: &str, file: &str) -> io::Result<f64> {
    let output = Command::new(env::current_exe()?).args(["--once", what, file]).output()?;
    let kilobytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().map_err(io::Error::other)?;
    Ok(kilobytes * 1024.0)
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// MB/s of the median, and of the best.
fn speed(row: &Row, times: &[f64]) -> [f64; 2] {
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    [median(times), best].map(|time| row.bytes as f64 / MB as f64 / time)
}

fn print_text(rows: &[Row], runs: usize) {
    let times = if runs == 1 { "run" } else { "runs" };
    println!("{runs} {times} of each, interleaved; MB/s of the median run, in brackets of the best;");
    println!("memory is the peak of the process, the text included, as a multiple of the file\n");
    println!("   MB   parse MB/s         ms   memory    load MB/s         ms   memory");
    for row in rows {
        let cell = |times: &[f64], memory: f64| {
            let [middle, best] = speed(row, times);
            format!("{middle:6.0} ({best:4.0})  {:9.2}  {memory:5.1} ×", median(times) * 1000.0)
        };
        println!(
            "{:5.0}  {}  {}",
            row.bytes as f64 / MB as f64,
            cell(&row.parse, row.memory[0]),
            cell(&row.load, row.memory[1])
        );
    }
}

fn print_json(rows: &[Row], runs: usize) {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let ([parse, best_parse], [load, best_load]) = (speed(row, &row.parse), speed(row, &row.load));
            let [parse_memory, load_memory] = row.memory;
            format!(
                "{{\"bytes\":{},\"parse_mb_s\":{parse:.1},\"parse_mb_s_best\":{best_parse:.1},\
                 \"load_mb_s\":{load:.1},\"load_mb_s_best\":{best_load:.1},\
                 \"parse_memory\":{parse_memory:.2},\"load_memory\":{load_memory:.2}}}",
                row.bytes
            )
        })
        .collect();
    println!("{{\"runs\":{runs},\"results\":[{}]}}", rows.join(","));
}
