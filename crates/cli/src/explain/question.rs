//! `stepdown explain --pid` and `--state`: what a thread is, what is odd about it, and what execve(2) of a program would
//! make of it.

use std::fmt::Write;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde_json::{Value, json};
use stepdown::conf::{Cause, Finding};
use stepdown::error::no_program;
use stepdown::security::capability::CapSet;
use stepdown::security::credentials::{Credentials, Facts, Securebits, words_of_set};
use stepdown::security::execve::ProgramFile;
use stepdown::security::why::{self, Answer, Candidate, Case, Network};
use stepdown::state;
use stepdown_kernel::program::{self, Program};
use stepdown_kernel::subject::Subject;

use super::{about, refuse, steps};
use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;
use crate::table::{self, Held, Words};
use stepdown::report;

/// Answers, if the command line asks about a process or a pasted state; `None` if it does not.
pub(super) fn run(arguments: &Arguments) -> Result<Option<u8>, UsageError> {
    let (pid, file) = (arguments.value(Name::Pid), arguments.value(Name::State));
    let format = arguments.format()?;
    let assumed = match arguments.value(Name::Securebits) {
        None => None,
        Some(_) if pid.is_none() && file.is_none() => {
            return Err(arguments.wrong("--securebits goes with --pid or --state, which do not tell them"));
        }
        Some(text) => Some(text.to_str().and_then(state::securebits).ok_or_else(|| {
            arguments.wrong("--securebits takes a number (0x2f) or names (noroot,no-cap-ambient-raise), as setpriv(1) has them")
        })?),
    };
    let asked = match (pid, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(arguments.wrong("--pid and --state are two questions; ask one")),
        _ if arguments.has(Name::Config) => {
            return Err(arguments.wrong("-c explains a scope; --pid and --state a process as it is"));
        }
        (Some(pid), None) => {
            let pid = pid.to_str().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0);
            let pid = pid.ok_or_else(|| arguments.wrong("--pid takes the number of a process"))?;
            of_process(pid, assumed)
        }
        (None, Some(file)) => of_file(Path::new(file), assumed),
    };
    let subject = match asked {
        Ok(subject) => subject,
        Err(findings) => return Ok(Some(refuse(&findings, format))),
    };
    let found = match arguments.operands.first().map(|name| subject.find(name.as_bytes())).transpose() {
        Ok(found) => found,
        Err(finding) => return Ok(Some(refuse(&[*finding], format))),
    };
    let view = View {
        assumed: assumed.is_none(),
        answer: found.as_ref().map(|found| subject.answer(found)),
        found,
        subject,
    };
    match format {
        Format::Text => output::out(&view.text(output::colour_out(), table::width())),
        Format::Json => output::out(&format!("{}\n", view.json())),
    }
    let refused = view.answer.as_ref().is_some_and(|answer| answer.outcome.is_err());
    Ok(Some(u8::from(refused)))
}

/// Whom the question is about.
struct Asked {
    /// What it is called: "process 17 (nginx)".
    name: String,
    state: Credentials,
    facts: Facts,
    network: Network,
    threads: u32,
    /// The process itself; none for a pasted state.
    process: Option<Subject>,
}

/// A program that was found, and whether it is not the one that the process would find.
struct Found {
    program: Program,
    elsewhere: bool,
}

/// All that is printed.
struct View {
    subject: Asked,
    found: Option<Found>,
    answer: Option<Answer>,
    /// Whether the securebits are a guess.
    assumed: bool,
}

fn of_process(pid: u32, assumed: Option<Securebits>) -> Result<Asked, Vec<Finding>> {
    let process = state::of_process(pid).map_err(|finding| vec![*finding])?;
    Ok(Asked {
        name: format!("process {pid} ({})", process.name),
        state: state::credentials(process.status.clone(), assumed.unwrap_or_default()),
        facts: process.facts.clone(),
        network: Network {
            owned: process.owns_network,
            unprivileged_port_start: process.unprivileged_port_start,
        },
        threads: process.status.threads,
        process: Some(process),
    })
}

fn of_file(path: &Path, assumed: Option<Securebits>) -> Result<Asked, Vec<Finding>> {
    let (name, status) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let limit = state::TEXT_LIMIT as u64 + 1;
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| {
            vec![Finding::error(
                "unreadable-state",
                Cause::Host,
                format!("standard input can't be read: {error}"),
            )]
        })?;
        ("the state on standard input".to_owned(), state::of_text("standard input", &bytes)?)
    } else {
        (format!("the state in {}", path.display()), state::of_file(path)?)
    };
    let facts = state::facts_elsewhere(&status).map_err(|error| {
        vec![Finding::error("no-proc", Cause::Host, format!("/proc/self can't be read: {error}"))]
    })?;
    let threads = status.threads;
    let state = state::credentials(status, assumed.unwrap_or_default());
    Ok(Asked { name, state, facts, network: Network::default(), threads, process: None })
}

impl Asked {
    fn case(&self) -> Case<'_> {
        Case { facts: &self.facts, state: &self.state, network: self.network }
    }

    /// Finds the program: where the process would, if its root directory may be seen, else here.
    fn find(&self, name: &[u8]) -> Result<Found, Box<Finding>> {
        let root = self.process.as_ref().and_then(|process| process.root.as_ref());
        let search =
            std::env::var_os("PATH").map_or_else(|| program::DEFAULT_PATH.into(), OsStringExt::into_vec);
        // A relative path is meant where this command is typed; inside another root directory it would begin at the top.
        let here = std::fs::canonicalize("/proc/self/cwd")
            .ok()
            .filter(|_| root.is_some() && name.contains(&b'/') && !name.starts_with(b"/"))
            .map(|directory| [directory.as_os_str().as_bytes(), b"/"].concat());
        let path = here.as_ref().map(|here| [here, name].concat());
        let mut program = program::find(path.as_deref().unwrap_or(name), &search, root.map(AsFd::as_fd))
            .map_err(|error| Box::new(no_program(&error)))?;
        // It is called what it was called by whoever asked.
        if let Some(here) = here.as_deref().and_then(|here| std::str::from_utf8(here).ok()) {
            for file in [Some(&mut program.file), program.script.as_mut()].into_iter().flatten() {
                if let Some(typed) = file.path.strip_prefix(here) {
                    file.path = typed.to_owned();
                }
            }
            program.path = std::ffi::CString::new(name).unwrap_or(program.path);
        }
        Ok(Found { program, elsewhere: root.is_none() })
    }

    fn answer(&self, found: &Found) -> Answer {
        let seen = |file: &ProgramFile| {
            self.process.as_ref().map_or_else(|| file.clone(), |process| process.seen(file))
        };
        let file = seen(&found.program.file);
        let script = found.program.script.as_ref().map(seen);
        why::of_program(self.case(), Candidate { file: &file, script: script.as_ref() })
    }

    fn findings(&self) -> Vec<Finding> {
        self.fit(why::of_thread(self.case()))
    }

    /// A pasted state is not this host's doing.
    fn fit(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        if self.process.is_none() {
            findings.iter_mut().for_each(|finding| finding.cause = Cause::Text);
        }
        findings
    }

    /// A set as names; one that has nearly all, by what it has not.
    fn set(&self, set: CapSet) -> String {
        let known = CapSet::first(self.facts.capability_count);
        let missing = known.difference(set);
        match (missing.len(), set.is_subset(known)) {
            (0, true) => format!("all {} capabilities", set.len()),
            (1..=4, true) => format!("all but {missing}"),
            _ => words_of_set(set),
        }
    }

    fn rows(&self, state: &Credentials) -> Vec<(&'static str, String)> {
        let nobody = |_: u32| None;
        let set = |set: CapSet| self.set(set);
        table::rows(&Held::from(state), &Words { user: &nobody, group: &nobody, member: &nobody, set: &set })
    }
}

impl View {
    fn text(&self, colour: bool, width: usize) -> String {
        let heading = |text: &mut String, words: &str| {
            let words = report::clean(words);
            if colour {
                let _ = writeln!(text, "\u{1b}[1m{words}\u{1b}[0m");
            } else {
                let _ = writeln!(text, "{words}");
            }
        };
        let subject = &self.subject;
        let mut text = String::new();
        let mut name = subject.name.clone();
        name[..1].make_ascii_uppercase();
        heading(&mut text, &name);
        for (name, value) in subject.rows(&subject.state) {
            match name {
                "securebits" if self.assumed => {
                    table::row(
                        &mut text,
                        name,
                        "none is assumed: /proc does not tell; --securebits says otherwise",
                        width,
                    );
                }
                _ => table::row(&mut text, name, &value, width),
            }
        }
        if subject.threads > 1 {
            let words =
                format!("{}, of which this is the first; `stepdown status` shows all", subject.threads);
            table::row(&mut text, "threads", &words, width);
        }
        findings(&mut text, &subject.findings(), colour, width);
        let (Some(found), Some(answer)) = (&self.found, &self.answer) else { return text };
        text.push('\n');
        let path = found.program.path.to_string_lossy();
        heading(&mut text, &format!("Execve(2) of {path}"));
        table::wrap(&mut text, &about(&path, &found.program.file), 2, width);
        if found.elsewhere && subject.process.is_some() {
            table::wrap(
                &mut text,
                "looked at here: the root directory of that process can't be seen",
                2,
                width,
            );
        }
        match &answer.outcome {
            Ok(after) => {
                text.push_str(&steps::changes(&subject.state, after, "  "));
                text.push('\n');
                heading(&mut text, "The program would be");
                for (name, value) in subject.rows(after) {
                    // What can't change is above.
                    if ["user", "group", "permitted", "effective", "ambient"].contains(&name) {
                        table::row(&mut text, name, &value, width);
                    }
                }
            }
            Err(errno) => {
                let _ = writeln!(text, "  fails: {errno}");
            }
        }
        findings(&mut text, &subject.fit(answer.findings.clone()), colour, width);
        text
    }

    fn json(&self) -> Value {
        let state = |state: &Credentials| {
            let mut value = table::json(&Held::from(state));
            value["securebits"] = json!(state.securebits.0);
            value
        };
        let mut findings = self.subject.findings();
        let execve = self.found.as_ref().zip(self.answer.as_ref()).map(|(found, answer)| {
            findings.extend(self.subject.fit(answer.findings.clone()));
            let path = found.program.path.to_string_lossy();
            json!({
                "program": path,
                "file": about(&path, &found.program.file),
                "errno": answer.outcome.as_ref().err().map(|errno| errno.to_string()),
                "state": answer.outcome.as_ref().ok().map(state),
            })
        });
        json!({
            "about": self.subject.name,
            "state": state(&self.subject.state),
            "securebits_assumed": self.assumed,
            "threads": self.subject.threads,
            "execve": execve,
            "findings": report::value(&findings),
        })
    }
}

/// Findings, as everywhere, but within the width: these are to be read, not searched.
fn findings(text: &mut String, list: &[Finding], colour: bool, width: usize) {
    for line in report::text(list, colour).lines() {
        if line.chars().count() <= width {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let (first, rest) = match line.split_at_checked(8) {
            Some((label @ ("   why: " | "  hint: "), rest)) => (label, rest),
            _ => ("", line),
        };
        let indent = if first.is_empty() { 2 } else { first.len() };
        let at = text.len();
        table::wrap(text, rest, indent, width);
        text.replace_range(at..at + indent, first);
    }
}
