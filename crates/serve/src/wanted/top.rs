//! Reads what stands at the top of the configuration, and looks for what was meant for us and would be passed over.

use stepdown_conf::{Cause, Finding, Scope, nearest, shown};

use super::reader::{At, Reader};
use super::{Console, Wanted};
use crate::console::authority::Rights;
use crate::options::{CONSOLE, Key, LISTEN, SERVICE, Within};

impl<'a> Reader<'a> {
    pub(super) fn wanted(&mut self) -> Wanted {
        let root = self.config.root();
        let top = At { scope: root, within: Within::Top };
        let mut console = None;
        let mut services = Vec::new();
        for scope in root.scopes() {
            if is(scope, CONSOLE) {
                console = console.or(self.console(scope));
            } else if is(scope, SERVICE) {
                services.extend(self.service(scope));
            } else if is(scope, LISTEN) {
                self.stray_listener(scope);
            } else {
                self.perhaps_ours(scope);
            }
        }
        for name in [CONSOLE, SERVICE] {
            self.not_an_option(root, name);
        }
        Wanted { pidfile: self.path(top, Key::Pidfile), console, services }
    }

    fn console(&mut self, scope: Scope<'a>) -> Option<Console> {
        let place = self.first(scope);
        if let Some(name) = scope.instance() {
            let message = format!("{CONSOLE} takes no name, but is called `{}` here", shown(&name));
            self.findings.push(
                Finding::error("named-console", Cause::Text, message)
                    .at(place)
                    .because("there is one console; it may listen in several places")
                    .hint("write Control_Listener { Listen \"/run/stepdown/console\" { } }"),
            );
            return None;
        }
        let at = At { scope, within: Within::Console };
        self.nothing_else(at);
        let listeners = self.console_listeners(scope);
        if !scope.scopes().any(|inner| is(inner, LISTEN)) {
            self.findings.push(
                Finding::error("console-nowhere", Cause::Text, format!("{CONSOLE} has no Listen"))
                    .at(place.clone())
                    .because("without one, nobody could reach the console")
                    .hint("write Listen \"/run/stepdown/console\" { }, or remove the scope"),
            );
        }
        Some(Console {
            place,
            listeners,
            timeout: self.limit(at, Key::Timeout),
            own_user: match self.word(at, Key::OwnUser) {
                0 => Rights::Change,
                1 => Rights::Look,
                _ => Rights::Nothing,
            },
            operators: self.peers(at, Key::Operators),
            observers: self.peers(at, Key::Observers),
            max_sessions: self.number(at, Key::MaxSessions),
        })
    }

    fn stray_listener(&mut self, scope: Scope<'a>) {
        self.findings.push(
            Finding::error("listen-outside", Cause::Text, "this Listen stands outside of a Service")
                .at(self.first(scope))
                .because("nobody would get its socket")
                .hint("move it into the Service that it is for, or into Control_Listener"),
        );
    }

    /// `Service = web`, `Control_Listener [ ... ]`.
    fn not_an_option(&mut self, root: Scope<'a>, name: &str) {
        let Some(setting) = root.option(name) else { return };
        for assignment in setting.history() {
            let message = format!("{name} is {} here, not a scope", assignment.value().kind());
            self.findings.push(
                Finding::error("not-a-scope", Cause::Text, message)
                    .at(self.config.place(assignment.name_span()))
                    .because("nothing in it would count")
                    .hint(match name {
                        SERVICE => "write Service \"web\" { ... }, with braces",
                        _ => "write Control_Listener { ... }, with braces",
                    }),
            );
        }
    }

    /// Scopes of other software are left alone; one that is spelt nearly like ours and holds what ours holds is warned about.
    fn perhaps_ours(&mut self, scope: Scope<'a>) {
        let Some(meant) = nearest(scope.name(), [SERVICE, CONSOLE].into_iter()) else { return };
        let has_listener = scope.scopes().any(|inner| is(inner, LISTEN));
        if has_listener || scope.option("Command").is_some() {
            self.findings.push(
                Finding::warning(
                    "misspelt-scope",
                    Cause::Text,
                    format!("`{}` is passed over", shown(scope.name())),
                )
                .at(self.first(scope))
                .because("there is no such scope here, and those of other software are left alone")
                .hint(format!("did you mean {meant}?")),
            );
        }
    }
}

fn is(scope: Scope<'_>, name: &str) -> bool {
    scope.name().eq_ignore_ascii_case(name)
}
