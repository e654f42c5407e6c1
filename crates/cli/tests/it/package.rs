//! `make install` and `make deb`: what they put where, that the Debian packages pass lintian, that the program's runs from
//! a root directory that holds nothing else, and that it leaves nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::c_library::library;
use crate::small::small;
use crate::support::{Done, ECUSER, Node, PROGRAM, SAMPLE, STEPDOWN, done, have};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// All that `make deb` makes.
const PACKAGES: [&str; 3] = ["stepdown", "libstepdown0", "libstepdown-dev"];

/// The path of another package, made with this one.
fn beside(package: &Path, name: &str) -> PathBuf {
    let file = package.file_name().unwrap().to_str().unwrap();
    package.with_file_name(file.replacen("stepdown_", &format!("{name}_"), 1))
}

/// A directory that ends with this.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let dir = PathBuf::from(format!("/tmp/stepdown-package-{}-{test}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Place(dir)
    }

    /// `make` with the program and the library under test, which it must not build.
    fn make(&self, target: &str, variables: &[String]) -> Done {
        let library = library().expect("the tests have looked for what builds it").display();
        let mut make = Command::new("make");
        make.args(["-s", "-C", SOURCES, target]).arg(format!("PROGRAM={PROGRAM}"));
        make.arg(format!("SMALL={}", small().display())).arg(format!("LIBRARY={library}")).args(variables);
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        done(&mut make)
    }

    /// `make deb` into a directory of this place, and the package's path.
    fn package(&self, directory: &str) -> PathBuf {
        let made = self.make("deb", &[format!("CARGO_TARGET_DIR={}", self.0.join(directory).display())]);
        let path = PathBuf::from(made.ran().out.lines().last().unwrap());
        assert!(path.starts_with(&self.0) && path.is_file(), "{made:?}");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Every file and directory below one, by its name from there, a directory with a slash at its end.
fn below(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
                found.insert(format!("{name}/"));
            } else {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn make_install_installs_everything_and_uninstall_removes_it() {
    if library().is_none() {
        return;
    }
    let place = Place::new("install");
    let destination = [format!("DESTDIR={}", place.0.join("root").display())];
    place.make("install", &destination).ran();
    let root = place.0.join("root");
    let installed = below(&root);
    let listed = done(Command::new(STEPDOWN).args(["man", "--list"]));
    let pages = listed.ran().out.lines();
    let mut expected: Vec<String> = pages
        .map(|page| format!("usr/local/share/man/man{}/{page}", page.rsplit('.').next().unwrap()))
        .collect();
    for file in [
        "etc/stepdown/",
        "usr/local/bin/stepdown",
        "usr/local/bin/stepdown-run",
        "usr/local/share/bash-completion/completions/stepdown",
        "usr/local/share/zsh/site-functions/_stepdown",
        "usr/local/share/fish/vendor_completions.d/stepdown.fish",
        "usr/local/share/doc/stepdown/README.md",
        "usr/local/share/doc/stepdown/docs/security-scope.md",
        "usr/local/share/doc/stepdown/examples/web.conf",
        "usr/local/share/doc/stepdown/examples/c/server.c",
        "usr/local/share/doc/stepdown/examples/python/server.py",
        "usr/local/include/stepdown.h",
        "usr/local/lib/libstepdown.a",
        "usr/local/lib/libstepdown.so",
        "usr/local/lib/libstepdown.so.0",
        "usr/local/lib/libstepdown.so.0.1.0",
        "usr/local/lib/pkgconfig/stepdown.pc",
    ] {
        expected.push(file.into());
    }
    for file in expected {
        assert!(installed.contains(&file), "{file} is not in {installed:?}");
    }
    for (page, start) in [("man1/stepdown-run.1", ".\\\" Made by"), ("man5/stepdown.conf.5", ".\\\" Made by")]
    {
        let text = fs::read_to_string(root.join("usr/local/share/man").join(page)).unwrap();
        assert!(text.starts_with(start), "{page}: {text}");
    }
    for program in ["stepdown", "stepdown-run"] {
        let version = done(Command::new(root.join("usr/local/bin").join(program)).arg("--version"));
        assert_eq!(version.ran().out, format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
    }
    // What somebody has put there stays.
    fs::create_dir(root.join("etc/stepdown/default")).unwrap();
    fs::write(root.join("etc/stepdown/default/stepdown.conf"), SAMPLE).unwrap();
    place.make("uninstall", &destination).ran();
    let left: Vec<String> = below(&root).into_iter().filter(|name| !name.ends_with('/')).collect();
    assert_eq!(left, ["etc/stepdown/default/stepdown.conf"]);
    let again = place.make("uninstall", &destination);
    assert!(again.status != 0 && again.err.contains("there is no"), "{again:?}");
}

#[test]
fn make_install_without_a_program_or_a_library_says_so_and_installs_nothing() {
    if library().is_none() {
        return;
    }
    let place = Place::new("unbuilt");
    let root = place.0.join("root");
    for (variable, missing) in [
        ("PROGRAM=/nowhere/stepdown", "/nowhere/stepdown:"),
        ("SMALL=/nowhere/stepdown-run", "/nowhere/stepdown-run:"),
        ("LIBRARY=/nowhere", "/nowhere/libstepdown.so.0.1.0:"),
    ] {
        let done = place.make("install", &[format!("DESTDIR={}", root.display()), variable.to_owned()]);
        assert!(done.status != 0 && done.err.contains(&format!("there is no {missing}")), "{done:?}");
        assert!(!root.exists());
    }
}

#[test]
fn lintian_finds_no_error_and_no_warning_in_the_packages() {
    if library().is_none() || !have("dpkg-deb") || !have("lintian") {
        return;
    }
    let place = Place::new("lintian");
    let package = place.package("made");
    // An override that covers nothing is out of date.
    let flags = ["--fail-on", "error,warning", "--display-info", "--allow-root"];
    for name in PACKAGES {
        let lintian = done(Command::new("lintian").args(flags).arg(beside(&package, name)));
        assert_eq!(lintian.status, 0, "{lintian:?}");
        assert!(!lintian.out.contains("unused-override"), "{}", lintian.out);
    }
}

#[test]
fn the_same_sources_give_the_same_packages() {
    if library().is_none() || !have("dpkg-deb") {
        return;
    }
    let place = Place::new("twice");
    let (one, other) = (place.package("one"), place.package("other"));
    for name in PACKAGES {
        assert!(fs::read(beside(&one, name)).unwrap() == fs::read(beside(&other, name)).unwrap(), "{name}");
    }
}

#[test]
fn the_package_installs_into_an_empty_root_runs_there_and_is_purged_without_a_trace() {
    let Some(node) = Node::new() else { return };
    if library().is_none() || !have("dpkg-deb") {
        return;
    }
    let place = Place::new("purge");
    let package = place.package("made");
    // Nothing but dpkg's own books, the accounts, and /proc: what is run there runs without any library.
    let root = node.dir.join("root");
    for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "proc"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    for name in ["passwd", "group"] {
        fs::copy(node.dir.join(name), root.join("etc").join(name)).unwrap();
    }
    let before = below(&root);
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = node.command("dpkg");
        dpkg.arg("--root=root").arg("--log=/dev/null").args(arguments);
        done(&mut dpkg)
    };
    dpkg(&["--install", package.to_str().unwrap()]).ran();
    assert!(dpkg(&["--verify", "stepdown"]).ran().out.is_empty());
    node.sh("chroot root stepdown check --syntax /usr/share/doc/stepdown/examples/web.conf").ran();

    // It does its work there: into the user, with the capability, and out of what nothing else is in.
    node.file("root/etc/server.conf", SAMPLE);
    let run = "mount -t proc proc root/proc && exec chroot root \
               stepdown run -v -c /etc/server.conf -- /usr/bin/stepdown --version";
    let ran = node.sh(run);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.starts_with("stepdown "), "{ran:?}");
    assert!(ran.err.contains(&format!("user              {ECUSER} (ecuser)")), "{ran:?}");
    assert!(ran.err.contains("permitted         cap_net_bind_service\n"), "{ran:?}");
    // So does the small one.
    let small =
        node.sh("exec chroot root stepdown-run -v -c /etc/server.conf -- /usr/bin/stepdown --version");
    assert_eq!((small.status, small.out, small.err), (0, ran.out, ran.err));
    node.sh("umount root/proc && rm root/etc/server.conf").ran();

    // It says that `/etc`, which is not the package's alone, stays.
    assert_eq!(dpkg(&["--purge", "stepdown"]).status, 0);
    let own = |name: &&String| !name.starts_with("var/lib/dpkg/");
    let after = below(&root);
    let left: Vec<&String> = after.difference(&before).filter(own).collect();
    let gone: Vec<&String> = before.difference(&after).collect();
    assert!(left.is_empty() && gone.is_empty(), "left: {left:?}, gone: {gone:?}");
    let books: Vec<&String> = after.iter().filter(|name| name.contains("stepdown")).collect();
    assert!(books.is_empty(), "{books:?}");
}

#[test]
fn the_packages_belong_to_root_whoever_has_built_it() {
    if library().is_none() || !have("dpkg-deb") {
        return;
    }
    let place = Place::new("owner");
    let package = place.package("made");
    for name in PACKAGES {
        let listed = done(Command::new("dpkg-deb").arg("--contents").arg(beside(&package, name)));
        for line in listed.ran().out.lines() {
            let mut fields = line.split_whitespace();
            let (mode, owner) = (fields.next().unwrap(), fields.next().unwrap());
            assert_eq!(owner, "root/root", "{line}");
            assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"].contains(&mode), "{line}");
        }
    }
}

#[test]
fn the_packages_of_the_library_hold_what_it_takes_to_build_and_to_run() {
    if library().is_none() || !have("dpkg-deb") || !have("pkg-config") {
        return;
    }
    let place = Place::new("library");
    let package = place.package("made");
    let (run, build) = (place.0.join("run"), place.0.join("build"));
    for (name, to) in [("libstepdown0", &run), ("libstepdown0", &build), ("libstepdown-dev", &build)] {
        done(Command::new("dpkg-deb").arg("--extract").arg(beside(&package, name)).arg(to)).ran();
    }
    let architecture = done(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"));
    let lib = format!("usr/lib/{}", architecture.ran().out.trim());
    // What runs has no more than it takes.
    let files: Vec<String> = below(&run).into_iter().filter(|name| name.contains("/libstepdown.")).collect();
    assert_eq!(files, [format!("{lib}/libstepdown.so.0"), format!("{lib}/libstepdown.so.0.1.0")]);
    let script = format!(
        "export PKG_CONFIG_SYSROOT_DIR=$PWD/build PKG_CONFIG_LIBDIR=$PWD/build/{lib}/pkgconfig
         export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
         cc -o server build/usr/share/doc/libstepdown-dev/examples/c/server.c \
             $(pkg-config --cflags --libs stepdown) && LD_LIBRARY_PATH=run/{lib} ./server"
    );
    let built = done(Command::new("sh").arg("-c").arg(script).current_dir(&place.0));
    assert_eq!(
        (built.status, built.err.lines().next()),
        (2, Some("usage: server FILE [HOW-MANY-CONNECTIONS]"))
    );
    // Whoever links it gets the right dependency: what is listed is what is exported.
    let symbols =
        done(Command::new("dpkg-deb").arg("--info").arg(beside(&package, "libstepdown0")).arg("symbols"));
    assert_eq!(
        symbols.ran().out.matches("@STEPDOWN_0 0.1.0\n").count(),
        crate::c_library::listed().len() + 1
    );
}
