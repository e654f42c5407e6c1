//! Executes the program of a proven transition, in the same process.

use alloc::borrow::ToOwned;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ffi::CStr;

use stepdown_conf::{Cause, Finding, shell_word};
use stepdown_kernel::environment::Environment;
use stepdown_kernel::{exec, host};
use stepdown_security::errno::Errno;
use stepdown_security::policy::Policy;

use crate::prepare::Ready;
use crate::transition::Proof;

/// Why no program runs.
#[derive(Debug)]
pub struct LaunchError {
    /// What is wrong.
    pub finding: Finding,
    /// What execve(2) answered; `None` where it claimed success.
    pub errno: Option<Errno>,
}

/// Replaces this process by the program that `ready` found, with `arguments` (the first is the name it is called by)
/// and this environment, in which HOME, USER and LOGNAME follow the new identity.
///
/// Comes back only if that failed; the process has stepped down by then and has to exit.
#[must_use]
pub fn execute(ready: &Ready, _proof: &Proof, arguments: &[&CStr], environment: &Environment) -> LaunchError {
    let Some(program) = &ready.program else {
        return LaunchError { finding: no_program("no program was named"), errno: Some(Errno::NOENT) };
    };
    let own: Vec<CString> = identity(&ready.policy);
    let error = exec::execute(&program.path, arguments, &with(environment, &own));
    let path = program.path.to_string_lossy();
    match error.errno() {
        None => LaunchError { finding: no_program(&format!("{path}: {error}")), errno: None },
        Some(errno) => LaunchError { finding: refused(&path, errno, ready), errno: Some(errno) },
    }
}

/// HOME, USER and LOGNAME of the policy's user, as entries of an environment.
fn identity(policy: &Policy) -> Vec<CString> {
    // What the name service gave has no NUL byte in it.
    let entry =
        |(name, value): &(&str, String)| CString::new([name, "=", value].concat()).unwrap_or_default();
    policy.environment().iter().map(entry).collect()
}

/// The environment with these entries instead of those of the same name.
fn with<'a>(environment: &'a Environment, own: &'a [CString]) -> Vec<&'a CStr> {
    let name = |entry: &CStr| entry.to_bytes().iter().position(|&byte| byte == b'=');
    let replaced = |entry: &&CStr| {
        name(entry).is_some_and(|length| {
            own.iter().any(|own| own.to_bytes().starts_with(&entry.to_bytes()[..=length]))
        })
    };
    let mut list: Vec<&CStr> = environment.entries().filter(|entry| !replaced(entry)).collect();
    list.extend(own.iter().map(CString::as_c_str));
    list
}

fn refused(path: &str, errno: Errno, ready: &Ready) -> Finding {
    let user = ready.policy.user.value.id;
    let finding = Finding::error("not-executed", Cause::Host, format!("{path} was not executed: {errno}"));
    match errno {
        // Since Linux 3.1 it is not setresuid(2) but the execve(2) after it that fails over this limit.
        Errno::AGAIN => {
            let limit = host::task_limit().map_or_else(|| "none".to_owned(), |limit| limit.to_string());
            finding
                .because(format!(
                    "user {user} has {} tasks and the limit is {limit} (RLIMIT_NPROC); execve(2) fails over it after a change of user",
                    host::tasks_of_user(user)
                ))
                .hint("raise the limit where the server is started (ulimit -u, LimitNPROC=), or stop some of the user's processes")
        }
        Errno::ACCES => finding
            .because(format!("user {user} may not execute it, or not search a directory on the way to it"))
            .hint(format!("see `namei -l {0}`", shell_word(path))),
        Errno::NOENT => finding
            .because("it was there a moment ago, so what is missing is its interpreter or loader, in the new root directory if there is one")
            .hint(format!("see `head -c 80 {0}` for a script, `ldd {0}` for a binary", shell_word(path))),
        Errno(8) => finding
            .because("it is neither a binary for this machine nor a script that begins with #!")
            .hint("add a first line such as #!/bin/sh"),
        Errno::PERM => finding
            .because("a file with capabilities that the bounding set does not allow, a mount without exec rights, or a security module")
            .hint(format!("see `getcap {0}`", shell_word(path))),
        _ => finding.because("so execve(2) has it").hint("see execve(2), section ERRORS"),
    }
}

fn no_program(message: &str) -> Finding {
    Finding::error("not-executed", Cause::Host, message.to_owned())
        .because("the process has stepped down, and there is nothing to execute")
        .hint("see execve(2)")
}
