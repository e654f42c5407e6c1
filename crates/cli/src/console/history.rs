//! The commands that were typed before, in a file of the user's own.
//!
//! A convenience: whatever stands in its way, the console works without it and says nothing.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How many lines are kept.
pub(crate) const MOST_LINES: usize = 1000;
/// The size from which on the file is cut to that.
const MOST_BYTES: u64 = 256 << 10;

/// The file, if this user can have one.
pub(crate) struct History {
    file: PathBuf,
}

impl History {
    /// `console_history` below `XDG_STATE_HOME`, or `~/.local/state`, as the XDG base directories have it.
    pub(crate) fn of_user() -> Option<History> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        History::in_directory(&state.join("stepdown"))
    }

    /// In a directory that is this user's, and that nobody else can put a link into.
    fn in_directory(directory: &Path) -> Option<History> {
        let own = fs::metadata("/proc/self").ok()?.uid();
        if !directory.exists() {
            // As root in somebody's home, nothing is made there.
            let around = directory.ancestors().find(|path| path.exists())?;
            if fs::metadata(around).ok()?.uid() != own {
                return None;
            }
            DirBuilder::new().recursive(true).mode(0o700).create(directory).ok()?;
        }
        let found = fs::metadata(directory).ok()?;
        if found.uid() != own || found.permissions().mode() & 0o022 != 0 {
            return None;
        }
        let file = directory.join("console_history");
        match fs::symlink_metadata(&file) {
            Ok(found) if !found.is_file() || found.uid() != own => None,
            _ => Some(History { file }),
        }
    }

    /// The lines of before, the oldest first.
    pub(crate) fn load(&self) -> Vec<String> {
        let mut text = Vec::new();
        // More than is ever written: somebody else's file.
        let Ok(file) = OpenOptions::new().read(true).open(&self.file) else { return Vec::new() };
        if file.take(4 * MOST_BYTES).read_to_end(&mut text).is_err() {
            return Vec::new();
        }
        let is_large = text.len() as u64 > MOST_BYTES;
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.contains(char::is_control)).map(str::to_owned).collect();
        lines.drain(..lines.len().saturating_sub(MOST_LINES));
        if is_large {
            self.rewrite(&lines);
        }
        lines
    }

    /// Keeps a line. Several consoles may do so at a time.
    pub(crate) fn add(&self, line: &str) {
        let open = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.file);
        // It would be missing the next time, no more.
        let _ = open.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn rewrite(&self, lines: &[String]) {
        let new = self.file.with_extension(std::process::id().to_string());
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all((lines.join("\n") + "\n").as_bytes()));
        let _ = match written {
            Ok(()) => fs::rename(&new, &self.file),
            Err(_) => fs::remove_file(&new),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_for_their_user_alone_and_no_link_is_followed() {
        let place = std::env::temp_dir().join(format!("stepdown-history-{}", std::process::id()));
        fs::create_dir(&place).unwrap();
        let directory = place.join("state/stepdown");
        let history = History::in_directory(&directory).unwrap();
        assert!(history.load().is_empty());
        history.add("status");
        history.add("config get é");
        assert_eq!(history.load(), ["status", "config get é"]);
        assert_eq!(fs::metadata(&history.file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        for number in 0..20_000 {
            history.add(&format!("config get number_{number}"));
        }
        let lines = history.load();
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (MOST_LINES, "config get number_19999"));
        assert!(fs::metadata(&history.file).unwrap().len() < MOST_BYTES, "it was cut");
        assert_eq!(history.load(), lines);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(History::in_directory(&directory).is_none(), "others could put a link there");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        fs::remove_file(&history.file).unwrap();
        std::os::unix::fs::symlink("/dev/null", &history.file).unwrap();
        assert!(History::in_directory(&directory).is_none());
        fs::remove_dir_all(&place).unwrap();
    }
}
