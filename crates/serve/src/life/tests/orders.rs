//! Events in any order: what must hold whatever happens.

use super::super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that happens; instances are chosen among those that there are.
#[derive(Clone, Debug)]
enum Happens {
    Start,
    Stop,
    Restart,
    Kill,
    Replace(Settings),
    Retime(Settings),
    Executed(usize),
    NotExecuted(usize),
    Said(usize, Notification),
    Exited(usize, End),
    /// Something about one that has ended already, or never was.
    Ghost(u64, bool),
    Wait(Millis),
}

fn settings() -> impl Strategy<Value = Settings> {
    let times = (0..3_000u64, prop::option::of(1..3_000u64), 0..3_000u64, 0..500u64, 0..2_000u64);
    let restart = prop_oneof![Just(Restart::Always), Just(Restart::OnFailure), Just(Restart::Never)];
    (any::<bool>(), times, restart, prop::option::of(1..5u32)).prop_map(
        |(notify, (ready_after, start_timeout, graceful_timeout, pause, more), restart, restart_limit)| {
            Settings {
                notify,
                ready_after,
                start_timeout,
                graceful_timeout,
                restart,
                restart_pause: pause,
                restart_pause_max: pause + more,
                restart_limit,
            }
        },
    )
}

fn happens() -> impl Strategy<Value = Happens> {
    let which = 0..12usize;
    let end = prop_oneof![
        Just(End::Exited(0)),
        Just(End::Exited(3)),
        Just(End::Signaled { signal: 11, core: true })
    ];
    let said = prop_oneof![
        4 => Just(Notification::Ready),
        1 => Just(Notification::Reloading),
        1 => Just(Notification::Stopping),
        1 => Just(Notification::Status("s".into())),
        1 => (0..20_000u64).prop_map(Notification::Extend),
    ];
    prop_oneof![
        1 => Just(Happens::Start),
        1 => Just(Happens::Stop),
        2 => Just(Happens::Restart),
        1 => Just(Happens::Kill),
        2 => settings().prop_map(Happens::Replace),
        1 => settings().prop_map(Happens::Retime),
        5 => which.clone().prop_map(Happens::Executed),
        1 => which.clone().prop_map(Happens::NotExecuted),
        5 => (which.clone(), said).prop_map(|(which, said)| Happens::Said(which, said)),
        4 => (which, end).prop_map(|(which, end)| Happens::Exited(which, end)),
        1 => (0..100u64, any::<bool>()).prop_map(|(id, exited)| Happens::Ghost(id, exited)),
        8 => (0..4_000u64).prop_map(Happens::Wait),
    ]
}

/// What is known of the processes outside of the life.
struct World {
    life: Life,
    now: Millis,
    graceful: Millis,
    live: BTreeMap<Instance, Told>,
    ended: BTreeSet<Instance>,
    state: State,
    gone: u32,
}

#[derive(Default)]
struct Told {
    /// When it has to have been killed.
    kill_by: Option<Millis>,
    killed: bool,
}

impl World {
    fn event(&mut self, event: Event) {
        if let Event::Exited(id, _) | Event::NotExecuted(id, _) = &event
            && self.live.remove(id).is_some()
        {
            self.ended.insert(*id);
        }
        if let Event::Replace(settings) | Event::Retime(settings) = &event {
            self.graceful = settings.graceful_timeout;
        }
        let actions = self.life.on(event, self.now);
        let count = actions.len();
        for (index, action) in actions.into_iter().enumerate() {
            self.action(action, index + 1 == count);
        }
        self.check();
    }

    fn action(&mut self, action: Action, last: bool) {
        match action {
            Action::Spawn(id) => {
                assert!(!self.ended.contains(&id), "a number is used again");
                assert!(self.live.insert(id, Told::default()).is_none(), "a number is used twice");
            }
            Action::Signal(id, signal) => {
                let told = self.live.get_mut(&id).expect("only what lives gets a signal");
                assert!(!told.killed, "nothing is killed twice, or told to finish afterwards");
                if signal == Signal::Kill {
                    told.killed = true;
                } else {
                    assert!(told.kill_by.is_none(), "nothing is told twice");
                    told.kill_by = Some(self.now + self.graceful);
                }
            }
            Action::Became(state) => {
                assert!(last, "the state is that at the end");
                assert_ne!(state, self.state);
                self.state = state;
            }
            Action::Gone => {
                assert!(self.live.is_empty(), "gone is when the last has ended");
                self.gone += 1;
            }
            Action::Say(_, text) => assert!(!text.is_empty() && text.is_ascii()),
        }
    }

    fn check(&self) {
        let known: BTreeSet<Instance> = self.life.instances().collect();
        assert_eq!(known.len(), self.life.instances().count(), "each is in one place");
        assert_eq!(known, self.live.keys().copied().collect(), "each process that lives is known");
        let own = self.live.values().filter(|told| !told.killed && told.kill_by.is_none()).count();
        assert!(own <= 2, "a service has two processes of its own at most");
        let waited_for = self.live.values().filter(|told| !told.killed && told.kill_by.is_some()).count();
        // Those that were told in their place, before they were replaced, come on top.
        assert!(waited_for <= drive::MOST_LEAVING + 2, "what is waited for is bounded");
        for (id, told) in &self.live {
            if let Some(kill_by) = told.kill_by {
                assert!(told.killed || self.now < kill_by, "{id:?} is killed in time");
            }
        }
        let status = self.life.status(self.now);
        assert_eq!(status.state, self.state, "every change of state is told");
        assert!(status.current.is_none() || status.current != status.next);
        assert!(status.next.is_none() || status.current.is_some(), "nothing is next to nothing");
        if self.state == State::Pausing {
            assert!(self.life.deadline().is_some(), "a pause ends");
        }
    }

    /// Lets time pass, with every deadline on the way.
    fn wait(&mut self, time: Millis) {
        let until = self.now + time;
        while let Some(deadline) = self.life.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.event(Event::Deadline);
            let next = self.life.deadline();
            assert!(next.is_none_or(|next| next > self.now), "what is due is done, and not due again");
        }
        self.now = until;
        self.check();
    }

    fn nth(&self, which: usize) -> Option<Instance> {
        self.live.keys().nth(which % self.live.len().max(1)).copied()
    }

    fn happens(&mut self, what: Happens) {
        match what {
            Happens::Start => self.event(Event::Start),
            Happens::Stop => self.event(Event::Stop),
            Happens::Restart => self.event(Event::Restart),
            Happens::Kill => self.event(Event::Kill),
            Happens::Replace(settings) => self.event(Event::Replace(settings)),
            Happens::Retime(settings) => self.event(Event::Retime(settings)),
            Happens::Wait(time) => self.wait(time),
            Happens::Ghost(id, exited) if !self.live.contains_key(&Instance(id)) => {
                let id = Instance(id);
                let before = self.gone;
                match exited {
                    true => self.event(Event::Exited(id, End::Exited(0))),
                    false => self.event(Event::Said(id, Notification::Ready)),
                }
                assert_eq!(self.gone, before, "what has ended does nothing");
            }
            Happens::Ghost(..) => {}
            Happens::Executed(which) => self.of(which, Event::Executed),
            Happens::NotExecuted(which) => self.of(which, |id| Event::NotExecuted(id, "no".into())),
            Happens::Said(which, said) => self.of(which, |id| Event::Said(id, said)),
            Happens::Exited(which, end) => self.of(which, |id| Event::Exited(id, end)),
        }
    }

    fn of(&mut self, which: usize, event: impl FnOnce(Instance) -> Event) {
        if let Some(id) = self.nth(which) {
            self.event(event(id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens(first in settings(), events in prop::collection::vec(happens(), 0..80)) {
        let mut world = World {
            graceful: first.graceful_timeout,
            life: Life::new(first),
            now: 0,
            live: BTreeMap::new(),
            ended: BTreeSet::new(),
            state: State::Stopped,
            gone: 0,
        };
        for event in events {
            world.happens(event);
        }
        // However it came here: a stop, and time, end everything that was ever started.
        world.gone = 0;
        world.event(Event::Stop);
        world.wait(10_000);
        prop_assert!(world.live.values().all(|told| told.killed));
        prop_assert_eq!(world.life.deadline(), None);
        while let Some(id) = world.nth(0) {
            prop_assert_eq!(world.gone, 0);
            world.event(Event::Exited(id, End::Signaled { signal: 9, core: false }));
        }
        prop_assert_eq!((world.gone, world.state), (1, State::Stopped));
    }
}
