//! Every kind of mistake in a topology file, and what Sferic says about it, word for word.
//!
//! The cases stand in `*.golden` beside this file. A case is a line `==== title`, then its files, each below
//! `---- name` (the first one is checked, the others can be included), then below `---- says` all that is printed.
//! `---- set name=value` gives a `--set`. Files above the first case are there for every case. With the environment
//! variable `SFERIC_BLESS` set, what is printed now is written below `---- says`.

mod garbage;

use sferic::config::{self, Loader};
use sferic::problem::{Problems, Sources};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

#[derive(Default)]
struct Case {
    title: String,
    /// Header lines (`set name=value`, a file's name) with the text below each.
    parts: Vec<(String, String)>,
    says: String,
}

/// The parts that all cases share, and the cases.
fn cases(text: &str) -> (Vec<(String, String)>, Vec<Case>) {
    let mut all = vec![Case::default()];
    let mut says = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("==== ") {
            all.push(Case { title: title.to_owned(), ..Case::default() });
            says = false;
            continue;
        }
        let case = all.last_mut().expect("starts with one");
        if let Some(name) = line.strip_prefix("---- ") {
            says = name == "says";
            if !says {
                case.parts.push((name.to_owned(), String::new()));
            }
            continue;
        }
        let into = match case.parts.last_mut() {
            _ if says => &mut case.says,
            Some((_, text)) => text,
            None => continue,
        };
        into.push_str(line);
        into.push('\n');
    }
    let shared = all.remove(0).parts;
    (shared, all)
}

/// All that is printed about a case.
fn said(shared: &[(String, String)], case: &Case) -> String {
    let sets = case.parts.iter().filter_map(|(name, _)| name.strip_prefix("set ")?.split_once('='));
    let sets: Vec<(String, String)> = sets.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let files: Vec<_> = case.parts.iter().filter(|(name, _)| !name.starts_with("set ")).collect();
    let read = |path: &Path| {
        let found = files.iter().copied().chain(shared).find(|(name, _)| path == Path::new(name));
        found.map(|(_, text)| text.clone()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let env = |name: &str| (name == "SET").then(|| "x".to_owned());
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let loader = Loader { read: &read, env: &env, overrides: &sets };
    let model = loader.load(Path::new(&files[0].0), &mut sources, &problems);
    let checked = config::check(&model, &sferic::registry(), &problems);
    assert_eq!(checked.is_none(), problems.has_errors(), "{}", case.title);
    sources.render(&problems.into_sorted(), false)
}

/// Holds a file of cases against what is printed now.
fn hold(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_config").join(name);
    let text = std::fs::read_to_string(&path).expect("the golden file can be read");
    let (shared, cases) = cases(&text);
    let mut blessed = text.split("==== ").next().unwrap_or_default().to_owned();
    let mut wrong = String::new();
    for case in &cases {
        let now = said(&shared, case);
        if now.trim_end() != case.says.trim_end() {
            let _ = writeln!(wrong, "==== {}\n---- said until now\n{}---- says now\n{now}", case.title, case.says);
        }
        let _ = writeln!(blessed, "==== {}", case.title);
        case.parts.iter().for_each(|(name, text)| blessed.push_str(&format!("---- {name}\n{text}")));
        let _ = writeln!(blessed, "---- says\n{}\n", now.trim_end());
    }
    if std::env::var_os("SFERIC_BLESS").is_some() {
        std::fs::write(&path, format!("{}\n", blessed.trim_end())).expect("the golden file can be written");
        return;
    }
    assert!(wrong.is_empty(), "{name}:\n{wrong}");
}

#[test]
fn files_that_are_no_toml_or_do_not_fit_together() {
    hold("files.golden");
}

#[test]
fn names_and_values_of_options() {
    hold("options.golden");
}

#[test]
fn expressions() {
    hold("expressions.golden");
}

#[test]
fn streams_keys_and_groupings() {
    hold("streams.golden");
}

#[test]
fn runtime_objectives_and_tests() {
    hold("rest.golden");
}

#[test]
fn many_mistakes_of_one_file_are_told_in_one_go() {
    hold("together.golden");
}
