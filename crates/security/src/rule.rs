//! The rules of the kernel by name: what each says, and the page that says it.
//!
//! [`crate::rules`] and [`crate::execve`] ask each rule by its name at the one place where it decides something, so that
//! this table is the table of contents of both, docs/rules.md can be written from it, and a test can break one rule at a
//! time. Not for: the rules themselves.
//!
//! Where no page of the manual states a rule, or the page is wrong, its text begins with "The kernel:".

/// The function of the kernel, not of a page, that states a rule.
const KERNEL: &str = "(no page)";

macro_rules! rules {
    ($($(#[$attribute:meta])* $name:ident $page:expr, $says:literal;)*) => {
        /// One rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Rule {
            $(#[doc = $says] $(#[$attribute])* $name,)*
        }

        impl Rule {
            /// Every rule, in the order of the calls they belong to.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            /// The page of the manual that states it.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Rule::$name => $page,)* }
            }

            /// What it says, in a sentence.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Rule::$name => $says,)* }
            }
        }
    };
}

rules! {
    // Every change of ids.
    IdExists "user_namespaces(7)", "An id that does not exist in the user namespace is EINVAL.";
    SetIdPrivileged "setuid(2)", "With the capability, setuid and setgid set real, effective and saved id.";
    SetIdChoice "setuid(2)", "Without it they set the effective id, to the real or the saved one. The kernel: not to what it is.";
    ReRealChoice "setreuid(2)", "Without the capability the real id becomes the real or the effective one.";
    ReEffectiveChoice "setreuid(2)", "Without the capability the effective id becomes the real, effective or saved one.";
    ReSavedWithReal "setreuid(2)", "If the real id is given, the saved id becomes the new effective one.";
    ReSavedWithEffective "setreuid(2)", "So it does if the effective id becomes other than the old real one.";
    ResChoice "setresuid(2)", "Without the capability each id becomes one of real, effective and saved.";
    ResInPlace KERNEL, "The kernel: setresuid that changes none of the ids leaves the filesystem id alone, since Linux 6.3.";
    FilesystemFollows "credentials(7)", "The filesystem id follows the effective one.";
    FilesystemChoice "setfsuid(2)", "Without the capability the filesystem id becomes one of the other three; else nothing happens, and no error.";
    NoFixup "capabilities(7)", "With SECBIT_NO_SETUID_FIXUP changes of user id leave the sets alone.";
    LeavingRootClears "capabilities(7)", "When the last of the user ids that was 0 is not, permitted and effective set are emptied.";
    KeepCaps "capabilities(7)", "Not so with SECBIT_KEEP_CAPS.";
    LeavingRootClearsAmbient "capabilities(7)", "The ambient set is emptied then, kept or not.";
    LeavingEffectiveRoot "capabilities(7)", "When the effective user id leaves 0, the effective set is emptied.";
    BecomingEffectiveRoot "capabilities(7)", "When the effective user id becomes 0, what is permitted becomes effective.";
    FilesystemLeavesRoot "capabilities(7)", "setfsuid from 0 takes eight capabilities of files from the effective set.";
    FilesystemBecomesRoot "capabilities(7)", "setfsuid to 0 makes those of them effective that are permitted.";
    // What every change of credentials does besides.
    EffectiveUserCounts "prctl(2)", "A change of the effective user id clears the death signal and dumpable.";
    EffectiveGroupCounts "prctl(2)", "A change of the effective group id does.";
    FilesystemUserCounts "prctl(2)", "A change of the filesystem user id does.";
    FilesystemGroupCounts "prctl(2)", "A change of the filesystem group id does.";
    GainCounts "prctl(2)", "A gain in the permitted set does.";
    // Groups.
    SetGroupsCapability "setgroups(2)", "setgroups needs CAP_SETGID.";
    SetGroupsDenied "user_namespaces(7)", "Where the namespace denies setgroups it is EPERM.";
    SetGroupsCount "setgroups(2)", "More than 65536 groups are EINVAL.";
    // capset.
    CapsetUnknown KERNEL, "The kernel: capabilities it does not know are passed over in silence.";
    CapsetInheritable "capset(2)", "What becomes inheritable was inheritable or permitted.";
    CapsetSetpcap "capset(2)", "With CAP_SETPCAP it need not have been.";
    CapsetBounding "capset(2)", "What becomes inheritable was inheritable or is in the bounding set.";
    CapsetPermitted "capset(2)", "Nothing becomes permitted that was not.";
    CapsetEffective "capset(2)", "What becomes effective is permitted afterwards.";
    CapsetAmbient "capabilities(7)", "What is no longer permitted and inheritable is no longer ambient.";
    // prctl and chroot.
    BoundingCapability "capabilities(7)", "Dropping from the bounding set needs CAP_SETPCAP. The kernel: which it asks for first.";
    BoundingKnown "prctl(2)", "Dropping a capability that the kernel does not know is EINVAL.";
    AmbientKnown "prctl(2)", "So is raising, lowering or asking for one in the ambient set.";
    AmbientPermitted "capabilities(7)", "What is raised is permitted.";
    AmbientInheritable "capabilities(7)", "What is raised is inheritable.";
    AmbientSecurebit "capabilities(7)", "With SECBIT_NO_CAP_AMBIENT_RAISE nothing is raised.";
    KeepCapsLocked "prctl(2)", "PR_SET_KEEPCAPS is EPERM where the flag is locked.";
    SecurebitsLocked "capabilities(7)", "A locked flag can't be changed.";
    SecurebitsUnlock "capabilities(7)", "A lock can't be taken off.";
    SecurebitsUnknown "capabilities(7)", "The kernel: a flag it does not know is EPERM, not EINVAL.";
    SecurebitsCapability "capabilities(7)", "Setting them needs CAP_SETPCAP.";
    SecurebitsAdvice KERNEL, "The kernel: not for SECBIT_EXEC_* and their locks, since Linux 6.14, if something changes.";
    DumpableValue "prctl(2)", "PR_SET_DUMPABLE takes 0 and 1; 2 is EINVAL.";
    DeathSignalValue "prctl(2)", "PR_SET_PDEATHSIG takes 0 to 64.";
    ChrootCapability "chroot(2)", "chroot needs CAP_SYS_CHROOT. The kernel: the directory is looked up first.";
    // execve.
    ScriptInterpreter "execve(2)", "For a script the bits and capabilities of its interpreter count.";
    SetUserIdBit "execve(2)", "A set-user-id file gives its owner as effective user id.";
    SetGroupIdBit "execve(2)", "A set-group-id file gives its group as effective group id.";
    NosuidBits "execve(2)", "Not on a nosuid mount.";
    NoNewPrivsBits "prctl(2)", "Nor with no_new_privs.";
    OwnerExists KERNEL, "The kernel: neither bit counts where the owner does not exist in the namespace.";
    GroupExists KERNEL, "The kernel: nor where the group does not.";
    SavedFollows "execve(2)", "The effective ids are copied to the saved ids.";
    NosuidCapabilities "capabilities(7)", "On a nosuid mount a file has no capabilities.";
    AttributeRoot "capabilities(7)", "Those of revision 3 count where their root id is user 0 of the namespace or of one above.";
    FileUnknown KERNEL, "The kernel: capabilities of a file that it does not know are passed over.";
    FilePermitted "capabilities(7)", "P'(permitted) has F(permitted) within the bounding set.";
    FileInheritable "capabilities(7)", "P'(permitted) has F(inheritable) within P(inheritable).";
    FileRefused "capabilities(7)", "With the effective bit and not all of F(permitted), EPERM.";
    FileEffective "capabilities(7)", "With the effective bit all of P'(permitted) is effective.";
    NoRoot "capabilities(7)", "With SECBIT_NOROOT user 0 is like any other.";
    SetUserIdRootWithCapabilities "capabilities(7)", "A set-user-id root file with capabilities gives others those alone.";
    EffectiveRoot "capabilities(7)", "With effective user 0, P'(permitted) is P(inheritable) and the bounding set.";
    RealRoot "capabilities(7)", "With real user 0 too.";
    RootEffective "capabilities(7)", "With effective user 0 all of it is effective; with real user 0 alone it is not.";
    UserChanged KERNEL, "The kernel: a change of user is another effective id than before; before Linux 6.16, than the real one.";
    GroupChanged KERNEL, "The kernel: a change of group is to one the process is not in; before Linux 6.16, other than the real one.";
    NoNewPrivsIds "prctl(2)", "With no_new_privs and a change or gain the effective ids are the real ones. The kernel: also if nothing but securebits gave it.";
    NoNewPrivsPermitted "prctl(2)", "With no_new_privs nothing becomes permitted that was not.";
    AmbientFile "capabilities(7)", "A file with capabilities empties the ambient set.";
    AmbientIds "capabilities(7)", "So does a change of ids.";
    AmbientPermittedAfter "capabilities(7)", "P'(permitted) has P'(ambient).";
    AmbientEffective "capabilities(7)", "Without the effective bit P'(effective) is P'(ambient).";
    KeepCapsCleared "capabilities(7)", "SECBIT_KEEP_CAPS is cleared, locked or not.";
    SecureChange "ld.so(8)", "A change of ids is a secure execution (AT_SECURE).";
    SecureIds "ld.so(8)", "So are effective ids other than the real ones.";
    SecureCapabilities "getauxval(3)", "So is a gain of capabilities for another real user than 0.";
    SecureSignal KERNEL, "The kernel: a secure execution clears the death signal.";
    ExecuteDumpable "prctl(2)", "A process is dumpable afterwards. The kernel: if effective and real ids were the same before.";
}

impl Rule {
    /// Asks the rule: whether what it is about is the case.
    #[cfg(not(stepdown_mutate))]
    #[inline(always)]
    pub(crate) const fn when(self, holds: bool) -> bool {
        let _ = self;
        holds
    }

    /// As above, and something else for the rule that is broken.
    #[cfg(stepdown_mutate)]
    pub(crate) fn when(self, holds: bool) -> bool {
        use core::sync::atomic::Ordering::Relaxed;
        if broken::RULE.load(Relaxed) != self as usize {
            return holds;
        }
        match broken::HOW.load(Relaxed) {
            0 => !holds,
            1 => false,
            _ => true,
        }
    }
}

/// For tests alone: built with `--cfg stepdown_mutate`, one rule at a time can be broken.
#[cfg(stepdown_mutate)]
pub mod broken {
    use core::sync::atomic::AtomicUsize;

    /// The place of the broken rule in `Rule::ALL`; none at first.
    pub static RULE: AtomicUsize = AtomicUsize::new(usize::MAX);
    /// 0: it answers the opposite. 1: it never applies. 2: it always does.
    pub static HOW: AtomicUsize = AtomicUsize::new(0);
}
