//! Capability text, as cap_from_text(3) reads it and cap_to_text(3) writes it.
