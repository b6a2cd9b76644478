//! Goes wrong in the way that `--kind` says, for the system tests.
#![cfg_attr(fata_vm, no_std, no_main)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::arch::asm;
use core::fmt;
use core::hint::black_box;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::str::FromStr;
use fata_boot::{Args, ArgsError, Env, FromArgs};

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    kind: Kind,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            kind: args.option("kind", "KIND", "what goes wrong", Kind::Panic)?,
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    PageFault,
    Null,
    WriteCode,
    WriteConstant,
    ExecuteData,
    DivideByZero,
    StackOverflow,
    HeapExhausted,
    TryReserve,
    Panic,
}

const KINDS: [(&str, Kind); 10] = [
    ("page-fault", Kind::PageFault),
    ("null", Kind::Null),
    ("write-code", Kind::WriteCode),
    ("write-constant", Kind::WriteConstant),
    ("execute-data", Kind::ExecuteData),
    ("divide-by-zero", Kind::DivideByZero),
    ("stack-overflow", Kind::StackOverflow),
    ("heap-exhausted", Kind::HeapExhausted),
    ("try-reserve", Kind::TryReserve),
    ("panic", Kind::Panic),
];

/// The kind is none of [`KINDS`].
struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = KINDS.iter().find(|(known, _)| *known == name);
        known.map(|(_, kind)| *kind).ok_or(UnknownKind)
    }
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kinds are")?;
        KINDS.iter().try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS[*self as usize].0)
    }
}

async fn app(env: Env, options: Options) -> Result<(), TryReserveError> {
    log::info!("about to go wrong: {}", options.kind);
    match options.kind {
        Kind::PageFault => read(0x7000_0000_0000),
        Kind::Null => read(0),
        Kind::WriteCode => write((descend as fn(u64) -> u64 as *const ()).expose_provenance()),
        Kind::WriteConstant => write(KINDS.as_ptr().expose_provenance()),
        Kind::ExecuteData => execute(black_box(&[0xc3u8; 16]).as_ptr().expose_provenance()),
        Kind::DivideByZero => divide(1, 0),
        Kind::StackOverflow => {
            black_box(descend(0));
        }
        Kind::HeapExhausted => exhaust(env.heap().total),
        Kind::TryReserve => recover(env.heap().total)?,
        Kind::Panic => panic!("this is what a panic looks like"),
    }
    Ok(())
}

#[inline(never)]
fn read(address: usize) {
    let pointer = with_exposed_provenance::<u64>(black_box(address));
    // SAFETY: not safe at all, which is the point: the access traps, and nothing follows it.
    black_box(unsafe { pointer.read_volatile() });
}

#[inline(never)]
fn write(address: usize) {
    let pointer = with_exposed_provenance_mut::<u64>(black_box(address));
    // SAFETY: not safe at all, which is the point: the access traps, and nothing follows it.
    unsafe { pointer.write_volatile(0) };
}

/// Calls what lies at an address.
#[inline(never)]
fn execute(address: usize) {
    // SAFETY: not safe at all, which is the point: the jump traps, and nothing follows it.
    unsafe { asm!("call {address}", address = in(reg) address, clobber_abi("C")) };
}

/// In assembly, because Rust's own division panics before the processor traps.
#[inline(never)]
fn divide(dividend: u64, divisor: u64) {
    // SAFETY: a division changes the two registers and the flags, and here it traps.
    unsafe {
        asm!("div {divisor}", divisor = in(reg) divisor, inout("rax") dividend => _, inout("rdx") 0u64 => _);
    }
}

/// Goes deeper than any stack.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    descend(depth + 1) + frame[1]
}

/// A piece of the heap, and all those taken before it.
struct Piece {
    _before: Option<Box<Self>>,
    _bytes: [u8; 1000],
}

/// Takes the whole heap in small pieces, so that nothing is left for whoever reports it. A host
/// lends more than is good for it; there, something is asked for that no host has.
#[inline(never)]
fn exhaust(total: Option<usize>) {
    if total.is_none() {
        black_box(Vec::<u8>::with_capacity(isize::MAX as usize));
    }
    let mut taken = None;
    loop {
        taken = black_box(Some(Box::new(Piece {
            _before: taken,
            _bytes: [0; 1000],
        })));
    }
}

/// Runs out of memory where that is an error, and goes on: the one kind that ends well. A host lends
/// more than is good for it, so there only something is asked for that no host has.
fn recover(total: Option<usize>) -> Result<(), TryReserveError> {
    let too_much = total.map_or(isize::MAX as usize, |total| total + 1);
    let refused = Vec::<u8>::new().try_reserve_exact(too_much);
    assert!(refused.is_err(), "{too_much} bytes of {total:?}");
    let Some(total) = total else { return Ok(()) };
    let mut pieces = Vec::new();
    let error = loop {
        if let Err(error) = take_piece(&mut pieces) {
            break error;
        }
    };
    log::info!("{} pieces, then: {error}", pieces.len());
    drop(pieces);
    Vec::<u8>::new().try_reserve_exact(total / 2)
}

fn take_piece(pieces: &mut Vec<Vec<u8>>) -> Result<(), TryReserveError> {
    let mut piece = Vec::new();
    piece.try_reserve_exact(1000)?;
    piece.resize(1000, 1);
    pieces.try_reserve(1)?;
    pieces.push(piece);
    Ok(())
}
