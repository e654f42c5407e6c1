//! Adding to a scope, in the style of what is in it already.

use super::{Edit, NewValue, lines};
use crate::config::Scope;
use crate::source::Span;
use crate::tree::{Kind, Piece, significant};
use alloc::format;
use alloc::string::{String, ToString};

pub(super) fn option(
    scope: &Scope<'_>,
    file: u32,
    inner: &[(String, Option<String>)],
    name: &str,
    value: &NewValue,
) -> Option<Edit> {
    let of = scope.config.files().get(file as usize)?;
    let (text, pieces) = (of.text(), &of.tree.pieces);
    let body = if scope.parent().is_none() {
        Body { first: 0, end: pieces.len(), open: None, close: None }
    } else {
        let last = scope.all().filter(|definition| definition.file == file).last()?;
        Body {
            first: last.open as usize + 1,
            end: last.close as usize,
            open: Some(pieces[last.open as usize]),
            close: Some(pieces[last.close as usize]),
        }
    };
    let style = Style::of(text, pieces, &body);
    let statement = style.statement(inner, name, value);
    let (at, text) = body.place(text, pieces, &style, &statement);
    Some(Edit { span: Span { file, start: at as u32, end: at as u32 }, text })
}

/// What is between the braces of a scope, or the whole of a file.
struct Body {
    /// The pieces: from this one up to, and without, that one.
    first: usize,
    end: usize,
    open: Option<Piece>,
    close: Option<Piece>,
}

/// How statements are written in a body.
struct Style<'t> {
    one_line: bool,
    newline: &'static str,
    /// Of the statements in the body.
    indent: String,
    /// One step of indentation more.
    step: &'t str,
    /// What stands between a name and its value.
    equals: &'t str,
    /// What stands between two statements on a line.
    gap: &'t str,
}

impl Body {
    /// Where a statement goes, and what has to be put there for it.
    fn place(&self, text: &str, pieces: &[Piece], style: &Style<'_>, statement: &str) -> (usize, String) {
        let last = pieces[..self.end].last().filter(|_| self.end > self.first);
        let Some(close) = self.close else {
            let at = text.len();
            let ended = text.is_empty() || text.ends_with('\n') || text == "\u{feff}";
            let before = if ended { "" } else { style.newline };
            return (at, format!("{before}{statement}{}", style.newline));
        };
        let close = close.start() as usize;
        let after = last.map_or_else(|| self.open.map_or(0, |open| open.end()), Piece::end) as usize;
        if style.one_line {
            return match last {
                Some(_) => (after, format!("{}{statement}", style.gap)),
                None if close > after => (after, format!(" {statement}")),
                None => (after, format!(" {statement} ")),
            };
        }
        let line = lines::start_of_line(text, close);
        if line >= after && lines::is_blank(&text[line..close]) {
            return (line, format!("{}{statement}{}", style.indent, style.newline));
        }
        // The brace stands behind the last statement.
        (after, format!("{}{}{statement}", style.newline, style.indent))
    }
}

impl<'t> Style<'t> {
    fn of(text: &'t str, pieces: &[Piece], body: &Body) -> Style<'t> {
        let open = body.open.map_or(0, |open| open.end() as usize);
        let close = body.close.map_or(text.len(), |close| close.start() as usize);
        let outer = body.close.map_or("", |close| lines::indent(text, close.start() as usize));
        let mut style = Style {
            one_line: body.close.is_some() && !text[open..close].contains('\n'),
            newline: lines::newline(text),
            indent: String::new(),
            step: "  ",
            equals: " = ",
            gap: "  ",
        };
        let mut depth = 0;
        let mut indent = None;
        let mut before = None;
        for (at, piece) in pieces.iter().enumerate().take(body.end).skip(body.first) {
            match piece.kind() {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                Kind::Name | Kind::ScopeName | Kind::Include | Kind::ReadonlyInclude if depth == 0 => {
                    let start = piece.start() as usize;
                    if lines::is_blank(&text[lines::start_of_line(text, start)..start]) {
                        indent = Some(lines::indent(text, start));
                    }
                    if piece.kind() == Kind::Name {
                        style.equals = equals(text, pieces, at).unwrap_or(style.equals);
                    }
                    if let Some(before) = before
                        && let gap = &text[before..start]
                        && !gap.is_empty()
                        && gap.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
                    {
                        style.gap = gap;
                    }
                }
                _ => {}
            }
            before = Some(piece.end() as usize);
        }
        match indent {
            Some(indent) => {
                style.step = indent.strip_prefix(outer).filter(|step| !step.is_empty()).unwrap_or("  ");
                style.indent = indent.to_string();
            }
            None if body.close.is_none() => {}
            None => {
                style.step = if outer.contains('\t') { "\t" } else { "  " };
                style.indent = format!("{outer}{}", style.step);
            }
        }
        if body.close.is_none() {
            style.step = "  ";
            style.indent = String::new();
        }
        style
    }

    /// The statement, without the indentation of its first line.
    fn statement(&self, inner: &[(String, Option<String>)], name: &str, value: &NewValue) -> String {
        let mut text = String::new();
        let mut indent = self.indent.clone();
        let head = |(name, instance): &(String, Option<String>)| match instance {
            None => format!("{name} {{"),
            Some(instance) => {
                let quoted = crate::quote(instance);
                match quoted.starts_with('"') {
                    true => format!("{name} {quoted} {{"),
                    false => format!("{name} \"{quoted}\" {{"),
                }
            }
        };
        for scope in inner {
            text.push_str(&head(scope));
            if self.one_line {
                text.push(' ');
            } else {
                indent.push_str(self.step);
                text.push_str(self.newline);
                text.push_str(&indent);
            }
        }
        text.push_str(&format!("{name}{}{}", self.equals, value.written()));
        for _ in inner {
            if self.one_line {
                text.push_str(" }");
            } else {
                indent.truncate(indent.len() - self.step.len());
                text.push_str(self.newline);
                text.push_str(&indent);
                text.push('}');
            }
        }
        text
    }
}

/// What stands between the name at a piece and its value, if that is an `=` with blanks around it.
fn equals<'t>(text: &'t str, pieces: &[Piece], name: usize) -> Option<&'t str> {
    let (at, sign) = significant(pieces, name + 1).next()?;
    let value = pieces.get(at + 1)?;
    let between = &text[pieces[name].end() as usize..value.start() as usize];
    let plain = sign.kind() == Kind::Equals
        && at == name + 1
        && value.kind() != Kind::Comment
        && between.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'='));
    plain.then_some(between)
}
