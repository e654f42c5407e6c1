//! What kind of kernel this is, found by trying: [`Features`].

use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::credentials::{Dumpable, Facts, Features, Securebits};
use stepdown_security::moves::Move;
use stepdown_security::rules::ids::{Kind, UNCHANGED};
use stepdown_security::step::Step;
use stepdown_security::text::CapState;

use crate::case::{Bits, Built, Case};
use crate::place::{Place, World};

/// The features of the running kernel. This process is root with every capability that the probes need.
pub(crate) fn features(place: &Place, capability_count: u8) -> Result<Features, String> {
    let world = World {
        name: "probe",
        facts: Facts::initial(capability_count),
        namespace: None,
        map: &[(0, 0, u32::MAX)],
    };
    let last = |moves: Vec<Move>, program: Option<Built>| {
        let case = Case { moves, program, witness: false };
        let records = case.real(&world, place)?;
        records.last().copied().ok_or_else(|| "no report".to_owned())
    };
    let changed = last(vec![Move::SetRes(Kind::User, [UNCHANGED, 1, UNCHANGED])], None)?;
    let advice = last(vec![Move::Step(Step::SetSecurebits(Securebits(0x100)))], None)?;
    let in_place =
        last(vec![Move::SetFilesystem(Kind::User, 1), Move::SetRes(Kind::User, [UNCHANGED; 3])], None)?;
    // A process whose effective group is not its real one, and stays: whether that empties the ambient set.
    let every = CapSet::first(capability_count);
    let capability = Capability::CHOWN;
    let sets = CapState { effective: every, permitted: every, inheritable: CapSet::only(capability) };
    let held = last(vec![], None)?.permitted;
    let within = |set: CapSet| CapSet::from_bits(set.bits() & held);
    let sets = CapState { effective: within(sets.effective), permitted: within(sets.permitted), ..sets };
    let file = Bits { mount: 0, owner: 0, group: 0, mode: 0o755, attribute: None };
    let executed = last(
        vec![
            Move::Step(Step::SetCapabilities(sets)),
            Move::Step(Step::RaiseAmbient(capability)),
            Move::Step(Step::SetSecurebits(Securebits(1))),
            Move::SetRe(Kind::Group, 5, 6),
        ],
        Some(Built { file, script: None }),
    )?;
    Ok(Features {
        execve_compares_effective: executed.ambient != 0,
        exec_securebits: advice.errno == 0,
        setres_keeps_filesystem: in_place.uid[3] == 1,
        suid_dumpable: Dumpable::new(changed.dumpable as i32).ok_or("an unknown dumpable")?,
    })
}
