//! Parsing capability text that is right allocates nothing, and printing it displays without a `String`.

#![allow(unsafe_code, reason = "counting allocations takes an allocator, and that trait is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;
use stepdown_security::text::{Canonical, canonical, parse, parse_names};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator as it came; counting touches no memory of the heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, that is from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes text and keeps nothing.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[test]
fn what_is_right_allocates_nothing() {
    let texts = ["", "=ep", "cap_net_bind_service+ep", "0x1,all=p cap_chown,CAP_KILL-p+i 63+e"];
    let allocations = |work: &mut dyn FnMut()| {
        let before = ALLOCATIONS.get();
        work();
        ALLOCATIONS.get() - before
    };
    // The counter counts, or the rest means nothing.
    assert_eq!(allocations(&mut || drop(black_box(String::from("x")))), 1);
    for text in texts {
        assert_eq!(allocations(&mut || drop(black_box(parse(black_box(text), 41)))), 0, "{text}");
        let state = parse(text, 41).expect(text);
        let shown = Canonical { state, count: 41 };
        assert_eq!(allocations(&mut || write!(Length(0), "{shown}").expect("it only counts")), 0, "{text}");
        assert_eq!(allocations(&mut || drop(black_box(canonical(&state, 41)))), 1, "{text}");
    }
    assert_eq!(allocations(&mut || drop(black_box(parse_names("all, cap_chown 7", 41)))), 0);
}
