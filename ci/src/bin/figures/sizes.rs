//! Bytes of images.

use fata_ci::{Figures, Tree, image, workspace};
use std::fs;
use std::path::Path;

pub fn measure(figures: &mut Figures) {
    let examples = workspace().join("examples");
    for entry in fs::read_dir(examples).expect("there are examples") {
        let name = entry.expect("a folder can be read to its end").file_name();
        let name = name.to_str().expect("packages have names in ASCII");
        figures.add(format!("image.{name}"), size(&image(name)));
    }
    let content = Tree::read(&workspace().join("examples/site/content"));
    let without = size(&image("site")) - content.bytes() as u64;
    figures.add("image.site-without-its-content", without);
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("the image was built").len()
}
