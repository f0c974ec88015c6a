//! Kind `tcp`: lines that clients send to a socket.
//!
//! 1. A [`Server`] reads connections without waiting, on the executor, and hands out whole lines.
//! 2. Without a journal ([`direct`]) lines are decoded at once; what was received and not followed when the process dies
//!    is lost. A position is the number of a line since the first run.
//! 3. With one ([`journal`]) lines are appended to a topic first, and the spout `log` reads them at its tail: one path
//!    for what is live and what a restart finds. A position is an offset.
//!
//! Invariant: whatever clients send or leave unsent becomes a tuple, an error row or a count, and waits for nobody.

mod connection;
mod direct;
mod framing;
mod journal;
mod limits;
mod server;
mod show;
#[cfg(test)]
mod tests;

use super::joined;
use super::log::LogPlan;
use crate::component::{
    Again, ComponentError, Node, NodeValue, OptionSpec, Options, SplitName, Spout, SpoutBuild, SpoutCheck,
    SpoutFactory, SpoutPlan,
};
use crate::decoder::{DecoderCheck, DecoderPlan, Numbered, RECORD_OPTIONS, bits};
use crate::files::DiskFiles;
use crate::log::{MAX_RECORD_BYTES, Retention, Start};
use crate::problem::Problem;
use crate::time;
use crate::tuple::Column;
use journal::{Fsync, JournalPlan};
use server::{Limits, Server};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

const OWN: [OptionSpec; 9] = [
    OptionSpec::required("address", "where it listens, such as \"127.0.0.1:9000\"; port 0: any, which is printed"),
    OptionSpec::optional("journal", "the topic that lines are kept in before they are read; it is made if need be"),
    OptionSpec::optional(
        "fsync",
        "with `journal`, when lines are made durable: \"always\" before they are read, after a time (\"10ms\", the \
         default), or \"never\" but with commits",
    ),
    OptionSpec::optional("ack", "with `journal`, true: each line is answered with `OK OFFSET` once it is durable"),
    OptionSpec::optional("retention", "when the journal is made: lines that are older are dropped, such as \"7d\""),
    OptionSpec::optional("retention_size", "when the journal is made: about so much of it is kept (\"10GiB\")"),
    OptionSpec::optional("max_connections", "connections at the same time, 10000 by default; others are refused"),
    OptionSpec::optional(
        "idle_timeout",
        "a connection that sends no whole line for so long is closed, \"5m\" by default; \"0s\": never",
    ),
    OptionSpec::optional(
        "busy",
        "true: sockets are read whenever nothing else is to be done; by default every 20 to 250 microseconds",
    ),
];
static OPTIONS: [OptionSpec; 26] = joined(&OWN, &RECORD_OPTIONS);

/// `idle_timeout` by default, microseconds.
const IDLE: i64 = 300_000_000;
/// `fsync` by default, microseconds.
const FSYNC: i64 = 10_000;

/// The kind `tcp`.
pub struct TcpFactory;

impl SpoutFactory for TcpFactory {
    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["socket"]
    }

    fn doc(&self) -> &'static str {
        "listens on a TCP port; each line that a client sends is a record"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Without `journal` lines go straight on, and those that were not processed when the process dies are lost. \
             With it they are appended to that topic of the data directory first (`data_dir` in [runtime], or \
             --data-dir), and read from its tail; after a restart the spout goes on where the last commit was, so that \
             each line that was acknowledged has its effect once."
                .to_owned(),
            "A line that has no end when its connection ends is an error (`cut`), as is one longer than `max_record` \
             (`too_long`): the rest of it is left out. CSV needs `columns`, or `header = \"skip\"`, which leaves out the \
             first line of each connection."
                .to_owned(),
            "Decisions come soonest with `busy = true` and `wait = \"spin\"` in [runtime], at the price of a core. To \
             send a file: `nc -N 127.0.0.1 9000 < readings.json`. The report counts connections: those open, accepted, \
             refused and timed out."
                .to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"# echo '{"car": "a", "kmh": 51.5}' | nc -N 127.0.0.1 9000
[runtime]
data_dir = "sferic-data"

[spouts.feed]
kind    = "tcp"
address = "127.0.0.1:9000"
journal = "live"
ack     = true
format  = "json"
fields.car = "text not null"
fields.kmh = "double"

[bolts.out]
kind = "console"
from = "feed"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let address = address(options);
        let max_connections = options.integer("max_connections", 1).map(|n| n as u64);
        let idle = options.duration("idle_timeout").unwrap_or(IDLE);
        let busy = options.boolean("busy").unwrap_or(false);
        let header = check_csv(options);
        let wants = JournalWants::of(options);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check(&decoder);
        let (address, header, wants, decoder) = (address?, header?, wants?, decoder?);
        let limits = Limits {
            connections: 0,
            line: decoder.max_record(),
            idle_ns: (idle > 0).then(|| (idle as u64).saturating_mul(1000)),
            busy,
            header,
            answers: wants.ack,
        };
        let way = match wants.topic {
            None => Way::Direct(decoder),
            Some(topic) => {
                if decoder.max_record() > MAX_RECORD_BYTES {
                    let node = options.node("max_record")?;
                    options.wrong("max_record", node, "at most \"16MiB\" with a journal");
                    return None;
                }
                let data_dir = check.data_dir.map(PathBuf::from);
                let (name, start) = (check.name.to_owned(), Start::Earliest);
                let log =
                    LogPlan { name, files: Arc::new(DiskFiles), data_dir, topic, start, until_end: false, decoder };
                Way::Journal(JournalPlan { log, fsync: wants.fsync, retention: wants.retention })
            }
        };
        Some(Box::new(TcpPlan { name: check.name.to_owned(), address, max_connections, limits, way }))
    }
}

fn address(options: &Options<'_>) -> Option<SocketAddr> {
    let address = options.text("address")?.parse().ok();
    if address.is_none() {
        let wanted = "an IP address and a port, such as \"127.0.0.1:9000\", \"0.0.0.0:9000\" or \"[::]:9000\"";
        options.wrong("address", options.node("address")?, wanted);
    }
    address
}

/// Whether the first line of each connection is a header to be left out; none if it cannot be told.
fn check_csv(options: &Options<'_>) -> Option<bool> {
    if options.node("format").and_then(Node::as_text) != Some("csv") {
        return Some(false);
    }
    let hint = "name the columns by position: columns = [\"id\", \"amount\"]; `header = \"skip\"` leaves out the first \
                line of each connection";
    let message = format!("lines of connections have no header that `{}` could use", options.component);
    match options.table.entry("header") {
        Some((_, node)) if node.as_text() == Some("use") => {
            options.problem(Problem::error(message).at(node.span).label("must be \"skip\" or \"none\"").hint(hint));
            None
        }
        Some((_, node)) => Some(node.as_text() == Some("skip")),
        None if !options.has("columns") => {
            options.problem(Problem::error(message).at(options.span).hint(hint));
            None
        }
        None => Some(false),
    }
}

/// What is said of a journal.
struct JournalWants {
    topic: Option<String>,
    fsync: Fsync,
    ack: bool,
    retention: Retention,
}

impl JournalWants {
    fn of(options: &Options<'_>) -> Option<JournalWants> {
        let topic = options.text("journal").map(str::to_owned);
        let mut sound = topic.is_some() || !options.has("journal");
        for name in ["fsync", "ack", "retention", "retention_size"] {
            if let (false, Some((key, _))) = (options.has("journal"), options.table.entry(name)) {
                let message = format!("`{name}` of `{}` has no meaning without `journal`", options.component);
                let hint = "name the topic that lines are kept in: journal = \"live\"";
                options.problem(Problem::error(message).at(key.span).hint(hint));
                sound = false;
            }
        }
        let fsync = options.node("fsync").map_or(Some(Fsync::Every(FSYNC as u64 * 1000)), |node| fsync(options, node));
        let ack = options.boolean("ack").unwrap_or(false);
        if let (true, Some(Fsync::Never), Some(node)) = (ack, fsync, options.node("ack")) {
            let message =
                format!("`ack` of `{}` says that a line is durable, which `fsync` makes none", options.component);
            let hint = "give `fsync` a time such as \"10ms\", or leave it out";
            options.problem(Problem::error(message).at(node.span).hint(hint));
            sound = false;
        }
        let retention = Retention { age: options.duration("retention"), bytes: options.size("retention_size") };
        let fsync = fsync?;
        sound.then_some(JournalWants { topic, fsync, ack, retention })
    }
}

fn fsync(options: &Options<'_>, node: &Node) -> Option<Fsync> {
    let found = match &node.value {
        NodeValue::Text(text) => match text.text.as_str() {
            "always" => Some(Fsync::Always),
            "never" => Some(Fsync::Never),
            text => time::parse_interval(text)
                .ok()
                .filter(|t| *t > 0)
                .map(|t| Fsync::Every((t as u64).saturating_mul(1000))),
        },
        _ => None,
    };
    if found.is_none() {
        options.wrong("fsync", node, "\"always\", \"never\" or a time such as \"10ms\"");
    }
    found
}

/// What becomes of a line.
enum Way {
    Direct(DecoderPlan),
    Journal(JournalPlan),
}

struct TcpPlan {
    name: String,
    address: SocketAddr,
    max_connections: Option<u64>,
    /// All but the number of connections, which the system has a say in.
    limits: Limits,
    way: Way,
}

impl TcpPlan {
    fn decoder(&self) -> &DecoderPlan {
        match &self.way {
            Way::Direct(decoder) => decoder,
            Way::Journal(journal) => &journal.log.decoder,
        }
    }

    fn listen(&self) -> Result<Server, ComponentError> {
        let connections = limits::connections(self.max_connections)
            .map_err(|why| ComponentError::new(format!("spouts.{}: {why}", self.name)))?;
        let server = Server::listen(self.address, Limits { connections, ..self.limits }).map_err(|e| {
            let message =
                format!("spouts.{} cannot listen on {}: {e}; choose another `address`", self.name, self.address);
            ComponentError::io(message, e)
        })?;
        if let (0, Some(address)) = (self.address.port(), server.address()) {
            eprintln!("spouts.{} listens on {address}", self.name);
        }
        Ok(server)
    }
}

impl SpoutPlan for TcpPlan {
    fn columns(&self) -> &[Column] {
        self.decoder().columns()
    }

    fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        self.decoder().side_streams()
    }

    fn time(&self) -> Option<usize> {
        self.decoder().time()
    }

    fn finite(&self) -> bool {
        false
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec![match &self.way {
            Way::Direct(_) => "tcp".to_owned(),
            // The partition, as the spout `log` calls it.
            Way::Journal(_) => "0".to_owned(),
        }])
    }

    fn describe(&self) -> Vec<String> {
        let mut words = vec![format!("listens on {}", self.address)];
        match &self.way {
            Way::Direct(_) => words.push(
                "not replayable: lines that are not processed when the process dies are lost (`journal` keeps them)"
                    .to_owned(),
            ),
            Way::Journal(journal) => words.push(journal.describe()),
        }
        words.extend(self.decoder().describe());
        words
    }

    fn again_shift(&self) -> Option<u32> {
        Some(bits(self.decoder()))
    }

    fn again(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Again>, ComponentError> {
        Ok(Box::new(Numbered::new(self.decoder(), build.columns, build.split, build.split_id)?))
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        match &self.way {
            Way::Direct(decoder) => Ok(Box::new(direct::Direct::open(self.listen()?, self.limits, decoder, build)?)),
            Way::Journal(plan) => {
                // The journal first: nobody is listened to who could not be heard.
                let kept = plan.open(build)?;
                Ok(Box::new(journal::Journaled::open(self.listen()?, self.limits, kept, build)))
            }
        }
    }
}
