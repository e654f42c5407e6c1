//! Whatever is read is kept: for any text the tree gives the same bytes, and for any configuration the same meaning.

use proptest::prelude::*;
use std::collections::BTreeMap;
use stepdown_conf::{Config, Kind, Scope, Tree, Value, quote};

/// A configuration to be written down and read back.
#[derive(Clone, Debug)]
enum Statement {
    Option(String, Written),
    Scope(String, String, Vec<Statement>),
}

#[derive(Clone, Debug)]
enum Written {
    Text(String),
    Array(Vec<String>),
    Dict(Vec<(String, String)>),
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9_:-]{0,8}".prop_filter("keywords", |name| {
        !["include", "readonly_include", "local_changes_file"].contains(&name.to_lowercase().as_str())
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9./*+:é]{0,8}", "[^\0]{0,12}", r#"[\\"'rnt\n\r#{} =,/*()\[\]]{0,10}"#]
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        text().prop_map(Written::Text),
        prop::collection::vec(text(), 0..4).prop_map(Written::Array),
        prop::collection::vec((text(), text()), 0..4).prop_map(Written::Dict),
    ]
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let option = (name(), written()).prop_map(|(name, value)| Statement::Option(name, value));
    let statement = option.prop_recursive(4, 40, 5, |inner| {
        (name(), text(), prop::collection::vec(inner, 0..5))
            .prop_map(|(name, instance, body)| Statement::Scope(name, instance, body))
    });
    prop::collection::vec(statement, 0..6)
}

/// Blanks and comments, or nothing where nothing is needed.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(" ".to_string()),
        1 => "[ \t\r\n\u{b}\u{c}]{1,3}",
        1 => "[ ]#[a-z\"'{}\\[\\]()=é]{0,6}\n",
        1 => "[ ]/\\*[a-z\"'{}\n=# é]{0,6}\\*/",
    ]
}

/// Writes statements with whatever blanks come next.
struct Printer<'b> {
    out: String,
    blanks: std::iter::Cycle<std::slice::Iter<'b, String>>,
}

impl Printer<'_> {
    fn put(&mut self, part: &str) {
        self.out.push_str(part);
        self.out.push_str(self.blanks.next().unwrap());
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Option(name, value) => {
                    self.put(name);
                    self.value(value);
                }
                Statement::Scope(name, instance, body) => {
                    self.put(name);
                    self.put(&quote(instance));
                    self.put("{");
                    self.statements(body);
                    self.put("}");
                }
            }
        }
    }

    fn value(&mut self, value: &Written) {
        match value {
            Written::Text(text) => {
                self.put("=");
                self.put(&quote(text));
            }
            Written::Array(texts) => {
                self.put("=");
                self.put("(");
                texts.iter().for_each(|text| self.put(&quote(text)));
                self.put(")");
            }
            Written::Dict(entries) => {
                self.put("[");
                for (key, value) in entries {
                    self.put(&quote(key));
                    self.put("=");
                    self.put(&quote(value));
                    self.put(",");
                }
                self.put("]");
            }
        }
    }
}

/// What a configuration means: for each scope by its path, each option and its values, oldest first.
type Meaning = BTreeMap<Vec<(String, String)>, BTreeMap<String, Vec<String>>>;

fn meant(statements: &[Statement], path: &mut Vec<(String, String)>, meaning: &mut Meaning) {
    meaning.entry(path.clone()).or_default();
    for statement in statements {
        match statement {
            Statement::Option(name, value) => {
                let value = match value {
                    Written::Text(text) => format!("{text:?}"),
                    Written::Array(texts) => format!("{texts:?}"),
                    Written::Dict(entries) => format!("{entries:?}"),
                };
                let options = meaning.get_mut(path).unwrap();
                options.entry(name.to_lowercase()).or_default().push(value);
            }
            Statement::Scope(name, instance, body) => {
                path.push((name.to_lowercase(), instance.clone()));
                meant(body, path, meaning);
                path.pop();
            }
        }
    }
}

fn understood(scope: Scope<'_>, path: &mut Vec<(String, String)>, meaning: &mut Meaning) {
    let options = scope.options().map(|option| {
        let values = option.history().map(|one| match one.value() {
            Value::Text(text) => format!("{:?}", text.text()),
            Value::Array(texts) => format!("{:?}", texts.iter().map(|one| one.text()).collect::<Vec<_>>()),
            Value::Dict(entries) => {
                format!("{:?}", entries.iter().map(|(k, v)| (k.text(), v.text())).collect::<Vec<_>>())
            }
        });
        (option.name().to_lowercase(), values.collect())
    });
    meaning.insert(path.clone(), options.collect());
    for inner in scope.scopes() {
        path.push((inner.name().to_lowercase(), inner.instance().unwrap().into_owned()));
        understood(inner, path, meaning);
        path.pop();
    }
}

/// The tree gives the text back, and what it calls blank or a comment is one.
fn check_walk(text: &str) {
    let (tree, _) = Tree::parse("generated", text);
    let mut whole = String::new();
    for (kind, part) in tree.walk(text) {
        assert!(!part.is_empty());
        let blank = part.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c));
        assert_eq!(kind == Kind::Blank, blank, "{kind:?} {part:?}");
        if kind == Kind::Comment {
            assert!(part.starts_with('#') && !part.contains('\n') || part.starts_with("/*"), "{part:?}");
        }
        whole.push_str(part);
    }
    assert_eq!(whole, text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(statements in statements(), blanks in prop::collection::vec(blank(), 1..20)) {
        let mut printer = Printer { out: String::new(), blanks: blanks.iter().cycle() };
        printer.statements(&statements);
        let text = printer.out;
        check_walk(&text);
        let config = Config::from_text("generated", &text);
        prop_assert!(config.is_ok(), "{text:?}: {:?}", config.err());
        let (mut expected, mut got) = (Meaning::new(), Meaning::new());
        meant(&statements, &mut Vec::new(), &mut expected);
        understood(config.as_ref().unwrap().root(), &mut Vec::new(), &mut got);
        prop_assert_eq!(got, expected, "{:?}", text);
    }

    #[test]
    fn any_text_is_kept(text in "\\PC*", soup in "([a-z]{1,3}|[\\[\\]{}()=,;#'\"\\\\/*\n\r \t]|é|include |/\\*|\\*/|\u{a0}){0,60}") {
        check_walk(&text);
        check_walk(&soup);
    }

    #[test]
    fn a_quoted_text_is_that_text(text in text()) {
        let config = Config::from_text("f", &format!("x={}\ny=({})", quote(&text), quote(&text)));
        prop_assert!(config.is_ok(), "{:?}", config.err());
        let config = config.unwrap();
        let value = config.root().option("x").unwrap().current().value();
        prop_assert_eq!(value.as_text().unwrap().text(), text.as_str());
        let value = config.root().option("y").unwrap().current().value();
        prop_assert_eq!(value.elements().unwrap()[0].text(), text.as_str());
    }
}
