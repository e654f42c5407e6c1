//! What is done for a command: the questions are answered from the running configuration or the session's transaction,
//! the rest is asked of the [`Server`].
//!
//! Every reply is in the console's words, or one line of JSON. Not for: sockets and turns, which are for
//! [`sessions`](super::sessions), and how a change is applied, which is the server's.

mod change;

use serde_json::{Value, json};
use stepdown::console::{Question, Reply as Said};
use stepdown::online::{Candidate, Draft, Online};
use stepdown::report;
use stepdown_conf::{Cause, Config, Finding};
use stepdown_kernel::peer::Peer;

use super::authority::Rights;
use super::commands::{self, Command, Format, Parsed};
use super::report::{ListenerReport, RestartRequired, ServiceReport, StatusReport};
use super::wire::{Reply, Status};

/// What the console asks of the server that it belongs to.
pub trait Server {
    /// The running configuration.
    fn online(&mut self) -> &mut Online;
    /// Applies a candidate, all of it or nothing, and then has it accepted as the running configuration.
    ///
    /// # Errors
    /// Everything that stands against it; nothing has changed then.
    fn apply(&mut self, candidate: Candidate) -> Result<Applied, Vec<Finding>>;
    /// How it is.
    fn status(&self) -> StatusReport;
    /// How its services are, in the order of the configuration.
    fn services(&self) -> Vec<ServiceReport>;
    /// Its listening sockets.
    fn listeners(&self) -> Vec<ListenerReport>;
    /// Begins to replace the processes of a service.
    ///
    /// # Errors
    /// There is no such service, or it can't be done now.
    fn restart_service(&mut self, name: &str) -> Result<(), Box<Finding>>;
    /// Begins to end.
    fn shutdown(&mut self);
}

/// What became of a candidate.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What is different now, a line each.
    pub changes: Vec<String>,
    /// What whoever asked for it should know besides.
    pub warnings: Vec<Finding>,
    /// What waits for a restart.
    pub pending: Option<RestartRequired>,
}

/// Whose request it is.
#[derive(Clone, Debug)]
pub struct Asker {
    /// What it may do.
    pub rights: Rights,
    /// Who it is, as others are told: `root (pid 4711)`.
    pub who: String,
}

/// What a request comes to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This reply.
    Reply(Reply),
    /// This reply, which is the session's last.
    Last(Reply),
    /// The listening sockets, which the server sends itself, if it is the one that is meant.
    Handover(Option<String>),
}

impl Asker {
    /// The peer of a session. Names are not looked up: a server that has changed its root directory has nobody to ask.
    #[must_use]
    pub fn new(rights: Rights, peer: &Peer) -> Asker {
        let user = if peer.uid == 0 { "root".to_owned() } else { format!("user {}", peer.uid) };
        Asker { rights, who: format!("{user} (pid {})", peer.pid) }
    }
}

/// Answers a line. `draft` is the session's transaction, if it has one.
pub fn answer<S: Server>(server: &mut S, draft: &mut Option<Draft>, asker: &Asker, line: &str) -> Answer {
    let Parsed { command, spec, format, origin } = match commands::parse(line) {
        Ok(parsed) => parsed,
        Err(usage) => {
            let said = Said::refused(vec![*usage.finding]);
            return Answer::Reply(Reply { status: Status::NotUnderstood, ..reply(&said, usage.format) });
        }
    };
    if let Some(spec) = spec
        && asker.rights < spec.needs
    {
        return Answer::Reply(reply(&Said::refused(vec![may_not(asker, spec)]), format));
    }
    let last = command == Command::Quit;
    let said = match command {
        Command::Nothing => return Answer::Reply(Reply::new(Status::Done, "")),
        Command::Handover(endpoint) => return Answer::Handover(endpoint),
        Command::Quit => Said::nothing(),
        Command::Get(words) => ask(server, draft, "get", words, origin),
        Command::Eval(words) => ask(server, draft, "eval", words, origin),
        Command::Show(words) => ask(server, draft, "show", words, origin),
        Command::ShowRecurse(words) => ask(server, draft, "showrecurse", words, origin),
        Command::Locate(words) => ask(server, draft, "locate", words, origin),
        Command::Set(text) => change::change(server, draft, asker, |draft| draft.set(&text)),
        Command::Unset(words) => change::change(server, draft, asker, |draft| draft.unset(&words)),
        Command::Begin { from_scratch } => change::begin(server, draft, asker, from_scratch),
        Command::Commit => change::commit(server, draft),
        Command::Rollback => change::rollback(draft),
        Command::Replay => change::replay(server, draft),
        Command::Reload(path) => change::reload(server, draft, asker, path.as_deref()),
        Command::Writeback(path) => change::write_back(server, path.as_deref()),
        Command::Status => {
            let report = server.status();
            Said::said(super::report::status(&report), report.json())
        }
        Command::Services => {
            let reports = server.services();
            let json = json!({ "services": reports.iter().map(ServiceReport::json).collect::<Value>() });
            Said::said(super::report::services(&reports), json)
        }
        Command::Listeners => {
            let reports = server.listeners();
            let json = json!({ "listeners": reports.iter().map(ListenerReport::json).collect::<Value>() });
            Said::said(super::report::listeners(&reports), json)
        }
        Command::Pid => {
            let pid = server.status().pid;
            Said::said(format!("{pid}\n"), json!({ "pid": pid }))
        }
        Command::Version => {
            let version = server.status().version;
            Said::said(format!("{version}\n"), json!({ "version": version }))
        }
        Command::Restart(name) => match server.restart_service(&name) {
            Ok(()) => {
                let text = format!(
                    "{}: a replacement is started; `services` shows how it goes\n",
                    report::clean(&name)
                );
                Said::said(text, json!({ "restarting": name }))
            }
            Err(finding) => Said::refused(vec![*finding]),
        },
        Command::Shutdown => {
            server.shutdown();
            Said::said("the services are told to finish\n".to_owned(), json!({ "shutdown": true }))
        }
        Command::Help(words) => match commands::help(&words) {
            Ok((text, json)) => Said::said(text, json),
            Err(finding) => Said::refused(vec![*finding]),
        },
    };
    let reply = reply(&said, format);
    if last { Answer::Last(reply) } else { Answer::Reply(reply) }
}

/// An answer of the library as it goes over the wire: what answers, and below it what is said besides.
#[must_use]
pub fn reply(said: &Said, format: Format) -> Reply {
    let status = match said.status {
        0 => Status::Done,
        1 => Status::Refused,
        _ => Status::NotUnderstood,
    };
    let text = match format {
        Format::Text => said.words() + &said.remarks(false),
        Format::Json => said.machine(),
    };
    Reply { status, text }
}

fn ask<S: Server>(
    server: &mut S,
    draft: &Option<Draft>,
    question: &str,
    mut words: Vec<String>,
    origin: bool,
) -> Said {
    let config: &Config = match draft {
        Some(draft) => draft.config(),
        None => server.online().config(),
    };
    words.insert(0, question.to_owned());
    match Question::new(&words) {
        // There is one thread for everybody.
        Ok(question) => question.bounded().ask(config, origin),
        // The table of commands lets nothing else through.
        Err(_) => Said::refused(vec![Finding::error("bad-question", Cause::Syntax, "this is no question")]),
    }
}

fn may_not(asker: &Asker, spec: &commands::Spec) -> Finding {
    let message = format!("{} may not `{}`", asker.who, spec.name);
    let finding = Finding::error("not-allowed", Cause::Host, message);
    match spec.needs {
        Rights::Root => finding.because("only root may"),
        _ => finding
            .because("it changes something, and this peer may only look")
            .hint("root, the server's own user, and the `Operators` of Control_Listener may change things"),
    }
}

#[cfg(test)]
mod tests;
