//! Topologies that a seed draws from parts: windows that close, patterns, timers, joins, and what stands between them.
//!
//! Every stream has the columns `key`, `word` (one for each key) and `v`, so that any part may stand behind any other.
//! Beside the text it says of each stream how far its rows are the same in every run ([`Order`]), which is what may be
//! compared with an undisturbed run whatever executors there are. What the order of several channels decides is left
//! [`Order::Open`], and is compared only where `topology::breaks` finds nothing.

mod parts;

use super::random::Random;
use std::fmt::Write;

/// How far the rows of a stream are the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// More than the data decides which rows there are.
    Open,
    /// They are the same, in any order.
    Rows,
    /// Those of a key are the same and come in the same order.
    Keys,
}

/// A topology that was drawn.
#[derive(Debug)]
pub struct Drawn {
    /// Its file, without `[runtime]`.
    pub text: String,
    /// Ledgers, and what is the same in them.
    pub ledgers: Vec<(String, Order)>,
    /// Ledgers that have every record of a spout; whether the spout's broken ones are dead letters instead.
    pub complete: Vec<(String, Vec<String>, bool)>,
    /// Components whose dead letters are the same in every run.
    pub letters: Vec<String>,
    /// Whether nothing goes by time, so that more records may come after the end.
    pub timeless: bool,
    /// Whether its sources never say that they have ended.
    pub endless: bool,
    /// Whether a source's rows may come later than it says.
    pub late: bool,
    /// Components that rows may ask for what has been forgotten, and those behind them.
    pub doubtful: Vec<String>,
}

/// A stream that a part may read.
#[derive(Clone, Debug)]
struct Stream {
    name: String,
    order: Order,
    /// Whether rows may come behind the watermark.
    late: bool,
    /// Whether its rows may be made by time: at the end of all inputs they come while time goes on, or after it, as bolts
    /// share a pipeline or not.
    by_time: bool,
    /// Whether rows may come so far behind the watermark that what they ask for may have been forgotten.
    behind: bool,
    /// Whether its rows are of a bolt of which they have asked it.
    doubtful: bool,
}

impl Stream {
    /// The order of what a bolt with state makes of it, row by row in the order of each key.
    fn by_key(&self) -> Order {
        // What the watermark is when a row comes late is decided by which channels there are.
        if self.order == Order::Keys && !self.late { Order::Keys } else { Order::Open }
    }

    /// The same of what waits for something not to come, as far as the end of the input does not decide.
    fn by_absence(&self) -> Order {
        if self.by_time { Order::Open } else { self.by_key() }
    }

    /// The same of what does not ask in which order the rows came.
    fn by_rows(&self) -> Order {
        if self.late { Order::Open } else { self.order }
    }
}

/// Most bolts that are drawn, without what reads their side streams.
const PARTS_MAX: usize = 5;

/// Draws a topology.
pub fn draw(random: &mut Random) -> Drawn {
    let mut builder = Builder::new(random.one_in(4));
    let spouts = if random.one_in(4) { 2 } else { 1 };
    builder.mixed = spouts > 1;
    for name in ["s", "t"].into_iter().take(spouts) {
        builder.spout(name, random);
    }
    for _ in 0..1 + random.below(PARTS_MAX) {
        builder.part(random);
    }
    builder.finish(random)
}

struct Builder {
    text: String,
    streams: Vec<Stream>,
    /// Names of streams that somebody reads.
    read: Vec<String>,
    ledgers: Vec<(String, Order)>,
    complete: Vec<(String, Vec<String>, bool)>,
    letters: Vec<String>,
    bolts: usize,
    timeless: bool,
    endless: bool,
    /// Whether there are several spouts: splits of one may be read where channels of another arrive, and whichever comes
    /// later says what time it is.
    mixed: bool,
    late: bool,
    /// Of the bolt that is being drawn: see [`Stream`].
    by_time: bool,
    behind: bool,
    doubt: bool,
    doubtful: Vec<String>,
}

impl Builder {
    fn new(endless: bool) -> Builder {
        Builder {
            text: String::new(),
            streams: Vec::new(),
            read: Vec::new(),
            ledgers: Vec::new(),
            complete: Vec::new(),
            letters: Vec::new(),
            bolts: 0,
            timeless: true,
            endless,
            mixed: false,
            late: false,
            by_time: false,
            behind: false,
            doubt: false,
            doubtful: Vec::new(),
        }
    }

    fn spout(&mut self, name: &str, random: &mut Random) {
        let splits = *random.choice(&[1, 1, 1, 2, 3]);
        let tasks = if splits > 1 && random.one_in(2) { 2 } else { 1 };
        // What comes after the end stands behind all that came before, whatever split it is of.
        self.timeless &= splits == 1;
        let jitter = *random.choice(&[0, 0, 3, 8]);
        // Now and then rows come later than was said.
        let late = jitter > 0 && random.one_in(4);
        self.late |= late;
        let disorder = if late { jitter / 3 } else { jitter };
        let _ = writeln!(self.text, "[spouts.{name}]\nkind = \"records\"\nsplits = {splits}\ntasks = {tasks}");
        let _ = writeln!(self.text, "keys = {}\nlive = {}", random.choice(&[2, 4, 7, 40]), self.endless);
        let _ = writeln!(self.text, "jitter = \"{jitter}ms\"\ndisorder = \"{disorder}ms\"\n");
        let order = match (splits, tasks, self.endless) {
            (1, ..) => Order::Keys,
            // In step: by time, ties by the order of the splits.
            (_, 1, false) if !self.mixed => Order::Keys,
            _ => Order::Rows,
        };
        let all = self.ledger(name, order.min(Order::Keys), "key");
        let errors = if random.one_in(2) {
            None
        } else {
            Some(self.ledger(&format!("{name}.errors"), order.min(Order::Rows), "reason"))
        };
        self.complete.push((name.to_owned(), [all].into_iter().chain(errors.clone()).collect(), errors.is_none()));
        self.letters.push(name.to_owned());
        let name = name.to_owned();
        self.streams.push(Stream { name, order, late, by_time: false, behind: false, doubtful: false });
    }

    /// A ledger of a stream; its name.
    fn ledger(&mut self, stream: &str, order: Order, key: &str) -> String {
        let name = format!("l_{}", stream.replace('.', "_"));
        let _ = writeln!(self.text, "[bolts.{name}]\nkind = \"ledger\"\nfrom = \"{stream}\"\nkey = \"{key}\"\n");
        self.ledgers.push((name.clone(), order));
        let of = stream.split('.').next().unwrap_or(stream);
        if self.doubtful.iter().any(|component| component == of) {
            self.doubtful.push(name.clone());
        }
        name
    }

    /// The bolt that is drawn next asks what may have been forgotten.
    fn asks_back(&mut self) {
        self.doubt |= self.behind;
    }

    /// One of the streams, rather a new one.
    fn pick(&mut self, random: &mut Random) -> Stream {
        let newest = self.streams.len() - 1;
        let at = if random.one_in(2) { newest } else { random.below(newest + 1) };
        let stream = self.streams[at].clone();
        self.read.push(stream.name.clone());
        (self.by_time, self.behind, self.doubt) = (stream.by_time, stream.behind, stream.doubtful);
        stream
    }

    /// Two streams, if there are two.
    fn pick_two(&mut self, random: &mut Random) -> Option<(Stream, Stream)> {
        if self.streams.len() < 2 {
            return None;
        }
        let first = random.below(self.streams.len());
        let second = (first + 1 + random.below(self.streams.len() - 1)) % self.streams.len();
        let (first, second) = (self.streams[first].clone(), self.streams[second].clone());
        self.by_time = first.by_time || second.by_time;
        (self.behind, self.doubt) = (first.behind || second.behind, first.doubtful || second.doubtful);
        self.read.extend([first.name.clone(), second.name.clone()]);
        Some((first, second))
    }

    /// Begins a bolt; its name.
    fn bolt(&mut self, kind: &str, from: &str) -> String {
        let name = format!("b{}", self.bolts);
        self.bolts += 1;
        if self.doubt {
            self.doubtful.push(name.clone());
        }
        let _ = writeln!(self.text, "[bolts.{name}]\nkind = \"{kind}\"\nfrom = {from}");
        name
    }

    fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// A stream that others may read from now on.
    fn gives(&mut self, name: &str, order: Order, late: bool) {
        let (by_time, behind, doubtful) = (self.by_time, self.behind, self.doubt);
        self.streams.push(Stream { name: name.to_owned(), order, late, by_time, behind, doubtful });
    }

    /// A side stream with the three columns: by a name of its own, others may read it too.
    fn gives_side(&mut self, side: &str, order: Order, late: bool) {
        let name = self.bolt("select", &format!("\"{side}\""));
        self.line("keep = [\"key\", \"word\", \"v\"]\n");
        self.gives(&name, order, late);
    }

    /// A side stream that only a ledger may read.
    fn tells_side(&mut self, side: &str, order: Order, key: &str, random: &mut Random) {
        if random.one_in(2) {
            self.ledger(side, order, key);
        }
    }

    /// Everything that nobody reads comes into a ledger, and some of the rest.
    fn finish(mut self, random: &mut Random) -> Drawn {
        for stream in std::mem::take(&mut self.streams).into_iter().filter(|stream| stream.name.starts_with('b')) {
            if !self.read.contains(&stream.name) || !random.one_in(4) {
                self.ledger(&stream.name, stream.order, "key");
            }
        }
        let Builder { text, ledgers, complete, letters, timeless, endless, late, doubtful, .. } = self;
        Drawn { text, ledgers, complete, letters, timeless, endless, late, doubtful }
    }
}
