//! An asynchronous server on port 25: it steps down before the runtime starts its threads.
//!
//!     sudo target/debug/examples/tokio [FILE]
use std::error::Error;
use std::net::TcpListener as StdListener;

use stepdown::Security;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let security = match std::env::args().nth(1) {
        Some(file) => Security::from_file(file)?,
        None => Security::builder("nobody").build()?,
    };
    let listener = StdListener::bind("127.0.0.1:25")?;
    listener.set_nonblocking(true)?;
    let proof = security.plan()?.apply()?;
    println!("serving as user {}, {} thread", proof.state.uid.effective, proof.threads);

    // Only now, which is simplest: threads made before would have been interrupted and taken along.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let served =
                tokio::spawn(async move { stream.write_all(b"220 localhost at your service\r\n").await });
            if std::env::var_os("ONCE").is_some() {
                return served.await?;
            }
        }
    })?;
    Ok(())
}
