//! Who may do what at the console: decided from what the kernel says of the peer, unix(7), `SO_PEERCRED`.
//!
//! Root may do everything; the user that the server itself has become everything but what only root may, unless the
//! configuration says less. Others may what the configuration says, and by default nothing. What the peer does after connecting changes nothing: who passes a connected
//! socket on passes its rights on. Not for: who can connect at all, which the mode of the socket decides.

use std::collections::BTreeSet;

use stepdown_kernel::peer::Peer;

/// What a peer may do, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Not even look.
    Nothing,
    /// Look.
    Look,
    /// Change things.
    Change,
    /// What only root may.
    Root,
}

/// Users and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Users by id.
    pub users: BTreeSet<u32>,
    /// Groups by id: whoever has one as its primary or a supplementary group.
    pub groups: BTreeSet<u32>,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The user that the server has become.
    pub own: u32,
    /// What that user may do where the lists below do not say more. Every service runs as it.
    pub own_rights: Rights,
    /// Who else may change things.
    pub operators: Members,
    /// Who else may look.
    pub observers: Members,
}

impl Authority {
    /// What this peer may do.
    #[must_use]
    pub fn rights(&self, peer: &Peer) -> Rights {
        if peer.uid == 0 {
            Rights::Root
        } else {
            let own = if peer.uid == self.own { self.own_rights } else { Rights::Nothing };
            let listed = if self.operators.contains(peer) {
                Rights::Change
            } else if self.observers.contains(peer) {
                Rights::Look
            } else {
                Rights::Nothing
            };
            own.max(listed)
        }
    }
}

impl Default for Authority {
    /// Root, and whoever the server is.
    fn default() -> Authority {
        Authority {
            own: 0,
            own_rights: Rights::Change,
            operators: Members::default(),
            observers: Members::default(),
        }
    }
}

impl Members {
    fn contains(&self, peer: &Peer) -> bool {
        self.users.contains(&peer.uid) || self.groups.iter().any(|group| peer.is_in(*group))
    }
}

impl Rights {
    /// Who has at least these rights, in one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Rights::Nothing => "nobody",
            Rights::Look => "observer",
            Rights::Change => "operator",
            Rights::Root => "root",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
        Peer { pid: 1, uid, gid, groups: Some(groups.to_vec()) }
    }

    #[test]
    fn by_default_only_root_and_the_server_s_own_user_may() {
        let authority = Authority { own: 994, ..Authority::default() };
        assert_eq!(authority.rights(&peer(0, 0, &[])), Rights::Root);
        assert_eq!(authority.rights(&peer(994, 994, &[])), Rights::Change);
        // Its group, or root's, is not the user.
        assert_eq!(authority.rights(&peer(995, 994, &[994, 0])), Rights::Nothing);
        assert_eq!(authority.rights(&peer(u32::MAX, u32::MAX, &[])), Rights::Nothing);
    }

    #[test]
    fn users_and_groups_are_not_confused_and_the_greater_right_wins() {
        let members = |users: &[u32], groups: &[u32]| Members {
            users: users.iter().copied().collect(),
            groups: groups.iter().copied().collect(),
        };
        let authority = Authority {
            own: 994,
            operators: members(&[10], &[20]),
            observers: members(&[10, 30], &[40]),
            ..Authority::default()
        };
        for (peer, rights) in [
            (peer(10, 1, &[]), Rights::Change),
            (peer(20, 1, &[]), Rights::Nothing),
            (peer(1, 20, &[]), Rights::Change),
            (peer(1, 1, &[5, 20]), Rights::Change),
            (peer(1, 10, &[10]), Rights::Nothing),
            (peer(30, 1, &[]), Rights::Look),
            (peer(30, 1, &[20]), Rights::Change),
            (peer(1, 1, &[40]), Rights::Look),
            (peer(40, 30, &[30]), Rights::Nothing),
        ] {
            assert_eq!(authority.rights(&peer), rights, "{peer:?}");
        }
    }
    #[test]
    fn the_own_user_may_what_is_said_of_it_and_what_is_said_of_others() {
        for own_rights in [Rights::Change, Rights::Look, Rights::Nothing] {
            let mut authority = Authority { own: 994, own_rights, ..Authority::default() };
            assert_eq!(authority.rights(&peer(994, 994, &[])), own_rights);
            assert_eq!(authority.rights(&peer(0, 0, &[])), Rights::Root);
            authority.observers.groups.insert(20);
            assert_eq!(authority.rights(&peer(994, 994, &[20])), own_rights.max(Rights::Look));
            authority.operators.users.insert(994);
            assert_eq!(authority.rights(&peer(994, 994, &[])), Rights::Change);
        }
    }
}
