//! Reads a configuration from files: the loader that crate `conf` asks, and where the main file is looked for.
//!
//! Follows `docs/language.md`, "Files". What root may read is decided by `stepdown_kernel::files`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Config, Finding, LoadError, Loaded, Loader, node_name, search_path, shell_word};
use stepdown_kernel::environment::Environment;
use stepdown_kernel::files::{self, Contents, ReadError, Trust};
use stepdown_kernel::{host, trust};
use stepdown_security::errno::Errno;

/// The directory that the search path begins at.
pub const CONFIGURATION_DIRECTORY: &str = "/etc/stepdown";

/// The name of the main file, looked for along the search path.
pub const MAIN_FILE: &str = "stepdown.conf";

/// The environment variables that replace the search path, the first that is set counts.
pub const SEARCH_PATH_VARIABLES: [&str; 2] = ["STEPDOWN_CONF_PATH", "EC_CONF_SEARCH_PATH"];

/// Loads the configuration: `file`, or the main file along the search path.
///
/// # Errors
/// Everything that is wrong with the files, at least one finding an error. Where there is no main file at all, one
/// finding with the code `no-configuration`.
#[cfg(feature = "std")]
pub fn load(file: Option<&std::path::Path>) -> Result<Config, Vec<Finding>> {
    use std::os::unix::ffi::OsStrExt;
    load_in(&Environment::of_process(), file.map(|file| file.as_os_str().as_bytes()))
}

/// As `load`, in the environment that the process was started with.
///
/// # Errors
/// As for `load`.
pub fn load_in(environment: &Environment, file: Option<&[u8]>) -> Result<Config, Vec<Finding>> {
    refuse_set_id(environment)?;
    let path = path(environment)?;
    match file {
        Some(file) => Config::load(name(file)?, &path, &mut FileLoader),
        None => Config::find(MAIN_FILE, &path, &mut FileLoader),
    }
}

/// The directories that files are looked for in, first hit wins.
///
/// # Errors
/// A variable whose value is not UTF-8: places in files are reported by name.
pub fn path(environment: &Environment) -> Result<Vec<String>, Vec<Finding>> {
    let set = SEARCH_PATH_VARIABLES
        .iter()
        .find_map(|name| Some((name, environment.variable(name).filter(|value| !value.is_empty())?)));
    let replaced = match set.map(|(name, value)| (name, str::from_utf8(value))) {
        Some((name, Err(_))) => {
            return Err(vec![
                Finding::error(
                    "name-not-utf-8",
                    Cause::Host,
                    format!("the value of {name} is not valid UTF-8"),
                )
                .because("it names the directories of the configuration, and none of them is guessed")
                .hint("rename the directories"),
            ]);
        }
        Some((_, Ok(value))) => Some(value),
        None => None,
    };
    Ok(search_path(CONFIGURATION_DIRECTORY, node_name(&host::name()), replaced))
}

/// Gives crate `conf` the files it asks for, read as [`files::read`] reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileLoader;

impl Loader for FileLoader {
    /// What the server's own user may write has its say only after the server is that user.
    fn load_local_changes(&mut self, path: &str) -> Result<Loaded, LoadError> {
        if trust::is_privileged()
            && let Some((what, how)) = files::untrusted(path.as_bytes())
        {
            return Err(LoadError::Later {
                message: format!("the changes in {path} are left out: {what} is not root's alone, {how}"),
                why: Some(
                    "this process is root, and whoever can change the file would decide what root does"
                        .into(),
                ),
            });
        }
        self.load(path)
    }

    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        match files::read(path.as_bytes(), Trust::AsRoot) {
            Ok(Contents::File { identity, bytes, writable }) => {
                Ok(Loaded::File { identity, text: bytes, writable })
            }
            Ok(Contents::Directory { names }) => Ok(Loaded::Directory { names }),
            Err(ReadError::NotFound) => Err(LoadError::NotFound),
            Err(error) => Err(refused(path, error)),
        }
    }
}

/// Reads one file for its form alone and says what is wrong with it; whoever may have written it.
#[must_use]
pub fn syntax(path: &str) -> Vec<Finding> {
    match files::read(path.as_bytes(), Trust::Anybody) {
        Ok(Contents::File { bytes, .. }) => stepdown_conf::syntax(path, &bytes),
        Ok(Contents::Directory { .. }) => {
            vec![Finding::error("not-a-file", Cause::Host, format!("{path} is a directory, not a file"))]
        }
        Err(error) => {
            let (message, why, hint) = match refused(path, error) {
                LoadError::Refused { message, why, hint } => (message, why, hint),
                LoadError::Later { message, why } => (message, why, None),
                LoadError::NotFound => (format!("{path}: there is no such file"), None, None),
            };
            let mut finding = Finding::error("not-readable", Cause::Host, message);
            (finding.why, finding.hint) = (why.map(Into::into), hint.map(Into::into));
            vec![finding]
        }
    }
}

fn refused(path: &str, error: ReadError) -> LoadError {
    let (message, why, hint) = match error {
        ReadError::NotFound => return LoadError::NotFound,
        ReadError::System(what, errno) => (
            format!("failed to {what} {path}: {}", words(errno)),
            None,
            Some(format!("see `namei -l {0}`", shell_word(path))),
        ),
        ReadError::NotRegular(kind) => (
            format!("{path} is {kind}, not a file"),
            Some("only regular files and directories are read; anything else could wait for ever".to_owned()),
            None,
        ),
        ReadError::TooLarge(limit) => (
            format!("{path} is larger than {} MiB", limit >> 20),
            Some("a configuration is read whole, in bounded memory".to_owned()),
            None,
        ),
        ReadError::Untrusted(what, how) => {
            let message = if what == path {
                format!("{path} is not trusted: {how}")
            } else {
                format!("{path} is not trusted because of {what}: {how}")
            };
            let why = "this process is root, and whoever can change the file decides what root does";
            (
                message,
                Some(why.to_owned()),
                Some(format!("chown root {0} && chmod go-w {0}", shell_word(&what))),
            )
        }
    };
    LoadError::Refused { message, why, hint }
}

/// An error of the system as it is known to who reads messages.
fn words(errno: Errno) -> String {
    errno.words().map_or_else(|| errno.to_string(), str::to_owned)
}

/// The first file along the search path that has the main file's name.
#[cfg(feature = "std")]
pub(crate) fn find(path: &[String]) -> Result<String, Vec<Finding>> {
    let candidates = path.iter().map(|directory| format!("{}/{MAIN_FILE}", directory.trim_end_matches('/')));
    let there = |candidate: &String| !matches!(FileLoader.load(candidate), Err(LoadError::NotFound));
    match candidates.clone().find(there) {
        Some(found) => Ok(found),
        // It is not there, and says so in its own words.
        None => Config::find(MAIN_FILE, path, &mut FileLoader)
            .map(|config| config.files().first().map_or_else(String::new, |file| file.path().to_owned())),
    }
}

/// A file's name as text.
pub(crate) fn name(file: &[u8]) -> Result<&str, Vec<Finding>> {
    str::from_utf8(file).map_err(|_| {
        vec![
            Finding::error(
                "name-not-utf-8",
                Cause::Host,
                format!("the name of {} is not valid UTF-8", String::from_utf8_lossy(file)),
            )
            .because("places in files are reported by name")
            .hint("rename it"),
        ]
    })
}

/// A program that its own file gave rights to is not steered by whoever starts it.
pub(crate) fn refuse_set_id(environment: &Environment) -> Result<(), Vec<Finding>> {
    if !environment.is_secure_execution() {
        return Ok(());
    }
    Err(vec![
        Finding::error(
            "set-id-stepdown",
            Cause::Host,
            "this program was given rights by its own file: set-id bits or capabilities",
        )
        .because("whoever starts it names the configuration, and would decide what is done with these rights")
        .hint("take them off (chmod ug-s, setcap -r), and have root start it"),
    ])
}
