//! Writes roff with the man(7) macros, so that groff(1) and mandoc(1) both render it and neither complains.
//!
//! Text is given as a person would type it. Three things in it are marked by themselves: what stands between backticks,
//! and the name of a manual page with its section, are bold; everything that roff would take for a request or an escape
//! is made harmless.

/// A manual page in the making.
pub(super) struct Text {
    roff: String,
}

impl Text {
    /// A page with its title line.
    pub(super) fn new(name: &str, section: char, date: &str, manual: &str) -> Text {
        let version = env!("CARGO_PKG_VERSION");
        let title = literal(&name.to_uppercase());
        Text {
            roff: format!(
                ".\\\" Made by `stepdown man`.\n.TH {title} {section} {date} \"Stepdown {version}\" \"{manual}\"\n\
                 .\\\" Names that are copied from a page are not to be hyphenated, and narrow terminals not to be padded.\n\
                 .nh\n.ad l\n"
            ),
        }
    }

    /// A section.
    pub(super) fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    /// The NAME section, in the form that whatis(1) reads.
    pub(super) fn name(&mut self, name: &str, summary: &str) {
        self.section("NAME");
        self.line(&folded(&format!("{} \\- {}", literal(name), literal_backticks(summary))));
    }

    /// The first paragraph of a section.
    pub(super) fn opening(&mut self, text: &str) {
        self.line(&prose(text));
    }

    /// Any other paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.line(&prose(text));
    }

    /// A line of a synopsis: what is typed as it is in bold, what stands for something else in italics.
    pub(super) fn synopsis(&mut self, text: &str) {
        // A line break can't come between words that belong together, but may between the others.
        self.line(&typed(text));
    }

    /// Another synopsis, below the first.
    pub(super) fn also(&mut self, text: &str) {
        self.line(".br");
        self.line(&typed(text));
    }

    /// An entry of a list: a tag and what it means.
    pub(super) fn entry(&mut self, tag: &str, text: &str) {
        self.line(".TP");
        self.line(&typed(tag));
        self.line(&prose(text));
    }

    /// An entry whose tag is a literal text.
    pub(super) fn term(&mut self, tag: &str, text: &str) {
        self.line(".TP");
        self.line(&bold(tag));
        self.line(&prose(text));
    }

    /// Another paragraph of the entry before it.
    pub(super) fn more(&mut self, text: &str) {
        self.line(".IP");
        self.line(&prose(text));
    }

    /// Lines that stay as they are.
    pub(super) fn example(&mut self, text: &str) {
        self.line(".PP");
        self.line(".in +4n");
        self.line(".EX");
        for line in text.lines() {
            self.line(&guarded(&literal(line)));
        }
        self.line(".EE");
        self.line(".in");
    }

    /// The SEE ALSO section.
    pub(super) fn see_also(&mut self, pages: &[(String, char)]) {
        self.section("SEE ALSO");
        let last = pages.len().saturating_sub(1);
        for (number, (name, section)) in pages.iter().enumerate() {
            let comma = if number == last { "" } else { "," };
            self.line(&format!(".BR {} ({section}){comma}", literal(name)));
        }
    }

    /// The whole of it.
    pub(super) fn finish(self) -> String {
        self.roff
    }

    fn line(&mut self, text: &str) {
        self.roff.push_str(text);
        self.roff.push('\n');
    }
}

/// Text in which nothing means anything to roff, every dash the ASCII one, to be copied from the page and pasted.
fn literal(text: &str) -> String {
    let mut roff = String::new();
    for c in text.chars() {
        match c {
            '\\' => roff.push_str("\\e"),
            '-' => roff.push_str("\\-"),
            '`' => roff.push_str("\\(ga"),
            '\'' => roff.push_str("\\(aq"),
            '^' => roff.push_str("\\(ha"),
            '~' => roff.push_str("\\(ti"),
            '"' => roff.push_str("\\(dq"),
            _ => roff.push(c),
        }
    }
    roff
}

/// The same for what apropos(1) prints without fonts: backticks are left out.
fn literal_backticks(text: &str) -> String {
    literal(&text.replace('`', ""))
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", literal(text))
}

/// A line that can't be a request, whatever it begins with.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

/// A paragraph, a line of its own for each sentence, as roff likes it.
fn prose(text: &str) -> String {
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut roff = String::new();
    for (number, part) in words.split('`').enumerate() {
        if number % 2 == 1 {
            roff.push_str(&bold(part));
        } else {
            roff.push_str(&part.split(' ').map(word).collect::<Vec<_>>().join(" "));
        }
    }
    let lines: Vec<String> = roff.replace(". ", ".\n").split('\n').map(folded).collect();
    lines.join("\n")
}

/// A sentence in lines of at most 78 bytes, which roff fills anew.
fn folded(sentence: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in sentence.split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > 78 {
            lines.push_str(&guarded(&line));
            lines.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &guarded(&line)
}

/// A word of prose: a manual page's name is bold, a flag is literal, a hyphen inside of a word stays one.
fn word(word: &str) -> String {
    let opened = word.trim_start_matches('(');
    if let Some((name, rest)) = opened.split_once('(')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && rest.starts_with(|c: char| c.is_ascii_digit())
        && rest[1..].starts_with(')')
    {
        let before = &word[..word.len() - opened.len()];
        return format!("{before}{}({}", bold(name), literal(rest));
    }
    if opened.starts_with('-') { literal(word) } else { literal(word).replace("\\-", "-") }
}

/// A command line: words in upper case stand for something else and are italic, brackets and dots are neither, the
/// rest is typed as it is and bold.
fn typed(text: &str) -> String {
    let mut roff = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let belongs = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        // Dots behind a word mean that it may be repeated.
        let piece = rest[..end].trim_end_matches("...");
        if piece.is_empty() {
            let dots = if rest.starts_with("...") { 3 } else { first.len_utf8() };
            roff.push_str(&literal(&rest[..dots]));
            rest = &rest[dots..];
            continue;
        }
        let stands_for = piece.starts_with(|c: char| c.is_ascii_uppercase())
            && piece.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if stands_for {
            roff.push_str(&format!("\\fI{}\\fR", literal(piece)));
        } else {
            roff.push_str(&bold(piece));
        }
        rest = &rest[piece.len()..];
    }
    guarded(&roff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_taken_for_roff() {
        assert_eq!(literal("a\\b `c' ^~\"-"), "a\\eb \\(gac\\(aq \\(ha\\(ti\\(dq\\-");
        assert_eq!(prose(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(prose("'so x"), "\\(aqso x");
        let mut page = Text { roff: String::new() };
        page.example(".so x\n'so x");
        assert_eq!(page.finish(), ".PP\n.in +4n\n.EX\n\\&.so x\n\\(aqso x\n.EE\n.in\n");
    }

    #[test]
    fn pages_flags_and_backticks_are_marked() {
        assert_eq!(prose("see execve(2), and (capsh(1))."), "see \\fBexecve\\fR(2), and (\\fBcapsh\\fR(1)).");
        assert_eq!(prose("a `run -v` of set-id bits"), "a \\fBrun \\-v\\fR of set-id bits");
        assert_eq!(prose("with --syntax. Then\nmore"), "with \\-\\-syntax.\nThen more");
        assert_eq!(prose("no page: f(x), (3), x(33)"), "no page: f(x), (3), x(33)");
    }

    #[test]
    fn a_synopsis_tells_what_is_typed_from_what_it_stands_for() {
        assert_eq!(typed("x [-c FILE]"), "\\fBx\\fR [\\fB\\-c\\fR \\fIFILE\\fR]");
        assert_eq!(typed("[--] PROGRAM [N...]"), "[\\fB\\-\\-\\fR] \\fIPROGRAM\\fR [\\fIN\\fR...]");
    }
}
