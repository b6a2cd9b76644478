//! The processor's vector registers (Intel SDM volume 1, 13): switched on before anybody asks
//! whether they can be used.
//!
//! Nothing saves them. Tasks take turns by returning, and interrupt handlers touch none.

use core::arch::x86_64::{__cpuid, __cpuid_count};
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::xcontrol::XCr0;

/// CPUID leaf 1, ECX: XSAVE, and so the register that says which state is in use.
const XSAVE: u32 = 1 << 26;
/// Which states there are. The leaf exists where XSAVE does.
const LEAF_STATES: u32 = 0xd;
/// x87, SSE and AVX. Of all else nothing is used: larger vectors slow some processors down, and
/// protection keys and shadow stacks are a kernel's.
const USED: u32 = 0b111;

/// Switches on what the processor has of x87, SSE and AVX, and nothing else that a firmware
/// may have left on.
///
/// # Safety
/// Call at boot, before anything uses AVX.
pub(super) unsafe fn switch_on() {
    if __cpuid(1).ecx & XSAVE == 0 {
        return;
    }
    let states = __cpuid_count(LEAF_STATES, 0).eax & USED;
    // SAFETY: the processor has the flag and the register, and these states. x87 and SSE are
    // among them on every x86_64 processor.
    unsafe {
        Cr4::update(|flags| flags.insert(Cr4Flags::OSXSAVE));
        XCr0::write_raw(states.into());
    }
}
