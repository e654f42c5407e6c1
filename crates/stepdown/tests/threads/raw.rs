//! Calls that a program would rather not make: what the cases need to be hostile.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_void};
use std::ptr;

/// rt_sigprocmask(2): blocks all 64 signals of the calling thread, or none, without the C library, which would leave its
/// own out.
pub(crate) fn block_all(block: bool) {
    let mask = if block { u64::MAX } else { 0 };
    // SAFETY: the call reads a mask of eight bytes.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, ptr::null::<u64>(), 8)
    };
    assert_eq!(result, 0);
}

/// pthread_sigmask(3) with sigfillset(3): blocks every signal that the C library lets be blocked.
pub(crate) fn block_all_of_the_library() {
    // SAFETY: the calls write and read one sigset_t.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut set);
        assert_eq!(libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()), 0);
    }
}

/// Blocks one signal besides.
pub(crate) fn block(signal: c_int) {
    // SAFETY: the calls write and read one sigset_t.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigaddset(&raw mut set, signal);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()), 0);
    }
}

/// struct sigaction of rt_sigaction(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: u64,
    pub(crate) restorer: usize,
    pub(crate) mask: u64,
}

/// rt_sigaction(2), for a signal that the C library keeps for itself: gives what was in force.
pub(crate) fn action(signal: c_int, new: Option<&Action>) -> Action {
    let mut old = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: the call reads and writes the kernel's struct sigaction; the handlers given here are never called.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, new.map_or(ptr::null(), ptr::from_ref), &raw mut old, 8)
    };
    assert_eq!(result, 0);
    old
}

/// Installs a handler that does nothing, by sigaction(2).
pub(crate) fn handle(signal: c_int) {
    extern "C" fn nothing(_: c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(signal, nothing as *const () as usize) };
}

/// Sets errno, and gives what it is once `end` is true, having looked at it all the time.
pub(crate) fn errno_stays(value: c_int, mut end: impl FnMut() -> bool) -> bool {
    // SAFETY: the address is that of this thread's errno.
    unsafe {
        *libc::__errno_location() = value;
        while !end() {
            if *libc::__errno_location() != value {
                return false;
            }
        }
        *libc::__errno_location() == value
    }
}

/// Starts a child as vfork(2) does and gives its wait status: this thread waits in the kernel, not to be interrupted, until the
/// child ends. The child has memory of its own, and reads from `descriptor` until there is no more.
pub(crate) fn wait_for_child(descriptor: c_int, close: c_int) -> c_int {
    let flags = c_long::from(libc::CLONE_VFORK | libc::SIGCHLD);
    // SAFETY: as fork(2); the child makes system calls alone.
    unsafe {
        let child = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
        if child == 0 {
            let mut byte = 0_u8;
            libc::syscall(libc::SYS_close, close);
            libc::syscall(libc::SYS_read, descriptor, &raw mut byte, 1);
            libc::syscall(libc::SYS_exit_group, 0);
        }
        assert!(child > 0);
        let mut status = -1;
        assert_eq!(libc::waitpid(child as c_int, &raw mut status, 0), child as c_int);
        status
    }
}

/// seccomp(2): from here on this call of this thread answers with an error number; 0 is a lie.
pub(crate) fn filter(call: c_long, errno: u16) {
    let code = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let filter = [
        // The number of the call is the first word of what a filter is given.
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | u32::from(errno)),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the call reads the program, which outlives it.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    assert_eq!(result, 0);
}

/// setresuid(2) of this thread alone; gives the error number, 0 for success.
pub(crate) fn set_user(user: u32) -> c_int {
    // SAFETY: the call takes plain numbers.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
    if result == 0 { 0 } else { std::io::Error::last_os_error().raw_os_error().unwrap() }
}

/// exit(2) of this thread alone.
pub(crate) fn end_thread() -> ! {
    // SAFETY: the thread runs no more, and nothing that it owns is given back.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!()
}

/// setresuid(3) of the C library, of all threads, to what they are.
pub(crate) fn broadcast_nothing() -> bool {
    // SAFETY: the call takes plain numbers.
    unsafe { libc::setresuid(u32::MAX, u32::MAX, u32::MAX) == 0 }
}

/// poll(2) on a descriptor, without an end; gives the error number, 0 for success.
pub(crate) fn poll(descriptor: c_int) -> c_int {
    let mut wanted = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: the call reads and writes one pollfd.
    let result = unsafe { libc::poll(&raw mut wanted, 1, -1) };
    if result == 1 { 0 } else { std::io::Error::last_os_error().raw_os_error().unwrap() }
}

/// unshare(2) `CLONE_FS`.
pub(crate) fn own_directories() {
    // SAFETY: root and working directory of this thread are its own from here on.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0);
}

/// prctl(2) `PR_SET_PDEATHSIG`.
pub(crate) fn set_death_signal(signal: c_int) {
    // SAFETY: the operation takes a plain number.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) }, 0);
}

/// prctl(2) `PR_GET_PDEATHSIG`.
pub(crate) fn death_signal() -> c_int {
    let mut signal = -1;
    // SAFETY: the operation writes one int.
    assert_eq!(unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) }, 0);
    signal
}

/// keyctl(2) `KEYCTL_GET_KEYRING_ID` of the session keyring; negative where there is none to be had.
pub(crate) fn session_keyring() -> c_long {
    // SAFETY: the operation takes plain numbers.
    unsafe { libc::syscall(libc::SYS_keyctl, 0, -3, 0) }
}

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING`, so that there is one that all threads started later share.
pub(crate) fn join_session_keyring() {
    // SAFETY: the operation takes a name, null for none.
    unsafe { libc::syscall(libc::SYS_keyctl, 1, ptr::null::<c_void>()) };
}

/// The same by name: the number of the keyring.
pub(crate) fn join_session_keyring_named(name: &str) -> c_long {
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: the operation reads a C string, which outlives the call.
    unsafe { libc::syscall(libc::SYS_keyctl, 1, name.as_ptr()) }
}

/// keyctl(2) `KEYCTL_DESCRIBE`: whose a key is, what may be done with it, and its name.
pub(crate) fn describe_key(key: c_long) -> (u32, u32, String) {
    let mut text = [0_u8; 200];
    // SAFETY: the operation writes at most so many bytes to the address.
    let length = unsafe { libc::syscall(libc::SYS_keyctl, 6, key, text.as_mut_ptr(), text.len()) };
    let text = std::str::from_utf8(&text[..usize::try_from(length).unwrap() - 1]).unwrap();
    let fields: Vec<&str> = text.splitn(5, ';').collect();
    (fields[1].parse().unwrap(), u32::from_str_radix(fields[3], 16).unwrap(), fields[4].to_owned())
}

/// fork(2), in a process of one thread.
pub(crate) fn fork() -> c_int {
    // SAFETY: the child is a copy of all there is.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    child
}

/// waitpid(2): the exit status of a child.
pub(crate) fn ended(child: c_int) -> c_int {
    let mut status = 0;
    // SAFETY: the call writes one int.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WEXITSTATUS(status)
}

/// unshare(2) `CLONE_NEWUSER`.
pub(crate) fn own_user_namespace() {
    // SAFETY: the call takes plain numbers.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWUSER) }, 0);
}

/// Root's ids and no groups, in a user namespace whose ids have just been mapped.
pub(crate) fn become_root() {
    // SAFETY: the calls take plain numbers. A process whose ids have changed is not dumpable, and its files in /proc are
    // somebody else's; this one is what it would be if it had been started here.
    unsafe {
        assert_eq!(libc::setresgid(0, 0, 0), 0);
        assert_eq!(libc::setgroups(0, ptr::null()), 0);
        assert_eq!(libc::setresuid(0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    }
}

/// setrlimit(2) `RLIMIT_NOFILE`.
pub(crate) fn limit_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the call reads one rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// timer_create(2) with `SIGEV_THREAD`: the C library starts a thread of its own for it, which blocks signals.
#[cfg(target_env = "gnu")]
pub(crate) fn start_timer() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    #[repr(C)]
    struct Event {
        value: usize,
        signal: c_int,
        notify: c_int,
        function: extern "C" fn(usize),
        attributes: *const c_void,
        rest: [u64; 4],
    }
    static RUNG: AtomicU32 = AtomicU32::new(0);
    extern "C" fn ring(_: usize) {
        RUNG.fetch_add(1, SeqCst);
    }
    let mut event = Event {
        value: 0,
        signal: 0,
        notify: libc::SIGEV_THREAD,
        function: ring,
        attributes: ptr::null(),
        rest: [0; 4],
    };
    let mut timer: libc::timer_t = ptr::null_mut();
    let often = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let times = libc::itimerspec { it_interval: often, it_value: often };
    const { assert!(size_of::<Event>() == size_of::<libc::sigevent>()) };
    // SAFETY: the structure is the C library's sigevent, the timer and the times outlive their calls.
    unsafe {
        assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, (&raw mut event).cast(), &raw mut timer), 0);
        assert_eq!(libc::timer_settime(timer, 0, &raw const times, ptr::null_mut()), 0);
    }
    crate::support::until(|| RUNG.load(SeqCst) > 2);
}
