//! Files of Rust source: where their modules lie, and which items a platform has.

use std::fs;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, Token};

use crate::packages::{normal, shown};

pub(crate) fn parse(file: &Path) -> syn::File {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("a module's file {} is missing: {error}", shown(file)));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", shown(file)))
}

/// The text of an attribute `#[path = "..."]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else {
            return None;
        };
        match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if meta.path.is_ident("path") => Some(text.value()),
            _ => None,
        }
    })
}

/// A source file, and the folder in which the modules lie that it declares.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    folder: PathBuf,
    inline: bool,
}

impl Place {
    /// A file whose modules lie beside it: a crate's root, a `mod.rs`, one that a path names.
    pub(crate) fn beside(file: &Path) -> Self {
        let file = normal(file);
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            file,
            folder,
            inline: false,
        }
    }

    /// Where the module is that this file declares.
    pub(crate) fn child(&self, module: &ItemMod) -> Self {
        let name = module.ident.to_string();
        if module.content.is_some() {
            return Self {
                file: self.file.clone(),
                folder: self.folder.join(name),
                inline: true,
            };
        }
        if let Some(path) = path_attribute(&module.attrs) {
            let beside = self.file.parent().filter(|_| !self.inline);
            return Self::beside(&beside.unwrap_or(&self.folder).join(path));
        }
        let folder = self.folder.join(&name);
        let nested = folder.join("mod.rs");
        if nested.exists() {
            return Self::beside(&nested);
        }
        Self {
            file: self.folder.join(name + ".rs"),
            folder,
            inline: false,
        }
    }
}

/// The files that attributes `#[path]` of this one name.
pub(crate) fn named_paths(file: &Path) -> Vec<PathBuf> {
    struct Finder(Place, Vec<PathBuf>);
    impl Visit<'_> for Finder {
        fn visit_item_mod(&mut self, module: &ItemMod) {
            let child = self.0.child(module);
            if module.content.is_none() && path_attribute(&module.attrs).is_some() {
                self.1.push(child.file.clone());
            }
            let outer = std::mem::replace(&mut self.0, child);
            visit::visit_item_mod(self, module);
            self.0 = outer;
        }
    }
    let mut finder = Finder(Place::beside(file), Vec::new());
    finder.visit_file(&parse(file));
    finder.1
}

/// One of the platforms for which crates are built.
#[derive(Clone, Copy)]
pub(crate) enum Platform {
    Machine,
    Process,
}

impl Platform {
    pub(crate) const ALL: [Self; 2] = [Self::Machine, Self::Process];

    /// A condition of `cfg` outside tests. `None` if it depends on more than the platform.
    fn holds(self, condition: &Meta) -> Option<bool> {
        match condition {
            Meta::Path(path) if path.is_ident("test") => Some(false),
            Meta::Path(path) if path.is_ident("fata_vm") => Some(matches!(self, Self::Machine)),
            Meta::List(list) => {
                let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
                let inner: Vec<_> = inner.ok()?.iter().map(|meta| self.holds(meta)).collect();
                let (all, any) = (list.path.is_ident("all"), list.path.is_ident("any"));
                match &inner[..] {
                    [one] if list.path.is_ident("not") => one.map(|holds| !holds),
                    _ if all && inner.contains(&Some(false)) => Some(false),
                    _ if any && inner.contains(&Some(true)) => Some(true),
                    _ if inner.contains(&None) => None,
                    _ => Some(all),
                }
            }
            _ => None,
        }
    }

    /// An item with these attributes may be there, outside tests.
    pub(crate) fn has(self, attributes: &[Attribute]) -> bool {
        attributes.iter().all(|attribute| {
            let condition = attribute.parse_args::<Meta>().ok();
            let condition = condition.filter(|_| attribute.path().is_ident("cfg"));
            condition.and_then(|meta| self.holds(&meta)) != Some(false)
        })
    }
}

/// The attributes and the name of an item.
pub(crate) fn head(item: &Item) -> (&[Attribute], Option<&syn::Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, Some(&item.ident)),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}
