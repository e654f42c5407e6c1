//! Reads the `Security` scope out of a configuration: what is asked for, before any name is looked up.
//!
//! Everything that the text alone can get wrong is found here, all of it at once, each with its place, the
//! reason and what to write instead. Not for: whether users exist or this host allows it, which
//! [`crate::resolve`] and [`crate::plan`] find.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use stepdown_conf::{Cause, Config, Finding, Place, Scope, Setting, Span, Text, Value, nearest, shown};

use crate::identity::Identity;
use crate::misplaced;
use crate::options::{DEFAULT_IDENTITY, Form, Key, READ, Read, SCOPE};
use crate::policy::{BoundingSet, Nameless, Origin, Sourced};
use crate::text::{self, CapState, TextError};

/// What a `Security` scope asks for, names not looked up yet.
#[derive(Clone, Debug)]
pub struct Request {
    /// The user to become.
    pub user: Sourced<Identity>,
    /// The primary group; `None` is the primary group of the user.
    pub group: Option<Sourced<Identity>>,
    /// The capabilities to retain.
    pub capabilities: Option<Sourced<CapState>>,
    /// The directory that becomes the root directory.
    pub chroot: Option<Sourced<String>>,
    /// The supplementary groups, each with its own place; `None` is the user's own memberships.
    pub supplemental_groups: Option<Sourced<Vec<(Identity, Place)>>>,
    /// Whether later executions are kept from gaining privilege.
    pub no_new_privs: Sourced<bool>,
    /// The limit of what later executions could hold.
    pub bounding_set: Option<Sourced<BoundingSet>>,
}

impl Request {
    /// Reads the scope. `capability_count` is how many capabilities the kernel knows, which the meaning of
    /// `all` in capability text depends on. No `Security` scope is the same as an empty one.
    ///
    /// # Errors
    /// All findings, at least one of which is an error. On success there may be warnings.
    pub fn read(config: &Config, capability_count: u8) -> Result<(Request, Vec<Finding>), Vec<Finding>> {
        let mut reader = Reader { config, capability_count, findings: Vec::new() };
        let request = reader.request();
        if reader.findings.iter().any(Finding::is_error) {
            return Err(reader.findings);
        }
        Ok((request, reader.findings))
    }

    /// The empty scope: the documented defaults.
    #[must_use]
    pub fn empty() -> Request {
        let rule = "the manual's default of User";
        Request {
            user: Sourced::default_of(Identity::Name(DEFAULT_IDENTITY.into()), rule),
            group: Some(Sourced::default_of(
                Identity::Name(DEFAULT_IDENTITY.into()),
                "the manual's default of Group where no User is written either",
            )),
            capabilities: None,
            chroot: None,
            supplemental_groups: None,
            no_new_privs: Sourced::default_of(true, "the default of No_New_Privs"),
            bounding_set: None,
        }
    }
}

impl Request {
    /// The options that need no names.
    pub(crate) fn nameless(&self) -> Nameless<'_> {
        Nameless {
            capabilities: self.capabilities.as_ref(),
            bounding_set: self.bounding_set.as_ref(),
            chroot: self.chroot.as_ref(),
        }
    }
}

/// `NGROUPS_MAX` since Linux 2.6.4.
const MAX_GROUPS: usize = 65536;

struct Reader<'a> {
    config: &'a Config,
    capability_count: u8,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn request(&mut self) -> Request {
        let mut request = Request::empty();
        self.findings.extend(misplaced::findings(self.config));
        if let Some(scope) = self.config.root().scope(SCOPE, None) {
            self.scope(scope, &mut request);
        }
        request
    }

    fn scope(&mut self, scope: Scope<'a>, request: &mut Request) {
        let mut user_written = false;
        for inner in scope.scopes() {
            if let Some(span) = inner.definitions().next() {
                let finding = Finding::error(
                    "scope-in-security",
                    Cause::Text,
                    format!("there is no scope `{}` inside {SCOPE}", inner.name()),
                );
                self.findings.push(
                    finding
                        .at(self.config.place(span))
                        .because(format!("{SCOPE} holds options only: {}", option_names()))
                        .hint("an option is written as `name = value`"),
                );
            }
        }
        for setting in scope.options() {
            let Some(spec) = Read::by_name(setting.name()) else {
                self.unknown_option(setting);
                continue;
            };
            user_written |= spec.key == Key::User;
            self.option(spec.key, spec.form, setting, request);
        }
        if user_written && request.group.as_ref().is_some_and(|group| group.origin.place().is_none()) {
            request.group = None;
        }
    }

    fn option(&mut self, key: Key, form: Form, setting: Setting<'a>, request: &mut Request) {
        let origin = self.origin(setting);
        let value = setting.current().value();
        if form == Form::Array {
            if let Some(items) = self.array(setting, value) {
                if items.len() > MAX_GROUPS {
                    let finding = Finding::error(
                        "too-many-groups",
                        Cause::Text,
                        format!("{} names {} groups", setting.name(), items.len()),
                    );
                    self.findings.push(
                        finding
                            .at(self.config.place(setting.current().name_span()))
                            .because(format!("a process has {MAX_GROUPS} at most, setgroups(2)"))
                            .hint("name those that the server needs"),
                    );
                    return;
                }
                let mut list = Vec::new();
                for item in items {
                    let place = self.config.place(item.span());
                    if let Some(identity) = self.identity(setting, &item) {
                        list.push((identity, place));
                    }
                }
                request.supplemental_groups = Some(Sourced { value: list, origin });
            }
            return;
        }
        let Some(text) = self.scalar(setting, value) else { return };
        match key {
            Key::User => {
                if let Some(value) = self.identity(setting, &text) {
                    request.user = Sourced { value, origin };
                }
            }
            Key::Group => {
                if let Some(value) = self.identity(setting, &text) {
                    request.group = Some(Sourced { value, origin });
                }
            }
            Key::Capabilities => match text::parse(&text.text(), self.capability_count) {
                Ok(value) => request.capabilities = Some(Sourced { value, origin }),
                Err(error) => self.capability_text(setting, &text, &error),
            },
            Key::BoundingSet => match text::parse_names(&text.text(), self.capability_count) {
                Ok(_) if text.text().trim().eq_ignore_ascii_case("all") => {
                    request.bounding_set = Some(Sourced { value: BoundingSet::Unchanged, origin });
                }
                Ok(set) => {
                    request.bounding_set = Some(Sourced { value: BoundingSet::Exactly(set), origin });
                }
                Err(error) => self.capability_text(setting, &text, &error),
            },
            Key::Chroot => self.chroot(&text, origin, request),
            Key::NoNewPrivs => match text.boolean() {
                Some(value) => request.no_new_privs = Sourced { value, origin },
                None => {
                    let finding = Finding::error(
                        "not-a-boolean",
                        Cause::Text,
                        format!("`{}` is no value for {}", text.text(), setting.name()),
                    );
                    self.push_at(
                        finding
                            .because("it is a boolean")
                            .hint("write true or false (on/off, yes/no, enabled/disabled, 1/0)"),
                        &text,
                    );
                }
            },
            Key::Privileges => {
                let finding = Finding::warning(
                    "solaris-privileges",
                    Cause::Text,
                    format!("{} has no effect on Linux", setting.name()),
                );
                self.push_at(
                    finding
                        .because("it names Solaris privileges, which Linux does not have")
                        .hint("what the server retains here is said by Capabilities alone"),
                    &text,
                );
            }
            // The one array was handled above.
            Key::SupplementalGroups => {}
        }
    }

    fn chroot(&mut self, text: &Text<'a>, origin: Origin, request: &mut Request) {
        let path = text.text();
        if path.starts_with('/') {
            request.chroot = Some(Sourced { value: path.into_owned(), origin });
            return;
        }
        let finding = if path.is_empty() {
            Finding::error("empty-chroot", Cause::Text, "Chroot names no directory")
                .because("an empty path is no directory, and leaving the root where it is must be said by leaving Chroot out")
                .hint("write an absolute path, or remove the line")
        } else {
            Finding::error(
                "relative-chroot",
                Cause::Text,
                format!("Chroot is not an absolute path: `{path}`"),
            )
            .because("a relative path would depend on where the server happens to be started")
            .hint(format!("write the whole path, such as /{path}"))
        };
        self.push_at(finding, text);
    }

    fn identity(&mut self, setting: Setting<'a>, text: &Text<'a>) -> Option<Identity> {
        let written = text.text();
        match Identity::parse(&written) {
            Ok(identity) => Some(identity),
            Err(error) => {
                let finding = Finding::error(
                    "bad-identity",
                    Cause::Text,
                    format!("`{}` is no value for {}", shown(&written), setting.name()),
                );
                self.push_at(
                    finding.because(error.to_string()).hint(
                        "write a name that the system knows, or a plain decimal id from 0 to 4294967294",
                    ),
                    text,
                );
                None
            }
        }
    }

    fn capability_text(&mut self, setting: Setting<'a>, text: &Text<'a>, error: &TextError) {
        self.findings.push(refused_capabilities(self.config, setting.name(), text, error));
    }

    fn scalar(&mut self, setting: Setting<'a>, value: Value<'a>) -> Option<Text<'a>> {
        if let Value::Text(text) = value {
            return Some(text);
        }
        let place = self.config.place(setting.current().span());
        let finding =
            Finding::error("not-one-value", Cause::Text, format!("{} takes one value", setting.name()));
        let what = if matches!(value, Value::Array(_)) { "an array" } else { "a dictionary" };
        self.findings
            .push(finding.at(place).because(format!("{what} stands here")).hint("write one word or string"));
        None
    }

    fn array(&mut self, setting: Setting<'a>, value: Value<'a>) -> Option<Vec<Text<'a>>> {
        match value {
            Value::Array(items) => Some(items),
            Value::Text(text) => Some(alloc::vec![text]),
            Value::Dict(_) => {
                let place = self.config.place(setting.current().span());
                self.findings.push(
                    Finding::error("not-an-array", Cause::Text, format!("{} takes an array", setting.name()))
                        .at(place)
                        .because("a dictionary stands here")
                        .hint("write ( name name ... )"),
                );
                None
            }
        }
    }

    fn unknown_option(&mut self, setting: Setting<'a>) {
        let finding = Finding::error(
            "unknown-option",
            Cause::Text,
            format!("there is no option `{}` in {SCOPE}", setting.name()),
        );
        let finding = finding
            .at(self.config.place(setting.current().name_span()))
            .because(format!("the options of {SCOPE} are {}", option_names()));
        let names = READ.iter().map(|option| option.name);
        self.findings.push(match nearest(setting.name(), names) {
            Some(name) => finding.hint(format!("did you mean {name}?")),
            None => finding.hint("what belongs to another program goes into a scope of its own"),
        });
    }

    fn origin(&self, setting: Setting<'a>) -> Origin {
        let mut places: Vec<Place> =
            setting.history().map(|assignment| self.config.place(assignment.span())).collect();
        match places.pop() {
            Some(place) => Origin::Written { place, shadowed: places },
            None => Origin::Default("nothing is written"),
        }
    }

    fn push_at(&mut self, finding: Finding, text: &Text<'a>) {
        self.findings.push(finding.at(self.config.place(text.span())));
    }
}

/// What is said of capability text that can't be read: the place is that of the word, inside the quotes. `option` is
/// the name of the option that it stands in.
#[must_use]
pub fn refused_capabilities(config: &Config, option: &str, text: &Text<'_>, error: &TextError) -> Finding {
    let written = text.text();
    let word = written.get(error.offset..error.offset + error.length).unwrap_or_default();
    let what = match error.suggestion() {
        Some(_) => format!("no capability is called `{}`", shown(word)),
        None => error.to_string(),
    };
    let hint = match error.suggestion() {
        Some(name) => format!("did you mean {name}?"),
        _ if option.eq_ignore_ascii_case("bounding_set") => {
            "names of capabilities(7) separated by commas or spaces, or all".into()
        }
        _ => "names of capabilities(7) with +ep behind them, such as \"cap_net_bind_service+ep\"; see cap_from_text(3)".into(),
    };
    Finding::error("bad-capability-text", Cause::Text, format!("{option} can't be read: {what}"))
        .at(config.place(within(config, text, error.offset, error.length)))
        .because("it is read as cap_from_text(3) reads it")
        .hint(hint)
}

/// The span of a part of a text, where what is written between the quotes is the text itself; else all of it.
fn within(config: &Config, text: &Text<'_>, offset: usize, length: usize) -> Span {
    let whole = text.span();
    let quotes = usize::from(text.quoted());
    let raw = config.slice(whole);
    let plain = raw.get(quotes..raw.len() - quotes) == Some(&*text.text());
    let part = |at: usize| u32::try_from(quotes + at).ok().map(|at| whole.start + at);
    match (part(offset), part(offset + length)) {
        (Some(start), Some(end)) if plain && length > 0 => Span { start, end, ..whole },
        _ => whole,
    }
}

fn option_names() -> String {
    let mut names = String::new();
    for option in &READ {
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(option.name);
    }
    names
}
