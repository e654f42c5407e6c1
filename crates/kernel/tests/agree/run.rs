//! One process that performs a random sequence of steps, compares, and executes a program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use stepdown_kernel::{exec, host, observe::Witness, perform};
use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::credentials::{Credentials, Facts, Securebits, differences, words_of_ids};
use stepdown_security::execve::{ProgramFile, predict_execve};
use stepdown_security::rules::predict;
use stepdown_security::step::Step;
use stepdown_security::text::CapState;

use crate::FIELDS;

/// One process on its way.
pub(crate) struct Run {
    random: Random,
    facts: Facts,
    witness: Witness,
    state: Credentials,
    directory: PathBuf,
    jailed: bool,
    /// How many bits of the securebits are tried.
    securebits: u64,
}

impl Run {
    pub(crate) fn new(seed: u64, directory: PathBuf) -> Run {
        let witness = Witness::open().unwrap();
        let threads = witness.threads().unwrap();
        assert_eq!(threads.len(), 1, "credentials belong to threads, and there must be one");
        let facts = host::facts(&witness, host::capability_count()).unwrap();
        let state = witness.credentials(threads[0].clone()).unwrap();
        Run {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            facts,
            witness,
            state,
            directory,
            jailed: false,
            securebits: if has_exec_securebits() { 13 } else { 8 },
        }
    }

    pub(crate) fn go(mut self, start: u64) {
        for step in self.start(start) {
            self.step(&step);
        }
        println!("start is over");
        for _ in 0..8 + self.random.below(16) {
            let step = self.any();
            self.step(&step);
        }
        self.execute();
    }

    /// Steps to a state that a parent could leave behind; those that are refused here make no difference.
    fn start(&mut self, number: u64) -> Vec<Step> {
        let held = self.state.permitted;
        let some = CapSet::from_bits(held.bits() & 0xa804_25fb);
        let both = |set: CapSet, inheritable: CapSet| {
            Step::SetCapabilities(CapState { effective: set, permitted: set, inheritable })
        };
        match number {
            // As found.
            0 => vec![],
            // The fourteen of a container.
            1 => held
                .difference(some)
                .iter()
                .map(Step::DropBounding)
                .chain([both(some, CapSet::EMPTY)])
                .collect(),
            // A user who holds capabilities, as a service manager starts it.
            2 => {
                let mut steps =
                    vec![Step::SetGroups(vec![994]), Step::SetResGid(994), Step::SetKeepCaps(true)];
                steps.extend([Step::SetResUid(994), Step::SetKeepCaps(false), both(some, some)]);
                steps.extend(some.iter().take(3).map(Step::RaiseAmbient));
                steps
            }
            // Root with inheritable and ambient left over.
            3 => [both(held, some)].into_iter().chain(some.iter().map(Step::RaiseAmbient)).collect(),
            4 => vec![Step::SetSecurebits(Securebits(0x2f)), Step::SetParentDeathSignal(15)],
            5 => vec![Step::SetSecurebits(Securebits(0x54))],
            // Without the capability that most of the rules ask for.
            _ => vec![both(held.without(Capability::SETPCAP), CapSet::EMPTY)],
        }
    }

    /// Performs the step and predicts it, and panics where the two differ.
    fn step(&mut self, step: &Step) {
        let root = match step {
            Step::Chroot { .. } => self.chroot_directory().map(|path| host::open_directory(&path).unwrap()),
            _ => None,
        };
        let step = match (&root, step) {
            (Some((_, directory)), _) => Step::Chroot { directory: *directory },
            (None, Step::Chroot { .. }) => return,
            (None, step) => step.clone(),
        };
        let predicted = predict(&self.facts, &self.state, &step);
        let real = perform::perform(&step, root.as_ref().map(|(fd, _)| std::os::fd::AsFd::as_fd(fd)));
        println!("step {step:?} {real:?}");
        assert_eq!(
            predicted.as_ref().map(|_| ()).map_err(|errno| *errno),
            real,
            "{step} from {:#?}",
            self.state
        );
        if let Step::Chroot { .. } = step {
            // A step of two calls: the first may have changed the working directory whatever the second did.
            self.jailed |= real.is_ok();
            perform::perform(&Step::ChdirRoot, None).unwrap();
        }
        let mut expected = predicted.unwrap_or_else(|_| self.state.clone());
        if let Step::Chroot { .. } = step {
            expected = predict(&self.facts, &expected, &Step::ChdirRoot).unwrap();
        }
        let status = self.witness.threads().unwrap().remove(0);
        let observed = self.witness.credentials(status).unwrap();
        let left = differences(&expected, &observed);
        assert!(left.is_empty(), "{step}: {left:#?} from {:#?}", self.state);
        self.state = observed;
    }

    /// A directory to change the root to, by a name that is right in the present one.
    fn chroot_directory(&mut self) -> Option<String> {
        let name = if self.random.below(2) == 0 { "a" } else { "a/b" };
        let path = if self.jailed { Path::new("/").to_owned() } else { self.directory.join(name) };
        host::open_directory(path.to_str()?).ok().map(|_| path.to_str().unwrap_or("/").to_owned())
    }

    /// Some step; half of the values are near what the state has, so that many are allowed.
    fn any(&mut self) -> Step {
        let capability =
            Capability::new(self.random.below(u64::from(self.facts.capability_count) + 3) as u8).unwrap();
        let signal = self.random.below(67) as i32 - 1;
        match self.random.below(24) {
            0 | 1 => Step::SetSecurebits(Securebits(self.bits())),
            // In the new root there is nothing to execute: rare.
            2 if self.random.below(4) == 0 => Step::Chroot { directory: self.state.root },
            2 | 3 => Step::ChdirRoot,
            4 | 5 => Step::SetGroups(self.groups()),
            6 | 7 => Step::SetResGid(self.id()),
            8 | 9 => Step::DropBounding(capability),
            10 => Step::SetKeepCaps(self.random.below(3) > 0),
            11 | 12 => Step::SetResUid(self.id()),
            13..=17 => Step::SetCapabilities(self.sets()),
            18 => Step::ClearAmbient,
            19..=21 => {
                let possible = self.state.permitted.intersection(self.state.inheritable).lowest();
                Step::RaiseAmbient(possible.filter(|_| self.random.below(2) == 0).unwrap_or(capability))
            }
            22 => Step::SetParentDeathSignal(signal),
            _ if self.random.below(4) == 0 => Step::SetNoNewPrivs,
            _ => Step::SetKeepCaps(true),
        }
    }

    fn bits(&mut self) -> u32 {
        let bits = self.random.below(1 << self.securebits) as u32;
        match self.random.below(4) {
            0 => self.state.securebits.0 | (1 << self.random.below(self.securebits)),
            1 => self.state.securebits.0 & bits,
            2 => bits & 0xff,
            _ => bits,
        }
    }

    fn id(&mut self) -> u32 {
        [0, 0, 994, 995, 65534, 4_294_967_294, self.state.uid.real, self.state.gid.real]
            [self.random.below(8) as usize]
    }

    fn groups(&mut self) -> Vec<u32> {
        (0..self.random.below(5)).map(|_| self.id()).collect()
    }

    fn sets(&mut self) -> CapState {
        let state = self.state.clone();
        let permitted = self.near(state.permitted);
        let effective = if self.random.below(2) == 0 { permitted } else { self.near(permitted) };
        CapState { effective, permitted, inheritable: self.near(state.inheritable.union(state.permitted)) }
    }

    /// Mostly a part of the set, now and then one more.
    fn near(&mut self, set: CapSet) -> CapSet {
        match self.random.below(8) {
            0 => CapSet::EMPTY,
            1..=3 => set,
            4..=6 => CapSet::from_bits(set.bits() & (self.random.next() | self.random.next())),
            _ => set.with(
                Capability::new(self.random.below(u64::from(self.facts.capability_count) + 2) as u8).unwrap(),
            ),
        }
    }

    /// Says what execve(2) has to lead to, and executes cat(1).
    fn execute(self) {
        let file = ProgramFile {
            path: "/bin/cat".into(),
            owner: 0,
            group: 0,
            set_user_id: false,
            set_group_id: false,
            capabilities: None,
            nosuid: false,
        };
        let after = predict_execve(&self.facts, &self.state, &file).unwrap();
        if self.jailed {
            // Nothing to execute in there; the steps were compared.
            self.say(&self.state);
            println!("--- execve");
            self.say(&self.state);
            return;
        }
        self.say(&after);
        println!("--- execve");
        std::io::stdout().flush().unwrap();
        let arguments = [c"cat".to_owned(), c"/proc/self/status".to_owned()];
        panic!("{}", exec::execute(&c"/bin/cat".to_owned(), &arguments, &[]));
    }

    fn say(&self, state: &Credentials) {
        let ids = |ids: stepdown_security::credentials::Ids| {
            format!("{} {} {} {}", ids.real, ids.effective, ids.saved, ids.filesystem)
        };
        let set = |set: CapSet| format!("{:016x}", set.bits());
        let groups = if state.groups.is_empty() { String::new() } else { words_of_ids(&state.groups) };
        let values = [
            ids(state.uid),
            ids(state.gid),
            groups,
            set(state.inheritable),
            set(state.permitted),
            set(state.effective),
            set(state.bounding),
            set(state.ambient),
            u8::from(state.no_new_privs).to_string(),
        ];
        for (name, value) in FIELDS.iter().zip(values) {
            println!("expect {name}: {value}");
            if self.jailed {
                println!("{name}: {value}");
            }
        }
    }
}

/// xorshift64*, which is enough to wander about.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
}

/// `SECBIT_EXEC_*` came with Linux 6.14; before, setting one is EPERM.
fn has_exec_securebits() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}
