//! `stepdown explain --graph`: a picture that XML readers and renderers take, and that says what the plan says.

use crate::support::{Done, Node, SAMPLE, STEPDOWN, done, have};

fn graph(node: &Node, configuration: &str, program: &[&str]) -> Done {
    node.file("server.conf", configuration);
    done(node.command(STEPDOWN).args(["explain", "--graph", "-c", "server.conf", "--"]).args(program))
}

/// Reads a picture as XML, and prints what a reader of it would find: the names of rows, and the titles of cells.
const READER: &str = "import sys,xml.etree.ElementTree as e\n\
    t=e.parse('graph.svg').getroot()\n\
    n='{http://www.w3.org/2000/svg}'\n\
    assert t.tag==n+'svg',t.tag\n\
    assert not t.findall('.//'+n+'script')\n\
    w,h=int(t.get('width')),int(t.get('height'))\n\
    for r in t.iter(n+'rect'): assert int(r.get('x','0'))+int(r.get('width'))<=w and int(r.get('y','0'))+int(r.get('height'))<=h\n\
    for x in t.iter(n+'title'): print(x.text)\n\
    for x in t.iter(n+'text'): print('text:',x.text)\n";

#[test]
fn the_picture_is_well_formed_and_true() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    node.file("reader.py", READER);
    for (configuration, words) in [
        (
            SAMPLE,
            &[
                "From user 0 to ecuser, then execve of /usr/bin/id",
                "cap_net_bind_service, execve: permitted, effective, inheritable, bounding, ambient",
                "cap_net_bind_service, become user: permitted, bounding",
                "text: others",
                "others, execve: in no set",
                "become user 994 (real, effective, saved): setresuid, setresuid(2)",
            ][..],
        ),
        (
            "Security { user = root Capabilities = \"cap_net_raw+ep\" }",
            &[
                "cap_net_raw, execve: permitted, effective, inheritable, bounding, ambient",
                "text: noroot locked",
            ],
        ),
        (
            "Security { user = root }",
            &["From user 0 to root", "capabilities, execve: permitted, effective, bounding"],
        ),
        ("Security { user = ecuser }", &["capabilities, execve: in no set"]),
        (
            "Security { user = ecuser Capabilities = \"cap_chown,cap_kill+ep\" No_New_Privs = off Bounding_Set = all }",
            &["cap_kill, execve: permitted, effective, inheritable, bounding, ambient"],
        ),
    ] {
        let drawn = graph(&node, configuration, &["/usr/bin/id"]);
        drawn.ran();
        node.file("graph.svg", &drawn.out);
        let read = node.sh("python3 reader.py");
        read.ran();
        // A number before "others" depends on the kernel.
        let said: String = read
            .out
            .lines()
            .map(|line| {
                line.trim_start_matches("text: ")
                    .trim_start_matches(|c: char| c.is_ascii_digit())
                    .trim_start()
            })
            .collect::<Vec<_>>()
            .join("\n");
        for words in words {
            let found = said.contains(words.trim_start_matches("text: ")) || read.out.contains(words);
            assert!(found, "{words} in {said}");
        }
    }
}

#[test]
fn a_name_with_markup_in_it_is_only_a_name() {
    let Some(node) = Node::new() else { return };
    if !have("python3") {
        return;
    }
    node.file("reader.py", READER);
    let name = "./<script>&\"\u{1}\u{7f}'";
    std::fs::copy("/bin/true", node.dir.join(name.trim_start_matches("./"))).unwrap();
    let drawn = graph(&node, SAMPLE, &[name]);
    drawn.ran();
    node.file("graph.svg", &drawn.out);
    let read = node.sh("python3 reader.py");
    read.ran();
    assert!(read.out.contains("then execve of ./<script>&\"\u{fffd}\u{fffd}'"), "{}", read.out);
}

#[test]
fn it_is_readable_in_the_light_and_in_the_dark() {
    let Some(node) = Node::new() else { return };
    let drawn = graph(&node, SAMPLE, &["/usr/bin/id"]);
    drawn.ran();
    let (light, dark) = drawn.out.split_once("@media (prefers-color-scheme:dark)").unwrap();
    let dark = dark.split_once("</style>").unwrap().0;
    for colour in [".paper", "text", ".P", ".E", ".I", ".B", ".A"] {
        let of = |style: &str| {
            let from = style
                .find(&format!("}}{colour}{{fill:"))
                .or_else(|| style.find(&format!("{{{colour}{{fill:")));
            luminance(&style[from.unwrap_or_else(|| panic!("{colour} in {style}")) + colour.len() + 7..][..7])
        };
        let paper = |style: &str| luminance(&style[style.find(".paper{fill:").unwrap() + 12..][..7]);
        if colour == ".paper" {
            assert!(of(light) > 0.9 && of(dark) < 0.05);
            continue;
        }
        for style in [light, dark] {
            let (one, other) = (of(style).max(paper(style)), of(style).min(paper(style)));
            // Web Content Accessibility Guidelines, 1.4.3, for letters of this size.
            assert!((one + 0.05) / (other + 0.05) >= 4.3, "{colour} can be told from the paper");
        }
    }
}

/// The relative luminance of a colour like `#2f6fdb`.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn what_run_would_refuse_is_not_drawn() {
    let Some(node) = Node::new() else { return };
    let refused =
        graph(&node, "Security { user = ecuser Capabilities = \"cap_nonsense+ep\" }", &["/usr/bin/id"]);
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("cap_nonsense"), "{}", refused.err);
}
