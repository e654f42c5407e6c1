//! The corners of capability text, one by one: what is legal and what it comes to, what is refused and how that is
//! told. That libcap agrees on every acceptance is captext_libcap.rs's to show; the words are ours.

use stepdown_security::capability::CapSet;
use stepdown_security::text::{
    CapState, TextError, TextErrorKind, canonical, parse, parse_bytes, parse_names,
};

/// Capabilities of a present kernel.
const COUNT: u8 = 41;

#[test]
fn legal_corners() {
    for (text, meaning) in [
        ("", "="),
        (" \t\n\x0b\x0c\r", "="),
        ("=", "="),
        ("=ep", "=ep"),
        ("=epe", "=ep"),
        ("all+ep", "=ep"),
        ("ALL+ep", "=ep"),
        ("all=", "="),
        ("=ep cap_chown=", "=ep cap_chown-ep"),
        ("cap_chown=+ep", "cap_chown=ep"),
        ("=ep cap_chown=-e", "=ep cap_chown-ep"),
        ("cap_chown=p+e-p", "cap_chown=e"),
        ("CAP_CHOWN+ep", "cap_chown=ep"),
        ("cap_chown+pp", "cap_chown=p"),
        ("all,cap_chown+p", "=p"),
        ("1,2+p", "cap_dac_override,cap_dac_read_search=p"),
        ("0x1+p", "cap_dac_override=p"),
        ("0X1f+p", "cap_setfcap=p"),
        ("01+p", "cap_dac_override=p"),
        ("010+p", "cap_setpcap=p"),
        ("41+p", "= 41+p"),
        ("63+ep", "= 63+ep"),
        ("all,63+p", "=p 63+p"),
        ("63,all+p", "=p"),
        ("cap_chown-e", "="),
        ("cap_kill+p\ncap_kill+e\x0bcap_kill-p", "cap_kill=e"),
        (
            "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep",
            "cap_net_bind_service,cap_net_admin,cap_net_raw,cap_sys_resource=ep",
        ),
    ] {
        let state = parse(text, COUNT).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(canonical(&state, COUNT), meaning, "{text:?}");
        assert_eq!(parse(meaning, COUNT), Ok(state), "{text:?}");
    }
}

#[test]
fn refused_corners() {
    use TextErrorKind::*;
    let unknown = |word: &str| UnknownName { word: word.into() };
    for (text, offset, length, kind) in [
        ("all", 3, 0, MissingOperator),
        ("cap_chown", 9, 0, MissingOperator),
        ("cap_chown +p", 9, 0, MissingOperator),
        ("+ep", 0, 1, MissingList),
        ("=p -ep", 3, 1, MissingList),
        ("=+p", 1, 1, MissingList),
        ("=p+e", 2, 1, MissingList),
        ("cap_chown=p=e", 11, 1, LateEquals),
        ("cap_chown==p", 10, 1, LateEquals),
        ("cap_chown++p", 10, 0, MissingFlags),
        ("cap_chown+", 10, 0, MissingFlags),
        ("cap_chown=+", 11, 0, MissingFlags),
        ("cap_chown+p- cap_kill+p", 12, 0, MissingFlags),
        ("cap_chown,cap_kill+p,cap_setuid+p", 20, 1, CommaAfterFlags),
        ("cap_chown,,cap_kill+p", 10, 0, MissingName),
        ("cap_chown, cap_kill+p", 10, 0, MissingName),
        (",cap_kill+p", 0, 1, Unexpected(b',')),
        ("cap_chown:p", 9, 1, Unexpected(b':')),
        ("cap_chown+P", 10, 1, BadFlag(b'P')),
        ("cap_chown+pz", 11, 1, BadFlag(b'z')),
        ("  cap_chwon+p", 2, 9, unknown("cap_chwon")),
        ("net_raw+p", 0, 7, unknown("net_raw")),
        ("cap_chown1+p", 0, 10, unknown("cap_chown1")),
        ("_+p", 0, 1, unknown("_")),
        ("allcap_chown+p", 0, 12, unknown("allcap_chown")),
        ("64+p", 0, 2, NumberTooLarge),
        ("cap_kill,18446744073709551617+p", 9, 20, NumberTooLarge),
        ("08+p", 0, 2, BrokenNumber),
        ("0x+p", 0, 2, BrokenNumber),
        ("0x3g+p", 0, 4, BrokenNumber),
        ("1_+p", 0, 2, BrokenNumber),
        ("cap_chown\0+p", 9, 1, Nul),
        ("cap_chown+p\0", 11, 1, Nul),
        ("\0", 0, 1, Nul),
        ("cap_chown+é", 10, 1, BadFlag(0xc3)),
    ] {
        let error = parse(text, COUNT).expect_err(text);
        assert_eq!(error, TextError { offset, length, kind }, "{text:?}");
        assert!(!error.to_string().is_empty() && !error.to_string().ends_with('.'));
    }
}

#[test]
fn a_long_wrong_word_is_cut_in_the_message_and_not_in_the_place() {
    let text = "x".repeat(1_000_000);
    let error = parse(&text, COUNT).unwrap_err();
    assert_eq!((error.offset, error.length), (0, 1_000_000));
    assert!(error.to_string().len() < 100, "{error}");
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    for text in [&b"cap_chown+p\xff"[..], b"\xa0cap_chown+p", b"cap\xff_chown+p", b"\x85"] {
        assert!(parse_bytes(text, COUNT).is_err(), "{text:?}");
    }
}

#[test]
fn a_smaller_kernel_changes_all_and_the_default_alone() {
    assert_eq!(parse("=p", 38).unwrap().permitted, CapSet::first(38));
    let bpf = parse("cap_bpf+p", 38).unwrap();
    assert_eq!(Ok(bpf), parse("39+p", 38));
    assert_eq!(canonical(&bpf, 38), "= cap_bpf+p");
    assert_eq!(canonical(&bpf, 41), "cap_bpf=p");
    assert_eq!(parse("=p", 0), Ok(CapState::EMPTY));
    assert_eq!(parse("=p", 64).unwrap().permitted.bits(), u64::MAX);
}

#[test]
fn plain_lists() {
    for (text, bits) in [
        ("", 0),
        (" \n", 0),
        ("cap_chown", 1),
        (" cap_chown , cap_kill\tCAP_SETUID,0x1 ", 0b1010_0011),
        ("all", (1 << 41) - 1),
        ("63 all", (1 << 63) | ((1 << 41) - 1)),
    ] {
        assert_eq!(parse_names(text, COUNT).unwrap().bits(), bits, "{text:?}");
    }
    use TextErrorKind::*;
    for (text, offset, kind) in [
        (",", 0, MissingName),
        ("cap_chown,", 10, MissingName),
        ("cap_chown,,cap_kill", 10, MissingName),
        (",cap_chown", 0, MissingName),
        ("cap_chown+p", 9, FlagsInNames),
        ("=p", 0, FlagsInNames),
        ("cap_chown;cap_kill", 9, Unexpected(b';')),
        ("cap_chown cap_kil", 10, UnknownName { word: "cap_kil".into() }),
        ("64", 0, NumberTooLarge),
        ("cap_chown\0", 9, Nul),
    ] {
        let error = parse_names(text, COUNT).expect_err(text);
        assert_eq!((error.offset, error.kind), (offset, kind), "{text:?}");
    }
}

#[test]
fn a_wrong_name_is_told_with_what_was_probably_meant() {
    for (word, meant) in [
        ("cap_chwon", Some("cap_chown")),
        ("net_raw", Some("cap_net_raw")),
        ("NET_BIND_SERVICE", Some("cap_net_bind_service")),
        ("CAP_NET_BIND", Some("cap_net_bind_service")),
        ("cap_sys_resourse", Some("cap_sys_resource")),
        ("capnet_admin", Some("cap_net_admin")),
        ("alll", Some("all")),
        ("cap_", None),
        ("everything", None),
        ("_", None),
    ] {
        let error = parse(&format!("cap_kill,{word}+p"), COUNT).expect_err(word);
        assert_eq!(error.suggestion(), meant, "{word}");
        let told = match meant {
            Some(meant) => format!("no capability is called `{word}`; did you mean `{meant}`?"),
            None => format!("no capability is called `{word}`"),
        };
        assert_eq!(error.to_string(), told);
    }
}
