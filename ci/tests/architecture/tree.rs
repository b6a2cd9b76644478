//! The modules of a crate, and where the items are defined that paths name.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use syn::visit::Visit;
use syn::{Attribute, Item};

use crate::packages::shown;
use crate::references::{Path, References};
use crate::source::{Place, Platform, head, parse};

enum Name {
    Target(Target),
    /// A `use` brings it in.
    Alias(Path),
}

/// The target of a path: a module, or an item that this module's file defines.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    Item(usize),
}

struct Module {
    file: String,
    parent: usize,
    names: BTreeMap<String, Vec<Name>>,
    globs: Vec<Path>,
    paths: Vec<Path>,
}

/// The modules that a crate has in one platform; the first is its root.
pub(crate) struct Tree {
    platform: Platform,
    modules: Vec<Module>,
}

/// Names that are being looked up already, with their modules: an import may name itself.
type Pending<'a> = Vec<(usize, &'a str)>;

const ROOT: usize = 0;

impl Tree {
    pub(crate) fn read(file: &FilePath, platform: Platform) -> Self {
        let mut tree = Self {
            platform,
            modules: Vec::new(),
        };
        tree.add(ROOT, &Place::beside(file), &parse(file).items);
        tree
    }

    fn add(&mut self, parent: usize, place: &Place, items: &[Item]) -> usize {
        let index = self.modules.len();
        self.modules.push(Module {
            file: shown(&place.file),
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
        });
        let mut references = References::new(self.platform);
        for item in items {
            let (attributes, name) = head(item);
            if !self.platform.has(attributes) {
                continue;
            }
            references.visit_item(item);
            if let Some(name) = name {
                self.define(index, name.to_string(), item, place, attributes);
            }
        }
        let module = &mut self.modules[index];
        module.paths = references.paths;
        for import in references.imports {
            match import.name {
                Some(name) => {
                    let names = module.names.entry(name).or_default();
                    names.push(Name::Alias(import.path));
                }
                None => module.globs.push(import.path),
            }
        }
        index
    }

    fn define(
        &mut self,
        index: usize,
        name: String,
        item: &Item,
        place: &Place,
        attributes: &[Attribute],
    ) {
        let target = match item {
            Item::Mod(module) => {
                let child = place.child(module);
                let child = match &module.content {
                    Some((_, items)) => self.add(index, &child, items),
                    None => self.add(index, &child, &parse(&child.file).items),
                };
                Target::Module(child)
            }
            _ => Target::Item(index),
        };
        let exported = |attribute: &Attribute| attribute.path().is_ident("macro_export");
        let owner = if attributes.iter().any(exported) {
            ROOT
        } else {
            index
        };
        let names = self.modules[owner].names.entry(name).or_default();
        names.push(Name::Target(target));
    }

    /// A name as code in this module may use it, or code elsewhere after the module's path.
    fn lookup<'a>(&'a self, index: usize, name: &'a str, pending: &mut Pending<'a>) -> Vec<Target> {
        let module = &self.modules[index];
        let again = pending.contains(&(index, name));
        pending.push((index, name));
        let mut found = Vec::new();
        for entry in module.names.get(name).into_iter().flatten() {
            match entry {
                Name::Target(target) => found.push(*target),
                Name::Alias(path) if !again => found.extend(self.resolve(index, path, pending)),
                Name::Alias(_) => {}
            }
        }
        if found.is_empty() && !again {
            for glob in &module.globs {
                for target in self.resolve(index, glob, pending) {
                    if let Target::Module(other) = target {
                        found.extend(self.lookup(other, name, pending));
                    }
                }
            }
        }
        pending.pop();
        found
    }

    fn resolve<'a>(
        &'a self,
        index: usize,
        path: &'a [String],
        pending: &mut Pending<'a>,
    ) -> Vec<Target> {
        let mut segments = path.iter().map(String::as_str);
        let mut found = match segments.next() {
            None => Vec::new(),
            Some("crate") => vec![Target::Module(ROOT)],
            Some("self") => vec![Target::Module(index)],
            Some("super") => vec![Target::Module(self.modules[index].parent)],
            Some(name) => self.lookup(index, name, pending),
        };
        for segment in segments {
            found = self.step(&found, segment, pending);
        }
        found
    }

    /// Goes one segment of a path further.
    fn step<'a>(
        &'a self,
        from: &[Target],
        segment: &'a str,
        pending: &mut Pending<'a>,
    ) -> Vec<Target> {
        let step = |target: &Target| match *target {
            Target::Item(_) => vec![*target],
            Target::Module(module) if segment == "super" => {
                vec![Target::Module(self.modules[module].parent)]
            }
            Target::Module(module) => {
                let found = self.lookup(module, segment, pending);
                // A macro of that file makes the items that nothing there names.
                let unnamed = !self.modules[module].names.contains_key(segment);
                let made = (found.is_empty() && unnamed).then_some(Target::Item(module));
                found.into_iter().chain(made).collect()
            }
        };
        from.iter().flat_map(step).collect()
    }

    /// Calls back with each file that uses an item of another one, that file and the path.
    pub(crate) fn imports(&self, mut found: impl FnMut(&str, &str, &str)) {
        for (index, module) in self.modules.iter().enumerate() {
            for path in &module.paths {
                for target in self.resolve(index, path, &mut Vec::new()) {
                    let Target::Item(definer) = target else {
                        continue;
                    };
                    let file = &self.modules[definer].file;
                    if *file != module.file {
                        found(&module.file, file, &path.join("::"));
                    }
                }
            }
        }
    }
}
