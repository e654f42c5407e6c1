//! A `Security` scope that is not where, or not what, it should be, and would be passed over in silence: inside another scope,
//! with a name, as an option, or misspelt. A scope that is not seen must never mean "none".

use alloc::format;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Config, Finding, Scope, nearest, shown};

use crate::options::{Key, Read, SCOPE};

/// Everything of that kind in a configuration.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    named(config, &mut findings);
    as_option(config, &mut findings);
    nested(config, &mut findings);
    if config.root().scope(SCOPE, None).is_none() && findings.is_empty() {
        without_scope(config, &mut findings);
    }
    findings
}

fn is_security(name: &str) -> bool {
    name.eq_ignore_ascii_case(SCOPE)
}

fn named(config: &Config, findings: &mut Vec<Finding>) {
    for scope in config.root().scopes().filter(|scope| is_security(scope.name())) {
        let Some(name) = scope.instance() else { continue };
        for span in scope.definitions() {
            findings.push(
                Finding::error(
                    "named-security",
                    Cause::Text,
                    format!("{SCOPE} takes no name, but is called `{}` here", shown(&name)),
                )
                .at(config.place(span))
                .because("a process has one identity, so there is one Security scope, without a name")
                .hint("write `Security { ... }`; several of them are merged, option by option"),
            );
        }
    }
}

/// `Security = nobody`, `Security [ user = nobody ]`, `Security ( ... )`.
fn as_option(config: &Config, findings: &mut Vec<Finding>) {
    if let Some(setting) = config.root().option(SCOPE) {
        for assignment in setting.history() {
            findings.push(
                Finding::error(
                    "security-not-a-scope",
                    Cause::Text,
                    format!("{SCOPE} is {} here, not a scope", assignment.value().kind()),
                )
                .at(config.place(assignment.name_span()))
                .because("nothing in it would count, and the server would become somebody else")
                .hint("write `Security { user = NAME ... }`, with braces"),
            );
        }
    }
}

/// Finds `Security` inside other scopes. A stack of our own, so that no depth of nesting can exhaust the thread's.
fn nested(config: &Config, findings: &mut Vec<Finding>) {
    let mut open: Vec<Scope<'_>> =
        config.root().scopes().filter(|scope| !is_security(scope.name())).collect();
    while let Some(outer) = open.pop() {
        for scope in outer.scopes() {
            if !is_security(scope.name()) {
                open.push(scope);
                continue;
            }
            for span in scope.definitions() {
                findings.push(
                    Finding::error(
                        "nested-security",
                        Cause::Text,
                        format!("{SCOPE} stands inside the scope `{}`", outer.name()),
                    )
                    .at(config.place(span))
                    .because("it is valid at the top of the file only, since it is about the whole process")
                    .hint("move it out of the scope, or close the scope before it"),
                );
            }
        }
    }
}

/// Without a scope the defaults hold. What looks as if a scope was meant is an error, everything else a warning.
fn without_scope(config: &Config, findings: &mut Vec<Finding>) {
    let root = config.root();
    for scope in root.scopes().filter(|scope| nearest(scope.name(), [SCOPE].into_iter()).is_some()) {
        let Some(span) = scope.definitions().next() else { continue };
        findings.push(
            Finding::error("misspelt-security", Cause::Text, format!("there is no scope `{}`", scope.name()))
                .at(config.place(span))
                .because("there is no Security scope in the files, and this looks like one")
                .hint("did you mean Security?"),
        );
    }
    // At the top, other software has options of the same name; those that mean a change of user are meant for us.
    for setting in root.options() {
        let ours = Read::by_name(setting.name())
            .filter(|option| matches!(option.key, Key::User | Key::Group | Key::Capabilities));
        if let Some(option) = ours {
            findings.push(
                Finding::error(
                    "option-outside-security",
                    Cause::Text,
                    format!("{} stands outside of a {SCOPE} scope", option.name),
                )
                .at(config.place(setting.current().name_span()))
                .because("there is no Security scope in the files, so it would not count")
                .hint(format!("write `Security {{ {} = ... }}`", option.name)),
            );
        }
    }
    if findings.is_empty() {
        findings.push(
            Finding::warning(
                "no-security",
                Cause::Text,
                "there is no Security scope, so the documented defaults hold",
            )
            .because("no scope is the same as an empty one: the server becomes ecuser, with no capabilities")
            .hint("write `Security { }` if that is meant"),
        );
    }
}
