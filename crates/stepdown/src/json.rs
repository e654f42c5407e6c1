//! JSON to print, RFC 8259, for programs that print a few values and read none.
//!
//! Where there is the standard library there is `serde_json` too, and a value becomes one of it by `into()`; a launcher goes without,
//! since its maps and its numbers with fractions would be a tenth of the file. Not for: reading JSON.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, without a fraction.
    Number(i64),
    /// A text.
    Text(Cow<'static, str>),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order that it is given.
    Object(Vec<(&'static str, Json)>),
}

/// On one line, without white space.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Boolean(value) => f.write_str(if *value { "true" } else { "false" }),
            Json::Number(value) => value.fmt(f),
            Json::Text(text) => quoted(f, text),
            Json::List(list) => {
                let mut start = '[';
                for value in list {
                    f.write_char(start)?;
                    value.fmt(f)?;
                    start = ',';
                }
                f.write_str(if list.is_empty() { "[]" } else { "]" })
            }
            Json::Object(list) => {
                let mut start = '{';
                for (name, value) in list {
                    f.write_char(start)?;
                    quoted(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                    start = ',';
                }
                f.write_str(if list.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                f.write_char('\\')?;
                f.write_char(character)?;
            }
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0'..' ' => write!(f, "\\u{:04x}", character as u32)?,
            _ => f.write_char(character)?,
        }
    }
    f.write_char('"')
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Boolean(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Json {
        Json::Number(value.into())
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Json {
        Json::Number(value.into())
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Json {
        Json::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&'static str> for Json {
    fn from(text: &'static str) -> Json {
        Json::Text(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text.into())
    }
}

impl From<Cow<'static, str>> for Json {
    fn from(text: Cow<'static, str>) -> Json {
        Json::Text(text)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(list: I) -> Json {
        Json::List(list.into_iter().map(Into::into).collect())
    }
}

#[cfg(feature = "std")]
impl From<Json> for serde_json::Value {
    fn from(json: Json) -> serde_json::Value {
        match json {
            Json::Null => serde_json::Value::Null,
            Json::Boolean(value) => value.into(),
            Json::Number(value) => value.into(),
            Json::Text(text) => text.into_owned().into(),
            Json::List(list) => list.into_iter().collect(),
            Json::Object(list) => {
                let named = list.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
                serde_json::Value::Object(named.collect())
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_reader_reads_what_was_meant() {
        let odd: String = (0..=0x2030_u32).filter_map(char::from_u32).collect();
        let json = Json::Object(alloc::vec![
            ("odd \"name\"", odd.into()),
            ("none", Json::from(None::<u32>)),
            ("list", [1_u32, u32::MAX].into_iter().collect()),
            ("empty", Json::List(Vec::new())),
            ("nothing", Json::Object(Vec::new())),
            ("yes", true.into()),
            ("least", i32::MIN.into()),
        ]);
        let read: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
        assert_eq!(read, serde_json::Value::from(json));
    }
}
