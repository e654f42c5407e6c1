//! Writes to standard output and standard error, in colour where the environment of this process wants it.

use stepdown::Environment;
pub(crate) use stepdown_launcher::output::{error, out};

/// Whether what goes to standard output is coloured.
pub(crate) fn colour_out() -> bool {
    stepdown_launcher::output::colour_out(&Environment::of_process())
}

/// Whether what goes to standard error is coloured.
pub(crate) fn colour_error() -> bool {
    stepdown_launcher::output::colour_error(&Environment::of_process())
}
