//! Measures capability text beside libcap, both in this process: reading (cap_from_text) and writing (cap_to_text).
//!
//! The two take turns, a batch of a few microseconds each, so that whatever else the machine does meets both. What each
//! allocates it frees within its time, since nobody can do without. Before anything is measured both have to agree.

mod libcap;

use std::ffi::CString;
use std::hint::black_box;
use std::time::Instant;
use std::{env, fs, process};
use stepdown_security::text::{canonical, parse_bytes};

const USAGE: &str = "usage: bench/captext/run [--batches N] [--json]";
/// Calls in a batch: few enough that most batches are not interrupted.
const BATCH: u32 = 100;

const TEXTS: [(&str, &str); 8] = [
    ("one name", "cap_net_bind_service+ep"),
    ("cluster, four clauses", "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep"),
    ("one clause, four names", "cap_net_admin,cap_net_bind_service,cap_net_raw,cap_sys_time=ep"),
    ("everything", "=ep"),
    ("all but two", "all=eip cap_sys_admin,cap_sys_module-ep"),
    ("upper case", "CAP_DAC_READ_SEARCH,CAP_CHECKPOINT_RESTORE+eip"),
    ("numbers", "0,7,0x0d,21+p"),
    (
        "eight combinations",
        "cap_chown=p cap_kill=e cap_setuid=i cap_setgid=ep cap_bpf=ip cap_mknod=ei cap_lease=eip",
    ),
];

/// Nanoseconds of a call in the median batch: ours and theirs.
struct Row {
    name: &'static str,
    text: &'static str,
    read: [f64; 2],
    written: [f64; 2],
}

fn main() {
    let mut arguments = env::args().skip(1);
    let (mut batches, mut json) = (20_000, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--batches" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                batches = number.filter(|number| *number > 0).unwrap_or_else(|| usage());
            }
            "--json" => json = true,
            _ => usage(),
        }
    }
    let count = capabilities_here();
    let rows: Vec<Row> = TEXTS.iter().map(|(name, text)| measure(name, text, count, batches)).collect();
    if json { print_json(&rows, batches) } else { print_text(&rows, batches) }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    process::exit(2)
}

/// How many capabilities the kernel knows, which libcap finds out for itself.
fn capabilities_here() -> u8 {
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("a kernel since Linux 3.2");
    last.trim().parse::<u8>().expect("a number") + 1
}

fn measure(name: &'static str, text: &'static str, count: u8, batches: usize) -> Row {
    let bytes = text.as_bytes();
    let c_text = CString::new(text).expect("no text has a NUL");
    let ours = parse_bytes(bytes, count).expect("every text is right");
    let theirs = libcap::parse(&c_text).expect("and libcap finds so too");
    assert_eq!(canonical(&ours, count), libcap::canonical(&theirs).expect("there is memory").text());
    Row {
        name,
        text,
        read: alternate(
            batches,
            || drop(black_box(parse_bytes(black_box(bytes), black_box(count)))),
            || drop(black_box(libcap::parse(black_box(&c_text)))),
        ),
        written: alternate(
            batches,
            || drop(black_box(canonical(black_box(&ours), black_box(count)))),
            || drop(black_box(libcap::canonical(black_box(&theirs)))),
        ),
    }
}

fn alternate(batches: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> [f64; 2] {
    let mut times = [Vec::with_capacity(batches), Vec::with_capacity(batches)];
    for _ in 0..batches {
        times[0].push(batch(&mut ours));
        times[1].push(batch(&mut theirs));
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[batches / 2]
    })
}

#[inline(always)]
fn batch(work: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..BATCH {
        work();
    }
    start.elapsed().as_nanos() as f64 / f64::from(BATCH)
}

fn print_text(rows: &[Row], batches: usize) {
    println!(
        "{batches} batches of {BATCH} calls each, ours and libcap's by turns;\nnanoseconds a call, median batch\n"
    );
    println!("                          reading text              writing text");
    println!("                          ours  libcap   ratio      ours  libcap   ratio");
    for Row { name, read, written, .. } in rows {
        let cell = |[ours, theirs]: [f64; 2]| format!("{ours:6.0}  {theirs:6.0}  {:6.1}", theirs / ours);
        println!("{name:<24}{}    {}", cell(*read), cell(*written));
    }
}

fn print_json(rows: &[Row], batches: usize) {
    let rows: Vec<String> = rows
        .iter()
        .map(|Row { name, text, read, written }| {
            let cell = |[ours, theirs]: [f64; 2]| {
                format!("{{\"ours_ns\":{ours:.1},\"libcap_ns\":{theirs:.1},\"ratio\":{:.2}}}", theirs / ours)
            };
            format!(
                "{{\"name\":\"{name}\",\"text\":\"{text}\",\"read\":{},\"write\":{}}}",
                cell(*read),
                cell(*written)
            )
        })
        .collect();
    println!("{{\"batches\":{batches},\"results\":[{}]}}", rows.join(","));
}
