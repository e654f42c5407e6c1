//! What the cases are made of.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use stepdown::{Error, Planned, Proof, Security};

pub(crate) const TEXT: &str = "Security { user = 994 group = 994 Supplemental_Groups = () }";

/// The bit of cap_net_bind_service.
pub(crate) const BIND: &str = "0000000000000400";

/// The scope of the cases: user 994, one capability.
pub(crate) fn security() -> Security {
    Security::builder("994")
        .group("994")
        .supplemental_groups(&["996"])
        .capabilities("cap_net_bind_service+ep")
        .build()
        .unwrap()
}

pub(crate) fn plan() -> Planned {
    security().plan().unwrap()
}

/// Applies, and looks at every thread that there is then.
pub(crate) fn apply() -> Proof {
    applied(plan().apply())
}

#[track_caller]
pub(crate) fn applied(result: Result<Proof, Error>) -> Proof {
    let proof = result.unwrap();
    all_are_under_the_scope();
    proof
}

/// Every thread is what the scope asks for.
#[track_caller]
pub(crate) fn all_are_under_the_scope() {
    let threads = statuses();
    assert!(!threads.is_empty());
    for (thread, status) in threads {
        for (name, expected) in [
            ("Uid", "994 994 994 994"),
            ("Gid", "994 994 994 994"),
            ("Groups", "994 996"),
            ("CapInh", "0000000000000000"),
            ("CapPrm", BIND),
            ("CapEff", BIND),
            ("CapBnd", BIND),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
        ] {
            assert_eq!(status[name], expected, "{name} of thread {thread} ({})", status["Name"]);
        }
    }
}

/// Every thread is root as before, and the error says that nothing has changed.
#[track_caller]
pub(crate) fn refused(result: Result<Proof, Error>, code: &str) -> String {
    let error = result.expect_err("it is to be refused");
    let codes: Vec<&str> =
        error.findings().iter().filter(|finding| finding.is_error()).map(|finding| finding.code).collect();
    assert_eq!(codes, [code], "{error}");
    assert!(error.is_unchanged(), "{error}");
    for (thread, status) in statuses() {
        assert_eq!(status["Uid"], "0 0 0 0", "thread {thread}");
        assert_eq!(status["Groups"], "", "thread {thread}");
        assert_eq!(status["NoNewPrivs"], "0", "thread {thread}");
    }
    error.to_string()
}

/// The status of every thread that there is, by its id.
pub(crate) fn statuses() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut threads = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/task").unwrap() {
        let entry = entry.unwrap();
        // One that has ended meanwhile has none.
        let Ok(text) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        threads.insert(entry.file_name().into_string().unwrap(), fields(&text));
    }
    threads
}

/// A line of the calling thread's status.
pub(crate) fn status(name: &str) -> String {
    fields(&std::fs::read_to_string("/proc/thread-self/status").unwrap()).remove(name).unwrap()
}

fn fields(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

pub(crate) fn is_root() -> bool {
    status("Uid") == "0 0 0 0"
}

/// Waits until something is so; a case that hangs is ended from outside.
pub(crate) fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A thread that waits, and does what it is sent.
pub(crate) struct Waiting(Option<(mpsc::Sender<Task>, JoinHandle<()>)>);

type Task = Box<dyn FnOnce() + Send>;

impl Waiting {
    pub(crate) fn start() -> Waiting {
        Waiting::named("waiting")
    }

    pub(crate) fn named(name: &str) -> Waiting {
        let (send, receive) = mpsc::channel::<Task>();
        let work = move || receive.into_iter().for_each(|task| task());
        Waiting(Some((send, std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap())))
    }

    /// Has the thread do something, and gives what came of it.
    pub(crate) fn does<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        self.begins(work).recv().unwrap()
    }

    /// Has the thread begin something, whose result comes later.
    pub(crate) fn begins<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> mpsc::Receiver<R> {
        let (send, receive) = mpsc::channel();
        let task: Task = Box::new(move || drop(send.send(work())));
        self.0.as_ref().unwrap().0.send(task).unwrap();
        receive
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((send, thread)) = self.0.take() else { return };
        drop(send);
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Says that a test is skipped, and counts it as the tests of the program do.
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: threads: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("skipped: threads: {why}\n").as_bytes()).unwrap();
    }
}
