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
        _ => return None,
    })
}

/// What to do instead of a function that people ask for and that is not there.
pub(crate) fn unavailable(name: &str) -> Option<&'static str> {
    Some(match name {
        "percentile_cont" | "percentile_disc" | "approx_percentile" | "median" | "mode" => {
            "avg, stddev, min and max describe a distribution; share(x > limit) says how much lies above a limit"
        }
        "array_agg" | "string_agg" | "json_agg" | "jsonb_agg" | "json_object_agg" => {
            "first, last, min, max and count describe the rows of a window"
        }
        "integral" => "name the step, for example `x * extract(epoch from ts - lag(ts))`, and sum that name",
        "increase" | "rate" => "name the step, for example `x - lag(x)`, and sum that name",
        "min_by" | "max_by" => "min, max, first and last give single columns",
        "first_value" => "use first(x)",
        "last_value" => "use last(x)",
        "lead" | "nth_value" => "later rows are not known yet; lag(x, n) looks at earlier ones",
        "row_number" => "use count(*)",
        "rank" | "dense_rank" | "ntile" | "percent_rank" | "cume_dist" => "a bolt of kind `top` ranks rows",
        "corr" | "covar_pop" | "covar_samp" | "regr_slope" => "avg, stddev and variance are available",
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
