//! Linux capabilities: their names, what each allows, how dangerous it is, and sets of them.
//!
//! This is the one place that lists capabilities. Constants, names, look-up and help texts all come from the
//! table behind this module; nothing else in the program repeats it. It follows capabilities(7) and the kernel's
//! `linux/capability.h` as of Linux 6.x (41 capabilities, 0 to 40).
//!
//! It is not about which capabilities the running kernel knows (that number is a parameter wherever it
//! matters), nor about the text of whole capability states (see [`crate::text`]).
//!
//! ```
//! use stepdown_security::capability::{CapSet, Capability};
//!
//! let set = CapSet::EMPTY.with(Capability::NET_BIND_SERVICE).with(Capability::NET_RAW);
//! assert_eq!(set.to_string(), "cap_net_bind_service,cap_net_raw");
//! assert_eq!(Capability::from_name("CAP_NET_RAW"), Some(Capability::NET_RAW));
//! assert!(Capability::SYS_ADMIN.info().unwrap().root_equivalent);
//! ```

mod set;
mod table;

pub use set::{CapSet, Iter};
pub use table::{Capability, Info, NAMED, NAMES};
