//! The form of requests and replies: see `docs/console.md`, "The protocol".
//!
//! A request is a line. A reply is a header, `STATUS LENGTH` and a line feed, and LENGTH bytes of text. Both sides read
//! here what the other wrote, piece by piece as it comes, within bounds. Not for reading or writing: no socket is known.

use std::fmt;

/// The longest request, in bytes, without its line feed.
pub const MAX_REQUEST_BYTES: usize = 64 << 10;
/// The longest reply that a client takes, in bytes: more than two configurations of the largest size.
pub const MAX_REPLY_BYTES: usize = 512 << 20;

/// How a request ended. Numbers are those of the header, and the exit status of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Done.
    Done = 0,
    /// Refused, or the answer is "no".
    Refused = 1,
    /// Not understood.
    NotUnderstood = 2,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How it ended.
    pub status: Status,
    /// What is printed, with the line feeds that belong to it.
    pub text: String,
}

/// A request that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is longer than [`MAX_REQUEST_BYTES`]. Nothing behind it can be read.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// It has a control character, such as NUL.
    Control(char),
    /// The peer sends no more, and this has no line feed.
    Unfinished,
}

/// What comes in, as requests.
#[derive(Debug, Default)]
pub struct Requests {
    bytes: Vec<u8>,
    /// How many bytes at the beginning have been given out, and how many of the others hold no line feed.
    taken: usize,
    searched: usize,
    ended: bool,
}

/// What comes back, as replies.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
}

/// A reply that is none: the other side is no console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl Reply {
    /// A reply of this status.
    pub fn new(status: Status, text: impl Into<String>) -> Reply {
        Reply { status, text: text.into() }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{} {}\n", self.status as u8, self.text.len()).into_bytes();
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }
}

impl Requests {
    /// Takes what came. At most a line that is too long is kept; a caller reads no more while [`next`](Self::next) has
    /// something.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next request, if it is all there.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<String, Malformed>> {
        let rest = &self.bytes[self.taken..];
        let Some(length) = rest[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = rest.len();
            if rest.len() > MAX_REQUEST_BYTES {
                return self.end(Malformed::TooLong);
            }
            if rest.is_empty() {
                // An idle session keeps no memory.
                self.bytes = Vec::new();
                self.taken = 0;
            }
            return None;
        };
        let length = self.searched + length;
        self.searched = 0;
        if length > MAX_REQUEST_BYTES {
            return self.end(Malformed::TooLong);
        }
        let line = read(&rest[..length]);
        self.taken += length + 1;
        Some(line)
    }

    /// Says that nothing more comes: what is left without a line feed is no request, since its end may be missing.
    pub fn finish(&mut self) -> Option<Malformed> {
        let rest = self.bytes.len() > self.taken && !self.ended;
        self.end(Malformed::Unfinished);
        rest.then_some(Malformed::Unfinished)
    }

    /// Whether part of a request is here.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.bytes.len() > self.taken
    }

    fn end(&mut self, why: Malformed) -> Option<Result<String, Malformed>> {
        *self = Requests { ended: true, ..Requests::default() };
        Some(Err(why))
    }
}

impl Replies {
    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next reply, if it is all there. Text that is not UTF-8 has a replacement character for what is not.
    ///
    /// # Errors
    /// What came is no reply, or a longer one than is taken; nothing behind it can be read.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Reply>, Garbled> {
        let Some((status, start, length)) = header(&self.bytes)? else { return Ok(None) };
        let Some(text) = self.bytes.get(start..start + length) else { return Ok(None) };
        let text = String::from_utf8_lossy(text).into_owned();
        self.bytes.drain(..start + length);
        Ok(Some(Reply { status, text }))
    }
}

impl Malformed {
    /// Whether the session can go on with the next request.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Malformed::TooLong | Malformed::Unfinished)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::TooLong => write!(f, "the request is longer than {} KiB", MAX_REQUEST_BYTES >> 10),
            Malformed::NotUtf8 => f.write_str("the request is not UTF-8"),
            Malformed::Control(c) => write!(f, "the request has a control character, U+{:04X}", *c as u32),
            Malformed::Unfinished => f.write_str("the last request has no line feed, so it may not be whole"),
        }
    }
}

fn read(line: &[u8]) -> Result<String, Malformed> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| Malformed::NotUtf8)?;
    match line.chars().find(|c| c.is_control() && *c != '\t') {
        Some(control) => Err(Malformed::Control(control)),
        None => Ok(line.to_owned()),
    }
}

/// Status, where the text begins, and its length.
fn header(bytes: &[u8]) -> Result<Option<(Status, usize, usize)>, Garbled> {
    // `2 536870912` and a line feed.
    const LONGEST: usize = 12;
    let Some(end) = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
        let mut so_far = bytes.iter().take(LONGEST).enumerate();
        let possible = |(index, byte): (usize, &u8)| match index {
            0 => matches!(byte, b'0'..=b'2'),
            1 => *byte == b' ',
            _ => byte.is_ascii_digit(),
        };
        let possible = so_far.all(possible) && bytes.len() < LONGEST;
        return if possible { Ok(None) } else { Err(Garbled) };
    };
    let [status, b' ', digits @ ..] = &bytes[..end] else { return Err(Garbled) };
    let status = match status {
        b'0' => Status::Done,
        b'1' => Status::Refused,
        b'2' => Status::NotUnderstood,
        _ => return Err(Garbled),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Garbled);
    }
    let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Garbled)?;
    if length > MAX_REPLY_BYTES { Err(Garbled) } else { Ok(Some((status, end + 1, length))) }
}

#[cfg(test)]
mod tests;
