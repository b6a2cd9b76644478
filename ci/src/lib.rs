//! The harness of the system tests: a network of their own ([`Lab`]), images booted in QEMU and
//! programs run as processes ([`Launch`], [`Program`]), and clients to drive them with.
//!
//! Everything here panics, with what was seen so far, when something is not as a test needs it.

mod attached;
mod bulk;
mod client;
mod cpu;
mod crowd;
mod descriptors;
mod files;
mod impairment;
mod lab;
mod launch;
mod limits;
mod linux;
mod machine;
mod output;
mod packets;
mod program;
mod programs;
mod relay;
mod stats;
mod tap;
mod time_server;
mod tool;
mod trunk;

pub use attached::Attached;
pub use bulk::{receive_checked, send_checked};
pub use client::{Client, Response};
pub use cpu::cpu_time;
pub use crowd::{Crowd, Manner, Seen};
pub use descriptors::need_descriptors;
pub use files::{Tree, debug_binary, image, target_folder, workspace};
pub use impairment::Impairment;
pub use lab::{GATEWAY, GUEST_IPV4, GUEST_IPV6, GUEST_LINK_LOCAL, GUEST_MAC, Lab, TAP};
pub use launch::{Disk, Firmware, Launch, Network, Platform, TAP_ARGUMENTS};
pub use limits::{Figures, Limits, LimitsError, Mismatch};
pub use linux::Linux;
pub use machine::{DEBUG_EXIT, Machine, QEMU};
pub use packets::RawSender;
pub use program::{Ending, Program};
pub use programs::{PlatformKind, ProgramPackage};
pub use relay::{Counts, Relay};
pub use stats::Stats;
pub use tap::{Headers, attach, header_size, leaves_segments_whole, set_header_size};
pub use time_server::TimeServer;
pub use tool::{run, succeed};
pub use trunk::Trunk;

use std::time::Duration;

/// How long to wait for anything that must happen. Generous: a machine under load emulates
/// slowly, and a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);
