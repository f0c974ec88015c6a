//! Loading: files, their includes, parameters and the environment become one [`Model`].

use super::model::{Item, Model};
use super::parse;
use super::substitute::Substitution;
use crate::component::{Key, Node, NodeValue, OptionSpec, Table};
use crate::problem::{FileId, Problem, Problems, Sources, Span, nearest};
use std::io;
use std::path::{Path, PathBuf};

/// The sections of a topology file.
pub const SECTIONS: &[OptionSpec] = &[
    OptionSpec::optional("name", "the topology's name, in reports; by default that of the file"),
    OptionSpec::optional(
        "include",
        "list of files whose sections count as if they stood here; paths are relative to the file that names them; \
         `params` of the including file win",
    ),
    OptionSpec::optional(
        "params",
        "constants: `$name` in expressions, \"$name\" as the whole value of any other key; `--set name=value` changes \
         one for a run",
    ),
    OptionSpec::optional("schemas", "[schemas.NAME]: `fields` and `time` that several spouts share"),
    OptionSpec::optional("tables", "[tables.NAME]: reference data from a file, `name[key].column` in expressions"),
    OptionSpec::optional("runtime", "threads, cores, waiting"),
    OptionSpec::optional("spouts", "[spouts.NAME]: where tuples come from"),
    OptionSpec::optional("bolts", "[bolts.NAME]: what reads them"),
    OptionSpec::optional("latency", "objectives by sink: out = \"p99 < 500us\", or a list of them"),
    OptionSpec::optional("tests", "[[tests]]: rows in, rows out, on a virtual clock"),
];

/// Where texts and variables come from, and what replaces parameters.
pub struct Loader<'a> {
    /// Reads a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Looks up a variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `--set name=value`, in order.
    pub overrides: &'a [(String, String)],
}

/// Loads a topology from files, with the process's environment.
pub fn load_file(path: &Path, overrides: &[(String, String)], sources: &mut Sources, problems: &Problems) -> Model {
    let read = |path: &Path| std::fs::read_to_string(path);
    let env = |name: &str| std::env::var(name).ok();
    Loader { read: &read, env: &env, overrides }.load(path, sources, problems)
}

/// Loads a topology from a text; relative paths refer to the working directory.
pub fn load_text(name: &str, text: &str, sources: &mut Sources, problems: &Problems) -> Model {
    let read = |path: &Path| {
        if path == Path::new(name) { Ok(text.to_owned()) } else { std::fs::read_to_string(path) }
    };
    let env = |name: &str| std::env::var(name).ok();
    Loader { read: &read, env: &env, overrides: &[] }.load(Path::new(name), sources, problems)
}

/// A parameter and the chain of files through which it was reached, the root first.
struct ParamEntry {
    key: Key,
    node: Node,
    chain: Vec<PathBuf>,
}

#[derive(Default)]
struct Merged {
    model: Model,
    named: bool,
    params: Vec<ParamEntry>,
    loaded: Vec<PathBuf>,
}

impl Loader<'_> {
    /// Loads the file at `path` and what it includes; problems are recorded, and what could be read is in the model.
    pub fn load(&self, path: &Path, sources: &mut Sources, problems: &Problems) -> Model {
        let mut merged = Merged::default();
        merged.model.name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        self.file(path, None, &[], &mut merged, sources, problems);
        let mut model = merged.model;
        model.params = merged.params.into_iter().map(|p| (p.key, p.node)).collect();
        if model.incomplete {
            return model;
        }
        self.replace_params(&mut model, sources, problems);
        Substitution { env: self.env, problems }.apply(&mut model);
        model
    }

    fn file(
        &self,
        path: &Path,
        named_at: Option<Span>,
        chain: &[PathBuf],
        merged: &mut Merged,
        sources: &mut Sources,
        problems: &Problems,
    ) {
        let shown = path.display().to_string();
        let at = |problem: Problem| match named_at {
            Some(span) => problem.at(span),
            None => problem,
        };
        if chain.iter().any(|c| c == path) {
            problems.push(at(Problem::error(format!("{shown} includes itself"))
                .hint("the files include each other in a circle; remove one `include`")));
            return;
        }
        if merged.loaded.iter().any(|l| l == path) {
            return;
        }
        merged.loaded.push(path.to_owned());
        let text = match (self.read)(path) {
            Ok(text) => text,
            Err(error) => {
                let why = if error.kind() == io::ErrorKind::InvalidData {
                    "it is not UTF-8 text".to_owned()
                } else {
                    error.to_string()
                };
                problems.push(at(Problem::error(format!("cannot read {shown}: {why}"))));
                merged.model.incomplete = true;
                return;
            }
        };
        let file = sources.add(shown, text);
        let before = problems.len();
        let table = parse::parse(file, sources.text(file), problems);
        let broken = problems.len() > before;
        merged.model.incomplete |= broken;
        let mut chain = chain.to_vec();
        chain.push(path.to_owned());
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut includes = Vec::new();
        // Of a file with errors of syntax it is not known what its keys belong to; what it includes is still looked at.
        for (key, node) in table.entries.into_iter().filter(|(key, _)| !broken || key.name == "include") {
            section(key, node, &folder, &chain, merged, &mut includes, problems);
        }
        for (include, span) in includes {
            self.file(&folder.join(include), Some(span), &chain, merged, sources, problems);
        }
    }

    fn replace_params(&self, model: &mut Model, sources: &mut Sources, problems: &Problems) {
        for (name, value) in self.overrides {
            let file: FileId = sources.add(format!("--set {name}"), value.clone());
            let node = parse::parse_value(file, value);
            match model.params.iter_mut().find(|(key, _)| key.name == *name) {
                Some((_, old)) => *old = node,
                None => {
                    let names = model.params.iter().map(|(key, _)| key.name.as_str());
                    let mut problem = Problem::error(format!("--set {name}: there is no parameter `{name}`"));
                    if let Some(near) = nearest(name, names.clone()) {
                        problem = problem.hint(format!("did you mean `{near}`?"));
                    }
                    let list = names.collect::<Vec<_>>().join(", ");
                    let list = if list.is_empty() { "nothing".to_owned() } else { list };
                    problems.push(problem.hint(format!("[params] has: {list}")));
                }
            }
        }
    }
}

/// Takes one top-level key of a file.
fn section(
    key: Key,
    node: Node,
    folder: &Path,
    chain: &[PathBuf],
    merged: &mut Merged,
    includes: &mut Vec<(PathBuf, Span)>,
    problems: &Problems,
) {
    let model = &mut merged.model;
    match key.name.as_str() {
        "name" => match node.as_text() {
            // The root file is read first; its name counts.
            Some(name) if !merged.named => {
                model.name = name.to_owned();
                merged.named = true;
            }
            Some(_) => {}
            None => problems.push(must_be(&key, &node, "a string")),
        },
        "include" => match strings(&node) {
            Some(files) => includes.extend(files.into_iter().map(|(f, s)| (PathBuf::from(f), s))),
            None => problems.push(must_be(&key, &node, "a list of files")),
        },
        "params" => match node.value {
            NodeValue::Table(table) => params(table, chain, merged, problems),
            _ => problems.push(must_be(&key, &node, "a table")),
        },
        "schemas" => items(&mut model.schemas, &key, node, folder, problems),
        "tables" => items(&mut model.tables, &key, node, folder, problems),
        "spouts" => items(&mut model.spouts, &key, node, folder, problems),
        "bolts" => items(&mut model.bolts, &key, node, folder, problems),
        "runtime" => match (node.value, &model.runtime) {
            (NodeValue::Table(table), None) => model.runtime = Some((key.span, table)),
            (NodeValue::Table(_), Some((first, _))) => problems.push(twice("[runtime]", key.span, *first)),
            (value, _) => problems.push(must_be(&key, &Node { span: key.span, value }, "a table")),
        },
        "latency" => match node.value {
            NodeValue::Table(table) => model.latency.extend(table.entries),
            _ => problems.push(must_be(&key, &node, "a table")),
        },
        "tests" => match node.value {
            NodeValue::Array(tests) => model.tests.extend(tests),
            _ => problems.push(must_be(&key, &node, "a list of tables: [[tests]]")),
        },
        other => {
            let mut problem = Problem::error(format!("`{other}` is not a section of a topology file")).at(key.span);
            if let Some(near) = nearest(other, SECTIONS.iter().map(|s| s.name)) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            let sections = SECTIONS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
            problems.push(problem.hint(format!("the sections are {}", sections)));
        }
    }
}

fn must_be(key: &Key, node: &Node, wanted: &str) -> Problem {
    Problem::error(format!("`{}` must be {wanted}, found {}", key.name, node.value.kind()))
        .at(node.span)
        .label(format!("must be {wanted}"))
}

fn twice(what: &str, second: Span, first: Span) -> Problem {
    Problem::error(format!("{what} is there twice"))
        .at(second)
        .label("the second time")
        .also(first, "the first time")
        .hint("rename one of them, or remove it")
}

fn strings(node: &Node) -> Option<Vec<(String, Span)>> {
    match &node.value {
        NodeValue::Text(text) => Some(vec![(text.text.clone(), node.span)]),
        NodeValue::Array(items) => items.iter().map(|n| n.as_text().map(|t| (t.to_owned(), n.span))).collect(),
        _ => None,
    }
}

/// Parameters of a file; those of a file that includes it win.
fn params(table: Table, chain: &[PathBuf], merged: &mut Merged, problems: &Problems) {
    for (key, node) in table.entries {
        match merged.params.iter().find(|p| p.key.name == key.name) {
            None => merged.params.push(ParamEntry { key, node, chain: chain.to_vec() }),
            Some(known) if chain.starts_with(&known.chain) => {}
            Some(known) => {
                problems.push(twice(&format!("the parameter `{}`", key.name), key.span, known.key.span));
            }
        }
    }
}

/// Named tables of a section.
fn items(list: &mut Vec<Item>, section: &Key, node: Node, folder: &Path, problems: &Problems) {
    let NodeValue::Table(table) = node.value else {
        problems.push(must_be(section, &node, "a table of tables"));
        return;
    };
    for (key, node) in table.entries {
        let what = format!("`{}.{}`", section.name, key.name);
        if let Some(known) = list.iter().find(|i| i.key.name == key.name) {
            problems.push(twice(&what, key.span, known.key.span));
            continue;
        }
        match node.value {
            NodeValue::Table(table) => list.push(Item { key, table, folder: folder.to_owned() }),
            _ => problems.push(must_be(&Key { name: what.replace('`', ""), span: key.span }, &node, "a table")),
        }
    }
}
