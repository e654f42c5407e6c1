//! Listeners that can't all be bound. Follows ip(7), ipv6(7) and socket(7) SO_REUSEPORT.

use std::collections::BTreeMap;

use stepdown_conf::{Cause, Finding, Place};

use super::Wanted;
use super::address::{Address, Near, SocketKey};

/// One listener, and what is said of it.
struct One<'a> {
    key: SocketKey,
    place: &'a Place,
    /// The service; `None` is the console.
    owner: Option<&'a str>,
}

/// Notes every listener that has an address that an earlier one has already.
pub(super) fn look(wanted: &Wanted, findings: &mut Vec<Finding>) {
    let mut all: Vec<One<'_>> = Vec::new();
    for listen in wanted.console.iter().flat_map(|console| &console.listeners) {
        all.push(One { key: listen.key(), place: &listen.place, owner: None });
    }
    for service in &wanted.services {
        for listen in &service.listeners {
            let (key, owner) = (listen.key(&service.name), Some(service.name.as_str()));
            all.push(One { key, place: &listen.place, owner });
        }
    }
    // Only what is on the same port, or has the same name, has to be compared.
    let mut near: BTreeMap<Near<'_>, Vec<&One<'_>>> = BTreeMap::new();
    for one in &all {
        let group = near.entry(Near::of(&one.key)).or_default();
        // A port has as many addresses as the host; one that clashes is found, and one is enough.
        if let Some((first, how)) = group.iter().find_map(|other| Some((*other, clash(other, one)?))) {
            findings.push(finding(first, one, how));
        }
        group.push(one);
    }
}

enum Clash {
    Plain,
    /// Only one of them says `Reuse_Port`.
    HalfShared,
    /// Both do, and they are of one service, where nothing tells them apart.
    Twice,
}

fn clash(first: &One<'_>, second: &One<'_>) -> Option<Clash> {
    if first.key == second.key && first.owner == second.owner && first.key.shared_by.is_some() {
        return Some(Clash::Twice);
    }
    if !first.key.clashes(&second.key) {
        return None;
    }
    Some(match first.key.shared_by.is_some() || second.key.shared_by.is_some() {
        true => Clash::HalfShared,
        false => Clash::Plain,
    })
}

fn finding(first: &One<'_>, second: &One<'_>, how: Clash) -> Finding {
    let (address, other) = (&second.key.address, &first.key.address);
    let whose = |one: &One<'_>| match one.owner {
        Some(name) => format!("Service {name}"),
        None => "Control_Listener".to_owned(),
    };
    let message = if address == other {
        format!("{address} is listened at twice, by {} and {}", whose(first), whose(second))
    } else {
        format!("{address} of {} is part of {other} of {}", whose(second), whose(first))
    };
    let message = match (address, other) {
        (Address::Any(_), Address::Inet(_)) => {
            format!("{address} of {} takes in {other} of {}", whose(second), whose(first))
        }
        (Address::Inet(a), Address::Inet(b)) if a != b && a.ip().is_unspecified() => {
            format!("{address} of {} takes in {other} of {}", whose(second), whose(first))
        }
        _ => message,
    };
    let (why, hint) = match how {
        Clash::Plain if address.port().is_some() => (
            "an address and port can be bound once, and a wildcard has all addresses of its family",
            "remove one of them; with Reuse_Port = true in both, different services can share an address",
        ),
        Clash::Plain => ("a Unix socket's name can be bound once", "remove one of them"),
        Clash::HalfShared => (
            "an address is shared only if every listener of it has Reuse_Port, socket(7)",
            "write Reuse_Port = true in both",
        ),
        Clash::Twice => (
            "one service would get two sockets that nothing tells apart",
            "remove one of them; Reuse_Port shares an address between services",
        ),
    };
    Finding::error("address-twice", Cause::Text, message)
        .at(second.place.clone())
        .because(why)
        .hint(hint)
        .related(first.place.clone(), format!("{other} is here"))
}
