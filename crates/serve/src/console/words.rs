//! The words of a line: white space separates them, quotes of both kinds hold them together.
//!
//! Quotes mean what they mean in a file: double ones know `\r \n \t \\ \"` and leave any other backslash alone, single ones
//! know nothing. Not for values, whose text is kept as it is typed. Follows `docs/language.md`, "Words".

use std::borrow::Cow;
use std::ops::Range;

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Whether it is in quotes: then it is no flag and no name of a command.
    pub quoted: bool,
    /// Where it is in the line, its quotes included.
    pub span: Range<usize>,
}

/// A quote that is opened and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Where it is opened.
    pub at: usize,
}

/// Takes a line apart.
///
/// # Errors
/// A quote that is not closed.
pub fn words(line: &str) -> Result<Vec<Word>, Unclosed> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (text, length) = match first {
            '"' => double_quoted(rest).ok_or(Unclosed { at })?,
            '\'' => {
                let end = rest[1..].find('\'').ok_or(Unclosed { at })?;
                (rest[1..=end].to_owned(), end + 2)
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
                let end = end.unwrap_or(rest.len());
                (rest[..end].to_owned(), end)
            }
        };
        words.push(Word { text, quoted: matches!(first, '"' | '\''), span: at..at + length });
        at += length;
    }
    Ok(words)
}

/// An argument of a command line, as a word of a console's line: as it is where that is one word, or a list in its
/// brackets; else in double quotes.
#[must_use]
pub fn as_word(argument: &str) -> Cow<'_, str> {
    let list = |open, close| argument.starts_with(open) && argument.ends_with(close);
    let printable = !argument.contains(char::is_control);
    let one_word = words(argument).is_ok_and(|words| matches!(&words[..], [_]));
    if printable && (one_word || list('(', ')') || list('[', ']')) {
        return Cow::Borrowed(argument);
    }
    let mut quoted = String::from("\"");
    for character in argument.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// The text between double quotes at the beginning of `rest`, and how many bytes it takes with them.
fn double_quoted(rest: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let escaped = match (character, characters.peek()) {
            ('"', _) => return Some((text, at + 1)),
            ('\\', Some((_, 'n'))) => '\n',
            ('\\', Some((_, 'r'))) => '\r',
            ('\\', Some((_, 't'))) => '\t',
            ('\\', Some((_, next @ ('"' | '\\')))) => *next,
            _ => {
                text.push(character);
                continue;
            }
        };
        text.push(escaped);
        characters.next();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line).expect("its quotes are closed").into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(texts(" config  get\tListen \":25\" x"), ["config", "get", "Listen", ":25", "x"]);
        assert_eq!(texts(r#"Listen":25"'a "b'c"#), ["Listen", ":25", "a \"b", "c"]);
        assert_eq!(texts(r#" "" '' "#), ["", ""]);
        assert_eq!(texts(r#""^(a|b)\.fr$" "\"\\\n\t\r""#), [r"^(a|b)\.fr$", "\"\\\n\t\r"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn an_open_quote_is_said() {
        assert_eq!(words("a \"b c"), Err(Unclosed { at: 2 }));
        assert_eq!(words("don't"), Err(Unclosed { at: 3 }));
        assert_eq!(words("\"a\\\""), Err(Unclosed { at: 0 }));
    }

    #[test]
    fn an_argument_stays_one_word() {
        assert_eq!(as_word("user"), "user");
        assert_eq!(as_word("'a b'"), "'a b'");
        assert_eq!(as_word("( mail \"4\" )"), "( mail \"4\" )");
        assert_eq!(as_word(""), "\"\"");
        assert_eq!(as_word("a b"), "\"a b\"");
        assert_eq!(as_word("x\ny"), "\"x\\ny\"");
    }

    proptest! {
        #[test]
        fn what_becomes_a_word_is_read_as_it_was(argument in "[ab \"'\\\\\n\té=]{0,12}") {
            let word = as_word(&argument);
            prop_assert!(!word.contains('\n'));
            if matches!(word, Cow::Owned(_)) {
                prop_assert_eq!(texts(&word), [argument]);
            } else {
                prop_assert_eq!(texts(&word).len(), 1);
            }
        }

        #[test]
        fn words_lie_in_the_line_in_order(line in "[ab \"'\\\\é=(]{0,24}") {
            if let Ok(words) = words(&line) {
                let mut end = 0;
                for word in words {
                    prop_assert!(word.span.start >= end && word.span.end > word.span.start);
                    end = word.span.end;
                    let again = texts(&line[word.span]);
                    prop_assert_eq!(again, [word.text]);
                }
            }
        }
    }
}
