//! The memory of the program, against a list of what was asked for: no piece lies in another, none loses what was in it, and
//! what is large is given back.
#![allow(unsafe_code)]

#[allow(dead_code)]
#[path = "../src/memory.rs"]
mod memory;

use std::alloc::{GlobalAlloc, Layout};

/// A piece, and the byte that it is filled with.
struct Piece {
    at: *mut u8,
    layout: Layout,
    byte: u8,
}

impl Piece {
    fn check(&self) {
        // SAFETY: the piece has this size, and is in use.
        let bytes = unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) };
        assert!(bytes.iter().all(|byte| *byte == self.byte), "{:?}", self.layout);
    }

    fn fill(&self) {
        // SAFETY: the piece has this size, and is this one's.
        unsafe { self.at.write_bytes(self.byte, self.layout.size()) };
    }
}

#[test]
fn pieces_keep_what_is_in_them() {
    let memory = &memory::MEMORY;
    let mut pieces: Vec<Piece> = Vec::new();
    // The same numbers each time, from a generator that anybody knows.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for round in 0..20_000 {
        let byte = (round % 251) as u8 + 1;
        let size = match next(50) {
            0 => next(600_000) + 1,
            1..5 => next(9000) + 1,
            _ => next(100) + 1,
        };
        match next(4) {
            0 | 1 => {
                let layout = Layout::from_size_align(size, 1 << next(8)).unwrap();
                // SAFETY: the size is not 0.
                let at =
                    unsafe { if next(2) == 0 { memory.alloc(layout) } else { memory.alloc_zeroed(layout) } };
                assert!(!at.is_null() && (at as usize).is_multiple_of(layout.align()), "{layout:?}");
                pieces.push(Piece { at, layout, byte });
                pieces.last().unwrap().fill();
            }
            2 if !pieces.is_empty() => {
                let index = if next(2) == 0 { pieces.len() - 1 } else { next(pieces.len()) };
                let piece = &mut pieces[index];
                piece.check();
                // SAFETY: the piece is in use, with this layout, and the size is not 0.
                let at = unsafe { memory.realloc(piece.at, piece.layout, size) };
                assert!(!at.is_null());
                let kept = size.min(piece.layout.size());
                // SAFETY: so much of the piece is what it was.
                let bytes = unsafe { std::slice::from_raw_parts(at, kept) };
                assert!(bytes.iter().all(|other| *other == piece.byte));
                piece.at = at;
                piece.layout = Layout::from_size_align(size, piece.layout.align()).unwrap();
                piece.fill();
            }
            _ if !pieces.is_empty() => {
                let index = if next(2) == 0 { pieces.len() - 1 } else { next(pieces.len()) };
                let piece = pieces.remove(index);
                piece.check();
                // SAFETY: the piece is in use, with this layout, and is used no more.
                unsafe { memory.dealloc(piece.at, piece.layout) };
            }
            _ => {}
        }
        if round % 100 == 0 {
            pieces.iter().for_each(Piece::check);
            let mut ends: Vec<(usize, usize)> =
                pieces.iter().map(|piece| (piece.at as usize, piece.layout.size())).collect();
            ends.sort_unstable();
            assert!(ends.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0));
        }
    }
    // What is asked for zeroed is zero, though it was used before.
    let layout = Layout::from_size_align(64, 8).unwrap();
    // SAFETY: the size is not 0, and each piece is given back before the next is asked for.
    unsafe {
        let used = memory.alloc(layout);
        used.write_bytes(0xff, 64);
        memory.dealloc(used, layout);
        let again = memory.alloc_zeroed(layout);
        assert_eq!(again, used, "what was taken last is taken again");
        assert!(std::slice::from_raw_parts(again, 64).iter().all(|byte| *byte == 0));
    }
}
