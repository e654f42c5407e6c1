//! Memory for a program that lives for a third of a millisecond: taken from the front of a room of its own, and given back only
//! where it was taken last.
//!
//! What is large (a configuration of many megabytes) is asked of the kernel piece by piece, mmap(2), and given back to it, so
//! that memory is bounded by what is in use. There is one thread.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, munmap};

#[cfg_attr(not(test), global_allocator)]
pub(crate) static MEMORY: Memory = Memory {
    next: Cell::new(0),
    end: Cell::new(0),
    exhausted: Cell::new(false),
    first: UnsafeCell::new([0; FIRST]),
};

/// Has the kernel provide at once what a launch is going to touch: page by page, each would be an interruption of a microsecond
/// or two. It is a request and no more; Linux 5.14 was the first to know it.
pub(crate) fn provide(stack: *const usize) {
    let page = |address: usize| address & !(PAGE - 1);
    let room = page(ptr::from_ref(&MEMORY) as usize);
    for (start, length) in [(room, TOUCHED), (page(stack as usize) - STACK, STACK)] {
        // SAFETY: pages of this program's own room, and of its stack below what is in use; none is changed.
        let _ = unsafe { madvise(start as *mut c_void, length, Advice::LinuxPopulateWrite) };
    }
}

/// Whether the kernel has refused a piece.
pub(crate) fn is_exhausted() -> bool {
    MEMORY.exhausted.get()
}

const PAGE: usize = 4096;

/// How much of the room, and of the stack, a launch comes to touch.
const TOUCHED: usize = 6 * PAGE;
const STACK: usize = 3 * PAGE;

/// The room that the program begins with. Pages of it that are never touched are never there.
const FIRST: usize = 256 << 10;

/// What the room is enlarged by.
const MORE: usize = 1 << 20;

/// From this size on a piece is the kernel's own.
const LARGE: usize = 128 << 10;

/// No piece needs a larger alignment; the kernel's pieces have that of a page.
const ALIGNMENT: usize = 4096;

/// In this order, so that what is written first is on one page.
#[repr(C)]
pub(crate) struct Memory {
    /// The first free address, and the end of the room; 0 before the first piece.
    next: Cell<usize>,
    end: Cell<usize>,
    exhausted: Cell<bool>,
    first: UnsafeCell<[u8; FIRST]>,
}

// SAFETY: the program has one thread, and no signal handler that would ask for memory.
unsafe impl Sync for Memory {}

impl Memory {
    fn small(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            let start = self.first.get() as usize;
            self.next.set(start);
            self.end.set(start + FIRST);
        }
        let start = self.next.get().next_multiple_of(layout.align());
        // A small piece and a page are far from the end of all addresses.
        if start + layout.size() > self.end.get() {
            let Some(room) = map(MORE) else { return ptr::null_mut() };
            self.next.set(room as usize);
            self.end.set(room as usize + MORE);
            return self.small(layout);
        }
        self.next.set(start + layout.size());
        start as *mut u8
    }

    fn is_last(&self, piece: *mut u8, size: usize) -> bool {
        piece as usize + size == self.next.get()
    }
}

// SAFETY: pieces are of the size and the alignment that are asked for, and lie apart from each other: small ones behind each other in
// a room that only grows, large ones where the kernel puts them.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            return ptr::null_mut();
        }
        if layout.size() < LARGE { self.small(layout) } else { map(layout.size()).unwrap_or(ptr::null_mut()) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            // SAFETY: it was mapped by itself, with this size, and nobody uses it any more.
            let _ = unsafe { munmap(piece.cast(), layout.size()) };
        } else if self.is_last(piece, layout.size()) {
            self.next.set(piece as usize);
        }
    }

    /// Memory that nobody had before is zero; a piece that was given back and taken again need not be.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is the caller's.
        let piece = unsafe { self.alloc(layout) };
        if !piece.is_null() && layout.size() < LARGE {
            // SAFETY: the piece has this size.
            unsafe { piece.write_bytes(0, layout.size()) };
        }
        piece
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size() >= LARGE && size >= LARGE {
            // SAFETY: it was mapped by itself, with this size; whoever has it uses what comes back instead.
            let moved = unsafe { mremap(piece.cast(), layout.size(), size, MremapFlags::MAYMOVE) };
            MEMORY.exhausted.set(moved.is_err());
            return moved.map_or(ptr::null_mut(), |moved| moved.cast());
        }
        let fits = || piece as usize + size <= self.end.get();
        if layout.size() < LARGE && size < LARGE && self.is_last(piece, layout.size()) && fits() {
            self.next.set(piece as usize + size);
            return piece;
        }
        // SAFETY: the old piece is as large as its layout says, the new one as large as asked, and they lie apart.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(piece, new, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            new
        }
    }
}

fn map(size: usize) -> Option<*mut u8> {
    // SAFETY: new memory, where the kernel has room for it.
    let piece = unsafe {
        mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    };
    MEMORY.exhausted.set(piece.is_err());
    NonNull::new(piece.ok()?.cast()).map(NonNull::as_ptr)
}
