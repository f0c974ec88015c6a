//! The rules of the house, as tests: layers, sizes, no forbidden names.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer; a module may import from its own layer's own module and from lower layers.
const LAYERS: [(&str, u8); 23] = [
    ("tuple", 0),
    ("time", 0),
    ("ring", 0),
    ("latency", 0),
    ("problem", 0),
    ("files", 0),
    ("expr", 1),
    ("window", 1),
    ("pattern", 1),
    ("store", 1),
    ("log", 1),
    ("component", 2),
    ("decoder", 2),
    ("dead", 2),
    ("spouts", 3),
    ("bolts", 3),
    ("executor", 4),
    ("commit", 4),
    ("config", 5),
    ("topology", 6),
    ("filetest", 7),
    ("reference", 7),
    ("sim", 7),
];

/// Imports inside a layer that are meant: texts of times, clocks, windows of aggregate calls over keyed slabs, and records
/// that become what a component is asked for.
const ALLOWED: [(&str, &str); 5] =
    [("tuple", "time"), ("latency", "time"), ("window", "expr"), ("window", "store"), ("decoder", "component")];

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources can be read") {
            let path = entry.expect("an entry can be read").path();
            match path.extension().and_then(|e| e.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("rs") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn module(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path.strip_prefix(root).expect("below src").components().next().expect("not empty");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> u8 {
    LAYERS.iter().find(|(name, _)| *name == module).map_or(8, |(_, layer)| *layer)
}

/// The modules that the code of a file (without its tests) imports with `crate::`.
fn imported(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        for part in line.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !name.is_empty() {
                found.push(name);
            }
        }
    }
    found
}

#[test]
fn imports_run_downwards() {
    let mut wrong = Vec::new();
    for path in sources() {
        let own = module(&path);
        if path.ends_with("tests.rs") || path.components().any(|c| c.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source can be read");
        for other in imported(&text) {
            let known = LAYERS.iter().any(|(name, _)| *name == other) || other == "cli";
            let allowed = ALLOWED.contains(&(own.as_str(), other.as_str()));
            if known && other != own && layer(&other) >= layer(&own) && !allowed {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "upward imports:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources()
        .iter()
        .map(|p| (p, fs::read_to_string(p).expect("a source can be read").lines().count()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(p, lines)| format!("{}: {lines} lines", p.display()))
        .collect();
    assert!(long.is_empty(), "files over 800 lines:\n{}", long.join("\n"));
}

#[test]
fn no_module_is_a_drawer_for_everything() {
    let drawers = ["util", "utils", "common", "core", "helpers", "manager", "misc"];
    let found: Vec<_> = sources()
        .into_iter()
        .filter(|p| {
            let names = p.iter().map(|c| c.to_string_lossy().trim_end_matches(".rs").to_owned());
            names.skip_while(|n| n != "src").any(|n| drawers.contains(&n.as_str()))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_unsafe_has_its_reason() {
    let mut bare = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source can be read");
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let opens = code.contains("unsafe {") || code.contains("unsafe impl");
            let reason = |l: &str| l.contains("SAFETY");
            if opens && !lines[n.saturating_sub(6)..=(n + 1).min(lines.len() - 1)].iter().any(|l| reason(l)) {
                bare.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    assert!(bare.is_empty(), "unsafe without a SAFETY reason:\n{}", bare.join("\n"));
}

/// What stands around a bolt must hand on every call: the compiler takes the default for one that is forgotten.
#[test]
fn wrappers_of_bolts_forward_every_method() {
    let source = |path: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a source can be read")
    };
    let body = |text: &str, head: &str| {
        let from = text.find(head).unwrap_or_else(|| panic!("{head} is there")) + head.len();
        text[from..from + text[from..].find("\n}").expect("it ends")].to_owned()
    };
    let methods = |body: &str| -> Vec<String> {
        let lines = body.lines().filter_map(|line| line.strip_prefix("    fn "));
        lines.filter_map(|line| Some(line.split_once('(')?.0.to_owned())).collect()
    };
    let declared = methods(&body(&source("src/component/bolt.rs"), "pub trait Bolt: Send {"));
    assert!(declared.len() >= 10, "{declared:?}");
    for (path, head) in
        [("src/bolts/in_order.rs", "impl Bolt for Task {"), ("src/executor/careful.rs", "impl Bolt for Careful {")]
    {
        let forwarded = methods(&body(&source(path), head));
        let missing: Vec<_> = declared.iter().filter(|name| !forwarded.contains(name)).collect();
        assert!(missing.is_empty(), "{path} does not forward {missing:?}");
    }
}

#[test]
fn what_the_build_needs_is_not_installed_again() {
    // Whoever runs this test has built with it.
    let ran = std::process::Command::new("bash").args(["-c", ". tools/prepare"]).output().expect("bash");
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stderr).as_ref()), (Some(0), ""));
}
