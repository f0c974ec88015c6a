//! Counting up what is known of the ids, and showing it.

use super::super::{Align, TextTable};
use super::ids::{Known, Label};
use crate::tuple::format_double;
use serde_json::{Value, json};

/// The alerts of one rule, or of all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// Ids that were alerted.
    pub alerts: u64,
    /// Of these the positives.
    pub positive: u64,
    /// Of these the negatives.
    pub negative: u64,
    /// Of these those without a label: NULL, or no row of the truth.
    pub not_judged: u64,
    /// Sum of the amounts of the positives among them.
    pub amount_positive: f64,
    /// Sum of the amounts of the negatives among them.
    pub amount_negative: f64,
}

/// What a run of the topology was worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// By rule, by name.
    pub rules: Vec<(String, Count)>,
    /// Ids that any rule alerted.
    pub all: Count,
    /// Positives of the truth.
    pub positives: u64,
    /// Rows of the truth that have a label.
    pub judged: u64,
    /// Sum of the amounts of all positives.
    pub amount: f64,
}

impl Count {
    fn add(&mut self, label: Label, amount: f64) {
        self.alerts += 1;
        match label {
            Label::Positive => {
                self.positive += 1;
                self.amount_positive += amount;
            }
            Label::Negative => {
                self.negative += 1;
                self.amount_negative += amount;
            }
            Label::Missing | Label::Unknown => self.not_judged += 1,
        }
    }

    /// Share of positives among the judged alerts.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.positive, self.positive + self.negative)
    }

    /// Share of the positives that were alerted.
    pub fn recall(&self, positives: u64) -> Option<f64> {
        ratio(self.positive, positives)
    }

    fn json(&self, positives: u64, amounts: bool) -> Value {
        let mut value = json!({
            "alerts": self.alerts, "true": self.positive, "false": self.negative, "not_judged": self.not_judged,
            "precision": self.precision(), "recall": self.recall(positives),
        });
        if let (true, Some(object)) = (amounts, value.as_object_mut()) {
            object.insert("amount_true".to_owned(), self.amount_positive.into());
            object.insert("amount_false".to_owned(), self.amount_negative.into());
        }
        value
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Report {
    /// Counts up what `ids` gives; `names` are the rules by number.
    ///
    /// # Errors
    /// Those of `ids`.
    pub fn new<E>(names: &[String], ids: impl FnOnce(&mut dyn FnMut(Known<'_>)) -> Result<(), E>) -> Result<Report, E> {
        let mut report =
            Report { rules: names.iter().map(|n| (n.clone(), Count::default())).collect(), ..Report::default() };
        ids(&mut |known| report.add(known))?;
        report.rules.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(report)
    }

    fn add(&mut self, known: Known<'_>) {
        match known.label {
            Label::Positive => {
                self.positives += 1;
                self.judged += 1;
                self.amount += known.amount;
            }
            Label::Negative => self.judged += 1,
            Label::Missing | Label::Unknown => {}
        }
        if known.rules.is_empty() {
            return;
        }
        self.all.add(known.label, known.amount);
        for rule in known.rules {
            if let Some((_, count)) = self.rules.get_mut(*rule as usize) {
                count.add(known.label, known.amount);
            }
        }
    }

    /// As a table of text; `by` heads the rules, if there are any, `amount` the amounts, if they were asked for.
    pub fn text(&self, by: Option<&str>, amount: Option<&str>) -> String {
        use Align::{Left, Right};
        let mut headings = vec![(by.unwrap_or(""), Left)];
        headings.extend(["alerts", "true", "false", "not judged", "precision", "recall"].map(|h| (h, Right)));
        let (caught, falsely);
        if let Some(amount) = amount {
            (caught, falsely) = (format!("{amount} true"), format!("{amount} false"));
            headings.extend([(&*caught, Right), (&*falsely, Right)]);
        }
        let mut table = TextTable::new(headings);
        let rules = self.rules.iter().filter(|_| by.is_some()).map(|(name, count)| (&**name, count));
        for (name, count) in rules.chain([("all together", &self.all)]) {
            let counts = [count.alerts, count.positive, count.negative, count.not_judged].map(|n| n.to_string());
            let shares = [count.precision(), count.recall(self.positives)].map(percent);
            let mut cells = vec![name.to_owned()];
            cells.extend(counts.into_iter().chain(shares));
            if amount.is_some() {
                cells.extend([count.amount_positive, count.amount_negative].map(sum));
            }
            table.row(cells);
        }
        let mut text = table.render();
        let missed = self.positives - self.all.positive;
        text.push_str(&format!("{} positives of {} judged, {missed} without an alert", self.positives, self.judged));
        if let Some(amount) = amount {
            let open = sum(self.amount - self.all.amount_positive);
            text.push_str(&format!("; {amount} of all positives {}, without an alert {open}", sum(self.amount)));
        }
        text + "\n"
    }

    /// The same for machines.
    pub fn json(&self, amounts: bool) -> Value {
        let rules = self.rules.iter().map(|(name, count)| (name.clone(), count.json(self.positives, amounts)));
        let mut value = json!({
            "rules": Value::Object(rules.collect()),
            "all": self.all.json(self.positives, amounts),
            "positives": self.positives,
            "judged": self.judged,
        });
        if let (true, Some(object)) = (amounts, value.as_object_mut()) {
            object.insert("amount".to_owned(), self.amount.into());
        }
        value
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}

/// A sum with two digits after the point: more would show the residue of adding doubles.
fn sum(value: f64) -> String {
    let mut text = String::new();
    format_double((value * 100.0).round() / 100.0, &mut text);
    text
}
