//! What urunc, the runtime that has containers run unikernels, needs to know of an image.
//!
//! It reads annotations of the image's manifest or, where those do not reach it, the file
//! `urunc.json` in the root folder, whose values are in Base64 (urunc's documentation, "Packaging",
//! and its `pkg/unikontainers/config.go`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Content;
use crate::arguments;

/// Path of the program in the image.
pub const BINARY: &str = "unikernel/kernel.elf";

/// Path of the file that repeats the annotations.
pub const FILE: &str = "urunc.json";

/// urunc has no type for Fata. It gives a MirageOS unikernel its address as Fata wants it,
/// `--ipv4=ADDRESS/LENGTH --ipv4-gateway=ADDRESS`, followed by the container's arguments, and has
/// QEMU boot it by PVH with a virtio-net card on PCI, a serial line and nothing else.
const TYPE: &str = "mirage";

/// What sets nothing that is not so already: runtimes refuse a container without a command.
const NO_ARGUMENT: &str = "--log=info";

/// The annotations.
pub fn annotations(content: &Content<'_>) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("com.urunc.unikernel.unikernelType", TYPE.to_owned()),
        (
            "com.urunc.unikernel.unikernelVersion",
            env!("CARGO_PKG_VERSION").to_owned(),
        ),
        ("com.urunc.unikernel.hypervisor", "qemu".to_owned()),
        ("com.urunc.unikernel.binary", format!("/{BINARY}")),
        ("com.urunc.unikernel.cmdline", command(content).join(" ")),
        ("com.urunc.unikernel.mountRootfs", "false".to_owned()),
    ])
}

/// Content of [`FILE`].
pub fn file(annotations: &BTreeMap<&str, String>) -> serde_json::Value {
    let encoded = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into()));
    serde_json::Value::Object(encoded.collect())
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

    use super::{annotations, command, file};
    use crate::image::Content;

    fn content(arguments: &[String]) -> Content<'_> {
        Content {
            name: "shop",
            kernel: b"",
            arguments,
        }
    }

    /// The keys that urunc reads from annotations and from its file, and of those the ones that it
    /// demands.
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
    fn urunc_knows_every_annotation_and_misses_none() {
        let arguments = ["--port".to_owned(), "8080".to_owned()];
        let annotations = annotations(&content(&arguments));
        let keys: Vec<&str> = annotations
            .keys()
            .map(|key| key.strip_prefix("com.urunc.unikernel.").unwrap())
            .collect();
        assert!(keys.iter().all(|key| KNOWN.contains(key)), "{keys:?}");
        assert!(
            KNOWN[..DEMANDED].iter().all(|key| keys.contains(key)),
            "{keys:?}"
        );
        assert_eq!(annotations["com.urunc.unikernel.cmdline"], "--port 8080");
        let file = file(&annotations);
        for (key, value) in &annotations {
            let encoded = file[*key].as_str().unwrap();
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
