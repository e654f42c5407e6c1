//! From bytes to pieces: blanks, comments, words and strings.
//!
//! Which of these may come next depends on the statement, so the parser asks for them one by one. Follows "Words",
//! "Strings" and "Comments" of the language reference.

use crate::MAX_TEXT_BYTES;
use crate::chars::{self, LISTED, NAME, SPACE, STAR, WIDE, WORD, class};
use crate::count;
use crate::finding::{Cause, Finding, shown};
use crate::sink::Sink;
use crate::tree::{Kind, Piece};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// A place to go back to when a statement turns out to be two.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pos: usize,
    pieces: usize,
}

/// A text, how far it is read, and the pieces found so far.
pub(crate) struct Lexer<'t> {
    pub(crate) text: &'t str,
    pub(crate) bytes: &'t [u8],
    pub(crate) pos: usize,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) sink: Sink<'t>,
    /// A string or comment was not closed: what looks unclosed after it may be its doing.
    pub(crate) cut_short: bool,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(name: &'t str, text: &'t str) -> Lexer<'t> {
        // A configuration has a piece for every seven bytes or so.
        let pieces = Vec::with_capacity(text.len() / 7 + 8);
        Lexer { text, bytes: text.as_bytes(), pos: 0, pieces, sink: Sink::new(name, text), cut_short: false }
    }

    /// The next byte, if any.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// Ends a piece here.
    #[inline]
    pub(crate) fn push(&mut self, kind: Kind, start: usize) {
        self.pieces.push(Piece::new(start, self.pos, kind));
    }

    /// The next byte, a punctuation mark, as a piece.
    #[inline]
    pub(crate) fn mark_of(&mut self, kind: Kind) {
        self.pos += 1;
        self.push(kind, self.pos - 1);
    }

    /// The next character as junk.
    pub(crate) fn junk(&mut self) {
        let start = self.pos;
        self.pos += self.text[start..].chars().next().map_or(0, char::len_utf8);
        self.push(Kind::Junk, start);
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { pos: self.pos, pieces: self.pieces.len() }
    }

    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.pos = mark.pos;
        self.pieces.truncate(mark.pieces);
    }

    /// The bytes of the piece pushed last.
    pub(crate) fn last(&self) -> Range<usize> {
        self.pieces.last().map_or(0..0, |piece| piece.start() as usize..piece.end() as usize)
    }

    /// Passes over white space and comments.
    #[inline]
    pub(crate) fn trivia(&mut self) {
        loop {
            self.skip(SPACE);
            match self.peek() {
                Some(b'#') => self.line_comment(),
                Some(b'/') if self.bytes.get(self.pos + 1) == Some(&b'*') => self.block_comment(),
                _ => return,
            }
        }
    }

    /// Passes over bytes of a class and gives the classes met.
    #[inline(always)]
    fn skip(&mut self, wanted: u8) -> u8 {
        // A local position stays in a register; this loop sees every byte of the file.
        let mut met = 0;
        let mut pos = self.pos;
        while let Some(&byte) = self.bytes.get(pos) {
            let class = class(byte);
            if class & wanted == 0 {
                break;
            }
            met |= class;
            pos += 1;
        }
        count::bytes(pos - self.pos);
        self.pos = pos;
        met
    }

    /// A name, for a statement. What is no name, but begins one, is taken as a name after an error.
    #[inline]
    pub(crate) fn name(&mut self) {
        let start = self.pos;
        self.skip(NAME);
        if self.peek().is_some_and(|byte| class(byte) & WORD != 0) {
            self.bad_name(start);
        }
        self.push(Kind::Name, start);
        if self.pos - start > MAX_TEXT_BYTES {
            self.too_long(start);
        }
    }

    #[cold]
    fn bad_name(&mut self, start: usize) {
        let wrong = self.text[self.pos..].chars().next().unwrap_or(' ');
        self.skip(WORD);
        let name = &self.text[start..self.pos];
        let mut finding = syntax("bad-name", format!("`{}` cannot be a name", shown(name))).because(format!(
            "names of options and scopes are made of letters, digits, `_`, `-` and `:`; this one holds `{}`",
            shown(wrong.encode_utf8(&mut [0; 4]))
        ));
        if wrong == '.'
            && let Some((scope, option)) = name.split_once('.')
        {
            finding = finding.hint(format!(
                "an option of a scope is written inside it: `{} {{ {} = … }}`",
                shown(scope),
                shown(option)
            ));
        } else if wrong == ';' {
            finding = finding.hint("statements are separated by white space alone; leave the `;` out");
        }
        self.sink.add(start..self.pos, finding, &[]);
    }

    /// A value, path or instance without quotes. With `listed`, a comma ends it.
    #[inline]
    pub(crate) fn word(&mut self, listed: bool) {
        let start = self.pos;
        let met = self.skip(if listed { LISTED } else { WORD });
        // Ends that are no end: a quotation mark inside the word, or what may be text or a comment.
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            self.quote_in_word(start);
        }
        self.push(Kind::Word, start);
        if self.pos - start > MAX_TEXT_BYTES {
            self.too_long(start);
        }
        if met & WIDE != 0 {
            self.check_wide(start);
        }
        let word = &self.bytes[start..self.pos];
        if word.len() > 1 && word.ends_with(b";") {
            self.semicolon();
        }
        if met & STAR != 0 && word.windows(2).any(|pair| pair == b"/*") {
            self.comment_in_word(start);
        }
    }

    /// An instance that begins with `/`: it runs to white space or `{`.
    pub(crate) fn regex(&mut self) {
        let start = self.pos;
        while let Some(byte) = self.peek()
            && byte != b'{'
            && class(byte) & SPACE == 0
        {
            self.pos += 1;
        }
        count::bytes(self.pos - start);
        self.push(Kind::Word, start);
        if self.pos - start > MAX_TEXT_BYTES {
            self.too_long(start);
        }
        self.check_wide(start);
    }

    /// A string in quotes of either kind, which may go on for several lines.
    #[inline]
    pub(crate) fn string(&mut self, quote: u8) {
        let start = self.pos;
        let mut kind = if quote == b'"' { Kind::Double } else { Kind::Single };
        let mut at = start + 1;
        loop {
            at += chars::until(&self.bytes[at.min(self.bytes.len())..], quote, b'\\');
            match self.bytes.get(at) {
                Some(&byte) if byte == quote => break,
                Some(b'\\') if quote == b'"' => {
                    kind = Kind::Escaped;
                    at += 2;
                }
                Some(_) => at += 1,
                None => {
                    count::bytes(at - start);
                    return self.unclosed_string(start);
                }
            }
        }
        count::bytes(at - start);
        self.pos = at + 1;
        self.push(kind, start);
        if self.pos - start > MAX_TEXT_BYTES {
            self.too_long(start);
        }
        if self.peek().is_some_and(|byte| class(byte) & LISTED != 0 || byte == b'"' || byte == b'\'') {
            self.text_after_quote(start);
        }
    }

    #[inline(never)]
    fn line_comment(&mut self) {
        let start = self.pos;
        let rest = &self.bytes[start..];
        let found = chars::until(rest, b'\n', b'\r');
        let length = match rest.get(found) {
            Some(b'\r') => found + chars::until(&rest[found..], b'\n', b'\n'),
            _ => found,
        };
        count::bytes(length);
        self.pos += length;
        self.push(Kind::Comment, start);
        if found + 1 < length {
            self.lone_return(start + found);
        }
    }

    #[inline(never)]
    fn block_comment(&mut self) {
        let start = self.pos;
        let Some(length) = self.bytes[start + 2..].windows(2).position(|pair| pair == b"*/") else {
            self.pos = self.bytes.len();
            count::bytes(self.pos - start);
            self.push(Kind::Comment, start);
            self.cut_short = true;
            let finding = syntax("unclosed-comment", "this `/*` comment is never closed".to_string())
                .because("a comment that begins with `/*` goes on to the next `*/`, over any number of lines")
                .hint("close it with `*/`, or begin each of its lines with `#`");
            return self.sink.add(start..start + 2, finding, &[]);
        };
        count::bytes(length);
        self.pos += length + 4;
        self.push(Kind::Comment, start);
    }

    #[cold]
    fn unclosed_string(&mut self, start: usize) {
        let quote = &self.text[start..start + 1];
        let suspects = self.pieces.iter().find(|piece| {
            matches!(piece.kind(), Kind::Double | Kind::Escaped | Kind::Single)
                && piece.of(self.text).as_bytes().contains(&b'\n')
        });
        let related: Vec<(Range<usize>, String)> = suspects
            .map(|piece| {
                let at = piece.start() as usize;
                (
                    at..at + 1,
                    "the string that begins here spans several lines; is its closing quote missing?".into(),
                )
            })
            .into_iter()
            .collect();
        // Read on after this line, so that the errors below are found too, but only once: each try reads to the end.
        let rest = &self.text[start..];
        self.pos = if self.cut_short {
            self.bytes.len()
        } else {
            start + rest.find(['\r', '\n']).unwrap_or(rest.len())
        };
        self.cut_short = true;
        self.push(Kind::Junk, start);
        let finding = syntax(
            "unclosed-string",
            format!("the string that begins with this {quote} is never closed"),
        )
        .because(
            "a string may span lines and goes on to the next quote of its kind; the file ends before one",
        )
        .hint(format!("did you mean to close it with {quote} on this line?"));
        self.sink.add(start..start + 1, finding, &related);
    }

    #[cold]
    fn quote_in_word(&mut self, start: usize) {
        let at = self.pos;
        while self.peek().is_some_and(|byte| class(byte) & WORD != 0 || byte == b'"' || byte == b'\'') {
            self.pos += 1;
        }
        let finding = syntax("quote-in-word", "a quotation mark inside text without quotes".to_string())
            .because("a value is quoted as a whole or not at all")
            .hint(format!("write {}", shown(&crate::quote(&self.text[start..self.pos]))));
        self.sink.add(at..at + 1, finding, &[]);
    }

    #[cold]
    fn text_after_quote(&mut self, start: usize) {
        let end = self.pos;
        let multiline = self.text.as_bytes()[start..end].contains(&b'\n');
        while self.peek().is_some_and(|byte| class(byte) & WORD != 0 || byte == b'"' || byte == b'\'') {
            self.pos += 1;
        }
        if !multiline {
            // Most likely quotes inside quotes: go on after the last of them on this line.
            let rest = &self.text[self.pos..];
            let line = &rest[..rest.find(['\r', '\n']).unwrap_or(rest.len())];
            self.pos += line.rfind(['"', '\'']).map_or(0, |last| last + 1);
        }
        self.push(Kind::Junk, end);
        let (hint, there) = match multiline {
            true => {
                ("look at where the string begins", "this string spans lines; is its closing quote missing?")
            }
            false => ("inside double quotes a quotation mark is written `\\\"`", "the string begins here"),
        };
        let finding = syntax("text-after-quote", "text follows directly after a closing quote".to_string())
            .because("white space separates values and statements")
            .hint(hint);
        self.sink.add(end..end + 1, finding, &[(start..start + 1, there.to_string())]);
    }

    #[cold]
    fn comment_in_word(&mut self, start: usize) {
        let word = &self.text[start..self.pos];
        let at = start + word.as_bytes().windows(2).position(|two| two == b"/*").unwrap_or(0);
        let finding = syntax("comment-in-word", "`/*` inside text without quotes".to_string())
            .because("it could begin a comment or belong to the text")
            .hint(format!(
                "quote the text, {}, or put a space before the comment",
                shown(&crate::quote(word))
            ));
        self.sink.add(at..at + 2, finding, &[]);
    }

    #[cold]
    fn check_wide(&mut self, start: usize) {
        let word = &self.text[start..self.pos];
        let Some((offset, character)) = word.char_indices().find(|(_, c)| chars::is_invisible(*c)) else {
            return;
        };
        let at = start + offset;
        let code = character as u32;
        let finding =
            syntax("invisible-character", format!("an invisible character, U+{code:04X}, in a word"))
                .because(
                    "only the space, tab and line ends of ASCII separate; anything else is part of the text",
                )
                .hint("delete it, or quote the text if it is meant");
        self.sink.add(at..at + character.len_utf8(), finding, &[]);
    }

    #[cold]
    fn too_long(&mut self, start: usize) {
        let length = self.pos - start;
        let finding = syntax("text-too-long", format!("a single text of {length} bytes"))
            .because(format!("a name, word or string has at most {MAX_TEXT_BYTES} bytes"))
            .hint("is a closing quote missing?");
        self.sink.add(start..start + 1, finding, &[]);
    }

    #[cold]
    fn semicolon(&mut self) {
        let message = "the `;` at the end is part of the text";
        let finding = Finding::warning("semicolon", Cause::Syntax, message)
            .because("a statement ends where the next begins; there is no `;` in this language")
            .hint("leave the `;` out, or quote the text if it is meant");
        self.sink.add(self.pos - 1..self.pos, finding, &[]);
    }

    #[cold]
    fn lone_return(&mut self, at: usize) {
        let message = "a carriage return inside a comment does not end it";
        let finding = Finding::warning("lone-carriage-return", Cause::Syntax, message)
            .because("a line ends with a line feed; what an editor shows as the next line is still comment")
            .hint("convert the file's line ends");
        self.sink.add(at..at + 1, finding, &[]);
    }
}

/// An error in the form of the text.
pub(crate) fn syntax(code: &'static str, message: String) -> Finding {
    Finding::error(code, Cause::Syntax, message)
}
