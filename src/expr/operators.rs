//! The operators and the syntax of expressions, for the reference. What they mean is decided where calls and operators
//! are resolved; here each has an example that is true, and a test evaluates all of them.

/// An operator for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorDoc {
    /// The words and signs by which it is looked up.
    pub names: &'static [&'static str],
    /// How it is written.
    pub form: &'static str,
    /// What it gives, in a sentence.
    pub doc: &'static str,
    /// A condition without columns that is true.
    pub example: &'static str,
}

const fn op(
    names: &'static [&'static str],
    form: &'static str,
    doc: &'static str,
    example: &'static str,
) -> OperatorDoc {
    OperatorDoc { names, form, doc, example }
}

/// All operators, those that bind closest first.
pub fn operators() -> &'static [OperatorDoc] {
    OPERATORS
}

static OPERATORS: &[OperatorDoc] = &[
    op(
        &["::", "cast"],
        "x::type, cast(x as type)",
        "The value as another type; an error of the tuple where it cannot be.",
        "'42'::bigint = 42 and cast(2.5 as text) = '2.5'",
    ),
    op(&["^"], "a ^ b", "a to the power of b, a double.", "2 ^ 10 = 1024"),
    op(
        &["*", "/", "%"],
        "a * b, a / b, a % b",
        "Product, quotient, remainder. bigint / bigint cuts off the fraction; division by zero is an error of the tuple.",
        "7 / 2 = 3 and 7 / 2.0 = 3.5 and -7 % 3 = -1",
    ),
    op(
        &["+", "-"],
        "a + b, a - b, -a",
        "Sum and difference, also of timestamps and intervals.",
        "timestamp '2024-01-02' - timestamp '2024-01-01' = interval '1 day'",
    ),
    op(&["||"], "a || b", "Texts joined; NULL if one of them is.", "'card ' || 7 = 'card 7'"),
    op(
        &["like", "ilike"],
        "x [not] like pattern",
        "% stands for any text, _ for one character; ilike ignores case.",
        "'Berlin' like 'B%n' and 'Berlin' ilike 'b_rlin'",
    ),
    op(
        &["~", "~*", "!~", "!~*", "regex"],
        "x ~ pattern, x ~* pattern, x !~ pattern, x !~* pattern",
        "Whether a regular expression matches (or does not); with * ignoring case.",
        "'card 17' ~ '[0-9]+$' and 'A' ~* 'a'",
    ),
    op(&["in"], "x [not] in (a, b, ...)", "Whether it is one of them; ($list) takes a parameter.", "3 in (1, 2, 3)"),
    op(&["between"], "x [not] between a and b", "Whether a <= x and x <= b.", "5 between 1 and 5"),
    op(
        &["=", "<>", "!=", "<", "<=", ">", ">="],
        "a = b, a <> b, a < b, a <= b, a > b, a >= b",
        "Comparisons; NULL if a side is NULL.",
        "1 < 2 and 'a' <> 'b' and (null = 1) is null",
    ),
    op(&["is", "is null"], "x is [not] null", "Whether there is no value.", "null is null and 1 is not null"),
    op(
        &["is true", "is false"],
        "x is [not] true, x is [not] false",
        "A condition that is never NULL.",
        "(null > 1) is not true",
    ),
    op(
        &["is distinct from", "distinct"],
        "a is [not] distinct from b",
        "Comparison in which NULL equals NULL.",
        "null::bigint is not distinct from null::bigint and 1 is distinct from null",
    ),
    op(&["not"], "not a", "Negation; NULL stays NULL.", "not false"),
    op(&["and"], "a and b", "True if both are; false if one is, whatever the other.", "(null and false) = false"),
    op(&["or"], "a or b", "True if one is, whatever the other.", "null or true"),
    op(
        &["case"],
        "case when a then x [when b then y ...] [else z] end",
        "The first whose condition is true; NULL without else. Also case v when 1 then x ... end.",
        "case when 1 > 2 then 'a' else 'b' end = 'b'",
    ),
    op(
        &["literal", "interval", "timestamp"],
        "42, 2.5, 'text', true, null, interval '10m', timestamp '2024-01-01 12:00'",
        "Literals: with a point double, without bigint; a text becomes an interval or timestamp where one is needed.",
        "interval '1h30m' = interval '90 minutes'",
    ),
];

#[cfg(test)]
mod tests {
    use super::operators;
    use crate::expr::{Environment, Scope, check};
    use crate::tuple::Value;

    #[test]
    fn every_example_is_true() {
        let environment = Environment::default();
        for operator in operators() {
            let expr = check(operator.example, &Scope { columns: &[], environment: &environment });
            let expr = expr.unwrap_or_else(|errors| panic!("{}: {errors:?}", operator.example)).value;
            assert_eq!(expr.constant(), Some(&Value::Boolean(true)), "{}", operator.example);
        }
    }
}
