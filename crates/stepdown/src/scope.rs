//! A `Security` scope for a program that embeds it: from a file, from text, or built in code.

use std::path::Path;
use std::time::Duration;

use stepdown_conf::{Cause, Config, Finding, quote};
use stepdown_kernel::environment::Environment;
use stepdown_kernel::{host, threads};
use stepdown_security::plan::{Plan, PlannedStep};
use stepdown_security::policy::Policy;
use stepdown_security::request::Request;

use crate::error::Error;
use crate::every;
use crate::prepare::{self, End, Ready};
use crate::source;
use crate::transition::Proof;

/// A `Security` scope whose text is in order; nothing about this host is known yet.
#[derive(Clone, Debug)]
pub struct Security {
    pub(crate) request: Request,
    pub(crate) findings: Vec<Finding>,
    pub(crate) capability_count: u8,
    on_refusal: OnRefusal,
}

/// Builds a [`Security`] in code; every option has the meaning and the default that it has in a file.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    text: String,
    on_refusal: OnRefusal,
}

/// What [`Planned::apply`] does where it can't begin: nothing has changed then. Once something has, a process of several
/// threads is stopped, whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRefusal {
    /// It returns the error, and the process goes on as what it was.
    #[default]
    Error,
    /// It ends the process by SIGABRT, with a line on standard error: for a program that must not go on with what it has,
    /// whatever its caller makes of an error. A failure half-way of a process with one thread, else an error, ends it as
    /// well.
    Abort,
}

/// A transition of this process that is ready to be made. Nothing has changed yet.
#[derive(Debug)]
#[must_use = "nothing changes before `apply`"]
pub struct Planned {
    ready: Ready,
    process: u32,
    on_refusal: OnRefusal,
    limit: Duration,
}

impl Security {
    /// Reads the scope of a configuration file, with everything that it includes.
    ///
    /// # Errors
    /// Everything that is wrong with the files or the scope; see [`Error::findings`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Security, Error> {
        Security::from_config(&source::load(Some(path.as_ref())).map_err(Error::refused)?)
    }

    /// Reads the scope of `stepdown.conf` along the search path, see [`source::path`].
    ///
    /// # Errors
    /// As [`Security::from_file`], and where there is no such file.
    pub fn from_search_path() -> Result<Security, Error> {
        Security::from_config(&source::load(None).map_err(Error::refused)?)
    }

    /// Reads the scope of a text. It can't include files; `name` is what messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    ///
    /// ```
    /// let text = r#"Security { user = nobody  group = nogroup  Capabilities = "cap_net_bind_servce+ep" }"#;
    /// let error = stepdown::Security::from_text("built in", text).unwrap_err();
    /// assert!(error.to_string().contains("did you mean cap_net_bind_service?"));
    /// ```
    pub fn from_text(name: &str, text: &str) -> Result<Security, Error> {
        Security::from_config(&Config::from_text(name, text).map_err(Error::refused)?)
    }

    /// Reads the scope of a configuration that was loaded already.
    ///
    /// # Errors
    /// Everything that is wrong with the scope.
    pub fn from_config(config: &Config) -> Result<Security, Error> {
        let capability_count = host::capability_count();
        let (request, findings) = prepare::read(config, capability_count).map_err(Error::refused)?;
        Ok(Security { request, findings, capability_count, on_refusal: OnRefusal::Error })
    }

    /// Begins a scope in code, with the user to become: a name, or an id in decimal.
    ///
    /// ```
    /// let security = stepdown::Security::builder("nobody")
    ///     .capabilities("cap_net_bind_service+ep")
    ///     .supplemental_groups(&[])
    ///     .build()
    ///     .expect("the text of every option is in order");
    /// ```
    #[must_use]
    pub fn builder(user: &str) -> Builder {
        Builder::default().option("User", user)
    }

    /// What [`Planned::apply`] does where it can't begin; without it, it returns the error.
    #[must_use]
    pub fn on_refusal(self, on_refusal: OnRefusal) -> Security {
        Security { on_refusal, ..self }
    }

    /// Warnings and notes of the text; none of them stands in the way.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.findings
    }

    /// Plans the transition of this process. Looks up names, looks at the process and at the host, and refuses all that
    /// has to be refused. Nothing is changed.
    ///
    /// # Errors
    /// Everything that is in the way: names that do not exist, capabilities that are not held, a directory that is not
    /// there, threads that are not all in the same state, a signal that somebody else uses.
    pub fn plan(&self) -> Result<Planned, Error> {
        let ready = prepare::prepare_request(
            &self.request,
            self.findings.clone(),
            End::Stay,
            &[],
            &Environment::of_process(),
            self.capability_count,
            true,
        )
        .map_err(Error::from_refusal)?;
        let process = std::process::id();
        Ok(Planned { ready, process, on_refusal: self.on_refusal, limit: threads::LIMIT })
    }
}

impl Builder {
    /// The primary group, by name or id; without it, the user's own.
    #[must_use]
    pub fn group(self, group: &str) -> Builder {
        self.option("Group", group)
    }

    /// The capabilities to retain, in the text of cap_from_text(3); without it, none.
    #[must_use]
    pub fn capabilities(self, text: &str) -> Builder {
        self.option("Capabilities", text)
    }

    /// The directory that becomes the root directory: an absolute path.
    #[must_use]
    pub fn chroot(self, directory: &str) -> Builder {
        self.option("Chroot", directory)
    }

    /// The supplementary groups, by name or id; without it, those that list the user.
    #[must_use]
    pub fn supplemental_groups(mut self, groups: &[&str]) -> Builder {
        self.text.push_str("Supplemental_Groups = (");
        for group in groups {
            self.text.push(' ');
            self.text.push_str(&quoted(group));
        }
        self.text.push_str(" )\n");
        self
    }

    /// Whether later executions are kept from gaining privilege; without it, they are.
    #[must_use]
    pub fn no_new_privs(self, set: bool) -> Builder {
        self.option("No_New_Privs", if set { "true" } else { "false" })
    }

    /// What later executions could at most hold: names of capabilities, or `all`; without it, what is retained.
    #[must_use]
    pub fn bounding_set(self, names: &str) -> Builder {
        self.option("Bounding_Set", names)
    }

    /// What [`Planned::apply`] does where it can't begin; without it, it returns the error.
    #[must_use]
    pub fn on_refusal(self, on_refusal: OnRefusal) -> Builder {
        Builder { on_refusal, ..self }
    }

    /// The scope, by the very rules that a file is read by. Places in messages are lines of the scope as it would be
    /// written, one option a line.
    ///
    /// # Errors
    /// Everything that is wrong with the values.
    pub fn build(self) -> Result<Security, Error> {
        let security = Security::from_text("(in code)", &format!("Security {{\n{}}}\n", self.text))?;
        Ok(security.on_refusal(self.on_refusal))
    }

    fn option(mut self, name: &str, value: &str) -> Builder {
        self.text.push_str(name);
        self.text.push_str(" = ");
        self.text.push_str(&quoted(value));
        self.text.push('\n');
        self
    }
}

impl Planned {
    /// The steps, each with the state that it must lead to.
    #[must_use]
    pub fn steps(&self) -> Vec<PlannedStep> {
        self.ready.plan.journey()
    }

    /// The whole plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.ready.plan
    }

    /// What is asked for, names resolved, each value with its origin.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.ready.policy
    }

    /// Warnings and notes; none of them stands in the way.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.ready.findings
    }

    /// How long [`Planned::apply`] waits for the other threads to come, five seconds if nothing is said. Those that have come
    /// stand still meanwhile.
    pub fn wait_at_most(self, limit: Duration) -> Planned {
        Planned { limit, ..self }
    }

    /// Takes this process through the plan, all of its threads in one pass, and proves, from the kernel's own account of each,
    /// that it is where it must be.
    ///
    /// Where there are several threads, each of the others is interrupted once, by signal 33 (34 with musl), which the C
    /// library keeps for changes of credentials; it stands still until all are proven. A call that it was in is begun again
    /// as `SA_RESTART` of sigaction(2) has it; epoll_wait, poll, select, nanosleep and their like, see signal(7), end with
    /// EINTR. Masks, `errno` and handlers are then what they were. Threads that are being started meanwhile are taken
    /// along.
    ///
    /// From the first step on there is no error in such a process: if a step fails in one thread, if a thread ends in the
    /// middle, or if the kernel's account of one differs, the process is stopped by SIGABRT, with one line on standard error
    /// that names the thread and the reason, before any of its threads goes on.
    ///
    /// The environment stays as it is; HOME, USER and LOGNAME are in [`Policy::environment`].
    ///
    /// # Errors
    /// With several threads, what kept it from beginning: a thread that can't be interrupted or does not come in time, a
    /// signal that somebody else handles. Nothing has changed then. With one thread, a step that failed, or a state that
    /// differs; then [`Error::is_unchanged`] is false, the process is somewhere between the two, and the only right thing to
    /// do is to exit. In a child that was forked since, nothing is changed.
    pub fn apply(self) -> Result<Proof, Error> {
        // With `self` goes everything that the plan held open.
        let result = if self.process == std::process::id() {
            every::apply_within(&self.ready, self.limit)
        } else {
            Err(every::Failure { finding: Box::new(another_process(self.process)), unchanged: true })
        };
        result.map_err(|failure| match self.on_refusal {
            OnRefusal::Abort => threads::stop_process(&failure.finding.to_string()),
            OnRefusal::Error if failure.unchanged => Error::refused(vec![*failure.finding]),
            OnRefusal::Error => Error::half_way(*failure.finding),
        })
    }
}

/// The plan's eyes, opened on `/proc`, still look at the parent.
fn another_process(planned: u32) -> Finding {
    Finding::error("another-process", Cause::Host, format!("this plan was made for process {planned}"))
        .because("this is a child of it, and a plan holds open what it reads of the process that made it")
        .hint("plan in the process that is to step down")
}

/// In quotes always, so that whatever is in the value stays the value.
fn quoted(value: &str) -> String {
    let text = quote(value);
    if text.starts_with('"') { text.into_owned() } else { format!("\"{text}\"") }
}
