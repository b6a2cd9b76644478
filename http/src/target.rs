//! The request target (RFC 9112, section 3.2).

use crate::Method;
use crate::span::Span;
use crate::syntax::{is_authority, percent_decode};

/// The target of a request, as parts of its head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    /// The path, `None` for the root of an absolute form without a path, or of `*`.
    pub(crate) path: Option<Span>,
    pub(crate) query: Option<Span>,
    /// The authority of an absolute form, which overrides the Host field.
    pub(crate) authority: Option<Span>,
    /// True if the target is `*`, the server as a whole.
    pub(crate) is_asterisk: bool,
}

/// Parses the target, which begins `offset` bytes into the head. `None` if it is
/// malformed or does not fit the method.
pub(crate) fn parse(method: Method, target: &[u8], offset: usize) -> Option<Target> {
    if target == b"*" {
        return (method == Method::Options).then_some(Target {
            is_asterisk: true,
            ..Target::default()
        });
    }
    if !target
        .iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b'#')
    {
        return None;
    }
    let mut parsed = Target::default();
    let mut path_start = 0;
    if target.first() != Some(&b'/') {
        let scheme = scheme_length(target)?;
        let authority = target[scheme..]
            .iter()
            .position(|&byte| byte == b'/' || byte == b'?')
            .map_or(target.len(), |length| scheme + length);
        if authority == scheme || !is_authority(&target[scheme..authority]) {
            return None;
        }
        parsed.authority = Some(span(offset, scheme, authority));
        path_start = authority;
    }
    let query = target[path_start..].iter().position(|&byte| byte == b'?');
    let path_end = query.map_or(target.len(), |length| path_start + length);
    if path_end > path_start {
        let path = core::str::from_utf8(&target[path_start..path_end]).ok()?;
        if percent_decode(path)?.contains('\0') {
            return None;
        }
        parsed.path = Some(span(offset, path_start, path_end));
    }
    if query.is_some() {
        parsed.query = Some(span(offset, path_end + 1, target.len()));
    }
    Some(parsed)
}

fn span(offset: usize, start: usize, end: usize) -> Span {
    Span {
        start: offset + start,
        end: offset + end,
    }
}

/// The length of `http://` or `https://`.
fn scheme_length(target: &[u8]) -> Option<usize> {
    [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| {
            target
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .map(<[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn parts(method: Method, target: &str) -> Option<(alloc::string::String, bool)> {
        let parsed = parse(method, target.as_bytes(), 0)?;
        let text = |span: Option<Span>| {
            span.map_or("-", |span| {
                core::str::from_utf8(span.of(target.as_bytes())).unwrap()
            })
        };
        let all = format!(
            "{} {} {}",
            text(parsed.authority),
            text(parsed.path),
            text(parsed.query)
        );
        Some((all, parsed.is_asterisk))
    }

    #[test]
    fn forms() {
        let good = [
            ("/", "- / -"),
            ("/a/b?c=d?e", "- /a/b c=d?e"),
            ("/?", "- / "),
            ("http://h", "h - -"),
            ("HTTPS://h:1/x?y", "h:1 /x y"),
            ("http://h?q", "h - q"),
        ];
        for (target, expected) in good {
            assert_eq!(
                parts(Method::Get, target),
                Some((expected.into(), false)),
                "{target}"
            );
        }
        assert_eq!(parts(Method::Options, "*"), Some(("- - -".into(), true)));
    }

    #[test]
    fn refused() {
        for target in [
            "*",
            "",
            "a",
            "h:80",
            "http://",
            "http:///x",
            "http://u@h/",
            "ftp://h/",
            "/a#b",
            "/%",
            "/%4",
            "/%zz",
            "/%00",
            "/%ff",
            "/a\tb",
            "/\u{e9}",
            "/\x7f",
        ] {
            assert_eq!(parts(Method::Get, target), None, "{target}");
        }
    }
}
