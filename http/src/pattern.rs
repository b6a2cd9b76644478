//! Patterns of routes, see [`Router`](crate::Router).

use crate::syntax::percent_decode;

/// True if a path, percent-coded, fits a pattern.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    if pattern == path {
        return true;
    }
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        if expected.starts_with('*') {
            return true;
        }
        let Some(segment) = segments.next() else {
            return false;
        };
        let fits = match expected.strip_prefix(':') {
            Some(_) => !segment.is_empty(),
            None => percent_decode(segment).is_some_and(|segment| segment == expected),
        };
        if !fits {
            return false;
        }
    }
    segments.next().is_none()
}

/// The part of a path that the last part of a pattern such as `/docs/*path` stands for;
/// without such a part the path itself. It does not begin with the `/` of the path.
pub(crate) fn tail<'p>(pattern: &str, path: &'p str) -> &'p str {
    let name = pattern.rsplit('/').next().unwrap_or_default();
    name.strip_prefix('*')
        .and_then(|name| param(pattern, path, name))
        .unwrap_or_else(|| path.strip_prefix('/').unwrap_or(path))
}

/// The part of a path, percent-coded, that a parameter of its pattern stands for.
pub(crate) fn param<'p>(pattern: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let mut rest = Some(path);
    for expected in pattern.split('/') {
        if expected.strip_prefix('*') == Some(name) {
            return Some(rest.unwrap_or_default());
        }
        let path = rest?;
        let (segment, later) = match path.split_once('/') {
            Some((segment, later)) => (segment, Some(later)),
            None => (path, None),
        };
        if expected.strip_prefix(':') == Some(name) {
            return Some(segment);
        }
        rest = later;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b", "/%61/b"),
            ("/:x", "/anything"),
            ("/:x/c/:y", "/b/c/d%2Fe"),
            ("/*rest", "/"),
            ("/*rest", "/a/b/"),
            ("/a/*rest", "/a/"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/a"),
            ("/a", "/"),
            ("/a", "/a/"),
            ("/a/b", "/a%2Fb"),
            ("/:x", "/"),
            ("/:x", "/a/b"),
            ("/a/*rest", "/b/a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn parameters() {
        assert_eq!(param("/u/:id/x/*rest", "/u/7/x/a/b", "id"), Some("7"));
        assert_eq!(param("/u/:id/x/*rest", "/u/7/x/a/b", "rest"), Some("a/b"));
        assert_eq!(param("/*rest", "/", "rest"), Some(""));
        assert_eq!(param("/u/:id", "/u/7", "other"), None);
        assert_eq!(param("", "/u/7", "id"), None);
        assert_eq!(tail("/d/*rest", "/d/a/b"), "a/b");
        assert_eq!(tail("/d", "/d"), "d");
        assert_eq!(tail("", "/a/b"), "a/b");
    }
}
