//! Outputs that cannot be written, and cores that cannot be had.

use super::{account, folder, run};
use crate::program::{Folder, end_of};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

/// Ten thousand rows: more than fits into any buffer on the way.
fn input() -> String {
    let row = |n: usize| format!("{n},2024-01-01,{n}.25,k{n}\n");
    "id,ts,x,t\n".to_owned() + &(0..10_000).map(row).collect::<String>()
}

/// The topology with another sink in the place of the file.
fn with_sink(sink: &str) -> Folder {
    let folder = folder(input());
    let wanted = "kind = \"file\"\nfrom = \"counted\"\npath = \"out.ndjson\"\n";
    assert!(super::TOPOLOGY.contains(wanted));
    folder.file("t.toml", super::TOPOLOGY.replace(wanted, &format!("from = \"counted\"\n{sink}")));
    folder
}

#[test]
fn a_full_disk_ends_the_run_with_what_to_do() {
    let folder = with_sink("kind = \"file\"\npath = \"/dev/full\"\n");
    let ran = run(&folder, &[]);
    assert_eq!(ran.code, Some(1));
    // Every tuple is accounted for, also those that could not be written, and the input stopped at once.
    let report = ran.report();
    let account = account(&report);
    assert!(account.records < 3000, "{account:?}");
    let lost = account.tuples;
    let message = format!("error: cannot write `/dev/full` any further after 0 bytes, {lost} rows are lost; make room");
    assert!(ran.err.starts_with(&message), "{}", ran.err);
    let sections = report["sections"].as_array().expect("sections");
    // In the order of the file.
    let titles: Vec<_> = sections.iter().filter_map(|s| s["title"].as_str()).collect();
    assert_eq!(titles, ["file out", "file late", "file wrong"]);
    let section = &sections[0]["value"];
    assert_eq!((section["rows"].as_u64(), section["lost"].as_u64()), (Some(0), Some(lost)), "{report}");
}

#[test]
fn a_full_disk_stops_an_input_that_never_rests() {
    let folder = Folder::new();
    folder.file(
        "t.toml",
        "[runtime]\npin = false\n[spouts.s]\nkind = \"generate\"\nwhat = \"payments\"\n\
         [bolts.out]\nkind = \"file\"\nfrom = \"s\"\npath = \"/dev/full\"\nformat = \"csv\"\n",
    );
    let ran = run(&folder, &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("rows are lost; make room"), "{}", ran.err);
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_refused_at_the_start() {
    let folder = with_sink("kind = \"file\"\npath = \"no/such/out.csv\"\n");
    let ran = run(&folder, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("cannot create `no/such/out.csv`: the folder `no/such` does not exist"), "{}", ran.err);
}

#[test]
fn an_export_that_cannot_be_written_is_refused_at_the_start() {
    let folder = with_sink("kind = \"table\"\nkey = \"id\"\nexport = \"no/such/out.csv\"\n");
    let ran = run(&folder, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("cannot create `no/such/out.csv`: the folder `no/such` does not exist"), "{}", ran.err);
}

#[test]
fn a_report_that_cannot_be_written_fails_the_run() {
    let ran = run(&folder(input()), &["--report", "no/such/report.json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("error: the report cannot be written to no/such/report.json: "), "{}", ran.err);
}

#[test]
fn a_standard_output_that_is_full_is_an_error() {
    for sink in ["kind = \"console\"\n", "kind = \"null\"\n"] {
        let folder = with_sink(sink);
        let full = File::options().write(true).open("/dev/full").expect("a device");
        let mut command = folder.command(&["run", "t.toml", "--jitter", "0s"]);
        let ran = crate::program::finish(command.stdout(full).spawn().expect("the program"));
        assert_eq!(ran.code, Some(1), "{sink}");
        assert!(ran.err.contains("cannot write to standard output"), "{sink}: {}", ran.err);
        // Ten thousand rows, had the input gone on.
        let lost = ran.err.split(" more are lost").next().and_then(|e| e.rsplit(' ').next()?.parse::<u64>().ok());
        assert!(sink.contains("null") || lost.is_some_and(|n| n > 0 && n < 3000), "{}", ran.err);
    }
}

#[test]
fn a_pipe_that_is_closed_at_once_is_no_error() {
    let folder = with_sink("kind = \"console\"\n");
    let mut child =
        folder.command(&["run", "t.toml", "--jitter", "0s"]).stderr(Stdio::piped()).spawn().expect("the program");
    drop(child.stdout.take());
    let status = end_of(&mut child);
    let ran = crate::program::finish(child);
    assert_eq!((status.code(), ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_core_that_the_machine_does_not_have() {
    let folder = folder("");
    folder.file("t.toml", super::TOPOLOGY.replace("pin = false", "cores = [4095]"));
    for command in ["run", "explain"] {
        let ran = folder.run(&[command, "t.toml"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(
            ran.err
                .starts_with("error: core 4095 of `runtime.cores` is not available: this process may use the cores "),
            "{}",
            ran.err
        );
    }
    folder.file("t.toml", super::TOPOLOGY.replace("pin = false", "threads = 2\ncores = [0]"));
    let ran = folder.run(&["run", "t.toml"]);
    assert!(ran.err.contains("`runtime.threads` is 2, but `runtime.cores` lists 1 cores"), "{}", ran.err);
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    // SAFETY: the set consists of bits, for which zero is a value.
    let mut set = unsafe { std::mem::zeroed::<libc::cpu_set_t>() };
    // SAFETY: the set lives through the call and has the size that is told.
    let got = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    assert_eq!(got, 0);
    // SAFETY: the numbers lie inside the set.
    (0..libc::CPU_SETSIZE as usize).filter(|n| unsafe { libc::CPU_ISSET(*n, &set) }).collect()
}

#[test]
fn a_core_outside_the_set_of_the_process() {
    let all = cores();
    let (Some(first), Some(second)) = (all.first().copied(), all.get(1).copied()) else {
        eprintln!("a machine of one core: nothing to see");
        return;
    };
    let folder = folder("id,ts,x,t\n1,2024-01-01,2,a\n");
    folder.file("t.toml", super::TOPOLOGY.replace("pin = false", &format!("cores = [{second}]")));
    let narrowed = || {
        let mut command = folder.command(&["run", "t.toml", "--jitter", "0s", "--format", "json"]);
        // SAFETY: between fork and exec nothing but system calls on memory of the stack.
        unsafe {
            command.pre_exec(move || {
                let mut set = std::mem::zeroed::<libc::cpu_set_t>();
                libc::CPU_SET(first, &mut set);
                match libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        crate::program::finish(command.spawn().expect("the program"))
    };
    let ran = narrowed();
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains(&format!("core {second} of `runtime.cores`")), "{}", ran.err);
    assert!(ran.err.contains(&format!("may use the cores {first};")), "{}", ran.err);
    // By default it takes what it may have.
    folder.file("t.toml", super::TOPOLOGY.replace("pin = false", "threads = 2"));
    let report = narrowed().good();
    assert!(report["executors"].as_array().is_some_and(|e| e.len() == 2 && e.iter().all(|e| e["core"] == first)));
}
