//! The manifest that has Kubernetes run the image.

use std::fmt::Write;
use std::path::Path;

use super::content::Content;
use crate::port::Port;
use crate::shell;

/// A pod of one container. `image` is the OCI image, in the same folder as the manifest.
pub fn manifest(content: &Content<'_>, ports: &[Port], image: &Path) -> String {
    let name = pod_name(content.name);
    let kind = if super::oci::is_archive(image) {
        "oci-archive"
    } else {
        "oci"
    };
    let file = image.file_name().unwrap_or_default().to_string_lossy();
    let source = shell::quoted(&format!("{kind}:{file}:latest"));
    let mut text = format!(
        "# Put the image into a registry of yours and its name below:
#   skopeo copy {source} docker://REGISTRY/{name}:latest
# The nodes need urunc with QEMU, and the cluster its runtime class.
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  runtimeClassName: urunc
  containers:
    - name: {name}
      image: REGISTRY/{name}:latest
      resources:
        limits:
          cpu: \"1\"
          # urunc gives the machine this much.
          memory: 256Mi
"
    );
    if !ports.is_empty() {
        text.push_str("      ports:\n");
    }
    for port in ports {
        let protocol = port.protocol.to_string().to_ascii_uppercase();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "        - containerPort: {}\n          protocol: {protocol}",
            port.number
        );
    }
    text
}

/// A package's name as one that Kubernetes accepts: lower case, `-` for `_`, and neither at the end.
fn pod_name(package: &str) -> String {
    let name = package.to_ascii_lowercase().replace('_', "-");
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{manifest, pod_name};
    use crate::image::Content;

    #[test]
    fn ports_are_declared() {
        let content = Content {
            name: "shop",
            kernel: b"",
            arguments: &[],
        };
        let text = manifest(
            &content,
            &["80", "53/udp"].map(|port| port.parse().unwrap()),
            Path::new("a.tar"),
        );
        assert!(text.contains("oci-archive:a.tar:latest"), "{text}");
        assert!(text.contains("\n  runtimeClassName: urunc\n"), "{text}");
        let ports = "      ports:
        - containerPort: 80
          protocol: TCP
        - containerPort: 53
          protocol: UDP
";
        assert!(text.ends_with(ports), "{text}");
        assert!(!manifest(&content, &[], Path::new("a")).contains("ports:"));
    }

    #[test]
    fn names_suit_kubernetes() {
        assert_eq!(pod_name("Shop_2"), "shop-2");
        assert_eq!(pod_name("shop_"), "shop");
    }
}
