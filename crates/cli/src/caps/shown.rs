//! Capabilities as a table: what each allows, whether it is as good as root, and which sets it is in.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::text::{CapState, canonical};

use super::typed::Typed;
use crate::table;

/// The table for a person, and below it the whole as text and masks. `count` is how many capabilities this kernel
/// knows.
pub(super) fn text(typed: &Typed, count: u8, width: usize) -> String {
    let mut text = String::new();
    let wide = width >= WIDE;
    let mentioned = typed.mentioned();
    if wide && !mentioned.is_empty() {
        text.push_str(" no  capability              sets  root?  what it allows, and how it is abused\n");
    }
    for capability in mentioned {
        one(&mut text, capability, typed, count, width);
    }
    if !mentioned.is_empty() {
        text.push('\n');
    }
    for (name, value) in summary(typed, count) {
        table::row(&mut text, name, &value, width);
    }
    text
}

/// The same for a machine.
pub(super) fn json(typed: &Typed, count: u8) -> Value {
    let capabilities: Vec<Value> = typed
        .mentioned()
        .iter()
        .map(|capability| {
            let info = capability.info();
            json!({
                "number": capability.number(),
                "name": info.map(|info| info.name),
                "sets": sets(capability, typed),
                "allows": info.map(|info| info.allows),
                "root_equivalent": info.map(|info| info.root_equivalent),
                "why": info.map(|info| info.why),
                "known_to_kernel": capability.number() < count,
            })
        })
        .collect();
    let mut object = json!({ "capabilities": capabilities });
    match typed {
        Typed::Set(set) => object["mask"] = mask(*set).into(),
        Typed::State(state) => {
            object["effective"] = mask(state.effective).into();
            object["permitted"] = mask(state.permitted).into();
            object["inheritable"] = mask(state.inheritable).into();
        }
    }
    object["canonical"] = canonical(&state(typed), count).into();
    object
}

/// From this width on, what is said of a capability stands beside its name; below, under it.
const WIDE: usize = 72;

fn one(text: &mut String, capability: Capability, typed: &Typed, count: u8, width: usize) {
    const COLUMN: usize = 41;
    let number = capability.number();
    let info = capability.info();
    let root = match info {
        Some(info) if info.root_equivalent => "root",
        Some(_) => "-",
        None => "?",
    };
    let name = info.map_or("(no name)", |info| info.name);
    let start = text.len();
    let _ = write!(text, "{number:>3}  {name:<22}  {:<4}  {root:<5}", sets(capability, typed));
    let (allows, why) = match info {
        Some(info) => (info.allows.to_owned(), format!("({})", info.why)),
        None => (
            "Unknown to this version of Stepdown".to_owned(),
            "(newer than Linux 6.x, or a bit that means nothing)".to_owned(),
        ),
    };
    let mut lines = vec![allows, why];
    if number >= count {
        lines.push("(this kernel does not know it)".to_owned());
    }
    if width >= WIDE {
        let at = text.len();
        let used = text[start..].chars().count();
        for line in lines {
            table::wrap(text, &line, COLUMN, width);
        }
        text.replace_range(at..at + used.min(COLUMN), "");
    } else {
        text.truncate(text.trim_end().len());
        text.push('\n');
        for line in lines {
            table::wrap(text, &line, 5, width);
        }
    }
}

/// Which of the sets of a text it is in, as the text's own letters.
fn sets(capability: Capability, typed: &Typed) -> String {
    let Typed::State(state) = typed else { return "-".to_owned() };
    let flags = [(state.effective, 'e'), (state.inheritable, 'i'), (state.permitted, 'p')];
    let flags: String =
        flags.iter().filter(|(set, _)| set.contains(capability)).map(|(_, letter)| letter).collect();
    if flags.is_empty() { "-".to_owned() } else { flags }
}

/// A set as a text that retains it: permitted and effective, which is what a server is given.
fn state(typed: &Typed) -> CapState {
    match typed {
        Typed::State(state) => *state,
        Typed::Set(set) => CapState { effective: *set, permitted: *set, inheritable: CapSet::EMPTY },
    }
}

fn summary(typed: &Typed, count: u8) -> Vec<(&'static str, String)> {
    let text = canonical(&state(typed), count);
    match typed {
        Typed::Set(set) => vec![("text to retain", text), ("mask", mask(*set))],
        Typed::State(state) => vec![
            ("canonical text", text),
            ("effective", mask(state.effective)),
            ("permitted", mask(state.permitted)),
            ("inheritable", mask(state.inheritable)),
        ],
    }
}

/// A mask as `/proc` writes it.
fn mask(set: CapSet) -> String {
    format!("{:016x}", set.bits())
}
