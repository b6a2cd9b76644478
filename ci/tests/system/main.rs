//! Boots images on every machine, and as processes, and drives them with real clients.
//!
//! Every test is ignored unless asked for: it needs the images, QEMU, the tools of ci/setup, and a
//! network namespace of its own. `ci/test` provides them all.
//!
//! Each file beside this one is a module, which `ci/build.rs` finds.

include!(concat!(env!("OUT_DIR"), "/system.rs"));
