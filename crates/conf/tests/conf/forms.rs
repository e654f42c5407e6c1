//! The forms of the grammar one by one, the odd ones included, and the views of what they come to.

use crate::printing::{codes, findings};
use stepdown_conf::{Cause, Config, Kind, Severity, Tree, Value, syntax};

fn config(text: &str) -> Config {
    Config::from_text("text", text).unwrap_or_else(|all| panic!("{text:?}\n{}", findings(&all)))
}

fn value(text: &str) -> Vec<String> {
    let config = config(text);
    let value = config.root().options().next().expect("an option").current().value();
    match value {
        Value::Text(text) => vec![text.text().into_owned()],
        Value::Array(texts) => texts.iter().map(|text| text.text().into_owned()).collect(),
        Value::Dict(entries) => entries.iter().map(|(k, v)| format!("{}:{}", k.text(), v.text())).collect(),
    }
}

fn scope(text: &str) -> (String, Option<String>) {
    let config = config(text);
    let scope = config.root().scopes().next().expect("a scope");
    (scope.name().to_string(), scope.instance().map(Into::into))
}

#[test]
fn values_without_quotes() {
    for word in [
        "10.10.10.50",
        "*.example.com",
        "fd01:345::1",
        "__hostname__",
        "$x",
        "%{",
        "/var/spool/x",
        "digest:///opt/x",
        "-1",
        "-0.5",
        "0x1F",
        "0640",
        "cap_chown,cap_kill+ep",
        "cap_net_bind_service+ep",
        "<a@b>",
        "!x|y&z",
        "grün",
        "C:\\x",
        "~",
        "a;b",
        "127.0.0.0/8",
    ] {
        let word = word.trim_end_matches('{');
        assert_eq!(value(&format!("x={word}")), [word]);
        assert_eq!(value(&format!("x\n=\r\n{word}# comment")), [word]);
        assert_eq!(value(&format!("x = {word} /* comment */ y = 1")), [word]);
    }
}

#[test]
fn values_in_quotes() {
    for (written, text) in [
        (r#""""#, ""),
        (r#""a \"b\" \\ \n\t\r""#, "a \"b\" \\ \n\t\r"),
        (r#""/^(a|b)\.fr$/""#, r"/^(a|b)\.fr$/"),
        ("\"two\nlines\"", "two\nlines"),
        (r"'it \n has no \ escapes \'", r"it \n has no \ escapes \"),
        ("'\"'", "\""),
        ("\"'\"", "'"),
        ("\"# no /* comment */\"", "# no /* comment */"),
        ("\"[fd01::1]:25\"", "[fd01::1]:25"),
        ("\"{}\"", "{}"),
    ] {
        assert_eq!(value(&format!("x = {written}")), [text]);
        assert_eq!(value(&format!("x = ({written} )")), [text]);
        assert_eq!(value(&format!("x = [ {written} = {written}]")), [format!("{text}:{text}")]);
        assert_eq!(scope(&format!("x {written}{{}}")), ("x".into(), Some(text.into())));
    }
}

#[test]
fn arrays_and_dictionaries() {
    assert_eq!(value("x = ()"), [""; 0]);
    assert_eq!(
        value("x=(a,b ,, \"c d\"\n'e' # f )\n/* g */ 127.0.0.0/8)"),
        ["a", "b", "c d", "e", "127.0.0.0/8"]
    );
    assert_eq!(value("x = [a.b-c=1,\"d e\" = \"2\" 9=x]"), ["a.b-c:1", "d e:2", "9:x"]);
    assert_eq!(value("x [ a = 1 ]"), ["a:1"]);
    assert_eq!(value("x[a=1]"), ["a:1"]);
    assert_eq!(value("x = []"), [""; 0]);
    let config = config("x = a y = ( b ) z = [ ]");
    let elements: Vec<_> =
        config.root().options().map(|option| option.current().value().elements().map(<[_]>::len)).collect();
    assert_eq!(elements, [Some(1), Some(1), None]);
}

#[test]
fn scopes() {
    for (text, name, instance) in [
        ("Security{}", "Security", None),
        ("Security = { }", "Security", None),
        ("binding \"foo\"{}", "binding", Some("foo")),
        ("binding\"foo\"{}", "binding", Some("foo")),
        ("Listen /tmp/2025 {}", "Listen", Some("/tmp/2025")),
        ("Listen # c\n:25\n/* d */\n{}", "Listen", Some(":25")),
        (r"Domain /google\.(com|es)$/{ }", "Domain", Some(r"/google\.(com|es)$/")),
        (r#"Domain "/^(a|b)\.fr$/" { }"#, "Domain", Some(r"/^(a|b)\.fr$/")),
        (r"Domain /a'b=#c/ { }", "Domain", Some("/a'b=#c/")),
        ("Mixed_Case-x:y 'a b' {}", "Mixed_Case-x:y", Some("a b")),
        ("x \"\" {}", "x", Some("")),
    ] {
        assert_eq!(scope(text), (name.into(), instance.map(Into::into)), "{text}");
    }
}

#[test]
fn white_space_is_only_a_separator() {
    let config = config("node n1.x { mta_id = 1  votes = 1 }\tb=(1)c=2 S{d=1}e=[]\u{b}f\u{c}=1");
    let names: Vec<_> = config.root().options().map(|option| option.name()).collect();
    assert_eq!(names, ["b", "c", "e", "f"]);
    assert_eq!(config.root().scope("NODE", Some("n1.x")).unwrap().options().count(), 2);
    assert_eq!(config.root().scopes().count(), 2);
}

#[test]
fn a_byte_order_mark_is_kept_and_ignored() {
    let text = "\u{feff}a = 1";
    assert_eq!(value(text), ["1"]);
    let (tree, _) = Tree::parse("f", text);
    assert_eq!(tree.walk(text).next(), Some((Kind::ByteOrderMark, "\u{feff}")));
    assert_eq!(codes(&syntax("f", b"a = 1\n\xef\xbb\xbfb = 2")), ["bad-name"]);
}

#[test]
fn comments_end_where_the_language_says() {
    assert_eq!(value("/* a /* b */ x = 1 # */ y = 2"), ["1"]);
    assert_eq!(value("/**/x=1 /**/"), ["1"]);
    assert_eq!(value("#\n##x=2\nx=1#"), ["1"]);
    assert_eq!(codes(&syntax("f", b"# a\rx = 1\r\n# b\r\ny = 2")), ["lone-carriage-return"]);
}

#[test]
fn scopes_merge_option_by_option_across_spellings() {
    let config = config("S { a = 1 b = 1 } s \n{ B = (2 3) T x { c = 1 } } S { t \"x\" { c = 2 } t X {} }");
    assert_eq!(config.root().scopes().count(), 1);
    let scope = config.root().scope("S", None).unwrap();
    assert_eq!((scope.name(), scope.definitions().count()), ("S", 3));
    let b = scope.option("b").unwrap();
    assert_eq!((b.name(), b.current().name()), ("b", "B"));
    assert_eq!(config.slice(b.current().span()), "(2 3)");
    assert_eq!(b.scope().name(), "S");
    let inner: Vec<_> = scope.scopes().map(|scope| scope.instance().unwrap().into_owned()).collect();
    assert_eq!(inner, ["x", "X"]);
    let c = scope.scope("T", Some("x")).unwrap().option("C").unwrap();
    assert_eq!(c.history().map(|one| config.slice(one.span())).collect::<Vec<_>>(), ["1", "2"]);
    assert!(scope.scope("T", None).is_none() && scope.scope("T", Some("y")).is_none());
    assert_eq!(
        config.scopes().map(|scope| scope.parent().unwrap().name()).collect::<Vec<_>>(),
        ["", "S", "S"]
    );
    assert!(config.root().parent().is_none());
}

#[test]
fn spans_are_what_an_edit_would_replace() {
    let text = "S /* c */ {\n  a /* d */ = # e\n  \"x y\" b [ k = v ] c = ( 1 /* f */ 2 ) }";
    let config = config(text);
    let scope = config.root().scopes().next().unwrap();
    let body = scope.bodies().next().unwrap();
    assert_eq!(config.slice(body), &text["S /* c */ {".len()..text.len() - 1]);
    let parts: Vec<_> = scope
        .options()
        .map(|option| (config.slice(option.current().name_span()), config.slice(option.current().span())))
        .collect();
    assert_eq!(parts, [("a", "\"x y\""), ("b", "[ k = v ]"), ("c", "( 1 /* f */ 2 )")]);
}

#[test]
fn looking_up_finds_every_one_of_many() {
    let text: String =
        (0..2000).map(|n| format!("Opt_{} = {n} Dom \"d\\\\{}\" {{ x = {n} }}\n", n * 7 % 2000, n)).collect();
    let config = config(&text);
    for n in 0..2000 {
        let option = config.root().option(&format!("OPT_{}", n * 7 % 2000)).unwrap();
        assert_eq!(option.current().value().as_text().unwrap().integer(), Some(n));
        assert!(config.root().scope("dom", Some(&format!("d\\{n}"))).unwrap().option("X").is_some());
    }
    assert!(config.root().option("opt_2000").is_none());
}

#[test]
fn a_type_of_scope_is_named_or_not() {
    let all = Config::from_text("f", "A {}\nB { a x {} }\na \"x\" {}\nA y {}\n").unwrap_err();
    assert_eq!(codes(&all), ["mixed-scope"]);
    assert_eq!(all[0].cause, Cause::Text);
    assert_eq!(all[0].place.as_ref().unwrap().line, 3);
    assert_eq!(all[0].related[0].0.line, 1);
}

#[test]
fn broken_forms_have_names() {
    for (text, expected) in [
        ("a", "missing-value"),
        ("a =", "missing-value"),
        ("a = }", "missing-value stray-close"),
        ("a = ]", "missing-value stray-close"),
        ("a b", "missing-equals"),
        ("a\nb = 1", "missing-value"),
        ("a =\nb = 1", "missing-value"),
        ("a = b=c", "unquoted-equals"),
        ("a = b = c", "missing-value"),
        ("a \"b\" = c", "unexpected-equals"),
        ("a ( b )", "missing-equals"),
        ("= 1", "unexpected-equals"),
        ("\"a\" = 1", "unexpected-string"),
        ("\"a\" { b = 1 }", "unexpected-string"),
        ("{ a = 1 }", "nameless-scope"),
        ("( a )", "nameless-value"),
        ("[ a = 1 ]", "nameless-value"),
        (")", "stray-close"),
        ("a {", "unclosed-scope"),
        ("a { b {", "unclosed-scope"),
        ("a = ( b", "unclosed-list"),
        ("a = ( b }", "unclosed-list stray-close"),
        ("a = ( b\nc = d e = f", "unclosed-list"),
        ("a = ( b ]", "wrong-close"),
        ("a = ( b ( c ) )", "nested-value"),
        ("a = [ b = 1", "unclosed-list"),
        ("a = [ b = ]", "missing-value"),
        ("a = [ b ]", "missing-value"),
        ("a = [ = b ]", "missing-key missing-value"),
        ("a = [ b = ( 1 ) ]", "nested-value"),
        ("a = \"b", "unclosed-string"),
        ("a { b = \"c }\nd = e=f }", "unclosed-string unquoted-equals"),
        ("a = 1 /* b", "unclosed-comment"),
        ("a { /* }", "unclosed-comment"),
        ("a = \"say \"hi\" now\"", "text-after-quote"),
        ("a = don't", "quote-in-word"),
        ("a = b/*c*/", "comment-in-word"),
        ("a = [ b = [ c = d ] e = f ]", "nested-value"),
        ("a = b\u{a0}c", "invisible-character"),
        ("a = \u{1}", "missing-value control-character"),
        ("a.b = 1", "bad-name"),
        ("// a\nb = 1", "slash-comment"),
        ("include", "missing-path"),
        ("include = a", "unexpected-equals"),
        ("include { a = 1 }", "missing-path nameless-scope"),
        ("include\na = 1", "missing-path"),
    ] {
        let all = syntax("f", text.as_bytes());
        let codes = codes(&all);
        assert!(all.iter().all(|one| one.severity == Severity::Error && one.cause == Cause::Syntax));
        assert_eq!(codes.join(" "), expected, "{text:?}\n{}", findings(&all));
        assert!(Config::from_text("f", text).is_err());
    }
}

#[test]
fn suspicious_forms_are_warned_about_and_kept() {
    let config = config("a = b; c = 1 # \u{202e}");
    assert_eq!(codes(config.notes()), ["semicolon", "reordering-character"]);
    assert_eq!(config.root().option("a").unwrap().current().value().as_text().unwrap().text(), "b;");
}
