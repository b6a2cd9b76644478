//! Container images (OCI image format 1.1), as a folder or as an archive.
//!
//! An image is three blobs, each named by its digest: the layer (a compressed archive of the files),
//! the configuration, and the manifest that names both. `index.json` names the manifest.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::content::Content;
use super::urunc;
use crate::error::Error;
use crate::files::{replace, replace_folder, replaceable};
use crate::port::Port;

/// File that says that a folder is an image, and its content.
const LAYOUT: &str = "oci-layout";
const LAYOUT_CONTENT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIGURATION_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// File that names the manifests of the images in a folder.
const INDEX: &str = "index.json";

/// Tag of the image in its index.
const TAG: &str = "latest";

/// Writes the image, as an archive where the name of `output` ends in `.tar`.
pub fn write(content: &Content<'_>, ports: &[Port], output: &Path) -> Result<(), Error> {
    let files = image(content, ports)?;
    if is_archive(output) {
        let archive = archive(&files).map_err(Error::system("make an archive"))?;
        return replace(output, &archive);
    }
    check(output)?;
    replace_folder(output, |folder| files.write(folder))
}

/// Refuses an output whose place is taken: a folder gives way to a new image if it is empty or holds
/// one image, and no other.
pub fn check(output: &Path) -> Result<(), Error> {
    if is_archive(output) {
        return replaceable(output).map(drop);
    }
    let gives_way = match fs::read_dir(output) {
        Ok(mut entries) => entries.next().is_none() || holds_one_image(output),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) if error.kind() == ErrorKind::NotADirectory => false,
        Err(error) => return Err(Error::file("write", output)(error)),
    };
    match gives_way {
        true => Ok(()),
        false => Err(Error::NotOci(output.into())),
    }
}

fn holds_one_image(folder: &Path) -> bool {
    let index = fs::read(folder.join(INDEX)).unwrap_or_default();
    let index: Value = serde_json::from_slice(&index).unwrap_or_default();
    let manifests = index["manifests"].as_array();
    folder.join(LAYOUT).is_file() && manifests.is_some_and(|manifests| manifests.len() == 1)
}

/// Returns whether the image is to be one file.
pub fn is_archive(output: &Path) -> bool {
    output
        .extension()
        .is_some_and(|extension| extension == "tar")
}

/// Files with their paths.
#[derive(Default)]
struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    fn write(&self, folder: &Path) -> io::Result<()> {
        for (name, content) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, content)?;
        }
        Ok(())
    }

    /// Adds a blob, and returns how others refer to it.
    fn add_blob(&mut self, kind: &str, content: Vec<u8>) -> Map<String, Value> {
        let digest = digest(&content);
        let descriptor = json!({
            "mediaType": kind,
            "digest": format!("sha256:{digest}"),
            "size": content.len(),
        });
        self.0.push((format!("blobs/sha256/{digest}"), content));
        match descriptor {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

fn digest(content: &[u8]) -> String {
    let bytes = Sha256::digest(content);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn image(content: &Content<'_>, ports: &[Port]) -> Result<Files, Error> {
    let notes = urunc::file(content).to_string();
    let root = Files(vec![
        (urunc::BINARY.into(), content.kernel.into()),
        (urunc::FILE.into(), notes.into()),
    ]);
    let layer = archive(&root).map_err(Error::system("make an archive"))?;
    let compressed = compress(&layer).map_err(Error::system("compress"))?;
    let exposed: Map<String, Value> = ports
        .iter()
        .map(|port| (port.to_string(), json!({})))
        .collect();
    let configuration = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Cmd": urunc::command(content),
            "ExposedPorts": exposed,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))] },
    });
    let mut files = Files::default();
    let layer = files.add_blob(LAYER_TYPE, compressed);
    let configuration = files.add_blob(CONFIGURATION_TYPE, configuration.to_string().into());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": configuration,
        "layers": [layer],
    });
    let mut manifest = files.add_blob(MANIFEST_TYPE, manifest.to_string().into());
    let tag = json!({ "org.opencontainers.image.ref.name": TAG });
    manifest.insert("annotations".into(), tag);
    let platform = json!({ "architecture": "amd64", "os": "linux" });
    manifest.insert("platform".into(), platform);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [manifest],
    });
    files.0.push((INDEX.into(), index.to_string().into()));
    files.0.push((LAYOUT.into(), LAYOUT_CONTENT.into()));
    Ok(files)
}

/// An archive of files and their folders that depends on nothing else.
fn archive(files: &Files) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let mut folders: Vec<&str> = Vec::new();
    for (path, content) in &files.0 {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..=end];
            if !folders.contains(&folder) {
                folders.push(folder);
                let mut header = header(EntryType::Directory, 0o755, 0);
                archive.append_data(&mut header, folder, io::empty())?;
            }
        }
        let mut header = header(EntryType::Regular, 0o644, content.len());
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    archive.into_inner()
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    writer.write_all(data)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use serde_json::Value;

    use super::{Content, Files, INDEX, TAG, digest, image, urunc, write};
    use crate::error::Error;

    const CONTENT: Content<'static> = Content {
        name: "shop",
        kernel: b"the kernel",
        arguments: &[],
    };

    fn blob<'a>(files: &'a Files, descriptor: &Value) -> &'a [u8] {
        let name = descriptor["digest"].as_str().unwrap().replace(':', "/");
        let (_, content) = files
            .0
            .iter()
            .find(|(path, _)| *path == format!("blobs/{name}"))
            .unwrap();
        assert_eq!(descriptor["size"], content.len());
        assert!(name.ends_with(&digest(content)));
        content
    }

    #[test]
    fn every_blob_is_referred_to_by_its_digest() {
        let files = image(&CONTENT, &["80".parse().unwrap()]).unwrap();
        let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let (_, index) = files.0.iter().find(|(path, _)| path == INDEX).unwrap();
        let reference = &json(index)["manifests"][0];
        assert_eq!(
            reference["annotations"]["org.opencontainers.image.ref.name"],
            TAG
        );
        let manifest = json(blob(&files, reference));
        let configuration = json(blob(&files, &manifest["config"]));
        // Both would become annotations of the container, which no two versions of urunc read alike.
        assert!(manifest["annotations"].is_null());
        assert!(configuration["config"]["Labels"].is_null());
        assert!(configuration["config"]["ExposedPorts"]["80/tcp"].is_object());
        let mut layer = Vec::new();
        let compressed = blob(&files, &manifest["layers"][0]);
        flate2::read::GzDecoder::new(compressed)
            .read_to_end(&mut layer)
            .unwrap();
        assert_eq!(
            configuration["rootfs"]["diff_ids"][0],
            format!("sha256:{}", digest(&layer))
        );
        let mut paths = Vec::new();
        for entry in tar::Archive::new(layer.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            paths.push(entry.path().unwrap().display().to_string());
            if paths.last().unwrap() == urunc::BINARY {
                assert_eq!(content, CONTENT.kernel);
            }
        }
        assert_eq!(paths, ["unikernel/", "unikernel/kernel.elf", "urunc.json"]);
    }

    #[test]
    fn only_an_image_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("shop.oci");
        write(&CONTENT, &[], &output).unwrap();
        fs::write(output.join("left over"), "").unwrap();
        write(&CONTENT, &[], &output).unwrap();
        assert!(!output.join("left over").exists());
        // Nothing that others have put there.
        let two = r#"{"manifests": [{}, {}]}"#;
        fs::write(output.join(INDEX), two).unwrap();
        for taken in [folder.path(), &output, &output.join(INDEX)] {
            let result = write(&CONTENT, &[], taken);
            assert!(matches!(result, Err(Error::NotOci(_))), "{taken:?}");
        }
        assert_eq!(fs::read(output.join(INDEX)).unwrap(), two.as_bytes());
    }

    #[test]
    fn an_empty_folder_becomes_an_image() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("shop");
        fs::create_dir(&output).unwrap();
        write(&CONTENT, &[], &output).unwrap();
        assert!(output.join(INDEX).is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_same_content_makes_the_same_archive() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a.tar", "b.tar"].map(|name| {
            let output = folder.path().join(name);
            write(&CONTENT, &[], &output).unwrap();
            fs::read(output).unwrap()
        });
        assert_eq!(first, second);
    }
}
