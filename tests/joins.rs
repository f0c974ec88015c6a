//! Joins as people use them: files that tell of two kinds of events, and what comes of both.

use crate::program::Folder;
use serde_json::{Value, json};

const ADS: &str = r#"
name = "ads"

[spouts.impressions]
kind     = "file"
path     = "impressions.ndjson"
format   = "json"
time     = "shown_at"
disorder = "5s"
fields.id       = "text not null"
fields.ad       = "text not null"
fields.campaign = "text"
fields.shown_at = "timestamp not null"

[spouts.clicks]
kind     = "file"
path     = "clicks.ndjson"
format   = "json"
time     = "clicked_at"
disorder = "5s"
fields.impression = "text not null"
fields.clicked_at = "timestamp not null"

[bolts.attributed]
kind   = "join"
from   = ["impressions", "clicks"]           # left, right
key    = { impressions = "id", clicks = "impression" }
within = { after = "10m" }                   # the click comes 0 to 10 minutes after the impression
outer  = "left"                              # an impression without a click leaves when its 10 minutes have passed
match  = "first"                             # or "each"
keep   = ["impressions.*"]
add.clicked_at = "clicks.clicked_at"
add.delay      = "clicks.clicked_at - impressions.shown_at"

[bolts.orphans]                              # clicks without an impression
kind = "file"
from = "attributed.unmatched_right"
path = "orphans.ndjson"

[bolts.out]
kind = "file"
from = "attributed"
path = "attributed.ndjson"

[[tests]]
name = "a click in time, a click too late, none"
defaults.impressions = { ad = "a", campaign = "k" }
given = [
  { at = "0m",  impressions = { id = "1" } },
  { at = "0m",  impressions = { id = "2" } },
  { at = "3m",  clicks = { impression = "1" } },
  { at = "11m", clicks = { impression = "2" } },
  { at = "30m" },
]
expect = [
  { at = "3m",  attributed = { id = "1", delay = "3m" } },
  { at = "10m", attributed = "id = '2' and clicked_at is null" },
  { "attributed.unmatched_right" = { impression = "2" } },
]
"#;

fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn folder() -> Folder {
    let folder = Folder::new();
    let at = |minute: u32, second: u32| format!("2024-01-01T00:{minute:02}:{second:02}Z");
    let shown = |id: &str, at: String| json!({ "id": id, "ad": "a", "campaign": "k", "shown_at": at });
    let clicked = |id: &str, at: String| json!({ "impression": id, "clicked_at": at });
    folder.file("ads.toml", ADS);
    folder.file(
        "impressions.ndjson",
        lines([shown("1", at(0, 3)), shown("2", at(0, 0)), shown("3", at(1, 0)), shown("4", at(20, 0))]),
    );
    folder.file(
        "clicks.ndjson",
        lines([
            clicked("1", at(3, 3)),
            clicked("9", at(5, 0)),
            clicked("1", at(6, 0)),
            clicked("3", at(11, 1)),
            clicked("4", at(20, 0)),
        ]),
    );
    folder
}

#[test]
fn impressions_meet_their_clicks_on_a_virtual_clock() {
    let ran = folder().run(&["test", "ads.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
}

#[test]
fn impressions_meet_their_clicks_in_files_also_on_several_threads() {
    for arguments in [&["--threads", "1"][..], &["--threads", "2"], &["--threads", "3", "--data-dir", "state"]] {
        let folder = folder();
        let run = ["run", "ads.toml", "--jitter", "0s", "--format", "json"];
        let report = folder.run(&[&run[..], arguments].concat()).good();
        assert_eq!(report["balanced"], true, "{report}");
        let seen = |row: &Value| (row["id"].as_str().unwrap_or_default().to_owned(), row["delay"].to_string());
        let mut joined: Vec<(String, String)> = rows(&folder.read("attributed.ndjson")).iter().map(seen).collect();
        joined.sort();
        let wanted = [("1", "\"00:03:00\""), ("2", "null"), ("3", "null"), ("4", "\"00:00:00\"")];
        assert_eq!(joined, wanted.map(|(id, delay)| (id.to_owned(), delay.to_owned())), "{arguments:?}");
        let mut orphans: Vec<String> =
            rows(&folder.read("orphans.ndjson")).iter().map(|row| row["impression"].to_string()).collect();
        orphans.sort();
        assert_eq!(orphans, ["\"3\"", "\"9\""], "{arguments:?}");
    }
}
