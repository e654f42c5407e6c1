//! The bare system calls of the test, and all of its unsafe code but the program of `reporter`: what has to be done to a process of one thread without
//! the C library's help, which changes the ids of all threads and remembers some of them.
//!
//! Each function turns its arguments into numbers and the answer into a result; nothing else happens here.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_long};
use std::ptr;

use crate::record::{GROUPS, Record};

/// The error number of a call.
pub(crate) type Result<T> = std::result::Result<T, i32>;

fn result(answer: c_long) -> Result<u32> {
    if answer >= 0 { Ok(answer as u32) } else { Err(errno()) }
}

pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// A system call of plain numbers.
pub(crate) fn call<const N: usize>(number: c_long, arguments: [u64; N]) -> Result<u32> {
    let mut all = [0_u64; 5];
    all[..N].copy_from_slice(&arguments);
    // SAFETY: the callers pass calls about credentials, whose arguments are plain numbers: no memory is touched.
    result(unsafe { libc::syscall(number, all[0], all[1], all[2], all[3], all[4]) })
}

/// prctl(2) with plain numbers.
pub(crate) fn prctl(operation: c_int, arguments: [u64; 2]) -> Result<u32> {
    call(libc::SYS_prctl, [operation as u64, arguments[0], arguments[1], 0, 0])
}

/// What the kernel says of this process, by system calls alone: there may be no `/proc`.
pub(crate) fn observe() -> Record {
    let mut record = observe_ids_and_sets();
    record.bounding = of_numbers(u64::MAX, |number| prctl(libc::PR_CAPBSET_READ, [number, 0]));
    record.ambient = of_numbers(u64::MAX, is_ambient);
    observe_rest(&mut record);
    record
}

fn observe_ids_and_sets() -> Record {
    let mut record = Record::default();
    let (mut a, mut b, mut c) = (0_u32, 0_u32, 0_u32);
    // SAFETY: both calls write three ids to the addresses of three variables.
    unsafe { libc::syscall(libc::SYS_getresuid, &raw mut a, &raw mut b, &raw mut c) };
    record.uid = [a, b, c, call(libc::SYS_setfsuid, [u64::from(u32::MAX)]).unwrap_or(u32::MAX)];
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_getresgid, &raw mut a, &raw mut b, &raw mut c) };
    record.gid = [a, b, c, call(libc::SYS_setfsgid, [u64::from(u32::MAX)]).unwrap_or(u32::MAX)];
    // SAFETY: the call writes at most as many ids as there is room for; with more groups it fails, and the count stays.
    let count = unsafe { libc::syscall(libc::SYS_getgroups, GROUPS as c_long, record.groups.as_mut_ptr()) };
    record.group_count = if count >= 0 { count as u32 } else { u32::MAX };
    // linux/capability.h, version 3: a header of version and thread, and two triples of 32 bits.
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: the call reads the header and writes six words to the array.
    unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    let set = |index: usize| u64::from(sets[index]) | u64::from(sets[index + 3]) << 32;
    [record.effective, record.permitted, record.inheritable] = [set(0), set(1), set(2)];
    record
}

/// As [`observe`], between moves: the kernel tells of bounding and ambient set one capability at a time, and a hundred
/// calls would cost more than all others of a case. The bounding set is asked for the capability that a move is about,
/// the ambient set for what is permitted and inheritable; the report at the end of the case asks for everything, and with
/// it comes what a move did that it should not.
pub(crate) fn observe_between(before: &Record, about: u64) -> Record {
    let mut record = observe_ids_and_sets();
    let asked = of_numbers(about, |number| prctl(libc::PR_CAPBSET_READ, [number, 0]));
    record.bounding = before.bounding & !about | asked;
    record.ambient = of_numbers(record.permitted & record.inheritable, is_ambient);
    observe_rest(&mut record);
    record
}

fn is_ambient(number: u64) -> Result<u32> {
    prctl(libc::PR_CAP_AMBIENT, [libc::PR_CAP_AMBIENT_IS_SET as u64, number])
}

/// Those of the numbers that are answered with 1, up to the first that the kernel does not know.
fn of_numbers(mut numbers: u64, ask: impl Fn(u64) -> Result<u32>) -> u64 {
    let mut set = 0;
    while numbers != 0 {
        let number = u64::from(numbers.trailing_zeros());
        numbers &= numbers - 1;
        match ask(number) {
            Ok(is) => set |= u64::from(is) << number,
            Err(_) => break,
        }
    }
    set
}

fn observe_rest(record: &mut Record) {
    record.securebits = prctl(libc::PR_GET_SECUREBITS, [0, 0]).unwrap_or(u32::MAX);
    record.no_new_privs = prctl(libc::PR_GET_NO_NEW_PRIVS, [0, 0]).unwrap_or(u32::MAX);
    record.dumpable = prctl(libc::PR_GET_DUMPABLE, [0, 0]).unwrap_or(u32::MAX);
    let mut signal: c_int = -1;
    // SAFETY: the operation writes one int to the address, which is that of `signal`.
    unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
    record.death_signal = signal as u32;
    record.root = directory(c"/");
    record.working_directory = directory(c".");
    // SAFETY: getauxval(3) takes a plain number.
    record.answer = unsafe { libc::getauxval(libc::AT_SECURE) } as u32;
}

/// Device, inode and mount of a directory; the mount is 0 where the kernel does not tell, before Linux 5.8.
fn directory(path: &CStr) -> [u64; 3] {
    let mut status = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let wanted = libc::STATX_INO | libc::STATX_MNT_ID;
    // SAFETY: the path is a C string and the call writes a statx structure; one of zeros is a valid one.
    let status = unsafe {
        libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, wanted, status.as_mut_ptr());
        status.assume_init()
    };
    let mount = if status.stx_mask & libc::STATX_MNT_ID == 0 { 0 } else { status.stx_mnt_id };
    [libc::makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino, mount]
}

/// fork(2). This program has one thread, so that the child may do anything.
pub(crate) fn fork() -> Result<u32> {
    // SAFETY: there is no other thread whose locks the child could inherit.
    result(c_long::from(unsafe { libc::fork() }))
}

/// _exit(2).
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: ends the process, and runs nothing of it.
    unsafe { libc::_exit(status) }
}

/// waitpid(2): the exit status; 128 and more for a signal.
pub(crate) fn wait(pid: u32) -> c_int {
    let mut status = 0;
    // SAFETY: the call writes one int to the address.
    while unsafe { libc::waitpid(pid as i32, &raw mut status, 0) } < 0 && errno() == libc::EINTR {}
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) }
}

/// dup2(2): the copy is not closed by execve(2).
pub(crate) fn duplicate(from: c_int, to: c_int) {
    // SAFETY: `to` is a number that nothing in this program owns.
    unsafe { libc::dup2(from, to) };
}

/// write(2) to a descriptor by number.
pub(crate) fn write(to: c_int, bytes: &[u8]) {
    // SAFETY: the call reads the bytes.
    unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
}

/// execveat(2) of what the descriptor is, with one argument and one variable. Comes back with the error number.
pub(crate) fn execute(file: c_int, argument: &CStr, variable: &CStr) -> i32 {
    let arguments = [argument.as_ptr(), ptr::null()];
    let environment = [variable.as_ptr(), ptr::null()];
    // SAFETY: C strings, and lists of them that end in null.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file,
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    errno()
}

/// Sets or, without bytes, removes the attribute `security.capability`.
pub(crate) fn set_attribute(path: &CStr, bytes: Option<&[u8]>) -> Result<()> {
    let name = c"security.capability";
    // SAFETY: C strings, and bytes with their length.
    let answer = unsafe {
        match bytes {
            Some(bytes) => {
                libc::setxattr(path.as_ptr(), name.as_ptr(), bytes.as_ptr().cast(), bytes.len(), 0)
            }
            None => libc::removexattr(path.as_ptr(), name.as_ptr()),
        }
    };
    result(c_long::from(answer)).map(|_| ())
}

/// Reads it, as the user namespace of this process sees it: the length, or the error number below 0.
pub(crate) fn attribute(path: &CStr, bytes: &mut [u8; 24]) -> i64 {
    // SAFETY: C strings, and room of the length given.
    let length = unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), bytes.as_mut_ptr().cast(), bytes.len())
    };
    if length >= 0 { length as i64 } else { -i64::from(errno()) }
}

/// mount(2).
pub(crate) fn mount(kind: &CStr, on: &CStr, flags: u64) -> Result<()> {
    // SAFETY: C strings; no data.
    let answer = unsafe { libc::mount(kind.as_ptr(), on.as_ptr(), kind.as_ptr(), flags, ptr::null()) };
    result(c_long::from(answer)).map(|_| ())
}

/// unshare(2), of namespaces.
pub(crate) fn unshare(flags: c_int) -> Result<()> {
    // SAFETY: takes a plain number, and no memory is unshared in a process of one thread.
    result(c_long::from(unsafe { libc::unshare(flags) })).map(|_| ())
}

/// setns(2) with a user namespace.
pub(crate) fn enter_user_namespace(namespace: c_int) -> Result<()> {
    // SAFETY: takes plain numbers.
    result(c_long::from(unsafe { libc::setns(namespace, libc::CLONE_NEWUSER) })).map(|_| ())
}

/// setrlimit(2) `RLIMIT_NPROC`: as many as there are, so that execve(2) is not EAGAIN for a busy user.
pub(crate) fn unlimited_tasks() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the call reads the structure.
    unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) };
}

/// reboot(2): turns the machine off, for the process that is all there is on it.
pub(crate) fn power_off() {
    // SAFETY: takes a plain number.
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
}
