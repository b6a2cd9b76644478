//! Circles of imports between files that nobody has mended yet.

/// This list only shrinks: to understand one file of a circle takes reading all of them.
pub(crate) const CIRCLES: &[&[&str]] = &[
    &[
        "boot/src/args.rs",
        "boot/src/disk.rs",
        "boot/src/env.rs",
        "boot/src/network.rs",
        "boot/src/platform/unix/disk.rs",
        "boot/src/platform/unix/entropy.rs",
        "boot/src/platform/unix/mod.rs",
        "boot/src/platform/unix/network.rs",
        "boot/src/platform/unix/network/capture.rs",
        "boot/src/platform/unix/terminal.rs",
        "boot/src/platform/vm/disk.rs",
        "boot/src/platform/vm/entropy.rs",
        "boot/src/platform/vm/mod.rs",
        "boot/src/platform/vm/network.rs",
        "boot/src/platform/vm/terminal.rs",
        "boot/src/start.rs",
    ],
    &[
        "boot/src/platform/vm/heap.rs",
        "boot/src/platform/vm/heap/constant_time.rs",
    ],
    &[
        "boot/src/platform/vm/virtio/mmio.rs",
        "boot/src/platform/vm/virtio/mod.rs",
        "boot/src/platform/vm/virtio/pci/mod.rs",
    ],
];
