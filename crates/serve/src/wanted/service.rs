//! Reads a `Service` scope.

use stepdown_conf::{Cause, Finding, Scope, shown};
use stepdown_security::policy::Sourced;
use stepdown_security::request::refused_capabilities;
use stepdown_security::text::{self, CapState};

use super::address::Kind;
use super::reader::{At, Reader, default_of};
use super::{Listen, Output, Restart, Service};
use crate::options::{Key, Within};

/// The longest name of a service; it stands before each line of its output.
const MAX_NAME: usize = 64;

impl<'a> Reader<'a> {
    /// The service; `None` where it has no name or no command that could be used.
    pub(super) fn service(&mut self, scope: Scope<'a>) -> Option<Service> {
        let at = At { scope, within: Within::Service };
        self.nothing_else(at);
        let name = self.service_name(scope);
        let command = self.command(at);
        let listeners = self.listeners(scope, name.as_deref().unwrap_or_default());
        let accept = self.boolean(at, Key::Accept);
        let max_connections = self.number(at, Key::MaxConnections);
        let capabilities = self.capabilities(at);
        let notify = self.boolean(at, Key::Notify);
        let ready_after = self.seconds(at, Key::ReadyAfter);
        let start_timeout = self.limit(at, Key::StartTimeout);
        let graceful_timeout = self.seconds(at, Key::GracefulTimeout);
        let restart =
            [Restart::Always, Restart::OnFailure, Restart::Never][self.word(at, Key::Restart).min(2)];
        let (restart_pause, restart_pause_max) = self.pauses(at);
        let restart_limit = Some(self.number(at, Key::RestartLimit)).filter(|limit| *limit > 0);
        let output = if self.word(at, Key::Output) == 0 { Output::Prefix } else { Output::Direct };
        let directory = self.path(at, Key::Directory).unwrap_or_else(|| {
            Sourced::default_of(default_of(at, Key::Directory).into(), "the default of Directory")
        });
        let environment = self.environment(at);
        if accept {
            self.accepting(at, &listeners);
        } else {
            self.no_effect(at, Key::MaxConnections, "without Accept, the service accepts connections itself");
        }
        Some(Service {
            name: name?,
            place: self.first(scope),
            command: command?,
            listeners,
            accept,
            max_connections,
            capabilities,
            notify: notify && !accept,
            ready_after,
            start_timeout,
            graceful_timeout,
            restart,
            restart_pause,
            restart_pause_max,
            restart_limit,
            output,
            directory,
            environment,
        })
    }

    fn service_name(&mut self, scope: Scope<'a>) -> Option<String> {
        let place = self.first(scope);
        let Some(name) = scope.instance() else {
            self.findings.push(
                Finding::error("nameless-service", Cause::Text, "this Service has no name")
                    .at(place)
                    .because(
                        "its name is how the console and the log call it, and what tells it from the others",
                    )
                    .hint("write Service \"web\" { ... }"),
            );
            return None;
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_plain) || name.starts_with('-') {
            let message = format!("`{}` is no name for a Service", shown(&name));
            self.findings.push(
                Finding::error("bad-service-name", Cause::Text, message)
                    .at(place)
                    .because("it is a word of the console's commands and stands before each line of output")
                    .hint("write up to 64 letters, digits, `.`, `_` and `-`, the first of them no `-`"),
            );
            return None;
        }
        Some(name.into_owned())
    }

    fn command(&mut self, at: At<'a>) -> Option<Sourced<Vec<String>>> {
        if at.written(Key::Command).is_none() {
            self.findings.push(
                Finding::error("no-command", Cause::Text, "this Service has no Command")
                    .at(self.first(at.scope))
                    .because("a service is a program, and Command names it")
                    .hint("write Command = ( \"/usr/sbin/my-web\" \"--flag\" )"),
            );
            return None;
        }
        let (option, texts) = self.array(at, Key::Command)?;
        let Some(program) = texts.first() else {
            let value = option.setting.current().value();
            self.refuse_form(
                option,
                &value,
                "empty-command",
                "names no program",
                "write ( \"/path/of/the/program\" ... )",
            );
            return None;
        };
        if !self.is_absolute(option, program) {
            return None;
        }
        let path = program.text();
        if texts.len() == 1 && path.contains(char::is_whitespace) {
            self.push_at(
                Finding::warning("blank-in-command", Cause::Text, "the program's path has blanks in it")
                    .because("Command is not split into words: all of it is the path of the program")
                    .hint("did you mean an array, ( \"/path\" \"argument\" )?"),
                program,
            );
        }
        let value = texts.iter().map(|text| text.text().into_owned()).collect();
        Some(Sourced { value, origin: self.origin(option.setting) })
    }

    fn capabilities(&mut self, at: At<'a>) -> Option<Sourced<CapState>> {
        let (option, text) = self.scalar(at, Key::Capabilities)?;
        match text::parse(&text.text(), self.capability_count) {
            Ok(value) => Some(Sourced { value, origin: self.origin(option.setting) }),
            Err(error) => {
                self.findings.push(refused_capabilities(self.config, option.spec.name, &text, &error));
                None
            }
        }
    }

    fn pauses(&mut self, at: At<'a>) -> (std::time::Duration, std::time::Duration) {
        let pause = self.seconds(at, Key::RestartPause);
        let longest = self.seconds(at, Key::RestartPauseMax);
        if longest < pause
            && let Some(option) = at.written(Key::RestartPauseMax)
        {
            let place = self.config.place(option.setting.current().span());
            self.findings.push(
                Finding::error("pauses-crossed", Cause::Text, "Restart_Pause_Max is less than Restart_Pause")
                    .at(place)
                    .because("the pause begins with Restart_Pause and grows to Restart_Pause_Max")
                    .hint("raise the one or lower the other"),
            );
        }
        (pause, longest.max(pause))
    }

    fn accepting(&mut self, at: At<'a>, listeners: &[Listen]) {
        let why = "with Accept, a connection's process is started when a client comes, and ends with it";
        for key in [Key::Notify, Key::ReadyAfter, Key::StartTimeout] {
            self.no_effect(at, key, why);
        }
        for key in [Key::Restart, Key::RestartPause, Key::RestartPauseMax, Key::RestartLimit] {
            self.no_effect(at, key, why);
        }
        let datagrams: Vec<_> = listeners
            .iter()
            .filter(|listen| listen.kind == Kind::Datagram)
            .map(|listen| &listen.place)
            .collect();
        let rule =
            "Accept takes connections, one process for each, and only listeners of type stream have them";
        for place in &datagrams {
            self.findings.push(
                Finding::error("accept-datagram", Cause::Text, "Accept can't take datagrams")
                    .at((*place).clone())
                    .because(rule)
                    .hint("remove the Type, or move the listener to a service without Accept"),
            );
        }
        if at.scope.scopes().next().is_none() {
            let place = self.first(at.scope);
            self.findings.push(
                Finding::error(
                    "accept-nothing",
                    Cause::Text,
                    "Accept has no listener to take connections from",
                )
                .at(place)
                .because(rule)
                .hint("write Listen \"*:PORT\" { }, or remove Accept"),
            );
        }
    }
}
