//! Capability text: no input makes the parser panic, every error lies inside the text, and what was parsed and printed
//! parses to the same state and prints to the same text.
//!
//! The first byte of the input is the number of capabilities the kernel knows; the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepdown_security::text::{Canonical, CapState, TextError, canonical, parse, parse_bytes, parse_names};

fuzz_target!(|input: &[u8]| {
    let Some((&count, text)) = input.split_first() else { return };
    match parse_bytes(text, count) {
        Ok(state) => check_state(state, count),
        Err(error) => check_error(&error, text),
    }
    if let Ok(utf8) = std::str::from_utf8(text) {
        assert_eq!(parse(utf8, count), parse_bytes(text, count));
        match parse_names(utf8, count) {
            Ok(set) => assert_eq!(parse_names(&set.to_string(), count), Ok(set)),
            Err(error) => check_error(&error, text),
        }
    }
});

fn check_state(state: CapState, count: u8) {
    let text = canonical(&state, count);
    assert_eq!(parse(&text, count), Ok(state), "{text}");
    assert_eq!(Canonical { state, count }.to_string(), text);
}

fn check_error(error: &TextError, text: &[u8]) {
    assert!(error.offset + error.length <= text.len(), "{error:?}");
    assert!(!error.to_string().is_empty());
}
