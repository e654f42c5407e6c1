//! Answers on small texts; those on files are tested with the program.

use super::*;

const TEXT: &str = r#"
Message_Expiration = 86400
Esmtp_Listener {
  Listen ":25" {
  }
  Listen ":587" {
    Enable = false
    SMTP_Extensions = ( "ENHANCEDSTATUSCODES" STARTTLS )
  }
  Idle_Time = 300
}
binding smtp-01 {
  EHLO_Hostname = "smtp-01.com"
  Domain relay.com { EHLO_Hostname = "relay.com" }
}
security { USER = ecuser capabilities = "cap_net_raw+ep" Capabilities = "cap_chown+p" }
empty = () none = [] map = [ a = "b c" ]
odd 'a"b' { path = /var/spool/x text = "two\nlines" }
"#;

fn config(text: &str) -> Config {
    Config::from_text("test.conf", text).unwrap()
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|&word| word.to_owned()).collect()
}

fn said(answer: Result<Answer<'_>, Box<Finding>>, config: &Config) -> String {
    match answer {
        Ok(answer) => written::answer(config, &answer, false).0,
        Err(finding) => format!("{finding}; {}\n", finding.hint.clone().unwrap_or_default()),
    }
}

fn message(found: Result<Found<'_>, Box<Finding>>) -> Finding {
    match found {
        Ok(_) => panic!("there is such a thing"),
        Err(finding) => *finding,
    }
}

#[test]
fn get_looks_in_the_very_scope() {
    let config = config(TEXT);
    for (line, answer) in [
        (&["message_expiration"][..], "Message_Expiration = 86400\n"),
        (&["binding", "smtp-01", "ehlo_hostname"], "EHLO_Hostname = \"smtp-01.com\"\n"),
        (&["binding", "smtp-01", "domain", "relay.com", "ehlo_hostname"], "EHLO_Hostname = \"relay.com\"\n"),
        (&["Security", "user"], "User = ecuser\n"),
        (&["SECURITY user"], "User = ecuser\n"),
        (&["security", "capabilities"], "Capabilities = \"cap_chown+p\"\n"),
        (&["security", "chroot"], "Option 'Chroot' is not set in scope 'Security::'.\n"),
        (&["Blackhole"], "Option 'Blackhole' is not set in scope ''.\n"),
        (
            &["esmtp_listener", "listen", ":587", "smtp_extensions"],
            "SMTP_Extensions = (\n  \"ENHANCEDSTATUSCODES\"\n  STARTTLS\n)\n",
        ),
        (&["map"], "map = [\n  a = \"b c\"\n]\n"),
        (&["empty"], "empty = ()\n"),
        (&["none"], "none = []\n"),
        (&["odd", "a\"b", "path"], "path = \"/var/spool/x\"\n"),
        (&["odd", "'a\"b'", "text"], "text = \"two\\nlines\"\n"),
        (
            &[],
            "error: no option is named; its name comes last, behind the scope's: config get Security User\n",
        ),
    ] {
        assert_eq!(said(get(&config, &words(line)), &config), answer, "{line:?}");
    }
}

#[test]
fn an_instance_is_a_word_of_its_own_or_stands_in_quotes() {
    let config = config(TEXT);
    for line in [
        &["Esmtp_Listener", "Listen", ":587", "Enable"][..],
        &["Esmtp_Listener", "Listen", "\":587\"", "Enable"],
        &["Esmtp_Listener", "Listen \":587\"", "Enable"],
        &["Esmtp_Listener", "listen :587", "enable"],
        &["Esmtp_Listener Listen \":587\" Enable"],
        &["esmtp_listener listen':587'enable"],
    ] {
        assert_eq!(said(get(&config, &words(line)), &config), "Enable = false\n", "{line:?}");
    }
}

#[test]
fn eval_goes_outwards_and_then_to_the_default() {
    let config = config(TEXT);
    for (line, answer) in [
        (&["binding", "smtp-01", "message_expiration"][..], "Message_Expiration = 86400\n"),
        (&["binding", "smtp-01", "domain", "relay.com", "ehlo_hostname"], "EHLO_Hostname = \"relay.com\"\n"),
        (&["esmtp_listener", "listen", ":25", "idle_time"], "Idle_Time = 300\n"),
        (&["security", "no_new_privs"], "No_New_Privs = true\n"),
        (&["security", "chroot"], "# Chroot is not set: the root directory stays\n"),
        (
            &["security", "message_expiration"],
            "Option 'Message_Expiration' is not set in scope 'Security::'.\n",
        ),
        (&["blackhole"], "Option 'blackhole' is not set in scope ''.\n"),
    ] {
        assert_eq!(said(eval(&config, &words(line)), &config), answer, "{line:?}");
    }
    assert!(said(eval(&config, &words(&["security", "group"])), &config).starts_with("# Group is not set: "));
}

#[test]
fn the_defaults_hold_without_any_scope_and_are_what_a_request_reads() {
    let none = config("Domain \"x\" { user = other }\n");
    let answer = |name: &str| said(eval(&none, &words(&["Security", name])), &none);
    assert_eq!(answer("user"), "User = ecuser\n");
    assert_eq!(answer("group"), "Group = ecuser\n");
    assert_eq!(answer("capabilities"), "Capabilities = \"\"\n");
    assert!(answer("usr").starts_with("error: there is no scope `Security`"));
    // Written out they have to mean the same as nothing.
    let written: String = OPTIONS.iter().map(|spec| answer(spec.name)).collect();
    let written = config(&format!("Security {{\n{written}}}\n"));
    let read = |config: &Config| stepdown_security::request::Request::read(config, 41).unwrap().0;
    let (said, silent) = (read(&written), read(&none));
    assert_eq!(said.user.value, silent.user.value);
    assert_eq!(said.group.map(|group| group.value), silent.group.map(|group| group.value));
    assert!(said.capabilities.is_none_or(|text| text.value.mentioned().is_empty()));
    assert_eq!(said.no_new_privs.value, silent.no_new_privs.value);
    assert!(said.chroot.is_none() && said.supplemental_groups.is_none() && said.bounding_set.is_none());
}

#[test]
fn what_is_not_there_is_answered_with_what_was_meant() {
    let config = config(TEXT);
    let hint = |line: &[&str]| message(show(&config, &words(line))).hint.clone().unwrap_or_default();
    assert_eq!(hint(&["Esmtp_Lisener"]), "did you mean `Esmtp_Listener`?");
    assert_eq!(hint(&["esmtp_listener", "listen", ":589"]), "did you mean `:587`?");
    let which = message(show(&config, &words(&["esmtp_listener", "listen"])));
    assert_eq!(which.message, "which `Listen` is meant?");
    assert!(which.why.as_deref().unwrap().contains("Listen \":25\", Listen \":587\""));
    let inside = message(show(&config, &words(&["message_expiration", "x"])));
    assert!(inside.why.as_deref().unwrap().contains("it is an option"));
    let Ok(Answer::NotSet(not)) = get(&config, &words(&["security", "usr"])) else { panic!("it is set") };
    assert_eq!(not.hint.unwrap(), "did you mean `User`?");
    let Ok(Answer::NotSet(not)) = get(&config, &words(&["user"])) else { panic!("it is set") };
    assert_eq!((not.name.as_str(), not.hint.as_deref()), ("User", Some("it is set at Security::User")));
    let Ok(Answer::NotSet(not)) = get(&config, &words(&["chroot"])) else { panic!("it is set") };
    assert_eq!(not.hint.unwrap(), "it is an option of Security: config eval Security Chroot");
}

#[test]
fn show_ends_at_inner_scopes_and_showrecurse_goes_in() {
    let config = config(TEXT);
    let Ok(Found::Scope(scope)) = show(&config, &words(&["ESMTP_Listener"])) else { panic!("no scope") };
    let contents = written::contents(&config, scope, false);
    assert_eq!(contents, "Listen \":25\" { ... }\nListen \":587\" { ... }\nIdle_Time = 300\n");
    let whole = written::whole(&config, scope, false);
    assert_eq!(
        whole,
        "Esmtp_Listener {\n  Listen \":25\" {\n  }\n  Listen \":587\" {\n    Enable = false\n    SMTP_Extensions = (\n      \
         \"ENHANCEDSTATUSCODES\"\n      STARTTLS\n    )\n  }\n  Idle_Time = 300\n}\n"
    );
    let Ok(Found::Option(setting)) = show(&config, &words(&["security", "user"])) else {
        panic!("no option")
    };
    assert_eq!(written::option(&config, setting, false), "User = ecuser\n");
}

#[test]
fn the_whole_read_again_says_the_same() {
    let first = config(TEXT);
    for origin in [false, true] {
        let text = written::whole(&first, first.root(), origin);
        let again = config(&text);
        assert_eq!(
            written::whole(&again, again.root(), false),
            written::whole(&first, first.root(), false),
            "{text}"
        );
    }
}

#[test]
fn origins_name_the_place_and_what_was_overridden() {
    let config = config(TEXT);
    let Ok(Answer::Set(setting)) = get(&config, &words(&["security", "capabilities"])) else {
        panic!("not set")
    };
    assert_eq!(
        written::option(&config, setting, true),
        "Capabilities = \"cap_chown+p\"\n  # test.conf:16:73\n  # instead of \"cap_net_raw+ep\" at test.conf:16:41\n"
    );
}

#[test]
fn locate_finds_scopes_and_options_wherever_they_are() {
    let config = config(TEXT);
    let located = |name: &str, part: &str| -> String {
        match locate(&config, name, |text| text.contains(part)) {
            Ok(list) => list.iter().map(|found| written::located(&config, *found, false)).collect(),
            Err(finding) => format!("{}; {}\n", finding.message, finding.hint.clone().unwrap_or_default()),
        }
    };
    assert_eq!(
        located("listen", ""),
        "Listen \":25\"\n  is at Esmtp_Listener::Listen:\\:25:\nListen \":587\"\n  is at Esmtp_Listener::Listen:\\:587:\n"
    );
    assert_eq!(located("LISTEN", "87"), "Listen \":587\"\n  is at Esmtp_Listener::Listen:\\:587:\n");
    assert_eq!(located("user", ""), "User = ecuser\n  is at Security::User\n");
    assert_eq!(located("domain", ""), "Domain \"relay.com\"\n  is at binding:smtp-01:Domain:relay.com:\n");
    assert_eq!(located("odd", ""), "odd \"a\\\"b\"\n  is at odd:a\"b:\n");
    assert_eq!(located("lisetn", ""), "there is no scope or option `lisetn`; did you mean `Listen`?\n");
    assert!(located("listen", "99").starts_with("there is a `listen`, but none that matches"));
}

fn located(config: &Config, expression: &str, is_bounded: bool) -> Reply {
    let words = words(&["locate", "Command", expression]);
    let question = Question::new(&words).unwrap();
    if is_bounded { question.bounded() } else { question }.ask(config, false)
}

fn commands(count: usize, length: usize) -> Config {
    let argument = "a".repeat(length);
    config(
        &(0..count)
            .map(|i| format!("Service s{i} {{ Command = ( \"/bin/x\" \"{argument}\" ) }}\n"))
            .collect::<String>(),
    )
}

#[test]
fn an_expression_that_compiles_to_much_is_refused_where_others_wait() {
    let config = commands(2, 100);
    for expression in
        ["((a?){90}){90}ZQ", "(a{0,100}){100}b", "((((a{0,20}){20}){20}){8})b", "(((\\w*){30}){30}){8}b"]
    {
        let reply = located(&config, expression, true);
        assert_eq!(reply.status, 1, "{expression}");
        assert_eq!(reply.findings[0].code, "too-expensive", "{expression}");
    }
    assert_eq!(located(&config, &"a".repeat(1025), true).findings[0].code, "too-expensive");
    assert_eq!(located(&config, &"(".repeat(900), true).findings[0].code, "bad-expression");
    assert_eq!(located(&config, "(a", true).findings[0].code, "bad-expression");
    // Whoever asks a process of their own waits for nobody else.
    assert_eq!(located(&config, "((a?){90}){90}", false).status, 0);
    assert_eq!(located(&config, &"a".repeat(1025), false).findings[0].code, "no-match");
}

#[test]
fn matching_is_given_up_before_a_value_that_would_cost_too_much() {
    // About 16 KiB compiled: affordable for some KiB of text, and not for 100.
    let expression = "((a?){9}){9}ZQ";
    assert_eq!(located(&commands(4, 100), expression, true).findings[0].code, "no-match");
    for config in [commands(1000, 100), commands(1, 100_000)] {
        assert_eq!(located(&config, expression, true).findings[0].code, "too-expensive");
    }
    // Once it was given up, what is short counts no more: the answer is not a part of the truth.
    let mixed =
        config(&format!("a {{ Command = ( \"{}\" ) }} b {{ Command = ( aaaaZQ ) }}", "a".repeat(100_000)));
    assert_eq!(located(&mixed, expression, true).findings[0].code, "too-expensive");
    // What people write is not in the way of anything.
    let reply = located(&commands(1000, 100), "^/bin/(x|y)$", true);
    assert_eq!((reply.status, reply.findings.len()), (0, 0));
}
