//! `stepdown check` of a configuration that is for `stepdown serve`: what it says is what the start does.

use crate::serving::{Server, head, run_dir, service, sleeper};
use crate::support::{Done, Node, done};

fn check(node: &Node, text: &str) -> Done {
    node.check(text)
}

#[test]
fn a_server_that_would_start_is_valid_and_nothing_is_bound_for_that() {
    let Some(node) = Node::new() else { return };
    let socket = run_dir(&node).join("socket");
    let text = head(&node)
        + &sleeper("one", &format!("Listen \"127.0.0.1:80\" {{ }}  Listen \"{}\" {{ }}", socket.display()));
    let checked = check(&node, &text);
    assert!(checked.status == 0 && checked.out.ends_with("Configuration valid\n"), "{checked:?}");
    assert_eq!(std::fs::read_dir(run_dir(&node)).unwrap().count(), 0, "no console, no pid file, no socket");
    let server = Server::start(&node, &text);
    // Nor is anything in the way of a server that runs.
    assert_eq!(check(&node, &text).status, 0);
    assert_eq!(server.ask(&["status"]).status, 0);
}

#[test]
fn everything_that_a_start_is_refused_for_is_said_at_once_with_its_place() {
    let Some(node) = Node::new() else { return };
    let text = head(&node)
        + &service("program", &["/nonexistent/program"], "")
        + &sleeper("rights", "Capabilities = \"cap_sys_admin+ep\"");
    let words = [
        "/nonexistent/program",
        "server.conf:5:",
        "cap_sys_admin, which the Security scope does not retain",
        "server.conf:10:",
    ];
    let checked = check(&node, &text);
    assert_eq!(checked.status, 1, "{checked:?}");
    let mut refused = Server::begin(&node, &text);
    assert_eq!(refused.wait(), 125);
    for words in words {
        assert!(checked.out.contains(words), "{words}: {}", checked.out);
        assert!(refused.log().contains(words), "{words}: {}", refused.log());
    }
    assert!(checked.out.contains("Configuration not valid: 2 errors"), "{}", checked.out);
    // What the text alone gets wrong, in any of the scopes.
    for (wrong, words) in [
        ("Control_Listener { Lissen \"/run/x\" { } }", "Lissen"),
        ("Control_Listener { Timeout = soon  Listen \"/run/x\" { } }", "soon"),
        ("Service \"x\" { }", "Command"),
        ("Service \"x\" { Command = ( \"/bin/true\" )  Listen \"nowhere\" { } }", "nowhere"),
    ] {
        let checked = check(&node, &format!("Security {{ user = ecuser }}\n{wrong}\n"));
        assert_eq!(checked.status, 1, "{checked:?}");
        assert!(checked.out.contains(words) && checked.out.contains("server.conf:2:"), "{checked:?}");
    }
}

#[test]
fn with_a_program_it_is_run_that_is_asked_about_and_the_scopes_are_read_all_the_same() {
    let Some(node) = Node::new() else { return };
    node.file(
        "server.conf",
        "Security { user = ecuser }\nService \"x\" { Command = ( \"/nonexistent/program\" ) }\n",
    );
    let run = |program: &str| {
        done(node.command(crate::support::STEPDOWN).args(["check", "-c", "server.conf", "--", program]))
    };
    assert_eq!(run("/bin/true").status, 0, "{:?}", run("/bin/true"));
    assert_eq!(run("/nonexistent/other").status, 1);
    node.file("server.conf", "Security { user = ecuser }\nService \"x\" { Commando = ( \"/bin/true\" ) }\n");
    let wrong = run("/bin/true");
    assert!(wrong.status == 1 && wrong.out.contains("did you mean Command?"), "{wrong:?}");
}

#[test]
fn another_user_than_root_is_told_what_the_text_gets_wrong() {
    let Some(node) = Node::new() else { return };
    node.file(
        "server.conf",
        "Security { user = ecuser group = ecuser Supplemental_Groups = () }\nService \"x\" { Comand = () }\n",
    );
    // Others may not look where the program was built.
    std::fs::copy(crate::support::STEPDOWN, node.dir.join("stepdown")).unwrap();
    let ids = ["--reuid=994", "--regid=994", "--clear-groups", "./stepdown"];
    let checked = done(node.command("setpriv").args(ids).args(["check", "-c", "server.conf"]));
    assert!(checked.status == 1 && checked.out.contains("Comand"), "{checked:?}");
}
