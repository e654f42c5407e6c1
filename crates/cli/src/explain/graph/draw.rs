//! Draws a [`Chart`]: where everything stands, and the SVG of it.

use std::fmt::Write;

use stepdown::security::capability::CapSet;

use super::{Chart, Column, Row, SETS, ids, sets};

const MARGIN: usize = 28;
const LABEL: usize = 190;
const CELL: usize = 116;
const MARK: usize = 16;
const GAP: usize = 3;
const ROW: usize = 38;
const TOP: usize = 104;
const FACT: usize = 22;

/// What has a colour: selector, property, and its colour in light and in dark. No custom properties of CSS, which many
/// viewers of SVG don't know. The marks differ in letter as well as in colour.
const COLOURS: [(&str, &str, &str, &str); 16] = [
    (".paper", "fill", "#ffffff", "#12161d"),
    (".band", "fill", "#f5f7fa", "#1a202a"),
    (".line", "stroke", "#dfe4ec", "#323a48"),
    ("text", "fill", "#1b2330", "#e8ecf3"),
    ("text.quiet", "fill", "#667085", "#97a1b3"),
    (".off", "fill", "#c5ccd8", "#465063"),
    (".lost", "stroke", "#c4314b", "#ff7a8f"),
    (".m text.gone", "fill", "#c4314b", "#ff7a8f"),
    (".m text", "fill", "#ffffff", "#12161d"),
    (".m text.some", "fill", "#1b2330", "#e8ecf3"),
    (".gained", "stroke", "#1b2330", "#ffffff"),
    (".P", "fill", "#2f6fdb", "#6ea8ff"),
    (".E", "fill", "#12805c", "#4fd1a1"),
    (".I", "fill", "#a86a00", "#e5b452"),
    (".B", "fill", "#5b6475", "#a9b4c6"),
    (".A", "fill", "#8b3fc4", "#c99bff"),
];

const SHAPES: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px}\
.title{font-size:18px;font-weight:600}.quiet{font-size:12px}.head{font-weight:600;font-size:12.5px}\
.name,.id{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px}\
.new{font-weight:700}.m text{font-size:10px;font-weight:700;text-anchor:middle}\
.lost{fill:none;stroke-width:1.4;stroke-dasharray:2.5 2}.part{fill-opacity:.3}.gained{stroke-width:1.8}";

pub(super) fn svg(chart: &Chart) -> String {
    let facts = facts(&chart.columns);
    let width = (2 * MARGIN + LABEL + CELL * chart.columns.len()).max(680);
    let body = TOP + FACT * facts.len() + 14;
    let end = body + ROW * chart.rows.len();
    let height = end + 92;
    let title = text(&chart.title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-labelledby=\"t\">\n<title id=\"t\">{title}</title>\n<style>{}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"40\">{title}</text>\n",
        style()
    );
    bands(&mut out, chart, body, end);
    heads(&mut out, &chart.columns);
    for (index, (name, values)) in facts.iter().enumerate() {
        fact(&mut out, name, values, TOP + FACT * index + 6);
    }
    for (index, row) in chart.rows.iter().enumerate() {
        journey(&mut out, chart, row, body + ROW * index);
    }
    legend(&mut out, end + 30);
    out.push_str("</svg>\n");
    out
}

fn style() -> String {
    let mut style = SHAPES.to_owned();
    for (selector, property, light, _) in COLOURS {
        let _ = write!(style, "{selector}{{{property}:{light}}}");
    }
    style.push_str("@media (prefers-color-scheme:dark){");
    for (selector, property, _, dark) in COLOURS {
        let _ = write!(style, "{selector}{{{property}:{dark}}}");
    }
    style.push('}');
    style
}

/// The left edge of a column.
fn left(column: usize) -> usize {
    MARGIN + LABEL + CELL * column
}

/// Every other row a little darker, and a line below the heads.
fn bands(out: &mut String, chart: &Chart, body: usize, end: usize) {
    let right = left(chart.columns.len());
    let from = MARGIN - 10;
    for y in (body..end).step_by(2 * ROW) {
        let wide = right - from;
        let _ = writeln!(
            out,
            "<rect class=\"band\" x=\"{from}\" y=\"{y}\" width=\"{wide}\" height=\"{ROW}\" rx=\"6\"/>"
        );
    }
    let y = TOP - 12;
    let _ = writeln!(out, "<line class=\"line\" x1=\"{from}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>");
}

fn heads(out: &mut String, columns: &[Column]) {
    for (index, column) in columns.iter().enumerate() {
        let lines: Vec<&str> = column.words.split('\n').collect();
        let _ = write!(out, "<g><title>{}</title>", text(&column.title));
        for (line, words) in lines.iter().enumerate() {
            let y = TOP - 20 - 15 * (lines.len() - 1 - line);
            let _ =
                write!(out, "<text class=\"head\" x=\"{}\" y=\"{y}\">{}</text>", left(index), text(words));
        }
        out.push_str("</g>\n");
    }
}

/// What besides capabilities changes: a name, and a value for every column.
fn facts(columns: &[Column]) -> Vec<(&'static str, Vec<String>)> {
    let column = |value: &dyn Fn(&Column) -> String| columns.iter().map(value).collect();
    let mut facts: Vec<(&'static str, Vec<String>)> = vec![
        ("user", column(&|column| ids(column.state.uid))),
        ("group", column(&|column| ids(column.state.gid))),
        (
            "groups",
            column(&|column| match &column.state.groups[..] {
                [] => "none".to_owned(),
                [one] => one.to_string(),
                [one, two] => format!("{one} {two}"),
                more => format!("{} groups", more.len()),
            }),
        ),
        (
            "securebits",
            column(&|column| match column.state.securebits.0 {
                0 => "-".to_owned(),
                0x1 => "noroot".to_owned(),
                0x3 => "noroot locked".to_owned(),
                0x10 => "keep-caps".to_owned(),
                bits => format!("0x{bits:x}"),
            }),
        ),
        ("no_new_privs", column(&|column| if column.state.no_new_privs { "set" } else { "-" }.to_owned())),
    ];
    // A row of nothing but dashes tells nothing.
    facts.retain(|(_, values)| values.iter().any(|value| value != "-"));
    facts
}

fn fact(out: &mut String, name: &str, values: &[String], y: usize) {
    let _ = write!(out, "<text class=\"quiet\" x=\"{MARGIN}\" y=\"{y}\">{name}</text>");
    let mut before: Option<&String> = None;
    for (index, value) in values.iter().enumerate() {
        // A value that stays is not said again in full strength.
        let class = match before {
            Some(before) if before != value => "id new",
            None => "id",
            _ => "id quiet",
        };
        let _ = write!(out, "<text class=\"{class}\" x=\"{}\" y=\"{y}\">{}</text>", left(index), text(value));
        before = Some(value);
    }
    out.push('\n');
}

/// One row: its name, and in each column a mark for each set.
fn journey(out: &mut String, chart: &Chart, row: &Row, y: usize) {
    let _ = writeln!(
        out,
        "<g><title>{}</title><text class=\"name\" x=\"{MARGIN}\" y=\"{}\">{}</text></g>",
        text(&row.title),
        y + ROW / 2 + 4,
        text(&row.words)
    );
    let mut before: Option<[CapSet; 5]> = None;
    for (index, column) in chart.columns.iter().enumerate() {
        let now = sets(&column.state).map(|set| set.intersection(row.set));
        let _ = write!(out, "<g class=\"m\"><title>{}</title>", text(&cell(row, &now, column.words)));
        for (number, set) in now.into_iter().enumerate() {
            let had = before.map(|before| before[number]);
            let x = left(index) + number * (MARK + GAP);
            mark(out, SETS[number].0, (set, had, row.set), x, y + (ROW - MARK) / 2);
        }
        out.push_str("</g>\n");
        before = Some(now);
    }
}

/// The sets that a row is in, in words.
fn cell(row: &Row, now: &[CapSet; 5], step: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for (set, (_, name)) in now.iter().zip(SETS) {
        match set.len() {
            0 => {}
            count if count == row.set.len() => words.push(name.to_owned()),
            count => words.push(format!("{name} ({count} of {})", row.set.len())),
        }
    }
    let sets = if words.is_empty() { "in no set".to_owned() } else { words.join(", ") };
    format!("{}, {}: {sets}", row.words, step.replace('\n', " "))
}

/// A mark: full where all of the row is in the set, faint where some is, a dot where none is; ringed when it is new
/// there, dashed when it has just gone.
fn mark(
    out: &mut String,
    letter: char,
    (now, had, all): (CapSet, Option<CapSet>, CapSet),
    x: usize,
    y: usize,
) {
    let gained = had.is_some_and(|had| !now.is_subset(had));
    let lost = had.is_some_and(|had| now.is_empty() && !had.is_empty());
    let (middle, base) = (x + MARK / 2, y + MARK / 2 + 4);
    let square = |class: &str| {
        format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{MARK}\" height=\"{MARK}\" rx=\"4\"/>")
    };
    let letter_in = |class: &str| format!("<text{class} x=\"{middle}\" y=\"{base}\">{letter}</text>");
    if !now.is_empty() {
        let (part, class) = if now == all { ("", "") } else { (" part", " class=\"some\"") };
        let ring = if gained { " gained" } else { "" };
        out.push_str(&square(&format!("{letter}{part}{ring}")));
        out.push_str(&letter_in(class));
    } else if lost {
        out.push_str(&square("lost"));
        out.push_str(&letter_in(" class=\"gone\""));
    } else {
        let _ = write!(out, "<circle class=\"off\" cx=\"{middle}\" cy=\"{}\" r=\"2\"/>", y + MARK / 2);
    }
}

/// What the marks mean, in two lines.
fn legend(out: &mut String, y: usize) {
    let all = CapSet::from_bits(0b11);
    let some = CapSet::from_bits(0b1);
    let none = CapSet::EMPTY;
    let names = SETS.map(|(letter, name)| (name, letter, (all, None, all)));
    let kinds = [
        ("new here", 'P', (all, Some(none), all)),
        ("lost here", 'P', (none, Some(all), all)),
        ("part of the row", 'P', (some, None, all)),
        ("not in the set", 'P', (none, None, all)),
    ];
    for (line, list) in [&names[..], &kinds[..]].into_iter().enumerate() {
        let y = y + 26 * line;
        for (index, (words, letter, kind)) in list.iter().enumerate() {
            let x = MARGIN + 132 * index;
            out.push_str("<g class=\"m\">");
            mark(out, *letter, *kind, x, y);
            let (x, y) = (x + MARK + 6, y + 12);
            let _ = writeln!(out, "</g><text class=\"quiet\" x=\"{x}\" y=\"{y}\">{words}</text>");
        }
    }
}

/// Text for XML: markup escaped, and characters that XML does not allow replaced.
fn text(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
