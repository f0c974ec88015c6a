//! The parts: each reads what is there and gives streams of the three columns.

use super::{Builder, Order, Stream};
use crate::sim::random::Random;

const KEY: &str = "key = [\"key\", \"word\"]";
const KEEP: &str = "keep = [\"key\", \"word\", \"v\"]";

/// Any of the keys by which rows of a key stay together.
fn any_key(random: &mut Random) -> String {
    (*random.choice(&[KEY, "key = \"key\"", "key = \"word\"", "key = [\"word\", \"key\"]"])).to_owned()
}

fn quoted(stream: &Stream) -> String {
    format!("\"{}\"", stream.name)
}

impl Builder {
    /// Adds a part.
    pub(super) fn part(&mut self, random: &mut Random) {
        match random.below(24) {
            0..=4 => self.closing(random),
            5..=8 => self.pattern(random),
            9 | 10 => self.rules(random),
            11 | 12 => self.rolling(random),
            13 => self.at(random),
            14 | 15 => self.join(random),
            16 => self.sequence(random),
            17 => self.top(random),
            18 => self.throttle(random),
            19 => self.expand(random),
            20 => self.route(random),
            21 => self.select(random),
            22 => self.filter(random),
            _ => self.table(random),
        }
    }

    fn some_tasks(&mut self, random: &mut Random) {
        if random.one_in(4) {
            let tasks = 1 + random.below(3);
            self.line(format!("tasks = {tasks}"));
        }
    }

    /// A window that closes.
    fn closing(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.by_time = true;
        self.timeless = false;
        let name = self.bolt("aggregate", &quoted(&from));
        self.line(KEY);
        self.some_tasks(random);
        let length = random.choice(&["5ms", "12ms", "30ms", "100ms"]);
        let short = random.choice(&["2ms", "5ms"]);
        let gap = random.choice(&["3ms", "9ms", "25ms"]);
        // Corrections and early rows leave behind the watermark; early ones and those of rows ask for the order.
        let (window, after, by_order) = match random.below(10) {
            0 | 1 => (format!("tumbling = \"{length}\""), false, false),
            2 => (format!("tumbling = \"{length}\", lateness = \"10ms\""), from.late, false),
            3 => (format!("tumbling = \"{length}\", emit_every = \"{short}\""), true, true),
            4 => (format!("tumbling = \"{length}\", empty = true"), false, false),
            5 => (format!("hopping = \"{length}\", every = \"{short}\""), false, false),
            6 => (format!("session = \"{gap}\""), false, false),
            7 => (format!("session = \"{gap}\", lateness = \"20ms\""), from.late, false),
            8 => (format!("session = \"{gap}\", emit_every = \"{short}\""), true, true),
            _ => (
                ["tumbling = \"5 rows\"", "hopping = \"7 rows\", every = \"3 rows\""][random.below(2)].to_owned(),
                true,
                true,
            ),
        };
        self.line(format!("window = {{ {window} }}"));
        if window.contains("empty") {
            self.line("ttl = \"60ms\"");
        }
        let ordered = !by_order && random.one_in(5);
        if ordered {
            self.line("order = \"time\"");
        }
        let order = match by_order {
            // What has come when time passes its places, and how long windows without rows go on, depends on which
            // channels tell the time.
            _ if window.contains("emit_every") || window.contains("empty") => Order::Open,
            true => from.by_key(),
            false => from.by_rows(),
        };
        let v = random.choice(&["count(*)", "sum(v)", "max(v)", "count(distinct v)", "count(*) filter (where v > 1)"]);
        self.line(format!("add.total = \"({v})::bigint\"\nadd.least = \"min(v)\""));
        if order == Order::Keys && random.one_in(2) {
            self.line("add.first = \"first(v)\"\nadd.last = \"last(v)\"\nadd.usual = \"avg(v)\"");
        }
        if random.one_in(4) {
            self.line("add.middle = \"percentile_cont(0.5) within group (order by v)\"");
        }
        if random.one_in(6) {
            self.line("having = \"total > 1\"");
        }
        self.line("");
        self.tells_side(&format!("{name}.late"), order, "key", random);
        self.letters_of(&name, order);
        if random.one_in(2) {
            self.ledger(&name, order, "key");
        }
        let of = self.bolt("select", &format!("\"{name}\""));
        self.line("add.v = \"total\"\n");
        self.behind |= after;
        self.gives(&of, order, after || from.late);
    }

    /// A pattern over one stream.
    fn pattern(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.by_time = true;
        self.timeless = false;
        let name = self.bolt("pattern", &quoted(&from));
        self.line(KEY);
        self.some_tasks(random);
        let pattern = random.choice(&[
            "a -> b",
            "a -> !b",
            "a -> !b -> c",
            "a b+ c?",
            "a b? c",
            "(a ->){2,} c",
            "(a ->>){2,} c",
            "a ->> b",
            "(a | b) c",
            "(a | b b) c?",
            "permute(a, b, c)",
            "a -> (b ->)* c",
            "(a -> !b ->){2} c",
            "a !b",
            "a{2,} b",
        ]);
        self.line(format!("pattern = \"{pattern}\""));
        let within = random.choice(&["6ms", "15ms", "40ms", "120ms"]);
        self.line(format!("within = \"{within}\""));
        let skip = match random.below(6) {
            0 => "to next",
            1 => "none",
            2 if pattern.starts_with('a') => "to last a",
            3 if pattern.starts_with('a') => "to first a",
            _ => "past last",
        };
        let partial = *random.choice(&[2, 10, 1000]);
        self.line(format!("overflow = \"{}\"", random.choice(&["drop oldest", "drop newest", "error"])));
        let timed_out = random.one_in(2);
        self.line(format!("timed_out = {timed_out}"));
        let all_rows = random.one_in(4);
        if all_rows {
            self.line("rows = \"all\"");
        }
        // All rows of a thousand matches at a time take for ever.
        let partial = if all_rows && skip == "none" { partial.min(10) } else { partial };
        self.line(format!("skip = \"{skip}\"\nmax_partial = {partial}"));
        self.line(if random.one_in(4) { "define.a = \"v > prev(v)\"" } else { "define.a = \"v % 3 = 0\"" });
        self.define_b(pattern, random);
        if pattern.contains('c') {
            self.line("define.c = \"v % 3 = 2\"");
        }
        self.line("add.v = \"count(*)\"");
        if random.one_in(2) {
            self.line("add.since = \"sum(a.v)\"\nadd.id = \"match_id()\"");
        }
        if random.one_in(4) {
            self.line("ttl = \"150ms\"\nadd.number = \"match_number()\"");
        }
        self.line("");
        let order = from.by_absence();
        if timed_out && random.one_in(2) {
            self.ledger(&format!("{name}.timed_out"), order, "key");
        }
        self.tells_side(&format!("{name}.errors"), order.min(Order::Rows), "reason", random);
        self.letters_of(&name, order);
        self.gives(&name, order, true);
    }

    fn define_b(&mut self, pattern: &str, random: &mut Random) {
        if !pattern.contains('b') {
            return;
        }
        // A negation has neither a gap of its own rows nor a stop condition.
        let extra = match random.below(3) {
            _ if pattern.contains("!b") => "",
            0 => ", gap = \"10ms\"",
            1 if pattern.contains("b+") || pattern.contains("(b ->)*") => ", until = \"v is null\"",
            _ => "",
        };
        self.line(format!("define.b = {{ where = \"v % 3 = 1\"{extra} }}"));
    }

    /// A pattern over two streams.
    fn sequence(&mut self, random: &mut Random) {
        let Some((one, two)) = self.pick_two(random) else { return self.pattern(random) };
        self.by_time = true;
        self.timeless = false;
        let name = self.bolt("pattern", &format!("[{}, {}]", quoted(&one), quoted(&two)));
        self.line(KEY);
        let pattern = random.choice(&["a -> b", "a -> !b", "a ->> b", "(a | b) b", "a b+", "b -> !a"]);
        self.line(format!("pattern = \"{pattern}\"\nwithin = \"{}\"", random.choice(&["6ms", "25ms"])));
        self.line(format!("define.a = {{ from = {}, where = \"v % 2 = 0\" }}", quoted(&one)));
        self.line(format!("define.b = {{ from = {}, where = \"v > 0\" }}", quoted(&two)));
        self.line("timed_out = true\nadd.v = \"count(*)\"\n");
        self.tells_side(&format!("{name}.timed_out"), Order::Open, "key", random);
        self.gives(&name, Order::Open, true);
    }

    /// Rules that hold for a time, or for rows.
    fn rules(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.by_time = true;
        self.timeless = false;
        self.asks_back();
        let name = self.bolt("rules", &quoted(&from));
        self.line(any_key(random));
        self.some_tasks(random);
        self.line(format!("{KEEP}\nttl = \"{}\"", random.choice(&["60ms", "1s"])));
        let hold = random.choice(&["4ms", "12ms", "30ms"]);
        self.line(format!("rules.long = {{ when = \"v > 0\", for = \"{hold}\", score = \"v * 0.5\" }}"));
        self.line("rules.short = { when = \"v >= 0\", for = \"5ms\", reason = \"{v} of {key}\" }");
        self.line("rules.three = { when = \"v > 1\", for = \"3 rows\" }");
        self.line("rules.quiet = { when = \"v is null\", for = \"8ms\", mode = \"shadow\" }\n");
        let order = from.by_absence();
        self.letters_of(&name, order);
        self.gives(&name, order, from.late);
        if random.one_in(2) {
            self.gives_side(&format!("{name}.shadow"), order, from.late);
        }
    }

    /// Windows that are looked at at every row.
    fn rolling(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.asks_back();
        let name = self.bolt("aggregate", &quoted(&from));
        self.line(any_key(random));
        self.some_tasks(random);
        let ordered = random.one_in(4);
        if ordered {
            self.timeless = false;
            self.line("order = \"time\"");
        }
        self.line(format!("{KEEP}\nttl = \"{}\"", random.choice(&["60ms", "500ms"])));
        self.line("windows.before = { rolling = \"25ms\", exclude = \"current\" }");
        self.line("windows.run = { run = \"v\" }\nwindows.now = { latest = \"v\" }");
        let all = [
            "add.n = \"count(*) over '10ms'\"",
            "add.total = \"sum(v) over '5 rows'\"",
            "add.most = \"max(v) over before\"",
            "add.known = \"count(v) over before\"",
            "add.steady = \"count(*) over run\"",
            "add.kinds = \"count(*) over now\"",
            "add.past = \"lag(v, 2)\"",
            "add.ever = \"count(*)\"",
        ];
        for line in all {
            if random.one_in(2) {
                self.line(line);
            }
        }
        self.line("add.usual = \"avg(v) over '40ms'\"\n");
        let order = from.by_key();
        self.tells_side(&format!("{name}.late"), order, "key", random);
        self.letters_of(&name, order);
        self.gives(&name, order, from.late);
    }

    /// One stream beside another, in one aggregate.
    fn at(&mut self, random: &mut Random) {
        let Some((one, two)) = self.pick_two(random) else { return self.rolling(random) };
        self.asks_back();
        let name = self.bolt("aggregate", &format!("[{}, {}]", quoted(&one), quoted(&two)));
        self.line(KEY);
        let ordered = random.one_in(2);
        if ordered {
            self.timeless = false;
            self.line("order = \"time\"");
        }
        self.line(format!("at = {}\nttl = \"500ms\"", quoted(&one)));
        self.line(format!("add.others = \"count({}.*) over '20ms'\"", two.name));
        self.line(format!("add.newest = \"last({}.v)\"\n", two.name));
        let order = match ordered && !one.late && !two.late {
            true => one.by_key().min(two.by_key()),
            false => Order::Open,
        };
        self.gives(&name, order, one.late || two.late);
    }

    fn join(&mut self, random: &mut Random) {
        let Some((left, right)) = self.pick_two(random) else { return self.closing(random) };
        self.by_time = true;
        self.timeless = false;
        let name = self.bolt("join", &format!("[{}, {}]", quoted(&left), quoted(&right)));
        self.line(KEY);
        let first = random.one_in(3);
        let (l, r) = (&left.name, &right.name);
        self.line(format!("match = \"{}\"", if first { "first" } else { "each" }));
        self.line(format!("outer = \"{}\"", random.choice(&["left", "right", "full"])));
        self.line(format!(
            "within = {{ before = \"{}\", after = \"{}\" }}",
            random.choice(&["0s", "3ms"]),
            random.choice(&["4ms", "15ms"])
        ));
        self.line(format!(
            "keep = []\nadd.key = \"coalesce({l}.key, {r}.key)\"\nadd.word = \"coalesce({l}.word, {r}.word)\""
        ));
        self.line(format!("add.v = \"coalesce({l}.v, 0) + coalesce({r}.v, 0)\"\n"));
        let late = left.late || right.late;
        let order = if late || first { Order::Open } else { left.order.min(right.order).min(Order::Rows) };
        if random.one_in(2) {
            self.gives_side(&format!("{name}.unmatched_left"), order, late);
        }
        self.tells_side(&format!("{name}.unmatched_right"), order, "key", random);
        self.gives(&name, order, late);
    }

    fn top(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.by_time = true;
        self.timeless = false;
        let name = self.bolt("top", &quoted(&from));
        self.line(format!("{KEEP}\nlimit = {}\norder_by = \"v desc, key\"", 1 + random.below(3)));
        if random.one_in(3) {
            self.line("per = \"word\"");
        }
        self.line("");
        // Whatever comes first, the ranks are the same; what comes late is not ranked.
        let order = if from.late { Order::Open } else { from.order.min(Order::Rows) };
        self.tells_side(&format!("{name}.late"), order, "key", random);
        self.gives(&name, order, from.late);
    }

    fn throttle(&mut self, random: &mut Random) {
        let from = self.pick(random);
        let dedupe = random.one_in(2);
        self.asks_back();
        let name = self.bolt(if dedupe { "dedupe" } else { "throttle" }, &quoted(&from));
        self.line(any_key(random));
        self.some_tasks(random);
        self.line(format!("per = \"{}\"", random.choice(&["5ms", "20ms", "80ms"])));
        if !dedupe {
            self.line(format!("limit = {}", 1 + random.below(3)));
        }
        self.line("");
        let order = from.by_key();
        self.gives(&name, order, from.late);
        if random.one_in(2) {
            self.gives_side(&format!("{name}.rejected"), order, from.late);
        }
    }

    fn expand(&mut self, random: &mut Random) {
        let from = self.pick(random);
        let name = self.bolt("expand", &quoted(&from));
        self.line(format!("{KEEP}\neach = \"generate_series(1, coalesce(v, 1) % 3 + {})\"", random.below(2)));
        self.line("as = \"nth\"\n");
        self.gives(&name, from.order, from.late);
    }

    fn route(&mut self, random: &mut Random) {
        let from = self.pick(random);
        let name = self.bolt("route", &quoted(&from));
        self.line(format!("match = \"{}\"", random.choice(&["first", "all"])));
        self.line("routes.even = \"v % 2 = 0\"\nroutes.large = \"v > 1\"\n");
        for side in ["even", "large", "rest"].into_iter().skip(random.below(2)) {
            self.gives_side(&format!("{name}.{side}"), from.order, from.late);
        }
    }

    /// Columns are computed, and for some rows they cannot be.
    fn select(&mut self, random: &mut Random) {
        let from = self.pick(random);
        let name = self.bolt("select", &quoted(&from));
        self.line(format!("{KEEP}\nadd.v = \"v + key % 2\"\nadd.share = \"100 / v\"\n"));
        self.tells_side(&format!("{name}.errors"), from.order.min(Order::Rows), "reason", random);
        self.letters_of(&name, from.order);
        self.gives(&name, from.order, from.late);
    }

    fn filter(&mut self, random: &mut Random) {
        let from = self.pick(random);
        let name = self.bolt("filter", &quoted(&from));
        self.line("where = \"v > 0 or key % 2 = 0\"\n");
        self.gives(&name, from.order, from.late);
        if random.one_in(2) {
            self.gives_side(&format!("{name}.rejected"), from.order, from.late);
        }
    }

    /// The newest row of each key.
    fn table(&mut self, random: &mut Random) {
        let from = self.pick(random);
        self.asks_back();
        self.bolt("table", &quoted(&from));
        self.line(any_key(random));
        if random.one_in(2) {
            self.line("delete = \"v % 4 = 0\"");
        }
        if random.one_in(2) {
            self.line("ttl = \"40ms\"");
        }
        self.line("");
    }

    fn letters_of(&mut self, name: &str, order: Order) {
        if order > Order::Open {
            self.letters.push(name.to_owned());
        }
    }
}
