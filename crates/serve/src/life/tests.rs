//! What each event does in each state, as a person would tell it.

use super::*;
use Action::{Became, Gone, Say, Spawn};
use Notification as N;

mod orders;

fn settings() -> Settings {
    Settings {
        notify: false,
        ready_after: 1_000,
        start_timeout: Some(30_000),
        graceful_timeout: 5_000,
        restart: Restart::Always,
        restart_pause: 200,
        restart_pause_max: 1_000,
        restart_limit: Some(4),
    }
}

fn notifying() -> Settings {
    Settings { notify: true, ..settings() }
}

const fn id(number: u64) -> Instance {
    Instance(number)
}

fn term(number: u64) -> Action {
    Action::Signal(id(number), Signal::Term)
}

fn kill(number: u64) -> Action {
    Action::Signal(id(number), Signal::Kill)
}

const FAILED: End = End::Exited(1);

/// The actions without what is only told.
fn done(life: &mut Life, event: Event, now: Millis) -> Vec<Action> {
    life.on(event, now).into_iter().filter(|action| !matches!(action, Say(..))).collect()
}

/// What is told.
fn told(life: &mut Life, event: Event, now: Millis) -> Vec<(Severity, String)> {
    let say = |action| match action {
        Say(level, text) => Some((level, text)),
        _ => None,
    };
    life.on(event, now).into_iter().filter_map(say).collect()
}

/// A service whose first process is ready since 1000.
fn ready(settings: Settings) -> Life {
    let mut life = Life::new(settings);
    life.on(Event::Start, 0);
    life.on(Event::Executed(id(1)), 0);
    if life.settings.notify {
        life.on(Event::Said(id(1), N::Ready), 1_000);
    } else {
        life.on(Event::Deadline, 1_000);
    }
    assert_eq!(life.status(1_000).state, State::Ready);
    life
}

#[test]
fn it_is_ready_when_it_has_run_for_a_moment() {
    let mut life = Life::new(settings());
    assert_eq!((life.status(0).state, life.deadline()), (State::Stopped, None));
    assert_eq!(done(&mut life, Event::Start, 5), [Spawn(id(1)), Became(State::Starting)]);
    assert_eq!(done(&mut life, Event::Start, 6), []);
    assert_eq!(life.deadline(), Some(30_005), "execve can take too long, too");
    assert_eq!(done(&mut life, Event::Executed(id(1)), 7), []);
    assert_eq!(life.deadline(), Some(1_007));
    assert_eq!(done(&mut life, Event::Deadline, 1_006), []);
    assert_eq!(life.on(Event::Deadline, 1_007), [Say(Severity::Note, "ready".into()), Became(State::Ready)]);
    assert_eq!((life.deadline(), life.status(0).since), (None, 1_007), "nothing wakes an idle server");
}

#[test]
fn it_is_ready_when_it_says_so() {
    for settings in [settings(), notifying()] {
        let mut life = Life::new(settings);
        life.on(Event::Start, 0);
        // It may be heard before it is known that it was executed.
        assert_eq!(done(&mut life, Event::Said(id(1), N::Ready), 1), [Became(State::Ready)]);
        assert_eq!(done(&mut life, Event::Executed(id(1)), 2), []);
        assert_eq!(life.deadline(), None);
    }
    let mut life = Life::new(Settings { ready_after: 0, ..settings() });
    life.on(Event::Start, 0);
    assert_eq!(done(&mut life, Event::Executed(id(1)), 0), [Became(State::Ready)]);
}

#[test]
fn a_start_that_takes_too_long_is_ended_and_tried_again() {
    let mut life = Life::new(notifying());
    life.on(Event::Start, 0);
    life.on(Event::Executed(id(1)), 1);
    assert_eq!(life.deadline(), Some(30_000));
    assert_eq!(done(&mut life, Event::Deadline, 30_000), [term(1), Became(State::Stopping)]);
    assert_eq!(done(&mut life, Event::Said(id(1), N::Ready), 30_001), [], "too late");
    assert_eq!(life.deadline(), Some(35_000));
    assert_eq!(done(&mut life, Event::Deadline, 35_000), [kill(1)]);
    assert_eq!(life.deadline(), None);
    let actions = life.on(Event::Exited(id(1), End::Signaled { signal: 9, core: false }), 35_001);
    let words =
        "was not ready within 30 s, and was ended by signal 9 (SIGKILL); it is started again in 0.2 s";
    assert_eq!(actions, [Say(Severity::Warning, words.into()), Became(State::Pausing)]);
}

#[test]
fn a_start_can_be_extended_but_not_for_ever() {
    let mut life = Life::new(Settings { start_timeout: Some(1_000), ..notifying() });
    life.on(Event::Start, 0);
    life.on(Event::Said(id(1), N::Extend(500)), 100);
    assert_eq!(life.deadline(), Some(1_000), "asking for less takes nothing away");
    life.on(Event::Said(id(1), N::Extend(5_000)), 900);
    assert_eq!(life.deadline(), Some(5_900));
    life.on(Event::Said(id(1), N::Extend(u64::MAX)), 5_000);
    assert_eq!(life.deadline(), Some(10_000));
    let mut life = Life::new(Settings { start_timeout: None, ..notifying() });
    life.on(Event::Start, 0);
    assert_eq!(life.deadline(), None);
}

#[test]
fn the_pause_doubles_and_then_it_is_given_up() {
    let mut life = Life::new(settings());
    let mut now = 0;
    life.on(Event::Start, now);
    for (number, pause) in [(1, 200), (2, 400), (3, 800)] {
        assert_eq!(done(&mut life, Event::Exited(id(number), FAILED), now), [Became(State::Pausing)]);
        assert_eq!(life.deadline(), Some(now + pause));
        assert_eq!(life.status(now).again_at, Some(now + pause));
        now += pause;
        assert_eq!(done(&mut life, Event::Deadline, now), [Spawn(id(number + 1)), Became(State::Starting)]);
    }
    assert_eq!(
        told(&mut life, Event::NotExecuted(id(4), "no such file\u{1b}".into()), now),
        [(
            Severity::Error,
            "can't be executed: no such file\\u{1b}; given up after 4 starts in a row that did not last; `restart` tries it again".into()
        )]
    );
    assert_eq!(done(&mut life, Event::Exited(id(4), FAILED), now), [], "that was its end");
    let status = life.status(now);
    assert_eq!((status.state, status.failures, status.restarts), (State::GivenUp, 4, 3));
    assert_eq!(life.deadline(), None);
    assert_eq!(done(&mut life, Event::Start, now), []);
    for event in [Event::Restart, Event::Retime(settings()), Event::Replace(settings())] {
        let mut life = life.clone();
        assert_eq!(done(&mut life, event, now), [Spawn(id(5)), Became(State::Starting)]);
        assert_eq!(life.status(now).failures, 0);
    }
}

#[test]
fn ten_seconds_of_readiness_are_a_success() {
    for (lived, failures, pause) in [(9_999, 1, 200), (10_000, 0, 200)] {
        let mut life = ready(settings());
        life.on(Event::Exited(id(1), FAILED), 1_000 + lived);
        assert_eq!(life.status(0).failures, failures);
        assert_eq!(life.deadline(), Some(1_000 + lived + pause));
    }
    // The longest pause, and one that is written as none.
    let mut life = Life { failures: 50, ..ready(Settings { restart_limit: None, ..settings() }) };
    assert_eq!((life.status(1_000).failures, life.status(11_000).failures), (50, 0));
    life.on(Event::Exited(id(1), FAILED), 1_000);
    assert_eq!(life.deadline(), Some(2_000));
    let none = Settings { restart_pause: 0, restart_pause_max: 0, restart_limit: None, ..settings() };
    let mut life = ready(none);
    life.on(Event::Exited(id(1), FAILED), 1_000);
    assert_eq!(life.deadline(), Some(1_000));
    life.on(Event::Deadline, 1_000);
    life.on(Event::Exited(id(2), FAILED), 1_000);
    assert_eq!(life.deadline(), Some(1_100), "no processor is kept busy with starting");
}

#[test]
fn restart_says_whether_it_is_started_again() {
    for (restart, end, state) in [
        (Restart::Always, End::Exited(0), State::Pausing),
        (Restart::OnFailure, End::Exited(0), State::Ended),
        (Restart::OnFailure, FAILED, State::Pausing),
        (Restart::OnFailure, End::Signaled { signal: 15, core: false }, State::Pausing),
        (Restart::Never, End::Exited(0), State::Ended),
        (Restart::Never, FAILED, State::Failed),
    ] {
        let mut life = ready(Settings { restart, ..settings() });
        assert_eq!(done(&mut life, Event::Exited(id(1), end), 2_000), [Became(state)], "{restart:?} {end:?}");
        if state != State::Pausing {
            assert_eq!(life.deadline(), None);
            let again = Settings { restart: Restart::Always, ..settings() };
            assert_eq!(
                done(&mut life.clone(), Event::Retime(again), 3_000),
                [Spawn(id(2)), Became(State::Starting)]
            );
            let same = Settings { restart, ..notifying() };
            assert_eq!(done(&mut life.clone(), Event::Retime(same), 3_000), []);
            assert_eq!(done(&mut life, Event::Restart, 3_000), [Spawn(id(2)), Became(State::Starting)]);
        }
    }
}

#[test]
fn a_replacement_takes_over_when_it_is_ready() {
    let mut life = ready(settings());
    assert_eq!(done(&mut life, Event::Replace(notifying()), 2_000), [Spawn(id(2))]);
    let status = life.status(2_000);
    assert_eq!((status.state, status.current, status.next), (State::Ready, Some(id(1)), Some(id(2))));
    assert!(status.outdated);
    assert_eq!(done(&mut life, Event::Executed(id(2)), 2_001), []);
    assert_eq!(done(&mut life, Event::Said(id(2), N::Ready), 2_500), [term(1)]);
    let status = life.status(2_500);
    assert_eq!((status.current, status.next, status.leaving, status.outdated), (Some(id(2)), None, 1, false));
    assert_eq!(life.deadline(), Some(7_500));
    assert_eq!(done(&mut life.clone(), Event::Deadline, 7_500), [kill(1)]);
    assert_eq!(done(&mut life, Event::Exited(id(1), End::Exited(0)), 3_000), []);
    assert_eq!((life.deadline(), life.status(0).leaving), (None, 0));
}

#[test]
fn a_replacement_that_fails_leaves_the_current_one() {
    let fail: [(&[Event], Millis, &[Action], &str); 3] = [
        (&[Event::NotExecuted(id(2), "no".into())], 2_001, &[], "can't be executed: no"),
        (&[Event::Executed(id(2)), Event::Exited(id(2), FAILED)], 2_001, &[], "exited with status 1"),
        (&[Event::Executed(id(2)), Event::Deadline], 32_000, &[term(2)], "was not ready within 30 s"),
    ];
    for (events, now, actions, why) in fail {
        let mut life = ready(notifying());
        life.on(Event::Replace(notifying()), 2_000);
        let mut all = Vec::new();
        for event in events {
            all.extend(done(&mut life, event.clone(), now));
        }
        assert_eq!(all, actions);
        let status = life.status(now);
        assert_eq!((status.state, status.current, status.next), (State::Ready, Some(id(1)), None));
        assert_eq!((status.replacement_failure, status.outdated), (Some(why), true));
        // Nothing is tried by itself, but what ends later is started as the new one.
        life.on(Event::Exited(id(2), FAILED), now);
        assert_eq!(life.deadline(), None);
        life.on(Event::Exited(id(1), FAILED), 50_000);
        assert_eq!(done(&mut life, Event::Deadline, 50_200), [Spawn(id(3)), Became(State::Starting)]);
        assert_eq!(life.status(0).replacement_failure, Some(why));
        life.on(Event::Said(id(3), N::Ready), 50_300);
        assert_eq!(life.status(0).replacement_failure, None);
    }
}

#[test]
fn the_newest_replacement_wins() {
    let mut life = ready(notifying());
    life.on(Event::Replace(notifying()), 2_000);
    assert_eq!(done(&mut life, Event::Replace(notifying()), 2_001), [term(2), Spawn(id(3))]);
    assert_eq!(done(&mut life, Event::Said(id(2), N::Ready), 2_002), [], "it is nobody's any more");
    assert_eq!(done(&mut life, Event::Said(id(3), N::Ready), 2_003), [term(1)]);
    assert_eq!(life.status(0).replacement_failure, None);
}

#[test]
fn a_replacement_takes_the_place_of_one_that_ends() {
    let mut life = ready(notifying());
    life.on(Event::Replace(notifying()), 2_000);
    assert_eq!(done(&mut life, Event::Exited(id(1), FAILED), 2_001), [Became(State::Starting)]);
    assert_eq!((life.status(0).current, life.status(0).next), (Some(id(2)), None));
    // From now on its failure is a failed start like any other.
    assert_eq!(done(&mut life, Event::Exited(id(2), FAILED), 2_002), [Became(State::Pausing)]);
    assert_eq!(life.status(0).replacement_failure, None);
}

#[test]
fn one_that_becomes_ready_late_does_not_hide_that_its_replacement_failed() {
    let mut life = Life::new(notifying());
    life.on(Event::Start, 0);
    life.on(Event::Replace(notifying()), 1);
    life.on(Event::Exited(id(2), FAILED), 2);
    life.on(Event::Said(id(1), N::Ready), 3);
    assert!(life.status(3).replacement_failure.is_some());
}

#[test]
fn a_process_that_is_being_ended_is_not_waited_for_to_replace_it() {
    let mut life = Life::new(notifying());
    life.on(Event::Start, 0);
    life.on(Event::Deadline, 30_000);
    assert_eq!(done(&mut life, Event::Replace(notifying()), 30_001), [Spawn(id(2)), Became(State::Starting)]);
    assert_eq!(life.deadline(), Some(35_000), "the old one is still killed in time");
    // One that began to finish by itself is told so, to be sure.
    let mut life = ready(notifying());
    assert_eq!(done(&mut life, Event::Said(id(1), N::Stopping), 2_000), [Became(State::Stopping)]);
    assert_eq!(done(&mut life, Event::Restart, 2_001), [term(1), Spawn(id(2)), Became(State::Starting)]);
}

#[test]
fn too_many_that_do_not_end_are_killed_the_oldest_first() {
    let mut life = ready(notifying());
    for number in 2..10 {
        assert_eq!(done(&mut life, Event::Restart, 2_000), [Spawn(id(number))]);
        assert_eq!(done(&mut life, Event::Said(id(number), N::Ready), 2_000), [term(number - 1)]);
    }
    assert_eq!(life.status(0).leaving, drive::MOST_LEAVING);
    life.on(Event::Restart, 2_000);
    assert_eq!(done(&mut life, Event::Said(id(10), N::Ready), 2_000), [term(9), kill(1)]);
}

#[test]
fn a_stop_ends_everything_and_then_it_is_gone() {
    let mut life = ready(notifying());
    life.on(Event::Replace(notifying()), 2_000);
    assert_eq!(done(&mut life, Event::Stop, 2_001), [term(2), term(1), Became(State::Stopping)]);
    assert_eq!(done(&mut life, Event::Restart, 2_002), [], "what is being stopped is not started");
    assert_eq!(done(&mut life, Event::Retime(settings()), 2_002), []);
    assert_eq!(done(&mut life, Event::Exited(id(1), End::Exited(0)), 2_003), []);
    assert_eq!(done(&mut life, Event::Deadline, 7_001), [kill(2)]);
    let last = End::Signaled { signal: 9, core: false };
    assert_eq!(done(&mut life, Event::Exited(id(2), last), 7_002), [Gone, Became(State::Stopped)]);
    assert_eq!(life.status(0).last_end, Some("did not finish in time, and was ended by signal 9 (SIGKILL)"));
    for mut nothing in [Life::new(settings()), life] {
        assert_eq!(done(&mut nothing, Event::Stop, 8_000), [Gone]);
    }
    let mut pausing = ready(settings());
    pausing.on(Event::Exited(id(1), FAILED), 2_000);
    assert_eq!(done(&mut pausing, Event::Stop, 2_001), [Gone, Became(State::Stopped)]);
    assert_eq!(pausing.deadline(), None);
}

#[test]
fn a_kill_has_no_patience() {
    let mut life = ready(settings());
    life.on(Event::Stop, 2_000);
    assert_eq!(done(&mut life, Event::Kill, 2_001), [kill(1)]);
    assert_eq!(done(&mut life, Event::Kill, 2_002), []);
    assert_eq!(life.deadline(), None);
    let mut life = ready(Settings { graceful_timeout: 0, ..settings() });
    assert_eq!(done(&mut life, Event::Stop, 2_000), [kill(1), Became(State::Stopping)]);
}

#[test]
fn what_it_says_of_itself_is_shown() {
    let mut life = ready(notifying());
    life.on(Event::Said(id(1), N::Status("busy".into())), 2_000);
    assert_eq!(life.status(2_000).text, "busy");
    assert_eq!(done(&mut life, Event::Said(id(1), N::Reloading), 2_001), [Became(State::Reloading)]);
    assert_eq!(done(&mut life, Event::Said(id(1), N::Ready), 2_002), [Became(State::Ready)]);
    assert_eq!(done(&mut life, Event::Said(id(1), N::Watchdog), 2_003), []);
    assert_eq!(done(&mut life, Event::Said(id(1), N::Stopping), 3_000), [Became(State::Stopping)]);
    assert_eq!(life.deadline(), Some(8_000), "one that says so and does not is killed");
    assert_eq!(done(&mut life.clone(), Event::Deadline, 8_000), [kill(1)]);
    assert_eq!(done(&mut life, Event::Exited(id(1), End::Exited(0)), 3_001), [Became(State::Pausing)]);
}

#[test]
fn a_shorter_pause_counts_at_once() {
    let mut life = ready(Settings { restart_pause: 10_000, restart_pause_max: 10_000, ..settings() });
    life.on(Event::Exited(id(1), FAILED), 2_000);
    assert_eq!(life.deadline(), Some(12_000));
    life.on(Event::Retime(settings()), 3_000);
    assert_eq!(life.deadline(), Some(3_200));
}

#[test]
fn a_time_is_never_made_shorter() {
    for (time, expected) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
        assert_eq!(millis(Duration::from_nanos(time)), expected);
    }
}
