//! An aggregate over a list of rows, computed afresh: the same results as over a window of those rows.

use super::accumulate::{Method, result};
use super::ordered::{preferred, sortable};
use super::{CallSpec, Overflow};
use crate::expr::AggregateFunction as F;
use crate::tuple::{DataType, TextWord};
use std::collections::HashSet;

/// Takes the values of rows one after the other. The words of texts must stay valid until the result is read.
pub struct Fold {
    spec: CallSpec,
    method: Method,
    words: [u64; 6],
    best: Option<u64>,
    seen: HashSet<Box<[u8]>>,
}

/// What a fold knows of its rows, to go on from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    words: [u64; 6],
    best: Option<u64>,
}

impl Fold {
    /// What it knows of its rows so far; none if that is more than a mark can hold, or does not outlive them.
    pub fn mark(&self) -> Option<Mark> {
        let lasting = match self.method {
            Method::Gather => false,
            Method::Choice => self.spec.ty != DataType::Text,
            _ => true,
        };
        (lasting && !self.spec.distinct).then_some(Mark { words: self.words, best: self.best })
    }

    /// Goes on from there, as if it had taken the rows of then and no others.
    pub fn go_on(&mut self, mark: &Mark) {
        (self.words, self.best) = (mark.words, mark.best);
        self.seen.clear();
    }

    /// No rows yet. Window, flags and argument of the call are of no matter.
    pub fn new(spec: CallSpec) -> Fold {
        let method = Method::of(&spec);
        Fold { spec, method, words: [0; 6], best: None, seen: HashSet::new() }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.words = [0; 6];
        self.best = None;
        self.seen.clear();
    }

    /// A row, with the value of the argument; none: NULL, which counts for nothing.
    pub fn add(&mut self, value: Option<u64>) {
        let Some(value) = value else { return };
        if self.spec.distinct && !self.seen.insert(identity(value, self.spec.ty)) {
            return;
        }
        match self.spec.function {
            F::Min | F::Max => {
                if self.best.is_none_or(|best| preferred(self.spec.function, compare(value, best, self.spec.ty))) {
                    self.best = Some(value);
                }
            }
            F::First => self.best = self.best.or(Some(value)),
            F::Last | F::Lag => self.best = Some(value),
            _ => self.method.change(&mut self.words, value, self.spec.ty, 1),
        }
    }

    /// The result over the rows so far, none for NULL.
    ///
    /// # Errors
    /// It is outside of its type.
    pub fn result(&self) -> Result<Option<u64>, Overflow> {
        match self.method {
            Method::Choice => Ok(self.best),
            method => result(&self.spec, method, &self.words, None),
        }
    }
}

fn compare(a: u64, b: u64, ty: DataType) -> std::cmp::Ordering {
    match ty {
        DataType::Text => TextWord(a).as_bytes().cmp(TextWord(b).as_bytes()),
        _ => sortable(a, ty).cmp(&sortable(b, ty)),
    }
}

/// The same bytes for values that are equal.
fn identity(value: u64, ty: DataType) -> Box<[u8]> {
    match ty {
        DataType::Text => TextWord(value).as_bytes().into(),
        DataType::Double if f64::from_bits(value) == 0.0 => [0; 8].into(),
        DataType::Double if f64::from_bits(value).is_nan() => f64::NAN.to_bits().to_le_bytes().into(),
        _ => value.to_le_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_goes_on_from_its_mark() {
        let values = [2.5, -1.0, 1e300, 7.0].map(|x: f64| Some(x.to_bits()));
        for function in [F::Count, F::Sum, F::Avg, F::Min, F::Max, F::StddevSamp] {
            let new = || Fold::new(CallSpec { argument: Some(0), ..CallSpec::new(function, DataType::Double) });
            let (mut whole, mut other) = (new(), new());
            values[..2].iter().for_each(|value| whole.add(*value));
            let mark = whole.mark().unwrap();
            other.add(values[3]);
            other.go_on(&mark);
            values[2..].iter().for_each(|value| [&mut whole, &mut other].into_iter().for_each(|fold| fold.add(*value)));
            assert_eq!(whole.result(), other.result());
        }
        let text = Fold::new(CallSpec { argument: Some(0), ..CallSpec::new(F::Max, DataType::Text) });
        let distinct = Fold::new(CallSpec { distinct: true, ..CallSpec::new(F::Count, DataType::Bigint) });
        assert!(text.mark().is_none() && distinct.mark().is_none());
    }

    fn fold(function: F, distinct: bool, ty: DataType, values: &[Option<u64>]) -> Result<Option<u64>, Overflow> {
        let mut fold = Fold::new(CallSpec { distinct, argument: Some(0), ..CallSpec::new(function, ty) });
        fold.add(Some(1));
        fold.clear();
        values.iter().for_each(|value| fold.add(*value));
        fold.result()
    }

    #[test]
    fn results_are_those_of_the_rows_and_of_nothing_else() {
        let doubles = [3.5, -0.0, 0.0, 3.5, -7.25].map(|x: f64| Some(x.to_bits()));
        let of = |function, distinct| fold(function, distinct, DataType::Double, &doubles).unwrap();
        let double = |x: f64| Some(x.to_bits());
        assert_eq!(of(F::Count, false), Some(5));
        assert_eq!(of(F::Count, true), Some(3));
        assert_eq!(of(F::Sum, false), double(-0.25));
        assert_eq!(of(F::Sum, true), double(-3.75));
        assert_eq!(of(F::Avg, false), double(-0.05));
        assert_eq!((of(F::Min, false), of(F::Max, false)), (double(-7.25), double(3.5)));
        assert_eq!((of(F::First, false), of(F::Last, false)), (double(3.5), double(-7.25)));
        assert_eq!(fold(F::Sum, false, DataType::Bigint, &[Some(i64::MAX as u64), Some(1)]), Err(Overflow));
        assert_eq!(fold(F::Avg, false, DataType::Bigint, &[Some(1), None, Some(2)]), Ok(double(1.5)));
        for function in [F::Sum, F::Avg, F::Min, F::Max, F::First, F::BoolAnd, F::StddevSamp] {
            assert_eq!(fold(function, false, DataType::Bigint, &[None]), Ok(None));
        }
        assert_eq!(fold(F::Count, false, DataType::Bigint, &[None]), Ok(Some(0)));
    }
}
