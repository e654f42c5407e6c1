//! Shows a state as the launcher shows what was proven, in the types of `serde_json`.

use serde_json::Value;
use stepdown::security::credentials::Credentials;
pub(crate) use stepdown_launcher::proof::rows;

/// A state for a machine.
pub(crate) fn state(state: &Credentials) -> Value {
    stepdown_launcher::proof::state(state).into()
}
