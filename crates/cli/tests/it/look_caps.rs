//! `stepdown caps` as a table: every way of writing capabilities, with capsh(1) as the judge of masks.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Done, Node, STEPDOWN, done, have};

fn caps(arguments: &[&str]) -> Done {
    done(Command::new(STEPDOWN).arg("caps").args(arguments).env_clear().stdin(Stdio::null()))
}

fn json(arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["--format", "json"].iter().chain(arguments).copied().collect();
    let answer = caps(&all);
    answer
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn without_a_text_every_capability_of_this_kernel_is_explained() {
    let answer = caps(&[]);
    let objects = json(&[]);
    let all = objects[0]["capabilities"].as_array().unwrap();
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    assert!(all.len() > last, "the kernel has {last}");
    for (number, capability) in all.iter().enumerate() {
        assert_eq!(capability["number"], number);
        let name = capability["name"].as_str().unwrap();
        assert!(answer.ran().out.contains(&format!("{number:>3}  {name} ")), "{name}: {}", answer.out);
        let first = capability["allows"].as_str().unwrap().split(' ').next().unwrap();
        assert!(answer.out.contains(first) && !capability["why"].as_str().unwrap().is_empty());
    }
    let root = all.iter().filter(|capability| capability["root_equivalent"] == true).count();
    assert_eq!(
        answer.out.lines().filter(|line| line.get(35..39) == Some("root")).count(),
        root + 1,
        "and the heading"
    );
    assert!(answer.out.lines().all(|line| line.chars().count() <= 80), "{}", answer.out);
}

#[test]
fn a_mask_is_what_capsh_says_it_is() {
    if !have("capsh") {
        return;
    }
    for mask in
        ["0000000000000000", "00000000a80425fb", "000001fffeffffff", "0000000000000400", "8000020000000001"]
    {
        let judge = done(Command::new("capsh").arg(format!("--decode={mask}")));
        let names = judge.ran().out.trim().split_once('=').unwrap().1.to_owned();
        for typed in [mask.to_owned(), format!("0x{mask}"), format!("0X{}", mask.to_uppercase())] {
            let answer = &json(&[&typed])[0];
            let own: Vec<String> = answer["capabilities"]
                .as_array()
                .unwrap()
                .iter()
                .map(|capability| match capability["name"].as_str() {
                    Some(name) => name.to_owned(),
                    None => capability["number"].to_string(),
                })
                .collect();
            assert_eq!(own.join(","), names, "{typed}");
            assert_eq!(answer["mask"], mask);
        }
    }
}

#[test]
fn a_text_shows_which_sets_each_capability_is_in() {
    let answer = caps(&["cap_chown,cap_net_raw=i cap_chown+e 45+p"]);
    let line =
        |start: &str| answer.ran().out.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line("  0  cap_chown ").contains("  ei    root  "), "{}", answer.out);
    assert!(line(" 13  cap_net_raw ").contains("  i     -     "), "{}", answer.out);
    assert!(line(" 45  (no name) ").contains("  p     ?     Unknown"), "{}", answer.out);
    for (name, value) in [
        ("canonical text", "cap_chown=ei cap_net_raw+i 45+p"),
        ("effective", "0000000000000001"),
        ("permitted", "0000200000000000"),
        ("inheritable", "0000000000002001"),
    ] {
        assert_eq!(line(&format!("  {name} ")).split_whitespace().last(), value.split(' ').next_back());
        assert!(line(&format!("  {name} ")).ends_with(value), "{}", answer.out);
    }
}

#[test]
fn the_text_to_retain_a_set_means_that_set() {
    for typed in ["net_raw", "0x2401", "cap_kill,chown", "all", "41", "0x8000000000000000"] {
        let answer = &json(&[typed])[0];
        let again = &json(&[answer["canonical"].as_str().unwrap()])[0];
        assert_eq!((&again["permitted"], &again["effective"]), (&answer["mask"], &answer["mask"]), "{typed}");
    }
}

#[test]
fn several_are_answered_one_by_one_and_a_wrong_one_does_not_hide_the_others() {
    let answer = caps(&["net_raw", "net_rwa", "5"]);
    assert_eq!(answer.status, 1, "{answer:?}");
    assert!(answer.out.starts_with("net_raw\n") && answer.out.contains("\n\n5\n"), "{}", answer.out);
    assert!(answer.err.contains("did you mean `cap_net_raw`?"), "{}", answer.err);
    let objects = json(&["net_raw", "net_rwa", "5"]);
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[1]["findings"][0]["code"], "bad-capability-text");
    for wrong in ["64", "0x10000000000000000", "cap_chown++p", "\u{1b}[31m"] {
        let answer = caps(&[wrong]);
        assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{wrong}: {answer:?}");
        assert!(!answer.err.contains('\u{1b}'), "{answer:?}");
    }
}

#[test]
fn it_fits_a_narrow_terminal_and_a_reader_that_goes_away() {
    let Some(node) = Node::new() else { return };
    let narrow = node.sh("script -qec \"stty cols 40; $STEPDOWN caps\" /dev/null");
    let longest = narrow.ran().out.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(
        longest <= Some(40) && narrow.out.contains("cap_checkpoint_restore"),
        "{longest:?}: {}",
        narrow.out
    );
    let gone = node.sh("{ $STEPDOWN caps; echo $? >status; } | true; cat status");
    assert_eq!(gone.err, "", "{gone:?}");
    assert!(["0", "141"].contains(&gone.out.trim()), "{gone:?}");
}
