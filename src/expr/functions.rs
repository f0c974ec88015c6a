//! The functions an expression may call: one list, from which calls are resolved and the reference is printed.
//!
//! A kernel gets words that are not NULL and gives a word, or NULL; it fails through its context. Functions that
//! look at NULLs, patterns or constants in their own way are [`Variadic`] or have nodes of their own; the reference
//! lists them beside the others.

use super::fault::{Cx, Fault};
use super::node::Node;
use super::text::{self, build, piece, str_of};
use super::{math, number, timestamp};
use crate::tuple::DataType;

/// The code of a function.
pub(crate) type Kernel = fn(&Cx<'_>, &[u64]) -> Option<u64>;

/// One overload of a function.
pub(crate) struct Function {
    /// Name in lower case.
    pub(crate) name: &'static str,
    /// Types of the arguments.
    pub(crate) args: &'static [DataType],
    /// Type of the result.
    pub(crate) ret: DataType,
    /// Whether it gives NULL of arguments that are not.
    pub(crate) nullable: bool,
    /// Its code.
    pub(crate) kernel: Kernel,
    signature: &'static str,
    doc: &'static str,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.name, self.args)
    }
}

/// Functions of any number of texts that may be NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variadic {
    /// `concat(...)`: NULLs are left out.
    Concat,
    /// `concat_ws(separator, ...)`: NULLs are left out; NULL for a NULL separator.
    ConcatWs,
    /// `format(pattern, ...)`.
    Format,
}

impl Variadic {
    /// Whether the result can be NULL.
    pub(crate) fn null(self, args: &[Node], part: &dyn Fn(&Node) -> bool) -> bool {
        self != Variadic::Concat && args.first().is_some_and(part)
    }

    /// The value.
    pub(crate) fn call(self, cx: &Cx<'_>, args: &[Option<u64>]) -> Option<u64> {
        match self {
            Variadic::Concat => Some(build(cx, |out| args.iter().flatten().for_each(|w| out.push_str(str_of(*w))))),
            Variadic::ConcatWs => {
                let separator = str_of(args[0]?);
                Some(build(cx, |out| {
                    for (n, word) in args[1..].iter().flatten().enumerate() {
                        out.push_str(if n > 0 { separator } else { "" });
                        out.push_str(str_of(*word));
                    }
                }))
            }
            Variadic::Format => {
                let pattern = str_of(args[0]?);
                let mut problem = None;
                let word = build(cx, |out| problem = text::format(pattern, &args[1..], out).err());
                if let Some(message) = problem {
                    return cx.none(Fault::InvalidArgument, message);
                }
                Some(word)
            }
        }
    }
}

/// A function for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Name in lower case.
    pub name: &'static str,
    /// How it is called, with the types.
    pub signature: &'static str,
    /// What it gives, in a sentence.
    pub doc: &'static str,
}

/// What a function is about, for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionGroup {
    /// Conditionals: which of several values.
    Condition,
    /// Texts.
    Text,
    /// Numbers.
    Math,
    /// Timestamps and intervals.
    Time,
    /// Aggregates: over the rows of a window, in bolts of kind `aggregate`.
    Aggregate,
    /// Sets: several rows of one, in `each` of bolts of kind `expand`.
    Set,
}

impl FunctionGroup {
    /// All groups, in the order of the reference.
    pub const ALL: [FunctionGroup; 6] = [
        FunctionGroup::Condition,
        FunctionGroup::Text,
        FunctionGroup::Math,
        FunctionGroup::Time,
        FunctionGroup::Aggregate,
        FunctionGroup::Set,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            FunctionGroup::Condition => "Conditions",
            FunctionGroup::Text => "Text",
            FunctionGroup::Math => "Numbers",
            FunctionGroup::Time => "Time",
            FunctionGroup::Aggregate => "Aggregates",
            FunctionGroup::Set => "Sets of rows, in `each` of a bolt of kind `expand`",
        }
    }
}

impl FunctionDoc {
    /// What it is about: told by the types in its signature, so that no list can forget one.
    pub fn group(&self) -> FunctionGroup {
        let has = |word: &str| self.signature.contains(word);
        if super::special::aggregate(self.name).is_some() {
            FunctionGroup::Aggregate
        } else if self.signature.ends_with(", each") {
            FunctionGroup::Set
        } else if has(" timestamp") || has(" interval") {
            FunctionGroup::Time
        } else if has(" text") {
            FunctionGroup::Text
        } else if has(" double") || has(" number") || has(" bigint") {
            FunctionGroup::Math
        } else {
            FunctionGroup::Condition
        }
    }
}

/// All functions, in the order of the reference: scalar ones, then those with a syntax or treatment of their own, then
/// aggregates, then sets.
pub fn functions() -> &'static [FunctionDoc] {
    static ALL: std::sync::LazyLock<Vec<FunctionDoc>> = std::sync::LazyLock::new(|| {
        let listed = FUNCTIONS.iter().filter(|f| !f.signature.is_empty()).map(|f| FunctionDoc {
            name: f.name,
            signature: f.signature,
            doc: f.doc,
        });
        listed.chain(super::special::DOCS.iter().copied()).chain(super::set::SETS.iter().copied()).collect()
    });
    &ALL
}

const B: DataType = DataType::Boolean;
const I: DataType = DataType::Bigint;
const D: DataType = DataType::Double;
const T: DataType = DataType::Text;
const TS: DataType = DataType::Timestamp;
const IV: DataType = DataType::Interval;

const fn f(
    name: &'static str,
    args: &'static [DataType],
    ret: DataType,
    kernel: Kernel,
    signature: &'static str,
    doc: &'static str,
) -> Function {
    Function { name, args, ret, nullable: false, kernel, signature, doc }
}

#[inline(always)]
fn d(word: u64) -> f64 {
    f64::from_bits(word)
}

#[inline(always)]
fn some(value: f64) -> Option<u64> {
    Some(value.to_bits())
}

#[inline(always)]
fn i(word: u64) -> i64 {
    word as i64
}

fn field_of(cx: &Cx<'_>, word: u64) -> Option<timestamp::Field> {
    let found = timestamp::field(str_of(word));
    if found.is_none() {
        cx.fail_with(Fault::InvalidArgument, &format!("`{}` is not a field of a timestamp", str_of(word)));
    }
    found
}

fn to_timestamp(cx: &Cx<'_>, seconds: f64) -> Option<u64> {
    Some(number::to_i64(cx, seconds * 1e6) as u64)
}

fn mapped(cx: &Cx<'_>, text: &str, upper: bool) -> u64 {
    build(cx, |out| {
        for c in text.chars() {
            if upper {
                out.extend(text::single(c, c.to_uppercase()));
            } else {
                out.extend(text::single(c, c.to_lowercase()));
            }
        }
    })
}

fn trim(cx: &Cx<'_>, word: u64, chars: &str, left: bool, right: bool) -> Option<u64> {
    let mut text = str_of(word);
    if left {
        text = text.trim_start_matches(|c| chars.contains(c));
    }
    if right {
        text = text.trim_end_matches(|c| chars.contains(c));
    }
    Some(piece(cx, text))
}

/// All overloads; those of one name stand together, the first carries the words for the reference.
pub(crate) static FUNCTIONS: &[Function] = &[
    // Mathematics.
    f(
        "abs",
        &[I],
        I,
        |cx, a| Some(if i(a[0]) < 0 { number::neg_i64(cx, i(a[0])) } else { i(a[0]) } as u64),
        "abs(x number) → same",
        "Absolute value.",
    ),
    f("abs", &[D], D, |_, a| some(d(a[0]).abs()), "", ""),
    f("ceil", &[D], D, |_, a| some(d(a[0]).ceil()), "ceil(x double) → double", "The next whole number not below x."),
    f("ceiling", &[D], D, |_, a| some(d(a[0]).ceil()), "ceiling(x double) → double", "The same as ceil."),
    f("floor", &[D], D, |_, a| some(d(a[0]).floor()), "floor(x double) → double", "The next whole number not above x."),
    f(
        "round",
        &[D],
        D,
        |_, a| some(d(a[0]).round_ties_even()),
        "round(x double [, places bigint]) → double",
        "Rounded to a whole number (halves to the even one), or to decimal places (halves away from zero).",
    ),
    f("round", &[D, I], D, |_, a| some(number::round_decimal(d(a[0]), i(a[1]), false)), "", ""),
    f(
        "trunc",
        &[D],
        D,
        |_, a| some(d(a[0]).trunc()),
        "trunc(x double [, places bigint]) → double",
        "Cut off towards zero, at the point or at decimal places.",
    ),
    f("trunc", &[D, I], D, |_, a| some(number::round_decimal(d(a[0]), i(a[1]), true)), "", ""),
    f("sqrt", &[D], D, |cx, a| some(math::sqrt(cx, d(a[0]))), "sqrt(x double) → double", "Square root."),
    f("cbrt", &[D], D, |_, a| some(d(a[0]).cbrt()), "cbrt(x double) → double", "Cube root."),
    f("exp", &[D], D, |cx, a| some(math::exp(cx, d(a[0]))), "exp(x double) → double", "e to the power of x."),
    f("ln", &[D], D, |cx, a| some(math::ln(cx, d(a[0]))), "ln(x double) → double", "Natural logarithm."),
    f(
        "log",
        &[D],
        D,
        |cx, a| some(math::log10(cx, d(a[0]))),
        "log([base double,] x double) → double",
        "Logarithm to the base 10, or to the given base.",
    ),
    f("log", &[D, D], D, |cx, a| some(math::log(cx, d(a[0]), d(a[1]))), "", ""),
    f(
        "log10",
        &[D],
        D,
        |cx, a| some(math::log10(cx, d(a[0]))),
        "log10(x double) → double",
        "Logarithm to the base 10.",
    ),
    f(
        "power",
        &[D, D],
        D,
        |cx, a| some(number::power(cx, d(a[0]), d(a[1]))),
        "power(a double, b double) → double",
        "a to the power of b; also a ^ b.",
    ),
    f(
        "pow",
        &[D, D],
        D,
        |cx, a| some(number::power(cx, d(a[0]), d(a[1]))),
        "pow(a double, b double) → double",
        "The same as power.",
    ),
    f(
        "mod",
        &[I, I],
        I,
        |cx, a| Some(number::mod_i64(cx, i(a[0]), i(a[1])) as u64),
        "mod(a number, b number) → same",
        "Remainder of a / b, with the sign of a; also a % b.",
    ),
    f("mod", &[D, D], D, |cx, a| some(number::mod_f64(cx, d(a[0]), d(a[1]))), "", ""),
    f("sign", &[D], D, |_, a| some(math::sign(d(a[0]))), "sign(x double) → double", "-1, 0 or 1."),
    f("pi", &[], D, |_, _| some(std::f64::consts::PI), "pi() → double", "The number π."),
    f(
        "degrees",
        &[D],
        D,
        |cx, a| some(number::div_f64(cx, d(a[0]), std::f64::consts::PI / 180.0)),
        "degrees(radians double) → double",
        "Radians as degrees.",
    ),
    f(
        "radians",
        &[D],
        D,
        |cx, a| some(number::mul_f64(cx, d(a[0]), std::f64::consts::PI / 180.0)),
        "radians(degrees double) → double",
        "Degrees as radians.",
    ),
    f(
        "sin",
        &[D],
        D,
        |cx, a| some(math::trigonometric(cx, d(a[0]), f64::sin)),
        "sin(radians double) → double",
        "Sine.",
    ),
    f(
        "cos",
        &[D],
        D,
        |cx, a| some(math::trigonometric(cx, d(a[0]), f64::cos)),
        "cos(radians double) → double",
        "Cosine.",
    ),
    f(
        "tan",
        &[D],
        D,
        |cx, a| some(math::trigonometric(cx, d(a[0]), f64::tan)),
        "tan(radians double) → double",
        "Tangent.",
    ),
    f(
        "cot",
        &[D],
        D,
        |cx, a| some(math::trigonometric(cx, d(a[0]), |x| 1.0 / x.tan())),
        "cot(radians double) → double",
        "Cotangent.",
    ),
    f(
        "asin",
        &[D],
        D,
        |cx, a| some(math::inverse(cx, d(a[0]), f64::asin)),
        "asin(x double) → double",
        "Inverse sine, in radians.",
    ),
    f(
        "acos",
        &[D],
        D,
        |cx, a| some(math::inverse(cx, d(a[0]), f64::acos)),
        "acos(x double) → double",
        "Inverse cosine, in radians.",
    ),
    f("atan", &[D], D, |_, a| some(d(a[0]).atan()), "atan(x double) → double", "Inverse tangent, in radians."),
    f(
        "atan2",
        &[D, D],
        D,
        |_, a| some(d(a[0]).atan2(d(a[1]))),
        "atan2(y double, x double) → double",
        "Angle of the point (x, y), in radians.",
    ),
    f("sinh", &[D], D, |_, a| some(d(a[0]).sinh()), "sinh(x double) → double", "Hyperbolic sine."),
    f("cosh", &[D], D, |_, a| some(d(a[0]).cosh()), "cosh(x double) → double", "Hyperbolic cosine."),
    f("tanh", &[D], D, |_, a| some(d(a[0]).tanh()), "tanh(x double) → double", "Hyperbolic tangent."),
    f("asinh", &[D], D, |_, a| some(d(a[0]).asinh()), "asinh(x double) → double", "Inverse hyperbolic sine."),
    f(
        "acosh",
        &[D],
        D,
        |cx, a| some(math::acosh(cx, d(a[0]))),
        "acosh(x double) → double",
        "Inverse hyperbolic cosine.",
    ),
    f(
        "atanh",
        &[D],
        D,
        |cx, a| some(math::inverse(cx, d(a[0]), f64::atanh)),
        "atanh(x double) → double",
        "Inverse hyperbolic tangent.",
    ),
    f(
        "width_bucket",
        &[D, D, D, I],
        I,
        |cx, a| Some(math::width_bucket(cx, d(a[0]), d(a[1]), d(a[2]), i(a[3])) as u64),
        "width_bucket(x double, low double, high double, count bigint) → bigint",
        "Which of count equal parts of low to high x lies in, from 1; 0 below, count + 1 above.",
    ),
    f(
        "haversine_km",
        &[D, D, D, D],
        D,
        |_, a| some(math::haversine_km(d(a[0]), d(a[1]), d(a[2]), d(a[3]))),
        "haversine_km(lat1 double, lon1 double, lat2 double, lon2 double) → double",
        "Distance on the earth in kilometres between two points in degrees, on a sphere of 6371 km.",
    ),
    // Time.
    f(
        "date_part",
        &[T, TS],
        D,
        |cx, a| some(timestamp::part(field_of(cx, a[0])?, i(a[1]))),
        "date_part(field text, from timestamp or interval) → double",
        "The same as extract(field from ...).",
    ),
    f("date_part", &[T, IV], D, |cx, a| some(timestamp::interval_part(cx, field_of(cx, a[0])?, i(a[1]))), "", ""),
    f(
        "date_trunc",
        &[T, TS],
        TS,
        |cx, a| Some(timestamp::truncate(cx, field_of(cx, a[0])?, i(a[1])) as u64),
        "date_trunc(unit text, x timestamp or interval) → same",
        "The start of the second, minute, hour, day, week (Monday), month, quarter or year that x lies in.",
    ),
    f(
        "date_trunc",
        &[T, IV],
        IV,
        |cx, a| Some(timestamp::truncate_interval(cx, field_of(cx, a[0])?, i(a[1])) as u64),
        "",
        "",
    ),
    f(
        "date_bin",
        &[IV, TS, TS],
        TS,
        |cx, a| Some(timestamp::bin(cx, i(a[0]), i(a[1]), i(a[2])) as u64),
        "date_bin(stride interval, x timestamp, origin timestamp) → timestamp",
        "The start of the bin that x lies in; bins are stride long and one begins at origin.",
    ),
    f(
        "to_timestamp",
        &[D],
        TS,
        |cx, a| to_timestamp(cx, d(a[0])),
        "to_timestamp(seconds number) → timestamp",
        "The time so many seconds after 1970-01-01 00:00 UTC.",
    ),
    f("to_timestamp", &[I], TS, |cx, a| Some(number::mul_i64(cx, i(a[0]), timestamp::SECOND) as u64), "", ""),
    // Text.
    f(
        "||",
        &[T, T],
        T,
        |cx, a| {
            Some(build(cx, |out| {
                out.push_str(str_of(a[0]));
                out.push_str(str_of(a[1]));
            }))
        },
        "",
        "",
    ),
    f(
        "length",
        &[T],
        I,
        |_, a| Some(text::length(str_of(a[0])) as u64),
        "length(x text) → bigint",
        "Number of characters.",
    ),
    f(
        "char_length",
        &[T],
        I,
        |_, a| Some(text::length(str_of(a[0])) as u64),
        "char_length(x text) → bigint",
        "The same as length.",
    ),
    f("character_length", &[T], I, |_, a| Some(text::length(str_of(a[0])) as u64), "", ""),
    f(
        "octet_length",
        &[T],
        I,
        |_, a| Some(str_of(a[0]).len() as u64),
        "octet_length(x text) → bigint",
        "Number of bytes in UTF-8.",
    ),
    f("lower", &[T], T, |cx, a| Some(mapped(cx, str_of(a[0]), false)), "lower(x text) → text", "In lower case."),
    f("upper", &[T], T, |cx, a| Some(mapped(cx, str_of(a[0]), true)), "upper(x text) → text", "In upper case."),
    f(
        "initcap",
        &[T],
        T,
        |cx, a| Some(build(cx, |out| text::initcap(str_of(a[0]), out))),
        "initcap(x text) → text",
        "The first letter of each word in upper case, the others in lower case.",
    ),
    f(
        "btrim",
        &[T],
        T,
        |cx, a| trim(cx, a[0], " ", true, true),
        "btrim(x text [, characters text]) → text",
        "Without blanks, or these characters, at both ends; also trim(x).",
    ),
    f("btrim", &[T, T], T, |cx, a| trim(cx, a[0], str_of(a[1]), true, true), "", ""),
    f(
        "ltrim",
        &[T],
        T,
        |cx, a| trim(cx, a[0], " ", true, false),
        "ltrim(x text [, characters text]) → text",
        "Without blanks, or these characters, at the start.",
    ),
    f("ltrim", &[T, T], T, |cx, a| trim(cx, a[0], str_of(a[1]), true, false), "", ""),
    f(
        "rtrim",
        &[T],
        T,
        |cx, a| trim(cx, a[0], " ", false, true),
        "rtrim(x text [, characters text]) → text",
        "Without blanks, or these characters, at the end.",
    ),
    f("rtrim", &[T, T], T, |cx, a| trim(cx, a[0], str_of(a[1]), false, true), "", ""),
    f(
        "substr",
        &[T, I],
        T,
        |cx, a| Some(piece(cx, text::substring(cx, str_of(a[0]), i(a[1]), None))),
        "substr(x text, start bigint [, count bigint]) → text",
        "Characters from a position, from 1; also substring.",
    ),
    f(
        "substr",
        &[T, I, I],
        T,
        |cx, a| Some(piece(cx, text::substring(cx, str_of(a[0]), i(a[1]), Some(i(a[2]))))),
        "",
        "",
    ),
    f(
        "left",
        &[T, I],
        T,
        |cx, a| Some(piece(cx, text::left(str_of(a[0]), i(a[1])))),
        "left(x text, n bigint) → text",
        "The first n characters; all but the last -n where n is negative.",
    ),
    f(
        "right",
        &[T, I],
        T,
        |cx, a| Some(piece(cx, text::right(str_of(a[0]), i(a[1])))),
        "right(x text, n bigint) → text",
        "The last n characters; all but the first -n where n is negative.",
    ),
    f(
        "lpad",
        &[T, I],
        T,
        |cx, a| Some(text::pad(cx, str_of(a[0]), i(a[1]), " ", true)),
        "lpad(x text, width bigint [, fill text]) → text",
        "Filled up at the left, or cut, to so many characters.",
    ),
    f("lpad", &[T, I, T], T, |cx, a| Some(text::pad(cx, str_of(a[0]), i(a[1]), str_of(a[2]), true)), "", ""),
    f(
        "rpad",
        &[T, I],
        T,
        |cx, a| Some(text::pad(cx, str_of(a[0]), i(a[1]), " ", false)),
        "rpad(x text, width bigint [, fill text]) → text",
        "Filled up at the right, or cut, to so many characters.",
    ),
    f("rpad", &[T, I, T], T, |cx, a| Some(text::pad(cx, str_of(a[0]), i(a[1]), str_of(a[2]), false)), "", ""),
    f(
        "replace",
        &[T, T, T],
        T,
        |cx, a| Some(text::replace(cx, str_of(a[0]), str_of(a[1]), str_of(a[2]))),
        "replace(x text, from text, to text) → text",
        "Every occurrence of from replaced.",
    ),
    f(
        "translate",
        &[T, T, T],
        T,
        |cx, a| Some(build(cx, |out| text::translate(str_of(a[0]), str_of(a[1]), str_of(a[2]), out))),
        "translate(x text, from text, to text) → text",
        "Each character of from replaced by that of to at the same place, or removed where there is none.",
    ),
    f(
        "split_part",
        &[T, T, I],
        T,
        |cx, a| Some(piece(cx, text::split_part(cx, str_of(a[0]), str_of(a[1]), i(a[2])))),
        "split_part(x text, delimiter text, n bigint) → text",
        "The n-th part between delimiters, from 1; from the end where n is negative.",
    ),
    f(
        "strpos",
        &[T, T],
        I,
        |_, a| Some(text::position(str_of(a[0]), str_of(a[1])) as u64),
        "strpos(x text, part text) → bigint",
        "Where part begins, from 1; 0 where it does not occur; also position(part in x).",
    ),
    f(
        "starts_with",
        &[T, T],
        B,
        |_, a| Some(u64::from(str_of(a[0]).starts_with(str_of(a[1])))),
        "starts_with(x text, prefix text) → boolean",
        "Whether x begins with prefix.",
    ),
    f(
        "reverse",
        &[T],
        T,
        |cx, a| Some(build(cx, |out| out.extend(str_of(a[0]).chars().rev()))),
        "reverse(x text) → text",
        "The characters in reverse order.",
    ),
    f(
        "repeat",
        &[T, I],
        T,
        |cx, a| text::repeat(cx, str_of(a[0]), i(a[1])),
        "repeat(x text, n bigint) → text",
        "x, n times; at most 1 MiB.",
    ),
    f(
        "ascii",
        &[T],
        I,
        |_, a| Some(str_of(a[0]).chars().next().map_or(0, |c| c as u64)),
        "ascii(x text) → bigint",
        "The code of the first character, 0 of the empty text.",
    ),
    f("chr", &[I], T, |cx, a| text::chr(cx, i(a[0])), "chr(code bigint) → text", "The character of this code."),
];
