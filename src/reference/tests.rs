//! The reference says what there is, and its examples are sound.

use super::{find, render, topics};
use crate::config;
use crate::problem::{Problems, Sources};

#[test]
fn every_example_is_a_sound_topology_and_its_tests_pass() {
    let registry = crate::registry();
    let mut seen = 0;
    for topic in topics(&registry).iter().filter(|t| !t.example.is_empty()) {
        let (mut sources, problems) = (Sources::new(), Problems::new());
        let model = config::load_text(&topic.names[0], &topic.example, &mut sources, &problems);
        let checked = config::check(&model, &registry, &problems);
        let mut found = problems.into_sorted();
        // The files that examples name are not there.
        found.retain(|p| !p.message.starts_with("there is no file "));
        let found = sources.render(&found, false);
        assert_eq!(found, "", "{}", topic.names[0]);
        let checked = checked.expect("no problem was found");
        for test in &checked.tests {
            let outcome = crate::filetest::run(&checked, test).expect("the test can be run");
            assert_eq!(outcome.differences, Vec::<String>::new(), "{}", topic.names[0]);
        }
        seen += 1;
    }
    assert!(seen > 15);
}

#[test]
fn every_kind_has_a_topic_with_an_example_that_uses_it_and_all_its_options() {
    let registry = crate::registry();
    let topics = topics(&registry);
    let spouts = registry.spouts().map(|f| ("spouts", f.kind(), f.options()));
    let bolts = registry.bolts().map(|f| ("bolts", f.kind(), f.options()));
    for (family, kind, options) in spouts.chain(bolts) {
        let topic = topics.iter().find(|t| t.names[0] == format!("{family}.{kind}")).expect("a topic");
        let file: toml::Table = topic.example.parse().unwrap_or_else(|e| panic!("{family}.{kind}: {e}"));
        let used = file.get(family).and_then(toml::Value::as_table).into_iter().flatten();
        let used = used.filter(|(_, c)| c["kind"].as_str() == Some(kind)).count();
        assert!(used > 0, "the example of {family}.{kind} does not use it");
        let listed: Vec<&str> = topic.options.iter().flat_map(|(_, o)| o.iter().map(|o| o.name)).collect();
        for option in options {
            assert!(listed.contains(&option.name), "{family}.{kind}: {}", option.name);
        }
    }
}

#[test]
fn own_names_of_topics_are_unique() {
    let topics = topics(&crate::registry());
    for (n, topic) in topics.iter().enumerate() {
        assert!(topics[..n].iter().all(|t| t.names[0] != topic.names[0]), "{}", topic.names[0]);
    }
}

#[test]
fn a_topic_is_found_by_kind_section_function_and_operator() {
    let topics = topics(&crate::registry());
    let titles = |name: &str| -> Vec<String> {
        find(&topics, name).expect("there is one").into_iter().map(|t| t.title).collect()
    };
    assert_eq!(titles("aggregate"), ["bolt aggregate"]);
    assert_eq!(titles("file"), ["spout file", "bolt file"]);
    assert_eq!(titles("spouts.file"), ["spout file"]);
    assert_eq!(titles("RUNTIME"), ["section runtime"]);
    assert_eq!(titles("lag"), ["function lag"]);
    assert_eq!(titles("round()"), ["function round"]);
    assert_eq!(titles("||"), ["operator ||"]);
    assert_eq!(find(&topics, "agregate").err(), Some(Some("aggregate".to_owned())));
    assert_eq!(find(&topics, "haversin_km").err(), Some(Some("haversine_km".to_owned())));
    assert_eq!(find(&topics, "quantum").err(), Some(None));
    assert_eq!(find(&topics, "").err(), Some(None));
}

#[test]
fn every_function_stands_in_one_group() {
    let topics = topics(&crate::registry());
    let functions = find(&topics, "functions").expect("a topic");
    let group = |form: &str| {
        let of = |(heading, calls): &(String, Vec<super::Call>)| {
            calls.iter().any(|c| c.form.starts_with(form)).then(|| heading.clone())
        };
        functions[0].calls.iter().filter_map(of).collect::<Vec<_>>()
    };
    let groups = [
        ("coalesce(", "Conditions"),
        ("nullif(", "Conditions"),
        ("lower(", "Text"),
        ("regexp_replace(", "Text"),
        ("chr(", "Text"),
        ("round(", "Numbers"),
        ("pi(", "Numbers"),
        ("date_trunc(", "Time"),
        ("extract(", "Time"),
        ("to_timestamp(", "Time"),
        ("sum(", "Aggregates"),
        ("lag(", "Aggregates"),
    ];
    for (form, wanted) in groups {
        assert_eq!(group(form), [wanted], "{form}");
    }
    let listed: usize = functions[0].calls.iter().map(|(_, calls)| calls.len()).sum();
    assert_eq!(listed, crate::expr::functions().len());
}

#[test]
fn plain_text_keeps_to_the_width_and_markdown_to_its_tables() {
    let topics = topics(&crate::registry());
    let plain = render::plain(&find(&topics, "runtime").expect("a topic"), 60);
    assert!(plain.contains("ring_capacity") && !plain.contains('`'));
    let options = plain.split("Example").next().expect("text before the example");
    assert!(options.lines().all(|l| l.chars().count() <= 60), "{plain}");
    let markdown = render::markdown(&topics, "All");
    for row in markdown.lines().filter(|l| l.starts_with("| `")) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert!(bars == 3 || bars == 4, "{row}");
    }
    assert_eq!(markdown.matches("```toml\n").count(), topics.iter().filter(|t| !t.example.is_empty()).count());
}
