//! A terminal in the hands of a lesser user, who could type into it.

use crate::support::{Node, STEPDOWN, done};

#[test]
fn a_terminal_that_is_passed_to_a_lesser_user_is_warned_about_where_it_can_be_typed_into() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", "Security { user = ecuser }");
    node.file("root.conf", "Security { user = root }");
    node.file("one", "1\n");
    node.file("zero", "0\n");
    let check = |switch: &str, file: &str, input: &str| {
        let script = format!(
            "mount --bind {switch} /proc/sys/dev/tty/legacy_tiocsti && \
                              script -qec \"$STEPDOWN check -c {file}\" /dev/null {input}"
        );
        let done =
            done(node.command("unshare").args(["--mount", "sh", "-c", &script]).env("STEPDOWN", STEPDOWN));
        assert!(done.out.contains("Configuration valid"), "{done:?}");
        done.out.contains("TIOCSTI")
    };
    assert!(check("one", "server.conf", ""));
    assert!(!check("zero", "server.conf", ""));
    assert!(!check("one", "root.conf", ""));
    let no_terminal = node.sh("unshare --mount sh -c 'mount --bind one /proc/sys/dev/tty/legacy_tiocsti && \
                              exec $STEPDOWN check -c server.conf'");
    assert_eq!(no_terminal.ran().out, "Configuration valid\n");
}
