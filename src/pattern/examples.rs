//! The meaning of patterns by example: each is shown in the reference, and run by a test.
//!
//! The rows of an example come a second apart, or at the second that stands behind `@`. A row is what its letters say:
//! `ab` may be an a or a b, `x` is neither. A match is written as its variables with the numbers of their rows, counted
//! from 1, and where it is not the time of its last row, with its time: `a1 b3`, `a1 @10`.

/// A pattern, rows, and what is found.
pub struct Example {
    /// What it shows.
    pub shows: &'static str,
    /// The pattern; a variable is what its first letter says.
    pub pattern: &'static str,
    /// Options as they would stand in the file: `skip`, `within`, and for single variables `gap` and `until`.
    pub options: &'static str,
    /// The rows.
    pub rows: &'static str,
    /// The matches, separated by `;`.
    pub matches: &'static str,
}

const fn example(
    shows: &'static str,
    pattern: &'static str,
    options: &'static str,
    rows: &'static str,
    matches: &'static str,
) -> Example {
    Example { shows, pattern, options, rows, matches }
}

impl Example {
    /// The example as the reference shows it.
    pub fn text(&self) -> String {
        let options = if self.options.is_empty() { String::new() } else { format!(" with {}", self.options) };
        let matches = if self.matches.is_empty() { "nothing" } else { self.matches };
        format!("`{}`{options} on `{}` finds {matches}: {}.", self.pattern, self.rows, self.shows)
    }
}

/// All examples.
pub const EXAMPLES: &[Example] = &[
    example("a blank is the next row of the key", "a b", "", "a x a b", "a3 b4"),
    example("an arrow passes over rows until one can be taken", "a -> b", "", "a x x b", "a1 b4"),
    example("the first row that can be taken must be", "a -> b c", "", "a b x b c", ""),
    example("a double arrow may pass over it", "a ->> b c", "", "a b x b c", "a1 b4 c5"),
    example("what can be taken now is preferred to what comes later", "a ->> b", "", "a b b", "a1 b2"),
    example("a part may be missing, and is taken if it is there", "a b? c", "", "a b c a c", "a1 b2 c3; a4 c5"),
    example(
        "`+` takes as many as there are, so it waits for a row that is none",
        "a b+",
        "within = 9s",
        "a b b",
        "a1 b2 b3",
    ),
    example("`+?` takes as few as it can, so it is done at once", "a b+?", "", "a b b", "a1 b2"),
    example("a greedy loop gives back what is needed behind it", "a b* b", "within = 9s", "a b b x", "a1 b2 b3"),
    example("counts", "a{2} b{1,2} c{,1}", "within = 9s", "a a b b b", "a1 a2 b3 b4"),
    example("at least", "a{2,} b", "", "a b a a a b", "a3 a4 a5 b6"),
    example("repetitions of a step follow each other directly", "a{2} b", "", "a x a b", ""),
    example("an arrow at the end of a group joins its repetitions", "(a ->){2} b", "", "a x a x b", "a1 a3 b5"),
    example("and stands before a negation behind it", "(a ->){2} !b -> c", "", "a a b a c", "a2 a4 c5"),
    example(
        "what follows the group ends the loop as soon as it can",
        "(a ->){2,} b",
        "within = 9s",
        "a a b a b",
        "a1 a2 b3",
    ),
    example(
        "with a double arrow, too: rows first, then what is preferred",
        "(a ->>){2,} b",
        "within = 9s",
        "a a b a b",
        "a1 a2 b3",
    ),
    example("groups are repeated as a whole", "(a b)+ c", "within = 9s", "a b a b c", "a1 b2 a3 b4 c5"),
    example("the left alternative is preferred", "(a | b) c", "", "ab c", "a1 c2"),
    example("also if the right one would take more", "(a | a a) c?", "within = 9s", "a a c", "a1; a2 c3"),
    example("any order; the one that is written is preferred", "permute(a, b, c)", "", "c a b", "c1 a2 b3"),
    example("where rows are both, the first letters go first", "permute(a, b)", "", "ab ab", "a1 b2"),
    example("a negation between arrows: none on the way", "a -> !b -> c", "", "a x b c a x c", "a5 c7"),
    example("nor on the row that ends it", "a -> !b -> c", "", "a bc c", ""),
    example("a negation between blanks: the next row is a c and no b", "a !b c", "", "a bc a c", "a3 c4"),
    example("several negations", "a -> !(b | c) -> d", "", "a c d a x d", "a4 d6"),
    example(
        "a negation in a loop forbids it between all repetitions",
        "(a -> !b ->){2} c",
        "",
        "a b a x a x c",
        "a3 a5 c7",
    ),
    example("absence: nothing comes until the time is over", "a -> !b", "within = 3s", "a x a x b", "a1 @3"),
    example("what comes at the deadline still counts", "a -> !b", "within = 3s", "a x x b", ""),
    example("no row is needed for it", "a -> !b", "within = 3s", "a", "a1 @3"),
    example("directly behind it: the next row decides", "a !b", "within = 9s", "a x a b", "a1 @1"),
    example(
        "the time of a gap can be the end of an absence, too",
        "a -> !b",
        "within = 9s, b.gap = 2s",
        "a x x x b",
        "a1 @2",
    ),
    example("all rows of a match lie within its time", "a -> b", "within = 3s", "a@0 b@4 a@5 b@8", "a3 b4"),
    example("a greedy match leaves when its time is over", "a -> b?", "within = 3s", "a@0 x@9", "a1"),
    example("a gap bounds the time since the row before", "a -> b -> c", "c.gap = 2s", "a b x x c", ""),
    example("a gap concerns its variable alone", "a -> b -> c", "c.gap = 2s", "a x x x b c", "a1 b5 c6"),
    example("a stop condition ends a loop", "a -> (b ->)* c", "within = 9s, b.until = u", "a b u b c", "a1 b2 c5"),
    example("and holds for the row itself", "a b+ c?", "within = 9s, b.until = u", "a b bu c", "a1 b2"),
    example("past last: matches do not overlap", "a b a", "", "a b a b a", "a1 b2 a3"),
    example("to next: one match for each first row", "a b a", "skip = to next", "a b a b a", "a1 b2 a3; a3 b4 a5"),
    example("to first x: at the first row of x", "a b+ c", "skip = to first b", "a ab ab c", "a1 b2 b3 c4; a2 b3 c4"),
    example("to last x: at the last row of x", "a b+ c", "skip = to last b", "a ab ab c", "a1 b2 b3 c4"),
    example(
        "where x has no row, or the first of the match, at the row after that",
        "a b? a",
        "skip = to last b",
        "a a a",
        "a1 a2; a2 a3",
    ),
    example("none: every way through the pattern is a match", "a ->> b", "skip = none", "a b b", "a1 b2; a1 b3"),
    example("also shorter ones", "a b+", "skip = none", "a b b", "a1 b2; a1 b2 b3"),
    example(
        "a match waits for what began before it, since that would skip it",
        "(a b+ x | b) c?",
        "within = 9s",
        "a b b c",
        "b2; b3 c4",
    ),
    example("no rows are no match", "a?", "within = 9s", "x a x", "a2"),
    example("a reluctant part that nothing follows takes nothing", "a b??", "", "a b", "a1"),
    example("without a limit and reluctant", "a b{2,}? c?", "within = 9s", "a b b b", "a1 b2 b3"),
];
