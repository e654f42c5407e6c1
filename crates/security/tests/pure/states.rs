//! States to start from, and the short ways to a policy and a plan.

use stepdown_conf::{Config, Finding};
use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::credentials::{Credentials, Directory, Facts, Ids, Securebits};
use stepdown_security::plan::{Plan, plan};
use stepdown_security::policy::{Group, Policy};
use stepdown_security::request::Request;
use stepdown_security::resolve::{Account, Answers};
use stepdown_security::situation::{PassedDescriptor, Purpose, Situation};
use stepdown_security::text;

/// How many capabilities the kernel of these tests knows.
pub(crate) const COUNT: u8 = 41;

/// The root directory that everything begins in, and that of `Chroot`.
pub(crate) const ROOT: Directory = Directory { device: 1, inode: 2, mount: 3 };
pub(crate) const JAIL: Directory = Directory { device: 1, inode: 77, mount: 3 };

/// The capabilities that docker gives.
pub(crate) const DOCKER: &str = "cap_chown,cap_dac_override,cap_fowner,cap_fsetid,cap_kill,cap_setgid,cap_setuid,cap_setpcap,\
    cap_net_bind_service,cap_net_raw,cap_sys_chroot,cap_mknod,cap_audit_write,cap_setfcap";

/// A set of capabilities by their names.
pub(crate) fn caps(names: &str) -> CapSet {
    text::parse_names(names, COUNT).unwrap()
}

/// A capability by its name or number.
pub(crate) fn cap(name: &str) -> Capability {
    let numbered = name.parse().ok().and_then(Capability::new);
    numbered.or_else(|| Capability::from_name(name)).unwrap()
}

pub(crate) fn every() -> CapSet {
    CapSet::first(COUNT)
}

/// Root with everything, as a machine starts it.
pub(crate) fn root() -> Situation {
    let start = Credentials {
        uid: Ids::all(0),
        gid: Ids::all(0),
        groups: vec![0],
        permitted: every(),
        effective: every(),
        inheritable: CapSet::EMPTY,
        bounding: every(),
        ambient: CapSet::EMPTY,
        securebits: Securebits(0),
        no_new_privs: false,
        root: ROOT,
        working_directory: ROOT,
        parent_death_signal: 0,
    };
    let facts = Facts::initial(COUNT);
    let descriptors = (0..3)
        .map(|number| PassedDescriptor { number, directory: false, terminal: false, ring: false })
        .collect();
    Situation { facts, start, chroot: None, descriptors, terminal_injection: false }
}

/// Root with these capabilities alone, bounding set included.
pub(crate) fn root_with(set: CapSet) -> Situation {
    let mut situation = root();
    let start = &mut situation.start;
    (start.permitted, start.effective, start.bounding) = (set, set, set);
    situation
}

/// User and group `id` with these capabilities in every set, and this bounding set.
pub(crate) fn user(id: u32, held: CapSet, bounding: CapSet) -> Situation {
    let mut situation = root();
    let start = &mut situation.start;
    (start.uid, start.gid, start.groups) = (Ids::all(id), Ids::all(id), vec![id]);
    (start.permitted, start.effective, start.inheritable, start.ambient) = (held, held, held, held);
    start.bounding = bounding;
    situation
}

/// Reads the text of a file and its scope.
pub(crate) fn read(text: &str) -> Result<(Request, Vec<Finding>), Vec<Finding>> {
    Request::read(&Config::from_text("test.conf", text).expect("its form is right"), COUNT)
}

/// A policy of the options, names answered by [`answers`].
pub(crate) fn policy(options: &str) -> Policy {
    let (request, _) = read(&format!("Security {{ {options} }}")).unwrap();
    request.resolve(&answers(&request)).unwrap()
}

/// What a system with the users `root`, `ecuser` (994, also in `mail`, 8) and `other` answers.
pub(crate) fn answers(request: &Request) -> Answers {
    use stepdown_security::identity::Identity;
    let account = |identity: &Identity| {
        let (id, name) = match identity {
            Identity::Id(0) => (0, "root"),
            Identity::Id(994) => (994, "ecuser"),
            Identity::Id(_) => return None,
            Identity::Name(name) if name == "root" => (0, "root"),
            Identity::Name(name) if name == "ecuser" => (994, "ecuser"),
            Identity::Name(name) if name == "other" => (995, "other"),
            Identity::Name(_) => return None,
        };
        Some(Account { id, group: id, name: name.into(), home: format!("/home/{name}") })
    };
    let group = |identity: &Identity| {
        let id = match identity {
            Identity::Id(id) => *id,
            Identity::Name(name) if name == "mail" => 8,
            Identity::Name(name) => account(&Identity::Name(name.clone()))?.id,
        };
        Some(Group { id, name: None })
    };
    let questions = request.questions();
    let user = account(&questions.user);
    let memberships = user.as_ref().map(|user| if user.id == 994 { vec![994, 8] } else { vec![user.id] });
    Answers {
        user: Ok(user),
        group: questions.group.as_ref().map(|identity| Ok(group(identity))),
        supplemental_groups: questions.supplemental_groups.iter().flatten().map(|id| Ok(group(id))).collect(),
        memberships: memberships.map(Ok),
        user_names: vec!["root".into(), "ecuser".into(), "other".into()],
        group_names: vec!["mail".into(), "ecuser".into()],
    }
}

/// A plan for a program that is not known yet.
pub(crate) fn planned(options: &str, situation: &Situation) -> Result<Plan, Vec<Finding>> {
    plan(&policy(options), situation, Purpose::Execute(None))
}

/// The steps of a plan in words.
pub(crate) fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}

pub(crate) fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}
