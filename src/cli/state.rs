//! `sferic state`: what a topology keeps, by component and handle, and the state of one key.

use super::{FAILED, WRONG, load, stored};
use crate::bolts::table::{TableReader, key_of_texts};
use crate::bolts::{Align, TextTable};
use crate::component::Registry;
use crate::store::{self, Catalogue, DirLock, HandleFacts, KeyRef, StoreError};
use crate::topology::state_folder;
use crate::tuple::{Cell, DataType, format_rfc3339, json_value};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topology file.
    file: PathBuf,
    /// Only this component.
    #[arg(long, value_name = "COMPONENT")]
    component: Option<String>,
    /// Show the state of this key of the component, a value for each column of the key.
    #[arg(long, value_name = "VALUE", num_args = 1.., requires = "component", allow_negative_numbers = true)]
    key: Vec<String>,
    /// The folder that state is kept in, instead of `data_dir` in [runtime].
    #[arg(long, value_name = "DIR", env = "SFERIC_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The form of the answer.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    format: String,
    #[command(flatten)]
    load: load::Arguments,
}

/// Why there is no answer: what it means for the exit code, and in words.
type Refused = (u8, String);

fn failed(error: &StoreError) -> Refused {
    (FAILED, error.to_string())
}

/// Shows what a topology keeps.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let Some(checked) = load::load(registry, &arguments.file, &arguments.load, arguments.data_dir.as_deref()) else {
        return ExitCode::from(WRONG);
    };
    let shown = (checked.runtime.data_dir.clone())
        .ok_or_else(|| (WRONG, "state is in memory only: give the data directory with `data_dir` or --data-dir".into()))
        .and_then(|data_dir| show(&data_dir, &checked.name, arguments));
    match shown {
        Ok(code) => code,
        Err((code, text)) => {
            eprintln!("error: {text}");
            ExitCode::from(code)
        }
    }
}

fn show(data_dir: &std::path::Path, topology: &str, arguments: &Arguments) -> Result<ExitCode, Refused> {
    // What was never run has nothing to be locked.
    if !stored::topologies(data_dir).iter().any(|name| name == topology) {
        return Err((WRONG, stored::open(data_dir, topology).err().unwrap_or_default()));
    }
    let _lock = DirLock::take(&state_folder(data_dir, topology)).map_err(|error| failed(&error))?;
    let catalogue = stored::open(data_dir, topology).map_err(|text| (FAILED, text))?;
    let handles: Vec<Handle<'_>> = catalogue.handles().iter().filter_map(Handle::new).collect();
    let chosen: Vec<&Handle<'_>> = match &arguments.component {
        None => handles.iter().collect(),
        Some(component) => handles.iter().filter(|handle| handle.component == component).collect(),
    };
    if let (Some(component), []) = (&arguments.component, chosen.as_slice()) {
        let mut known: Vec<&str> = handles.iter().map(|handle| handle.component).collect();
        known.dedup();
        return Err((WRONG, format!("`{component}` keeps no state; there is state of: {}", known.join(", "))));
    }
    if arguments.key.is_empty() { list(&catalogue, &chosen, arguments) } else { one(&catalogue, &chosen, arguments) }
}

/// A handle of a component.
struct Handle<'a> {
    component: &'a str,
    name: &'a str,
    facts: &'a HandleFacts,
}

impl<'a> Handle<'a> {
    fn new((name, facts): (&'a String, &'a HandleFacts)) -> Option<Handle<'a>> {
        let (component, name) = name.rsplit_once('/')?;
        Some(Handle { component, name, facts })
    }

    /// Types of the columns of its key.
    fn key_types(&self) -> Result<Vec<DataType>, Refused> {
        let types = self.facts.key.iter().map(|name| name.parse());
        let unknown =
            |()| (FAILED, format!("the key of `{}` has a type that this program does not know", self.component));
        types.collect::<Result<_, ()>>().map_err(unknown)
    }

    fn key_text(&self) -> String {
        if self.facts.key.is_empty() { "-".to_owned() } else { self.facts.key.join(", ") }
    }
}

fn list(catalogue: &Catalogue, handles: &[&Handle<'_>], arguments: &Arguments) -> Result<ExitCode, Refused> {
    let right = ["keys", "expired", "bytes"];
    let mut table = TextTable::new(
        ["component", "handle", "key"]
            .map(|name| (name, Align::Left))
            .into_iter()
            .chain(right.map(|name| (name, Align::Right)))
            .chain([("what", Align::Left)]),
    );
    let mut objects = Vec::new();
    for handle in handles {
        let (mut keys, mut expired, mut bytes) = (0u64, 0u64, 0u64);
        let scanned = catalogue.scan(handle.facts.place(), &mut |stored| {
            let over = catalogue.is_expired(stored.expires);
            keys += u64::from(!over);
            expired += u64::from(over);
            bytes += stored.bytes as u64;
            true
        });
        scanned.map_err(|error| failed(&error))?;
        let HandleFacts { fingerprint, key, .. } = handle.facts;
        let numbers = [keys, expired, bytes].map(|n| n.to_string());
        let names = [handle.component.to_owned(), handle.name.to_owned(), handle.key_text()];
        table.row(names.into_iter().chain(numbers).chain([fingerprint.clone()]));
        objects.push(json!({
            "component": handle.component, "handle": handle.name, "key": key,
            "keys": keys, "expired": expired, "bytes": bytes, "what": fingerprint,
        }));
    }
    if arguments.format == "json" {
        let mut value = stored::as_of_json(catalogue);
        value["handles"] = objects.into();
        super::print(&format!("{value}\n"));
    } else {
        eprintln!("{}", stored::as_of(catalogue));
        super::print(&table.render());
    }
    Ok(ExitCode::SUCCESS)
}

fn one(catalogue: &Catalogue, handles: &[&Handle<'_>], arguments: &Arguments) -> Result<ExitCode, Refused> {
    let mut objects = Vec::new();
    for handle in handles {
        let types = handle.key_types()?;
        if types.is_empty() {
            continue;
        }
        let names: Vec<String> = (1..=types.len()).map(|n| n.to_string()).collect();
        let values = key_of_texts(&names, &types, &arguments.key).map_err(|text| (WRONG, text))?;
        let Some(bytes) = store::key_bytes(&values) else { continue };
        let found = catalogue.entry(handle.facts.place(), KeyRef::new(&bytes), |stored| {
            let expires = (stored.expires < i64::MAX).then(|| {
                let mut text = String::new();
                format_rfc3339(stored.expires, &mut text);
                text
            });
            json!({
                "component": handle.component, "handle": handle.name, "what": handle.facts.fingerprint,
                "key": values.iter().map(|value| json_value(Cell::from(value))).collect::<Vec<_>>(),
                "expires": expires, "expired": catalogue.is_expired(stored.expires),
                "row": row(catalogue, handle, stored.content),
                "content": hex(stored.content),
            })
        });
        objects.extend(found.map_err(|error| failed(&error))?);
    }
    let found = !objects.is_empty();
    if arguments.format == "json" {
        let mut value = stored::as_of_json(catalogue);
        value["entries"] = objects.into();
        super::print(&format!("{value}\n"));
    } else {
        eprintln!("{}", stored::as_of(catalogue));
        objects.iter().for_each(|entry| super::print(&text(entry)));
    }
    if !found {
        eprintln!("there is no state of this key");
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// The content of a handle as a row, where it is that of a table.
fn row(catalogue: &Catalogue, handle: &Handle<'_>, content: &[u8]) -> Option<Value> {
    let table = TableReader::open(catalogue, handle.component)?;
    if table.handle() != handle.name {
        return None;
    }
    let values = table.row(content).ok()?;
    let columns = table.schema().columns.iter();
    Some(Value::Object(columns.zip(&values).map(|(c, v)| (c.name.clone(), json_value(Cell::from(v)))).collect()))
}

/// An entry for people: a line for what is known of it, then its content.
fn text(entry: &Value) -> String {
    let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut text = format!("{}/{}: {}\n", word("component"), word("handle"), word("what"));
    match (&entry["expires"], &entry["expired"]) {
        (Value::String(time), Value::Bool(true)) => text.push_str(&format!("  expired after {time}\n")),
        (Value::String(time), _) => text.push_str(&format!("  expires after {time}\n")),
        _ => {}
    }
    match &entry["row"] {
        Value::Object(row) => row.iter().for_each(|(name, value)| text.push_str(&format!("  {name} = {value}\n"))),
        _ => {
            let bytes = word("content");
            text.push_str(&format!("  {} bytes\n", bytes.len() / 2));
            for line in bytes.as_bytes().chunks(64) {
                text.push_str(&format!("  {}\n", String::from_utf8_lossy(line)));
            }
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
