//! Functions with a syntax or treatment of their own, aggregates, and what is asked for but not there.

use super::aggregate::AggregateFunction as F;
use super::functions::{FUNCTIONS, FunctionDoc};

const fn doc(name: &'static str, signature: &'static str, doc: &'static str) -> FunctionDoc {
    FunctionDoc { name, signature, doc }
}

/// The functions that are not in [`FUNCTIONS`].
pub(crate) static DOCS: &[FunctionDoc] = &[
    doc("coalesce", "coalesce(a, b, ...) → same", "The first that is not NULL."),
    doc("nullif", "nullif(a, b) → type of a", "NULL where a = b, else a."),
    doc("greatest", "greatest(a, b, ...) → same", "The greatest that is not NULL."),
    doc("least", "least(a, b, ...) → same", "The least that is not NULL."),
    doc("concat", "concat(a, b, ...) → text", "All as text, one after the other; NULLs are left out."),
    doc(
        "concat_ws",
        "concat_ws(separator text, a, b, ...) → text",
        "All as text with a separator between; NULLs are left out.",
    ),
    doc(
        "format",
        "format(pattern text, a, b, ...) → text",
        "The pattern with %s replaced by the arguments; also %1$s, %-10s, %L, %%.",
    ),
    doc(
        "extract",
        "extract(field from timestamp or interval) → double",
        "A field: epoch, year, quarter, month, week, day, hour, minute, second, milliseconds, microseconds, dow (Sunday is 0), isodow (Monday is 1), doy, isoyear, decade, century, millennium.",
    ),
    doc(
        "substring",
        "substring(x text from start bigint [for count bigint]) → text",
        "Characters from a position, from 1.",
    ),
    doc(
        "substring",
        "substring(x text from pattern text) → text",
        "The first group of the regular expression, or the whole match; NULL if there is none.",
    ),
    doc("position", "position(part text in x text) → bigint", "Where part begins, from 1; 0 where it does not occur."),
    doc(
        "trim",
        "trim([both | leading | trailing] [characters text from] x text) → text",
        "Without blanks, or these characters, at the ends.",
    ),
    doc(
        "regexp_like",
        "regexp_like(x text, pattern text [, flags text]) → boolean",
        "Whether the regular expression matches; also x ~ pattern.",
    ),
    doc("regexp_substr", "regexp_substr(x text, pattern text) → text", "The first match, NULL if there is none."),
    doc("regexp_count", "regexp_count(x text, pattern text) → bigint", "Number of matches."),
    doc(
        "regexp_replace",
        "regexp_replace(x text, pattern text, replacement text [, flags text]) → text",
        "The first match replaced, all with the flag g; \\1 is the first group, \\& the match.",
    ),
    doc(
        "count",
        "count(*) → bigint",
        "Number of rows; count(x): where x is not NULL; count(stream.*): of one input; count(distinct x). An aggregate.",
    ),
    doc("sum", "sum(x number or interval) → same", "Sum. An aggregate."),
    doc("avg", "avg(x number or interval) → double or interval", "Mean. An aggregate."),
    doc("min", "min(x) → same", "The least. An aggregate."),
    doc("max", "max(x) → same", "The greatest. An aggregate."),
    doc(
        "stddev",
        "stddev(x number) → double",
        "Standard deviation of a sample; NULL of fewer than two rows. An aggregate.",
    ),
    doc("stddev_samp", "stddev_samp(x number) → double", "The same as stddev. An aggregate."),
    doc("stddev_pop", "stddev_pop(x number) → double", "Standard deviation of all. An aggregate."),
    doc("variance", "variance(x number) → double", "Variance of a sample; NULL of fewer than two rows. An aggregate."),
    doc("var_samp", "var_samp(x number) → double", "The same as variance. An aggregate."),
    doc("var_pop", "var_pop(x number) → double", "Variance of all. An aggregate."),
    doc("first", "first(x) → same", "Of the oldest row, NULL included. An aggregate."),
    doc("last", "last(x) → same", "Of the newest row, NULL included. An aggregate."),
    doc(
        "lag",
        "lag(x [, n bigint [, default]]) → same",
        "Of the n-th previous row of the key, whatever the windows; NULL or the default before there are so many. In aggregate bolts.",
    ),
    doc("bool_and", "bool_and(x boolean) → boolean", "Whether all are true. An aggregate."),
    doc("every", "every(x boolean) → boolean", "The same as bool_and. An aggregate."),
    doc("bool_or", "bool_or(x boolean) → boolean", "Whether one is true. An aggregate."),
    doc(
        "share",
        "share(condition boolean) → double",
        "Rows where it is true over rows where it is not NULL; NULL of none. An aggregate.",
    ),
    doc(
        "integral",
        "integral(x number) → double",
        "x times seconds, by trapezoids between the rows of the window; 0 of one row. Keeps each value, over all rows of a key the newest. An aggregate.",
    ),
    doc(
        "increase",
        "increase(counter number) → same",
        "What a counter has grown by between the rows of the window; one that falls has begun at zero again. Keeps what integral keeps. An aggregate.",
    ),
    doc(
        "percentile_cont",
        "percentile_cont(p double) within group (order by x number) → double",
        "The value below which the share p lies, between the two nearest; exact. Keeps each value; a row costs the square root of their number. An aggregate.",
    ),
    doc(
        "percentile_disc",
        "percentile_disc(p double) within group (order by x) → same",
        "The first value that the share p is not above; of any type but text. Costs what percentile_cont does. An aggregate.",
    ),
    doc("median", "median(x number) → double", "percentile_cont(0.5). An aggregate."),
    doc(
        "approx_percentile",
        "approx_percentile(x number, p double) → double",
        "The same within 1 % of the value. Keeps a count for each 2 % between the least and the greatest. An aggregate.",
    ),
    doc(
        "approx_count_distinct",
        "approx_count_distinct(x) → bigint",
        "Number of different values, exact up to 256, then within about 2 %. Keeps 4 KiB, in a window that slides more. An aggregate.",
    ),
    doc(
        "mode",
        "mode(x) → same",
        "The most frequent value, of several the least; also mode() within group (order by x). Keeps each value once. An aggregate.",
    ),
    doc(
        "top_k",
        "top_k(x, k bigint) → text",
        "The k most frequent values with their numbers, as JSON: {\"a\":3,\"b\":1}. Keeps each value once. An aggregate.",
    ),
    doc("min_by", "min_by(x, y) → type of x", "x of the row with the least y, of several the oldest. An aggregate."),
    doc("max_by", "max_by(x, y) → type of x", "x of the row with the greatest y, of several the oldest. An aggregate."),
    doc(
        "nth_value",
        "nth_value(x, n bigint) → same",
        "Of the n-th row whose x is not NULL, the oldest being 1. An aggregate.",
    ),
    doc("covar_pop", "covar_pop(y number, x number) → double", "Covariance of all. An aggregate."),
    doc("covar_samp", "covar_samp(y number, x number) → double", "Covariance of a sample. An aggregate."),
    doc("corr", "corr(y number, x number) → double", "Coefficient of correlation. An aggregate."),
    doc(
        "regr_slope",
        "regr_slope(y number, x number) → double",
        "Slope of the line through the points (x, y). An aggregate.",
    ),
    doc("regr_intercept", "regr_intercept(y number, x number) → double", "Where that line has x = 0. An aggregate."),
    doc(
        "ewma",
        "ewma(x number, half_life interval) → double",
        "Mean in which the weight of a row halves with every half-life that it is older than the newest. An aggregate.",
    ),
    doc(
        "array_agg",
        "array_agg(x [, n bigint]) → text",
        "The newest n values (100) by time, the oldest first, as JSON. An aggregate.",
    ),
    doc(
        "string_agg",
        "string_agg(x text, between text [, n bigint]) → text",
        "The newest n texts (100) by time, the oldest first, joined. An aggregate.",
    ),
];

/// The aggregate of this name, in lower case.
pub(crate) fn aggregate(name: &str) -> Option<F> {
    Some(match name {
        "count" => F::Count,
        "sum" => F::Sum,
        "avg" => F::Avg,
        "min" => F::Min,
        "max" => F::Max,
        "stddev" | "stddev_samp" => F::StddevSamp,
        "stddev_pop" => F::StddevPop,
        "variance" | "var_samp" => F::VarSamp,
        "var_pop" => F::VarPop,
        "first" => F::First,
        "last" => F::Last,
        "lag" => F::Lag,
        "bool_and" | "every" => F::BoolAnd,
        "bool_or" => F::BoolOr,
        "share" => F::Share,
        "integral" => F::Integral,
        "increase" => F::Increase,
        "percentile_cont" | "median" => F::PercentileCont,
        "percentile_disc" => F::PercentileDisc,
        "approx_percentile" => F::ApproxPercentile,
        "approx_count_distinct" => F::ApproxCountDistinct,
        "mode" => F::Mode,
        "top_k" => F::TopK,
        "min_by" => F::MinBy,
        "max_by" => F::MaxBy,
        "nth_value" => F::NthValue,
        "covar_pop" => F::CovarPop,
        "covar_samp" => F::CovarSamp,
        "corr" => F::Corr,
        "regr_slope" => F::RegrSlope,
        "regr_intercept" => F::RegrIntercept,
        "ewma" => F::Ewma,
        "array_agg" => F::ArrayAgg,
        "string_agg" => F::StringAgg,
        _ => return None,
    })
}

/// What to do instead of a function that people ask for and that is not there.
pub(crate) fn unavailable(name: &str) -> Option<&'static str> {
    Some(match name {
        "json_agg" | "jsonb_agg" | "json_object_agg" => "use array_agg(x)",
        "rate" => "divide increase(counter) by the length of the window",
        "quantile" => "use percentile_cont(p) within group (order by x), or approx_percentile(x, p)",
        "first_value" => "use first(x)",
        "last_value" => "use last(x)",
        "lead" => "later rows are not known yet; lag(x, n) looks at earlier ones",
        "row_number" => "use count(*)",
        "rank" | "dense_rank" | "ntile" | "percent_rank" | "cume_dist" => "a bolt of kind `top` ranks rows",
        "regr_r2" => "use corr(y, x) * corr(y, x)",
        "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" | "timeofday" => {
            "expressions read no clock; `_time` is the time of the tuple"
        }
        "age" => "subtract the timestamps",
        "random" | "gen_random_uuid" => {
            "expressions give the same result each time; the spout `generate` makes random values"
        }
        "md5" | "sha256" | "encode" | "decode" => "there is no function for hashes and encodings",
        "generate_series" | "regexp_split_to_table" | "unnest" | "string_to_table" => {
            "only `each` of a bolt of kind `expand` makes several rows of one"
        }
        "to_char" => "use extract and lpad, or a cast to text",
        "ifnull" | "nvl" | "isnull" => "use coalesce(a, b)",
        "len" => "use length(x)",
        "if" | "iif" => "use case when condition then a else b end",
        _ => return None,
    })
}

/// Whether a function of this name, in lower case, is there.
pub(crate) fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    let listed = FUNCTIONS.iter().map(|f| f.name).filter(|name| *name != "||");
    listed.chain(DOCS.iter().map(|d| d.name))
}

/// How the function is called.
pub(crate) fn signature(name: &str) -> Option<&'static str> {
    super::functions::functions().iter().find(|f| f.name == name).map(|f| f.signature)
}
