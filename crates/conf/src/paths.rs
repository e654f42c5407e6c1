//! Which file an inclusion means, as text: the search path, the node's name, what a directory's entries count for.
//!
//! Nothing here looks at a file system. Follows "Files" of the language reference.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The directories in which configuration files are looked up, in order.
///
/// They are `global`, the node's name and `default` below `conf_dir`. `override_`, where given, takes their place: directories
/// separated by `:`, in which `{NODENAME}` stands for the node's name; empty ones are left out.
pub fn search_path(conf_dir: &str, node_name: &str, override_: Option<&str>) -> Vec<String> {
    match override_ {
        Some(path) => path
            .split(':')
            .filter(|directory| !directory.is_empty())
            .map(|directory| with_node_name(directory, node_name))
            .collect(),
        None => ["global", node_name, "default"].iter().map(|name| join(conf_dir, name)).collect(),
    }
}

fn with_node_name(directory: &str, node_name: &str) -> String {
    const STANDS: &str = "{NODENAME}";
    let mut text = String::new();
    let mut rest = directory;
    // A brace begins it, and nothing in it is one.
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (instead, behind) = match from.strip_prefix(STANDS) {
            Some(behind) => (node_name, behind),
            None => from.split_at(1),
        };
        text.push_str(instead);
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// The node's name: the host name up to the first dot.
pub fn node_name(host_name: &str) -> &str {
    host_name.split('.').next().unwrap_or(host_name)
}

/// A path below a directory; the empty directory is the current one. An absolute path stays what it is.
pub(crate) fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() || path.starts_with('/') {
        path.to_string()
    } else if directory.ends_with('/') {
        format!("{directory}{path}")
    } else {
        format!("{directory}/{path}")
    }
}

/// Where to look for what a file includes, in order: beside the file, then along the search path.
pub(crate) fn candidates(including: &str, path: &str, search_path: &[String]) -> Vec<String> {
    let beside = including.rfind('/').map_or("", |slash| &including[..=slash]);
    let mut candidates = Vec::new();
    for directory in core::iter::once(beside).chain(search_path.iter().map(String::as_str)) {
        let candidate = join(directory, path);
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    candidates
}

/// What a directory's entry counts for when the directory is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Included,
    /// Hidden files are left out without a word: the language says so.
    Hidden,
    /// What editors and package managers leave behind: left out, with a note.
    LeftBehind,
}

pub(crate) fn entry(name: &str) -> Entry {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        Entry::Hidden
    } else if name.ends_with('~')
        || ending == "bak"
        || ending.starts_with("dpkg-")
        || ending.starts_with("rpm")
    {
        Entry::LeftBehind
    } else {
        Entry::Included
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_is_global_node_default_or_what_replaces_it() {
        assert_eq!(
            search_path("/etc/stepdown", node_name("mail1.example.com"), None),
            ["/etc/stepdown/global", "/etc/stepdown/mail1", "/etc/stepdown/default"]
        );
        assert_eq!(search_path("/x", "n", Some("/a/{NODENAME}::/b:{NODENAME}")), ["/a/n", "/b", "n"]);
        assert!(search_path("/x", "n", Some("")).is_empty());
        assert_eq!(node_name("localhost"), "localhost");
    }

    #[test]
    fn an_inclusion_is_looked_up_beside_its_file_first() {
        let path = ["/p".to_string(), "/etc".to_string()];
        assert_eq!(candidates("/etc/a.conf", "b.conf", &path), ["/etc/b.conf", "/p/b.conf"]);
        assert_eq!(candidates("a.conf", "b.conf", &path), ["b.conf", "/p/b.conf", "/etc/b.conf"]);
        assert_eq!(candidates("/etc/a.conf", "/b.conf", &path), ["/b.conf"]);
        assert_eq!(candidates("/a.conf", "b", &[]), ["/b"]);
    }

    #[test]
    fn what_others_left_behind_is_not_configuration() {
        for name in ["a.conf", "10-x", "rpm.conf", "a.bak.conf", "dpkg-a", "bak"] {
            assert_eq!(entry(name), Entry::Included, "{name}");
        }
        for name in ["a.conf~", "a.bak", "a.dpkg-old", "a.conf.rpmnew", "a.rpmsave"] {
            assert_eq!(entry(name), Entry::LeftBehind, "{name}");
        }
        for name in [".a.conf.swp", ".", "..", "", "../etc"] {
            assert_eq!(entry(name), Entry::Hidden, "{name}");
        }
    }
}
