//! Hostile input: an error each, in bounded time and memory.

use crate::printing::codes;
use stepdown_conf::{MAX_DEPTH, MAX_ERRORS, MAX_FILE_BYTES, MAX_TEXT_BYTES, Severity, Tree, syntax};

#[test]
fn scopes_nest_as_deep_as_documented_and_no_deeper() {
    let nested = |depth: usize| "a{".repeat(depth) + &"}".repeat(depth);
    assert_eq!(syntax("f", nested(MAX_DEPTH).as_bytes()), []);
    assert_eq!(codes(&syntax("f", nested(MAX_DEPTH + 1).as_bytes())), ["too-deep"]);
    assert_eq!(codes(&syntax("f", nested(100_000).as_bytes())), ["too-deep"]);
    let open = syntax("f", "a{".repeat(100_000).as_bytes());
    assert_eq!(codes(&open), ["too-deep", "unclosed-scope"]);
    assert_eq!(open[1].why.as_deref(), Some("the file ends with 100000 scopes open"));
    assert_eq!(open[0].place.as_ref().unwrap().column, 401);
}

#[test]
fn a_text_is_as_long_as_documented_and_no_longer() {
    for (before, after) in
        [("x = ", ""), ("x = \"", "\""), ("x = '", "'"), ("", " = 1"), ("x /", " {}"), ("x = (", ")")]
    {
        let fits = format!("{before}{}{after}", "a".repeat(MAX_TEXT_BYTES - 2));
        assert_eq!(syntax("f", fits.as_bytes()), [], "{before}");
        let long = format!("{before}{}{after}", "a".repeat(MAX_TEXT_BYTES + 1));
        assert_eq!(codes(&syntax("f", long.as_bytes())), ["text-too-long"], "{before}");
    }
}

#[test]
fn a_file_above_the_limit_is_not_looked_at() {
    let value = format!("x = \"{}\"", "a".repeat(100_000_000));
    let all = syntax("f", value.as_bytes());
    assert_eq!(codes(&all), ["file-too-large"]);
    assert_eq!(codes(&Tree::parse("f", &value).1), ["file-too-large"]);
    assert_eq!(syntax("f", &vec![b'\n'; MAX_FILE_BYTES]), []);
    assert_eq!(codes(&syntax("f", &vec![b'\n'; MAX_FILE_BYTES + 1])), ["file-too-large"]);
}

#[test]
fn a_tree_is_a_small_multiple_of_its_text() {
    let dense = "a=b ".repeat(1 << 20);
    assert!(Tree::parse("f", &dense).0.memory() <= 20 * dense.len());
    let usual = "  Max_Outbound_Connections = 20 # per host\n".repeat(100_000);
    assert!(Tree::parse("f", &usual).0.memory() <= 3 * usual.len());
}

#[test]
fn nul_and_ill_formed_bytes_are_found_wherever_they_are() {
    let all = syntax("f", b"a = 1\n# \0\nb = \"\0\" c = x\0y");
    let places: Vec<_> = all.iter().map(|one| (one.code, one.place.as_ref().unwrap().line)).collect();
    assert_eq!(places, [("nul-byte", 2), ("nul-byte", 3), ("nul-byte", 3), ("missing-value", 3)]);

    let all = syntax("f", b"a = \xffx\nb = \"\xe2\x82\"\n}");
    assert_eq!(codes(&all), ["invalid-utf-8", "invalid-utf-8", "stray-close"]);
    let place = all[1].place.as_ref().unwrap();
    assert_eq!((place.line, place.column, place.excerpt.as_str()), (2, 6, "b = \"\u{fffd}\""));

    let all = syntax("f", b"\xff\xfea\0=\0b\0");
    assert_eq!(codes(&all), ["invalid-utf-8"]);
    assert!(all[0].hint.as_ref().unwrap().contains("UTF-16"));
    assert_eq!(
        syntax("f", &[0xff; 100_000]).iter().filter(|one| one.code == "invalid-utf-8").count(),
        MAX_ERRORS
    );
}

#[test]
fn errors_are_counted_beyond_what_anybody_reads_and_warnings_never_displace_them() {
    let all = syntax("f", "}\n".repeat(1000).as_bytes());
    assert_eq!(all.len(), MAX_ERRORS + 1);
    assert_eq!(all[MAX_ERRORS].to_string(), "error: 900 more errors in `f` are not shown");
    let all = syntax("f", format!("{}}}", "x = a;\n".repeat(1000)).as_bytes());
    assert_eq!(all.len(), MAX_ERRORS + 1);
    assert_eq!(all.iter().filter(|one| one.severity == Severity::Error).count(), 1);
}

#[test]
fn a_scope_that_lost_its_brace_is_told_by_the_indentation() {
    let text = "A {\n  B {\n    x = 1\n}\nC {\n}\n";
    let all = syntax("f", text.as_bytes());
    assert_eq!(codes(&all), ["unclosed-scope"]);
    assert_eq!(all[0].to_string(), "f:2:3: error: the scope `B` is not closed");
    assert_eq!(all[0].related[0].0.line, 4);
    assert_eq!(all[0].related[1].0.line, 1);
}
