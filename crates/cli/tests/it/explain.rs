//! `stepdown explain`: what it says is what `run` does, and nobody needs a right to be told.

use crate::support::{Done, Node, SAMPLE, STEPDOWN, done};

const OVERRIDE: &str = "Security { user = other  Capabilities = \"cap_net_raw+ep\" }\n\
                        Security {\n  user = ecuser\n  Capabilities = \"cap_net_bind_service+ep\"\n}\n";

fn explain(node: &Node, configuration: &str, program: &[&str]) -> Done {
    node.file("server.conf", configuration);
    done(node.command(STEPDOWN).args(["explain", "-c", "server.conf", "--"]).args(program))
}

fn json(node: &Node, configuration: &str, program: &[&str]) -> serde_json::Value {
    node.file("server.conf", configuration);
    let done = done(
        node.command(STEPDOWN).args(["explain", "--format", "json", "-c", "server.conf", "--"]).args(program),
    );
    assert_eq!((done.status, done.err.as_str()), (0, ""), "{done:?}");
    serde_json::from_str(&done.out).unwrap()
}

/// The sets of a status file as arrays of capability names, to compare with JSON.
fn mask(names: &serde_json::Value) -> u64 {
    names.as_array().unwrap().iter().fold(0, |mask, name| mask | 1 << number(name.as_str().unwrap()))
}

fn number(name: &str) -> u8 {
    use stepdown::security::capability::Capability;
    Capability::from_name(name).unwrap().number()
}

#[test]
fn every_value_says_where_it_comes_from_and_what_it_overrides() {
    let Some(node) = Node::new() else { return };
    let done = explain(&node, OVERRIDE, &["/usr/bin/id"]);
    done.ran();
    for line in [
        "  User                ecuser (994)\n                        server.conf:3:10, overrides server.conf:1:19\n",
        "server.conf:4:18, overrides server.conf:1:41\n",
        "  No_New_Privs        true\n                        default: ",
    ] {
        assert!(done.out.contains(line), "{line} in {}", done.out);
    }
}

#[test]
fn what_is_forecast_is_what_the_program_then_is() {
    let Some(node) = Node::new() else { return };
    let cat = ["/bin/cat", "/proc/self/status"];
    for configuration in [
        SAMPLE,
        OVERRIDE,
        "Security { user = ecuser }",
        "Security { user = 995 group = 996 supplemental_groups = ( 4 6 ) Capabilities = \"cap_chown,cap_kill+ep cap_fowner+i\" }",
        "Security { user = root Capabilities = \"cap_net_raw+ep\" }",
        "Security { user = root }",
        "Security { user = ecuser Bounding_Set = all No_New_Privs = off }",
    ] {
        let forecast = json(&node, configuration, &cat);
        let state = &forecast["execve"]["state"];
        let real = node.run(configuration, &cat);
        assert_eq!(real.status, 0, "{configuration}: {real:?}");
        for (set, field) in [
            ("permitted", "CapPrm"),
            ("effective", "CapEff"),
            ("inheritable", "CapInh"),
            ("bounding", "CapBnd"),
            ("ambient", "CapAmb"),
        ] {
            let real = u64::from_str_radix(real.field(field), 16).unwrap();
            assert_eq!(mask(&state[set]), real, "{set} of {configuration}");
        }
        let numbers = |field: &str| -> Vec<u64> {
            real.field(field).split_whitespace().map(|word| word.parse().unwrap()).collect()
        };
        assert_eq!(state["user"], serde_json::json!(numbers("Uid")), "{configuration}");
        assert_eq!(state["group"], serde_json::json!(numbers("Gid")), "{configuration}");
        assert_eq!(state["groups"], serde_json::json!(numbers("Groups")), "{configuration}");
        assert_eq!(state["no_new_privs"], real.field("NoNewPrivs") == "1", "{configuration}");
    }
}

#[test]
fn who_is_not_root_is_told_the_same() {
    let Some(node) = Node::new() else { return };
    let as_root = json(&node, SAMPLE, &["/usr/bin/id"]);
    let script = "cp $STEPDOWN stepdown && setpriv --reuid other --regid other --clear-groups \
                  ./stepdown explain --format json -c server.conf -- /usr/bin/id";
    let done = node.sh(script);
    done.ran();
    let as_other: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    for part in ["asked", "end", "execve", "can", "cannot"] {
        assert_eq!(as_root[part], as_other[part], "{part}");
    }
    assert!(as_other["from"]["words"].as_str().unwrap().contains("it is user 995"));
}

#[test]
fn the_program_file_itself_is_explained() {
    let Some(node) = Node::new() else { return };
    node.sh("cp /bin/true plain; cp /bin/true cap; setcap cap_net_bind_service+ep cap; cp /bin/true suid; chmod 4755 suid; \
             cp /bin/true foreign; setcap cap_chown+ep foreign; printf '#!/bin/sh\\n' >script; chmod 755 script")
        .ran();
    let said = |program: &str| explain(&node, SAMPLE, &[program]);
    for (program, words) in [
        ("./plain", "  of ./plain: no set-id bits, no capabilities of its own\n  nothing changes"),
        (
            "./cap",
            "  of ./cap: with the capabilities cap_net_bind_service=ep\n  ambient set: cap_net_bind_service -> none",
        ),
        ("./suid", "  of ./suid: set-user-id of user 0\n  nothing changes"),
        ("./script", "  of ./script, a script that /bin/sh executes: no set-id bits"),
    ] {
        let done = said(program);
        done.ran();
        assert!(done.out.contains(words), "{words} in {}", done.out);
    }
    let done = said("./foreign");
    assert_eq!((done.status, done.out.as_str()), (1, ""));
    assert!(
        done.err.contains("./foreign would not start") && done.err.contains("cap_chown=ep"),
        "{}",
        done.err
    );
}

#[test]
fn plain_words_at_the_end_and_a_warning_where_root_is_a_detour_away() {
    let Some(node) = Node::new() else { return };
    let done = explain(&node, SAMPLE, &["/usr/bin/id"]);
    assert!(done.out.contains("  - cap_net_bind_service: "), "{}", done.out);
    assert!(done.out.contains("\n  - get any of this back: "), "{}", done.out);
    let done =
        explain(&node, "Security { user = ecuser Capabilities = \"cap_setuid+ep\" }", &["/usr/bin/id"]);
    assert!(done.out.contains("with cap_setuid become root by a detour"), "{}", done.out);
    assert!(!done.out.contains("get any of this back"), "{}", done.out);
    assert!(done.out.contains("warning: who holds cap_setuid can become root"), "{}", done.out);
}

#[test]
fn a_reader_that_goes_away_is_no_reason_for_a_message() {
    let Some(node) = Node::new() else { return };
    node.file("server.conf", SAMPLE);
    let done = node.sh("$STEPDOWN explain -c server.conf 2>err | head -1; cat err");
    assert_eq!(done.out, "What is asked for\n");
}
