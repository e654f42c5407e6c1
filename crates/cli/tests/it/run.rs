//! `stepdown run`: the way that succeeds.

use crate::support::{ECUSER, Node, SAMPLE};

const STATUS: [&str; 3] =
    ["sh", "-c", "id -u; id -g; id -G; cat /proc/self/status; echo HOME=$HOME USER=$USER LOGNAME=$LOGNAME"];

#[test]
fn the_sample_runs_as_its_user_with_exactly_its_capability() {
    let Some(node) = Node::new() else { return };
    let done = node.run(SAMPLE, &STATUS);
    done.ran();
    assert!(done.out.starts_with(&format!("{ECUSER}\n{ECUSER}\n994 996\n")), "{}", done.out);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(done.field(set), "0000000000000400", "{set}");
    }
    assert_eq!(done.field("NoNewPrivs"), "1");
    assert!(done.out.contains("HOME=/nonexistent USER=ecuser LOGNAME=ecuser"));
}
