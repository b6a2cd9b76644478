//! A program's requests to its heap, in few bytes.
//!
//! For each operation a byte, its kind times 64 plus the alignment's logarithm, then numbers
//! in groups of seven bits, the lowest first, all but the last with the highest bit set: the
//! block's number, then, unless it is given back, its size. Numbers of blocks are used again.

use alloc::vec::Vec;

/// One call of a program to its heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A block is handed out.
    Allocate {
        /// The block's number.
        block: u32,
        /// In bytes.
        size: u32,
        /// In bytes, a power of two.
        align: u32,
    },
    /// A block gets another size.
    Resize {
        /// The block's number.
        block: u32,
        /// The new size in bytes.
        size: u32,
    },
    /// A block is given back.
    Free {
        /// The block's number.
        block: u32,
    },
}

const ALLOCATE: u8 = 0;
const RESIZE: u8 = 1;
const FREE: u8 = 2;

/// Appends an operation to a trace.
pub fn write(trace: &mut Vec<u8>, operation: Operation) {
    let (kind, align, block, size) = match operation {
        Operation::Allocate { block, size, align } => (ALLOCATE, align, block, Some(size)),
        Operation::Resize { block, size } => (RESIZE, 1, block, Some(size)),
        Operation::Free { block } => (FREE, 1, block, None),
    };
    trace.push(kind << 6 | align.trailing_zeros() as u8);
    for number in [Some(block), size].into_iter().flatten() {
        let mut rest = number;
        while rest >= 0x80 {
            trace.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        trace.push(rest as u8);
    }
}

/// The operations of a trace.
///
/// # Panics
/// If it was not written by [`write()`].
pub fn read(trace: &[u8]) -> Vec<Operation> {
    let mut bytes = trace.iter().copied();
    let mut operations = Vec::new();
    while let Some(first) = bytes.next() {
        let block = number(&mut bytes);
        operations.push(match first >> 6 {
            ALLOCATE => Operation::Allocate {
                block,
                size: number(&mut bytes),
                align: 1 << (first & 63),
            },
            RESIZE => Operation::Resize {
                block,
                size: number(&mut bytes),
            },
            FREE => Operation::Free { block },
            kind => panic!("no operation is of kind {kind}"),
        });
    }
    operations
}

fn number(bytes: &mut impl Iterator<Item = u8>) -> u32 {
    let mut number = 0;
    for group in 0.. {
        let byte = bytes.next().expect("a trace ends with an operation");
        number |= u32::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let operations = [
            Operation::Allocate {
                block: 0,
                size: 1,
                align: 4096,
            },
            Operation::Allocate {
                block: 300,
                size: u32::MAX,
                align: 1,
            },
            Operation::Resize {
                block: 127,
                size: 128,
            },
            Operation::Free { block: 1 << 20 },
        ];
        let mut trace = Vec::new();
        operations
            .iter()
            .for_each(|operation| write(&mut trace, *operation));
        assert_eq!(read(&trace), operations);
    }
}
