//! Whose the places are, of which there are `Max_Sessions`: so that a peer that may only look can take none from those who have
//! to act, and nobody any from root.
//!
//! One user that may only look gets an eighth of them, all such users together all but an eighth. For root there is always one:
//! of those who may do the least the one with the most sessions loses the idlest. Not for: who may do what.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::super::authority::Rights;
use super::SessionId;

/// A session that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) id: SessionId,
    pub(super) uid: u32,
    pub(super) rights: Rights,
    /// Whether nothing of it is under way.
    pub(super) is_idle: bool,
    /// Since when.
    pub(super) since: Duration,
}

/// What comes of one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It has a place.
    Free,
    /// It has the place of this one.
    Instead(SessionId),
    /// It has none, and why.
    None(String),
}

/// How many sessions one user that may only look may have.
pub(super) fn share(most: usize) -> usize {
    (most / 8).max(4).min(most)
}

/// How many places are there for those who may change things, and nobody else.
fn kept(most: usize) -> usize {
    (most / 8).max(1).min(most.saturating_sub(1))
}

/// Whether there is room for one more, of this user with these rights.
pub(super) fn room(most: usize, uid: u32, rights: Rights, taken: &[Place]) -> Room {
    let own = || taken.iter().filter(|place| place.uid == uid).count();
    let all = |what: &str| Room::None(format!("the console has {} sessions already{what}", taken.len()));
    match rights {
        Rights::Nothing => all(""),
        Rights::Look if taken.len() + kept(most) >= most => {
            all(", and the other places are for those who may change things")
        }
        Rights::Look if own() >= share(most) => {
            Room::None(format!("user {uid} has {} sessions already, and may only look", own()))
        }
        _ if taken.len() < most => Room::Free,
        Rights::Look | Rights::Change => all(""),
        Rights::Root => victim(taken).map_or_else(|| all(""), Room::Instead),
    }
}

fn victim(taken: &[Place]) -> Option<SessionId> {
    let mut held: BTreeMap<u32, usize> = BTreeMap::new();
    for place in taken {
        *held.entry(place.uid).or_default() += 1;
    }
    taken
        .iter()
        .filter(|place| place.rights < Rights::Root)
        .min_by_key(|place| {
            let most = Reverse(held.get(&place.uid).copied());
            (place.rights, most, !place.is_idle, place.since, place.id)
        })
        .map(|place| place.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(u32, Rights, usize)]) -> Vec<Place> {
        let each = list.iter().flat_map(|&(uid, rights, count)| std::iter::repeat_n((uid, rights), count));
        (0..)
            .zip(each)
            .map(|(number, (uid, rights))| Place {
                id: SessionId(number),
                uid,
                rights,
                is_idle: true,
                // Who came last is the idlest.
                since: Duration::from_secs(100_000 - number),
            })
            .collect()
    }

    fn is_none(room: &Room) -> bool {
        matches!(room, Room::None(_))
    }

    #[test]
    fn who_may_only_look_gets_an_eighth_and_leaves_an_eighth() {
        let look = |count| (10, Rights::Look, count);
        assert_eq!(room(1000, 10, Rights::Look, &places(&[look(124)])), Room::Free);
        assert!(is_none(&room(1000, 10, Rights::Look, &places(&[look(125)]))));
        assert_eq!(room(1000, 11, Rights::Look, &places(&[look(125)])), Room::Free, "another user");
        let many: Vec<_> = (10..17).map(|uid| (uid, Rights::Look, 125)).collect();
        assert!(is_none(&room(1000, 20, Rights::Look, &places(&many))), "875 are all for such");
        for rights in [Rights::Change, Rights::Root] {
            assert_eq!(room(1000, 20, rights, &places(&many)), Room::Free);
        }
    }

    #[test]
    fn few_places_are_shared_as_well() {
        for most in 2..40 {
            let mut taken = Vec::new();
            while room(most, 10, Rights::Look, &taken) == Room::Free {
                taken = places(&[(10, Rights::Look, taken.len() + 1)]);
            }
            assert!((1..most).contains(&taken.len()), "{} of {most}", taken.len());
            assert_eq!(room(most, 11, Rights::Change, &taken), Room::Free, "of {most}");
        }
        // The only place is for whoever comes first, and for root.
        assert_eq!(room(1, 10, Rights::Look, &[]), Room::Free);
        let taken = places(&[(10, Rights::Look, 1)]);
        assert_eq!(room(1, 0, Rights::Root, &taken), Room::Instead(SessionId(0)));
    }

    #[test]
    fn root_takes_the_idlest_place_of_whoever_has_most_and_may_least() {
        let mut taken = places(&[(10, Rights::Change, 7), (11, Rights::Look, 1), (12, Rights::Look, 2)]);
        assert_eq!(room(10, 0, Rights::Root, &taken), Room::Instead(SessionId(9)));
        taken[9].is_idle = false;
        assert_eq!(room(10, 0, Rights::Root, &taken), Room::Instead(SessionId(8)));
        assert!(is_none(&room(10, 10, Rights::Change, &taken)));
        let taken = places(&[(0, Rights::Root, 9), (13, Rights::Change, 1)]);
        assert_eq!(room(10, 0, Rights::Root, &taken), Room::Instead(SessionId(9)));
        assert!(is_none(&room(10, 0, Rights::Root, &places(&[(0, Rights::Root, 10)]))), "root's own stay");
    }
}
