//! The memory functions that compiled code calls, which a hosted target takes from libc.
//!
//! Under emulation `rep movsb` costs a step for each byte, and a step of `rep movsq` more than a
//! load and a store do, which copy blocks here.

use core::arch::asm;
use core::ptr::{read_unaligned, write_unaligned};

/// Copies fewer than 16 bytes: two overlapping moves of the largest size that fits. All
/// is read before anything is written, so the ranges may overlap.
///
/// # Safety
/// As for `memmove`, with `count` below 17.
#[inline(always)]
unsafe fn copy_short(to: *mut u8, from: *const u8, count: usize) {
    macro_rules! two_moves {
        ($word:ty) => {{
            let last = count - size_of::<$word>();
            let head = read_unaligned(from.cast::<$word>());
            let tail = read_unaligned(from.add(last).cast::<$word>());
            write_unaligned(to.cast::<$word>(), head);
            write_unaligned(to.add(last).cast::<$word>(), tail);
        }};
    }
    // SAFETY: each move stays within the `count` bytes that the caller promises.
    unsafe {
        match count {
            0 => {}
            1 => *to = *from,
            2..4 => two_moves!(u16),
            4..8 => two_moves!(u32),
            _ => two_moves!(u64),
        }
    }
}

/// # Safety
/// As in C: both ranges are valid and do not overlap.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the last move of eight bytes may overlap the ones before it, with the same
    // content; all stay within the ranges that the caller promises. Bytes that lie before
    // their source are written after that was read, so `memmove` may copy downwards by this.
    unsafe {
        if count <= 16 {
            copy_short(to, from, count);
            return to;
        }
        let tail = read_unaligned(from.add(count - 8).cast::<u64>());
        asm!(
            "mov {blocks}, rcx",
            "and ecx, 7",
            "shr {blocks}, 3",
            "jz 3f",
            "2:",
            "mov {a}, [rsi]",
            "mov {b}, [rsi + 8]",
            "mov {c}, [rsi + 16]",
            "mov {d}, [rsi + 24]",
            "mov [rdi], {a}",
            "mov [rdi + 8], {b}",
            "mov [rdi + 16], {c}",
            "mov [rdi + 24], {d}",
            "mov {a}, [rsi + 32]",
            "mov {b}, [rsi + 40]",
            "mov {c}, [rsi + 48]",
            "mov {d}, [rsi + 56]",
            "mov [rdi + 32], {a}",
            "mov [rdi + 40], {b}",
            "mov [rdi + 48], {c}",
            "mov [rdi + 56], {d}",
            "add rsi, 64",
            "add rdi, 64",
            "sub {blocks}, 1",
            "jnz 2b",
            "3:",
            "rep movsq",
            blocks = out(reg) _,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            inout("rcx") count / 8 => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack)
        );
        write_unaligned(to.add(count - 8).cast::<u64>(), tail);
    }
    to
}

/// # Safety
/// As in C: both ranges are valid; they may overlap.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    let distance = (to as usize).wrapping_sub(from as usize);
    // SAFETY: copying forwards is right unless `to` lies within the source; then the copy
    // goes backwards, the first eight bytes last. They were read before anything changed.
    unsafe {
        if count <= 16 {
            copy_short(to, from, count);
        } else if distance >= count {
            memcpy(to, from, count);
        } else {
            let head = read_unaligned(from.cast::<u64>());
            asm!(
                "std",
                "rep movsq",
                "cld",
                inout("rcx") count / 8 => _,
                inout("rdi") to.add(count - 8) => _,
                inout("rsi") from.add(count - 8) => _,
                options(nostack)
            );
            write_unaligned(to.cast::<u64>(), head);
        }
    }
    to
}

/// # Safety
/// As in C: the range is valid.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    let word = u64::from(byte as u8) * 0x0101_0101_0101_0101;
    // SAFETY: all writes stay within the `count` bytes that the caller promises.
    unsafe {
        if count < 8 {
            for index in 0..count {
                // Volatile, lest the compiler make a call to this very function of it.
                to.add(index).write_volatile(byte as u8);
            }
            return to;
        }
        asm!(
            "rep stosq",
            inout("rcx") count / 8 => _,
            inout("rdi") to => _,
            in("rax") word,
            options(nostack, preserves_flags)
        );
        write_unaligned(to.add(count - 8).cast::<u64>(), word);
    }
    to
}

/// # Safety
/// As in C: both ranges are valid.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut index = 0;
    // SAFETY: every index is below `count`.
    unsafe {
        while index + 8 <= count {
            let a = read_unaligned(left.add(index).cast::<u64>());
            let b = read_unaligned(right.add(index).cast::<u64>());
            if a != b {
                return if a.swap_bytes() < b.swap_bytes() {
                    -1
                } else {
                    1
                };
            }
            index += 8;
        }
        while index < count {
            let (a, b) = (*left.add(index), *right.add(index));
            if a != b {
                return i32::from(a) - i32::from(b);
            }
            index += 1;
        }
    }
    0
}

/// # Safety
/// As in C: both ranges are valid.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { memcmp(left, right, count) }
}

/// # Safety
/// As in C: a zero byte follows.
#[cfg_attr(fata_vm, unsafe(no_mangle))]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller promises that a zero byte follows.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn copies_move_every_byte_and_no_other(
            bytes in proptest::collection::vec(any::<u8>(), 300),
            from in 0usize..100, to in 0usize..100, count in 0usize..200,
        ) {
            let mut expected = bytes.clone();
            expected.copy_within(from..from + count, to);
            let mut moved = bytes.clone();
            let start = moved.as_mut_ptr();
            // SAFETY: both ranges lie within the 300 bytes.
            let result = unsafe { memmove(start.add(to), start.add(from), count) };
            prop_assert_eq!(result, start.wrapping_add(to));
            prop_assert_eq!(&moved, &expected);

            let mut copied = vec![7; 300];
            // SAFETY: as above, and the ranges are apart.
            unsafe { memcpy(copied.as_mut_ptr().add(to), bytes.as_ptr().add(from), count) };
            prop_assert_eq!(&copied[to..to + count], &bytes[from..from + count]);
            prop_assert!(copied[..to].iter().chain(&copied[to + count..]).all(|&byte| byte == 7));
        }

        #[test]
        fn fills_write_every_byte_and_no_other(
            to in 0usize..100, count in 0usize..200, byte in any::<u8>(),
        ) {
            let mut filled = vec![7; 300];
            // SAFETY: the range lies within the 300 bytes.
            unsafe { memset(filled.as_mut_ptr().add(to), byte.into(), count) };
            let mut expected = vec![7; 300];
            expected[to..to + count].fill(byte);
            prop_assert_eq!(filled, expected);
        }

        #[test]
        fn comparisons_agree_with_slices(
            left in proptest::collection::vec(0u8..3, 0..40),
            right in proptest::collection::vec(0u8..3, 0..40),
        ) {
            let count = left.len().min(right.len());
            // SAFETY: both are at least that long.
            let (order, equal) = unsafe {
                (memcmp(left.as_ptr(), right.as_ptr(), count), bcmp(left.as_ptr(), right.as_ptr(), count))
            };
            let expected = left[..count].cmp(&right[..count]);
            prop_assert_eq!(order.cmp(&0), expected);
            prop_assert_eq!(equal == 0, expected.is_eq());
        }

        #[test]
        fn lengths_end_at_the_zero(text in proptest::collection::vec(1u8.., 0..100)) {
            let mut ended = text.clone();
            ended.push(0);
            // SAFETY: a zero byte follows.
            prop_assert_eq!(unsafe { strlen(ended.as_ptr()) }, text.len());
        }
    }
}
