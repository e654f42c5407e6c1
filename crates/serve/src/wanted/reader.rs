//! Reads one value after another by the table of options, and notes what is wrong with it. A value that is refused
//! stands as its default, so that the rest can be read too; the findings are what counts then.

use std::time::Duration;

use std::borrow::Cow;

use stepdown_conf::{Cause, Config, Finding, Place, Scope, Setting, Text, Value, nearest, shown};
use stepdown_security::policy::{Origin, Sourced};

use crate::options::{self, Default, Form, Key, LISTEN, OptionSpec, Within};

/// The longest time that an option takes, in seconds: a year.
const MAX_SECONDS: u64 = 365 * 86_400;

pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) capability_count: u8,
    pub(super) findings: Vec<Finding>,
}

/// A scope that is being read, and what it is.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) within: Within,
}

/// One option where it is written.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) spec: &'static OptionSpec,
}

impl<'a> At<'a> {
    /// The option, if it is written here.
    pub(super) fn written(self, key: Key) -> Option<Written<'a>> {
        let spec = options::spec(self.within, key);
        self.scope.option(spec.name).map(|setting| Written { setting, spec })
    }
}

impl<'a> Reader<'a> {
    pub(super) fn boolean(&mut self, at: At<'a>, key: Key) -> bool {
        let read = self.scalar(at, key).and_then(|(option, text)| {
            let value = text.boolean();
            if value.is_none() {
                self.refuse_value(option, &text, "not-a-boolean", "it is a boolean", "write true or false");
            }
            value
        });
        read.unwrap_or_else(|| default_of(at, key) == "true")
    }

    pub(super) fn number(&mut self, at: At<'a>, key: Key) -> u32 {
        let Form::Number { least, most } = options::spec(at.within, key).form else { return 0 };
        let read = self.scalar(at, key).and_then(|(option, text)| {
            let value = text.integer().and_then(|number| u32::try_from(number).ok());
            let value = value.filter(|number| (least..=most).contains(number));
            if value.is_none() {
                let why = format!("it is a whole number from {least} to {most}");
                self.refuse_value(
                    option,
                    &text,
                    "not-such-a-number",
                    why,
                    "a leading 0 makes it octal, 0x hexadecimal",
                );
            }
            value
        });
        read.unwrap_or_else(|| default_of(at, key).parse().unwrap_or(least))
    }

    pub(super) fn seconds(&mut self, at: At<'a>, key: Key) -> Duration {
        let read = self.scalar(at, key).and_then(|(option, text)| {
            let value = seconds(&text);
            if value.is_none() {
                self.refuse_value(
                    option,
                    &text,
                    "not-a-time",
                    "it is a number of seconds from 0 to 31536000, which is a year",
                    "write it like 30 or 0.5, without a unit",
                );
            }
            value
        });
        read.or_else(|| fraction(default_of(at, key))).unwrap_or_default()
    }

    /// A time of which 0 means that there is no limit.
    pub(super) fn limit(&mut self, at: At<'a>, key: Key) -> Option<Duration> {
        Some(self.seconds(at, key)).filter(|time| !time.is_zero())
    }

    pub(super) fn mode(&mut self, at: At<'a>, key: Key) -> u32 {
        let read = self.scalar(at, key).and_then(|(option, text)| {
            let written = text.text();
            let is_octal = written.starts_with('0') && written.bytes().all(|byte| byte.is_ascii_digit());
            let value = text.integer().and_then(|mode| u32::try_from(mode).ok());
            let value = value.filter(|mode| is_octal && *mode <= 0o777);
            if value.is_none() {
                let meant = format!("0{}", shown(&written));
                let hint = match u32::from_str_radix(&written, 8) {
                    Ok(mode) if !is_octal && mode <= 0o777 => format!("did you mean {meant}?"),
                    _ => "write it like 0660".into(),
                };
                self.refuse_value(
                    option,
                    &text,
                    "not-a-mode",
                    "it is a file mode up to 0777, octal with the leading 0 that the language asks for",
                    hint,
                );
            }
            value
        });
        read.unwrap_or_else(|| u32::from_str_radix(default_of(at, key), 8).unwrap_or(0o600))
    }

    /// Which of the words that the option takes; 0 is the first.
    pub(super) fn word(&mut self, at: At<'a>, key: Key) -> usize {
        let Form::Word(words) = options::spec(at.within, key).form else { return 0 };
        let which = |text: &str| words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let read = self.scalar(at, key).and_then(|(option, text)| {
            let written = text.text();
            let value = which(&written);
            if value.is_none() {
                let hint = match nearest(&written, words.iter().copied()) {
                    Some(word) => format!("did you mean {word}?"),
                    None => format!("write {}", words.join(" or ")),
                };
                self.refuse_value(
                    option,
                    &text,
                    "not-such-a-word",
                    format!("it is one of {}", words.join(", ")),
                    hint,
                );
            }
            value
        });
        read.or_else(|| which(default_of(at, key))).unwrap_or(0)
    }

    pub(super) fn path(&mut self, at: At<'a>, key: Key) -> Option<Sourced<String>> {
        let (option, text) = self.scalar(at, key)?;
        let path = text.text();
        if !self.is_absolute(option, &text) {
            return None;
        }
        Some(Sourced { value: path.into_owned(), origin: self.origin(option.setting) })
    }

    /// Whether a text is an absolute path; where it is not, that is noted.
    pub(super) fn is_absolute(&mut self, option: Written<'a>, text: &Text<'a>) -> bool {
        let path = text.text();
        if path.starts_with('/') {
            return true;
        }
        let hint = match &*path {
            "" => "write an absolute path, or remove the line".to_owned(),
            path => format!("write the whole path, such as /{}", shown(path)),
        };
        let finding = Finding::error(
            "relative-path",
            Cause::Text,
            format!("{} is not an absolute path: `{}`", option.spec.name, shown(&path)),
        );
        self.push_at(
            finding
                .because("a relative path would depend on where the server happens to be started")
                .hint(hint),
            text,
        );
        false
    }

    /// The one text that the option is set to, if it is written.
    pub(super) fn scalar(&mut self, at: At<'a>, key: Key) -> Option<(Written<'a>, Text<'a>)> {
        let option = at.written(key)?;
        let value = option.setting.current().value();
        if let Value::Text(text) = value {
            return Some((option, text));
        }
        self.refuse_form(option, &value, "not-one-value", "takes one value", "write one word or string");
        None
    }

    /// The texts that the option is set to, if it is written.
    pub(super) fn array(&mut self, at: At<'a>, key: Key) -> Option<(Written<'a>, Vec<Text<'a>>)> {
        let option = at.written(key)?;
        match option.setting.current().value() {
            Value::Array(texts) => Some((option, texts)),
            Value::Text(text) => Some((option, vec![text])),
            value @ Value::Dict(_) => {
                self.refuse_form(option, &value, "not-an-array", "takes an array", "write ( a b ... )");
                None
            }
        }
    }

    /// Looks at everything in a scope that has no business there.
    pub(super) fn nothing_else(&mut self, at: At<'a>) {
        for setting in at.scope.options() {
            if options::by_name(at.within, setting.name()).is_none() {
                self.unknown_option(at, setting);
            }
        }
        let takes_listeners = matches!(at.within, Within::Console | Within::Service);
        for inner in at.scope.scopes() {
            if takes_listeners && inner.name().eq_ignore_ascii_case(LISTEN) {
                continue;
            }
            let finding = Finding::error(
                "unknown-scope",
                Cause::Text,
                format!("there is no scope `{}` in {}", shown(inner.name()), at.within.words()),
            );
            let finding = finding.at(self.first(inner)).because(match takes_listeners {
                true => "it holds options, and scopes called Listen",
                false => "it holds options only",
            });
            self.findings.push(match nearest(inner.name(), [LISTEN].into_iter()) {
                Some(name) if takes_listeners => finding.hint(format!("did you mean {name}?")),
                _ => finding.hint("is a closing brace missing before it?"),
            });
        }
    }

    fn unknown_option(&mut self, at: At<'a>, setting: Setting<'a>) {
        let written = setting.current();
        let place = self.config.place(written.name_span());
        let names: Vec<&str> = options::of(at.within).map(|option| option.name).collect();
        let what = format!("there is no option `{}` in {}", shown(setting.name()), at.within.words());
        let finding = Finding::error("unknown-option", Cause::Text, what).at(place);
        let takes_listeners = matches!(at.within, Within::Console | Within::Service);
        if takes_listeners && setting.name().eq_ignore_ascii_case(LISTEN) {
            let example = if at.within == Within::Console { "/run/stepdown/console" } else { "*:443" };
            self.findings.push(
                finding
                    .because("a listener is a scope of its own, with options of its own")
                    .hint(format!("write Listen \"{example}\" {{ }}")),
            );
            return;
        }
        let finding = finding.because(format!("its options are {}", names.join(", ")));
        self.findings.push(match nearest(setting.name(), names.into_iter()) {
            Some(name) => finding.hint(format!("did you mean {name}?")),
            None => finding.hint("what belongs to another program goes into a scope of its own"),
        });
    }

    /// A warning that an option that is written does nothing.
    pub(super) fn no_effect(&mut self, at: At<'a>, key: Key, why: &'static str) {
        let Some(option) = at.written(key) else { return };
        let place = self.config.place(option.setting.current().name_span());
        let message = format!("{} has no effect here", option.spec.name);
        self.findings.push(
            Finding::warning("no-effect", Cause::Text, message)
                .at(place)
                .because(why)
                .hint("remove the line"),
        );
    }

    pub(super) fn refuse_value(
        &mut self,
        option: Written<'a>,
        text: &Text<'a>,
        code: &'static str,
        why: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) {
        let message = format!("`{}` is no value for {}", shown(&text.text()), option.spec.name);
        self.push_at(Finding::error(code, Cause::Text, message).because(why).hint(hint), text);
    }

    pub(super) fn refuse_form(
        &mut self,
        option: Written<'a>,
        value: &Value<'a>,
        code: &'static str,
        takes: &str,
        hint: &'static str,
    ) {
        let place = self.config.place(option.setting.current().span());
        let finding = Finding::error(code, Cause::Text, format!("{} {takes}", option.spec.name));
        self.findings.push(finding.at(place).because(format!("{} stands here", value.kind())).hint(hint));
    }

    pub(super) fn push_at(&mut self, finding: Finding, text: &Text<'a>) {
        self.findings.push(finding.at(self.config.place(text.span())));
    }

    /// Where a scope is opened first.
    pub(super) fn first(&self, scope: Scope<'a>) -> Place {
        let span = scope.definitions().next();
        self.config.place(span.unwrap_or(stepdown_conf::Span { file: 0, start: 0, end: 0 }))
    }

    pub(super) fn origin(&self, setting: Setting<'a>) -> Origin {
        let mut places: Vec<Place> =
            setting.history().map(|assignment| self.config.place(assignment.span())).collect();
        match places.pop() {
            Some(place) => Origin::Written { place, shadowed: places },
            None => Origin::Default("nothing is written"),
        }
    }
}

/// The value that stands for an option, from the table; empty where no value does.
pub(super) fn default_of(at: At<'_>, key: Key) -> &'static str {
    match options::spec(at.within, key).default {
        Default::Value(value) => value,
        Default::Words(_) | Default::Needed => "",
    }
}

fn seconds(text: &Text<'_>) -> Option<Duration> {
    if let Some(whole) = text.integer() {
        return u64::try_from(whole).ok().filter(|whole| *whole <= MAX_SECONDS).map(Duration::from_secs);
    }
    fraction(&text.text())
}

/// Seconds as decimal digits, with a point and up to nine more behind it. Octal has no fractions, so that of two
/// leading digits the first is no 0.
fn fraction(text: &str) -> Option<Duration> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > 9 || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let nanos: u32 = format!("{rest:0<9}").parse().ok()?;
    let time = Duration::new(whole.parse().ok()?, nanos);
    (time <= Duration::from_secs(MAX_SECONDS)).then_some(time)
}
