//! Lines of at most 80 columns, whoever reads them: a server does not know the terminal of its peer.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The columns of a line.
pub const WIDTH: usize = 80;

/// A name, and behind it from `column` on what there is to say, which goes on below itself.
pub fn row(text: &mut String, name: &str, value: &str, column: usize) {
    let start = text.len();
    wrap(text, value, column);
    let fits = name.chars().count() < column;
    if fits {
        let padding = column - name.chars().count();
        text.replace_range(start..start + column, &format!("{name}{}", " ".repeat(padding)));
    } else {
        text.insert_str(start, &format!("{name}\n"));
    }
}

/// A paragraph, indented, broken at white space where it has to be. A word that is too long for a line is not cut.
pub fn wrap(text: &mut String, paragraph: &str, indent: usize) {
    let margin = " ".repeat(indent);
    text.push_str(&margin);
    let mut column = indent;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&margin);
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

/// A point in time: `2026-11-23 03:00:12 UTC`. It is in UTC because a server that has changed its root directory has no
/// description of another zone.
#[must_use]
pub fn time(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = date(seconds / 86400);
    let of_day = seconds % 86400;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How long something took, in the two largest units: `2 d 3 h`, `5 min 1 s`.
#[must_use]
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let units =
        [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let mut text = String::new();
    for (index, (count, unit)) in units.iter().enumerate().skip(first).take(2) {
        if index == first || *count > 0 {
            let _ = write!(text, "{}{count} {unit}", if text.is_empty() { "" } else { " " });
        }
    }
    text
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years are counted from March, so that
/// the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        let at = |seconds| time(UNIX_EPOCH + Duration::from_secs(seconds));
        // As `date -u -d @N` has them.
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_795_457_685), "2026-11-23 18:14:45 UTC");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn lengths_have_two_units() {
        let of = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(of(0), "0 s");
        assert_eq!(of(61), "1 min 1 s");
        assert_eq!(of(7200), "2 h");
        assert_eq!(of(86400 + 59), "1 d");
        assert_eq!(of(3 * 86400 + 2 * 3600 + 5), "3 d 2 h");
    }

    #[test]
    fn rows_keep_their_column() {
        let mut text = String::new();
        row(&mut text, "name", "word ".repeat(20).trim_end(), 10);
        row(&mut text, "a name that is long", "value", 10);
        let expected = format!(
            "name      {}\n          {}\na name that is long\n          value\n",
            ["word"; 14].join(" "),
            ["word"; 6].join(" ")
        );
        assert_eq!(text, expected);
    }
}
