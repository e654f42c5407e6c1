//! Who may use the console, as the configuration names them: not looked up yet.

use std::fmt;

use stepdown_conf::{Cause, Finding, Place, shown};
use stepdown_security::identity::Identity;

use super::reader::{At, Reader};
use crate::options::Key;

/// A user or a group that may use the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This user.
    User(Identity),
    /// Whoever is in this group.
    Group(Identity),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::User(identity) => write!(f, "{identity}"),
            Who::Group(identity) => write!(f, "@{identity}"),
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn peers(&mut self, at: At<'a>, key: Key) -> Vec<(Who, Place)> {
        let Some((option, texts)) = self.array(at, key) else { return Vec::new() };
        let mut peers = Vec::with_capacity(texts.len());
        for text in texts {
            let written = text.text();
            let read = match written.strip_prefix('@') {
                Some(group) => Identity::parse(group).map(Who::Group),
                None => Identity::parse(&written).map(Who::User),
            };
            match read {
                Ok(who) => peers.push((who, self.config.place(text.span()))),
                Err(error) => {
                    let message = format!("`{}` is no value for {}", shown(&written), option.spec.name);
                    self.push_at(
                        Finding::error("bad-identity", Cause::Text, message)
                            .because(error.to_string())
                            .hint("write the name or id of a user, or @ and those of a group"),
                        &text,
                    );
                }
            }
        }
        peers
    }
}
