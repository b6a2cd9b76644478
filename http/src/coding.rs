//! Content codings of files that were compressed beforehand (RFC 9110, section 8.4).

use crate::Request;

/// A coding that a file may be stored in, beside the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    /// Its name in header fields.
    pub(crate) name: &'static str,
    /// The end of its files' names.
    pub(crate) suffix: &'static str,
}

/// The codings in the order in which they are preferred.
pub(crate) const CODINGS: [Coding; 3] = [
    Coding {
        name: "br",
        suffix: ".br",
    },
    Coding {
        name: "zstd",
        suffix: ".zst",
    },
    Coding {
        name: "gzip",
        suffix: ".gz",
    },
];

/// How much the client likes a coding, in thousandths; 0 is not at all.
/// `None` if it says nothing about it (RFC 9110, section 12.5.3).
pub(crate) fn weight(request: &Request<'_>, coding: &str) -> Option<u16> {
    let mut any = None;
    for element in request
        .header_values("accept-encoding")
        .flat_map(|value| value.split(','))
    {
        let (name, parameter) = element.split_once(';').unwrap_or((element, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case(coding)
            || coding == "gzip" && name.eq_ignore_ascii_case("x-gzip")
        {
            return Some(quality(parameter));
        }
        if name == "*" {
            any = Some(quality(parameter));
        }
    }
    any
}

/// Parses `q=0.5` into thousandths. Without a parameter it is all of them, and none for
/// a malformed one.
fn quality(parameter: &str) -> u16 {
    let parameter = parameter.trim();
    if parameter.is_empty() {
        return 1000;
    }
    let value = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="))
        .unwrap_or_default();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_valid = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if is_valid && fraction.bytes().all(|byte| byte == b'0') => 1000,
        "0" if is_valid => fraction
            .bytes()
            .chain([b'0'; 3])
            .take(3)
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities() {
        for (parameter, expected) in [
            ("", 1000),
            (" q=1", 1000),
            ("q=1.000", 1000),
            ("q=0.5", 500),
            ("Q=0.123", 123),
            ("q=0", 0),
            ("q=0.1234", 0),
            ("q=1.1", 0),
            ("q=x", 0),
            ("level=1", 0),
        ] {
            assert_eq!(quality(parameter), expected, "{parameter}");
        }
    }
}
