//! `stepdown demo`: the whole of it on this machine, in private, without a configuration file.
//!
//! Three processes: the one that shows and is the client (this module), where needed one outside of a user namespace that
//! maps its ids ([`place`]), and the server ([`server`]), which is this same program, started by `stepdown run` like
//! any other and seen from outside through `/proc`.

mod place;
mod server;
mod show;

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stepdown_kernel::observe::Status;

use crate::arguments::{Arguments, Format, UsageError};
use crate::{REFUSED, output};
use place::Place;

/// Everything that is shown.
pub(crate) struct Evidence {
    place: Place,
    before: Status,
    after: Status,
    greeting: String,
    tried: Vec<server::Tried>,
    /// What the same server answers when its scope retains nothing.
    without: String,
}

/// The word behind `demo` by which the program starts itself inside a user namespace; not for people.
const INSIDE: &str = "inside";

/// The word behind `demo` by which the program starts itself as the server; not for people.
const SERVE: &str = "serve";

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let operands: Vec<&str> = arguments.operands.iter().filter_map(|operand| operand.to_str()).collect();
    match operands[..] {
        [] => match place::outside(format) {
            Ok(place::Where::Here(place)) => Ok(demonstrate(place, format)),
            Ok(place::Where::Child(status)) => Ok(status),
            Err(error) => Ok(impossible(&error)),
        },
        [INSIDE, mapped] => match place::inside(mapped) {
            Ok(place) => Ok(demonstrate(place, format)),
            Err(error) => Ok(impossible(&error)),
        },
        [SERVE, port] => Ok(server::serve(port)),
        _ => Err(arguments.wrong("demo takes no arguments")),
    }
}

fn demonstrate(place: Place, format: Format) -> u8 {
    match gather(place) {
        Ok(evidence) => {
            let sound = evidence.sound();
            match format {
                Format::Text => output::out(&show::text(&evidence, sound, output::colour_out())),
                Format::Json => output::out(&format!("{}\n", show::json(&evidence, sound))),
            }
            u8::from(!sound)
        }
        Err(error) => impossible(&error),
    }
}

fn impossible(error: &io::Error) -> u8 {
    output::error(&format!("stepdown: error: the demonstration can't be given here: {error}\n"));
    REFUSED
}

/// Starts the server twice, with and without its capability, and asks it what it sees.
fn gather(place: Place) -> io::Result<Evidence> {
    let before = Status::of_process(std::process::id())?;
    let configuration = place.write("demo.conf", &place.scope())?;
    let mut serving = start(&configuration, place.port)?;
    let ready = first_line(&mut serving)?;
    if ready != server::READY {
        let _ = serving.wait();
        return Err(io::Error::other(if ready.is_empty() {
            "the server did not start".to_owned()
        } else {
            ready
        }));
    }
    // Read from outside, by the kernel's account, not the server's.
    let after = Status::of_process(serving.id());
    let answer = server::ask(place.port);
    let _ = serving.kill();
    let _ = serving.wait();
    let (greeting, tried) = answer?;
    let configuration = place.write("without.conf", &place.scope_without())?;
    let mut refused = start(&configuration, place.port)?;
    let without = first_line(&mut refused)?;
    let _ = refused.kill();
    let _ = refused.wait();
    place.clean_up();
    Ok(Evidence { place, before, after: after?, greeting, tried, without })
}

/// `stepdown run -c FILE -- stepdown demo serve PORT`, this very file both times.
fn start(configuration: &Path, port: u16) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(["run", "-c"])
        .arg(configuration)
        .args(["--", "/proc/self/exe", "demo", SERVE, &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
}

fn first_line(child: &mut Child) -> io::Result<String> {
    let mut line = String::new();
    if let Some(from) = child.stdout.take() {
        BufReader::new(from).read_line(&mut line)?;
    }
    Ok(line.trim_end().to_owned())
}

impl Evidence {
    /// Whether everything is as it must be: the user changed as far as there is another, exactly the one capability is
    /// held, every way back is closed, and without the capability the port can't be had.
    fn sound(&self) -> bool {
        use stepdown::security::capability::{CapSet, Capability};
        let only = CapSet::only(Capability::NET_BIND_SERVICE);
        let after = &self.after;
        let ids = [after.uid.real, after.uid.effective, after.uid.saved, after.uid.filesystem];
        let sets = [after.permitted, after.effective, after.inheritable, after.bounding, after.ambient];
        ids.iter().all(|id| *id == self.place.user)
            && sets.iter().all(|set| *set == only)
            && after.no_new_privs
            && !self.tried.is_empty()
            && self.tried.iter().all(|tried| tried.refused)
            && self.without.starts_with(server::NOT_ALLOWED)
    }
}
