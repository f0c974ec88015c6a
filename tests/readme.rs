//! What README.md shows is true: its topologies are sound, its commands print what it says, its lists are complete.

use crate::program::{Folder, finish};
use serde_json::Value;
use std::path::Path;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("the README is there")
}

/// The blocks between fences: language and text, in order.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                inside = true;
                found.push((language.to_owned(), String::new()));
            }
            Some(_) => inside = false,
            None if inside => {
                let block = &mut found.last_mut().expect("a block was begun").1;
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    assert!(!inside, "a block without an end");
    found
}

#[test]
fn every_topology_is_sound_and_its_tests_pass() {
    let folder = Folder::new();
    let blocks = blocks(&readme());
    let topologies: Vec<&String> = blocks.iter().filter(|(l, _)| l == "toml").map(|(_, text)| text).collect();
    assert!(!topologies.is_empty());
    for text in topologies {
        // The number of records is the size of a test.
        let smaller = text.replace("= 1000000\n", "= 20000\n");
        folder.file("readme.toml", text).file("smaller.toml", smaller);
        let ran = folder.run(&["check", "readme.toml"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        let ran = folder.run(&["test", "readme.toml"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        assert!(!ran.out.starts_with("0 passed") && ran.out.ends_with(" passed, 0 failed\n"), "{}", ran.out);
        let ran = folder.run(&["run", "smaller.toml", "--jitter", "0s", "--format", "json"]);
        let report = ran.good();
        assert_eq!((&report["records"], &report["balanced"]), (&Value::from(20_000), &Value::from(true)));
    }
}

/// A line without what differs from run to run and from machine to machine: times, rates, the verdict of objectives.
fn steady(line: &str) -> String {
    let spaces = regex::Regex::new(" +").expect("an expression");
    let verdict = regex::Regex::new(r"all objectives met|[0-9]+ of [0-9]+ objectives MISSED").expect("an expression");
    let rate = regex::Regex::new(r"[0-9][0-9,.]*/s").expect("an expression");
    let time = regex::Regex::new(r"[0-9][0-9,.]* (ns|us|ms|s)\b").expect("an expression");
    let line = spaces.replace_all(line.trim_end(), " ");
    let line = verdict.replace_all(&line, "OBJECTIVES");
    let line = rate.replace_all(&line, "RATE");
    time.replace_all(&line, "TIME").into_owned()
}

#[test]
fn steady_lines_keep_counts_and_lose_times() {
    assert_eq!(steady("card  42,000   1.9 us  6.7 us"), "card 42,000 TIME TIME");
    assert_eq!(steady("42,000 records, 412,240/s, 1 of 1 objectives MISSED"), "42,000 records, RATE, OBJECTIVES");
}

#[test]
fn commands_print_what_is_shown() {
    let blocks = blocks(&readme());
    let shown = blocks.windows(2).filter(|pair| pair[0].0 == "sh" && pair[1].0 == "text");
    let mut count = 0;
    for pair in shown {
        let commands: Vec<&str> = pair[0].1.lines().collect();
        let [command] = commands.as_slice() else { panic!("output is shown for one command at a time: {commands:?}") };
        let arguments = command.strip_prefix("tools/sferic ").expect("a command of Sferic");
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let mut command = Folder::new().command(&arguments);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        let ran = finish(command.spawn().expect("the program can be started"));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let printed: Vec<String> = ran.out.lines().map(steady).collect();
        let mut at = 0;
        // The output is shortened, never rearranged.
        for line in pair[1].1.lines().map(steady).filter(|l| !l.is_empty()) {
            match printed[at..].iter().position(|p| *p == line) {
                Some(next) => at += next + 1,
                None => panic!("{arguments:?} does not print {line:?} after line {at}:\n{}", ran.out),
            }
        }
        count += 1;
    }
    assert!(count > 0, "no command with its output");
}

#[test]
fn every_command_flag_and_kind_is_there() {
    let text = readme();
    let folder = Folder::new();
    let help = folder.run(&["--help"]).out;
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let commands: Vec<&str> = listed.filter_map(|l| l.split_whitespace().next()).filter(|c| *c != "help").collect();
    assert!(commands.len() > 5, "{help}");
    for command in &commands {
        assert!(text.contains(&format!("| `tools/sferic {command}")), "README.md does not list `{command}`");
    }
    for line in text.lines().filter_map(|l| l.strip_prefix("| `tools/sferic ")) {
        let command: String = line.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        assert!(commands.contains(&command.as_str()), "README.md lists `{command}`");
    }
    let flags = folder.run(&["run", "--help"]).out;
    for flag in ["--set", "--threads", "--every", "--format", "--report", "--jitter"] {
        assert!(text.contains(&format!("`{flag}")) && flags.contains(&format!("{flag} <")), "{flag}");
    }
    let registry = sferic::registry();
    let table = text.split("| spouts | bolts |").nth(1).and_then(|t| t.split("\n\n").next()).expect("a table of kinds");
    for kind in registry.spouts().map(|f| f.kind()).chain(registry.bolts().map(|f| f.kind())) {
        assert!(table.contains(&format!("`{kind}`")), "README.md does not list the kind `{kind}`");
    }
}

#[test]
fn every_file_that_is_linked_is_there() {
    let text = readme();
    let links = regex::Regex::new(r"\]\(([^)#]+)\)").expect("an expression");
    let mut count = 0;
    for link in links.captures_iter(&text).map(|c| c[1].to_owned()).filter(|l| !l.starts_with("http")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&link).exists(), "{link}");
        count += 1;
    }
    assert!(count > 0);
}
