//! The text of patterns: what is read is what is printed, and what is wrong is said with its place.

use super::super::*;
use super::generate::{Patterns, Random};

/// Variables in the order of their first appearance, as the parser numbers them.
fn again(pattern: &Pattern) -> Pattern {
    let text = pattern.to_string();
    parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

#[test]
fn reading_what_is_printed_gives_the_same_pattern() {
    let mut random = Random(3);
    let random = (0..3000).map(|n| Patterns::random(&mut random, 1 + n % 9)).collect::<Vec<_>>();
    for pattern in Patterns::up_to(3).into_iter().chain(random) {
        let text = pattern.to_string();
        match parse(&text) {
            Ok(read) => {
                assert_eq!(read.to_string(), text);
                assert_eq!(again(&read), read, "{text}");
            }
            // A pattern that only its tree can have.
            Err(error) => assert!(error.message.contains("ends with an arrow"), "{text}: {error:?}"),
        }
    }
}

#[test]
fn signs_need_no_blanks_between_them() {
    for (text, wanted) in [
        ("A->!B->C", "a -> !b -> c"),
        ("A->>!B->>C", "a ->> !b ->> c"),
        ("A?|B", "a? | b"),
        ("A|B|C", "a | b | c"),
        ("A+?->C", "a+? -> c"),
        ("(probe->){2,}spend", "(probe ->){2,} spend"),
        ("(failed -> !reset ->){3} success", "(failed -> !reset ->){3} success"),
        ("A !B C", "a !b c"),
        ("A -> !(B | C) -> D", "a -> !b -> !c -> d"),
        ("A->!B", "a -> !b"),
        ("A !B", "a !b"),
        ("Permute(A,B C)", "permute(a, b c)"),
        ("A{,3}? B{2} C{1,2}", "a{,3}? b{2} c{1,2}"),
        ("((A))", "a"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), wanted, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, place, message) in [
        ("", "", "empty"),
        ("   ", "   ", "empty"),
        ("A B)", ")", "closes nothing"),
        ("(A B", "(", "not closed"),
        ("A , B", ",", "only in PERMUTE"),
        ("A - B", "-", "not part of a pattern"),
        ("^A", "^", "not part of a pattern"),
        ("!A B", "!", "cannot begin with `!`"),
        ("-> A", "->", "nothing before this arrow"),
        ("A ->", "A ->", "ends with an arrow"),
        ("A -> !B ->", "A -> !B ->", "ends with an arrow"),
        ("A -> !B C", "-> !B", "between two arrows"),
        ("A !B -> C", "->", "between two arrows"),
        ("A -> !B ->> C", "->>", "are different"),
        ("A -> -> C", "->", "one arrow"),
        ("A -> !B+ -> C", "+", "cannot be repeated"),
        ("A -> !(B C) -> D", "(B C", "behind `!`"),
        ("(A -> !B){3} C", "-> !B", "cannot end with `!`"),
        ("A{3,2}", "{3,2}", "smaller"),
        ("A{0}", "{0}", "never come"),
        ("A{}", "{}", "no counts"),
        ("A{,}", "{,}", "no counts"),
        ("A{99999999999}", "99999999999", "too large"),
        ("A{2000}", "{2000}", "at most 1000"),
        ("A+*", "*", "one quantifier"),
        ("(A+)*", "(A+)*", "without limit"),
        ("+A", "+", "nothing before"),
        ("()", "()", "empty"),
        ("A |", "", "missing"),
        ("permute(A,B,C,D,E,F,G)", "permute(A,B,C,D,E,F,G)", "too many orders"),
        ("permute(A ->, B)", "A ->", "cannot end with an arrow"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert_eq!(&text[error.range.clone()], place, "{text}: {error:?}");
    }
}

#[test]
fn names_and_emptiness_are_checked() {
    let check = |text: &str, defined: &[&str]| {
        let near = |name: &str| defined.iter().find(|d| d.starts_with(&name[..1])).map(|d| (*d).to_owned());
        parse(text).unwrap().check(defined, &near)
    };
    assert_eq!(check("a -> b", &["a", "b", "c"]), []);
    assert_eq!(parse("a -> b").unwrap().unused(&["a", "b", "c"]), [2]);
    let errors = check("a -> bb", &["a", "bx"]);
    assert_eq!((errors.len(), errors[0].range.clone(), errors[0].label.as_str()), (1, 5..7, "did you mean `bx`?"));
    assert!(check("a*", &["a"])[0].warning);
    assert!(!check("a*?", &["a"])[0].warning);
    assert_eq!(check("a+?", &["a"]), []);
}

#[test]
fn a_pattern_that_is_too_large_is_refused() {
    let large = |text: &str| Automaton::new(&parse(text).unwrap(), false).is_err();
    assert!(large("((a{1000}){1000}){1000}"));
    assert!(large("permute(a, b, c, d, e, (f{100}))"));
    assert!(!large("(a b{20}){20}"));
    assert!(!large("a{,1000} b"));
}

#[test]
fn any_text_is_read_or_refused() {
    let mut random = Random(5);
    let signs =
        ["a", "b", "->", "->>", "(", ")", "|", "!", "?", "*", "+", "{", "}", "2", ",", " ", "permute", "é", "-"];
    for _ in 0..20_000 {
        let text: String = (0..random.below(12)).map(|_| signs[random.below(signs.len())]).collect();
        if let Ok(pattern) = parse(&text) {
            assert_eq!(parse(&pattern.to_string()).unwrap(), pattern, "{text}");
        }
    }
}
