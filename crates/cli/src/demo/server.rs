//! The small server of the demonstration: one HTTP request on a privileged port, answered with what the server sees
//! when it tries to get root back. And its client.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepdown::transition::try_ways_back;

use crate::output;

/// What the server says when it listens.
pub(crate) const READY: &str = "ready";

/// How the server begins to say that it may not have the port.
pub(crate) const NOT_ALLOWED: &str = "bind: EACCES";

/// A way back that the server tried.
pub(crate) struct Tried {
    pub(crate) way: String,
    pub(crate) answer: String,
    /// Whether the kernel refused it, with the answer that the rules predict.
    pub(crate) refused: bool,
}

/// How long anything here may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the server, for one request.
pub(crate) fn serve(port: &str) -> u8 {
    let Ok(port) = port.parse::<u16>() else { return 2 };
    let listener = match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => listener,
        Err(error) => {
            output::out(&format!("bind: {}\n", stepdown_kernel::errno_of(&error)));
            return 1;
        }
    };
    output::out(&format!("{READY}\n"));
    match answer_one(&listener, port) {
        Ok(()) => 0,
        Err(error) => {
            output::error(&format!("stepdown demo: the server: {error}\n"));
            1
        }
    }
}

/// Asks the server, as its client; gives the greeting and what it tried.
pub(crate) fn ask(port: u16) -> io::Result<(String, Vec<Tried>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    patient(&stream)?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the server's answer can't be read");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(wrong)?;
    if !head.starts_with("HTTP/1.0 200 OK\r\n") {
        return Err(wrong());
    }
    let body: Value = serde_json::from_str(body).map_err(|_| wrong())?;
    let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let tried = body["tried"].as_array().ok_or_else(wrong)?.iter().map(|tried| Tried {
        way: word(tried, "way"),
        answer: word(tried, "answer"),
        refused: tried["refused"] == true,
    });
    Ok((word(&body, "greeting"), tried.collect()))
}

fn answer_one(listener: &TcpListener, port: u16) -> io::Result<()> {
    let mut stream = accept(listener)?;
    patient(&stream)?;
    let mut request = Vec::new();
    let mut buffer = [0; 512];
    while !request.ends_with(b"\r\n\r\n") && request.len() < 4096 {
        match stream.read(&mut buffer)? {
            0 => break,
            count => request.extend_from_slice(&buffer[..count]),
        }
    }
    let tried: Vec<Value> = try_ways_back()?
        .into_iter()
        .map(|tried| {
            json!({
                "way": tried.attempt.way.to_string(),
                "answer": tried.answer.map_or_else(|| "allowed".to_owned(), |errno| errno.to_string()),
                "refused": tried.answer == Some(tried.attempt.expected),
            })
        })
        .collect();
    let pid = std::process::id();
    let body = json!({ "greeting": format!("hello from process {pid}, on port {port}"), "tried": tried })
        .to_string();
    write!(
        stream,
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Waits for a client, but not for ever: nobody should be left with a server whose demonstration was killed.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
}

fn patient(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}
