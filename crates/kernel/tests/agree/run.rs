//! Many cases, by several processes at a time.

use std::fmt::Write as _;
use std::io::{Read, Write};

use stepdown_kernel::host;
use stepdown_kernel::observe::Witness;
use stepdown_security::moves::Process;

use crate::case::{Case, predict};
use crate::generate::{Random, case};
use crate::place::{Place, World, mount_private};
use crate::{probe, raw};

/// Which cases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) cases: u64,
}

/// What came of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) cases: u64,
    pub(crate) disagreements: u64,
    pub(crate) moves: u64,
    pub(crate) refused: u64,
}

/// Everything that the cases need, made once.
#[derive(Debug)]
pub(crate) struct Bench {
    places: Vec<Place>,
    worlds: Vec<(World, Process)>,
}

/// How many disagreements a worker shows before it ends.
const SHOWN: u64 = 3;

impl Bench {
    pub(crate) fn new(workers: usize) -> Result<Bench, String> {
        let base = mount_private()?;
        let places = (0..workers)
            .map(|worker| Place::new(&base, worker).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let count = host::capability_count();
        let features = probe::features(&places[0], count)?;
        println!("{features:?}");
        let worlds = World::all(features, count)?
            .into_iter()
            .map(|world| {
                facts_are_read(&world)?;
                let nothing = Case { moves: vec![], program: None, witness: true };
                let start = nothing.real(&world, &places[0])?[0].process();
                Ok((world, start))
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Bench { places, worlds })
    }

    /// Runs the cases, and prints in what rules and kernel disagree.
    pub(crate) fn run(&self, setting: Setting) -> Summary {
        let mut summary = Summary::default();
        for text in self.by_workers(|worker, to| {
            let mut own = Summary::default();
            for number in (worker as u64..setting.cases).step_by(self.places.len()) {
                let (world, case) = self.case(setting.seed, number, worker);
                self.count(&mut own, world, &case);
                if self.disagreement(world, &case, worker).is_some() {
                    own.disagreements += 1;
                    let _ = to.write_all(self.explained(setting.seed, number, worker, case).as_bytes());
                    if own.disagreements == SHOWN {
                        break;
                    }
                }
            }
            let _ = write!(to, "\u{1}{} {} {} {}", own.cases, own.disagreements, own.moves, own.refused);
        }) {
            let (words, numbers) = text.rsplit_once('\u{1}').unwrap_or((&text, ""));
            print!("{words}");
            let numbers: Vec<u64> = numbers.split(' ').filter_map(|word| word.parse().ok()).collect();
            match numbers[..] {
                [cases, disagreements, moves, refused] => {
                    summary.cases += cases;
                    summary.disagreements += disagreements;
                    summary.moves += moves;
                    summary.refused += refused;
                }
                _ => {
                    println!("a worker did not come to its end");
                    summary.disagreements += 1;
                }
            }
        }
        summary
    }

    /// How many processes work at a time.
    #[cfg(stepdown_mutate)]
    pub(crate) fn workers(&self) -> usize {
        self.places.len()
    }

    /// The case of that number, and the world it happens in.
    pub(crate) fn case(&self, seed: u64, number: u64, worker: usize) -> (usize, Case) {
        let mut random = Random::new(seed, number);
        let index = [0, 0, 0, 1, 2][random.below(5) as usize];
        let (world, start) = &self.worlds[index];
        (index, case(&mut random, world, &self.places[worker], start))
    }

    pub(crate) fn disagreement(
        &self,
        world: usize,
        case: &Case,
        worker: usize,
    ) -> Option<(usize, Vec<String>)> {
        let (world, start) = &self.worlds[world];
        case.disagreement(world, &self.places[worker], start)
    }

    fn count(&self, summary: &mut Summary, world: usize, case: &Case) {
        let (world, start) = &self.worlds[world];
        let mut state = start.clone();
        for step in &case.moves {
            let (before, outcome) = predict(world, &state, step);
            summary.refused += u64::from(outcome.is_err());
            state = outcome.map_or(before, |outcome| outcome.process);
        }
        summary.moves += case.moves.len() as u64;
        summary.cases += 1;
    }

    /// The shortest case with a disagreement that leaving out moves and bits leads to, in words.
    fn explained(&self, seed: u64, number: u64, worker: usize, mut case: Case) -> String {
        let world = self.case(seed, number, worker).0;
        loop {
            let shorter = smaller(&case).find(|less| self.disagreement(world, less, worker).is_some());
            match shorter {
                Some(shorter) => case = shorter,
                None => break,
            }
        }
        let (place, words) = self.disagreement(world, &case, worker).unwrap_or_default();
        let mut text = format!("disagreement in case {number} of seed {seed}, in the namespace: ");
        let _ = writeln!(text, "{}\n{}  at {place}:", self.worlds[world].0.name, case);
        for word in words {
            let _ = writeln!(text, "    {word}");
        }
        text
    }

    /// Runs `work` in a process per place, and gives what each has written.
    pub(crate) fn by_workers(&self, work: impl Fn(usize, &mut dyn Write)) -> Vec<String> {
        let _ = std::io::stdout().flush();
        let started: Vec<_> = (0..self.places.len())
            .map(|worker| {
                let (from, mut to) = std::io::pipe().expect("pipe(2)");
                let pid = raw::fork().expect("fork(2)");
                if pid == 0 {
                    drop(from);
                    work(worker, &mut to);
                    raw::exit(0);
                }
                (from, pid)
            })
            .collect();
        started
            .into_iter()
            .map(|(mut from, pid)| {
                let mut text = String::new();
                let _ = from.read_to_string(&mut text);
                raw::wait(pid);
                text
            })
            .collect()
    }
}

/// The same case with something less.
fn smaller(case: &Case) -> impl Iterator<Item = Case> {
    let without = |index: usize| {
        let mut less = case.clone();
        less.moves.remove(index);
        less
    };
    let mut fewer = Vec::new();
    if let Some(program) = &case.program {
        fewer.push(Case { program: None, ..case.clone() });
        let mut with = |change: &dyn Fn(&mut crate::case::Built)| {
            let mut changed = program.clone();
            change(&mut changed);
            fewer.push(Case { program: Some(changed), ..case.clone() });
        };
        if program.script.is_some() {
            with(&|program| program.script = None);
        }
        if program.file.attribute.is_some() {
            with(&|program| program.file.attribute = None);
        }
        for bit in [0o4000, 0o2000] {
            if program.file.mode & bit != 0 {
                with(&|program| program.file.mode &= !bit);
            }
        }
        if program.file.mount != 0 {
            with(&|program| program.file.mount = 0);
        }
    }
    let moves: Vec<Case> = (0..case.moves.len()).rev().map(without).collect();
    fewer.into_iter().chain(moves)
}

/// Whether `stepdown_kernel::host` reads the same facts in the world as the test has written down; features apart, which
/// are probed.
fn facts_are_read(world: &World) -> Result<(), String> {
    let pid = raw::fork().map_err(|errno| errno.to_string())?;
    if pid == 0 {
        let same = world.enter().is_ok()
            && Witness::open()
                .and_then(|witness| host::facts(&witness, world.facts.capability_count))
                .is_ok_and(|mut facts| {
                    facts.features = world.facts.features;
                    facts == world.facts
                });
        raw::exit(i32::from(!same));
    }
    match raw::wait(pid) {
        0 => Ok(()),
        _ => Err(format!("the facts of the namespace with {} are not read as they are", world.name)),
    }
}
