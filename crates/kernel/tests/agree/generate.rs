//! Cases at random: a start as a parent could leave it behind, moves that are near what the state has, so that many of
//! them are allowed, and a file with any combination of bits.

use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::credentials::{Credentials, Securebits};
use stepdown_security::execve::{Attribute, FileCapabilities};
use stepdown_security::moves::{Move, Process};
use stepdown_security::rules::ids::{Kind, UNCHANGED};
use stepdown_security::step::Step;
use stepdown_security::text::CapState;

use crate::case::{Bits, Built, Case, predict};
use crate::place::{Place, World};
use crate::record::GROUPS;

/// splitmix64: every number is as good a seed as any.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, number: u64) -> Random {
        let mut random = Random(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// True that many times in a hundred.
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A case on its way.
struct Maker<'a> {
    random: &'a mut Random,
    world: &'a World,
    place: &'a Place,
    state: Credentials,
}

/// A case in this world, which begins in the state `start`.
pub(crate) fn case(random: &mut Random, world: &World, place: &Place, start: &Process) -> Case {
    let mut maker = Maker { random, world, place, state: start.credentials.clone() };
    let mut process = start.clone();
    let mut moves = Vec::new();
    let mut take = |maker: &mut Maker<'_>, step: Move| {
        let (before, outcome) = predict(world, &process, &step);
        process = outcome.map_or(before, |outcome| outcome.process);
        maker.state = process.credentials.clone();
        moves.push(step);
    };
    for step in maker.start() {
        take(&mut maker, step);
    }
    for _ in 0..maker.random.below(9) {
        let step = maker.any();
        take(&mut maker, step);
    }
    let jailed = moves.iter().any(|step| matches!(step, Move::Step(Step::Chroot { .. })));
    let program = maker.random.percent(75).then(|| maker.program(!jailed));
    Case { moves, program, witness: maker.random.percent(5) }
}

impl Maker<'_> {
    fn start(&mut self) -> Vec<Move> {
        let held = self.state.permitted;
        let some = CapSet::from_bits(held.bits() & self.random.next() & 0x1_a804_25fb);
        let sets = |permitted: CapSet, inheritable: CapSet| {
            Step::SetCapabilities(CapState { effective: permitted, permitted, inheritable })
        };
        let raised = some.iter().take(2).map(Step::RaiseAmbient);
        let id = self.some_id(Kind::User);
        let steps: Vec<Step> = match self.random.below(9) {
            0 | 1 => vec![],
            // A user who holds capabilities, as a service manager starts it.
            2 => [Step::SetKeepCaps(true), Step::SetResUid(id), sets(some, some)]
                .into_iter()
                .chain(raised)
                .collect(),
            // Root with inheritable and ambient left over.
            3 => [sets(held, some)].into_iter().chain(raised).collect(),
            4 => vec![Step::SetSecurebits(Securebits(self.bits())), Step::SetParentDeathSignal(15)],
            5 => {
                [Step::SetSecurebits(Securebits(self.random.one(&[0x1, 0x2f, 0x5, 0x54]))), sets(held, some)]
                    .into_iter()
                    .chain(raised)
                    .collect()
            }
            6 => vec![sets(held.without(Capability::SETPCAP), CapSet::EMPTY)],
            7 => some.iter().take(3).map(Step::DropBounding).collect(),
            // As an unprivileged user.
            _ => vec![
                Step::SetGroups(self.groups()),
                Step::SetResGid(self.some_id(Kind::Group)),
                Step::SetResUid(id),
            ],
        };
        let mut moves: Vec<Move> = steps.into_iter().map(Move::Step).collect();
        // Ids that are not one and the same.
        for kind in [Kind::Group, Kind::User] {
            if self.random.percent(20) {
                moves.push(Move::SetRes(kind, [self.id(kind), self.id(kind), self.id(kind)]));
            }
        }
        moves
    }

    fn any(&mut self) -> Move {
        let kind = if self.random.percent(60) { Kind::User } else { Kind::Group };
        for (kind, ids) in [(Kind::Group, self.state.gid), (Kind::User, self.state.uid)] {
            if ids.filesystem != ids.effective && self.random.percent(30) {
                // The effective id follows the filesystem id for once, which shows that each of them counts.
                return if self.random.percent(50) {
                    Move::SetDumpable(1)
                } else {
                    Move::SetRes(kind, [UNCHANGED, ids.filesystem, UNCHANGED])
                };
            }
        }
        match self.random.below(40) {
            0..=2 => Move::Set(kind, self.id(kind)),
            3..=5 => Move::SetRe(kind, self.id(kind), self.id(kind)),
            6..=9 => Move::SetRes(kind, [self.id(kind), self.id(kind), self.id(kind)]),
            10..=12 => Move::SetFilesystem(kind, self.id(kind)),
            13 => Move::LowerAmbient(self.capability(self.state.ambient)),
            14 => Move::AskAmbient(self.capability(self.state.ambient)),
            15 => Move::SetDumpable(self.random.one(&[0, 1, 1, 1, 2, 3, UNCHANGED])),
            _ => Move::Step(self.step()),
        }
    }

    fn step(&mut self) -> Step {
        match self.random.below(24) {
            0..=3 => Step::SetSecurebits(Securebits(self.bits())),
            4 => Step::Chroot { directory: self.place.directories[self.random.below(2) as usize].1 },
            5 => Step::ChdirRoot,
            6 | 7 => Step::SetGroups(self.groups()),
            8 => Step::SetResGid(self.some_id(Kind::Group)),
            9 => Step::SetResUid(self.some_id(Kind::User)),
            10 | 11 => Step::DropBounding(self.capability(self.state.inheritable)),
            12 | 13 => Step::SetKeepCaps(self.random.percent(70)),
            14..=17 => Step::SetCapabilities(self.sets()),
            18 => Step::ClearAmbient,
            19..=21 => {
                Step::RaiseAmbient(self.capability(self.state.permitted.intersection(self.state.inheritable)))
            }
            22 => Step::SetParentDeathSignal(self.random.below(67) as i32 - 1),
            _ => Step::SetNoNewPrivs,
        }
    }

    /// Mostly one of the set, otherwise any number up to a few more than the kernel knows.
    fn capability(&mut self, set: CapSet) -> Capability {
        let of_set: Vec<Capability> = set.iter().collect();
        if !of_set.is_empty() && self.random.percent(60) {
            return self.random.one(&of_set);
        }
        let number = self.random.below(u64::from(self.world.facts.capability_count) + 3);
        Capability::new(number as u8).expect("fewer than 64")
    }

    fn bits(&mut self) -> u32 {
        let bits = self.random.next() as u32;
        let old = self.state.securebits.0;
        match self.random.below(6) {
            0 | 1 => old | 1 << self.random.below(13),
            2 => old & bits,
            3 => bits & 0x55,
            4 => old ^ 1 << self.random.below(13),
            _ => bits & 0xfff,
        }
    }

    /// An id inside: one that the state has, one that other files and processes have, or none.
    fn id(&mut self, kind: Kind) -> u32 {
        let ids = if kind == Kind::User { self.state.uid } else { self.state.gid };
        let own = [ids.real, ids.effective, ids.saved, ids.filesystem];
        match self.random.below(10) {
            0..=3 => self.random.one(&own),
            4 | 5 => 0,
            6 => UNCHANGED,
            7 => self.random.one(&[994, 995, 1000]),
            _ => self.random.one(&[0, 1, 994, 995, 65534, 4_294_967_294, 7]),
        }
    }

    /// As [`Maker::id`], for the steps, whose ids are never the -1 that is none.
    fn some_id(&mut self, kind: Kind) -> u32 {
        Some(self.id(kind)).filter(|&id| id != UNCHANGED).unwrap_or(0)
    }

    fn groups(&mut self) -> Vec<u32> {
        if self.random.below(400) == 0 {
            return vec![0; 65537];
        }
        (0..self.random.below(GROUPS as u64)).map(|_| self.some_id(Kind::Group)).collect()
    }

    fn sets(&mut self) -> CapState {
        let permitted = self.near(self.state.permitted);
        let effective = if self.random.percent(50) { permitted } else { self.near(permitted) };
        let inheritable = match self.random.below(4) {
            0 => self.near(self.state.bounding),
            1 => self.near(self.state.inheritable),
            _ => self.near(self.state.inheritable.union(self.state.permitted)),
        };
        CapState { effective, permitted, inheritable }
    }

    /// Mostly a part of the set, now and then one more.
    fn near(&mut self, set: CapSet) -> CapSet {
        match self.random.below(10) {
            0 => CapSet::EMPTY,
            1..=3 => set,
            4..=6 => CapSet::from_bits(set.bits() & (self.random.next() | self.random.next())),
            7 => CapSet::from_bits(set.bits() & self.random.next() & self.random.next()),
            8 => set.union(CapSet::from_bits(!0 << self.world.facts.capability_count)),
            _ => set.with(self.capability(CapSet::EMPTY)),
        }
    }

    fn program(&mut self, script_allowed: bool) -> Built {
        let file = self.file(70);
        let script = (script_allowed && self.random.percent(15)).then(|| self.file(60));
        Built { file, script }
    }

    /// A file that has something besides its owner that many times in a hundred.
    fn file(&mut self, special: u64) -> Bits {
        let mut bits = Bits {
            mount: usize::from(self.random.percent(20)),
            owner: self.outside(Kind::User),
            group: self.outside(Kind::Group),
            mode: 0o755,
            attribute: None,
        };
        if !self.random.percent(special) {
            return bits;
        }
        if self.random.percent(45) {
            bits.mode |= 0o4000;
        }
        if self.random.percent(45) {
            bits.mode |= 0o2000;
            if self.random.percent(15) {
                // Nobody of the test is in this group: without its right to execute the bit means something else.
                (bits.mode, bits.group) = (bits.mode & !0o010, 7777);
            }
        }
        if self.random.percent(55) {
            let reach = self.state.bounding.union(self.state.inheritable);
            let mut capabilities = FileCapabilities {
                permitted: self.near(reach),
                inheritable: self.near(self.state.inheritable),
                effective: self.random.percent(50),
            };
            if self.random.percent(30) {
                capabilities.permitted = CapSet::EMPTY;
            }
            let root = match self.random.below(10) {
                0..=5 => None,
                6 => Some(0),
                7 | 8 => Some(self.world.owner()),
                _ => Some(self.random.one(&[1000, 994, 100_994, 5_000_000])),
            };
            bits.attribute = Some(Attribute { capabilities, root });
        }
        bits
    }

    /// An id as files have it: outside of the world.
    fn outside(&mut self, kind: Kind) -> u32 {
        let known = [0, 994, 995, 1000, 5_000_000, self.world.owner(), self.world.owner()];
        if self.random.percent(60) {
            let id = match (kind, &self.state.groups[..]) {
                (Kind::Group, [_, ..]) if self.random.percent(50) => self.random.one(&self.state.groups),
                _ => self.id(kind),
            };
            let outside = self
                .world
                .map
                .iter()
                .find(|&&(inside, _, length)| id >= inside && id - inside < length)
                .map(|&(inside, first, _)| first + (id - inside));
            return outside.unwrap_or(0);
        }
        self.random.one(&known)
    }
}
