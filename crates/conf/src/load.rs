//! The files of a configuration, as they were read, and how a caller reads them.
//!
//! Input and output are the caller's, through [`Loader`]. Which files are asked for, and in what order, is in `include`.

use crate::finding::{Finding, Place};
use crate::lex::syntax as syntax_error;
use crate::parse::too_large;
use crate::source::{self, Lines, Span, range};
use crate::tree::{Kind, Piece, Tree, significant};
use crate::value::{Quotes, Text};
use crate::{MAX_FILE_BYTES, sink};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Reads files and directories for a configuration.
///
/// A loader decides what it will read: it should refuse what is no ordinary file or directory, what is larger than
/// [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES) (before reading it), and what others can write to where that matters.
pub trait Loader {
    /// Reads what is at a path, which is relative to the current directory unless it begins with `/`.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotFound`] if there is nothing at that path, so that the next place may be tried;
    /// [`LoadError::Refused`] if there is something that cannot or must not be read, which stops everything.
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError>;

    /// Reads the `Local_Changes_File`, which whoever runs the server may be able to write, and root then should not read.
    ///
    /// # Errors
    ///
    /// As for [`load`](Loader::load); and [`LoadError::Later`] if it is not to be read now, which stops nothing.
    fn load_local_changes(&mut self, path: &str) -> Result<Loaded, LoadError> {
        self.load(path)
    }
}

/// What was at a path.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A file.
    File {
        /// Its device and inode, by which it is recognised under another name.
        identity: (u64, u64),
        /// All of its bytes.
        text: Vec<u8>,
        /// Whether a later change may be written to it.
        writable: bool,
    },
    /// A directory.
    Directory {
        /// The names of its entries, in any order, with or without `.` and `..`.
        names: Vec<String>,
    },
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// There is nothing at that path.
    NotFound,
    /// There is something that cannot be read, or must not be.
    Refused {
        /// What is wrong, in one line; it should name the path.
        message: String,
        /// The rule behind it.
        why: Option<String>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What may be there is not to be read yet. For a `Local_Changes_File` alone, which is then left out with a note that has
    /// the code `local-changes-later`; anything else is refused with the same words.
    Later {
        /// Whose doing it is, in one line; it should name the path.
        message: String,
        /// The rule behind it.
        why: Option<String>,
    },
}

/// One file of a configuration.
#[derive(Clone, Debug)]
pub struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tree: Tree,
    pub(crate) read_only: Option<ReadOnly>,
    pub(crate) local_changes: bool,
    pub(crate) overlay: bool,
    /// What each inclusion brought: its piece, and the files in order.
    pub(crate) inclusions: Vec<(u32, Vec<u32>)>,
    /// The last `Local_Changes_File` at the outermost level of this file and what it includes there: file and piece.
    pub(crate) local: Option<(u32, u32)>,
    /// What it comes to with all it includes: bytes and files.
    pub(crate) weight: (u64, u32),
    lines: Lines,
}

/// Why no online change may be written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadOnly {
    /// It, or a file that includes it, is included more than once: a change for one place would show up in the other.
    IncludedTwice,
    /// It was brought by `readonly_include`, directly or through another file.
    ReadonlyInclude,
    /// The loader says that it cannot be written.
    NotWritable,
}

impl File {
    /// The path under which it was read first.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tree, for which [`text`](File::text) is the text.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Why no online change may be written to it, if so.
    pub fn read_only(&self) -> Option<ReadOnly> {
        self.read_only
    }

    /// Whether it is the `Local_Changes_File`.
    pub fn is_local_changes(&self) -> bool {
        self.local_changes
    }

    /// Whether it is the text that was laid over the files, see [`Config::load_with`](crate::Config::load_with).
    pub fn is_overlay(&self) -> bool {
        self.overlay
    }

    pub(crate) fn new(path: String, text: String, tree: Tree, read_only: Option<ReadOnly>) -> File {
        let lines = Lines::new(&text);
        let weight = (text.len() as u64, 1);
        let (local_changes, overlay, local, inclusions) = (false, false, None, Vec::new());
        File { path, text, tree, read_only, local_changes, overlay, inclusions, local, weight, lines }
    }

    pub(crate) fn place(&self, start: u32, end: u32) -> Place {
        self.lines.place(&self.path, &self.text, range(start, end))
    }

    /// The text a piece holds. `file` is the index of this file.
    pub(crate) fn text_of(&self, file: u32, piece: Piece) -> Text<'_> {
        let raw = piece.of(&self.text);
        let span = Span { file, start: piece.start(), end: piece.end() };
        match piece.kind() {
            Kind::Double | Kind::Single => Text::new(&raw[1..raw.len() - 1], Quotes::Plain, span),
            Kind::Escaped => Text::new(&raw[1..raw.len() - 1], Quotes::Escaped, span),
            _ => Text::new(raw, Quotes::None, span),
        }
    }

    /// The first text that follows a name or keyword: a path, an instance, or a value that is a text.
    pub(crate) fn text_after(&self, file: u32, piece: u32) -> Option<Text<'_>> {
        let mut following = significant(&self.tree.pieces, piece as usize + 1).map(|(_, piece)| *piece);
        let text = following.find(|piece| piece.kind() != Kind::Equals)?;
        text.kind().is_text().then(|| self.text_of(file, text))
    }
}

/// Reads bytes as a file's text: the text, in which ill-formed bytes are replaced, its tree, and the findings.
pub(crate) fn read(name: &str, bytes: Cow<'_, [u8]>) -> ((String, Tree), Vec<Finding>) {
    if bytes.len() > MAX_FILE_BYTES {
        let (tree, _) = Tree::parse(name, "");
        return ((String::new(), tree), alloc::vec![too_large(name, bytes.len())]);
    }
    let bytes = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => {
            let (tree, findings) = Tree::parse(name, &text);
            return ((text, tree), findings);
        }
        Err(error) => error.into_bytes(),
    };
    let mut findings = Vec::new();
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let (text, invalid) = source::decode(&bytes);
    let lines = Lines::new(&text);
    let shown = if utf16 { 1 } else { sink::MAX_ERRORS };
    for &at in invalid.iter().take(shown) {
        let place = lines.place(name, &text, at..at + '\u{fffd}'.len_utf8());
        let hint = if utf16 { "it seems to be UTF-16; save it as UTF-8" } else { "save the file as UTF-8" };
        findings.push(
            syntax_error("invalid-utf-8", "bytes that are not UTF-8".to_string())
                .at(place)
                .because("a configuration is text in UTF-8")
                .hint(hint),
        );
    }
    if invalid.len() > shown && !utf16 {
        let message = format!("more than {shown} places in `{}` are not UTF-8", crate::shown_path(name));
        findings.push(syntax_error("too-many-errors", message));
    }
    let (tree, more) = Tree::parse(name, &text);
    // A file in another encoding altogether has no syntax worth reporting on.
    if !utf16 {
        findings.extend(more);
    }
    ((text, tree), findings)
}
