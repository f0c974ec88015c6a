//! Whatever a file holds, it is read, checked and its problems are printed: nothing panics.

use proptest::prelude::*;
use sferic::config;
use sferic::problem::{Problems, Sources};
use std::path::Path;

/// Reads, checks and prints; the number of problems.
fn survives(text: &str) -> usize {
    let name = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/garbage.toml");
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let model = config::load_text(name.to_str().expect("a name in UTF-8"), text, &mut sources, &problems);
    let checked = config::check(&model, &sferic::registry(), &problems);
    assert_eq!(checked.is_none(), problems.has_errors());
    let found = problems.into_sorted();
    let printed = sources.render(&found, false);
    sources.render(&found, true);
    assert!(found.is_empty() == printed.is_empty(), "every problem is printed");
    found.len()
}

/// Whole topologies, as seeds.
fn seeds() -> Vec<String> {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies").join(name);
        std::fs::read_to_string(path).expect("a topology can be read")
    };
    let spout = "[spouts.obd]\nkind = \"stdin\"\nformat = \"json\"\nschema = \"reading\"\n";
    let fleet = format!("{spout}\n{}", read("fleet-rules.toml"));
    vec![read("fraud.toml") + &read("fraud-rules.toml"), fleet, read("carobd.toml")]
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0)
}

/// Pieces that mean something somewhere.
const PIECES: [&str; 40] = [
    "",
    " ",
    "\n",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "=",
    "[",
    "]",
    "{",
    "}",
    "[[",
    ".",
    ",",
    "#",
    "$",
    "${",
    "${X:-",
    "\\",
    "\u{0}",
    "\u{feff}",
    "ü",
    "🦀",
    "0",
    "-1",
    "1e999",
    "9223372036854775808",
    "null",
    "over",
    "over '0s'",
    "lag(",
    "count(*)",
    "kind = \"aggregate\"",
    "from = []",
    "key = []",
    "window = {}",
    "rolling",
    "[bolts.",
    "add.x = \"x\"",
];

/// A change of a text: at `at` thousandths of it, so many bytes are replaced.
#[derive(Clone, Debug)]
enum Change {
    Replace(usize, usize, String),
    Double(usize, usize),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        3 => proptest::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    let place = 0usize..100_000;
    prop_oneof![
        (place.clone(), prop_oneof![Just(0usize), 1usize..4, 4usize..60], piece)
            .prop_map(|(at, len, piece)| Change::Replace(at, len, piece)),
        (place.clone(), 1usize..80).prop_map(|(at, len)| Change::Double(at, len)),
        (place.clone(), place).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let at = |n: usize| boundary(text, n * text.len() / 100_000);
    match change {
        Change::Replace(place, len, piece) => {
            let (from, to) = (at(*place), boundary(text, at(*place) + len));
            format!("{}{piece}{}", &text[..from], &text[to.max(from)..])
        }
        Change::Double(place, len) => {
            let (from, to) = (at(*place), boundary(text, at(*place) + len));
            format!("{}{}{}", &text[..to], &text[from..to], &text[to..])
        }
        Change::Swap(a, b) => {
            // Two lines change places.
            let mut lines: Vec<&str> = text.lines().collect();
            let (a, b) = (a * lines.len() / 100_000, b * lines.len() / 100_000);
            if a < lines.len() && b < lines.len() {
                lines.swap(a, b);
            }
            lines.join("\n")
        }
    }
}

#[test]
fn every_line_of_a_topology_can_be_missing_or_be_the_last() {
    for seed in seeds() {
        let lines: Vec<&str> = seed.lines().collect();
        for n in 0..lines.len() {
            let without: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, l)| *l).collect();
            survives(&without.join("\n"));
            survives(&lines[..n].join("\n"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_no_reason_to_panic(text in prop_oneof!["\\PC{0,200}", "(?s).{0,80}", "[\\[\\]a-c.='\"{}\n$ ]{0,60}"]) {
        survives(&text);
    }

    #[test]
    fn changed_topologies_are_no_reason_to_panic(
        seed in 0usize..3,
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let text = changes.iter().fold(seeds().swap_remove(seed), |text, one| changed(&text, one));
        survives(&text);
    }

    #[test]
    fn expressions_of_any_text_are_no_reason_to_panic(text in "([a-z_]{1,6}|[0-9.]{1,4}|'[^'\n]{0,4}'|[-+*/%<>=()|,.:~\\[\\]$ ]| (and|or|not|is|in|between|case|when|then|end|over|like|cast|as|filter|null|extract|from) ){0,12}") {
        let add = format!("[spouts.s]\nkind = \"stdin\"\nformat = \"text\"\n[bolts.b]\nkind = \"select\"\nfrom = \"s\"\n\
            add.x = '''{text}'''\n[bolts.a]\nkind = \"aggregate\"\nfrom = \"s\"\nkey = \"line\"\nttl = \"1d\"\nadd.y = '''{text}'''\n\
            [bolts.f]\nkind = \"rules\"\nfrom = \"s\"\nkeep = []\nrules.r.when = '''{text}'''\nrules.r.reason = '''{{{text}}}'''\n");
        survives(&add);
    }
}
