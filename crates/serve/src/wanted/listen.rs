//! Reads `Listen` scopes, of services and of the console.

use stepdown_conf::{Cause, Finding, Scope, shown};

use super::address::{Address, Kind};
use super::reader::{At, Reader};
use super::{ConsoleListen, Listen};
use crate::options::{Key, LISTEN, Within};

/// The longest name of a socket, sd_listen_fds_with_names(3).
const MAX_NAME: usize = 255;

impl<'a> Reader<'a> {
    /// The listeners of a service.
    pub(super) fn listeners(&mut self, service: Scope<'a>, service_name: &str) -> Vec<Listen> {
        let mut listeners = Vec::new();
        for scope in listens(service) {
            let at = At { scope, within: Within::Listen };
            self.nothing_else(at);
            // Everything else is looked at even where the address is none.
            let address = self.address(scope, "*:443");
            let kind = if self.word(at, Key::Type) == 0 { Kind::Stream } else { Kind::Datagram };
            let name = self.socket_name(at).unwrap_or_else(|| service_name.to_owned());
            let backlog = self.number(at, Key::Backlog);
            let reuse_port = self.boolean(at, Key::ReusePort);
            let free_bind = self.boolean(at, Key::FreeBind);
            let mode = self.mode(at, Key::FileMode);
            let Some((written, address)) = address else { continue };
            self.without_effect(at, &address, kind);
            let is_inet = address.port().is_some();
            listeners.push(Listen {
                place: self.first(scope),
                written,
                kind,
                name,
                backlog,
                reuse_port: reuse_port && is_inet,
                free_bind: free_bind && is_inet,
                mode,
                address,
            });
        }
        listeners
    }

    /// The listeners of the console, which are paths.
    pub(super) fn console_listeners(&mut self, console: Scope<'a>) -> Vec<ConsoleListen> {
        let mut listeners = Vec::new();
        for scope in listens(console) {
            let at = At { scope, within: Within::ConsoleListen };
            self.nothing_else(at);
            let mode = self.mode(at, Key::FileMode);
            match self.address(scope, "/run/stepdown/console") {
                Some((_, Address::Unix(path))) => {
                    listeners.push(ConsoleListen { place: self.first(scope), path, mode });
                }
                Some((written, _)) => {
                    let message = format!("the console can't listen at `{}`", shown(&written));
                    self.findings.push(
                        Finding::error("console-not-a-path", Cause::Text, message)
                            .at(self.first(scope))
                            .because("who may connect is decided by the mode of the socket's file, and only a path has one")
                            .hint("write an absolute path, such as /run/stepdown/console"),
                    );
                }
                None => {}
            }
        }
        listeners
    }

    fn address(&mut self, scope: Scope<'a>, example: &str) -> Option<(String, Address)> {
        let place = self.first(scope);
        let Some(written) = scope.instance() else {
            self.findings.push(
                Finding::error("listen-nowhere", Cause::Text, "this Listen has no address")
                    .at(place)
                    .because("the address stands between the name and the brace")
                    .hint(format!("write Listen \"{example}\" {{ }}")),
            );
            return None;
        };
        match Address::parse(&written) {
            Ok(address) => Some((written.into_owned(), address)),
            Err(error) => {
                let message = format!("the address `{}` {}", shown(&written), error.what);
                let finding = Finding::error("bad-address", Cause::Text, message);
                self.findings.push(finding.at(place).because(error.why).hint(error.hint));
                None
            }
        }
    }

    fn socket_name(&mut self, at: At<'a>) -> Option<String> {
        let (option, text) = self.scalar(at, Key::Name)?;
        let name = text.text();
        let is_name = (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| (byte == b' ' || byte.is_ascii_graphic()) && byte != b':');
        if !is_name {
            self.refuse_value(
                option,
                &text,
                "bad-socket-name",
                "in LISTEN_FDNAMES names are separated by colons, and sd_listen_fds(3) takes 1 to 255 printable ASCII characters",
                "leave out the colon, and what is no ASCII",
            );
            return None;
        }
        Some(name.into_owned())
    }

    fn without_effect(&mut self, at: At<'a>, address: &Address, kind: Kind) {
        if address.port().is_some() {
            self.no_effect(at, Key::FileMode, "the address is no file");
        } else {
            self.no_effect(at, Key::ReusePort, "a Unix socket has no port");
            self.no_effect(at, Key::FreeBind, "a Unix socket has no IP address");
        }
        if matches!(address, Address::Abstract(_)) {
            self.no_effect(
                at,
                Key::FileMode,
                "an abstract socket is no file: whoever is in the same network namespace may connect",
            );
        }
        if kind == Kind::Datagram {
            self.no_effect(at, Key::Backlog, "datagrams do not connect");
        }
    }
}

fn listens(scope: Scope<'_>) -> impl Iterator<Item = Scope<'_>> {
    scope.scopes().filter(|inner| inner.name().eq_ignore_ascii_case(LISTEN))
}
