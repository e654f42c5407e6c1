//! Where the findings of one file go while it is read: in order, no more of them than anybody reads.

use crate::finding::{Cause, Finding, Severity};
use crate::source::Lines;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// How many errors of one file are reported in full; the rest are counted. The same number again may be warnings.
pub const MAX_ERRORS: usize = 100;

/// Findings of one text, whose places are worked out as they come.
pub(crate) struct Sink<'t> {
    name: &'t str,
    text: &'t str,
    /// Most files have no findings, and need no lines to be counted for them.
    lines: Option<Lines>,
    findings: Vec<(u32, Finding)>,
    errors: usize,
    others: usize,
}

impl<'t> Sink<'t> {
    pub(crate) fn new(name: &'t str, text: &'t str) -> Sink<'t> {
        Sink { name, text, lines: None, findings: Vec::new(), errors: 0, others: 0 }
    }

    /// Takes a finding at some bytes of the text, with other places that belong to it.
    pub(crate) fn add(&mut self, at: Range<usize>, mut finding: Finding, related: &[(Range<usize>, String)]) {
        let count = match finding.severity {
            Severity::Error => &mut self.errors,
            _ => &mut self.others,
        };
        *count += 1;
        if *count > MAX_ERRORS {
            return;
        }
        let lines = self.lines.get_or_insert_with(|| Lines::new(self.text));
        let start = at.start as u32;
        finding.place = Some(lines.place(self.name, self.text, at));
        for (at, text) in related {
            finding.related.push((lines.place(self.name, self.text, at.clone()), text.clone().into()));
        }
        self.findings.push((start, finding));
    }

    /// All findings in the order of the text. Reading a statement a second time finds the same again; that is left out.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        // They are few, and mostly in order: what is out of order is moved forward, past none that is at the same place.
        for end in 1..self.findings.len() {
            let mut at = end;
            while at > 0 && self.findings[at - 1].0 > self.findings[at].0 {
                self.findings.swap(at - 1, at);
                at -= 1;
            }
        }
        self.findings.dedup_by(|a, b| a.0 == b.0 && a.1.code == b.1.code);
        let mut findings: Vec<Finding> = self.findings.into_iter().map(|(_, finding)| finding).collect();
        if self.errors > MAX_ERRORS {
            let more = self.errors - MAX_ERRORS;
            let message =
                format!("{more} more errors in `{}` are not shown", crate::finding::shown_path(self.name));
            findings.push(Finding::error("too-many-errors", Cause::Syntax, message));
        }
        findings
    }
}
