//! The grammar that requests and answers share (RFC 9110, section 5; RFC 3986).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// The classes of each byte, as bits.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = TOKEN | HOST;
        }
        if byte >= 0x20 && byte != 0x7F || byte == b'\t' as usize {
            table[byte] |= VALUE;
        }
        byte += 1;
    }
    table = with(table, b"!#$%&'*+-.^_`|~", TOKEN);
    with(table, b"-._~%!$&'()*+;=", HOST)
};

/// In a token (RFC 9110, section 5.6.2).
const TOKEN: u8 = 1;
/// In a field value: no control characters but the tab (RFC 9110, section 5.5).
const VALUE: u8 = 2;
/// In a host's name (RFC 3986, section 3.2.2).
const HOST: u8 = 4;

const fn with(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] |= class;
        index += 1;
    }
    table
}

/// How many bytes of a class there are at the start.
fn run(bytes: &[u8], class: u8) -> usize {
    bytes
        .iter()
        .position(|&byte| CLASSES[byte as usize] & class == 0)
        .unwrap_or(bytes.len())
}

pub(crate) const fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

pub(crate) fn token_length(bytes: &[u8]) -> usize {
    run(bytes, TOKEN)
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_length(bytes) == bytes.len()
}

pub(crate) const fn is_value_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & VALUE != 0
}

pub(crate) fn value_length(bytes: &[u8]) -> usize {
    run(bytes, VALUE)
}

pub(crate) fn is_value(bytes: &[u8]) -> bool {
    value_length(bytes) == bytes.len()
}

/// True if an authority consists of allowed characters: a host name or address, and
/// perhaps a port. User information is not allowed in HTTP (RFC 9110, section 4.2.4).
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    let rest = match bytes {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else {
                return false;
            };
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            if end == 0 || !rest[..end].iter().all(is_address) {
                return false;
            }
            &rest[end + 1..]
        }
        name => &name[run(name, HOST)..],
    };
    match rest {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Cuts off optional white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Cuts off optional white space at the start.
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list, empty ones left out (RFC 9110, section 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// A number of decimal digits only. One that is too large becomes `u64::MAX`.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

/// Appends a number in decimal digits.
pub(crate) fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Undoes percent-coding. `None` if a `%` is not followed by two hexadecimal digits, or
/// if the result is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'%' {
            let [high, low, tail @ ..] = tail else {
                return None;
            };
            decoded.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
            rest = tail;
        } else {
            decoded.push(*byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 13, 999, 1_000_000, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(parse_decimal(&out), Some(number));
        }
        assert_eq!(parse_decimal(b"99999999999999999999999"), Some(u64::MAX));
        for bad in [&b""[..], b"+1", b"-1", b"1 ", b"0x1", b"1,1"] {
            assert_eq!(parse_decimal(bad), None);
        }
    }

    #[test]
    fn percent_coding() {
        assert_eq!(
            percent_decode("/a%20b%C3%A9").as_deref(),
            Some("/a b\u{e9}")
        );
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn authorities() {
        for good in ["", "a", "a.b:80", "[::1]", "[::1]:80", "10.0.0.2:", "x%20y"] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a/b", "u@h", "a:b", "a:1:2", "a,b", "[::1", "[]", "a#", "a?b",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn lists() {
        let elements: Vec<_> = list(b" a,, b\t,c , ").collect();
        assert_eq!(elements, [&b"a"[..], b"b", b"c"]);
    }
}
