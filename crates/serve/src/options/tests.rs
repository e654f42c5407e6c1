use super::*;
use stepdown_conf::Config;

#[test]
fn every_option_is_once_in_its_scope() {
    for option in OPTIONS {
        assert_eq!(spec(option.within, option.key), option);
        assert_eq!(by_name(option.within, &option.name.to_uppercase()), Some(option));
        assert_eq!(of(option.within).filter(|other| other.name == option.name).count(), 1);
        assert!(!option.summary.ends_with('.') && option.summary.is_ascii(), "{}", option.name);
        assert!(option.help.is_empty() || option.help.ends_with('.'), "{}", option.name);
    }
    assert_eq!(by_name(Within::Console, "Backlog"), None);
}

#[test]
fn our_scopes_are_known_by_where_they_stand() {
    let text = "Service a { Listen \"*:1\" { } Other { } }\ncontrol_listener { Listen \"/x\" { } }\n\
                Esmtp_Listener { Listen \":25\" { } Service b { } }\n";
    let config = Config::from_text("t", text).unwrap();
    assert_eq!(within(config.root()), Some(Within::Top));
    let found: Vec<_> = config.scopes().map(|scope| (scope.name(), within(scope))).collect();
    assert_eq!(
        found,
        [
            ("Service", Some(Within::Service)),
            ("Listen", Some(Within::Listen)),
            ("Other", None),
            ("control_listener", Some(Within::Console)),
            ("Listen", Some(Within::ConsoleListen)),
            ("Esmtp_Listener", None),
            ("Listen", None),
            ("Service", None),
        ]
    );
}

/// The tables of the documentation are this table.
#[test]
fn the_documentation_has_every_option_as_it_is_here() {
    let written = include_str!("../../../../docs/serve.md");
    for within in Within::ALL {
        let mut table = String::from("| option | value | without it | |\n|---|---|---|---|\n");
        for option in of(within) {
            table += &format!(
                "| `{}` | {} | {} | {} |\n",
                option.name, option.form, option.default, option.summary
            );
        }
        assert!(written.contains(&table), "docs/serve.md lacks, for {}:\n{table}", within.words());
    }
    for help in OPTIONS.iter().map(|option| option.help).filter(|help| !help.is_empty()) {
        assert!(
            written.split_whitespace().collect::<Vec<_>>().join(" ").contains(help),
            "docs/serve.md lacks: {help}"
        );
    }
}
