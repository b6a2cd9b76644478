//! Boots images on every machine, and as processes, and drives them with real clients.
//!
//! Every test is ignored unless asked for: it needs the images, QEMU, the tools of ci/setup, and a
//! network namespace of its own. `ci/test` provides them all.

mod boot_protocols;
mod calls;
mod clients;
mod clock;
mod command_line;
mod devices;
mod dhcp;
mod disk_sandbox;
mod disks;
mod faults;
mod hello;
mod hostile;
mod idle;
mod images;
mod inspect;
mod iperf3;
mod load;
mod memory;
mod names;
mod network;
mod pages;
mod path;
mod queue;
mod random;
mod reset;
mod router;
mod sandbox;
mod slow;
mod stalled;
mod storage;
mod support;
mod tally;
mod tap;
mod terminal;
mod tool;
mod trace;
mod vectors;
mod vlan;
mod weather;
