//! The program that a case executes: it reports what `raw::observe` does, and ends.
//!
//! Written as instructions, because it is started tens of thousands of times: one page without a C library, which for
//! itself would ask the processor dozens of questions that a virtual machine answers slowly. Sources: elf(5), the
//! numbers of the calls in `asm/unistd_64.h`, statx(2), getauxval(3).
#![allow(unsafe_code)]

/// The program as a file. Where there is none for this kind of machine, the test's own program reports.
#[cfg(target_arch = "x86_64")]
pub(crate) fn reporter() -> Option<Vec<u8>> {
    use core::ptr::addr_of;
    // SAFETY: both are labels around the instructions below, in this order, and nothing writes there.
    let code = unsafe {
        let (begin, end) = (addr_of!(agree_report_begin), addr_of!(agree_report_end));
        std::slice::from_raw_parts(begin, end.offset_from(begin) as usize)
    };
    // elf(5): a header, one segment that holds the whole file, and the code.
    const AT: u64 = 0x40_0000;
    let length = 120 + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 62] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for long in [AT + 120, 64, 0] {
        file.extend(long.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1_u32, 5] {
        file.extend(word.to_le_bytes());
    }
    for long in [0, AT, AT, length, length, 4096] {
        file.extend(long.to_le_bytes());
    }
    file.extend(code);
    Some(file)
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn reporter() -> Option<Vec<u8>> {
    None
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    static agree_report_begin: u8;
    static agree_report_end: u8;
}

// The words of a record, at rbx, in the order of `Record::write`; what calls write is at rbx + 544 first.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .rodata.agree_report,\"a\",@progbits",
    ".globl agree_report_begin",
    ".globl agree_report_end",
    "agree_report_begin:",
    "mov rbp, rsp",
    "sub rsp, 2048",
    "and rsp, -64",
    "mov rbx, rsp",
    "mov rdi, rbx",
    "xor eax, eax",
    "mov ecx, 256",
    "rep stosq",
    // getresuid, setfsuid(-1); then the same of groups.
    "mov r12d, 118",
    "mov r13, rbx",
    "2:",
    "mov eax, r12d",
    "lea rdi, [rbx + 544]",
    "lea rsi, [rbx + 548]",
    "lea rdx, [rbx + 552]",
    "syscall",
    "mov eax, [rbx + 544]",
    "mov [r13], rax",
    "mov eax, [rbx + 548]",
    "mov [r13 + 8], rax",
    "mov eax, [rbx + 552]",
    "mov [r13 + 16], rax",
    // 122 after 118, 123 after 120.
    "mov eax, r12d",
    "shr eax, 1",
    "add eax, 63",
    "mov rdi, -1",
    "syscall",
    "mov eax, eax",
    "mov [r13 + 24], rax",
    "add r13, 32",
    "add r12d, 2",
    "cmp r12d, 120",
    "je 2b",
    // getgroups: the count and eight of them.
    "mov qword ptr [rbx + 544], 0",
    "mov qword ptr [rbx + 552], 0",
    "mov eax, 115",
    "mov edi, 8",
    "lea rsi, [rbx + 544]",
    "syscall",
    "test rax, rax",
    "jns 4f",
    "mov eax, -1",
    "4:",
    "mov eax, eax",
    "mov [rbx + 64], rax",
    "xor ecx, ecx",
    "5:",
    "mov eax, [rbx + 544 + rcx * 4]",
    "mov [rbx + 72 + rcx * 8], rax",
    "inc ecx",
    "cmp ecx, 8",
    "jne 5b",
    // capget: permitted, effective, inheritable.
    "mov dword ptr [rbx + 600], 0x20080522",
    "mov eax, 125",
    "lea rdi, [rbx + 600]",
    "lea rsi, [rbx + 544]",
    "syscall",
    "mov eax, [rbx + 548]",
    "mov [rbx + 136], eax",
    "mov eax, [rbx + 560]",
    "mov [rbx + 140], eax",
    "mov eax, [rbx + 544]",
    "mov [rbx + 144], eax",
    "mov eax, [rbx + 556]",
    "mov [rbx + 148], eax",
    "mov eax, [rbx + 552]",
    "mov [rbx + 152], eax",
    "mov eax, [rbx + 564]",
    "mov [rbx + 156], eax",
    // prctl: the bounding set and the ambient set, one capability at a time.
    "xor r12d, r12d",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "6:",
    "mov eax, 157",
    "mov edi, 23",
    "mov rsi, r12",
    "xor edx, edx",
    "syscall",
    "test rax, rax",
    "js 7f",
    "mov ecx, r12d",
    "shl rax, cl",
    "or [rbx + 160], rax",
    "mov eax, 157",
    "mov edi, 47",
    "mov esi, 1",
    "mov rdx, r12",
    "syscall",
    "mov ecx, r12d",
    "shl rax, cl",
    "or [rbx + 168], rax",
    "inc r12d",
    "cmp r12d, 64",
    "jne 6b",
    "7:",
    // Securebits, no_new_privs, dumpable, death signal.
    "xor esi, esi",
    "xor edx, edx",
    "mov eax, 157",
    "mov edi, 27",
    "syscall",
    "mov [rbx + 176], rax",
    "mov eax, 157",
    "mov edi, 39",
    "syscall",
    "mov [rbx + 184], rax",
    "mov eax, 157",
    "mov edi, 3",
    "syscall",
    "mov [rbx + 192], rax",
    "mov eax, 157",
    "mov edi, 2",
    "lea rsi, [rbx + 544]",
    "syscall",
    "mov eax, [rbx + 544]",
    "mov [rbx + 200], rax",
    // statx of / and then of the working directory: device, inode, mount.
    "mov dword ptr [rbx + 600], 0x2f",
    "lea r13, [rbx + 208]",
    "8:",
    "mov eax, 332",
    "mov edi, -100",
    "lea rsi, [rbx + 600]",
    "xor edx, edx",
    "mov r10d, 0x1100",
    "lea r8, [rbx + 640]",
    "syscall",
    "mov eax, [rbx + 640 + 140]",
    "mov ecx, eax",
    "and eax, 0xff",
    "and ecx, 0xffffff00",
    "shl rcx, 12",
    "or rax, rcx",
    "mov ecx, [rbx + 640 + 136]",
    "mov edx, ecx",
    "and ecx, 0xfff",
    "shl rcx, 8",
    "or rax, rcx",
    "and edx, 0xfffff000",
    "shl rdx, 32",
    "or rax, rdx",
    "mov [r13], rax",
    "mov rax, [rbx + 640 + 32]",
    "mov [r13 + 8], rax",
    "test dword ptr [rbx + 640], 0x1000",
    "jz 9f",
    "mov rax, [rbx + 640 + 144]",
    "mov [r13 + 16], rax",
    "9:",
    "add r13, 24",
    "mov dword ptr [rbx + 600], 0x2e",
    "lea rax, [rbx + 256]",
    "cmp r13, rax",
    "jne 8b",
    // AT_SECURE, behind the arguments and the environment.
    "mov rcx, [rbp]",
    "lea rsi, [rbp + rcx * 8 + 16]",
    "20:",
    "lodsq",
    "test rax, rax",
    "jnz 20b",
    "21:",
    "lodsq",
    "mov rcx, rax",
    "lodsq",
    "test rcx, rcx",
    "jz 22f",
    "cmp rcx, 23",
    "jne 21b",
    "mov [rbx + 264], rax",
    "22:",
    "mov eax, 1",
    "mov edi, 200",
    "mov rsi, rbx",
    "mov edx, {size}",
    "syscall",
    "mov eax, 60",
    "xor edi, edi",
    "syscall",
    "agree_report_end:",
    ".popsection",
    size = const crate::record::SIZE,
);
