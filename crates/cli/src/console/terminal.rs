//! The console on a terminal: a prompt, line editing, history and completion.
//!
//! The time in the prompt is in UTC, as every time that a server gives is: it may live where no other zone is known.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use serde_json::Value;
use stepdown::conf::Finding;
use stepdown::report;
use stepdown_serve::console::authority::Rights;
use stepdown_serve::console::commands::{self, Command};
use stepdown_serve::console::wire::Status;

use super::complete::{self, Wanted};
use super::connection::{Connection, NOT_SENT};
use super::history::{History, MOST_LINES};
use crate::output;

/// Until Ctrl-D or `quit`; the exit status.
pub(super) fn run(connection: Connection) -> u8 {
    let endpoint = report::clean(&connection.endpoint().to_string_lossy());
    let connection = Rc::new(RefCell::new(connection));
    let mut editor = match editor(&connection) {
        Ok(editor) => editor,
        Err(error) => {
            output::error(&format!("stepdown: error: the terminal can't be used: {error}\n"));
            return 1;
        }
    };
    let history = History::of_user();
    for line in history.iter().flat_map(History::load) {
        // A line that repeats the one before is left out.
        let _ = editor.add_history_entry(line);
    }
    output::out("`help` lists the commands, Tab completes, Ctrl-D ends.\n");
    loop {
        let line = match editor.readline(&format!("{} {endpoint}> ", time_of_day())) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return 0,
            Err(error) => {
                output::error(&format!("stepdown: error: the terminal can't be read: {error}\n"));
                return 1;
            }
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if editor.add_history_entry(line).unwrap_or(false)
            && let Some(history) = &history
        {
            history.add(line);
        }
        if say(&mut connection.borrow_mut(), line).is_err() {
            return 1;
        }
        let command = commands::parse(line).map(|parsed| parsed.command);
        if matches!(command, Ok(Command::Quit)) {
            return 0;
        }
    }
}

/// Asks, and prints the answer. An error is the end: the server is gone.
fn say(connection: &mut Connection, line: &str) -> Result<(), ()> {
    let tell = |finding: &Finding| {
        output::error(&report::text(std::slice::from_ref(finding), output::colour_error()));
    };
    let mut reply = connection.ask(line);
    if let Err(ended) = &reply {
        tell(ended);
        *connection = Connection::open(connection.endpoint()).map_err(|finding| tell(&finding))?;
        output::error("stepdown: note: a new session has begun; a transaction of the old one is gone\n");
        // A question may be asked again. A change was meant for a transaction that is gone, perhaps.
        let asks = commands::parse(line)
            .is_ok_and(|parsed| parsed.spec.is_some_and(|spec| spec.needs == Rights::Look));
        if !asks || ended.code != NOT_SENT {
            return Ok(());
        }
        reply = connection.ask(line);
    }
    match reply {
        Ok(reply) => output::out(&super::harmless(&reply, line)),
        Err(finding) => tell(&finding),
    }
    Ok(())
}

fn editor(connection: &Rc<RefCell<Connection>>) -> rustyline::Result<Editor<Completion, MemHistory>> {
    let config = Config::builder()
        .max_history_size(MOST_LINES)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    editor.set_helper(Some(Completion { connection: Rc::clone(connection) }));
    Ok(editor)
}

/// What could be typed next.
struct Completion {
    connection: Rc<RefCell<Connection>>,
}

impl Completion {
    /// The JSON of a reply; nothing if there is no answer, which is no time to say so.
    fn ask(&self, line: &str) -> Option<Value> {
        let reply = self.connection.borrow_mut().ask(line).ok()?;
        if reply.status == Status::Done { serde_json::from_str(&reply.text).ok() } else { None }
    }

    fn services(&self) -> Vec<String> {
        let reply = self.ask("services --format json").unwrap_or_default();
        let services = reply["services"].as_array().cloned().unwrap_or_default();
        services.iter().filter_map(|service| Some(service["name"].as_str()?.to_owned())).collect()
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typing = complete::typing(&line[..at]);
        let candidates = match typing.wanted {
            // These are no words of the language, which would be quoted where they have a space.
            Wanted::Words(words) => {
                words.into_iter().filter(|word| word.starts_with(&typing.begun)).collect()
            }
            Wanted::Name(way) => {
                complete::matching(&typing.begun, &complete::names(&way, |line| self.ask(line)))
            }
            Wanted::Service => complete::matching(&typing.begun, &self.services()),
        };
        // What comes from a file is shown on the terminal.
        let harmless = |candidate: &String| {
            !candidate.contains(char::is_control) && *candidate == report::clean(candidate)
        };
        let mut candidates: Vec<String> = candidates.into_iter().filter(harmless).collect();
        if let [only] = &mut candidates[..] {
            // The next word can be typed at once.
            only.push(' ');
        }
        Ok((typing.start, candidates))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

fn time_of_day() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
