//! Aggregates that need more than a few words: percentiles, rankings, lists, integrals.
//!
//! Owns what they keep of the rows they have been given ([`Gather`]), never a row's place in a window. A gather is told of
//! rows that come ([`Gather::add`]) and, in a window that slides, of the oldest one that leaves
//! ([`Gather::remove`]); those of panes and sessions are merged. A result is that of the rows, and of one more if
//! the current row is to count. Cost, for each row, and memory:
//!
//! | functions | row | memory |
//! | --- | --- | --- |
//! | percentile_cont, percentile_disc, median | square root of the rows | each value |
//! | approx_percentile | logarithm of the buckets | a count for each bucket of 2 % |
//! | approx_count_distinct | constant | 256 values, then 4 KiB; what slides, up to 5 counts a register |
//! | integral, increase | constant in order | each value; over all rows of a key one |
//! | mode, top_k | logarithm of the values | each value once |
//! | min_by, max_by | constant | one value; what slides, those that may become the answer |
//! | array_agg, string_agg, nth_value | the bound | the bound; nth_value in what slides, each value |
//! | covar, corr, regr, ewma | constant | twelve words |

mod best;
mod listed;
mod moments;
mod pairs;
mod ranked;
mod registers;
mod sketch;
mod sorted;
#[cfg(test)]
mod tests;

use super::{CallSpec, Overflow};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::{Arena, Cell, DataType, Value};
use best::Best;
use listed::Listed;
use moments::{Decayed, Moments};
use pairs::Pairs;
use ranked::Ranked;
use registers::Registers;
use sketch::Sketch;
use sorted::Sorted;

/// How rows come to a gather, and leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the order of the window, and out at its other end.
    Slides,
    /// In any order of time; nothing leaves, and others are merged.
    Grows,
    /// As they arrive, for ever: time does not go back.
    Arrives,
}

/// What a row gives.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its time.
    pub time: i64,
    /// The argument.
    pub word: u64,
    /// The argument's text, if it is one.
    pub text: Option<&'a str>,
    /// The second argument, never a text.
    pub second: u64,
}

impl Item<'_> {
    fn held(&self) -> Held {
        self.text.map_or(Held::Word(self.word), |text| Held::Text(text.into()))
    }
}

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Held {
    Word(u64),
    Text(Box<str>),
}

impl Default for Held {
    fn default() -> Held {
        Held::Word(0)
    }
}

impl Held {
    fn word(&self, arena: &Arena) -> u64 {
        match self {
            Held::Word(word) => *word,
            Held::Text(text) => arena.store(text).0,
        }
    }

    /// As JSON.
    fn json(&self, ty: DataType) -> serde_json::Value {
        match (self, ty) {
            (Held::Text(text), _) => serde_json::Value::from(&**text),
            (Held::Word(word), DataType::Bigint) => serde_json::Value::from(*word as i64),
            (Held::Word(word), DataType::Boolean) => serde_json::Value::from(*word != 0),
            (Held::Word(word), DataType::Double) if f64::from_bits(*word).is_finite() => {
                serde_json::Value::from(f64::from_bits(*word))
            }
            (Held::Word(_), _) => serde_json::Value::from(self.text(ty)),
        }
    }

    /// As text.
    fn text(&self, ty: DataType) -> String {
        match self {
            Held::Text(text) => text.to_string(),
            Held::Word(word) => {
                let mut text = String::new();
                match ty {
                    DataType::Boolean => Cell::Boolean(*word != 0),
                    DataType::Double => Cell::Double(f64::from_bits(*word)),
                    DataType::Timestamp => Cell::Timestamp(*word as i64),
                    DataType::Interval => Cell::Interval(*word as i64),
                    DataType::Bigint | DataType::Text => Cell::Bigint(*word as i64),
                }
                .write(&mut text);
                text
            }
        }
    }
}

impl Codec for Held {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Held::Word(word) => (0u8, *word).write(out),
            Held::Text(text) => {
                out.push(1);
                text.as_bytes().to_vec().write(out);
            }
        }
    }

    fn read(from: &mut &[u8]) -> Option<Held> {
        Some(match u8::read(from)? {
            0 => Held::Word(u64::read(from)?),
            _ => Held::Text(String::from_utf8(Vec::read(from)?).ok()?.into()),
        })
    }
}

/// The function of a call, as its gather sees it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The call.
    pub call: &'a CallSpec,
    /// Where texts are made.
    pub arena: &'a Arena,
}

impl Asked<'_> {
    fn number(&self) -> f64 {
        match self.call.parameter {
            Value::Double(number) => number,
            Value::Bigint(number) | Value::Interval(number) => number as f64,
            _ => 0.0,
        }
    }

    fn text(&self, text: &str) -> Result<Option<u64>, Overflow> {
        // A text has at most 64 KiB.
        if text.len() > usize::from(u16::MAX) { Err(Overflow) } else { Ok(Some(self.arena.store(text).0)) }
    }
}

/// What a call has gathered.
#[derive(Debug)]
pub enum Gather {
    /// Percentiles.
    Sorted(Sorted),
    /// Approximate percentiles.
    Sketch(Sketch),
    /// Approximate numbers of values.
    Registers(Registers),
    /// Integrals and increases.
    Pairs(Pairs),
    /// Most frequent values.
    Ranked(Ranked),
    /// Values in order.
    Listed(Listed),
    /// The value of the least or greatest other.
    Best(Best),
    /// Two columns together.
    Moments(Moments),
    /// Decaying averages.
    Decayed(Decayed),
}

/// Applies an expression to whichever it is.
macro_rules! each {
    ($gather:expr, $it:ident => $does:expr) => {
        match $gather {
            Gather::Sorted($it) => $does,
            Gather::Sketch($it) => $does,
            Gather::Registers($it) => $does,
            Gather::Pairs($it) => $does,
            Gather::Ranked($it) => $does,
            Gather::Listed($it) => $does,
            Gather::Best($it) => $does,
            Gather::Moments($it) => $does,
            Gather::Decayed($it) => $does,
        }
    };
}

impl Gather {
    /// An empty one for a call.
    pub fn new(call: &CallSpec, way: Way) -> Gather {
        match call.function {
            F::ApproxPercentile => Gather::Sketch(Sketch::default()),
            F::ApproxCountDistinct => Gather::Registers(Registers::new(call.ty, way == Way::Slides)),
            F::Integral | F::Increase => Gather::Pairs(Pairs::new(call, way)),
            F::Mode | F::TopK => Gather::Ranked(Ranked::new(call.ty)),
            F::ArrayAgg | F::StringAgg | F::NthValue => Gather::Listed(Listed::new(call, way)),
            F::MinBy | F::MaxBy => Gather::Best(Best::new(call, way)),
            F::CovarPop | F::CovarSamp | F::Corr | F::RegrSlope | F::RegrIntercept => {
                Gather::Moments(Moments::default())
            }
            F::Ewma => Gather::Decayed(Decayed::new(call)),
            _ => Gather::Sorted(Sorted::new(call.ty)),
        }
    }

    /// A row comes.
    pub fn add(&mut self, item: Item<'_>) {
        each!(self, it => it.add(item));
    }

    /// Whether rows may come to the gather of a call, and leave it, in any order.
    pub fn is_unordered(call: &CallSpec) -> bool {
        let gather = Gather::new(call, Way::Slides);
        matches!(gather, Gather::Sorted(_) | Gather::Sketch(_) | Gather::Ranked(_) | Gather::Moments(_))
    }

    /// A row leaves, only of what slides: the oldest one, or any where rows have no order ([`Gather::is_unordered`]).
    pub fn remove(&mut self, item: Item<'_>) {
        each!(self, it => it.remove_first(item));
    }

    /// Takes in all that another one of the same call has.
    pub fn merge(&mut self, other: &Gather) {
        match (self, other) {
            (Gather::Sorted(it), Gather::Sorted(other)) => it.merge(other),
            (Gather::Sketch(it), Gather::Sketch(other)) => it.merge(other),
            (Gather::Registers(it), Gather::Registers(other)) => it.merge(other),
            (Gather::Pairs(it), Gather::Pairs(other)) => it.merge(other),
            (Gather::Ranked(it), Gather::Ranked(other)) => it.merge(other),
            (Gather::Listed(it), Gather::Listed(other)) => it.merge(other),
            (Gather::Best(it), Gather::Best(other)) => it.merge(other),
            (Gather::Moments(it), Gather::Moments(other)) => it.merge(other),
            (Gather::Decayed(it), Gather::Decayed(other)) => it.merge(other),
            _ => {}
        }
    }

    /// The result of all rows that are there, and of one more.
    ///
    /// # Errors
    /// It is outside of its type.
    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        each!(self, it => it.result(asked, with))
    }

    /// Appends what the store keeps.
    pub fn write(&self, out: &mut Vec<u8>) {
        each!(self, it => it.write(out));
    }

    /// Fills an empty one with what was written; none if that is not what is there.
    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        each!(self, it => it.read_back(from))
    }
}
