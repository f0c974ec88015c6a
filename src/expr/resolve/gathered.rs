//! Aggregates with a second argument or a constant: percentiles, rankings, lists, pairs of columns.

use super::{Reported, Resolver, Typed};
use crate::expr::aggregate::{AggregateCall, AggregateFunction as F};
use crate::expr::{Expr, node::Node, special};
use crate::tuple::{DataType, Value};

use DataType::{Bigint, Boolean, Double, Interval, Text};

/// Most values of a list.
const LONGEST: i64 = 10_000;

/// What follows the first argument.
enum Rest {
    Nothing,
    /// Another value of the row.
    Second,
    /// A share, 0 to 1.
    Share,
    /// A number of at least 1.
    Number,
    /// A duration.
    Length,
    /// Perhaps a number of values.
    Bound,
    /// A text, and perhaps a number of values.
    Between,
}

impl Resolver<'_> {
    /// The call of such a function: its arguments, the value to look at coming first.
    pub(crate) fn gathered(
        &mut self,
        mut call: AggregateCall,
        name: &str,
        first: Typed,
        rest: Vec<Typed>,
    ) -> Result<AggregateCall, Reported> {
        let function = call.function;
        let kind = match function {
            F::PercentileCont if name == "median" => Rest::Nothing,
            F::PercentileCont | F::PercentileDisc | F::ApproxPercentile => Rest::Share,
            F::TopK | F::NthValue => Rest::Number,
            F::MinBy | F::MaxBy | F::CovarPop | F::CovarSamp | F::Corr | F::RegrSlope | F::RegrIntercept => {
                Rest::Second
            }
            F::Ewma => Rest::Length,
            F::ArrayAgg => Rest::Bound,
            F::StringAgg => Rest::Between,
            _ => Rest::Nothing,
        };
        let (least, most) = match kind {
            Rest::Nothing => (0, 0),
            Rest::Bound => (0, 1),
            Rest::Between => (1, 2),
            _ => (1, 1),
        };
        if rest.len() < least || rest.len() > most {
            let message =
                format!("`{name}` wants {}", if rest.len() < least { "more arguments" } else { "fewer arguments" });
            let hint = special::signature(name).unwrap_or(name).to_owned();
            return Err(self.error_hint(&call.range.clone(), message, hint));
        }
        let argument = self.looked_at(function, name, first)?;
        let mut rest = rest.into_iter();
        if let Some(part) = rest.next() {
            match kind {
                Rest::Second => call.second = Some(Expr::from_node(self.second(function, part)?)),
                Rest::Share => call.parameter = self.share(&part)?,
                Rest::Number => call.parameter = self.number_constant(&part, i64::MAX)?,
                Rest::Length => call.parameter = self.length(part)?,
                Rest::Between => call.parameter = self.text_constant(part)?,
                Rest::Bound => call.bound = self.number_constant(&part, LONGEST)?,
                Rest::Nothing => {}
            }
        }
        if let Some(part) = rest.next() {
            call.bound = self.number_constant(&part, LONGEST)?;
        }
        if name == "median" {
            call.parameter = Value::Double(0.5);
        }
        call.ty = match function {
            F::Increase | F::PercentileDisc | F::Mode | F::MinBy | F::MaxBy | F::NthValue => argument.ty,
            F::ApproxCountDistinct => Bigint,
            F::TopK | F::ArrayAgg | F::StringAgg => Text,
            _ => Double,
        };
        call.nullable = function != F::ApproxCountDistinct;
        call.argument = Some(Expr::from_node(argument));
        Ok(call)
    }

    /// The value that the function looks at.
    fn looked_at(&mut self, function: F, name: &str, first: Typed) -> Result<Node, Reported> {
        let range = first.range.clone();
        let wanted = match function {
            F::Increase | F::PercentileDisc | F::Mode | F::TopK | F::MinBy | F::MaxBy | F::NthValue | F::ArrayAgg => {
                None
            }
            F::ApproxCountDistinct => None,
            F::StringAgg => Some(Text),
            _ => Some(Double),
        };
        let node = self.coerce(first, wanted)?;
        let fits = match function {
            F::Increase => matches!(node.ty, Bigint | Double),
            F::PercentileDisc => !matches!(node.ty, Text | Boolean),
            _ => true,
        };
        if fits {
            return Ok(node);
        }
        let message = format!("`{name}` wants a number, this is {}", node.ty);
        Err(self.mismatch(&range, message, Double, node.ty))
    }

    fn second(&mut self, function: F, part: Typed) -> Result<Node, Reported> {
        if !matches!(function, F::MinBy | F::MaxBy) {
            return self.coerce(part, Some(Double));
        }
        let range = part.range.clone();
        let node = self.coerce(part, None)?;
        if node.ty == Text {
            return Err(self.error(&range, "rows are ordered by a number, a time or a condition here, this is text"));
        }
        Ok(node)
    }

    fn share(&mut self, part: &Typed) -> Result<Value, Reported> {
        let share = match part.node.as_constant() {
            Some(Value::Double(share)) => Some(*share),
            Some(Value::Bigint(share)) => Some(*share as f64),
            _ => None,
        };
        match share.filter(|share| (0.0..=1.0).contains(share)) {
            Some(share) => Ok(Value::Double(share)),
            None => {
                Err(self.error_hint(&part.range, "the share must be a constant from 0 to 1".to_owned(), "such as 0.95"))
            }
        }
    }

    fn number_constant(&mut self, part: &Typed, most: i64) -> Result<Value, Reported> {
        match part.node.as_constant() {
            Some(Value::Bigint(n)) if (1..=most).contains(n) => Ok(Value::Bigint(*n)),
            _ if most == i64::MAX => Err(self.error(&part.range, "this must be a constant whole number of at least 1")),
            _ => Err(self.error(&part.range, format!("this must be a constant whole number from 1 to {most}"))),
        }
    }

    fn length(&mut self, part: Typed) -> Result<Value, Reported> {
        let range = part.range.clone();
        match self.coerce(part, Some(Interval))?.as_constant() {
            Some(Value::Interval(micros)) if *micros > 0 => Ok(Value::Interval(*micros)),
            _ => Err(self.error_hint(
                &range,
                "the half-life must be a constant duration above zero".to_owned(),
                "such as '10m'",
            )),
        }
    }

    fn text_constant(&mut self, part: Typed) -> Result<Value, Reported> {
        let range = part.range.clone();
        match self.coerce(part, Some(Text))?.as_constant() {
            Some(Value::Text(text)) => Ok(Value::Text(text.clone())),
            _ => Err(self.error(&range, "what stands between the texts must be a constant")),
        }
    }
}
