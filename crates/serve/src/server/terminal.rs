//! Whether a service can hear what is typed: a terminal that is somebody's standard output can be read from as well, tty(4).
//!
//! Not for: terminals of services with `Output = prefix`, which have a pipe.

use std::io::IsTerminal;
use std::os::fd::BorrowedFd;

use stepdown_conf::{Cause, Finding};
use stepdown_kernel::output;

use crate::wanted::{Output, Service};

/// A warning, where a service gets a terminal of this process.
pub(super) fn handed_to(service: &Service) -> Option<Finding> {
    judge(service, output::standard_output(), output::standard_error())
}

fn judge(service: &Service, out: BorrowedFd<'_>, error: BorrowedFd<'_>) -> Option<Finding> {
    // With Accept, the standard output is the connection.
    let gets_terminal = error.is_terminal() || (!service.accept && out.is_terminal());
    (service.output == Output::Direct && gets_terminal).then(|| {
        let message = format!("`{}` gets the terminal that the server was started on", service.name);
        Finding::warning("terminal-handed-on", Cause::Host, message)
            .at(service.place.clone())
            .because(
                "Output = direct passes standard output and error on, and from a terminal a service can read what is typed there",
            )
            .hint("write Output = prefix, or start the server with its output in a file or a pipe")
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use stepdown_conf::Config;

    use super::*;

    fn service(options: &str) -> Service {
        let text = format!("Service a {{ Command = /x Listen \"*:1\" {{ }} {options} }}");
        let config = Config::from_text("t", &text).expect("it is well formed");
        crate::wanted::read(&config, 41).expect("it is right").0.services.remove(0)
    }

    fn open(path: &str) -> OwnedFd {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path);
        file.expect("it is there").into()
    }

    #[test]
    fn only_a_terminal_that_is_passed_on_is_warned_about() {
        // The side of a new terminal that is read by whoever made it answers as the other does, pts(4).
        let (master, null) = (open("/dev/ptmx"), open("/dev/null"));
        let (tty, null) = (master.as_fd(), null.as_fd());
        for (options, out, error, expected) in [
            ("Output = direct", tty, null, true),
            ("Output = direct", null, tty, true),
            ("Output = direct", null, null, false),
            ("", tty, tty, false),
            ("Output = direct Accept = true", tty, null, false),
            ("Output = direct Accept = true", null, tty, true),
        ] {
            assert_eq!(judge(&service(options), out, error).is_some(), expected, "{options}");
        }
    }
}
