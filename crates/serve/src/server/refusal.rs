//! Why the server does not start, or does not take a new configuration: what the host answered, in words.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stepdown_conf::{Cause, Finding, shell_word, shown_path};
use stepdown_kernel::pidfile::PidfileError;
use stepdown_kernel::sockets::BindError;
use stepdown_kernel::subject::unprivileged_port_start;
use stepdown_kernel::trust::{self, Untrusted};
use stepdown_security::capability::Capability;
use stepdown_security::errno::Errno;
use stepdown_security::policy::Sourced;

use super::wish::Wish;

/// A listener that can't be had.
pub(super) fn not_bound(wish: &Wish, error: &BindError) -> Finding {
    let written = shown_path(&wish.written);
    let finding =
        Finding::error("not-bound", Cause::Host, format!("{written} can't be listened on: {error}"))
            .at(wish.place.clone());
    match error {
        BindError::Live => finding
            .because("a process listens on it, perhaps this server, started already")
            .hint("`stepdown restart` replaces a running server; see who it is with `ss -xlp`"),
        BindError::NotASocket(_) => finding
            .because("only the socket of a server that has ended is removed, and nothing else")
            .hint("choose another path, or remove it"),
        BindError::Untrusted(untrusted) => finding
            .because("the directory of a socket may be the user's own, and everything above it has to be root's alone: whoever can change the way decides what root changes at its end")
            .hint(to_owner(wish, untrusted)),
        BindError::System("bind", Errno::ACCES) => match privileged_port(wish) {
            Some((port, first)) => finding
                .because(format!(
                    "ports below {first} take {}, which this process does not have: port {port} is one, and what Security does not retain is gone for good",
                    Capability::NET_BIND_SERVICE
                ))
                .hint(format!(
                    "write Capabilities = \"{}+ep\" in Security and `stepdown restart`: a server that retains it can add such listeners while it runs",
                    Capability::NET_BIND_SERVICE
                )),
            None => finding
                .because("the user of the scope may not make a file in that directory")
                .hint(format!("see `namei -l {}`; give that user a directory of its own", shell_word(&wish.written))),
        },
        BindError::System("bind", Errno(ADDRINUSE)) => finding
            .because("another socket has the address, or part of it: that of another process, or one of this server's own")
            .hint("see who it is with `ss -lnp`; an address that changes its form takes two reloads, or a restart"),
        BindError::System("bind", Errno(ADDRNOTAVAIL)) => finding
            .because("no interface of this host has the address")
            .hint("`Free_Bind = true` binds an address that is yet to come; see `ip address`"),
        BindError::System(_, Errno(MFILE | NFILE)) => finding
            .because("the process, or the host, has as many descriptors open as it may")
            .hint("raise the limit where the server is started (ulimit -n, LimitNOFILE=)"),
        BindError::System(_, Errno::NOENT) => finding
            .because("the directory is not there; only the last directory of a path is made")
            .hint(format!("see `namei -l {}`", shell_word(&wish.written))),
        BindError::System(call, _) => {
            finding.because("so the kernel has it").hint(format!("see {call}(2), section ERRORS"))
        }
    }
}

/// Whether there were too many descriptors open.
pub(super) fn is_exhaustion(error: &BindError) -> bool {
    matches!(error, BindError::System(_, Errno(MFILE | NFILE)))
}

/// An address that is in use by a socket of the server itself, which the same reload would close.
pub(super) fn displaced(wish: &Wish) -> Finding {
    Finding::error(
        "address-in-use-here",
        Cause::Host,
        format!("{} can't be listened on while a socket of this server has the address, or part of it", shown_path(&wish.written)),
    )
    .because("the old socket would have to be closed first: clients would be refused meanwhile, and there would be no way back")
    .hint("remove the old listener in one reload and add the new one in the next, or `stepdown restart`")
    .at(wish.place.clone())
}

/// A pid file that can't be had.
pub(super) fn no_pidfile(pidfile: &Sourced<String>, error: &PidfileError) -> Finding {
    let path = shown_path(&pidfile.value);
    let finding = Finding::error("no-pidfile", Cause::Host, format!("{path} can't be the pid file: {error}"))
        .at_if(pidfile.origin.place());
    match error {
        PidfileError::Held(_) => finding
            .because("a server that runs keeps its pid file locked")
            .hint("`stepdown restart` replaces a running server"),
        PidfileError::NotOurs(_) => finding
            .because("whoever put it there would have root write to a file of theirs")
            .hint("choose a path in a directory that is root's alone"),
        PidfileError::Untrusted(untrusted) => finding
            .because("whoever can change the way decides which file root writes to")
            .hint(format!("{}; or choose a path such as /run/stepdown.pid", to_root(untrusted))),
        PidfileError::System(..) => finding
            .because("so the kernel has it")
            .hint(format!("see `namei -l {}`", shell_word(&pidfile.value))),
    }
}

/// What there is to say of a pid file, before it is made, whose directory is not root's.
pub(super) fn steered_pidfile(pidfile: &Sourced<String>) -> Option<Finding> {
    let path = Path::new(&pidfile.value);
    let directory = path.parent().filter(|_| trust::is_privileged())?;
    // What is not trusted on the way is refused, and not told here.
    let status = trust::way(directory.as_os_str().as_bytes()).ok()?.ok()?;
    let how = trust::writable_by_others(&status, true)?;
    Some(
        Finding::warning(
            "pidfile-not-trusted",
            Cause::Host,
            format!("the pid file {} is in a directory that is not root's alone: {how}", shown_path(&pidfile.value)),
        )
        .because("whoever can replace the file decides which process `kill $(cat ...)` of root's ends")
        .hint("choose a path in a directory of root's, such as /run/stepdown.pid; `stepdown restart` puts it in force")
        .at_if(pidfile.origin.place()),
    )
}

/// A socket that goes on, in a directory of somebody who has nothing to do with it any more.
pub(super) fn foreign_directory(wish: &Wish, untrusted: &Untrusted) -> Finding {
    let directory = &untrusted.what;
    let owner = wish.options.owner.map_or(0, |(user, _)| user);
    Finding::warning(
        "socket-not-trusted",
        Cause::Host,
        format!("{} goes on in a directory that is neither root's nor user {owner}'s: {untrusted}", shown_path(&wish.written)),
    )
    .because("it was handed over with its clients; but whoever has the directory can put another socket in its place, and a start without a handover is refused")
    .hint(format!("chown {owner} {0} && chmod go-w {0}", shell_word(directory)))
    .at(wish.place.clone())
}

/// Something that every server needs and could not be had.
pub(super) fn no_machinery(what: &str, error: &std::io::Error) -> Finding {
    Finding::error("no-machinery", Cause::Host, format!("{what}: {error}"))
        .because("a server can't live without it")
        .hint("look for a limit (ulimit -a), a seccomp filter or a security module")
}

const MFILE: i32 = 24;
const NFILE: i32 = 23;
const ADDRINUSE: i32 = 98;
const ADDRNOTAVAIL: i32 = 99;

/// The directory of the socket itself is to be the user's, as after a change of `User`; what is above it, root's.
fn to_owner(wish: &Wish, untrusted: &Untrusted) -> String {
    let is_last = Path::new(&wish.written).parent() == Some(Path::new(&untrusted.what));
    match wish.options.owner {
        Some((user, _)) if is_last => {
            format!("chown {user} {0} && chmod go-w {0}", shell_word(&untrusted.what))
        }
        _ => to_root(untrusted),
    }
}

fn to_root(untrusted: &Untrusted) -> String {
    let what = &untrusted.what;
    format!("chown root {0} && chmod go-w {0}", shell_word(what))
}

/// The port and the first one that needs no right, where that is what is missing.
fn privileged_port(wish: &Wish) -> Option<(u16, u32)> {
    let port = match &wish.key.address {
        crate::wanted::Address::Inet(address) => address.port(),
        crate::wanted::Address::Any(port) => *port,
        _ => return None,
    };
    let first = unprivileged_port_start().unwrap_or(1024);
    (u32::from(port) < first).then_some((port, first))
}
