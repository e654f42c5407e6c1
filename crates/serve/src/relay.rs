//! The output of a service, line by line: what comes out of its pipe, cut where lines end.
//!
//! Not for: reading the pipe, or what becomes of the lines.

/// The longest line; a longer one is cut into several.
pub const LINE_LIMIT: usize = 16 << 10;

/// The unfinished line of one pipe.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes what was read, and gives each line that is whole now.
    pub fn take(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let mut text = text;
            while self.rest.len() + text.len() > LINE_LIMIT {
                let (now, later) = text.split_at(LINE_LIMIT - self.rest.len());
                self.rest.extend_from_slice(now);
                line(&self.rest);
                self.rest.clear();
                text = later;
            }
            if !whole {
                self.rest.extend_from_slice(text);
            } else if self.rest.is_empty() {
                line(text);
            } else {
                self.rest.extend_from_slice(text);
                line(&self.rest);
                self.rest.clear();
            }
        }
    }

    /// Gives what is left at the end, where a line feed was missing.
    pub fn end(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.rest.is_empty() {
            line(&self.rest);
        }
        // The memory as well: most services write little, and rarely.
        self.rest = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, |line| found.push(line.to_vec()));
        }
        lines.end(|line| found.push(line.to_vec()));
        found
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\ntwo\n\nthree, without an end";
        let wanted: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        for size in 1..=text.len() {
            assert_eq!(lines(&text.chunks(size).collect::<Vec<_>>()), wanted);
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_nothing_is_lost() {
        let text = vec![b'x'; LINE_LIMIT * 3 + 5];
        for size in [1000, LINE_LIMIT - 1, LINE_LIMIT, LINE_LIMIT + 1, text.len()] {
            let found = lines(&text.chunks(size).collect::<Vec<_>>());
            assert!(found.iter().all(|line| line.len() <= LINE_LIMIT));
            assert_eq!(found.iter().map(Vec::len).sum::<usize>(), text.len());
        }
    }
}
