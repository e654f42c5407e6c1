//! Edits: what they make of a text as a person sees it, and for any text that they do what they say and nothing else.

use proptest::prelude::*;
use stepdown_conf::{Config, Edit, Kind, NewText, NewValue, Scope, Setting, Tree, apply};

fn parse(text: &str) -> Config {
    Config::from_text("f", text).unwrap_or_else(|findings| panic!("{findings:?} in\n{text}"))
}

fn new(text: &str) -> NewValue {
    NewValue::Text(NewText::new(text))
}

fn array(texts: &[&str]) -> NewValue {
    NewValue::Array(texts.iter().map(|text| NewText::new(text)).collect())
}

fn dict(entries: &[(&str, &str)]) -> NewValue {
    NewValue::Dict(entries.iter().map(|(key, value)| (NewText::new(key), NewText::new(value))).collect())
}

/// The scope of that name at the top, or the outermost.
fn scope<'a>(config: &'a Config, name: &str) -> Scope<'a> {
    if name.is_empty() { config.root() } else { config.scopes().find(|scope| scope.name() == name).unwrap() }
}

fn set(text: &str, of: &str, option: &str, value: &NewValue) -> String {
    let config = parse(text);
    apply(text, &[scope(&config, of).option(option).unwrap().current().set(value)])
}

fn unset(text: &str, of: &str, option: &str) -> String {
    let config = parse(text);
    apply(text, &[scope(&config, of).option(option).unwrap().current().remove()])
}

fn add(text: &str, to: &str, inner: &[(&str, Option<&str>)], option: &str, value: &NewValue) -> String {
    let config = parse(text);
    let inner: Vec<(String, Option<String>)> =
        inner.iter().map(|(name, instance)| (name.to_string(), instance.map(str::to_string))).collect();
    apply(text, &[scope(&config, to).add(0, &inner, option, value).unwrap()])
}

#[test]
fn a_value_is_replaced_and_what_is_around_it_stays() {
    let text = "S {\n\ta  =  one # why\n  b=2 c = 3 /* d */ }\n";
    assert_eq!(set(text, "S", "A", &new("two three")), text.replace("one", "\"two three\""));
    assert_eq!(set(text, "S", "b", &new("/x")), text.replace("b=2", "b=\"/x\""));
    assert_eq!(set(text, "S", "c", &array(&["x", "y z"])), text.replace("= 3", "= ( x \"y z\" )"));
    assert_eq!(set("a [ k = v ]\n", "", "a", &new("x")), "a  = x\n");
    assert_eq!(set("a = ()/* c */\n", "", "a", &new("y")), "a = y /* c */\n");
    assert_eq!(set("a=(x)b=1", "", "a", &new("y")), "a=y b=1");
}

#[test]
fn the_elements_of_an_array_that_stay_keep_their_comments() {
    let text = "a = (\n  one # first\n  two # second\n  three\n)\n";
    let lines = |texts: &[&str]| set(text, "", "a", &array(texts));
    assert_eq!(lines(&["one", "two", "three", "four"]), text.replace("three\n", "three\n  four\n"));
    assert_eq!(lines(&["one", "three"]), text.replace("  two # second\n", ""));
    assert_eq!(lines(&["zero", "one", "two", "three"]), text.replace("one", "zero\n  one"));
    assert_eq!(lines(&["one", "2", "three"]), text.replace("two", "2"));
    assert_eq!(lines(&["one", "two", "three"]), text);
    assert_eq!(set("a = ( x, y, z )", "", "a", &array(&["x", "z"])), "a = ( x, z )");
    assert_eq!(set("a = ( x y z )", "", "a", &array(&["x", "y"])), "a = ( x y )");
    assert_eq!(set("a = ( x )", "", "a", &array(&[])), "a = ()");
    assert_eq!(set("a = ()", "", "a", &array(&["x"])), "a = ( x )");
    let dictionary = "a = [ k = v  l = w ]";
    assert_eq!(set(dictionary, "", "a", &dict(&[("k", "v"), ("l", "x")])), "a = [ k = v  l = x ]");
    assert_eq!(set(dictionary, "", "a", &dict(&[("l", "w")])), "a = [ l = w ]");
}

#[test]
fn a_statement_goes_with_its_line_and_the_comment_behind_it() {
    let text = "# before\na = 1\n  # of b\n  b = 2 # behind\nc = 3 d = 4 # both\n";
    assert_eq!(unset(text, "", "a"), text.replace("a = 1\n", ""));
    assert_eq!(unset(text, "", "b"), text.replace("  b = 2 # behind\n", ""));
    assert_eq!(unset(text, "", "c"), text.replace("c = 3 ", ""));
    assert_eq!(unset(text, "", "d"), text.replace(" d = 4 # both", ""));
    assert_eq!(unset("S { a = 1  b = 2  c = 3 }", "S", "a"), "S { b = 2  c = 3 }");
    assert_eq!(unset("S { a = 1  b = 2  c = 3 }", "S", "b"), "S { a = 1  c = 3 }");
    assert_eq!(unset("S { a = 1  b = 2  c = 3 }", "S", "c"), "S { a = 1  b = 2 }");
    assert_eq!(unset("S { a = 1 }", "S", "a"), "S { }");
    assert_eq!(
        unset("S {\r\n  a = (\r\n    x\r\n  )\r\n  b = 1\r\n}\r\n", "S", "a"),
        "S {\r\n  b = 1\r\n}\r\n"
    );
}

#[test]
fn a_scope_goes_from_every_place_it_was_opened() {
    let text = "S { a = 1 }\n# c\nT {\n  b = 1\n} # t\nS {\n  c = 1\n}\nd = 2\n";
    let config = parse(text);
    assert_eq!(apply(text, &scope(&config, "S").remove(0)), "# c\nT {\n  b = 1\n} # t\nd = 2\n");
    assert_eq!(apply(text, &scope(&config, "T").remove(0)), "S { a = 1 }\n# c\nS {\n  c = 1\n}\nd = 2\n");
    let text = "S { a = 1 } S { b = 1 } S { c = 1 }";
    assert_eq!(apply(text, &scope(&parse(text), "S").remove(0)).trim(), "");
}

#[test]
fn what_is_added_looks_like_its_neighbours() {
    let one = new("1");
    assert_eq!(add("S { a = 1  b = 2 }\n", "S", &[], "c", &one), "S { a = 1  b = 2  c = 1 }\n");
    assert_eq!(add("S { a = 1 }", "S", &[], "c", &one), "S { a = 1  c = 1 }");
    assert_eq!(add("S {}", "S", &[], "c", &one), "S { c = 1 }");
    assert_eq!(add("S{a=1 b=2}", "S", &[], "c", &one), "S{a=1 b=2 c=1}");
    assert_eq!(add("S {\n\ta = 1\n}\n", "S", &[], "c", &one), "S {\n\ta = 1\n\tc = 1\n}\n");
    assert_eq!(
        add("S {\n  a=1 # x\n  # end\n}\n", "S", &[], "c", &one),
        "S {\n  a=1 # x\n  # end\n  c=1\n}\n"
    );
    assert_eq!(add("S {\n}\n", "S", &[], "c", &one), "S {\n  c = 1\n}\n");
    assert_eq!(add("S {\n  a = 1 }\n", "S", &[], "c", &one), "S {\n  a = 1\n  c = 1 }\n");
    assert_eq!(add("S {\r\n  a = 1\r\n}\r\n", "S", &[], "c", &one), "S {\r\n  a = 1\r\n  c = 1\r\n}\r\n");
    assert_eq!(add("S { a = 1 }\nS { b = 1 }\n", "S", &[], "c", &one), "S { a = 1 }\nS { b = 1  c = 1 }\n");
    assert_eq!(add("", "", &[], "c", &one), "c = 1\n");
    assert_eq!(add("# only", "", &[], "c", &one), "# only\nc = 1\n");
    assert_eq!(
        add("S {\n  a = 1\n}\n", "S", &[("T", Some("x")), ("U", None)], "c", &array(&["1", "2"])),
        "S {\n  a = 1\n  T \"x\" {\n    U {\n      c = ( 1 2 )\n    }\n  }\n}\n"
    );
    assert_eq!(add("S { a = 1 }", "S", &[("T", Some("x"))], "c", &one), "S { a = 1  T \"x\" { c = 1 } }");
}

#[test]
fn a_file_that_does_not_open_a_scope_has_no_place_for_its_options() {
    let config = parse("S { }");
    assert!(config.root().scope("S", None).unwrap().add(1, &[], "a", &new("1")).is_none());
}

/// Every statement in the order of the text: the scopes around it, its name, and its value or that it opens a scope.
fn statements(config: &Config) -> Vec<String> {
    let path = |scope: Scope<'_>| -> String {
        let around = std::iter::successors(Some(scope), |scope| scope.parent());
        let mut names: Vec<String> =
            around.map(|scope| format!("{} {:?}", scope.name().to_lowercase(), scope.instance())).collect();
        names.reverse();
        names.join("/")
    };
    let mut all: Vec<(u32, String)> = Vec::new();
    for scope in std::iter::once(config.root()).chain(config.scopes()) {
        all.extend(scope.definitions().map(|span| (span.start, path(scope))));
        for setting in scope.options() {
            all.extend(setting.history().map(|one| {
                let value = NewValue::from(&one.value()).written();
                (one.name_span().start, format!("{}: {} = {value}", path(scope), one.name()))
            }));
        }
    }
    all.sort();
    all.into_iter().map(|(_, statement)| statement).collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("x".to_owned()),
        Just("y".to_owned()),
        "[a-z/*#,\"' \n\\\\={}()é]{0,6}".prop_map(|text| text)
    ]
}

fn value() -> impl Strategy<Value = NewValue> {
    let text = || (text(), any::<bool>()).prop_map(|(text, quoted)| NewText { text, quoted });
    prop_oneof![
        text().prop_map(NewValue::Text),
        prop::collection::vec(text(), 0..5).prop_map(NewValue::Array),
        prop::collection::vec((text(), text()), 0..4).prop_map(NewValue::Dict),
    ]
}

/// A configuration as a careless person writes it: few names, so that they meet, and blanks of every kind.
fn configuration() -> impl Strategy<Value = String> {
    let blank = || {
        prop_oneof![
            6 => Just(" "), 3 => Just(""), 4 => Just("\n"), 2 => Just("\n  "), 1 => Just("\r\n"), 1 => Just("\t"),
            1 => Just(" # c\n"), 1 => Just(" /* d */ "), 1 => Just("/*e\nf*/"), 1 => Just("\n\n# g\n"),
        ]
    };
    let values = ["x", "\"y z\"", "()", "( x y )", "(x,y, x)", "(\n  x # h\n  y\n)", "[ k = v l = w ]"];
    let option =
        (prop::sample::select(vec!["a", "b", "c"]), blank(), blank(), prop::sample::select(values.to_vec()))
            .prop_map(|(name, before, after, value)| format!("{name}{before}={after}{value}"));
    let token = prop_oneof![
        8 => option,
        1 => Just("a [ k = v ]".to_owned()),
        3 => prop::sample::select(vec!["S {", "T \"x\" {", "S /* i */{", "T 'y'{"]).prop_map(str::to_owned),
        3 => Just("}".to_owned()),
    ];
    let text = prop::collection::vec((token, blank()), 0..14);
    (text, any::<bool>())
        .prop_map(|(parts, close)| {
            let (mut text, mut open) = (String::new(), 0_usize);
            for (token, blank) in parts {
                match token.as_bytes().last() {
                    Some(b'{') => open += 1,
                    Some(b'}') if open == 0 => continue,
                    Some(b'}') => open -= 1,
                    _ => {}
                }
                text.extend([token.as_str(), blank]);
            }
            text.push_str(&if close { "}".repeat(open) } else { "\n}".repeat(open) });
            text
        })
        .prop_filter("it has to be well-formed", |text| Config::from_text("f", text).is_ok())
}

fn settings(config: &Config) -> Vec<Setting<'_>> {
    std::iter::once(config.root()).chain(config.scopes()).flat_map(|scope| scope.options()).collect()
}

/// What an edit takes out: pieces that are no statement's.
fn taken_besides(text: &str, edit: &Edit, statement: std::ops::Range<usize>) -> Vec<Kind> {
    let (start, end) = (edit.span.start as usize, edit.span.end as usize);
    assert!(start <= statement.start && statement.end <= end, "the statement is not all gone");
    let (tree, _) = Tree::parse("f", text);
    let mut at = 0;
    let mut kinds = Vec::new();
    for (kind, part) in tree.walk(text) {
        let range = at..at + part.len();
        at = range.end;
        let is_taken = range.start < end && start < range.end;
        let is_own = statement.start <= range.start && range.end <= statement.end;
        if is_taken && !is_own {
            kinds.push(kind);
        }
    }
    kinds.retain(|kind| *kind != Kind::Blank);
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 100_000, max_local_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn every_assignment_can_be_set_to_everything(text in configuration(), value in value(), pick in any::<prop::sample::Index>()) {
        let config = parse(&text);
        let all: Vec<_> = settings(&config).into_iter().flat_map(|setting| setting.history()).collect();
        prop_assume!(!all.is_empty());
        let one = all[pick.index(all.len())];
        let edit = one.set(&value);
        prop_assert!(one.span().start <= edit.span.start && edit.span.end <= one.span().end);

        let after = apply(&text, &[edit]);
        let changed = parse(&after);
        let mut expected = statements(&config);
        let mine = format!("{} = ", one.name());
        let order = all.iter().filter(|other| other.name_span() < one.name_span()).count();
        let at = expected.iter().enumerate().filter(|(_, line)| line.contains(": ")).nth(order).unwrap().0;
        let head = expected[at].split(&mine).next().unwrap().to_owned();
        let quoting = statements(&changed)[at].clone();
        prop_assert!(quoting.starts_with(&[head, mine].concat()));
        // How a text that stays is quoted is left as it is, so texts are compared.
        let set = settings(&changed).into_iter().flat_map(|setting| setting.history()).find(|other| other.name_span() == one.name_span());
        prop_assert!(value.is(&set.unwrap().value()), "{value:?} became\n{after}");
        expected[at] = quoting;
        prop_assert_eq!(statements(&changed), expected);
    }

    #[test]
    fn every_assignment_can_be_removed(text in configuration(), pick in any::<prop::sample::Index>()) {
        let config = parse(&text);
        let all: Vec<_> = settings(&config).into_iter().flat_map(|setting| setting.history()).collect();
        prop_assume!(!all.is_empty());
        let one = all[pick.index(all.len())];
        let edit = one.remove();
        let statement = one.name_span().start as usize..one.span().end as usize;
        let besides = taken_besides(&text, &edit, statement);
        prop_assert!(besides.len() <= 1 && besides.iter().all(|kind| *kind == Kind::Comment), "{besides:?}");

        let mut expected = statements(&config);
        let order = all.iter().filter(|other| other.name_span() < one.name_span()).count();
        let at = expected.iter().enumerate().filter(|(_, line)| line.contains(": ")).nth(order).unwrap().0;
        expected.remove(at);
        prop_assert_eq!(statements(&parse(&apply(&text, &[edit]))), expected);
    }

    #[test]
    fn every_option_can_be_unset_at_once(text in configuration(), pick in any::<prop::sample::Index>()) {
        let config = parse(&text);
        let all = settings(&config);
        prop_assume!(!all.is_empty());
        let one = all[pick.index(all.len())];
        let edits: Vec<Edit> = one.history().map(|assignment| assignment.remove()).collect();
        let changed = parse(&apply(&text, &edits));
        prop_assert_eq!(settings(&changed).len(), all.len() - 1);
        let left = statements(&config).len() - edits.len();
        prop_assert_eq!(statements(&changed).len(), left);
    }

    #[test]
    fn every_scope_can_be_removed(text in configuration(), pick in any::<prop::sample::Index>()) {
        let config = parse(&text);
        let all: Vec<_> = config.scopes().collect();
        prop_assume!(!all.is_empty());
        let one = all[pick.index(all.len())];
        let inside = |other: &Scope<'_>| {
            let around = std::iter::successors(Some(*other), |scope| scope.parent());
            around.into_iter().any(|scope| scope.definitions().eq(one.definitions()))
        };
        let stays: Vec<_> = config.scopes().filter(|other| !inside(other)).collect();
        let changed = parse(&apply(&text, &one.remove(0)));
        prop_assert_eq!(changed.scopes().count(), stays.len());
        let count = |scopes: &[Scope<'_>]| scopes.iter().map(|scope| scope.options().count()).sum::<usize>();
        prop_assert_eq!(count(&changed.scopes().collect::<Vec<_>>()), count(&stays));
        prop_assert_eq!(changed.root().options().count(), config.root().options().count());
    }

    #[test]
    fn every_scope_can_be_added_to(text in configuration(), value in value(), deep in 0..3_usize, pick in any::<prop::sample::Index>()) {
        let config = parse(&text);
        let all: Vec<_> = std::iter::once(config.root()).chain(config.scopes()).collect();
        let one = all[pick.index(all.len())];
        let inner = &[("N".to_owned(), None), ("M".to_owned(), Some("i n".to_owned()))][..deep];
        let edit = one.add(0, inner, "new", &value).unwrap();
        prop_assert_eq!(edit.span.start, edit.span.end);
        let after = apply(&text, &[edit]);
        let changed = parse(&after);
        let scope = if one.parent().is_none() { Some(changed.root()) } else {
            changed.scopes().find(|scope| scope.definitions().eq(one.definitions()) ||
                scope.definitions().next().map(|span| span.start) == one.definitions().next().map(|span| span.start))
        };
        let scope = inner.iter().try_fold(scope.unwrap(), |scope, (name, instance)| scope.scope(name, instance.as_deref()));
        let set = scope.and_then(|scope| scope.option("new")).map(|setting| setting.current());
        prop_assert!(set.is_some_and(|set| value.is(&set.value())), "{value:?} became\n{after}");
        let mut left = statements(&changed);
        left.retain(|line| !line.contains(": new = ") && !line.contains("/n None"));
        prop_assert_eq!(left, statements(&config));
    }
}
