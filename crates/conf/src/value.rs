//! Values: what an option was set to, what kinds of thing its text can be, and how text is written back.
//!
//! A value is text, an array or a dictionary. That a text is a number or a switch is for the option to say, so the
//! readings here are offered, never applied. Follows "Values" of the language reference.

use crate::source::Span;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// What an option was set to.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// One text, with or without quotes.
    Text(Text<'a>),
    /// `( … )`: texts in order.
    Array(Vec<Text<'a>>),
    /// `[ … ]`: keys and their texts in order. A key may occur twice; it is for the option to judge that.
    Dict(Vec<(Text<'a>, Text<'a>)>),
}

/// One text of a file: a value, an element, a key, an instance or a path.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a str,
    quotes: Quotes,
    span: Span,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    None,
    /// Single quotes, or double ones without a backslash.
    Plain,
    Escaped,
}

impl<'a> Value<'a> {
    /// The elements, where an array is expected: one text is an array of itself. A dictionary is none.
    pub fn elements(&self) -> Option<&[Text<'a>]> {
        match self {
            Value::Text(text) => Some(core::slice::from_ref(text)),
            Value::Array(texts) => Some(texts),
            Value::Dict(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<Text<'a>> {
        match self {
            Value::Text(text) => Some(*text),
            _ => None,
        }
    }

    /// `a text`, `an array` or `a dictionary`, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Array(_) => "an array",
            Value::Dict(_) => "a dictionary",
        }
    }
}

impl<'a> Text<'a> {
    /// The text itself, without quotes and with its escapes replaced.
    pub fn text(&self) -> Cow<'a, str> {
        match self.quotes {
            Quotes::Escaped => Cow::Owned(unescape(self.raw)),
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// Whether it is in quotes.
    pub fn quoted(&self) -> bool {
        self.quotes != Quotes::None
    }

    /// Where it is, quotes included.
    pub fn span(&self) -> Span {
        self.span
    }

    /// As a switch: on, true, yes, enabled, 1 or off, false, no, disabled, 0, in any case; quoted or not.
    pub fn boolean(&self) -> Option<bool> {
        let text = self.text();
        let is_one_of = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is_one_of(["on", "true", "yes", "enabled", "1"]) {
            Some(true)
        } else if is_one_of(["off", "false", "no", "disabled", "0"]) {
            Some(false)
        } else {
            None
        }
    }

    /// As a whole number: decimal, octal with a leading `0`, or hexadecimal with a leading `0x`; with a `-` before it if
    /// it is negative; quoted or not. `None` if it is anything else or beyond 64 bits.
    pub fn integer(&self) -> Option<i64> {
        let text = self.text();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, &*text),
        };
        let (radix, digits) = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
            [b'0', _, ..] => (8, &digits[1..]),
            _ => (10, digits),
        };
        // `from_str_radix` would take a second sign.
        if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let number = i128::from(u64::from_str_radix(digits, radix).ok()?);
        i64::try_from(if negative { -number } else { number }).ok()
    }

    pub(crate) fn new(raw: &'a str, quotes: Quotes, span: Span) -> Text<'a> {
        Text { raw, quotes, span }
    }
}

/// A text as it is written in a configuration: in double quotes if it needs any.
///
/// It does if it is empty or holds white space, a control or invisible character, a comma, a backslash, or one of
/// `# / " ' = { } [ ] ( )`. Reading the result gives the text again, unless it holds a NUL, which no file may.
pub fn quote(text: &str) -> Cow<'_, str> {
    let bare = |c: char| {
        !(c.is_whitespace()
            || c.is_control()
            || crate::chars::is_invisible(c)
            || matches!(
                c,
                ',' | ';' | '\\' | '#' | '/' | '"' | '\'' | '=' | '{' | '}' | '[' | ']' | '(' | ')'
            ))
    };
    if !text.is_empty() && text.chars().all(bare) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '\r' => quoted.push_str("\\r"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// Replaces `\r \n \t \\ \"`; any other backslash stays.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let replaced = match rest.as_bytes().get(at + 1) {
            Some(b'r') => '\r',
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'\\') => '\\',
            Some(b'"') => '"',
            _ => {
                text.push('\\');
                rest = &rest[at + 1..];
                continue;
            }
        };
        text.push(replaced);
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Text<'_> {
        let quotes = if raw.as_bytes().contains(&b'\\') { Quotes::Escaped } else { Quotes::None };
        Text::new(raw, quotes, Span { file: 0, start: 0, end: 0 })
    }

    #[test]
    fn five_escapes_and_no_more() {
        assert_eq!(text(r#"\r\n\t\\\""#).text(), "\r\n\t\\\"");
        assert_eq!(text(r"/^(a|b)\.fr$/").text(), r"/^(a|b)\.fr$/");
        assert_eq!(text(r"\\.").text(), r"\.");
        assert_eq!(text(r"\é\").text(), r"\é\");
    }

    #[test]
    fn switches() {
        for (on, off) in
            [("on", "off"), ("TRUE", "False"), ("yes", "no"), ("Enabled", "disabled"), ("1", "0")]
        {
            assert_eq!((text(on).boolean(), text(off).boolean()), (Some(true), Some(false)));
        }
        assert_eq!((text("2").boolean(), text("").boolean(), text("onn").boolean()), (None, None, None));
    }

    #[test]
    fn numbers() {
        let cases = [
            ("0", 0),
            ("00", 0),
            ("42", 42),
            ("-7", -7),
            ("0640", 0o640),
            ("0x1F", 31),
            ("-0x10", -16),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (written, number) in cases {
            assert_eq!(text(written).integer(), Some(number), "{written}");
        }
        for not in
            ["", "-", "--1", "+1", "0x", "0x-1", "08", "1.5", "1e3", " 1", "9223372036854775808", "1_000"]
        {
            assert_eq!(text(not).integer(), None, "{not}");
        }
    }

    #[test]
    fn quotes_where_they_are_needed() {
        for bare in ["ecuser", "10.10.10.50", "*.example.com", "fd01:345::1", "__hostname__", "cap_x+ep", "é"]
        {
            assert_eq!(quote(bare), bare);
        }
        for (text, written) in [
            ("", r#""""#),
            ("/var", r#""/var""#),
            ("a b", r#""a b""#),
            ("a,b", r#""a,b""#),
            ("it's", r#""it's""#),
            ("a\n\"\\", r#""a\n\"\\""#),
            ("a\u{a0}b", "\"a\u{a0}b\""),
        ] {
            assert_eq!(quote(text), written);
        }
    }
}
