use super::*;
use crate::decoder::fixture::{All, run, slots, table};
use crate::expr::Environment;
use crate::log::{Owner, SyncPolicy, TopicOptions, Writer, WriterOptions};
use crate::problem::{Problems, Span};
use crate::tuple::{Run, Value};
use std::path::Path;

/// A data directory of its own that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sferic-log-spout-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    fn writer(&self, topic: &str) -> Writer {
        let topic = Log::in_dir(&self.0).create(topic, &TopicOptions::default()).unwrap();
        topic.writer(0, WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Never }).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(folder: &Folder, text: &str) -> (Option<Box<dyn SpoutPlan>>, Vec<Problem>) {
    let (table, problems) = (table(text), Problems::new());
    let environment = Environment::default();
    let options = Options { component: "spouts.s", span: Span::default(), table: &table, problems: &problems };
    let (data_dir, folder) = (Some(&*folder.0), Path::new("."));
    let plan = LogFactory { files: Arc::new(crate::files::DiskFiles) }.check(&SpoutCheck {
        name: "s",
        options,
        environment: &environment,
        folder,
        data_dir,
    });
    (plan, problems.into_sorted())
}

fn plan(folder: &Folder, text: &str) -> Box<dyn SpoutPlan> {
    let (plan, problems) = check(folder, text);
    assert_eq!(problems, []);
    plan.unwrap()
}

fn open(plan: &dyn SpoutPlan, position: u64, identity: &str) -> Result<Box<dyn Spout>, ComponentError> {
    let (_, slots) = slots(plan.columns());
    plan.open(&SpoutBuild { name: "s", split: "0", split_id: 0, position, identity, columns: &slots, space: None })
}

fn values(all: &All) -> Vec<i64> {
    all.rows.iter().map(|r| if let Value::Bigint(n) = r[0] { n } else { panic!("{r:?}") }).collect()
}

fn fill(writer: &mut Writer, range: std::ops::Range<i64>) {
    for n in range {
        writer.append(None, format!("{{\"n\":{n}}}").as_bytes(), n * 1_000_000).unwrap();
    }
    writer.flush().unwrap();
}

const NUMBERS: &str = "topic = \"t\"\nformat = \"json\"\nfields.n = \"bigint not null\"\n";

#[test]
fn it_starts_where_it_is_told_and_goes_on_where_it_was() {
    let folder = Folder::new("start");
    let mut writer = folder.writer("t");
    fill(&mut writer, 0..1000);
    let until = format!("{NUMBERS}until = \"end\"\n");
    for (start, first) in [
        ("", 0),
        ("start = \"earliest\"", 0),
        ("start = 400", 400),
        ("start = \"latest\"", 1000),
        ("start = \"1970-01-01 00:10:00\"", 600),
    ] {
        let plan = plan(&folder, &format!("{until}{start}"));
        assert!(plan.finite());
        let mut spout = open(&*plan, 0, "").unwrap();
        // What comes after the start is not of the end that there was.
        fill(&mut writer, 1000..1001);
        let all = run(&mut *spout, plan.columns(), 1);
        assert_eq!(values(&all), (first..1000).collect::<Vec<_>>(), "{start}");
        writer.truncate_to(1000).unwrap();
        for (position, before) in all.stops.iter().step_by(3) {
            let again = run(&mut *open(&*plan, *position, "t").unwrap(), plan.columns(), 1);
            assert_eq!(values(&again), (first + *before as i64..1000).collect::<Vec<_>>());
        }
    }
    let plan = plan(&folder, &until);
    let failure = open(&*plan, 5, "other").err().unwrap().message;
    assert!(failure.contains("was reading topic `other` before"), "{failure}");
    assert!(open(&*plan, 1001, "t").err().unwrap().message.contains("has no offset 1001 yet"));
}

#[test]
fn a_document_of_many_rows_is_resumed_inside() {
    let folder = Folder::new("each");
    let mut writer = folder.writer("t");
    for document in 0..5 {
        let rows: Vec<String> = (0..150).map(|n| format!("{{\"n\":{}}}", document * 150 + n)).collect();
        writer.append(None, format!("{{\"rows\":[{}]}}", rows.join(",")).as_bytes(), 0).unwrap();
    }
    writer.flush().unwrap();
    let plan = plan(&folder, &format!("{NUMBERS}until = \"end\"\neach = \"$.rows[*]\"\npaths.n = \"@.n\""));
    let all = run(&mut *open(&*plan, 0, "").unwrap(), plan.columns(), 1);
    assert_eq!(values(&all), (0..750).collect::<Vec<_>>());
    assert!(all.stops.len() > 10);
    for (position, before) in &all.stops {
        let again = run(&mut *open(&*plan, *position, "t").unwrap(), plan.columns(), 1);
        assert_eq!(values(&again), (*before as i64..750).collect::<Vec<_>>(), "{position}");
    }
}

#[test]
fn a_record_that_is_not_one_of_the_format_is_an_error_and_none_is_lost() {
    let folder = Folder::new("broken");
    let mut writer = folder.writer("t");
    for value in ["1", "", "x", "2\n3", "4\n", "\"5\"", "6,7"] {
        writer.append(None, value.as_bytes(), 0).unwrap();
    }
    writer.flush().unwrap();
    let csv = "topic = \"t\"\nformat = \"csv\"\ncolumns = [\"n\"]\nfields.n = \"bigint not null\"\nuntil = \"end\"\n";
    let all = run(&mut *open(&*plan(&folder, csv), 0, "").unwrap(), plan(&folder, csv).columns(), 1);
    assert_eq!(values(&all), [1, 2, 4, 5]);
    let reasons: Vec<_> = all.rejects.iter().map(|r| (r.reason, r.position)).collect();
    // An empty record is what an empty line of a file is: of one column of CSV, none.
    assert_eq!(reasons, [("bad_value", 2), ("lines", 3), ("columns", 6)]);
    let text = "topic = \"t\"\nformat = \"text\"\nuntil = \"end\"\n";
    let text = plan(&folder, text);
    let all = run(&mut *open(&*text, 0, "").unwrap(), text.columns(), 1);
    assert_eq!((all.rows.len(), all.rejects.len()), (6, 1));
}

#[test]
fn followed_live_a_tuple_is_due_when_it_was_appended() {
    let folder = Folder::new("live");
    let mut writer = folder.writer("t");
    fill(&mut writer, 0..3);
    let plan = plan(&folder, NUMBERS);
    assert!(!plan.finite());
    let mut spout = open(&*plan, 0, "").unwrap();
    let (layout, _) = slots(plan.columns());
    let (mut run, mut rejects) = (Run::new(layout), Vec::new());
    let mut poll = |run: &mut Run, now: u64, wall: i64| {
        run.clear();
        spout.poll(&mut Intake { run, rejects: &mut rejects, now, wall }).unwrap()
    };
    // What was there before is due when it is read; its time is that of its append.
    assert!(matches!(poll(&mut run, 50_000_000_000, 50_000_000), Polled::Some));
    assert_eq!((run.len(), run.frame(0).due(), run.frame(2).time()), (3, 50_000_000_000, 2_000_000));
    assert!(matches!(poll(&mut run, 51_000_000_000, 51_000_000), Polled::Nothing(None)));
    fill(&mut writer, 52..53);
    assert!(matches!(poll(&mut run, 52_000_700_000, 52_000_700), Polled::Some));
    assert_eq!((run.len(), run.frame(0).due()), (1, 52_000_000_000));
    assert_eq!(run.frame(0).time(), 52_000_000);
}

#[test]
fn what_is_wrong_is_said_before_the_start() {
    let folder = Folder::new("wrong");
    for (text, said) in [
        ("start = \"ltaest\"\n", "`start` of `spouts.s` must be \"earliest\", \"latest\""),
        ("start = -1\n", "`start` of `spouts.s`"),
        ("until = \"and\"\n", "`until` of `spouts.s` cannot be"),
    ] {
        let (_, problems) = check(&folder, &format!("{NUMBERS}{text}"));
        assert!(problems[0].message.contains(said), "{problems:?}");
    }
    let csv = "topic = \"t\"\nformat = \"csv\"\nfields.n = \"bigint\"\n";
    for text in [csv.to_owned(), format!("{csv}columns = [\"n\"]\nheader = \"skip\"\n")] {
        let (plan, problems) = check(&folder, &text);
        assert!(plan.is_none() && problems[0].message.contains("records of a log have no header"), "{problems:?}");
    }
    let failure = plan(&folder, NUMBERS).splits().unwrap_err().message;
    assert!(failure.contains("there is no topic `t`"), "{failure}");
}
