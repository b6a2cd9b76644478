//! Which clock a processor offers, and how fast its time-stamp counter runs, as far as
//! CPUID tells.
//!
//! Sources: Intel's Software Developer's Manual, volume 2, CPUID; AMD's Programmer's
//! Manual, volume 3, appendix E; Linux's `Documentation/virt/kvm/x86/cpuid.rst`; VMware's
//! "Mechanisms to determine if software is running in a VMware virtual machine".

/// The values that CPUID puts into EAX, EBX, ECX and EDX.
pub(crate) type Registers = [u32; 4];

const HYPERVISOR: u32 = 0x4000_0000;
const KVM_FEATURES: u32 = 0x4000_0001;
const HYPERVISOR_TIMING: u32 = 0x4000_0010;
const CRYSTAL: u32 = 0x15;
const NOMINAL: u32 = 0x16;
const EXTENDED: u32 = 0x8000_0000;
const POWER: u32 = 0x8000_0007;

const KVM: [u32; 3] = signature(b"KVMKVMKVM\0\0\0");
const VMWARE: [u32; 3] = signature(b"VMwareVMware");
const TCG: [u32; 3] = signature(b"TCGTCGTCGTCG");

/// Bit of leaf 1's ECX: there is a hypervisor. Its leaves mean something only then.
const HYPERVISOR_PRESENT: u32 = 1 << 31;
/// Bit of KVM's features: kvmclock, at the later of its two pairs of registers.
const KVM_CLOCK: u32 = 1 << 3;
/// Bit of EDX: the counter's speed never changes.
const INVARIANT: u32 = 1 << 8;

/// The source that tells the speed of the time-stamp counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The hypervisor, at all times: kvmclock.
    KvmClock,
    /// The hypervisor's timing leaf, in ticks a second.
    Hypervisor(u64),
    /// The processor's crystal and its ratio, in ticks a second.
    Crystal(u64),
    /// The processor's nominal speed, in ticks a second, off by up to a per cent: it is
    /// measured against the PIT in long windows only.
    Nominal(u64),
    /// Nothing: it is measured against the PIT.
    Pit,
}

/// The time-stamp counter, as CPUID describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) source: Source,
    /// True if it keeps its speed in every state of the processor, as far as CPUID
    /// promises. QEMU's emulator never does, but its counter is steady.
    pub(crate) is_steady: bool,
}

impl Counter {
    /// Asks CPUID, the first subleaf of every leaf. A leaf beyond the maximum is not
    /// looked at: processors answer such with that of another one.
    pub(crate) fn identify(cpuid: impl Fn(u32) -> Registers) -> Self {
        let [_, _, features, _] = cpuid(1);
        let hypervisor = (features & HYPERVISOR_PRESENT != 0).then(|| cpuid(HYPERVISOR));
        let is_invariant = cpuid(EXTENDED)[0] >= POWER && cpuid(POWER)[3] & INVARIANT != 0;
        let source = hypervisor
            .and_then(|leaf| hypervisor_source(leaf, &cpuid))
            .or_else(|| processor_source(&cpuid))
            .unwrap_or(Source::Pit);
        Self {
            source,
            is_steady: is_invariant
                || source == Source::KvmClock
                || hypervisor.is_some_and(|leaf| leaf[1..] == TCG),
        }
    }
}

fn hypervisor_source(leaf: Registers, cpuid: impl Fn(u32) -> Registers) -> Option<Source> {
    let [max, ref name @ ..] = leaf;
    let is_kvm = *name == KVM;
    // An old KVM says 0 for its one further leaf.
    let max = if is_kvm { max.max(KVM_FEATURES) } else { max };
    if is_kvm && cpuid(KVM_FEATURES)[0] & KVM_CLOCK != 0 {
        return Some(Source::KvmClock);
    }
    // Others use the number of this leaf for other things.
    let has_timing = (is_kvm || *name == VMWARE) && max >= HYPERVISOR_TIMING;
    let kilohertz = has_timing.then(|| cpuid(HYPERVISOR_TIMING)[0])?;
    (kilohertz != 0).then_some(Source::Hypervisor(u64::from(kilohertz) * 1_000))
}

fn processor_source(cpuid: impl Fn(u32) -> Registers) -> Option<Source> {
    let [max, ..] = cpuid(0);
    if max >= CRYSTAL {
        let [denominator, numerator, crystal, _] = cpuid(CRYSTAL).map(u64::from);
        // Some processors tell the ratio, but not the crystal's frequency.
        let frequency = (crystal * numerator).checked_div(denominator);
        if let Some(frequency @ 1..) = frequency {
            return Some(Source::Crystal(frequency));
        }
    }
    let megahertz = (max >= NOMINAL).then(|| cpuid(NOMINAL)[0] & 0xffff)?;
    (megahertz != 0).then_some(Source::Nominal(u64::from(megahertz) * 1_000_000))
}

/// A hypervisor's name as it stands in EBX, ECX and EDX.
const fn signature(name: &[u8; 12]) -> [u32; 3] {
    let mut words = [0; 3];
    let mut index = 0;
    while index < 12 {
        words[index / 4] |= (name[index] as u32) << (8 * (index % 4));
        index += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTEL_FEATURES: Registers = [0x506e3, 0, 0x7ffa_fbbf, 0xbfeb_fbff];
    const GUEST_FEATURES: Registers = [0x506e3, 0, 0xffda_3203, 0x1f8b_fbff];
    /// The answer of processors for leaves beyond the maximum: nothing in it may be used.
    const BEYOND: Registers = [7, 100, 1_000_000, 0xffff_ffff];

    fn leaf(max: u32, name: &[u8; 12]) -> Registers {
        let [b, c, d] = signature(name);
        [max, b, c, d]
    }

    #[track_caller]
    fn assert_counter(leaves: &[(u32, Registers)], source: Source, is_steady: bool) {
        let cpuid = |number| {
            let found = leaves.iter().find(|(known, _)| *known == number);
            found.map_or(BEYOND, |(_, registers)| *registers)
        };
        let counter = Counter::identify(cpuid);
        assert_eq!(counter, Counter { source, is_steady });
    }

    #[test]
    fn qemu_tcg_has_to_be_measured() {
        let leaves = [
            (0, leaf(0xd, b"GenuntelineI")),
            (1, GUEST_FEATURES),
            (HYPERVISOR, leaf(0x4000_0001, b"TCGTCGTCGTCG")),
            (EXTENDED, [0x8000_0008, 0, 0, 0]),
            (POWER, [0; 4]),
        ];
        assert_counter(&leaves, Source::Pit, true);
    }

    #[test]
    fn kvm_with_its_clock() {
        for (max, invariant) in [(0x4000_0001, 0), (0, 0), (0x4000_0010, INVARIANT)] {
            let leaves = [
                (0, leaf(0x1f, b"GenuntelineI")),
                (1, GUEST_FEATURES),
                (HYPERVISOR, leaf(max, b"KVMKVMKVM\0\0\0")),
                (KVM_FEATURES, [0x0100_7efb, 0, 0, 0]),
                (HYPERVISOR_TIMING, [2_995_200, 1_000_000, 0, 0]),
                (CRYSTAL, [2, 250, 24_000_000, 0]),
                (EXTENDED, [0x8000_0008, 0, 0, 0]),
                (POWER, [0, 0, 0, invariant]),
            ];
            assert_counter(&leaves, Source::KvmClock, true);
        }
    }

    #[test]
    fn kvm_without_its_clock() {
        let mut leaves = [
            (0, leaf(0xd, b"AuthcAMDenti")),
            (1, GUEST_FEATURES),
            (HYPERVISOR, leaf(0x4000_0010, b"KVMKVMKVM\0\0\0")),
            (KVM_FEATURES, [0, 0, 0, 0]),
            (HYPERVISOR_TIMING, [2_445_406, 1_000_000, 0, 0]),
            (EXTENDED, [0x8000_001f, 0, 0, 0]),
            (POWER, [0, 0, 0, INVARIANT]),
        ];
        assert_counter(&leaves, Source::Hypervisor(2_445_406_000), true);
        // Without the promise of a steady counter, QEMU hides the leaf.
        leaves[2].1[0] = 0x4000_0001;
        leaves[6].1[3] = 0;
        assert_counter(&leaves, Source::Pit, false);
    }

    #[test]
    fn firecracker() {
        let leaves = [
            (0, leaf(0x10, b"AuthcAMDenti")),
            (1, GUEST_FEATURES),
            (HYPERVISOR, leaf(0x4000_0001, b"KVMKVMKVM\0\0\0")),
            (KVM_FEATURES, [0x0100_7efb, 0, 0, 0]),
            (EXTENDED, [0x8000_001f, 0, 0, 0]),
            (POWER, [0, 0, 0, INVARIANT]),
        ];
        assert_counter(&leaves, Source::KvmClock, true);
    }

    #[test]
    fn vmware_and_others_that_use_the_leaf_differently() {
        let mut leaves = [
            (0, leaf(0xd, b"GenuntelineI")),
            (1, GUEST_FEATURES),
            (HYPERVISOR, leaf(0x4000_0010, b"VMwareVMware")),
            (HYPERVISOR_TIMING, [2_593_906, 66_000, 0, 0]),
            (EXTENDED, [0x8000_0008, 0, 0, 0]),
            (POWER, [0, 0, 0, INVARIANT]),
        ];
        assert_counter(&leaves, Source::Hypervisor(2_593_906_000), true);
        leaves[2].1 = leaf(0x4000_0082, b"Microsoft Hv");
        assert_counter(&leaves, Source::Pit, true);
    }

    #[test]
    fn bare_intel() {
        // Skylake (i7-6700K) tells the ratio to its crystal, but not the crystal.
        let mut leaves = [
            (0, leaf(0x16, b"GenuntelineI")),
            (1, INTEL_FEATURES),
            (CRYSTAL, [2, 334, 0, 0]),
            (NOMINAL, [4_000, 4_200, 100, 0]),
            (EXTENDED, [0x8000_0008, 0, 0, 0]),
            (POWER, [0, 0, 0, INVARIANT]),
        ];
        assert_counter(&leaves, Source::Nominal(4_000_000_000), true);
        // Alder Lake (i5-12600K): 38.4 MHz.
        leaves[0].1[0] = 0x20;
        leaves[2].1 = [2, 192, 38_400_000, 0];
        assert_counter(&leaves, Source::Crystal(3_686_400_000), true);
        // Haswell has neither leaf.
        leaves[0].1[0] = 0xd;
        assert_counter(&leaves, Source::Pit, true);
        // Before Nehalem the counter followed the processor's speed.
        leaves[5].1[3] = 0;
        assert_counter(&leaves, Source::Pit, false);
    }

    #[test]
    fn bare_amd_has_to_be_measured() {
        // Zen 2: leaves to 0x10, none of the hypervisor's.
        let leaves = [
            (0, leaf(0x10, b"AuthcAMDenti")),
            (1, INTEL_FEATURES),
            (EXTENDED, [0x8000_0020, 0, 0, 0]),
            (POWER, [0, 0, 0, INVARIANT | 0x699]),
        ];
        assert_counter(&leaves, Source::Pit, true);
    }

    proptest! {
        #[test]
        fn any_answers_give_a_usable_frequency(leaves: [Registers; 8], kvm: bool) {
            let mut leaves = leaves;
            if kvm {
                leaves[2] = leaf(0x4000_0010, b"KVMKVMKVM\0\0\0");
            }
            let counter = Counter::identify(|number| match number {
                0 | 1 => leaves[number as usize],
                HYPERVISOR | KVM_FEATURES => leaves[(number - HYPERVISOR + 2) as usize],
                HYPERVISOR_TIMING => leaves[4],
                CRYSTAL => leaves[5],
                NOMINAL => leaves[6],
                _ => leaves[7],
            });
            match counter.source {
                Source::Hypervisor(frequency)
                | Source::Crystal(frequency)
                | Source::Nominal(frequency) => prop_assert_ne!(frequency, 0),
                Source::KvmClock | Source::Pit => {}
            }
        }
    }
}
