use super::*;
use proptest::prelude::*;

/// JSON documents, and texts that are nearly ones.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?[0-9]{1,3}([.][0-9]{0,2})?([eE][-+]?[0-9]{0,2})?",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("nul".to_owned()),
        "\"([a-c ä]|\\\\[nu\"x\\\\]|\\\\u00e4){0,20}\"",
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let entries = prop::collection::vec(("[ab]", inner), 0..4);
        prop_oneof![
            items.prop_map(|items| format!("[{}]", items.join(", "))),
            entries.prop_map(|entries| {
                let entries: Vec<String> = entries.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

fn at<'a>(document: &'a serde_json::Value, path: &JsonPath) -> Option<&'a serde_json::Value> {
    path.steps.iter().try_fold(document, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
        Step::Every => None,
    })
}

proptest! {
    #[test]
    fn documents_are_taken_and_refused_like_by_serde_json(json in nearly_json(), cut in any::<prop::sample::Index>(), whole in any::<bool>()) {
        let end = if whole { json.len() } else { json.floor_char_boundary(cut.index(json.len() + 1)) };
        let json = &json[..end];
        let paths = ["$", "$[0]", "$[1].a", "$[0][0]"].map(|p| JsonPath::parse(p).unwrap());
        let keyed = ["$.a", "$.b[1]", "$.a.b", "$.a", "$.b.a.a"].map(|p| JsonPath::parse(p).unwrap());
        // serde_json also refuses numbers that no double holds; none is drawn. It does not read a single surrogate.
        let reference = serde_json::from_str::<serde_json::Value>(json);
        let mut cells = [Cell::default(); 5];
        let split = JsonSplitter::new(&paths, None).split(json.as_bytes(), &mut cells);
        prop_assert_eq!(split.is_ok(), reference.is_ok(), "{} {:?}", json, split);
        let Ok(reference) = reference else { return Ok(()) };
        check_cells(json, &reference, &paths, &cells)?;
        if reference.is_object() {
            JsonSplitter::new(&keyed, None).split(json.as_bytes(), &mut cells).unwrap();
            check_cells(json, &reference, &keyed, &cells)?;
        }
    }

    #[test]
    fn csv_cells_are_those_of_a_naive_reader(line in "[a\", \r]{0,30}", expected in 1usize..5) {
        let mut cells = vec![Cell::default(); expected];
        let split = CsvSplitter::new(b',', expected).split(line.as_bytes(), true, &mut cells);
        let naive = naive_csv(&line);
        match split {
            Split::Record { end } => {
                prop_assert_eq!(end, line.len());
                let found: Vec<String> = cells.iter().map(|c| {
                    let text = std::str::from_utf8(c.of(line.as_bytes())).unwrap();
                    if c.kind == CellKind::Doubled { text.replace("\"\"", "\"") } else { text.to_owned() }
                }).collect();
                let naive = naive.unwrap();
                prop_assert!(naive.len() == expected || (naive.len() == expected + 1 && naive[expected].is_empty()));
                prop_assert_eq!(&found[..], &naive[..expected]);
            }
            Split::Blank { .. } => prop_assert_eq!(naive.unwrap(), [""]),
            Split::Broken { fault: RecordFault::Columns { found, .. }, .. } => prop_assert_eq!(naive.unwrap().len(), found),
            Split::Broken { .. } => prop_assert!(naive.is_none()),
            Split::Partial => prop_assert!(false, "nothing follows"),
        }
    }
}

fn check_cells(
    json: &str,
    reference: &serde_json::Value,
    paths: &[JsonPath],
    cells: &[Cell],
) -> Result<(), TestCaseError> {
    for (path, cell) in paths.iter().zip(cells) {
        let raw = std::str::from_utf8(cell.of(json.as_bytes())).unwrap();
        let found = match cell.kind {
            CellKind::Absent => serde_json::Value::Null,
            CellKind::Text => serde_json::Value::String(raw.to_owned()),
            CellKind::Escaped => serde_json::from_str(&format!("\"{raw}\"")).unwrap(),
            _ => serde_json::from_str(raw).unwrap(),
        };
        prop_assert_eq!(&found, at(reference, path).unwrap_or(&serde_json::Value::Null), "{:?} of {}", path, json);
    }
    Ok(())
}

/// The values of one line, letter by letter; none where a quote is misused.
fn naive_csv(line: &str) -> Option<Vec<String>> {
    let letters: Vec<char> = line.chars().collect();
    let mut values = Vec::new();
    let mut i = 0;
    loop {
        let end = |from: usize| (from..letters.len()).find(|&j| letters[j] == ',').unwrap_or(letters.len());
        let first = (i..letters.len()).find(|&j| !" \r\t".contains(letters[j]));
        if first.is_some_and(|j| letters[j] == '"') {
            let mut value = String::new();
            let mut j = first? + 1;
            loop {
                match (letters.get(j)?, letters.get(j + 1)) {
                    ('"', Some('"')) => {
                        value.push('"');
                        j += 2;
                    }
                    ('"', _) => break,
                    (c, _) => {
                        value.push(*c);
                        j += 1;
                    }
                }
            }
            i = end(j + 1);
            if letters[j + 1..i].iter().any(|c| !" \r\t".contains(*c)) {
                return None;
            }
            values.push(value);
        } else {
            let stop = end(i);
            values.push(letters[i..stop].iter().collect::<String>().trim_matches([' ', '\r', '\t']).to_owned());
            i = stop;
        }
        if i == letters.len() {
            return Some(values);
        }
        i += 1;
    }
}

#[test]
fn numbers_follow_the_grammar_to_the_letter() {
    let splitter = JsonSplitter::new(&[], None);
    for sound in ["0", "-0", "10", "1.5", "1e5", "-1.25E-3", " 7 "] {
        assert_eq!(splitter.split(sound.as_bytes(), &mut []), Ok(()), "{sound}");
    }
    for broken in ["", "01", "1.", ".5", "+1", "1e", "-", "1e+", "0x1", "NaN", "1 2", "[1", "{\"a\"}", "\"a"] {
        assert!(splitter.split(broken.as_bytes(), &mut []).is_err(), "{broken}");
    }
    assert!(splitter.split("[".repeat(100_000).as_bytes(), &mut []).is_err());
}
