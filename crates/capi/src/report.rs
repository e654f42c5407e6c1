//! The report of a thread: what the last call had to say, in strings that C can read.
//!
//! They stay where they are until the report is replaced. Whatever they quote has been made harmless.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use stepdown::conf::{Cause, Finding, Severity, shown_path};
use stepdown::report::{clean, text};

use crate::types::{CAUSE_CALLER, CFinding, INTERNAL, INVALID};

/// Replaces the report of this thread by what a call with that status found.
pub(crate) fn replace(status: c_int, findings: &[Finding]) {
    let report = Report::new(status, findings);
    // At the very end of a thread there is no report any more, and nobody to read it.
    let old = REPORT.try_with(|own| own.replace(report));
    drop(old);
}

/// The errors of this thread's report, or its warnings and notes.
pub(crate) fn whole(errors: bool) -> *const c_char {
    let read = |own: &RefCell<Report>| {
        let report = own.borrow();
        let text = if errors { &report.errors } else { &report.warnings };
        text.as_ref().map_or(EMPTY.as_ptr(), |text| text.as_ptr())
    };
    REPORT.try_with(read).unwrap_or(EMPTY.as_ptr())
}

/// How many findings this thread's report has.
pub(crate) fn count() -> usize {
    REPORT.try_with(|own| own.borrow().told.len()).unwrap_or_default()
}

/// One finding of this thread's report.
pub(crate) fn finding(number: usize) -> Option<CFinding> {
    REPORT.try_with(|own| own.borrow().told.get(number).map(Told::seen)).ok().flatten()
}

/// A text as a string of C. A NUL byte in it, which no text of this library has, would end it.
pub(crate) fn string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

const EMPTY: &CStr = c"";

thread_local! {
    static REPORT: RefCell<Report> = const { RefCell::new(Report { told: Vec::new(), errors: None, warnings: None }) };
}

struct Report {
    told: Vec<Told>,
    errors: Option<CString>,
    warnings: Option<CString>,
}

/// A finding in strings of its own.
struct Told {
    code: CString,
    message: CString,
    why: Option<CString>,
    hint: Option<CString>,
    file: Option<CString>,
    text: CString,
    line: u32,
    column: u32,
    severity: i32,
    cause: i32,
}

impl Report {
    fn new(status: c_int, findings: &[Finding]) -> Report {
        let of = |errors: bool| {
            let chosen: Vec<Finding> =
                findings.iter().filter(|finding| finding.is_error() == errors).cloned().collect();
            (!chosen.is_empty()).then(|| string(&text(&chosen, false)))
        };
        let told = findings.iter().map(|finding| Told::new(status, finding)).collect();
        Report { told, errors: of(true), warnings: of(false) }
    }
}

impl Told {
    fn new(status: c_int, finding: &Finding) -> Told {
        let place = finding.place.as_ref();
        Told {
            code: string(finding.code),
            message: string(&clean(&finding.message)),
            why: finding.why.as_ref().map(|why| string(&clean(why))),
            hint: finding.hint.as_ref().map(|hint| string(&clean(hint))),
            file: place.map(|place| string(&shown_path(&place.file).to_string())),
            text: string(&text(std::slice::from_ref(finding), false)),
            line: place.map_or(0, |place| place.line),
            column: place.map_or(0, |place| place.column),
            severity: match finding.severity {
                Severity::Note => 0,
                Severity::Warning => 1,
                Severity::Error => 2,
            },
            cause: match finding.cause {
                _ if matches!(status, INVALID | INTERNAL) => CAUSE_CALLER,
                Cause::Syntax => 0,
                Cause::Text => 1,
                Cause::Host => 2,
            },
        }
    }

    fn seen(&self) -> CFinding {
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        CFinding {
            code: self.code.as_ptr(),
            message: self.message.as_ptr(),
            why: pointer(&self.why),
            hint: pointer(&self.hint),
            file: pointer(&self.file),
            text: self.text.as_ptr(),
            line: self.line,
            column: self.column,
            severity: self.severity,
            cause: self.cause,
        }
    }
}
