//! The C library: what it exports, its header, and the programs in `crates/capi/tests` and `examples`, which use and abuse
//! it, as they are, under valgrind(1) and with gcc's sanitizers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Done, Node, done, have, skip};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const HEADER: &str = include_str!("../../../capi/include/stepdown.h");
const SYMBOLS: &str = include_str!("../../../capi/symbols.map");

/// A scope that needs no accounts.
const SCOPE: &str = "Security {\n  user = 994\n  group = 994\n  Supplemental_Groups = ( 994 )\n  \
                     Capabilities = \"cap_net_bind_service+ep\"\n}\n";

/// The directory with the C library, which is built on first use; `None` where it can't be, after saying so.
pub fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if !["make", "cc", "ld", "objcopy", "ar"].iter().all(|program| have(program)) {
        return None;
    }
    let built = BUILT.get_or_init(|| {
        let target = target_directory();
        let mut make = Command::new("make");
        make.args(["-s", "-C", SOURCES, "library"]).arg(format!("CARGO_TARGET_DIR={}", target.display()));
        make.env("CARGO_TARGET_DIR", &target).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        let done = done(&mut make);
        assert_eq!(done.status, 0, "{done:?}");
        target.join("capi")
    });
    Some(built)
}

/// A build of it for tests, an archive: with its symbols, and with a panic in the function that the environment names.
fn test_archive() -> Option<&'static Path> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    library()?;
    let built = BUILT.get_or_init(|| {
        let target = target_directory().join("c-tests");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(SOURCES);
        cargo.args(["rustc", "-q", "--locked", "-p", "stepdown-capi", "--lib", "--crate-type", "staticlib"]);
        // The profile of the release, less what takes long and tells nothing here.
        cargo.args(["--profile", "capi", "--config", "profile.capi.lto='off'"]);
        cargo.args(["--config", "profile.capi.codegen-units=16", "--config", "profile.capi.strip=false"]);
        cargo.args(["--", "--cfg", "stepdown_panic"]);
        cargo.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", "-C target-feature=-crt-static");
        let done = done(&mut cargo);
        assert_eq!(done.status, 0, "{done:?}");
        target.join("capi/libstepdown_capi.a")
    });
    Some(built)
}

fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

/// A source of these tests, or an example.
fn source(name: &str) -> PathBuf {
    Path::new(SOURCES).join(name)
}

/// Compiles a program in C, with all warnings as errors.
#[track_caller]
fn compile(name: &str, program: &Path, options: &[&str]) {
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"]);
    cc.arg(source("crates/capi/include")).arg("-o").arg(program).arg(source(name)).args(options);
    let done = done(&mut cc);
    assert_eq!(done.status, 0, "{done:?}");
}

/// The options that link the shared library, and have it found.
fn shared(library: &Path) -> [String; 4] {
    let directory = library.display();
    [format!("-L{directory}"), "-lstepdown".into(), format!("-Wl,-rpath,{directory}"), "-pthread".into()]
}

/// The options that link an archive.
fn archived(archive: &Path) -> [String; 4] {
    [archive.display().to_string(), "-lgcc_s".into(), "-lm".into(), "-pthread".into()]
}

fn strs(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[track_caller]
fn says(done: &Done, word: &str) {
    assert_eq!((done.status, done.out.lines().last()), (0, Some(word)), "{done:?}");
}

/// The names of the list.
pub fn listed() -> BTreeSet<&'static str> {
    SYMBOLS
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
        .filter(|name| name.starts_with("stepdown_"))
        .collect()
}

#[test]
fn the_libraries_export_what_is_listed_and_the_header_declares_it() {
    let Some(library) = library() else { return };
    let listed = listed();
    assert!(listed.len() >= 19, "{listed:?}");
    let shared = library.join("libstepdown.so.0");
    let dynamic = done(Command::new("nm").args(["-D", "--defined-only"]).arg(&shared));
    let mut exported = BTreeSet::new();
    for line in dynamic.ran().out.lines() {
        let name = line.split_whitespace().last().unwrap();
        if name != "STEPDOWN_0" {
            exported
                .insert(name.strip_suffix("@@STEPDOWN_0").unwrap_or_else(|| panic!("{line} has no version")));
        }
    }
    assert_eq!(exported, listed);
    let archive = done(Command::new("nm").args(["-g", "--defined-only"]).arg(library.join("libstepdown.a")));
    let exported: BTreeSet<&str> =
        archive.ran().out.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(exported, listed);
    // Every declaration begins its line.
    let declared: BTreeSet<&str> = HEADER
        .lines()
        .filter(|line| line.ends_with(");") && !line.starts_with([' ', '*', '/']))
        .filter_map(|line| line.split('(').next()?.split([' ', '*']).next_back())
        .collect();
    assert_eq!(declared, listed);
    let described = done(Command::new("readelf").arg("-d").arg(&shared)).ran().out.clone();
    assert!(described.contains("soname: [libstepdown.so.0]"), "{described}");
    let needed: Vec<&str> = described.lines().filter(|line| line.contains("(NEEDED)")).collect();
    let known = ["[libc.so.6]", "[libgcc_s.so.1]", "[ld-linux-x86-64.so.2]", "[ld-linux-aarch64.so.1]"];
    assert!(needed.iter().all(|line| known.iter().any(|name| line.ends_with(name))), "{needed:?}");
}

#[test]
fn the_header_is_c_and_cxx_and_its_layouts_stay() {
    if !have("cc") || !have("g++") {
        return;
    }
    let layout = source("crates/capi/tests/layout.c");
    for (compiler, language, standard) in [
        ("cc", "c", "c99"),
        ("cc", "c", "c11"),
        ("cc", "c", "gnu17"),
        ("g++", "c++", "c++11"),
        ("g++", "c++", "c++20"),
    ] {
        let mut command = Command::new(compiler);
        command.args([
            "-x",
            language,
            &format!("-std={standard}"),
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ]);
        command.arg("-fsyntax-only").arg("-I").arg(source("crates/capi/include")).arg(&layout);
        let done = done(&mut command);
        assert_eq!(done.status, 0, "{compiler} {standard}: {done:?}");
    }
}

#[test]
fn every_function_says_in_the_header_whose_what_is_and_who_may_call() {
    // The comment above each declaration.
    let mut comment = String::new();
    for line in HEADER.lines() {
        if line.starts_with("/*") {
            comment.clear();
        }
        if line.ends_with(");") && !line.starts_with([' ', '*', '/']) {
            assert!(comment.contains("hread-safe") || comment.contains("The same for"), "{line}: {comment}");
            if line.contains("**") {
                assert!(comment.contains("owns") || comment.contains("Ownership"), "{line}: {comment}");
            }
        }
        comment.push_str(line);
    }
}

#[test]
fn abuse_is_survived() {
    let Some(library) = library() else { return };
    let Some(node) = Node::new() else { return };
    let program = node.dir.join("abuse");
    compile("crates/capi/tests/abuse.c", &program, &strs(&shared(library)));
    says(&done(&mut node.command(&program)), "survived");
    if !have("valgrind") {
        return;
    }
    let checked = done(node.command("valgrind").args(VALGRIND).arg(&program));
    says(&checked, "survived");
}

#[test]
fn the_sanitizers_find_nothing() {
    let Some(archive) = test_archive() else { return };
    let Some(node) = Node::new() else { return };
    let mut options = vec!["-fsanitize=address,undefined".to_owned(), "-fno-sanitize-recover=all".to_owned()];
    options.extend(archived(archive));
    let (abuse, apply) = (node.dir.join("abuse"), node.dir.join("apply"));
    compile("crates/capi/tests/abuse.c", &abuse, &strs(&options));
    says(&done(&mut node.command(&abuse)), "survived");
    compile("crates/capi/tests/apply.c", &apply, &strs(&options));
    node.file("stepdown.conf", SCOPE);
    // Leaks are looked for by another process, which may not look into one that has stepped down; valgrind finds those.
    let leaks = ("ASAN_OPTIONS", "detect_leaks=0");
    says(&done(node.command(&apply).arg("stepdown.conf").env(leaks.0, leaks.1)), "applied");
    says(&done(node.command(&apply).args(["stepdown.conf", "half-way"]).env(leaks.0, leaks.1)), "half-way");
}

#[test]
fn a_process_steps_down_as_the_library_says_and_the_kernel_sees() {
    let Some(library) = library() else { return };
    let Some(node) = Node::new() else { return };
    node.file("stepdown.conf", SCOPE);
    let program = node.dir.join("apply");
    compile("crates/capi/tests/apply.c", &program, &strs(&shared(library)));
    let ran = done(node.command(&program).arg("stepdown.conf"));
    assert_eq!(ran.ran().out, "applied\n");
    let ran = done(node.command(&program).args(["stepdown.conf", "half-way"]));
    assert_eq!(ran.ran().out, "half-way\n");
    let ran = done(node.command(&program).args(["stepdown.conf", "threads"]));
    assert_eq!(ran.ran().out, "every thread is there\n", "{ran:?}");
}

/// The kernel starts threads for a thread that is held. Such a one is refused, found, or made when there is no right left for it.
#[test]
fn a_thread_that_the_kernel_starts_meanwhile_is_not_left_behind() {
    let Some(library) = library() else { return };
    let Some(node) = Node::new() else { return };
    node.file("stepdown.conf", SCOPE);
    let program = node.dir.join("ring");
    compile("crates/capi/tests/ring.c", &program, &strs(&shared(library)));
    for number in 0..120 {
        let delay = (100 + number % 30 * 10) * 1000;
        let ran = done(node.command(&program).args(["stepdown.conf", &delay.to_string()]));
        if ran.status == 77 {
            skip("this kernel has no io_uring");
            return;
        }
        let found =
            ran.status == 128 + 6 && ran.err.contains("a thread was started while the others were held");
        assert!(ran.status == 0 || found, "{ran:?}");
    }
}

#[test]
fn a_refusal_ends_the_process_where_that_is_asked_for() {
    let Some(library) = library() else { return };
    let Some(node) = Node::new() else { return };
    node.file("stepdown.conf", SCOPE);
    let program = node.dir.join("apply");
    compile("crates/capi/tests/apply.c", &program, &strs(&shared(library)));
    const ABORTED: i32 = 128 + 6;
    for (argument, status, out, reason) in [
        ("refusal", ABORTED, "refused\n", "blocks signal 33, and so can't be changed"),
        ("abort", 0, "aborted\n", "this plan was made for process "),
        ("abort-half-way", ABORTED, "", " answered EPERM "),
    ] {
        let ran = done(node.command(&program).args(["stepdown.conf", argument]));
        assert_eq!((ran.status, ran.out.as_str()), (status, out), "{ran:?}");
        // One line, with the reason.
        let line = ran.err.strip_suffix("; the process is stopped\n").unwrap_or_default();
        assert!(line.starts_with("stepdown: ") && line.contains(reason) && !line.contains('\n'), "{ran:?}");
    }
}

#[test]
fn valgrind_finds_nothing_where_a_process_steps_down() {
    let Some(archive) = test_archive() else { return };
    let Some(node) = Node::new() else { return };
    if !have("valgrind") {
        return;
    }
    node.file("stepdown.conf", SCOPE);
    let program = node.dir.join("apply");
    compile("crates/capi/tests/apply.c", &program, &strs(&archived(archive)));
    let suppressions = format!("--suppressions={}", source("crates/capi/tests/valgrind.supp").display());
    for (arguments, word) in
        [(&["stepdown.conf"][..], "applied"), (&["stepdown.conf", "half-way"], "half-way")]
    {
        let mut valgrind = node.command("valgrind");
        let checked = done(valgrind.args(VALGRIND).arg(&suppressions).arg(&program).args(arguments));
        says(&checked, word);
    }
}

/// Any error ends in status 99, and so does whatever is not freed.
const VALGRIND: [&str; 5] = [
    "-q",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=all",
    "--errors-for-leak-kinds=all",
];

#[test]
fn no_panic_crosses_the_border() {
    let Some(archive) = test_archive() else { return };
    let directory = Place::new("panic");
    let program = directory.0.join("panic");
    compile("crates/capi/tests/panic.c", &program, &strs(&archived(archive)));
    let ran = done(&mut Command::new(&program));
    // Not even on standard error.
    let mut said: BTreeSet<&str> = ran.ran().out.lines().collect();
    assert!(said.remove("survived"));
    // These two can't: they return what is written in the program.
    said.extend(["stepdown_version", "stepdown_status_name"]);
    assert_eq!(said, listed());
}

#[test]
fn what_is_released_unwinds_and_catches() {
    let manifest = fs::read_to_string(source("Cargo.toml")).unwrap();
    let profile = manifest.split("[profile.capi]\n").nth(1).unwrap();
    assert!(profile.contains("panic = \"unwind\""), "{profile}");
    // The hook for the tests is not in it.
    let Some(library) = library() else { return };
    let bytes = fs::read(library.join("libstepdown.so.0")).unwrap();
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    assert!(has(b"a bug of the library in ") && !has(b"STEPDOWN_PANIC"));
}

#[test]
fn what_is_installed_is_found_by_pkg_config_and_serves_on_port_80() {
    let Some(library) = library() else { return };
    let Some(node) = Node::new() else { return };
    if !have("pkg-config") || !have("curl") {
        return;
    }
    let prefix = node.dir.join("usr");
    let mut make = Command::new("make");
    make.args(["-s", "-C", SOURCES, "install"]).arg(format!("PROGRAM={}", crate::support::STEPDOWN));
    make.arg(format!("SMALL={}", crate::small::small().display()));
    make.arg(format!("PREFIX={}", prefix.display())).arg(format!("LIBRARY={}", library.display()));
    make.arg(format!("SYSCONFDIR={}", node.dir.join("etc").display()));
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    done(&mut make).ran();
    node.file("server.conf", SCOPE);
    let build =
        "export PKG_CONFIG_PATH=$PWD/usr/lib/pkgconfig; sources=usr/share/doc/stepdown/examples/c/server.c
        [ \"$(pkg-config --modversion stepdown)\" = 0.1.0 ] || exit 3
        cc -o shared $sources $(pkg-config --cflags --libs stepdown) || exit 4
        cc -static -o static $sources $(pkg-config --static --cflags --libs stepdown) || exit 5";
    let built = node.sh(build);
    assert_eq!((built.status, built.out.as_str()), (0, ""), "{built:?}");
    let python = "/usr/bin/python3 usr/share/doc/stepdown/examples/python/server.py";
    for server in ["./shared", "./static", python] {
        let script = format!(
            "export LD_LIBRARY_PATH=$PWD/usr/lib; : >said
             {server} server.conf 1 >said 2>&1 & pid=$!
             until grep -q serving said || ! kill -0 $pid; do sleep 0.05; done
             cat said; grep -e Uid -e CapPrm /proc/$pid/status
             curl -s --http0.9 --max-time 60 http://127.0.0.1/ | grep . || kill $pid; wait $pid && echo ended well"
        );
        let served = node.sh(&script);
        let expected = "serving as user 994\nUid:\t994\t994\t994\t994\nCapPrm:\t0000000000000400\n\
                        at your service\r\nended well\n";
        assert_eq!(served.out, expected, "{server}: {served:?}");
    }
    // Refused with the place, and nothing is served.
    node.file("wrong.conf", "Security {\n  user = nobody-of-that-name\n}\n");
    for server in ["./shared", python] {
        let refused = node.sh(&format!("LD_LIBRARY_PATH=$PWD/usr/lib {server} wrong.conf 1"));
        assert_eq!((refused.status, refused.out.as_str()), (1, ""), "{refused:?}");
        assert!(refused.err.contains("wrong.conf:2:10: error (this host): there is no user"), "{refused:?}");
    }
}

#[test]
fn the_guide_of_the_c_library_names_every_function() {
    let guide = fs::read_to_string(source("docs/c-library.md")).unwrap();
    for name in listed() {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}

/// A directory that ends with this.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let path = PathBuf::from(format!("/tmp/stepdown-c-{}-{test}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
