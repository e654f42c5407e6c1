//! From root to a server that has stepped down: everything is read and looked at, then bound, then given up.
//!
//! Whatever is refused is refused before anything of this host was changed; what can fail later ends the process. The order is
//! that of `docs/serve.md`, "How it starts".

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Instant, SystemTime};

use stepdown::Environment;
use stepdown::online::Online;
use stepdown::prepare::{End, Ready, Refusal, prepare};
use stepdown::service::{Grounds, check};
use stepdown::transition;
use stepdown_conf::{Config, Finding, node_name};
use stepdown_kernel::events::{Events, Interest};
use stepdown_kernel::notify::{Notifier, Receiver};
use stepdown_kernel::pidfile::Pidfile;
use stepdown_kernel::signals::Signals;
use stepdown_kernel::{descriptors, host, limits, output, reap, sockets as kernel_sockets, trust};
use stepdown_security::policy::Policy;
use stepdown_security::request::Request;

use super::handover::{self, Predecessor};
use super::processes::Processes;
use super::scope::{Scope, owner};
use super::service::{Service, ServiceId, policy_of};
use super::sockets::{From, Pool, Sockets};
use super::token::Token;
use super::wish::Wish;
use super::{Phase, Server, Start, peers, refusal, terminal};
use crate::console::sessions::Sessions;
use crate::log::{Level, Log};
use crate::pending::Pending;
use crate::wanted::{self, Wanted};

/// Everything up to the step-down and a little more: the services are not started yet.
pub(super) fn boot(start: &Start<'_>, mut log: Log) -> Result<Server, Vec<Finding>> {
    // Before anything is opened that could get their numbers.
    let inherited = kernel_sockets::take_inherited().map_err(|error| {
        vec![refusal::no_machinery("the sockets of LISTEN_FDS can't be taken over", &error)]
    })?;
    // What was open by accident would be the server's for good, and its user's with it.
    let kept: Vec<i32> = inherited.iter().map(|(_, socket)| socket.as_raw_fd()).collect();
    descriptors::close_others(&kept)
        .map_err(|error| vec![refusal::no_machinery("what else is open can't be closed", &error.into())])?;
    log.open();
    let online = Online::load(start.main)?;
    let plan = look(online.config())?;
    let mut pool = Pool::default();
    let others = pool.add(inherited.into_iter().map(|(_, socket)| socket).collect(), From::Manager);
    drop(others);
    let (files, predecessor) = before_this(start, &plan.wanted, &mut pool)?;
    let machinery =
        |what: &'static str| move |error: std::io::Error| vec![refusal::no_machinery(what, &error)];
    limits::raise_descriptors().map_err(machinery("the limit of descriptors can't be raised"))?;
    let null = output::nothing().map_err(machinery("/dev/null can't be opened"))?;
    let manager = Notifier::from_environment().map_err(machinery("NOTIFY_SOCKET can't be used"))?;
    let settings = peers::settings(plan.wanted.console.as_ref(), plan.ready.policy.user.value.id)?;
    let pidfile = pid_file(&plan.wanted, &plan.ready.policy, files)?;
    let mut sockets = Sockets::default();
    let made = match sockets.make(&Wish::all(&plan.wanted, owner(&plan.ready.policy)), &mut pool) {
        Ok(made) => made,
        Err(findings) => {
            give_back(pidfile, predecessor.as_ref());
            return Err(findings);
        }
    };
    sockets.insert(made);
    let grounds = Grounds::of(&plan.ready);
    let proof = match transition::apply(&plan.ready) {
        Ok(proof) => proof,
        Err(finding) => {
            sockets.remove_own_files();
            give_back(pidfile, predecessor.as_ref());
            return Err(vec![*finding]);
        }
    };
    // From here on there is no root any more.
    let scope = Scope {
        request: plan.request,
        policy: plan.ready.policy.clone(),
        grounds,
        proof,
        capability_count: host::capability_count(),
    };
    let server_user = scope.policy.user.value.id;
    reap::adopt_orphans().map_err(machinery("what services leave behind can't be adopted"))?;
    let signals = Signals::block_and_open().map_err(machinery("signals can't be read"))?;
    let receiver = Receiver::bind().map_err(machinery("services could not say that they are ready"))?;
    let events = Events::new().map_err(machinery("epoll is not to be had"))?;
    for (descriptor, token) in [(signals.as_fd(), Token::Signals), (receiver.as_fd(), Token::Notify)] {
        events
            .add(descriptor, token.number(), Interest::Read)
            .map_err(machinery("epoll is not to be had"))?;
    }
    log.findings(&plan.findings);
    log.findings(&plan.wanted.services.iter().filter_map(terminal::handed_to).collect::<Vec<_>>());
    log.findings(&pool.notes());
    if let Some(before) = &predecessor
        && before.uid != server_user
    {
        let text = format!(
            "the sockets are those of a server of user {}: whatever process of that user has a copy of one goes on listening; see `ss -lnp`, \
             and end it, or stop the server and start it, which refuses connections meanwhile",
            before.uid
        );
        log.event(Level::Warning, None, &text);
    }
    for address in pool.left_over() {
        log.event(
            Level::Warning,
            None,
            &format!("the socket {address} was passed to this server, and nothing wants it: it is closed"),
        );
    }
    let mut services = std::collections::BTreeMap::new();
    for (number, (wanted, policy)) in (0..).zip(plan.wanted.services.iter().zip(plan.policies)) {
        services.insert(ServiceId(number), Service::new(wanted.clone(), policy));
    }
    let mut server = Server {
        log,
        events,
        signals,
        receiver,
        manager,
        manager_is_deaf: false,
        warden: None,
        null,
        clock: Instant::now(),
        since: SystemTime::now(),
        version: start.version,
        node: node_name(&host::name()).to_owned(),
        scope,
        online,
        next_service: services.len() as u64,
        held_pidfile: plan.wanted.pidfile.clone(),
        wanted: plan.wanted,
        pending: Pending::default(),
        pending_since: None,
        sockets,
        listened: std::collections::BTreeMap::new(),
        breathless_until: None,
        is_breathless_said: false,
        services,
        processes: Processes::default(),
        remnants: super::Remnants::default(),
        sessions: Sessions::new(settings),
        pidfile,
        taker: None,
        predecessor,
        phase: Phase::Starting,
        leaves_files: false,
        failed: false,
        state_changed: true,
        has_worked: true,
        waits_for_standard_error: false,
        watchdog_at: None,
    };
    server.start_warden();
    Ok(server)
}

/// What a start is going to do.
struct Plan {
    wanted: Wanted,
    request: Request,
    ready: Ready,
    /// The policy of each service, in their order.
    policies: Vec<Policy>,
    findings: Vec<Finding>,
}

/// Whether a server could be started with this configuration, and everything that speaks against it. For root to ask; nothing is
/// changed, and nothing is bound.
///
/// # Errors
/// All that is wrong.
pub fn check_start(config: &Config) -> Result<Vec<Finding>, Vec<Finding>> {
    let plan = look(config)?;
    Ok(plan.findings)
}

/// Where the console of a configuration listens first: that by which a running server is found.
#[must_use]
pub fn endpoint(config: &Config) -> Option<String> {
    let (wanted, _) = wanted::read(config, host::capability_count()).ok()?;
    Some(wanted.console?.listeners.first()?.path.clone())
}

fn look(config: &Config) -> Result<Plan, Vec<Finding>> {
    let capability_count = host::capability_count();
    let mut errors = Vec::new();
    let wanted = wanted::read(config, capability_count).map_err(|findings| errors.extend(findings)).ok();
    let ready = match prepare(config, End::Stay, &[], &Environment::of_process()) {
        Ok(ready) => Some(ready),
        Err(Refusal::Findings(findings)) => {
            errors.extend(findings);
            None
        }
        Err(Refusal::Program(error)) => {
            errors.push(stepdown::error::no_program(&error));
            None
        }
    };
    let (Some((wanted, notes)), Some(mut ready)) = (wanted, ready) else { return Err(errors) };
    let request = match Request::read(config, capability_count) {
        Ok((request, _)) => request,
        Err(errors) => return Err(errors),
    };
    let grounds = Grounds::of(&ready);
    let mut findings = std::mem::take(&mut ready.findings);
    findings.extend(notes);
    findings.extend(wanted.pidfile.as_ref().and_then(refusal::steered_pidfile));
    let mut policies = Vec::with_capacity(wanted.services.len());
    for service in &wanted.services {
        match look_at_service(&grounds, &ready.policy, service, Some(&ready)) {
            Ok((policy, notes)) => {
                policies.push(policy);
                // What is so for the server is so for all of them, and said already.
                let said = |note: &Finding| findings.iter().any(|one: &Finding| one.message == note.message);
                let notes: Vec<Finding> = notes.into_iter().filter(|note| !said(note)).collect();
                findings.extend(notes);
            }
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Plan { wanted, request, ready, policies, findings })
}

/// Whether a service could be started, and under which policy.
pub(super) fn look_at_service(
    grounds: &Grounds,
    scope: &Policy,
    service: &wanted::Service,
    before: Option<&Ready>,
) -> Result<(Policy, Vec<Finding>), Vec<Finding>> {
    let at = |mut finding: Finding| {
        if finding.place.is_none() {
            finding = finding.at_if(service.command.origin.place());
        }
        finding
    };
    let policy = policy_of(scope, service).map_err(|finding| vec![*finding])?;
    let Some(program) = service.command.value.first() else { return Ok((policy, Vec::new())) };
    match check(grounds, &policy, Path::new(program), before) {
        Ok(checked) => Ok((policy, checked.findings.into_iter().map(at).collect())),
        Err(findings) => Err(findings.into_iter().map(at).collect()),
    }
}

/// The sockets of who was there before: of whoever holds them for a restart, or of the server that is to be replaced. What came
/// with them and is no socket comes back.
fn before_this(
    start: &Start<'_>,
    wanted: &Wanted,
    pool: &mut Pool,
) -> Result<(Vec<OwnedFd>, Option<Predecessor>), Vec<Finding>> {
    let Some(endpoint) = wanted.console.as_ref().and_then(|console| console.listeners.first()) else {
        return Ok((Vec::new(), None));
    };
    let mut from = None;
    // Others can't look there, and what they start has nothing to do with root's server.
    if trust::is_privileged() {
        from = handover::take(&handover::meeting_point(&endpoint.path), true)
            .map_err(|finding| vec![*finding])?;
    }
    if from.is_none() && start.replace {
        from = handover::take(Path::new(&endpoint.path), false).map_err(|finding| vec![*finding])?;
    }
    Ok(match from {
        Some((descriptors, predecessor)) => (pool.add(descriptors, From::Predecessor), Some(predecessor)),
        None => (Vec::new(), None),
    })
}

/// Leaves no pid file of a server that does not start, unless it is that of the server before it, which may go on.
fn give_back(pidfile: Option<Pidfile>, predecessor: Option<&Predecessor>) {
    if let (Some(pidfile), None) = (pidfile, predecessor) {
        pidfile.remove();
    }
}

/// The pid file: taken over from the server before this one, or locked.
fn pid_file(wanted: &Wanted, policy: &Policy, files: Vec<OwnedFd>) -> Result<Option<Pidfile>, Vec<Finding>> {
    let Some(pidfile) = &wanted.pidfile else { return Ok(None) };
    let path = Path::new(&pidfile.value);
    for file in files {
        if let Some(adopted) = Pidfile::adopt(path, file) {
            return Ok(Some(adopted));
        }
    }
    Pidfile::lock(path, Some(owner(policy).0))
        .map(Some)
        .map_err(|error| vec![refusal::no_pidfile(pidfile, &error)])
}
