//! Starts a child under a scope from a program with several threads, which itself stays root.
//!
//!     sudo target/debug/examples/spawn USER PROGRAM [ARGUMENT...]
use std::error::Error;
use std::process::{Command, ExitCode};

use stepdown::{CommandExt, Security};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(user), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: spawn USER PROGRAM [ARGUMENT...]".into());
    };
    let arguments: Vec<String> = arguments.collect();
    let security = Security::builder(&user).capabilities("cap_net_bind_service+ep").build()?;
    let worker = std::thread::spawn(move || {
        let child = Command::new(program).args(arguments).spawn_under(&security);
        child.map_err(|error| error.to_string())?.wait().map_err(|error| error.to_string())
    });
    let status = worker.join().map_err(|_| "the worker panicked")??;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1))?))
}
