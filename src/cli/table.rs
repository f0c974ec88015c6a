//! `sferic table`: the rows of durable tables, also while their topology runs.

use super::{FAILED, WRONG, stored};
use crate::bolts::table::{Schema, TableReader, rows_as_text};
use crate::bolts::{Align, TextTable};
use crate::expr::{self, Environment, Expr, Scope, ScopeColumn};
use crate::store::Catalogue;
use crate::tuple::{Arena, Cell, DataType, Encoder, Format, Layout, Run, Slot, Value, json_value};
use serde_json::json;
use std::cmp::Ordering;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the tables of a topology, or of all.
    List {
        /// The topology: its file, or its name.
        #[arg(value_parser = stored::topology)]
        topology: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Print the row of a key.
    Get {
        #[command(flatten)]
        table: Named,
        /// The key, a value for each of its columns.
        #[arg(required = true, allow_negative_numbers = true)]
        key: Vec<String>,
        #[command(flatten)]
        at: At,
    },
    /// Print rows in the order of their keys.
    Scan {
        #[command(flatten)]
        table: Named,
        #[command(flatten)]
        chosen: Chosen,
        /// Print so many rows at most; 0 prints all.
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: usize,
        #[command(flatten)]
        at: At,
    },
    /// Print the number of rows.
    Count {
        #[command(flatten)]
        table: Named,
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        at: At,
    },
}

#[derive(clap::Args)]
struct Named {
    /// The topology: its file, or its name.
    #[arg(value_parser = stored::topology)]
    topology: String,
    /// The table: the name of a bolt of kind `table`.
    table: String,
}

#[derive(clap::Args)]
struct Chosen {
    /// Only rows for which this condition over the table's columns is true, such as "amount > 500".
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
}

#[derive(clap::Args)]
struct At {
    /// The folder that the topology keeps its state in.
    #[arg(long, value_name = "DIR", env = "SFERIC_DATA_DIR", default_value = "sferic-data")]
    data_dir: PathBuf,
    /// The form of the answer.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json", "csv"])]
    format: String,
}

/// Why there is no answer: what it means for the exit code, and in words.
type Refused = (u8, String);

/// Answers from tables.
pub fn run(arguments: &Arguments) -> ExitCode {
    let answered = match &arguments.command {
        Command::List { topology, at } => list(topology.as_deref(), at),
        Command::Get { table, key, at } => get(table, key, at),
        Command::Scan { table, chosen, limit, at } => scan(table, chosen, *limit, at),
        Command::Count { table, chosen, at } => count(table, chosen, at),
    };
    match answered {
        Ok(code) => code,
        Err((code, text)) => {
            eprintln!("error: {text}");
            ExitCode::from(code)
        }
    }
}

fn list(topology: Option<&str>, at: &At) -> Result<ExitCode, Refused> {
    let names = topology.map_or_else(|| stored::topologies(&at.data_dir), |name| vec![name.to_owned()]);
    if names.is_empty() {
        let folder = at.data_dir.display();
        return Err((WRONG, format!("there is no state in {folder}; give the data directory with --data-dir")));
    }
    let mut tables = Vec::new();
    let mut states = Vec::new();
    for name in names {
        let catalogue = stored::open(&at.data_dir, &name).map_err(|text| (WRONG, text))?;
        for table in TableReader::all(&catalogue) {
            tables.push((name.clone(), table.name().to_owned(), table.schema().clone()));
        }
        let mut state = stored::as_of_json(&catalogue);
        state["topology"] = name.clone().into();
        states.push(state);
        if at.format != "json" {
            eprintln!("{name}: {}", stored::as_of(&catalogue));
        }
    }
    if at.format == "json" {
        let table = |(topology, name, schema): &(String, String, Schema)| json!({ "topology": topology, "table": name, "key": schema.key_names(), "columns": columns_json(schema) });
        let tables: Vec<_> = tables.iter().map(table).collect();
        super::print(&format!("{}\n", json!({ "topologies": states, "tables": tables })));
        return Ok(ExitCode::SUCCESS);
    }
    let headings = ["topology", "table", "key", "columns"];
    let typed =
        |schema: &Schema| schema.columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect::<Vec<_>>().join(", ");
    let rows = tables
        .iter()
        .map(|(topology, name, schema)| [topology.clone(), name.clone(), schema.key_names().join(", "), typed(schema)]);
    if at.format == "csv" {
        let columns = headings.map(|name| crate::tuple::Column::new(name, DataType::Text));
        let rows: Vec<Vec<Value>> = rows.map(|row| row.map(Value::Text).to_vec()).collect();
        super::print(&csv(&columns, &rows));
    } else {
        let mut table = TextTable::new(headings.map(|name| (name, Align::Left)));
        rows.for_each(|row| table.row(row));
        super::print(&table.render());
    }
    Ok(ExitCode::SUCCESS)
}

fn get(named: &Named, key: &[String], at: &At) -> Result<ExitCode, Refused> {
    let catalogue = stored::open(&at.data_dir, &named.topology).map_err(|text| (WRONG, text))?;
    let table = open(&catalogue, named)?;
    let row = table.get(key).map_err(|text| (WRONG, text))?;
    let found = row.is_some();
    answer(&catalogue, named, &table, &Answer { rows: row.into_iter().collect(), cut_from: None }, at);
    if !found {
        eprintln!("there is no row with this key");
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn scan(named: &Named, chosen: &Chosen, limit: usize, at: &At) -> Result<ExitCode, Refused> {
    let catalogue = stored::open(&at.data_dir, &named.topology).map_err(|text| (WRONG, text))?;
    let table = open(&catalogue, named)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (mut rows, mut count) = (Vec::new(), 0u64);
    let by_key = |a: &Vec<Value>, b: &Vec<Value>| compare(&table.schema().key, a, b);
    each(&table, chosen, &mut |row| {
        count += 1;
        rows.push(row);
        // Later rows than those that will be printed are dropped now and then, so that they do not fill the memory.
        if rows.len() > limit.saturating_mul(2).saturating_add(1000) {
            rows.sort_by(by_key);
            rows.truncate(limit);
        }
    })?;
    rows.sort_by(by_key);
    rows.truncate(limit);
    let cut_from = (rows.len() as u64) < count;
    let answered = Answer { rows, cut_from: cut_from.then_some(count) };
    answer(&catalogue, named, &table, &answered, at);
    Ok(ExitCode::SUCCESS)
}

fn count(named: &Named, chosen: &Chosen, at: &At) -> Result<ExitCode, Refused> {
    let catalogue = stored::open(&at.data_dir, &named.topology).map_err(|text| (WRONG, text))?;
    let table = open(&catalogue, named)?;
    let mut count = 0u64;
    each(&table, chosen, &mut |_| count += 1)?;
    match at.format.as_str() {
        "json" => {
            let mut envelope = envelope(&catalogue, named);
            envelope["count"] = count.into();
            super::print(&format!("{envelope}\n"));
        }
        form => {
            eprintln!("{}", stored::as_of(&catalogue));
            super::print(&if form == "csv" { format!("count\n{count}\n") } else { format!("{count}\n") });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open<'a>(catalogue: &'a Catalogue, named: &Named) -> Result<TableReader<'a>, Refused> {
    TableReader::open(catalogue, &named.table).ok_or_else(|| {
        let known: Vec<String> = TableReader::all(catalogue).iter().map(|table| table.name().to_owned()).collect();
        let there = match known.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("its tables are: {}", names.join(", ")),
        };
        (WRONG, format!("there is no table `{}` in the state of `{}`; {there}", named.table, named.topology))
    })
}

/// Gives the rows for which the condition is true. Rows on which it fails are told of.
fn each(table: &TableReader<'_>, chosen: &Chosen, to: &mut dyn FnMut(Vec<Value>)) -> Result<(), Refused> {
    let columns = &table.schema().columns;
    let layout = Layout::new(columns.len());
    let slots: Vec<Slot> = (0..columns.len()).map(|n| layout.slot(n)).collect();
    let condition = chosen.condition.as_deref().map(|text| condition(table, text)).transpose()?;
    let condition = condition.map(|expr| expr.compile(&|n| slots[n]));
    let (mut run, mut arena) = (Run::new(layout), Arena::new());
    let mut failures: Option<(u64, String)> = None;
    let scanned = table.scan(&mut |row| {
        let Some(condition) = &condition else {
            to(row);
            return true;
        };
        run.clear();
        arena.clear();
        let (frame, texts) = run.push();
        row.iter().zip(&slots).for_each(|(value, slot)| value.put(frame, *slot, texts));
        match condition.test(run.frame(0), &arena) {
            Ok(true) => to(row),
            Ok(false) => {}
            Err(error) => failures.get_or_insert_with(|| (0, error.text("--where"))).0 += 1,
        }
        true
    });
    scanned.map_err(|error| (FAILED, error.to_string()))?;
    if let Some((rows, first)) = failures {
        eprintln!("warning: the condition failed on {rows} rows, which are left out; the first: {first}");
    }
    Ok(())
}

fn condition(table: &TableReader<'_>, text: &str) -> Result<Expr, Refused> {
    let columns: Vec<ScopeColumn<'_>> =
        table.schema().columns.iter().map(|column| ScopeColumn { stream: table.name(), column }).collect();
    let environment = Environment::default();
    let checked = expr::check(text, &Scope { columns: &columns, environment: &environment });
    let found = checked.map_err(|errors| {
        let words = errors.into_iter().map(|error| {
            let place = text.get(error.range).filter(|place| !place.is_empty());
            let parts = [place.map(|place| format!("at `{place}`")), Some(error.message)];
            let more = [Some(error.label).filter(|label| !label.is_empty()), error.hint];
            parts.into_iter().chain(more).flatten().collect::<Vec<_>>().join(": ")
        });
        (WRONG, format!("--where: {}", words.collect::<Vec<_>>().join("; ")))
    })?;
    match found.value.data_type() {
        DataType::Boolean => Ok(found.value),
        ty => Err((WRONG, format!("--where must be a condition, found a {ty}"))),
    }
}

/// Rows in the order of their keys, NULL (which a key never is) first.
fn compare(key: &[usize], a: &[Value], b: &[Value]) -> Ordering {
    let one = |a: &Value, b: &Value| match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Bigint(a) | Value::Timestamp(a) | Value::Interval(a), Value::Bigint(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => (*a != Value::Null).cmp(&(*b != Value::Null)),
    };
    key.iter().map(|at| one(&a[*at], &b[*at])).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Rows that were asked for.
struct Answer {
    rows: Vec<Vec<Value>>,
    /// How many there are, where more than these.
    cut_from: Option<u64>,
}

fn answer(catalogue: &Catalogue, named: &Named, table: &TableReader<'_>, answer: &Answer, at: &At) {
    let schema = table.schema();
    if at.format == "json" {
        let object = |row: &Vec<Value>| {
            let fields = schema.columns.iter().zip(row).map(|(c, v)| (c.name.clone(), json_value(Cell::from(v))));
            serde_json::Value::Object(fields.collect())
        };
        let mut envelope = envelope(catalogue, named);
        envelope["key"] = schema.key_names().into();
        envelope["columns"] = columns_json(schema);
        envelope["count"] = answer.cut_from.unwrap_or(answer.rows.len() as u64).into();
        envelope["rows"] = answer.rows.iter().map(object).collect();
        super::print(&format!("{envelope}\n"));
        return;
    }
    eprintln!("{}", stored::as_of(catalogue));
    super::print(&match at.format.as_str() {
        "csv" => csv(&schema.columns, &answer.rows),
        _ => rows_as_text(schema, &answer.rows),
    });
    if let Some(count) = answer.cut_from {
        eprintln!("{} of {count} rows; --limit 0 prints all", answer.rows.len());
    }
}

/// What all answers for machines begin with.
fn envelope(catalogue: &Catalogue, named: &Named) -> serde_json::Value {
    let mut envelope = json!({ "topology": named.topology, "table": named.table });
    if let (Some(into), serde_json::Value::Object(of)) = (envelope.as_object_mut(), stored::as_of_json(catalogue)) {
        into.extend(of);
    }
    envelope
}

fn columns_json(schema: &Schema) -> serde_json::Value {
    schema.columns.iter().map(|c| json!({ "name": c.name, "type": c.ty.name() })).collect()
}

fn csv(columns: &[crate::tuple::Column], rows: &[Vec<Value>]) -> String {
    let encoder = Encoder::new(Format::Csv, columns);
    let mut text = String::new();
    encoder.header(&mut text);
    text.push('\n');
    for row in rows {
        encoder.values(row, &mut text);
        text.push('\n');
    }
    text
}
