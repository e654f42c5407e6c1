//! One system call, syscall(2), without the C library: no `errno`, no cancellation, no other thread is told.
//!
//! Registers as the table of syscall(2), "Architecture calling conventions", has them.

use core::ffi::c_long;

use stepdown_security::errno::Errno;

/// Makes the call, its sixth argument being 0. A negative answer down to -4095 is an error number.
///
/// # Safety
/// The arguments have to be what the call takes, and whatever it reads or writes has to be there and stay there until it
/// comes back.
pub(crate) unsafe fn call(number: c_long, arguments: [usize; 5]) -> Result<usize, Errno> {
    // SAFETY: as the caller promises.
    let answer = unsafe { trap(number, arguments) };
    match i32::try_from(answer) {
        Ok(negative @ -4095..0) => Err(Errno(-negative)),
        _ => Ok(answer.cast_unsigned()),
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn trap(number: c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: the kernel changes rax, rcx, r11 and what the arguments point to, and nothing else.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number as isize => answer, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") 0, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer
}

#[cfg(target_arch = "aarch64")]
unsafe fn trap(number: c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: the kernel changes x0 and what the arguments point to, and nothing else.
    unsafe {
        core::arch::asm!("svc 0", in("x8") number, inlateout("x0") a => answer, in("x1") b, in("x2") c, in("x3") d,
            in("x4") e, in("x5") 0, options(nostack));
    }
    answer
}

#[cfg(target_arch = "riscv64")]
unsafe fn trap(number: c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: the kernel changes a0 and what the arguments point to, and nothing else.
    unsafe {
        core::arch::asm!("ecall", in("a7") number, inlateout("a0") a => answer, in("a1") b, in("a2") c, in("a3") d,
            in("a4") e, in("a5") 0, options(nostack));
    }
    answer
}

/// Elsewhere the C library makes the call, and says in `errno` what the kernel said in the answer.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
unsafe fn trap(number: c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    // SAFETY: as the caller promises.
    match unsafe { libc::syscall(number, a, b, c, d, e, 0) } {
        -1 => -std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) as isize,
        answer => answer as isize,
    }
}
