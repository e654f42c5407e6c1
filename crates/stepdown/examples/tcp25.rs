//! A TCP server on port 25 that binds as root, serves without it, and can still bind other low ports.
//!
//!     sudo target/debug/examples/tcp25 [FILE]
use std::error::Error;
use std::io::Write;
use std::net::TcpListener;

use stepdown::Security;

fn main() -> Result<(), Box<dyn Error>> {
    // From a file, if one is named; else as it is usual.
    let security = match std::env::args().nth(1) {
        Some(file) => Security::from_file(file)?,
        None => Security::builder("nobody").capabilities("cap_net_bind_service+ep").build()?,
    };
    // What needs root comes first.
    let listener = TcpListener::bind("127.0.0.1:25")?;
    // Everything that can be refused is refused here, and nothing has changed.
    let planned = security.plan()?;
    // From here on there is no way back; if this fails, the process has to exit.
    let proof = planned.apply()?;
    println!("serving as user {} with {}", proof.state.uid.effective, proof.state.effective);

    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.write_all(b"220 localhost at your service\r\n")?;
        if std::env::var_os("ONCE").is_some() {
            break;
        }
    }
    // The retained capability: a low port without being root.
    TcpListener::bind("127.0.0.1:26")?;
    Ok(())
}
