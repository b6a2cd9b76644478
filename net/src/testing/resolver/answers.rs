//! DNS messages (RFC 1035, section 4), most of them wrong somewhere.

use crate::testing::Script;
use std::net::Ipv4Addr;
use std::prelude::v1::*;
use std::vec;

const HEADER: usize = 12;
/// A pointer to the name in the question.
const QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// An answer as a script says.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Whoever made it has not seen the question: its number or name is another.
    pub is_forged: bool,
}

impl Answer {
    pub fn new(question: &[u8], script: &mut Script<'_>) -> Self {
        let kind = script.byte();
        let mut bytes = match kind {
            ..240 => records(question, script),
            240..248 => bare(question, script),
            _ => {
                let length = usize::from(script.byte());
                script.bytes(length)
            }
        };
        // Its number, or the first letter of its name, large or small.
        let damage = match kind {
            ..40 => Some((usize::from(kind % 2), 1 << (kind / 2 % 8))),
            40..80 => Some((HEADER + 1, 0x20)),
            _ => None,
        };
        if let Some((place, bit)) = damage
            && let Some(byte) = bytes.get_mut(place)
        {
            *byte ^= bit;
        }
        let name = HEADER..question_end(question);
        let is_forged =
            bytes.get(..2) != question.get(..2) || bytes.get(name.clone()) != question.get(name);
        Self { bytes, is_forged }
    }
}

/// Where the question of a message ends.
fn question_end(message: &[u8]) -> usize {
    let name = &message[HEADER..];
    let root = name.iter().position(|byte| *byte == 0);
    HEADER + root.expect("names end with the root") + 5
}

/// An answer with one address for whatever is asked.
pub fn honest(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let mut message = question[..question_end(question)].to_vec();
    message[2..HEADER].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    message.extend(QUESTION);
    message.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    message.extend(address.octets());
    message
}

/// The question, and some records behind it.
fn records(question: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let mut message = question[..question_end(question)].to_vec();
    message[2..4].copy_from_slice(&flags(script));
    let counts = [script.byte() % 24, script.byte() % 4, script.byte() % 2];
    for (index, count) in counts.into_iter().enumerate() {
        message[6 + 2 * index..][..2].copy_from_slice(&[0, count]);
        for _ in 0..count {
            record(&mut message, question, script);
        }
    }
    if script.byte() >= 230 {
        let place = usize::from(script.word()) % (message.len() - 2) + 2;
        match script.byte() {
            byte @ ..128 => message[place] = byte,
            _ => message.truncate(place),
        }
    }
    message
}

/// A head alone, most often of a server that has not understood.
fn bare(question: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let code = [1, 4, 1, script.byte() % 16][usize::from(script.byte() % 4)];
    let mut message = question[..HEADER].to_vec();
    message[2..].copy_from_slice(&[0x81, 0x80 | code, 0, 0, 0, 0, 0, 0, 0, 0]);
    message
}

/// Response, recursion; truncated or failed, if the script says so.
fn flags(script: &mut Script<'_>) -> [u8; 2] {
    match script.byte() {
        byte @ ..6 => [0x81, 0x80 | byte],
        byte @ 6..9 => [0x83, 0x80 | (byte - 6)],
        9 => [script.byte(), script.byte()],
        _ => [0x81, 0x80],
    }
}

fn record(message: &mut Vec<u8>, question: &[u8], script: &mut Script<'_>) {
    name(message, script);
    let asked = question[question_end(question) - 3];
    let kind = match script.byte() % 16 {
        0 => [script.byte(), script.byte()],
        1 => [0, 6],
        2..6 => [0, 5],
        6 => [0, 41],
        _ => [0, asked],
    };
    message.extend(kind);
    message.extend([0, script.byte().saturating_sub(250) + 1]);
    let ttl = u32::from(script.word()) << (script.byte() % 17);
    message.extend(ttl.to_be_bytes());
    let length = message.len();
    message.extend([0, 0]);
    match kind {
        [0, 1] => message.extend(script.bytes(4)),
        [0, 28] => message.extend(script.bytes(16)),
        [0, 5 | 12] => name(message, script),
        [0, 6] => {
            name(message, script);
            name(message, script);
            message.extend(script.bytes(20));
        }
        _ => {
            let count = usize::from(script.byte());
            message.extend(script.bytes(count));
        }
    }
    let written = (message.len() - length - 2) as u16;
    let told = match script.byte() {
        byte @ 250.. => written.wrapping_add(u16::from(byte)).wrapping_sub(253),
        _ => written,
    };
    message[length..length + 2].copy_from_slice(&told.to_be_bytes());
}

/// A name: that of the question, most often; or labels and where they go on.
fn name(message: &mut Vec<u8>, script: &mut Script<'_>) {
    for _ in 0..script.byte().saturating_sub(200) {
        let length = script.byte() % 66;
        message.push(length);
        message.extend(vec![script.byte(); length.into()]);
    }
    match script.byte() {
        0 => message.push(0),
        1 => message.extend((0xc000 | script.word()).to_be_bytes()),
        2 => message.extend(b"\x05host1\x07example\0"),
        3 => message.extend(b"\x05other\x07example\0"),
        _ => message.extend(QUESTION),
    }
}
