//! The unsafe calls about this process's own memory: getauxval(3), madvise(2), malloc_trim(3).

use std::slice;

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Phdr as Header;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Phdr as Header;
use libc::{PF_W, PT_LOAD, PT_PHDR, c_void};

/// Lets go of the pages of the program's file that this process has mapped and can't have changed: code and constants. They
/// are in the file still, and are mapped again when they are touched. The number of segments.
pub(crate) fn release_program() -> usize {
    // SAFETY: getauxval reads what the kernel has put on the stack of this process, and has no other effect.
    let (at, count) = unsafe { (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM)) };
    let page = rustix::param::page_size();
    let (Ok(at), Ok(count)) = (usize::try_from(at), usize::try_from(count)) else { return 0 };
    if at == 0 {
        return 0;
    }
    // SAFETY: the kernel says that the program's own headers are there, so many of them; they are in a segment that is mapped
    // for as long as the process lives and that nobody writes to.
    let headers = unsafe { slice::from_raw_parts(at as *const Header, count) };
    // Where the program is: a header of its own says where the headers would be if it were at 0. Without it nothing is known.
    let Some(own) = headers.iter().find(|header| header.p_type == PT_PHDR) else { return 0 };
    let base = at.wrapping_sub(own.p_vaddr as usize);
    let mut released = 0;
    for header in headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_W == 0) {
        let start = base.wrapping_add(header.p_vaddr as usize);
        // The last page may belong to the next segment as well, and is left alone.
        let (from, to) = (start / page * page, start.wrapping_add(header.p_memsz as usize) / page * page);
        let length = to.saturating_sub(from);
        // SAFETY: these whole pages are of a segment that is mapped from the file without the right to write, so none of them
        // holds anything that the file does not; with MADV_DONTNEED the next access reads the same from the file again.
        if length > 0 && unsafe { libc::madvise(from as *mut c_void, length, libc::MADV_DONTNEED) } == 0 {
            released += 1;
        }
    }
    released
}

/// Gives memory that the allocator keeps for later back to the kernel.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it changes nothing but what the allocator keeps, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
