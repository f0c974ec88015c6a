//! Entries that use each other, aggregate calls, templates.

use crate::expr::tests::{columns, environment, row, scope_columns};
use crate::expr::{AggregateCall, AggregateFunction, Checked, Entries, EntryStep, ExprError, Over, Scope, ScopeColumn};
use crate::expr::{Template, check_entries};
use crate::tuple::{Arena, Column, DataType, Layout, Run};

type Outcome = Result<Checked<Entries>, Vec<(usize, ExprError)>>;

fn entries(entries: &[(&str, &str)]) -> Outcome {
    let (columns, environment) = (columns(), environment());
    check_entries(entries, &Scope { columns: &scope_columns(&columns, "in"), environment: &environment }, true)
}

fn fine(list: &[(&str, &str)]) -> Entries {
    entries(list).unwrap_or_else(|errors| panic!("{errors:?}")).value
}

fn one(text: &str) -> AggregateCall {
    let mut entries = fine(&[("e", text)]);
    assert_eq!(entries.calls.len(), 1, "{text}");
    entries.calls.remove(0)
}

fn problems(list: &[(&str, &str)]) -> Vec<String> {
    let errors = entries(list).expect_err("a problem");
    errors.iter().map(|(index, e)| format!("{index}: {}", e.message)).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let checked = entries(&[("n", "count(*)"), ("e", text)]).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    assert!(checked.warnings.iter().all(|(index, w)| *index == 1 && w.warning));
    checked.warnings.into_iter().map(|(_, w)| w.hint.unwrap_or_default()).collect()
}

#[test]
fn entries_are_ordered_by_use_not_by_place() {
    let entries = fine(&[("c", "a + b"), ("a", "i + 1"), ("b", "a * 2.0")]);
    assert_eq!(entries.order, [1, 2, 0].map(EntryStep::Expression));
    let n = columns().len();
    assert_eq!(entries.expressions[0].columns(), [n + 1, n + 2]);
    assert_eq!(entries.expressions[0].data_type(), DataType::Double);
}

#[test]
fn inside_itself_a_name_means_the_inputs_column() {
    let entries = fine(&[("i", "i + 1"), ("k", "i * 2"), ("m", "in.i")]);
    let n = columns().len();
    assert_eq!(entries.expressions[0].columns(), [1]);
    assert_eq!(entries.expressions[1].columns(), [n]);
    assert_eq!(entries.expressions[2].columns(), [1]);
}

#[test]
fn a_circle_is_named() {
    let found = problems(&[("a", "b + 1"), ("b", "c"), ("c", "sum(a)")]);
    assert_eq!(found, ["2: these use each other in a circle: a -> b -> c -> a"]);
    let found = problems(&[("a", "a + 1")]);
    assert_eq!(found, ["0: there is no column `a` in the input, and `a` cannot use itself"]);
    // Found through a lag first, the circle is still one.
    let found = problems(&[("a", "coalesce(lag(z), 0) + y"), ("y", "a + 1"), ("z", "y * 1.5")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("in a circle"), "{found:?}");
}

#[test]
fn lag_does_not_wait_and_may_look_at_itself() {
    let entries = fine(&[("stopped", "i >= 4"), ("moved", "not stopped and lag(stopped)")]);
    assert_eq!(entries.order.len(), 3);
    let entries = fine(&[("n", "coalesce(lag(n), 0) + 1.5")]);
    assert_eq!(entries.expressions[0].data_type(), DataType::Double);
    assert_eq!(entries.calls[0].ty, DataType::Double);
    assert_eq!(entries.calls[0].argument.as_ref().unwrap().columns(), [columns().len()]);
    assert_eq!(entries.order, [EntryStep::Call(0), EntryStep::Expression(0)]);
    let entries = fine(&[("a", "lag(b)"), ("b", "a"), ("c", "lag(a, 2, 'none')")]);
    assert_eq!(entries.expressions[1].data_type(), DataType::Text);
    assert_eq!(entries.calls.last().unwrap().offset, 2);
}

#[test]
fn equal_calls_are_there_once() {
    let entries =
        fine(&[("a", "avg(x) * avg(x) + avg( X )"), ("b", "avg(x) over '10m'"), ("c", "count(*) + count(i)")]);
    assert_eq!(entries.calls.len(), 4);
}

#[test]
fn calls_carry_their_clauses() {
    let call = one("count(*) filter (where x > $large) over '10m'");
    assert_eq!((call.function, &call.over), (AggregateFunction::Count, &Over::Rolling(600_000_000)));
    assert!(call.filter.is_some() && call.argument.is_none() && !call.nullable);
    assert_eq!(call.ty, DataType::Bigint);
    assert_eq!(one("max(x) over '20 rows' - x").over, Over::Rows(20));
    assert_eq!(one("avg(i) over before").over, Over::Named("before".to_owned()));
    assert!(one("count(distinct s)").distinct);
    assert_eq!(one("every(b)").function, AggregateFunction::BoolAnd);
    assert_eq!(one("share(x > 1)").ty, DataType::Double);
    for (text, ty) in [
        ("sum(i)", DataType::Bigint),
        ("sum(x)", DataType::Double),
        ("avg(i)", DataType::Double),
        ("avg(d)", DataType::Interval),
        ("min(s)", DataType::Text),
        ("stddev(i)", DataType::Double),
        ("last(ts)", DataType::Timestamp),
        ("lag(i, 1, 2.5)", DataType::Double),
    ] {
        assert_eq!(one(text).ty, ty, "{text}");
    }
}

#[test]
fn calls_look_at_one_stream() {
    let (left, right) = ([Column::new("x", DataType::Double)], [Column::new("y", DataType::Double)]);
    let environment = environment();
    let mut columns: Vec<ScopeColumn<'_>> = scope_columns(&left, "card");
    columns.extend(scope_columns(&right, "confirmations"));
    let scope = Scope { columns: &columns, environment: &environment };
    let list = [("n", "count(confirmations.*) over '7d'"), ("m", "avg(y)"), ("all", "count(*)"), ("z", "sum(x + y)")];
    let checked = check_entries(&list, &scope, true).unwrap();
    let streams: Vec<Option<&str>> = checked.value.calls.iter().map(|call| call.stream.as_deref()).collect();
    assert_eq!(streams, [Some("confirmations"), Some("confirmations"), None, None]);
    let errors = check_entries(&[("n", "count(confirmation.*)")], &scope, true).unwrap_err();
    assert_eq!(errors[0].1.hint.as_deref(), Some("did you mean `confirmations`?"));
}

#[test]
fn wrong_calls_are_explained() {
    for (text, expected) in [
        ("sum(avg(x))", "0: aggregates cannot be nested"),
        ("sum(x - lag(x))", "0: aggregates cannot be nested"),
        ("sum(x) over (partition by s)", "0: this `over` is not part of the expression language"),
        ("sum(s)", "0: `sum` wants a number, this is text"),
        ("avg(b)", "0: `avg` wants a number, this is boolean"),
        ("sum(*)", "0: `sum` wants an expression; only `count` takes `*`"),
        ("count()", "0: `count` wants an argument"),
        ("lag(x) over '10m'", "0: `lag` takes neither `filter` nor `over`"),
        ("lag(x, 0)", "0: how many rows back must be a constant of at least 1"),
        ("cuont(x)", "0: there is no function `cuont`"),
        ("sum(x) over '10 parsecs'", ""),
        ("upper(s) over '10m'", "0: `upper` is not an aggregate and takes no `over`"),
        ("sum(x) filter (where i)", "0: a condition is needed, this is bigint"),
    ] {
        let found = problems(&[("e", text)]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(expected.is_empty() || found[0] == expected, "{text}: {found:?}");
    }
    // A broken entry is reported once, not again by those who use it.
    assert_eq!(problems(&[("a", "nope"), ("b", "a + 1"), ("c", "b")]), ["0: there is no column `nope`"]);
}

#[test]
fn quotients_of_aggregates_are_warned_of() {
    assert_eq!(warnings("count(i) / n"), ["write `count(i)::double / nullif(n, 0)`"]);
    assert_eq!(warnings("sum(x) / n"), ["write `sum(x) / nullif(n, 0)`"]);
    // A column may be zero as well, and so may what is left of a division.
    assert_eq!(warnings("x / i"), ["write `x / nullif(i, 0)`"]);
    assert_eq!(warnings("i % (j)::bigint"), ["write `i % nullif((j)::bigint, 0)`"]);
    assert_eq!(warnings("x / lag(x)"), ["write `x / nullif(lag(x), 0)`"]);
    for text in [
        "sum(x) / nullif(n, 0)",
        "x / nullif(i, 0)",
        "sum(x) / 2",
        "sum(x) / greatest(n, 1)",
        "case when i > 0 then x / i end",
        "case i when 0 then 0.0 else x / i end",
    ] {
        assert!(warnings(text).is_empty(), "{text}");
    }
}

fn rendered(text: &str) -> String {
    let (columns, environment) = (columns(), environment());
    let scope_columns = scope_columns(&columns, "in");
    let scope = Scope { columns: &scope_columns, environment: &environment };
    let template = match Template::check(text, &scope) {
        Ok(checked) => checked.value,
        Err(errors) => {
            return errors.iter().map(|e| format!("[{}] {}", &text[e.range.clone()], e.message)).collect();
        }
    };
    let layout = Layout::new(columns.len());
    let (mut run, arena) = (Run::new(layout), Arena::new());
    let (frame, _) = run.push();
    for (index, value) in row().iter().enumerate() {
        value.put(frame, layout.slot(index), &arena);
    }
    let compiled = template.compile(&|column| layout.slot(column));
    match compiled.render(run.frame(0), &arena) {
        Ok(word) => word.as_str().to_owned(),
        Err(error) => format!("! {}", error.reason),
    }
}

#[test]
fn templates_print_like_casts() {
    for (template, expected) in [
        ("{i} above {$large} of {user}, {x} and {j}.", "7 above 500 of ann, 2.5 and ."),
        ("{{{i}}} {{}}", "{7} {}"),
        ("{case when b then 'a}' else '{' end} {b}", "a} true"),
        ("{ts} after {d}", "2024-02-29 12:34:56.789012 after 01:30:00"),
        ("{900.0} {round(100 * x, 1)} %", "900 250 %"),
        ("plain", "plain"),
        ("", ""),
        ("{i / 0}", "! division_by_zero"),
        ("ä {nope}", "[nope] there is no column `nope`"),
        ("{i", "[{i] this `{` is not closed"),
        ("i}", "[}] this `}` closes nothing"),
        ("{}", "[] the expression is empty"),
    ] {
        assert_eq!(rendered(template), expected, "{template}");
    }
}

#[test]
fn entries_of_whole_topologies_are_fine() {
    let column = Column::new;
    let cars = ["vid", "xway", "lane", "dir", "seg", "pos_ft", "second"].map(|name| column(name, DataType::Bigint));
    let more = [
        column("ts", DataType::Timestamp),
        column("speed_kmh", DataType::Double),
        column("close", DataType::Double),
        column("_source", DataType::Text),
        column("clock", DataType::Text),
    ];
    let minutes = [column("speed", DataType::Double), column("cars", DataType::Bigint)];
    let environment = environment();
    let mut columns = scope_columns(&cars, "reports");
    columns.extend(scope_columns(&more, "reports"));
    columns.extend(scope_columns(&minutes, "segment_minutes"));
    let scope = Scope { columns: &columns, environment: &environment };
    let list = [
        ("same", "count(*) over place"),
        ("stopped", "same >= 4 and lane <> 4"),
        ("entered", "lane <> 4 and lag(case when lane <> 4 then seg end) is distinct from seg"),
        ("moved_on", "same = 1 and lag(stopped)"),
        ("lav", "coalesce(trunc(avg(segment_minutes.speed) over '5m')::bigint, -1)"),
        ("number", "coalesce(last(segment_minutes.cars) over '1m', 0)"),
        ("toll", "case when lav >= 40 or number <= 50 then 0 else 2 * (number - 50) * (number - 50) end"),
        ("nearest", "case dir when 0 then min(seg) else max(seg) end"),
        ("fall_kmh", "max(speed_kmh) over '2s' - speed_kmh"),
        ("hours", "extract(epoch from ts - lag(ts)) / 3600"),
        ("at", "(substring(_source from 'kit-([0-9-]{10})') || ' ' || clock)::timestamp"),
        ("since", "to_timestamp(second::bigint)"),
        ("lowest", "min(close)"),
        ("highest", "max(close)"),
        ("move", "(highest - lowest) / lowest"),
        ("warm", "count(*) over '50 rows' = 50"),
        ("above", "case when warm then avg(close) over '20 rows' > avg(close) over '50 rows' end"),
        ("crossed", "above <> lag(above)"),
        ("errors", "share(speed_kmh is not null)"),
    ];
    let checked = check_entries(&list, &scope, true).unwrap_or_else(|errors| panic!("{errors:?}"));
    let warned: Vec<&str> = checked.warnings.iter().map(|(index, _)| list[*index].0).collect();
    assert_eq!(warned, ["move"]);
    assert_eq!(checked.value.order.len(), list.len() + checked.value.calls.len());
}

#[test]
fn calls_that_differ_in_a_flag_of_a_pattern_are_two() {
    let found = fine(&[("a", "count(*) filter (where s ~ 'x')"), ("b", "count(*) filter (where s ~* 'x')")]);
    assert_eq!(found.calls.len(), 2);
}
