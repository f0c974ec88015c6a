//! The definition of a match, word for word: for each row in order a search through all ways in order of preference.
//!
//! What may come next is computed from the tree itself: a way is a list of parts that are still to come, and each part
//! is taken apart only as far as its first row.

use super::ast::{Link, LinkKind, Node, Tail};
use super::settings::{Settings, Skip};

/// A row of a test.
pub struct Sample {
    pub time: i64,
    pub value: i64,
}

/// What is known of the search: variable and row of each step.
pub type Steps = Vec<(usize, usize)>;

/// A condition: variable, rows, the row, the steps before it.
pub type Test<'a> = &'a dyn Fn(usize, &[Sample], usize, &Steps) -> bool;

#[derive(Clone)]
enum Todo<'a> {
    Part(&'a Node),
    Link(&'a Link),
    Absent(&'a Link),
    /// What is left of a repetition.
    More {
        node: &'a Node,
        min: u32,
        max: Option<u32>,
        greedy: bool,
    },
}

#[derive(Clone)]
enum What {
    Step(usize),
    Absent,
    End,
}

/// One thing that may come next, and what then.
#[derive(Clone)]
struct Choice<'a> {
    link: Link,
    what: What,
    rest: Vec<Todo<'a>>,
}

pub struct Naive<'a> {
    pub root: &'a Node,
    pub settings: &'a Settings,
    pub rows: &'a [Sample],
    pub test: Test<'a>,
    pub until: Test<'a>,
}

/// A match: its steps and its time.
pub type Found = (Steps, i64);

fn ways<'a>(todo: &[Todo<'a>]) -> Vec<Choice<'a>> {
    let Some((first, rest)) = todo.split_first() else {
        return vec![Choice { link: Link::default(), what: What::End, rest: Vec::new() }];
    };
    let behind = |mut choice: Choice<'a>| {
        choice.rest.extend(rest.iter().cloned());
        choice
    };
    let go_on = |choices: Vec<Choice<'a>>| -> Vec<Choice<'a>> {
        let mut all = Vec::new();
        for choice in choices {
            match choice.what {
                What::End => {
                    all.extend(ways(rest).into_iter().map(|c| Choice { link: choice.link.then(&c.link), ..c }))
                }
                _ => all.push(behind(choice)),
            }
        }
        all
    };
    match first {
        Todo::Link(link) => ways(rest).into_iter().map(|c| Choice { link: link.then(&c.link), ..c }).collect(),
        Todo::Absent(link) => vec![Choice { link: (*link).clone(), what: What::Absent, rest: Vec::new() }],
        Todo::Part(node) => match node {
            Node::Step(v) => vec![behind(Choice { link: Link::default(), what: What::Step(*v), rest: Vec::new() })],
            Node::Sequence { items, links, tail } => {
                let mut parts = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        parts.push(Todo::Link(&links[at - 1]));
                    }
                    parts.push(Todo::Part(item));
                }
                match tail {
                    Some(Tail::Join(link)) => parts.push(Todo::Link(link)),
                    Some(Tail::Absent(link)) => parts.push(Todo::Absent(link)),
                    None => {}
                }
                go_on(ways(&parts))
            }
            Node::Choice(parts) => go_on(parts.iter().flat_map(|part| ways(&[Todo::Part(part)])).collect()),
            Node::Permute(parts) => {
                let mut all = Vec::new();
                super::automaton::orders(parts.len(), &mut Vec::new(), &mut |order| {
                    let parts: Vec<_> = order.iter().map(|at| Todo::Part(&parts[*at])).collect();
                    all.extend(ways(&parts));
                });
                go_on(all)
            }
            Node::Repeat { node, min, max, greedy } => {
                go_on(ways(&[Todo::More { node, min: *min, max: *max, greedy: *greedy }]))
            }
        },
        Todo::More { node, min, max, greedy } => {
            let less = |min: u32| Todo::More { node, min, max: max.map(|max| max - 1), greedy: *greedy };
            if *min > 0 {
                return go_on(ways(&[Todo::Part(node), less(min - 1)]));
            }
            if *max == Some(0) {
                return ways(rest);
            }
            let none = ways(rest);
            let once = ways(&[Todo::Part(node)]).into_iter().filter(|choice| !matches!(choice.what, What::End));
            let once = once.map(|mut choice| {
                choice.rest.push(less(0));
                behind(choice)
            });
            if *greedy { once.chain(none).collect() } else { none.clone().into_iter().chain(once).collect() }
        }
    }
}

/// A place in the search: what is still to come, and what of it is still open.
#[derive(Clone)]
struct Place<'a> {
    choices: Vec<Choice<'a>>,
    steps: Steps,
    closed: u64,
}

impl<'a> Naive<'a> {
    fn all(&self) -> bool {
        self.settings.skip == Skip::None
    }

    /// All matches of the rows, and behind them nothing for ever.
    pub fn search(&self) -> Vec<Found> {
        let (mut found, mut start) = (Vec::new(), 0);
        while start < self.rows.len() {
            let mut of_row = Vec::new();
            self.from(start, &mut of_row);
            start += 1;
            let Some(first) = of_row.first() else { continue };
            let last = |wanted: Option<usize>, first: &Found| {
                first.0.iter().rev().find(|(v, _)| wanted.is_none_or(|w| w == *v)).map_or(0, |(_, row)| *row)
            };
            match self.settings.skip {
                Skip::PastLast => start = last(None, first) + 1,
                Skip::ToLast(v) => start = start.max(last(Some(v), first)),
                Skip::ToFirst(v) => {
                    start = start.max(first.0.iter().find(|(w, _)| *w == v).map_or(0, |(_, row)| *row));
                }
                Skip::ToNext | Skip::None => {}
            }
            found.append(&mut of_row);
        }
        found
    }

    /// The matches that begin with a row: the preferred one, or all.
    fn from(&self, row: usize, found: &mut Vec<Found>) {
        for choice in self.cut(ways(&[Todo::Part(self.root)])) {
            match choice.what {
                What::Step(v) if self.takes(v, row, &Vec::new()) => {
                    let place = Place { choices: ways(&choice.rest), steps: vec![(v, row)], closed: 0 };
                    if self.go(place, row + 1, found) {
                        return;
                    }
                }
                What::End if !self.all() => return,
                _ => {}
            }
        }
    }

    /// What stands behind the end is not preferred to it.
    fn cut(&self, choices: Vec<Choice<'a>>) -> Vec<Choice<'a>> {
        let end = choices.iter().position(|choice| matches!(choice.what, What::End));
        match end {
            Some(end) if !self.all() => choices[..=end].to_vec(),
            _ => choices,
        }
    }

    fn takes(&self, v: usize, row: usize, steps: &Steps) -> bool {
        (self.test)(v, self.rows, row, steps)
            && (self.settings.until >> v & 1 == 0 || !(self.until)(v, self.rows, row, steps))
    }

    /// Notes a match; whether the search is over.
    fn found(&self, steps: Steps, time: i64, found: &mut Vec<Found>) -> bool {
        if !found.contains(&(steps.clone(), time)) {
            found.push((steps, time));
        }
        !self.all()
    }

    /// Goes on at a row just after a step was taken.
    fn go(&self, place: Place<'a>, row: usize, found: &mut Vec<Found>) -> bool {
        let mut place = Place { choices: self.cut(place.choices), ..place };
        let end = place.choices.iter().position(|choice| matches!(choice.what, What::End));
        let time = self.rows[place.steps[place.steps.len() - 1].1].time;
        if let Some(end) = end {
            place.choices.remove(end);
            if self.all() {
                self.found(place.steps.clone(), time, found);
                place.choices.retain(|choice| !matches!(choice.what, What::End));
            }
        }
        let steps = place.steps.clone();
        self.wait(place, row, true, found) || (end.is_some() && !self.all() && self.found(steps, time, found))
    }

    fn gap(&self, v: usize) -> i64 {
        self.settings.gaps[v]
    }

    /// When a choice is over.
    fn ends(&self, choice: &Choice<'a>, steps: &Steps) -> i64 {
        let deadline = self.rows[steps[0].1].time.saturating_add(self.settings.within);
        let last = self.rows[steps[steps.len() - 1].1].time;
        let gap = match choice.what {
            What::Step(v) => self.gap(v),
            _ => choice.link.not.iter().map(|v| self.gap(*v)).max().unwrap_or(i64::MAX),
        };
        deadline.min(last.saturating_add(gap))
    }

    /// Looks at a row; `first`: it is the one right after the last step.
    fn wait(&self, mut place: Place<'a>, row: usize, first: bool, found: &mut Vec<Found>) -> bool {
        if place.choices.is_empty() {
            return false;
        }
        let now = self.rows.get(row).map_or(i64::MAX, |row| row.time);
        // What is over: an absence is a match then, liked less than what stands before it and is not over.
        let over = place
            .choices
            .iter()
            .position(|choice| matches!(choice.what, What::Absent) && self.ends(choice, &place.steps) < now);
        if let Some(over) = over {
            let time = self.ends(&place.choices[over], &place.steps);
            let steps = place.steps.clone();
            if self.all() {
                place.choices.remove(over);
                self.found(steps, time, found);
                return self.wait(place, row, first, found);
            }
            place.choices.truncate(over);
            return self.wait(place, row, first, found) || self.found(steps, time, found);
        }
        let Some(sample) = self.rows.get(row) else { return false };
        place.choices.retain(|choice| self.ends(choice, &place.steps) >= sample.time);
        let last = self.rows[place.steps[place.steps.len() - 1].1].time;
        let since = sample.time - last;
        let forbidden = |choice: &Choice<'a>| {
            choice.link.not.iter().any(|v| since <= self.gap(*v) && (self.test)(*v, self.rows, row, &place.steps))
        };
        let choices: Vec<Choice<'a>> = place.choices.iter().filter(|choice| !forbidden(choice)).cloned().collect();
        for choice in &place.choices {
            if let What::Step(v) = choice.what
                && self.settings.until >> v & 1 == 1
                && place.steps.iter().any(|(w, _)| *w == v)
                && (self.until)(v, self.rows, row, &place.steps)
            {
                place.closed |= 1 << v;
            }
        }
        let closed = place.closed;
        let (mut rest, mut took, mut absent) = (Vec::new(), false, false);
        for choice in choices {
            match choice.what {
                What::Step(v) if closed >> v & 1 == 1 => continue,
                What::Step(v) if self.takes(v, row, &place.steps) => {
                    let mut steps = place.steps.clone();
                    steps.push((v, row));
                    took |= choice.link.kind == LinkKind::Followed;
                    if self.go(Place { choices: ways(&choice.rest), steps, closed }, row + 1, found) {
                        return true;
                    }
                }
                What::Absent if choice.link.kind == LinkKind::Next && first => {
                    absent = true;
                    if !self.all() {
                        break;
                    }
                }
                _ => {}
            }
            if choice.link.kind != LinkKind::Next {
                rest.push(choice);
            }
        }
        if took {
            rest.retain(|choice| choice.link.kind != LinkKind::Followed);
        }
        let steps = place.steps.clone();
        self.wait(Place { choices: rest, ..place }, row + 1, false, found)
            || (absent && self.found(steps, sample.time, found))
    }
}
