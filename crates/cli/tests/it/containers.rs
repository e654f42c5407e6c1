//! Containers as runc(8) makes them: a bundle in a node, what the runtime specification says of its process, and what the
//! rules say that the process is once runc has executed it.
//!
//! The cases are in `containers_runc`. Nothing of the host is in a container: its files are the program under test and
//! busybox(1), both static.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::credentials::{Credentials, IdMap};
use stepdown::security::errno::Errno;
use stepdown::security::execve::{ProgramFile, predict_execve};
use stepdown::security::rules::predict;
use stepdown::security::step::Step;
use stepdown::security::text::CapState;
use stepdown_kernel::host;
use stepdown_kernel::observe::{Status, Witness};
use stepdown_kernel::program::find;

use crate::support::{Done, Node, done, have, install, skip};

/// What Docker, containerd and Podman's predecessors leave a container.
pub const USUAL: [&str; 14] = [
    "cap_chown",
    "cap_dac_override",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_net_bind_service",
    "cap_net_raw",
    "cap_sys_chroot",
    "cap_mknod",
    "cap_audit_write",
    "cap_setfcap",
];

/// The process of a container, as `config.json` has it.
#[derive(Clone, Debug)]
pub struct Container {
    /// User and group.
    pub user: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    pub bounding: Vec<&'static str>,
    /// Permitted and effective.
    pub permitted: Vec<&'static str>,
    /// Inheritable and ambient.
    pub ambient: Vec<&'static str>,
    pub no_new_privs: bool,
    pub readonly: bool,
    /// The first of 65536 ids of the host that are the ids from 0 in the container's own user namespace.
    pub mapped: Option<u32>,
}

/// A node with a bundle.
pub struct Engine {
    pub node: Node,
    bundle: PathBuf,
}

impl Container {
    /// What an engine starts if nothing is asked for: root with the usual capabilities.
    pub fn usual() -> Container {
        Container {
            user: 0,
            groups: Vec::new(),
            bounding: USUAL.to_vec(),
            permitted: USUAL.to_vec(),
            ambient: Vec::new(),
            no_new_privs: false,
            readonly: false,
            mapped: None,
        }
    }

    /// The state of its process: what the kernel's rules make of the system calls that runc does, and of execve(2) of the
    /// file, which may be refused.
    pub fn predicted(&self, file: &ProgramFile) -> Result<Credentials, Errno> {
        let witness = Witness::open().unwrap();
        let mut facts = host::facts(&witness, host::capability_count()).unwrap();
        let mut state = witness.credentials(witness.threads().unwrap().remove(0)).unwrap();
        if self.mapped.is_some() {
            // user_namespaces(7): whoever makes one, or enters it from above, has every capability in it.
            facts.uid_map = IdMap(vec![(0, MAPPED)]);
            facts.gid_map = IdMap(vec![(0, MAPPED)]);
            let all = CapSet::first(facts.capability_count);
            (state.permitted, state.effective, state.bounding) = (all, all, all);
            (state.inheritable, state.ambient) = (CapSet::EMPTY, CapSet::EMPTY);
        }
        let (permitted, ambient) = (set(&self.permitted), set(&self.ambient));
        let sets = CapState { effective: permitted, permitted, inheritable: ambient };
        let mut steps: Vec<Step> =
            state.bounding.difference(set(&self.bounding)).iter().map(Step::DropBounding).collect();
        steps.extend([Step::SetKeepCaps(true), Step::SetGroups(self.groups.clone())]);
        steps.extend([Step::SetResGid(self.user), Step::SetResUid(self.user), Step::SetKeepCaps(false)]);
        steps.extend([Step::SetCapabilities(sets), Step::ClearAmbient]);
        steps.extend(ambient.iter().map(Step::RaiseAmbient));
        if self.no_new_privs {
            steps.push(Step::SetNoNewPrivs);
        }
        for step in steps {
            state = predict(&facts, &state, &step).unwrap_or_else(|errno| panic!("{step}: {errno:?}"));
        }
        predict_execve(&facts, &state, file)
    }

    /// `config.json`, runtime-spec "config.md".
    fn configuration(&self, arguments: &[&str]) -> Value {
        let names = |names: &[&str]| names.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>();
        let mut namespaces = vec!["pid", "ipc", "uts", "mount"];
        let mut linux = json!({});
        if let Some(first) = self.mapped {
            namespaces.push("user");
            let map = json!([{ "containerID": 0, "hostID": first, "size": MAPPED }]);
            linux["uidMappings"] = map.clone();
            linux["gidMappings"] = map;
        }
        linux["namespaces"] = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
        json!({
            "ociVersion": "1.0.2",
            "root": { "path": "rootfs", "readonly": self.readonly },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            ],
            "linux": linux,
            "process": {
                "cwd": "/",
                "env": ["PATH=/bin"],
                "args": arguments,
                "user": { "uid": self.user, "gid": self.user, "additionalGids": self.groups },
                "noNewPrivileges": self.no_new_privs,
                "capabilities": {
                    "bounding": names(&self.bounding),
                    "permitted": names(&self.permitted),
                    "effective": names(&self.permitted),
                    "inheritable": names(&self.ambient),
                    "ambient": names(&self.ambient),
                },
            },
        })
    }
}

/// How many ids a container's own user namespace has.
pub const MAPPED: u32 = 65536;

impl Engine {
    /// Makes a bundle; `None` where runc can't run a container, after saying so and counting it as skipped.
    pub fn new() -> Option<Engine> {
        let node = Node::new()?;
        if !have("runc") || !have("busybox") {
            return None;
        }
        let bundle = node.dir.join("bundle");
        let root = bundle.join("rootfs");
        for directory in ["bin", "dev", "etc", "proc", "tmp"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        install(&root);
        let busybox =
            ["/usr/bin/busybox", "/bin/busybox"].iter().find(|path| fs::exists(path).unwrap()).unwrap();
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for applet in ["cat", "sh", "true", "touch"] {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let engine = Engine { node, bundle };
        let tried = engine.runc(&Container::usual(), "", &["true"]);
        if tried.status != 0 {
            skip(&format!("runc can't run a container here: {}", tried.err.trim()));
            return None;
        }
        Some(engine)
    }

    /// Runs a container to its end, with this text as its `/etc/server.conf`.
    pub fn runc(&self, container: &Container, scope: &str, arguments: &[&str]) -> Done {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("stepdown-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let conf = self.bundle.join("rootfs/etc/server.conf");
        fs::write(&conf, scope).unwrap();
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o644)).unwrap();
        // As an engine unpacks an image for a user namespace: the files belong to the container's root.
        let owner = container.mapped.unwrap_or(0);
        for path in [&conf, &self.bundle.join("rootfs/etc"), &self.bundle.join("rootfs")] {
            chown(path, Some(owner), Some(owner)).unwrap();
        }
        let config = container.configuration(arguments).to_string();
        fs::write(self.bundle.join("config.json"), config).unwrap();
        let mut runc = self.node.command("runc");
        runc.arg("--root").arg(self.node.dir.join("runc"));
        runc.args(["run", "--bundle"]).arg(&self.bundle).arg(name);
        done(&mut runc)
    }

    /// `stepdown COMMAND -c /etc/server.conf -- /bin/cat /proc/self/status` in a container.
    pub fn stepdown(&self, container: &Container, command: &str, scope: &str) -> Done {
        let program = ["--", "/bin/cat", "/proc/self/status"];
        // Of `check`, the program's arguments are none of its business.
        let program = if command == "check" { &program[..2] } else { &program[..] };
        let arguments = [&["/bin/stepdown", command, "-c", "/etc/server.conf"], program].concat();
        self.runc(container, scope, &arguments)
    }

    /// What of a file below `/bin` of the containers counts at execve(2).
    pub fn program(&self, name: &str) -> ProgramFile {
        let path = self.bundle.join("rootfs/bin").join(name);
        find(path.as_os_str().as_bytes(), b"", None).unwrap().file
    }

    /// What the process of a container is, which must be what the rules predict.
    #[track_caller]
    pub fn left(&self, container: &Container) -> Done {
        let left = self.runc(container, "", &["/bin/cat", "/proc/self/status"]);
        left.ran();
        let status = Status::parse(&left.out).unwrap();
        let predicted = container.predicted(&self.program("cat")).unwrap();
        assert_eq!((status.uid, status.gid), (predicted.uid, predicted.gid), "{container:?}");
        assert_eq!(status.groups, predicted.groups, "{container:?}");
        assert_eq!(status.no_new_privs, predicted.no_new_privs, "{container:?}");
        for (name, real, predicted) in [
            ("inheritable", status.inheritable, predicted.inheritable),
            ("permitted", status.permitted, predicted.permitted),
            ("effective", status.effective, predicted.effective),
            ("bounding", status.bounding, predicted.bounding),
            ("ambient", status.ambient, predicted.ambient),
        ] {
            assert_eq!(real, predicted, "{name} of {container:?}");
        }
        left
    }
}

/// The set of these capabilities.
pub fn set(names: &[&str]) -> CapSet {
    names.iter().fold(CapSet::EMPTY, |set, name| set.with(Capability::from_name(name).unwrap()))
}
