//! Aggregate calls inside expressions: what the `aggregate` bolt computes for the expressions around them.

use super::Expr;
use crate::tuple::{DataType, Value};
use std::ops::Range;

/// The aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `count(*)` (no argument) or `count(x)`, with DISTINCT `count(distinct x)`.
    Count,
    /// `sum(x)`: bigint of bigint, double of double, interval of interval.
    Sum,
    /// `avg(x)`: double of numbers, interval of interval.
    Avg,
    /// `min(x)` of any type.
    Min,
    /// `max(x)` of any type.
    Max,
    /// `stddev(x)`, `stddev_samp(x)`: NULL for fewer than two rows.
    StddevSamp,
    /// `stddev_pop(x)`.
    StddevPop,
    /// `variance(x)`, `var_samp(x)`.
    VarSamp,
    /// `var_pop(x)`.
    VarPop,
    /// `first(x)`: of the oldest row, NULL included.
    First,
    /// `last(x)`: of the newest row, NULL included.
    Last,
    /// `lag(x [, n [, default]])`: of the n-th previous row of the key, whatever the windows.
    Lag,
    /// `bool_and(x)`, `every(x)`.
    BoolAnd,
    /// `bool_or(x)`.
    BoolOr,
    /// `share(condition)`: double, rows where it is true over rows where it is not NULL; NULL of none.
    Share,
    /// `integral(x)`: double, x times seconds, by trapezoids.
    Integral,
    /// `increase(counter)`: what a counter has grown by, resets to zero included.
    Increase,
    /// `percentile_cont(p) within group (order by x)`, `median(x)`: between the two nearest values.
    PercentileCont,
    /// `percentile_disc(p) within group (order by x)`: one of the values.
    PercentileDisc,
    /// `approx_percentile(x, p)`: one percent off at most.
    ApproxPercentile,
    /// `approx_count_distinct(x)`.
    ApproxCountDistinct,
    /// `mode(x)`: the most frequent value.
    Mode,
    /// `top_k(x, k)`: the k most frequent values with their numbers, as JSON.
    TopK,
    /// `min_by(x, y)`: x of the row with the least y.
    MinBy,
    /// `max_by(x, y)`.
    MaxBy,
    /// `nth_value(x, n)`: of the n-th row of the window.
    NthValue,
    /// `covar_pop(y, x)`.
    CovarPop,
    /// `covar_samp(y, x)`.
    CovarSamp,
    /// `corr(y, x)`.
    Corr,
    /// `regr_slope(y, x)`.
    RegrSlope,
    /// `regr_intercept(y, x)`.
    RegrIntercept,
    /// `ewma(x, half_life)`: a mean in which weights halve with every half-life.
    Ewma,
    /// `array_agg(x [, n])`: the newest n values, as JSON.
    ArrayAgg,
    /// `string_agg(x, between [, n])`: the newest n texts, joined.
    StringAgg,
}

impl AggregateFunction {
    /// Whether it keeps more of the rows than a few words: lists, rankings, percentiles, pairs of columns.
    pub fn is_gathered(self) -> bool {
        use AggregateFunction::*;
        match self {
            Count | Sum | Avg | Min | Max | StddevSamp | StddevPop | VarSamp | VarPop | First | Last | Lag
            | BoolAnd | BoolOr | Share => false,
            Integral | Increase | PercentileCont | PercentileDisc | ApproxPercentile | ApproxCountDistinct | Mode
            | TopK | MinBy | MaxBy | NthValue | CovarPop | CovarSamp | Corr | RegrSlope | RegrIntercept | Ewma
            | ArrayAgg | StringAgg => true,
        }
    }
}

/// The window of one aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// No OVER: the bolt's own window.
    Own,
    /// `over name`.
    Named(String),
    /// `over '10m'`: rolling, microseconds.
    Rolling(i64),
    /// `over '20 rows'`.
    Rows(u64),
}

/// One aggregate call.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// With DISTINCT.
    pub distinct: bool,
    /// The argument; none for `count(*)`.
    pub argument: Option<Expr>,
    /// The second argument of a row: y of `min_by(x, y)`, x of `corr(y, x)`.
    pub second: Option<Expr>,
    /// A constant that the function takes: the share of a percentile, n, k, the half-life, what stands between texts.
    pub parameter: Value,
    /// Most values of a list, if it says so.
    pub bound: Value,
    /// For `lag`: how many rows back (1 by default).
    pub offset: u64,
    /// For `lag`: the value before there are so many rows, if not NULL.
    pub default: Option<Expr>,
    /// `filter (where ...)`.
    pub filter: Option<Expr>,
    /// `over ...`.
    pub over: Over,
    /// Type of the result.
    pub ty: DataType,
    /// Whether the result can be NULL.
    pub nullable: bool,
    /// Which entry it was found in, and where.
    pub entry: usize,
    /// Bytes of that entry's text.
    pub range: Range<usize>,
    /// The stream whose rows it looks at: that of `count(s.*)`, or of the columns of argument and filter where they are
    /// of one stream; none for `count(*)` and where only added columns are used.
    pub stream: Option<String>,
}

/// The checked entries of an `add` table. Columns are numbered: first those of the scope, then the entries in the order
/// of the file, then the calls.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// The expressions, in the order of the file.
    pub expressions: Vec<Expr>,
    /// Aggregate calls; equal ones are there once. Arguments, filters and defaults use the same numbering.
    pub calls: Vec<AggregateCall>,
    /// The order in which they can be computed, each after what it uses. A `lag` does not wait for its argument: it
    /// reads earlier rows.
    pub order: Vec<EntryStep>,
}

/// One step of the computation of [`Entries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryStep {
    /// Evaluate entry `n`.
    Expression(usize),
    /// Bring aggregate call `n` up to date and read it.
    Call(usize),
}
