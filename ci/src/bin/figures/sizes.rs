//! Bytes of images.

use fata_ci::{
    Figures, PlatformKind, ProgramPackage, Tree, debug_binary, image, succeed, workspace,
};
use std::fs;
use std::path::Path;

pub fn measure(figures: &mut Figures) {
    for program in ProgramPackage::all() {
        let is_image = program.is_built_as(PlatformKind::Machine);
        if is_image && program.folder.starts_with("examples") {
            let name = &program.name;
            figures.add(format!("image.{name}"), size(&image(name)));
        }
    }
    let content = Tree::read(&workspace().join("examples/applications/site/content"));
    let without = size(&image("site")) - content.bytes() as u64;
    figures.add("image.site-without-its-content", without);
    figures.add("disk-image.site", raw_disk("site"));
}

/// Bytes of a raw disk with an example's image and what starts it.
fn raw_disk(name: &str) -> u64 {
    let tool = debug_binary("cargo-fata");
    let tool = tool
        .to_str()
        .expect("the target folder has a name in UTF-8");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("disk");
    let output = file
        .to_str()
        .expect("temporary folders have names in UTF-8");
    succeed(tool, ["image", name, "--format", "raw", "--output", output]);
    size(&file)
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("the image was built").len()
}
