//! Changes in words, one line each.

use std::fmt;

use super::{Changes, ConsoleChange, Kept, Owner, ServiceChange, What};

impl Changes {
    /// One line for each thing that changes: `listener *:443 of web: added`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let removed =
            self.removed.iter().map(|gone| format!("listener {} of {}: removed", gone.key, gone.owner));
        let added = self.added.iter().map(|new| format!("listener {} of {}: added", new.key, new.owner));
        let kept = self.kept.iter().filter(|kept| kept.is_changed()).map(ToString::to_string);
        let services = self.services.iter().map(ToString::to_string);
        let console = self.console.iter().map(ToString::to_string);
        removed.chain(added).chain(kept).chain(services).chain(console).collect()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Console => f.write_str("the console"),
            Owner::Service(name) => f.write_str(name),
        }
    }
}

/// `listener /run/x of web: from api, File_Mode 0600 to 0666`.
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener {} of {}: ", self.key, self.owner)?;
        let mut parts = Vec::new();
        if let Some(from) = &self.from {
            parts.push(format!("taken over from {from}"));
        }
        if let Some((old, new)) = self.backlog {
            parts.push(format!("Backlog {old} to {new}"));
        }
        if let Some((old, new)) = self.mode {
            parts.push(format!("File_Mode {old:04o} to {new:04o}"));
        }
        f.write_str(if parts.is_empty() { "stays" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// `service web: replaced (Command, Environment)`.
impl fmt::Display for ServiceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}: ", self.name)?;
        match &self.what {
            What::Added => f.write_str("added"),
            What::Removed => f.write_str("removed"),
            What::Replaced(options) => write!(f, "replaced ({})", options.join(", ")),
            What::Retimed(options) => write!(f, "changed without a new process ({})", options.join(", ")),
        }
    }
}

impl fmt::Display for ConsoleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConsoleChange::Added => f.write_str("console: added"),
            ConsoleChange::Removed => f.write_str("console: removed"),
            ConsoleChange::Changed(options) => write!(f, "console: changed ({})", options.join(", ")),
        }
    }
}
