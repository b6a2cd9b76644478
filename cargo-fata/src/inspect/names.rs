//! Which crate a function or variable belongs to, by its demangled name.

/// Crates of Rust itself, which know no others.
const STANDARD: [&str; 3] = ["core", "alloc", "std"];

/// The crate that a path such as `spin::once::Once<T>::call_once` or `<&T as core::fmt::Debug>::fmt`
/// is from; nothing if the name is not that of something in a crate.
pub fn crate_of(name: &str) -> Option<&str> {
    let Some(inner) = name.strip_prefix('<') else {
        return leading_crate(name);
    };
    let own_type = leading_crate(without_sigils(inner));
    let a_trait = trait_of(inner).and_then(leading_crate);
    match (own_type, a_trait) {
        // An implementation is where its trait or its type is; the standard library's types
        // have only traits of the standard library there.
        (Some(own), Some(other)) if STANDARD.contains(&own) && !STANDARD.contains(&other) => {
            Some(other)
        }
        (own_type, a_trait) => own_type.or(a_trait),
    }
}

/// The text behind ` as ` in `TYPE as TRAIT>...`, outside of all inner brackets.
fn trait_of(inner: &str) -> Option<&str> {
    let mut depth = 0u32;
    let bytes = inner.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            // An arrow is no bracket.
            b'>' if index > 0 && bytes[index - 1] == b'-' => {}
            b'>' | b')' | b']' => depth = depth.checked_sub(1)?,
            b' ' if depth == 0 && bytes[index..].starts_with(b" as ") => {
                return inner.get(index + 4..);
            }
            _ => {}
        }
    }
    None
}

/// A type without references, pointers and brackets in front.
fn without_sigils(mut name: &str) -> &str {
    const SIGILS: [&str; 9] = ["<", "&", "*", "(", "[", "mut ", "const ", "dyn ", "impl "];
    while let Some(rest) = SIGILS.iter().find_map(|sigil| name.strip_prefix(sigil)) {
        name = rest;
    }
    name
}

/// The first part of a path of several.
fn leading_crate(path: &str) -> Option<&str> {
    let (first, _) = path.split_once("::")?;
    let is_name = first
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !first.is_empty()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::crate_of;
    use proptest::prelude::*;

    #[test]
    fn the_crate_is_where_the_code_was_written() {
        for (name, expected) in [
            ("spin::once::Once<T>::call_once", "spin"),
            ("core::ptr::drop_in_place<hello::App>", "core"),
            ("<hello::App as core::fmt::Debug>::fmt", "hello"),
            ("<&dyn core::fmt::Debug as core::fmt::Debug>::fmt", "core"),
            ("<T as fata_net::Stack>::poll", "fata_net"),
            ("<u64 as core::fmt::LowerHex>::fmt", "core"),
            ("<[u8] as fata_http::Body>::len", "fata_http"),
            (
                "<alloc::vec::Vec<T> as fata_http::Body>::len::{closure#0}",
                "fata_http",
            ),
            ("<alloc::raw_vec::RawVec<u8>>::grow_one", "alloc"),
            ("<fn(&T) -> a::B as c::D>::e", "c"),
            (
                "fata_boot::vm::<impl core::fmt::Write for A>::b",
                "fata_boot",
            ),
        ] {
            assert_eq!(crate_of(name), Some(expected), "{name}");
        }
        for name in ["memcpy", "_start", "", "<", "::", "< as >", "anon.c7.3"] {
            assert_eq!(crate_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_will_do(name in "[<>&()\\[\\]a-zé: -]{0,40}") {
            if let Some(name) = crate_of(&name) {
                prop_assert!(!name.is_empty());
            }
        }
    }
}
