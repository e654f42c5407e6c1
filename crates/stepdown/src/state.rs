//! The state of a thread that is asked about: that of another process, or one that somebody pasted.
//!
//! A pasted text is read strictly, line by line, since nothing but itself vouches for it: proc_pid_status(5). The values
//! then come from the same reader as those of live processes. Neither needs a privilege. Securebits, root directory and
//! the like are not in a status file; they are taken to be as in a process that nobody changed.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stepdown_conf::{Cause, Finding, Place, Spot};
use stepdown_kernel::files::{self, Contents, ReadError, Trust};
use stepdown_kernel::observe::Status;
use stepdown_kernel::subject::Subject;
use stepdown_kernel::{errno_of, host};
use stepdown_security::credentials::{Credentials, Directory, Facts, IdMap, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::why::contradictions;

/// The longest text that is read; a status file is some 1500 bytes long.
pub const TEXT_LIMIT: usize = 1 << 20;

/// Looks at a running process.
///
/// # Errors
/// That there is none, or that `/proc` can't be read.
pub fn of_process(pid: u32) -> Result<Subject, Box<Finding>> {
    Subject::look(pid).map_err(|error| {
        Box::new(match errno_of(&error) {
            Errno::NOENT | Errno(3) => {
                Finding::error("no-process", Cause::Host, format!("there is no process {pid}"))
                    .because("there is none of that number in /proc, or it ended while it was looked at")
                    .hint("see `ps -e`; where /proc is mounted with hidepid, ask as root or as its user")
            }
            _ => Finding::error(
                "unreadable-process",
                Cause::Host,
                format!("process {pid} can't be read: {error}"),
            )
            .because("its state is in /proc, and nowhere else")
            .hint("mount -t proc proc /proc"),
        })
    })
}

/// Reads a file with the text of a `/proc/PID/status`.
///
/// # Errors
/// What is wrong with the file; as [`of_text`] for what is in it.
pub fn of_file(path: &Path) -> Result<Status, Vec<Finding>> {
    let name = path.display().to_string();
    let fail = |what: String| {
        vec![
            Finding::error("unreadable-state", Cause::Host, format!("{name}: {what}"))
                .because("it has to be a file with the text of a /proc/PID/status")
                .hint("cat /proc/PID/status >FILE there, and take it here; or pipe it to `--state -`"),
        ]
    };
    // Anybody's: nothing is done with it but to look at it.
    match files::read(path.as_os_str().as_bytes(), Trust::Anybody) {
        Ok(Contents::File { bytes, .. }) => of_text(&name, &bytes),
        Ok(Contents::Directory { .. }) => Err(fail("it is a directory".into())),
        Err(ReadError::NotFound) => Err(fail("there is no such file".into())),
        Err(ReadError::NotRegular(what)) => Err(fail(format!("it is {what}, not a regular file"))),
        Err(ReadError::TooLarge(limit)) => Err(fail(format!("it is larger than {limit} bytes"))),
        Err(ReadError::System(doing, error)) => Err(fail(format!("can't {doing} it: {error}"))),
        Err(ReadError::Untrusted(..)) => Err(fail("it is not trusted".into())),
    }
}

/// Reads the text of a status file that was pasted; `name` is what messages call it.
///
/// # Errors
/// Every line that can't be what a kernel wrote; and sets that contradict each other, with the line of the one that has
/// too much (`impossible-state`). The text was then cut, edited, or is something else.
pub fn of_text(name: &str, bytes: &[u8]) -> Result<Status, Vec<Finding>> {
    if bytes.len() > TEXT_LIMIT {
        return Err(vec![
            Finding::error(
                "state-too-large",
                Cause::Syntax,
                format!("{name} is larger than {TEXT_LIMIT} bytes"),
            )
            .because("a status file has some 60 lines")
            .hint(PASTE),
        ]);
    }
    let text = String::from_utf8_lossy(bytes);
    let lines = Lines { name, list: text.lines().collect() };
    let errors = lines.errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    let trimmed: String = lines.list.iter().map(|line| format!("{}\n", line.trim())).collect();
    let status = Status::parse(&trimmed).map_err(|why| {
        vec![
            Finding::error("unreadable-state", Cause::Syntax, format!("{name}: {why}"))
                .because(ONE_STATE)
                .hint(PASTE),
        ]
    })?;
    let impossible = lines.impossible(&status);
    if impossible.is_empty() { Ok(status) } else { Err(impossible) }
}

/// The state of a status, with what a status does not show taken to be untouched.
#[must_use]
pub fn credentials(status: Status, securebits: Securebits) -> Credentials {
    let nowhere = Directory { device: 0, inode: 0, mount: 0 };
    Credentials {
        uid: status.uid,
        gid: status.gid,
        groups: status.groups,
        permitted: status.permitted,
        effective: status.effective,
        inheritable: status.inheritable,
        bounding: status.bounding,
        ambient: status.ambient,
        securebits,
        no_new_privs: status.no_new_privs,
        root: nowhere,
        working_directory: nowhere,
        parent_death_signal: 0,
    }
}

/// What is taken to be true of the kernel that a pasted status comes from: every id exists, and it knows the
/// capabilities that this kernel knows, and those that the text has.
///
/// # Errors
/// Where this process can't read its own facts, in `/proc`.
pub fn facts_elsewhere(status: &Status) -> std::io::Result<Facts> {
    let witness = stepdown_kernel::observe::Witness::open()?;
    let sets = [status.bounding, status.permitted, status.inheritable];
    let seen = sets.iter().map(|set| 64 - set.bits().leading_zeros()).max().unwrap_or(0);
    let count = host::capability_count().max(u8::try_from(seen).unwrap_or(64));
    Ok(Facts {
        uid_map: IdMap::all(),
        gid_map: IdMap::all(),
        setgroups_allowed: true,
        ..host::facts(&witness, count)?
    })
}

/// Reads securebits: a number, decimal or 0x and hexadecimal, or names as setpriv(1) has them, joined by commas.
#[must_use]
pub fn securebits(text: &str) -> Option<Securebits> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    if let Some(bits) = number {
        // Those that have a name: no kernel lets others be set.
        return (bits < 1 << 12).then_some(Securebits(bits));
    }
    text.split(',').try_fold(Securebits::default(), |bits, name| {
        let known = (0..12).map(|bit| Securebits(1 << bit)).find(|bit| bit.to_string() == name.trim())?;
        Some(bits.with(known))
    })
}

const PASTE: &str = "paste all of it: cat /proc/PID/status";

const ONE_STATE: &str = "an answer from half a state would be a guess";

/// The other lines that Linux writes, to version 6.18: proc_pid_status(5), `fs/proc/array.c` and the architectures.
const PASSED_OVER: [&str; 51] = [
    "Name",
    "Umask",
    "State",
    "Tgid",
    "Ngid",
    "PPid",
    "TracerPid",
    "FDSize",
    "NStgid",
    "NSpid",
    "NSpgid",
    "NSsid",
    "Kthread",
    "VmPeak",
    "VmSize",
    "VmLck",
    "VmPin",
    "VmHWM",
    "VmRSS",
    "RssAnon",
    "RssFile",
    "RssShmem",
    "VmData",
    "VmStk",
    "VmExe",
    "VmLib",
    "VmPTE",
    "VmPMD",
    "VmSwap",
    "HugetlbPages",
    "CoreDumping",
    "THP_enabled",
    "untag_mask",
    "SigQ",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Seccomp",
    "Seccomp_filters",
    "Speculation_Store_Bypass",
    "SpeculationIndirectBranch",
    "Cpus_allowed",
    "Cpus_allowed_list",
    "Mems_allowed",
    "Mems_allowed_list",
    "voluntary_ctxt_switches",
    "nonvoluntary_ctxt_switches",
    "x86_Thread_features",
    "x86_Thread_features_locked",
];

/// A pasted text.
struct Lines<'a> {
    name: &'a str,
    list: Vec<&'a str>,
}

impl Lines<'_> {
    /// Every line that no kernel wrote, and every line that is missing.
    fn errors(&self) -> Vec<Finding> {
        let mut errors = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (index, line) in self.list.iter().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_name(name)) else {
                errors.push(
                    self.at(index, "not-a-status-line", "this is no line of a status file".into())
                        .because("each is a name, a colon and a value, proc_pid_status(5)")
                        .hint(PASTE),
                );
                continue;
            };
            if seen.contains(&name) {
                errors.push(
                    self.at(index, "repeated-line", format!("`{name}` is there for the second time"))
                        .because("a status file has each line once; these may be two files, and which one is meant is not said")
                        .hint("paste one of them"),
                );
            } else if Status::FIELDS.contains(&name) {
                errors.extend(self.value(index, name, value.trim()));
            } else if !PASSED_OVER.contains(&name) {
                errors.push(
                    self.at(index, "unknown-line", format!("`{name}` is no line that Linux up to 6.18 writes"))
                        .because("what is not known could matter")
                        .hint("correct the name; if a newer kernel wrote it and it is not about credentials, delete the line"),
                );
            }
            seen.push(name);
        }
        let missing: Vec<&str> = Status::FIELDS.iter().filter(|name| !seen.contains(name)).copied().collect();
        if !missing.is_empty() && errors.is_empty() {
            let last = self.list.len().saturating_sub(1);
            let finding = self.at(
                last,
                "state-cut-short",
                format!("the text ends without {}: line {} is the last", missing.join(", "), last + 1),
            );
            errors.push(finding.because(ONE_STATE).hint(PASTE));
        }
        errors
    }

    /// What is wrong with the value of a line that is needed.
    fn value(&self, index: usize, name: &str, value: &str) -> Option<Finding> {
        let numbers = |least: usize, most: usize| {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            let count = words.len() >= least && words.len() <= most;
            // 4294967295 is no id: it is what the calls take for "leave it".
            count && words.iter().all(|word| word.parse::<u32>().is_ok_and(|id| id != u32::MAX))
        };
        let (right, form) = match name {
            "Uid" | "Gid" => (numbers(4, 4), "four ids: real, effective, saved, filesystem"),
            "Groups" => (numbers(0, 65536), "ids"),
            "Pid" | "Threads" => (numbers(1, 1), "one number"),
            "NoNewPrivs" => (matches!(value, "0" | "1"), "0 or 1"),
            _ => {
                let hexadecimal = value.bytes().all(|byte| byte.is_ascii_hexdigit());
                if hexadecimal && value.len() > 16 {
                    let message = format!("`{name}` has capabilities above 63");
                    return Some(
                        self.at(index, "capability-above-63", message)
                            .because("the kernel's sets are 64 bits wide: 16 hexadecimal digits")
                            .hint(PASTE),
                    );
                }
                (hexadecimal && value.len() == 16, "16 hexadecimal digits")
            }
        };
        (!right).then(|| {
            self.at(index, "unreadable-line", format!("the value of `{name}` is not what a kernel writes"))
                .because(format!("it is {form}, proc_pid_status(5)"))
                .hint(PASTE)
        })
    }

    /// Sets that contradict each other.
    fn impossible(&self, status: &Status) -> Vec<Finding> {
        let state = credentials(status.clone(), Securebits::default());
        contradictions(&state)
            .into_iter()
            .map(|contradiction| {
                let line = if contradiction.set == "effective" { "CapEff" } else { "CapAmb" };
                let index =
                    self.list.iter().position(|text| text.trim().starts_with(line)).unwrap_or_default();
                let message = format!(
                    "no kernel produces this state: {} {} in the {} set and not in {}",
                    contradiction.excess,
                    if contradiction.excess.len() == 1 { "is" } else { "are" },
                    contradiction.set,
                    contradiction.within,
                );
                self.at(index, "impossible-state", message)
                    .because("the kernel keeps the effective set within the permitted one, and the ambient set within the permitted and the inheritable one, capabilities(7)")
                    .hint("look whether two files were mixed, or a digit was lost")
            })
            .collect()
    }

    fn at(&self, index: usize, code: &'static str, message: String) -> Finding {
        let line = self.list.get(index).copied().unwrap_or_default();
        let excerpt: String = line.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let width = u32::try_from(excerpt.chars().count()).unwrap_or(1).max(1);
        Finding::error(code, Cause::Text, message).at(Place::from(Spot {
            file: self.name.to_owned(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            column: 1,
            excerpt,
            excerpt_column: 0,
            width,
        }))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
