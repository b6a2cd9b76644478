//! The paths that a module's code names.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, ImplItemFn, Item, ItemMod, ItemUse, Macro, UseTree, VisRestricted, Visibility,
};

use crate::source::{Platform, head};

/// The segments of a path.
pub(crate) type Path = Vec<String>;

/// A name that a `use` brings in.
pub(crate) struct Import {
    /// `None` for all names of a module.
    pub(crate) name: Option<String>,
    pub(crate) path: Path,
}

/// Collects the paths and imports of items, those of modules in them left out.
pub(crate) struct References {
    platform: Platform,
    /// Everything that the code uses. A `pub use` only hands a name on.
    pub(crate) paths: Vec<Path>,
    pub(crate) imports: Vec<Import>,
}

impl References {
    pub(crate) fn new(platform: Platform) -> Self {
        Self {
            platform,
            paths: Vec::new(),
            imports: Vec::new(),
        }
    }

    fn take_use(&mut self, tree: &UseTree, prefix: &[String], handed_on: bool) {
        let (name, path) = match tree {
            UseTree::Path(tree) => {
                let prefix = [prefix, &[tree.ident.to_string()]].concat();
                return self.take_use(&tree.tree, &prefix, handed_on);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_use(tree, prefix, handed_on);
                }
                return;
            }
            UseTree::Name(tree) if tree.ident == "self" => {
                (prefix.last().cloned(), prefix.to_vec())
            }
            UseTree::Name(tree) => {
                let name = tree.ident.to_string();
                (Some(name.clone()), [prefix, &[name]].concat())
            }
            UseTree::Rename(tree) => {
                let path = [prefix, &[tree.ident.to_string()]].concat();
                (Some(tree.rename.to_string()), path)
            }
            UseTree::Glob(_) => (None, prefix.to_vec()),
        };
        if !handed_on {
            self.paths.push(path.clone());
        }
        self.imports.push(Import { name, path });
    }

    /// Takes every path between the tokens of a macro. Fields and methods are none.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut before = String::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) if before == "::" => path.push(name.to_string()),
                TokenTree::Ident(name) => {
                    self.paths.push(std::mem::take(&mut path));
                    if before != "." {
                        path.push(name.to_string());
                    }
                    before.clear();
                }
                TokenTree::Punct(mark) if before == ":" => before.push(mark.as_char()),
                TokenTree::Punct(mark) => before = mark.as_char().to_string(),
                TokenTree::Group(group) => {
                    self.take_tokens(group.stream());
                    before.clear();
                }
                TokenTree::Literal(_) => before.clear(),
            }
        }
        self.paths.push(path);
        self.paths.retain(|path| !path.is_empty());
    }
}

impl Visit<'_> for References {
    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_vis_restricted(&mut self, _: &VisRestricted) {}

    fn visit_item_mod(&mut self, _: &ItemMod) {}

    fn visit_item(&mut self, item: &Item) {
        if self.platform.has(head(item).0) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        if self.platform.has(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if item.leading_colon.is_none() {
            let handed_on = !matches!(item.vis, Visibility::Inherited);
            self.take_use(&item.tree, &[], handed_on);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            let segments = segments.map(|segment| segment.ident.to_string());
            self.paths.push(segments.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &Macro) {
        visit::visit_macro(self, call);
        self.take_tokens(call.tokens.clone());
    }
}
