//! Arrays and dictionaries: the two kinds of value that have an end of their own.
//!
//! Part of the parser; follows "Arrays" and "Dictionaries" of the language reference.

use crate::chars::{LISTED, class};
use crate::lex::{Mark, syntax};
use crate::parse::Parser;
use crate::tree::Kind;
use alloc::format;
use alloc::string::ToString;

impl Parser<'_> {
    /// `( … )`, with the parenthesis next.
    pub(crate) fn array(&mut self) {
        let open = self.lex.pos;
        self.lex.mark_of(Kind::ArrayOpen);
        let mut nested = 0u32;
        let mut last_word: Option<Mark> = None;
        loop {
            self.lex.trivia();
            let word = last_word.take();
            match self.lex.peek() {
                Some(b')') if nested == 0 => return self.lex.mark_of(Kind::ArrayClose),
                Some(b',') => self.lex.mark_of(Kind::Comma),
                Some(quote @ (b'"' | b'\'')) => self.lex.string(quote),
                Some(b'=') => {
                    // `( a b  name = value`: the array was not closed before the name.
                    if let Some(word) = word {
                        self.lex.rewind(word);
                    }
                    return self.unclosed_list(open, b'(', b')');
                }
                None | Some(b'{' | b'}') => return self.unclosed_list(open, b'(', b')'),
                Some(b'(' | b'[') => {
                    self.no_nesting(open, "an array", "words and strings");
                    nested += 1;
                }
                Some(b')' | b']') if nested > 0 => {
                    nested -= 1;
                    self.lex.junk();
                }
                Some(b']') => return self.wrong_close(open, b'(', b')'),
                Some(byte) if class(byte) & LISTED != 0 => {
                    last_word = Some(self.lex.mark());
                    self.lex.word(true);
                }
                Some(_) => self.control(),
            }
        }
    }

    /// `[ … ]`, with the bracket next.
    pub(crate) fn dict(&mut self) {
        let open = self.lex.pos;
        self.lex.mark_of(Kind::DictOpen);
        let mut nested = 0u32;
        loop {
            self.lex.trivia();
            match self.lex.peek() {
                Some(b')' | b']') if nested > 0 => {
                    nested -= 1;
                    self.lex.junk();
                }
                Some(b'=') if nested > 0 => self.lex.junk(),
                Some(b']') => return self.lex.mark_of(Kind::DictClose),
                Some(b',') => self.lex.mark_of(Kind::Comma),
                Some(b'=') => {
                    let at = self.lex.pos..self.lex.pos + 1;
                    self.lex.junk();
                    let finding = syntax("missing-key", "a value without a key in a dictionary".to_string())
                        .because("a dictionary is made of `key = value`")
                        .hint("write the key before the `=`, or quote a value that holds `=`");
                    self.lex.sink.add(at, finding, &[]);
                }
                None | Some(b'{' | b'}') => return self.unclosed_list(open, b'[', b']'),
                Some(b'(' | b'[') => {
                    self.no_nesting(open, "a dictionary", "`key = value`, each value a word or string");
                    nested += 1;
                }
                Some(b')') => return self.wrong_close(open, b'[', b']'),
                Some(byte) if self.begins_text(byte) => match nested {
                    0 => self.entry(open),
                    _ => self.listed_text(),
                },
                Some(_) => self.control(),
            }
        }
    }

    /// `KEY = value`, with the key next.
    fn entry(&mut self, open: usize) {
        let start = self.lex.pos;
        self.listed_text();
        let key = start..self.lex.pos;
        self.lex.trivia();
        if self.lex.peek() == Some(b'=') {
            self.lex.mark_of(Kind::Equals);
            self.lex.trivia();
            if self.lex.peek().is_some_and(|byte| self.begins_text(byte)) {
                return self.listed_text();
            }
            if matches!(self.lex.peek(), Some(b'(' | b'[')) {
                return; // Brackets in a dictionary are an error of their own.
            }
        }
        let key_text = crate::finding::shown(&self.lex.text[key.clone()]).to_string();
        let finding = syntax("missing-value", format!("the key `{key_text}` has no value"))
            .because("`[ … ]` is a dictionary, made of `key = value`; an array is `( … )`")
            .hint("quote an address in brackets: `\"[::1]:25\"`");
        self.lex.sink.add(key, finding, &[(open..open + 1, "the dictionary begins here".to_string())]);
    }

    fn begins_text(&self, byte: u8) -> bool {
        byte == b'"' || byte == b'\'' || class(byte) & LISTED != 0
    }

    fn listed_text(&mut self) {
        match self.lex.peek() {
            Some(quote @ (b'"' | b'\'')) => self.lex.string(quote),
            _ => self.lex.word(true),
        }
    }

    #[cold]
    fn unclosed_list(&mut self, open: usize, opener: u8, closer: u8) {
        // A string that was not closed may have swallowed the end.
        if self.lex.cut_short && self.lex.peek().is_none() {
            return;
        }
        let (opener, closer) = (opener as char, closer as char);
        let found = match self.lex.peek() {
            None => "the end of the file".to_string(),
            Some(byte @ (b'{' | b'}')) => format!("`{}`", byte as char),
            Some(_) => "the next option".to_string(),
        };
        let at = self.lex.pos..self.lex.pos + usize::from(self.lex.peek().is_some());
        let finding = syntax("unclosed-list", format!("this `{opener}` is not closed before {found}"))
            .because("an array ends with `)`, a dictionary with `]`; neither holds scopes or options")
            .hint(format!("did you mean to close it with `{closer}`?"));
        self.lex.sink.add(open..open + 1, finding, &[(at, format!("`{closer}` is expected before this"))]);
    }

    #[cold]
    fn wrong_close(&mut self, open: usize, opener: u8, closer: u8) {
        let at = self.lex.pos;
        let (opener, closer, found) = (opener as char, closer as char, self.lex.bytes[at] as char);
        self.lex.junk();
        let finding = syntax("wrong-close", format!("`{found}` closes what `{opener}` opened"))
            .hint(format!("did you mean `{closer}`?"))
            .because("an array is `( … )`, a dictionary `[ … ]`");
        self.lex.sink.add(at..at + 1, finding, &[(open..open + 1, format!("`{opener}` is here"))]);
    }

    #[cold]
    fn no_nesting(&mut self, open: usize, what: &str, holds: &str) {
        let at = self.lex.pos..self.lex.pos + 1;
        self.lex.junk();
        let finding = syntax("nested-value", format!("{what} cannot hold another value in brackets"))
            .because(format!("{what} holds {holds}"))
            .hint("quote the text if the bracket belongs to it");
        self.lex.sink.add(at, finding, &[(open..open + 1, format!("{what} begins here"))]);
    }
}
