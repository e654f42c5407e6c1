//! Whether the test notices: every rule is broken, one at a time and in three ways, and cases are run until rules and kernel
//! disagree. A rule that nothing notices is not tested, or says nothing.
//!
//! Only in a build with `--cfg stepdown_mutate`, which `mutate` beside this file makes.

use std::sync::atomic::Ordering;

use stepdown_security::rule::{Rule, broken};

use crate::run::Bench;

/// The ways, in the order of [`broken::HOW`].
const WAYS: usize = 3;

impl Bench {
    /// Breaks each rule, and prints the table of docs/rules.md: which rule, the page, after how many cases each way was
    /// noticed. True if every rule's opposite was, and every rule's absence.
    pub(crate) fn mutate(&self, cases: u64, seed: u64) -> bool {
        let workers = self.workers();
        let texts = self.by_workers(|worker, to| {
            for index in (worker..Rule::ALL.len() * WAYS).step_by(workers) {
                broken::RULE.store(index / WAYS, Ordering::Relaxed);
                broken::HOW.store(index % WAYS, Ordering::Relaxed);
                let noticed = (0..cases).find(|&number| {
                    let (world, case) = self.case(seed, number, worker);
                    self.disagreement(world, &case, worker).is_some()
                });
                let _ = writeln!(to, "{index} {}", noticed.map_or(0, |number| number + 1));
            }
        });
        let mut noticed = vec![0_u64; Rule::ALL.len() * WAYS];
        for line in texts.iter().flat_map(|text| text.lines()) {
            if let Some((index, after)) = line.split_once(' ') {
                noticed[index.parse::<usize>().expect("a number")] = after.parse().expect("a number");
            }
        }
        println!("| rule | page | opposite | never | always |\n|---|---|---|---|---|");
        for (rule, after) in Rule::ALL.iter().zip(noticed.chunks(WAYS)) {
            print!("| {} | {} |", rule.says().replace('|', "\\|"), rule.page());
            for &after in after {
                print!(" {} |", if after == 0 { "-".to_owned() } else { after.to_string() });
            }
            println!();
        }
        let missed = |way: usize| noticed.chunks(WAYS).filter(|after| after[way] == 0).count();
        println!(
            "agree: {} rules broken; not noticed within {cases} cases: {} opposites, {} never, {} always; seed {seed}",
            Rule::ALL.len(),
            missed(0),
            missed(1),
            missed(2)
        );
        missed(0) + missed(1) == 0
    }
}
