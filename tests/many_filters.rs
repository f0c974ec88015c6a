//! Many filters on one stream: found together, they do and count what each would alone.

use crate::program::{Folder, component};
use std::fmt::Write;

const HEAD: &str = r#"
[runtime]
pin     = false
threads = 1
[spouts.payments]
kind   = "file"
path   = "payments.csv"
format = "csv"
time   = "ts"
fields.ts     = "timestamp not null"
fields.card   = "bigint"
fields.amount = "double not null"
"#;

/// Payments: number, card (one in ten has none), amount.
fn payments() -> Vec<(Option<u64>, u64)> {
    (0..500u64).map(|n| ((n % 10 != 9).then_some(n % 7), n)).collect()
}

fn folder() -> Folder {
    let folder = Folder::new();
    let row = |(n, (card, amount)): (usize, &(Option<u64>, u64))| {
        let card = card.map_or(String::new(), |card| card.to_string());
        format!("2024-01-01 00:{:02}:{:02},{card},{amount}\n", n / 60, n % 60)
    };
    let rows: String = payments().iter().enumerate().map(row).collect();
    folder.file("payments.csv", format!("ts,card,amount\n{rows}"));
    folder
}

#[test]
fn each_does_and_counts_what_it_would_alone() {
    let folder = folder();
    let mut text = HEAD.to_owned();
    let mut expected = Vec::new();
    for f in 0..60u64 {
        let (card, from) = (f % 7, f * 5);
        let (condition, broken) = match f % 3 {
            0 => (format!("card = {card} and amount >= {from}"), false),
            1 => (format!("amount >= {from} and amount < {}", from + 20), false),
            // Fails on one amount, but only where the card is right.
            _ => (format!("card = {card} and 1000 / (amount - {}) < 100", from + 1), true),
        };
        let _ = write!(text, "[bolts.f{f}]\nkind = \"filter\"\nfrom = \"payments\"\nwhere = \"{condition}\"\n");
        let _ = write!(text, "[bolts.s{f}]\nkind = \"null\"\nfrom = \"f{f}\"\n");
        let (mut passed, mut failed) = (0, 0);
        for (own, amount) in payments() {
            let right = own == Some(card);
            match f % 3 {
                0 => passed += u64::from(right && amount >= from),
                1 => passed += u64::from(amount >= from && amount < from + 20),
                _ if amount == from + 1 => failed += u64::from(right || own.is_none()),
                _ => {
                    let quotient = 1000.0 / (amount as f64 - (from + 1) as f64);
                    passed += u64::from(right && quotient < 100.0);
                }
            }
        }
        expected.push((format!("f{f}"), passed, failed, broken));
    }
    // Somebody reads what the first one refuses, so it stands alone.
    text.push_str("[bolts.refused]\nkind = \"null\"\nfrom = \"f0.rejected\"\n");
    folder.file("t.toml", &text);
    let explained = folder.run(&["explain", "t.toml", "--threads", "1"]);
    assert_eq!(explained.code, Some(0), "{}", explained.err);
    assert!(explained.out.contains("\nconditions tested together\n  payments: "), "{}", explained.out);
    assert!(explained.out.contains("are found by equality of card"), "{}", explained.out);
    let report = folder.run(&["run", "t.toml", "--jitter", "0s", "--format", "json"]).report();
    assert_eq!(report["balanced"], true, "{report}");
    for (id, passed, failed, broken) in expected {
        let found = component(&report, "components", &id);
        assert_eq!(found["out"][&id], passed, "{id}: {found}");
        assert_eq!(found["out"][format!("{id}.rejected")], 500 - passed - failed, "{id}: {found}");
        assert!(broken || failed == 0, "{id}");
    }
    let refused = component(&report, "sinks", "refused");
    assert_eq!(refused["rows"], component(&report, "components", "f0")["out"]["f0.rejected"], "{refused}");
}

#[test]
fn what_they_pass_leaves_in_the_order_of_the_file() {
    let folder = folder();
    let mut text = HEAD.to_owned();
    let mut names = Vec::new();
    for f in 0..20 {
        // Every payment of card 3 passes them all.
        let _ = write!(
            text,
            "[bolts.f{f}]\nkind = \"filter\"\nfrom = \"payments\"\nwhere = \"card = 3 and amount >= 0\"\n"
        );
        let _ =
            write!(text, "[bolts.n{f}]\nkind = \"select\"\nfrom = \"f{f}\"\nkeep = [\"amount\"]\nadd.f = \"{f}\"\n");
        names.push(format!("\"n{f}\""));
    }
    let _ = write!(text, "[bolts.out]\nkind = \"file\"\nfrom = [{}]\npath = \"out.ndjson\"\n", names.join(", "));
    folder.file("t.toml", &text);
    let explained = folder.run(&["explain", "t.toml", "--threads", "1"]).out;
    assert!(explained.contains("payments: 20 bolts; 20 of 20 conditions are found by equality of card"), "{explained}");
    assert_eq!(folder.run(&["run", "t.toml", "--jitter", "0s"]).code, Some(0));
    let wanted: Vec<String> = payments()
        .into_iter()
        .filter(|(card, _)| *card == Some(3))
        .flat_map(|(_, amount)| (0..20).map(move |f| format!("{{\"amount\":{amount},\"f\":{f}}}")))
        .collect();
    let found: Vec<String> = folder.read("out.ndjson").lines().map(|line| line.replace(".0,", ",")).collect();
    assert_eq!(found, wanted);
}
