//! The one table that is printed at the end.

/// Aims, figures, and what they were measured on.
pub struct Table {
    tiny: bool,
    machine: String,
    rows: Vec<[String; 5]>,
}

impl Table {
    pub fn new(tiny: bool) -> Table {
        Table { tiny, machine: machine(), rows: Vec::new() }
    }

    /// An aim, what was measured (and what by hand), their ratio, whether the aim is met.
    pub fn row(&mut self, aim: &str, measured: String, by_hand: String, ratio: Option<f64>, met: Option<bool>) {
        let met = match met {
            _ if self.tiny => "not judged",
            None => "",
            Some(true) => "met",
            Some(false) => "NOT MET",
        };
        let ratio = ratio.map_or(String::new(), |r| format!("{r:.2}"));
        eprintln!("  {aim}: {measured} {by_hand} {ratio} {met}");
        self.rows.push([aim.to_owned(), measured, by_hand, ratio, met.to_owned()]);
    }

    pub fn print(&self) {
        let heads = ["aim", "measured", "by hand", "ratio", ""].map(str::to_owned);
        let all: Vec<&[String; 5]> = std::iter::once(&heads).chain(&self.rows).collect();
        let widths: Vec<usize> =
            (0..5).map(|c| all.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
        for row in all {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
        println!("\n{}; pinned to cores 0 and 1; wait = spin; ring_capacity = 1024 tuples", self.machine);
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).map(|l| l.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
