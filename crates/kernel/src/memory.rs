//! Memory that a process which is going to sleep for long does not need: madvise(2) `MADV_DONTNEED`, malloc_trim(3).
//!
//! Most of what a small server holds resident is its own program file: the code that read its configuration and stepped
//! down, which will not run again. Not for: swapping out what a process has written.

use crate::sys;

/// Gives back what can be had again: pages of the program's own file, and free memory of the allocator. What is needed of it
/// comes back when it is touched, page by page from the file, without anybody's doing. For a process that is about to wait;
/// it costs some microseconds, and the next work a few more.
pub fn release() {
    sys::trim_heap();
    sys::release_program();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of this process's program file is mapped without the right to write, in kB.
    fn resident() -> u64 {
        let program = std::env::current_exe().unwrap();
        let program = program.to_str().unwrap();
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_program = false;
        let mut total = 0;
        for line in text.lines() {
            if line.split_once(' ').is_some_and(|(range, _)| range.contains('-')) {
                is_program = line.ends_with(program) && line.contains(" r-xp ");
            } else if let Some(rest) = line.strip_prefix("Rss:")
                && is_program
            {
                total += rest.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
            }
        }
        total
    }

    #[test]
    fn code_that_is_not_in_use_leaves_memory_and_comes_back() {
        // Another test may touch it again meanwhile: some time there is less.
        let released = (0..1000).any(|_| {
            let before = resident();
            release();
            resident() < before
        });
        assert!(released, "{} kB are resident all the time", resident());
        assert!(sys::release_program() > 0);
        assert_eq!(format!("{:?}", [1.5, 2.25]), "[1.5, 2.25]", "code that was given back runs");
    }
}
