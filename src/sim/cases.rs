//! The topologies that are simulated, and what must hold of each: one file each in `cases/`, or drawn.

use super::drawn::{self, Drawn, Order};
use super::random::Random;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A topology and its promises.
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// The file.
    pub text: String,
    /// Which ledgers have everything.
    pub complete: Vec<Complete>,
    /// Whether rows of one key and split come to each ledger in the order of the split.
    pub ordered: bool,
    /// Whether all columns in them come from the records alone.
    pub passes_on: bool,
    /// Whether it may come to the end of its input and then find more.
    pub resumes: bool,
    /// Whether the order of rows is another one after that: several splits in step whose event times go back. What comes
    /// before the first end has been followed when the later rows of all come, whatever their times are.
    pub shuffles: bool,
    /// Partitions of the topic `told`, if it writes and reads one.
    pub partitions: Option<u32>,
    /// Components that show more than the data: what another run has of them is not compared.
    pub apart: Vec<String>,
    /// What is the same in ledgers however an undisturbed run divides the work.
    pub certain: Vec<(String, Order)>,
    /// Whether more than the data decides about state, wherever it is made.
    pub unsure: bool,
    /// Components whose dead letters are the same in every run; none: no letters are kept.
    pub letters: Option<Vec<String>>,
    /// Whether sources never say that they have ended: the topology is asked to stop behind the last record.
    pub endless: bool,
    /// Executors, at most.
    pub threads_max: usize,
    /// The records of spouts that read files.
    pub _file: Option<Scratch>,
}

/// Each record of a spout lies in exactly one of some ledgers, once, as soon as its position is durable.
pub struct Complete {
    /// The spout; none: all.
    pub spout: Option<String>,
    /// The ledgers.
    pub ledgers: Vec<String>,
    /// Whether those that are broken are dead letters.
    pub letters: bool,
}

impl Complete {
    fn of(spout: Option<&str>, ledgers: &[&str]) -> Complete {
        let ledgers = ledgers.iter().map(|name| (*name).to_owned()).collect();
        Complete { spout: spout.map(str::to_owned), ledgers, letters: false }
    }
}

/// A file that goes when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    fn new(extension: &str, text: &str) -> std::io::Result<Scratch> {
        // Relaxed: only the number matters.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sferic-sim-{}-{number}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that is left behind in the folder for such files does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

const THROTTLE: &str = include_str!("cases/throttle.toml");
const EXPIRY: &str = include_str!("cases/expiry.toml");
const IN_STEP: &str = include_str!("cases/in_step.toml");
const RULES: &str = include_str!("cases/rules.toml");
const CHANNELS: &str = include_str!("cases/channels.toml");
const LIVE: &str = include_str!("cases/live.toml");
const FAN: &str = include_str!("cases/fan.toml");
const ELEMENTS: &str = include_str!("cases/elements.toml");
const GENERATED: &str = include_str!("cases/generated.toml");
const WINDOWS: &str = include_str!("cases/windows.toml");
const JOIN: &str = include_str!("cases/join.toml");
const LATE: &str = include_str!("cases/late.toml");
const TABLES: &str = include_str!("cases/tables.toml");
const QUALITY: &str = include_str!("cases/quality.toml");
const LOG: &str = include_str!("cases/log.toml");
const OUTBOX: &str = include_str!("cases/outbox.toml");

/// Records of each spout's split, at most.
pub const RECORDS_MAX: usize = 400;

/// Executors that a process has, at most.
const THREADS_MAX: usize = 4;

fn runtime(random: &mut Random) -> String {
    format!(
        "[runtime]\ndata_dir = \"/sim\"\nring_capacity = {}\nsample = {}\n",
        random.choice(&[1, 2, 16, 1024]),
        random.choice(&[1, 3, 128])
    )
}

/// A case that is drawn from parts.
pub fn drawn(random: &mut Random) -> Case {
    let runtime = runtime(random);
    let Drawn { text, ledgers, complete, letters, timeless, endless, late, doubtful } = drawn::draw(random);
    // Where no source ends, time goes on by the clock while all are silent: what waits for it is not a matter of the data.
    let by_clock = endless && !timeless;
    let order = |order| if by_clock { Order::Open } else { order };
    let complete =
        complete.into_iter().map(|(spout, ledgers, letters)| Complete { spout: Some(spout), ledgers, letters });
    Case {
        name: "drawn",
        text: format!("name = \"sim\"\n{runtime}\n{text}"),
        complete: complete.collect(),
        ordered: false,
        passes_on: false,
        // After the end of time nothing is on time.
        resumes: timeless && !endless,
        shuffles: true,
        partitions: None,
        apart: doubtful,
        certain: ledgers.into_iter().map(|(name, known)| (name, order(known))).collect(),
        unsure: by_clock || late,
        letters: Some(if by_clock { Vec::new() } else { letters }),
        endless,
        threads_max: *random.choice(&[1, THREADS_MAX]),
        _file: None,
    }
}

/// The case that a seed is about, of those that are written down.
///
/// # Errors
/// The file of its records cannot be written.
pub fn case(random: &mut Random) -> std::io::Result<Case> {
    const WHOLE: &[&[&str]] = &[&["passed", "refused", "broken"]];
    const PASSED: &[&[&str]] = &[&["passed", "broken"]];
    let runtime = format!("{}dead_letters = false\n", runtime(random));
    let plain = |name, text: &str, complete: &[&'static [&'static str]], ordered| Case {
        name,
        text: format!("name = \"sim\"\n{runtime}{text}"),
        complete: complete.iter().map(|ledgers| Complete::of(None, ledgers)).collect(),
        ordered,
        passes_on: true,
        resumes: true,
        shuffles: false,
        partitions: None,
        apart: Vec::new(),
        certain: Vec::new(),
        unsure: false,
        letters: None,
        endless: false,
        threads_max: THREADS_MAX,
        _file: None,
    };
    let late =
        |name, text: &str| Case { passes_on: false, ..plain(name, text, &[&["rows", "behind", "broken"]], true) };
    Ok(match random.below(21) {
        0 => plain("throttle", THROTTLE, WHOLE, true),
        1 => plain("expiry", EXPIRY, WHOLE, true),
        2 => plain("in step", IN_STEP, &[&["seen", "broken"]], true),
        3 => plain("rules", RULES, &[&["all", "broken"]], true),
        4 => plain("channels", CHANNELS, &[&["passed", "refused", "failed", "broken"]], false),
        5 => plain("live", LIVE, &[&["passed", "small", "broken"]], true),
        6 => plain("fan", FAN, &[&["by_one", "broken"], &["by_other", "broken"], &["copies", "broken"]], true),
        7 => Case { passes_on: false, ..plain("windows", WINDOWS, &[&["rows", "broken"]], true) },
        8 => {
            // Keys that are silent for longer than their windows last, and remembered.
            let seldom = WINDOWS.replace("keys = 4", "keys = 60").replace("ttl  = \"60ms\"", "ttl  = \"400ms\"");
            let seldom = seldom.replace("sum(v) over '5 rows'", "avg(v) over '30ms'");
            Case { passes_on: false, ..plain("windows, seldom", &seldom, &[&["rows", "broken"]], true) }
        }
        9 => Case { shuffles: true, ..late("late", LATE) },
        10 => late("late, one split", &LATE.replace("splits   = 2", "splits   = 1")),
        20 => Case { passes_on: false, resumes: false, ..plain("join", JOIN, &[], false) },
        11 => {
            let file = Scratch::new("json", &documents(random))?;
            let text = ELEMENTS.replace("PATH", &file.0.display().to_string());
            Case { _file: Some(file), ..plain("elements", &text, &[], true) }
        }
        12 => {
            let count = (1 + random.below(3 * RECORDS_MAX)).to_string();
            plain("generated", &GENERATED.replace("COUNT", &count), &[], true)
        }
        13 | 14 => plain("tables", TABLES, PASSED, true),
        15 => plain("quality", QUALITY, PASSED, true),
        16 | 17 => Case {
            complete: vec![Complete::of(Some("s"), &["passed", "broken"]), Complete::of(Some("again"), &["read"])],
            partitions: Some(1 + random.below(3) as u32),
            apart: ["again", "read"].map(str::to_owned).into(),
            ..plain("log", LOG, &[], true)
        },
        _ => plain("outbox", OUTBOX, PASSED, true),
    })
}

/// Documents with rows, some of them broken.
fn documents(random: &mut Random) -> String {
    let mut text = String::new();
    let count = random.below(RECORDS_MAX);
    for doc in 0..count {
        let ts = 1_704_067_200_000u64 + 3 * doc as u64;
        let row = |random: &mut Random| {
            let key = if random.one_in(12) { "null".to_owned() } else { format!("\"k{}\"", random.below(6)) };
            let v = if random.one_in(12) { "\"x\"".to_owned() } else { random.below(100).to_string() };
            format!("{{\"k\":{key},\"v\":{v}}}")
        };
        let rows: Vec<String> = (0..random.below(9)).map(|_| row(random)).collect();
        match random.below(14) {
            0 => text.push_str("{\"doc\":\n"),
            _ => text.push_str(&format!("{{\"doc\":{doc},\"ts\":{ts},\"rows\":[{}]}}\n", rows.join(","))),
        }
    }
    // One is whole: where none is, nothing tells the time of the broken ones but their arrival.
    let ts = 1_704_067_200_000u64 + 3 * count as u64;
    text.push_str(&format!("{{\"doc\":{count},\"ts\":{ts},\"rows\":[{{\"k\":\"k0\",\"v\":1}}]}}\n"));
    text
}
