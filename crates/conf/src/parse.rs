//! From pieces to statements: which piece is a name, which a value, and which scope it is in.
//!
//! Follows "Grammar" of the language reference. Errors do not stop it: each is reported, what cannot be read becomes
//! junk, and reading goes on where the next statement seems to begin. There is no recursion, and nothing is read more
//! than a few times, so time and memory are bounded by the size of the file.

use crate::chars::{WORD, class};
use crate::finding::{Cause, Finding, shown, shown_path};
use crate::lex::{Lexer, Mark, syntax};
use crate::tree::{Kind, Notable, Tree};
use crate::{MAX_DEPTH, MAX_FILE_BYTES, chars, unclosed};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

impl Tree {
    /// Reads one file's text, following no inclusion. The tree holds the whole text even if there are errors; `name` is
    /// for the places of the findings.
    ///
    /// A text of more than [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES) is not looked at: the tree is empty, and the error
    /// says so.
    pub fn parse(name: &str, text: &str) -> (Tree, Vec<Finding>) {
        if text.len() > MAX_FILE_BYTES {
            let tree = Tree { pieces: Vec::new(), notable: Vec::new() };
            return (tree, alloc::vec![too_large(name, text.len())]);
        }
        let lex = Lexer::new(name, text);
        let mut parser = Parser { lex, open: Vec::new(), notable: Vec::new(), too_deep: false };
        parser.file();
        (Tree { pieces: parser.lex.pieces, notable: parser.notable }, parser.lex.sink.finish())
    }
}

/// The error for a file above the limit.
pub(crate) fn too_large(name: &str, bytes: usize) -> Finding {
    syntax("file-too-large", format!("`{}` has {bytes} bytes", shown_path(name)))
        .because(format!("a configuration file has at most {MAX_FILE_BYTES} bytes"))
}

/// The statements being read.
pub(crate) struct Parser<'t> {
    pub(crate) lex: Lexer<'t>,
    /// The `Open` pieces of the scopes being read, from the outermost.
    open: Vec<u32>,
    notable: Vec<Notable>,
    too_deep: bool,
}

impl Parser<'_> {
    fn file(&mut self) {
        self.unfit_characters();
        if self.lex.text.starts_with('\u{feff}') {
            self.lex.pos = '\u{feff}'.len_utf8();
            self.lex.push(Kind::ByteOrderMark, 0);
        }
        loop {
            self.lex.trivia();
            match self.lex.peek() {
                None => break,
                Some(b'}') => self.close(),
                Some(byte) if class(byte) & WORD != 0 => self.statement(),
                Some(byte) => self.stray(byte),
            }
        }
        if !self.open.is_empty() && !self.lex.cut_short {
            unclosed::scopes(&mut self.lex, &self.open);
        }
    }

    /// One statement, from its name or keyword on.
    #[inline]
    fn statement(&mut self) {
        if self.lex.bytes[self.lex.pos..].starts_with(b"//") {
            return self.slashes();
        }
        let name = self.lex.pieces.len();
        self.lex.name();
        let kind = self.keyword(name);
        self.lex.trivia();
        if kind != Kind::Name {
            self.lex.pieces[name].set_kind(kind);
            return self.inclusion(name);
        }
        match self.lex.peek() {
            Some(b'=') => {
                self.lex.mark_of(Kind::Equals);
                self.value(name);
            }
            Some(b'{') => self.scope(name),
            Some(b'[') => self.dict(),
            Some(b'(') => {
                self.missing_equals(name, self.lex.pos..self.lex.pos + 1, "( … )");
                self.array();
            }
            Some(byte) if byte == b'"' || byte == b'\'' || class(byte) & WORD != 0 => {
                self.instance(name, byte)
            }
            _ => self.missing_value(name),
        }
    }

    /// What the piece at `name` begins: an inclusion, or whatever has a name.
    #[inline]
    fn keyword(&mut self, name: usize) -> Kind {
        let piece = self.lex.pieces[name];
        let kind = match piece.end() - piece.start() {
            7 if piece.of(self.lex.text).eq_ignore_ascii_case("include") => Kind::Include,
            16 if piece.of(self.lex.text).eq_ignore_ascii_case("readonly_include") => Kind::ReadonlyInclude,
            18 if piece.of(self.lex.text).eq_ignore_ascii_case("local_changes_file") => Kind::Name,
            _ => return Kind::Name,
        };
        self.notable.push(Notable { piece: name as u32, depth: self.open.len() as u32 });
        kind
    }

    /// `NAME {`, with the brace next.
    fn scope(&mut self, name: usize) {
        self.lex.pieces[name].set_kind(Kind::ScopeName);
        self.open.push(self.lex.pieces.len() as u32);
        self.lex.mark_of(Kind::Open);
        if self.open.len() > MAX_DEPTH && !self.too_deep {
            self.too_deep = true;
            let at = self.at(name);
            let finding = syntax("too-deep", format!("more than {MAX_DEPTH} scopes are nested here"))
                .because(format!("scopes nest at most {MAX_DEPTH} deep"))
                .hint("is a `}` missing above?");
            self.lex.sink.add(at, finding, &[]);
        }
    }

    fn close(&mut self) {
        self.lex.mark_of(Kind::Close);
        if self.open.pop().is_none() {
            self.lex.pieces.last_mut().expect("just pushed").set_kind(Kind::Junk);
            let finding = syntax("stray-close", "this `}` closes nothing".to_string())
                .because("every scope opened above is closed already")
                .hint("delete it, or look for a `{` that is missing above");
            self.lex.sink.add(self.lex.last(), finding, &[]);
        }
    }

    /// `NAME INSTANCE {`, with the instance next; or one of the things that look like it at first.
    fn instance(&mut self, name: usize, first: u8) {
        let mark = self.lex.mark();
        match first {
            b'"' | b'\'' => self.lex.string(first),
            b'/' => self.lex.regex(),
            _ => self.lex.word(false),
        }
        let text = self.lex.last();
        // A string that is not closed, or goes on after its end, has been reported, and says enough.
        let broken = self.lex.pieces.last().is_some_and(|piece| piece.kind() == Kind::Junk);
        self.lex.trivia();
        match self.lex.peek() {
            Some(b'{') => self.scope(name),
            _ if broken => {}
            Some(b'=') if first != b'"' && first != b'\'' => {
                self.missing_value(name);
                self.lex.rewind(mark);
            }
            Some(b'=') => {
                let at = self.lex.pos..self.lex.pos + 1;
                let finding = syntax("unexpected-equals", "`=` after the instance of a scope".to_string())
                    .because("`name = value` sets an option; `name \"instance\" { … }` opens a scope");
                self.lex.sink.add(at, finding, &[]);
                self.lex.mark_of(Kind::Equals);
                self.value(name);
            }
            _ => {
                let value = self.lex.text[text.clone()].to_string();
                self.missing_equals(name, text, &value);
            }
        }
    }

    /// `include PATH`, with the path next.
    fn inclusion(&mut self, name: usize) {
        let keyword = self.text(name);
        if self.lex.peek() == Some(b'=') {
            let finding = syntax("unexpected-equals", format!("`=` after `{keyword}`"))
                .because(format!("`{keyword}` is a statement, not an option"))
                .hint(format!("write `{keyword} \"path\"`"));
            self.lex.sink.add(self.lex.pos..self.lex.pos + 1, finding, &[]);
            self.lex.mark_of(Kind::Junk);
            self.lex.trivia();
        }
        let mark = self.lex.mark();
        match self.lex.peek() {
            Some(quote @ (b'"' | b'\'')) => self.lex.string(quote),
            Some(byte) if class(byte) & WORD != 0 => {
                self.lex.word(false);
                let word = self.lex.mark();
                self.lex.trivia();
                if self.lex.peek() == Some(b'=') {
                    self.missing_path(name);
                    self.lex.rewind(mark);
                } else {
                    self.lex.rewind(word);
                }
            }
            _ => self.missing_path(name),
        }
    }

    /// What follows `NAME =`.
    #[inline]
    fn value(&mut self, name: usize) {
        self.lex.trivia();
        match self.lex.peek() {
            Some(quote @ (b'"' | b'\'')) => self.lex.string(quote),
            Some(b'(') => self.array(),
            Some(b'[') => self.dict(),
            Some(b'{') => self.scope(name),
            Some(byte) if class(byte) & WORD != 0 => {
                let mark = self.lex.mark();
                self.lex.word(false);
                self.lex.trivia();
                if self.lex.peek() == Some(b'=') {
                    self.second_equals(name, mark);
                }
            }
            _ => self.missing_value(name),
        }
    }

    /// `NAME = WORD =`: a value is missing before a statement, or the value needs quotes.
    #[cold]
    fn second_equals(&mut self, name: usize, before_word: Mark) {
        let word = self.lex.last();
        let equals = self.lex.pieces[name].end() as usize;
        let one_line = !self.lex.text.as_bytes()[equals..self.lex.pos].contains(&b'\n');
        if !(one_line && word.end == self.lex.pos) {
            self.missing_value(name);
            return self.lex.rewind(before_word);
        }
        let start = self.lex.pos;
        while self.lex.peek().is_some_and(|byte| class(byte) & WORD != 0 || byte == b'=') {
            self.lex.pos += 1;
        }
        self.lex.push(Kind::Junk, start);
        let whole = &self.lex.text[word.start..self.lex.pos];
        let finding = syntax("unquoted-equals", "`=` inside text without quotes".to_string())
            .because("a value that holds `=` is quoted")
            .hint(format!("write {}", shown(&crate::quote(whole))));
        self.lex.sink.add(start..start + 1, finding, &[]);
    }

    /// A character no statement begins with.
    #[cold]
    fn stray(&mut self, byte: u8) {
        let at = self.lex.pos..self.lex.pos + 1;
        match byte {
            b'"' | b'\'' => {
                self.lex.string(byte);
                self.lex.pieces.last_mut().expect("just pushed").set_kind(Kind::Junk);
                let at = self.lex.last();
                let finding =
                    syntax("unexpected-string", "a string where a statement should begin".to_string())
                        .because("a statement begins with a name, and names are not quoted")
                        .hint("is a `=` missing before it, or a quotation mark in the line above?");
                self.lex.sink.add(at, finding, &[]);
                self.after_junk();
            }
            b'=' => {
                let finding = syntax("unexpected-equals", "`=` where a statement should begin".to_string())
                    .because("a statement is `name = value`, `name { … }` or `include path`")
                    .hint("write the option's name before it, or quote a value that holds `=`");
                self.lex.sink.add(at, finding, &[]);
                self.after_junk();
            }
            b'{' => {
                let finding = syntax("nameless-scope", "a scope without a name".to_string())
                    .because("`{` follows the scope's name, and its instance if it has one")
                    .hint("write the scope's name before it");
                self.lex.sink.add(at, finding, &[]);
                self.after_junk();
            }
            b'(' | b'[' => {
                let finding = syntax("nameless-value", format!("a value without a name: `{}`", byte as char))
                    .because("a value belongs to an option: `name = value`");
                self.lex.sink.add(at, finding, &[]);
                if byte == b'(' { self.array() } else { self.dict() }
            }
            b')' | b']' => {
                self.lex.junk();
                let finding = syntax("stray-close", format!("this `{}` closes nothing", byte as char))
                    .because("no array or dictionary is open here");
                self.lex.sink.add(at, finding, &[]);
            }
            _ => self.control(),
        }
    }

    /// After junk that took the place of a name: what belonged to it is taken along.
    fn after_junk(&mut self) {
        self.lex.trivia();
        if self.lex.peek() == Some(b'=') {
            self.lex.mark_of(Kind::Junk);
            self.lex.trivia();
            match self.lex.peek() {
                Some(quote @ (b'"' | b'\'')) => self.lex.string(quote),
                Some(b'(') => self.array(),
                Some(b'[') => self.dict(),
                Some(byte) if class(byte) & WORD != 0 => self.lex.word(false),
                _ => {}
            }
        } else if self.lex.peek() == Some(b'{') {
            // Its closing brace will come.
            self.open.push(self.lex.pieces.len() as u32);
            self.lex.mark_of(Kind::Open);
        }
    }

    /// `//`, which begins nothing here.
    #[cold]
    fn slashes(&mut self) {
        let start = self.lex.pos;
        let rest = &self.lex.text[start..];
        self.lex.pos += rest.find(['\r', '\n']).unwrap_or(rest.len());
        self.lex.push(Kind::Junk, start);
        let finding = syntax("slash-comment", "`//` does not begin a comment".to_string())
            .because("comments are `# …` to the end of the line, and `/* … */`")
            .hint("begin the comment with `#`");
        self.lex.sink.add(start..start + 2, finding, &[]);
    }

    /// A control character outside quotes.
    pub(crate) fn control(&mut self) {
        let at = self.lex.pos;
        let byte = self.lex.bytes[at];
        self.lex.junk();
        // NUL has been reported already, wherever it is.
        if byte != 0 {
            let finding = syntax("control-character", format!("a control character, 0x{byte:02X}"))
                .because("outside quotes only text, spaces, tabs and line ends may stand")
                .hint("delete it, or quote the text it belongs to");
            self.lex.sink.add(at..at + 1, finding, &[]);
        }
    }

    #[cold]
    fn missing_value(&mut self, name: usize) {
        let at = self.at(name);
        let text = shown(&self.lex.text[at.clone()]).to_string();
        let finding = syntax("missing-value", format!("`{text}` has no value"))
            .because("a statement is `name = value`, `name { … }` or `name \"instance\" { … }`")
            .hint(format!(
                "write `{text} = …`, or `{text} {{ … }}` if it is a scope; an empty value is `\"\"`"
            ));
        self.lex.sink.add(at, finding, &[]);
    }

    #[cold]
    fn missing_equals(&mut self, name: usize, value: Range<usize>, text: &str) {
        let option = self.text(name);
        let text = shown(text).to_string();
        let finding =
            syntax("missing-equals", format!("neither `=` nor `{{` stands with `{option}` and `{text}`"))
                .because("`name = value` sets an option; `name \"instance\" { … }` opens a scope")
                .hint(format!("did you mean `{option} = {text}`?"));
        self.lex.sink.add(value, finding, &[]);
    }

    #[cold]
    fn missing_path(&mut self, name: usize) {
        let at = self.at(name);
        let keyword = self.text(name);
        let finding = syntax("missing-path", format!("`{keyword}` names no file"))
            .because("the name of a file or directory follows the keyword")
            .hint(format!("write `{keyword} \"path\"`"));
        self.lex.sink.add(at, finding, &[]);
    }

    fn at(&self, piece: usize) -> Range<usize> {
        let piece = self.lex.pieces[piece];
        piece.start() as usize..piece.end() as usize
    }

    fn text(&self, piece: usize) -> String {
        shown(self.lex.pieces[piece].of(self.lex.text)).to_string()
    }

    /// What is wrong wherever it stands, quoted or not: NUL; and what makes a line look different from what it says.
    fn unfit_characters(&mut self) {
        let text = self.lex.text;
        // Both at once, without a branch, so that many bytes are looked at together.
        let (nul, wide) = text.bytes().fold((false, 0), |(nul, wide), byte| (nul | (byte == 0), wide | byte));
        if nul {
            for (at, _) in text.match_indices('\0') {
                let finding = syntax("nul-byte", "a NUL byte".to_string())
                    .because("no name, path or value of the system can hold one")
                    .hint("delete it; is this a text file?");
                self.lex.sink.add(at..at + 1, finding, &[]);
            }
        }
        if wide >= 0x80 {
            for (at, character) in text.match_indices(chars::reorders) {
                let code = character.chars().next().map_or(0, u32::from);
                let message = format!("U+{code:04X} makes this line look different from what it says");
                let finding = Finding::warning("reordering-character", Cause::Syntax, message)
                    .because("it changes the direction in which the text around it is shown")
                    .hint("delete it");
                self.lex.sink.add(at..at + character.len(), finding, &[]);
            }
        }
    }
}
