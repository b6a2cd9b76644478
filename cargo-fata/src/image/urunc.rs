//! The facts of an image that urunc needs, the runtime that has containers run unikernels.
//!
//! That stands in the file `urunc.json` in the root folder, whose values are in Base64 (urunc's
//! documentation, "Packaging", and its `pkg/unikontainers/config.go`). Annotations of the image would
//! come before it, also by way of labels, and no text of them suits all versions: that of June 2025
//! wants them in Base64, too, and ends where they are not, before it looks for the file; that of
//! early 2026 (commit 09bf044) takes them as they are. Both read the file where there are none.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::content::Content;
use crate::arguments;

/// Path of the program in the image.
pub const BINARY: &str = "unikernel/kernel.elf";

/// Path of the file that tells.
pub const FILE: &str = "urunc.json";

/// urunc has no type for Fata. It gives a MirageOS unikernel its address as Fata wants it,
/// `--ipv4=ADDRESS/LENGTH --ipv4-gateway=ADDRESS`, followed by the container's arguments, and has
/// QEMU boot it by PVH with a virtio-net NIC on PCI, a serial line and nothing else.
const TYPE: &str = "mirage";

/// An argument that changes nothing: runtimes refuse a container without a command.
const NO_ARGUMENT: &str = "--log=info";

/// Content of [`FILE`].
pub fn file(content: &Content<'_>) -> serde_json::Value {
    let encoded = entries(content).into_iter().map(|(key, value)| {
        (
            format!("com.urunc.unikernel.{key}"),
            STANDARD.encode(value).into(),
        )
    });
    serde_json::Value::Object(encoded.collect())
}

/// Keys and values.
fn entries(content: &Content<'_>) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("unikernelType", TYPE.to_owned()),
        ("unikernelVersion", env!("CARGO_PKG_VERSION").to_owned()),
        ("hypervisor", "qemu".to_owned()),
        ("binary", format!("/{BINARY}")),
        ("cmdline", command(content).join(" ")),
        ("mountRootfs", "false".to_owned()),
    ])
}

/// The container's command. urunc joins its words with blanks, so each is quoted for Fata.
pub fn command(content: &Content<'_>) -> Vec<String> {
    if content.arguments.is_empty() {
        return vec![NO_ARGUMENT.to_owned()];
    }
    let quoted = |word: &String| arguments::join(std::slice::from_ref(word));
    content.arguments.iter().map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::{command, entries, file};
    use crate::image::Content;

    fn content(arguments: &[String]) -> Content<'_> {
        Content {
            name: "shop",
            kernel: b"",
            arguments,
        }
    }

    /// The keys that urunc reads from its file, and of those the ones that it demands.
    const KNOWN: [&str; 9] = [
        "unikernelType",
        "hypervisor",
        "binary",
        "unikernelVersion",
        "cmdline",
        "initrd",
        "block",
        "blkMntPoint",
        "mountRootfs",
    ];
    const DEMANDED: usize = 3;

    #[test]
    fn urunc_knows_every_key_and_misses_none() {
        let arguments = ["--port".to_owned(), "8080".to_owned()];
        let content = content(&arguments);
        let entries = entries(&content);
        let keys: Vec<&str> = entries.keys().copied().collect();
        assert!(keys.iter().all(|key| KNOWN.contains(key)), "{keys:?}");
        assert!(
            KNOWN[..DEMANDED].iter().all(|key| keys.contains(key)),
            "{keys:?}"
        );
        assert_eq!(entries["cmdline"], "--port 8080");
        let file = file(&content);
        for (key, value) in &entries {
            let encoded = &file[format!("com.urunc.unikernel.{key}")];
            let encoded = encoded.as_str().unwrap();
            assert_eq!(STANDARD.decode(encoded).unwrap(), value.as_bytes());
        }
    }

    #[test]
    fn a_container_always_has_a_command() {
        assert_eq!(command(&content(&[])), ["--log=info"]);
    }

    proptest! {
        #[test]
        fn the_joined_command_is_split_into_the_arguments(words in prop::collection::vec("[^\0]*", 1..6)) {
            let line = command(&content(&words)).join(" ");
            prop_assert_eq!(fata_boot::split(&line), Ok(words));
        }
    }
}
