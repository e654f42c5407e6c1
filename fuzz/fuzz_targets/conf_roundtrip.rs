//! Whatever bytes a file holds, reading it ends, its tree gives the same text back, and what reads without an error can be
//! walked through to the last value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepdown_conf::{Config, Kind, Tree, quote, syntax};

fuzz_target!(|data: &[u8]| {
    let all = syntax("fuzz", data);
    let Ok(text) = core::str::from_utf8(data) else {
        assert!(all.iter().any(|finding| finding.is_error()));
        return;
    };

    let (tree, findings) = Tree::parse("fuzz", text);
    assert_eq!(findings, all);
    let mut whole = String::with_capacity(text.len());
    for (kind, part) in tree.walk(text) {
        let blank = part.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c));
        assert_eq!(kind == Kind::Blank, blank, "{kind:?} {part:?}");
        whole.push_str(part);
    }
    assert_eq!(whole, text);

    let Ok(config) = Config::from_text("fuzz", text) else { return };
    assert!(all.iter().all(|finding| !finding.is_error()));
    for scope in core::iter::once(config.root()).chain(config.scopes()) {
        assert_eq!(scope.bodies().count(), scope.definitions().count());
        if let Some(parent) = scope.parent() {
            let instance = scope.instance();
            let found = parent.scope(scope.name(), instance.as_deref()).expect("it can be looked up");
            assert!(found.definitions().eq(scope.definitions()));
        }
        for option in scope.options() {
            let found = scope.option(&option.name().to_ascii_uppercase()).expect("it can be looked up");
            assert_eq!(found.current().span(), option.current().span());
            for assignment in option.history() {
                config.place(assignment.span());
                let value = assignment.value();
                for text in value.elements().unwrap_or_default() {
                    let text = text.text();
                    let again = format!("x = {}", quote(&text));
                    let again = Config::from_text("again", &again).expect("a quoted text is a value");
                    let value = again.root().option("x").expect("it is set").current().value();
                    assert_eq!(value.as_text().expect("it is a text").text(), text);
                }
            }
        }
    }
});
