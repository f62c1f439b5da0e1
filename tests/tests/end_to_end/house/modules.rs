//! The modules of a crate import each other in one direction.
//!
//! The test reads the sources of each crate. For every two sibling modules (files of a folder, or modules of a file), it finds out
//! which of them, including everything below it, names something of the other by `use` or by a path. A name that a parent module only
//! re-exports (`pub use child::Name`) counts as its child's. A parent and its children may name each other. Tests may name anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::MetadataCommand;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree};

/// A path of names: of a module below its crate, or of an imported item.
type Names = Vec<String>;

/// The names that a module uses and re-exports.
#[derive(Default)]
struct Named {
    /// The paths that it uses.
    paths: BTreeSet<Names>,
    /// The names that it re-exports, with their paths.
    brought_in: Vec<(String, Names)>,
}

/// The modules of one crate, by their paths.
type Modules = BTreeMap<Names, Named>;

/// One import: from a module, of a path.
type Import = (Names, Names);

/// Reads a module and those below it.
fn read(modules: &mut Modules, at: Names, items: &[Item], folder: &Path) {
    let mut named = Named::default();
    for item in items {
        match item {
            Item::Mod(module) if !is_test(&module.attrs) => read_below(modules, &at, module, folder),
            Item::Mod(_) => {}
            item => named.visit_item(item),
        }
    }
    modules.insert(at, named);
}

fn read_below(modules: &mut Modules, above: &Names, module: &ItemMod, folder: &Path) {
    let name = module.ident.to_string();
    let at: Names = above.iter().cloned().chain([name.clone()]).collect();
    if let Some((_, items)) = &module.content {
        read(modules, at, items, &folder.join(&name));
        return;
    }
    let files = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
    let file = files
        .iter()
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{} has no file in {}", at.join("::"), folder.display()));
    read(modules, at, &parsed(file), &folder.join(&name));
}

fn parsed(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl Visit<'_> for Named {
    fn visit_item_use(&mut self, item: &ItemUse) {
        self.flatten(&item.tree, &mut Names::new());
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, used: &Macro) {
        self.visit_path(&used.path);
        self.scan(used.tokens.clone());
    }
}

impl Named {
    fn flatten(&mut self, tree: &UseTree, above: &mut Names) {
        match tree {
            UseTree::Path(path) => {
                above.push(path.ident.to_string());
                self.flatten(&path.tree, above);
                above.pop();
            }
            UseTree::Name(name) => self.bring_in(&name.ident.to_string(), &name.ident.to_string(), above),
            UseTree::Rename(rename) => self.bring_in(&rename.rename.to_string(), &rename.ident.to_string(), above),
            UseTree::Glob(_) => drop(self.paths.insert(above.clone())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.flatten(tree, above)),
        }
    }

    fn bring_in(&mut self, here: &str, there: &str, above: &Names) {
        let path: Names = above.iter().cloned().chain((there != "self").then(|| there.to_owned())).collect();
        self.paths.insert(path.clone());
        let here = if here == "self" { above.last().cloned().unwrap_or_default() } else { here.to_owned() };
        self.brought_in.push((here, path));
    }

    /// Finds `crate::…`, `super::…` and `self::…` in the arguments of a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.paths.insert(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.scan(group.stream()),
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.paths.insert(path);
    }
}

/// The re-exports of a crate's modules: by module and name, the module that defines it.
type PassedOn = BTreeMap<(Names, String), Names>;

/// The module of the crate that a path in `here` refers to. `None` if it belongs to another crate.
fn module_of(modules: &Modules, passed_on: &PassedOn, here: &Names, path: &[String]) -> Option<Names> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Names::new(),
        "self" => here.clone(),
        "super" => here[..here.len().checked_sub(1)?].to_vec(),
        child if modules.contains_key(&below(here, child)) => below(here, child),
        _ => return None,
    };
    while let Some((next, after)) = rest.split_first() {
        if next == "super" {
            at.pop();
        } else if modules.contains_key(&below(&at, next)) {
            at = below(&at, next);
        } else {
            return Some(passed_on.get(&(at.clone(), next.clone())).cloned().unwrap_or(at));
        }
        rest = after;
    }
    Some(at)
}

fn below(at: &Names, name: &str) -> Names {
    at.iter().cloned().chain([name.to_owned()]).collect()
}

fn passed_on(modules: &Modules) -> PassedOn {
    let mut known = PassedOn::new();
    // A re-export may itself be re-exported, a few times.
    for _ in 0..4 {
        let mut next = PassedOn::new();
        for (here, named) in modules {
            for (name, path) in &named.brought_in {
                if let Some(there) = module_of(modules, &known, here, path).filter(|there| there != here) {
                    next.insert((here.clone(), name.clone()), there);
                }
            }
        }
        known = next;
    }
    known
}

/// An example for each pair of sibling modules of which one names the other.
fn imports(modules: &Modules) -> BTreeMap<Names, BTreeMap<(String, String), Import>> {
    let passed_on = passed_on(modules);
    let mut imports: BTreeMap<Names, BTreeMap<(String, String), Import>> = BTreeMap::new();
    for (here, named) in modules {
        for path in &named.paths {
            let Some(there) = module_of(modules, &passed_on, here, path) else { continue };
            let shared = here.iter().zip(&there).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (here.get(shared), there.get(shared)) {
                let side_by_side = imports.entry(here[..shared].to_vec()).or_default();
                side_by_side.entry((from.clone(), to.clone())).or_insert_with(|| (here.clone(), path.clone()));
            }
        }
    }
    imports
}

/// The imports that are part of a cycle.
fn on_rings(imports: &BTreeMap<(String, String), Import>) -> Vec<&Import> {
    let reaches = |from: &String, to: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            let next = imports.keys().filter(|(one, _)| one == at).map(|(_, other)| other);
            open.extend(next.filter(|other| seen.insert(*other)));
        }
        seen.contains(to)
    };
    imports.iter().filter(|((from, to), _)| reaches(to, from)).map(|(_, import)| import).collect()
}

fn rings_of(modules: &Modules) -> Vec<String> {
    let name = |names: &Names| if names.is_empty() { "the crate".to_owned() } else { names.join("::") };
    let mut rings = Vec::new();
    for (parent, side_by_side) in imports(modules) {
        for (here, path) in on_rings(&side_by_side) {
            rings.push(format!("below {}: {} imports {}", name(&parent), name(here), path.join("::")));
        }
    }
    rings
}

#[test]
fn the_modules_of_every_crate_import_each_other_in_one_direction() {
    let metadata = MetadataCommand::new().manifest_path("../Cargo.toml").no_deps().exec().unwrap();
    let mut rings = Vec::new();
    let mut count = 0;
    for package in &metadata.packages {
        for target in package.targets.iter().filter(|target| target.is_lib()) {
            let (mut modules, file) = (Modules::new(), target.src_path.as_std_path());
            read(&mut modules, Names::new(), &parsed(file), file.parent().unwrap());
            count += modules.len();
            rings.extend(rings_of(&modules).into_iter().map(|ring| format!("{} {ring}", package.name)));
        }
    }
    assert!(count > 200, "all modules are looked at, not {count}");
    assert!(rings.is_empty(), "these imports lie on rings:\n{}", rings.join("\n"));
}

#[test]
fn a_cycle_is_found_and_a_parents_re_exports_count_as_its_childs() {
    let of = |texts: &[(&str, &str)]| -> Vec<String> {
        let mut modules = Modules::new();
        for (path, text) in texts {
            let names: Names = path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
            let mut named = Named::default();
            syn::parse_file(text).unwrap().items.iter().for_each(|item| named.visit_item(item));
            modules.insert(names, named);
        }
        rings_of(&modules)
    };
    let one_way = [("", "pub use b::B;"), ("a", "use crate::B;"), ("b", "pub struct B;")];
    assert!(of(&one_way).is_empty());
    let ring = [("", "pub use b::B;"), ("a", "use crate::B; pub struct A;"), ("b", "pub struct B(super::a::A);")];
    assert_eq!(of(&ring), ["below the crate: a imports crate::B", "below the crate: b imports super::a::A"]);
    let in_a_macro = [("", ""), ("a", "fn f() { m!(x, crate::b::B) }"), ("b", "use crate::a;")];
    assert_eq!(of(&in_a_macro).len(), 2);
}
