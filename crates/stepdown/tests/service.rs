//! Services are started from a process that has stepped down, under its scope or less, and nothing else: with and without
//! another root directory, in which there is no `/proc`.
//!
//! Each case is this binary once more with its name in the environment, as it takes a process of its own with one thread.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stepdown::conf::{Config, Finding};
use stepdown::prepare::{End, Ready, prepare};
use stepdown::security::policy::{Origin, Policy, Sourced};
use stepdown::service::{Grounds, Report, Service, check, environment, narrowed, not_started, start};
use stepdown::transition;
use stepdown_kernel::signals::Signals;

const CASE: &str = "STEPDOWN_TEST_CASE";
/// In the environment of the service that is started, which is this binary too: it says what it is on its output.
const REPORT: &str = "STEPDOWN_TEST_REPORT";

const SCOPE: &str =
    r#"user = 994  group = 995  Supplemental_Groups = ( 996 )  Capabilities = "cap_net_bind_service+ep""#;

fn main() {
    let cases: [(&str, fn()); 6] = [
        ("a_service_has_what_the_scope_retains", whole),
        ("a_service_has_less_if_it_asks_for_less", less),
        ("a_service_in_another_root_directory_is_proven_without_proc", confined),
        ("root_of_a_scope_gets_no_more_than_its_capabilities", root_narrowed),
        ("what_can_be_refused_is_refused_before_the_fork", refusals),
        ("a_service_without_no_new_privs_is_where_it_must_be", without_no_new_privs),
    ];
    if std::env::var_os(REPORT).is_some() {
        return report();
    }
    if let Ok(case) = std::env::var(CASE) {
        return cases.iter().find(|(name, _)| *name == case).expect("one of the cases").1();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    if !fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t0\t0\n") {
        return skip("it needs root");
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut failed = false;
    for (name, _) in cases.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter))) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut case = command.env(CASE, name).stdin(Stdio::null()).spawn().unwrap();
        let passed = case.wait().unwrap().success();
        // What the case made as root, and can't remove any more.
        let _ = fs::remove_dir_all(format!("/tmp/stepdown-service-{}", case.id()));
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    if failed {
        std::process::exit(101);
    }
}

/// A server: stepped down, with what it needs to start services.
struct Server {
    policy: Policy,
    grounds: Grounds,
    signals: Signals,
    null: File,
    program: String,
}

impl Server {
    /// Steps down under the scope. The program is a copy of this binary that every user may execute.
    fn new(scope: &str, program: &str) -> Server {
        let ready = ready(scope);
        let grounds = Grounds::of(&ready);
        let policy = ready.policy.clone();
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let signals = Signals::block_and_open().unwrap();
        check(&grounds, &policy, Path::new(program), Some(&ready)).map_err(codes).unwrap();
        let proof = transition::apply(&ready).map_err(|finding| *finding).unwrap();
        assert_eq!(proof.state.uid.effective, grounds.state().uid.effective);
        assert_eq!(proof.state.permitted, grounds.state().permitted);
        Server { policy, grounds, signals, null, program: program.to_owned() }
    }

    fn narrowed(&self, text: &str) -> Result<Policy, Box<Finding>> {
        narrowed(&self.policy, &capabilities(text))
    }

    fn start(
        &self,
        policy: &Policy,
        descriptors: &[BorrowedFd<'_>],
        directory: Option<&str>,
    ) -> Result<String, Vec<Finding>> {
        let environment = environment(policy, &[(REPORT.into(), "1".into()), ("PATH".into(), "/bin".into())]);
        let (mut read, write) = std::io::pipe().unwrap();
        let standard = [self.null.as_fd(), write.as_fd(), self.null.as_fd()];
        let service = Service {
            program: Path::new(&self.program),
            arguments: &[OsString::from("argument")],
            environment: &environment,
            listen_pid: true,
            standard,
            descriptors,
            directory: directory.map(Path::new),
            death_signal: Some(15),
            inherited: self.signals.inherited(),
        };
        let started = start(&self.grounds, policy, &service)?;
        drop(write);
        let begin = Instant::now();
        loop {
            match started.report().unwrap() {
                Report::Executed => break,
                Report::Failed(words) => return Err(vec![not_started(self.program.as_ref(), &words)]),
                Report::Pending => assert!(begin.elapsed() < Duration::from_secs(60)),
            }
        }
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        Ok(text)
    }
}

fn ready(scope: &str) -> Ready {
    let text = format!("Security {{ {scope} }}");
    prepare(
        &Config::from_text("test.conf", &text).unwrap(),
        End::Stay,
        &[],
        &stepdown::Environment::of_process(),
    )
    .unwrap()
}

/// Capabilities as the scope of a service has them.
fn capabilities(text: &str) -> Sourced<stepdown::security::text::CapState> {
    Sourced {
        value: stepdown::security::text::parse(text, stepdown_kernel::host::capability_count()).unwrap(),
        origin: Origin::Default("of the test"),
    }
}

fn codes(findings: Vec<Finding>) -> Vec<(&'static str, String)> {
    findings.into_iter().map(|finding| (finding.code, finding.message.to_string())).collect()
}

/// What the service says of itself, by system calls and without `/proc`.
fn report() {
    let witness = stepdown_kernel::observe::Witness::by_calls().unwrap();
    let status = witness.threads().unwrap().remove(0);
    let open: Vec<i32> = (0..100).filter(|&number| is_open(number)).collect();
    println!(
        "{:?} {:?} {:?} p[{}] e[{}] i[{}] b[{}] a[{}] nnp={} {:?}\n{:?} {} {}",
        status.uid,
        status.gid,
        status.groups,
        status.permitted,
        status.effective,
        status.inheritable,
        status.bounding,
        status.ambient,
        status.no_new_privs,
        open,
        std::env::args().collect::<Vec<_>>()[1..].to_vec(),
        std::env::current_dir().unwrap().display(),
        std::env::var("LISTEN_PID") == Ok(std::process::id().to_string()),
    );
}

fn is_open(number: i32) -> bool {
    // A number that this program does not own: asked of what lists them.
    stepdown_kernel::descriptors::passed(&[number])
        .is_ok_and(|list| list.iter().any(|descriptor| descriptor.number == number))
}

/// A copy of this binary that every user may execute, in a directory that is gone with this value.
struct Copy(String);

impl Copy {
    fn new() -> Copy {
        use std::os::unix::fs::PermissionsExt;
        let directory = format!("/tmp/stepdown-service-{}", std::process::id());
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(format!("{directory}/work")).unwrap();
        let program = format!("{directory}/program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Copy(directory)
    }

    fn program(&self) -> String {
        format!("{}/program", self.0)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A process that has stepped down can't: whoever runs the cases does.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const WHOLE: &str = "Ids { real: 994, effective: 994, saved: 994, filesystem: 994 } \
    Ids { real: 995, effective: 995, saved: 995, filesystem: 995 } [995, 996]";

fn whole() {
    let copy = Copy::new();
    let server = Server::new(SCOPE, &copy.program());
    let cap = "cap_net_bind_service";
    let expected = format!("{WHOLE} p[{cap}] e[{cap}] i[{cap}] b[{cap}] a[{cap}] nnp=true");
    let two = [server.null.as_fd(), server.null.as_fd()];
    let said = server.start(&server.policy, &two, Some("/usr")).unwrap();
    assert_eq!(said, format!("{expected} [0, 1, 2, 3, 4]\n[\"argument\"] /usr true\n"));
    let said = server.start(&server.policy, &[], None).unwrap();
    assert!(said.starts_with(&format!("{expected} [0, 1, 2]\n")), "{said}");
}

fn less() {
    let copy = Copy::new();
    let server = Server::new(SCOPE, &copy.program());
    let policy = server.narrowed("").unwrap();
    let said = server.start(&policy, &[], Some("/")).unwrap();
    let cap = "cap_net_bind_service";
    assert_eq!(said, format!("{WHOLE} p[] e[] i[] b[{cap}] a[] nnp=true [0, 1, 2]\n[\"argument\"] / true\n"));
}

fn confined() {
    let copy = Copy::new();
    // Only a static binary finds all that it needs in there.
    let server = Server::new(&format!("{SCOPE} chroot = \"{}\"", copy.0), "/program");
    assert!(!Path::new("/proc").exists());
    let said = server.start(&server.policy, &[server.null.as_fd()], Some("/work")).unwrap();
    assert!(
        said.starts_with(WHOLE) && said.ends_with(" [0, 1, 2, 3]\n[\"argument\"] /work true\n"),
        "{said}"
    );
    let said = server.start(&server.narrowed("").unwrap(), &[], None).unwrap();
    assert!(said.contains(" p[] e[] i[] ") && said.ends_with("\n[\"argument\"] / true\n"), "{said}");
    let directory = File::open("/work").unwrap();
    let refused = codes(server.start(&server.policy, &[directory.as_fd()], None).unwrap_err());
    assert_eq!(refused[0].0, "directory-descriptor");
}

fn root_narrowed() {
    let copy = Copy::new();
    let scope =
        r#"user = root  group = root  Supplemental_Groups = ()  Capabilities = "cap_kill,cap_chown+ep""#;
    let server = Server::new(scope, &copy.program());
    let said = server.start(&server.narrowed("cap_kill+ep").unwrap(), &[], None).unwrap();
    assert!(
        said.contains(" p[cap_kill] e[cap_kill] i[cap_kill] b[cap_chown,cap_kill] a[cap_kill] "),
        "{said}"
    );
    let said = server.start(&server.narrowed("").unwrap(), &[], None).unwrap();
    assert!(said.contains(" p[] e[] i[] "), "{said}");
}

fn without_no_new_privs() {
    let copy = Copy::new();
    let server = Server::new(&format!("{SCOPE} No_New_Privs = false"), &copy.program());
    let said = server.start(&server.narrowed("").unwrap(), &[], None).unwrap();
    assert!(said.contains(" p[] e[] i[] b[cap_net_bind_service] a[] nnp=false"), "{said}");
}

fn refusals() {
    let copy = Copy::new();
    let closed = format!("{}/closed", copy.0);
    fs::write(&closed, "#!/bin/sh\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let before = ready(SCOPE);
    let missing = check(&Grounds::of(&before), &before.policy, Path::new("/nowhere"), Some(&before));
    assert_eq!(codes(missing.unwrap_err())[0].0, "no-program");
    drop(before);
    let mut server = Server::new(SCOPE, &copy.program());
    let more = server.narrowed("cap_net_bind_service,cap_sys_admin+ep").unwrap_err();
    assert_eq!(more.code, "more-than-the-scope");
    assert!(more.message.contains("cap_sys_admin") && !more.message.contains("bind"), "{}", more.message);
    assert!(server.narrowed("cap_net_bind_service+p").is_ok(), "though no execve can give it:");
    let odd = server.narrowed("cap_net_bind_service+p").unwrap();
    let first = |result: Result<String, Vec<Finding>>| {
        result.unwrap_err().into_iter().find(Finding::is_error).unwrap().code
    };
    assert!(server.start(&odd, &[], None).is_err());
    let policy = server.policy.clone();
    assert_eq!(first(server.start(&policy, &[], Some("/nowhere"))), "no-directory");
    assert_eq!(first(server.start(&policy, &[], Some("/root"))), "no-directory");
    for (program, code) in [
        (closed.as_str(), "not-executable"),
        ("relative", "program-not-absolute"),
        ("/nowhere", "no-program"),
        ("/etc/passwd", "no-program"),
    ] {
        program.clone_into(&mut server.program);
        assert_eq!(first(server.start(&policy, &[], None)), code, "{program}");
    }
}

/// Says that a test is skipped, and counts it as the tests of the program do.
fn skip(why: &str) {
    assert!(
        std::env::var_os("STEPDOWN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "would be skipped: {why}"
    );
    eprintln!("skipped: service: {why}");
    if let Some(path) = std::env::var_os("STEPDOWN_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("skipped: service: {why}\n").as_bytes()).unwrap();
    }
}
