//! The lossless tree of one file: its pieces in order, each with its kind and its bytes.
//!
//! The tree is flat. Scopes nest by their `Open` and `Close` pieces, so walking is one pass over an array and no depth
//! of nesting can exhaust a stack. White space is what lies between two pieces; everything else, comments and text that
//! had to be skipped included, is a piece. Walking a tree therefore gives the file's bytes back, which is what an edit
//! that must leave every other byte alone rests on. What the scopes and options of several files come to is not here but
//! in [`Config`](crate::Config).

use crate::source::range;
use alloc::vec::Vec;

/// The tree of one file. It holds no text, only where things are in it.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) notable: Vec<Notable>,
}

/// What a piece of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// White space between two other pieces.
    Blank,
    /// A byte order mark, at the very beginning.
    ByteOrderMark,
    /// `# …` up to the end of its line, or `/* … */`.
    Comment,
    /// The name of an option; a value follows.
    Name,
    /// The name of a scope; an instance may follow, then `Open`.
    ScopeName,
    /// The keyword `include`; a path follows.
    Include,
    /// The keyword `readonly_include`; a path follows.
    ReadonlyInclude,
    /// `=`
    Equals,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `(`
    ArrayOpen,
    /// `)`
    ArrayClose,
    /// `[`
    DictOpen,
    /// `]`
    DictClose,
    /// `,` in an array or dictionary.
    Comma,
    /// Text without quotes: a value, element, key, path or instance.
    Word,
    /// Text in double quotes that has no backslash in it.
    Double,
    /// Text in double quotes with a backslash.
    Escaped,
    /// Text in single quotes.
    Single,
    /// What could not be read; there is an error for it.
    Junk,
}

/// One piece, as a range of bytes. Eight bytes large, since writing the pieces is much of the time that reading takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    start: u32,
    /// The kind in the lower five bits, the length above them.
    length_and_kind: u32,
}

/// A statement that whoever reads several files must know of: an inclusion or a `Local_Changes_File`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notable {
    /// The piece of its name or keyword.
    pub(crate) piece: u32,
    /// How many scopes of this file it is in.
    pub(crate) depth: u32,
}

impl Tree {
    /// Every piece in order, with its text: put together, they are the file. `text` is what the tree was made from.
    pub fn walk<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (Kind, &'t str)> {
        let mut next = 0;
        let mut at = 0;
        core::iter::from_fn(move || {
            let (kind, end) = match self.pieces.get(next) {
                Some(piece) if piece.start() as usize == at => {
                    next += 1;
                    (piece.kind(), piece.end() as usize)
                }
                Some(piece) => (Kind::Blank, piece.start() as usize),
                None if at < text.len() => (Kind::Blank, text.len()),
                None => return None,
            };
            let part = &text[at..end];
            at = end;
            Some((kind, part))
        })
    }

    /// How many bytes of memory the pieces take.
    pub fn memory(&self) -> usize {
        self.pieces.capacity() * size_of::<Piece>() + self.notable.capacity() * size_of::<Notable>()
    }
}

impl Kind {
    /// Whether the piece is text: a value, element, key, path or instance.
    pub fn is_text(self) -> bool {
        matches!(self, Kind::Word | Kind::Double | Kind::Escaped | Kind::Single)
    }
}

impl Piece {
    /// The bits that hold the kind; a file of the largest size has a length that fits above them.
    const KIND_BITS: u32 = 5;

    #[inline]
    pub(crate) fn new(start: usize, end: usize, kind: Kind) -> Piece {
        let length = end.wrapping_sub(start) as u32;
        Piece { start: start as u32, length_and_kind: length << Piece::KIND_BITS | kind as u32 }
    }

    #[inline]
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    #[inline]
    pub(crate) fn end(&self) -> u32 {
        self.start.wrapping_add(self.length_and_kind >> Piece::KIND_BITS)
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        KINDS[(self.length_and_kind % (1 << Piece::KIND_BITS)) as usize]
    }

    #[inline]
    pub(crate) fn set_kind(&mut self, kind: Kind) {
        *self = Piece::new(self.start() as usize, self.end() as usize, kind);
    }

    /// The piece's own bytes.
    #[inline]
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[range(self.start(), self.end())]
    }
}

/// The kinds by their numbers.
static KINDS: [Kind; 1 << Piece::KIND_BITS] = {
    use Kind::{
        ArrayClose, ArrayOpen, Blank, ByteOrderMark, Close, Comma, Comment, DictClose, DictOpen, Double,
        Equals, Escaped, Include, Junk, Name, Open, ReadonlyInclude, ScopeName, Single, Word,
    };
    let all = [
        Blank,
        ByteOrderMark,
        Comment,
        Name,
        ScopeName,
        Include,
        ReadonlyInclude,
        Equals,
        Open,
        Close,
        ArrayOpen,
        ArrayClose,
        DictOpen,
        DictClose,
        Comma,
        Word,
        Double,
        Escaped,
        Single,
        Junk,
    ];
    let mut kinds = [Junk; 1 << Piece::KIND_BITS];
    let mut number = 0;
    while number < all.len() {
        assert!(all[number] as usize == number, "the kinds are out of order");
        kinds[number] = all[number];
        number += 1;
    }
    assert!(all.len() == Junk as usize + 1, "a kind is missing");
    kinds
};

const _: () =
    assert!(crate::MAX_FILE_BYTES < 1 << (u32::BITS - Piece::KIND_BITS), "a length needs more bits");

/// What a file says with the pieces from a name or keyword on: the pieces that are not comments.
pub(crate) fn significant(pieces: &[Piece], from: usize) -> impl Iterator<Item = (usize, &Piece)> {
    pieces.iter().enumerate().skip(from).filter(|(_, piece)| piece.kind() != Kind::Comment)
}
