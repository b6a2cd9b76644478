//! Vector registers are switched on where the processor has them, and no interrupt changes them.

use fata_ci::{Launch, Machine, Platform};

/// Starts the test image with this processor, and waits for its success.
#[track_caller]
fn assert_adds_up(machine: Machine, processor: &str, has_avx2: bool) {
    let text = Launch::new("vector", Platform::Machine(machine))
        .qemu_arguments(["-cpu", processor])
        .start()
        .wait_success();
    let expected = format!("avx2: {has_avx2}");
    assert!(text.contains(&expected), "{processor}: {text}");
    assert!(text.contains("10000 interrupts"), "{processor}: {text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn avx_is_on_everywhere_and_survives_interrupts() {
    for machine in Machine::ALL {
        assert_adds_up(machine, "max", true);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn processors_without_avx_do_without() {
    // No AVX; AVX that cannot be switched on; nothing at all of the kind.
    for processor in ["max,-avx", "max,-xsave", "qemu64,+rdrand"] {
        assert_adds_up(Machine::Microvm, processor, false);
    }
}
