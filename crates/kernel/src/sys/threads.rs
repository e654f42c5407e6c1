//! The signal that brings every thread of a process to one meeting: its handler, in place for as long as the meeting lasts.
//!
//! The signal is the one that the C library itself uses for changes of credentials (glibc's SIGSETXID, musl's
//! SIGSYNCCALL). No mask made through the C library can block it, so that threads which block "every" signal, those of
//! the C library's own among them, are reached. glibc's handler is put aside for that time: whatever is not an
//! invitation to the meeting is handed on to it, and it is put back. Sources: sigaction(2), rt_tgsigqueueinfo(2),
//! signal(7), signal-safety(7). Not for: what is done at the meeting.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_ulong, c_void};
use std::io;
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rustix::thread::futex;

/// The signal that is used.
pub(crate) const SIGNAL: c_int = if cfg!(target_env = "musl") { 34 } else { 33 };

/// Where threads meet.
pub(crate) trait Meeting: Sync + 'static {
    /// Runs in the handler of an invited thread, with every signal blocked that is not raised by the thread itself. It
    /// may make system calls and touch what is the meeting's; it must not allocate, take a lock, or panic.
    fn enter(&self, ticket: u32);
}

/// Why there is no meeting.
#[derive(Debug)]
pub(crate) enum NoMeeting {
    /// The signal is ignored, or handled by somebody else than the C library.
    Taken,
    /// Another thread holds a meeting.
    Busy,
    /// A system call failed.
    System(io::Error),
}

/// The meeting that goes on, for the handler. What it points to is alive until no thread is inside the handler, see
/// [`hold`].
static MEETING: AtomicPtr<Invitation> = AtomicPtr::new(ptr::null_mut());
/// How many threads are inside the handler.
static INSIDE: AtomicU32 = AtomicU32::new(0);
/// The handler that was there before: 0 for the default action.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
/// The process whose thread holds a meeting: a number, so that a child of fork(2) isn't kept from holding its own.
static HOLDER: AtomicU32 = AtomicU32::new(0);
/// The meeting before, if threads had yet to leave the handler when it was over: they are not waited for. Its memory is freed
/// when there is another meeting.
static PAST: AtomicPtr<Invitation> = AtomicPtr::new(ptr::null_mut());

/// What the handler needs to know.
struct Invitation {
    meeting: Box<dyn Meeting>,
    process: u32,
}

/// Sends invitations to the meeting.
pub(crate) struct Post {
    process: u32,
}

impl Post {
    /// Invites a thread of this process, rt_tgsigqueueinfo(2). It enters with this ticket.
    pub(crate) fn invite(&self, thread: u32, ticket: u32) -> io::Result<()> {
        let info = Info {
            signal: SIGNAL,
            error: 0,
            code: libc::SI_QUEUE,
            padding: 0,
            process: self.process,
            user: 0,
            value: u64::from(ticket),
            rest: [0; 12],
        };
        // SAFETY: the call reads a siginfo_t, whose size and layout `Info` has; a thread that is not there is ESRCH.
        let result = unsafe {
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, self.process, thread, SIGNAL, &raw const info)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Whether the signal is free to be used: nothing is done on it, or what the C library does.
pub(crate) fn is_free() -> io::Result<bool> {
    Ok(free(&action()?))
}

/// Holds a meeting: puts the handler in place, has `body` invite and dismiss, and puts back what was there. `body` has to
/// dismiss every thread that entered, also where it panics; it tells in the end whether some thread was invited and never
/// came.
pub(crate) fn hold<M: Meeting, R>(
    meeting: M,
    body: impl FnOnce(&M, &Post) -> (R, bool),
) -> Result<R, NoMeeting> {
    let process = std::process::id();
    let _held = Held::new(process)?;
    forget_past();
    let before = action().map_err(NoMeeting::System)?;
    if !free(&before) {
        return Err(NoMeeting::Taken);
    }
    let meeting: Box<M> = Box::new(meeting);
    let own: *const M = &raw const *meeting;
    let invitation = Box::into_raw(Box::new(Invitation { meeting, process }));
    // Left over in a child that was forked in the middle, it stays in place with what it knows.
    if before.handler != handler_address() {
        BEFORE.store(before.handler, SeqCst);
    }
    MEETING.store(invitation, SeqCst);
    let mut open = Open { before, invitation, strays: true };
    let ours = Action { handler: handler_address(), flags: FLAGS, ..Action::of_every_signal() };
    set_action(&ours).map_err(NoMeeting::System)?;
    // SAFETY: the meeting is in the box that the invitation holds, which is freed by `open` and nobody else.
    let (result, strays) = body(unsafe { &*own }, &Post { process });
    open.strays = strays;
    Ok(result)
}

/// The right to hold a meeting, given back when this is dropped.
struct Held;

impl Held {
    fn new(process: u32) -> Result<Held, NoMeeting> {
        let holder = HOLDER.load(SeqCst);
        if holder == process || HOLDER.compare_exchange(holder, process, SeqCst, SeqCst).is_err() {
            return Err(NoMeeting::Busy);
        }
        Ok(Held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HOLDER.store(0, SeqCst);
    }
}

/// A handler in place, which is taken away when this is dropped.
struct Open {
    before: Action,
    invitation: *mut Invitation,
    /// Whether an invitation may still be under way.
    strays: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        // An invitation that is delivered late must do nothing. glibc's handler takes it for what it is, no signal of its
        // own. The default action would end the process: ignoring the signal for a moment discards what is pending, on
        // every thread. Nobody else uses the signal in that case.
        if self.strays && self.before.handler == libc::SIG_DFL {
            let _ = set_action(&Action { handler: libc::SIG_IGN, ..self.before });
        }
        if action().is_ok_and(|now| now.handler == handler_address()) || self.strays {
            let _ = set_action(&self.before);
        }
        MEETING.store(ptr::null_mut(), SeqCst);
        if INSIDE.load(SeqCst) == 0 {
            // SAFETY: it came from `Box::into_raw`. No thread has it: one that looks now sees null, and one that saw it was
            // counted before it looked and is counted no more.
            drop(unsafe { Box::from_raw(self.invitation) });
        } else {
            // Empty, or not free to be freed yet: then one of the two stays for good.
            PAST.store(self.invitation, SeqCst);
        }
    }
}

/// Frees the meeting before, if all have left it.
fn forget_past() {
    if INSIDE.load(SeqCst) == 0 {
        let past = PAST.swap(ptr::null_mut(), SeqCst);
        if !past.is_null() {
            // SAFETY: it came from `Box::into_raw`, was taken out of MEETING before it was put here, and no thread is inside
            // the handler that could have seen it there. Whoever holds the right to a meeting is the only one here.
            drop(unsafe { Box::from_raw(past) });
        }
    }
}

/// futex(2) `FUTEX_WAIT`, for at most so long. Comes back early for any reason.
pub(crate) fn wait(word: &AtomicU32, value: u32, limit: Duration) {
    let limit = futex::Timespec::try_from(limit).ok();
    let _ = futex::wait(word, futex::Flags::PRIVATE, value, limit.as_ref());
}

/// Ends this process at once, with a message on standard error where that takes it: by SIGABRT, so that whoever waits for
/// it sees that this is no orderly end; none of its handlers run, since they would run in a process that is neither what
/// it was nor what it was to become.
pub(crate) fn stop_process(message: &[u8]) -> ! {
    let mut standard = libc::pollfd { fd: 2, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the call reads and writes one pollfd, which is `standard`.
    if unsafe { libc::poll(&raw mut standard, 1, 1000) } == 1 {
        // SAFETY: the call reads so many bytes of `message`.
        unsafe { libc::write(2, message.as_ptr().cast(), message.len()) };
    }
    let default = Action { handler: libc::SIG_DFL, ..Action::of_every_signal() };
    let _ = set_action_of(libc::SIGABRT, &default);
    let mask: u64 = 1 << (libc::SIGABRT - 1);
    // SAFETY: the calls take plain numbers and a mask of the size given, of the calling thread alone. Where SIGABRT does
    // not end the process, because it is the first of its pid namespace, exit_group(2) does.
    unsafe {
        let unblock = libc::SIG_UNBLOCK;
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            unblock,
            &raw const mask,
            ptr::null::<u64>(),
            size_of::<u64>(),
        );
        libc::syscall(
            libc::SYS_tgkill,
            std::process::id(),
            rustix::thread::gettid().as_raw_nonzero().get(),
            libc::SIGABRT,
        );
        loop {
            libc::syscall(libc::SYS_exit_group, 128 + libc::SIGABRT);
        }
    }
}

/// The handler. What was interrupted may hold any lock and be in the middle of anything.
extern "C" fn arrive(signal: c_int, info: *mut Info, context: *mut c_void) {
    INSIDE.fetch_add(1, SeqCst);
    let invitation = MEETING.load(SeqCst);
    // SAFETY: the kernel gives the address of the signal's siginfo_t, which lives as long as the handler runs.
    let (code, process, value) = unsafe { ((*info).code, (*info).process, (*info).value) };
    if !invitation.is_null() && code == libc::SI_QUEUE {
        // SAFETY: not null, so it was in force after this thread was counted in INSIDE, and is not freed before it is
        // counted no more.
        let invitation = unsafe { &*invitation };
        if let (true, Ok(ticket)) = (process == invitation.process, u32::try_from(value)) {
            // SAFETY: the address of this thread's errno, which nothing else writes meanwhile.
            let errno = unsafe { libc::__errno_location() };
            // SAFETY: as above.
            let saved = unsafe { *errno };
            invitation.meeting.enter(ticket);
            // SAFETY: as above.
            unsafe { *errno = saved };
        }
    }
    INSIDE.fetch_sub(1, SeqCst);
    let before = BEFORE.load(SeqCst);
    if code != libc::SI_QUEUE && before > libc::SIG_IGN {
        // SAFETY: the address of a handler that takes three arguments (see `free`), that was in force for this signal.
        let before: extern "C" fn(c_int, *mut Info, *mut c_void) = unsafe { std::mem::transmute(before) };
        before(signal, info, context);
    }
}

fn handler_address() -> usize {
    arrive as *const () as usize
}

/// A signal that somebody may be using is not touched: what is in force has to be the default, or the C library's, which
/// is installed with these flags and no mask, or ours in a child that was forked in the middle. musl ignores the signal
/// between its uses.
fn free(action: &Action) -> bool {
    match action.handler {
        libc::SIG_DFL => true,
        libc::SIG_IGN => cfg!(target_env = "musl"),
        address if address == handler_address() => true,
        _ => action.flags & !SA_RESTORER == FLAGS & !SA_RESTORER && action.mask == 0,
    }
}

const FLAGS: c_ulong = (libc::SA_RESTART | libc::SA_SIGINFO | libc::SA_ONSTACK) as c_ulong | SA_RESTORER;

/// siginfo_t of rt_tgsigqueueinfo(2) and of a handler, 64-bit.
#[repr(C)]
struct Info {
    signal: c_int,
    error: c_int,
    code: c_int,
    padding: c_int,
    process: u32,
    user: u32,
    value: u64,
    rest: [u64; 12],
}

/// Whether the structures here are the kernel's, which on other processors has others.
const KNOWN: bool = cfg!(all(
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
));

const _: () =
    assert!(!KNOWN || (size_of::<Info>() == size_of::<libc::siginfo_t>() && offset_of!(Info, value) == 24));

/// struct sigaction as the kernel has it. The C library's sigaction(3) refuses its own signals, so that it can't be used.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Action {
    handler: usize,
    flags: c_ulong,
    #[cfg(not(target_arch = "riscv64"))]
    restorer: usize,
    mask: u64,
}

impl Action {
    /// With every signal blocked while the handler runs, except those that a thread raises itself by a fault or, where a
    /// seccomp filter says so, by a system call.
    fn of_every_signal() -> Action {
        let raised = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];
        let mask = raised.iter().fold(!0_u64, |mask, signal| mask & !(1 << (signal - 1)));
        Action {
            handler: libc::SIG_DFL,
            flags: 0,
            #[cfg(not(target_arch = "riscv64"))]
            restorer: restorer(),
            mask,
        }
    }
}

fn action() -> io::Result<Action> {
    if !KNOWN {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut action = Action { handler: 0, ..Action::of_every_signal() };
    // SAFETY: the call writes the kernel's struct sigaction to the address, which is that of `action`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            SIGNAL,
            ptr::null::<Action>(),
            &raw mut action,
            size_of::<u64>(),
        )
    };
    if result == 0 { Ok(action) } else { Err(io::Error::last_os_error()) }
}

fn set_action(action: &Action) -> io::Result<()> {
    set_action_of(SIGNAL, action)
}

fn set_action_of(signal: c_int, action: &Action) -> io::Result<()> {
    // SAFETY: the call reads the kernel's struct sigaction. Its handler is the default, none, the C library's, put back as it
    // was found, or `arrive`, which is there as long as the program is and does what signal-safety(7) allows.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            ptr::from_ref(action),
            ptr::null_mut::<Action>(),
            size_of::<u64>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// On this processor the way back from a handler is the program's business; on the others, the kernel's.
#[cfg(target_arch = "x86_64")]
const SA_RESTORER: c_ulong = 0x0400_0000;
#[cfg(not(target_arch = "x86_64"))]
const SA_RESTORER: c_ulong = 0;

#[cfg(target_arch = "x86_64")]
fn restorer() -> usize {
    /// rt_sigreturn(2), from where the kernel has put the state of what was interrupted.
    #[unsafe(naked)]
    unsafe extern "C" fn back() -> ! {
        core::arch::naked_asm!("mov rax, 15", "syscall")
    }
    back as *const () as usize
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "riscv64")))]
fn restorer() -> usize {
    0
}
