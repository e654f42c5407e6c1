//! Where the kernel begins to execute the program, and where it ends.
//!
//! The stack is then as execve(2) laid it (the psABI of the machine, "Process Initialization"): the number of arguments, the
//! arguments, a null pointer, the environment, a null pointer, and the auxiliary vector of getauxval(3). Nothing has to be
//! set up: there is one thread, no thread-local storage, and no address in the file that would have to be moved.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use stepdown::Environment;
use stepdown_launcher::{REFUSED, output};

use crate::memory;

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {enter}", "ud2",
    enter = sym enter
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "mov x0, sp", "bl {enter}", "brk 1",
    enter = sym enter
);

#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "mv a0, sp", "andi sp, sp, -16", "call {enter}", "ebreak",
    enter = sym enter
);

/// Rust begins here. `stack` is where the kernel has put what this process was started with.
unsafe extern "C" fn enter(stack: *const usize) -> ! {
    memory::provide(stack);
    // SAFETY: the kernel has laid the stack so, and nothing has been changed since; what is on it stays as long as the process.
    let (words, entries, secure) = unsafe {
        let count = *stack;
        let words = Strings(stack.add(1).cast());
        let first = stack.add(count + 2);
        let mut end = first;
        while *end != 0 {
            end = end.add(1);
        }
        (words, Strings(first.cast()), is_secure(end.add(1)))
    };
    let environment = Environment::given(entries, secure);
    exit(crate::main(words, &environment))
}

/// C strings behind a list of pointers that ends in null.
struct Strings(*const *const c_char);

impl Iterator for Strings {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: it began at the list that the kernel laid, and has not gone beyond the null at its end.
        let string = unsafe { *self.0 };
        if string.is_null() {
            return None;
        }
        // SAFETY: the next one is still in the list, at the latest its end.
        self.0 = unsafe { self.0.add(1) };
        // SAFETY: a C string that the kernel laid, and that nothing changes.
        Some(unsafe { CStr::from_ptr(string) })
    }
}

/// `AT_SECURE` of the auxiliary vector.
///
/// # Safety
/// `entry` is the beginning of the vector, pairs of numbers up to one that begins with 0.
unsafe fn is_secure(mut entry: *const usize) -> bool {
    const AT_SECURE: usize = 23;
    // SAFETY: as the caller promises.
    unsafe {
        while *entry != 0 {
            if *entry == AT_SECURE {
                return *entry.add(1) != 0;
            }
            entry = entry.add(2);
        }
    }
    // A kernel that does not say is none that is known.
    true
}

/// A mistake in the program: said, and refused, as everything that is not certain. What and where it was would take a third of the
/// file, for the text of every possible one; `stepdown run` is the same code, and says it.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    output::error(if memory::is_exhausted() {
        "stepdown: error: there is no more memory to be had; no program was started\n"
    } else {
        "stepdown: error: a mistake in stepdown-run itself; no program was started\n  hint: `stepdown run` is the same code, and says where\n"
    });
    exit(REFUSED)
}

/// What the library of the language refers to for unwinding the stack after a panic, which never happens here: the one above
/// ends the process.
mod unwinding {
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() -> ! {
        super::exit(super::REFUSED)
    }

    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        super::exit(super::REFUSED)
    }
}

fn exit(status: u8) -> ! {
    stepdown_kernel::exec::end(status)
}
