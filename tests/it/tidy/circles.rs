//! Which files name each other in a circle. A name that a file only hands on (`pub use`) is taken
//! from the file that defines it, so that the face of a folder ties no knots; and a part of a
//! module may name what the module itself defines (`super`), which is how Rust has parts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::source::{Named, Source};

/// The files of a crate, by the path of their modules.
struct Files<'a>(HashMap<Vec<&'a str>, File<'a>>);

struct File<'a> {
    source: &'a Source,
    named: Vec<Named>,
    /// What its `use`s call what.
    imported: HashMap<String, Vec<String>>,
}

/// The circles of a crate's files, each sorted, as paths.
pub fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let files = Files::new(sources);
    let arrows: BTreeMap<&str, BTreeSet<&str>> =
        files.0.values().map(|file| (file.source.path.as_str(), files.arrows(file))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|from| (*from, reach(&arrows, from))).collect();
    let mut found = BTreeSet::new();
    for (file, far) in reached.iter().filter(|(file, far)| far.contains(*file)) {
        let back = far.iter().filter(|other| reached[**other].contains(file));
        found.insert(back.map(|path| (*path).to_owned()).collect::<Vec<_>>());
    }
    found.into_iter().collect()
}

/// Every arrow between two files of a circle, to be read by who is to undo it.
pub fn ties(sources: &[Source], circle: &[String]) -> Vec<String> {
    let files = Files::new(sources);
    let mut ties = Vec::new();
    for file in files.0.values().filter(|file| circle.contains(&file.source.path)) {
        let to = files.arrows(file);
        let inside = to.iter().filter(|to| circle.iter().any(|path| path == *to));
        ties.extend(inside.map(|to| format!("{} -> {to}", file.source.path)));
    }
    ties.sort();
    ties
}

fn reach<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = arrows[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(arrows.get(file).into_iter().flatten());
        }
    }
    reached
}

impl<'a> Files<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut files = Self(HashMap::new());
        for source in sources.iter().filter(|source| !source.shipped.is_empty()) {
            let file = File { source, named: source.named(), imported: HashMap::new() };
            files.0.insert(source.module(), file);
        }
        let mut all = HashMap::new();
        for (module, file) in &files.0 {
            let imports = file.named.iter().filter_map(|named| {
                Some((named.imported.clone()?, files.absolute(module, &named.path)?))
            });
            all.insert(module.clone(), imports.collect::<HashMap<_, _>>());
        }
        for (module, imported) in all {
            files.0.get_mut(&module).unwrap().imported = imported;
        }
        files
    }

    /// A path that a module names, from the crate's root on; none where it leads out of the crate.
    fn absolute(&self, module: &[&str], path: &[String]) -> Option<Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut from: Vec<String> = owned(module);
        match path.first()?.as_str() {
            "crate" => from.clear(),
            "super" | "self" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                from.truncate(from.len().checked_sub(ups)?);
                from.extend(path.iter().skip(ups).filter(|name| *name != "self").cloned());
                return Some(from);
            }
            first => {
                let inside: Vec<&str> = module.iter().copied().chain([first]).collect();
                self.0.get(&inside)?;
                from.push(first.to_owned());
            }
        }
        from.extend(path[1..].iter().cloned());
        Some(from)
    }

    /// The file that defines what stands at a path; none for a file itself.
    fn definer(&self, path: &[String], steps: usize) -> Option<&'a str> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let (module, rest) = (0..=names.len())
            .rev()
            .find_map(|end| Some((self.0.get(&names[..end])?, &path[end..])))?;
        let first = rest.first()?;
        match module.imported.get(first) {
            Some(elsewhere) if steps > 0 => {
                let on: Vec<String> = elsewhere.iter().chain(&rest[1..]).cloned().collect();
                self.definer(&on, steps - 1)
            }
            _ => Some(&module.source.path),
        }
    }

    /// The files that a file takes names from.
    fn arrows(&self, file: &File<'a>) -> BTreeSet<&'a str> {
        let module = file.source.module();
        let uses = |name: &str| {
            let words = file.named.iter().filter(|named| named.imported.is_none());
            words.filter(|named| named.path[0] == name).count() > 0
        };
        let mut to = BTreeSet::new();
        for named in &file.named {
            let is_handed_on = named.is_public
                && named.imported.as_ref().is_some_and(|name| name == "*" || !uses(name));
            let path = match file.imported.get(&named.path[0]) {
                Some(import) if named.imported.is_none() => {
                    Some(import.iter().chain(&named.path[1..]).cloned().collect())
                }
                _ => self.absolute(&module, &named.path),
            };
            if let Some(path) = path.filter(|_| !is_handed_on) {
                to.extend(self.definer(&path, 8));
            }
        }
        let wholes = (0..=module.len()).filter_map(|end| self.0.get(&module[..end]));
        for whole in wholes {
            to.remove(whole.source.path.as_str());
        }
        to
    }
}
