//! The console's wire and commands: in whatever pieces bytes come, the requests are the same; a reader keeps no more than a
//! request; every line is understood or refused in one safe line; a reply comes back as it was, and other bytes are refused.
//!
//! The first byte of the input is how large the pieces are; the rest is what a peer sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepdown_serve::console::commands::{help, parse};
use stepdown_serve::console::wire::{MAX_REQUEST_BYTES, Replies, Reply, Requests, Status};
use stepdown_serve::console::words::{as_word, words};

fuzz_target!(|input: &[u8]| {
    let Some((&size, bytes)) = input.split_first() else { return };
    let size = usize::from(size) + 1;
    let read = |size: usize| {
        let mut reader = Requests::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(size) {
            reader.feed(piece);
            while let Some(request) = reader.next() {
                all.push(request);
            }
        }
        (all, reader.finish())
    };
    let whole = read(bytes.len().max(1));
    assert_eq!(read(size), whole);
    for request in whole.0 {
        match request {
            Ok(line) => check(&line),
            Err(malformed) => assert!(!malformed.to_string().is_empty()),
        }
    }

    let mut reader = Replies::default();
    for piece in bytes.chunks(size) {
        reader.feed(piece);
        while let Ok(Some(reply)) = reader.next() {
            assert!(reply.text.len() <= 3 * bytes.len());
        }
    }
});

fn check(line: &str) {
    assert!(line.len() <= MAX_REQUEST_BYTES && !line.contains('\n'));
    if let Ok(words) = words(line) {
        for word in words {
            assert_eq!(line.get(word.span).map(|text| !text.trim().is_empty()), Some(true));
            let again = as_word(&word.text);
            assert!(!again.contains('\n'));
        }
    }
    match parse(line) {
        Ok(parsed) => assert!(parsed.spec.is_some() || line.trim().is_empty() || line.contains("--")),
        Err(usage) => {
            let said = usage.finding.to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
            let reply = Reply::new(Status::NotUnderstood, said);
            let mut reader = Replies::default();
            reader.feed(&reply.encode());
            assert_eq!(reader.next(), Ok(Some(reply)));
        }
    }
    let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
    if let Err(finding) = help(&typed) {
        assert!(!finding.to_string().contains(char::is_control));
    }
}
