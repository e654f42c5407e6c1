//! `stepdown-run`: what it is made of, what it says of itself, and that it says and does what `stepdown run` does. That it does so
//! in everything is shown by the other tests of launching, which `tests/small` runs against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{ECUSER, Node, PROGRAM, SAMPLE, done, have};

/// The program, which is built on first use.
pub fn small() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../run");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("run");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(sources).args(["build", "--quiet", "--locked", "--release"]);
        cargo.arg("--target-dir").arg(&target).env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
        let done = done(&mut cargo);
        assert_eq!(done.status, 0, "{done:?}");
        target.join("release/stepdown-run")
    })
}

#[test]
fn it_is_one_file_below_250_kb_with_no_c_library_in_it() {
    let file = fs::read(small()).unwrap();
    // 250 kB is said of the machine that it was promised for; others have larger instructions.
    if cfg!(target_arch = "x86_64") {
        assert!(file.len() < 250_000, "{} bytes", file.len());
    }
    let has = |words: &str| file.windows(words.len()).any(|window| window == words.as_bytes());
    for words in ["GLIBC", "GNU C Library", "musl", "/rustc/", "/src/", "ld-linux"] {
        assert!(!has(words), "{words}");
    }
    if !have("readelf") {
        return;
    }
    let parts = done(Command::new("readelf").arg("-lW").arg(small()));
    let parts = parts.ran();
    let loaded: Vec<&str> = parts.out.lines().filter(|line| line.trim_start().starts_with("LOAD")).collect();
    assert_eq!(loaded.len(), 2, "{}", parts.out);
    assert!(!parts.out.contains("INTERP") && !parts.out.contains("DYNAMIC"), "{}", parts.out);
    for part in parts.out.lines().filter(|line| ["LOAD", "GNU_STACK"].iter().any(|name| line.contains(name)))
    {
        assert!(!part.contains("RWE"), "nothing can be written and executed: {}", parts.out);
    }
}

#[test]
fn it_tells_of_itself_as_the_command_does() {
    let of = |program: &Path, arguments: &[&str]| done(Command::new(program).args(arguments));
    let own = |arguments: &[&str]| of(small(), arguments);
    assert_eq!(own(&["--version"]).ran().out, format!("stepdown-run {}\n", env!("CARGO_PKG_VERSION")));
    let help = own(&["--help"]).ran().out.clone();
    let same = of(Path::new(PROGRAM), &["run", "--help"]).ran().out.replace("stepdown run", "stepdown-run");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&help), words(&same));
    for (arguments, message) in [
        (&[][..], "no program is named"),
        (&["--"], "no program is named"),
        (&["--nonsense", "id"], "has no flag --nonsense"),
        (&["--verbos", "id"], "did you mean --verbose?"),
        (&["-c"], "missing argument for option '-c'"),
        (&["-v=3", "id"], "unexpected argument for option '-v': \"3\""),
        (&["--verbose=3", "id"], "unexpected argument for option '--verbose': \"3\""),
        (&["--format", "xml", "id"], "--format takes text or json"),
        (&["--format=xml", "id"], "--format takes text or json"),
        (&["--pass-fd", "3,-4", "id"], "--pass-fd takes numbers, not `-4`"),
        (&["-vx", "id"], "has no flag -x"),
        (&["-v\u{1b}[2J", "id"], "has no flag -\\u{1b}"),
    ] {
        let refused = own(arguments);
        assert_eq!((refused.status, refused.out.as_str()), (125, ""), "{arguments:?}: {refused:?}");
        assert!(refused.err.contains(message), "{arguments:?}: {}", refused.err);
        assert!(refused.err.contains("\n  usage: stepdown-run [-c FILE] [-v]"), "{}", refused.err);
        let command: Vec<&str> = [&["run"], arguments].concat();
        let same = of(Path::new(PROGRAM), &command);
        assert_eq!(refused.err.replace("usage: stepdown-run", "usage: stepdown run"), same.err);
    }
}

/// What a launch touches of its memory is provided at once, on kernels that know how (Linux 5.14).
#[test]
fn it_asks_for_its_memory_once() {
    if !have("strace") {
        return;
    }
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=madvise"]).arg(small()).arg("--version");
    let traced = done(&mut strace);
    assert_eq!(traced.status, 0, "{traced:?}");
    let asked: Vec<&str> = traced.err.lines().filter(|line| line.contains("MADV_POPULATE_WRITE")).collect();
    assert_eq!(asked.len(), 2, "{traced:?}");
    assert!(asked.iter().all(|line| line.ends_with("= 0")), "{traced:?}");
}

#[test]
fn it_says_what_the_command_says() {
    let Some(node) = Node::new() else { return };
    node.file("good.conf", SAMPLE);
    node.file(
        "odd.conf",
        "Security { user = ecusr }\nSecurity { capabilitis = \"\u{1b}[31m\" Chroot = x }\n",
    );
    node.file("host.conf", "Security { user = ecuser Capabilities = \"cap_net_bind_service,63+ep\" }\n");
    for words in [
        &["-c", "good.conf", "--", "true"][..],
        &["-v", "-cgood.conf", "id"],
        &["--verbose", "--format=json", "--config=good.conf", "--", "id", "-u"],
        &["-c", "odd.conf", "--", "true"],
        &["--format", "json", "-c", "odd.conf", "--", "true"],
        &["-c", "host.conf", "--", "true"],
        &["-c", "good.conf", "--", "nowhere-to-be-found"],
        &["-c", "good.conf", "--", "/etc/passwd"],
        &["-c", "none.conf", "--", "true"],
        &["-c", "good.conf", "--pass-fd=7", "--", "true"],
        &["-v", "-c", "good.conf", "--", "sh", "-c", "exit 37"],
    ] {
        let own = done(node.command(small()).args(words));
        let same = done(node.command(PROGRAM).arg("run").args(words));
        assert_eq!((own.status, &own.out, &own.err), (same.status, &same.out, &same.err), "{words:?}");
    }
    // Nothing of the environment is lost, in whichever form it is.
    let script = "exec env -i A=1 B= PATH=\"$PATH\" \"$0\" -c good.conf -- env";
    let own = done(node.command("sh").args(["-c", script]).arg(small()));
    let path = own.ran().out.lines().find(|line| line.starts_with("PATH=")).unwrap().to_owned();
    let expected = format!("A=1\nB=\n{path}\nHOME=/nonexistent\nUSER=ecuser\nLOGNAME=ecuser\n");
    assert_eq!(own.out, expected);
}

#[test]
fn a_large_configuration_takes_a_small_multiple_of_its_size() {
    let Some(node) = Node::new() else { return };
    let mut text = String::from(SAMPLE);
    while text.len() < 30_000_000 {
        let number = text.len();
        text.push_str(&format!(
            "Domain \"d{number}.example.com\" {{\n  Routes = ( \"a\" b c )  # those\n  Retry = [ a=1, b=\"two\" ]\n}}\n"
        ));
    }
    let file = node.file("large.conf", &text);
    // The address space is what is limited: what the program asks for and does not give back counts.
    let script = format!(
        "ulimit -v {}; exec \"$0\" -c {} -- /bin/busybox id -u",
        text.len() * 8 / 1024,
        file.display()
    );
    let own = done(node.command("sh").args(["-c", &script]).arg(small()));
    assert_eq!(own.ran().out, format!("{ECUSER}\n"));
    // And where there is no memory, that is an end, and not a start.
    let script =
        format!("ulimit -v {}; exec \"$0\" -c {} -- /bin/busybox id -u", text.len() / 1024, file.display());
    let none = done(node.command("sh").args(["-c", &script]).arg(small()));
    assert_eq!((none.status, none.out.as_str()), (125, ""), "{none:?}");
}
