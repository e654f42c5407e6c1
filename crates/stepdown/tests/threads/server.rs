//! A server of an asynchronous runtime, brought to the scope while it serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{all_are_under_the_scope, plan, status, until};

pub(crate) fn under_load() {
    // The network of this process is new.
    assert!(std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:80")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(serve(listener));
    let (end, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (end, answers) = (Arc::clone(&end), Arc::clone(&answers));
            std::thread::spawn(move || client(address, &end, &answers))
        })
        .collect();
    until(|| answers.load(SeqCst) > 200);
    let proof = plan().apply().unwrap();
    assert!(proof.threads >= 17, "{}", proof.threads);
    all_are_under_the_scope();
    let before = answers.load(SeqCst);
    until(|| answers.load(SeqCst) > before + 200);
    // What was kept is there for the runtime's own threads.
    let bound = runtime
        .block_on(runtime.spawn(async { TcpListener::bind("127.0.0.1:82").await.map(|_| status("Uid")) }));
    assert_eq!(bound.unwrap().unwrap(), "994 994 994 994");
    end.store(true, SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
}

async fn serve(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut line = [0; 5];
            while stream.read_exact(&mut line).await.is_ok() {
                // A thread of the pool for blocking work, which comes and goes.
                let length = tokio::task::spawn_blocking(move || line.len()).await.unwrap();
                stream.write_all(&line[..length]).await.unwrap();
            }
        });
    }
}

/// Every request is answered, also those that are under way at the time.
fn client(address: SocketAddr, end: &AtomicBool, answers: &AtomicU64) {
    while !end.load(SeqCst) {
        let mut stream = TcpStream::connect(address).unwrap();
        for _ in 0..20 {
            stream.write_all(b"hello").unwrap();
            let mut line = [0; 5];
            stream.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"hello");
            answers.fetch_add(1, SeqCst);
        }
    }
}
