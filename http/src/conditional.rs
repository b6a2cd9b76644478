//! Conditional and range requests (RFC 9110, sections 13 and 14).

use crate::date::parse_date;
use crate::syntax::parse_decimal;
use crate::{Method, Request};

/// The validators of a representation (RFC 9110, section 8.8).
pub(crate) struct Validators<'a> {
    /// The strong entity tag with its quotes, empty if there is none.
    pub(crate) etag: &'a str,
    pub(crate) modified: Option<u64>,
}

/// The outcome of a request's preconditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Proceed,
    /// 304
    NotModified,
    /// 412
    Failed,
}

/// Evaluates the conditions in the order that RFC 9110, section 13.2.2, gives.
pub(crate) fn evaluate(request: &Request<'_>, validators: &Validators<'_>) -> Outcome {
    if request.header("if-match").is_some() {
        let mut values = request.header_values("if-match");
        if !values.any(|value| matches_etag(value, validators.etag, false)) {
            return Outcome::Failed;
        }
    } else if let Some(limit) = request.header("if-unmodified-since").and_then(parse_date)
        && validators.modified.is_some_and(|modified| modified > limit)
    {
        return Outcome::Failed;
    }
    let is_read = matches!(request.method(), Method::Get | Method::Head);
    let unchanged = if is_read {
        Outcome::NotModified
    } else {
        Outcome::Failed
    };
    if request.header("if-none-match").is_some() {
        let mut values = request.header_values("if-none-match");
        if values.any(|value| matches_etag(value, validators.etag, true)) {
            return unchanged;
        }
    } else if let Some(since) = request.header("if-modified-since").and_then(parse_date)
        && is_read
        && validators
            .modified
            .is_some_and(|modified| modified <= since)
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// True if a list of entity tags, or `*`, holds one. The weak comparison ignores the
/// mark `W/`; in the strong one a weak tag equals none.
fn matches_etag(list: &str, etag: &str, weak: bool) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut rest = list;
    // A tag may hold commas, so that tags are cut at their quotes.
    while let Some((before, from_quote)) = rest.split_once('"') {
        let Some((tag, after)) = from_quote.split_once('"') else {
            return false;
        };
        let is_weak = before.ends_with("W/");
        let own = etag.strip_prefix('"').and_then(|own| own.strip_suffix('"'));
        if own == Some(tag) && (weak || !is_weak) {
            return true;
        }
        rest = after;
    }
    false
}

/// Which part of a representation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// From the first offset up to the second one, which is left out.
    Range(u64, u64),
    /// 416
    Unsatisfiable,
}

/// The part that the request asks for. Anything but one range of bytes means the whole,
/// as does a range of another version of the file.
pub(crate) fn part(request: &Request<'_>, validators: &Validators<'_>, size: u64) -> Part {
    let Some(range) = request
        .header("range")
        .filter(|_| request.method() == Method::Get)
    else {
        return Part::Whole;
    };
    let is_current = match request.header("if-range") {
        None => true,
        Some(tag) if tag.starts_with('"') => matches_etag(tag, validators.etag, false),
        Some(date) => validators.modified.is_some() && parse_date(date) == validators.modified,
    };
    if is_current {
        parse_range(range, size)
    } else {
        Part::Whole
    }
}

fn parse_range(range: &str, size: u64) -> Part {
    let bytes = range
        .split_once('=')
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = bytes.and_then(|(_, range)| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    let number = |digits: &str| parse_decimal(digits.as_bytes());
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), Some(last)) if first < size => {
            Part::Range(first, last.saturating_add(1).min(size))
        }
        (Some(first), None) if last.is_empty() && first < size => Part::Range(first, size),
        (None, Some(length)) if first.is_empty() && length > 0 && size > 0 => {
            Part::Range(size.saturating_sub(length), size)
        }
        (Some(_), Some(_)) => Part::Unsatisfiable,
        (Some(_), None) if last.is_empty() => Part::Unsatisfiable,
        (None, Some(_)) if first.is_empty() => Part::Unsatisfiable,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags() {
        for (list, weak, expected) in [
            ("*", false, true),
            (r#""a""#, false, true),
            (r#"W/"a""#, false, false),
            (r#"W/"a""#, true, true),
            (r#""x", W/"y,z" , "a""#, false, true),
            (r#""x,"a",y""#, true, false),
            (r#""b""#, true, false),
            ("a", true, false),
            (r#""a"#, true, false),
            ("", true, false),
        ] {
            assert_eq!(matches_etag(list, r#""a""#, weak), expected, "{list}");
        }
        assert!(!matches_etag(r#""""#, "", true), "no tag equals no tag");
    }

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range(0, 1)),
            ("bytes=0-", Part::Range(0, 10)),
            ("Bytes= 2-4", Part::Range(2, 5)),
            ("bytes=9-99999999999999999999999", Part::Range(9, 10)),
            ("bytes=-3", Part::Range(7, 10)),
            ("bytes=-30", Part::Range(0, 10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-12", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("0-1", Part::Whole),
        ] {
            assert_eq!(parse_range(range, 10), expected, "{range}");
        }
        assert_eq!(parse_range("bytes=0-0", 0), Part::Unsatisfiable);
        assert_eq!(parse_range("bytes=-1", 0), Part::Unsatisfiable);
    }
}
